//! The same with everything that a config can ask for at once, while configs, operators and verdicts come and go: the
//! twins decide alike, and one that is built again from its snapshot goes on as the one that was never stopped.

use control::Control;
use control::balance;
use control::config::{Config, ControlFile, DispatchLimit, Implementations};
use control::constraints::{DemandsFile, RuleFile};
use control::door::{
    ActionFailure, ActionOutcome, Change, Declaration, Env, Input, NoMeter, Output, Outputs, Part,
};
use control::draw::{Component, Draw};
use control::ids::{ActionId, ArmId, HostId, ModelId, TenantId};
use control::index::Implementation;
use control::policy::assign::{ArmFile, ExperimentFile, FlagFile};
use control::policy::breaker::BreakerFile;
use control::policy::guard::{GuardFile, Metric};
use control::policy::limit::LimitFile;
use control::policy::markov::BudgetFile;
use control::policy::prefetch::PrefetchFile;
use control::policy::select::{Load, RuleFile as SelectRule, SelectFile, When};
use control::request::{Arrive, Failure, Particulars};
use control::units::{Bytes, Instant, Nanos};

use crate::world::{MODELS, World, observation};

const HOSTS: u32 = 6;
const STEPS: u32 = 1_500;
const SCHEDULERS: [&str; 4] =
    ["shortest-job", "token-counter", "deficit-round-robin", "multi-level-feedback"];

/// Configs that differ in all that can differ.
fn configs(balancer: &str, scheduler: &str, implementation: Implementation) -> Vec<Config> {
    let other = if balancer == "join-idle-queue" { "prefix-affinity" } else { "join-idle-queue" };
    let guard = |metric| Some(GuardFile { metric, answers_min: 20, ..GuardFile::default() });
    let rule = |name: &str, tenants: &[&str], demands| RuleFile {
        name: name.into(),
        tenants: (!tenants.is_empty()).then(|| tenants.iter().map(|name| name.to_string()).collect()),
        demands,
        ..RuleFile::default()
    };
    let names = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect());
    let rules = vec![
        rule("zone", &["t0"], DemandsFile { exclude_zones: names(&["west"]), ..DemandsFile::default() }),
        rule("near", &["t1"], DemandsFile { prefer_hosts: names(&["h1", "h4"]), ..DemandsFile::default() }),
        rule("warm", &["t1"], DemandsFile { with_model_loaded: names(&["m1"]), ..DemandsFile::default() }),
        rule(
            "good",
            &["t2"],
            DemandsFile {
                ttft_millis_max: Some(60),
                reliability_percent_min: Some(60),
                ..DemandsFile::default()
            },
        ),
    ];
    let later = rule(
        "later",
        &["t2"],
        DemandsFile { start_after_millis: Some(30), deadline_millis: Some(200), ..DemandsFile::default() },
    );
    let breaker = BreakerFile { consecutive_failures_max: 2, open_millis: 60, ..BreakerFile::default() };
    let plain = ControlFile {
        balancer: balancer.into(),
        scheduler: scheduler.into(),
        queue_timeout_millis: 900,
        queue_requests_max: 40,
        retry_budget_percent: 100,
        implementation: Implementations::from(implementation),
        ..ControlFile::default()
    };
    let full = ControlFile {
        flags: [(
            "try".to_owned(),
            FlagFile {
                balancer: balancer.into(),
                share_permille: 300,
                guard: guard(Metric::Ttft),
                ..FlagFile::default()
            },
        )]
        .into(),
        experiments: [(
            "which".to_owned(),
            ExperimentFile {
                arms: ["prequal", "round-robin"]
                    .map(|name| ArmFile { name: name.into(), balancer: name.into(), share_permille: 200 })
                    .into(),
                guard: guard(Metric::Failures),
                ..ExperimentFile::default()
            },
        )]
        .into(),
        select: Some(SelectFile {
            arms: vec![balancer.into(), other.into()],
            rules: vec![SelectRule {
                when: When { load: Some(Load::High), ..When::default() },
                arm: other.into(),
            }],
            hold_decisions: 2,
            residency_millis: 1,
            ..SelectFile::default()
        }),
        breaker: Some(breaker.clone()),
        limit: Some(LimitFile { requests_start: 2, baseline_millis: 50, ..LimitFile::default() }),
        rules: rules.clone(),
        prefetch: Some(PrefetchFile {
            likely_permille_min: 1,
            budget: BudgetFile { loads_per_hour: 100_000, loads_burst_max: 9, loads_under_way_max: 2 },
            ..PrefetchFile::default()
        }),
        shadows: vec![other.into(), balancer.into()],
        aging_millis: Some(300),
        dispatch: DispatchLimit::Learned,
        tenant_weights: [("t1".to_owned(), 250)].into(),
        ..plain.clone()
    };
    let files = [
        ControlFile { balancer: "least-connections".into(), cold_models_max: 0, ..full.clone() },
        ControlFile { scheduler: "fifo".into(), breaker: None, rules: vec![later], ..full.clone() },
        ControlFile {
            breaker: Some(BreakerFile { probes: 2, ..breaker }),
            rules,
            cold_models_max: 2,
            ..plain.clone()
        },
        plain,
        full,
    ];
    files.iter().map(|file| file.check().expect("a valid file")).collect()
}

