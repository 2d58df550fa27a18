//! Deeds on an emulated host, and what is refused before a host hears of it.

use std::path::Path;
use std::time::Duration;

use control::Control;
use control::digest::Digest;
use control::door::{Action, Declaration, Deed, Env, Input, NoMeter, Observation, Outputs, StoredModel};
use control::ids::{HostId, ModelId};
use control::request::{Failure as HostFailure, KeepAlive};
use control::units::{Bytes, Instant, Nanos};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::permit::{Order, Work};
use super::*;
use crate::gateway::fleet::Fleet;
use crate::wire::lists::ModelList;
use crate::{EmulatedHost, EmulatedOptions};

const MODEL: &str = "llama3.2:1b";

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, test).await.expect("the test waits for something that never comes");
    });
}

/// A way to hosts that were asked once what they hold.
async fn reach(urls: &[String]) -> Reach {
    let mut text = "[serve]\n".to_owned();
    for (index, url) in urls.iter().enumerate() {
        text += &format!("[[serve.hosts]]\nname = \"host-{index}\"\nurl = \"{url}\"\n");
    }
    let config = Arc::new(ServeConfig::parse(&text, Path::new("test.toml")).expect("a good config"));
    let (events, _heard) = mpsc::unbounded_channel();
    let fleet = Fleet::new(config, events);
    fleet.start().await;
    Reach {
        upstream: fleet.upstream.clone(),
        hosts: Arc::clone(&fleet.hosts),
        pushed: Arc::new(Notify::new()),
        info_timeout: Duration::from_secs(5),
        limits: Limits::default(),
    }
}

async fn emulated() -> String {
    let options = EmulatedOptions {
        models: vec![MODEL.into(), "nomic-embed-text".into()],
        speed: 1_000,
        pull_mib_per_second: 1 << 20,
        ..EmulatedOptions::default()
    };
    let host = EmulatedHost::bind(&options).await.expect("a host");
    let url = format!("http://{}", host.address());
    tokio::spawn(host.run(std::future::pending()));
    url
}

/// Asks the first host for something.
async fn order(reach: &Reach, model: &str, work: Work) -> Result<(), ActionFailure> {
    let order = Order { host: HostId(0), model: model.into(), work };
    reach.carry_out(&order).await.map_err(|wrong| wrong.failure)
}

async fn listed(reach: &Reach, path: &'static str) -> Vec<String> {
    let body = reach.upstream.get(HostId(0), path, Duration::from_secs(5)).await.expect("it lives");
    let list: ModelList = serde_json::from_slice(&body).expect("a list");
    list.listed().map(|listed| listed.name).collect()
}

#[test]
fn each_deed_does_on_a_host_what_it_says() {
    run(async {
        let reach = reach(&[emulated().await, emulated().await]).await;
        let missing = ActionFailure::Host(HostFailure::ModelMissing);
        for keep in [None, Some(KeepAlive::Forever), Some(KeepAlive::For(Nanos::from_secs(60)))] {
            assert_eq!(order(&reach, MODEL, Work::Load(keep)).await, Ok(()));
        }
        assert_eq!(listed(&reach, "/api/ps").await, [MODEL]);
        assert_eq!(order(&reach, "none:latest", Work::Load(None)).await, Err(missing));
        assert_eq!(order(&reach, MODEL, Work::Unload).await, Ok(()));
        while !listed(&reach, "/api/ps").await.is_empty() {}

        assert_eq!(order(&reach, "gemma3:4b", Work::Pull { insecure: false }).await, Ok(()));
        assert!(listed(&reach, "/api/tags").await.contains(&"gemma3:4b".to_owned()));
        let unknown = order(&reach, "none:latest", Work::Pull { insecure: true }).await;
        assert_eq!(unknown, Err(ActionFailure::NotInRegistry));
        assert_eq!(order(&reach, MODEL, Work::Push { insecure: false }).await, Ok(()));
        assert_eq!(order(&reach, "none:latest", Work::Push { insecure: false }).await, Err(missing));

        let branch = "llama3.2:1b-0123456789ab";
        assert_eq!(order(&reach, MODEL, Work::Branch { to: branch.into() }).await, Ok(()));
        assert!(listed(&reach, "/api/tags").await.contains(&branch.to_owned()));
    });
}

#[test]
fn a_model_that_only_embeds_is_loaded_too() {
    run(async {
        let reach = reach(&[emulated().await]).await;
        let model = "nomic-embed-text:latest";
        assert_eq!(order(&reach, model, Work::Load(Some(KeepAlive::Forever))).await, Ok(()));
        assert_eq!(listed(&reach, "/api/ps").await, [model]);
    });
}

