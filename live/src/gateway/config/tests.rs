use super::*;

const GOOD: &str = r#"
[serve]
listen = "127.0.0.1:0"
log_dir = "decisions"

[[serve.hosts]]
name = "a"
url = "http://127.0.0.1:11501"
slots = 4
memory_gib = 24
gpu = "rtx-4090"

[[serve.hosts]]
name = "b"
url = "http://ollama.local"

[control]
balancer = "least-tokens"
"#;

fn refused(text: &str) -> String {
    ServeConfig::parse(text, Path::new("gateway.toml")).expect_err("refused").to_string()
}

#[test]
fn a_good_file_is_read_with_its_defaults() {
    let config = ServeConfig::parse(GOOD, Path::new("gateway.toml")).expect("a good file");
    assert_eq!(config.hosts.len(), 2);
    assert_eq!(config.hosts[0].authority, "127.0.0.1:11501");
    assert_eq!(config.hosts[0].declaration.memory, Bytes::from_gib(24));
    assert_eq!(config.hosts[1].authority, "ollama.local:11434");
    assert_eq!((config.hosts[1].declaration.slots, config.hosts[1].declaration.weight), (1, 100));
    assert_eq!(config.log_dir.as_deref(), Some(Path::new("decisions")));
    assert_eq!((config.poll_millis, config.requests_max), (1_000, 16_384));
    assert_eq!((config.total_timeout_seconds, config.queued_body_bytes_max), (600, 1 << 30));
    assert!(config.response_headers && !config.allow_cloud_models);
    assert!(config.cors_origins.iter().any(|origin| origin == "http://localhost:*"), "Ollama's own");
}

#[test]
fn bad_files_are_refused_with_their_place() {
    for (from, to, want) in [
        ("slots = 4", "slots = 0", "gateway.toml:9:9: serve.hosts.slots: found 0, expected 1 to 1000000"),
        (
            "\"b\"",
            "\"a\"",
            "gateway.toml:14:8: serve.hosts.name: found \"a\" again, expected a name of its own for each host",
        ),
        (
            "http://ollama.local",
            "https://x/y",
            "gateway.toml:15:7: serve.hosts.url: found \"https://x/y\", expected http://HOST:PORT without path or user",
        ),
        (
            "http://ollama.local",
            "http://127.0.0.1:11501/",
            "gateway.toml:15:7: serve.hosts.url: found \"http://127.0.0.1:11501/\" again, which is host \"a\"; expected \
             each host once",
        ),
        (
            "log_dir = \"decisions\"",
            "cors_origins = [\"*\", \"a.example\"]",
            "gateway.toml:4:22: serve.cors_origins: found \"a.example\", expected \"*\", or SCHEME://HOST[:PORT] with \
             at most one * in it",
        ),
        (
            "127.0.0.1:0",
            "0.0.0.0:80",
            "gateway.toml:3:10: serve.listen: found 0.0.0.0:80, which other machines can reach, and no keys are \
             asked for; expected a loopback address, [[serve.keys]], or open_to_network = true beside it",
        ),
        (
            "least-tokens",
            "least-token",
            "gateway.toml:18:12: control.balancer: found \"least-token\", expected one of round-robin, random, ",
        ),
        (
            "least-tokens",
            "resource-aware",
            "gateway.toml:18:12: control.balancer: found \"resource-aware\", expected a strategy that requires no metrics",
        ),
        (
            "balancer = \"least-tokens\"",
            "scheduler = \"oracle-shortest-job\"",
            "gateway.toml:18:13: control.scheduler: found \"oracle-shortest-job\", expected a strategy that requires no \
             oracle",
        ),
        (
            "balancer = \"least-tokens\"",
            "sync = { mode = \"gossip\", peers = true }",
            "gateway.toml:18:8: control.sync.mode: found \"gossip\", expected another mode: no Ollama can fetch from another",
        ),
        (
            "balancer = \"least-tokens\"",
            "sync = { peers = true }",
            "gateway.toml:18:8: control.sync.peers: found true, expected false: no Ollama can fetch from another",
        ),
        (
            "[serve]\n",
            "[serve]\ninsecure_registries = [\"http://r\"]\n",
            "gateway.toml:3:24: serve.insecure_registries: found \"http://r\"",
        ),
        ("log_dir", "logdir", "(did you mean `log_dir`?)"),
        ("127.0.0.1:0", "here", "gateway.toml:3:10: invalid socket address syntax"),
        ("[serve]\n", "[serve\n", "gateway.toml:2:"),
    ] {
        let error = refused(&GOOD.replace(from, to));
        assert!(error.contains(want), "{to}: {error}");
    }
    assert_eq!(
        refused("[serve]\n"),
        "gateway.toml:1:1: serve.hosts: found none, expected at least one [[serve.hosts]]"
    );
    assert!(refused("[control]\n").contains("missing field `serve`"));
}

#[test]
fn an_open_address_is_taken_when_said_twice() {
    let text = GOOD.replace("listen = \"127.0.0.1:0\"", "listen = \"0.0.0.0:80\"\nopen_to_network = true");
    assert!(ServeConfig::parse(&text, Path::new("x")).is_ok());
}

