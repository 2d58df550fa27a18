//! Energy of hosts: what they draw while they are on, and more while they compute.
//!
//! ```text
//! energy = idle × time on + (busy − idle) × time in which it computed
//! ```
//!
//! In integers (milliwatts × nanoseconds = picojoules), divided once. What the levels rest on is said by whoever gives them.

use serde::Serialize;
use traces::record::HostSample;

use crate::number::ratio;

const PICOJOULES_PER_JOULE: u128 = 1_000_000_000_000;
const PICOJOULES_PER_KWH: u128 = 3_600_000 * PICOJOULES_PER_JOULE;
/// Decimals of kilowatt-hours: 3.6 mJ.
const DECIMALS: u32 = 9;

/// What each host drew and for how long it was on, as given by the caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FleetPower {
    /// Each host, in order of id.
    pub hosts: Vec<HostPower>,
    /// A sentence: where the levels come from.
    pub rests_on: String,
    /// Price of a kilowatt-hour in hundredths of a currency, where one is declared.
    pub electricity_cents_per_kwh: Option<u32>,
}

/// A host's levels of power and its time on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HostPower {
    /// Time that it was on, in nanoseconds.
    pub on_nanos: u64,
    /// What it draws while it is on.
    pub idle_milliwatts: u64,
    /// What it draws while it computes, no less.
    pub busy_milliwatts: u64,
}

/// Energy of the fleet.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Energy {
    /// Energy of all hosts, in kilowatt-hours.
    pub kwh: f64,
    /// … of that, what the same hosts had drawn in that time with nothing to compute.
    pub idle_kwh: f64,
    /// Energy of all hosts for an output token of the finished requests, in joules.
    pub joules_per_token: Option<f64>,
    /// Finished requests within both objectives, for a kilowatt-hour.
    pub goodput_per_kwh: Option<f64>,
    /// What the energy cost, where a price is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Where the figures come from.
    pub rests_on: String,
}

impl HostPower {
    fn idle_picojoules(&self) -> u128 {
        u128::from(self.idle_milliwatts) * u128::from(self.on_nanos)
    }

    /// Energy with that time of computing.
    fn picojoules(&self, busy_nanos: u64) -> u128 {
        let above = self.busy_milliwatts.saturating_sub(self.idle_milliwatts);
        self.idle_picojoules() + u128::from(above) * u128::from(busy_nanos)
    }

    /// The same in kilowatt-hours.
    pub(super) fn kwh(&self, busy_nanos: u64) -> Option<f64> {
        kwh(self.picojoules(busy_nanos))
    }
}

/// Energy of the fleet, given the hosts' counters, output tokens of finished requests, and requests within the objectives.
pub(super) fn energy(power: &FleetPower, hosts: &[HostSample], tokens: u64, good: u64) -> Energy {
    let mut busy = vec![0; power.hosts.len()];
    for host in hosts {
        if let Some(busy) = busy.get_mut(host.host.index()) {
            *busy = host.busy_nanos;
        }
    }
    let all: u128 = power.hosts.iter().zip(busy).map(|(host, busy)| host.picojoules(busy)).sum();
    let idle: u128 = power.hosts.iter().map(HostPower::idle_picojoules).sum();
    let cents = power.electricity_cents_per_kwh;
    Energy {
        kwh: kwh(all).unwrap_or(0.0),
        idle_kwh: kwh(idle).unwrap_or(0.0),
        joules_per_token: ratio(all, u128::from(tokens) * PICOJOULES_PER_JOULE, 6),
        goodput_per_kwh: ratio(u128::from(good) * PICOJOULES_PER_KWH, all, 3),
        cost: cents.and_then(|cents| ratio(all * u128::from(cents), PICOJOULES_PER_KWH * 100, 4)),
        rests_on: power.rests_on.clone(),
    }
}

fn kwh(picojoules: u128) -> Option<f64> {
    ratio(picojoules, PICOJOULES_PER_KWH, DECIMALS)
}

#[cfg(test)]
mod tests {
    use control::ids::HostId;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn host(on_seconds: u64, idle_watts: u64, busy_watts: u64) -> HostPower {
        HostPower {
            on_nanos: on_seconds * SECOND,
            idle_milliwatts: idle_watts * 1_000,
            busy_milliwatts: busy_watts * 1_000,
        }
    }

    fn power(hosts: Vec<HostPower>) -> FleetPower {
        FleetPower { hosts, rests_on: "made up".into(), electricity_cents_per_kwh: Some(30) }
    }

    fn busy(id: u32, seconds: u64) -> HostSample {
        HostSample { host: HostId(id), busy_nanos: seconds * SECOND, ..HostSample::default() }
    }

    #[test]
    fn energy_is_what_is_computed_by_hand() {
        // 40 W × 3600 s + 260 W × 600 s = 144 kJ + 156 kJ; 70 W × 1800 s and nothing computed = 126 kJ.
        let power = power(vec![host(3_600, 40, 300), host(1_800, 70, 515), host(0, 70, 515)]);
        let energy = energy(&power, &[busy(1, 0), busy(0, 600)], 1_000, 852);
        assert_eq!(energy.kwh, 0.118_333_333);
        assert_eq!(energy.idle_kwh, 0.075);
        assert_eq!(energy.joules_per_token, Some(426.0));
        assert_eq!(energy.goodput_per_kwh, Some(7_200.0));
        assert_eq!(energy.cost, Some(0.0355));
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let energy = energy(&power(Vec::new()), &[busy(0, 5)], 0, 0);
        assert_eq!((energy.kwh, energy.joules_per_token, energy.goodput_per_kwh), (0.0, None, None));
    }

    #[test]
    fn hosts_add_up_to_the_fleet() {
        let hosts: Vec<HostPower> = (1..=50).map(|id| host(id * 997, 7 * id, 31 * id)).collect();
        let samples: Vec<HostSample> = (0..50).map(|id| busy(id, u64::from(id) * 13)).collect();
        let sum: f64 =
            hosts.iter().zip(&samples).filter_map(|(host, sample)| host.kwh(sample.busy_nanos)).sum();
        let all = energy(&power(hosts), &samples, 1, 1).kwh;
        assert!(all > 0.0 && (sum - all).abs() < 50.0 * 0.5e-9, "{sum} beside {all}");
    }
}
