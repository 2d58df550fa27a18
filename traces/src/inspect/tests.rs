use std::io::Cursor;

use super::*;

fn inspected(text: &str, options: ReadOptions) -> Inspection {
    let input = Input::new(Path::new("t.csv"), Box::new(Cursor::new(text.to_owned().into_bytes())));
    inspect_input(input.expect("it opens"), options).expect("it is good")
}

#[test]
fn figures_of_a_small_trace_are_those_worked_out_by_hand() {
    // Gaps 1 s, 0, 3 s: mean 4/3, variance 14/9. Counts per second 1, 2, 0, 0, 1: mean 0.8, variance 0.56.
    let text = "arrived_at,num_prefill_tokens,num_decode_tokens\n10,5,1\n11,7,1\n11,0,0\n14,9,4\n";
    let found = inspected(text, ReadOptions::default());
    let arrivals = &found.arrivals;
    assert_eq!((found.rows, found.rows_without_tokens), (4, 1));
    assert_eq!((arrivals.span_seconds, arrivals.rate_per_second), (4.0, Some(1.0)));
    assert!((arrivals.interarrival_cv.expect("defined") - (14.0f64 / 9.0).sqrt() * 0.75).abs() < 1e-12);
    assert!((arrivals.dispersion_1s.expect("defined") - 0.7).abs() < 1e-12);
    assert_eq!((arrivals.peak_rows_1s, arrivals.gap_seconds_max), (2, 3.0));
    assert_eq!((arrivals.stamps, arrivals.repeated_stamps, arrivals.rows_per_stamp_max), (3, 1, 2));
    let prompt = found.prompt_tokens.expect("there are rows");
    assert_eq!((prompt.p50, prompt.p90, prompt.max, prompt.mean), (7, 9, 9, 7.0));
}

#[test]
fn a_trace_without_rows_has_no_figures() {
    let found = inspected("arrived_at,num_prefill_tokens,num_decode_tokens\n", ReadOptions::default());
    assert_eq!(found.arrivals, ArrivalFigures::default());
    assert_eq!((found.rows, found.prompt_tokens), (0, None));
    let one = inspected("arrived_at,num_prefill_tokens,num_decode_tokens\n3,1,1\n", ReadOptions::default());
    assert_eq!((one.arrivals.rate_per_second, one.arrivals.interarrival_cv), (None, None));
}

#[test]
fn quirks_are_told_in_words() {
    let text = "\u{feff}TIMESTAMP,ContextTokens,GeneratedTokens\r\n\
        2024-05-10 00:00:00.009930+00:00,374,44\r\n\
        2024-05-10 00:00:01.0099300,396,109\n\
        \n\
        2024-05-10 02:00:00.509930+02:00,879,55\n\
        2024-05-10 00:00:02,12x,3\n\
        2024-05-10 00:00:01.0099300,0,0";
    let found = inspected(text, ReadOptions { skip_bad: true, ..ReadOptions::default() });
    insta::assert_snapshot!(found.to_string());
    let json = serde_json::to_value(&found).expect("it is plain data");
    assert_eq!(json["format"], "azure");
    assert_eq!(json["bad"]["first"][0]["column"], 21);
}