fn declaration(host: u32, draw: &mut Draw) -> Declaration {
    Declaration {
        name: format!("h{host}"),
        slots: 1 + draw.below(3),
        weight: 50 + draw.below(100),
        zone: ["", "east", "west"][draw.below(3) as usize].into(),
        memory: Bytes(u64::from(draw.below(8))),
        ..Declaration::default()
    }
}

/// What some requests demand by themselves.
fn demanded(draw: &mut Draw) -> Option<Box<Particulars>> {
    let names = |name: &str| Some(vec![name.to_owned()]);
    let file = match draw.below(40) {
        0 => DemandsFile { require_zones: names("east"), ..DemandsFile::default() },
        1 => DemandsFile { exclude_hosts: names("h0"), prefer_hosts: names("h2"), ..DemandsFile::default() },
        2 => DemandsFile { ttft_millis_max: Some(90), ..DemandsFile::default() },
        3 => DemandsFile { without_model_loaded: names("m2"), ..DemandsFile::default() },
        4 => {
            DemandsFile { start_after_millis: Some(20), deadline_millis: Some(300), ..DemandsFile::default() }
        }
        _ => return None,
    };
    let demands = file.check("demands").expect("good demands");
    Particulars { demands, ..Particulars::default() }.boxed()
}

/// An input that each of the twins gets in its own form.
#[derive(Clone, Debug)]
enum Happens {
    Input(Input),
    /// That config is installed.
    Policy(usize),
}

/// What happens next.
fn next(
    world: &mut World,
    actions: &mut Vec<ActionId>,
    wake: Option<Instant>,
    now: &mut Instant,
    draw: &mut Draw,
) -> Happens {
    *now = now.saturating_add(Nanos(u64::from(draw.below(20_000_000))));
    let host = HostId(draw.below(HOSTS));
    Happens::Input(match draw.below(100) {
        0 => return Happens::Policy(draw.below(5) as usize),
        1 | 2 => Input::Operator(match draw.below(6) {
            0 => Change::Rollback,
            1 => Change::Freeze(draw.below(4) == 0),
            _ => Change::Drain { host, drained: draw.below(3) == 0 },
        }),
        3 if draw.below(4) == 0 => Input::Verdict(match draw.below(6) {
            0 => Part::Queue,
            1 => Part::Hosts,
            2 => Part::Constraints,
            3 => Part::History,
            4 => Part::Scheduler,
            _ => Part::Balancer(ArmId(draw.below(4) as u16)),
        }),
        4 => Input::HostDeclared { host, declaration: declaration(host.0, draw) },
        5..12 if wake.is_some() => {
            *now = (*now).max(wake.expect("there is one"));
            Input::Wake
        }
        12..18 if !actions.is_empty() => {
            let action = actions.remove(draw.below(actions.len() as u32) as usize);
            let failed = ActionOutcome::Failed(ActionFailure::Host(Failure::OutOfMemory));
            Input::Acted { action, outcome: if draw.below(3) == 0 { failed } else { ActionOutcome::Done } }
        }
        18..28 if !world.sent.is_empty() => {
            let (request, attempt, streaming) =
                world.sent.remove(draw.below(world.sent.len() as u32) as usize);
            let before = [
                Failure::ServerError,
                Failure::RunnerGone,
                Failure::Unreachable,
                Failure::OutOfMemory,
                Failure::FirstByteTimeout,
                Failure::BadRequest,
            ];
            let after = [Failure::Broken, Failure::IdleTimeout];
            let of = if streaming { after.as_slice() } else { before.as_slice() };
            Input::Failed { request, attempt, failure: of[draw.below(of.len() as u32) as usize] }
        }
        _ => match world.next(HOSTS, *now, draw) {
            Input::Arrive(arrive) => Input::Arrive(Arrive { particulars: demanded(draw), ..arrive }),
            input => input,
        },
    })
}

/// Control, and the configs that it may be given.
struct Twin {
    control: Control,
    configs: Vec<Config>,
}

impl Twin {
    fn new(balancer: &str, scheduler: &str, implementation: Implementation) -> Self {
        let configs = configs(balancer, scheduler, implementation);
        Self { control: Control::new(configs[4].clone()), configs }
    }

