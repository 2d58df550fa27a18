//! The formats, and how they are told apart by their first line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Fault, TraceError, shown};
use crate::row::RawRow;
use crate::{azure, burstgpt, llmservingsim, mooncake, openb, qwen_bailian, splitwise_sim, vidur};

/// A trace format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Azure LLM inference traces of 2023 and 2024.
    Azure,
    /// BurstGPT, with and without sessions.
    BurstGpt,
    /// Mooncake's JSON lines with prefix blocks.
    Mooncake,
    /// vidur's processed traces.
    Vidur,
    /// The anonymised Qwen-Bailian traces: JSON lines with sessions and prefix blocks.
    #[serde(rename = "qwen-bailian")]
    QwenBailian,
    /// splitwise-sim's traces.
    #[serde(rename = "splitwise-sim")]
    SplitwiseSim,
    /// LLMServingSim's JSON lines.
    LlmServingSim,
    /// Pods of Alibaba's GPU cluster traces: tasks.
    Openb,
    /// ServeGen's clients: rows are drawn.
    ServeGen,
    /// herder's own decision logs.
    Decisions,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Azure,
        Self::BurstGpt,
        Self::Mooncake,
        Self::Vidur,
        Self::QwenBailian,
        Self::SplitwiseSim,
        Self::LlmServingSim,
        Self::Openb,
        Self::ServeGen,
        Self::Decisions,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::BurstGpt => "burstgpt",
            Self::Mooncake => "mooncake",
            Self::Vidur => "vidur",
            Self::QwenBailian => "qwen-bailian",
            Self::SplitwiseSim => "splitwise-sim",
            Self::LlmServingSim => "llmservingsim",
            Self::Openb => "openb",
            Self::ServeGen => "servegen",
            Self::Decisions => "decisions",
        }
    }

    /// A name as given on the command line; `None` for `auto`.
    ///
    /// # Errors
    /// Where it is neither `auto` nor a format's name.
    pub fn from_option(name: &str) -> Result<Option<Self>, TraceError> {
        if name.eq_ignore_ascii_case("auto") { Ok(None) } else { name.parse().map(Some) }
    }

    /// The format that a file's first line shows.
    pub(crate) fn detect(line: &[u8]) -> Result<Self, Fault> {
        // Qwen-Bailian's rows have Mooncake's fields as well, so they come first.
        const MARKS: [(&str, Format); 8] = [
            ("contexttokens", Format::Azure),
            ("request tokens", Format::BurstGpt),
            ("parent_chat_id", Format::QwenBailian),
            ("input_length", Format::Mooncake),
            ("input_toks", Format::LlmServingSim),
            ("arrival_timestamp", Format::SplitwiseSim),
            ("arrived_at", Format::Vidur),
            ("creation_time", Format::Openb),
        ];
        let lower = line.to_ascii_lowercase();
        let has = |mark: &str| lower.windows(mark.len()).any(|window| window == mark.as_bytes());
        if let Some((_, format)) = MARKS.iter().find(|(mark, _)| has(mark)) {
            return Ok(*format);
        }
        if has("num_prefill_tokens") {
            let found = format!("{}, which has lengths without times of arrival", shown(line));
            return Err(Fault::new(1, found, "a trace with a column arrived_at"));
        }
        let expected = "the first line of a trace: a header with ContextTokens (azure), Request tokens (burstgpt), \
                        arrived_at (vidur), arrival_timestamp (splitwise-sim) or creation_time (openb), or a JSON object with input_length \
                        (mooncake; with parent_chat_id, qwen-bailian) or input_toks (llmservingsim)";
        Err(Fault::new(1, shown(line), expected))
    }

    /// A parser for the rows after `first`, which is the header if the format has one.
    pub(crate) fn parser(self, first: &[u8]) -> Result<Parser, Fault> {
        Ok(match self {
            Self::Azure => Parser::Azure(azure::Parser::new(first)?),
            Self::BurstGpt => Parser::BurstGpt(burstgpt::Parser::new(first)?),
            Self::Mooncake => Parser::Mooncake(mooncake::Parser),
            Self::Vidur => Parser::Vidur(vidur::Parser::new(first)?),
            Self::QwenBailian => Parser::QwenBailian(qwen_bailian::Parser::new()),
            Self::SplitwiseSim => Parser::SplitwiseSim(splitwise_sim::Parser::new(first)?),
            Self::LlmServingSim => Parser::LlmServingSim(llmservingsim::Parser),
            Self::Openb => Parser::Openb(openb::Parser::new(first)?),
            Self::ServeGen => return Err(Fault::new(1, "a file", "the folder of ServeGen's clients")),
            Self::Decisions => return Err(Fault::new(1, shown(first), "a decision log (\"herdrlog\")")),
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = TraceError;

    fn from_str(name: &str) -> Result<Self, TraceError> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            TraceError::Option {
                option: "format",
                found: shown(name.as_bytes()),
                expected: "auto, azure, burstgpt, mooncake, vidur, qwen-bailian, splitwise-sim, llmservingsim, \
                           openb, servegen or decisions",
            }
        })
    }
}

/// What turns lines into rows.
pub(crate) enum Parser {
    Azure(azure::Parser),
    BurstGpt(burstgpt::Parser),
    Mooncake(mooncake::Parser),
    Vidur(vidur::Parser),
    QwenBailian(qwen_bailian::Parser),
    SplitwiseSim(splitwise_sim::Parser),
    LlmServingSim(llmservingsim::Parser),
    Openb(openb::Parser),
}

impl Parser {
    /// Whether the file's first line is no row.
    pub(crate) const fn has_header(&self) -> bool {
        !matches!(self, Self::Mooncake(_) | Self::QwenBailian(_) | Self::LlmServingSim(_))
    }

    pub(crate) fn row(&mut self, line: &[u8]) -> Result<RawRow, Fault> {
        match self {
            Self::Azure(parser) => parser.row(line),
            Self::BurstGpt(parser) => parser.row(line),
            Self::Mooncake(parser) => parser.row(line),
            Self::Vidur(parser) => parser.row(line),
            Self::QwenBailian(parser) => parser.row(line),
            Self::SplitwiseSim(parser) => parser.row(line),
            Self::LlmServingSim(parser) => parser.row(line),
            Self::Openb(parser) => parser.row(line),
        }
    }
}
