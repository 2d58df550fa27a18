//! Real traces, found under the folder that `HERDER_DATA` names (default: `shared/data` beside the repository).

use std::path::PathBuf;

use control::units::Instant;
use traces::inspect::{Inspection, TokenFigures, inspect};
use traces::jobs::Jobs;
use traces::options::{ModelMix, TraceOptions};
use traces::reader::{ReadOptions, Reader};
use traces::rows::Rows;

/// A file of the data; `None`, and a word, where it is absent.
fn data(name: &str) -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let path =
        std::env::var_os("HERDER_DATA").map_or_else(default, PathBuf::from).join("llm-traces").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn inspected(name: &str) -> Option<Inspection> {
    data(name).map(|path| inspect(&path, ReadOptions::default()).expect("it is good"))
}

/// p50, p90, p99, max; and the mean to one digit.
fn tokens(figures: Option<TokenFigures>) -> ([u32; 4], f64) {
    let TokenFigures { mean, p50, p90, p99, max, .. } = figures.expect("there are rows");
    ([p50, p90, p99, max], (mean * 10.0).round() / 10.0)
}

#[track_caller]
fn close(value: f64, expected: f64, within: f64) {
    assert!((value - expected).abs() <= within, "{value} is not within {within} of {expected}");
}

#[test]
fn azure_conversations_measure_as_others_measured_them() {
    let Some(found) = inspected("azure-2023/AzureLLMInferenceTrace_conv.csv") else { return };
    assert_eq!(found.rows, 19_366);
    close(found.arrivals.span_seconds, 3_501.7, 0.05);
    close(found.arrivals.rate_per_second.expect("it moves"), 5.530, 0.0005);
    close(found.arrivals.interarrival_cv.expect("it moves"), 1.09, 0.005);
    close(found.arrivals.dispersion_1s.expect("it moves"), 1.39, 0.005);
    assert_eq!(found.arrivals.peak_rows_1s, 16);
    assert_eq!(tokens(found.prompt_tokens), ([1_020, 2_735, 4_142, 14_050], 1_154.7));
    assert_eq!(tokens(found.output_tokens), ([129, 424, 601, 1_000], 211.1));
    assert_eq!(found.quirks, ["lines end in CRLF", "no newline after the last line"]);
}

#[test]
fn azure_code_measures_as_others_measured_it() {
    let Some(found) = inspected("azure-2023/AzureLLMInferenceTrace_code.csv") else { return };
    assert_eq!(found.rows, 8_819);
    close(found.arrivals.span_seconds, 3_435.9, 0.05);
    close(found.arrivals.rate_per_second.expect("it moves"), 2.567, 0.0005);
    close(found.arrivals.interarrival_cv.expect("it moves"), 13.15, 0.005);
    close(found.arrivals.dispersion_1s.expect("it moves"), 13.2, 0.05);
    close(found.arrivals.gap_seconds_max, 217.0, 0.5);
    assert_eq!(found.arrivals.peak_rows_1s, 67);
    // Nearest ranks; where others interpolate, p90 and p99 are up to 6 tokens lower.
    assert_eq!(tokens(found.prompt_tokens), ([1_469, 5_194, 7_436, 7_437], 2_047.8));
    assert_eq!(tokens(found.output_tokens), ([13, 55, 252, 1_899], 27.9));
}

#[test]
fn mooncake_measures_as_others_measured_it() {
    let Some(found) = inspected("mooncake/conversation_trace.jsonl.gz") else { return };
    assert_eq!((found.rows, found.compression), (12_031, Some("gzip")));
    close(found.arrivals.span_seconds, 3_537.0, 0.05);
    close(found.arrivals.interarrival_cv.expect("it moves"), 3.03, 0.005);
    assert_eq!((found.arrivals.stamps, found.arrivals.repeated_stamps), (1_180, 10_851));
    // Nearly all ticks are 2.999 to 3.003 s apart; the shortest is a little less.
    close(found.arrivals.tick_seconds_min.expect("it moves"), 2.997, 1e-9);
    let blocks = found.blocks.expect("there are blocks");
    assert_eq!(blocks.distinct, Some(182_790));
    close(blocks.prefix_hit_share.expect("few enough"), 0.366, 0.0005);
    close(found.output_tokens.expect("there are rows").mean, 342.6, 0.05);
    assert_eq!(tokens(found.prompt_tokens).0[0], 6_909);
    assert!(found.quirks[0].starts_with("coarse ticks"), "{:?}", found.quirks);
}

