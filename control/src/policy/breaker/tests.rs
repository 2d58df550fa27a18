use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::window::BUCKETS;
use super::*;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Nanos::from_millis(millis)
}

/// A request that was sent and ended at once.
fn instant(millis: u64) -> Span {
    Span { sent: at(millis), ended: at(millis) }
}

fn config(change: impl Fn(&mut BreakerFile)) -> BreakerConfig {
    let mut file = BreakerFile { window_millis: 1_000, open_millis: 100, ..BreakerFile::default() };
    change(&mut file);
    file.check().expect("a valid config")
}

const QUICK: Nanos = Nanos::from_millis(1);

/// Fails until it opens, and gives the time of that and until when.
fn trip(breaker: &mut Breaker, from: u64, config: &BreakerConfig) -> (u64, Instant) {
    for millis in from.. {
        if let Some(Transition::Opened { until, .. }) = breaker.on_failure(instant(millis), config) {
            return (millis, until);
        }
    }
    unreachable!("failures in a row open every breaker")
}

#[test]
fn failures_in_a_row_open_and_a_success_between_does_not() {
    let config = config(|_| ());
    let mut breaker = Breaker::default();
    for millis in 0..4 {
        assert_eq!(breaker.on_failure(instant(millis), &config), None);
    }
    breaker.on_success(instant(4), QUICK, &config);
    assert!((5..9).all(|millis| breaker.on_failure(instant(millis), &config).is_none()));
    let opened = breaker.on_failure(instant(9), &config);
    assert_eq!(opened, Some(Transition::Opened { until: at(109), trip: Trip::ConsecutiveFailures }));
    assert!(!breaker.admits(&config));
    assert_eq!(breaker.wake(), Some(at(109)));
}

#[test]
fn half_of_twenty_opens_and_nineteen_say_nothing() {
    let config = config(|_| ());
    let mut breaker = Breaker::default();
    let mut changes = Vec::new();
    for millis in 0..20 {
        let span = instant(millis);
        changes.push(if millis % 2 == 0 {
            breaker.on_failure(span, &config)
        } else {
            breaker.on_success(span, QUICK, &config)
        });
    }
    let opened = changes.pop().expect("twenty changes");
    assert_eq!(opened, Some(Transition::Opened { until: at(119), trip: Trip::FailureShare }));
    assert!(changes.iter().all(Option::is_none));
}

#[test]
fn failures_older_than_the_window_are_forgotten() {
    let config = config(|file| file.consecutive_failures_max = 1_000);
    let mut breaker = Breaker::default();
    assert!((0..19).all(|millis| breaker.on_failure(instant(millis), &config).is_none()));
    assert_eq!(breaker.on_failure(instant(1_000), &config), None, "the first bucket has left the window");
    assert_ne!(trip(&mut breaker, 1_001, &config).0, 1_001);
}

#[test]
fn slow_first_bytes_open_where_that_is_asked_for() {
    let slow = config(|file| (file.slow_ttft_millis, file.slow_percent) = (Some(50), 80));
    let mut breaker = Breaker::default();
    for millis in 0..19 {
        assert_eq!(breaker.on_success(instant(millis), Nanos::from_millis(51), &slow), None);
    }
    let opened = breaker.clone().on_success(instant(19), Nanos::from_millis(50), &slow);
    assert_eq!(opened, Some(Transition::Opened { until: at(119), trip: Trip::SlowShare }));
    assert_eq!(breaker.on_success(instant(19), Nanos::from_millis(51), &config(|_| ())), None);
}

#[test]
fn half_open_lets_the_probes_through_and_closes_when_all_succeed() {
    let config = config(|file| file.probes = 2);
    let mut breaker = Breaker::default();
    let (_, until) = trip(&mut breaker, 0, &config);
    assert_eq!(breaker.on_time(Instant(until.0 - 1)), None);
    assert_eq!(breaker.on_time(until), Some(Transition::HalfOpened));
    assert!(breaker.admits(&config));
    breaker.on_sent();
    breaker.on_sent();
    assert!(!breaker.admits(&config));
    let probe = Span { sent: until, ended: until };
    breaker.on_abandoned(until);
    assert!(breaker.admits(&config), "a cancelled probe leaves its place to another");
    breaker.on_sent();
    assert_eq!(breaker.on_success(probe, QUICK, &config), None);
    assert_eq!(breaker.on_success(probe, QUICK, &config), Some(Transition::Closed));
    assert!(breaker.admits(&config));
}

