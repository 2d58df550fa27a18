//! RTX 4090, RTX PRO 6000 and RTX A6000: kernel times of 16-bit models (LLMServingSim's profilers), checked on real vLLM runs.
//!
//! A step is the sum of its kernels and an overhead, fitted on the even seconds of a run in which nobody's prompt was processed;
//! the odd seconds are held out. A model without such a run has the overhead of another's. The run of the mixture of experts had
//! two GPUs, each with half of the sequences and half of the experts: it is held out as a whole. On the RTX A6000 the times of
//! attention while decoding are left out: seven of eight rows read the cache faster than the memory can be read. Another engine
//! than Ollama's: marked as such.

use std::path::Path;

use sim_host::costs::Costs;
use sim_host::profile::Catalogue;

use super::Table;
use super::derive::{scaled, scaled_reading};
use super::kernels::Kernels;
use super::output::{Fitted, Tables, decode_seconds, model};
use super::solve::{errors, median_of};

/// A model measured on a GPU.
struct Subject {
    gpu: &'static str,
    model: &'static str,
    /// The same shape in other quantisations: first the one that Ollama takes by default.
    small: &'static [&'static str],
    /// As in the folders.
    gpu_folder: &'static str,
    model_folder: &'static str,
    /// A run of this model over two GPUs that share its experts.
    shared: Option<Run>,
}

const RTX_4090: Subject = Subject {
    gpu: "rtx-4090",
    model: "llama3.1:8b-instruct-fp16",
    small: &["llama3.1:8b"],
    gpu_folder: "RTX4090",
    model_folder: "meta-llama/Llama-3.1-8B",
    shared: None,
};
const RTX_PRO_6000: Subject = Subject { gpu: "rtx-pro-6000", gpu_folder: "RTXPRO6000", ..RTX_4090 };
const RTX_PRO_6000_QWEN: Subject = Subject {
    model: "qwen3:32b-fp16",
    small: &["qwen3:32b"],
    model_folder: "Qwen/Qwen3-32B",
    ..RTX_PRO_6000
};
const RTX_PRO_6000_EXPERTS: Subject = Subject {
    model: "qwen3:30b-a3b-fp16",
    small: &["qwen3:30b-a3b", "qwen3-coder:30b", "qwen3-coder:30b-a3b-q8_0"],
    model_folder: "Qwen/Qwen3-30B-A3B-Instruct-2507",
    shared: Some(Run { model_folder: "Qwen3-30B-A3B-Instruct-2507", ..RUN_PRO_6000 }),
    ..RTX_PRO_6000
};
const RTX_A6000: Subject = Subject { gpu: "rtx-a6000", gpu_folder: "A6000", ..RTX_4090 };

/// A real run: its folders, tokens of its cache when it is full (where it wrote how full it was), and which of
/// its seconds count: so many run at least, and so many left at most.
struct Run {
    folder: &'static str,
    model_folder: &'static str,
    cache_tokens: Option<f64>,
    running_min: u32,
    left_max: u32,
}

const RUN_4090: Run = Run {
    folder: "RTX4090",
    model_folder: "Llama-3.1-8B",
    cache_tokens: Some(41_408.0),
    running_min: 1,
    left_max: 2,
};
const RUN_PRO_6000: Run =
    Run { folder: "RTXPRO6000", cache_tokens: None, running_min: 16, left_max: 16, ..RUN_4090 };

/// A second of the run without prompts: running, tokens cached, seconds a step.
struct Second {
    running: u32,
    cached: f64,
    seconds: f64,
}

/// The profiles, and the overhead of a step on the RTX 4090 in seconds.
pub(crate) fn fits(data: &Path) -> (Vec<Fitted>, f64) {
    let (mut fits, overhead) = with_run(data, &RTX_4090, &RUN_4090);
    fits[1].assumed.push(
        "assumed_prefill = as vLLM's; one anecdote of llama.cpp is 4,668 tokens/s (8B, Q6), half of this"
            .to_owned(),
    );
    let (more, overhead_pro) = with_run(data, &RTX_PRO_6000, &RUN_PRO_6000);
    fits.extend(more);
    fits.extend(without_run(data, &RTX_PRO_6000_QWEN, overhead_pro));
    fits.extend(without_run(data, &RTX_PRO_6000_EXPERTS, overhead_pro));
    fits.extend(without_attention(data, &RTX_A6000, overhead));
    (fits, overhead)
}

