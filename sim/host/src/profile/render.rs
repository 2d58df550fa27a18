//! The catalogue as text, for `herder profiles list` and `herder profiles show`.

use std::fmt::Write as _;

use crate::profile::catalogue::Catalogue;
use crate::profile::error::ProfileError;
use crate::profile::tables::{decode_picos, prefill_picos};
use crate::spec::{Profile, Version};

const PICOS_PER_MILLISECOND: u64 = 1_000_000_000;
const HEADINGS: [&str; 10] = [
    "gpu",
    "model",
    "quant",
    "runner",
    "decode ms @1",
    "@4",
    "@16",
    "prefill tok/s @512",
    "load s",
    "source",
];

impl Catalogue {
    /// All profiles as a table with a line of headings: decode in milliseconds a step with 1, 4 and 16 sequences and
    /// prefill in tokens per second with 512 in a batch, contexts aside; load in seconds from local disk.
    #[must_use]
    pub fn render_list(&self) -> String {
        let mut rows: Vec<[String; 10]> = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.profiles().map(|profile| row(profile)));
        let mut widths = [0; 10];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in &rows {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
                let number = (4..9).contains(&index);
                let padded = if number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                line.push_str(&padded);
                line.push_str("  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// One profile in full, with its sources and everything that was guessed.
    ///
    /// # Errors
    /// As [`Catalogue::find`].
    pub fn render_show(&self, gpu_name: &str, model_name: &str) -> Result<String, ProfileError> {
        let profile = self.find(gpu_name, model_name)?;
        let mut text = String::new();
        write_profile(&mut text, &profile).expect("writing to a string cannot fail");
        Ok(text)
    }
}

fn row(profile: &Profile) -> [String; 10] {
    let decode = |sequences| millis(decode_picos(&profile.costs, sequences));
    let kind = profile.source.split([':', ';']).next().unwrap_or_default();
    let guesses = match profile.assumed.len() {
        0 => String::new(),
        count => format!(", {count} assumed"),
    };
    [
        profile.gpu.name.clone(),
        profile.model.name.clone(),
        profile.model.quantisation.clone(),
        format!("{:?}", profile.model.runner(Version::default())).to_lowercase(),
        decode(1),
        decode(4),
        decode(16),
        per_second(512, prefill_picos(&profile.costs, 512)),
        seconds(profile),
        format!("{kind}{guesses}"),
    ]
}

fn write_profile(text: &mut String, profile: &Profile) -> std::fmt::Result {
    let (gpu, model, costs) = (&profile.gpu, &profile.model, &profile.costs);
    let runner = format!("{:?}", model.runner(Version::default())).to_lowercase();
    writeln!(text, "{} on {}", model.name, gpu.name)?;
    writeln!(
        text,
        "  model     {} {}, {} bytes, {runner}",
        model.family, model.quantisation, model.weights_bytes
    )?;
    writeln!(
        text,
        "            {} parameters, {} active; {} layers ({} with full attention, window {}), hidden {}, heads {}/{} × {}",
        model.parameters,
        model.parameters_active,
        model.layers,
        model.full_attention_layers,
        model.window,
        model.hidden,
        model.heads,
        model.kv_heads,
        model.head_dim
    )?;
    if model.experts > 0 {
        writeln!(text, "            {} of {} experts for a token", model.experts_active, model.experts)?;
    }
    writeln!(text, "            source: {}", model.source)?;
    writeln!(
        text,
        "  gpu       {} bytes, {} bytes/s, {} operations/s",
        gpu.memory_bytes, gpu.bandwidth_bytes_per_second, gpu.flops
    )?;
    writeln!(text, "            source: {}", gpu.source)?;
    writeln!(
        text,
        "  load      {} s from disk ({} ns, then {} bytes/s; {} bytes/s from the page cache)",
        seconds(profile),
        profile.load_fixed_nanos,
        profile.disk_bytes_per_second,
        profile.page_cache_bytes_per_second
    )?;
    writeln!(text, "  request   {} ns outside the slots", profile.request_overhead_nanos)?;
    writeln!(text, "  decode    sequences: ms a step, contexts aside")?;
    for sequences in [1, 2, 4, 8, 16, 32, 64, 128, 256] {
        writeln!(text, "            {sequences:>6}: {}", millis(decode_picos(costs, sequences)))?;
    }
    writeln!(text, "  prefill   tokens in a batch: ms a step, tokens/s, contexts aside")?;
    for &(tokens, picos) in &costs.prefill {
        writeln!(text, "            {tokens:>6}: {}, {}", millis(picos), per_second(tokens, picos))?;
    }
    writeln!(text, "  context   {} ps for each token of context of a decoding sequence", costs.context)?;
    writeln!(text, "  window    {} ps for each inside the window of {}", costs.window_context, costs.window)?;
    writeln!(text, "  span      {} ps for each 256 cache cells in use", costs.span)?;
    writeln!(
        text,
        "  pairs     {} ps for each pair of a prompt token and one it attends to",
        costs.prefill_context
    )?;
    writeln!(text, "  graph     {} bytes", profile.graph_bytes)?;
    writeln!(text, "  source    {}", profile.source)?;
    writeln!(text, "  assumed   {} figures", profile.assumed.len())?;
    for assumed in &profile.assumed {
        writeln!(text, "            {assumed}")?;
    }
    Ok(())
}

/// Milliseconds with two decimals.
fn millis(picos: u64) -> String {
    let hundredths = picos / (PICOS_PER_MILLISECOND / 100);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn per_second(tokens: u32, picos: u64) -> String {
    (u128::from(tokens) * 1_000_000_000_000 / u128::from(picos.max(1))).to_string()
}

/// Seconds that a load from local disk takes, with one decimal.
fn seconds(profile: &Profile) -> String {
    let read =
        u128::from(profile.model.weights_bytes) * 1_000_000_000 / u128::from(profile.disk_bytes_per_second);
    let tenths = (u128::from(profile.load_fixed_nanos) + read) / 100_000_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}
