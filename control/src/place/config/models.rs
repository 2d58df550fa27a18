//! `[control.placement.models."NAME"]`: what holds for a single model.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::REPLICAS_MAX;
use crate::config::ConfigError;
use crate::config::bounds::{error, within};
use crate::place::problem::Limits;

/// `[control.placement.models."NAME"]` as written. What is absent is as for all models.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelPlacementFile {
    /// Least number of replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_min: Option<u32>,
    /// Replicas to have whatever the load, where there is room after every minimum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_target: Option<u32>,
    /// Most replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_max: Option<u32>,
    /// Copies on disks below which nothing is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies_min: Option<u32>,
    /// Names of hosts that must have a replica.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pin: Vec<String>,
    /// Names of hosts that must have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Names of models that must not be on the same host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apart_from: Vec<String>,
    /// Zones that replicas are spread over where there is room; 1 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones_min: Option<u32>,
}

/// What holds for a model, checked. Names of hosts and models are taken as they are: who is not there yet may come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ModelPlacement {
    /// Numbers of replicas: min ≤ target ≤ max, and no more pins than max.
    pub limits: Limits,
    /// Copies on disks below which nothing is deleted; at least 1.
    pub copies_min: u32,
    /// Hosts that must have a replica; none of them in `exclude`.
    pub pin: Vec<String>,
    /// Hosts that must have none.
    pub exclude: Vec<String>,
    /// Models that must not be on the same host.
    pub apart_from: Vec<String>,
    /// Zones that replicas are spread over where there is room; at least 1.
    pub zones_min: u32,
}

impl ModelPlacementFile {
    /// Checks every key; `key` is where the table stands.
    pub(super) fn check(
        &self,
        key: &str,
        name: &str,
        otherwise: &ModelPlacement,
    ) -> Result<ModelPlacement, ConfigError> {
        self.check_names(key, name)?;
        Ok(ModelPlacement {
            limits: self.limits(key, otherwise.limits)?,
            copies_min: within(
                &format!("{key}.copies_min"),
                self.copies_min.unwrap_or(otherwise.copies_min),
                (1, REPLICAS_MAX),
            )?,
            pin: self.pin.clone(),
            exclude: self.exclude.clone(),
            apart_from: self.apart_from.clone(),
            zones_min: within(&format!("{key}.zones_min"), self.zones_min.unwrap_or(1), (1, REPLICAS_MAX))?,
        })
    }

    fn limits(&self, key: &str, otherwise: Limits) -> Result<Limits, ConfigError> {
        let max = match self.replicas_max {
            Some(max) => within(&format!("{key}.replicas_max"), max, (1, REPLICAS_MAX))?,
            None => otherwise.max,
        };
        let most = REPLICAS_MAX.min(max.into());
        let min =
            within(&format!("{key}.replicas_min"), self.replicas_min.unwrap_or(otherwise.min), (0, most))?;
        let target = match self.replicas_target {
            Some(target) => Some(within(&format!("{key}.replicas_target"), target, (min.into(), most))?),
            None => None,
        };
        if self.pin.len() as u64 > u64::from(max) {
            return Err(error(
                &format!("{key}.pin"),
                format!("{} hosts", self.pin.len()),
                format!("at most {max}"),
            ));
        }
        Ok(Limits { min, target, max })
    }

    fn check_names(&self, key: &str, name: &str) -> Result<(), ConfigError> {
        for (list, names) in
            [("pin", &self.pin), ("exclude", &self.exclude), ("apart_from", &self.apart_from)]
        {
            let twice = |at: usize| names[..at].contains(&names[at]);
            if let Some(at) = (0..names.len()).find(|at| names[*at].is_empty() || twice(*at)) {
                let expected = "names, each once";
                return Err(error(&format!("{key}.{list}[{at}]"), format!("{:?}", names[at]), expected));
            }
        }
        if let Some(at) = self.pin.iter().position(|host| self.exclude.contains(host)) {
            let expected = "a host that is not excluded";
            return Err(error(&format!("{key}.pin[{at}]"), format!("{:?}", self.pin[at]), expected));
        }
        match self.apart_from.iter().position(|other| other == name) {
            Some(at) => Err(error(&format!("{key}.apart_from[{at}]"), format!("{name:?}"), "another model")),
            None => Ok(()),
        }
    }
}
