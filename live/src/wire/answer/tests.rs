use super::*;

const DONE: &str = r#"{"model":"m","done":true,"done_reason":"length","prompt_eval_count":7,"eval_count":3,"load_duration":1,"prompt_eval_duration":2,"eval_duration":4}"#;

fn ending(form: Form, chunks: &[&str]) -> Ending {
    let mut reader = AnswerReader::new(form);
    for chunk in chunks {
        reader.push(chunk.as_bytes());
    }
    reader.ending()
}

fn counted(prompt_tokens: u32, output_tokens: u32, done: DoneReason) -> Ending {
    Ending::Done(Usage { prompt_tokens, output_tokens, done, ..Usage::default() })
}

/// The ending is the same wherever the text is cut into three chunks.
fn same_wherever_cut(form: Form, text: &str, want: Ending) {
    for cut in 0..text.len() {
        for second in (cut..text.len()).step_by(7) {
            let chunks = [&text[..cut], &text[cut..second], &text[second..]];
            assert_eq!(ending(form, &chunks), want, "{cut} {second}: {text}");
        }
    }
}

#[test]
fn the_last_line_is_found_wherever_the_chunks_are_cut() {
    let text = format!("{{\"done\":false}}\n{{\"done\":false}}\n{DONE}\n");
    let want = Ending::Done(Usage {
        prompt_tokens: 7,
        output_tokens: 3,
        load: Nanos(1),
        prompt_eval: Nanos(2),
        eval: Nanos(4),
        done: DoneReason::Length,
    });
    same_wherever_cut(Form::Lines, &text, want);
    assert_eq!(ending(Form::Lines, &[text.trim_end()]), want, "the last newline may be missing");
}

#[test]
fn a_stream_without_a_done_line_is_cut() {
    for chunks in [&[][..], &[""], &["{\"done\":false}\n"], &[&DONE[..40]], &["{\"done\":true}\n{\"do"]] {
        assert_eq!(ending(Form::Lines, chunks), Ending::Cut, "{chunks:?}");
    }
    assert_eq!(ending(Form::Lines, &["{\"done\":false}\n{\"error\":\"x\"}\n"]), Ending::HostError);
}

#[test]
fn ends_of_events_are_known_in_each_dialect() {
    let chunk = r#"data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#;
    let finish = r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    let usage = r#"data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;
    let chat = |parts: &[&str]| parts.iter().map(|part| format!("{part}\n\n")).collect::<String>();
    let length = DoneReason::Length;
    same_wherever_cut(
        Form::Events,
        &chat(&[chunk, chunk, finish, usage, "data: [DONE]"]),
        counted(7, 3, length),
    );
    let uncounted = chat(&[chunk, chunk, finish, "data: [DONE]"]);
    assert_eq!(ending(Form::Events, &[&uncounted]), counted(0, 2, length), "one for each chunk");
    let messages = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
        \"usage\":{\"input_tokens\":7,\"output_tokens\":3}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    same_wherever_cut(Form::Events, messages, counted(7, 3, DoneReason::Stop));
    for text in [" ".into(), "x".repeat(1 << 20)] {
        let responses = format!(
            "event: response.completed\ndata: {{\"response\":{{\"error\":null,\"output\":\"{text}\",\"usage\":\
             {{\"input_tokens\":7,\"input_tokens_details\":{{\"cached_tokens\":1}},\"output_tokens\":3}}}},\
             \"sequence_number\":9,\"type\":\"response.completed\"}}\n\n"
        );
        assert_eq!(ending(Form::Events, &[&responses]), counted(7, 3, DoneReason::Stop));
    }
}

#[test]
fn events_without_the_last_one_are_cut() {
    for text in [
        "",
        "data: {\"choices\":[]}\n\n",
        "data: [DON",
        "data: [DONE]",
        "event: message_stop\n",
        "data: {\"type\":\"message_delta\"}\n\n",
        ": a comment\n\n",
    ] {
        assert_eq!(ending(Form::Events, &[text]), Ending::Cut, "{text:?}");
    }
    for text in ["data: {\"error\":{\"message\":\"x\"}}\n\n", "event: error\ndata: {\"type\":\"error\"}\n\n"]
    {
        assert_eq!(ending(Form::Events, &[text]), Ending::HostError, "{text:?}");
    }
}

#[test]
fn an_answer_in_one_value_tells_its_figures_however_long_it_is() {
    for text in [String::new(), "x".repeat(1 << 20)] {
        let native = format!("{{\"response\":\"{text}\",{}\n", &DONE[1..]);
        assert!(matches!(ending(Form::Whole, &[&native]), Ending::Done(usage) if usage.eval == Nanos(4)));
        let chat = format!(
            "{{\"choices\":[{{\"message\":{{\"content\":\"{text}\\\"prompt_tokens\\\":9\"}},\"finish_reason\":\"stop\"}}],\
             \"usage\":{{\"prompt_tokens\": 7,\"completion_tokens\":3}}}}"
        );
        let (first, second) = chat.split_at(chat.len() / 2);
        assert_eq!(ending(Form::Whole, &[first, second]), counted(7, 3, DoneReason::Stop));
    }
    assert_eq!(ending(Form::Whole, &["{\"done\":true,\"eval_count\":3"]), Ending::Cut);
    let load = "{\"done\":true,\"done_reason\":\"load\"}";
    assert_eq!(ending(Form::Whole, &[load]), counted(0, 0, DoneReason::Load));
}

#[test]
fn lines_of_any_length_take_bounded_memory() {
    let part = "x".repeat(3 << 20);
    for form in [Form::Lines, Form::Events, Form::Whole] {
        let mut reader = AnswerReader::new(form);
        for chunk in
            ["data: {\"response\":\"", &part, &part, &part, "\n", &part, "\ndata:", &part, "\n", &part]
        {
            reader.push(chunk.as_bytes());
            let kept = reader.ended.iter().chain([&reader.begun]);
            assert!(kept.clone().all(|kept| kept.bytes.len() <= LINE_BYTES_MAX));
            assert!(kept.clone().all(|kept| kept.bytes.capacity() <= 4 * LINE_BYTES_MAX));
        }
    }
    let long =
        format!("{{\"model\":\"m\",\"done\":true,\"context\":[{}],{}\n", "1,".repeat(1 << 20), &DONE[1..]);
    assert!(matches!(ending(Form::Lines, &[&long]), Ending::Done(usage) if usage.output_tokens == 3));
    assert_eq!(ending(Form::Lines, &[&long[..long.len() - 2]]), Ending::Cut);
}

#[test]
fn content_types_tell_the_form() {
    for (content_type, form) in [
        ("application/x-ndjson", Form::Lines),
        ("text/event-stream; charset=utf-8", Form::Events),
        ("Text/Event-Stream", Form::Events),
        ("application/json; charset=utf-8", Form::Whole),
        ("", Form::Whole),
    ] {
        assert_eq!(Form::of(content_type.as_bytes()), form, "{content_type}");
    }
}

#[test]
fn error_statuses_are_told_apart() {
    assert_eq!(failure_of(503, b""), Failure::Busy);
    assert_eq!(failure_of(404, br#"{"error":"model 'x' not found"}"#), Failure::ModelMissing);
    assert_eq!(failure_of(400, b""), Failure::BadRequest);
    assert_eq!(
        failure_of(
            500,
            br#"{"error":"model requires more system memory (2 GiB) than is available (1 GiB)"}"#
        ),
        Failure::OutOfMemory
    );
    assert_eq!(failure_of(500, b"x"), Failure::ServerError);
    assert_eq!(failure_of(502, b""), Failure::ServerError);
}
