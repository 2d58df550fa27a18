//! The admin API's answers as tables for people. What an answer lacks is shown as `-`: a gateway of another version may
//! say less.

use serde_json::Value;

use crate::cli::table;

/// What was changed, a line each.
pub(in crate::cli) fn changed(answer: &Value) -> String {
    let list = |key: &str| answer[key].as_array().into_iter().flatten().map(cell).collect::<Vec<_>>();
    let mut lines = list("changed");
    if lines.is_empty() {
        lines.push("nothing changed".into());
    }
    lines.extend(list("needs_restart").iter().map(|key| format!("{key} changes with a restart only")));
    lines.join("\n") + "\n"
}

pub(super) fn status(answer: &Value) -> String {
    let counters = &answer["counters"];
    let state = match (answer["draining"].as_bool(), answer["frozen"].as_bool()) {
        (Some(true), _) => "stopping",
        (_, Some(true)) => "serving, frozen",
        _ => "serving",
    };
    let fallen_back = list(&answer["fallen_back"]);
    let fallen_back = if fallen_back == "-" { "none".into() } else { fallen_back };
    let rows = [
        ("state", state.to_owned()),
        ("version", cell(&answer["version"])),
        ("uptime", answer["uptime_seconds"].as_f64().map_or("-".into(), duration)),
        ("scheduler", cell(&answer["scheduler"])),
        ("balancer", cell(&answer["balancer"])),
        ("config", format!("epoch {}", cell(&answer["epoch"]))),
        (
            "hosts up",
            format!(
                "{} of {}, {} drained",
                cell(&answer["hosts_up"]),
                cell(&answer["hosts"]),
                cell(&answer["hosts_drained"])
            ),
        ),
        ("running", cell(&counters["running"])),
        ("queued", cell(&counters["queued"])),
        (
            "ended",
            format!(
                "{} finished, {} rejected, {} failed, {} cancelled; {} retries",
                cell(&counters["finished"]),
                cell(&counters["rejected"]),
                cell(&counters["failed"]),
                cell(&counters["cancelled"]),
                cell(&counters["retries"])
            ),
        ),
        ("log", format!("{}, {} steps lost", cell(&answer["log"]), cell(&answer["log_steps_lost"]))),
        ("fallen back", fallen_back),
    ];
    rows.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
}

pub(super) fn hosts(answer: &Value) -> String {
    let row = |host: &Value| {
        let flag = |key: &str| host[key].as_bool() == Some(true);
        let state = match (flag("up"), flag("removed"), flag("drained")) {
            (_, true, _) => "going",
            (false, _, _) => "down",
            (true, _, true) => "drained",
            (true, _, false) => "up",
        };
        let loaded = host["loaded"].as_array().into_iter().flatten().map(|loaded| cell(&loaded["model"]));
        vec![
            cell(&host["name"]),
            cell(&host["address"]),
            state.to_owned(),
            cell(&host["breaker"]),
            format!("{}/{}", cell(&host["in_flight"]), cell(&host["limit"])),
            cell(&host["version"]),
            joined(loaded),
        ]
    };
    let headings = ["host", "address", "state", "breaker", "running", "version", "loaded"];
    rows(answer, "hosts", &headings, row)
}

pub(super) fn models(answer: &Value) -> String {
    let row = |model: &Value| {
        vec![
            cell(&model["name"]),
            cell(&model["running"]),
            cell(&model["queued"]),
            cell(&model["answers"]),
            list(&model["loaded_on"]),
            list(&model["stored_on"]),
        ]
    };
    rows(answer, "models", &["model", "running", "queued", "answers", "loaded on", "on disk of"], row)
}

pub(super) fn queue(answer: &Value) -> String {
    let row = |waiting: &Value| {
        vec![
            cell(&waiting["id"]),
            cell(&waiting["wait_millis"]),
            cell(&waiting["priority"]),
            cell(&waiting["tenant"]),
            cell(&waiting["model"]),
        ]
    };
    let head = format!(
        "{} queued, {} running, the oldest waits for {} ms\n",
        cell(&answer["queued"]),
        cell(&answer["running"]),
        cell(&answer["oldest_wait_millis"])
    );
    if answer["waiting"].as_array().is_none_or(Vec::is_empty) {
        return head;
    }
    head + &rows(answer, "waiting", &["request", "wait ms", "priority", "tenant", "model"], row)
}

