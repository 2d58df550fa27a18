//! Load of streams: all open at once, each token counted as it comes.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::load::{Target, request};
use crate::process::Group;

/// Connections that are opened at once: fewer than any proxy's queue of those not yet accepted.
const OPENING_MAX: usize = 64;

/// What is streamed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) streams: usize,
    /// Of each stream.
    pub(crate) tokens: u64,
    /// Between two tokens of a stream; zero streams as fast as the hosts can.
    pub(crate) interval: Duration,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Streamed {
    /// Of all streams.
    pub(crate) tokens: u64,
    pub(crate) wall: Duration,
    /// CPU time of the proxy from the first request to the last end.
    pub(crate) cpu: Option<Duration>,
    /// While every stream was open: tokens, and the CPU time of the proxy meanwhile. The cost of beginning and ending
    /// them is not in it. `None` where the first ended before the last began.
    pub(crate) window: Option<(u64, Duration)>,
    /// The proxy's memory while every stream was open.
    pub(crate) resident_bytes: Option<u64>,
    /// From the request to the end of its answer, of each stream that was whole, in ascending order.
    pub(crate) durations: Vec<Duration>,
    /// Streams that were refused, or broke off.
    pub(crate) errors: u64,
}

impl fmt::Display for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, wall, cpu, window, resident_bytes, errors, .. } = self;
        write!(
            f,
            "{tokens} tokens in {wall:.2?}, CPU {cpu:?}, all open {window:?}, resident {resident_bytes:?} bytes, {errors} errors"
        )
    }
}

/// Where a load stands at one moment.
#[derive(Clone, Copy)]
struct Mark {
    tokens: u64,
    cpu: Duration,
}

struct Shared {
    plan: Plan,
    group: Option<Group>,
    begun: Cell<usize>,
    tokens: Cell<u64>,
    all_open: Cell<Option<Mark>>,
    resident_bytes: Cell<Option<u64>>,
    /// Of the first stream to end.
    first_end: Cell<Option<Mark>>,
}

impl Shared {
    fn mark(&self) -> io::Result<Option<Mark>> {
        let Some(group) = &self.group else { return Ok(None) };
        Ok(Some(Mark { tokens: self.tokens.get(), cpu: group.cpu()? }))
    }

    fn begins(&self) -> io::Result<()> {
        self.begun.set(self.begun.get() + 1);
        if self.begun.get() == self.plan.streams && self.first_end.get().is_none() {
            self.all_open.set(self.mark()?);
        }
        Ok(())
    }

    fn ends(&self) -> io::Result<()> {
        if self.first_end.get().is_none() {
            self.first_end.set(self.mark()?);
            if let (Some(_), Some(group)) = (self.all_open.get(), &self.group) {
                self.resident_bytes.set(Some(group.resident_bytes()?));
            }
        }
        Ok(())
    }
}

/// Opens all streams and reads them to their ends. They begin spread over one interval, as those of different users do.
pub(crate) async fn stream(target: &Target, plan: Plan) -> Result<Streamed> {
    let connections = open(target, plan.streams).await.with_context(|| target.name.clone())?;
    let shared = Rc::new(Shared {
        plan,
        group: target.group.clone(),
        begun: Cell::new(0),
        tokens: Cell::new(0),
        all_open: Cell::new(None),
        resident_bytes: Cell::new(None),
        first_end: Cell::new(None),
    });
    let (cpu, began) = (target.cpu()?, Instant::now());
    let mut readers = JoinSet::new();
    for (number, connection) in connections.into_iter().enumerate() {
        let after = plan.interval * number as u32 / plan.streams as u32;
        readers.spawn_local(read(connection, after, Rc::clone(&shared)));
    }
    let (mut durations, mut errors) = (Vec::new(), 0);
    while let Some(read) = readers.join_next().await {
        match read? {
            Ok(duration) => durations.push(duration),
            Err(_) => errors += 1,
        }
    }
    let wall = began.elapsed();
    let cpu = target.cpu()?.zip(cpu).map(|(after, before)| after - before);
    durations.sort_unstable();
    let window = shared.all_open.get().zip(shared.first_end.get());
    Ok(Streamed {
        tokens: shared.tokens.get(),
        wall,
        cpu,
        window: window.map(|(from, to)| (to.tokens - from.tokens, to.cpu - from.cpu)),
        resident_bytes: shared.resident_bytes.get(),
        durations,
        errors,
    })
}

async fn open(target: &Target, count: usize) -> Result<Vec<Connection>> {
    let mut connections = Vec::new();
    while connections.len() < count {
        let mut opening = JoinSet::new();
        for number in connections.len()..count.min(connections.len() + OPENING_MAX) {
            let target = target.clone();
            opening.spawn_local(async move { target.connect(number).await });
        }
        while let Some(opened) = opening.join_next().await {
            connections.push(opened??);
        }
    }
    Ok(connections)
}

/// Reads one stream: how long it took. An error where it was refused, or was not whole.
async fn read(mut connection: Connection, after: Duration, shared: Rc<Shared>) -> io::Result<Duration> {
    let plan = shared.plan;
    let request = request(true, plan.tokens, plan.interval);
    tokio::time::sleep(after).await;
    let sent = Instant::now();
    connection.send(&request).await?;
    if connection.answer_head().await? != 200 {
        return Err(io::Error::other("refused"));
    }
    let mut lines = 0;
    let mut tail = Vec::new();
    while let Some(piece) = connection.piece().await? {
        if lines == 0 {
            shared.begins()?;
        }
        let newlines = piece.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let tokens = newlines.min(plan.tokens.saturating_sub(lines));
        shared.tokens.set(shared.tokens.get() + tokens);
        lines += newlines;
        if lines >= plan.tokens {
            if tail.is_empty() {
                shared.ends()?;
            }
            tail.extend_from_slice(piece);
        }
    }
    let whole = lines == plan.tokens + 1 && tail.windows(11).any(|part| part == br#""done":true"#);
    if whole { Ok(sent.elapsed()) } else { Err(io::Error::other("not whole")) }
}
