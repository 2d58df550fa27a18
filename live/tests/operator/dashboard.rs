//! The dashboard's parts, as they are served. What the page does in a browser is in `tests/dashboard/screenshots.py`.

use std::collections::BTreeSet;

use hyper::Method;
use hyper::header::HeaderMap;
use live::keys::KeyHash;
use serde_json::json;

use crate::gateway::{MODEL, Running, config, host, run, start};

/// Names in quotes after `before`.
fn quoted_after<'a>(text: &'a str, before: &str, quote: char) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(quote).next()).collect()
}

/// Paths of all parts that a page loads, found as a browser finds them.
async fn parts(gateway: &Running) -> BTreeSet<String> {
    let page = gateway.get("/").await.body;
    let linked = quoted_after(&page, "=\"dashboard/", '"');
    let mut found: BTreeSet<String> = linked.iter().map(|name| format!("/dashboard/{name}")).collect();
    let mut new: Vec<String> = found.iter().filter(|path| path.ends_with(".js")).cloned().collect();
    while let Some(path) = new.pop() {
        let script = gateway.get(&path).await.body;
        for name in quoted_after(&script, "from './", '\'') {
            let path = format!("/dashboard/{name}");
            if found.insert(path.clone()) {
                new.push(path);
            }
        }
    }
    found.insert("/".into());
    found
}

async fn headers(gateway: &Running, path: &str) -> HeaderMap {
    let (status, headers) = gateway.head(path).await;
    assert_eq!(status, 200, "{path}");
    headers
}

#[test]
fn the_page_and_all_that_it_loads_need_no_key_and_data_does() {
    run(async {
        let hash = KeyHash::of("hk_a");
        let keys = format!("[[serve.admin.keys]]\nname = \"a\"\nrole = \"view\"\nhash = \"{hash}\"\n");
        let gateway = start(&config("", &keys, &[host().await], "")).await;
        let parts = parts(&gateway).await;
        assert!(parts.len() > 8, "{parts:?}");
        for path in &parts {
            let answer = gateway.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.body.is_empty(), "{path}");
        }
        for path in ["events", "status", "caller", "config"] {
            assert_eq!(gateway.get(&format!("/api/v1/{path}")).await.status, 401, "{path}");
        }
        let with_key = [("authorization", "Bearer hk_a")];
        let caller = gateway.send(Method::GET, "/api/v1/caller", &with_key, "").await;
        assert_eq!(caller.json(), json!({ "name": "a", "role": "view" }));
        gateway.stop().await;
    });
}

#[test]
fn each_part_lets_in_nothing_but_the_gateways_own() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        for path in parts(&gateway).await {
            let headers = headers(&gateway, &path).await;
            let header = |name: &str| headers[name].to_str().expect("ASCII");
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
            assert!(
                policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
                "{path}: {policy}"
            );
            assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(header("cache-control"), "no-store", "{path}");
            let kind = match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                _ => "text/html; charset=utf-8",
            };
            assert_eq!(header("content-type"), kind, "{path}");
        }
        gateway.stop().await;
    });
}

#[test]
fn no_part_makes_markup_of_a_text_or_loads_from_elsewhere() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        let page = gateway.get("/").await.body;
        assert!(!page.contains("style=\"") && !page.contains("<style") && !page.contains("<script>"));
        for path in parts(&gateway).await {
            let text = gateway.get(&path).await.body;
            for word in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
            {
                assert!(!text.contains(word), "{path} has {word}");
            }
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
        }
        gateway.stop().await;
    });
}

#[test]
fn the_api_tells_what_the_page_shows_besides() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        gateway.generate().await;
        let decisions = gateway.decisions(1).await;
        assert_eq!(decisions[0]["model"], MODEL);
        let status = gateway.get("/api/v1/status").await.json();
        assert_eq!(status["safe_mode"], false);
        let now = status["now_unix_millis"].as_u64().expect("a time");
        assert!(decisions.iter().all(|one| one["arrived_unix_millis"].as_u64().expect("a time") <= now));
        let host = gateway.host("host-0").await;
        assert_eq!(
            (&host["dispatches"], &host["failures"], &host["model_breakers"]),
            (&json!(1), &json!(0), &json!([]))
        );
        assert_eq!(gateway.get("/api/v1/caller").await.json(), json!({ "name": "anyone", "role": "admin" }));
        gateway.stop().await;
    });
}
