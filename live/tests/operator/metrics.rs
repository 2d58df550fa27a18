//! What the gateway tells of itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::gateway::{MODEL, Running, config, host, run, start};

/// The value of a series, by its name and labels as written.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().expect("a number")
}

async fn metrics(gateway: &Running) -> String {
    let answer = gateway.get("/metrics").await;
    assert_eq!(answer.status, 200);
    answer.body
}

#[test]
fn requests_are_counted_and_timed_by_model_and_host() {
    run(async {
        let gateway =
            start(&config("", "", &[host().await, host().await], "balancer = \"round-robin\"")).await;
        for _ in 0..4 {
            assert_eq!(gateway.generate().await.status, 200);
        }
        gateway.decisions(4).await;
        let text = metrics(&gateway).await;
        let finished =
            format!("herder_requests_total{{model=\"{MODEL}\",tenant=\"everyone\",outcome=\"finished\"}}");
        assert_eq!(value(&text, &finished), 4.0);
        for host in ["host-0", "host-1"] {
            assert_eq!(value(&text, &format!("herder_host_dispatches_total{{host=\"{host}\"}}")), 2.0);
            assert_eq!(value(&text, &format!("herder_host_up{{host=\"{host}\"}}")), 1.0);
            assert_eq!(value(&text, &format!("herder_host_slots{{host=\"{host}\"}}")), 4.0);
        }
        for histogram in ["herder_time_to_first_token_seconds", "herder_request_duration_seconds"] {
            assert_eq!(value(&text, &format!("{histogram}_count{{model=\"{MODEL}\"}}")), 4.0, "{histogram}");
            let all = format!("{histogram}_bucket{{model=\"{MODEL}\",le=\"+Inf\"}}");
            assert_eq!(value(&text, &all), 4.0, "{histogram}");
        }
        assert_eq!(value(&text, &format!("herder_output_tokens_total{{model=\"{MODEL}\"}}")), 12.0);
        assert!(value(&text, "herder_decision_duration_seconds_count") > 8.0);
        assert_eq!(value(&text, "herder_requests_in_flight"), 0.0);
        gateway.stop().await;
    });
}

#[test]
fn every_family_has_help_and_type_and_its_series_follow_it() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        gateway.generate().await;
        let (mut family, mut families) = (String::new(), BTreeSet::new());
        for line in metrics(&gateway).await.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                family = help.split(' ').next().expect("a name").to_owned();
                assert!(families.insert(family.clone()), "{family} twice");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a name and a type");
                assert_eq!(name, family);
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            } else {
                assert!(line.starts_with(&family), "{line} stands under {family}");
            }
        }
        gateway.stop().await;
    });
}

#[test]
fn deploy_and_docs_name_metrics_that_are_there() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        gateway.generate().await;
        let text = metrics(&gateway).await;
        let known: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .map(|line| line.split(' ').next().expect("a name"))
            .collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut asked = BTreeSet::new();
        for file in files(&root.join("deploy")).into_iter().chain([root.join("docs/serving.md")]) {
            for word in metric_words(&fs::read_to_string(&file).expect("text")) {
                let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
                let there = known.contains(word.as_str()) || base.is_some_and(|base| known.contains(base));
                assert!(there, "{}: there is no metric {word}", file.display());
                asked.insert(word);
            }
        }
        assert!(asked.len() > 10, "only {asked:?} are asked for");
        gateway.stop().await;
    });
}

/// Names that can only be of metrics: ours have an underscore after the program's name, the process's are a known two.
fn metric_words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("herder_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn decisions_say_who_where_why_and_how_long() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "balancer = \"round-robin\"")).await;
        gateway.generate().await;
        let decision = gateway.decisions(1).await.remove(0);
        assert_eq!(decision["model"], MODEL);
        assert_eq!(decision["host"], "host-0");
        assert_eq!(decision["tenant"], "everyone");
        assert_eq!(decision["outcome"], "finished");
        assert_eq!(decision["output_tokens"], 3);
        assert_eq!((&decision["attempts"], &decision["cause"]), (&1.into(), &Value::Null));
        let time = |key: &str| decision[key].as_f64().unwrap_or_else(|| panic!("no {key}"));
        assert!(time("wait_millis") <= time("ttft_millis") && time("ttft_millis") <= time("e2e_millis"));
        assert!(decision["reason"].is_string(), "{decision}");
        gateway.stop().await;
    });
}

#[test]
fn the_stream_of_events_has_snapshots_and_the_requests_that_ended() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        let pool: Client<_, String> = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://{}/api/v1/events", gateway.admin);
        let response = pool.request(Request::get(uri).body(String::new()).expect("a request")).await;
        let mut stream = response.expect("a stream").into_body();
        let (mut text, mut asked) = (String::new(), false);
        while !text.contains("event: decision\n") {
            let frame = stream.frame().await.expect("it goes on").expect("unbroken");
            text += std::str::from_utf8(&frame.into_data().expect("data")).expect("UTF-8");
            if !asked && text.contains("event: snapshot\n") {
                asked = true;
                gateway.generate().await;
            }
        }
        let data = text.split("event: decision\ndata: ").nth(1).and_then(|rest| rest.lines().next());
        let decision: Value = serde_json::from_str(data.expect("data")).expect("JSON");
        assert_eq!(decision["outcome"], "finished");
        // It does not keep the gateway from ending.
        gateway.stop().await;
    });
}
