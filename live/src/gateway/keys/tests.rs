use super::*;

const NOW: u64 = 1_800_000_000_000;
const DAY: u64 = 86_400_000;

fn key(name: &str) -> ClientKey {
    ClientKey {
        name: name.into(),
        hash: KeyHash::of(&format!("hk_{name}")),
        tenant: format!("tenant of {name}"),
        models: vec!["*".into()],
        requests_per_minute: None,
        concurrency_max: None,
        tokens_per_day: None,
        priority: 0,
        expires_unix_millis: None,
        may_assert: [].into(),
        admin: false,
        num_ctx_max: None,
        keep_alive_max_seconds: None,
    }
}

fn keys(config: ClientKey) -> Keys {
    Keys::new(&[key("other"), config], &BTreeMap::new())
}

const SENT: Option<&[u8]> = Some(b"Bearer hk_a");

#[test]
fn without_keys_anyone_is_served_and_nobody_is_believed() {
    let caller = Keys::new(&[], &BTreeMap::new()).check(NOW, None, Some("m:latest")).expect("served");
    assert_eq!((caller.tenant(), caller.priority(), caller.is_admin()), (ANYONE, 0, false));
    assert!(!caller.may_assert(MayAssert::Tenant));
}

#[test]
fn with_keys_only_their_holders_are_served() {
    let keys = keys(ClientKey { priority: 3, may_assert: [MayAssert::Tenant].into(), ..key("a") });
    let caller = keys.check(NOW, Some(b"bearer hk_a"), None).expect("served");
    assert_eq!((caller.tenant(), caller.priority()), ("tenant of a", 3));
    assert!(caller.may_assert(MayAssert::Tenant) && !caller.may_assert(MayAssert::Priority));
    for (header, denied) in [
        (None, Denied::Missing),
        (Some(&b"hk_a"[..]), Denied::Missing),
        (Some(b"Basic hk_a"), Denied::Missing),
        (Some(b"Bearer \xff"), Denied::Missing),
        (Some(b"Bearer hk_b"), Denied::Unknown),
        (Some(b"Bearer "), Denied::Unknown),
    ] {
        let found = keys.check(NOW, header, None).expect_err("denied");
        assert_eq!((found.status(), found), (StatusCode::UNAUTHORIZED, denied));
    }
}

#[test]
fn a_key_ends_at_its_time() {
    let keys = keys(ClientKey { expires_unix_millis: Some(NOW), ..key("a") });
    assert!(keys.check(NOW - 1, SENT, None).is_ok());
    assert_eq!(keys.check(NOW, SENT, None).expect_err("denied"), Denied::Expired);
}

#[test]
fn models_are_matched_by_pattern() {
    for (pattern, name, wanted) in [
        ("*", "llama3.2:3b", true),
        ("llama3.2:3b", "llama3.2:3b", true),
        ("llama3.2", "llama3.2:3b", false),
        ("llama*", "llama3.2:3b", true),
        ("*:3b", "llama3.2:3b", true),
        ("l*3*b", "llama3.2:3b", true),
        ("l*4*b", "llama3.2:3b", false),
        ("*3b*3b", "llama3.2:3b", false),
        ("llama3.2:3b*b", "llama3.2:3b", false),
        ("", "x", false),
    ] {
        assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
    }
    let keys = keys(ClientKey { models: vec!["gemma*".into()], ..key("a") });
    assert!(keys.check(NOW, SENT, Some("gemma3:4b")).is_ok());
    let denied = keys.check(NOW, SENT, Some("llama3.2:3b")).expect_err("denied");
    assert_eq!((denied.status(), denied), (StatusCode::FORBIDDEN, Denied::Model("llama3.2:3b".into())));
}

#[test]
fn requests_under_way_are_bounded() {
    let keys = keys(ClientKey { concurrency_max: Some(2), ..key("a") });
    let (first, second) = (keys.check(NOW, SENT, None), keys.check(NOW, SENT, None));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(keys.check(NOW, SENT, None).expect_err("denied"), Denied::Concurrency(2));
    drop(first);
    assert!(keys.check(NOW, SENT, None).is_ok(), "a place is free again");
}

#[test]
fn a_minute_holds_so_many_requests_and_they_come_back_one_by_one() {
    let keys = keys(ClientKey { requests_per_minute: Some(4), ..key("a") });
    for _ in 0..4 {
        assert!(keys.check(NOW, SENT, None).is_ok());
    }
    let rate = |retry_after_seconds| Denied::Rate { requests_per_minute: 4, retry_after_seconds };
    assert_eq!(keys.check(NOW, SENT, None).expect_err("denied"), rate(15));
    assert_eq!(keys.check(NOW + 14_999, SENT, None).expect_err("denied"), rate(1));
    assert!(keys.check(NOW + 15_000, SENT, None).is_ok());
    assert!(keys.check(NOW + 15_000, SENT, None).is_err());
    assert!(keys.check(NOW, SENT, None).is_err(), "a clock that is set back gives nothing away");
    assert_eq!((0..9).filter(|_| keys.check(NOW + DAY, SENT, None).is_ok()).count(), 4);
}

#[test]
fn tokens_of_a_day_are_used_up_and_the_next_day_has_its_own() {
    let keys = keys(ClientKey { tokens_per_day: Some(1_000), ..key("a") });
    let caller = keys.check(NOW, SENT, None).expect("served");
    caller.used(NOW, 999);
    assert!(keys.check(NOW, SENT, None).is_ok());
    caller.used(NOW, 1);
    let until_midnight = DAY / 1_000 - NOW / 1_000 % (DAY / 1_000);
    let spent = Denied::Tokens { tokens_per_day: 1_000, retry_after_seconds: until_midnight };
    assert_eq!(keys.check(NOW, SENT, None).expect_err("denied"), spent);
    assert_eq!(keys.usage()["a"], DayUsage { day: NOW / DAY, tokens: 1_000 });
    assert!(keys.check(NOW + DAY, SENT, None).is_ok());
}

#[test]
fn what_is_written_runs_ahead_so_that_no_use_is_forgotten() {
    let quota = ClientKey { tokens_per_day: Some(1_000), ..key("a") };
    let running = keys(quota.clone());
    assert_eq!(running.news(), None);
    running.check(NOW, SENT, None).expect("served").used(NOW, 500);
    let written = running.news().expect("it was used");
    assert_eq!(written["a"].tokens, 510);
    running.check(NOW, SENT, None).expect("served").used(NOW, 10);
    assert_eq!(running.news(), None, "what is written covers it");
    let again = Keys::new(&[quota], &written);
    assert_eq!(again.usage()["a"].tokens, 510);
}

#[test]
fn keys_that_are_replaced_keep_what_they_used() {
    let keys = keys(ClientKey { tokens_per_day: Some(100), ..key("a") });
    keys.check(NOW, SENT, None).expect("served").used(NOW, 100);
    keys.replace(&[ClientKey { tokens_per_day: Some(100), ..key("a") }, key("b")]);
    assert!(matches!(keys.check(NOW, SENT, None), Err(Denied::Tokens { .. })));
    assert!(keys.check(NOW, Some(b"Bearer hk_b"), None).is_ok());
    assert_eq!(keys.check(NOW, Some(b"Bearer hk_other"), None).expect_err("denied"), Denied::Unknown);
}
