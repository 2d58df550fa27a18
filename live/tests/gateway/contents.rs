//! Contents of a name that differ: an operator decides which is the one to keep, which stands in the log and outlives a restart.

use std::net::SocketAddr;
use std::path::Path;

use hyper::Method;
use live::EmulatedOptions;
use serde_json::{Value, json};

use crate::client::{Answer, Client, Running, emulated, run, start};
use crate::parity::replay;

const MODEL: &str = "mine:latest";

/// A host that has made `mine` out of this model.
async fn host(of: &str) -> SocketAddr {
    let options = EmulatedOptions { models: vec![of.to_owned()], ..EmulatedOptions::default() };
    let address = emulated(&options).await;
    let copy = json!({ "source": of, "destination": "mine" });
    assert_eq!(Client::new(address).post("/api/copy", copy).await.status, 200);
    address
}

/// Two hosts that mean different things by `mine`.
async fn hosts() -> [SocketAddr; 2] {
    [host("llama3.2:1b").await, host("llama3.2:3b").await]
}

async fn gateway(hosts: &[SocketAddr], serve: &str, control: &str) -> Running {
    let mut text = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 20\n{serve}\n[serve.admin]\nlisten = \"127.0.0.1:0\"\n"
    );
    for (index, host) in hosts.iter().enumerate() {
        text += &format!("[[serve.hosts]]\nname = \"host-{index}\"\nurl = \"http://{host}\"\n");
    }
    start(&(text + control)).await
}

fn sync(policy: &str) -> String {
    format!("[control.sync]\nmanage = [\"mine:*\"]\npolicy = \"{policy}\"\n")
}

fn admin(gateway: &Running) -> &Client {
    gateway.admin.as_ref().expect("an operator's side")
}

/// Contents of the model, once they are as wanted.
async fn until(gateway: &Running, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let seen = admin(gateway).get("/api/v1/placement").await.json();
        if let Some(contents) = seen["contents"].as_array().and_then(|all| all.first())
            && wanted(contents)
        {
            return contents.clone();
        }
        tokio::task::yield_now().await;
    }
}

fn differs(contents: &Value) -> bool {
    contents["held"].as_array().is_some_and(|held| held.len() == 2)
}

/// The digest that a host has.
fn digest_on(contents: &Value, host: &str) -> String {
    let held = contents["held"].as_array().expect("a list").iter();
    let mut on = held.filter(|held| held["by"].as_array().is_some_and(|by| by.contains(&json!(host))));
    on.next().expect("it has one")["digest"].as_str().expect("a digest").to_owned()
}

async fn resolve(gateway: &Running, model: &str, body: Value) -> Answer {
    let (path, json) = (format!("/api/v1/models/{model}/resolve"), ("content-type", "application/json"));
    admin(gateway).ask(Method::POST, &path, &[json], body.to_string()).await
}

#[test]
fn an_operator_decides_which_content_is_kept_and_that_replays_and_outlives_a_restart() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let state = format!("state_dir = {:?}", folder.path().join("state"));
        let serve = |log: &Path| format!("{state}\nlog_dir = {log:?}");
        let (hosts, manual) = (hosts().await, sync("manual"));
        let logs = ["before", "after"].map(|name| folder.path().join(name));

        let gateway = self::gateway(&hosts, &serve(&logs[0]), &manual).await;
        let contents = until(&gateway, differs).await;
        assert_eq!((&contents["right"], &contents["decided"]), (&Value::Null, &Value::Null));
        let [first, second] = ["host-0", "host-1"].map(|host| digest_on(&contents, host));
        let answer = resolve(&gateway, "mine", json!({ "digest": first[..7].to_uppercase() })).await;
        let said = format!("model {MODEL}: {} is the content to keep", &first[..12]);
        let shown = "control.sync.act is false: hosts are not told to take it";
        assert_eq!(
            (answer.status, &answer.json()["changed"]),
            (200, &json!([said, shown])),
            "{}",
            answer.body
        );
        let right = |digest: String| move |contents: &Value| contents["right"]["digest"] == digest;
        until(&gateway, right(first)).await;
        let answer = resolve(&gateway, MODEL, json!({ "keep": "host-1" })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        until(&gateway, right(second.clone())).await;
        gateway.stop().await;

        let gateway = self::gateway(&hosts, &serve(&logs[1]), &manual).await;
        let contents = until(&gateway, right(second.clone())).await;
        assert_eq!(contents["decided"], second);
        assert_eq!(resolve(&gateway, MODEL, json!({ "withdraw": true })).await.status, 200);
        until(&gateway, |contents| contents["right"].is_null() && contents["decided"].is_null()).await;
        gateway.stop().await;
        for log in logs {
            replay(&log).expect("the same decisions");
        }
    });
}

#[test]
fn a_decision_that_cannot_be_made_changes_nothing_and_says_why() {
    run(async {
        let hosts = hosts().await;
        let gateway = self::gateway(&hosts, "", &sync("manual")).await;
        until(&gateway, differs).await;
        for (model, body, status, why) in [
            (
                "mime",
                json!({ "digest": "0" }),
                404,
                "no model \"mime:latest\" that is kept the same (did you mean \"mine:latest\"?)",
            ),
            ("llama3.2:1b", json!({ "digest": "0" }), 404, "no model \"llama3.2:1b\" that is kept the same"),
            (
                "a%20b%1b%5b2J",
                json!({ "digest": "0" }),
                400,
                "found \"a b\\u{1b}[2J\", expected a model's name",
            ),
            ("mine", json!({ "digest": "" }), 400, "found \"\", expected the first hexadecimal digits"),
            ("mine", json!({ "digest": "xyz" }), 400, "found \"xyz\", expected the first hexadecimal digits"),
            (
                "mine",
                json!({ "digest": "0".repeat(64) }),
                404,
                "nobody has a content of \"mine:latest\" whose digest begins",
            ),
            ("mine", json!({ "keep": "host-2" }), 404, "there is no host \"host-2\" (did you mean"),
            ("mine", json!({ "keep": "registry" }), 404, "the registry is not known to have a content of"),
            ("mine", json!({ "withdraw": true }), 409, "nothing was decided for \"mine:latest\""),
            ("mine", json!({ "withdraw": false }), 400, "expected one of digest"),
            ("mine", json!({ "digest": "0", "keep": "host-0" }), 400, "expected one of digest"),
            ("mine", json!({}), 400, "expected one of digest"),
        ] {
            let answer = resolve(&gateway, model, body.clone()).await;
            assert_eq!(answer.status, status, "{model}, {body}: {}", answer.body);
            assert!(answer.error().contains(why), "{model}, {body}: {}", answer.body);
        }
        let contents = until(&gateway, differs).await;
        assert_eq!((&contents["right"], &contents["decided"]), (&Value::Null, &Value::Null));
        gateway.stop().await;

        let gateway = self::gateway(&hosts, "", "").await;
        let answer = resolve(&gateway, "mine", json!({ "digest": "0" })).await;
        assert_eq!(answer.status, 409, "{}", answer.body);
        assert!(answer.error().starts_with("[control.sync] is absent"), "{}", answer.body);
        gateway.stop().await;
    });
}
