//! Decision logs as traces: the arrivals that a gateway or a run wrote down, with the lengths that came of them.
//!
//! A log tells what clients asked for and, where an answer ended, what the host counted. What it does not tell is how long
//! an answer would have become whose client left, or that was refused: such a row gets what the client had seen, else the
//! mean of the model's answers so far, and is counted as estimated. Clients that left before the first token are as
//! patient again. Prompts are known by the keyed hashes of their blocks; a block counts as [`BLOCK_TOKENS`], so that prompts
//! that begin alike share their first blocks here too.
//!
//! Rows come in the order of arrival, so a row waits until those before it have ended: memory is bounded by the requests
//! that overlap.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use control::door::{Input, Output};
use control::ids::{ModelId, RequestId, TenantId};
use control::log::Record;
use control::request::{Arrive, Block};
use control::units::{Instant, Nanos};

use crate::error::{BadRow, TraceError};
use crate::keyed::{Purpose, bits2};
use crate::log::{LogReader, LogRecord};
use crate::row::{Asked, Lasts, TraceRow};
use crate::task::TaskClass;

/// Tokens that a hashed block of a prompt counts as: the gateway hashes 1,024 bytes at a time, and four bytes a token is
/// usual for English.
pub(crate) const BLOCK_TOKENS: u32 = 256;
/// Bytes of a token, where no host said how many tokens a prompt has.
const TOKEN_BYTES: u64 = 4;
/// Length of an answer where neither the log nor the client's cap tells anything.
const ANSWER_TOKENS: u32 = 256;

/// A request whose row is not whole yet, or waits for those before it.
struct Held {
    request: RequestId,
    arrive: Arrive,
    arrived: Instant,
    /// Its number among the arrivals, from 1.
    line: u64,
    first_byte: Option<Instant>,
    /// Tokens that the client saw, as last told.
    seen_tokens: u32,
    ended: Option<Ended>,
}

/// How a request ended.
#[derive(Clone, Copy)]
enum Ended {
    /// With what the host counted.
    Whole { at: Instant, prompt_tokens: u32, output_tokens: u32 },
    /// Its client left at this time.
    Gone(Instant),
    /// Another way: how long the answer is, nobody knows.
    Unknown,
}

/// What answers of a model were like so far.
#[derive(Clone, Copy, Default)]
struct Answers {
    count: u64,
    tokens: u64,
}

/// The rows of a decision log.
pub(crate) struct DecisionRows {
    file: PathBuf,
    reader: LogReader,
    models: Vec<Arc<str>>,
    tenants: Vec<String>,
    /// Names of models that are classes of tasks, all that the log knows.
    classes: BTreeSet<Arc<str>>,
    /// By the ids of the program that is writing: places in `tenants`.
    tenant_places: Vec<TenantId>,
    answers: BTreeMap<ModelId, Answers>,
    held: VecDeque<Held>,
    /// Rows of a program that ended before its log did.
    ready: VecDeque<TraceRow>,
    /// The log's time when its program began; each begins to count at 0.
    began: Nanos,
    /// The time of the last step, on the log's clock.
    last: Instant,
    base: Option<Instant>,
    /// Arrivals since the program began, and in all.
    arrived: u64,
    lines: u64,
    estimated: u64,
    ended: bool,
}

impl DecisionRows {
    /// Whether a path is a decision log: a folder, or a file that begins as a segment does.
    pub(crate) fn is_log(path: &Path) -> bool {
        use std::io::Read;
        let mut head = [0; 8];
        path.is_dir()
            || std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
                && &head == b"herdrlog"
    }

