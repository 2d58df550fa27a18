//! The hosts: what Ollama answers, without a model. One thread for all of them; a token is one write of one chunk, as
//! Ollama flushes each. How many tokens, and how far apart, stands in the options of the request.

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::http::Connection;

/// The one model that the hosts have.
pub(crate) const MODEL: &str = "bench:latest";

const LINE: &str = r#"{"model":"bench:latest","created_at":"2026-01-01T00:00:00.000000000Z","response":" token","done":false}"#;
const LISTED: &str = r#"{"name":"bench:latest","model":"bench:latest","modified_at":"2026-01-01T00:00:00Z","size":4000000000,"size_vram":4000000000,"digest":"00","details":{"format":"gguf","family":"llama","parameter_size":"8B","quantization_level":"Q4_0"},"expires_at":"2126-01-01T00:00:00Z"}"#;

/// What is read of a request.
#[derive(Deserialize)]
struct Ask {
    #[serde(default = "yes")]
    stream: bool,
    #[serde(default)]
    options: Options,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    num_predict: u64,
    /// Not Ollama's: microseconds between two tokens. Unknown options pass through proxies, and hosts ignore them.
    stub_interval_micros: u64,
}

/// Listens and answers until the standard input ends.
pub(crate) async fn run(hosts: usize) -> Result<()> {
    let mut line = Vec::new();
    for _ in 0..hosts {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port is free")?;
        line.push(listener.local_addr()?.to_string());
        tokio::task::spawn_local(accept(listener));
    }
    println!("{}", line.join(","));
    io::stdout().flush()?;
    // Whoever started this may be killed: the end of the pipe says so in any case.
    let (ended, wait) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        ended.send(())
    });
    wait.await.context("nobody reads the standard input")
}

async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(async move {
                    // A client that breaks off is its own business: the bench counts errors where it reads answers.
                    let _ = serve(stream).await;
                });
            }
            Err(error) => {
                eprintln!("stub: cannot accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    let mut body = Vec::new();
    while let Some(path) = connection.request_head().await? {
        connection.whole(&mut body).await?;
        match path.as_str() {
            "/api/version" => json(&mut connection, r#"{"version":"0.24.0"}"#).await?,
            "/api/tags" | "/api/ps" => {
                json(&mut connection, &format!(r#"{{"models":[{LISTED}]}}"#)).await?;
            }
            "/api/generate" => match serde_json::from_slice::<Ask>(&body) {
                Ok(Ask { stream: false, .. }) => json(&mut connection, &last_line(8)).await?,
                Ok(ask) => tokens(&mut connection, &ask.options).await?,
                Err(_) => refuse(&mut connection, "400 Bad Request").await?,
            },
            _ => refuse(&mut connection, "404 Not Found").await?,
        }
    }
    Ok(())
}

/// The line that ends an answer; unstreamed it is all of it.
fn last_line(tokens: u64) -> String {
    let eval_nanos = tokens * 20_000_000;
    format!(
        r#"{{"model":"{MODEL}","created_at":"2026-01-01T00:00:00.000000000Z","response":" a short answer","done":true,"done_reason":"stop","total_duration":{},"load_duration":1000000,"prompt_eval_count":250,"prompt_eval_duration":50000000,"eval_count":{tokens},"eval_duration":{eval_nanos}}}"#,
        eval_nanos + 51_000_000
    )
}

async fn json(connection: &mut Connection, text: &str) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    connection.send(answer.as_bytes()).await
}

async fn refuse(connection: &mut Connection, status: &str) -> io::Result<()> {
    connection.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await
}

fn chunk(line: &str) -> String {
    format!("{:x}\r\n{line}\n\r\n", line.len() + 1)
}

async fn tokens(connection: &mut Connection, options: &Options) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_owned();
    let token = chunk(LINE);
    let interval = Duration::from_micros(options.stub_interval_micros);
    let mut due = Instant::now();
    // The head comes with the first token.
    connection.send((head + &token).as_bytes()).await?;
    for _ in 1..options.num_predict {
        pause(&mut due, interval).await;
        connection.send(token.as_bytes()).await?;
    }
    pause(&mut due, interval).await;
    connection.send((chunk(&last_line(options.num_predict)) + "0\r\n\r\n").as_bytes()).await
}

/// Until the next token is due; without an interval, until every other stream had its turn.
async fn pause(due: &mut Instant, interval: Duration) {
    if interval.is_zero() {
        tokio::task::yield_now().await;
    } else {
        *due += interval;
        tokio::time::sleep_until(*due).await;
    }
}
