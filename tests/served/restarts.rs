//! A gateway that is asked to end by SIGTERM while clients ask, and begins again where it listened.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::process::Process;

/// Twice as many as the hosts have slots: some requests are queued when the gateway is asked to end.
const CLIENTS: usize = 16;

/// What clients met that is no whole answer.
#[derive(Default)]
struct Met {
    /// 503 of a gateway that ends.
    refused: AtomicUsize,
    /// Nothing listened, or the connection was closed before an answer began.
    unconnected: AtomicUsize,
    /// An answer of another kind, or one that began and did not end.
    lost: AtomicUsize,
}

/// Asks again and again, on connections that are kept, until no gateway will come any more. Tells of each whole answer.
async fn client(at: String, mut gateways: watch::Receiver<usize>, answered: mpsc::Sender<()>, met: Arc<Met>) {
    let pool = Pool::builder(TokioExecutor::new()).build_http();
    for turn in 0.. {
        let body = format!(
            "{{\"model\":\"llama3.2:3b\",\"prompt\":\"Count.\",\"options\":{{\"num_predict\":{}}}}}",
            8 + turn % 57
        );
        let request = hyper::Request::post(format!("http://{at}/api/generate"))
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        match pool.request(request).await {
            Ok(answer) if answer.status() == 200 => {
                let body = answer.into_body().collect().await.map(Collected::to_bytes);
                let whole = body.is_ok_and(|body| String::from_utf8_lossy(&body).contains("\"done\":true"));
                if whole && answered.send(()).is_ok() {
                    continue;
                }
                met.lost.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) if answer.status() == 503 && answer.headers().contains_key(RETRY_AFTER) => {
                met.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(_) => _ = met.lost.fetch_add(1, Ordering::Relaxed),
            Err(_) => {
                met.unconnected.fetch_add(1, Ordering::Relaxed);
                if gateways.changed().await.is_err() {
                    break;
                }
            }
        }
    }
}

/// The numbers in what the gateway says at its end: arrived, finished, rejected, failed, cancelled.
#[track_caller]
fn counted(said: &str) -> [usize; 5] {
    let line = said.lines().rfind(|line| line.contains(" requests: ")).unwrap_or_else(|| panic!("{said}"));
    let numbers: Vec<usize> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{line}"))
}

/// Restarts a gateway so many times, each after so many answers.
fn restarted(restarts: usize, answers_between: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_hosts, addresses) = Process::hosts(folder.path(), "10");
    let said = folder.path().join("said.txt");
    let start = |listen: &str| {
        let stderr = Stdio::from(File::create(&said).expect("the folder can be written"));
        Process::gateway(folder.path(), listen, &addresses, stderr)
    };
    let (mut gateway, at) = start("127.0.0.1:0");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (gateways, _) = watch::channel(0);
    let (tell, answered) = mpsc::channel();
    let met = Arc::<Met>::default();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = client(at.clone(), gateways.subscribe(), tell.clone(), Arc::clone(&met));
        clients.spawn_on(client, runtime.handle());
    }
    drop(tell);

    let (mut answers, mut drained, mut finished) = (0, 0, 0);
    for restart in 1..=restarts {
        answers += answered.iter().take(answers_between).count();
        // What has come meanwhile came before it was asked.
        answers += answered.try_iter().count();
        let asked = Command::new("kill").args(["-TERM", &gateway.0.id().to_string()]).status();
        assert!(asked.expect("kill runs").success());
        assert_eq!(gateway.0.wait().expect("it ends").code(), Some(0));
        let while_ending = answered.try_iter().count();
        (answers, drained) = (answers + while_ending, drained + while_ending);
        let said = fs::read_to_string(&said).expect("it has said something");
        let counted = counted(&said);
        assert_eq!(counted, [counted[0], counted[0], 0, 0, 0], "all that arrived was finished");
        assert!(!said.contains("cut off"), "{said}");
        finished += counted[1];
        if restart < restarts {
            gateway = start(&at).0;
            gateways.send_replace(restart);
        }
    }
    drop(gateways);
    runtime.block_on(clients.join_all());
    answers += answered.iter().count();

    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let replayed = crate::replay(folder.path());
    println!(
        "L10: {restarts} × SIGTERM under load: {answers} requests answered, {drained} of them after the signal, 0 lost; \
         {} × 503, {} met no gateway; {replayed}",
        count(&met.refused),
        count(&met.unconnected)
    );
    assert_eq!((count(&met.lost), answers), (0, finished), "what was taken was answered");
    assert!(drained > 0, "running work was finished");
    assert!(count(&met.refused) > 0, "new work was refused");
    assert!(replayed.contains("same decisions") && !replayed.contains("gaps"), "{replayed}");
}

#[test]
fn a_gateway_that_is_asked_to_end_under_load_loses_nothing_that_it_took() {
    restarted(4, 100);
}

#[test]
#[ignore = "long form: 20 restarts, 10,000 requests"]
fn a_gateway_that_is_asked_to_end_20_times_under_load_loses_nothing_that_it_took() {
    restarted(20, 500);
}
