//! The Prometheus text format (version 0.0.4): help and type before each family, then its series.

use std::collections::BTreeMap;
use std::fmt::Write;

use control::door::BreakerState;
use control::facts::Facts;
use control::ids::{HostId, ModelId};

use super::actions::ActionCounts;
use super::process::ProcessFacts;
use super::{Histogram, Metrics, ModelTimes, Progress, TENANTS_MAX};
use crate::gateway::survey::{HostView, Survey};

/// What `/metrics` answers with.
pub(in crate::gateway) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Name and help of a family of histograms, one for each model.
type ModelFamily = (&'static str, &'static str, fn(&ModelTimes) -> &Histogram);
/// Name and help of a family of gauges, one for each host.
type HostFamily = (&'static str, &'static str, fn(&HostView) -> f64);

/// Names of the models and tenants that have series of their own.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct LabelNames {
    models: BTreeMap<u32, String>,
    tenants: Vec<String>,
}

impl LabelNames {
    pub(in crate::gateway) fn of(facts: &Facts, metrics: &Metrics) -> Self {
        let models =
            metrics.labels.iter().map(|(model, place)| (*place, facts.models[model.index()].name.clone()));
        let tenants = facts.tenants.iter().take(TENANTS_MAX as usize).cloned();
        Self { models: models.collect(), tenants: tenants.collect() }
    }

    fn model(&self, place: u32) -> &str {
        self.models.get(&place).map_or("other", String::as_str)
    }

    fn tenant(&self, id: u32) -> &str {
        self.tenants.get(id as usize).map_or("other", String::as_str)
    }
}

