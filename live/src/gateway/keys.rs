//! Keys of clients: who may ask for what, how often, and how much.
//!
//! A key is 32 bytes of chance (`hk_` and base64url), so a plain hash at rest is enough: a slow one protects
//! passwords, which can be guessed. Keys are compared by hash, with all of them, in constant time.
//!
//! The time is an argument. Limits are counted here and now: requests in a token bucket that holds a minute's worth,
//! tokens by day (UTC). A request is let in while the day's tokens are not used up, so the last one may go beyond.

mod date;
mod meter;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::config::{ClientKey, MayAssert};
use crate::reply::{self, Body};
use crate::wire::dialect::Dialect;
pub(crate) use date::unix_millis_of_date;
use meter::{Meter, Spent};

/// What keys begin with, so that one in the wrong place is seen.
pub const KEY_PREFIX: &str = "hk_";

/// The hash of a key, as it stands in a config: `blake3:` and 64 hexadecimal digits. Compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(blake3::Hash);

impl KeyHash {
    /// The hash of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(blake3::hash(key.as_bytes()))
    }

    /// Reads what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text.strip_prefix("blake3:")?).ok().map(Self)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blake3:{}", self.0.to_hex())
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key in an `Authorization` header, if it is one of the form `Bearer KEY`.
pub(crate) fn bearer(header: Option<&[u8]>) -> Option<&str> {
    let text = std::str::from_utf8(header?).ok()?;
    let (scheme, key) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The one of the hashes that a key has. All are looked at, whichever it is.
pub(crate) fn find<'a, T>(keys: &'a [T], hash: impl Fn(&T) -> &KeyHash, key: &str) -> Option<&'a T> {
    let wanted = KeyHash::of(key);
    keys.iter().fold(None, |found, key| if *hash(key) == wanted { Some(key) } else { found })
}

/// The keys of all clients, with what each has used.
#[derive(Debug, Default)]
pub struct Keys {
    keys: RwLock<Arc<Vec<Arc<Key>>>>,
}

/// A key, and what was used of it.
#[derive(Debug)]
struct Key {
    config: ClientKey,
    /// Shared by the forms of a key before and after its config was read anew.
    meter: Arc<Meter>,
}

/// Tokens that a key used on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DayUsage {
    /// Days since 1970.
    pub day: u64,
    /// Tokens of prompts and answers.
    pub tokens: u64,
}

/// Why a request is turned away. The text is what the client reads; it tells nothing of other keys.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// No key was sent.
    #[error("an API key is needed: send the header Authorization: Bearer KEY")]
    Missing,
    /// A key was sent that is none of ours.
    #[error("this API key is not known")]
    Unknown,
    /// It was valid once.
    #[error("this API key has expired")]
    Expired,
    /// It does not allow the model.
    #[error("this API key does not allow the model '{0}'")]
    Model(String),
    /// Too many requests in the last minute.
    #[error("too many requests: this API key allows {requests_per_minute} in a minute")]
    Rate {
        /// The limit.
        requests_per_minute: u32,
        /// When the next is let in.
        retry_after_seconds: u64,
    },
    /// Too many requests under way.
    #[error("too many requests at once: this API key allows {0}")]
    Concurrency(u32),
    /// The day's tokens are used up.
    #[error("this API key's {tokens_per_day} tokens of today are used up")]
    Tokens {
        /// The limit.
        tokens_per_day: u64,
        /// When the next day begins.
        retry_after_seconds: u64,
    },
}

impl Denied {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Unknown | Self::Expired => StatusCode::UNAUTHORIZED,
            Self::Model(_) => StatusCode::FORBIDDEN,
            Self::Rate { .. } | Self::Concurrency(_) | Self::Tokens { .. } => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What stands in `Retry-After`, where trying again helps.
    #[must_use]
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Rate { retry_after_seconds, .. } | Self::Tokens { retry_after_seconds, .. } => {
                Some(*retry_after_seconds)
            }
            Self::Concurrency(_) => Some(1),
            Self::Missing | Self::Unknown | Self::Expired | Self::Model(_) => None,
        }
    }

    /// What the client is answered.
    pub(crate) fn answer(&self, dialect: Dialect) -> Response<Body> {
        let mut answer = reply::error_in(dialect, self.status(), &self.to_string());
        if let Some(seconds) = self.retry_after_seconds() {
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

/// Who sends a request. Held as long as the request is under way.
#[derive(Debug)]
pub struct Caller {
    key: Option<Arc<Key>>,
}

impl Caller {
    /// Whose request it is: [`ANYONE`] where no keys are asked for.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.key.as_ref().map_or(ANYONE, |key| &key.config.tenant)
    }

    /// Its priority; 0 is normal.
    #[must_use]
    pub fn priority(&self) -> i8 {
        self.key.as_ref().map_or(0, |key| key.config.priority)
    }

    /// Whether a header of the client's is believed. Nobody is believed without a key.
    #[must_use]
    pub fn may_assert(&self, what: MayAssert) -> bool {
        self.key.as_ref().is_some_and(|key| key.config.may_assert.contains(&what))
    }

    /// What logs call its key; `None` where no keys are asked for.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.config.name.as_str())
    }

    /// Whether it may ask for a model, by its normalised name.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.config.allows(model))
    }

    /// Whether it may manage models.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.config.admin)
    }

    /// Largest context that it may ask for, in tokens.
    #[must_use]
    pub fn num_ctx_max(&self) -> Option<u32> {
        self.key.as_ref().and_then(|key| key.config.num_ctx_max)
    }

    /// Longest time for which it may keep a model loaded.
    #[must_use]
    pub fn keep_alive_max_seconds(&self) -> Option<u64> {
        self.key.as_ref().and_then(|key| key.config.keep_alive_max_seconds)
    }

    /// Counts the tokens of an answer.
    pub fn used(&self, unix_millis: u64, tokens: u64) {
        if let Some(key) = &self.key {
            key.meter.used(unix_millis, tokens);
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            key.meter.ended();
        }
    }
}

