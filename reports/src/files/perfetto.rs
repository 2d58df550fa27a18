//! A run as a trace for <https://ui.perfetto.dev> or `chrome://tracing`: JSON in the Trace Event Format
//! (<https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>), written as the run goes on. Times are
//! microseconds of simulated time with three decimals, exact.
//!
//! Control is process 0: waits in its queue, counters, and what it noted. Each host is a process: a request is a slice from its last
//! dispatch to its end, with load, prefill and decode inside, as the host reported them. A record does not say which slot
//! held a request, so slices stand in lanes: as few as keep requests apart that were there at once, or one or two more. From the steps
//! of the decision log come the decisions of control and its actions on hosts (loads, pulls and other transfers) from beginning to end.
//!
//! Left out: slices of attempts before the last one, requests that never reached a host but for their wait, and what happens inside decode.

mod steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use control::door::Action;
use control::ids::{ActionId, HostId};
use control::request::Outcome;
use control::units::{Instant, Nanos};
use serde_json::Value;
use traces::record::{HostSample, Record, Sample};

use super::requests::outcome_names;
use super::{RowFile, WriteError};
use crate::events::Event;
use crate::metrics::MetricsSpec;

/// Process of control; hosts follow in order of id.
const CONTROL: u32 = 0;

/// Writes the trace.
#[derive(Debug)]
pub struct PerfettoJson {
    file: RowFile,
    spec: MetricsSpec,
    hosts: Vec<Host>,
    queue: Option<(u32, u32)>,
    /// Actions under way.
    actions: BTreeMap<ActionId, Action>,
    /// Whether the thread of decisions has its name.
    decided: bool,
}

/// What was told of a host so far.
#[derive(Debug, Default)]
struct Host {
    named: bool,
    /// When the last slice of each lane ends.
    lanes: Vec<Instant>,
    /// Its counters, as last told: requests on it, and those in slots.
    counted: Option<(u32, u32)>,
}

/// Where a slice stands.
#[derive(Clone, Copy)]
struct Track {
    process: u32,
    lane: usize,
}

/// From when to when.
#[derive(Clone, Copy)]
struct Span {
    from: Instant,
    to: Instant,
}

impl PerfettoJson {
    /// Begins the file `path`, whose folder must exist. Names come from `spec`.
    ///
    /// # Errors
    /// Where no file can be created there.
    pub fn create(path: &Path, spec: &MetricsSpec) -> Result<Self, WriteError> {
        let head = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
        let mut file = RowFile::begin(path.to_owned(), head)?;
        // The first event; every later one begins with a comma.
        file.row(|row| {
            row.word(&format!("{{{}}}", named(CONTROL, None, "control")));
        })?;
        Ok(Self {
            file,
            spec: spec.clone(),
            hosts: Vec::new(),
            queue: None,
            actions: BTreeMap::new(),
            decided: false,
        })
    }

    /// Adds a request that has ended.
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn record(&mut self, record: &Record) -> Result<(), WriteError> {
        let model = self.spec.model_name(record.model);
        let waited = Span { from: record.arrival, to: record.dispatched.unwrap_or(record.ended) };
        if waited.to > waited.from {
            let name = text(&model);
            for (phase, at) in [('b', waited.from), ('e', waited.to)] {
                self.event(&format!(
                    "\"ph\":\"{phase}\",\"cat\":\"queue\",\"id\":{},\"pid\":{CONTROL},\"tid\":0,\"ts\":{},\"name\":{name}",
                    record.request.0,
                    micros(at.0)
                ))?;
            }
        }
        let (Some(host), Some(dispatched)) = (record.host, record.dispatched) else { return Ok(()) };
        let whole = Span { from: dispatched, to: record.ended };
        let track = Track { process: process(host), lane: self.lane(host, whole)? };
        let (outcome, reason) = outcome_names(record.outcome);
        let args = format!(
            "{{\"request\":{},\"outcome\":\"{outcome}\",\"reason\":\"{reason}\",\"attempts\":{},\"prompt_tokens\":{},\
             \"cached_tokens\":{},\"output_tokens\":{}}}",
            record.request.0,
            record.attempts,
            record.prompt_tokens,
            record.cached_tokens,
            record.usage.output_tokens
        );
        self.slice(track, whole, &model, Some(&args))?;
        let Some(first) = record.first_token.filter(|_| record.outcome == Outcome::Finished) else {
            return Ok(());
        };
        // What the host reports ends with the first token, one after the other.
        let prefill = Span { from: before(first, record.usage.prompt_eval, dispatched), to: first };
        let load = Span { from: before(prefill.from, record.usage.load, dispatched), to: prefill.from };
        self.slice(track, load, "load", None)?;
        self.slice(track, prefill, "prefill", None)?;
        self.slice(track, Span { from: first, to: record.ended }, "decode", None)
    }

