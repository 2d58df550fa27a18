//! Drives one batch loop with deliveries at given times, in the canonical order of phases, and writes down what it
//! lets be seen.

use control::units::Instant;
use sim_host::api::{Phase, RequestKey};
use sim_host::batch::{BatchLoop, LoopEvent, LoopSpec, LoopStats, Sequence};

/// What a test delivers to a loop.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    Admit(Sequence),
    Cancel(RequestKey),
    SlowDown(u32),
}

/// An event, or the loop's state right after a delivery.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Seen {
    Event { at: u64, event: LoopEvent, stats: LoopStats },
    Delivered { at: u64, running: u32, waiting: u32, busy: u64, stats: LoopStats },
    End(LoopStats),
}

/// Runs a loop until all is delivered and it is idle. Deliveries are in order of time.
pub(crate) fn drive(spec: LoopSpec, deliveries: &[(u64, Delivery)]) -> (Vec<Seen>, BatchLoop) {
    let mut batch = BatchLoop::new(spec);
    let (mut seen, mut out) = (Vec::new(), Vec::new());
    let mut left = deliveries.iter().peekable();
    let mut last = (Instant::ZERO, Phase::Boundary);
    loop {
        let due = batch.next();
        let delivery = left.peek().map(|(at, _)| (Instant(*at), Phase::Delivery));
        let (at, phase) = match (due.map(|due| (due.at, due.phase)), delivery) {
            (None, None) => break,
            (Some(due), None) => due,
            (None, Some(delivery)) => delivery,
            (Some(due), Some(delivery)) => due.min(delivery),
        };
        assert!((at, phase) >= last, "{phase:?} at {at} is announced after {last:?}");
        assert!((at, phase) > last || phase != Phase::Start, "a loop starts once at {at}");
        last = (at, phase);
        if phase == Phase::Delivery {
            let (_, delivery) = left.next().expect("peeked");
            match delivery.clone() {
                Delivery::Admit(sequence) => batch.admit(at, sequence),
                Delivery::Cancel(key) => batch.cancel(at, key, &mut out),
                Delivery::SlowDown(permille) => batch.slow_down(at, permille),
            }
            seen.push(Seen::Delivered {
                at: at.0,
                running: batch.running(),
                waiting: batch.waiting(),
                busy: batch.busy_nanos(at).0,
                stats: LoopStats { boundaries: 0, ..batch.stats_at(at) },
            });
        } else {
            batch.advance(due.expect("its time came"), &mut out);
        }
        // In the middle of a jump counts are told for the time; at a boundary they are simply there.
        let stats = if phase == Phase::Delivery { batch.stats_at(at) } else { batch.stats() };
        let stats = LoopStats { boundaries: 0, ..stats };
        seen.extend(out.drain(..).map(|event| Seen::Event { at: at.0, event, stats }));
    }
    seen.push(Seen::End(LoopStats { boundaries: 0, ..batch.stats() }));
    (seen, batch)
}
