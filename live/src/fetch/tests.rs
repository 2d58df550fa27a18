//! A server of few words on loopback.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const CONTENT: &str = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n";

/// What the server says to a path.
fn answer(path: &str, authority: &str) -> String {
    let whole = |content: &str, length: usize| {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{content}")
    };
    let moved = |to: String| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    match path {
        "/right" => whole(CONTENT, CONTENT.len()),
        "/chunked" => {
            let (head, tail) = CONTENT.split_at(20);
            let chunks = format!("14\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n", tail.len());
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")
        }
        "/other" => whole(&CONTENT.replace('4', "5"), CONTENT.len()),
        "/short" => whole(&CONTENT[..30], 30),
        "/long" => whole(&CONTENT.repeat(2), 2 * CONTENT.len()),
        "/cut" => whole(&CONTENT[..30], CONTENT.len()),
        "/moved" => moved("/right".to_owned()),
        "/moved-far" => moved(format!("http://{authority}/moved")),
        "/moved-for-ever" => moved("/moved-for-ever".to_owned()),
        "/moved-nowhere" => "HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/silent" => String::new(),
        _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
    }
}

/// Serves until it is dropped with the runtime; its address.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let authority = listener.local_addr().expect("an address").to_string();
    let own = authority.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4_096];
            let read = stream.read(&mut request).await.expect("a request");
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default();
            stream.write_all(answer(path, &own).as_bytes()).await.expect("it listens");
        }
    });
    authority
}

/// What fetching a path ended with, and what lies in the folder then.
fn fetched(path: &str) -> (Result<(), String>, Vec<(String, String)>) {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("t.csv");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let result = runtime.block_on(async {
        let authority = server().await;
        let url = format!("http://{authority}{path}");
        let sha256 = Digest(Sha256::digest(CONTENT).into());
        let wanted = Wanted { url: &url, sha256, bytes: CONTENT.len() as u64 };
        let mut last = 0;
        let result = fetch(wanted, &target, &mut |bytes| last = bytes).await;
        assert!(result.is_err() || last == CONTENT.len() as u64, "all of it was told");
        result.map_err(|error| error.to_string().replace(&authority, "HOST"))
    });
    let entries = std::fs::read_dir(folder.path()).expect("the folder is there");
    let files = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("text"))
    });
    (result, files.collect())
}

#[test]
fn the_right_file_appears_wherever_it_was_moved() {
    for path in ["/right", "/chunked", "/moved", "/moved-far"] {
        let (result, files) = fetched(path);
        assert_eq!(result, Ok(()), "{path}");
        assert_eq!(files, [("t.csv".to_owned(), CONTENT.to_owned())], "{path}");
    }
}

#[test]
fn of_any_other_file_nothing_is_left() {
    for (path, error) in [
        ("/absent", "http://HOST/absent: found status 404 Not Found, expected 200"),
        ("/other", "http://HOST/other: found a file with SHA-256 "),
        ("/short", "http://HOST/short: found only 30 bytes, expected 59; nothing is kept"),
        ("/long", "http://HOST/long: found more than 59 bytes, expected 59; nothing is kept"),
        ("/cut", "http://HOST/cut: cut off after 30 bytes: "),
        (
            "/moved-for-ever",
            "http://HOST/moved-for-ever: found one redirect more, expected at most 5 redirects",
        ),
        (
            "/moved-nowhere",
            "http://HOST/moved-nowhere: found status 301 Moved Permanently that says not where to",
        ),
        ("/silent", "http://HOST/silent: "),
    ] {
        let (result, files) = fetched(path);
        let found = result.expect_err(path);
        assert!(found.starts_with(error), "{path}: {found}");
        assert_eq!(files, [], "{path}");
    }
}

#[test]
fn addresses_that_lead_nowhere_are_refused() {
    for url in ["", "t.csv", "/t.csv", "ftp://host/t.csv", "http://me:word@host/t.csv", "https:///t.csv"] {
        assert!(matches!(Place::of(url), Err(FetchError::Url { .. })), "{url}");
    }
    let place = Place::of("https://host.example/a/b?c=d").expect("it is good");
    assert_eq!((place.host.as_str(), place.port, place.path.as_str()), ("host.example", 443, "/a/b?c=d"));
    let local = Place::of("http://[::1]:8080").expect("it is good");
    assert_eq!((local.host.as_str(), local.port, local.path.as_str()), ("::1", 8_080, "/"));
}

#[test]
fn no_redirect_leads_from_https_to_http() {
    let place = Place::of("https://host/a").expect("it is good");
    assert!(matches!(place.redirected("http://host/a"), Err(FetchError::Redirect { .. })));
    assert_eq!(place.redirected("/b").ok().as_deref(), Some("https://host/b"));
    assert_eq!(place.redirected("//other/b").ok().as_deref(), Some("https://other/b"));
    let plain = Place::of("http://host/a").expect("it is good");
    assert_eq!(plain.redirected("https://other/b").ok().as_deref(), Some("https://other/b"));
}
