//! Clients that mean no good, as bytes on bare sockets. After each of them comes a good request on the same connection:
//! where the end of the bad one is not certain it must not be answered.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bare::{Bare, whole};
use crate::client::{gateway, run};

/// The good request that follows.
const GOOD: &str = "GET /api/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// The start of a request with a body.
const POST: &str = "POST /api/chat HTTP/1.1\r\nHost: localhost\r\n";
/// The start of one without.
const GET: &str = "GET /api/version HTTP/1.1\r\nHost: localhost\r\n";
/// A body that is answered.
const CHAT: &str = "{\"model\":\"m\",\"messages\":[]}";

/// The statuses of all answers, until the connection is closed.
async fn statuses(address: SocketAddr, sent: &str) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // Where the gateway closes before all was sent, what it said can still be read.
    let _ = stream.write_all(sent.as_bytes()).await;
    let _ = stream.write_all(GOOD.as_bytes()).await;
    let (mut said, mut buffer) = (Vec::new(), [0; 4_096]);
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        said.extend_from_slice(&buffer[..len]);
    }
    let said = String::from_utf8_lossy(&said);
    said.split("HTTP/1.").skip(1).map(|answer| answer[2..5].parse().expect("a status")).collect()
}

fn post(headers: &str, body: &str) -> String {
    format!("{POST}{headers}\r\n{body}")
}

