//! The measured profiles against the measurements they come from, where those are there (`HERDER_DATA`).

#[path = "../examples/fit_profiles/fits.rs"]
mod fits;

use std::fs;
use std::path::{Path, PathBuf};

use sim_host::costs::Costs;
use sim_host::power::BUSY_PERMILLE;
use sim_host::profile::{Catalogue, decode_picos, prefill_picos};

const PICOS: f64 = 1e12;

/// The folder of measurements, or a word that the test skips.
fn data() -> Option<PathBuf> {
    let folder = fits::data_folder();
    if folder.join("hw-perf").is_dir() {
        return Some(folder);
    }
    println!("skipped: no measurements at {} (set HERDER_DATA)", folder.display());
    None
}

#[test]
fn fitting_again_gives_the_committed_files() {
    let Some(data) = data() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/fitted");
    let fits = fits::all(&data);
    assert_eq!(fits.len(), fs::read_dir(&folder).expect("the folder of fitted profiles").count());
    for fitted in fits {
        let path = folder.join(fitted.file_name());
        println!("{}: {}", fitted.file_name(), fitted.beside_roofline());
        let committed = fs::read_to_string(&path).expect("a committed file");
        assert!(committed == fitted.to_toml(), "{} differs: run the example fit_profiles", path.display());
    }
}

/// Reads the benches anew, with nothing of the fitting program but its CSV reader.
#[test]
fn llama_cpp_fits_reproduce_every_row_within_the_largest_error_stated() {
    let Some(data) = data() else { return };
    for (gpu, files, bench, model) in [
        ("gb10", "dgx-spark", "gpt-oss-20b", "hf.co/ggml-org/gpt-oss-20b-gguf"),
        ("gb10", "dgx-spark", "Qwen3-Coder-30B-A3B-Instruct-Q8_0", "qwen3-coder:30b-a3b-q8_0"),
        ("gb10", "dgx-spark", "gemma-3-4b-it-qat", "hf.co/ggml-org/gemma-3-4b-it-qat-gguf"),
        ("m2-ultra", "mac-m2-ultra", "gpt-oss-20b", "hf.co/ggml-org/gpt-oss-20b-gguf"),
        ("m2-ultra", "mac-m2-ultra", "Qwen3-Coder-30B-A3B-Instruct-Q8_0", "qwen3-coder:30b-a3b-q8_0"),
        ("m2-ultra", "mac-m2-ultra", "Qwen2.5-Coder-7B-Q8_0", "qwen2.5-coder:7b-instruct-q8_0"),
    ] {
        let profile = Catalogue::builtin().find(gpu, model).expect("a profile");
        let stated = largest(&profile.source);
        let table =
            fits::Table::open(&data.join(format!("hw-perf/llama.cpp/{files}_llama-batched-bench.csv")));
        let mut rows = 0;
        for row in table.rows().filter(|row| row.text("model_repo") == bench) {
            let (prompt, streams) = (row.count("pp_tokens"), row.count("batch"));
            let step = decode(&profile.costs, streams, prompt + 16);
            let error = (step / (row.number("t_tg_s") / 32.0) - 1.0).abs() * 100.0;
            assert!(
                error <= stated + 0.1,
                "{gpu} {bench}: decode of {streams} at {prompt}: {error:.1} % over {stated} %"
            );
            if prompt * streams >= 1024 {
                let seconds = prompts(&profile.costs, prompt, streams);
                let error = (seconds / row.number("t_pp_s") - 1.0).abs() * 100.0;
                assert!(error <= stated + 0.1, "{gpu} {bench}: {streams} prompts of {prompt}: {error:.1} %");
            }
            rows += 1;
        }
        assert_eq!(rows, 18);
    }
}

/// Decode speeds alone that others published, with nothing fitted to them: we are within their range and 15 % around it.
#[test]
fn profiles_agree_with_published_speeds_of_one_stream() {
    let Some(data) = data() else { return };
    let table = fits::Table::open(&data.join("hw-perf/geerling-ai-benchmarks/readme_tables.csv"));
    for (gpu, system, published, model) in [
        ("gb10", "GB10", "DeepSeek R1 14b", "qwen2.5:14b"),
        ("gb10", "GB10", "gpt-oss 20b", "hf.co/ggml-org/gpt-oss-20b-gguf"),
        ("gb10", "GB10", "Llama 3.2:3b", "llama3.2:3b"),
        ("gb10", "GB10", "Llama 3.1:70b", "llama3.1:70b"),
        ("rtx-4090", "4090", "DeepSeek R1 14b", "qwen2.5:14b"),
        ("rtx-4090", "4090", "Llama 3.2:3b", "llama3.2:3b"),
    ] {
        let rows =
            table.rows().filter(|row| row.text("model") == published && row.text("system").contains(system));
        let mut rates: Vec<f64> = rows.map(|row| row.number("eval_rate_tps")).collect();
        rates.sort_by(f64::total_cmp);
        let (low, high) = (rates[0], rates[rates.len() - 1]);
        let profile = Catalogue::builtin().find(gpu, model).expect("a profile");
        let ours = 1.0 / decode(&profile.costs, 1, 200);
        println!("{model} on {gpu}: {ours:.1} tokens/s, published {low} to {high}");
        assert!(
            ours > low * 0.85 && ours < high * 1.15,
            "{model} on {gpu}: {ours:.1}, published {low} to {high}"
        );
    }
}

