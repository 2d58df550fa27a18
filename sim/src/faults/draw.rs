//! Faults drawn from distributions: each kind, and each fault of a kind, by a key of its own, so that leaving one out shifts no other.

use control::draw::{Component, Draw};
use control::ids::HostId;
use control::units::{Instant, Nanos};

use super::{DrawnFile, Fault, FaultKind, Way};

/// Faults of one kind in one run at the most.
const OF_A_KIND_MAX: u64 = 20_000;

impl DrawnFile {
    /// The faults of a run on so many hosts; times are whole milliseconds.
    pub(super) fn draw(&self, hosts: u32, seed: u64) -> Vec<Fault> {
        let kinds = if self.kinds.is_empty() { &FaultKind::ALL } else { self.kinds.as_slice() };
        let mut faults = Vec::new();
        for kind in kinds {
            let comes = Draw::new(seed, Component::Faults, *kind as u64, 0).below(2) == 0;
            if !self.swarm || comes {
                self.draw_kind(*kind, hosts, seed, &mut faults);
            }
        }
        faults
    }

    fn draw_kind(&self, kind: FaultKind, hosts: u32, seed: u64, faults: &mut Vec<Fault>) {
        let end = millis(self.until_seconds * 1_000);
        let mut at_millis = self.from_seconds * 1_000;
        for index in 1..=OF_A_KIND_MAX {
            let mut draw = Draw::new(seed, Component::Faults, kind as u64, index);
            at_millis = at_millis.saturating_add(exponential_millis(&mut draw, self.every_seconds));
            let at = millis(at_millis);
            if at >= end {
                return;
            }
            let until = millis(at_millis + exponential_millis(&mut draw, self.for_seconds)).min(end);
            let host = (kind != FaultKind::RegistryDown).then(|| HostId(draw.below(hosts)));
            let way = [Way::Both, Way::ToHost, Way::ToControl][draw.below(3) as usize];
            let fault = Fault { at, until, kind, host, way };
            match kind {
                FaultKind::Swizzle => swizzle(&fault, hosts, &mut draw, faults),
                FaultKind::Partition => faults.push(fault),
                _ => faults.push(Fault { way: Way::Both, ..fault }),
            }
        }
    }
}

/// Up to half of the hosts (at least one) are cut off in the first half of the span, each at its own time, and heal in the second.
fn swizzle(fault: &Fault, hosts: u32, draw: &mut Draw, faults: &mut Vec<Fault>) {
    let mut all: Vec<u32> = (0..hosts).collect();
    let half = (fault.until.since(fault.at).0 / 2_000_000).clamp(1, u32::MAX.into()) as u32;
    for at in 0..hosts.div_ceil(2) {
        let other = at + draw.below(hosts - at);
        all.swap(at as usize, other as usize);
        let begins = u64::from(draw.below(half));
        let ends = u64::from(half) + u64::from(draw.below(half));
        faults.push(Fault {
            at: fault.at + Nanos::from_millis(begins),
            until: fault.at + Nanos::from_millis(ends),
            host: Some(HostId(all[at as usize])),
            way: Way::Both,
            ..*fault
        });
    }
}

fn millis(millis: u64) -> Instant {
    Instant::ZERO + Nanos::from_millis(millis)
}

/// A draw of the exponential distribution with a mean of whole seconds, in milliseconds, at least one.
fn exponential_millis(draw: &mut Draw, mean_seconds: u64) -> u64 {
    let uniform = ((draw.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    let millis = -libm::log(uniform) * mean_seconds as f64 * 1_000.0;
    (millis as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kinds: &[FaultKind], swarm: bool) -> DrawnFile {
        DrawnFile {
            kinds: kinds.to_vec(),
            swarm,
            every_seconds: 10,
            for_seconds: 5,
            from_seconds: 100,
            until_seconds: 10_000,
        }
    }

    #[test]
    fn a_kind_comes_as_often_and_lasts_as_long_as_written() {
        let faults = file(&[FaultKind::Crash], false).draw(8, 1);
        assert!((900..1_080).contains(&faults.len()), "{} in 9,900 s", faults.len());
        let lasted: u64 = faults.iter().map(|fault| fault.until.since(fault.at).0).sum();
        let mean = lasted / faults.len() as u64 / 1_000_000;
        assert!((4_500..5_500).contains(&mean), "{mean} ms");
        assert!(faults.iter().all(|fault| fault.at >= millis(100_000) && fault.until <= millis(10_000_000)));
    }

    #[test]
    fn leaving_a_kind_out_shifts_no_other() {
        let all = file(&[], false).draw(8, 3);
        for kind in FaultKind::ALL {
            let alone = file(&[kind], false).draw(8, 3);
            let among: Vec<Fault> = all.iter().filter(|fault| fault.kind == kind).copied().collect();
            assert!(!alone.is_empty() && alone == among, "{}", kind.name());
        }
    }

    #[test]
    fn a_swarm_has_about_half_of_the_kinds_and_not_always_the_same() {
        let kinds = |seed| {
            let mut kinds: Vec<_> = file(&[], true).draw(4, seed).iter().map(|fault| fault.kind).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        };
        let sum: usize = (0..200).map(|seed| kinds(seed).len()).sum();
        assert!((1_350..1_650).contains(&sum), "{sum} of 3,000");
        assert_ne!(kinds(1), kinds(2));
    }

    #[test]
    fn a_swizzle_cuts_half_of_the_hosts_each_once() {
        let fault = Fault {
            at: millis(1_000),
            until: millis(9_000),
            kind: FaultKind::Swizzle,
            host: None,
            way: Way::Both,
        };
        let mut faults = Vec::new();
        swizzle(&fault, 9, &mut Draw::new(1, Component::Faults, 0, 0), &mut faults);
        let mut hosts: Vec<_> = faults.iter().map(|fault| fault.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        assert_eq!((faults.len(), hosts.len()), (5, 5));
        assert!(faults.iter().all(|cut| cut.at < millis(5_000) && cut.until >= millis(5_000)));
    }
}
