//! `herder host`: an emulated Ollama host on the wall clock.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use control::request::KeepAlive;
use control::units::Nanos;
use live::{EmulatedHost, EmulatedOptions, FaultFile};
use sim_host::spec::Version;

use super::{Ending, print};

/// Serve Ollama's API as a host of a given profile would, with made-up words and no GPU
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder host --profile rtx-4090 --listen 127.0.0.1:11501 --model llama3.2:3b --model gemma3:4b
  curl http://127.0.0.1:11501/api/generate -d '{\"model\": \"llama3.2:3b\", \"prompt\": \"Hello\"}'
  herder host --profile rtx-3090 --model llama3.2:3b --fault cut:after_tokens=3,percent=20 --fault busy:next=5

Faults are NAME or NAME:key=value,key=value; the first of several that strikes a request is done:
  refuse        the connection is dropped without an answer
  error         an answer with status (500) and text
  busy          503, the queue is full
  slow          each step takes factor (10) times longer
  stall         no byte after after_tokens (0); head=false: not even a head
  cut           the connection is closed after after_tokens (0)
  garble        how=truncated-line, bad-utf8, long-line (10 MiB) or no-final-line, after after_tokens (0)
  hang-ps       /api/ps does not answer, /api/version does
  runner-crash  500, and the model is unloaded under all its requests
All but slow take percent=1..100 of the requests that they could strike, for the next=N of them, drawn by seed=N; path= and
model= aim them. While it runs: curl -X PUT http://…/emulated/faults -d '{\"faults\": [{\"fault\": \"busy\"}]}'; GET lists them.
More in docs/emulated.md.

The first line on standard output names the address, once it listens. Ctrl-C ends it.")]
pub(super) struct Args {
    /// The GPU, by its name in `herder profiles list`
    #[arg(long, value_name = "GPU")]
    profile: String,
    /// How many of that GPU
    #[arg(long, value_name = "N", default_value_t = 1)]
    gpus: u32,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:11434")]
    listen: SocketAddr,
    /// A model on its disk, by its name in `herder profiles list`; may be given several times
    #[arg(long = "model", value_name = "MODEL", required = true)]
    models: Vec<String>,
    /// A model that can be pulled; may be given several times. All of the catalogue where none is
    #[arg(long, value_name = "MODEL")]
    registry: Vec<String>,
    /// How fast models are pulled
    #[arg(long, value_name = "MIB", default_value_t = 100)]
    pull_mib_per_second: u64,
    /// Something to do wrong (below); may be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<FaultFile>,
    /// Memory of the host itself
    #[arg(long, value_name = "GIB", default_value_t = 64)]
    ram_gib: u64,
    /// OLLAMA_NUM_PARALLEL; the version's default where absent
    #[arg(long, value_name = "N")]
    num_parallel: Option<u32>,
    /// OLLAMA_MAX_QUEUE
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_queue: u32,
    /// OLLAMA_MAX_LOADED_MODELS; 3 for each GPU where absent
    #[arg(long, value_name = "N")]
    max_loaded_models: Option<u32>,
    /// OLLAMA_KEEP_ALIVE in seconds; below 0: forever
    #[arg(long, value_name = "SECONDS", default_value_t = 300, allow_negative_numbers = true)]
    keep_alive: i64,
    /// OLLAMA_CONTEXT_LENGTH; by the memory of the GPUs where absent
    #[arg(long, value_name = "TOKENS")]
    context_length: Option<u32>,
    /// Ollama's version whose rules it follows
    #[arg(long, value_enum, default_value_t)]
    ollama_version: VersionArg,
    /// How many times faster than the wall clock it works
    #[arg(long, value_name = "FACTOR", default_value_t = 1)]
    speed: u32,
}

/// Versions whose rules are modelled.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum VersionArg {
    /// v0.10.1
    #[value(name = "0.10")]
    V0_10,
    /// v0.24.0
    #[default]
    #[value(name = "0.24")]
    V0_24,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let options = EmulatedOptions {
        listen: args.listen,
        profile: args.profile.clone(),
        gpus: args.gpus,
        models: args.models.clone(),
        registry: (!args.registry.is_empty()).then(|| args.registry.clone()),
        pull_mib_per_second: args.pull_mib_per_second,
        faults: args.faults.clone(),
        ram_gib: args.ram_gib,
        num_parallel: args.num_parallel,
        max_queue: args.max_queue,
        max_loaded: args.max_loaded_models,
        keep_alive: match u64::try_from(args.keep_alive) {
            Ok(seconds) => KeepAlive::For(Nanos::from_secs(seconds.min(1 << 32))),
            Err(_) => KeepAlive::Forever,
        },
        num_ctx_default: args.context_length,
        version: match args.ollama_version {
            VersionArg::V0_10 => Version::V0_10,
            VersionArg::V0_24 => Version::V0_24,
        },
        speed: args.speed,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let stopped = live::stop::signal();
        let host = EmulatedHost::bind(&options).await?;
        print(&format!("{} listens on http://{}\n", options.profile, host.address()))?;
        host.run(stopped).await;
        Ok(Ending::Done)
    })
}
