//! The `[workload]` section as it stands in a file. [`WorkloadFile::check`] makes it a
//! [`Workload`](crate::check::Workload) that cannot be wrong.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use traces::options::{Rate, SpreadBy};

/// `[workload]` as written: who asks what, when, of which model.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadFile {
    /// How many requests there will be; 10,000 where absent. With a trace: at most this many; all of it where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// When requests arrive (with `sessions`: when sessions start).
    pub arrivals: ArrivalsFile,
    /// Conversations of several turns, with a growing shared prefix; each request stands alone where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsFile>,
    /// Tokens that a request adds: its whole prompt, or the user's message in a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<LengthFile>,
    /// Tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<LengthFile>,
    /// Both at once, in place of `prompt` and `output`: the two are drawn together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairsFile>,
    /// Which models are asked. A session keeps its model.
    pub models: ModelsFile,
    /// Who asks; one tenant where absent. A session or a user keeps its tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<TenantFile>>,
    /// Options that requests carry, where their tenant says nothing else.
    pub options: OptionsFile,
}

impl WorkloadFile {
    /// The same with every default written out, for `scenario.resolved.toml`.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let mut file = self.clone();
        if !matches!(file.arrivals, ArrivalsFile::Trace(_)) {
            file.requests.get_or_insert(REQUESTS);
            if file.pairs.is_none() {
                file.prompt.get_or_insert_with(default_prompt);
                file.output.get_or_insert_with(default_output);
            }
        }
        file.tenants.get_or_insert_with(|| vec![TenantFile::default()]);
        file
    }

    /// The same with a trace in place of arrivals, lengths, sessions and the number of requests.
    #[must_use]
    pub fn with_trace(self, trace: TraceFile) -> Self {
        Self {
            requests: None,
            arrivals: ArrivalsFile::Trace(trace),
            sessions: None,
            prompt: None,
            output: None,
            pairs: None,
            ..self
        }
    }
}

/// Requests where nothing is said.
pub(crate) const REQUESTS: u64 = 10_000;

pub(crate) fn default_prompt() -> LengthFile {
    LengthFile::Lognormal(LognormalFile::median(500.0, 1.0, 4_096))
}

pub(crate) fn default_output() -> LengthFile {
    LengthFile::Lognormal(LognormalFile::median(150.0, 0.8, 2_048))
}

/// When requests arrive.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalsFile {
    /// Independent of each other.
    Poisson(PoissonFile),
    /// Gamma-distributed gaps: more bursty than Poisson above a `cv` of 1, more regular below.
    Gamma(GammaFile),
    /// Poisson at a rate that jumps between two values.
    OnOff(OnOffFile),
    /// Poisson at a rate that goes up and down as a cosine.
    Daily(DailyFile),
    /// Users who wait for their answer, think, and ask again.
    ClosedLoop(ClosedLoopFile),
    /// As a trace tells, with its lengths, sessions and, where it has them, models.
    Trace(TraceFile),
}

impl Default for ArrivalsFile {
    fn default() -> Self {
        Self::Poisson(PoissonFile::default())
    }
}

/// Poisson arrivals.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoissonFile {
    /// Mean rate.
    pub rate_per_second: f64,
}

impl Default for PoissonFile {
    fn default() -> Self {
        Self { rate_per_second: 2.0 }
    }
}

/// Arrivals with gamma-distributed gaps.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GammaFile {
    /// Mean rate.
    pub rate_per_second: f64,
    /// Coefficient of variation of the gaps (deviation over mean); 1 is Poisson.
    pub cv: f64,
}

impl Default for GammaFile {
    fn default() -> Self {
        Self { rate_per_second: 2.0, cv: 3.0 }
    }
}

/// Poisson arrivals at two rates in turn; how long each lasts is exponential.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnOffFile {
    /// Rate while on.
    pub on_rate_per_second: f64,
    /// Rate while off; may be 0.
    pub off_rate_per_second: f64,
    /// Mean length of an on phase.
    pub on_mean_seconds: f64,
    /// Mean length of an off phase.
    pub off_mean_seconds: f64,
}

impl Default for OnOffFile {
    fn default() -> Self {
        Self {
            on_rate_per_second: 8.0,
            off_rate_per_second: 0.5,
            on_mean_seconds: 30.0,
            off_mean_seconds: 90.0,
        }
    }
}

