//! Profile files: TOML as typed, and the checks that make it safe to use.
//!
//! A file holds any of `[[gpu]]`, `[[efficiency]]`, `[[model]]`, `[[weights]]` and `[[profile]]`; the built-in ones under
//! `sim/host/profiles` are read by the same code. Nothing here computes a cost.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use crate::costs::Costs;
use crate::profile::error::{ProfileError, Source};
use crate::profile::roofline::{Efficiency, Weights};
use crate::spec::{GpuSpec, ModelSpec};

/// The longest decode table that a file may ask for.
const SEQUENCES_MAX: u32 = 4096;

/// A file as typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) gpu: Vec<Spanned<GpuSpec>>,
    #[serde(default)]
    pub(super) efficiency: Vec<Spanned<Efficiency>>,
    #[serde(default)]
    pub(super) model: Vec<Spanned<ModelSpec>>,
    #[serde(default)]
    pub(super) weights: Vec<Spanned<Weights>>,
    #[serde(default)]
    pub(super) profile: Vec<ProfileEntry>,
}

/// A measured profile as typed. What is left out comes from the GPU's `[[efficiency]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileEntry {
    pub(super) gpu: Spanned<String>,
    pub(super) model: Spanned<String>,
    pub(super) engine: String,
    pub(super) source: String,
    pub(super) fit_error: String,
    pub(super) held_out: String,
    #[serde(default)]
    pub(super) assumed: Vec<String>,
    pub(super) request_overhead_nanos: Option<u64>,
    pub(super) load_fixed_nanos: Option<u64>,
    pub(super) disk_bytes_per_second: Option<Spanned<u64>>,
    pub(super) page_cache_bytes_per_second: Option<Spanned<u64>>,
    pub(super) graph_bytes: Option<u64>,
    pub(super) costs: Spanned<CostsEntry>,
}

/// A table of knots, each with its place in the file.
type Knots = Spanned<Vec<Spanned<Vec<u64>>>>;

/// Cost tables as typed: `decode` as knots too, linear between them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CostsEntry {
    decode: Knots,
    prefill: Knots,
    context: Spanned<u64>,
    window_context: Spanned<u64>,
    window: Spanned<u32>,
    span: Spanned<u64>,
    prefill_context: u64,
}

/// Reads a file and checks everything that does not need the rest of the catalogue.
pub(super) fn read(source: Source<'_>) -> Result<File, ProfileError> {
    let file: File = toml::from_str(source.text).map_err(|error| source.toml_error(&error))?;
    for gpu in &file.gpu {
        check_gpu(source, gpu.get_ref(), &gpu.span())?;
    }
    for efficiency in &file.efficiency {
        check_efficiency(source, efficiency.get_ref(), &efficiency.span())?;
    }
    for model in &file.model {
        check_model(source, model.get_ref(), &model.span())?;
    }
    for weights in &file.weights {
        let table = weights.span();
        positive(source, &table, "shared_bytes", weights.get_ref().shared_bytes)?;
    }
    for profile in &file.profile {
        for rate in
            [&profile.disk_bytes_per_second, &profile.page_cache_bytes_per_second].into_iter().flatten()
        {
            if *rate.get_ref() == 0 {
                return Err(source.error(rate.span().start, "0".to_owned(), "a positive rate".to_owned()));
            }
        }
    }
    Ok(file)
}

fn positive(source: Source<'_>, table: &Range<usize>, key: &str, value: u64) -> Result<(), ProfileError> {
    bounded(source, table, key, value, 1..=u64::MAX)
}

fn bounded(
    source: Source<'_>,
    table: &Range<usize>,
    key: &str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<(), ProfileError> {
    if range.contains(&value) {
        return Ok(());
    }
    let expected = if *range.end() == u64::MAX {
        format!("at least {}", range.start())
    } else if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{} to {}", range.start(), range.end())
    };
    Err(source.error(source.key(table, key), format!("{key} = {value}"), expected))
}

fn check_gpu(source: Source<'_>, gpu: &GpuSpec, table: &Range<usize>) -> Result<(), ProfileError> {
    positive(source, table, "memory_bytes", gpu.memory_bytes)?;
    positive(source, table, "bandwidth_bytes_per_second", gpu.bandwidth_bytes_per_second)?;
    positive(source, table, "flops", gpu.flops)?;
    let only = |given: &str, other: &str| {
        let found = format!("{given} without {other}");
        Err(source.error(source.key(table, given), found, "both or neither".to_owned()))
    };
    match (gpu.watts_max, gpu.watts_idle) {
        (Some(most), Some(idle)) => {
            positive(source, table, "watts_max", most.into())?;
            bounded(source, table, "watts_idle", idle.into(), 0..=most.into())
        }
        (None, None) => Ok(()),
        (Some(_), None) => only("watts_max", "watts_idle"),
        (None, Some(_)) => only("watts_idle", "watts_max"),
    }
}