#[test]
fn a_copy_is_deleted_only_while_enough_others_say_that_they_have_it() {
    run(async {
        let reach = reach(&[emulated().await, emulated().await]).await;
        let delete = async |copies_min| order(&reach, MODEL, Work::Delete { copies_min }).await;
        assert_eq!(delete(2).await, Err(ActionFailure::Refused));
        assert!(listed(&reach, "/api/tags").await.contains(&MODEL.to_owned()));
        assert_eq!(delete(1).await, Ok(()));
        assert!(!listed(&reach, "/api/tags").await.contains(&MODEL.to_owned()));

        let reach = self::reach(&[emulated().await]).await;
        let last = order(&reach, MODEL, Work::Delete { copies_min: 1 }).await;
        assert_eq!(last, Err(ActionFailure::Refused), "the last copy stays");
        assert!(listed(&reach, "/api/tags").await.contains(&MODEL.to_owned()));
    });
}

/// A host that says these lines to whatever is asked, then as a stalled one the last again and again.
async fn talking(lines: &'static [&'static str], stalls: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
                let mut text = head.to_owned() + &lines.join("\n") + "\n";
                while stream.write_all(text.as_bytes()).await.is_ok() && stalls {
                    text = format!("{}\n", lines[lines.len() - 1]);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
    });
    url
}

#[test]
fn a_transfer_that_stands_still_or_breaks_off_is_no_success() {
    const MOVING: &[&str] = &[
        "{\"status\":\"pulling manifest\"}",
        "{\"status\":\"pulling a\",\"digest\":\"sha256:a\",\"total\":100,\"completed\":7}",
    ];
    run(async {
        let pull = Work::Pull { insecure: false };
        let mut stalled = reach(&[talking(MOVING, true).await]).await;
        stalled.limits.stall = Duration::from_millis(50);
        assert_eq!(order(&stalled, "a", pull.clone()).await, Err(ActionFailure::Stalled));
        let broken = reach(&[talking(MOVING, false).await]).await;
        let failure = ActionFailure::Host(HostFailure::Broken);
        assert_eq!(order(&broken, "a", pull.clone()).await, Err(failure));
        let full = &["{\"error\":\"write x: no space left on device\"}"];
        let full = reach(&[talking(full, false).await]).await;
        assert_eq!(order(&full, "a", pull.clone()).await, Err(ActionFailure::DiskFull));
        let dead = reach(&["http://127.0.0.1:1".into()]).await;
        let failure = ActionFailure::Host(HostFailure::Unreachable);
        assert_eq!(order(&dead, "a", pull).await, Err(failure));
    });
}

/// Control under this `[control]` that knows a host with these models, in order of id.
fn control(section: &str, models: &[&str]) -> Control {
    let text =
        format!("[serve]\n[[serve.hosts]]\nname = \"a\"\nurl = \"http://127.0.0.1:1\"\n[control]\n{section}");
    let config = ServeConfig::parse(&text, Path::new("test.toml")).expect("a good config");
    let mut control = Control::new(config.control);
    let mut feed = |input| {
        let mut env = Env { seed: 0, meter: &mut NoMeter };
        control.step(Instant::ZERO, input, &mut Outputs::new(), &mut env);
    };
    feed(Input::HostDeclared { host: HostId(0), declaration: Declaration::default() });
    let mut observation = Observation::default();
    for (id, name) in (0..).map(ModelId).zip(models) {
        feed(Input::ModelNamed { model: id, name: (*name).into() });
        let held = StoredModel { digest: Digest([0xab; 32]), ..StoredModel::of_size(id, Bytes(1)) };
        observation.stored.push(held);
    }
    feed(Input::Observed { host: HostId(0), observation });
    control
}

/// What comes of asking for a deed with each of the models.
fn permitted(section: &str, deed: Deed, models: &[&str]) -> Vec<Result<Work, &'static str>> {
    let control = control(section, models);
    let permit = |model: u32| {
        let action = Action { id: ActionId(0), host: HostId(0), deed, model: ModelId(model) };
        let insecure = ["r:1".to_owned()];
        permit::order(&action, control.facts(), control.config(), &insecure).map(|order| order.work)
    };
    (0..models.len() as u32).map(permit).collect()
}

const ALL: &str = "[control.placement]\nact = true\nmanage = [\"*mine*\"]\nallow_pull = true\nallow_delete = true\npull_from = [\"r:1\", \"s\"]";

const SYNC: &str = "[control.sync]\nact = true\nmanage = [\"*mine*\"]\nregistries = [\"r:1\", \"s\"]\nallow_push = true\nkeep_others = true";

