//! Load of small requests: as many as come back on some connections, and one at a time on each target in turn.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::process::Group;
use crate::stub::MODEL;

/// Bytes of the prompt that every request carries.
pub(crate) const PROMPT_BYTES: usize = 1_024;

/// Time in which connections open and caches fill, before a load is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// Connections go to each in turn.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The proxy's processes; none where the hosts are asked directly.
    pub(crate) group: Option<Group>,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    /// `NAME=ADDRESS,…@PID`, or without `@PID` where nothing stands between.
    fn from_str(text: &str) -> Result<Self> {
        let expected = || format!("found {text:?}, expected NAME=ADDRESS,…@PID");
        let (name, rest) = text.split_once('=').with_context(expected)?;
        let (addresses, pid) = match rest.split_once('@') {
            Some((addresses, pid)) => (addresses, Some(pid.parse().with_context(expected)?)),
            None => (rest, None),
        };
        let addresses =
            addresses.split(',').map(str::parse).collect::<Result<_, _>>().with_context(expected)?;
        Ok(Self { name: name.to_owned(), addresses, group: pid.map(Group::of).transpose()? })
    }
}

impl Target {
    /// Opens the connection with this number, and has one answer over it, so that whatever a proxy opens behind it is
    /// open too.
    pub(crate) async fn connect(&self, number: usize) -> io::Result<Connection> {
        let mut connection = Connection::connect(self.addresses[number % self.addresses.len()]).await?;
        ask(&mut connection, &small_request()).await?;
        Ok(connection)
    }

    /// CPU time of the proxy so far.
    pub(crate) fn cpu(&self) -> io::Result<Option<Duration>> {
        self.group.as_ref().map(Group::cpu).transpose()
    }
}

/// A request for an answer of `tokens` tokens, this far apart; one that is not streamed where `stream` is false.
pub(crate) fn request(stream: bool, tokens: u64, interval: Duration) -> Vec<u8> {
    let prompt = "word ".repeat(PROMPT_BYTES.div_ceil(5));
    let body = format!(
        r#"{{"model":"{MODEL}","prompt":"{}","stream":{stream},"options":{{"temperature":0.7,"num_predict":{tokens},"stub_interval_micros":{}}}}}"#,
        &prompt[..PROMPT_BYTES],
        interval.as_micros()
    );
    let head = format!(
        "POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

fn small_request() -> Vec<u8> {
    request(false, 8, Duration::ZERO)
}

/// Sends a request and reads its whole answer.
async fn ask(connection: &mut Connection, request: &[u8]) -> io::Result<()> {
    connection.send(request).await?;
    let status = connection.answer_head().await?;
    let mut bytes = 0;
    while let Some(piece) = connection.piece().await? {
        bytes += piece.len();
    }
    if status == 200 && bytes > 0 { Ok(()) } else { Err(io::Error::other(format!("status {status}"))) }
}

/// What came of requests that followed each other on some connections.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Pressed {
    pub(crate) requests: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Option<Duration>,
    pub(crate) errors: u64,
}

#[derive(Default)]
struct Counts {
    requests: Cell<u64>,
    errors: Cell<u64>,
    stop: Cell<bool>,
}

/// Keeps one request under way on each of so many connections.
pub(crate) async fn press(target: &Target, connections: usize, span: Duration) -> Result<Pressed> {
    let counts = Rc::new(Counts::default());
    let mut clients = JoinSet::new();
    for number in 0..connections {
        clients.spawn_local(client(target.clone(), number, Rc::clone(&counts)));
    }
    tokio::time::sleep(WARM_UP).await;
    let (requests, cpu, began) = (counts.requests.get(), target.cpu()?, Instant::now());
    tokio::time::sleep(span).await;
    let pressed = Pressed {
        requests: counts.requests.get() - requests,
        wall: began.elapsed(),
        cpu: target.cpu()?.zip(cpu).map(|(after, before)| after - before),
        errors: counts.errors.get(),
    };
    counts.stop.set(true);
    while let Some(ended) = clients.join_next().await {
        ended?.with_context(|| format!("{} cannot be reached", target.name))?;
    }
    Ok(pressed)
}

async fn client(target: Target, number: usize, counts: Rc<Counts>) -> io::Result<()> {
    let request = small_request();
    let mut connection = target.connect(number).await?;
    while !counts.stop.get() {
        match ask(&mut connection, &request).await {
            Ok(()) => counts.requests.set(counts.requests.get() + 1),
            Err(_) => {
                counts.errors.set(counts.errors.get() + 1);
                connection = target.connect(number).await?;
            }
        }
    }
    Ok(())
}

/// Latencies of requests of which one at a time is under way, in the order of `targets`. The targets take turns at every
/// request, so that whatever else the machine does falls on all of them alike.
pub(crate) async fn in_turn(targets: &[Target], span: Duration) -> Result<Vec<Vec<Duration>>> {
    let request = small_request();
    let mut connections = Vec::new();
    for target in targets {
        connections.push(target.connect(0).await.with_context(|| target.name.clone())?);
    }
    let mut latencies = vec![Vec::new(); targets.len()];
    let began = Instant::now();
    for turn in 0.. {
        if began.elapsed() >= span {
            break;
        }
        for place in 0..targets.len() {
            let index = (turn + place) % targets.len();
            let sent = Instant::now();
            ask(&mut connections[index], &request).await.with_context(|| targets[index].name.clone())?;
            latencies[index].push(sent.elapsed());
        }
    }
    for latencies in &mut latencies {
        latencies.sort_unstable();
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_name_addresses_and_a_process() {
        let direct: Target = "direct=127.0.0.1:1,127.0.0.1:2".parse().expect("it is well formed");
        assert_eq!((direct.name.as_str(), direct.addresses.len(), direct.group), ("direct", 2, None));
        let error = "nginx:127.0.0.1".parse::<Target>().expect_err("there is no name").to_string();
        assert_eq!(error, r#"found "nginx:127.0.0.1", expected NAME=ADDRESS,…@PID"#);
    }
}