fn check_efficiency(
    source: Source<'_>,
    efficiency: &Efficiency,
    table: &Range<usize>,
) -> Result<(), ProfileError> {
    for (key, value) in [
        ("bandwidth_permille", efficiency.bandwidth_permille),
        ("k_quant_bandwidth_permille", efficiency.k_quant_bandwidth_permille),
        ("kv_bandwidth_permille", efficiency.kv_bandwidth_permille),
        ("flops_permille", efficiency.flops_permille),
        ("expert_flops_permille", efficiency.expert_flops_permille),
        ("decode_flops_permille", efficiency.decode_flops_permille),
        ("attention_flops_permille", efficiency.attention_flops_permille),
    ] {
        bounded(source, table, key, value, 1..=1000)?;
    }
    if efficiency.sequence_permille > 0 {
        bounded(source, table, "sequence_permille", efficiency.sequence_permille, 500..=10_000)?;
    }
    positive(source, table, "disk_bytes_per_second", efficiency.disk_bytes_per_second)?;
    positive(source, table, "page_cache_bytes_per_second", efficiency.page_cache_bytes_per_second)
}

fn check_model(source: Source<'_>, model: &ModelSpec, table: &Range<usize>) -> Result<(), ProfileError> {
    let check = |key, value, range| bounded(source, table, key, value, range);
    check("parameters", model.parameters, 1..=u64::MAX)?;
    check("parameters_active", model.parameters_active, 1..=model.parameters)?;
    check("weights_bytes", model.weights_bytes, 1..=u64::MAX)?;
    check("layers", model.layers.into(), 1..=10_000)?;
    check("hidden", model.hidden.into(), 1..=1_000_000)?;
    check("heads", model.heads.into(), 1..=10_000)?;
    check("kv_heads", model.kv_heads.into(), 1..=model.heads.into())?;
    check("head_dim", model.head_dim.into(), 1..=100_000)?;
    check("vocabulary", model.vocabulary.into(), 1..=u64::from(u32::MAX))?;
    check("context_max", model.context_max.into(), 1..=u64::from(u32::MAX))?;
    if model.experts > 0 {
        check("experts_active", model.experts_active.into(), 1..=model.experts.into())?;
    } else {
        check("experts_active", model.experts_active.into(), 0..=0)?;
    }
    check("full_attention_layers", model.full_attention_layers.into(), 0..=model.layers.into())?;
    if model.full_attention_layers < model.layers {
        check("window", model.window.into(), 1..=u64::from(u32::MAX))
    } else {
        check("window", model.window.into(), 0..=0)
    }
}

/// The runtime tables of a profile, with decode knots filled in.
pub(super) fn costs(source: Source<'_>, entry: &CostsEntry) -> Result<Costs, ProfileError> {
    let decode = knots(source, &entry.decode, "sequences")?;
    let prefill = knots(source, &entry.prefill, "tokens")?;
    let last = decode[decode.len() - 1].0;
    if last > SEQUENCES_MAX {
        let at = entry.decode.get_ref()[decode.len() - 1].span().start;
        return Err(source.error(
            at,
            format!("{last} sequences"),
            format!("at most {SEQUENCES_MAX} sequences"),
        ));
    }
    let (context, span) = (*entry.context.get_ref(), *entry.span.get_ref());
    if context > 0 && span > 0 {
        let found = format!("span = {span} beside context = {context}");
        return Err(source.error(entry.span.span().start, found, "one of the two to be 0".to_owned()));
    }
    let (window, window_context) = (*entry.window.get_ref(), *entry.window_context.get_ref());
    if window == 0 && window_context > 0 {
        let found = format!("window_context = {window_context} without a window");
        let at = entry.window_context.span().start;
        return Err(source.error(at, found, "a positive `window`, or window_context = 0".to_owned()));
    }
    let mut table = vec![0];
    for pair in decode.windows(2) {
        let ((low, from), (high, to)) = (pair[0], pair[1]);
        table.extend((low..high).map(|sequences| {
            from + (u128::from(to - from) * u128::from(sequences - low) / u128::from(high - low)) as u64
        }));
    }
    table.push(decode[decode.len() - 1].1);
    Ok(Costs {
        decode: table,
        prefill,
        context,
        window_context,
        window,
        span,
        prefill_context: entry.prefill_context,
    })
}

/// Knots that start at 1, rise strictly, and whose costs are positive and do not fall.
fn knots(source: Source<'_>, knots: &Knots, unit: &str) -> Result<Vec<(u32, u64)>, ProfileError> {
    let mut checked: Vec<(u32, u64)> = Vec::new();
    for knot in knots.get_ref() {
        let pair = match knot.get_ref()[..] {
            [index, picos] => u32::try_from(index).ok().map(|index| (index, picos)),
            _ => None,
        };
        let Some((index, picos)) = pair else {
            let found = format!("{:?}", knot.get_ref());
            return Err(source.error(knot.span().start, found, format!("[{unit}, picoseconds]")));
        };
        let fault = match checked.last() {
            None if index != 1 => {
                Some((format!("the first knot at {index} {unit}"), format!("a knot at 1 {unit}")))
            }
            None if picos == 0 => Some(("0 picoseconds".to_owned(), "a positive cost".to_owned())),
            Some(&(before, _)) if index <= before => {
                Some((format!("{index} {unit} after {before}"), format!("more than {before} {unit}")))
            }
            Some(&(_, before)) if picos < before => {
                Some((format!("{picos} picoseconds after {before}"), "costs that do not fall".to_owned()))
            }
            _ => None,
        };
        if let Some((found, expected)) = fault {
            return Err(source.error(knot.span().start, found, expected));
        }
        checked.push((index, picos));
    }
    if checked.is_empty() {
        let expected = format!("[[1, picoseconds], …] by {unit}");
        return Err(source.error(knots.span().start, "an empty table".to_owned(), expected));
    }
    Ok(checked)
}
