//! Costs of a model whose layers are partly on GPUs and partly on the CPU: each step passes through all of them, one
//! after the other, so the costs add up by the share of layers.

use crate::costs::Costs;

/// `on_gpu` of `layers` layers at the GPU's costs, the rest at the CPU's; rounded down.
pub(super) fn mix(gpu: &Costs, cpu: &Costs, on_gpu: u32, layers: u32) -> Costs {
    let (layers, on_gpu) = (u128::from(layers.max(1)), u128::from(on_gpu));
    let share = |gpu: u64, cpu: u64| {
        ((u128::from(gpu) * on_gpu + u128::from(cpu) * (layers - on_gpu)) / layers) as u64
    };
    let sequences = gpu.decode.len().max(cpu.decode.len());
    let decode = (0..sequences).map(|d| share(decode(gpu, d), decode(cpu, d))).collect();
    let mut tokens: Vec<u32> = gpu.prefill.iter().chain(&cpu.prefill).map(|knot| knot.0).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let prefill = tokens.into_iter().map(|t| (t, share(prefill(gpu, t), prefill(cpu, t)))).collect();
    Costs {
        decode,
        prefill,
        context: share(gpu.context, cpu.context),
        window_context: share(gpu.window_context, cpu.window_context),
        window: gpu.window,
        span: share(gpu.span, cpu.span),
        prefill_context: share(gpu.prefill_context, cpu.prefill_context),
    }
}

/// Entry of a decode table; past its end the last difference goes on.
fn decode(costs: &Costs, sequences: usize) -> u64 {
    let table = &costs.decode;
    let Some(last) = table.len().checked_sub(1) else { return 0 };
    if sequences <= last {
        return table[sequences];
    }
    let slope = if last == 0 { 0 } else { table[last] - table[last - 1] };
    table[last] + slope * (sequences - last) as u64
}

/// Cost between knots, linear, rounded down; past the last its slope goes on, before the first it is the first's.
fn prefill(costs: &Costs, tokens: u32) -> u64 {
    let knots = &costs.prefill;
    let at = knots.partition_point(|knot| knot.0 <= tokens);
    let (low, high) = match (at, knots.len()) {
        (_, 0) => return 0,
        (_, 1) | (0, _) => return knots[0].1,
        (at, len) if at == len => (knots[len - 2], knots[len - 1]),
        (at, _) => (knots[at - 1], knots[at]),
    };
    let rise = u128::from(high.1 - low.1) * u128::from(tokens - low.0) / u128::from(high.0 - low.0);
    low.1 + rise as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(decode: &[u64], prefill: &[(u32, u64)], context: u64) -> Costs {
        Costs {
            decode: decode.to_vec(),
            prefill: prefill.to_vec(),
            context,
            window_context: 0,
            window: 0,
            span: 0,
            prefill_context: 0,
        }
    }

    #[test]
    fn costs_mix_by_share_of_layers() {
        let gpu = costs(&[0, 100, 110], &[(1, 100), (512, 1122)], 4);
        let cpu = costs(&[0, 1000], &[(1, 1000), (256, 3550)], 40);
        let mixed = mix(&gpu, &cpu, 3, 4);
        assert_eq!(mixed.decode, vec![0, 325, (3 * 110 + 2000) / 4]);
        assert_eq!(mixed.prefill.iter().map(|knot| knot.0).collect::<Vec<_>>(), vec![1, 256, 512]);
        assert_eq!(mixed.prefill[1].1, (3 * (100 + 510) + 3550) / 4);
        assert_eq!(mixed.prefill[2].1, (3 * 1122 + 3550 + 2560) / 4);
        assert_eq!(mixed.context, (12 + 40) / 4);
        assert_eq!(mix(&gpu, &cpu, 4, 4).decode, gpu.decode.clone());
    }
}
