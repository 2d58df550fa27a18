use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::config::ControlFile;
use crate::control::Control;
use crate::door::{Declaration, Env, Input, NoMeter, Observation, Output, Outputs, StoredModel};
use crate::ids::{HostId, SessionId};
use crate::request::Usage;
use crate::strategy::StrategyFile;
use crate::units::Bytes;

/// One host with one slot: the order in which it gets requests is the scheduler's.
struct Line {
    control: Control,
    now: Instant,
    arrived: u64,
    /// On the host now.
    running: Option<RequestId>,
}

/// Prompt bytes of a token: what control assumes until it has learned.
const BYTES: u64 = 4;

impl Line {
    fn new(scheduler: StrategyFile) -> Self {
        let file = ControlFile { scheduler, ..ControlFile::default() };
        Self::with(&file)
    }

    fn with(file: &ControlFile) -> Self {
        let control = Control::new(file.check().unwrap());
        let mut line = Self { control, now: Instant::ZERO, arrived: 0, running: None };
        for model in 0..2 {
            line.feed(Input::ModelNamed { model: ModelId(model), name: "m".into() });
        }
        for tenant in 0..2 {
            line.feed(Input::TenantNamed { tenant: TenantId(tenant), name: format!("t{tenant}") });
        }
        let declaration = Declaration { slots: 1, ..Declaration::default() };
        line.feed(Input::HostDeclared { host: HostId(0), declaration });
        let stored = [0, 1].map(|model| StoredModel::of_size(ModelId(model), Bytes(1))).to_vec();
        line.feed(Input::Observed {
            host: HostId(0),
            observation: Observation { stored, ..Observation::default() },
        });
        line
    }

    fn feed(&mut self, input: Input) {
        let mut out = Outputs::new();
        self.control.step(self.now, input, &mut out, &mut Env { seed: 1, meter: &mut NoMeter });
        for output in out.drain() {
            if let Output::Dispatch(dispatch) = output {
                self.running = Some(dispatch.request);
            }
        }
    }

    fn arrive(&mut self, arrive: Arrive) -> RequestId {
        let request = RequestId(self.arrived);
        self.arrived += 1;
        self.feed(Input::Arrive(Arrive { request, ..arrive }));
        request
    }

    /// Ends what is running; gives it.
    fn finish(&mut self, prompt_tokens: u32, output_tokens: u32) -> Option<RequestId> {
        let request = self.running.take()?;
        self.now += Nanos::from_millis(1);
        let usage = Usage { prompt_tokens, output_tokens, ..Usage::default() };
        self.feed(Input::Finished { request, attempt: 0, usage });
        Some(request)
    }

    /// The order in which everything that is queued goes out.
    fn drain(&mut self) -> Vec<u64> {
        core::iter::from_fn(|| self.finish(10, 10)).map(|request| request.0).collect()
    }
}

fn tenant(tenant: u32) -> Arrive {
    Arrive { tenant: TenantId(tenant), prompt_bytes: Bytes(40), ..Arrive::default() }
}

#[test]
fn earliest_deadline_goes_before_priority() {
    let mut line = Line::new("earliest-deadline".into());
    for (priority, deadline) in [(0, None), (9, None), (0, Some(9_000_000_000)), (-5, Some(8_000_000_000))] {
        line.arrive(Arrive { priority, deadline: deadline.map(Instant), ..Arrive::default() });
    }
    assert_eq!(line.drain(), [0, 3, 2, 1]);
}

#[test]
fn long_answers_have_less_slack() {
    let mut line = Line::new("least-slack".into());
    let due = |num_predict| Arrive {
        deadline: Some(Instant(50_000_000_000)),
        num_predict: Some(num_predict),
        ..Arrive::default()
    };
    line.arrive(Arrive::default());
    line.arrive(due(10));
    line.arrive(due(200));
    line.arrive(Arrive::default());
    assert_eq!(line.drain(), [0, 3, 2, 1], "without a deadline it is due 20 s after its arrival");
}

