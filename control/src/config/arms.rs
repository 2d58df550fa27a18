//! Arms: the balancers of a config, each with its name and its part. The base decides where no other does; shadows decide
//! and do not act.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{ConfigError, ControlFile};
use crate::balance::{ALL, BalancerKind};
use crate::strategy::{self, Chosen};

/// Most arms of a config.
pub const ARMS_MAX: usize = 64;

/// What an arm is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Part {
    /// Decides where no other does.
    Base,
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
    pub part: Part,
}

/// The arms of `[control]`, the base first.
pub(super) fn check(file: &ControlFile) -> Result<Vec<ArmSpec>, ConfigError> {
    let base = strategy::choose("balancer", &file.balancer, ALL)?;
    let mut arms = vec![ArmSpec { name: "base".into(), balancer: base, part: Part::Base }];
    for (at, shadow) in file.shadows.iter().enumerate() {
        let key = format!("shadows[{at}]");
        let name = format!("shadow/{}", shadow.name);
        if arms.iter().any(|arm| arm.name == name) {
            return Err(ConfigError {
                key,
                found: format!("{:?} again", shadow.name),
                expected: "each once".into(),
            });
        }
        arms.push(ArmSpec { name, balancer: strategy::choose(&key, shadow, ALL)?, part: Part::Shadow });
    }
    if arms.len() > ARMS_MAX {
        return Err(ConfigError {
            key: "balancer".into(),
            found: format!("{} balancers in all arms", arms.len()),
            expected: format!("at most {ARMS_MAX}"),
        });
    }
    Ok(arms)
}
