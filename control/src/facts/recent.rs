//! The last answers, and what they say of the requests of now: kept where the config selects among balancers.

use serde::{Deserialize, Serialize};

use crate::ids::RequestId;
use crate::index::Implementation;
use crate::index::ring::{History, Record};
use crate::policy::select::Selector;
use crate::units::Instant;

/// Answers that are remembered.
const ANSWERS: u32 = 256;
/// Answers between two looks at all of them: shares move by an eighth of the window at the most.
const ANSWERS_EACH: u64 = 32;
/// An error counts as ten times the truth at the most: one short answer must not decide.
const ERROR_PERMILLE_MAX: u32 = 10_000;

/// An answer, as far as selection looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// It had a deadline, or a raised priority.
    pub sensitive: bool,
    /// Its model was loaded where it went.
    pub warm: bool,
    /// How far its expected length was off, in thousandths of the length.
    pub error_permille: u32,
}

impl Answer {
    /// How far an expectation was off.
    #[must_use]
    pub fn error_permille(expected: u32, was: u32) -> u32 {
        let error = u64::from(expected.abs_diff(was)) * 1_000 / u64::from(was.max(1));
        error.min(ERROR_PERMILLE_MAX.into()) as u32
    }
}

/// Shares over the last answers, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Shares {
    /// With a deadline or a raised priority.
    pub sensitive: u16,
    /// Sent to a loaded model.
    pub warm: u16,
    /// Mean error of expected lengths.
    pub error: u32,
}

/// The last answers, and the selection that rests on them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recent {
    history: History<Answer>,
    noted: u64,
    shares: Shares,
    /// Which balancer was selected.
    pub selector: Selector,
}

impl Recent {
    /// No answers yet.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        Self {
            history: History::new(implementation, ANSWERS),
            noted: 0,
            shares: Shares::default(),
            selector: Selector::default(),
        }
    }

    /// The same, kept by another twin.
    pub(crate) fn keep_by(&mut self, implementation: Implementation) {
        let mut history = History::new(implementation, ANSWERS);
        self.history.iter().for_each(|record| history.insert(*record));
        self.history = history;
    }

    /// A request was answered.
    pub fn note(&mut self, at: Instant, request: RequestId, answer: Answer) {
        self.history.insert(Record { at, request, value: answer });
        self.noted += 1;
        if self.noted.is_multiple_of(ANSWERS_EACH) {
            self.shares = self.count();
        }
    }

    /// Shares over the last answers, as of the last look.
    #[must_use]
    pub const fn shares(&self) -> Shares {
        self.shares
    }

    fn count(&self) -> Shares {
        let len = self.history.len().max(1) as u64;
        let (mut sensitive, mut warm, mut error) = (0, 0, 0);
        for record in self.history.newest(ANSWERS as usize) {
            sensitive += u64::from(record.value.sensitive);
            warm += u64::from(record.value.warm);
            error += u64::from(record.value.error_permille);
        }
        Shares {
            sensitive: (sensitive * 1_000 / len) as u16,
            warm: (warm * 1_000 / len) as u16,
            error: (error / len) as u32,
        }
    }
}
