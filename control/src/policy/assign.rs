//! Which arm of an experiment a request belongs to: by a stable hash, so that nothing is remembered and every replay agrees.
//!
//! A unit (a request, a session or a tenant) has a point below 1,000 that its value and the experiment's salt decide. Each of n
//! arms has a lane of 1,000 / n points and fills it from its start; what an arm has beyond its lane lies in the other lanes,
//! from their ends backwards. So a ramp-up moves units from the rest into the arm and no others, always with one or two arms
//! and otherwise while no share is above its lane. More cannot be had without memory: if it held for three arms and all
//! shares, the second and the third would each be just what the first leaves over.
//!
//! Sources: sticky assignment by hash and salt as in PlanOut (Bakshy, Eckles, Bernstein, WWW 2014); the hash is two rounds of
//! SplitMix64's finaliser ([`mix`]).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::guard::GuardFile;
use crate::config::ConfigError;
use crate::config::bounds::error;
use crate::draw::mix;
use crate::request::Arrive;
use crate::strategy::StrategyFile;

/// Points of a whole: shares are in thousandths.
const WHOLE: u32 = 1_000;
/// Most arms besides control.
const ARMS_MAX: usize = 8;
/// Keeps a salt of 0 from being the fixed point of [`mix`].
const OFFSET: u64 = 0x9e37_79b9_7f4a_7c15;

/// What is assigned as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Each request for itself.
    Request,
    /// A conversation; a request without one for itself.
    #[default]
    Session,
    /// All requests of a tenant.
    Tenant,
}

impl Unit {
    /// The value of a request's unit.
    #[must_use]
    pub fn value(self, arrive: &Arrive) -> u64 {
        match self {
            Self::Request => arrive.request.0,
            Self::Session => arrive.session.map_or(arrive.request.0, |session| session.0),
            Self::Tenant => arrive.tenant.0.into(),
        }
    }
}

/// `[control.flags.NAME]` as written: a balancer for a share of the units.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagFile {
    /// What decides for them.
    pub balancer: StrategyFile,
    /// Share of the units, in thousandths; 0 turns it off.
    #[serde(default)]
    pub share_permille: u16,
    /// What is assigned as a whole: `request`, `session` or `tenant`.
    #[serde(default)]
    pub unit: Unit,
    /// Another number deals all units anew.
    #[serde(default)]
    pub salt: u64,
    /// Takes the flag back where it does worse than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardFile>,
}

/// `[control.experiments.NAME]` as written: several balancers side by side.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentFile {
    /// What is assigned as a whole: `request`, `session` or `tenant`.
    #[serde(default)]
    pub unit: Unit,
    /// Another number deals all units anew; experiments of different names are independent in any case.
    #[serde(default)]
    pub salt: u64,
    /// The arms besides control, in an order that must stay while the experiment runs.
    pub arms: Vec<ArmFile>,
    /// Takes an arm back where it does worse than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardFile>,
}

/// An arm as written.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmFile {
    /// Unique name.
    pub name: String,
    /// What decides.
    pub balancer: StrategyFile,
    /// Share of the units, in thousandths.
    pub share_permille: u16,
}

/// A checked flag or experiment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Assignment {
    /// What is assigned as a whole.
    pub unit: Unit,
    /// Its salt, its name folded in.
    pub salt: u64,
    /// Shares of the arms besides control, in thousandths; together at most 1,000.
    pub shares_permille: Vec<u16>,
}

impl FlagFile {
    /// Checks the share.
    ///
    /// # Errors
    /// Where it is no share.
    pub fn check(&self, name: &str) -> Result<Assignment, ConfigError> {
        let key = format!("flags.{name}");
        check((self.unit, self.salt), name, &[self.share_permille], |_| format!("{key}.share_permille"))
    }
}

impl ExperimentFile {
    /// Checks names and shares.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self, name: &str) -> Result<Assignment, ConfigError> {
        let key = format!("experiments.{name}.arms");
        if !(1..=ARMS_MAX).contains(&self.arms.len()) {
            return Err(error(&key, self.arms.len(), format!("1 to {ARMS_MAX} arms")));
        }
        let mut names = BTreeSet::new();
        for (at, arm) in self.arms.iter().enumerate() {
            if arm.name.is_empty() || !names.insert(&arm.name) {
                return Err(error(
                    &format!("{key}[{at}].name"),
                    format!("{:?}", arm.name),
                    "a name of its own",
                ));
            }
        }
        let shares: Vec<u16> = self.arms.iter().map(|arm| arm.share_permille).collect();
        check((self.unit, self.salt), name, &shares, |at| format!("{key}[{at}].share_permille"))
    }
}