    /// Adds the counters of a sample, as far as they changed.
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn sample(&mut self, sample: &Sample) -> Result<(), WriteError> {
        let at = micros(sample.at.0);
        let queue = (sample.queued, sample.in_flight);
        if self.queue.replace(queue) != Some(queue) {
            self.event(&format!(
                "\"ph\":\"C\",\"pid\":{CONTROL},\"ts\":{at},\"name\":\"requests\",\"args\":{{\"queued\":{},\"on hosts\":{}}}",
                queue.0, queue.1
            ))?;
        }
        for HostSample { host, requests, running, .. } in &sample.hosts {
            let counted = (*requests, *running);
            if self.host(*host)?.counted.replace(counted) != Some(counted) {
                self.event(&format!(
                    "\"ph\":\"C\",\"pid\":{},\"ts\":{at},\"name\":\"requests\",\"args\":{{\"on the host\":{requests},\"in slots\":{running}}}",
                    process(*host)
                ))?;
            }
        }
        Ok(())
    }

    /// Adds what control noted, or the operator did.
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn noted(&mut self, event: &Event) -> Result<(), WriteError> {
        let (at, name) = (micros(event.at.0), text(&event.text));
        self.event(&format!(
            "\"ph\":\"i\",\"s\":\"g\",\"pid\":{CONTROL},\"tid\":0,\"ts\":{at},\"cat\":\"{}\",\"name\":{name}",
            event.kind
        ))
    }

    /// Ends the JSON, writes what is buffered and gives the file its name, which is returned.
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn finish(mut self) -> Result<PathBuf, WriteError> {
        self.file.row(|row| {
            row.word("]}");
        })?;
        self.file.finish()
    }

    fn event(&mut self, fields: &str) -> Result<(), WriteError> {
        self.file.row(|row| {
            row.word(&format!(",{{{fields}}}"));
        })
    }

    fn slice(&mut self, track: Track, span: Span, name: &str, args: Option<&str>) -> Result<(), WriteError> {
        if span.to <= span.from && args.is_none() {
            return Ok(());
        }
        let Track { process, lane } = track;
        let (at, took) = (micros(span.from.0), micros(span.to.since(span.from).0));
        let args = args.map(|args| format!(",\"args\":{args}")).unwrap_or_default();
        self.event(&format!(
            "\"ph\":\"X\",\"pid\":{process},\"tid\":{lane},\"ts\":{at},\"dur\":{took},\"name\":{}{args}",
            text(name)
        ))
    }

    /// The lane that was free for the shortest time, or a new one. Requests come in the order in which they ended.
    fn lane(&mut self, host: HostId, span: Span) -> Result<usize, WriteError> {
        let lanes = &mut self.host(host)?.lanes;
        let free = (0..lanes.len()).filter(|lane| lanes[*lane] <= span.from);
        let lane = free.max_by_key(|lane| lanes[*lane]).unwrap_or(lanes.len());
        if lane < lanes.len() {
            lanes[lane] = span.to;
            return Ok(lane);
        }
        lanes.push(span.to);
        self.event(&named(process(host), Some(lane as u32), &format!("lane {}", lane + 1)))?;
        Ok(lane)
    }

