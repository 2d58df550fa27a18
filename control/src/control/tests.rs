mod arms;
mod breakers;
mod cold;
mod fleet;
mod gossiping;
mod growing;
mod placing;
mod prefetch;
mod remembered;
mod rules;
mod scaling;
mod sick;
mod syncing;
mod verdicts;
mod versions;

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::balance::BalancerKind;
use crate::config::{ControlFile, DispatchLimit};
use crate::door::{Change, Declaration, LoadedModel, NoMeter, Note, Observation, Output, StoredModel};
use crate::ids::{ArmId, HostId, ModelId, RequestId};
use crate::request::{Arrive, Failure, Reject, Usage};
use crate::schedule;
use crate::strategy::Line;
use crate::units::{Bytes, Nanos};

/// Control with hosts of `slots` each, all holding model 0, and a line for each output.
struct Bench {
    control: Control,
    arrived: u64,
    now: Instant,
}

impl Bench {
    fn new(file: &ControlFile, hosts: u32, slots: u32) -> Self {
        let mut bench = Self { control: Control::new(file.check().unwrap()), arrived: 0, now: Instant::ZERO };
        bench.feed(Input::ModelNamed { model: ModelId(0), name: "m:latest".into() });
        bench.feed(Input::ModelNamed { model: ModelId(1), name: "elsewhere:latest".into() });
        for host in 0..hosts {
            let name = format!("h{host}");
            let declaration = Declaration { name, slots, memory: Bytes(100), ..Declaration::default() };
            bench.feed(Input::HostDeclared { host: HostId(host), declaration });
            bench.observe(host);
        }
        bench
    }

    /// Another that knows what this one knows, built from what this one would write down.
    fn restored(&self) -> Self {
        let bytes = postcard::to_allocvec(&self.control.snapshot()).unwrap();
        Self { control: Control::restore(postcard::from_bytes(&bytes).unwrap()), ..*self }
    }

    fn at(&mut self, millis: u64) -> &mut Self {
        self.now = Instant::ZERO + Nanos::from_millis(millis);
        self
    }

    fn observe(&mut self, host: u32) -> Vec<Output> {
        self.observe_with(host, &[0], &[])
    }

    /// A host says which models it has on disk, each of ten bytes, and which in memory.
    fn observe_with(&mut self, host: u32, stored: &[u32], loaded: &[u32]) -> Vec<Output> {
        let bytes = Bytes(10);
        let stored = stored.iter().map(|model| StoredModel::of_size(ModelId(*model), bytes)).collect();
        let loaded = loaded.iter().map(|model| LoadedModel { model: ModelId(*model), bytes, vram: bytes });
        let observation = Observation { stored, loaded: loaded.collect(), ..Observation::default() };
        self.feed(Input::Observed { host: HostId(host), observation })
    }

    fn drain(&mut self, host: u32, drained: bool) -> Vec<Output> {
        self.feed(Input::Operator(Change::Drain { host: HostId(host), drained }))
    }

    fn install(&mut self, file: &ControlFile) -> Vec<Output> {
        self.feed(Input::Policy(Box::new(file.check().unwrap())))
    }

    /// The requests on a host, in order of arrival.
    fn running_on(&self, host: u32) -> Vec<u64> {
        let ledger = &self.control.facts().ledger;
        let there = |(slot, entry): &(u32, &crate::facts::ledger::Entry)| {
            entry.is_running() && ledger.host(*slot) == Some(HostId(host))
        };
        ledger.iter().filter(there).map(|(_, entry)| entry.arrive.request.0).collect()
    }

    /// The id of the arm of that name.
    fn arm(&self, name: &str) -> ArmId {
        let at = self.control.facts().arms.iter().position(|arm| arm.name == name);
        ArmId(at.expect("the config has this arm") as u16)
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        let mut out = Outputs::new();
        self.control.step(self.now, input, &mut out, &mut Env { seed: 1, meter: &mut NoMeter });
        self.control.recount().unwrap();
        let facts = self.control.facts();
        assert!(facts.counters.conserve() && facts.predictions.conserve(facts.counters.finished));
        out.drain().collect()
    }