fn check(
    (unit, salt): (Unit, u64),
    name: &str,
    shares: &[u16],
    key: impl Fn(usize) -> String,
) -> Result<Assignment, ConfigError> {
    let mut sum = 0;
    for (at, share) in shares.iter().enumerate() {
        sum += u32::from(*share);
        if sum > WHOLE {
            return Err(error(&key(at), share, format!("at most {WHOLE} for all arms together")));
        }
    }
    // Of two flags with the same share, each takes its own units.
    let salt = name.bytes().fold(mix(salt.wrapping_add(OFFSET)), |hash, byte| mix(hash ^ u64::from(byte)));
    Ok(Assignment { unit, salt, shares_permille: shares.to_vec() })
}

impl Assignment {
    /// The arm of a request: an index into the shares, or `None` for control.
    #[must_use]
    pub fn arm(&self, arrive: &Arrive) -> Option<usize> {
        assign(self.salt, self.unit.value(arrive), &self.shares_permille)
    }
}

/// The arm of a unit: an index into the shares, or `None` for the rest. The shares, of at most
/// [`ARMS_MAX`] arms, must sum to at most 1,000.
#[must_use]
pub fn assign(salt: u64, unit_value: u64, shares_permille: &[u16]) -> Option<usize> {
    debug_assert!(shares_permille.len() <= ARMS_MAX, "lanes have more points than there are arms");
    debug_assert!(
        shares_permille.iter().map(|share| u32::from(*share)).sum::<u32>() <= WHOLE,
        "shares are parts of a whole"
    );
    arm_at(point(salt, unit_value), shares_permille)
}

/// Where a unit stands: 0 to 999, each as likely (but for 1 part in 2³²).
fn point(salt: u64, unit_value: u64) -> u32 {
    let hash = mix(mix(salt.wrapping_add(OFFSET)) ^ mix(unit_value));
    (((hash >> 32) * u64::from(WHOLE)) >> 32) as u32
}

