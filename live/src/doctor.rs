//! `herder doctor`: looks at a fleet from outside and says what an operator would want to know before clients do. It asks each
//! host a few questions that change nothing; what the answers mean is a function of them alone.

mod ask;
mod findings;

use serde::Serialize;

pub use ask::ask;
pub use findings::examine;

use crate::gateway::ServeConfig;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Good,
    /// Worth knowing.
    Warning,
    /// Requests will fail, or what is declared is wrong.
    Problem,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// The host by its name in the config; absent where it is about the fleet.
    pub host: Option<String>,
    /// What is so, and what to do about it.
    pub text: String,
}

/// What a host answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Answers {
    /// Its version, and how long that answer took in milliseconds; else why there was none.
    pub version: Result<(String, u64), String>,
    /// Models on disk; absent where that could not be read.
    pub stored: Option<Vec<Model>>,
    /// Models in memory; absent where that could not be read.
    pub loaded: Option<Vec<Model>>,
    /// Whether it answers a request whose `Host` header names a stranger.
    pub answers_strangers: bool,
}

impl Answers {
    /// Nothing, and why.
    #[must_use]
    pub fn none(why: String) -> Self {
        Self { version: Err(why), stored: None, loaded: None, answers_strangers: false }
    }
}

/// A model as a host lists it.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its content.
    pub digest: String,
    /// Bytes on disk, or in memory.
    pub size: u64,
    /// Bytes on GPUs.
    pub size_vram: u64,
    /// Tokens of its context, all slots together not counted (`/api/ps` of newer versions); 0 where unknown.
    pub context_length: u64,
    /// Where prompts are forwarded to; empty where it runs on the host.
    pub remote_host: String,
}

/// Asks all hosts of a config at once, and says what their answers mean.
pub async fn consult(config: &ServeConfig) -> Vec<Finding> {
    let asked: Vec<_> = config.hosts.iter().map(|host| tokio::spawn(ask(host.authority.clone()))).collect();
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap_or_else(|error| Answers::none(error.to_string())));
    }
    examine(&config.hosts, &answers)
}