/// With its length told.
fn posted(path: &str, body: &str) -> String {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// What is sent, and what is answered: the good request's 200 at the end tells that the connection went on.
fn cases() -> Vec<(String, &'static [u16])> {
    let long = |len: usize| "x".repeat(len);
    let many: String = (0..200).map(|index| format!("X-{index}: y\r\n")).collect();
    let deep = format!("{{\"model\":\"m\",\"messages\":{}{}}}", "[".repeat(4_000), "]".repeat(4_000));
    vec![
        // Ends of bodies that can be read in two ways.
        (post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), &[400]),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), &[400]),
        (post("content-LENGTH:0\r\ntransfer-ENCODING:chunked\r\n", "0\r\n\r\n"), &[400]),
        (post("Transfer-Encoding: chunked\r\nContent-Length: x\r\n", "0\r\n\r\n"), &[400]),
        (post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), &[400]),
        (post("Content-Length: 3, 4\r\n", "abcd"), &[400]),
        (post("Content-Length: +3\r\n", "abc"), &[400]),
        (post("Content-Length: -3\r\n", "abc"), &[400]),
        (post("Content-Length: 0x3\r\n", "abc"), &[400]),
        (post("Content-Length: 3 3\r\n", "abc"), &[400]),
        (post("Content-Length: 3;\r\n", "abc"), &[400]),
        (post("Content-Length:\r\n", "abc"), &[400]),
        (post("Content-Length: 99999999999999999999\r\n", "abc"), &[400]),
        (post("Content-Length : 3\r\n", "abc"), &[400]),
        (post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), &[400]),
        (post("Content-Length\0: 3\r\n", "abc"), &[400]),
        (post("Transfer-Encoding: gzip\r\n", ""), &[400]),
        (post("Transfer-Encoding: identity\r\n", ""), &[400]),
        (post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), &[400]),
        (post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), &[501]),
        (post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), &[501]),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), &[501]),
        (post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), &[501]),
        (post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), &[400]),
        (post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), &[400]),
        (post("Transfer-Encoding:\u{b}chunked\r\n", "0\r\n\r\n"), &[400]),
        ("POST /api/chat HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), &[400]),
        // Chunks.
        (chunked("zz\r\n"), &[400]),
        (chunked("-1\r\nx\r\n0\r\n\r\n"), &[400]),
        (chunked("0x1\r\nx\r\n0\r\n\r\n"), &[400]),
        (chunked("ffffffffffffffff\r\nx"), &[400]),
        (chunked("10000000000000000\r\nx"), &[400]),
        (chunked(&format!("7fffffff\r\n{}", long(2_000))), &[413]),
        (chunked("1\nx\n0\n\n"), &[400]),
        (chunked("1\r\nxy\r\n0\r\n\r\n"), &[400]),
        (chunked("1\r\nx0\r\n\r\n"), &[400]),
        (chunked(&format!("1;{}\r\nx\r\n0\r\n\r\n", long(100_000))), &[400]),
        (chunked("\r\n\r\n"), &[400]),
        (chunked("0\r\n\r\n"), &[400, 200]),
        (chunked("0;a=b\r\nX: y\r\n\r\n"), &[400, 200]),
        // Line ends, blanks, bytes that may not be there.
        (post("X: y\nContent-Length: 3\r\n", "abc"), &[400]),
        (post("X: y\rContent-Length: 3\r\n", "abc"), &[400]),
        (post("X: y\r\n folded\r\n", ""), &[400]),
        (post("X: y\r\n\tfolded\r\n", ""), &[400]),
        (post(" X: y\r\n", ""), &[400]),
        (post("X: y\0z\r\n", ""), &[400]),
        (post("X\u{1}: y\r\n", ""), &[400]),
        (post(": y\r\n", ""), &[400]),
        (post("no colon\r\n", ""), &[400]),
        (post("X y: z\r\n", ""), &[400]),
        (format!("{GET}\n"), &[400]),
        ("GET /api/version HTTP/1.1\nHost: localhost\n\n".into(), &[400]),
        // Hosts.
        ("GET /api/version HTTP/1.1\r\n\r\n".into(), &[400]),
        (format!("{GET}Host: localhost\r\n\r\n"), &[400]),
        (format!("{GET}Host: other\r\n\r\n"), &[400]),
        // First lines.
        ("GET  /api/version HTTP/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /api/version  HTTP/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET\t/api/version\tHTTP/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /api/version HTTP/3.0\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /api/version HTTP/1.10\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /api/version http/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        ("GET /api/version\r\n\r\n".into(), &[400]),
        ("G@T /api/version HTTP/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        ("/api/version HTTP/1.1\r\nHost: x\r\n\r\n".into(), &[400]),
        ("\0\0\0\0\r\n\r\n".into(), &[400]),
        ("\u{16}\u{3}\u{1}\0\u{5}\r\n\r\n".into(), &[400]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[]),
        (get("/api/version\0"), &[400]),
        (get("/api/ver sion"), &[400]),
        // Paths: an exact table, in which nothing is decoded or put together.
        (get("http://127.0.0.1:1/api/version"), &[200, 200]),
        (get("http://evil.example/api/delete"), &[405, 200]),
        (get("//api/version"), &[404, 200]),
        (get("/api//version"), &[404, 200]),
        (get("/api/./version"), &[404, 200]),
        (get("/api/x/../version"), &[404, 200]),
        (get("/api/%76ersion"), &[404, 200]),
        (get("/api%2fversion"), &[404, 200]),
        (get("/api/version/"), &[404, 200]),
        (get("/api/version%00"), &[404, 200]),
        (get("/API/VERSION"), &[404, 200]),
        (get("/api/version;x=y"), &[404, 200]),
        (get("/api/version?x=y"), &[200, 200]),
        (get("*"), &[404, 200]),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), &[404, 200]),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), &[404, 200]),
        ("TRACE /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), &[405, 200]),
        ("BREW /api/chat HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), &[405, 200]),
        // Sizes.
        (format!("{GET}X: {}\r\n\r\n", long(100_000)), &[431]),
        (format!("{GET}{}: y\r\n\r\n", long(100_000)), &[431]),
        (format!("{GET}{many}\r\n"), &[431]),
        (get(&format!("/{}", long(100_000))), &[431]),
        (post("Content-Length: 4000000000\r\n", ""), &[413]),
        (post("Content-Length: 4000000000\r\nExpect: 100-continue\r\n", ""), &[413]),
        (post("Content-Length: 1001\r\n", &long(1_001)), &[413]),
        (chunked(&format!("7d0\r\n{}", long(2_000))), &[413]),
        // Codings and upgrades.
        (post("Content-Encoding: gzip\r\nContent-Length: 3\r\n", "abc"), &[415, 200]),
        (post("Content-Encoding: identity, br\r\nContent-Length: 3\r\n", "abc"), &[415, 200]),
        (format!("{GET}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), &[200, 200]),
        (format!("{GET}Expect: 100-continue\r\n\r\n"), &[200, 200]),
        // Bodies.
        (posted("/api/chat", ""), &[400, 200]),
        (posted("/api/chat", "{"), &[400, 200]),
        (posted("/api/chat", "[]"), &[400, 200]),
        (posted("/api/chat", "\"m\""), &[400, 200]),
        (posted("/api/chat", "{\"model\":7}"), &[400, 200]),
        (posted("/api/chat", "{\"model\":\"m\""), &[400, 200]),
        (posted("/v1/chat/completions", "{\"model\":"), &[400, 200]),
        (posted("/v1/messages", "{\"model\":"), &[400, 200]),
        (posted("/api/chat", &deep[..900]), &[400, 200]),
        (posted("/api/chat", &"[".repeat(900)), &[400, 200]),
        // One after the other, without waiting.
        (format!("{GET}\r\n{GET}\r\n{GET}\r\n"), &[200, 200, 200, 200]),
        (posted("/api/chat", CHAT) + &posted("/api/chat", CHAT), &[200, 200, 200]),
        (format!("\r\n\r\n{GET}\r\n"), &[200, 200]),
        (format!("{GET}\r\n") + &chunked("zz\r\n"), &[200, 400]),
        (
            posted("/api/chat", CHAT) + &post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", ""),
            &[200, 400],
        ),
        (format!("{GET}Content-Length: {}\r\n\r\n{GOOD}", GOOD.len()), &[200, 200]),
        (format!("{GET}Connection: close\r\n\r\n{GET}\r\n"), &[200]),
        ("GET /api/version HTTP/1.0\r\n\r\n".into(), &[200]),
    ]
}

#[test]
fn hostile_requests_get_their_status_and_unclear_ends_close_the_connection() {
    run(async {
        let host = Bare::start(|_| whole()).await;
        let gateway = gateway(&[host.address], 4, "body_bytes_max = 1_000", "").await;
        let address = gateway.client.address();
        let (mut wrong, cases) = (Vec::new(), cases());
        assert!(cases.len() >= 60);
        for (sent, expected) in &cases {
            let found = statuses(address, sent).await;
            if found != *expected {
                wrong.push(format!("{:?}: {found:?}, expected {expected:?}", &sent[..sent.len().min(120)]));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        let answered = cases.iter().filter(|(sent, _)| sent.contains(CHAT)).count();
        assert_eq!(host.calls(), answered + 1, "one of them twice, and nothing else came through");
        gateway.stop().await;
        println!("L6: {} hostile requests", cases.len());
    });
}