#[test]
fn each_opening_doubles_the_time_until_it_was_closed_for_a_window() {
    let config = config(|file| file.open_millis_max = 350);
    let mut breaker = Breaker::default();
    let (opened, mut until) = trip(&mut breaker, 0, &config);
    assert_eq!(until.since(at(opened)), Nanos::from_millis(100));
    for expected in [200, 350, 350] {
        breaker.on_time(until);
        let probe = Span { sent: until, ended: until };
        let Some(Transition::Opened { until: next, trip: Trip::Probe }) = breaker.on_failure(probe, &config)
        else {
            panic!("a failed probe opens")
        };
        assert_eq!(next.since(until), Nanos::from_millis(expected));
        until = next;
    }
    breaker.on_time(until);
    assert_eq!(
        breaker.on_success(Span { sent: until, ended: until }, QUICK, &config),
        Some(Transition::Closed)
    );
    let closed = until.0 / 1_000_000;
    let soon = trip(&mut breaker.clone(), closed + 900, &config);
    assert_eq!(soon.1.since(at(soon.0)), Nanos::from_millis(350), "it was closed for less than a window");
    let later = trip(&mut breaker, closed + 1_000, &config);
    assert_eq!(later.1.since(at(later.0)), Nanos::from_millis(100));
}

#[test]
fn ends_of_requests_sent_before_the_change_do_not_count() {
    let config = config(|_| ());
    let mut breaker = Breaker::default();
    let (_, until) = trip(&mut breaker, 10, &config);
    breaker.on_time(until);
    let old = Span { sent: at(5), ended: until };
    assert_eq!(breaker.on_failure(old, &config), None);
    assert_eq!(breaker.on_success(old, QUICK, &config), None);
    breaker.on_sent();
    breaker.on_abandoned(at(5));
    assert!(!breaker.admits(&config), "only a probe gives a probe's place back");
}

#[test]
fn a_full_queue_and_the_clients_mistakes_are_no_failures() {
    for scope in [Scope::Host, Scope::Model] {
        for neutral in [Failure::Busy, Failure::BadRequest, Failure::ModelMissing] {
            assert_eq!(verdict(scope, neutral), Verdict::Neutral);
        }
        for failure in
            [Failure::ServerError, Failure::FirstByteTimeout, Failure::IdleTimeout, Failure::Broken]
        {
            assert_eq!(verdict(scope, failure), Verdict::Failure);
        }
    }
    assert_eq!(verdict(Scope::Host, Failure::Unreachable), Verdict::Failure);
    assert_eq!(verdict(Scope::Model, Failure::Unreachable), Verdict::Neutral);
    assert_eq!(verdict(Scope::Host, Failure::OutOfMemory), Verdict::Neutral);
    assert_eq!(verdict(Scope::Model, Failure::OutOfMemory), Verdict::Failure);
}

#[test]
fn the_default_is_closed_and_holds_no_buckets() {
    let breaker = Breaker::default();
    assert!(breaker.admits(&config(|_| ())));
    assert!(size_of::<Breaker>() <= 112, "{} bytes", size_of::<Breaker>());
    let bytes = postcard::to_allocvec(&breaker).expect("a breaker can be written");
    assert!(bytes.len() <= 12, "{} bytes written", bytes.len());
    assert_eq!(postcard::from_bytes::<Breaker>(&bytes), Ok(breaker));
}

#[test]
fn files_are_checked_and_name_the_key() {
    assert!(BreakerFile::default().check().is_ok());
    let short = BreakerFile { open_millis_max: 1, ..BreakerFile::default() }.check();
    assert_eq!(
        short.unwrap_err().to_string(),
        "control.breaker.open_millis_max: found 1, expected at least open_millis"
    );
    let zero = BreakerFile { probes: 0, ..BreakerFile::default() }.check();
    assert_eq!(zero.unwrap_err().to_string(), "control.breaker.probes: found 0, expected 1 to 1000");
}

proptest! {
    #[test]
    fn never_more_than_the_share_are_ejected_and_one_stays(hosts in 0u32..200, percent_max in 0u32..=100) {
        let ejected = (0..hosts).take_while(|ejected| may_eject(*ejected, hosts, percent_max)).count() as u32;
        prop_assert!(ejected == 0 || ejected < hosts);
        prop_assert!(ejected * 100 <= percent_max * hosts);
        let one_more = ejected + 1;
        prop_assert!(one_more >= hosts || one_more * 100 > percent_max * hosts, "none fewer than allowed");
    }
}

/// The plain twin: all ends since the last change of state with their times; everything is counted anew each time.
struct Twin {
    state: State,
    changed_at: Instant,
    openings: u32,
    ends: Vec<(Instant, End)>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Success,
    Slow,
    Failure,
}

impl Twin {
    fn end(&mut self, span: Span, end: End, config: &BreakerConfig) -> Option<Transition> {
        if span.sent < self.changed_at || matches!(self.state, State::Open { .. }) {
            return None;
        }
        let now = span.ended;
        self.ends.push((now, end));
        let is_probe = self.state != State::Closed;
        let successes = self.ends.iter().filter(|(_, end)| *end != End::Failure).count() as u32;
        if is_probe && end != End::Failure {
            if let State::HalfOpen { succeeded, .. } = &mut self.state {
                *succeeded = successes;
            }
            return (successes >= config.probes).then(|| self.change(State::Closed, now, Transition::Closed));
        }
        let trip = if is_probe { Trip::Probe } else { self.trip(now, config)? };
        if !is_probe && now.since(self.changed_at) >= config.window {
            self.openings = 0;
        }
        let doubled = u128::from(config.open.0) << self.openings.min(64);
        self.openings += 1;
        let until = now.saturating_add(Nanos(doubled.min(u128::from(config.open_max.0)) as u64));
        Some(self.change(State::Open { until }, now, Transition::Opened { until, trip }))
    }

