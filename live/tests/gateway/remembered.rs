//! What a gateway learned, and the next one on the same log knows.

use std::net::SocketAddr;
use std::path::Path;

use control::door::Input;
use control::facts::Facts;
use control::log::Record;
use control::replay::Replay;
use serde_json::json;
use traces::log::LogReader;

use crate::client::{emulated_with, gateway, run};

const MODEL: &str = "llama3.2:3b";

/// Serves so many requests on a log.
async fn serve(host: SocketAddr, log: &Path, requests: usize, more: &str) {
    let gateway = gateway(&[host], 4, &format!("log_dir = {log:?}\n{more}"), "").await;
    for _ in 0..requests {
        let body = json!({ "model": MODEL, "prompt": "x", "options": { "num_predict": 8 } });
        assert_eq!(gateway.client.post("/api/generate", body).await.status, 200);
    }
    gateway.stop().await;
}

/// What the log's end knows, all of it replayed, and how often something was taken over in it.
fn replayed(log: &Path) -> (Facts, usize) {
    let (mut replay, mut taken_over) = (Replay::new(), 0);
    for record in LogReader::open(log).expect("a log") {
        let record = record.expect("a whole record");
        let record = Record::decode(&record.payload).expect("a record of control");
        if let Record::Step { input, .. } = &record {
            taken_over += usize::from(matches!(**input, Input::Remembered(_)));
        }
        replay.feed(record).expect("the same decisions");
    }
    (replay.control().expect("no gap at the end").facts().clone(), taken_over)
}

fn answers(facts: &Facts) -> u64 {
    facts.models.iter().find(|model| model.name == MODEL).map_or(0, |model| model.answers)
}

#[test]
fn a_restarted_gateway_knows_what_answers_taught_and_its_log_replays() {
    run(async {
        let (folder, host) = (tempfile::tempdir().expect("a folder"), emulated_with(MODEL).await);
        let log = folder.path().join("decisions");
        serve(host, &log, 5, "").await;
        let (before, _) = replayed(&log);
        serve(host, &log, 0, "").await;
        let (after, taken_over) = replayed(&log);
        assert_eq!((answers(&before), answers(&after), taken_over), (5, 5, 1));
        let model = |facts: &Facts| facts.models.iter().position(|model| model.name == MODEL).expect("known");
        let pace = |facts: &Facts| {
            let pace = *facts.history[0].pace(control::ids::ModelId(model(facts) as u32)).expect("known");
            (pace.output_token, pace.prompt_token_picos, pace.cold_ttft)
        };
        assert_eq!(pace(&before), pace(&after));
        serve(host, &log, 2, "").await;
        assert_eq!(answers(&replayed(&log).0), 7, "from restart to restart");
        serve(host, &log, 1, "remember = false").await;
        let (anew, taken_over) = replayed(&log);
        assert_eq!((answers(&anew), taken_over), (1, 2));
    });
}

#[test]
fn a_log_that_does_not_fit_is_no_obstacle() {
    run(async {
        let (folder, host) = (tempfile::tempdir().expect("a folder"), emulated_with(MODEL).await);
        let log = folder.path().join("decisions");
        serve(host, &log, 2, "").await;
        // The first record of the only segment is cut in half.
        let segment = log.join("000000.log");
        let bytes = std::fs::read(&segment).expect("a segment");
        std::fs::write(&segment, &bytes[..40]).expect("written");
        serve(host, &log, 1, "").await;
        let (facts, taken_over) = replayed(&log);
        assert_eq!((answers(&facts), taken_over), (1, 0));
    });
}
