//! Who may do what.

use hyper::Method;
use live::keys::KeyHash;

use crate::gateway::{MODEL, config, host, run, start};

const JSON: (&str, &str) = ("content-type", "application/json");

fn keys() -> String {
    let key = |name: &str, role: &str| {
        let hash = KeyHash::of(&format!("hk_{name}"));
        format!("[[serve.admin.keys]]\nname = \"{name}\"\nrole = \"{role}\"\nhash = \"{hash}\"\n")
    };
    key("viewer", "view") + &key("on-call", "operate") + &key("owner", "admin")
}

#[test]
fn each_role_may_do_what_is_its_and_no_more() {
    run(async {
        let gateway = start(&config("", &keys(), &[host().await, host().await], "")).await;
        let of = |name: &str| format!("Bearer hk_{name}");
        let ask = async |key: Option<&str>, method: Method, path: &str, body: &str| {
            let key = key.map(of);
            let mut headers = vec![JSON];
            headers.extend(key.as_deref().map(|key| ("authorization", key)));
            gateway.send(method, path, &headers, body).await.status
        };
        let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
        for (key, statuses) in [
            (None, [200, 401, 401, 401, 401, 401]),
            (Some("stranger"), [200, 401, 401, 401, 401, 401]),
            (Some("viewer"), [200, 200, 200, 403, 403, 403]),
            (Some("on-call"), [200, 200, 200, 200, 403, 403]),
            (Some("owner"), [200, 200, 200, 200, 409, 200]),
        ] {
            let mut found = Vec::new();
            for (method, path) in [
                (&get, "/readyz"),
                (&get, "/metrics"),
                (&get, "/api/v1/hosts"),
                (&post, "/api/v1/hosts/host-0/drain"),
                (&post, "/api/v1/reload"),
                (&delete, "/api/v1/hosts/host-1"),
            ] {
                found.push(ask(key, method.clone(), path, "").await);
            }
            assert_eq!(found, statuses, "{key:?}");
        }
        gateway.stop().await;
    });
}

#[test]
fn pages_of_other_sites_change_and_see_nothing() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        let own = format!("http://{}", gateway.admin);
        let drain = "/api/v1/hosts/host-0/drain";
        for (headers, status) in [
            (vec![], 415),
            (vec![("content-type", "text/plain")], 415),
            (vec![("content-type", "application/x-www-form-urlencoded")], 415),
            (vec![JSON, ("origin", "http://evil.example")], 403),
            (vec![JSON, ("origin", "null")], 403),
            (vec![JSON, ("host", "evil.example")], 403),
        ] {
            assert_eq!(gateway.send(Method::POST, drain, &headers, "").await.status, status, "{headers:?}");
        }
        assert_eq!(gateway.host("host-0").await["drained"], false);
        let rebound = [("host", "evil.example:11435")];
        assert_eq!(gateway.send(Method::GET, "/api/v1/hosts", &rebound, "").await.status, 403);
        let headers = [JSON, ("origin", own.as_str())];
        assert_eq!(gateway.send(Method::POST, drain, &headers, "").await.status, 200);
        assert_eq!(gateway.host("host-0").await["drained"], true);
        gateway.stop().await;
    });
}

#[test]
fn only_known_paths_and_methods_are_served() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        for (method, path, status) in [
            (Method::GET, "/nothing", 404),
            (Method::GET, "/dashboard/", 404),
            (Method::GET, "/api/v1/", 404),
            (Method::GET, "/api/v1/nothing", 404),
            (Method::GET, "/api/v1/strategy", 405),
            (Method::POST, "/api/v1/hosts/host-0", 405),
            (Method::DELETE, "/api/v1/models/x/resolve", 405),
            (Method::POST, "/api/v1/models/x", 404),
            (Method::POST, "/api/v1/placement", 405),
            (Method::DELETE, "/api/v1/hosts/host-0/drain", 405),
            (Method::POST, "/api/v1/hosts/host-0/stop", 404),
            (Method::POST, "/api/v1/status", 405),
            (Method::PUT, "/api/v1/strategy", 405),
            (Method::POST, "/api/v1/hosts/host-9/drain", 404),
        ] {
            let answer = gateway.send(method.clone(), path, &[JSON], "").await;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        }
        gateway.stop().await;
    });
}

#[test]
fn clients_need_keys_where_there_are_any() {
    run(async {
        let key = |name: &str| {
            let hash = KeyHash::of(&format!("hk_{name}"));
            format!("[[serve.keys]]\nname = \"{name}\"\nhash = \"{hash}\"\nrequests_per_minute = 2\n")
        };
        let text = config("", &key("a"), &[host().await], "");
        let gateway = start(&text).await;
        let ask = async |key: &str| {
            gateway.generate_with(MODEL, &[("authorization", &format!("Bearer hk_{key}"))]).await
        };
        assert_eq!(gateway.generate().await.status, 401);
        assert_eq!(ask("b").await.status, 401);
        assert_eq!((ask("a").await.status, ask("a").await.status), (200, 200));
        let denied = ask("a").await;
        assert_eq!((denied.status, denied.retry_after), (429, true));
        assert!(denied.error().contains("allows 2 in a minute"), "{}", denied.body);
        gateway.stop().await;
    });
}
