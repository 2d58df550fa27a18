//! Every scheduler and every balancer against every invariant: random scenarios with clients that leave, deadlines, small
//! queues, hosts that answer busy, late first bytes, and an operator who changes the config, drains hosts, freezes and goes
//! back. Everything that the simulator and its hosts can check is checked after each step; the checkers of `simulated/` read
//! the decision log beside that.

#[path = "simulated/run.rs"]
mod run;
#[path = "simulated/service.rs"]
mod service;

use control::draw::{Component, Draw};
use control::ids::TenantId;
use control::{balance, schedule};
use herder::chaos::invariants::{self, Seen};
use run::{Case, Run, Told};
use service::{Shares, measure};
use sim::check::Checks;
use traces::record::Sample;

/// Scenarios for each strategy.
const SEEDS: u64 = 16;
/// Time in which a scenario's requests arrive, about.
const SPAN_MILLIS: u32 = 25_000;

/// Chance, keyed by a scenario's seed.
struct Dice(Draw);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Draw::new(seed, Component::Network, 0, 0))
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.0.below(of.len() as u32) as usize]
    }

    fn within(&mut self, least: u32, most: u32) -> u32 {
        least + self.0.below(most - least + 1)
    }

    fn scheduler(&mut self) -> &'static str {
        schedule::ALL[self.0.below(schedule::ALL.len() as u32) as usize].1.name
    }

    fn balancer(&mut self) -> &'static str {
        balance::ALL[self.0.below(balance::ALL.len() as u32) as usize].1.name
    }

    /// Keys of `[control]` besides the strategies.
    fn control(&mut self) -> Vec<(&'static str, String)> {
        let mut keys = vec![
            (
                "dispatch",
                self.one(&["\"slots\"", "\"unlimited\"", "\"learned\"", "{ requests = 3 }"]).to_owned(),
            ),
            ("attempts_max", self.within(1, 4).to_string()),
            ("queue_requests_max", self.within(0, 40).to_string()),
            ("queue_timeout_millis", self.within(500, 30_000).to_string()),
            ("aging_millis", self.within(500, 10_000).to_string()),
            ("first_byte_timeout_warm_millis", self.within(200, 8_000).to_string()),
            ("implementation", self.one(&["\"baseline\"", "\"optimised\""]).to_owned()),
            ("frozen", self.one(&["true", "false", "false"]).to_owned()),
        ];
        if self.0.below(3) == 0 {
            keys.push(("breaker", "{ consecutive_failures_max = 3, open_millis = 1_000 }".to_owned()));
        }
        if self.0.below(3) == 0 {
            keys.push(("prefetch", "{ likely_permille_min = 100 }".to_owned()));
        }
        if self.0.below(3) == 0 {
            keys.push(("shadows", format!("[\"{}\"]", self.balancer())));
        }
        if self.0.below(3) == 0 {
            let demand = self.one(&[
                "exclude_zones = [\"east\"]",
                "start_after_millis = 300",
                "deadline_millis = 4_000",
            ]);
            keys.push((
                "rules",
                format!("[{{ name = \"r\", tenants = [\"calm\"], demands = {{ {demand} }} }}]"),
            ));
        }
        if self.0.below(3) == 0 {
            let [low, high] = [self.one(&["random", "round-robin"]), self.one(&["least-load", "predictive"])];
            keys.push((
                "select",
                format!(
                    "{{ arms = [\"{low}\", \"{high}\"], rules = [{{ when = {{ load = \"high\" }}, arm = \"{high}\" }}], \
                     hold_decisions = 3, residency_millis = 500 }}"
                ),
            ));
        }
        keys
    }

    /// What the operator does, as `[[operator]]` has it.
    fn operator(&mut self, hosts: &[String]) -> String {
        let mut times: Vec<u32> = (0..self.within(3, 8)).map(|_| self.0.below(SPAN_MILLIS)).collect();
        times.sort_unstable();
        let deeds = times.iter().map(|at| {
            let host = &hosts[self.0.below(hosts.len() as u32) as usize];
            let deed = match self.0.below(8) {
                0 => format!("drain = \"{host}\""),
                1 => format!("undrain = \"{host}\""),
                2 => format!("freeze = {}", self.one(&["true", "false"])),
                3 => "rollback = true".to_owned(),
                _ => {
                    let strategies =
                        format!("scheduler = \"{}\", balancer = \"{}\"", self.scheduler(), self.balancer());
                    let keys = self.control().into_iter().map(|(key, value)| format!(", {key} = {value}"));
                    format!("set = {{ {strategies}{} }}", keys.collect::<String>())
                }
            };
            format!("{{ at_seconds = {}.{:03}, {deed} }}", at / 1_000, at % 1_000)
        });
        format!("[{}]", deeds.collect::<Vec<_>>().join(", "))
    }
}

/// A random scenario that begins with these strategies.
fn rough(seed: u64, scheduler: &str, balancer: &str) -> Case {
    let mut dice = Dice::new(seed);
    let hosts_len = dice.within(1, 6);
    let mut case = Case { seed, checks: Checks::Always, ..Case::new("rough") }
        .set("control.scheduler", scheduler)
        .set("control.balancer", balancer)
        .set("fleet.hosts", hosts_len)
        .set("network.latency_micros", dice.one(&["0", "200", "80_000"]))
        .set("workload.arrivals.gamma.rate_per_second", format!("{}.0", dice.within(1, 12)))
        .set("workload.tenants[1].patience_seconds", format!("{}.5", dice.within(0, 8)))
        .set("workload.tenants[1].deadline_seconds", format!("{}.0", dice.within(1, 20)));
    for (key, value) in dice.control() {
        case = case.set(&format!("control.{key}"), value);
    }
    let name = |host| format!("{}-{}", ["tower", "old-tower"][host as usize % 2], host / 2 + 1);
    let hosts: Vec<String> = (0..hosts_len).map(name).collect();
    case.set("operator", dice.operator(&hosts))
}