#[test]
fn sessions_that_had_much_sink() {
    let mut line = Line::new("multi-level-feedback".into());
    let session = |session| Arrive { session: Some(SessionId(session)), ..Arrive::default() };
    line.arrive(session(1));
    line.finish(4_000, 4_000);
    line.arrive(session(3));
    line.arrive(session(1));
    line.arrive(session(2));
    assert_eq!(line.drain(), [1, 3, 2]);
}

#[test]
fn loaded_models_go_first_until_another_starves() {
    let parameters = [("starvation_millis".into(), 3)].into();
    let mut line = Line::new(StrategyFile { name: "model-batching".into(), parameters });
    let observation = Observation {
        stored: [0, 1].map(|model| StoredModel::of_size(ModelId(model), Bytes(1))).to_vec(),
        loaded: vec![crate::door::LoadedModel { model: ModelId(1), bytes: Bytes(1), vram: Bytes(1) }],
        ..Observation::default()
    };
    line.feed(Input::Observed { host: HostId(0), observation });
    for model in [0, 0, 1, 1, 1, 1, 1] {
        line.arrive(Arrive { model: ModelId(model), ..Arrive::default() });
    }
    assert_eq!(line.drain(), [0, 2, 3, 1, 4, 5, 6]);
}

#[test]
fn what_has_waited_for_too_long_goes_first_under_any_order() {
    let file = ControlFile {
        scheduler: "priority-deadline".into(),
        aging_millis: Some(2),
        ..ControlFile::default()
    };
    let mut line = Line::with(&file);
    line.arrive(Arrive::default());
    line.arrive(Arrive { priority: -9, ..Arrive::default() });
    for _ in 0..4 {
        line.arrive(Arrive { priority: 5, ..Arrive::default() });
    }
    assert_eq!(line.drain(), [0, 2, 1, 3, 4, 5]);
}

#[test]
fn who_comes_back_after_a_pause_has_saved_up_nothing() {
    for name in ["token-counter", "deficit-round-robin"] {
        let mut line = Line::new(name.into());
        line.arrive(tenant(0));
        for _ in 0..50 {
            line.arrive(tenant(0));
            line.finish(10, 300);
        }
        for _ in 0..20 {
            line.arrive(tenant(0));
            line.arrive(tenant(1));
        }
        let ours = (0..20).filter_map(|_| line.finish(10, 300)).filter(|request| request.0 % 2 == 1).count();
        // Half of 20, give or take a quantum and a request of 310 tokens.
        assert!((6..=14).contains(&ours), "{name}: tenant 1 had {ours} of 20");
    }
}

#[test]
fn a_change_to_a_fair_order_counts_who_is_queued() {
    for (_, strategy) in ALL {
        let mut line = Line::new("fifo".into());
        for request in 0..6 {
            line.arrive(tenant(request % 2));
        }
        let file = ControlFile { scheduler: strategy.name.into(), ..ControlFile::default() };
        line.feed(Input::Policy(Box::new(file.check().unwrap())));
        let mut order = line.drain();
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3, 4, 5], "{}", strategy.name);
    }
}

#[test]
fn the_oracle_knows_the_length_of_each_answer() {
    let mut line = Line::new("oracle-shortest-job".into());
    for hint_output_tokens in [None, Some(300), None, Some(20)] {
        line.arrive(Arrive { hint_output_tokens, ..tenant(0) });
    }
    assert_eq!(line.drain(), [0, 3, 2, 1], "without a hint it is expected to be 211 tokens long");
}

#[test]
fn weights_hold_from_the_change_that_brings_them_and_after_a_restart() {
    // A turn at the normal weight is one request.
    let turns = StrategyFile {
        name: "deficit-round-robin".into(),
        parameters: [("quantum_tokens".into(), 221)].into(),
    };
    for scheduler in [StrategyFile::from("token-counter"), turns] {
        let mut line = Line::new(scheduler.clone());
        for request in 0..80 {
            line.arrive(tenant(request % 2));
        }
        let file = ControlFile {
            scheduler: scheduler.clone(),
            tenant_weights: [("t1".into(), 900)].into(),
            ..ControlFile::default()
        };
        line.feed(Input::Policy(Box::new(file.check().unwrap())));
        line.control = Control::restore(line.control.snapshot());
        let ours = (0..40).filter_map(|_| line.finish(10, 211)).filter(|request| request.0 % 2 == 1).count();
        assert!((33..=38).contains(&ours), "{scheduler}: tenant 1 had {ours} of 40, not nine of ten");
    }
}

