//! The summary as text for a person: aligned tables in sections. Colour only where asked for.
//!
//! Left out: rows beyond the first [`TOP`] models, hosts and arms, which are folded into one, and events beyond the first
//! [`EVENTS_TOP`].

use std::fmt::Write as _;

use crate::machine::Machine;
use crate::number::Figure;
use crate::stages::StageRow;
use crate::summary::{
    ArmRow, HostRow, ModelRow, Predicted, PredictedQuantile, Predictions, Quantiles, Summary,
};
use document::Document;
pub(crate) use document::{Block, Limits, Section};
use format::{count, millis, percent, rate, seconds};
use table::{Align, Table};

mod document;
mod fleet;
pub(crate) mod format;
pub(crate) mod table;

/// Rows of models, of hosts and of arms that are shown.
pub const TOP: usize = 8;

/// Events that are shown.
pub const EVENTS_TOP: usize = 10;

/// The summary as text with a line feed at the end. `colour` adds ANSI escapes: for terminals only.
#[must_use]
pub fn render(summary: &Summary, machine: Option<&Machine>, colour: bool) -> String {
    document(summary, machine, Limits { rows: TOP, events: EVENTS_TOP }).text(colour)
}

/// The summary in sections, for whoever gives it another form.
pub(crate) fn sections(summary: &Summary, limits: Limits) -> Vec<Section> {
    document(summary, None, limits).sections
}

fn document(summary: &Summary, machine: Option<&Machine>, limits: Limits) -> Document {
    let mut page = Document { sections: Vec::new(), limits };
    page.what_ran(summary, machine);
    page.requests(summary);
    page.latencies(summary);
    page.throughput(summary);
    page.predictions(summary);
    page.models(summary);
    page.hosts(summary);
    page.arms(summary);
    page.events(summary);
    page.stages(machine.map_or(&[], |machine| &machine.stages));
    if !summary.assumptions.is_empty() {
        page.heading("Assumptions");
        for assumption in &summary.assumptions {
            page.line(&format!("- {assumption}"));
        }
    }
    page
}

impl Document {
    fn what_ran(&mut self, summary: &Summary, machine: Option<&Machine>) {
        self.heading("Run");
        let mut table = Table::pairs();
        table.row([
            "scenario",
            &match &summary.trace {
                Some(trace) => format!("{}, arrivals from {trace}", summary.scenario),
                None => summary.scenario.clone(),
            },
        ]);
        table.row(["scheduler", &summary.scheduler]);
        table.row(["balancer", &summary.balancer]);
        for (label, text) in &summary.details {
            table.row([label, text]);
        }
        table.row(["seed", &summary.seed.to_string()]);
        table.row(["digest", &summary.digest]);
        table.row(["simulated", &seconds(summary.simulated_seconds)]);
        if let Some(machine) = machine {
            table.row(["computed", &computed(summary, machine)]);
        }
        if let Some(selection) = &summary.selection {
            let text = format!(
                "{} choices, {} from the cache, {} changes of the balancer",
                count(selection.choices),
                count(selection.cache_hits),
                count(selection.switches)
            );
            table.row(["selection", &text]);
        }
        if let Some(prefetch) = &summary.prefetch {
            let text = format!(
                "{} loads asked for, {} done ({} used, {} wasted), {} given up, {} failed",
                count(prefetch.asked),
                count(prefetch.done),
                count(prefetch.used),
                count(prefetch.wasted),
                count(prefetch.abandoned),
                count(prefetch.failed)
            );
            table.row(["loaded ahead", &text]);
        }
        fleet::rows(summary, &mut table);
        self.table(table);
        if summary.interrupted {
            self.warning("stopped before its end: everything below is of the part that ran");
        }
    }