fn arm_at(point: u32, shares: &[u16]) -> Option<usize> {
    let arms = shares.len() as u32;
    let lane = WHOLE.checked_div(arms)?;
    let (of, place) = (point / lane, point % lane);
    if shares.get(of as usize).is_some_and(|share| place < u32::from(*share)) {
        return Some(of as usize);
    }
    // Overflow takes the points that no arm holds in its own lane: those of no lane, then by place from the end, then by
    // lane. `rank` is how many come before this one.
    let mut rank = place;
    if of < arms {
        let before = |(lane_of, share): (u32, &u16)| {
            let from = if lane_of < of { place } else { place + 1 };
            lane - from.max(u32::from(*share).min(lane))
        };
        rank = WHOLE - lane * arms + (0..).zip(shares).map(before).sum::<u32>();
    }
    for (arm, share) in shares.iter().enumerate() {
        let overflow = u32::from(*share).saturating_sub(lane);
        if rank < overflow {
            return Some(arm);
        }
        rank -= overflow;
    }
    None
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    /// Shares that sum to at most 1,000.
    fn shares(arms: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u16>> {
        prop::collection::vec(0u16..=1_000, arms).prop_map(|mut shares| {
            let mut left = 1_000;
            for share in &mut shares {
                *share = (*share).min(left);
                left -= *share;
            }
            shares
        })
    }

    /// The arm of each point.
    fn table(shares: &[u16]) -> Vec<Option<usize>> {
        (0..WHOLE).map(|point| arm_at(point, shares)).collect()
    }

    proptest! {
        #[test]
        fn each_arm_has_exactly_its_share_of_the_points(shares in shares(0..=8)) {
            let table = table(&shares);
            for (arm, share) in shares.iter().enumerate() {
                let points = table.iter().filter(|of| **of == Some(arm)).count();
                prop_assert_eq!(points, usize::from(*share));
            }
        }

        #[test]
        fn a_ramp_up_moves_only_the_rest_into_the_arm_with_two_arms(
            before in shares(1..=2), arm in 0usize..2, more in 0u16..=1_000,
        ) {
            let arm = arm % before.len();
            let mut after = before.clone();
            after[arm] += more.min(1_000 - before.iter().sum::<u16>());
            for (old, new) in table(&before).into_iter().zip(table(&after)) {
                prop_assert!(old == new || (old.is_none() && new == Some(arm)));
            }
        }

        #[test]
        fn a_ramp_up_moves_only_the_rest_into_the_arm_within_the_lanes(
            (before, arm, more) in (1usize..=8).prop_flat_map(|arms| {
                let lane = 1_000 / arms as u16;
                (prop::collection::vec(0..=lane, arms), 0..arms, 0..=lane)
            }),
        ) {
            let mut after = before.clone();
            after[arm] = after[arm].max(more);
            for (old, new) in table(&before).into_iter().zip(table(&after)) {
                prop_assert!(old == new || (old.is_none() && new == Some(arm)));
            }
        }
    }

    #[test]
    fn points_are_these_on_every_machine() {
        let golden = [(0, 0), (0, 2), (7, 42), (u64::MAX, u64::MAX)].map(|(salt, unit)| point(salt, unit));
        assert_eq!(golden, [281, 212, 31, 79]);
    }

    #[test]
    fn units_fall_into_arms_by_their_shares() {
        let shares = [500u16, 100, 250];
        let mut counts = [0u32; 4];
        for unit in 0..100_000 {
            counts[assign(3, unit, &shares).unwrap_or(3)] += 1;
        }
        let expected = [50_000.0, 10_000.0, 25_000.0, 15_000.0];
        let chi: f64 =
            counts.iter().zip(expected).map(|(count, mean)| (f64::from(*count) - mean).powi(2) / mean).sum();
        // χ² with 3 degrees of freedom: 16.3 is exceeded once in a thousand salts.
        assert!(chi < 16.3, "χ² = {chi}, counts {counts:?}");
    }

    #[test]
    fn two_salts_assign_independently() {
        for (first, second) in [(0, 1), (1, 2), (7, 1 << 40)] {
            let mut counts = [[0u32; 2]; 2];
            for unit in 0..100_000 {
                let halves = [first, second].map(|salt| usize::from(assign(salt, unit, &[500]).is_some()));
                counts[halves[0]][halves[1]] += 1;
            }
            let chi: f64 =
                counts.iter().flatten().map(|count| (f64::from(*count) - 25_000.0).powi(2) / 25_000.0).sum();
            // χ² with 3 degrees of freedom, as above.
            assert!(chi < 16.3, "χ² = {chi}, counts {counts:?}");
        }
    }

    #[test]
    fn a_session_stays_in_its_arm_and_single_requests_stand_for_themselves() {
        let arrive = |request, session: Option<u64>| Arrive {
            request: crate::ids::RequestId(request),
            tenant: crate::ids::TenantId(5),
            session: session.map(crate::ids::SessionId),
            ..Arrive::default()
        };
        let file = FlagFile { salt: 1, share_permille: 500, ..FlagFile::default() };
        let assignment = file.check("new").expect("valid");
        for session in 0..50 {
            let arms: BTreeSet<Option<usize>> =
                (0..20).map(|request| assignment.arm(&arrive(request, Some(session)))).collect();
            assert_eq!(arms.len(), 1);
        }
        let of_singles: BTreeSet<Option<usize>> =
            (0..50).map(|request| assignment.arm(&arrive(request, None))).collect();
        assert_eq!(of_singles.len(), 2);
        assert_eq!(Unit::Tenant.value(&arrive(1, Some(2))), 5);
        assert_eq!(Unit::Request.value(&arrive(1, Some(2))), 1);
    }

    #[test]
    fn files_are_checked_and_name_the_key() {
        let arm =
            |name: &str, share_permille| ArmFile { name: name.into(), share_permille, ..ArmFile::default() };
        let check = |arms| ExperimentFile { arms, ..ExperimentFile::default() }.check("x");
        assert!(check(vec![arm("a", 600), arm("b", 400)]).is_ok());
        assert_eq!(
            check(vec![arm("a", 600), arm("b", 401)]).unwrap_err().to_string(),
            "control.experiments.x.arms[1].share_permille: found 401, expected at most 1000 for all arms together"
        );
        assert_eq!(
            check(vec![arm("a", 1), arm("a", 1)]).unwrap_err().to_string(),
            "control.experiments.x.arms[1].name: found \"a\", expected a name of its own"
        );
    }
}