/// Poisson arrivals whose rate is a cosine around its mean.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DailyFile {
    /// Mean rate over a period.
    pub mean_rate_per_second: f64,
    /// How far the rate goes above and below its mean, in percent of it: 0 to 100.
    pub amplitude_percent: f64,
    /// How long a day is.
    pub period_seconds: f64,
    /// When in the period the rate is highest.
    pub peak_seconds: f64,
}

impl Default for DailyFile {
    fn default() -> Self {
        Self {
            mean_rate_per_second: 2.0,
            amplitude_percent: 60.0,
            period_seconds: 86_400.0,
            peak_seconds: 50_400.0,
        }
    }
}

/// Users who ask again when they were answered; with `sessions`, who open another one when one ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClosedLoopFile {
    /// How many.
    pub users: u32,
    /// Mean of the exponential time before a user's first request, and from the end of each to the next one.
    pub think_time_mean_seconds: f64,
}

impl Default for ClosedLoopFile {
    fn default() -> Self {
        Self { users: 50, think_time_mean_seconds: 20.0 }
    }
}

/// A trace and what is made of it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceFile {
    /// Path; where relative, from the folder of the scenario.
    pub file: PathBuf,
    /// Its format.
    pub format: TraceFormat,
    /// Rows before this are left out; jobs arrive relative to it.
    pub start_seconds: f64,
    /// Rows from this on are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_seconds: Option<f64>,
    /// `"as_is"`, `{ compress_time = FACTOR }` (times are divided by it) or `{ thin = SHARE }` (rows that stay).
    pub rate: Rate,
    /// How rows that share a coarse stamp are spread; they stay together where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadFile>,
    /// Tokens that prompt and answer may have together; longer ones are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens_max: Option<u32>,
    /// Whether bad rows are counted and left out, instead of being an error.
    pub skip_bad: bool,
}

/// How rows of one coarse stamp are spread.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpreadFile {
    /// Length of the tick that a stamp stands for.
    pub tick_millis: u64,
    /// `"evenly"` or by `"chance"`.
    #[serde(default)]
    pub by: SpreadBy,
}

/// Format of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceFormat {
    /// Found from the first line.
    #[default]
    Auto,
    /// Azure LLM inference traces of 2023 and 2024.
    Azure,
    /// BurstGPT.
    BurstGpt,
    /// Mooncake.
    Mooncake,
    /// vidur.
    Vidur,
    /// Qwen-Bailian.
    #[serde(rename = "qwen-bailian")]
    QwenBailian,
    /// splitwise-sim.
    #[serde(rename = "splitwise-sim")]
    SplitwiseSim,
    /// LLMServingSim.
    LlmServingSim,
    /// Pods of Alibaba's GPU cluster traces: tasks for hosts of tasks.
    Openb,
    /// A folder of ServeGen's clients, from which rows are drawn by the run's seed.
    ServeGen,
    /// herder's decision logs.
    Decisions,
}

/// Conversations: each prompt holds all of the conversation before it. The next turn comes a think time after the
/// answer before it has ended. A session also ends where a turn was not answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionsFile {
    /// Mean number of turns (geometric, at least 1).
    pub turns_mean: f64,
    /// Mean of the exponential time from the end of an answer to the next turn.
    pub think_time_mean_seconds: f64,
    /// Tokens that every session opens with; 0 for none.
    pub system_prompt_tokens: u32,
    /// How many different openings there are; sessions choose evenly.
    pub system_prompts: u32,
    /// Longest prompt: a session ends before a turn that would be longer. The first turn always comes.
    pub prompt_tokens_max: u32,
}

impl Default for SessionsFile {
    fn default() -> Self {
        Self {
            turns_mean: 5.0,
            think_time_mean_seconds: 20.0,
            system_prompt_tokens: 200,
            system_prompts: 1,
            prompt_tokens_max: 32_768,
        }
    }
}

/// Tokens of a prompt or of an answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthFile {
    /// Always the same.
    Fixed(FixedFile),
    /// Lognormal.
    Lognormal(LognormalFile),
    /// As measured.
    Empirical(EmpiricalFile),
}