/// A model with a run: both quantisations, and the overhead of a step in seconds.
fn with_run(data: &Path, subject: &Subject, run: &Run) -> (Vec<Fitted>, f64) {
    let kernels = subject.kernels(data);
    let seconds = run.seconds(data);
    let (context, decode_rows) = kernels.decode_context();
    let bare = kernels.tables(context, 0.0);
    let costs = bare.costs();
    let step = |second: &Second| decode_seconds(&costs, second.running, 0) + context * second.cached;
    let overhead =
        f64::max(0.0, median_of(seconds.iter().step_by(2).map(|second| second.seconds - step(second))));
    let pairs = |first: usize| -> Vec<(f64, f64)> {
        seconds
            .iter()
            .skip(first)
            .step_by(2)
            .map(|second| (step(second) + overhead, second.seconds))
            .collect()
    };
    let tables = kernels.tables(context, overhead);
    let base = Fitted {
        gpu: subject.gpu.to_owned(),
        model: subject.model.to_owned(),
        engine: "vLLM 0.19.0 bf16 (another engine than Ollama's)".to_owned(),
        source: format!(
            "LLMServingSim profiler/perf {} {} tp1 (MIT): kernels summed; overhead of a step from its \
             real vLLM run, even seconds without prompts{}",
            subject.gpu_folder,
            subject.model_folder.rsplit('/').next().unwrap_or_default(),
            run.told()
        ),
        fit_error: format!(
            "kernels of decode at 16 to 16,384 tokens of cache {}; run, even seconds {}",
            kernel_errors(&tables, &decode_rows, overhead),
            errors(&pairs(0))
        ),
        held_out: format!(
            "run, odd seconds {}; dense kernels at token counts between the knots {}",
            errors(&pairs(1)),
            kernels.off_knots()
        ),
        assumed: vec!["other_engine: vllm bf16, taken for Ollama's".to_owned()],
        overrides: Vec::new(),
        tables,
    };
    (subject.with_small(data, base, None), overhead)
}

/// A model whose step has the overhead of another's run.
fn without_run(data: &Path, subject: &Subject, overhead: f64) -> Vec<Fitted> {
    let kernels = subject.kernels(data);
    let (context, decode_rows) = kernels.decode_context();
    let tables = kernels.tables(context, overhead);
    let mut held_out = format!("dense kernels at token counts between the knots {}", kernels.off_knots());
    let mut assumed = vec![
        "other_engine: vllm bf16, taken for Ollama's".to_owned(),
        "assumed_step_overhead = as in the run of Llama-3.1-8B".to_owned(),
    ];
    let mut reading = None;
    match (&kernels.experts, &subject.shared) {
        (Some(experts), Some(run)) => {
            let costs = tables.costs();
            let seconds = run.seconds(data);
            let pairs: Vec<(f64, f64)> = seconds
                .iter()
                .map(|second| (shared_step(&kernels, &costs, context, second), second.seconds))
                .collect();
            held_out = format!(
                "{held_out}; experts, each row between its neighbours in tokens {}; its vLLM run on two GPUs with half of the \
                 experts each, what they exchange left out, seconds without prompts{} {}",
                experts.left_out(),
                run.told(),
                errors(&pairs)
            );
            assumed.push("assumed_routing = each token picks its experts by chance alone".to_owned());
            // Much of a step of so few bytes is no reading.
            reading = Some(kernels.reading());
        }
        _ => held_out.push_str("; no run of this model"),
    }
    let base = Fitted {
        gpu: subject.gpu.to_owned(),
        model: subject.model.to_owned(),
        engine: "vLLM 0.19.0 bf16 (another engine than Ollama's)".to_owned(),
        source: format!(
            "LLMServingSim profiler/perf {} {} tp1 (MIT): kernels summed; overhead of a step from the vLLM run of \
             Llama-3.1-8B on this GPU",
            subject.gpu_folder,
            subject.model_folder.rsplit('/').next().unwrap_or_default()
        ),
        fit_error: format!(
            "kernels of decode at 16 to 16,384 tokens of cache {}",
            kernel_errors(&tables, &decode_rows, overhead)
        ),
        held_out,
        assumed,
        overrides: Vec::new(),
        tables,
    };
    subject.with_small(data, base, reading)
}

