//! What fleets are made of, but for how many hosts they have.

use anyhow::{Context, Result};
use sim::config::GroupFile;

use crate::compare::arms::{Vary, product};

/// A GPU and what an hour of a host with it costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kind {
    /// The GPU's name.
    pub gpu: String,
    /// In hundredths of a currency; nothing where not known.
    pub cents_per_hour: Option<u32>,
}

impl Kind {
    /// Reads `GPU` or `GPU=CENTS`.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (gpu, cents) = match text.split_once('=') {
            Some((gpu, cents)) => (gpu, Some(cents)),
            None => (text, None),
        };
        let wrong =
            || format!("found {text:?}, expected GPU or GPU=CENTS, the price of an hour of a host with it");
        let cents_per_hour =
            cents.map(|cents| cents.trim().parse::<u32>().ok().filter(|cents| *cents > 0).ok_or_else(wrong));
        if gpu.trim().is_empty() {
            return Err(wrong());
        }
        Ok(Self { gpu: gpu.trim().to_owned(), cents_per_hour: cents_per_hour.transpose()? })
    }
}

/// Kinds of hosts in one fleet, by how many of each there are in a round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mix {
    /// GPUs, each with its hosts in a round: two or more, none twice.
    pub parts: Vec<(String, u32)>,
}

impl Mix {
    /// Reads `GPU:HOSTS+GPU:HOSTS`.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |expected: &str| Err(format!("found {text:?}, expected {expected}"));
        let mut parts: Vec<(String, u32)> = Vec::new();
        for part in text.split('+') {
            // Names of GPUs may have colons of their own.
            let read = part.rsplit_once(':').and_then(|(gpu, count)| {
                let count = count.trim().parse::<u32>().ok().filter(|count| (1..=1_000).contains(count))?;
                (!gpu.trim().is_empty()).then(|| (gpu.trim().to_owned(), count))
            });
            match read {
                None => return wrong("GPU:HOSTS+GPU:HOSTS, such as rtx-4090:3+a100-80gb:1"),
                Some((gpu, _)) if parts.iter().any(|(known, _)| *known == gpu) => {
                    return wrong(&format!("each GPU once, and {gpu} is there twice"));
                }
                Some(part) => parts.push(part),
            }
        }
        if parts.len() < 2 {
            return wrong("two GPUs or more: fleets of one kind are what --gpu gives");
        }
        Ok(Self { parts })
    }

    /// How it is written.
    fn name(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(|(gpu, count)| format!("{gpu}:{count}")).collect();
        parts.join("+")
    }
}

/// Everything about a fleet but how many hosts it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// What tells it from the others.
    pub name: String,
    /// What it lays over the scenario.
    pub sets: Vec<String>,
}

/// What candidates are made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Choices {
    /// Kinds of hosts, each for a fleet of its own, made like the first group; the scenario's own mix where there are none.
    pub kinds: Vec<Kind>,
    /// Fleets of several of these kinds.
    pub mixes: Vec<Mix>,
    /// Numbers of slots that all hosts may have (`OLLAMA_NUM_PARALLEL`); as in the scenario where there are none.
    pub num_parallel: Vec<u32>,
    /// Other keys with their values.
    pub vary: Vec<Vary>,
}

/// A part of a candidate: its name, and what it lays over the scenario.
type Part = (String, Vec<String>);

impl Choices {
    /// All combinations, for a scenario with these groups of hosts.
    ///
    /// # Errors
    /// Where a mix names a kind that is not among the kinds.
    pub fn candidates(&self, groups: &[GroupFile]) -> Result<Vec<Candidate>> {
        let kinds = self.kinds(groups)?;
        let arms = match self.vary.is_empty() {
            true => vec![(String::new(), Vec::new())],
            false => product(&self.vary).into_iter().map(|arm| (arm.name.clone(), arm.sets())).collect(),
        };
        let mut all = Vec::new();
        for (kind, groups) in &kinds {
            let slots: Vec<Part> = match self.num_parallel.is_empty() {
                true => vec![(String::new(), Vec::new())],
                false => self.num_parallel.iter().map(|slots| of_slots(*slots, *groups)).collect(),
            };
            for slots in &slots {
                for arm in &arms {
                    let names: Vec<&str> = [kind, slots, arm]
                        .map(|part| part.0.as_str())
                        .into_iter()
                        .filter(|name| !name.is_empty())
                        .collect();
                    let name = if names.is_empty() { "as it is".to_owned() } else { names.join(", ") };
                    let sets =
                        [kind, slots, arm].into_iter().flat_map(|part| part.1.iter().cloned()).collect();
                    all.push(Candidate { name, sets });
                }
            }
        }
        Ok(all)
    }

    /// Names of kinds and mixes, with what they lay over the scenario, and how many groups the fleet then has.
    fn kinds(&self, groups: &[GroupFile]) -> Result<Vec<(Part, usize)>> {
        let len = groups.len();
        if self.kinds.is_empty() && self.mixes.is_empty() {
            return Ok(vec![((String::new(), Vec::new()), len)]);
        }
        let first = groups.first().context("found no group of hosts in the scenario, expected one")?;
        let own = self.kinds.iter().map(|kind| Ok(((kind.gpu.clone(), of_kind(kind, len)), len)));
        let mixed = self
            .mixes
            .iter()
            .map(|mix| Ok(((mix.name(), vec![of_mix(mix, &self.kinds, first)?]), mix.parts.len())));
        own.chain(mixed).collect()
    }
}

