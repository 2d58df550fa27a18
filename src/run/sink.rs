//! Where records and events go while a run is under way: metrics in memory, rows and the decision log in files.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use control::door::{Meter, Note};
use control::log::Record as LogRecord;
use control::units::Instant;
use reports::events::{Event, Events};
use reports::files::{EventsCsv, PerfettoJson, RequestsCsv, ResidencyCsv, TimelineCsv};
use reports::metrics::{Metrics, MetricsSpec};
use reports::stages::{StageMeter, StageRow};
use reports::timeline::Timeline;
use sim::simulation::{Progress, Sink};
use traces::log::{LogWriter, Rotation};
use traces::record::{Record, Sample};

use super::Plan;

/// Kind of a record that holds what `control::log` encodes.
const CONTROL_RECORD: u8 = 0;

/// Files that grow during a run.
#[derive(Debug, Default)]
pub(super) struct Keep {
    requests: Option<RequestsCsv>,
    timeline: Option<TimelineCsv>,
    events: Option<EventsCsv>,
    residency: Option<ResidencyCsv>,
    perfetto: Option<PerfettoJson>,
    log: Option<Log>,
}

/// A decision log under its temporary name.
#[derive(Debug)]
struct Log {
    writer: LogWriter,
    buffer: Vec<u8>,
    temporary: PathBuf,
    target: PathBuf,
    segments: u64,
}

impl Keep {
    /// Opens them; which models are where only where `placed`: where placement or a registry brings them there.
    pub(super) fn begin(plan: &Plan, placed: bool, spec: &MetricsSpec) -> Result<Self> {
        if let Some(folder) = &plan.out {
            super::clear(folder)?;
        }
        let perfetto = plan.perfetto.as_deref().map(|path| PerfettoJson::create(path, spec)).transpose()?;
        let Some(folder) = plan.out.as_deref() else { return Ok(Self { perfetto, ..Self::default() }) };
        Ok(Self {
            perfetto,
            requests: Some(RequestsCsv::create(folder, spec)?),
            timeline: Some(TimelineCsv::create(folder)?),
            events: Some(EventsCsv::create(folder)?),
            residency: placed.then(|| ResidencyCsv::create(folder, spec)).transpose()?,
            log: if plan.log { Some(Log::begin(folder)?) } else { None },
        })
    }

    fn finish(self) -> Result<()> {
        self.requests.map(RequestsCsv::finish).transpose()?;
        self.timeline.map(TimelineCsv::finish).transpose()?;
        self.events.map(EventsCsv::finish).transpose()?;
        self.residency.map(ResidencyCsv::finish).transpose()?;
        self.perfetto.map(PerfettoJson::finish).transpose()?;
        self.log.map_or(Ok(()), Log::finish)
    }
}

impl Log {
    fn begin(folder: &Path) -> Result<Self> {
        let temporary = folder.join(format!(".decisions.{}.tmp", std::process::id()));
        let writer = LogWriter::open(&temporary, Rotation::ByCaller)?;
        Ok(Self { writer, buffer: Vec::new(), temporary, target: folder.join("decisions"), segments: 0 })
    }

