//! What an hour of a fleet costs and what it draws: what fleets are ranked by.
//!
//! ```text
//! cost of an hour = prices of the hosts + watts × price of a kilowatt-hour
//! ```
//!
//! Prices of hosts are known before anything runs; what a fleet draws is measured, as the mean over a run. What it draws with nothing to compute is
//! known, too, and with it what it costs **at least**: a fleet that is dearer even so than what was found needs no run.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use sim::config::Fleet;

use super::candidates::Candidate;

/// What the best fleet has least of.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// What an hour costs: hosts, and electricity where its price is known
    #[default]
    Cost,
    /// What the whole fleet draws on average
    Watts,
    /// How many hosts it has
    Hosts,
}

impl Rank {
    /// What the first fleet is called.
    #[must_use]
    pub const fn best(self) -> &'static str {
        match self {
            Self::Cost => "cheapest",
            Self::Watts => "least power",
            Self::Hosts => "fewest hosts",
        }
    }

    /// What is wrong with hosts that are too many.
    pub(super) const fn more(self) -> &'static str {
        match self {
            Self::Cost => "cost more",
            Self::Watts => "draw more",
            Self::Hosts => "are more",
        }
    }
}

/// What fleets may be, and what is the best of them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Asked {
    /// The fewest and the most hosts.
    pub hosts: (u32, u32),
    /// What the best has least of; cost where absent, or hosts where no cost is known.
    pub rank: Option<Rank>,
    /// Price of a kilowatt-hour in hundredths of a currency; energy costs nothing where absent.
    pub cents_per_kwh: Option<u32>,
}

/// What is known of a candidate's fleets before they run, by how many hosts they have, from none on.
pub(super) struct Priced<'a> {
    /// The candidate.
    pub(super) candidate: &'a Candidate,
    /// Prices of an hour of all hosts, in hundredths of a currency; nothing where one is not known.
    cents: Option<Vec<u64>>,
    /// What all of them draw with nothing to compute; nothing where that is not known of one.
    idle_milliwatts: Option<Vec<u64>>,
    /// The GPU of each host.
    gpus: Vec<String>,
}

impl<'a> Priced<'a> {
    /// Of the largest fleet that is looked at.
    pub(super) fn of(candidate: &'a Candidate, fleet: &Fleet) -> Self {
        let hosts = &fleet.hosts;
        let cents = hosts.iter().map(|host| match host.declaration.cost_cents_per_hour {
            0 => None,
            cents => Some(u64::from(cents)),
        });
        Self {
            candidate,
            cents: sums(cents),
            idle_milliwatts: sums(hosts.iter().map(|host| host.draw.map(|draw| draw.idle_milliwatts))),
            gpus: hosts.iter().map(|host| host.declaration.gpu.clone()).collect(),
        }
    }

    /// How many hosts of each GPU there are among so many, in the order in which they come.
    pub(super) fn made_of(&self, hosts: u32) -> Vec<(String, u32)> {
        let mut kinds: Vec<(String, u32)> = Vec::new();
        for gpu in self.gpus.iter().take(hosts as usize) {
            match kinds.iter_mut().find(|(known, _)| known == gpu) {
                Some((_, count)) => *count += 1,
                None => kinds.push((gpu.clone(), 1)),
            }
        }
        kinds
    }
}

/// The sum of none, of the first, of the first two, and so on; nothing where one is not known.
fn sums(values: impl Iterator<Item = Option<u64>>) -> Option<Vec<u64>> {
    let mut sums = vec![0];
    for value in values {
        sums.push(sums.last()? + value?);
    }
    Some(sums)
}

/// How fleets are ranked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Ranking {
    /// What the best has least of.
    pub(super) rank: Rank,
    cents_per_kwh: Option<u32>,
}