    /// Opens a log. All of it is gone through once for the names of tenants and of classes of tasks.
    pub(crate) fn open(path: &Path) -> Result<Self, TraceError> {
        let mut rows = Self {
            file: path.to_owned(),
            reader: LogReader::open(path)?,
            models: Vec::new(),
            tenants: Vec::new(),
            classes: BTreeSet::new(),
            tenant_places: Vec::new(),
            answers: BTreeMap::new(),
            held: VecDeque::new(),
            ready: VecDeque::new(),
            began: Nanos::ZERO,
            last: Instant::ZERO,
            base: None,
            arrived: 0,
            lines: 0,
            estimated: 0,
            ended: false,
        };
        while let Some(record) = rows.reader.next().transpose()? {
            match rows.decode(&record)? {
                Record::Open { snapshot, .. } => {
                    snapshot.facts.tenants.into_iter().for_each(|name| rows.know(name));
                    snapshot.facts.models.iter().for_each(|model| rows.know_class(&model.name));
                }
                Record::Step { input, .. } => match input.into_owned() {
                    Input::TenantNamed { name, .. } => rows.know(name),
                    Input::ModelNamed { name, .. } => rows.know_class(&name),
                    _ => {}
                },
                Record::Gap { .. } => {}
            }
        }
        rows.reader = LogReader::open(path)?;
        Ok(rows)
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Names of tenants, all that the log knows.
    pub(crate) fn tenants(&self) -> &[String] {
        &self.tenants
    }

    /// Names of the classes of tasks.
    pub(crate) fn classes(&self) -> Vec<Arc<str>> {
        self.classes.iter().cloned().collect()
    }

    /// Rows told so far whose answer's length is estimated.
    pub(crate) fn estimated(&self) -> u64 {
        self.estimated
    }

    fn know_class(&mut self, model: &str) {
        if model.parse::<TaskClass>().is_ok() {
            self.classes.insert(model.into());
        }
    }

    fn is_class(&self, model: &Arc<str>) -> bool {
        self.classes.contains(model)
    }

    fn know(&mut self, tenant: String) {
        if !self.tenants.contains(&tenant) {
            self.tenants.push(tenant);
        }
    }

    /// All names were learned when the log was opened.
    fn place(&self, tenant: &str) -> TenantId {
        TenantId(self.tenants.iter().position(|known| known == tenant).unwrap_or(0) as u32)
    }

    fn decode(&self, record: &LogRecord) -> Result<Record<'static>, TraceError> {
        Record::decode(&record.payload).map_err(|error| {
            TraceError::Bad(Box::new(BadRow {
                file: format!("{}: segment {}", self.file.display(), record.segment),
                line: 1,
                column: record.offset + 1,
                found: error.to_string(),
                expected: "a record of this version's decision log".to_owned(),
            }))
        })
    }

    fn take(&mut self, record: Record<'static>) {
        match record {
            Record::Open { snapshot, .. } => {
                if snapshot.facts.counters.arrived < self.arrived {
                    self.began_anew();
                }
                self.tenant_places = snapshot.facts.tenants.iter().map(|name| self.place(name)).collect();
                self.models = snapshot.facts.models.iter().map(|model| model.name.as_str().into()).collect();
            }
            // What became of those under way was lost with the steps.
            Record::Gap { .. } => self.held.iter_mut().for_each(|held| held.end(Ended::Unknown)),
            Record::Step { now, input, outputs } => {
                let now = now.saturating_add(self.began);
                self.last = now;
                self.input(now, input.into_owned());
                for output in outputs.iter() {
                    if let Output::Reject { request, .. } | Output::Fail { request, .. } = output {
                        self.end(*request, Ended::Unknown);
                    }
                }
            }
        }
    }

    /// The program ended and began anew, its clock and its ids too. How long it was away the log does not tell: no time.
    fn began_anew(&mut self) {
        for mut held in std::mem::take(&mut self.held) {
            held.end(Ended::Unknown);
            let row = self.row(held);
            self.ready.push_back(row);
        }
        self.began = self.last.since(Instant::ZERO);
        self.arrived = 0;
        // Its names are given out anew, too.
        self.answers.clear();
    }

    fn input(&mut self, now: Instant, input: Input) {
        match input {
            Input::ModelNamed { name, .. } => self.models.push(name.into()),
            Input::TenantNamed { name, .. } => self.tenant_places.push(self.place(&name)),
            Input::Arrive(arrive) => {
                self.arrived += 1;
                self.lines += 1;
                let deadline = arrive.deadline.map(|deadline| deadline.saturating_add(self.began));
                let arrive = Arrive { deadline, ..arrive };
                self.held.push_back(Held {
                    request: arrive.request,
                    arrive,
                    arrived: now,
                    line: self.lines,
                    first_byte: None,
                    seen_tokens: 0,
                    ended: None,
                });
            }
            Input::FirstByte { request, .. } => {
                if let Some(held) = self.find(request) {
                    held.first_byte = Some(now);
                }
            }
            Input::Progress { request, tokens, .. } => {
                if let Some(held) = self.find(request) {
                    held.seen_tokens = tokens;
                }
            }
            Input::Finished { request, usage, .. } => {
                let (prompt_tokens, output_tokens) = (usage.prompt_tokens, usage.output_tokens);
                if let Some(held) = self.find(request) {
                    let model = held.arrive.model;
                    held.end(Ended::Whole { at: now, prompt_tokens, output_tokens });
                    let answers = self.answers.entry(model).or_default();
                    answers.count += 1;
                    answers.tokens += u64::from(output_tokens);
                }
            }
            // Before the first byte it may be tried again; where not, an output says so.
            Input::Failed { request, .. }
                if self.find(request).is_some_and(|held| held.first_byte.is_some()) =>
            {
                self.end(request, Ended::Unknown);
            }
            Input::Gone { request } => self.end(request, Ended::Gone(now)),
            _ => {}
        }
    }