    /// What was told of a host, its name at least.
    fn host(&mut self, id: HostId) -> Result<&mut Host, WriteError> {
        if id.index() >= self.hosts.len() {
            self.hosts.resize_with(id.index() + 1, Host::default);
        }
        if !std::mem::replace(&mut self.hosts[id.index()].named, true) {
            let process = process(id);
            self.event(&named(process, None, &self.spec.host_name(id)))?;
            self.event(&format!(
                "\"ph\":\"M\",\"pid\":{process},\"name\":\"process_sort_index\",\"args\":{{\"sort_index\":{process}}}"
            ))?;
        }
        Ok(&mut self.hosts[id.index()])
    }
}

/// The event that gives a process its name, or a thread of it.
fn named(process: u32, thread: Option<u32>, name: &str) -> String {
    let (thread, of) = match thread {
        None => (String::new(), "process_name"),
        Some(thread) => (format!(",\"tid\":{thread}"), "thread_name"),
    };
    format!("\"ph\":\"M\",\"pid\":{process}{thread},\"name\":\"{of}\",\"args\":{{\"name\":{}}}", text(name))
}

const fn process(host: HostId) -> u32 {
    host.0 + 1
}

/// `span` before `at`, not before `least`.
fn before(at: Instant, span: Nanos, least: Instant) -> Instant {
    Instant(at.0.saturating_sub(span.0).max(least.0))
}

/// Exact.
fn micros(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000, nanos % 1_000)
}