impl Ranking {
    /// What was asked for, if it can be told of all candidates.
    pub(super) fn new(priced: &[Priced<'_>], asked: &Asked) -> Result<Self> {
        let cents_per_kwh = asked.cents_per_kwh;
        let has_price = |of: &Priced<'_>| of.cents.is_some();
        if priced.iter().any(has_price) && !priced.iter().all(has_price) {
            bail!(
                "only some candidates have a price, expected all or none: give each --gpu its =CENTS, or each group its cost_cents_per_hour"
            );
        }
        let is_known = cents_per_kwh.is_some() || priced.iter().all(has_price);
        let rank = match (asked.rank, is_known) {
            (Some(Rank::Cost), false) => bail!(
                "--rank cost: found no price, expected --gpu GPU=CENTS, --electricity, or cost_cents_per_hour in each group"
            ),
            (Some(rank), _) => rank,
            (None, true) => Rank::Cost,
            (None, false) => Rank::Hosts,
        };
        if let Some(of) = priced.iter().find(|of| of.idle_milliwatts.is_none())
            && (cents_per_kwh.is_some() || rank == Rank::Watts)
        {
            bail!(
                "candidate {}: found a GPU whose watts are not known, expected watts_max and watts_idle in its profile, or neither --rank watts nor \
                 a price of electricity (--electricity 0)",
                of.candidate.name
            );
        }
        Ok(Self { rank, cents_per_kwh })
    }

    /// What an hour of so many hosts costs where they draw so much, in hundredths of a currency; nothing where no price is known.
    pub(super) fn cents(self, of: &Priced<'_>, hosts: u32, watts: Option<f64>) -> Option<f64> {
        let own = of.cents.as_ref().map(|cents| cents[hosts as usize] as f64);
        match self.cents_per_kwh {
            None => own,
            Some(cents_per_kwh) => Some(own.unwrap_or(0.0) + watts? / 1_000.0 * f64::from(cents_per_kwh)),
        }
    }

    /// What orders fleets that draw so much: less is better.
    pub(super) fn of(self, of: &Priced<'_>, hosts: u32, watts: Option<f64>) -> f64 {
        match self.rank {
            Rank::Cost => self.cents(of, hosts, watts).unwrap_or(f64::INFINITY),
            Rank::Watts => watts.unwrap_or(f64::INFINITY),
            Rank::Hosts => f64::from(hosts),
        }
    }

    /// The same at least, whatever they have to do: no fleet draws less than its hosts do with nothing to compute, since all of them are on. It never
    /// falls with more hosts.
    pub(super) fn at_least(self, of: &Priced<'_>, hosts: u32) -> f64 {
        let idle = of.idle_milliwatts.as_ref().map(|idle| idle[hosts as usize] as f64 / 1_000.0);
        self.of(of, hosts, idle)
    }
}

/// A price in whole units of the currency, from hundredths.
#[must_use]
pub fn cost(cents: Option<f64>) -> String {
    cents.map_or("–".to_owned(), |cents| format!("{:.2}", cents / 100.0))
}

/// What a fleet is made of, where that is hosts of more than one kind: `3 × rtx-4090 + 1 × a100-80gb`.
#[must_use]
pub fn mixture(made_of: &[(String, u32)]) -> Option<String> {
    let told = |(gpu, count): &(String, u32)| match gpu.as_str() {
        "" => format!("{count} without GPU"),
        gpu => format!("{count} × {gpu}"),
    };
    let kinds: Vec<String> = made_of.iter().map(told).collect();
    (kinds.len() > 1).then(|| kinds.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(candidate: &Candidate, cents: Option<u64>, idle: Option<u64>) -> Priced<'_> {
        let gpus = ["a", "a", "b"].map(str::to_owned).to_vec();
        Priced {
            candidate,
            cents: sums([cents; 3].into_iter()),
            idle_milliwatts: sums([idle; 3].into_iter()),
            gpus,
        }
    }

    #[test]
    fn cost_is_that_of_hosts_and_of_what_they_draw() {
        let candidate = Candidate { name: "a".into(), sets: Vec::new() };
        let both = priced(&candidate, Some(40), Some(20_000));
        let asked = Asked { hosts: (1, 3), rank: None, cents_per_kwh: Some(30) };
        let ranking = Ranking::new(std::slice::from_ref(&both), &asked).unwrap();
        assert_eq!(ranking.rank, Rank::Cost);
        // Two hosts at 40 and half a kilowatt at 30; at least 40 watts of it.
        assert_eq!(ranking.cents(&both, 2, Some(500.0)), Some(95.0));
        assert_eq!(ranking.at_least(&both, 2), 80.0 + 0.04 * 30.0);
        assert_eq!(both.made_of(3), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!(mixture(&both.made_of(3)).unwrap(), "2 × a + 1 × b");
        assert_eq!(mixture(&both.made_of(2)), None);
        let none = [(String::new(), 2), ("G2".to_owned(), 1)];
        assert_eq!(mixture(&none).unwrap(), "2 without GPU + 1 × G2");
        assert_eq!((cost(Some(95.4)), cost(None)), ("0.95".to_owned(), "–".to_owned()));
    }

    #[test]
    fn rank_is_what_was_asked_for_or_what_is_known() {
        let candidate = Candidate { name: "a".into(), sets: Vec::new() };
        let rank = |cents, idle, rank, cents_per_kwh| {
            let priced = [priced(&candidate, cents, idle)];
            let found = Ranking::new(&priced, &Asked { hosts: (1, 3), rank, cents_per_kwh });
            found.map(|ranking| ranking.rank).map_err(|error| error.to_string())
        };
        assert_eq!(rank(None, None, None, None), Ok(Rank::Hosts));
        assert_eq!(rank(Some(4), None, None, None), Ok(Rank::Cost));
        // Hosts that are there already: only what they draw costs.
        assert_eq!(rank(None, Some(1), None, Some(30)), Ok(Rank::Cost));
        assert_eq!(rank(Some(4), Some(1), Some(Rank::Watts), None), Ok(Rank::Watts));
        assert!(rank(None, None, Some(Rank::Cost), None).unwrap_err().contains("found no price"));
        assert!(rank(Some(4), None, Some(Rank::Watts), None).unwrap_err().contains("watts are not known"));
    }
}
