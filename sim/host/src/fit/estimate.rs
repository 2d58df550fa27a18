//! v0.10: nothing is allocated to find out; a formula decides.
//!
//! A GPU is usable with overhead, graph, reserve and two layers free. The first single GPU that takes everything, else all
//! of them; block i goes to GPU i mod n.

use control::units::Bytes;

use super::{Demand, NoFit, Placement, RESERVE, RESERVE_METAL, Room, Share, Sizes, Space};

pub(super) fn place(demand: &Demand<'_>, space: &Space<'_>, sizes: &Sizes) -> Result<Placement, NoFit> {
    let count = space.gpus.len();
    if count == 0 || demand.num_gpu == Some(0) {
        let total = Bytes(sizes.layers.iter().sum::<u64>() + sizes.graph_full);
        let placement = Placement {
            gpus: vec![Share::default(); count],
            layers_cpu: sizes.layers.len() as u32,
            kv: Bytes(sizes.kv),
            cpu: total,
            vram: Bytes::ZERO,
            total,
        };
        return within_ram(placement, space);
    }
    let mut sorted: Vec<usize> = (0..count).collect();
    sorted.sort_by_key(|&index| (!space.gpus[index].discrete, u64::MAX - space.gpus[index].free.0, index));
    let wanted = demand.num_gpu.map_or(sizes.layers.len(), |layers| layers as usize);
    let full = |placement: &Placement| placement.layers_gpu() as usize >= wanted;
    if !space.spread {
        for &index in &sorted {
            let placement = estimate(demand, space, sizes, &[index]);
            if full(&placement) {
                return within_ram(placement, space);
            }
        }
    }
    let placement = estimate(demand, space, sizes, &sorted);
    if !space.sole && !full(&placement) {
        return Err(NoFit::Evict);
    }
    within_ram(placement, space)
}

fn within_ram(placement: Placement, space: &Space<'_>) -> Result<Placement, NoFit> {
    if placement.cpu <= space.ram {
        Ok(placement)
    } else if space.sole {
        Err(NoFit::OutOfMemory)
    } else {
        Err(NoFit::Evict)
    }
}

fn reserve(gpu: &Room) -> u64 {
    if gpu.metal { RESERVE_METAL.0 } else { RESERVE.0 }
}

fn estimate(demand: &Demand<'_>, space: &Space<'_>, sizes: &Sizes, among: &[usize]) -> Placement {
    let blocks = sizes.layers.len() - 1;
    let metal = space.gpus[among[0]].metal;
    let partial = if metal { sizes.graph_full } else { sizes.graph_partial };
    let full = if among.len() > 1 { partial } else { sizes.graph_full };
    let graph = partial.max(full);
    let overhead = space.overhead.0;
    let first = sizes.block + sizes.kv_first;

    let mut bytes = vec![0; space.gpus.len()];
    let mut layers = vec![0; space.gpus.len()];
    let mut usable: Vec<usize> = Vec::new();
    for &index in among {
        let gpu = &space.gpus[index];
        if gpu.free.0 >= overhead + graph + reserve(gpu) + 2 * first {
            usable.push(index);
            bytes[index] = reserve(gpu) + first;
        }
    }
    let mut placed = 0;
    let mut overflow = 0;
    for block in (0..blocks).rev() {
        let size = sizes.layers[block];
        if demand.num_gpu.is_some_and(|layers| placed >= layers) {
            overflow += size;
            continue;
        }
        let mut fits = false;
        while !usable.is_empty() && !fits {
            let at = block % usable.len();
            let index = usable[at];
            fits = space.gpus[index].free.0 > overhead + bytes[index] + graph + size;
            if fits {
                bytes[index] += size;
                layers[index] += 1;
                placed += 1;
            } else {
                usable.remove(at);
            }
        }
        if !fits {
            overflow += size;
        }
    }
    let output = sizes.layers[blocks];
    let mut complete = placed as usize == blocks;
    if demand.num_gpu.is_none_or(|layers| placed < layers) {
        for among in (1..=usable.len()).rev() {
            let index = usable[placed as usize % among];
            if space.gpus[index].free.0 > overhead + bytes[index] + graph + output {
                bytes[index] += output;
                layers[index] += 1;
                placed += 1;
                break;
            }
        }
    }
    if placed as usize <= blocks {
        complete = false;
        overflow += output;
    }
    let mut placement = Placement { kv: Bytes(sizes.kv), cpu: Bytes(overflow), ..Placement::default() };
    for (&layers, &bytes) in layers.iter().zip(&bytes) {
        let bytes = if layers == 0 { 0 } else { bytes + if complete { full } else { partial } };
        placement.gpus.push(Share { bytes: Bytes(bytes), layers });
        placement.vram += Bytes(bytes);
    }
    placement.layers_cpu = sizes.layers.len() as u32 - placed;
    placement.total = placement.vram + placement.cpu;
    placement
}
