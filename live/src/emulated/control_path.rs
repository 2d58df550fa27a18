//! `/emulated/faults`: GET lists the faults with what became of them, PUT replaces them.

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::faults::{FaultFile, Faults};
use super::models::value;
use super::shared::Shared;
use crate::reply::{self, Body};
use crate::server;

/// The path.
pub(super) const FAULTS: &str = "/emulated/faults";
/// Largest list, in bytes.
const BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    faults: Vec<FaultFile>,
}

/// Answers a request for the path. No fault strikes it.
pub(super) async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    match *request.method() {
        Method::GET => listed(shared),
        Method::PUT => {
            let body = match server::read_body(request.into_body(), BYTES_MAX).await {
                Ok(body) => body,
                Err(unreadable) => return unreadable.answer(BYTES_MAX),
            };
            let replaced = match serde_json::from_slice::<ListFile>(&body) {
                Ok(list) => Faults::new(&list.faults).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match replaced {
                Ok(faults) => {
                    let permille = faults.permille();
                    *shared.faults() = faults;
                    shared.handle.slow(permille).await;
                    listed(shared)
                }
                Err(message) => reply::error(StatusCode::BAD_REQUEST, &message),
            }
        }
        _ => reply::wrong_method(&[Method::GET, Method::PUT]),
    }
}

fn listed(shared: &Shared) -> Response<Body> {
    let faults = shared.faults();
    value(&json!({ "faults": faults.shown() }))
}
