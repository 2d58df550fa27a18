//! The decision log: a bounded queue of records, and the thread that writes them. Serving never waits for it. What does
//! not fit is a gap, and after a gap a new segment opens with a snapshot, from which replay goes on.
//!
//! Steps are encoded as they are taken and handed over together; the thread that writes them lets some gather, so that a
//! busy gateway does not wake it for each.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use control::door::{Input, Output};
use control::log::Record;
use control::units;
use traces::log::{LogError, LogWriter, Rotation};

/// What becomes of written records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keeping {
    /// A record is on the disk at most so long after it was written; what a crash of the machine may take. A crash of the
    /// program takes what the queue holds: what came in the last [`GATHERING`], where the disk keeps up.
    pub(super) fsync: Duration,
    /// Bytes of all segments; the oldest make room when a new one begins.
    pub(super) bytes_max: u64,
}

/// How long the thread that writes waits for more after the first record of a batch.
const GATHERING: Duration = Duration::from_millis(2);
/// Bytes of steps that are handed over at the latest.
const BATCH_BYTES: usize = 64 << 10;

/// Kind of a record that holds what `control::log` encodes.
const CONTROL_RECORD: u8 = 0;

/// What the writer tells the one that hands it records.
#[derive(Default)]
struct Shared {
    /// Records in the queue.
    queued: AtomicUsize,
    /// The disk refused; nothing is written any more.
    failed: AtomicBool,
}

/// What is handed over.
enum Handed {
    /// A record that opens a segment, or tells of a gap.
    One(Record<'static>),
    Steps(Steps),
}

/// Encoded steps, one after the other.
#[derive(Default)]
struct Steps {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Steps {
    fn push(&mut self, record: &Record<'_>) {
        self.bytes = record.encode(std::mem::take(&mut self.bytes));
        self.ends.push(self.bytes.len());
    }

    fn each(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(&start, &end)| &self.bytes[start..end])
    }
}

impl Handed {
    fn records(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Steps(steps) => steps.ends.len(),
        }
    }
}

/// A log being written.
pub(super) struct DecisionLog {
    /// `None` once closed.
    sender: Option<Sender<Handed>>,
    /// Not handed over yet; they count as queued.
    batch: Steps,
    queue_max: usize,
    shared: Arc<Shared>,
    writer: JoinHandle<Result<(), LogError>>,
    /// Steps of the gap that is not written down yet.
    missing: u64,
    /// Steps lost in all.
    lost: u64,
    /// The next record must be a snapshot.
    must_open: bool,
    /// Steps since the last snapshot.
    steps: u64,
}

impl DecisionLog {
    /// Opens a log in a folder, after what is there.
    pub(super) fn open(folder: &Path, queue_max: usize, keeping: Keeping) -> Result<Self, LogError> {
        let mut file = LogWriter::open(folder, Rotation::ByCaller)?;
        file.retain(keeping.bytes_max)?;
        Ok(Self::with_writer(queue_max, move |records, shared| write_all(file, &records, &shared, keeping)))
    }

    fn with_writer(
        queue_max: usize,
        write: impl FnOnce(Receiver<Handed>, Arc<Shared>) -> Result<(), LogError> + Send + 'static,
    ) -> Self {
        // `queued` bounds it; a channel with a bound of its own would take the memory of all at once.
        let (sender, records) = channel();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("decision-log".into())
            .spawn(move || write(records, theirs))
            .expect("the system has room for one more thread");
        Self {
            sender: Some(sender),
            batch: Steps::default(),
            queue_max,
            shared,
            writer,
            missing: 0,
            lost: 0,
            must_open: true,
            steps: 0,
        }
    }

