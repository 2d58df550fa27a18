//! Faults on demand: what an emulated host does wrong, to which requests, how often.
//!
//! A fault is written as JSON (`{"fault": "cut", "after_tokens": 3, "percent": 20}`) or on one line
//! (`cut:after_tokens=3,percent=20`). Whether it strikes a request is drawn by its seed, its place in the list and the
//! number of requests that it could have struck so far, so that the same requests in the same order are struck again.
//! The first fault of the list that strikes is the one that is done; `slow` is not drawn, it slows the host.

mod file;

use serde::Serialize;

pub use file::{FaultError, FaultFile};

/// Bytes of a line that is too long.
pub(super) const LONG_LINE_BYTES: usize = 10 << 20;

/// What is wrong with the lines of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Garble {
    /// A line ends in its middle, and the answer with it.
    TruncatedLine,
    /// A line has bytes that are no UTF-8.
    BadUtf8,
    /// A line of 10 MiB.
    LongLine,
    /// The last line is missing.
    NoFinalLine,
}

/// What is done to an answer's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Harm {
    /// No byte comes any more.
    Stall,
    /// The connection is closed.
    Cut,
    /// Lines are not as they should be.
    Garble(Garble),
}

/// What is done to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// The connection is closed without an answer.
    Refuse,
    /// An answer with this status and error.
    Error { status: u16, text: String },
    /// No answer, and no end.
    Hang,
    /// The answer's body is harmed after as many tokens.
    Harm { harm: Harm, after_tokens: u32 },
    /// The runner crashes under it.
    RunnerCrash,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Effect(Effect),
    Slow { factor: u32 },
}

/// Which requests a fault may strike.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Scope {
    /// Any.
    All,
    /// Those that run a model.
    Inference,
    /// Those whose path begins so.
    Path(String),
}

/// A fault with what became of it.
#[derive(Clone, PartialEq, Debug)]
struct Fault {
    written: FaultFile,
    kind: Kind,
    scope: Scope,
    /// Requests that it could have struck.
    met: u64,
    struck: u64,
}

/// A fault as it is shown.
#[derive(Serialize, PartialEq, Debug)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    written: &'a FaultFile,
    /// Requests that it struck.
    struck: u64,
}

/// All faults of a host.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Checks a list.
    ///
    /// # Errors
    /// With the place of the first that cannot be.
    pub(super) fn new(written: &[FaultFile]) -> Result<Self, FaultError> {
        written.iter().map(FaultFile::check).collect::<Result<_, _>>().map(Self)
    }

    /// How much slower the host is, in thousandths of its normal pace.
    pub(super) fn permille(&self) -> u32 {
        let factors = self.0.iter().filter_map(|fault| match fault.kind {
            Kind::Slow { factor } => Some(factor),
            Kind::Effect(_) => None,
        });
        factors.max().unwrap_or(1).saturating_mul(1_000)
    }

    /// What is done to a request before its body is read. `path` is as it was sent.
    pub(super) fn at_door(&mut self, path: &str, inference: bool) -> Option<Effect> {
        // An inference request is struck once its model is known, but for a connection that is dropped.
        self.strike(None, |effect, scope| match scope {
            Scope::All => true,
            Scope::Inference => false,
            Scope::Path(prefix) => path.starts_with(prefix) && (!inference || *effect == Effect::Refuse),
        })
    }

    /// What is done to a request that runs a model.
    pub(super) fn at_model(&mut self, path: &str, model: &str) -> Option<Effect> {
        self.strike(Some(model), |effect, scope| match scope {
            Scope::All => false,
            Scope::Inference => true,
            Scope::Path(prefix) => path.starts_with(prefix) && *effect != Effect::Refuse,
        })
    }

    fn strike(&mut self, model: Option<&str>, meets: impl Fn(&Effect, &Scope) -> bool) -> Option<Effect> {
        for (place, fault) in self.0.iter_mut().enumerate() {
            let Kind::Effect(effect) = &fault.kind else { continue };
            let other_model = fault.written.model.as_deref().is_some_and(|wanted| Some(wanted) != model);
            if other_model || !meets(effect, &fault.scope) {
                continue;
            }
            if fault.written.next.is_some_and(|next| fault.met >= next) {
                continue;
            }
            let draw = draw(fault.written.seed, place as u64, fault.met);
            fault.met += 1;
            if draw < fault.written.percent {
                fault.struck += 1;
                return Some(effect.clone());
            }
        }
        None
    }

    /// The list, with what became of each.
    pub(super) fn shown(&self) -> Vec<Shown<'_>> {
        self.0.iter().map(|fault| Shown { written: &fault.written, struck: fault.struck }).collect()
    }
}

/// A number from 0 to 99 for the request that a fault meets as its `met`-th.
fn draw(seed: u64, place: u64, met: u64) -> u32 {
    let mut hasher = blake3::Hasher::new();
    for part in [seed, place, met] {
        hasher.update(&part.to_le_bytes());
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    (u64::from_le_bytes(bytes) % 100) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(lines: &[&str]) -> Faults {
        let written: Vec<FaultFile> = lines.iter().map(|line| line.parse().expect("a good line")).collect();
        Faults::new(&written).expect("good faults")
    }

    #[test]
    fn the_same_requests_are_struck_again_and_another_seed_strikes_others() {
        let struck = |line: &str| {
            let mut faults = faults(&[line]);
            (0..200).map(|_| faults.at_model("/api/chat", "m").is_some()).collect::<Vec<_>>()
        };
        let first = struck("error:percent=30");
        assert_eq!(first, struck("error:percent=30"));
        assert_ne!(first, struck("error:percent=30,seed=1"));
        let count = first.iter().filter(|&&hit| hit).count();
        assert!((40..=80).contains(&count), "{count} of 200 at 30 %");
    }

    #[test]
    fn a_bounded_fault_strikes_the_next_requests_only_and_the_first_one_wins() {
        let mut faults = faults(&["busy:next=2", "error:status=500,text=boom"]);
        let statuses: Vec<u16> = (0..4)
            .map(|_| match faults.at_model("/v1/messages", "m") {
                Some(Effect::Error { status, .. }) => status,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(statuses, [503, 503, 500, 500]);
        assert_eq!(faults.shown().iter().map(|fault| fault.struck).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn a_fault_strikes_only_where_it_is_aimed() {
        let mut faults = faults(&["error:model=a", "hang-ps", "cut:path=/api/tags", "refuse:next=1"]);
        assert_eq!(faults.at_door("/api/chat", true), Some(Effect::Refuse));
        assert_eq!(faults.at_door("/api/chat", true), None);
        assert_eq!(faults.at_door("/api/version", false), None);
        assert_eq!(faults.at_door("/api/ps", false), Some(Effect::Hang));
        assert!(matches!(faults.at_door("/api/tags", false), Some(Effect::Harm { harm: Harm::Cut, .. })));
        assert_eq!(faults.at_model("/api/chat", "b"), None);
        assert!(matches!(faults.at_model("/api/chat", "a"), Some(Effect::Error { status: 500, .. })));
    }

    #[test]
    fn the_slowest_of_several_counts() {
        assert_eq!(faults(&[]).permille(), 1_000);
        assert_eq!(faults(&["slow:factor=3", "busy", "slow:factor=10"]).permille(), 10_000);
    }
}
