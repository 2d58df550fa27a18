//! v0.24: as few GPUs as can take all layers, filled from the last layer to the first.

use control::units::Bytes;

use super::{Demand, NoFit, Placement, RESERVE, RESERVE_METAL, Room, Share, Sizes, Space};
use crate::spec::{Runner, Version};

/// Steps in the search for the smallest share of the free memory that is enough (Ollama: floats, to 1e-6).
const CAPACITY: u64 = 1 << 20;
/// More than any memory: what `num_gpu` asks for is laid out even where it cannot fit.
const CAPACITY_FORCED: u64 = 1000 * CAPACITY;

/// A GPU during the layout.
#[derive(Clone, Copy)]
struct Candidate {
    index: usize,
    free: u64,
    discrete: bool,
}

pub(super) fn place(demand: &Demand<'_>, space: &Space<'_>, sizes: &Sizes) -> Result<Placement, NoFit> {
    let runner = demand.model.runner(Version::V0_24);
    let gpus = if demand.num_gpu == Some(0) { &[] } else { space.gpus };
    let all = sizes.layers.len();
    let metal = gpus.first().is_some_and(|gpu| gpu.metal);
    let graph_partial = if metal { sizes.graph_full } else { sizes.graph_partial };
    let spare = if runner == Runner::Llamarunner { sizes.block + sizes.kv_first } else { 0 };

    let mut candidates: Vec<Candidate> = gpus
        .iter()
        .enumerate()
        .map(|(index, gpu)| Candidate {
            index,
            free: room(gpu, space.overhead, spare + graph_partial.max(sizes.graph_full)),
            discrete: gpu.discrete || space.spread || demand.num_gpu.is_some(),
        })
        .collect();
    candidates.sort_by_key(|gpu| (!gpus[gpu.index].discrete, u64::MAX - gpu.free, gpu.index));

    let wanted = demand.num_gpu.map(|layers| layers as usize);
    let (counts, last) = assign(&sizes.layers, &candidates, wanted, space);
    let placed: usize = counts.iter().sum();

    let graph = if placed < all { graph_partial } else { sizes.graph_full };
    let mut placement = Placement { gpus: vec![Share::default(); space.gpus.len()], ..Placement::default() };
    // Layers go out from the last one on, to the last GPU of the list first.
    let mut end = last;
    for (candidate, &count) in candidates.iter().zip(&counts).rev() {
        if count == 0 {
            continue;
        }
        let bytes: u64 = sizes.layers[end - count..end].iter().sum();
        end -= count;
        if bytes > candidate.free {
            // `num_gpu` asked for more than there is: the allocation fails.
            return Err(if space.sole { NoFit::OutOfMemory } else { NoFit::Evict });
        }
        placement.gpus[candidate.index] = Share { bytes: Bytes(bytes + graph), layers: count as u32 };
        placement.vram += Bytes(bytes + graph);
    }
    let on_cpu: u64 = sizes.layers[..end].iter().chain(&sizes.layers[last..]).sum();
    let own = match runner {
        // Its estimate has never counted the input embeddings, nor a graph on the CPU.
        Runner::Llamarunner => 0,
        Runner::Ollamarunner => sizes.input + if placed < all { demand.graph.0 } else { 0 },
    };
    placement.cpu = Bytes(on_cpu + own);
    placement.layers_cpu = (all - placed) as u32;
    placement.kv = Bytes(sizes.kv);
    placement.total = placement.vram + placement.cpu;

    let partly = !gpus.is_empty() && placed < all && wanted.is_none_or(|layers| placed < layers);
    if !space.sole && (partly || placement.cpu > space.ram) {
        return Err(NoFit::Evict);
    }
    if placement.cpu > space.ram {
        return Err(NoFit::OutOfMemory);
    }
    Ok(placement)
}

/// What a GPU has for layers.
fn room(gpu: &Room, overhead: Bytes, graph: u64) -> u64 {
    let reserve = if gpu.metal { RESERVE_METAL } else { RESERVE };
    gpu.free.0.saturating_sub(reserve.0 + overhead.0 + graph)
}

/// Layers for each candidate, and the end of the layers that were tried (without the output layer where not all fit:
/// it goes to the CPU first).
fn assign(
    layers: &[u64],
    gpus: &[Candidate],
    wanted: Option<usize>,
    space: &Space<'_>,
) -> (Vec<usize>, usize) {
    let mut counts = vec![0; gpus.len()];
    if gpus.is_empty() {
        return (counts, layers.len());
    }
    for end in [layers.len(), layers.len() - 1] {
        let wanted = wanted.map(|layers| layers.min(end));
        let first = if space.spread { gpus.len() } else { 1 };
        for used in first..=gpus.len() {
            let forced = used == gpus.len() && space.sole;
            counts = best_fit(&layers[..end], &gpus[..used], wanted, forced);
            counts.resize(gpus.len(), 0);
            let placed: usize = counts.iter().sum();
            if placed == end || Some(placed) == wanted {
                break;
            }
        }
        if counts.iter().sum::<usize>() == layers.len() {
            return (counts, end);
        }
    }
    (counts, layers.len() - 1)
}

/// As many layers as fit, discrete GPUs first, in each group with the smallest share of memory that does it: so that
/// several GPUs are filled evenly.
fn best_fit(mut layers: &[u64], gpus: &[Candidate], mut wanted: Option<usize>, forced: bool) -> Vec<usize> {
    let mut counts = Vec::with_capacity(gpus.len());
    for group in gpus.chunk_by(|a, b| a.discrete == b.discrete) {
        let mut high = if wanted.is_some() && forced { CAPACITY_FORCED } else { CAPACITY };
        let mut low = 0;
        let mut best = greedy(layers, group, high, wanted);
        let most: usize = best.iter().sum();
        while high - low > 1 {
            let middle = low.midpoint(high);
            let counts = greedy(layers, group, middle, wanted);
            if counts.iter().sum::<usize>() == most {
                high = middle;
                best = counts;
            } else {
                low = middle;
            }
        }
        layers = &layers[..layers.len() - most];
        wanted = wanted.map(|layers| layers - most);
        counts.extend(best);
    }
    counts
}

/// Fills GPUs from the last of the list to the first with layers from the last to the first.
fn greedy(layers: &[u64], gpus: &[Candidate], capacity: u64, wanted: Option<usize>) -> Vec<usize> {
    let share = |gpu: &Candidate| (u128::from(gpu.free) * u128::from(capacity) / u128::from(CAPACITY)) as u64;
    let mut counts = vec![0; gpus.len()];
    let mut device = gpus.len() - 1;
    let mut free = share(&gpus[device]);
    for (placed, &layer) in layers.iter().rev().enumerate() {
        if wanted.is_some_and(|layers| placed >= layers) {
            break;
        }
        while layer > free {
            if device == 0 {
                return counts;
            }
            device -= 1;
            free = share(&gpus[device]);
        }
        counts[device] += 1;
        free -= layer;
    }
    counts
}
