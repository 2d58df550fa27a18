//! Arms: the balancers of a config, each with its name and its part. The base decides where no other does; flags and
//! experiments take their shares of the requests; shadows decide and do not act.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{ConfigError, ControlFile};
use crate::balance::{ALL, BalancerKind};
use crate::policy::assign::Assignment;
use crate::policy::guard::{GuardConfig, GuardFile};
use crate::strategy::{self, Chosen, StrategyFile};

/// Most arms of a config.
pub const ARMS_MAX: usize = 64;

/// What an arm is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Decides where no other does.
    Base,
    /// Decides in place of the base, where the fleet is as a rule of `select` says.
    Choice,
    /// Decides for its share of a trial's units.
    Variant,
    /// Decides beside the one that acts.
    Shadow,
}

/// An arm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArmSpec {
    /// Unique among the arms; reports call it so.
    pub name: String,
    /// The balancer.
    pub balancer: Chosen<BalancerKind>,
    /// What it is for.
    pub role: Role,
}

/// A flag or an experiment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Its name.
    pub name: String,
    /// Who gets which arm.
    pub assignment: Assignment,
    /// Place of its first arm among the arms; the others follow.
    pub arms_from: usize,
    /// Takes an arm back where it does worse.
    pub guard: Option<GuardConfig>,
}

/// Arms as they are gathered.
#[derive(Default)]
struct Gathered(Vec<ArmSpec>);

impl Gathered {
    fn add(&mut self, key: &str, name: String, file: &StrategyFile, role: Role) -> Result<(), ConfigError> {
        let error = |found: String, expected: &str| ConfigError {
            key: key.to_string(),
            found,
            expected: expected.into(),
        };
        if self.0.iter().any(|arm| arm.name == name) {
            return Err(error(format!("{name:?} again"), "each arm once"));
        }
        if self.0.len() >= ARMS_MAX {
            return Err(error(format!("more than {ARMS_MAX} arms"), "fewer balancers in all"));
        }
        self.0.push(ArmSpec { name, balancer: strategy::choose(key, file, ALL)?, role });
        Ok(())
    }
}

/// The arms of `[control]`, the base first, and its trials.
pub(super) fn check(file: &ControlFile) -> Result<(Vec<ArmSpec>, Vec<Trial>), ConfigError> {
    let mut arms = Gathered::default();
    let mut trials = Vec::new();
    arms.add("balancer", "base".into(), &file.balancer, Role::Base)?;
    for (at, name) in file.select.iter().flat_map(|select| select.arms.iter().enumerate()) {
        arms.add(
            &format!("select.arms[{at}]"),
            format!("select/{name}"),
            &name.as_str().into(),
            Role::Choice,
        )?;
    }
    let guard = |guard: &Option<GuardFile>| guard.as_ref().map(GuardFile::check).transpose();
    for (name, flag) in &file.flags {
        let (assignment, guard) = (flag.check(name)?, guard(&flag.guard)?);
        trials.push(Trial { name: name.clone(), assignment, arms_from: arms.0.len(), guard });
        arms.add(&format!("flags.{name}.balancer"), name.clone(), &flag.balancer, Role::Variant)?;
    }
    for (name, experiment) in &file.experiments {
        let (assignment, guard) = (experiment.check(name)?, guard(&experiment.guard)?);
        trials.push(Trial { name: name.clone(), assignment, arms_from: arms.0.len(), guard });
        for (at, arm) in experiment.arms.iter().enumerate() {
            let key = format!("experiments.{name}.arms[{at}].balancer");
            arms.add(&key, format!("{name}/{}", arm.name), &arm.balancer, Role::Variant)?;
        }
    }
    for (at, shadow) in file.shadows.iter().enumerate() {
        arms.add(&format!("shadows[{at}]"), format!("shadow/{}", shadow.name), shadow, Role::Shadow)?;
    }
    Ok((arms.0, trials))
}