#[test]
fn both_layouts_of_burstgpt_measure_as_others_measured_them() {
    let names =
        |found: &Inspection| found.models.iter().map(|m| (m.model.clone(), m.rows)).collect::<Vec<_>>();
    let Some(first) = inspected("burstgpt/burstgpt_slice.csv") else { return };
    assert_eq!((first.rows, first.rows_without_tokens, first.sessions), (400, 17, None));
    assert_eq!(first.arrivals.span_seconds, 37_269.0);
    assert_eq!(first.arrivals.repeated_stamps, 4);
    close(first.arrivals.interarrival_cv.expect("it moves"), 4.56, 0.005);
    assert_eq!(names(&first), [("ChatGPT".to_owned(), 320), ("GPT-4".to_owned(), 80)]);
    let Some(third) = inspected("burstgpt/burstgpt3_slice.csv") else { return };
    assert_eq!((third.rows, third.rows_without_tokens), (400, 1));
    assert_eq!((third.sessions, third.rows_without_session), (Some(135), 6));
    assert_eq!(third.arrivals.span_seconds, 41_453.0);
    close(third.arrivals.interarrival_cv.expect("it moves"), 2.87, 0.005);
    assert_eq!(names(&third), [("ChatGPT".to_owned(), 305), ("GPT-4".to_owned(), 95)]);
}

#[test]
fn azure_and_vidur_hold_the_same_requests() {
    let (Some(azure), Some(vidur)) =
        (data("azure-2023/AzureLLMInferenceTrace_conv.csv"), data("vidur/splitwise_conv.csv"))
    else {
        return;
    };
    let mut others = Reader::open(&vidur, ReadOptions::default()).expect("it opens");
    let mut rows = 0;
    for row in Reader::open(&azure, ReadOptions::default()).expect("it opens") {
        let row = row.expect("good");
        let other = others.next().expect("as many rows").expect("good");
        // vidur's stamps have six digits.
        assert!(row.at.0.abs_diff(other.at.0) <= 1_000, "line {}: {} and {}", row.line, row.at, other.at);
        assert_eq!((row.prompt_tokens, row.output_tokens), (other.prompt_tokens, other.output_tokens));
        rows += 1;
    }
    assert_eq!((rows, others.count()), (19_366, 0));
}

#[test]
fn mooncake_spreads_its_conversations_over_the_fleets_models() {
    let Some(path) = data("mooncake/conversation_trace.jsonl.gz") else { return };
    let names = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let models = ModelMix { names, zipf_exponent: 1.0 };
    let jobs = Jobs::open(&path, &TraceOptions { models, ..TraceOptions::default() }).expect("it opens");
    let mut counts = [0u32; 4];
    let mut known = std::collections::BTreeSet::new();
    let (mut blocks, mut hits) = (0u64, 0u64);
    for job in jobs {
        let job = job.expect("good");
        counts[job.model as usize] += 1;
        let mut in_prefix = true;
        for block in job.blocks.iter().flat_map(|blocks| blocks.iter()) {
            in_prefix &= !known.insert((job.model, block.id));
            blocks += 1;
            hits += u64::from(in_prefix);
        }
    }
    // Of 36.6 % hits in one cache, those of the common first block cost little when it is known to each model.
    assert!(hits as f64 / blocks as f64 > 0.366, "{hits} of {blocks}");
    for (count, weight) in counts.into_iter().zip([12.0, 6.0, 4.0, 3.0]) {
        close(f64::from(count) / 12_031.0, weight / 25.0, 0.03);
    }
}