    fn arrive_with(&mut self, arrive: Arrive) -> Vec<Output> {
        let request = RequestId(self.arrived);
        self.arrived += 1;
        self.feed(Input::Arrive(Arrive { request, ..arrive }))
    }

    fn arrive(&mut self) -> Vec<Output> {
        self.arrive_with(Arrive::default())
    }

    fn first_byte(&mut self, request: u64, attempt: u8) -> Vec<Output> {
        self.feed(Input::FirstByte { request: RequestId(request), attempt })
    }

    fn gone(&mut self, request: u64) -> Vec<Output> {
        self.feed(Input::Gone { request: RequestId(request) })
    }

    fn finish(&mut self, request: u64, attempt: u8) -> Vec<Output> {
        self.feed(Input::Finished { request: RequestId(request), attempt, usage: Usage::default() })
    }

    fn fail(&mut self, request: u64, attempt: u8, failure: Failure) -> Vec<Output> {
        self.feed(Input::Failed { request: RequestId(request), attempt, failure })
    }
}

fn sent(outputs: &[Output]) -> Vec<(u64, u32)> {
    let dispatches = outputs.iter().filter_map(|output| match output {
        Output::Dispatch(dispatch) => Some((dispatch.request.0, dispatch.host.0)),
        _ => None,
    });
    dispatches.collect()
}

fn notes(outputs: &[Output]) -> Vec<Note> {
    let note = |output: &Output| if let Output::Note(note) = output { Some(*note) } else { None };
    outputs.iter().filter_map(note).collect()
}

fn file() -> ControlFile {
    ControlFile { balancer: "round-robin".into(), ..ControlFile::default() }
}

#[test]
fn full_host_gets_no_more_until_one_ends() {
    let mut bench = Bench::new(&file(), 1, 2);
    assert_eq!(sent(&bench.arrive()), [(0, 0)]);
    assert_eq!(sent(&bench.arrive()), [(1, 0)]);
    assert_eq!(bench.arrive(), []);
    assert_eq!(sent(&bench.finish(0, 0)), [(2, 0)]);
}

#[test]
fn unlimited_dispatch_leaves_the_queue_to_the_host() {
    let mut bench = Bench::new(&ControlFile { dispatch: DispatchLimit::Unlimited, ..file() }, 1, 1);
    for request in 0..50 {
        assert_eq!(sent(&bench.arrive()), [(request, 0)]);
    }
}

#[test]
fn model_on_no_disk_is_rejected_with_that_reason() {
    let mut bench = Bench::new(&file(), 2, 1);
    let outputs = bench.arrive_with(Arrive { model: ModelId(1), ..Arrive::default() });
    assert_eq!(outputs, [Output::Reject { request: RequestId(0), reason: Reject::NoHostHasModel }]);
}

#[test]
fn full_queue_rejects() {
    let mut bench = Bench::new(&ControlFile { queue_requests_max: 1, ..file() }, 1, 1);
    bench.arrive();
    assert_eq!(bench.arrive(), []);
    assert_eq!(bench.arrive(), [Output::Reject { request: RequestId(2), reason: Reject::QueueFull }]);
}

#[test]
fn long_wait_and_passed_deadline_reject_at_their_time() {
    let mut bench = Bench::new(&ControlFile { queue_timeout_millis: 10, ..file() }, 1, 1);
    bench.arrive();
    bench.arrive();
    bench.arrive_with(Arrive { deadline: Some(Instant(3)), ..Arrive::default() });
    assert_eq!(bench.control.next_wake(), Some(Instant(3)));
    bench.now = Instant(3);
    assert_eq!(
        bench.feed(Input::Wake),
        [Output::Reject { request: RequestId(2), reason: Reject::DeadlinePassed }]
    );
    bench.now = bench.control.next_wake().unwrap();
    assert_eq!(bench.now, Instant::ZERO + Nanos::from_millis(10));
    assert_eq!(
        bench.feed(Input::Wake),
        [Output::Reject { request: RequestId(1), reason: Reject::QueueTimeout }]
    );
    assert_eq!(bench.control.next_wake(), None);
}

