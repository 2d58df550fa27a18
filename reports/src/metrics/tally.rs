//! What requests add up to: counts, and histograms of what they felt. One tally for each model, and for each arm.

use control::request::Outcome;
use control::units::Nanos;
use traces::record::Record;

use super::{FAILURES, REJECTS};
use crate::histogram::{Buckets, Histogram};

/// Histograms of what finished requests felt, in nanoseconds.
#[derive(Clone, Default, Debug)]
pub struct Latencies {
    /// First token − arrival.
    pub ttft: Histogram,
    /// Mean gap between the tokens of a request.
    pub tpot: Histogram,
    /// Gaps between tokens, each as long as its request's mean.
    pub itl: Histogram,
    /// Sum of all gaps, exact, for the mean of `itl`.
    pub gaps_nanos: u128,
    /// Last token − arrival.
    pub e2e: Histogram,
    /// Last dispatch − arrival.
    pub queue: Histogram,
    /// Arrivals after the warm-up that did not finish.
    pub infinite: u64,
}

/// Latencies as they are recorded: `tpot` and `itl` share their buckets, since they count the same values.
#[derive(Clone, Default, Debug)]
pub(super) struct Recorded {
    ttft: Histogram,
    tpot_itl: Buckets<2>,
    gaps_nanos: u128,
    e2e: Histogram,
    queue: Histogram,
    infinite: u64,
}

impl Recorded {
    #[inline]
    fn record(&mut self, record: &Record, tpot: Option<Nanos>) {
        if let Some(first) = record.first_token {
            self.ttft.record(first.since(record.arrival).0);
            if let Some(tpot) = tpot {
                let gaps = u64::from(record.usage.output_tokens) - 1;
                self.tpot_itl.record_weighted(tpot.0, [1, gaps]);
                self.gaps_nanos += u128::from(record.ended.since(first).0);
            }
        }
        self.e2e.record(record.ended.since(record.arrival).0);
        if let Some(dispatched) = record.dispatched {
            self.queue.record(dispatched.since(record.arrival).0);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.ttft.merge(&other.ttft);
        self.tpot_itl.merge(&other.tpot_itl);
        self.gaps_nanos += other.gaps_nanos;
        self.e2e.merge(&other.e2e);
        self.queue.merge(&other.queue);
        self.infinite += other.infinite;
    }

    pub(super) fn latencies(self) -> Latencies {
        Latencies {
            ttft: self.ttft,
            tpot: self.tpot_itl.lane(0),
            itl: self.tpot_itl.lane(1),
            gaps_nanos: self.gaps_nanos,
            e2e: self.e2e,
            queue: self.queue,
            infinite: self.infinite,
        }
    }
}

/// Exact counts of requests, warm-up included.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// All requests: the sum of the five ways to end.
    pub arrived: u64,
    /// Answered in full.
    pub finished: u64,
    /// Turned away by control, in the order of [`REJECTS`].
    pub rejected: [u64; REJECTS.len()],
    /// Given up after failed attempts, in the order of [`FAILURES`].
    pub failed: [u64; FAILURES.len()],
    /// Left by their client.
    pub cancelled: u64,
    /// Still under way at the end.
    pub unfinished: u64,
    /// Finished within the objectives.
    pub good: u64,
    /// Prompts that the host cut to its context window.
    pub truncated: u64,
    /// Attempts on hosts.
    pub attempts: u64,
    /// Requests with more than one attempt.
    pub retried: u64,
    /// Tokens of the prompts of the finished, as evaluated or cached.
    pub prompt_tokens: u64,
    /// … of those, found in a prefix cache.
    pub cached_tokens: u64,
    /// Tokens generated for the finished.
    pub output_tokens: u64,
}

impl Counts {
    pub(super) fn merge(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.finished += other.finished;
        self.rejected.iter_mut().zip(other.rejected).for_each(|(a, b)| *a += b);
        self.failed.iter_mut().zip(other.failed).for_each(|(a, b)| *a += b);
        self.cancelled += other.cancelled;
        self.unfinished += other.unfinished;
        self.good += other.good;
        self.truncated += other.truncated;
        self.attempts += other.attempts;
        self.retried += other.retried;
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
    }
}

/// What is kept of the requests of a model, or of an arm.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// Counts, warm-up included.
    pub counts: Counts,
    pub(super) recorded: Recorded,
}

/// What is known of a request besides its record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Mean gap between its tokens.
    pub(super) tpot: Option<Nanos>,
    /// Finished within the objectives.
    pub(super) good: bool,
    /// After the warm-up.
    pub(super) measured: bool,
}

impl Tally {
    /// Latencies of the finished after the warm-up.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        self.recorded.clone().latencies()
    }

    #[inline]
    pub(super) fn record(&mut self, record: &Record, judged: Judged) {
        let counts = &mut self.counts;
        counts.arrived += 1;
        counts.truncated += u64::from(record.truncated);
        counts.attempts += u64::from(record.attempts);
        counts.retried += u64::from(record.attempts > 1);
        if record.outcome == Outcome::Finished {
            counts.finished += 1;
            counts.good += u64::from(judged.good);
            counts.prompt_tokens += u64::from(record.usage.prompt_tokens);
            counts.cached_tokens += u64::from(record.cached_tokens);
            counts.output_tokens += u64::from(record.usage.output_tokens);
            if judged.measured {
                self.recorded.record(record, judged.tpot);
            }
        } else {
            self.recorded.infinite += u64::from(judged.measured);
            match record.outcome {
                Outcome::Finished => {}
                Outcome::Rejected(reject) => counts.rejected[reject as usize] += 1,
                Outcome::Failed(failure) => counts.failed[failure as usize] += 1,
                Outcome::Cancelled => counts.cancelled += 1,
                Outcome::Unfinished => counts.unfinished += 1,
            }
        }
    }
}