    /// Opens a segment where one must begin and there is room: at the start, after `segment_steps` steps, and after a
    /// gap once the queue is half empty.
    pub(super) fn before_step(&mut self, segment_steps: u64, open: impl FnOnce() -> Record<'static>) {
        if self.steps >= segment_steps {
            self.must_open = true;
        }
        let queued = self.shared.queued.load(Ordering::Relaxed);
        if !self.must_open
            || queued > self.queue_max / 2
            || self.shared.failed.load(Ordering::Relaxed)
            || self.missing > 0 && !self.send(Record::Gap { steps: self.missing })
        {
            return;
        }
        self.missing = 0;
        if self.send(open()) {
            self.must_open = false;
            self.steps = 0;
        }
    }

    /// Writes a step down.
    pub(super) fn step(&mut self, now: units::Instant, input: &Input, outputs: &[Output]) {
        // A full segment goes on until the next can begin: only a gap makes what follows useless.
        let useful = !self.must_open || self.missing == 0 && self.steps > 0;
        let room = self.shared.queued.load(Ordering::Relaxed) < self.queue_max;
        if useful && room && self.sender.is_some() && !self.failed() {
            let (input, outputs) = (Cow::Borrowed(input), Cow::Borrowed(outputs));
            self.batch.push(&Record::Step { now, input, outputs });
            self.shared.queued.fetch_add(1, Ordering::Relaxed);
            self.steps += 1;
            if self.batch.bytes.len() >= BATCH_BYTES {
                self.hand_over();
            }
        } else {
            self.missing += 1;
            self.lost += 1;
            self.must_open = true;
            self.steps = 0;
        }
    }

    /// Hands over what was written down since the last time.
    pub(super) fn hand_over(&mut self) {
        if !self.batch.ends.is_empty()
            && let Some(sender) = &self.sender
        {
            let room = Vec::with_capacity(self.batch.bytes.len());
            let steps = std::mem::replace(&mut self.batch, Steps { bytes: room, ends: Vec::new() });
            // A writer that has ended has said why, and that it did.
            let _ = sender.send(Handed::Steps(steps));
        }
    }

