//! The stream of events for dashboards (server-sent events): a snapshot of everything each second, and each request
//! that ended in between.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;

use super::{Admin, No, Phase, reads};
use crate::reply::{self, Body, Written};

/// From one snapshot to the next.
const PERIOD: Duration = Duration::from_secs(1);
/// Events that wait for a slow reader.
const QUEUE: usize = 64;

/// Begins a stream.
pub(super) fn stream(admin: &Arc<Admin>) -> Result<Response<Body>, No> {
    let room = Arc::clone(&admin.streams).try_acquire_owned().map_err(|_| No::Streams)?;
    let (sender, events) = mpsc::channel(QUEUE);
    let admin = Arc::clone(admin);
    tokio::spawn(async move {
        let _room = room;
        feed(&admin, &sender).await;
    });
    let content_type = HeaderValue::from_static("text/event-stream");
    let mut answer = reply::typed(StatusCode::OK, content_type, Written::new(events).boxed_unsync());
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Feeds a stream until its reader leaves or the gateway ends.
async fn feed(admin: &Admin, sender: &mpsc::Sender<Bytes>) {
    let mut ended = admin.ended.subscribe();
    let mut phase = admin.phase.clone();
    let mut beat = tokio::time::interval(PERIOD);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            biased;
            () = sender.closed() => return,
            // An error says that the gateway is gone.
            () = async { drop(phase.wait_for(|phase| *phase == Phase::Ended).await) } => return,
            _ = beat.tick() => match reads::survey(admin).await {
                Ok(survey) => event("snapshot", &survey),
                Err(_) => return,
            },
            request = ended.recv() => match request {
                Ok(request) => event("decision", &*request),
                Err(broadcast::error::RecvError::Lagged(missed)) => event("missed", &missed),
                Err(broadcast::error::RecvError::Closed) => return,
            },
        };
        if sender.send(event).await.is_err() {
            return;
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).expect("events have string keys only");
    format!("event: {name}\ndata: {data}\n\n").into()
}
