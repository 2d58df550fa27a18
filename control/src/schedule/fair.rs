//! What fair schedulers know of tenants: who waits, what each weighs, and a number for each.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::WEIGHT_NORMAL;
use crate::ids::TenantId;

/// By tenant: requests in the queue, and a number that the scheduler gives a meaning to.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    tenants: Vec<Tenant>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Tenant {
    pub(super) queued: u64,
    pub(super) value: i64,
    /// Not part of the memory: the config says it again.
    pub(super) weight: i64,
}

impl Default for Tenant {
    fn default() -> Self {
        Self { queued: 0, value: 0, weight: WEIGHT_NORMAL.into() }
    }
}

impl Tenants {
    pub(super) fn restore(memory: &[u64]) -> Self {
        let pairs = memory.chunks_exact(2);
        let tenant = |pair: &[u64]| Tenant { queued: pair[0], value: pair[1] as i64, ..Tenant::default() };
        Self { tenants: pairs.map(tenant).collect() }
    }

    pub(super) fn memory(&self) -> impl Iterator<Item = u64> + '_ {
        self.tenants.iter().flat_map(|tenant| [tenant.queued, tenant.value as u64])
    }

    pub(super) fn get(&self, tenant: u32) -> Tenant {
        self.tenants.get(tenant as usize).copied().unwrap_or_default()
    }

    pub(super) fn of(&mut self, tenant: TenantId) -> &mut Tenant {
        if tenant.index() >= self.tenants.len() {
            self.tenants.resize(tenant.index() + 1, Tenant::default());
        }
        &mut self.tenants[tenant.index()]
    }

    /// Sets who waits; gives those who did not before, and those who no longer do, each in order of id.
    pub(super) fn resume(&mut self, queued: &BTreeMap<TenantId, u64>) -> (Vec<TenantId>, Vec<TenantId>) {
        let (mut came, mut left) = (Vec::new(), Vec::new());
        if let Some((last, _)) = queued.last_key_value() {
            self.of(*last);
        }
        for (tenant, id) in self.tenants.iter_mut().zip((0..).map(TenantId)) {
            let before = core::mem::replace(&mut tenant.queued, queued.get(&id).copied().unwrap_or(0));
            match (before, tenant.queued) {
                (0, 1..) => came.push(id),
                (1.., 0) => left.push(id),
                _ => {}
            }
        }
        (came, left)
    }

    /// Those with requests in the queue.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter().filter(|tenant| tenant.queued > 0)
    }
}