/// Seconds of a step of one of two GPUs, each with half of the sequences and half of the experts, which are touched by all.
fn shared_step(kernels: &Kernels, costs: &Costs, context: f64, second: &Second) -> f64 {
    let half = second.running.div_ceil(2);
    let experts = kernels.experts.as_ref().map_or(0.0, |experts| {
        experts.seconds(half, experts.touched(second.running) / 2.0)
            - experts.seconds(half, experts.touched(half))
    });
    decode_seconds(costs, half, 0) + context * second.cached / 2.0 + kernels.layers * experts
}

/// A model of the older profiler, whose attention while decoding is the roofline's.
fn without_attention(data: &Path, subject: &Subject, overhead: f64) -> Vec<Fitted> {
    let folder = data.join("hw-perf/llmservingsim/v0/perf_models");
    let folder = folder.join(subject.gpu_folder).join(subject.model_folder).join("tp1");
    let kernels = Kernels::read_v0(&folder, subject.model);
    let roofline =
        Catalogue::rooflines().find(subject.gpu, subject.model).unwrap_or_else(|error| panic!("{error}"));
    let context = (roofline.costs.context as f64 + roofline.costs.span as f64 / 256.0) * 1e-12;
    let tables = kernels.tables(context, overhead);
    let prompts = |at_knots| errors(&kernels.prompt_pairs(&tables, overhead, at_knots));
    let base = Fitted {
        gpu: subject.gpu.to_owned(),
        model: subject.model.to_owned(),
        engine: "LLMServingSim's v0 profiler, 16 bits (another engine than Ollama's)".to_owned(),
        source: format!(
            "LLMServingSim profiler/v0 {} Llama-3.1-8B tp1 layers (MIT), summed; its attention while decoding left out: {}",
            subject.gpu_folder,
            too_fast(&folder, subject.gpu)
        ),
        fit_error: format!("sums of kernels: prompts {}", prompts(true)),
        held_out: format!(
            "sums of kernels: prompts at token counts between the knots {}; decode without a cache between the knots {}; no run \
             on this GPU",
            prompts(false),
            errors(&kernels.decode_pairs(&tables, overhead))
        ),
        assumed: vec![
            "other_engine: kernels in 16 bits, taken for Ollama's".to_owned(),
            "assumed_step_overhead = as in the vLLM run on an RTX 4090".to_owned(),
            "assumed_context = the roofline's, as the RTX 4090 reaches on its cache".to_owned(),
        ],
        overrides: Vec::new(),
        tables,
    };
    subject.with_small(data, base, None)
}

/// How many rows of attention read the cache faster than the GPU's memory can be read, as text.
fn too_fast(folder: &Path, gpu: &str) -> String {
    let table = Table::open(&folder.join("attention.csv.gz"));
    let gpu = Catalogue::rooflines().gpu(gpu).unwrap_or_else(|error| panic!("{error}"));
    let (mut rows, mut fast) = (0, 0);
    for row in table.rows().filter(|row| row.text("is_prefill") == "False") {
        let tokens = row.number("batch_size") * row.number("kv_cache_size");
        let width = row.number("n_kv_head") * row.number("n_embd") / row.number("n_q_head");
        // Keys and values of two bytes; milliseconds.
        let rate = tokens * 2.0 * 2.0 * width / (row.number("time_stats.attn_decode.median") * 1e-3);
        rows += 1;
        fast += u32::from(rate > gpu.bandwidth_bytes_per_second as f64);
    }
    format!("{} % of its rows read the cache faster than the memory can be read", fast * 100 / rows)
}

fn kernel_errors(tables: &Tables, rows: &[(u32, u32, f64)], overhead: f64) -> String {
    let costs = tables.costs();
    let pair = |&(sequences, cache, seconds): &(u32, u32, f64)| {
        (decode_seconds(&costs, sequences, cache), seconds + overhead)
    };
    errors(&rows.iter().map(pair).collect::<Vec<_>>())
}

/// Another file of the same shape on the same GPU.
pub(crate) fn quantised(data: &Path, base: &Fitted, name: &str) -> Fitted {
    quantised_tables(base, name, scaled(data, &base.tables, &base.model, name))
}

