//! A made-up run for tests: every way to end, two models, three hosts.

use control::balance::BalancerKind;
use control::door::Note;
use control::facts::arms::{ArmCounts, find_or_add};
use control::facts::predict::score::{PredictionScores, QuantileScore, Score};
use control::facts::sync::{GossipCounts, SyncCounts};
use control::ids::{ArmId, HostId, ModelId, RequestId, SessionId, TenantId};
use control::request::{DoneReason, Failure, Outcome, Reject, Usage};
use control::sync::conflict::Kind;
use control::units::{Bytes, Instant, Nanos};
use traces::record::{HostSample, HostTime, Moved, Record, Sample};
use traces::traffic::{ConflictEnds, LayerBytes, Link, LinkTraffic, ModelTraffic, Traffic, TrafficBin};

use crate::events::{Event, Events};
use crate::metrics::{ArmInfo, Metrics, MetricsSpec};
use crate::summary::{FleetInfo, FleetPower, HostPower, RunInfo};

pub(crate) const MILLI: u64 = 1_000_000;

/// A finished request: `ttft` and the time after it in milliseconds.
pub(crate) fn finished(request: u64, ttft: u64, rest: u64, output_tokens: u32) -> Record {
    let arrival = Instant(request * 500 * MILLI);
    let first = arrival + Nanos(ttft * MILLI);
    Record {
        request: RequestId(request),
        model: ModelId((request % 2) as u32),
        tenant: TenantId(0),
        session: None,
        priority: 0,
        arrival,
        dispatched: Some(arrival + Nanos(ttft * MILLI / 4)),
        first_token: Some(first),
        ended: first + Nanos(rest * MILLI),
        host: Some(HostId((request % 3) as u32)),
        arm: ArmId(0),
        attempts: 1,
        prompt_tokens: 100,
        cached_tokens: 25,
        truncated: false,
        usage: Usage {
            prompt_tokens: 100,
            output_tokens,
            load: Nanos(3),
            prompt_eval: Nanos(ttft * MILLI / 2),
            eval: Nanos(rest * MILLI),
            done: DoneReason::Stop,
        },
        outcome: Outcome::Finished,
    }
}

/// A request that ended otherwise, on a host only where it failed.
pub(crate) fn ended(request: u64, outcome: Outcome) -> Record {
    let on_host = matches!(outcome, Outcome::Failed(_));
    Record {
        dispatched: on_host.then_some(Instant(request * 500 * MILLI)),
        first_token: None,
        host: on_host.then_some(HostId(1)),
        attempts: u8::from(on_host) * 2,
        cached_tokens: 0,
        usage: Usage::default(),
        outcome,
        ..finished(request, 40, 900, 0)
    }
}

/// Twelve requests.
pub(crate) fn records() -> Vec<Record> {
    let mut records: Vec<Record> = (0..6).map(|id| finished(id, 80 + 70 * id, 1_900, 20)).collect();
    records.push(Record {
        priority: -3,
        truncated: true,
        session: Some(SessionId(9)),
        ..finished(6, 2_500, 400, 1)
    });
    records.push(ended(7, Outcome::Rejected(Reject::QueueFull)));
    records.push(ended(8, Outcome::Failed(Failure::Unreachable)));
    records.push(ended(9, Outcome::Cancelled));
    records.push(ended(10, Outcome::Unfinished));
    records.push(Record { attempts: 3, ..finished(11, 123, 4_567, 8) });
    records
}

/// The fleet at a time.
pub(crate) fn sample(second: u64) -> Sample {
    let host = |id: u32| HostSample {
        host: HostId(id),
        requests: 2,
        running: 1,
        busy_nanos: second * u64::from(id) * 300 * MILLI,
        loaded: vec![(ModelId(id % 2), Bytes::from_gib(5))],
        loads: second + u64::from(id),
        evictions: u64::from(id),
        output_tokens: second * 40,
        prompt_tokens: second * 75,
        cached_tokens: second * 25,
        tier_hits: [second, 1, u64::from(id), 0],
    };
    Sample {
        at: Instant(second * 1_000 * MILLI),
        queued: (second % 4) as u32,
        in_flight: 6,
        arrived: second * 2,
        finished: second,
        hosts_on: 1 + (second / 4 % 3) as u32,
        hosts: (0..3).map(host).collect(),
    }
}