#[test]
fn failure_before_the_first_byte_is_tried_on_another_host() {
    let mut bench = Bench::new(&file(), 2, 4);
    assert_eq!(sent(&bench.arrive()), [(0, 0)]);
    assert_eq!(sent(&bench.fail(0, 0, Failure::Unreachable)), [(0, 1)]);
    let failure = Failure::Busy;
    assert_eq!(bench.fail(0, 1, failure), [Output::Fail { request: RequestId(0), failure }]);
}

#[test]
fn failure_after_the_first_byte_is_never_tried_again() {
    let mut bench = Bench::new(&file(), 2, 4);
    bench.arrive();
    bench.feed(Input::FirstByte { request: RequestId(0), attempt: 0 });
    let failure = Failure::Broken;
    assert_eq!(bench.fail(0, 0, failure), [Output::Fail { request: RequestId(0), failure }]);
}

#[test]
fn cold_timeout_and_clients_mistakes_are_never_tried_again() {
    for failure in [Failure::FirstByteTimeout, Failure::BadRequest] {
        let mut bench = Bench::new(&file(), 2, 4);
        bench.arrive();
        assert_eq!(bench.fail(0, 0, failure), [Output::Fail { request: RequestId(0), failure }]);
    }
}

#[test]
fn retries_stop_where_the_budget_ends() {
    let mut bench = Bench::new(&ControlFile { retry_budget_per_second: 0, ..file() }, 3, 100);
    let retried = (0..100)
        .filter(|&request| {
            bench.arrive();
            !sent(&bench.fail(request, 0, Failure::Unreachable)).is_empty()
        })
        .count();
    assert_eq!(retried, 20);
}

#[test]
fn retried_request_waits_for_a_host_it_has_not_tried_and_blocks_no_other() {
    let mut bench = Bench::new(&file(), 2, 1);
    bench.arrive();
    bench.arrive();
    bench.arrive();
    assert_eq!(sent(&bench.fail(0, 0, Failure::Unreachable)), [(2, 0)], "host 0 was tried by request 0");
    assert_eq!(bench.finish(2, 0), []);
    assert_eq!(sent(&bench.arrive()), [(3, 0)], "who comes then need not wait behind it");
    assert_eq!(sent(&bench.finish(1, 0)), [(0, 1)]);
}

#[test]
fn client_that_leaves_frees_its_place_and_its_host() {
    let mut bench = Bench::new(&file(), 1, 1);
    bench.arrive();
    bench.arrive();
    bench.arrive();
    assert_eq!(bench.feed(Input::Gone { request: RequestId(1) }), []);
    let outputs = bench.feed(Input::Gone { request: RequestId(0) });
    assert_eq!(outputs[0], Output::Cancel { request: RequestId(0), attempt: 0, host: HostId(0) });
    assert_eq!(sent(&outputs), [(2, 0)]);
    bench.finish(0, 0);
    assert_eq!(bench.control.facts().counters.late, 1);
}

#[test]
fn silent_host_is_never_picked_until_it_is_heard() {
    let mut bench = Bench::new(&file(), 2, 1);
    bench.feed(Input::Silent { host: HostId(0) });
    assert_eq!(sent(&bench.arrive()), [(0, 1)]);
    assert_eq!(bench.arrive(), []);
    assert_eq!(sent(&bench.observe(0)), [(1, 0)]);
}

#[test]
fn policy_change_reorders_the_queue_and_keeps_what_is_known() {
    let mut bench = Bench::new(&file(), 1, 1);
    for priority in [0, 0, 5] {
        bench.arrive_with(Arrive { priority, ..Arrive::default() });
    }
    let policy = ControlFile { scheduler: "priority-deadline".into(), ..file() }.check().unwrap();
    bench.feed(Input::Policy(Box::new(policy)));
    assert_eq!(bench.control.epoch(), Epoch(1));
    assert_eq!(sent(&bench.finish(0, 0)), [(2, 0)]);
}

