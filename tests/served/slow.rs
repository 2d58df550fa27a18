//! Clients that send slowly, beside clients that do not. Only the gateway's own process stands between them: what the
//! slow ones cost the one that sends them is not counted against it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::process::Process;

/// Time in which each slow connection sends one byte.
const BEAT: Duration = Duration::from_millis(500);
/// Parts of the beat: a part of the connections sends in each. Clients far apart do not send at the same moment.
const PARTS: u32 = 100;

/// A host that answers at once; gives where it listens.
fn host() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // It ends with the gateway's connections.
            thread::spawn(|| stream.and_then(answer));
        }
    });
    Ok(at)
}

/// Answers the requests of one connection.
fn answer(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            let line = head[before..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        let body = match head.split(' ').nth(1) {
            Some("/api/version") => "{\"version\":\"0.24.0\"}",
            Some("/api/tags") => "{\"models\":[{\"name\":\"m:latest\",\"size\":1000}]}",
            Some("/api/ps") => "{\"models\":[{\"name\":\"m:latest\",\"size\":1000,\"size_vram\":1000}]}",
            _ => "{\"done\":true,\"prompt_eval_count\":3,\"eval_count\":2}\n",
        };
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length:";
        writer.write_all(format!("{head} {length}\r\n\r\n{body}").as_bytes())?;
    }
}

/// Asks again and again for so long; gives the time of each answer.
fn good(at: &str, time: Duration) -> Vec<Duration> {
    let mut stream = TcpStream::connect(at).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let body = "{\"model\":\"m\",\"messages\":[]}";
    let length = body.len();
    let request =
        format!("POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut times = Vec::new();
    let over = Instant::now() + time;
    while Instant::now() < over {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).expect("it is sent");
        let (mut answer, mut read) = (Vec::new(), [0; 4_096]);
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            let bytes = stream.read(&mut read).expect("an answer");
            answer.extend_from_slice(&read[..bytes]);
            assert!(bytes > 0 && answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        }
        times.push(begun.elapsed());
    }
    times
}

/// The times that 50, 90 and 99 of 100 are within.
fn percentiles(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort_unstable();
    [50, 90, 99].map(|percent| times[times.len() * percent / 100])
}

/// A connection whose head never ends, or whose body does not.
fn slow(at: &str, index: usize) -> TcpStream {
    let mut stream = TcpStream::connect(at).expect("it listens");
    stream.set_nonblocking(true).expect("a socket");
    let end = if index.is_multiple_of(2) { "" } else { "Content-Length: 1000000\r\n\r\n" };
    let begin = format!("POST /api/chat HTTP/1.1\r\nHost: localhost\r\n{end}");
    stream.write_all(begin.as_bytes()).expect("a socket has room for so little");
    stream
}

/// Sends a byte on each connection at every beat, until it is over. One that was closed, as those with a head are after
/// ten seconds, is opened again; gives how many were.
fn drip(at: &str, connections: &mut [TcpStream], over: &AtomicBool) -> usize {
    let (begun, part) = (Instant::now(), connections.len().div_ceil(PARTS as usize));
    let (mut parts, mut closed) = (0, 0);
    loop {
        for (first, connections) in connections.chunks_mut(part).enumerate() {
            if over.load(Ordering::Relaxed) {
                return closed;
            }
            parts += 1;
            thread::park_timeout((BEAT * parts / PARTS).saturating_sub(begun.elapsed()));
            for (index, stream) in connections.iter_mut().enumerate() {
                if stream.write(b"x").is_err() {
                    *stream = slow(at, first * part + index);
                    closed += 1;
                }
            }
        }
    }
}

/// Times of good clients beside slow connections, all of which are closed at the end.
fn beside(good_at: &str, slow_at: &str, count: usize, time: Duration) -> (Vec<Duration>, usize) {
    let mut connections: Vec<_> = (0..count).map(|index| slow(slow_at, index)).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let dripping = scope.spawn(|| drip(slow_at, &mut connections, &over));
        let times = good(good_at, time);
        over.store(true, Ordering::Relaxed);
        (times, dripping.join().expect("it sends to the end"))
    })
}

/// Rounds of three parts, each as long: good clients alone, with slow connections to another gateway, and to the same.
/// Those to another show what the load takes from the machine.
fn slow_connections(count: usize, rounds: usize, time: Duration) {
    crate::allow_open_files(count);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\n[[serve.hosts]]\nname = \"host\"\nurl = \"http://{}\"\nslots = 4\n",
        host().expect("a free port")
    );
    fs::write(folder.path().join("gateway.toml"), config).expect("the folder can be written");
    let start = || Process::start(folder.path(), &["serve", "--config", "gateway.toml"], Stdio::null());
    let ((_gateway, at), (_other, other_at)) = (start(), start());
    let (mut alone, mut elsewhere, mut here, mut begun_again) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        alone.extend(good(&at, time));
        elsewhere.extend(beside(&at, &other_at, count, time).0);
        let (times, closed) = beside(&at, &at, count, time);
        here.extend(times);
        begun_again += closed;
    }
    let [alone, elsewhere, here] = [alone, elsewhere, here].map(percentiles);
    println!(
        "L7: p50, p90, p99 of good clients {alone:.2?} alone, {here:.2?} beside {count} slow connections \
         ({begun_again} begun again), {elsewhere:.2?} where these go to another gateway"
    );
    // Twice, and what a machine that is busy otherwise adds.
    for (elsewhere, here) in elsewhere.into_iter().zip(here) {
        assert!(here < 2 * elsewhere + Duration::from_millis(100), "{elsewhere:?}, then {here:?}");
    }
}

#[test]
fn slow_clients_do_not_slow_the_others() {
    slow_connections(500, 2, Duration::from_millis(500));
}

#[test]
#[ignore = "long form: 5,000 slow connections"]
fn slow_clients_5000_of_them_do_not_slow_the_others() {
    slow_connections(5_000, 3, Duration::from_secs(15));
}
