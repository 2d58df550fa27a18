//! What transfers moved, by link, by model and over time, in memory that does not grow with the length of the run.
//!
//! A transfer is counted once, with the whole bytes that it moved by its end, on every link of its route. Layers come in the order of
//! the manifest, weights first: so of a transfer that broke off, what it moved is weights as far as these go. Over time what was
//! moved is asked of the network at the edges of bins, of which there are [`BINS_MAX`] at most: when these are full, neighbours
//! become one.

use std::collections::BTreeMap;

use control::ids::ModelId;
use control::units::{Bytes, Instant, Nanos};
use traces::traffic::{LayerBytes, ModelTraffic, Traffic, TrafficBin};

use super::Transfer;
use crate::network::{FlowId, LinkId, Network};

/// Bins kept at most; even.
const BINS_MAX: usize = 256;

/// Length of a bin at first.
const BIN: Nanos = Nanos::from_secs(1);

/// The transfers under way.
pub(super) type UnderWay = BTreeMap<FlowId, Transfer>;

/// Counts of what was moved.
#[derive(Debug)]
pub(super) struct Meter {
    /// Bytes of transfers that are over, by link.
    links: Vec<u64>,
    /// Transfers that are over, and what they moved.
    models: BTreeMap<ModelId, (u64, LayerBytes)>,
    /// Bytes of transfers that are over, by way.
    ways: [u64; 3],
    bin: Nanos,
    bins: Vec<TrafficBin>,
    /// The bin that time is in, without its bytes.
    open: TrafficBin,
    /// Bytes by way at the beginning of that bin.
    before: [u64; 3],
    now: Instant,
}

impl Meter {
    pub(super) fn new(links_len: usize) -> Self {
        Self {
            links: vec![0; links_len],
            models: BTreeMap::new(),
            ways: [0; 3],
            bin: BIN,
            bins: Vec::new(),
            open: TrafficBin::default(),
            before: [0; 3],
            now: Instant::ZERO,
        }
    }

    /// Time goes on to `now` with the same transfers at the same rates: to be called before anything of them changes.
    pub(super) fn advance(&mut self, now: Instant, network: &Network, under_way: &UnderWay) {
        while self.edge() <= now {
            let edge = self.edge();
            self.pass(edge, under_way.len());
            self.close(self.moved_by(edge, network, under_way));
        }
        self.pass(now, under_way.len());
    }

    /// When the bin that time is in ends.
    fn edge(&self) -> Instant {
        Instant(self.bin.0.saturating_mul(self.bins.len() as u64 + 1))
    }

    fn pass(&mut self, now: Instant, under_way: usize) {
        let span = now.since(self.now).0;
        if span > 0 {
            self.open.under_way_nanos += u128::from(span) * under_way as u128;
            self.open.under_way_max = self.open.under_way_max.max(under_way as u32);
            self.now = now;
        }
    }

    fn moved_by(&self, at: Instant, network: &Network, under_way: &UnderWay) -> [u64; 3] {
        let mut moved = self.ways;
        for (flow, transfer) in under_way {
            // Without a flow it has ended at this very time, and is counted by whoever ends it.
            moved[transfer.way() as usize] += network.moved(at, *flow).map_or(0, |bytes| bytes.0);
        }
        moved
    }

    fn close(&mut self, moved: [u64; 3]) {
        let bytes = [0, 1, 2].map(|way| moved[way] - self.before[way]);
        self.before = moved;
        self.bins.push(TrafficBin { bytes, ..std::mem::take(&mut self.open) });
        if self.bins.len() == BINS_MAX {
            self.bins = self.bins.chunks(2).map(|pair| pair[0].with(pair[1])).collect();
            self.bin = Nanos(self.bin.0 * 2);
        }
    }

    /// A transfer is over, having moved this much.
    pub(super) fn count(&mut self, transfer: &Transfer, moved: Bytes) {
        self.ways[transfer.way() as usize] += moved.0;
        for &link in transfer.route.links() {
            self.links[link as usize] += moved.0;
        }
        let (transfers, bytes) = self.models.entry(transfer.action.model).or_default();
        *transfers += 1;
        let weights = moved.min(transfer.weights);
        bytes.weights += weights.0;
        bytes.small += (moved - weights).0;
    }

    /// What a link carried for transfers that are over.
    pub(super) fn carried(&self, link: LinkId) -> u64 {
        self.links[link.0 as usize]
    }

    /// All but the links, at the end of the run, to which time has gone on and when all transfers are over.
    pub(super) fn finish(mut self) -> Traffic {
        if self.now > Instant(self.bin.0 * self.bins.len() as u64) {
            self.close(self.ways);
        }
        let model = |(model, (transfers, bytes)): (ModelId, _)| ModelTraffic { model, transfers, bytes };
        Traffic {
            links: Vec::new(),
            models: self.models.into_iter().map(model).collect(),
            bin: self.bin,
            bins: self.bins,
            until: self.now,
        }
    }
}

#[cfg(test)]
mod tests;
