//! The bench: the baseline form of each structure beside the optimised one, on the same operations, with every figure
//! measured.
//!
//! **To add a component**, write a file below `bench/` with
//! 1. a type that is built at a scale, from a seed, in one of the two forms, and implements [`Subject`]: the next
//!    operations of a stream that the seed alone determines, and the sum over what they answered, which both forms
//!    must share;
//! 2. a function that returns its [`Component`]: names, claims, and how it is built;
//!
//! and add that function to [`ALL`]. Table, JSON, CSV, plots and help follow. Where the structure compares keys of a
//! generic type, build it over [`count::Counted`] when [`Case::counting`] is set and name what is counted in
//! [`Component::counted`]; else complexity is fitted to the CPU time, and the record says so.
//!
//! What is measured how is in [`measure`](mod@measure), what is made of it in [`fit`] and [`record`].

pub mod count;
pub mod files;
pub mod fit;
pub mod measure;
pub mod record;

mod backlog;
mod batch_loop;
mod change_detection;
mod conflict_resolution;
mod constraints;
mod decision;
mod events;
mod fleet_numbers;
mod flow_sharing;
mod histogram;
mod history;
mod host_choice;
mod host_set;
mod least_score;
mod lru;
mod plane;
mod priority_queue;
mod request_queue;
mod same;
mod stage_times;
mod trace_reading;
mod version_store;
mod vocabulary;

pub use same::NAME as SAME;

use control::digest::Digest;
use control::draw::{Component as Purpose, Draw};
use control::index::Implementation;

use fit::Complexity;

/// Every file's components.
pub const ALL: &[fn() -> Vec<Component>] = &[
    same::components,
    priority_queue::components,
    request_queue::components,
    host_choice::components,
    host_set::components,
    events::components,
    flow_sharing::components,
    batch_loop::components,
    histogram::components,
    stage_times::components,
    history::components,
    lru::components,
    vocabulary::components,
    fleet_numbers::components,
    constraints::components,
    least_score::components,
    trace_reading::components,
    version_store::components,
    change_detection::components,
    conflict_resolution::components,
    decision::components,
    backlog::components,
];

/// The two forms, in the order of tables.
pub const FORMS: [Implementation; 2] = [Implementation::Baseline, Implementation::Optimised];

/// Scales where none are asked for.
pub const SCALES: [u64; 4] = [10, 100, 1_000, 10_000];

/// The seeds; a record is over all of them.
pub const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// One structure in two forms.
pub struct Component {
    /// Its name on the command line; a slash makes it one of a group.
    pub name: String,
    /// What each form is, as in [`FORMS`].
    pub forms: [&'static str; 2],
    /// What one operation is.
    pub operation: &'static str,
    /// What the scale counts.
    pub scale: &'static str,
    /// How the cost of an operation is claimed to grow, as in [`FORMS`].
    pub claimed: [Complexity; 2],
    /// Whose time decides which form is faster.
    pub clock: Clock,
    /// What is counted under [`Case::counting`]; `None` where the structure cannot be watched.
    pub counted: Option<&'static str>,
    /// Builds one form.
    pub build: Box<dyn Fn(Case) -> Box<dyn Subject>>,
}

/// A clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Clock {
    /// CPU time of the process: other work on the machine hardly disturbs it.
    #[default]
    Cpu,
    /// Wall time, where a form has threads: they save none of the CPU's.
    Wall,
}

impl Clock {
    /// As printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu time",
            Self::Wall => "wall time",
        }
    }
}

/// What is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Case {
    /// Which form.
    pub implementation: Implementation,
    /// At what scale; at least 1.
    pub scale: usize,
    /// Determines the operations.
    pub seed: u64,
    /// Whether operations are counted ([`count::total`]) rather than timed.
    pub counting: bool,
}

impl Case {
    /// The draws of this case: the same for both forms.
    #[must_use]
    fn draw(&self) -> Draw {
        Draw::new(self.seed, Purpose::Balancer, self.scale as u64, 0)
    }

    fn is_baseline(&self) -> bool {
        self.implementation == Implementation::Baseline
    }
}

/// One form of a component, as built.
pub trait Subject {
    /// Does the next operations of its stream and gives the wrapping sum over what they answered: the same in all, however
    /// the operations are split into calls.
    fn operate(&mut self, operations: u64) -> u64;
}

/// A digest of these bits.
fn digest(bits: u64) -> Digest {
    Digest(std::array::from_fn(|at| bits.to_le_bytes()[at % 8]))
}

/// The components of these names: a whole name, or that of a group. All where none is given.
///
/// # Errors
/// The first name that nothing answers to, with all that would do.
pub fn select(names: &[String]) -> Result<Vec<Component>, UnknownComponent> {
    let all = || ALL.iter().flat_map(|components| components());
    let answers = |component: &Component, name: &str| {
        component.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    for name in names {
        if !all().any(|component| answers(&component, name)) {
            return Err(UnknownComponent { name: name.clone(), known: self::names() });
        }
    }
    Ok(all()
        .filter(|component| names.is_empty() || names.iter().any(|name| answers(component, name)))
        .collect())
}

/// Names that can be asked for, a group as one.
#[must_use]
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for component in ALL.iter().flat_map(|components| components()) {
        let name = component.name.split('/').next().unwrap_or_default().to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A name that no component has.
#[derive(Debug, thiserror::Error)]
#[error("there is no component {name:?}{}; expected {}, or one of a group (`decision/random`)", near(name, known), known.join(", "))]
pub struct UnknownComponent {
    name: String,
    known: Vec<String>,
}

fn near(name: &str, known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    control::strategy::nearest(name, &known)
        .map(|near| format!(" (did you mean {near:?}?)"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
