//! The names of trace formats on the command line.

use clap::ValueEnum;
use traces::format::Format;

/// Formats that are read.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum FormatArg {
    /// Found from the first line
    #[default]
    Auto,
    /// Azure LLM inference traces of 2023 and 2024
    Azure,
    /// BurstGPT, both layouts
    Burstgpt,
    /// Mooncake's JSON lines
    Mooncake,
    /// vidur's processed traces
    Vidur,
    /// Qwen-Bailian's JSON lines: sessions and prefix blocks
    QwenBailian,
    /// splitwise-sim's traces
    SplitwiseSim,
    /// LLMServingSim's JSON lines
    Llmservingsim,
    /// Pods of Alibaba's GPU cluster traces (openb): tasks for hosts of tasks
    Openb,
    /// A folder of ServeGen's clients: requests are drawn by the seed
    Servegen,
    /// herder's decision logs: arrivals, and the lengths that came of them
    Decisions,
}

/// Formats that are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WriteFormat {
    /// Azure LLM inference traces of 2023
    Azure,
    /// Mooncake's JSON lines
    Mooncake,
    /// vidur's processed traces
    Vidur,
    /// Qwen-Bailian's JSON lines: sessions and prefix blocks
    QwenBailian,
    /// splitwise-sim's traces
    SplitwiseSim,
    /// LLMServingSim's JSON lines
    Llmservingsim,
}

impl FormatArg {
    pub(super) const fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Azure => Some(Format::Azure),
            Self::Burstgpt => Some(Format::BurstGpt),
            Self::Mooncake => Some(Format::Mooncake),
            Self::Vidur => Some(Format::Vidur),
            Self::QwenBailian => Some(Format::QwenBailian),
            Self::SplitwiseSim => Some(Format::SplitwiseSim),
            Self::Llmservingsim => Some(Format::LlmServingSim),
            Self::Openb => Some(Format::Openb),
            Self::Servegen => Some(Format::ServeGen),
            Self::Decisions => Some(Format::Decisions),
        }
    }
}

impl WriteFormat {
    pub(super) const fn format(self) -> Format {
        match self {
            Self::Azure => Format::Azure,
            Self::Mooncake => Format::Mooncake,
            Self::Vidur => Format::Vidur,
            Self::QwenBailian => Format::QwenBailian,
            Self::SplitwiseSim => Format::SplitwiseSim,
            Self::Llmservingsim => Format::LlmServingSim,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_own_name_on_the_command_line() {
        for format in Format::ALL {
            let named = FormatArg::from_str(format.name(), false).expect("it can be named");
            assert_eq!(named.format(), Some(format));
        }
        assert_eq!(FormatArg::value_variants().len(), Format::ALL.len() + 1);
        for format in WriteFormat::value_variants() {
            let name = format.format().name();
            assert_eq!(WriteFormat::from_str(name, false).as_ref(), Ok(format), "{name}");
        }
    }
}
