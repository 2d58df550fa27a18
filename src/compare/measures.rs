//! What is measured of a run, a number each.

use reports::number::Figure;
use reports::summary::Summary;

/// A number of a run.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name in files and on the command line.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Its unit; empty for counts.
    pub unit: &'static str,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// The number; nothing where the run has none, infinite where it has no bound.
    pub of: fn(&Summary) -> Option<f64>,
}

impl Measure {
    /// Its name with its unit.
    #[must_use]
    pub fn label(&self) -> String {
        if self.unit.is_empty() { self.name.to_owned() } else { format!("{} [{}]", self.name, self.unit) }
    }

    /// Which way is better.
    #[must_use]
    pub const fn direction(&self) -> &'static str {
        if self.more_is_better { "more is better" } else { "less is better" }
    }
}

/// The measure of that name.
///
/// # Errors
/// What was found and what was expected.
pub fn named(key: &str) -> Result<usize, String> {
    find(key).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|measure| measure.key).collect();
        format!("found {key:?}, expected one of {}", known.join(", "))
    })
}

const JOULES_PER_KWH: f64 = 3_600_000.0;

/// All of them, in the order in which they are told.
pub const ALL: &[Measure] = &[
    less("ttft_mean_ms", "TTFT mean", "ms", |summary| summary.ttft_ms.mean),
    less("ttft_p50_ms", "TTFT p50", "ms", |summary| summary.ttft_ms.p50),
    less("ttft_p95_ms", "TTFT p95", "ms", |summary| summary.ttft_ms.p95),
    less("ttft_p99_ms", "TTFT p99", "ms", |summary| summary.ttft_ms.p99),
    less("ttft_p95_all_ms", "TTFT p95 of all arrivals", "ms", |summary| bounded(summary.ttft_ms.p95_all)),
    less("ttft_p99_all_ms", "TTFT p99 of all arrivals", "ms", |summary| bounded(summary.ttft_ms.p99_all)),
    less("tpot_p50_ms", "TPOT p50", "ms", |summary| summary.tpot_ms.p50),
    less("tpot_p99_ms", "TPOT p99", "ms", |summary| summary.tpot_ms.p99),
    less("tpot_p95_all_ms", "TPOT p95 of all arrivals", "ms", |summary| bounded(summary.tpot_ms.p95_all)),
    less("e2e_mean_ms", "end to end mean", "ms", |summary| summary.e2e_ms.mean),
    less("e2e_p99_ms", "end to end p99", "ms", |summary| summary.e2e_ms.p99),
    less("queue_wait_mean_ms", "queue wait mean", "ms", |summary| summary.queue_wait_ms.mean),
    more("goodput_percent", "goodput", "%", |summary| summary.goodput_share.map(|share| share * 100.0)),
    more("finished_percent", "finished", "%", |summary| {
        let requests = &summary.requests;
        (requests.arrived > 0).then(|| requests.finished as f64 * 100.0 / requests.arrived as f64)
    }),
    more("output_tokens_per_second", "output", "tokens/s", |summary| Some(summary.output_tokens_per_second)),
    less("gpu_busy_percent", "GPU busy", "%", |summary| summary.gpu_busy_share.map(|share| share * 100.0)),
    less("model_loads", "model loads", "", |summary| Some(summary.model_loads as f64)),
    less("evictions", "evictions", "", |summary| Some(summary.evictions as f64)),
    less("moved_gb", "moved", "GB", |summary| {
        let moved = summary.moved.as_ref()?;
        Some((moved.registry_bytes + moved.peer_bytes + moved.pushed_bytes + moved.lost_bytes) as f64 / 1e9)
    }),
    less("host_hours", "hosts on", "h", |summary| summary.host_hours.as_ref().map(|hours| hours.hours)),
    less("cost", "cost", "", |summary| summary.host_hours.as_ref()?.cost),
    less("energy_kwh", "energy", "kWh", |summary| Some(summary.energy.as_ref()?.kwh)),
    less("watts_mean", "power", "W", |summary| {
        let (kwh, seconds) = (summary.energy.as_ref()?.kwh, summary.simulated_seconds);
        (seconds > 0.0).then(|| kwh * JOULES_PER_KWH / seconds)
    }),
    less("joules_per_token", "energy a token", "J", |summary| summary.energy.as_ref()?.joules_per_token),
    more("goodput_per_kwh", "goodput a kWh", "/kWh", |summary| summary.energy.as_ref()?.goodput_per_kwh),
    less("energy_cost", "cost of energy", "", |summary| summary.energy.as_ref()?.cost),
];

fn bounded(figure: Option<Figure>) -> Option<f64> {
    figure.map(|figure| match figure {
        Figure::Finite(millis) => millis,
        Figure::Infinite => f64::INFINITY,
    })
}

const fn less(
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    of: fn(&Summary) -> Option<f64>,
) -> Measure {
    Measure { key, name, unit, more_is_better: false, of }
}

const fn more(
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    of: fn(&Summary) -> Option<f64>,
) -> Measure {
    Measure { more_is_better: true, ..less(key, name, unit, of) }
}

/// Those that are told unless all are asked for: the fewer are looked at, the less looks like something by chance.
pub const MAIN: &[&str] = &[
    "ttft_mean_ms",
    "ttft_p50_ms",
    "ttft_p99_ms",
    "tpot_p50_ms",
    "e2e_p99_ms",
    "goodput_percent",
    "finished_percent",
    "gpu_busy_percent",
    "model_loads",
    "cost",
];

/// The measure of that name.
#[must_use]
pub fn find(key: &str) -> Option<usize> {
    ALL.iter().position(|measure| measure.key == key)
}

/// A number as it stands in a file: nothing where there is none, `inf` or `-inf` where it has no bound, else as many digits as tell it from all others.
#[must_use]
pub fn number_text(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.to_owned(),
        Some(value) => format!("{value:?}"),
    }
}

/// To a millionth: so few digits come back from JSON as they went, so that what is made of a file is the same as what was made before it was written.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    const MILLION: f64 = 1e6;
    libm::round(value * MILLION) / MILLION
}

/// The number that stands in a file; nothing where none does.
///
/// # Errors
/// What was found.
pub fn number(text: &str) -> Result<Option<f64>, String> {
    match text {
        "" => Ok(None),
        "inf" => Ok(Some(f64::INFINITY)),
        "-inf" => Ok(Some(f64::NEG_INFINITY)),
        text => text.parse().map(Some).map_err(|_| format!("found {text:?}, expected a number")),
    }
}
