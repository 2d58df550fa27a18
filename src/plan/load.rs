//! The load for which is planned: that of the scenario, or the same at another rate or with other numbers of users.

use std::fmt;

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use traces::inspect::inspect;
use traces::options::Rate;
use traces::reader::ReadOptions;
use workloads::config::ArrivalsFile;

use crate::scenario::Scenario;

/// How much is asked.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Requests a second (sessions a second where there are conversations), on average.
    PerSecond(f64),
    /// Users who wait for their answers.
    Users(u32),
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSecond(rate) => write!(f, "{rate} per second"),
            Self::Users(users) => write!(f, "{users} users"),
        }
    }
}

/// What a scenario's load is, and how it is changed.
#[derive(Clone, PartialEq, Debug)]
pub struct Scale {
    arrivals: ArrivalsFile,
    /// The load of the scenario as it is.
    pub own: Load,
}

impl Scale {
    /// Of a scenario; a trace is read through for its rate.
    ///
    /// # Errors
    /// Where the trace cannot be read, or has no rate.
    pub fn of(scenario: &Scenario) -> Result<Self> {
        let arrivals = scenario.file.workload.arrivals.clone();
        let own = match &arrivals {
            ArrivalsFile::Poisson(file) => Load::PerSecond(file.rate_per_second),
            ArrivalsFile::Gamma(file) => Load::PerSecond(file.rate_per_second),
            ArrivalsFile::Daily(file) => Load::PerSecond(file.mean_rate_per_second),
            ArrivalsFile::OnOff(file) => {
                let (on, off) = (file.on_mean_seconds, file.off_mean_seconds);
                Load::PerSecond((file.on_rate_per_second * on + file.off_rate_per_second * off) / (on + off))
            }
            ArrivalsFile::ClosedLoop(file) => Load::Users(file.users),
            ArrivalsFile::Trace(file) => {
                let options = scenario.workload.trace().map(|(_, options)| options.read).unwrap_or_default();
                let read =
                    ReadOptions { format: options.format, skip_bad: file.skip_bad, seed: scenario.file.seed };
                let found = inspect(&file.file, read)?;
                let span = found.arrivals.span_seconds;
                if span <= 0.0 {
                    bail!(
                        "{}: found all rows at one time, expected a trace with a rate",
                        file.file.display()
                    );
                }
                let rate = found.rows as f64 / span;
                Load::PerSecond(match file.rate {
                    Rate::AsIs => rate,
                    Rate::CompressTime(factor) => rate * factor,
                    Rate::Thin(share) => rate * share,
                })
            }
        };
        Ok(Self { arrivals, own })
    }

    /// What is laid over the scenario for another load; nothing for its own.
    ///
    /// # Errors
    /// Where a load of that kind is not what the scenario has.
    pub fn sets(&self, load: Load) -> Result<Vec<String>> {
        if load == self.own {
            return Ok(Vec::new());
        }
        let set = |key: &str, value: f64| format!("workload.arrivals.{key}={value:?}");
        Ok(match (&self.arrivals, load, self.own) {
            (ArrivalsFile::ClosedLoop(_), Load::Users(users), _) => {
                vec![format!("workload.arrivals.closed_loop.users={users}")]
            }
            (ArrivalsFile::ClosedLoop(_), Load::PerSecond(_), _) => {
                return Err(anyhow!(
                    "found a rate, expected --users: those who wait for their answers ask as often as they are answered"
                ));
            }
            (_, Load::Users(_), _) => {
                return Err(anyhow!(
                    "found a number of users, expected --rate: nobody waits for answers in this scenario"
                ));
            }
            (ArrivalsFile::Poisson(_), Load::PerSecond(rate), _) => {
                vec![set("poisson.rate_per_second", rate)]
            }
            (ArrivalsFile::Gamma(_), Load::PerSecond(rate), _) => vec![set("gamma.rate_per_second", rate)],
            (ArrivalsFile::Daily(_), Load::PerSecond(rate), _) => {
                vec![set("daily.mean_rate_per_second", rate)]
            }
            (ArrivalsFile::OnOff(file), Load::PerSecond(rate), Load::PerSecond(own)) => vec![
                set("on_off.on_rate_per_second", file.on_rate_per_second * rate / own),
                set("on_off.off_rate_per_second", file.off_rate_per_second * rate / own),
            ],
            (ArrivalsFile::Trace(file), Load::PerSecond(rate), Load::PerSecond(own)) => {
                let before = match file.rate {
                    Rate::CompressTime(factor) => factor,
                    Rate::AsIs => 1.0,
                    Rate::Thin(_) => {
                        return Err(anyhow!(
                            "found a trace that is thinned, expected one as it is: its rate is changed by compressing time"
                        ));
                    }
                };
                vec![format!("workload.arrivals.trace.rate={{ compress_time = {:?} }}", before * rate / own)]
            }
            (_, Load::PerSecond(_), Load::Users(_)) => unreachable!("only closed loops have users"),
        })
    }

    /// So many times the scenario's own load; whole users.
    #[must_use]
    pub fn times(&self, factor: f64) -> Load {
        match self.own {
            Load::PerSecond(rate) => Load::PerSecond(rate * factor),
            Load::Users(users) => Load::Users(libm::round(f64::from(users) * factor).max(1.0) as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load};

    fn scaled(name: &str, sets: &[&str], to: Load) -> Result<Load, String> {
        let overrides = |sets: Vec<String>| Overrides { sets, ..Overrides::default() };
        let mut all: Vec<String> = sets.iter().map(ToString::to_string).collect();
        let scale = Scale::of(&load(name, &overrides(all.clone())).unwrap()).unwrap();
        all.extend(scale.sets(to).map_err(|error| error.to_string())?);
        Ok(Scale::of(&load(name, &overrides(all)).unwrap()).unwrap().own)
    }

    #[test]
    fn any_kind_of_arrivals_has_the_rate_that_was_asked_for() {
        for arrivals in ["poisson={}", "gamma={}", "daily={}", "on_off={}"] {
            let set = format!("workload.arrivals={{ {} }}", arrivals.replace('=', " = "));
            let Load::PerSecond(rate) = scaled("azure-conv", &[&set], Load::PerSecond(7.5)).unwrap() else {
                panic!("{arrivals} has no rate");
            };
            assert!((rate - 7.5).abs() < 1e-9, "{arrivals}: {rate}");
        }
        assert_eq!(scaled("chat", &[], Load::Users(90)), Ok(Load::Users(90)));
        assert!(scaled("chat", &[], Load::PerSecond(1.0)).unwrap_err().contains("expected --users"));
        assert!(scaled("default", &[], Load::Users(1)).unwrap_err().contains("expected --rate"));
    }
}