    fn find(&mut self, request: RequestId) -> Option<&mut Held> {
        let at = self.held.partition_point(|held| held.request < request);
        self.held.get_mut(at).filter(|held| held.request == request)
    }

    fn end(&mut self, request: RequestId, ended: Ended) {
        if let Some(held) = self.find(request) {
            held.end(ended);
        }
    }

    fn row(&mut self, held: Held) -> TraceRow {
        let Held { arrive, arrived, line, first_byte, seen_tokens, ended, .. } = held;
        let base = *self.base.get_or_insert(arrived);
        let told = |tokens: u32| (tokens > 0).then_some(tokens);
        let (mut prompt, mut output, mut patience) = (None, told(seen_tokens), None);
        match ended {
            Some(Ended::Whole { prompt_tokens, output_tokens, .. }) => {
                (prompt, output) = (told(prompt_tokens), told(output_tokens));
            }
            Some(Ended::Gone(at)) if first_byte.is_none() => patience = Some(at.since(arrived)),
            _ => {}
        }
        let model = self.models.get(arrive.model.index()).cloned();
        let task = model.as_ref().filter(|name| self.is_class(name)).map(|_| lasts(first_byte, ended));
        self.estimated += u64::from(task.is_none() && !matches!(ended, Some(Ended::Whole { .. })));
        let answers = self.answers.get(&arrive.model).copied().unwrap_or_default();
        let guess = || match answers.tokens.checked_div(answers.count) {
            Some(mean) => (mean as u32).max(1),
            None => arrive.num_predict.unwrap_or(ANSWER_TOKENS).max(1),
        };
        let output_tokens = output.unwrap_or_else(guess);
        let prompt_tokens = prompt.unwrap_or_else(|| {
            u32::try_from(arrive.prompt_bytes.0.div_ceil(TOKEN_BYTES)).unwrap_or(u32::MAX).max(1)
        });
        TraceRow {
            line,
            at: Instant(arrived.since(base).0),
            model,
            session: arrive.session,
            prompt_tokens: if task.is_some() { 0 } else { prompt_tokens },
            output_tokens: if task.is_some() { 0 } else { output_tokens },
            blocks: blocks(&arrive, prompt_tokens),
            asked: Some(Box::new(Asked {
                tenant: self.tenant_places.get(arrive.tenant.index()).copied().unwrap_or_default(),
                kind: arrive.kind,
                priority: arrive.priority,
                deadline: arrive.deadline.map(|deadline| deadline.since(arrived)),
                patience,
                num_predict: arrive.num_predict,
                options: arrive.options(),
                task,
            })),
        }
    }

    fn read(&mut self) -> Result<Option<TraceRow>, TraceError> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            if self.held.front().is_some_and(|held| held.ended.is_some() || self.ended) {
                let held = self.held.pop_front().expect("it was just looked at");
                return Ok(Some(self.row(held)));
            }
            if self.ended {
                return Ok(None);
            }
            match self.reader.next().transpose()? {
                Some(record) => {
                    let record = self.decode(&record)?;
                    self.take(record);
                }
                None => self.ended = true,
            }
        }
    }
}

impl Iterator for DecisionRows {
    type Item = Result<TraceRow, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// How long a task ran, from its start to its end as they were heard of; nobody knows where it did not end by itself.
fn lasts(began: Option<Instant>, ended: Option<Ended>) -> Lasts {
    let (Some(began), Some(Ended::Whole { at, .. })) = (began, ended) else { return Lasts::Unknown };
    NonZeroU64::new(at.since(began).0).map_or(Lasts::Unknown, Lasts::Nanos)
}

impl Held {
    fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }
}

/// The prompt as a chain: a block for each hash while there are tokens, and what is left, which is like no other.
fn blocks(arrive: &Arrive, prompt_tokens: u32) -> Option<Arc<[Block]>> {
    if arrive.prefix.is_empty() {
        return None;
    }
    let whole = (prompt_tokens / BLOCK_TOKENS) as usize;
    let mut blocks: Vec<Block> =
        arrive.prefix.iter().take(whole).map(|&id| Block { id, tokens: BLOCK_TOKENS }).collect();
    let left = prompt_tokens - blocks.len() as u32 * BLOCK_TOKENS;
    if left > 0 {
        let id = match arrive.prefix.get(blocks.len()) {
            // The same beginning of the same block.
            Some(&hash) => bits2(0, Purpose::CutBlock, hash, u64::from(left)),
            None => bits2(0, Purpose::UserBlock, u64::MAX, arrive.request.0),
        };
        blocks.push(Block { id: id.max(1), tokens: left });
    }
    Some(blocks.into())
}

#[cfg(test)]
mod tests;