/// A roofline from figures alone is a guess: how far published speeds of one stream are from it, on GPUs that have nothing fitted.
#[test]
fn rooflines_are_as_near_to_published_speeds_as_is_told() {
    let Some(data) = data() else { return };
    let table = fits::Table::open(&data.join("hw-perf/geerling-ai-benchmarks/readme_tables.csv"));
    for (gpu, system, percent) in [
        ("rtx-3080-ti", "RTX 3080 Ti", 20.0),
        ("rtx-4070-ti", "RTX 4070 Ti)", 20.0),
        ("rtx-3060", "RTX 3060", 20.0),
        ("rtx-2080-ti", "RTX 2080 Ti", 20.0),
        ("rtx-a4000", "RTX A4000", 20.0),
        ("r9700", "265K Custom PC (AMD Radeon AI Pro R9700)", 20.0),
        ("m3-ultra", "M3 Ultra", 40.0),
        ("m4", "M4 Mac mini", 40.0),
    ] {
        let of =
            |row: &fits::Row<'_>| row.text("model") == "Llama 3.2:3b" && row.text("system").contains(system);
        let rates: Vec<f64> = table.rows().filter(of).map(|row| row.number("eval_rate_tps")).collect();
        let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rates.iter().copied().fold(0.0, f64::max);
        let profile = Catalogue::builtin().find(gpu, "llama3.2:3b").expect("a profile");
        let ours = 1.0 / decode(&profile.costs, 1, 200);
        println!("{gpu}: {ours:.1} tokens/s, published {low} to {high}");
        let fits = ours > low * (1.0 - percent / 100.0) && ours < high * (1.0 + percent / 100.0);
        assert!(fits, "{gpu}: {ours:.1}, published {low} to {high}");
    }
}

/// What a busy GPU draws is the mean of runs that others measured.
#[test]
fn the_power_of_a_busy_gpu_is_that_of_splitwise_s_runs() {
    let Some(data) = data() else { return };
    let table = fits::Table::open(&data.join("hw-perf/splitwise-sim/perf_model.csv"));
    let of = |row: &fits::Row<'_>| {
        row.text("model") == "llama2-70b"
            && row.text("hardware") == "a100-80gb"
            && row.count("tensor_parallel") == 2
            && row.count("prompt_size") == 512
            && row.count("batch_size") == 1
            && row.number("average_power") > 0.0
    };
    let shares: Vec<f64> = table.rows().filter(of).map(|row| row.number("average_power")).collect();
    assert_eq!(shares.len(), 15);
    let mean = shares.iter().sum::<f64>() / 15.0;
    assert!((mean * 1000.0 - BUSY_PERMILLE as f64).abs() < 0.5, "{mean}");
}

/// Figures of GPUs that come from aiconfigurator's files are those of the files.
#[test]
fn gpus_have_the_figures_of_aiconfigurator() {
    let Some(data) = data() else { return };
    let mut seen = 0;
    for gpu in Catalogue::builtin().gpus() {
        let Some(file) = gpu.source.strip_prefix("aiconfigurator ").and_then(|rest| rest.split(' ').next())
        else {
            continue;
        };
        let path = data.join("hw-specs/aiconfigurator").join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let figure = |key: &str| -> u64 {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
            let word = line.and_then(|rest| rest.split(' ').next());
            word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{}: no {key}", path.display()))
        };
        let ours = [gpu.memory_bytes, gpu.bandwidth_bytes_per_second, gpu.flops];
        let theirs = [figure("mem_capacity"), figure("mem_bw"), figure("bfloat16_tc_flops")];
        assert_eq!(ours, theirs, "{}", gpu.name);
        assert_eq!(gpu.watts_max.map(u64::from), Some(figure("power")), "{}", gpu.name);
        seen += 1;
    }
    assert_eq!(seen, 14);
}

/// The largest of the errors in a source, in percent.
fn largest(source: &str) -> f64 {
    let figures =
        source.split("largest ").skip(1).filter_map(|rest| rest.split(" %").next()?.parse::<f64>().ok());
    figures.fold(0.0, f64::max)
}

fn decode(costs: &Costs, sequences: u32, context: u32) -> f64 {
    let full = costs.context as f64 + costs.span as f64 / 256.0;
    let attention =
        full * f64::from(context) + costs.window_context as f64 * f64::from(context.min(costs.window));
    (decode_picos(costs, sequences) as f64 + attention * f64::from(sequences)) / PICOS
}

/// Streams' prompts one after the other, in batches of 2,048 tokens.
fn prompts(costs: &Costs, prompt: u32, streams: u32) -> f64 {
    let tokens = (prompt * streams).min(2048);
    let steps = f64::from(prompt * streams / tokens) * prefill_picos(costs, tokens) as f64;
    let pairs = f64::from(streams) * f64::from(prompt) * f64::from(prompt) / 2.0;
    (steps + costs.prefill_context as f64 * pairs) / PICOS
}