/// Groups like the first one of the scenario, a kind each.
fn of_mix(mix: &Mix, kinds: &[Kind], first: &GroupFile) -> Result<String> {
    let groups = mix.parts.iter().map(|(gpu, share)| {
        let kind = kinds.iter().find(|kind| kind.gpu == *gpu);
        let kind = kind.with_context(|| {
            let known: Vec<&str> = kinds.iter().map(|kind| kind.gpu.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("--mix {}: found {gpu}, expected GPUs that --gpu names ({known})", mix.name())
        })?;
        let group = GroupFile {
            name: gpu.clone(),
            share: *share,
            gpu: gpu.clone(),
            cost_cents_per_hour: kind.cents_per_hour.unwrap_or(0),
            ..first.clone()
        };
        Ok(toml::Value::try_from(&group)?.to_string())
    });
    let groups: Vec<String> = groups.collect::<Result<_>>()?;
    Ok(format!("fleet.group=[{}]", groups.join(", ")))
}

fn of_kind(kind: &Kind, groups: usize) -> Vec<String> {
    let mut sets = vec![format!("fleet.group[0].gpu={}", crate::scenario::quoted(&kind.gpu))];
    if let Some(cents) = kind.cents_per_hour {
        sets.push(format!("fleet.group[0].cost_cents_per_hour={cents}"));
    }
    sets.extend((1..groups).map(|group| format!("fleet.group[{group}].share=0")));
    sets
}

fn of_slots(slots: u32, groups: usize) -> Part {
    let sets = (0..groups).map(|group| format!("fleet.group[{group}].num_parallel={slots}"));
    (format!("{slots} slots"), sets.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load};

    fn groups(scenario: &str) -> Vec<GroupFile> {
        load(scenario, &Overrides::default()).unwrap().file.fleet.group
    }

    #[test]
    fn candidates_are_all_combinations_with_what_they_lay_over() {
        let choices = Choices {
            kinds: vec![Kind::parse("h100=250").unwrap(), Kind::parse("rtx-4090").unwrap()],
            mixes: Vec::new(),
            num_parallel: vec![2, 4],
            vary: vec![Vary::parse("control.balancer=random,least-load").unwrap()],
        };
        let all = choices.candidates(&groups("default")[..2]).unwrap();
        assert_eq!(all.len(), 8);
        assert_eq!(all[0].name, "h100, 2 slots, random");
        assert_eq!(
            all[0].sets,
            [
                "fleet.group[0].gpu=\"h100\"",
                "fleet.group[0].cost_cents_per_hour=250",
                "fleet.group[1].share=0",
                "fleet.group[0].num_parallel=2",
                "fleet.group[1].num_parallel=2",
                "control.balancer=random",
            ]
        );
        assert_eq!(all[7].name, "rtx-4090, 4 slots, least-load");
        let as_it_is = Choices::default().candidates(&groups("default")).unwrap();
        assert_eq!(as_it_is, [Candidate { name: "as it is".into(), sets: vec![] }]);
        for wrong in ["=3", "h100=", "h100=free", "h100=0"] {
            assert!(
                Kind::parse(wrong).unwrap_err().starts_with(&format!("found {wrong:?}, expected GPU or"))
            );
        }
    }

    #[test]
    fn mixes_are_groups_like_the_first_and_come_in_rounds() {
        let kind = |text| Kind::parse(text).unwrap();
        let mut choices = Choices {
            kinds: vec![kind("rtx-4090=40"), kind("a100-80gb=110")],
            mixes: vec![Mix::parse("rtx-4090:2+a100-80gb:1").unwrap()],
            num_parallel: vec![2],
            ..Choices::default()
        };
        let all = choices.candidates(&groups("chat")).unwrap();
        assert_eq!((all.len(), all[2].name.as_str()), (3, "rtx-4090:2+a100-80gb:1, 2 slots"));
        let sets = [all[2].sets.clone(), vec!["fleet.hosts=5".into()]].concat();
        let file = load("chat", &Overrides { sets, ..Overrides::default() }).unwrap().file;
        let models = |group: &GroupFile| group.models.clone();
        assert_eq!(models(&file.fleet.group[1]), models(&groups("chat")[0]));
        let told: Vec<_> = file
            .fleet
            .group
            .iter()
            .map(|group| (group.gpu.as_str(), group.share, group.cost_cents_per_hour, group.num_parallel))
            .collect();
        assert_eq!(told, [("rtx-4090", 2, 40, Some(2)), ("a100-80gb", 1, 110, Some(2))]);
        choices.kinds.pop();
        let error = choices.candidates(&groups("chat")).unwrap_err().to_string();
        assert_eq!(
            error,
            "--mix rtx-4090:2+a100-80gb:1: found a100-80gb, expected GPUs that --gpu names (rtx-4090)"
        );
        for (wrong, expected) in [
            ("rtx-4090", "GPU:HOSTS+GPU:HOSTS, such as rtx-4090:3+a100-80gb:1"),
            ("a:0+b:1", "GPU:HOSTS+GPU:HOSTS, such as rtx-4090:3+a100-80gb:1"),
            ("a:1+a:2", "each GPU once, and a is there twice"),
            ("a:3", "two GPUs or more: fleets of one kind are what --gpu gives"),
        ] {
            assert_eq!(Mix::parse(wrong), Err(format!("found {wrong:?}, expected {expected}")));
        }
    }
}
