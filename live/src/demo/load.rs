//! The load of a demonstration: a few teams that chat, each with models of its own, in conversations that grow.
//!
//! Requests come by chance (a Poisson process), but the same ones at the same times under the same seed. There are never
//! more than [`UNDER_WAY_MAX`] under way: where the fleet is slower than the load, requests are left out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::DemoOptions;

/// Most requests per second.
pub const REQUESTS_PER_SECOND_MAX: f64 = 1_000.0;
/// Most requests of the load under way.
const UNDER_WAY_MAX: usize = 64;
/// A request that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Turns of a conversation, after which it begins anew.
const TURNS_MAX: u64 = 6;
/// Conversations of a team.
const CONVERSATIONS: u64 = 4;
/// Longest answer, in tokens.
const ANSWER_TOKENS_MAX: u32 = 256;
/// First tokens that the median is of.
const RECENT: usize = 200;

/// Who asks.
struct Team {
    /// What its every conversation begins with.
    instructions: &'static str,
    models: &'static [&'static str],
    /// Of 100 requests.
    share: u64,
}

const TEAMS: [Team; 3] = [
    Team {
        instructions: "You help the customers of a shop for garden tools. Be friendly and brief, and never promise a refund.",
        models: &["llama3.2:3b", "llama3.2:3b", "gemma3:4b"],
        share: 60,
    },
    Team {
        instructions: "You review changes of code. Point out mistakes first, then style.",
        models: &["qwen3:8b", "llama3.1:8b"],
        share: 25,
    },
    Team {
        instructions: "You write summaries of meetings for people who were not there.",
        models: &["gemma3:12b", "llama3.1:8b"],
        share: 15,
    },
];

const QUESTIONS: [&str; 8] = [
    "What would you do first?",
    "Can you say that in one sentence?",
    "Why is that so?",
    "Give me an example, please.",
    "What did we forget?",
    "Write it down as a list.",
    "Is there a simpler way?",
    "How would you explain it to a child?",
];

/// What the clients of the load have seen.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    left_out: u64,
    first_tokens: VecDeque<Duration>,
}

impl Tally {
    /// Median time to the first token of the last 200 answers; `None` before the first.
    #[must_use]
    pub fn first_token_median(&self) -> Option<Duration> {
        let mut times: Vec<Duration> = self.seen(|seen| seen.first_tokens.iter().copied().collect());
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// Requests that were left out, since too many were under way.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.seen(|seen| seen.left_out)
    }

