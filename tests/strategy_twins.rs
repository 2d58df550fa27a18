//! Baseline and optimised decide alike over whole simulations: each pair of scheduler and balancer gives the same decision
//! log, records and digest from both, on chats in bursts, on a trace with heavy tails and on windows of production traces
//! (in the folder that `HERDER_DATA` names, else `../shared/data`), on three fleets.
//!
//! `simulated/heavy-tails.csv` is what `herder trace generate azure-conv --format azure --requests 120 --seed 7 --out` writes.

#[path = "simulated/data.rs"]
mod data;
#[path = "simulated/run.rs"]
mod run;

use control::door::{Note, Output};
use control::log::Record as LogRecord;
use control::{balance, schedule};
use data::data;
use run::{Case, Run, Told};

/// Requests of a run at least.
const REQUESTS_MIN: usize = 50;

const HEAVY_TAILS: &str = "tests/simulated/heavy-tails.csv";

/// Windows of production traces: file, start and end in seconds, how many times as dense they are replayed.
const WINDOWS: &[(&str, u32, u32, u32)] = &[
    ("llm-traces/azure-2023/AzureLLMInferenceTrace_code.csv", 600, 720, 1),
    ("llm-traces/azure-2023/AzureLLMInferenceTrace_conv.csv", 1_200, 1_220, 1),
    ("llm-traces/burstgpt/burstgpt_slice.csv", 0, 20_000, 200),
];

/// What happens in a run; where it does not, twins were not compared under it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Requests that waited for longer than a second before they were let out.
    waited: usize,
    /// Runners that were unloaded for another model.
    evicted: u64,
    /// Requests on hosts from the 65th on.
    beyond_a_word: usize,
    /// Changes of the balancer that was selected.
    selected: usize,
}

impl Seen {
    /// The least of each.
    fn with(self, other: Self) -> Self {
        Self {
            waited: self.waited.min(other.waited),
            evicted: self.evicted.min(other.evicted),
            beyond_a_word: self.beyond_a_word.min(other.beyond_a_word),
            selected: self.selected.min(other.selected),
        }
    }

    fn of(run: &Run) -> Self {
        let waits = run.records.iter().filter_map(|record| Some(record.dispatched?.since(record.arrival)));
        let hosts = run.records.iter().filter_map(|record| record.host);
        Self {
            waited: waits.filter(|wait| wait.0 > 1_000_000_000).count(),
            evicted: run.end.last_sample.hosts.iter().map(|host| host.evictions).sum(),
            beyond_a_word: hosts.filter(|host| host.0 >= 64).count(),
            selected: run.decisions().map(|record| selections(&record)).sum(),
        }
    }
}

fn selections(record: &LogRecord<'_>) -> usize {
    let LogRecord::Step { outputs, .. } = record else { return 0 };
    outputs.iter().filter(|output| matches!(output, Output::Note(Note::Selected { .. }))).count()
}

/// All pairs of scheduler and balancer, in an order in which neighbours differ in both.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let schedulers = schedule::ALL.len();
    (0..schedulers * balance::ALL.len()).map(move |at| {
        let (balancer, turn) = (at / schedulers, at % schedulers);
        (schedule::ALL[(turn + balancer) % schedulers].1.name, balance::ALL[balancer].1.name)
    })
}

/// Runs a case with either implementation, demands the same, and tells what happened.
fn alike(case: &Case) -> Seen {
    let implemented = |implementation| case.clone().set("control.implementation", implementation).run();
    let (plain, fast) = (implemented("baseline"), implemented("optimised"));
    let _told = Told(format!("{} --set control.implementation=…", case.command()));
    // The first record holds the config, which says which it is.
    let differs = (1..plain.log.len().max(fast.log.len())).find(|at| plain.log.get(*at) != fast.log.get(*at));
    if let Some(at) = differs {
        let [plain, fast] = [&plain, &fast].map(|run| run.decisions().nth(at));
        panic!(
            "step {at} differs:
  baseline  {plain:?}
  optimised {fast:?}"
        );
    }
    assert!(fast.records.len() >= REQUESTS_MIN, "{} requests tell too little", fast.records.len());
    assert_eq!(plain.records, fast.records);
    assert_eq!(plain.end, fast.end);
    Seen::of(&fast)
}