#[test]
fn the_small_examples_of_other_simulators_are_read_whole() {
    if let Some(found) = inspected("splitwise-sim/test_trace.csv") {
        assert_eq!((found.rows, found.format.name()), (3, "splitwise-sim"));
        assert_eq!(found.arrivals.span_seconds, 3.0);
        assert_eq!(found.prompt_tokens.expect("there are rows").sum, 4_096 + 2 * 2_048);
        assert_eq!(found.output_tokens.expect("there are rows").sum, 32 + 8 + 16);
    }
    if let Some(found) = inspected("llmservingsim/example_trace.jsonl") {
        assert_eq!((found.rows, found.format.name()), (10, "llmservingsim"));
        assert_eq!(found.arrivals.span_seconds, 0.980_043_269);
        assert_eq!(found.prompt_tokens.expect("there are rows").sum, 120);
        // 22, 18 and eight prompts of at most 16 tokens.
        assert_eq!(found.blocks.expect("tokens are told").blocks, 12);
    }
}

/// Mean tokens of prompts and of answers when each client sends at its rates: 73 clients, summed apart with Python.
const PROMPT_MEAN: f64 = 1_268.25;
const OUTPUT_MEAN: f64 = 1_527.42;

/// Requests a second of each window of ten minutes, summed over the clients, as the files of a folder say.
fn told_rates(folder: &std::path::Path) -> Vec<f64> {
    let mut rates = vec![0.0; 144];
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().ends_with("-trace.csv") {
            continue;
        }
        for (window, line) in std::fs::read_to_string(&path).expect("text").lines().enumerate() {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields[0], (600 * window).to_string(), "{}", path.display());
            rates[window] += fields[1].parse::<f64>().expect("a rate");
        }
    }
    rates
}

#[test]
fn servegen_sends_at_the_rates_that_its_files_tell() {
    let Some(folder) = data("servegen/reason/deepseek-r1") else { return };
    let rates = told_rates(&folder);
    let mut counts = vec![0u32; rates.len()];
    let (mut prompts, mut outputs) = (0u64, 0u64);
    let rows = Rows::open(&folder, ReadOptions { seed: 1, ..ReadOptions::default() }).expect("it opens");
    assert_eq!(rows.format().name(), "servegen");
    let mut last = Instant(0);
    for row in rows {
        let row = row.expect("good");
        assert!(row.at >= last, "row {} came before the one ahead of it", row.line);
        last = row.at;
        counts[(row.at.0 / 600_000_000_000) as usize] += 1;
        prompts += u64::from(row.prompt_tokens);
        outputs += u64::from(row.output_tokens);
    }
    for (window, (count, rate)) in counts.iter().zip(&rates).enumerate() {
        let expected = rate * 600.0;
        // Bursty clients: windows of the busiest of them vary by some per cent.
        assert!(
            (f64::from(*count) / expected - 1.0).abs() < 0.25,
            "window {window}: {count}, not {expected}"
        );
    }
    let total = f64::from(counts.iter().sum::<u32>());
    let expected = rates.iter().sum::<f64>() * 600.0;
    assert_eq!(expected.round(), 1_383_669.0, "what the files say, summed apart with Python");
    close(total / expected, 1.0, 0.01);
    println!("{total} rows, mean prompt {}, mean output {}", prompts as f64 / total, outputs as f64 / total);
    close(prompts as f64 / total, PROMPT_MEAN, PROMPT_MEAN * 0.01);
    close(outputs as f64 / total, OUTPUT_MEAN, OUTPUT_MEAN * 0.01);
}

#[test]
fn openb_s_pods_are_tasks_of_few_classes() {
    // Beside the folder of traces of requests.
    let Some(path) = data("../cluster-traces/alibaba-gpu-2023/openb_pod_list_gpuspec33.csv") else { return };
    let found = inspect(&path, ReadOptions::default()).expect("it is good");
    assert_eq!((found.rows, found.format.name()), (8_152, "openb"));
    let tasks = found.tasks.expect("tasks");
    assert_eq!((tasks.ran, tasks.never_run), (7_255, 897));
    let models = ModelMix { names: vec!["a".to_owned()], zipf_exponent: 0.0 };
    let jobs = Jobs::open(&path, &TraceOptions { models, ..TraceOptions::default() }).expect("it opens");
    assert_eq!(jobs.tenants(), ["LS", "Burstable", "BE", "Guaranteed"]);
    assert_eq!(jobs.count(), 7_255);
}
