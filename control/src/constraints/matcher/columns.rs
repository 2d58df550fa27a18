//! What is counted of hosts, a column for each fact.

use alloc::vec::Vec;

use crate::constraints::{Constraint, Record};
use crate::door::Declaration;
use crate::ids::HostId;
use crate::units::{Bytes, Nanos};

/// Numbers by host.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    vram: Vec<Bytes>,
    ram: Vec<Bytes>,
    context_tokens: Vec<u32>,
    cost_cents_per_hour: Vec<u32>,
    /// 0 where nothing is known yet: no limit is shorter.
    ttft: Vec<Nanos>,
    /// The highest value where nothing is known yet: no limit is above it.
    answered_permille: Vec<u16>,
}

impl Columns {
    pub(super) fn declare(&mut self, host: HostId, declared: &Declaration) {
        write(&mut self.vram, host, declared.memory);
        write(&mut self.ram, host, declared.ram);
        write(&mut self.context_tokens, host, declared.context_tokens);
        write(&mut self.cost_cents_per_hour, host, declared.cost_cents_per_hour);
    }

    pub(super) fn learn(&mut self, host: HostId, record: Record) {
        write(&mut self.ttft, host, record.ttft.unwrap_or(Nanos::ZERO));
        write(&mut self.answered_permille, host, record.answered_permille.unwrap_or(u16::MAX));
    }

    /// Whether a constraint on a number holds.
    #[inline]
    pub(super) fn hold(&self, constraint: &Constraint, host: HostId) -> bool {
        let at = host.index();
        match constraint {
            Constraint::VramMin(least) => self.vram[at] >= *least,
            Constraint::RamMin(least) => self.ram[at] >= *least,
            Constraint::ContextMin(least) => u64::from(self.context_tokens[at]) >= least.0,
            // 0 is not known.
            Constraint::CostCentsPerHourMax(most) => (1..=*most).contains(&self.cost_cents_per_hour[at]),
            Constraint::TtftMax(most) => self.ttft[at] <= *most,
            Constraint::ReliabilityPermilleMin(least) => self.answered_permille[at] >= *least,
            _ => unreachable!("{constraint:?} is on names"),
        }
    }
}

fn write<T: Clone + Default>(column: &mut Vec<T>, host: HostId, value: T) {
    if host.index() >= column.len() {
        column.resize(host.index() + 1, T::default());
    }
    column[host.index()] = value;
}
