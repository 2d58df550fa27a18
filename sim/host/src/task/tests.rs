use std::collections::BTreeMap;

use control::request::{HostOptions, Kind};
use proptest::prelude::*;

use super::*;

fn node(gpus: u32, cpu_milli: u64, memory_mib: u64, demands: &[Demand]) -> TaskHost {
    let classes = (0..).map(ModelId).zip(demands.iter().copied()).collect();
    TaskHost::new(Arc::new(TaskSpec {
        name: "node".into(),
        gpus,
        cpu_milli,
        memory_mib,
        max_queue: 512,
        classes,
    }))
}

fn demand(gpus: u32, gpu_milli: u32) -> Demand {
    Demand { cpu_milli: 1_000, memory_mib: 100, gpus, gpu_milli }
}

fn request(key: u64, class: u32, run: u64) -> HostRequest {
    HostRequest {
        key: RequestKey(key),
        model: ModelId(class),
        kind: Kind::Completion,
        prompt_tokens: 0,
        blocks: None,
        answer_block: 0,
        output_tokens: 0,
        num_predict: None,
        options: HostOptions::default(),
        truncate: true,
        shift: true,
        run_nanos: NonZeroU64::new(run),
    }
}

/// What was seen, in order: when, whose, and `start`, `end` or the error.
type Seen = Vec<(u64, u64, String)>;

/// Delivers messages at their times, and whatever the host waits for in between and afterwards. All that must hold holds each time.
fn drive(host: &mut TaskHost, messages: Vec<(u64, Message)>) -> Seen {
    let mut seen = Vec::new();
    let mut messages = VecDeque::from(messages);
    loop {
        let (due, told) = (host.next(), messages.front().map(|message| message.0));
        let mut out = Vec::new();
        let at = match (due, told) {
            (Some(due), told) if told.is_none_or(|told| due.at.0 <= told) => {
                host.advance(due, &mut out);
                due.at.0
            }
            (_, Some(at)) => {
                let (_, message) = messages.pop_front().expect("it was just seen");
                host.deliver(Instant(at), message, &mut out);
                at
            }
            (_, None) => return seen,
        };
        host.check().expect("it holds");
        seen.extend(out.into_iter().map(|event| match event {
            HostEvent::FirstToken { key } => (at, key.0, "start".to_owned()),
            HostEvent::Finished { key, .. } => (at, key.0, "end".to_owned()),
            HostEvent::Error { key, error } => (at, key.0, format!("{error:?}")),
        }));
    }
}

fn seen(expected: &[(u64, u64, &str)]) -> Seen {
    expected.iter().map(|(at, key, what)| (*at, *key, (*what).to_owned())).collect()
}

fn send(at: u64, key: u64, class: u32, run: u64) -> (u64, Message) {
    (at, Message::Request(request(key, class, run)))
}

#[test]
fn tasks_share_a_gpu_and_wait_in_order_of_arrival() {
    let mut host = node(1, 8_000, 4_096, &[demand(1, 600), demand(1, 400), demand(0, 0)]);
    let messages =
        vec![send(0, 1, 0, 100), send(1, 2, 1, 50), send(2, 3, 0, 10), send(3, 4, 2, 10), send(4, 5, 1, 7)];
    let expected = [
        (0, 1, "start"),
        (1, 2, "start"),
        (51, 2, "end"),
        // The third waits for 600 thousandths, and those behind it with it, though they would have room.
        (100, 1, "end"),
        (100, 3, "start"),
        (100, 4, "start"),
        (100, 5, "start"),
        (107, 5, "end"),
        (110, 3, "end"),
        (110, 4, "end"),
    ];
    assert_eq!(drive(&mut host, messages), seen(&expected));
    assert_eq!(host.counters(Instant(500)), HostCounters { busy_nanos: 110, ..HostCounters::default() });
}

#[test]
fn whoever_leaves_makes_room() {
    let mut host = node(2, 8_000, 4_096, &[demand(2, 1_000), demand(1, 1_000)]);
    let cancel = |at, key| (at, Message::Cancel(RequestKey(key)));
    let messages = vec![
        send(0, 1, 1, 100),
        send(1, 2, 0, 10),
        send(2, 3, 1, 10),
        cancel(5, 2),
        send(6, 4, 1, 10),
        cancel(7, 1),
        cancel(8, 77),
    ];
    let expected = [(0, 1, "start"), (5, 3, "start"), (7, 4, "start"), (15, 3, "end"), (17, 4, "end")];
    assert_eq!(drive(&mut host, messages), seen(&expected));
}