/// Served tokens of two tenants for their weights, of which one sends ten times as much; the greatest difference while both
/// wait, at a weight of 100.
fn unfairness(scheduler: &str, jobs: &[(u32, u32)], weights: (u64, u64), tenants: [u32; 2]) -> u64 {
    let tenant_weights = [("t0".into(), tenants[0]), ("t1".into(), tenants[1])].into();
    let mut line =
        Line::with(&ControlFile { scheduler: scheduler.into(), tenant_weights, ..ControlFile::default() });
    let mut sizes: Vec<(usize, u32, u32)> = Vec::new();
    let mut queued = [0i64; 2];
    for (at, &(prompt, output)) in jobs.iter().enumerate() {
        let who = usize::from(at % 11 == 10);
        sizes.push((who, prompt, output));
        queued[who] += 1;
        // The cap is the answer's true length, so that what is expected is no longer than it.
        let prompt_bytes = Bytes(u64::from(prompt) * BYTES);
        line.arrive(Arrive { prompt_bytes, num_predict: Some(output), ..tenant(who as u32) });
    }
    let (mut served, mut most) = ([0u64; 2], 0);
    while let Some(running) = line.running {
        let (who, prompt, output) = sizes[running.0 as usize];
        queued[who] -= 1;
        served[who] += u64::from(prompt) * weights.0 + u64::from(output) * weights.1;
        line.finish(prompt, output);
        if queued.iter().all(|queued| *queued > 0) {
            let [ours, theirs] = [0, 1].map(|who| served[who] * 100 / u64::from(tenants[who]));
            most = most.max(ours.abs_diff(theirs));
        }
    }
    most
}

const PROMPT_MAX: u32 = 1_000;
const OUTPUT_MAX: u32 = 200;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_backlogged_tenants_are_served_alike(
        jobs in prop::collection::vec((1..=PROMPT_MAX, 1..=OUTPUT_MAX), 60..300),
    ) {
        // Sheng et al. 2024, theorem 4.2: twice the largest of a request's weighted parts; expectations that are off
        // add the work of one request.
        let job = u64::from(PROMPT_MAX) + 2 * u64::from(OUTPUT_MAX);
        prop_assert!(unfairness("token-counter", &jobs, (1, 2), [100, 100]) <= 3 * job);
        // A quantum and a request, and once more that request where it was expected shorter.
        let job = u64::from(PROMPT_MAX + OUTPUT_MAX);
        prop_assert!(unfairness("deficit-round-robin", &jobs, (1, 1), [100, 100]) <= 2_000 + 2 * job);
    }

    #[test]
    fn backlogged_tenants_are_served_by_their_weights(
        jobs in prop::collection::vec((1..=PROMPT_MAX, 1..=OUTPUT_MAX), 60..300),
        tenants in [25u32..=400, 25..=400],
    ) {
        // The same bounds, in which a request counts as much more as the lighter tenant weighs less.
        let lighter = u64::from(*tenants.iter().min().expect("two"));
        let job = (u64::from(PROMPT_MAX) + 2 * u64::from(OUTPUT_MAX)) * 100 / lighter;
        prop_assert!(unfairness("token-counter", &jobs, (1, 2), tenants) <= 3 * job + 2);
        let job = u64::from(PROMPT_MAX + OUTPUT_MAX) * 100 / lighter;
        prop_assert!(unfairness("deficit-round-robin", &jobs, (1, 1), tenants) <= 2_000 + 2 * job + 2);
    }
}

#[test]
fn order_of_arrival_is_not_fair() {
    let jobs = vec![(500, 100); 660];
    let unfair = unfairness("fifo", &jobs, (1, 1), [100, 100]);
    assert!(unfair > 200_000, "{unfair}");
    assert!(unfairness("token-counter", &jobs, (1, 1), [100, 100]) < 3 * 700);
}