#[test]
fn what_is_not_managed_is_never_touched() {
    let placed = [Deed::Load(None), Deed::Unload, Deed::Pull, Deed::Delete].map(|deed| (ALL, deed));
    let synced = [Deed::Pull, Deed::Push, Deed::Branch].map(|deed| (SYNC, deed));
    for (section, deed) in placed.into_iter().chain(synced) {
        let models = ["r:1/a/other:x", "r:1/a/mine:x", "r:1/a/mine:cloud"];
        let permitted = permitted(section, deed, &models);
        assert!(permitted[0].is_err() && permitted[1].is_ok() && permitted[2].is_err(), "{deed:?}");
        let shadow = section.replace("act = true", "act = false");
        assert!(self::permitted(&shadow, deed, &models).iter().all(Result::is_err), "{deed:?}");
        assert!(self::permitted("", deed, &models).iter().all(Result::is_err), "{deed:?}");
    }
    for deed in [Deed::Start, Deed::Stop, Deed::Fetch(HostId(0))] {
        assert!(permitted(ALL, deed, &["mine:x"])[0].is_err(), "{deed:?}");
    }
}

#[test]
fn hosts_are_sent_to_allowed_registries_only() {
    // The last names no registry to Ollama, whatever it looks like.
    let models = ["r:1/a/mine:x", "s/a/mine:x", "evil/a/mine:x", "mine:x", "s/mine:x"];
    let pulls = permitted(ALL, Deed::Pull, &models);
    assert_eq!(pulls[0], Ok(Work::Pull { insecure: true }));
    assert_eq!(pulls[1], Ok(Work::Pull { insecure: false }));
    assert!(pulls[2..].iter().all(Result::is_err), "{pulls:?}");
    for deed in [Deed::Pull, Deed::Push] {
        let moves = permitted(SYNC, deed, &models);
        assert!(moves[..2].iter().all(Result::is_ok) && moves[2..].iter().all(Result::is_err), "{moves:?}");
    }
    let default = ALL.replace("pull_from = [\"r:1\", \"s\"]", "");
    let pulls = permitted(&default, Deed::Pull, &models);
    assert_eq!(pulls.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, false, false, true, true]);
}

#[test]
fn pulls_and_removals_are_allowed_apart() {
    let nothing = "[control.placement]\nact = true\nmanage = [\"*\"]";
    assert!(permitted(nothing, Deed::Pull, &["mine:x"])[0].is_err());
    assert!(permitted(nothing, Deed::Delete, &["mine:x"])[0].is_err());
    let nothing = "[control.sync]\nact = true\nmanage = [\"*\"]";
    assert!(permitted(nothing, Deed::Push, &["mine:x"])[0].is_err());
    assert!(permitted(nothing, Deed::Branch, &["mine:x"])[0].is_err());
    let copies = ALL.to_owned() + "\ncopies_min = 3";
    assert_eq!(permitted(&copies, Deed::Delete, &["mine:x"]), [Ok(Work::Delete { copies_min: 3 })]);
}

#[test]
fn a_second_name_ends_with_the_digest_and_loads_ahead_of_demand_need_no_placement() {
    let to = "r:1/a/mine:x-abababababab".to_owned();
    assert_eq!(permitted(SYNC, Deed::Branch, &["r:1/a/mine:x"]), [Ok(Work::Branch { to })]);
    let ahead = "[control.prefetch]\nstream = \"tenant\"";
    assert_eq!(permitted(ahead, Deed::Load(None), &["mine:x"]), [Ok(Work::Load(None))]);
    assert!(permitted(ahead, Deed::Unload, &["mine:x"])[0].is_err());
}

/// A host that answers nothing to a load, and tells when its connection is closed.
async fn waiting() -> (String, mpsc::UnboundedReceiver<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let read = stream.read(&mut request).await.expect("a request");
                if String::from_utf8_lossy(&request[..read]).starts_with("POST /api/generate") {
                    tell.send("asked").expect("the test listens");
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
                    tell.send("closed").expect("the test listens");
                }
            });
        }
    });
    (url, told)
}

#[test]
fn a_load_that_is_given_up_closes_its_connection_and_is_not_told_of() {
    run(async {
        let control = control("[control.prefetch]\nstream = \"tenant\"", &["m:x"]);
        for by_end in [false, true] {
            let (url, mut told) = waiting().await;
            let text = format!("[serve]\n[[serve.hosts]]\nname = \"a\"\nurl = \"{url}\"");
            let config = ServeConfig::parse(&text, Path::new("test.toml")).expect("a good config");
            let (events, mut heard) = mpsc::unbounded_channel();
            let fleet = Fleet::new(Arc::new(config.clone()), mpsc::unbounded_channel().0);
            let (upstream, hosts) = (fleet.upstream.clone(), Arc::clone(&fleet.hosts));
            let mut actions = Actions::new(&config, upstream, hosts, &events, Arc::new(Notify::new()));
            let action =
                Action { id: ActionId(7), host: HostId(0), deed: Deed::Load(None), model: ModelId(0) };
            actions.begin(action, control.facts(), control.config());
            assert_eq!(told.recv().await, Some("asked"));
            if by_end {
                drop(actions);
            } else {
                actions.abandon(&action);
                assert!(!actions.ended(action.id, ActionOutcome::Done, ""));
            }
            assert_eq!(told.recv().await, Some("closed"));
            drop(events);
            assert!(heard.recv().await.is_none());
        }
    });
}