/// Writes everything out.
pub(in crate::gateway) fn write(survey: &Survey, metrics: &Metrics, names: &LabelNames) -> String {
    let mut text = Text::default();
    requests(&mut text, survey, metrics, names);
    times(&mut text, metrics, names);
    let hosts: Vec<&HostView> = survey.hosts.iter().filter(|host| !host.removed).collect();
    host_gauges(&mut text, &hosts);
    host_counts(&mut text, &hosts, metrics, names);
    actions(&mut text, &metrics.actions);
    gateway(&mut text, survey);
    if let Some(process) = ProcessFacts::now() {
        text.one("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes as f64);
        text.one("process_open_fds", "gauge", "Open file descriptors.", process.open_descriptors as f64);
    }
    text.0
}

fn requests(text: &mut Text, survey: &Survey, metrics: &Metrics, names: &LabelNames) {
    let name = "herder_requests_total";
    text.family(name, "counter", "Requests that ended, by what became of them.");
    for ((model, tenant, outcome), count) in &metrics.requests {
        let outcome = match outcome {
            Progress::Queued | Progress::Running => continue,
            Progress::Finished => "finished",
            Progress::Rejected => "rejected",
            Progress::Failed => "failed",
            Progress::Cancelled => "cancelled",
        };
        let labels =
            [("model", names.model(*model)), ("tenant", names.tenant(*tenant)), ("outcome", outcome)];
        text.series(name, &labels, *count as f64);
    }
    let name = "herder_rejects_total";
    text.family(name, "counter", "Requests that were turned away, by reason.");
    for (reason, count) in &metrics.rejects {
        text.series(name, &[("reason", reason)], *count as f64);
    }
    let counters = &survey.status.counters;
    text.one("herder_requests_in_flight", "gauge", "Requests that hosts work on.", counters.running as f64);
    text.one("herder_requests_queued", "gauge", "Requests that wait for a host.", counters.queued as f64);
    let oldest = survey.queue.oldest_wait_millis as f64 / 1e3;
    text.one("herder_queue_oldest_wait_seconds", "gauge", "Wait of the request that waits longest.", oldest);
    text.one("herder_retries_total", "counter", "Attempts after the first.", counters.retries as f64);
}

fn times(text: &mut Text, metrics: &Metrics, names: &LabelNames) {
    let families: [ModelFamily; 3] = [
        (
            "herder_time_to_first_token_seconds",
            "From a request's arrival to the first byte of its answer.",
            |times| &times.ttft,
        ),
        ("herder_time_per_output_token_seconds", "Between tokens of an answer after the first.", |times| {
            &times.tpot
        }),
        (
            "herder_request_duration_seconds",
            "From a request's arrival to the end of its answer, of those answered in full.",
            |times| &times.e2e,
        ),
    ];
    for (name, help, of) in families {
        text.family(name, "histogram", help);
        for (model, times) in &metrics.times {
            text.histogram(name, &[("model", names.model(*model))], of(times));
        }
    }
    for (name, help, of) in [
        (
            "herder_prompt_tokens_total",
            "Tokens of prompts, as hosts reported.",
            (|times| times.prompt_tokens) as fn(&ModelTimes) -> u64,
        ),
        ("herder_output_tokens_total", "Tokens of answers, as hosts reported.", |times| times.output_tokens),
    ] {
        text.family(name, "counter", help);
        for (model, times) in &metrics.times {
            text.series(name, &[("model", names.model(*model))], of(times) as f64);
        }
    }
    let name = "herder_queue_wait_seconds";
    text.family(name, "histogram", "From a request's arrival to its first dispatch.");
    text.histogram(name, &[], &metrics.queue_wait);
    let name = "herder_decision_duration_seconds";
    text.family(name, "histogram", "Time that a step of the control plane took.");
    text.histogram(name, &[], &metrics.decision);
}

fn host_gauges(text: &mut Text, hosts: &[&HostView]) {
    let gauges: [HostFamily; 6] = [
        ("herder_host_up", "Whether the host answers its polls.", |host| flag(host.up)),
        ("herder_host_drained", "Whether the host is kept from new requests.", |host| flag(host.drained)),
        ("herder_host_requests_in_flight", "Requests that the host works on.", |host| host.in_flight.into()),
        ("herder_host_slots", "Slots of the host, as declared.", |host| host.slots.into()),
        ("herder_host_models_loaded", "Models in the host's memory.", |host| host.loaded.len() as f64),
        ("herder_host_loaded_bytes", "Memory that loaded models take.", |host| {
            host.loaded.iter().map(|loaded| loaded.bytes as f64).sum()
        }),
    ];
    for (name, help, of) in gauges {
        text.family(name, "gauge", help);
        for host in hosts {
            text.series(name, &[("host", &host.name)], of(host));
        }
    }
}

fn host_counts(text: &mut Text, hosts: &[&HostView], metrics: &Metrics, names: &LabelNames) {
    let name = "herder_host_dispatches_total";
    text.family(name, "counter", "Attempts sent to the host.");
    for host in hosts {
        text.series(name, &[("host", &host.name)], metrics.hosts[host.id as usize].dispatches as f64);
    }
    let name = "herder_host_failures_total";
    text.family(name, "counter", "Attempts that failed on the host, by kind.");
    for host in hosts {
        for (kind, count) in &metrics.hosts[host.id as usize].failures {
            text.series(name, &[("host", &host.name), ("kind", kind)], *count as f64);
        }
    }
    let name = "herder_host_breaker_open";
    text.family(name, "gauge", "State of the host's breaker: 0 closed, 0.5 half open, 1 open.");
    for host in hosts {
        text.series(name, &[("host", &host.name)], breaker(metrics, HostId(host.id), None));
    }
    let name = "herder_model_breaker_open";
    text.family(name, "gauge", "The same of a model on a host, where it is not closed.");
    for host in hosts {
        let of_host = metrics.breakers.keys().filter(|(at, _)| at.0 == host.id);
        for model in of_host.filter_map(|(_, model)| *model) {
            // A model that is not among those with a name is not told apart.
            let Some(place) = metrics.labels.get(&model) else { continue };
            let labels = [("host", host.name.as_str()), ("model", names.model(*place))];
            text.series(name, &labels, breaker(metrics, HostId(host.id), Some(model)));
        }
    }
}

fn breaker(metrics: &Metrics, host: HostId, model: Option<ModelId>) -> f64 {
    match metrics.breakers.get(&(host, model)) {
        None | Some(BreakerState::Closed) => 0.0,
        Some(BreakerState::HalfOpen) => 0.5,
        Some(BreakerState::Open) => 1.0,
    }
}

fn actions(text: &mut Text, actions: &ActionCounts) {
    let name = "herder_actions_total";
    text.family(name, "counter", "Actions on hosts that ended, by what became of them.");
    for ((deed, outcome), count) in &actions.ended {
        text.series(name, &[("deed", deed), ("outcome", outcome)], *count as f64);
    }
    let name = "herder_actions_in_flight";
    text.family(name, "gauge", "Actions on hosts that are under way.");
    for (deed, count) in actions.in_flight() {
        text.series(name, &[("deed", deed)], count as f64);
    }
    let name = "herder_action_seconds";
    text.family(name, "histogram", "Time that actions on hosts took which were done.");
    for (deed, took) in &actions.took {
        text.histogram(name, &[("deed", deed)], took);
    }
}

fn gateway(text: &mut Text, survey: &Survey) {
    let status = &survey.status;
    let name = "herder_build_info";
    text.family(name, "gauge", "Always 1; the version is a label.");
    text.series(name, &[("version", status.version)], 1.0);
    let name = "herder_strategy_info";
    text.family(name, "gauge", "Always 1; what decides is in the labels.");
    text.series(name, &[("scheduler", status.scheduler), ("balancer", status.balancer)], 1.0);
    for (name, kind, help, value) in [
        ("herder_uptime_seconds", "gauge", "Time since the start.", status.uptime_seconds as f64),
        ("herder_draining", "gauge", "Whether the gateway is stopping.", flag(status.draining)),
        ("herder_frozen", "gauge", "Whether nothing changes by itself.", flag(status.frozen)),
        ("herder_config_epoch", "gauge", "Changes of the config since the start.", status.epoch.into()),
        ("herder_parts_fallen_back", "gauge", "Parts found at fault.", status.fallen_back.len() as f64),
        ("herder_steps_total", "counter", "Steps of the control plane.", status.steps as f64),
        (
            "herder_log_steps_lost_total",
            "counter",
            "Steps missing in the decision log, since the disk was slow or refused.",
            status.log_steps_lost as f64,
        ),
        (
            "herder_log_failed",
            "gauge",
            "Whether the decision log is no longer written.",
            flag(status.log == "failed"),
        ),
    ] {
        text.one(name, kind, help, value);
    }
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// The text as it grows.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("memory takes it");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.series(name, &[], value);
    }

    fn series(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            self.0.push_str(if at == 0 { "{" } else { "," });
            self.0.push_str(label);
            self.0.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        writeln!(self.0, " {value}").expect("memory takes it");
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulative() {
            let bound = bound.map_or("+Inf".into(), |bound| bound.to_string());
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.series(&bucket, &labels, count as f64);
        }
        self.series(&format!("{name}_sum"), labels, histogram.sum());
        self.series(&format!("{name}_count"), labels, histogram.count() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_buckets_add_up() {
        let mut text = Text::default();
        text.series("a_total", &[("x", "q\"\\\n"), ("y", "ü")], 3.0);
        let mut histogram = Histogram::new(&[0.005, 1.0]);
        histogram.record(0.5);
        text.histogram("b_seconds", &[], &histogram);
        assert_eq!(
            text.0,
            "a_total{x=\"q\\\"\\\\\\n\",y=\"ü\"} 3\nb_seconds_bucket{le=\"0.005\"} 0\nb_seconds_bucket{le=\"1\"} 1\n\
             b_seconds_bucket{le=\"+Inf\"} 1\nb_seconds_sum 0.5\nb_seconds_count 1\n"
        );
    }
}