    fn stages(&mut self, stages: &[StageRow]) {
        if stages.is_empty() {
            return;
        }
        self.heading("Control's stages, in nanoseconds");
        let mut table = Table::new([Align::Left; 1].into_iter().chain([Align::Right; 7]));
        table.header(["", "passed", "mean", "min", "p50", "p95", "p99", "max"]);
        for row in stages {
            let mean = format!("{:.0}", row.mean_ns);
            let numbers = [row.min_ns, row.p50_ns, row.p95_ns, row.p99_ns, row.max_ns].map(count);
            let [min, p50, p95, p99, max] = &numbers;
            table.row([row.stage, &count(row.count), &mean, min, p50, p95, p99, max]);
        }
        self.table(table);
    }

    fn requests(&mut self, summary: &Summary) {
        self.heading("Requests");
        let requests = &summary.requests;
        let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Left]);
        let mut row = |label: &str, value: u64, note: &str| {
            table.row([label, &count(value), &percent(value, requests.arrived), note]);
        };
        row("arrived", requests.arrived, "");
        row("finished", requests.finished, "");
        row("rejected", requests.rejected, &reasons(&summary.rejected_by_reason.rows()));
        row("failed", requests.failed, &reasons(&summary.failed_by_kind.rows()));
        row("cancelled", requests.cancelled, "");
        row("unfinished", requests.unfinished, "");
        let attempts = format!("{} attempts in all", count(requests.attempts));
        row("retried", requests.retried, &attempts);
        row("truncated", requests.truncated, "prompt cut to the context window");
        self.table(table);
    }

    fn latencies(&mut self, summary: &Summary) {
        self.heading("Latencies");
        if summary.e2e_ms.count == 0 {
            self.line("no request finished after the warm-up");
            return;
        }
        let mut table = Table::new([Align::Left; 1].into_iter().chain([Align::Right; 7]));
        table.header(["", "mean", "p50", "p90", "p95", "p99", "max", "p99 of all"]);
        for (label, quantiles) in [
            ("first token (TTFT)", &summary.ttft_ms),
            ("per token (TPOT)", &summary.tpot_ms),
            ("between tokens (ITL)", &summary.itl_ms),
            ("end to end", &summary.e2e_ms),
            ("queue wait", &summary.queue_wait_ms),
        ] {
            table.row(latency_cells(label, quantiles));
        }
        self.table(table);
        let measured = format!(
            "over {} finished requests after a warm-up of {}; \"of all\" counts those that did not finish as infinite",
            count(summary.e2e_ms.count),
            count(summary.warmup_requests),
        );
        self.note(&measured);
        self.note("ITL takes each answer's gaps between tokens as equal to their mean");
    }

    fn throughput(&mut self, summary: &Summary) {
        self.heading("Throughput");
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
        let good = summary
            .goodput_share
            .map_or(String::new(), |share| format!("{:.1} % of the arrivals: ", share * 100.0));
        let objective = format!(
            "{good}TTFT within {}, TPOT within {}",
            millis(Some(summary.slo_ttft_ms)),
            millis(Some(summary.slo_tpot_ms))
        );
        table.row(["arrivals", &rate(summary.arrivals_per_second), "requests/s"]);
        table.row(["finished", &rate(summary.finished_per_second), "requests/s"]);
        table.row(["goodput", &rate(summary.goodput_per_second), &format!("requests/s, {objective}")]);
        table.row(["output", &rate(summary.output_tokens_per_second), "tokens/s"]);
        table.row(["prompts", &rate(summary.prompt_tokens_per_second), "tokens/s"]);
        table.row(["GPU busy", &share(summary.gpu_busy_share), "of the time, mean of all hosts"]);
        table.row(["prefix cache", &share(summary.prefix_cache_hit_share), "of the prompt tokens"]);
        let loads = tiers(summary);
        table.row(["loads", &count(summary.model_loads), &loads]);
        table.row(["evictions", &count(summary.evictions), ""]);
        self.table(table);
    }

    fn predictions(&mut self, summary: &Summary) {
        let Predictions { output_tokens, service_ms } = &summary.predictions;
        if output_tokens.scored == 0 {
            return;
        }
        self.heading("Predictions");
        let mut table = Table::new([Align::Left; 1].into_iter().chain([Align::Right; 7]));
        table.header(["", "scored", "p50 loss", "of mean's", "covers", "p90 loss", "of mean's", "covers"]);
        let tokens =
            |loss: Option<f64>| loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.1} tok."));
        table.row(prediction_cells("output tokens", output_tokens, tokens));
        table.row(prediction_cells("service time", service_ms, millis));
        self.table(table);
        self.note("mean pinball loss, also in percent of what the running mean loses; a true p50 covers 50 %, a p90 90 %");
    }

    fn models(&mut self, summary: &Summary) {
        if summary.models.is_empty() {
            return;
        }
        self.heading("Models");
        let mut table = Table::new([Align::Left; 1].into_iter().chain([Align::Right; 7]));
        table.header(["", "arrived", "finished", "TTFT p50", "TTFT p99", "TPOT p50", "end p99", "tokens/s"]);
        let top = self.top(summary.models_len);
        for model in summary.models.iter().take(top) {
            table.row(model_cells(model));
        }
        let shown: u64 = summary.models.iter().take(top).map(|model| model.requests.arrived).sum();
        let rest = summary.models_len.saturating_sub(top as u64);
        if rest > 0 {
            let arrived = count(summary.requests.arrived - shown);
            table.row([&format!("{rest} more"), &arrived, "", "", "", "", "", ""]);
        }
        self.table(table);
    }

    fn hosts(&mut self, summary: &Summary) {
        if summary.hosts.is_empty() {
            return;
        }
        self.heading("Hosts, busiest first");
        let mut table = Table::new([Align::Left; 1].into_iter().chain([Align::Right; 7]));
        table.header([
            "",
            "requests",
            "GPU busy",
            "TTFT mean",
            "TTFT max",
            "output tok.",
            "loads",
            "evictions",
        ]);
        let top = self.top(summary.hosts_len);
        for host in summary.hosts.iter().take(top) {
            table.row(host_cells(host));
        }
        let shown = summary.hosts.iter().take(top);
        let rest = summary.hosts_len.saturating_sub(top as u64);
        if rest > 0 {
            let (loads, evictions, busy) = shown.fold((0, 0, 0.0), |(loads, evictions, busy), host| {
                (loads + host.model_loads, evictions + host.evictions, busy + host.gpu_busy_share)
            });
            let all = summary.gpu_busy_share.unwrap_or(0.0) * summary.hosts_len as f64;
            table.row([
                &format!("{rest} more"),
                "",
                &share(Some(((all - busy) / rest as f64).max(0.0))),
                "",
                "",
                "",
                &count(summary.model_loads - loads),
                &count(summary.evictions - evictions),
            ]);
        }
        self.table(table);
    }

    fn arms(&mut self, summary: &Summary) {
        if summary.arms.is_empty() {
            return;
        }
        self.heading("Arms");
        let mut table = Table::new([Align::Left; 3].into_iter().chain([Align::Right; 8]));
        table.header([
            "", "balancer", "part", "decided", "agreed", "finished", "TTFT p50", "TTFT p99", "TPOT p50",
            "end p99", "goodput",
        ]);
        let top = self.top(summary.arms.len() as u64);
        for arm in summary.arms.iter().take(top) {
            table.row(arm_cells(arm));
        }
        self.table(table);
        let rest = summary.arms.len().saturating_sub(top);
        if rest > 0 {
            self.line(&format!("{rest} more"));
        }
    }

    fn events(&mut self, summary: &Summary) {
        if summary.notable_events.is_empty() {
            return;
        }
        self.heading("Events");
        let mut table = Table::new([Align::Right, Align::Left, Align::Left]);
        for event in summary.notable_events.iter().take(self.limits.events) {
            table.row([&format!("{:.3} s", event.at_seconds), event.kind, &event.text]);
        }
        self.table(table);
        let rest = summary.notable_events_len.saturating_sub(self.limits.events as u64);
        if rest > 0 {
            self.note(&format!("… {} more in events.csv", count(rest)));
        }
    }
}

