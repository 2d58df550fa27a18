//! How fast whole runs are, by one command: `cargo build --release && cargo run --release -p benches --bin speed`.
//!
//! Each line is a run of the program as a process of its own, so that its peak memory is its own. Figures are CPU time
//! of the process, start-up included (some 10 ms, which short rows show). `--quick` leaves out the long rows; `--json`
//! prints one object a line.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde_json::Value;

/// Load of 70 %: requests a second for each host of `peer-8xa100`, of the 9.53 that the row `saturated` shows.
const RATE_PER_HOST: f64 = 6.67;

/// One run.
#[derive(Clone)]
struct Cell {
    group: &'static str,
    name: String,
    scenario: &'static str,
    settings: Vec<String>,
    more: Vec<String>,
    long: bool,
}

impl Cell {
    fn peer(group: &'static str, name: String, hosts: u64, requests: u64) -> Self {
        let settings = vec![
            format!("fleet.hosts={hosts}"),
            format!("workload.requests={requests}"),
            format!("workload.arrivals.poisson.rate_per_second={:.1}", RATE_PER_HOST * hosts as f64),
            "control.balancer=power-of-two".to_owned(),
        ];
        Self { group, name, scenario: "peer-8xa100", settings, more: Vec::new(), long: requests > 2_000_000 }
    }

    fn set(mut self, setting: String) -> Self {
        self.settings.push(setting);
        self
    }

    fn stepwise(mut self) -> Self {
        self.name.push_str(", stepwise");
        self.more.extend(["--engine".to_owned(), "stepwise".to_owned()]);
        self
    }
}

fn slots(count: u32) -> String {
    // The group is written whole: a value of --set replaces what stood there.
    let group = "[{ name = \"replica\", gpu = \"a100-80gb\", ram_gib = 256, context_length_tokens = 131072, \
                 keep_alive_seconds = -1, models = [\"llama3.1:8b-instruct-fp16\"], paged = { slots = SLOTS, batch_tokens = 2048 } }]";
    format!("fleet.group={}", group.replace("SLOTS", &count.to_string()))
}

fn rate(per_second: f64) -> String {
    format!("workload.arrivals.poisson.rate_per_second={per_second}")
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (hosts, requests) in
        [(1, 200_000), (8, 1_000_000), (100, 1_000_000), (1_000, 1_000_000), (10_000, 3_000_000)]
    {
        cells.push(Cell::peer("hosts", format!("{hosts} hosts"), hosts, requests));
    }
    cells.push(Cell::peer("hosts", "saturated, 1 host".into(), 1, 20_000).set(rate(1_000.0)));
    for (count, per_second) in [(1, 2.0), (4, 6.0), (64, 40.0), (256, 53.4)] {
        let cell = Cell::peer("slots", format!("{count} slots, 8 hosts"), 8, 300_000);
        cells.push(cell.set(slots(count)).set(rate(per_second)));
    }
    for requests in [10_000, 100_000, 1_000_000, 10_000_000] {
        cells.push(Cell::peer("requests", format!("{requests} requests, 8 hosts"), 8, requests));
    }
    for (tokens, per_second) in [(10, 83.0), (100, 68.0), (1_000, 20.7)] {
        let cell = Cell::peer("tokens", format!("{tokens} tokens, 8 hosts"), 8, 200_000);
        cells.push(
            cell.set(format!("workload.output={{ fixed = {{ tokens = {tokens} }} }}")).set(rate(per_second)),
        );
    }
    for (name, count, tokens, per_second) in
        [("1 slot", 1, 229, 2.0), ("4 slots, low load", 4, 229, 1.0), ("1 slot, 1,000 tokens", 1, 1_000, 0.5)]
    {
        let cell = Cell::peer("engines", name.to_owned(), 8, 100_000)
            .set(slots(count))
            .set(rate(per_second))
            .set(format!("workload.output={{ fixed = {{ tokens = {tokens} }} }}"));
        cells.push(cell.clone());
        cells.push(cell.stepwise());
    }
    cells.extend(real());
    cells
}

/// The workload on which other simulators were timed, where it is at hand.
fn real() -> Option<Cell> {
    let folder = std::env::var("HERDER_DATA").map_or_else(|_| PathBuf::from("../shared/data"), PathBuf::from);
    let file = folder.join("peer-workload/w8_10k_32rps_mooncake.jsonl.gz");
    if !file.is_file() {
        eprintln!("{} is not there: no row for the peers' workload", file.display());
        return None;
    }
    let mut cell = Cell::peer("peers", "peer-workload, 10,000 at 32/s".into(), 8, 10_000);
    cell.settings.clear();
    cell.more = vec!["--trace".into(), file.display().to_string()];
    Some(cell)
}

fn run(herder: &std::path::Path, cell: &Cell) -> Result<Value, String> {
    let mut command = Command::new(herder);
    command.args(["run", cell.scenario, "--json"]).args(&cell.more);
    for setting in &cell.settings {
        command.args(["--set", setting]);
    }
    let output = command.output().map_err(|error| format!("{}: {error}", herder.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", cell.name, String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{}: {error}", cell.name))
}

fn main() -> ExitCode {
    let flag = |name: &str| std::env::args().any(|argument| argument == name);
    let herder = std::env::current_exe().expect("a program has a path").with_file_name("herder");
    if !herder.is_file() {
        eprintln!("{} is not there: build it first with `cargo build --release`", herder.display());
        return ExitCode::FAILURE;
    }
    println!(
        "{:9} {:34} {:>13} {:>9} {:>8} {:>10} {:>9}",
        "group", "run", "requests/CPUs", "CPU s", "events", "steps/jump", "peak MiB"
    );
    let mut coalesced = 0.0;
    for cell in cells().into_iter().filter(|cell| !(flag("--quick") && cell.long)) {
        let result = match run(&herder, &cell) {
            Ok(result) => result,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        };
        if flag("--json") {
            println!("{result}");
            continue;
        }
        let number = |key: &str| result[key].as_f64().unwrap_or(f64::NAN);
        let arrived = result["requests"]["arrived"].as_f64().unwrap_or(f64::NAN);
        let cpu = number("cpu_seconds");
        let ratio = if cell.name.ends_with("stepwise") {
            format!("  {:.1} x", cpu / coalesced)
        } else {
            String::new()
        };
        coalesced = cpu;
        println!(
            "{:9} {:34} {:13.0} {:9.2} {:8.2} {:10.1} {:9.1}{ratio}",
            cell.group,
            cell.name,
            arrived / cpu,
            cpu,
            number("events") / arrived,
            number("steps") / number("boundaries"),
            number("peak_memory_bytes") / f64::from(1 << 20),
        );
    }
    ExitCode::SUCCESS
}
