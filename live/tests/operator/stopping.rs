//! The end of a gateway that was asked to end.

use crate::gateway::{config, run, start};
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