fn computed(summary: &Summary, machine: &Machine) -> String {
    let mut text =
        format!("in {}, {} of processor time", seconds(machine.wall_seconds), seconds(machine.cpu_seconds));
    if machine.cpu_seconds > 0.0 {
        let speed = summary.requests.arrived as f64 / machine.cpu_seconds;
        let _ = write!(text, " ({} requests/s)", rate(speed));
    }
    if let Some(bytes) = machine.peak_memory_bytes {
        let _ = write!(text, ", {} MB at most", count(bytes.div_ceil(1_000_000)));
    }
    text
}

fn reasons(rows: &[(&str, u64)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .filter(|(_, value)| *value > 0)
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), count(*value)))
        .collect();
    rows.join(", ")
}

fn tiers(summary: &Summary) -> String {
    let all = summary.tier_hits.rows().iter().map(|(_, hits)| hits).sum();
    let rows: Vec<String> = summary
        .tier_hits
        .rows()
        .iter()
        .filter(|(_, hits)| *hits > 0)
        .map(|(name, hits)| format!("{name} {}", percent(*hits, all)))
        .collect();
    if rows.is_empty() { String::new() } else { format!("weights found in {}", rows.join(", ")) }
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn latency_cells(label: &str, quantiles: &Quantiles) -> [String; 8] {
    let all = match quantiles.p99_all {
        None => String::new(),
        Some(Figure::Infinite) => "∞".to_owned(),
        Some(Figure::Finite(value)) => millis(Some(value)),
    };
    let q = quantiles;
    let [mean, p50, p90, p95, p99, max] = [q.mean, q.p50, q.p90, q.p95, q.p99, q.max].map(millis);
    [label.to_owned(), mean, p50, p90, p95, p99, max, all]
}

fn prediction_cells(label: &str, predicted: &Predicted, loss: impl Fn(Option<f64>) -> String) -> [String; 8] {
    let covers =
        |quantile: &PredictedQuantile| share(quantile.coverage_percent.map(|percent| percent / 100.0));
    let (p50, p90) = (&predicted.p50, &predicted.p90);
    [
        label.to_owned(),
        count(predicted.scored),
        loss(p50.pinball_loss),
        share(p50.of_mean_loss),
        covers(p50),
        loss(p90.pinball_loss),
        share(p90.of_mean_loss),
        covers(p90),
    ]
}

fn model_cells(model: &ModelRow) -> [String; 8] {
    [
        model.model.clone(),
        count(model.requests.arrived),
        count(model.requests.finished),
        millis(model.ttft_ms.p50),
        millis(model.ttft_ms.p99),
        millis(model.tpot_ms.p50),
        millis(model.e2e_ms.p99),
        rate(model.output_tokens_per_second),
    ]
}

fn arm_cells(arm: &ArmRow) -> [String; 11] {
    let agreed = arm.agreed_share.map_or_else(String::new, |agreed| share(Some(agreed)));
    let part = if arm.rolled_back { format!("{}, rolled back", arm.part) } else { arm.part.clone() };
    [
        arm.arm.clone(),
        arm.balancer.clone(),
        part,
        count(arm.decided),
        agreed,
        count(arm.requests.finished),
        millis(arm.ttft_ms.p50),
        millis(arm.ttft_ms.p99),
        millis(arm.tpot_ms.p50),
        millis(arm.e2e_ms.p99),
        share(arm.goodput_share),
    ]
}

fn host_cells(host: &HostRow) -> [String; 8] {
    [
        host.host.clone(),
        count(host.requests),
        share(Some(host.gpu_busy_share)),
        millis(host.ttft_ms_mean),
        millis(host.ttft_ms_max),
        count(host.output_tokens),
        count(host.model_loads),
        count(host.evictions),
    ]
}

#[cfg(test)]
mod tests;