pub(crate) fn spec() -> MetricsSpec {
    MetricsSpec {
        models: vec!["llama3.1:8b".into(), "a, \"b\"".into()],
        hosts: vec!["alpha".into(), "beta".into()],
        ..MetricsSpec::default()
    }
}

/// The same run under two arms and a shadow.
pub(crate) fn spec_by_arm() -> MetricsSpec {
    let arm = |name: &str, balancer: &str, part: &str| ArmInfo {
        name: name.into(),
        balancer: balancer.into(),
        part: part.into(),
        acts: part != "shadow",
    };
    MetricsSpec {
        by_arm: true,
        arms: vec![
            arm("base", "random", "base"),
            arm("shadow/least-load", "least-load", "shadow"),
            arm("base", "least-tokens", "base"),
        ],
        ..spec()
    }
}

/// Records of which every third is of the last arm.
pub(crate) fn records_by_arm() -> Vec<Record> {
    let arm = |record: &Record| ArmId(if record.request.0.is_multiple_of(3) { 2 } else { 0 });
    records().into_iter().map(|record| Record { arm: arm(&record), ..record }).collect()
}

pub(crate) fn metrics_by_arm() -> Metrics {
    let mut metrics = Metrics::new(spec_by_arm());
    records_by_arm().iter().for_each(|record| metrics.record(record));
    metrics
}

/// What control learned of the arms, and what happened.
pub(crate) fn info_by_arm() -> RunInfo {
    let mut arms = Vec::new();
    for (name, kind, decided, agreed) in [
        ("base", BalancerKind::Random, 9, 0),
        ("shadow/least-load", BalancerKind::LeastLoad, 12, 5),
        ("base", BalancerKind::LeastTokens, 3, 0),
    ] {
        let id = find_or_add(&mut arms, name, kind);
        arms[id.index()].counts = ArmCounts { decided, agreed, ..ArmCounts::default() };
    }
    arms[2].rolled_back = true;
    let mut events = Events::default();
    events.push(Event {
        at: Instant(1_500 * MILLI),
        kind: "set",
        text: "balancer = \"least-tokens\"".into(),
    });
    events.push(Event::noted(Instant(61_000 * MILLI), Note::RolledBack { arm: ArmId(2) }, &spec_by_arm()));
    RunInfo { arms, events, ..info() }
}

pub(crate) fn metrics() -> Metrics {
    let mut metrics = Metrics::new(spec());
    records().iter().for_each(|record| metrics.record(record));
    metrics
}

/// Eight finished requests, of which the first one's length and the first three's time were not predicted.
fn predictions() -> PredictionScores {
    let score = |scored: u64, covered: [u64; 2], loss_tenths: [u128; 2], mean_loss_tenths: [u128; 2]| Score {
        scored,
        without_prediction: 8 - scored,
        p50: QuantileScore {
            covered: covered[0],
            loss_tenths: loss_tenths[0],
            mean_loss_tenths: mean_loss_tenths[0],
        },
        p90: QuantileScore {
            covered: covered[1],
            loss_tenths: loss_tenths[1],
            mean_loss_tenths: mean_loss_tenths[1],
        },
    };
    PredictionScores {
        output_tokens: score(7, [4, 6], [1_400, 700], [1_600, 1_400]),
        service_micros: score(5, [2, 5], [12_345_678, 6_000_000], [12_000_000, 9_000_000]),
    }
}

