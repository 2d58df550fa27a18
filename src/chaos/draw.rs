//! A random scenario, keyed by a seed and a number: a small fleet, what arrives there, who decides, and what breaks.
//!
//! It is drawn as the text of a scenario file, so that whatever fails can be written down, changed and run again. Each section has
//! draws of its own: a change of one shifts no other. Time-outs are short, so that the bounds on recovery mean something, and faults
//! end before the last requests arrive, so that there is something to recover.

mod control;
mod fleet;
mod workload;

use ::control::draw::{Component, Draw};
use sim::faults::FaultKind;

/// Events of a run for each request, on average.
const EVENTS_PER_REQUEST: u64 = 9;

/// What runs are drawn from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// Keys everything.
    pub seed: u64,
    /// Kinds of faults that may come; all where empty.
    pub kinds: Vec<FaultKind>,
    /// Events that runs have on average, at least.
    pub events_min: u64,
}

/// Sections of a scenario, each with draws of its own.
#[derive(Clone, Copy)]
enum Section {
    Run,
    Fleet,
    Workload,
    Control,
    Supply,
    Faults,
    Scale,
    Sync,
}

/// Chance, for one section of one scenario.
struct Dice(Draw);

impl Dice {
    fn new(range: &Range, run: u64, section: Section) -> Self {
        Self(Draw::new(range.seed, Component::Scenario, run, section as u64))
    }

    fn within(&mut self, least: u32, most: u32) -> u32 {
        least + self.0.below(most - least + 1)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.below(of.len() as u32) as usize]
    }

    /// So often, in percent.
    fn often(&mut self, percent: u32) -> bool {
        self.0.below(100) < percent
    }

    /// So many of them, in a random order.
    fn some<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut all = of.to_vec();
        for at in 0..count {
            let other = at + self.0.below((all.len() - at) as u32) as usize;
            all.swap(at, other);
        }
        all.truncate(count);
        all
    }
}

/// The text of a scenario file.
#[must_use]
pub fn scenario(range: &Range, run: u64) -> String {
    let mut dice = Dice::new(range, run, Section::Run);
    let seed = dice.0.bits() >> 1;
    // Sums over runs are steady where no run is much longer than others.
    let requests = range.events_min * u64::from(dice.within(80, 150)) / 100 / EVENTS_PER_REQUEST;
    let requests = requests.max(1);
    let supplied = dice.often(75);
    let mut scale = Dice::new(range, run, Section::Scale);
    let scaled = scale.often(30);
    let fleet = fleet::Drawn::new(&mut Dice::new(range, run, Section::Fleet), supplied, scaled);
    let work = workload::Drawn::new(&mut Dice::new(range, run, Section::Workload), &fleet, requests);
    let mut text = format!("name = \"chaos-{}-{run}\"\nseed = {seed}\n", range.seed);
    let mut section = |text_of: &str| {
        text.push('\n');
        text.push_str(text_of);
    };
    section(&control::text(&mut Dice::new(range, run, Section::Control), &fleet, supplied));
    if scaled {
        section(&control::scale(&mut scale));
    }
    section(&work.text);
    section(&fleet.text);
    let supply = fleet::supply(&mut Dice::new(range, run, Section::Supply), &fleet, &work, supplied);
    if let Some(peers) = supply.peers {
        section(&control::sync(&mut Dice::new(range, run, Section::Sync), peers));
    }
    section(&supply.text);
    section(&faults(&mut Dice::new(range, run, Section::Faults), range, &work));
    text
}

/// What breaks: in the first two thirds of the time in which requests arrive.
fn faults(dice: &mut Dice, range: &Range, work: &workload::Drawn) -> String {
    let names: Vec<String> = range.kinds.iter().map(|kind| format!("\"{}\"", kind.name())).collect();
    let until = (work.span_seconds * 2 / 3).max(2);
    format!(
        "[faults.drawn]\nkinds = [{}]\nswarm = true\nevery_seconds = {}\nfor_seconds = {}\nfrom_seconds = {}\nuntil_seconds = {until}\n",
        names.join(", "),
        dice.within(6, 32),
        dice.within(3, 20),
        (work.span_seconds / 20).min(until - 1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn range() -> Range {
        Range { seed: 1, kinds: Vec::new(), events_min: 20_000 }
    }

    #[test]
    fn every_drawn_scenario_can_be_run() {
        for run in 0..300 {
            let text = scenario(&range(), run);
            if let Err(error) = scenario::parse("drawn", &text) {
                panic!("run {run}: {error}\n{text}");
            }
        }
    }

    #[test]
    fn a_scenario_depends_on_its_number_and_not_on_those_before() {
        assert_eq!(scenario(&range(), 7), scenario(&range(), 7));
        assert_ne!(scenario(&range(), 7), scenario(&range(), 8));
        assert_ne!(scenario(&range(), 7), scenario(&Range { seed: 2, ..range() }, 7));
    }
}