/// Runs a scenario and checks all of it.
fn conforms(case: &Case) -> (Run, Seen) {
    let run = case.run();
    let _told = Told(case.command());
    let seen = invariants::hold(run.decisions(), &run.records).unwrap_or_else(|what| panic!("{what}"));
    let Sample { queued, in_flight, arrived, finished, .. } = run.end.last_sample;
    let counted = (seen.requests as u64, seen.finished as u64, 0, 0);
    assert_eq!((arrived, finished, queued, in_flight), counted, "control counts as the log does (I1)");
    (run, seen)
}

/// That the scenarios between them put every invariant to the test.
fn is_rough(seen: Seen) {
    println!("{seen:?}");
    let least = seen.requests / 100;
    let counts =
        [seen.finished, seen.rejected, seen.failed, seen.cancelled, seen.retries, seen.busy, seen.timeouts];
    assert!(counts.iter().all(|count| *count > least), "each is to come up: {seen:?}");
    assert!(seen.swaps > 100, "{seen:?}");
}

#[test]
fn every_scheduler_conforms() {
    let mut seen = Seen::default();
    for (at, (_, scheduler)) in schedule::ALL.iter().enumerate() {
        for turn in 0..2 * SEEDS as usize {
            let balancer = balance::ALL[(at * 2 * SEEDS as usize + turn) % balance::ALL.len()].1.name;
            seen += conforms(&rough((at * 1_000 + turn) as u64, scheduler.name, balancer)).1;
        }
    }
    is_rough(seen);
}

#[test]
fn every_balancer_conforms() {
    let mut seen = Seen::default();
    for (at, (_, balancer)) in balance::ALL.iter().enumerate() {
        for turn in 0..SEEDS as usize {
            let scheduler = schedule::ALL[(at * SEEDS as usize + turn) % schedule::ALL.len()].1.name;
            seen += conforms(&rough((100_000 + at * 1_000 + turn) as u64, scheduler, balancer.name)).1;
        }
    }
    is_rough(seen);
}

const PROMPT_MAX: u32 = 600;
const OUTPUT_MAX: u32 = 200;
const SLOTS: u64 = 2;

/// A random scenario in which two tenants of random weights send random lengths to one host, more than it can do.
fn contended(seed: u64, scheduler: &str) -> (Case, [u64; 2]) {
    let mut dice = Dice::new(seed);
    let weights = [100, u64::from(dice.within(50, 400))];
    let lognormal = |median: u32, most: u32| {
        format!("{{ lognormal = {{ median_tokens = {median}.0, sigma = 0.8, max_tokens = {most} }} }}")
    };
    let case = Case { seed, checks: Checks::Always, ..Case::new("two-tenants") }
        .set("control.scheduler", scheduler)
        .set("control.balancer", dice.balancer().replace("resource-aware", "random"))
        .set("control.tenant_weights", format!("{{ small = {} }}", weights[1]))
        .set("workload.requests", 500)
        .set("workload.arrivals.poisson.rate_per_second", format!("{}.0", dice.within(10, 40)))
        .set("workload.tenants[0].share", format!("{}.0", dice.within(1, 10)))
        .set("workload.tenants[0].patience_seconds", format!("{}.0", dice.within(5, 60)))
        .set("workload.prompt", lognormal(dice.within(20, 300), PROMPT_MAX))
        .set("workload.output", lognormal(dice.within(10, 100), OUTPUT_MAX))
        .set("workload.options.num_predict", OUTPUT_MAX);
    (case, weights)
}

/// Two tenants that wait are served alike but for a quantum and a request (deficit round robin: Shreedhar, Varghese 1995) or
/// two requests (token counter: Sheng et al. 2024, theorem 4.2), whatever comes and goes. What is in flight was expected to be
/// of another length, by a request at most for each slot and once more for the one before; for the lighter tenant all of it
/// counts the more.
#[test]
fn fair_schedulers_serve_waiting_tenants_alike() {
    let mut compared = 0;
    for seed in 0..40 {
        for (scheduler, cost, quantum, output_weight) in [
            ("deficit-round-robin", service::tokens as fn(&_) -> u64, 2_000, 1),
            ("token-counter", service::weighted_tokens, 0, 2),
        ] {
            let (case, weights) = contended(seed, scheduler);
            let (run, _) = conforms(&case);
            let _told = Told(case.command());
            let job = u64::from(PROMPT_MAX) + output_weight * u64::from(OUTPUT_MAX);
            let lighter = weights[0].min(weights[1]);
            let bound = quantum + (2 + SLOTS) * job * 100 / lighter;
            let shares = Shares { tenants: [TenantId(0), TenantId(1)], weights, cost };
            let service = measure(&run.decisions().collect::<Vec<_>>(), &shares);
            println!("{scheduler}, seed {seed}: {service:?}, bound {bound}");
            assert!(
                service.difference_max <= bound,
                "{scheduler}, seed {seed}: {service:?}, bound {bound} (I5)"
            );
            compared += service.served[0].min(service.served[1]);
        }
    }
    assert!(compared > 100_000, "tenants wait at the same time: {compared} tokens");
}
