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
        (r#"{"prompt":"x"}"#, "model is required"),
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

fn texts(facts: &RequestFacts<'_>) -> u64 {
    facts.prompt.bytes().0
}

#[test]
fn caps_streams_and_sessions_are_read_in_every_dialect() {
    let read = |route, body: &'static str| RequestFacts::read(route, body.as_bytes()).expect("a good body");
    let chat = read(
        Route::ChatCompletions,
        r#"{"model":"m","stream":true,"max_completion_tokens":7,"user":"u","prompt_cache_key":"k","messages":[]}"#,
    );
    assert_eq!((chat.stream, chat.num_predict, chat.session.as_deref()), (true, Some(7), Some("k")));
    let completion =
        read(Route::Completions, r#"{"model":"m","max_tokens":9,"prompt":"ab","suffix":"c","user":"u"}"#);
    assert_eq!((completion.stream, completion.num_predict, texts(&completion)), (false, Some(9), 3));
    assert_eq!(completion.session.as_deref(), Some("u"));
    let responses = read(
        Route::Responses,
        r#"{"model":"m","max_output_tokens":5,"instructions":"abc","input":[
            {"type":"message","role":"user","content":[{"type":"input_text","text":"de"},{"type":"input_image","image_url":"data:x"}]},
            {"type":"function_call","call_id":"1","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"1","output":"ok"}]}"#,
    );
    assert_eq!((responses.num_predict, texts(&responses)), (Some(5), 3 + 4 + 2 + 2 + 2));
    let messages = read(
        Route::Messages,
        r#"{"model":"m","max_tokens":5,"metadata":{"user_id":"u"},"system":[{"type":"text","text":"abc"}],
            "messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"de"}]},
            {"type":"image","source":{"type":"base64","data":"AAAA"}},{"type":"tool_use","id":"1","name":"f","input":{"a":1}}]}]}"#,
    );
    assert_eq!((messages.session.as_deref(), texts(&messages)), (Some("u"), 3 + 4 + 2 + 7));
    for (body, bytes) in [(r#""abc""#, 3), (r#"["ab","c"]"#, 3), ("[1,2]", 0), ("null", 0)] {
        let body = format!(r#"{{"model":"m","input":{body}}}"#);
        let embed = RequestFacts::read(Route::Embed, body.as_bytes()).expect("a good body");
        assert_eq!((texts(&embed), embed.stream), (bytes, false), "{body}");
    }
}

#[test]
fn keys_that_a_route_does_not_read_may_be_anything() {
    let body =
        br#"{"model":"m","keep_alive":[],"options":1,"options":2,"user":{},"max_tokens":"x","messages":[]}"#;
    let facts = RequestFacts::read(Route::ChatCompletions, body).expect("as the host reads it");
    assert_eq!((facts.options, facts.num_predict, facts.session), (HostOptions::default(), None, None));
    assert!(RequestFacts::read(Route::Messages, br#"{"model":"m","max_tokens":1,"Max_Tokens":2}"#).is_err());
    assert!(generate(r#"{"model":"m","options":1}"#).is_err());
}

#[test]
fn the_system_and_the_tools_come_first_wherever_they_stand() {
    let hashes = |body: &str| {
        let facts = chat(body).expect("a good body");
        facts.prompt.block_hashes(&[0; 32], 8, 99)
    };
    let tools = r#""tools":[{"type":"function"}]"#;
    let messages = r#""messages":[{"role":"user","content":"what is the weather?"}]"#;
    assert_eq!(
        hashes(&format!(r#"{{"model":"m",{tools},{messages}}}"#)),
        hashes(&format!(r#"{{"model":"m",{messages},{tools}}}"#))
    );
}

#[test]
fn lists_where_numbers_belong_are_not_built_up() {
    let error = generate(r#"{"model":"m","keep_alive":[1,2,3]}"#).expect_err("refused").to_string();
    assert_eq!(error, "unsupported type for a duration: []");
    let error = generate(r#"{"model":"m","options":{"num_ctx":{"a":1}}}"#).expect_err("refused").to_string();
    assert_eq!(error, "option \"num_ctx\" must be of type integer");
}

#[test]
fn the_model_to_show_is_named_under_its_new_key_or_its_old() {
    let shown = |body: &str| ShowFacts::read(body.as_bytes()).map_err(|error| error.to_string());
    for body in [r#"{"model":"a"}"#, r#"{"name":"a","verbose":true}"#, r#"{"Model":"","name":"a"}"#] {
        assert_eq!(shown(body).expect("a good body").model, "a:latest", "{body}");
    }
    assert_eq!(shown(r#"{"model":"a","name":"b"}"#).expect("a good body").model, "a:latest");
    for (body, want) in [
        ("", "missing request body"),
        ("{}", "model is required"),
        (r#"{"name":"a b"}"#, "invalid model name"),
        (
            r#"{"model":"a","MODEL":"b"}"#,
            "invalid request body: key \"model\" is given twice at line 1 column 20",
        ),
    ] {
        assert_eq!(shown(body), Err(want.into()), "{body}");
    }
}