pub(crate) fn info() -> RunInfo {
    RunInfo {
        digest: "9f2c".into(),
        seed: 42,
        scenario: "chat".into(),
        scheduler: "fifo".into(),
        balancer: "round_robin".into(),
        details: vec![("fleet".into(), "3 hosts: 3 × RTX 4090".into())],
        simulated: Instant(10_000 * MILLI),
        predictions: predictions(),
        assumptions: vec!["disks read 3 GB/s (assumed_disk_bytes_per_second)".into()],
        ..RunInfo::default()
    }
}

/// Fourteen hosts that pulled three models, the last of which broke off; one pushed.
pub(crate) fn traffic() -> Traffic {
    const GB: u64 = 1_000_000_000;
    let link = |link, bytes| LinkTraffic { link, bytes_per_second: 12_500_000_000, bytes };
    let into = |id: u32| link(Link::HostIn(HostId(id)), GB * u64::from(id + 1));
    let model = |id: u32, weights: u64, small: u64| ModelTraffic {
        model: ModelId(id),
        transfers: 5,
        bytes: LayerBytes { weights, small },
    };
    let bin = |second: u64| TrafficBin {
        bytes: [GB * (14 - second), 0, if second == 3 { 2 * GB } else { 0 }],
        under_way_nanos: u128::from(GB * second / 2),
        under_way_max: second as u32 + 1,
    };
    let first = [
        link(Link::RegistryOut, 105 * GB),
        link(Link::RegistryIn, 2 * GB),
        link(Link::ZoneIn("north, \"old\"".into()), 105 * GB),
    ];
    let last = link(Link::HostOut(HostId(1)), 2 * GB);
    Traffic {
        links: first.into_iter().chain((0..14).map(into)).chain([last]).collect(),
        models: vec![model(1, 100 * GB - 5_120, 5_120), model(0, 5 * GB, 0), model(7, 2 * GB, 0)],
        bin: Nanos(GB),
        bins: (0..14).map(bin).collect(),
        until: Instant(13 * GB + GB / 2),
    }
}

/// Three hosts that were on for different times.
pub(crate) fn power() -> FleetPower {
    let host = |id: u64| HostPower {
        on_nanos: (10 - id) * 1_000 * MILLI,
        idle_milliwatts: 40_000,
        busy_milliwatts: 300_000,
    };
    FleetPower {
        hosts: (0..3).map(host).collect(),
        rests_on: "watts of made-up GPUs".into(),
        electricity_cents_per_kwh: Some(25),
    }
}

/// What happened to models and hosts besides requests.
pub(crate) fn fleet() -> FleetInfo {
    let ends = ConflictEnds { pulled: 2, open: 1, ..ConflictEnds::default() };
    FleetInfo {
        sync: Some(SyncCounts {
            conflicts: [(Kind::Content, 3)].into(),
            converged: 2,
            converge_nanos: 9_000 * MILLI,
            converge_nanos_max: 6_000 * MILLI,
            stale_serves: 4,
            gossip: GossipCounts { rounds: 60, comparisons: 840, hashes: 1_680, hash_bytes: 53_760 },
            ..SyncCounts::default()
        }),
        conflicts: [(Kind::Content, ends)].into(),
        moved: Some(Moved {
            registry_bytes: 104_000_000_000,
            pushed_bytes: 2_000_000_000,
            lost_bytes: 1_000_000_000,
            wanted_bytes: 104_000_000_000,
            ..Moved::default()
        }),
        traffic: Some(traffic()),
        host_time: HostTime {
            standby: 2,
            on_max: 3,
            on_nanos: 5_400_000 * u128::from(MILLI),
            all_nanos: 10_800_000 * u128::from(MILLI),
            cost_cent_nanos: 540_000_000 * u128::from(MILLI),
            all_cost_cent_nanos: 1_080_000_000 * u128::from(MILLI),
        },
        power: Some(power()),
        ..FleetInfo::default()
    }
}
