use control::request::KeepAlive;
use control::units::{Bytes, Nanos};

use super::*;

fn chat(body: &str) -> Result<RequestFacts<'_>, BadBody> {
    RequestFacts::read(Route::Chat, body.as_bytes())
}

fn generate(body: &str) -> Result<RequestFacts<'_>, BadBody> {
    RequestFacts::read(Route::Generate, body.as_bytes())
}

#[test]
fn a_chat_is_read() {
    let facts = chat(
        r#"{"model":"llama3.1","messages":[{"role":"system","content":"be\nshort"},
            {"role":"user","content":"hello","images":["AAAA"]}],"stream":false,"keep_alive":"5m",
            "options":{"num_ctx":8192.0,"num_predict":20,"temperature":0.5,"num_gpu":0}}"#,
    )
    .expect("a good body");
    assert_eq!(facts.model, "llama3.1:latest");
    assert_eq!(facts.model_written, "llama3.1");
    assert!(!facts.stream && !facts.only_loads && facts.truncate && facts.shift);
    assert_eq!(facts.num_predict, Some(20));
    assert_eq!(facts.options.num_ctx, Some(8192));
    assert_eq!(facts.options.num_gpu, Some(0));
    assert_eq!(facts.options.others, 0);
    assert_eq!(facts.options.keep_alive, Some(KeepAlive::For(Nanos::from_secs(300))));
    // Images are no text: "system" + "be\nshort" + "user" + "hello".
    assert_eq!(facts.prompt.bytes(), Bytes(6 + 8 + 4 + 5));
}

#[test]
fn a_completion_is_read_with_ollamas_defaults() {
    let facts = generate(r#"{"model":"m","prompt":"abc","system":"de","options":{"num_predict":-1}}"#)
        .expect("a good body");
    assert!(facts.stream);
    assert_eq!((facts.num_predict, facts.prompt.bytes()), (None, Bytes(5)));
    assert!(generate(r#"{"model":"m"}"#).expect("a load").only_loads);
    assert!(chat(r#"{"model":"m","messages":[]}"#).expect("a load").only_loads);
}

#[test]
fn options_that_force_a_reload_differ_in_their_digest() {
    let others = |options: &str| {
        generate(&format!(r#"{{"model":"m","options":{options}}}"#)).expect("a good body").options.others
    };
    assert_eq!(others(r#"{"temperature":1}"#), 0);
    assert_ne!(others(r#"{"num_thread":4}"#), 0);
    assert_ne!(others(r#"{"num_thread":4}"#), others(r#"{"num_thread":8}"#));
    assert_eq!(others(r#"{"num_thread":4,"main_gpu":1}"#), others(r#"{"main_gpu":1,"num_thread":4}"#));
}

#[test]
fn keys_are_folded_as_go_folds_them_and_none_may_stand_twice() {
    assert_eq!(generate(r#"{"MODEL":"a"}"#).expect("folded").model, "a:latest");
    for body in [
        r#"{"model":"a","Model":"b"}"#,
        r#"{"model":"a","model":"b"}"#,
        "{\"model\":\"a\",\"\u{17f}tream\":true,\"stream\":false}",
        r#"{"model":"a","keep_alive":1,"\u212aeep_alive":2}"#,
    ] {
        let error = generate(body).expect_err(body).to_string();
        assert!(error.contains("is given twice"), "{error}");
    }
}

#[test]
fn bad_bodies_are_refused_with_their_reason() {
    for (body, want) in [
        ("", "missing request body"),
        ("{", "invalid request body: EOF while parsing an object at line 1 column 1"),
        ("[]", "invalid request body: invalid type: sequence, expected a request object at line 1 column 0"),
        (r#"{"prompt":"x"}"#, "invalid model name"),
        (r#"{"model":"a b"}"#, "invalid model name"),
        (r#"{"model":"a","keep_alive":"abc"}"#, "time: invalid duration \"abc\""),
        (r#"{"model":"a","options":{"num_ctx":"x"}}"#, "option \"num_ctx\" must be of type integer"),
        (
            r#"{"model":"a","stream":1}"#,
            "invalid request body: invalid type: integer `1`, expected a boolean at line 1 column 23",
        ),
        (r#"{"model":"a"} {}"#, "invalid request body: trailing characters at line 1 column 15"),
    ] {
        assert_eq!(generate(body).map_err(|error| error.to_string()), Err(want.into()), "{body}");
    }
}
