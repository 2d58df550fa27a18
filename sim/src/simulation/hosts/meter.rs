//! A source of metrics on a simulated host: how busy it is, as an exporter beside Ollama would say.
//!
//! What the model of a host knows: whether it computes, and the memory of its models. A host with GPUs keeps a processor
//! busy while they compute (the runner feeds them), so both show the same share; one without has no GPUs to be busy. Its
//! network is not modelled and stays at 0. Of a host of tasks it tells how much of its cores, memory and GPUs is taken.

use control::door::Utilisation;
use control::units::{Bytes, Instant, Nanos};
use sim_host::host::Host;

use super::machine::Machine;

/// What was measured last.
#[derive(Debug, Default)]
pub(super) struct Meter {
    at: Instant,
    /// The host's computing until then.
    busy_nanos: u64,
    /// Changes of a host of tasks until then.
    changes: u64,
    told: Option<Utilisation>,
}

impl Meter {
    /// Measures since the last time; gives what is news.
    pub(super) fn read(&mut self, now: Instant, machine: &Machine, period: Nanos) -> Option<Utilisation> {
        let utilisation = match machine {
            Machine::Ollama(host) => self.measure(now, host, period),
            Machine::Task(host) => {
                self.changes = host.changes();
                let used = host.used();
                Utilisation { cpu: used.cpu, memory: used.memory, gpu: used.gpu, network: 0 }
            }
        };
        (self.told.replace(utilisation) != Some(utilisation)).then_some(utilisation)
    }

    fn measure(&mut self, now: Instant, host: &Host, period: Nanos) -> Utilisation {
        let busy_nanos = host.counters(now).busy_nanos;
        // Whoever computes is polled in each period; a longer span began with idle ones.
        let span = now.since(self.at).0.min(period.0);
        let busy = match (busy_nanos - self.busy_nanos, span) {
            // At the time of the last poll there is nothing to measure.
            (_, 0) => self.told.map_or(0, |told| told.cpu),
            (busy, span) => permille(busy, span),
        };
        self.at = now;
        self.busy_nanos = busy_nanos;
        let gpus = &host.spec().gpus;
        let total = match gpus.is_empty() {
            true => host.spec().ram.0,
            false => gpus.iter().map(|gpu| gpu.memory_bytes).sum(),
        };
        let loaded: Bytes = host.loaded().map(|(_, bytes)| bytes).sum();
        Utilisation {
            cpu: busy,
            memory: permille(loaded.0, total),
            gpu: if gpus.is_empty() { 0 } else { busy },
            network: 0,
        }
    }

    /// Whether there is something to measure: the host computes, or tasks came or went since the last time.
    #[inline]
    pub(super) fn is_wanted(&self, machine: &Machine) -> bool {
        match machine {
            Machine::Ollama(host) => host.is_computing(),
            Machine::Task(host) => host.changes() != self.changes,
        }
    }

    /// Whether the next beat measures again though nothing need happen until then: while the host computes, and once after, so that control
    /// hears that it is idle. What tasks take changes with them alone.
    pub(super) fn goes_on(&self, machine: &Machine) -> bool {
        match machine {
            Machine::Ollama(host) => host.is_computing() || self.told.is_some_and(|told| told.cpu > 0),
            Machine::Task(_) => false,
        }
    }
}

/// A share in thousandths; no more than the whole, which weights beyond the GPUs' memory would be.
fn permille(part: u64, whole: u64) -> u16 {
    (u128::from(part) * 1_000 / u128::from(whole.max(1))).min(1_000) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_thousandths_of_the_whole_and_no_more() {
        assert_eq!(permille(0, 0), 0);
        assert_eq!(permille(1, 3), 333);
        assert_eq!(permille(u64::MAX, u64::MAX), 1_000);
        assert_eq!(permille(5, 4), 1_000);
    }
}