#[test]
fn a_slow_node_takes_longer_and_loses_no_work() {
    let mut host = node(1, 8_000, 4_096, &[demand(1, 500)]);
    let messages = vec![
        send(0, 1, 0, 100),
        (40, Message::Slowdown(10_000)),
        send(50, 2, 0, 10),
        (140, Message::Slowdown(1_000)),
    ];
    // The first has done 40, and 10 more in a hundred; the second 9 of 10.
    let expected = [(0, 1, "start"), (50, 2, "start"), (141, 2, "end"), (190, 1, "end")];
    assert_eq!(drive(&mut host, messages), seen(&expected));
}

#[test]
fn a_crash_takes_all_tasks_and_lack_of_memory_the_largest() {
    let large = Demand { memory_mib: 3_000, ..demand(0, 0) };
    let mut host = node(1, 8_000, 4_096, &[demand(1, 500), large]);
    let fault = |at, fault| (at, Message::Fault(fault));
    let messages = vec![
        send(0, 1, 0, 100),
        send(0, 2, 1, 100),
        send(0, 3, 1, 100),
        fault(10, Fault::RunnerDies),
        fault(20, Fault::NoMemory(true)),
        fault(30, Fault::Crash { machine: true }),
        send(40, 4, 1, 5),
    ];
    let expected = [
        (0, 1, "start"),
        (0, 2, "start"),
        (10, 2, "RunnerGone"),
        (10, 3, "start"),
        (40, 4, "start"),
        (45, 4, "end"),
    ];
    assert_eq!(drive(&mut host, messages), seen(&expected));
    assert_eq!(host.revision(), 1);
    assert_eq!(host.used(), Used::default());
}

#[test]
fn what_is_no_task_of_its_own_is_refused() {
    let spec = TaskSpec {
        name: "node".into(),
        gpus: 0,
        cpu_milli: 1_000,
        memory_mib: 100,
        max_queue: 1,
        classes: vec![(ModelId(4), demand(0, 0))],
    };
    let mut host = TaskHost::new(Arc::new(spec));
    let unload = HostOptions { keep_alive: Some(KeepAlive::For(Nanos::ZERO)), ..HostOptions::default() };
    let messages = vec![
        send(0, 1, 3, 10),
        (0, Message::Request(HostRequest { prompt_tokens: 5, ..request(2, 4, 0) })),
        (0, Message::Request(HostRequest { options: unload, ..request(3, 4, 0) })),
        (0, Message::Request(request(4, 4, 0))),
        send(1, 5, 4, 10),
        send(2, 6, 4, 10),
        send(3, 7, 4, 10),
    ];
    let expected = [
        (0, 1, "ModelMissing"),
        (0, 2, "Unsupported"),
        (0, 3, "Unsupported"),
        (0, 4, "end"),
        (1, 5, "start"),
        (3, 7, "Busy"),
        (11, 5, "end"),
        (11, 6, "start"),
        (21, 6, "end"),
    ];
    assert_eq!(drive(&mut host, messages), seen(&expected));
}