    /// Hands over a record by itself, after all before it.
    fn send(&mut self, record: Record<'static>) -> bool {
        self.hand_over();
        let Some(sender) = &self.sender else { return false };
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        let sent = sender.send(Handed::One(record)).is_ok();
        if !sent {
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }

    /// Steps lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether the disk refused: nothing is written any more.
    pub(super) fn failed(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Ends the queue; what is in it will be written. Gives the number of steps that were lost.
    pub(super) fn close(&mut self) -> u64 {
        self.hand_over();
        if self.missing > 0 && self.send(Record::Gap { steps: self.missing }) {
            self.missing = 0;
        }
        self.sender = None;
        self.lost
    }

    /// Waits until all is on the disk.
    pub(super) fn finish(mut self) -> Result<(), LogError> {
        self.close();
        match self.writer.join() {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// The writer's thread: until the queue ends, or the disk refuses.
fn write_all(
    mut file: LogWriter,
    records: &Receiver<Handed>,
    shared: &Shared,
    keeping: Keeping,
) -> Result<(), LogError> {
    let written = write(&mut file, records, shared, keeping);
    if let Err(error) = &written {
        tracing::error!(%error, "the decision log ends here");
        shared.failed.store(true, Ordering::Relaxed);
    }
    written
}

#[expect(clippy::disallowed_methods, reason = "nobody waits for this thread")]
fn write(
    file: &mut LogWriter,
    records: &Receiver<Handed>,
    shared: &Shared,
    keeping: Keeping,
) -> Result<(), LogError> {
    let mut writing = Writing { file, keeping, segments: 0, buffer: Vec::new(), unsynced: None };
    loop {
        let first = match writing.unsynced {
            None => records.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => records.recv_timeout(keeping.fsync.saturating_sub(since.elapsed())),
        };
        match first {
            Ok(first) => {
                std::thread::sleep(GATHERING);
                for handed in std::iter::once(first).chain(records.try_iter()) {
                    writing.write(&handed)?;
                    shared.queued.fetch_sub(handed.records(), Ordering::Relaxed);
                }
                // Before it sleeps, what was written is handed to the system.
                writing.file.flush()?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        writing.sync_if_due()?;
    }
    writing.file.sync()
}

/// A log's file, and how far it is.
struct Writing<'a> {
    file: &'a mut LogWriter,
    keeping: Keeping,
    segments: u64,
    buffer: Vec<u8>,
    /// When the oldest record was written that may not be on the disk.
    unsynced: Option<Instant>,
}

impl Writing<'_> {
    fn write(&mut self, handed: &Handed) -> Result<(), LogError> {
        match handed {
            Handed::One(record) => {
                if matches!(record, Record::Open { .. }) {
                    if self.segments > 0 {
                        self.file.rotate()?;
                        self.file.retain(self.keeping.bytes_max)?;
                    }
                    self.segments += 1;
                }
                self.buffer.clear();
                self.buffer = record.encode(std::mem::take(&mut self.buffer));
                self.file.append(CONTROL_RECORD, &self.buffer)?;
            }
            Handed::Steps(steps) => {
                for step in steps.each() {
                    self.file.append(CONTROL_RECORD, step)?;
                }
            }
        }
        self.unsynced.get_or_insert_with(Instant::now);
        self.sync_if_due()
    }

    fn sync_if_due(&mut self) -> Result<(), LogError> {
        if self.unsynced.is_some_and(|since| since.elapsed() >= self.keeping.fsync) {
            self.file.sync()?;
            self.unsynced = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use control::Control;
    use control::config::ControlFile;

    use super::*;

    fn open() -> Record<'static> {
        let config = ControlFile::default().check().expect("the default is valid");
        let snapshot = Box::new(Control::new(config).snapshot());
        Record::Open { version: "test".into(), seed: 0, snapshot }
    }

    #[test]
    fn a_slow_disk_makes_a_gap_and_the_next_segment_opens_with_a_snapshot() {
        let (go, wait) = mpsc::channel::<usize>();
        let (seen, shown) = mpsc::channel();
        let mut log = DecisionLog::with_writer(4, move |records, shared| {
            // Takes as many records as it is told to, one batch after the other.
            for count in wait {
                for _ in 0..count {
                    let Ok(handed) = records.recv() else { return Ok(()) };
                    shared.queued.fetch_sub(handed.records(), Ordering::Relaxed);
                    let word = match handed {
                        Handed::One(Record::Open { .. }) => "open".to_owned(),
                        Handed::One(Record::Gap { steps }) => format!("gap {steps}"),
                        Handed::One(Record::Step { .. }) => "a step by itself".to_owned(),
                        Handed::Steps(steps) => {
                            let times = steps.each().map(|step| match Record::decode(step) {
                                Ok(Record::Step { now, .. }) => now.0.to_string(),
                                other => format!("{other:?}"),
                            });
                            times.collect::<Vec<_>>().join(" ")
                        }
                    };
                    seen.send(word).expect("the test listens");
                }
            }
            Ok(())
        });
        let mut opened = 0;
        let mut feed = |log: &mut DecisionLog, at| {
            log.before_step(1_000, || {
                opened += 1;
                open()
            });
            log.step(units::Instant(at), &Input::Wake, &[]);
        };
        for at in 0..8 {
            feed(&mut log, at);
        }
        log.hand_over();
        let told = |count: usize| {
            go.send(count).expect("the writer listens");
            (0..count).map(|_| shown.recv().expect("the writer shows")).collect::<Vec<_>>()
        };
        assert_eq!(told(2), ["open", "0 1 2"], "four are queued at most, the other five steps are lost");
        feed(&mut log, 8);
        log.hand_over();
        assert_eq!(told(3), ["gap 5", "open", "8"]);
        assert_eq!(log.close(), 5);
        drop(go);
        log.finish().expect("nothing failed");
        assert_eq!(opened, 2, "no snapshot is made without room for it");
    }
}
