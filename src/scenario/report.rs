//! `[report]`: what is measured, and against which service level.

use serde::{Deserialize, Serialize};

/// `[report]` as written.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportFile {
    /// Goodput counts requests whose first token came within this time …
    pub slo_ttft_millis: u64,
    /// … and whose later tokens came at most this far apart on average.
    pub slo_tpot_millis: u64,
    /// Percentiles leave out this share of the arrivals, from the first; counts never do.
    pub warmup_percent: u32,
    /// How often hosts and queues are sampled for the timeline.
    pub sample_interval_millis: u64,
    /// What a kilowatt-hour costs, in hundredths of a currency; no cost of energy is told where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub electricity_cents_per_kwh: Option<u32>,
}

impl Default for ReportFile {
    fn default() -> Self {
        Self {
            slo_ttft_millis: 2_000,
            slo_tpot_millis: 100,
            warmup_percent: 10,
            sample_interval_millis: 1_000,
            electricity_cents_per_kwh: None,
        }
    }
}

impl ReportFile {
    /// Checks every key: the first that cannot be taken, what was found, what was expected.
    pub(super) fn check(&self) -> Result<(), (&'static str, String, String)> {
        const DAY_MILLIS: u64 = 24 * 3_600 * 1_000;
        let span = |key, value: u64| {
            let fits = (1..=DAY_MILLIS).contains(&value);
            if fits { Ok(()) } else { Err((key, value.to_string(), format!("1 to {DAY_MILLIS} (a day)"))) }
        };
        span("slo_ttft_millis", self.slo_ttft_millis)?;
        span("slo_tpot_millis", self.slo_tpot_millis)?;
        span("sample_interval_millis", self.sample_interval_millis)?;
        if self.warmup_percent > 90 {
            return Err(("warmup_percent", self.warmup_percent.to_string(), "0 to 90".to_owned()));
        }
        match self.electricity_cents_per_kwh {
            Some(cents) if !(1..=100_000).contains(&cents) => {
                Err(("electricity_cents_per_kwh", cents.to_string(), "1 to 100000".to_owned()))
            }
            _ => Ok(()),
        }
    }
}