#[test]
fn every_class_is_ready_at_any_time_and_no_class_tells_a_duration() {
    let mut host = node(1, 8_000, 4_096, &[demand(1, 500), demand(0, 0)]);
    let before = host.observe();
    assert_eq!(before.loaded.iter().map(|loaded| loaded.model.0).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(before.stored.iter().map(|stored| stored.bytes).collect::<Vec<_>>(), [Bytes::ZERO; 2]);
    host.deliver(Instant(5), Message::Request(request(1, 0, 77)), &mut Vec::new());
    assert_eq!((host.observe(), host.revision()), (before, 0));
    assert_eq!(host.used(), Used { cpu: 125, memory: 24, gpu: 500 });
    assert!(!host.spec.fits(&demand(2, 1_000)) && host.spec.fits(&demand(1, 1_000)));
}

/// The same node, believed at sight: all is counted anew at each change, and work left is kept in ten-thousandths.
struct Plain {
    gpus: usize,
    cpu_milli: u64,
    memory_mib: u64,
    demands: Vec<Demand>,
    waits: Vec<(u64, Demand, u64)>,
    /// Key, demand, its GPUs, work left; in the order of starts.
    runs: Vec<(u64, Demand, Vec<usize>, u128)>,
    permille: u128,
    now: u64,
    seen: Seen,
}

impl Plain {
    /// Ten-thousandths of work done in a nanosecond.
    fn pace(&self) -> u128 {
        10_000_000 / self.permille
    }

    fn start(&mut self) {
        while !self.waits.is_empty() {
            let (key, demand, work) = self.waits[0];
            let cpu: u64 = self.runs.iter().map(|run| run.1.cpu_milli).sum();
            let memory: u64 = self.runs.iter().map(|run| run.1.memory_mib).sum();
            let mut taken = vec![0; self.gpus];
            for (_, demand, gpus, _) in &self.runs {
                gpus.iter().for_each(|gpu| taken[*gpu] += demand.gpu_milli);
            }
            let mut free: Vec<(u32, usize)> = (0..self.gpus)
                .map(|gpu| (1_000 - taken[gpu], gpu))
                .filter(|gpu| gpu.0 >= demand.gpu_milli)
                .collect();
            if demand.gpus == 1 {
                free.sort_unstable();
            }
            let fits =
                cpu + demand.cpu_milli <= self.cpu_milli && memory + demand.memory_mib <= self.memory_mib;
            if !fits || free.len() < demand.gpus as usize {
                return;
            }
            let gpus = free[..demand.gpus as usize].iter().map(|gpu| gpu.1).collect();
            self.waits.remove(0);
            self.runs.push((key, demand, gpus, u128::from(work) * 10_000));
            self.seen.push((self.now, key, "start".to_owned()));
        }
    }

    /// Lets time pass up to `until`, and what ends by then end.
    fn pass(&mut self, until: u64) {
        loop {
            let pace = self.pace();
            let next = self.runs.iter().map(|run| run.3.div_ceil(pace) as u64).min();
            let step = next.filter(|step| self.now.saturating_add(*step) <= until);
            let passed = step.unwrap_or(until - self.now);
            self.now += passed;
            for run in &mut self.runs {
                run.3 = run.3.saturating_sub(pace * u128::from(passed));
            }
            if step.is_none() {
                return;
            }
            for run in self.runs.extract_if(.., |run| run.3 == 0) {
                self.seen.push((self.now, run.0, "end".to_owned()));
            }
            self.start();
        }
    }

    fn take(&mut self, message: &Message) {
        match message {
            Message::Request(request) => {
                let demand = self.demands[request.model.index()];
                self.waits.push((request.key.0, demand, request.run_nanos.expect("a task").get()));
            }
            Message::Cancel(key) => {
                self.waits.retain(|wait| wait.0 != key.0);
                self.runs.retain(|run| run.0 != key.0);
            }
            Message::Slowdown(permille) => self.permille = u128::from(*permille),
            Message::Fault(_) => {
                self.waits.clear();
                self.runs.clear();
            }
            Message::Disk(..) => unreachable!("none is sent"),
        }
        self.start();
    }
}

/// Times and work are multiples of this, so that both count slow work exactly.
const UNIT: u64 = 1_000_000;

#[derive(Clone, Debug)]
enum Step {
    Send { class: usize, run: u64 },
    Cancel(usize),
    Slow(usize),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        16 => (0..6usize, 1..40u64).prop_map(|(class, run)| Step::Send { class, run }),
        3 => (0..60usize).prop_map(Step::Cancel),
        1 => (0..4usize).prop_map(Step::Slow),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec((0..8u64, step), 1..60)
}

proptest! {
    #[test]
    fn a_node_is_the_plain_one(
        gpus in 0..5u32, cpu_milli in 2_000..12_000u64, memory_mib in 200..900u64,
        demands in proptest::collection::vec((0..4u32, 1..=1_000u32, 0..3_000u64, 0..300u64), 6), steps in steps(),
    ) {
        let demands: Vec<Demand> = demands
            .into_iter()
            .map(|(gpus, share, cpu_milli, memory_mib)| {
                let gpu_milli = match gpus { 0 => 0, 1 => share, _ => 1_000 };
                Demand { cpu_milli, memory_mib, gpus, gpu_milli }
            })
            .collect();
        let mut host = node(gpus, cpu_milli, memory_mib, &demands);
        let (mut at, mut slowed) = (0, 0);
        let mut messages = Vec::new();
        for (key, (gap, step)) in steps.into_iter().enumerate() {
            at += gap * UNIT;
            messages.push((at, match step {
                Step::Send { class, run } if host.spec.fits(&demands[class]) => {
                    Message::Request(request(key as u64, class as u32, run * UNIT))
                }
                Step::Send { .. } => continue,
                Step::Cancel(key) => Message::Cancel(RequestKey(key as u64)),
                // A few changes keep work left whole.
                Step::Slow(to) if slowed < 5 => {
                    slowed += 1;
                    Message::Slowdown([1_000, 2_000, 5_000, 10_000][to])
                }
                Step::Slow(_) => continue,
                Step::Crash => Message::Fault(Fault::Crash { machine: false }),
            }));
        }
        let mut plain = Plain {
            gpus: gpus as usize, cpu_milli, memory_mib, demands, waits: vec![], runs: vec![], permille: 1_000, now: 0,
            seen: vec![],
        };
        for (at, message) in &messages {
            plain.pass(*at);
            plain.take(message);
        }
        plain.pass(u64::MAX / 2);
        let seen = drive(&mut host, messages);
        let mut ends = BTreeMap::<u64, u32>::new();
        for (_, key, what) in &seen {
            *ends.entry(*key).or_default() += u32::from(what != "start");
        }
        prop_assert!(ends.values().all(|ends| *ends <= 1));
        prop_assert_eq!(seen, plain.seen);
    }
}