/// As a string of JSON.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use control::door::{ActionOutcome, Deed, Dispatch, Input, Note, Output, Reason};
    use control::ids::{ArmId, ModelId, RequestId};

    use super::*;
    use crate::made_up::{MILLI, finished, records, sample, spec};

    fn written(fill: impl FnOnce(&mut PerfettoJson)) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let mut trace = PerfettoJson::create(&folder.path().join("run.json"), &spec()).unwrap();
        fill(&mut trace);
        let path = trace.finish().unwrap();
        let value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).expect("the file is JSON");
        value["traceEvents"].as_array().expect("a list of events").clone()
    }

    fn of_phase<'a>(events: &'a [Value], phase: &str) -> Vec<&'a Value> {
        events.iter().filter(|event| event["ph"] == phase).collect()
    }

    #[test]
    fn a_run_is_json_with_every_request_once() {
        let events = written(|trace| {
            (0..5).for_each(|second| trace.sample(&sample(second)).unwrap());
            records().iter().for_each(|record| trace.record(record).unwrap());
            trace.noted(&Event::noted(Instant(7), Note::Restored, &spec())).unwrap();
        });
        let slices = of_phase(&events, "X");
        let mut requests: Vec<u64> =
            slices.iter().filter_map(|slice| slice["args"]["request"].as_u64()).collect();
        requests.sort_unstable();
        let on_hosts = |record: &Record| record.host.and(record.dispatched).map(|_| record.request.0);
        assert_eq!(requests, records().iter().filter_map(on_hosts).collect::<Vec<_>>());
        assert!(slices.iter().all(|slice| slice["dur"].is_f64() && slice["ts"].is_f64()));
        assert_eq!(of_phase(&events, "b").len(), of_phase(&events, "e").len());
        assert_eq!(of_phase(&events, "i")[0]["ts"], 0.007);
        let names: Vec<&Value> = events.iter().filter(|event| event["name"] == "process_name").collect();
        assert_eq!(names.len(), 4, "control and three hosts: {names:?}");
    }

    #[test]
    fn parts_of_a_request_lie_inside_it_in_microseconds() {
        let events = written(|trace| trace.record(&finished(1, 80, 1_900, 20)).unwrap());
        let slice = |name: &str| {
            let found = events.iter().find(|event| event["ph"] == "X" && event["name"] == name);
            let found = found.unwrap_or_else(|| panic!("no {name}"));
            (found["ts"].as_f64().unwrap(), found["dur"].as_f64().unwrap())
        };
        assert_eq!(slice("a, \"b\""), (520_000.0, 1_960_000.0));
        assert_eq!(slice("prefill"), (540_000.0, 40_000.0));
        assert_eq!(slice("decode"), (580_000.0, 1_900_000.0));
        assert_eq!(slice("load").1, 0.003);
    }

    #[test]
    fn decisions_stand_with_their_reason_and_actions_last_until_their_end() {
        let pull = Action { id: ActionId(3), host: HostId(1), deed: Deed::Pull, model: ModelId(0) };
        let acted = Input::Acted { action: ActionId(3), outcome: ActionOutcome::Done };
        let dispatch = Output::Dispatch(Dispatch {
            request: RequestId(9),
            attempt: 1,
            host: HostId(2),
            first_byte_timeout: Nanos(0),
            idle_timeout: Nanos(0),
            reason: Reason::FewestRequests,
            arm: ArmId(0),
        });
        let events = written(|trace| {
            trace.step(Instant(5_000), &Input::Wake, &[Output::Act(pull), dispatch]).unwrap();
            trace.step(Instant(9_000), &acted, &[]).unwrap();
            trace.step(Instant(9_500), &acted, &[]).unwrap();
        });
        let decision = of_phase(&events, "i")[0];
        assert_eq!(decision["args"]["reason"], "fewest_requests");
        assert_eq!((&decision["ts"], &decision["args"]["request"]), (&Value::from(5.0), &Value::from(9)));
        let [begin, end] = ["b", "e"].map(|phase| of_phase(&events, phase)[0]);
        assert_eq!((&begin["ts"], &end["ts"]), (&Value::from(5.0), &Value::from(9.0)));
        assert_eq!((&begin["id"], &begin["pid"], &begin["name"]), (&end["id"], &end["pid"], &end["name"]));
        assert!(begin["name"].as_str().unwrap().starts_with("pull "));
        assert_eq!(end["args"]["outcome"], "done");
        assert_eq!(of_phase(&events, "e").len(), 1, "what has ended does not end again");
    }

    #[test]
    fn slices_of_a_lane_never_overlap() {
        let mut records: Vec<Record> = (0..300)
            .map(|id| Record {
                request: RequestId(id),
                host: Some(HostId(0)),
                ..finished(id % 40, 10 + id * 7 % 90, 100 + id * 131 % 4_000, 5)
            })
            .collect();
        records.sort_by_key(|record| record.ended);
        let events = written(|trace| records.iter().for_each(|record| trace.record(record).unwrap()));
        let whole = of_phase(&events, "X").into_iter().filter(|slice| !slice["args"].is_null());
        let mut spans: Vec<(u64, u64, u64)> = whole
            .map(|slice| {
                let nanos = |key: &str| (slice[key].as_f64().unwrap() * 1e3).round() as u64;
                (slice["tid"].as_u64().unwrap(), nanos("ts"), nanos("ts") + nanos("dur"))
            })
            .collect();
        spans.sort_unstable();
        assert_eq!(spans.len(), 300);
        for pair in spans.windows(2) {
            assert!(pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1, "{pair:?}");
        }
    }

    #[test]
    fn counters_are_told_where_they_change() {
        let events = written(|trace| {
            for second in [0, 4, 5] {
                trace.sample(&sample(second)).unwrap();
            }
        });
        let counters = of_phase(&events, "C");
        let of_control: Vec<&&Value> = counters.iter().filter(|event| event["pid"] == CONTROL).collect();
        assert_eq!(of_control.len(), 2, "0 and 4 have the same queue");
        assert_eq!(of_control[1]["ts"], (5_000 * MILLI / 1_000) as f64);
        assert_eq!(counters.len() - of_control.len(), 3, "hosts did not change");
    }
}
