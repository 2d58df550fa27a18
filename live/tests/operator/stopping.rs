//! The end of a gateway that was asked to end.

use std::path::Path;

use live::{Gateway, ServeConfig};

use crate::gateway::{config, host, run, start};
use crate::scripted::{DONE, Host, MODEL};

#[test]
fn while_it_stops_running_answers_end_and_new_requests_are_sent_elsewhere() {
    run(async {
        let mut host = Host::start().await;
        let gateway = start(&config("", "", &[host.address], "")).await;
        let stop = async {
            let mut answering = host.call().await.begin(200);
            answering.say("{\"response\":\"x\"}\n").await;
            gateway.begin_stop();
            while gateway.get("/readyz").await.status != 503 {}
            let late = gateway.generate_with(MODEL, &[]).await;
            assert_eq!((late.status, late.retry_after), (503, true), "{}", late.body);
            assert_eq!(gateway.get("/api/v1/status").await.json()["draining"], true);
            answering.say(DONE).await;
        };
        let (answer, ()) = tokio::join!(gateway.generate_with(MODEL, &[]), stop);
        assert_eq!(answer.status, 200);
        assert!(answer.body.ends_with(DONE), "{}", answer.body);
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.finished, summary.connections_cut_off), (1, 0));
    });
}

#[test]
fn a_second_gateway_with_the_same_folders_does_not_start_until_the_first_has_ended() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (state, log) = (folder.path().join("state"), folder.path().join("log"));
        let hosts = [host().await];
        let text = config(&format!("state_dir = {state:?}\nlog_dir = {log:?}"), "", &hosts, "");
        let first = start(&text).await;
        let others = folder.path().join("others");
        for (key, taken, serve) in [
            ("serve.state_dir", &state, format!("state_dir = {state:?}\nlog_dir = {others:?}")),
            ("serve.log_dir", &log, format!("state_dir = {others:?}\nlog_dir = {log:?}")),
        ] {
            let second = ServeConfig::parse(&config(&serve, "", &hosts, ""), Path::new("second.toml"));
            let error = Gateway::bind(second.expect("a good config")).await.expect_err("taken").to_string();
            let found = format!("{key}: found {}, with which another herder serves", taken.display());
            assert!(error.starts_with(&found), "{error}");
        }
        first.stop().await;
        start(&text).await.stop().await;
    });
}