#[test]
fn predictions_are_made_at_dispatch_and_scored_when_the_answer_ends() {
    let mut bench = Bench::new(&file(), 1, 1);
    let usage = Usage {
        prompt_tokens: 10,
        output_tokens: 15,
        prompt_eval: Nanos::from_millis(1),
        eval: Nanos::from_millis(14),
        ..Usage::default()
    };
    for request in 0..5 {
        // The third one finds an answer of another length: off by 5 at the median, by 5 at the 90th percentile.
        let output_tokens = if request == 2 { 10 } else { 15 };
        bench.arrive();
        bench.now += Nanos::from_millis(15);
        let usage = Usage { output_tokens, ..usage };
        bench.feed(Input::Finished { request: RequestId(request), attempt: 0, usage });
        if request == 2 {
            let scores = bench.control.facts().predictions;
            let tokens = scores.output_tokens;
            assert_eq!((tokens.scored, tokens.without_prediction), (2, 1), "the first knew nothing");
            assert_eq!((tokens.p50.covered, tokens.p50.loss_tenths), (2, 25));
            assert_eq!((tokens.p90.covered, tokens.p90.loss_tenths), (2, 5));
            // A host that was never asked for the model was cold, and what a load takes there is not known.
            assert_eq!(scores.service_micros.without_prediction, 3);
        }
    }
    let client_that_leaves = bench.arrived;
    bench.arrive();
    bench.feed(Input::Gone { request: RequestId(client_that_leaves) });
    assert_eq!(bench.control.facts().predictions.output_tokens.scored, 4, "only answers are scored");
}

/// Every balancer with every scheduler.
fn pairs() -> impl Iterator<Item = (&'static Line<BalancerKind>, &'static Line<SchedulerKind>)> {
    let schedulers = |balancer| schedule::ALL.iter().map(move |scheduler| (balancer, scheduler));
    crate::balance::ALL.iter().flat_map(schedulers)
}

#[test]
fn restored_control_goes_on_as_the_original() {
    for (balancer, scheduler) in pairs() {
        let file = ControlFile {
            balancer: balancer.1.name.into(),
            scheduler: scheduler.1.name.into(),
            aging_millis: Some(5),
            ..ControlFile::default()
        };
        let mut bench = Bench::new(&file, 3, 1);
        for request in 0..7 {
            let tenant = crate::ids::TenantId((request % 3) as u32);
            let prompt_bytes = Bytes(1_000 - request * 100);
            bench.arrive_with(Arrive { prompt_bytes, tenant, ..Arrive::default() });
        }
        let bytes = postcard::to_allocvec(&bench.control.snapshot()).unwrap();
        let restored = Control::restore(postcard::from_bytes(&bytes).unwrap());
        let mut twin = Bench { control: restored, arrived: bench.arrived, now: bench.now };
        for request in [0, 2, 1, 6, 5, 4, 3] {
            assert_eq!(bench.finish(request, 0), twin.finish(request, 0));
            assert_eq!(bench.arrive(), twin.arrive());
        }
    }
}

#[test]
fn shadows_are_counted_and_do_not_act() {
    let file = |shadows: &[&str]| ControlFile {
        balancer: "round-robin".into(),
        shadows: shadows.iter().map(|name| (*name).into()).collect(),
        ..ControlFile::default()
    };
    let dispatches = |bench: &mut Bench| -> Vec<Output> {
        let outputs = (0..6).flat_map(|_| bench.arrive()).collect::<Vec<_>>();
        outputs.into_iter().filter(|output| matches!(output, Output::Dispatch(_))).collect()
    };
    let mut alone = Bench::new(&file(&[]), 3, 4);
    let mut watched = Bench::new(&file(&["round-robin", "random"]), 3, 4);
    assert_eq!(dispatches(&mut alone), dispatches(&mut watched));
    let counts: Vec<_> = watched.control.facts().arms.iter().map(|arm| arm.counts).collect();
    assert_eq!(counts.iter().map(|counts| counts.decided).collect::<Vec<_>>(), [6, 6, 6]);
    assert_eq!(counts[1].agreed, 6, "it takes the same turns");
    assert!(counts[2].agreed < 6, "chance takes others");
}