fn quantised_tables(base: &Fitted, name: &str, tables: Tables) -> Fitted {
    let mut assumed = base.assumed.clone();
    assumed.push(format!(
        "assumed_scaling = from {} by bytes a step and llama.cpp's published speeds by quantisation",
        base.model
    ));
    let one = 1.0 / decode_seconds(&tables.costs(), 1, 100);
    Fitted {
        gpu: base.gpu.clone(),
        model: name.to_owned(),
        engine: base.engine.clone(),
        source: format!("{}; scaled to the bytes of {}", base.source, model(name).quantisation),
        fit_error: format!("before scaling: {}", base.fit_error),
        held_out: format!("before scaling: {}; after: nothing, {one:.0} tokens/s alone", base.held_out),
        assumed,
        overrides: Vec::new(),
        tables,
    }
}

impl Subject {
    fn kernels(&self, data: &Path) -> Kernels {
        let folder = data.join("hw-perf/llmservingsim/perf");
        Kernels::read(&folder.join(self.gpu_folder).join(self.model_folder).join("bf16/tp1"), self.model)
    }

    /// The profile and those of other quantisations. `reading` is the seconds of a step of one sequence in which it reads weights,
    /// where that is not taken to be all of it.
    fn with_small(&self, data: &Path, base: Fitted, reading: Option<f64>) -> Vec<Fitted> {
        let small = |&name: &&str| match reading {
            None => quantised(data, &base, name),
            Some(reading) => {
                let mut small = quantised_tables(
                    &base,
                    name,
                    scaled_reading(data, &base.tables, &base.model, name, reading),
                );
                small.assumed.push("assumed_reading = the kernels of matrices and experts alone".to_owned());
                small
            }
        };
        let mut all: Vec<Fitted> = self.small.iter().map(small).collect();
        all.insert(0, base);
        all
    }
}

impl Run {
    fn told(&self) -> String {
        match (self.running_min, self.left_max) {
            (1, _) => String::new(),
            (least, left) => format!(" in which {least} or more ran and at most {left} left"),
        }
    }

    /// The seconds of the run in which, and before which, no prompt was processed and nobody came, and few went.
    fn seconds(&self, data: &Path) -> Vec<Second> {
        let folder = data.join("hw-perf/llmservingsim/bench/examples");
        let folder = folder.join(self.folder).join(self.model_folder).join("vllm");
        let table = Table::open(&folder.join("timeseries.csv"));
        let requests =
            if self.cache_tokens.is_none() { requests(&folder.join("requests.jsonl")) } else { Vec::new() };
        let rows: Vec<super::Row<'_>> = table.rows().collect();
        let calm = |row: &super::Row<'_>| row.number("prompt_throughput") == 0.0;
        rows.windows(2)
            .filter(|pair| {
                let (before, now) = (pair[0].count("running"), pair[1].count("running"));
                let steady = before >= now && before - now <= self.left_max;
                calm(&pair[0]) && calm(&pair[1]) && now >= self.running_min && steady
            })
            .map(|pair| Second {
                running: pair[1].count("running"),
                cached: match self.cache_tokens {
                    Some(tokens) => pair[1].number("kv_cache_pct") / 100.0 * tokens,
                    None => requests.iter().map(|request| request.cached(pair[1].number("t"))).sum(),
                },
                seconds: pair[1].number("running") / pair[1].number("gen_throughput"),
            })
            .collect()
    }
}

/// A request of a run, in seconds from the first one's arrival.
struct Request {
    prompt: f64,
    output: f64,
    first: f64,
    last: f64,
}

impl Request {
    /// Tokens that it holds in the cache, its answer growing evenly.
    fn cached(&self, at: f64) -> f64 {
        if at < self.first || at > self.last {
            return 0.0;
        }
        self.prompt + self.output * (at - self.first) / (self.last - self.first)
    }
}

fn requests(path: &Path) -> Vec<Request> {
    let text = super::read(path);
    let rows: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect();
    let number = |row: &serde_json::Value, key: &str| {
        row[key].as_f64().unwrap_or_else(|| panic!("{}: {key} is {}", path.display(), row[key]))
    };
    let start = rows.iter().map(|row| number(row, "queued_ts")).fold(f64::INFINITY, f64::min);
    let request = |row: &serde_json::Value| Request {
        prompt: number(row, "input_toks"),
        output: number(row, "output_toks"),
        first: number(row, "first_token_ts") - start,
        last: number(row, "last_token_ts") - start,
    };
    rows.iter().map(request).collect()
}
