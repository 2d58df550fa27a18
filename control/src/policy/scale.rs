//! `[control.scale]`: how many of the hosts that stand by are to be on. More at once where too much is under way for those that are on; fewer
//! where the most that was wanted for some time would do with less (the stabilisation window of Kubernetes' Horizontal Pod Autoscaler).
//!
//! What is wanted follows a target: so many percent of the slots are to be at work, the rest is in reserve while another host
//! comes (as Knative's autoscaler does with requests under way).

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::config::bounds::within;
use crate::units::{Instant, Nanos};

/// `[control.scale]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScaleFile {
    /// Whether hosts are provisioned and given back; otherwise it is only shown.
    pub act: bool,
    /// How often it is looked whether hosts are too few or too many.
    pub interval_seconds: u32,
    /// Share of the slots that is to be at work, requests that wait included.
    pub target_percent: u32,
    /// Hosts are given back where fewer would have been enough for so long.
    pub window_seconds: u32,
    /// Hosts that stand by, but are on whatever the load.
    pub hosts_min: u32,
    /// Most hosts that stand by and are on; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts_max: Option<u32>,
    /// Most hosts that are being provisioned at the same time.
    pub starts_at_once_max: u32,
    /// Most hosts provisioned or given back in an hour.
    pub changes_per_hour_max: u32,
}

impl Default for ScaleFile {
    fn default() -> Self {
        Self {
            act: false,
            interval_seconds: 5,
            target_percent: 70,
            window_seconds: 300,
            hosts_min: 0,
            hosts_max: None,
            starts_at_once_max: 100,
            changes_per_hour_max: 1_000,
        }
    }
}

/// A checked [`ScaleFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScaleConfig {
    /// Whether hosts are provisioned and given back.
    pub act: bool,
    /// How often it is looked.
    pub interval: Nanos,
    /// Share of the slots that is to be at work: 1 to 100.
    pub target_percent: u32,
    /// How long fewer must have been enough.
    pub window: Nanos,
    /// Hosts that are on whatever the load.
    pub hosts_min: u32,
    /// Most hosts that are on.
    pub hosts_max: u32,
    /// Most hosts that are being provisioned at the same time.
    pub starts_at_once_max: u32,
    /// Most changes in an hour.
    pub changes_per_hour_max: u32,
}

impl ScaleFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<ScaleConfig, ConfigError> {
        let seconds = |key: &str, value: u32| {
            within(key, value, (1, 86_400)).map(|seconds| Nanos::from_secs(seconds.into()))
        };
        let hosts_min = within("scale.hosts_min", self.hosts_min, (0, 1_000_000))?;
        let most = self.hosts_max.unwrap_or(1_000_000);
        Ok(ScaleConfig {
            act: self.act,
            interval: seconds("scale.interval_seconds", self.interval_seconds)?,
            target_percent: within("scale.target_percent", self.target_percent, (1, 100))?,
            window: seconds("scale.window_seconds", self.window_seconds)?,
            hosts_min,
            hosts_max: within("scale.hosts_max", most, (hosts_min.into(), 1_000_000))?,
            starts_at_once_max: within("scale.starts_at_once_max", self.starts_at_once_max, (1, 1_000_000))?,
            changes_per_hour_max: within(
                "scale.changes_per_hour_max",
                self.changes_per_hour_max,
                (1, 1_000_000),
            )?,
        })
    }
}

impl ScaleConfig {
    /// Slots of which the target's share is at work where so many requests are under way.
    #[must_use]
    pub fn slots_for(&self, requests: u64) -> u64 {
        requests.saturating_mul(100).div_ceil(self.target_percent.into())
    }
}

/// The most that was wanted within a window of time: values that a later one is not below are forgotten at once, so that what is kept
/// falls from the first to the last.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Highest {
    kept: VecDeque<(Instant, u64)>,
}

impl Highest {
    /// Another value; those older than the window go.
    pub fn add(&mut self, now: Instant, value: u64, window: Nanos) {
        while self.kept.back().is_some_and(|(_, last)| *last <= value) {
            self.kept.pop_back();
        }
        self.kept.push_back((now, value));
        while self.kept.front().is_some_and(|(at, _)| now.since(*at) > window) {
            self.kept.pop_front();
        }
    }

    /// The highest; 0 before the first.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.kept.front().map_or(0, |(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_default_is_valid_and_only_shows() {
        let config = ScaleFile::default().check().unwrap();
        assert!(!config.act);
        assert_eq!((config.slots_for(0), config.slots_for(7), config.slots_for(8)), (0, 10, 12));
    }

    #[test]
    fn wrong_values_name_key_and_expectation() {
        let file = ScaleFile { hosts_min: 4, hosts_max: Some(3), ..ScaleFile::default() };
        assert_eq!(
            file.check().unwrap_err().to_string(),
            "control.scale.hosts_max: found 3, expected 4 to 1000000"
        );
        let file = ScaleFile { target_percent: 0, ..ScaleFile::default() };
        assert_eq!(
            file.check().unwrap_err().to_string(),
            "control.scale.target_percent: found 0, expected 1 to 100"
        );
    }

    proptest! {
        #[test]
        fn the_highest_of_a_window_is_the_highest_of_what_came_in_it(
            values in prop::collection::vec((0_u64..20, 0_u64..50), 1..100),
            window in 0_u64..60,
        ) {
            let mut highest = Highest::default();
            let mut all: Vec<(u64, u64)> = Vec::new();
            let mut now = 0;
            for (wait, value) in values {
                now += wait;
                all.push((now, value));
                highest.add(Instant(now), value, Nanos(window));
                let within = all.iter().filter(|(at, _)| now - at <= window);
                prop_assert_eq!(Some(highest.get()), within.map(|(_, value)| *value).max());
            }
        }
    }
}