    fn seen<T>(&self, what: impl FnOnce(&mut Seen) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn first_token(&self, took: Duration) {
        self.seen(|seen| {
            if seen.first_tokens.len() == RECENT {
                seen.first_tokens.pop_front();
            }
            seen.first_tokens.push_back(took);
        });
    }
}

type Pool = Client<HttpConnector, Full<Bytes>>;

/// Sends requests for ever; without load it waits for ever. Dropped, it gives up those under way.
pub(super) async fn run(gateway: SocketAddr, options: DemoOptions, tally: Arc<Tally>) {
    if options.requests_per_second <= 0.0 {
        return std::future::pending().await;
    }
    let pool: Pool = Client::builder(TokioExecutor::new()).build_http();
    let uri = format!("http://{gateway}/api/chat");
    let mut under_way = JoinSet::new();
    let mut at = Instant::now();
    for index in 0.. {
        at += gap(options.seed, index, options.requests_per_second);
        tokio::time::sleep_until(at).await;
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= UNDER_WAY_MAX {
            tally.seen(|seen| seen.left_out += 1);
            continue;
        }
        let body = question(options.seed, index);
        let (pool, uri, tally) = (pool.clone(), uri.clone(), Arc::clone(&tally));
        under_way.spawn(tokio::time::timeout(PATIENCE, ask(pool, uri, body, tally)));
    }
}

/// Asks, and reads the answer to its end. What goes wrong is counted by the gateway.
async fn ask(pool: Pool, uri: String, body: Value, tally: Arc<Tally>) {
    let started = Instant::now();
    let Ok(request) = Request::post(uri).body(Full::from(body.to_string())) else { return };
    let Ok(response) = pool.request(request).await else { return };
    let answered = response.status().is_success();
    let mut body = response.into_body();
    let mut first = answered;
    while let Some(Ok(_)) = body.frame().await {
        if first {
            tally.first_token(started.elapsed());
            first = false;
        }
    }
}

/// A number for what is to be decided about a request: the same for the same seed.
fn draw(seed: u64, index: u64, what: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&index.to_le_bytes()).update(what.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Time between a request and the one before it: exponential.
fn gap(seed: u64, index: u64, requests_per_second: f64) -> Duration {
    // 53 bits, and never 0.
    let uniform = ((draw(seed, index, "gap") >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    Duration::from_secs_f64((-uniform.ln() / requests_per_second).min(3_600.0))
}

/// The request at `index`: the next turn of one of a team's conversations.
fn question(seed: u64, index: u64) -> Value {
    let mut left = draw(seed, index, "team") % 100;
    let (number, team) = TEAMS
        .iter()
        .enumerate()
        .find(|(_, team)| match left.checked_sub(team.share) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
        .expect("shares sum to 100");
    let conversation = draw(seed, index, "conversation") % CONVERSATIONS;
    // A team's conversations move on together, so that later turns begin with the words of earlier ones.
    let turns = 1 + (index / 16) % TURNS_MAX;
    let round = index / (16 * TURNS_MAX);
    let thread = draw(seed, round, &format!("{number} {conversation}"));
    let mut messages = vec![json!({ "role": "system", "content": team.instructions })];
    for turn in 0..turns {
        if turn > 0 {
            messages.push(json!({ "role": "assistant", "content": "Here is what I think about it." }));
        }
        let words = QUESTIONS[(draw(thread, turn, "question") % QUESTIONS.len() as u64) as usize];
        messages.push(json!({ "role": "user", "content": words }));
    }
    let model = team.models[(thread % team.models.len() as u64) as usize];
    json!({ "model": model, "messages": messages, "options": { "num_predict": ANSWER_TOKENS_MAX } })
}

#[cfg(test)]
mod tests {
    use super::super::MACHINES;
    use super::*;

    #[test]
    fn the_load_repeats_and_keeps_its_rate() {
        let span: Duration = (0..10_000).map(|index| gap(7, index, 2.0)).sum();
        assert!((4_800..5_200).contains(&span.as_secs()), "10,000 requests at 2 a second: {span:?}");
        assert_eq!(question(7, 99), question(7, 99));
        assert_ne!(question(7, 99), question(8, 99));
    }

    #[test]
    fn every_model_that_is_asked_for_is_on_a_host() {
        assert_eq!(TEAMS.iter().map(|team| team.share).sum::<u64>(), 100);
        for index in 0..1_000 {
            let question = question(1, index);
            let model = question["model"].as_str().expect("a name");
            assert!(MACHINES.iter().any(|machine| machine.models.contains(&model)), "{model}");
        }
    }

    #[test]
    fn a_later_turn_begins_with_the_earlier_one() {
        let messages = |index: u64| question(1, index)["messages"].as_array().expect("a list").clone();
        let pair = (0..16).flat_map(|early| (16..32).map(move |late| (early, late)));
        let grown = pair.filter(|&(early, late)| messages(late).starts_with(&messages(early))).count();
        assert!(grown >= 4, "{grown} pairs of turns");
    }

    #[test]
    fn the_median_is_of_the_last_answers() {
        let tally = Tally::default();
        assert_eq!(tally.first_token_median(), None);
        for millis in (0..1_000).rev() {
            tally.first_token(Duration::from_millis(millis));
        }
        assert_eq!(tally.first_token_median(), Some(Duration::from_millis(100)));
    }
}