    fn step(&mut self, now: Instant, happens: &Happens) -> Vec<Output> {
        let input = match happens {
            Happens::Input(input) => input.clone(),
            Happens::Policy(at) => Input::Policy(Box::new(self.configs[*at].clone())),
        };
        let mut out = Outputs::new();
        self.control.step(now, input, &mut out, &mut Env { seed: 4, meter: &mut NoMeter });
        out.drain().collect()
    }

    fn written(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.control.snapshot()).expect("facts can be encoded")
    }
}

/// What was seen in all runs: the test is worth nothing where a part never moved.
#[derive(Debug, Default)]
struct Seen {
    dispatched: u64,
    shadows: u64,
    notes: u64,
    acts: u64,
    abandoned: u64,
    retries: u64,
    loads: u64,
}

fn run(balancer: &str, scheduler: &str, seed: u64, seen: &mut Seen) {
    let build = |implementation| Twin::new(balancer, scheduler, implementation);
    // The last is built again now and then.
    let mut twins =
        [build(Implementation::Baseline), build(Implementation::Optimised), build(Implementation::Optimised)];
    let (mut world, mut actions, mut now) = (World::default(), Vec::new(), Instant::ZERO);
    let mut draw = Draw::new(9, Component::Network, seed, 0);
    let named = |model| Input::ModelNamed { model: ModelId(model), name: format!("m{model}") };
    let mut first: Vec<Input> = (0..MODELS).map(named).collect();
    first.extend(
        (0..3).map(|tenant| Input::TenantNamed { tenant: TenantId(tenant), name: format!("t{tenant}") }),
    );
    for host in (0..HOSTS).map(HostId) {
        first.push(Input::HostDeclared { host, declaration: declaration(host.0, &mut draw) });
        first.push(Input::Observed { host, observation: observation(&mut draw) });
    }
    let mut first = first.into_iter().map(Happens::Input);
    for step in 0..STEPS {
        let wake = twins[0].control.next_wake();
        let happens =
            first.next().unwrap_or_else(|| next(&mut world, &mut actions, wake, &mut now, &mut draw));
        let outputs = twins.each_mut().map(|twin| twin.step(now, &happens));
        let place = format!("{balancer} and {scheduler}, step {step}: {happens:?}");
        assert_eq!(outputs[0], outputs[1], "baseline and optimised, {place}");
        assert_eq!(outputs[1], outputs[2], "kept and restored, {place}");
        let wakes = twins.each_ref().map(|twin| twin.control.next_wake());
        assert!(wakes[0] == wakes[1] && wakes[1] == wakes[2], "{wakes:?}, {place}");
        assert!(wakes[0].is_none_or(|wake| wake > now), "a wake is left behind, {place}");
        for (twin, what) in twins.iter().zip(["baseline", "optimised", "restored"]) {
            let facts = twin.control.facts();
            assert!(facts.counters.conserve(), "{place}");
            assert!(facts.predictions.conserve(facts.counters.finished), "{place}");
            twin.control.recount().unwrap_or_else(|wrong| panic!("{what}: {wrong}; {place}"));
        }
        if let Happens::Input(input) = &happens {
            world.note(input, &outputs[0]);
        } else {
            world.note(&Input::Wake, &outputs[0]);
        }
        seen.loads +=
            twins[0].control.facts().loading.iter().filter(|(_, load)| !load.answered).count() as u64;
        for output in &outputs[0] {
            match output {
                Output::Dispatch(dispatch) => {
                    seen.dispatched += 1;
                    seen.retries += u64::from(dispatch.attempt > 0);
                }
                Output::Shadow(_) => seen.shadows += 1,
                Output::Proposed(_) => {}
                Output::Note(_) => seen.notes += 1,
                Output::Act(action) => {
                    seen.acts += 1;
                    actions.push(action.id);
                }
                Output::Abandon(_) => seen.abandoned += 1,
                Output::Cancel { .. } | Output::Reject { .. } | Output::Fail { .. } => {}
            }
        }
        if step % 41 == 40 {
            let written = twins[2].written();
            assert!(twins[1].written() == written, "kept and restored know the same, {place}");
            twins[2].control =
                Control::restore(postcard::from_bytes(&written).expect("what was encoded can be read"));
        }
    }
}

#[test]
fn twins_and_one_that_is_restored_decide_alike_whatever_is_configured() {
    let mut seen = Seen::default();
    for (at, (_, balancer)) in balance::ALL.iter().enumerate() {
        for (also, scheduler) in SCHEDULERS.iter().enumerate() {
            run(balancer.name, scheduler, (at * SCHEDULERS.len() + also) as u64, &mut seen);
        }
    }
    let Seen { dispatched, shadows, notes, acts, abandoned, retries, loads } = seen;
    assert!(dispatched > 10_000 && shadows > 10_000 && retries > 1_000, "{seen:?}");
    assert!(notes > 1_000 && acts > 100 && abandoned > 10 && loads > 10_000, "{seen:?}");
}