pub(super) fn decisions(answer: &Value) -> String {
    let row = |one: &Value| {
        let outcome = match one["cause"].as_str() {
            Some(cause) => format!("{}: {cause}", cell(&one["outcome"])),
            None => cell(&one["outcome"]),
        };
        vec![
            cell(&one["id"]),
            cell(&one["model"]),
            cell(&one["tenant"]),
            cell(&one["host"]),
            cell(&one["reason"]),
            cell(&one["wait_millis"]),
            cell(&one["ttft_millis"]),
            cell(&one["e2e_millis"]),
            cell(&one["output_tokens"]),
            outcome,
        ]
    };
    let headings =
        ["request", "model", "tenant", "host", "reason", "wait ms", "ttft ms", "e2e ms", "tokens", "outcome"];
    rows(answer, "decisions", &headings, row)
}

pub(super) fn experiments(answer: &Value) -> String {
    let row = |trial: &str, arm: &Value| {
        let state = match (arm["rolled_back"].as_bool(), arm["broken"].as_bool()) {
            (Some(true), _) => "rolled back",
            (_, Some(true)) => "broken",
            _ => "",
        };
        vec![
            trial.to_owned(),
            cell(&arm["name"]),
            cell(&arm["role"]),
            cell(&arm["balancer"]),
            cell(&arm["share_permille"]),
            cell(&arm["decided"]),
            cell(&arm["finished"]),
            cell(&arm["failed"]),
            arm["ttft_mean_millis"].as_f64().map_or("-".into(), |millis| format!("{millis:.1}")),
            state.to_owned(),
        ]
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut lines: Vec<Vec<String>> = items(&answer["arms"]).iter().map(|arm| row("-", arm)).collect();
    for trial in items(&answer["trials"]) {
        lines.extend(items(&trial["arms"]).iter().map(|arm| row(&cell(&trial["name"]), arm)));
    }
    let headings =
        ["trial", "arm", "role", "balancer", "permille", "decided", "finished", "failed", "ttft ms", "state"];
    table(&headings, &lines)
}

/// `[control]` in force, as it would stand in a file.
pub(super) fn config(answer: &Value) -> String {
    let control =
        toml::to_string_pretty(&serde_json::json!({ "control": without_nulls(&answer["control"]) }));
    let differs = match answer["differs_from_file"].as_bool() {
        Some(true) => "# differs from the file: an operator changed it, or the file was edited since\n",
        _ => "",
    };
    format!("{differs}{}", control.unwrap_or_else(|error| format!("{error}\n")))
}

/// TOML has no null: what is absent is not written.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let entries = object.iter().filter(|(_, value)| !value.is_null());
            entries.map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        value => value.clone(),
    }
}

fn rows(answer: &Value, key: &str, headings: &[&str], row: impl Fn(&Value) -> Vec<String>) -> String {
    let items = answer[key].as_array().into_iter().flatten();
    table(headings, &items.map(row).collect::<Vec<_>>())
}

pub(in crate::cli) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        // A terminal acts on control characters; names of models are what clients made up.
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        value => value.to_string(),
    }
}

pub(in crate::cli) fn list(value: &Value) -> String {
    joined(value.as_array().into_iter().flatten().map(cell))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let text = parts.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "-".into() } else { text }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hosts_are_a_table_and_what_is_missing_is_a_dash() {
        let answer = json!({"hosts": [
            {"name": "a", "address": "h:1", "up": true, "drained": true, "breaker": "closed", "in_flight": 1,
             "limit": 4, "version": "0.24.0", "loaded": [{"model": "m\u{1b}[2J"}]},
            {"name": "b", "up": false},
        ]});
        assert_eq!(
            hosts(&answer),
            "host  address  state    breaker  running  version  loaded\n\
             a     h:1      drained  closed   1/4      0.24.0   m[2J\n\
             b     -        down     -        -/-      -        -\n"
        );
    }

    #[test]
    fn a_config_is_shown_as_it_would_be_written() {
        let answer = json!({"control": {"balancer": "random", "select": null}, "differs_from_file": true});
        let text = config(&answer);
        assert!(
            text.starts_with("# differs") && text.ends_with("[control]\nbalancer = \"random\"\n"),
            "{text}"
        );
    }

    #[test]
    fn times_are_told_in_two_units() {
        let told: Vec<String> = [5.9, 61.0, 7_260.0, 90_000.0].map(duration).into();
        assert_eq!(told, ["5 s", "1 min 1 s", "2 h 1 min", "1 d 1 h"]);
    }
}