    fn trip(&self, now: Instant, config: &BreakerConfig) -> Option<Trip> {
        let bucket = |time: Instant| time.0 / (config.window.0 / BUCKETS);
        let inside: Vec<End> = self
            .ends
            .iter()
            .filter(|(time, _)| bucket(*time) + BUCKETS > bucket(now))
            .map(|(_, end)| *end)
            .collect();
        let share = |of: End, percent: u32| {
            let part = inside.iter().filter(|end| **end == of).count();
            inside.len() >= config.requests_min as usize && part * 100 >= percent as usize * inside.len()
        };
        let in_a_row = self.ends.iter().rev().take_while(|(_, end)| *end == End::Failure).count();
        if in_a_row >= config.consecutive_failures_max as usize {
            Some(Trip::ConsecutiveFailures)
        } else if share(End::Failure, config.failures_percent) {
            Some(Trip::FailureShare)
        } else if config.slow.is_some_and(|slow| share(End::Slow, slow.percent)) {
            Some(Trip::SlowShare)
        } else {
            None
        }
    }

    fn change(&mut self, state: State, now: Instant, transition: Transition) -> Transition {
        self.state = state;
        self.changed_at = now;
        self.ends.clear();
        transition
    }
}

#[derive(Clone, Debug)]
enum Event {
    Sent,
    Ended { end: End, took: u64 },
    Abandoned { took: u64 },
    Passed { nanos: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0u8..14, 0usize..4, 0u64..=150, 0u64..=3_000).prop_map(|(kind, end, took, millis)| {
        let took = took * 1_000_000;
        match kind {
            0..2 => Event::Sent,
            2..8 => Event::Ended { end: [End::Success, End::Slow, End::Failure, End::Failure][end], took },
            8 => Event::Abandoned { took },
            9..13 => Event::Passed { nanos: millis % 120 * 1_000_000 },
            _ => Event::Passed { nanos: millis * 1_000_000 },
        }
    });
    prop::collection::vec(event, 1..300)
}

proptest! {
    #[test]
    fn breaker_is_its_plain_twin(
        events in events(),
        start in prop::sample::select(&[0, 12_345_678_901, u64::MAX - 5_000_000_000, u64::MAX][..]),
        (requests_min, failures_percent, in_a_row) in (1u32..12, 1u32..=100, 1u32..8),
        (probes, slow_percent) in (1u32..4, prop::option::of(1u32..=100)),
    ) {
        let config = config(|file| {
            file.requests_min = requests_min;
            file.failures_percent = failures_percent;
            file.consecutive_failures_max = in_a_row;
            file.probes = probes;
            file.open_millis_max = 1_500;
            file.slow_ttft_millis = slow_percent.map(|_| 50);
            file.slow_percent = slow_percent.unwrap_or(100);
        });
        let mut breaker = Breaker::default();
        let mut twin = Twin { state: State::Closed, changed_at: Instant::ZERO, openings: 0, ends: Vec::new() };
        let mut now = Instant(start);
        for event in events {
            match event {
                Event::Sent => {
                    breaker.on_sent();
                    if let State::HalfOpen { sent, .. } = &mut twin.state { *sent += 1; }
                }
                Event::Ended { end, took } => {
                    let span = Span { sent: Instant(now.0.saturating_sub(took)), ended: now };
                    let changed = match end {
                        End::Failure => breaker.on_failure(span, &config),
                        End::Slow => breaker.on_success(span, Nanos::from_millis(51), &config),
                        End::Success => breaker.on_success(span, Nanos::from_millis(50), &config),
                    };
                    prop_assert_eq!(changed, twin.end(span, end, &config));
                }
                Event::Abandoned { took } => {
                    let sent_at = Instant(now.0.saturating_sub(took));
                    breaker.on_abandoned(sent_at);
                    if let State::HalfOpen { sent, .. } = &mut twin.state && sent_at >= twin.changed_at {
                        *sent = sent.saturating_sub(1);
                    }
                }
                Event::Passed { nanos } => {
                    now = now.saturating_add(Nanos(nanos));
                    let expected = match twin.state {
                        State::Open { until } if until <= now => {
                            Some(twin.change(State::HalfOpen { sent: 0, succeeded: 0 }, now, Transition::HalfOpened))
                        }
                        _ => None,
                    };
                    prop_assert_eq!(breaker.on_time(now), expected);
                }
            }
            prop_assert_eq!(breaker.state(), twin.state);
        }
    }
}
