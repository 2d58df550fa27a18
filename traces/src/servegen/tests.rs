//! Folders of made-up clients.

use std::fmt::Write as _;
use std::fs;

use super::*;

const RATES: &str = "0,0.5,1.0,Gamma,1.0,2.0\r\n600,0,0,,0,0\r\n1200,2,0.9,Weibull,1.2,0.5\r\n";
const LENGTHS: &str = r#"{"0": {"input_tokens": "{10: 1.0}", "output_tokens": "{3: 0.5, 4: 0.5}", "reason_ratio": "{0.5: 1.0}"},
 "1200": {"input_tokens": "{20: 1.0}", "output_tokens": "{7: 1.0}", "reason_ratio": "{}"}}"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("it is written");
    }
    folder
}

fn drawn(folder: &tempfile::TempDir, seed: u64) -> Vec<TraceRow> {
    Drawn::open(folder.path(), seed).expect("it is good").collect()
}

#[test]
fn rows_are_in_order_of_time_within_their_windows_and_have_their_lengths() {
    let folder = folder(&[("chunk-3-trace.csv", RATES), ("chunk-3-dataset.json", LENGTHS)]);
    let rows = drawn(&folder, 1);
    let (first, last): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.at.0 < 600_000_000_000);
    // 300 and 1,200 expected; the deviations are about 17 and 29.
    assert!((230..370).contains(&first.len()), "{}", first.len());
    assert!((1_080..1_320).contains(&last.len()), "{}", last.len());
    assert!(first.iter().all(|row| row.prompt_tokens == 10 && [3, 4].contains(&row.output_tokens)));
    assert!(last.iter().all(|row| row.at.0 >= 1_200_000_000_000 && row.at.0 < 1_800_000_000_000));
    assert!(last.iter().all(|row| (row.prompt_tokens, row.output_tokens) == (20, 7)));
    let threes = first.iter().filter(|row| row.output_tokens == 3).count();
    assert!((threes as f64 / first.len() as f64 - 0.5).abs() < 0.12, "{threes} of {}", first.len());
    assert!(rows.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].line + 1 == pair[1].line));
}

#[test]
fn a_client_more_shifts_nothing_of_the_others() {
    let one = folder(&[("chunk-3-trace.csv", RATES), ("chunk-3-dataset.json", LENGTHS)]);
    let lengths = LENGTHS.replace("{10: 1.0}", "{77: 1.0}").replace("{20: 1.0}", "{77: 1.0}");
    let files = [
        ("chunk-3-trace.csv", RATES),
        ("chunk-3-dataset.json", LENGTHS),
        ("chunk-1-trace.csv", RATES),
        ("chunk-1-dataset.json", &lengths),
    ];
    let two = folder(&files);
    let (alone, both) = (drawn(&one, 1), drawn(&two, 1));
    let plain = |row: &TraceRow| (row.at, row.prompt_tokens, row.output_tokens);
    let others: Vec<_> = both.iter().filter(|row| row.prompt_tokens != 77).map(plain).collect();
    assert!(both.len() > others.len());
    assert_eq!(alone.iter().map(plain).collect::<Vec<_>>(), others);
    assert_ne!(drawn(&one, 2).iter().map(plain).collect::<Vec<_>>(), others, "another seed");
}

#[test]
fn only_folders_with_clients_are_recognised() {
    assert!(!Drawn::is_folder(folder(&[("000000.log", "")]).path()));
    assert!(Drawn::is_folder(folder(&[("chunk-0-trace.csv", "")]).path()));
    assert!(!Drawn::is_folder(std::path::Path::new("no/such/folder")));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let good = ("chunk-0-dataset.json", LENGTHS);
    let rates = |text| vec![("chunk-0-trace.csv", text), good];
    let data = |text| vec![("chunk-0-trace.csv", RATES), ("chunk-0-dataset.json", text)];
    let cases = [
        ("nothing in it", vec![]),
        ("no lengths beside it", vec![("chunk-0-trace.csv", RATES)]),
        ("field absent", rates("0,0.5,1.0,Gamma,1.0\n")),
        ("negative rate", rates("0,-1,1.0,Gamma,1.0,2.0\n")),
        ("no number", rates("0,many,1.0,Gamma,1.0,2.0\n")),
        ("unknown family", rates("0,0.5,1.0,Pareto,1.0,2.0\n")),
        ("no shape", rates("0,0.5,1.0,Gamma,0,2.0\n")),
        ("no scale", rates("0,0.5,1.0,Gamma,1,\n")),
        ("windows out of order", rates("600,0,0,,0,0\n0,0,0,,0,0\n")),
        ("start before the start", rates("-1,0,0,,0,0\n")),
        ("no JSON", data("{\"0\": ")),
        ("key absent", data("{\"0\": {\"input_tokens\": \"{1: 1.0}\"}}")),
        ("dictionary as an object", data("{\"0\": {\"input_tokens\": {}, \"output_tokens\": \"{}\"}}")),
        ("no dictionary", data("{\"0\": {\"input_tokens\": \"1\", \"output_tokens\": \"{}\"}}")),
        ("no probability", data("{\"0\": {\"input_tokens\": \"{1: 1.5}\", \"output_tokens\": \"{}\"}}")),
        (
            "prompts without answers",
            data("{\"0\": {\"input_tokens\": \"{1: 1.0}\", \"output_tokens\": \"{}\"}}"),
        ),
        ("no lengths at all", data("{}")),
        ("window without a time", data("{\"noon\": {\"input_tokens\": \"{}\", \"output_tokens\": \"{}\"}}")),
    ];
    let mut report = String::new();
    for (name, files) in cases {
        let folder = folder(&files);
        let error = Drawn::open(folder.path(), 0).err().unwrap_or_else(|| panic!("{name} was read"));
        let error = error.to_string().replace(&folder.path().display().to_string(), "FOLDER");
        writeln!(report, "{name}\n    {error}").expect("memory");
    }
    insta::assert_snapshot!(report);
}
