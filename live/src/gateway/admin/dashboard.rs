//! The dashboard: a page that shows what the admin API tells, and makes its changes. Its parts are in the program and
//! hold no data, so they ask for no key; the page asks for one where the API does.
//!
//! What clients make up (names of models, tenants) is on that page, so its policy lets in nothing but its own parts:
//! even text that became markup by mistake would run nothing.

use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

use crate::reply::{self, Body};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, content type and text of each part.
const PARTS: [(&str, &str, &str); 11] = [
    ("/", HTML, include_str!("../../../assets/dashboard/index.html")),
    ("/dashboard/style.css", CSS, include_str!("../../../assets/dashboard/style.css")),
    ("/dashboard/icon.svg", SVG, include_str!("../../../assets/dashboard/icon.svg")),
    ("/dashboard/app.js", SCRIPT, include_str!("../../../assets/dashboard/app.js")),
    ("/dashboard/actions.js", SCRIPT, include_str!("../../../assets/dashboard/actions.js")),
    ("/dashboard/chart.js", SCRIPT, include_str!("../../../assets/dashboard/chart.js")),
    ("/dashboard/feed.js", SCRIPT, include_str!("../../../assets/dashboard/feed.js")),
    ("/dashboard/page.js", SCRIPT, include_str!("../../../assets/dashboard/page.js")),
    ("/dashboard/series.js", SCRIPT, include_str!("../../../assets/dashboard/series.js")),
    ("/dashboard/tables.js", SCRIPT, include_str!("../../../assets/dashboard/tables.js")),
    ("/dashboard/views.js", SCRIPT, include_str!("../../../assets/dashboard/views.js")),
];

/// What the page may load and where it may be shown.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of each part. A new program has a new page: nothing is kept.
const HEADERS: [(HeaderName, &str); 4] = [
    (HeaderName::from_static("content-security-policy"), POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// The part at a path; `None` where there is none.
pub(super) fn part(path: &str) -> Option<Response<Body>> {
    let (_, content_type, text) = PARTS.iter().find(|(at, ..)| *at == path)?;
    let mut answer = reply::whole(StatusCode::OK, content_type, *text);
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Some(answer)
}
