//! What fleets are made of, but for how many hosts they have.

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
    /// Numbers of slots that all hosts may have (`OLLAMA_NUM_PARALLEL`); as in the scenario where there are none.
    pub num_parallel: Vec<u32>,
    /// Other keys with their values.
    pub vary: Vec<Vary>,
}

impl Choices {
    /// All combinations, for a scenario with so many groups of hosts.
    #[must_use]
    pub fn candidates(&self, groups: usize) -> Vec<Candidate> {
        let kinds: Vec<(String, Vec<String>)> = match self.kinds.is_empty() {
            true => vec![(String::new(), Vec::new())],
            false => self.kinds.iter().map(|kind| (kind.gpu.clone(), of_kind(kind, groups))).collect(),
        };
        let slots: Vec<(String, Vec<String>)> = match self.num_parallel.is_empty() {
            true => vec![(String::new(), Vec::new())],
            false => self.num_parallel.iter().map(|slots| of_slots(*slots, groups)).collect(),
        };
        let arms = match self.vary.is_empty() {
            true => vec![(String::new(), Vec::new())],
            false => product(&self.vary).into_iter().map(|arm| (arm.name.clone(), arm.sets())).collect(),
        };
        let mut all = Vec::new();
        for kind in &kinds {
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
        all
    }
}

fn of_kind(kind: &Kind, groups: usize) -> Vec<String> {
    let mut sets = vec![format!("fleet.group[0].gpu={}", crate::scenario::quoted(&kind.gpu))];
    if let Some(cents) = kind.cents_per_hour {
        sets.push(format!("fleet.group[0].cost_cents_per_hour={cents}"));
    }
    sets.extend((1..groups).map(|group| format!("fleet.group[{group}].share=0")));
    sets
}

fn of_slots(slots: u32, groups: usize) -> (String, Vec<String>) {
    let sets = (0..groups).map(|group| format!("fleet.group[{group}].num_parallel={slots}"));
    (format!("{slots} slots"), sets.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_all_combinations_with_what_they_lay_over() {
        let choices = Choices {
            kinds: vec![Kind::parse("h100=250").unwrap(), Kind::parse("rtx-4090").unwrap()],
            num_parallel: vec![2, 4],
            vary: vec![Vary::parse("control.balancer=random,least-load").unwrap()],
        };
        let all = choices.candidates(2);
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
        assert_eq!(Choices::default().candidates(3), [Candidate { name: "as it is".into(), sets: vec![] }]);
        for wrong in ["=3", "h100=", "h100=free", "h100=0"] {
            assert!(
                Kind::parse(wrong).unwrap_err().starts_with(&format!("found {wrong:?}, expected GPU or"))
            );
        }
    }
}
