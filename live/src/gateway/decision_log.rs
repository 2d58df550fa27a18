//! The decision log: a bounded queue of records, and the thread that writes them. Serving never waits for it. What does
//! not fit is a gap, and after a gap a new segment opens with a snapshot, from which replay goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use control::log::Record;
use traces::log::{LogError, LogWriter, Rotation};

/// What becomes of written records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keeping {
    /// A record is on the disk at most so long after it was written; what a crash of the machine may take. A crash of the
    /// program takes what the queue holds, nothing more once the writer was idle.
    pub(super) fsync: Duration,
    /// Bytes of all segments; the oldest make room when a new one begins.
    pub(super) bytes_max: u64,
}

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

/// A log being written.
pub(super) struct DecisionLog {
    /// `None` once closed.
    sender: Option<Sender<Record<'static>>>,
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
        write: impl FnOnce(Receiver<Record<'static>>, Arc<Shared>) -> Result<(), LogError> + Send + 'static,
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

    /// Hands a step over.
    pub(super) fn step(&mut self, step: Record<'static>) {
        // A full segment goes on until the next can begin: only a gap makes what follows useless.
        let useful = !self.must_open || self.missing == 0 && self.steps > 0;
        let room = self.shared.queued.load(Ordering::Relaxed) < self.queue_max;
        if useful && room && self.send(step) {
            self.steps += 1;
        } else {
            self.missing += 1;
            self.lost += 1;
            self.must_open = true;
            self.steps = 0;
        }
    }

    fn send(&self, record: Record<'static>) -> bool {
        let Some(sender) = &self.sender else { return false };
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        let sent = sender.send(record).is_ok();
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
    records: &Receiver<Record<'static>>,
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

fn write(
    file: &mut LogWriter,
    records: &Receiver<Record<'static>>,
    shared: &Shared,
    keeping: Keeping,
) -> Result<(), LogError> {
    let mut buffer = Vec::new();
    let mut segments = 0_u64;
    // When the oldest record was written that may not be on the disk.
    let mut unsynced: Option<Instant> = None;
    loop {
        if unsynced.is_some_and(|since| since.elapsed() >= keeping.fsync) {
            file.sync()?;
            unsynced = None;
        }
        let record = match records.try_recv() {
            Ok(record) => record,
            Err(TryRecvError::Disconnected) => break,
            // Nothing waits: what was written is handed to the system before sleeping.
            Err(TryRecvError::Empty) => {
                file.flush()?;
                let received = match unsynced {
                    Some(since) => records.recv_timeout(keeping.fsync.saturating_sub(since.elapsed())),
                    None => records.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match received {
                    Ok(record) => record,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        };
        shared.queued.fetch_sub(1, Ordering::Relaxed);
        if matches!(record, Record::Open { .. }) {
            if segments > 0 {
                file.rotate()?;
                file.retain(keeping.bytes_max)?;
            }
            segments += 1;
        }
        buffer.clear();
        buffer = record.encode(buffer);
        file.append(CONTROL_RECORD, &buffer)?;
        unsynced.get_or_insert_with(Instant::now);
    }
    file.sync()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::mpsc;

    use control::Control;
    use control::config::ControlFile;
    use control::door::Input;
    use control::units::Instant;

    use super::*;

    fn open() -> Record<'static> {
        let config = ControlFile::default().check().expect("the default is valid");
        let snapshot = Box::new(Control::new(config).snapshot());
        Record::Open { version: "test".into(), seed: 0, snapshot }
    }

    fn step(at: u64) -> Record<'static> {
        Record::Step { now: Instant(at), input: Cow::Owned(Input::Wake), outputs: Cow::Owned(Vec::new()) }
    }

    #[test]
    fn a_slow_disk_makes_a_gap_and_the_next_segment_opens_with_a_snapshot() {
        let (go, wait) = mpsc::channel::<usize>();
        let (seen, shown) = mpsc::channel();
        let mut log = DecisionLog::with_writer(4, move |records, shared| {
            // Takes as many records as it is told to, one batch after the other.
            for count in wait {
                for _ in 0..count {
                    let Ok(record) = records.recv() else { return Ok(()) };
                    shared.queued.fetch_sub(1, Ordering::Relaxed);
                    let word = match record {
                        Record::Open { .. } => "open".to_owned(),
                        Record::Step { now, .. } => format!("{}", now.0),
                        Record::Gap { steps } => format!("gap {steps}"),
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
            log.step(step(at));
        };
        for at in 0..8 {
            feed(&mut log, at);
        }
        let told = |count: usize| {
            go.send(count).expect("the writer listens");
            (0..count).map(|_| shown.recv().expect("the writer shows")).collect::<Vec<_>>()
        };
        assert_eq!(
            told(4),
            ["open", "0", "1", "2"],
            "four are queued at most, the other five steps are lost"
        );
        feed(&mut log, 8);
        assert_eq!(told(3), ["gap 5", "open", "8"]);
        assert_eq!(log.close(), 5);
        drop(go);
        log.finish().expect("nothing failed");
        assert_eq!(opened, 2, "no snapshot is made without room for it");
    }
}
