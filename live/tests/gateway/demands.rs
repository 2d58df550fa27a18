//! What a single request demands of its host.

use hyper::Method;
use live::keys::KeyHash;
use serde_json::json;

use crate::client::{Answer, Running, emulated_with, gateway, run};

const MODEL: &str = "llama3.2:3b";

/// A gateway in front of three hosts, with a key that may assert demands and one that may not.
async fn start() -> Running {
    let key = |name: &str, more: &str| {
        let hash = KeyHash::of(&format!("hk_{name}"));
        format!("[[serve.keys]]\nname = \"{name}\"\nhash = \"{hash}\"\n{more}\n")
    };
    let keys = key("trusted", "may_assert = [\"demands\"]") + &key("other", "may_assert = [\"tenant\"]");
    gateway(
        &[emulated_with(MODEL).await, emulated_with(MODEL).await, emulated_with(MODEL).await],
        4,
        &keys,
        "",
    )
    .await
}

async fn ask(gateway: &Running, key: &str, demands: &[&str]) -> Answer {
    let body = json!({ "model": MODEL, "prompt": "x", "options": { "num_predict": 3 }, "stream": false });
    let authorization = format!("Bearer hk_{key}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(demands.iter().map(|demands| ("x-herder-demands", *demands)));
    gateway.client.ask(Method::POST, "/api/generate", &headers, body.to_string()).await
}

#[test]
fn a_request_goes_only_where_it_may() {
    run(async {
        let gateway = start().await;
        for _ in 0..4 {
            let answer = ask(&gateway, "trusted", &["{\"require_hosts\": [\"host-1\"]}"]).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.headers["x-herder-host"], "host-1");
        }
        let unmet = ask(&gateway, "trusted", &["{\"require_zones\": [\"moon\"]}"]).await;
        assert_eq!((unmet.status, unmet.retry_after), (503, true));
        assert!(unmet.error().contains("no host meets what is demanded"), "{}", unmet.body);
        assert_eq!(ask(&gateway, "trusted", &["{}"]).await.status, 200);
        gateway.stop().await;
    });
}

#[test]
fn demands_that_cannot_be_taken_are_never_passed_over() {
    run(async {
        let gateway = start().await;
        let zones = "{\"require_zones\": [\"eu\"]}";
        for (key, demands, status, told) in [
            ("trusted", &["{\"zones\": [\"eu\"]}"][..], 400, "unknown field `zones`"),
            ("trusted", &["{\"cost_cents_per_hour_max\": 0}"], 400, "found 0, expected 1 to"),
            ("trusted", &["eu"], 400, "expected demands as in control.rules"),
            ("trusted", &[zones, zones], 400, "found it more than once"),
            ("other", &[zones], 403, "only a key that may assert \"demands\""),
        ] {
            let answer = ask(&gateway, key, demands).await;
            assert_eq!(answer.status, status, "{}", answer.body);
            assert!(answer.error().contains(told), "{}", answer.body);
        }
        gateway.stop().await;
    });
}
