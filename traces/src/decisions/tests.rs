use std::borrow::Cow;

use control::Control;
use control::config::ControlFile;
use control::request::{Failure, Reject, Usage};
use control::units::{Bytes, Nanos};

use super::*;
use crate::jobs::Jobs;
use crate::log::{LogWriter, Rotation};
use crate::options::{ModelMix, TraceOptions};
use crate::reader::ReadOptions;
use crate::rows::Rows;

struct Written(tempfile::TempDir, LogWriter);

impl Written {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = LogWriter::open(folder.path(), Rotation::ByCaller).expect("a new log");
        let mut this = Self(folder, writer);
        this.begin(["red", "blue"]);
        this
    }

    /// A program begins to write.
    fn begin(&mut self, tenants: [&str; 2]) {
        let config = ControlFile::default().check().expect("the default is valid");
        let snapshot = Box::new(Control::new(config).snapshot());
        self.write(&Record::Open { version: "1".into(), seed: 0, snapshot });
        for (tenant, name) in tenants.into_iter().enumerate() {
            self.step(0, Input::TenantNamed { tenant: TenantId(tenant as u32), name: name.into() });
        }
        self.step(0, Input::ModelNamed { model: ModelId(0), name: "m:latest".into() });
    }

    fn write(&mut self, record: &Record<'_>) {
        self.1.append(0, &record.encode(Vec::new())).expect("the disk has room");
    }

    fn step(&mut self, millis: u64, input: Input) {
        self.step_out(millis, input, &[]);
    }

    fn step_out(&mut self, millis: u64, input: Input, outputs: &[Output]) {
        let now = at(millis);
        self.write(&Record::Step { now, input: Cow::Owned(input), outputs: Cow::Borrowed(outputs) });
    }

    fn rows(mut self) -> (Vec<TraceRow>, u64) {
        self.1.sync().expect("the disk has room");
        let mut rows = Rows::open(self.0.path(), ReadOptions::default()).expect("it is a log");
        let all = rows.by_ref().map(|row| row.expect("a row")).collect();
        (all, rows.noticed().answers_estimated)
    }
}

fn at(millis: u64) -> Instant {
    Instant::ZERO.saturating_add(Nanos::from_millis(millis))
}

fn arrive(request: u64) -> Arrive {
    Arrive { request: RequestId(request), prompt_bytes: Bytes(4_000), ..Arrive::default() }
}

fn finished(request: u64, prompt_tokens: u32, output_tokens: u32) -> Input {
    let usage = Usage { prompt_tokens, output_tokens, ..Usage::default() };
    Input::Finished { request: RequestId(request), attempt: 0, usage }
}

#[test]
fn rows_come_in_order_of_arrival_with_the_lengths_that_came_of_them() {
    let mut log = Written::new();
    log.step(100, Input::Arrive(Arrive { tenant: TenantId(1), priority: 2, ..arrive(0) }));
    log.step(150, Input::Arrive(arrive(1)));
    log.step(700, finished(1, 20, 7));
    log.step(900, finished(0, 30, 90));
    let (rows, estimated) = log.rows();
    let seen: Vec<_> = rows.iter().map(|row| (row.at, row.prompt_tokens, row.output_tokens)).collect();
    assert_eq!(seen, [(at(0), 30, 90), (at(50), 20, 7)]);
    assert_eq!(rows[0].model.as_deref(), Some("m:latest"));
    let asked = rows[0].asked.as_deref().expect("a log tells what was asked");
    assert_eq!((asked.tenant, asked.priority, asked.patience), (TenantId(1), 2, None));
    assert_eq!(estimated, 0);
}

#[test]
fn what_the_log_cannot_tell_is_estimated_and_counted() {
    let mut log = Written::new();
    for request in 0..7 {
        log.step(request, Input::Arrive(Arrive { num_predict: Some(77), ..arrive(request) }));
    }
    let first_byte = |request| Input::FirstByte { request: RequestId(request), attempt: 0 };
    // 0: turned away before anything is known of the model; 1 and 2: answered.
    let away = Output::Reject { request: RequestId(0), reason: Reject::QueueFull };
    log.step_out(8, Input::Wake, &[away]);
    log.step(10, finished(1, 900, 10));
    log.step(11, finished(2, 900, 21));
    // 3: its client left before a token; 4: in the middle; 5: the host broke; 6: the log ends.
    log.step(203, Input::Gone { request: RequestId(3) });
    log.step(205, first_byte(4));
    log.step(210, Input::Progress { request: RequestId(4), attempt: 0, tokens: 5 });
    log.step(211, Input::Gone { request: RequestId(4) });
    log.step(220, first_byte(5));
    log.step(221, Input::Failed { request: RequestId(5), attempt: 0, failure: Failure::Broken });
    let (rows, estimated) = log.rows();
    let seen: Vec<_> = rows.iter().map(|row| (row.prompt_tokens, row.output_tokens)).collect();
    assert_eq!(seen, [(1_000, 77), (900, 10), (900, 21), (1_000, 15), (1_000, 5), (1_000, 15), (1_000, 15)]);
    let patience = |row: &TraceRow| row.asked.as_deref().and_then(|asked| asked.patience);
    assert_eq!(patience(&rows[3]), Some(Nanos::from_millis(200)));
    assert_eq!(patience(&rows[4]), None, "it saw its first token");
    assert_eq!(estimated, 5);
}