/// Every pair on one scenario; gives what happened in the pair in which the least of it did.
fn every_pair_decides_alike(case: &Case) -> Seen {
    let mut least: Option<Seen> = None;
    for (scheduler, balancer) in pairs() {
        let case = case.clone().set("control.scheduler", scheduler).set("control.balancer", balancer);
        let seen = alike(&case);
        least = Some(least.map_or(seen, |least| least.with(seen)));
    }
    let least = least.expect("there are pairs");
    println!("{}: {least:?} at least", case.command());
    least
}

#[test]
fn every_pair_decides_alike_on_chats_over_three_slots() {
    assert!(every_pair_decides_alike(&Case::new("three-slots")).waited > 20);
}

#[test]
fn every_pair_decides_alike_on_chats_over_mixed_hosts() {
    assert!(every_pair_decides_alike(&Case::new("twelve-mixed")).evicted > 0);
}

#[test]
fn every_pair_decides_alike_on_chats_over_seventy_hosts() {
    assert!(every_pair_decides_alike(&Case::new("seventy-hosts")).beyond_a_word > 0);
}

/// The heavy tails on a scenario's fleet, so many times as dense.
fn tails(scenario: &'static str, denser: &str) -> Case {
    let rate = format!("{{ compress_time = {denser} }}");
    Case { trace: Some(HEAVY_TAILS.into()), ..Case::new(scenario) }.set("workload.arrivals.trace.rate", rate)
}

#[test]
fn every_pair_decides_alike_on_heavy_tails_over_three_slots() {
    assert!(every_pair_decides_alike(&tails("three-slots", "1.0")).waited > 20);
}

#[test]
fn every_pair_decides_alike_on_heavy_tails_over_mixed_hosts() {
    assert!(every_pair_decides_alike(&tails("twelve-mixed", "1.0")).evicted > 0);
}

#[test]
fn every_pair_decides_alike_on_heavy_tails_over_seventy_hosts() {
    assert!(every_pair_decides_alike(&tails("seventy-hosts", "10.0")).beyond_a_word > 0);
}

/// Balancers that are chosen among by what the fleet is like, and one for a share of the conversations.
#[test]
fn every_scheduler_decides_alike_where_balancers_are_selected() {
    let mut selected = 0;
    for (_, scheduler) in schedule::ALL {
        for scenario in ["twelve-mixed", "seventy-hosts"] {
            let select = "{ arms = [\"model-affinity\", \"least-load\", \"predictive\"], hold_decisions = 2, \
                          residency_millis = 300, rules = [{ when = { load = \"high\" }, arm = \"least-load\" }, \
                          { when = { residency = \"moving\" }, arm = \"predictive\" }] }";
            let case = Case::new(scenario)
                .set("control.scheduler", scheduler.name)
                .set("control.select", select)
                .set("control.flags.some", "{ balancer = \"power-of-two\", share_permille = 200 }");
            selected += alike(&case).selected;
        }
    }
    assert!(selected > 2 * schedule::ALL.len(), "{selected} changes of the balancer");
}

#[test]
fn every_pair_decides_alike_on_windows_of_production_traces() {
    let fleets = ["three-slots", "twelve-mixed", "seventy-hosts"];
    let windows =
        WINDOWS.iter().filter_map(|(file, start, end, denser)| Some((data(file)?, start, end, denser)));
    for (window, (file, start, end, denser)) in windows.enumerate() {
        for (at, (scheduler, balancer)) in pairs().enumerate() {
            // Each pair meets each window on one fleet, and over the windows all fleets.
            let fleet = fleets[(at + window) % fleets.len()];
            let case = Case { trace: Some(file.clone()), ..Case::new(fleet) }
                .set("workload.requests", 100)
                .set("workload.arrivals.trace.start_seconds", format!("{start}.0"))
                .set("workload.arrivals.trace.end_seconds", format!("{end}.0"))
                .set("workload.arrivals.trace.rate", format!("{{ compress_time = {denser}.0 }}"))
                .set("control.scheduler", scheduler)
                .set("control.balancer", balancer);
            alike(&case);
        }
    }
}