    fn append(&mut self, record: &LogRecord<'_>) -> Result<(), traces::log::LogError> {
        if matches!(record, LogRecord::Open { .. }) {
            if self.segments > 0 {
                self.writer.rotate()?;
            }
            self.segments += 1;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.buffer = record.encode(buffer);
        self.writer.append(CONTROL_RECORD, &self.buffer).map(drop)
    }

    fn finish(mut self) -> Result<()> {
        self.writer.flush()?;
        std::fs::rename(&self.temporary, &self.target)
            .with_context(|| format!("cannot give {} its name", self.target.display()))
    }
}

/// What a run came to, as far as its records tell.
pub(super) struct Recorded {
    pub(super) metrics: Metrics,
    pub(super) timeline: Timeline,
    pub(super) events: Events,
    pub(super) stages: Vec<StageRow>,
    /// Whether all files were written.
    pub(super) kept: Result<()>,
}

/// Takes what a run tells. The first failure to write stops the run at its next sign of life.
pub(super) struct Recorder<'a> {
    metrics: Metrics,
    timeline: Timeline,
    expected: u64,
    keep: Keep,
    events: Events,
    /// What the operator is still to do.
    ahead: VecDeque<Event>,
    /// Who times control's stages, where they were asked for.
    pub(super) meter: Option<StageMeter>,
    failed: Option<Error>,
    watch: &'a mut dyn FnMut(&Progress) -> bool,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        spec: MetricsSpec,
        hosts_len: usize,
        expected: u64,
        operator: Vec<Event>,
        keep: Keep,
        watch: &'a mut dyn FnMut(&Progress) -> bool,
    ) -> Self {
        let (metrics, timeline) = (Metrics::new(spec), Timeline::new(hosts_len));
        let (events, ahead) = (Events::default(), operator.into());
        Self { metrics, timeline, expected, keep, events, ahead, meter: None, failed: None, watch }
    }

    /// Ends the files that grew; what was written is whole even where the run broke off.
    pub(super) fn finish(self) -> Recorded {
        let kept = self.keep.finish();
        let Self { metrics, timeline, events, failed, meter, .. } = self;
        let stages = meter.map(|meter| meter.rows()).unwrap_or_default();
        Recorded { metrics, timeline, events, stages, kept: failed.map_or(kept, Err) }
    }

    fn event(&mut self, event: Event) {
        if let Some(events) = &mut self.keep.events {
            let written = events.write(&event);
            self.heed(written);
        }
        if let Some(perfetto) = &mut self.keep.perfetto {
            let written = perfetto.noted(&event);
            self.heed(written);
        }
        self.events.push(event);
    }

    fn heed(&mut self, outcome: Result<(), impl Into<Error>>) {
        if let Err(error) = outcome
            && self.failed.is_none()
        {
            self.failed = Some(error.into());
        }
    }
}

impl Sink for Recorder<'_> {
    fn record(&mut self, record: &Record) {
        self.metrics.record(record);
        if let Some(requests) = &mut self.keep.requests {
            let written = requests.write(record);
            self.heed(written);
        }
        if let Some(perfetto) = &mut self.keep.perfetto {
            let written = perfetto.record(record);
            self.heed(written);
        }
    }

    fn sample(&mut self, sample: &Sample) {
        self.timeline.push(sample);
        if let Some(timeline) = &mut self.keep.timeline {
            let written = timeline.write(sample);
            self.heed(written);
        }
        if let Some(residency) = &mut self.keep.residency {
            let written = residency.write(sample);
            self.heed(written);
        }
        if let Some(perfetto) = &mut self.keep.perfetto {
            let written = perfetto.sample(sample);
            self.heed(written);
        }
    }

    fn note(&mut self, at: Instant, note: Note) {
        let event = Event::noted(at, note, self.metrics.spec());
        self.event(event);
    }

    fn operated(&mut self, _at: Instant) {
        let event = self.ahead.pop_front().expect("there are words for each of the operator's changes");
        self.event(event);
    }

    fn meter(&mut self) -> Option<&mut dyn Meter> {
        self.meter.as_mut().map(|meter| meter as &mut dyn Meter)
    }

    fn progress(&mut self, progress: &Progress) -> bool {
        let expected = progress.expected.or(Some(self.expected).filter(|expected| *expected > 0));
        self.failed.is_none() && (self.watch)(&Progress { expected, ..*progress })
    }

    fn log(&mut self, record: &LogRecord<'_>) -> Result<(), String> {
        if let (Some(perfetto), LogRecord::Step { now, input, outputs }) = (&mut self.keep.perfetto, record) {
            let written = perfetto.step(*now, input, outputs);
            self.heed(written);
        }
        match &mut self.keep.log {
            Some(log) => log.append(record).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    fn wants_log(&self) -> bool {
        self.keep.log.is_some() || self.keep.perfetto.is_some()
    }
}