#[test]
fn prompts_that_begin_alike_share_blocks() {
    let mut log = Written::new();
    for (request, prefix) in [vec![1, 2, 3], vec![1, 2, 4], vec![1, 2]].into_iter().enumerate() {
        log.step(0, Input::Arrive(Arrive { prefix: prefix.into(), ..arrive(request as u64) }));
    }
    for (request, tokens) in [800, 700, 600].into_iter().enumerate() {
        log.step(1, finished(request as u64, tokens, 1));
    }
    let (rows, _) = log.rows();
    let chain = |row: &TraceRow| row.blocks.clone().expect("the log tells").to_vec();
    let (first, second, third) = (chain(&rows[0]), chain(&rows[1]), chain(&rows[2]));
    let tokens = |chain: &[Block]| chain.iter().map(|block| block.tokens).collect::<Vec<_>>();
    assert_eq!(
        (tokens(&first), tokens(&second), tokens(&third)),
        (vec![256, 256, 256, 32], vec![256, 256, 188], vec![256, 256, 88])
    );
    assert_eq!((&first[..2], &second[..2]), (&second[..2], &third[..2]));
    assert_ne!(first[2].id, second[2].id);
}

#[test]
fn a_gap_leaves_those_under_way_unknown() {
    let mut log = Written::new();
    log.step(0, Input::Arrive(arrive(0)));
    log.step(1, Input::Arrive(arrive(1)));
    log.step(2, finished(1, 9, 8));
    log.write(&Record::Gap { steps: 3 });
    let (rows, estimated) = log.rows();
    assert_eq!(rows.iter().map(|row| row.output_tokens).collect::<Vec<_>>(), [8, 8]);
    assert_eq!(estimated, 1);
}

#[test]
fn jobs_keep_tenants_and_patience() {
    let mut log = Written::new();
    log.step(0, Input::Arrive(Arrive { tenant: TenantId(1), ..arrive(0) }));
    log.step(250, Input::Gone { request: RequestId(0) });
    log.1.sync().expect("the disk has room");
    let models = ModelMix { names: vec!["other".into(), "m:latest".into()], ..ModelMix::default() };
    let mut jobs =
        Jobs::open(log.0.path(), &TraceOptions { models, ..TraceOptions::default() }).expect("a log");
    assert_eq!(jobs.tenants(), ["red", "blue"]);
    let job = jobs.next().expect("one").expect("a job");
    assert_eq!((job.model, job.tenant, job.patience), (1, TenantId(1), Some(Nanos::from_millis(250))));
}

#[test]
fn a_program_that_begins_anew_goes_on_where_the_last_ended() {
    let mut log = Written::new();
    log.step(100, Input::Arrive(arrive(0)));
    log.step(200, Input::Arrive(arrive(1)));
    log.step(300, finished(1, 9, 8));
    log.begin(["blue", "green"]);
    log.step(40, Input::Arrive(arrive(0)));
    log.step(50, Input::Arrive(Arrive { tenant: TenantId(1), ..arrive(1) }));
    log.step(60, finished(0, 9, 7));
    log.step(60, finished(1, 9, 6));
    let (rows, estimated) = log.rows();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.at, row.output_tokens, row.asked.as_deref().map(|asked| asked.tenant.0)))
        .collect();
    let first = [(at(0), 8, Some(0)), (at(100), 8, Some(0))];
    let second = [(at(240), 7, Some(1)), (at(250), 6, Some(2))];
    assert_eq!(seen, [first, second].concat(), "names stay who they are");
    assert_eq!(estimated, 1);
}

#[test]
fn a_task_of_a_log_runs_for_as_long_as_it_ran() {
    let mut log = Written::new();
    let name = "task/1000m-64Mi-1x500";
    log.step(0, Input::ModelNamed { model: ModelId(1), name: name.into() });
    for (request, millis) in [(0, 10), (1, 20), (2, 30)] {
        let arrive = Arrive { request: RequestId(request), model: ModelId(1), ..Arrive::default() };
        log.step(millis, Input::Arrive(arrive));
    }
    log.step(50, Input::FirstByte { request: RequestId(0), attempt: 0 });
    log.step(60, Input::FirstByte { request: RequestId(1), attempt: 0 });
    log.step(90, Input::Finished { request: RequestId(0), attempt: 0, usage: Usage::default() });
    log.step(95, Input::Failed { request: RequestId(1), attempt: 0, failure: Failure::Broken });
    let (rows, estimated) = log.rows();
    let tasks: Vec<_> = rows.iter().map(|row| row.task().expect("a task")).collect();
    let ran = NonZeroU64::new(40_000_000).expect("not zero");
    assert_eq!(tasks, [Lasts::Nanos(ran), Lasts::Unknown, Lasts::Unknown]);
    assert_eq!(rows.iter().map(|row| row.prompt_tokens + row.output_tokens).sum::<u32>(), 0);
    assert_eq!((rows[0].model.as_deref(), estimated), (Some(name), 0));
}
