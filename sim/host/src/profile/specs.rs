//! GPUs, models and measured profiles with their sources, as Markdown, for `herder profiles specs` and `docs/profiles.md`.

use std::fmt::Write as _;

use crate::profile::catalogue::Catalogue;
use crate::spec::{GpuSpec, ModelSpec, Profile};

const GPU_HEADINGS: &[&str] =
    &["GPU", "GiB", "GB/s", "16-bit TFLOP/s", "W at most", "W idle", "source", "assumed"];
const MODEL_HEADINGS: &[&str] = &[
    "model",
    "quantisation",
    "10⁹ parameters",
    "active",
    "GB",
    "layers",
    "heads / KV × width",
    "experts",
    "context",
    "source",
    "assumed",
];
const MEASURED_HEADINGS: &[&str] = &["GPU", "model", "measured with", "its own assumptions"];

impl Catalogue {
    /// All GPUs, all models and all measured profiles: a Markdown table each.
    #[must_use]
    pub fn render_specs(&self) -> String {
        let mut text = String::new();
        table(&mut text, "GPUs", GPU_HEADINGS, self.gpus().map(|gpu| gpu_cells(gpu)));
        table(&mut text, "Models", MODEL_HEADINGS, self.models().map(|model| model_cells(model)));
        let measured = self.profiles().filter_map(|profile| measured_cells(profile));
        table(&mut text, "Measured profiles", MEASURED_HEADINGS, measured);
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

fn table(text: &mut String, title: &str, headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<String> = rows.map(|cells| line(cells.iter().map(String::as_str))).collect();
    writeln!(
        text,
        "### {title} ({})\n\n{}\n{}",
        rows.len(),
        line(headings.iter().copied()),
        line(headings.iter().map(|_| "---"))
    )
    .expect("writing to a string cannot fail");
    for row in rows {
        text.push_str(&row);
        text.push('\n');
    }
    text.push('\n');
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<&str> = cells.collect();
    format!("| {} |", cells.join(" | "))
}

fn gpu_cells(gpu: &GpuSpec) -> Vec<String> {
    let watts = |watts: Option<u32>| watts.map(|watts| watts.to_string()).unwrap_or_default();
    vec![
        gpu.name.clone(),
        tenths(gpu.memory_bytes, 1 << 30),
        tenths(gpu.bandwidth_bytes_per_second, 1_000_000_000),
        tenths(gpu.flops, 1_000_000_000_000),
        watts(gpu.watts_max),
        watts(gpu.watts_idle),
        gpu.source.clone(),
        gpu.assumed.join(", "),
    ]
}

fn model_cells(model: &ModelSpec) -> Vec<String> {
    let experts = match model.experts {
        0 => String::new(),
        experts => format!("{} of {experts}", model.experts_active),
    };
    vec![
        model.name.clone(),
        model.quantisation.clone(),
        tenths(model.parameters, 1_000_000_000),
        tenths(model.parameters_active, 1_000_000_000),
        tenths(model.weights_bytes, 1_000_000_000),
        model.layers.to_string(),
        format!("{} / {} × {}", model.heads, model.kv_heads, model.head_dim),
        experts,
        model.context_max.to_string(),
        model.source.clone(),
        model.assumed.join(", "),
    ]
}

/// Nothing for a profile that is a formula.
fn measured_cells(profile: &Profile) -> Option<Vec<String>> {
    let source = profile.source.strip_prefix("measured with ")?;
    let own = profile.assumed.iter().filter(|text| text.contains(" = ") || text.contains(": "));
    let own: Vec<&str> = own.map(String::as_str).filter(|text| !is_of_the_gpu(text)).collect();
    Some(vec![profile.gpu.name.clone(), profile.model.name.clone(), source.to_owned(), own.join("; ")])
}

/// Whether every profile of a GPU assumes it.
fn is_of_the_gpu(text: &str) -> bool {
    const NAMES: &[&str] = &[
        "assumed_request_overhead_nanos ",
        "assumed_load_fixed_nanos ",
        "assumed_disk_bytes_per_second ",
        "assumed_page_cache_bytes_per_second ",
        "assumed_graph_bytes ",
        "assumed_cpu_costs ",
    ];
    NAMES.iter().any(|name| text.starts_with(name))
}

/// With one decimal, or without where it is 0; half up.
fn tenths(value: u64, unit: u64) -> String {
    let tenths = (u128::from(value) * 10 + u128::from(unit) / 2) / u128::from(unit);
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_one_decimal_at_most() {
        assert_eq!(
            [tenths(8_030_261_248, 1_000_000_000), tenths(3 << 30, 1 << 30), tenths(49, 1_000)],
            ["8", "3", "0"]
        );
        assert_eq!(tenths(1_555, 10), "155.5");
    }

    #[test]
    fn the_documentation_has_what_the_command_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/profiles.md");
        let page = std::fs::read_to_string(path).expect("docs/profiles.md");
        let printed = Catalogue::builtin().render_specs();
        assert!(page.contains(&printed), "docs/profiles.md differs: docs/profiles.sh writes it anew");
    }
}