/// One length.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedFile {
    /// Tokens, at least 1.
    pub tokens: u32,
}

/// Lognormal lengths, by (`median_tokens`, `sigma`) or by (`mean_tokens`, `cv`); both before they are cut to the ends.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LognormalFile {
    /// Half of the lengths are below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_tokens: Option<f64>,
    /// Deviation of the logarithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
    /// Mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_tokens: Option<f64>,
    /// Deviation over mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cv: Option<f64>,
    /// Shorter ones become this.
    #[serde(default = "one")]
    pub min_tokens: u32,
    /// Longer ones become this.
    #[serde(default = "longest")]
    pub max_tokens: u32,
}

impl LognormalFile {
    /// By median and deviation of the logarithm, from 1 to `max_tokens`.
    #[must_use]
    pub const fn median(median_tokens: f64, sigma: f64, max_tokens: u32) -> Self {
        Self {
            median_tokens: Some(median_tokens),
            sigma: Some(sigma),
            mean_tokens: None,
            cv: None,
            min_tokens: 1,
            max_tokens,
        }
    }
}

const fn one() -> u32 {
    1
}

const fn longest() -> u32 {
    32_768
}

/// Measured lengths.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmpiricalFile {
    /// Each as likely as the others.
    Tokens(Vec<u32>),
    /// A table of (percent, tokens), rising in both, from 0 to 100 percent; evenly spread between two rows.
    Quantiles(Vec<(f64, u32)>),
    /// A text file with one number a line.
    File(PathBuf),
}

/// Measured pairs of prompt and answer, each as likely as the others.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairsFile {
    /// (prompt tokens, answer tokens).
    Tokens(Vec<(u32, u32)>),
    /// A text file with two numbers a line, the prompt's first, with a comma or blanks between them.
    File(PathBuf),
}

/// Which models are asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelsFile {
    /// Each with its weight.
    Weighted(Vec<ModelFile>),
    /// By Zipf's law over the order of the names.
    Zipf(ZipfFile),
}

impl Default for ModelsFile {
    fn default() -> Self {
        Self::Weighted(vec![ModelFile { name: "llama3.1:8b".into(), weight: 1.0 }])
    }
}

/// A model and how often it is asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its name on the hosts.
    pub name: String,
    /// Its share among all weights.
    #[serde(default = "one_weight")]
    pub weight: f64,
}

const fn one_weight() -> f64 {
    1.0
}

/// Models by Zipf's law.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZipfFile {
    /// Names, most popular first; `m:8b-v{1..40}` stands for forty.
    pub names: Vec<String>,
    /// The n-th has weight n to the power of minus this; 0 makes them alike.
    #[serde(default = "one_weight")]
    pub exponent: f64,
    /// How often the ranking moves on: what was the n-th is the next one's place from then on, and the last comes first. Never
    /// where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_seconds: Option<f64>,
}

impl ZipfFile {
    /// The names that the list stands for.
    #[must_use]
    pub fn all_names(&self) -> Vec<String> {
        traces::names::all(&self.names)
    }
}

/// Who asks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantFile {
    /// Name.
    pub name: String,
    /// Its share among all shares.
    pub share: f64,
    /// Its requests' priority: higher is more urgent, 0 is normal.
    pub priority: i8,
    /// How long after its arrival a request's answer loses its worth; never where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_seconds: Option<f64>,
    /// How long its clients wait for a first token before they leave; for ever where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<f64>,
    /// Options of its requests; those of the workload where one is absent.
    pub options: OptionsFile,
}

impl Default for TenantFile {
    fn default() -> Self {
        Self {
            name: "default".into(),
            share: 1.0,
            priority: 0,
            deadline_seconds: None,
            patience_seconds: None,
            options: OptionsFile::default(),
        }
    }
}

/// Options that requests carry; the host's own where absent.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptionsFile {
    /// Context window in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_ctx: Option<u32>,
    /// Most tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_predict: Option<u32>,
    /// How long the model stays loaded afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<KeepAliveFile>,
}

/// How long a model stays loaded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepAliveFile {
    /// This long; 0 unloads at once.
    Seconds(f64),
    /// Until something else needs the room.
    Forever,
}
