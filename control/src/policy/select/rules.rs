//! The table of rules, as written and as checked.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Arm;
use super::features::{Bucket, Thresholds};
use crate::config::ConfigError;
use crate::config::bounds::{error, millis, within};
use crate::units::Nanos;

/// Most arms, and most rules.
const ARMS_MAX: usize = 32;
const RULES_MAX: usize = 64;

macro_rules! condition {
    ($(#[$doc:meta])* $name:ident { $(#[$low_doc:meta])* $low:ident, $(#[$high_doc:meta])* $high:ident }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[$low_doc])*
            $low,
            $(#[$high_doc])*
            $high,
        }

        impl $name {
            const fn holds(self, high: bool) -> bool {
                matches!(self, Self::$high) == high
            }
        }
    };
}

condition! {
    /// How many hosts can be chosen.
    Hosts {
        /// Fewer than `hosts_many_min`.
        Few,
        /// As many or more.
        Many
    }
}
condition! {
    /// How much is under way.
    Load {
        /// Less than `load_high_permille_min`.
        Low,
        /// As much or more.
        High
    }
}
condition! {
    /// How load is spread over hosts.
    Spread {
        /// Its deviation is below `load_uneven_percent_min`.
        Even,
        /// As large or larger.
        Uneven
    }
}
condition! {
    /// Whether latency matters to requests.
    Sensitivity {
        /// To fewer than `sensitive_permille_min`.
        Relaxed,
        /// To as many or more.
        Sensitive
    }
}
condition! {
    /// How good predictions of times are.
    Prediction {
        /// Their error is below `prediction_poor_permille_min`.
        Good,
        /// As large or larger.
        Poor
    }
}
condition! {
    /// Whether requests find their models loaded.
    Residency {
        /// Fewer than `resident_permille_min` do.
        Moving,
        /// As many or more do.
        Resident
    }
}

/// What must be so for a rule to match: each condition that it has. Without any it always matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// `few` or `many`.
    pub hosts: Option<Hosts>,
    /// `low` or `high`.
    pub load: Option<Load>,
    /// `even` or `uneven`.
    pub spread: Option<Spread>,
    /// `relaxed` or `sensitive`.
    pub sensitivity: Option<Sensitivity>,
    /// `good` or `poor`.
    pub prediction: Option<Prediction>,
    /// `moving` or `resident`.
    pub residency: Option<Residency>,
}

impl When {
    fn matches(&self, bucket: Bucket) -> bool {
        self.hosts.is_none_or(|hosts| hosts.holds(bucket.many))
            && self.load.is_none_or(|load| load.holds(bucket.high))
            && self.spread.is_none_or(|spread| spread.holds(bucket.uneven))
            && self.sensitivity.is_none_or(|sensitivity| sensitivity.holds(bucket.sensitive))
            && self.prediction.is_none_or(|prediction| prediction.holds(bucket.poor))
            && self.residency.is_none_or(|residency| residency.holds(bucket.resident))
    }
}

/// `[control.select]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelectFile {
    /// Names of what can be chosen. The first is taken where no rule matches.
    pub arms: Vec<String>,
    /// In order: the first that matches wins.
    pub rules: Vec<RuleFile>,
    /// Hosts from which on they are `many`.
    pub hosts_many_min: u32,
    /// Mean load from which on it is `high`: requests under way in thousandths of the slots.
    pub load_high_permille_min: u32,
    /// Standard deviation of the load from which on it is `uneven`, in percent of its mean.
    pub load_uneven_percent_min: u32,
    /// Share of requests with a deadline or a raised priority from which on they are `sensitive`, in thousandths.
    pub sensitive_permille_min: u16,
    /// Error of predicted times from which on they are `poor`, in thousandths.
    pub prediction_poor_permille_min: u32,
    /// Share of requests that find their model loaded from which on models are `resident`, in thousandths.
    pub resident_permille_min: u16,
    /// Decisions in a row in which another arm must be wanted before it is taken.
    pub hold_decisions: u32,
    /// How long an arm stays in force at least.
    pub residency_millis: u64,
}

/// A rule as written.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleFile {
    /// When it matches; always where absent.
    pub when: When,
    /// What it chooses: one of the arms.
    pub arm: String,
}

impl Default for SelectFile {
    fn default() -> Self {
        Self {
            arms: vec!["power-of-two".into()],
            rules: Vec::new(),
            hosts_many_min: 16,
            load_high_permille_min: 700,
            load_uneven_percent_min: 50,
            sensitive_permille_min: 100,
            prediction_poor_permille_min: 500,
            resident_permille_min: 900,
            hold_decisions: 100,
            residency_millis: 60_000,
        }
    }
}

/// A checked [`SelectFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SelectConfig {
    /// Names of what can be chosen; at least one.
    pub arms: Vec<String>,
    /// In order: the first that matches wins; the first arm where none does.
    pub rules: Vec<Rule>,
    /// Where buckets begin.
    pub thresholds: Thresholds,
    /// Decisions in a row in which another arm must be wanted; at least 1.
    pub hold_decisions: u32,
    /// How long an arm stays in force at least.
    pub residency: Nanos,
}

/// A checked rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// When it matches.
    pub when: When,
    /// What it chooses.
    pub arm: Arm,
}

impl SelectFile {
    /// Checks every key. Whether the arms' names are known is the caller's to check.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<SelectConfig, ConfigError> {
        if !(1..=ARMS_MAX).contains(&self.arms.len()) {
            return Err(error("select.arms", self.arms.len(), format!("1 to {ARMS_MAX} names")));
        }
        if self.rules.len() > RULES_MAX {
            return Err(error("select.rules", self.rules.len(), format!("at most {RULES_MAX} rules")));
        }
        for (at, name) in self.arms.iter().enumerate() {
            if name.is_empty() || self.arms[..at].contains(name) {
                return Err(error(&format!("select.arms[{at}]"), format!("{name:?}"), "a name of its own"));
            }
        }
        let rule = |(at, rule): (usize, &RuleFile)| {
            let arm = self.arms.iter().position(|name| *name == rule.arm).ok_or_else(|| {
                let key = format!("select.rules[{at}].arm");
                error(&key, format!("{:?}", rule.arm), format!("one of {}", self.arms.join(", ")))
            })?;
            Ok(Rule { when: rule.when, arm: arm as Arm })
        };
        let share = (0, 1_000);
        Ok(SelectConfig {
            arms: self.arms.clone(),
            rules: self.rules.iter().enumerate().map(rule).collect::<Result<_, _>>()?,
            thresholds: Thresholds {
                hosts_many_min: self.hosts_many_min,
                load_high_permille_min: self.load_high_permille_min,
                load_uneven_percent_min: within(
                    "select.load_uneven_percent_min",
                    self.load_uneven_percent_min,
                    (1, 10_000),
                )?,
                sensitive_permille_min: within(
                    "select.sensitive_permille_min",
                    self.sensitive_permille_min,
                    share,
                )?,
                prediction_poor_permille_min: self.prediction_poor_permille_min,
                resident_permille_min: within(
                    "select.resident_permille_min",
                    self.resident_permille_min,
                    share,
                )?,
            },
            hold_decisions: within("select.hold_decisions", self.hold_decisions, (1, 1_000_000))?,
            residency: millis("select.residency_millis", self.residency_millis)?,
        })
    }
}

impl SelectConfig {
    /// The arm that the table wants for a bucket.
    #[must_use]
    pub fn wanted(&self, bucket: Bucket) -> Arm {
        self.rules.iter().find(|rule| rule.when.matches(bucket)).map_or(0, |rule| rule.arm)
    }
}