#[test]
fn only_plain_addresses_name_a_host() {
    assert_eq!(authority("http://[::1]:8080/").as_deref(), Some("[::1]:8080"));
    assert_eq!(authority("http://[::1]").as_deref(), Some("[::1]:11434"));
    for url in
        ["", "a:1", "http://", "http://u@h:1", "http://h:1/x", "http://h:1?x", "http://h:99999", "http://h:"]
    {
        assert_eq!(authority(url), None, "{url}");
    }
}

#[test]
fn the_example_in_deploy_is_a_good_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/gateway.toml");
    let config = ServeConfig::read(&path).expect("a good file");
    assert!(config.drain_seconds < 60, "TimeoutStopSec of the unit is longer");
    assert_eq!(config.file, Some(path));
}

const HASH: &str = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

#[test]
fn keys_are_read_with_their_limits() {
    let keys = format!(
        "[[serve.keys]]\nname = \"team-a\"\nhash = \"{HASH}\"\nmodels = [\"llama*\"]\nrequests_per_minute = 60\n\
         tokens_per_day = 1_000\nexpires = 2027-01-31\nmay_assert = [\"tenant\"]\n[serve.admin]\n\
         listen = \"0.0.0.0:0\"\n[[serve.admin.keys]]\nname = \"on-call\"\nrole = \"operate\"\nhash = \"{HASH}\"\n"
    );
    let config = ServeConfig::parse(&GOOD.replace("[control]", &format!("{keys}[control]")), Path::new("x"));
    let config = config.expect("a good file");
    let key = &config.keys[0];
    assert_eq!((key.name.as_str(), key.tenant.as_str()), ("team-a", "team-a"));
    assert_eq!(
        (key.requests_per_minute, key.concurrency_max, key.tokens_per_day),
        (Some(60), None, Some(1_000))
    );
    assert_eq!(key.expires_unix_millis, Some(1_801_353_600_000));
    assert!(key.may_assert.contains(&MayAssert::Tenant) && !key.admin);
    let admin = config.admin.expect("an operator's side");
    assert_eq!((admin.keys[0].role, admin.keys[0].hash.to_string()), (Role::Operate, HASH.to_owned()));
}

#[test]
fn bad_keys_are_refused_and_never_repeated() {
    let key =
        |lines: &str| GOOD.replace("[control]", &format!("[[serve.keys]]\nname = \"a\"\n{lines}\n[control]"));
    let hash = format!("hash = \"{HASH}\"");
    for (text, want) in [
        (key("hash = \"hk_secret\""), "gateway.toml:19:8: serve.keys.hash: expected \"blake3:\""),
        (
            key(&format!("{hash}\nrequests_per_minute = 0")),
            "serve.keys.requests_per_minute: found 0, expected 1 to",
        ),
        (
            key(&format!("{hash}\nexpires = 2027-01-31T12:00:00")),
            "serve.keys.expires: found 2027-01-31T12:00:00",
        ),
        (key(&format!("{hash}\nmay_assert = [\"root\"]")), "unknown variant `root`"),
        (
            key(&format!("{hash}\n[[serve.keys]]\nname = \"a\"\n{hash}")),
            "serve.keys.name: found \"a\", expected a name of its own",
        ),
        (
            GOOD.replace("[control]", "[serve.admin]\nlisten = \"0.0.0.0:1\"\n[control]"),
            "serve.admin.listen: found 0.0.0.0:1, which other machines can reach, and no [[serve.admin.keys]]",
        ),
    ] {
        let error = refused(&text);
        assert!(error.contains(want), "{error}");
        assert!(!error.contains("hk_secret"), "{error}");
    }
}

#[test]
fn another_address_is_open_to_holders_of_keys() {
    let keys = format!("[[serve.keys]]\nname = \"a\"\nhash = \"{HASH}\"\n[control]");
    let text = GOOD.replace("127.0.0.1:0", "0.0.0.0:80").replace("[control]", &keys);
    assert!(ServeConfig::parse(&text, Path::new("x")).is_ok());
}

#[test]
fn models_are_not_managed_unless_said_and_registries_are_names() {
    let with = |lines: &str| GOOD.replace("[control]", &format!("[serve.manage]\n{lines}\n[control]"));
    let manage = |text: &str| ServeConfig::parse(text, Path::new("x.toml")).expect("a good file").manage;
    let default = manage(GOOD);
    assert!(!default.enabled && default.insecure_registries.is_empty());
    assert_eq!(default.registries, ["registry.ollama.ai"]);
    assert_eq!(manage(&with("registries = [\"Hub.example:5000\"]")).registries, ["hub.example:5000"]);
    for (lines, want) in [
        (
            "registries = [\"10.0.0.1\"]",
            "serve.manage.registries: found \"10.0.0.1\", expected the name of a host",
        ),
        ("insecure_registries = [\"a.example\"]", "expected one of serve.manage.registries"),
        ("pulls_at_once = 0", "serve.manage.pulls_at_once: found 0, expected 1 to 10000"),
        ("enable = true", "(did you mean `enabled`?)"),
    ] {
        let error = refused(&with(lines));
        assert!(error.contains(want), "{error}");
    }
}
