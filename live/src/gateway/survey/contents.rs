//! What hosts and the registry have under each name that is kept the same, as `GET /api/v1/placement` shows it, and as an operator
//! decides between them.

use std::collections::BTreeMap;

use control::Control;
use control::digest::Digest;
use control::ids::ModelId;
use control::sync::artifact::Origin;
use control::sync::conflict::Kind;
use control::sync::register::Register;
use control::units::Instant;
use serde::Serialize;

use super::model_name;
use super::placement::host_name;

/// A name and all its contents.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ContentsView {
    model: String,
    /// `healthy`, `degraded` or `critical`: good copies against `copies_target` and `copies_min`.
    state: &'static str,
    /// Hosts that answer and have the right content.
    good_copies: u32,
    /// The right content; `null` where an operator must decide.
    right: Option<RightView>,
    /// How contents differ, and for how long; `null` where all are the same.
    conflict: Option<ConflictView>,
    /// What an operator decided for, whether or not anyone has it; `null` where nothing was decided.
    decided: Option<String>,
    /// All tags of its name that are kept the same, in the order of versions.
    versions: Vec<String>,
    /// The newest of them, where that is newer than this one.
    newer: Option<String>,
    /// By digest.
    held: Vec<HeldView>,
}

#[derive(Clone, Debug, Serialize)]
struct RightView {
    digest: String,
    /// Who has it: a host, or `registry`.
    origin: String,
}

#[derive(Clone, Debug, Serialize)]
struct ConflictView {
    kind: Kind,
    seconds: u64,
}

#[derive(Clone, Debug, Serialize)]
struct HeldView {
    digest: String,
    right: bool,
    /// Hosts, and `registry`.
    by: Vec<String>,
}

/// Who has which content of each name that is kept the same.
pub(in crate::gateway) type Held = BTreeMap<String, BTreeMap<Digest, Vec<Origin>>>;

/// Contents that an operator can decide between, in control's words.
pub(in crate::gateway) fn held(control: &Control) -> Held {
    let registers = control.facts().sync.registers.iter();
    registers.map(|(model, register)| (model_name(control, *model), by_digest(register))).collect()
}

fn by_digest(register: &Register) -> BTreeMap<Digest, Vec<Origin>> {
    let mut held: BTreeMap<Digest, Vec<Origin>> = BTreeMap::new();
    for (origin, artifact) in register.artifacts() {
        held.entry(artifact.digest).or_default().push(origin);
    }
    held
}

/// Names of which sync knows.
pub(super) fn of(control: &Control, now: Instant) -> Vec<ContentsView> {
    let sync = &control.facts().sync;
    sync.registers.keys().map(|model| view(control, *model, now)).collect()
}

fn view(control: &Control, model: ModelId, now: Instant) -> ContentsView {
    let facts = control.facts();
    let sync = &facts.sync;
    let right = sync.right.get(&model);
    let register = &sync.registers[&model];
    let good_copies = control.good_copies(model);
    let (min, target) =
        control.config().sync.as_ref().map_or((1, 1), |config| (config.copies_min, config.copies_target));
    ContentsView {
        model: model_name(control, model),
        state: match good_copies {
            copies if copies >= target => "healthy",
            copies if copies >= min => "degraded",
            _ => "critical",
        },
        good_copies,
        right: right
            .map(|(origin, digest)| RightView { digest: digest.to_string(), origin: name(control, *origin) }),
        conflict: sync
            .diverged
            .get(&model)
            .map(|(since, kind)| ConflictView { kind: *kind, seconds: now.since(*since).0 / 1_000_000_000 }),
        decided: register.decision().keep.map(|digest| digest.to_string()),
        versions: control.versions(model).into_iter().map(|(version, _)| version.to_string()).collect(),
        newer: control.newer_version(model).map(ToString::to_string),
        held: by_digest(register)
            .into_iter()
            .map(|(digest, by)| HeldView {
                right: right.is_some_and(|right| right.1 == digest),
                digest: digest.to_string(),
                by: by.into_iter().map(|origin| name(control, origin)).collect(),
            })
            .collect(),
    }
}

fn name(control: &Control, origin: Origin) -> String {
    match origin {
        Origin::Catalogue => "registry".to_owned(),
        Origin::Host(host) => host_name(control, host),
    }
}