/// The tenant of requests that no key was asked for.
pub const ANYONE: &str = "everyone";

impl Keys {
    /// Keys of which nothing was used but what is remembered from before.
    #[must_use]
    pub fn new(config: &[ClientKey], before: &BTreeMap<String, DayUsage>) -> Self {
        let key = |config: &ClientKey| {
            let before = before.get(&config.name).copied().unwrap_or_default();
            Arc::new(Key { config: config.clone(), meter: Arc::new(Meter::new(before)) })
        };
        Self { keys: RwLock::new(Arc::new(config.iter().map(key).collect())) }
    }

    /// Takes another list of keys; those whose name stays keep what they used.
    pub fn replace(&self, config: &[ClientKey]) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let key = |config: &ClientKey| {
            let same = keys.iter().find(|key| key.config.name == config.name);
            let meter =
                same.map_or_else(|| Arc::new(Meter::new(DayUsage::default())), |key| Arc::clone(&key.meter));
            Arc::new(Key { config: config.clone(), meter })
        };
        *keys = Arc::new(config.iter().map(key).collect());
    }

    fn all(&self) -> Arc<Vec<Arc<Key>>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a request has a key that is good for anything. Counts nothing.
    ///
    /// # Errors
    /// Where it has none, or one that is not known or no longer valid.
    pub fn authenticate(&self, unix_millis: u64, authorization: Option<&[u8]>) -> Result<(), Denied> {
        valid(&self.all(), unix_millis, authorization).map(drop)
    }

    /// Lets a request in, or says why not. `authorization` is the header's value; `model` is the normalised name of the
    /// model that is asked for, if the call is about one. What is returned is to be held until the answer has ended.
    ///
    /// # Errors
    /// Where the key, or the lack of one, does not allow the request; then nothing was counted.
    pub fn check(
        &self,
        unix_millis: u64,
        authorization: Option<&[u8]>,
        model: Option<&str>,
    ) -> Result<Caller, Denied> {
        let keys = self.all();
        let Some(key) = valid(&keys, unix_millis, authorization)? else { return Ok(Caller { key: None }) };
        let config = &key.config;
        if let Some(model) = model
            && !config.allows(model)
        {
            return Err(Denied::Model(model.to_owned()));
        }
        key.meter.begin(unix_millis, config).map_err(|spent| match spent {
            Spent::Tokens { tokens_per_day, retry_after_seconds } => {
                Denied::Tokens { tokens_per_day, retry_after_seconds }
            }
            Spent::Concurrency(concurrency_max) => Denied::Concurrency(concurrency_max),
            Spent::Rate { requests_per_minute, retry_after_seconds } => {
                Denied::Rate { requests_per_minute, retry_after_seconds }
            }
        })?;
        Ok(Caller { key: Some(Arc::clone(key)) })
    }

    /// What each key used, to be written down; `None` where nothing has changed since the last call. Keys with a quota
    /// are written a little ahead of what they used, so that what a crash forgets was counted before.
    #[must_use]
    pub fn news(&self) -> Option<BTreeMap<String, DayUsage>> {
        let keys = self.all();
        // All are asked: each remembers that it was.
        let any = keys.iter().fold(false, |any, key| key.meter.is_news(key.config.tokens_per_day) | any);
        any.then(|| keys.iter().map(|key| (key.config.name.clone(), key.meter.to_write())).collect())
    }

    /// What each key used, to the token.
    #[must_use]
    pub fn usage(&self) -> BTreeMap<String, DayUsage> {
        self.all().iter().map(|key| (key.config.name.clone(), key.meter.exact())).collect()
    }
}

/// The key that was sent; `None` where none is asked for.
fn valid<'a>(
    keys: &'a [Arc<Key>],
    unix_millis: u64,
    authorization: Option<&[u8]>,
) -> Result<Option<&'a Arc<Key>>, Denied> {
    if keys.is_empty() {
        return Ok(None);
    }
    let sent = bearer(authorization).ok_or(Denied::Missing)?;
    let key = find(keys, |key| &key.config.hash, sent).ok_or(Denied::Unknown)?;
    if key.config.expires_unix_millis.is_some_and(|expires| expires <= unix_millis) {
        return Err(Denied::Expired);
    }
    Ok(Some(key))
}

impl ClientKey {
    fn allows(&self, model: &str) -> bool {
        self.models.iter().any(|glob| matches(glob, model))
    }
}

/// Whether a text matches a pattern in which `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        // The earliest place leaves most for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
