//! Colours that people with any colour vision tell apart, on a light ground and on a dark one; and which of them an arm has.

use control::strategy::Line;
use control::{balance, place, schedule};

/// Red, green, blue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

pub(crate) const PAPER: Colour = Colour(255, 255, 255);
pub(crate) const INK: Colour = Colour(34, 34, 34);
pub(crate) const SOFT_INK: Colour = Colour(90, 90, 90);
pub(crate) const GRID: Colour = Colour(226, 226, 226);
pub(crate) const FRAME: Colour = Colour(150, 150, 150);
pub(crate) const REST: Colour = Colour(170, 170, 170);

/// Okabe and Ito's palette (<https://jfly.uni-koeln.de/color/>) without black, the yellow darkened.
pub(crate) const SERIES: [Colour; 7] = [
    Colour(0, 114, 178),
    Colour(213, 94, 0),
    Colour(0, 158, 115),
    Colour(204, 121, 167),
    Colour(86, 180, 233),
    Colour(230, 159, 0),
    Colour(120, 94, 40),
];

/// The same colours on a dark ground, in their order, those lightened that would be lost there.
pub(crate) const SERIES_ON_DARK: [Colour; 7] = [
    Colour(64, 156, 255),
    Colour(240, 120, 50),
    Colour(40, 190, 145),
    Colour(224, 150, 190),
    Colour(130, 205, 250),
    Colour(240, 180, 40),
    Colour(190, 155, 95),
];

/// Dashes that lines are told apart by where there are more of them than colours: the first is a whole line.
pub const DASHES: usize = 4;

/// How something is drawn wherever it appears.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Look {
    /// Index of its colour: below 7, or 7 for the grey of what is only there to be compared with.
    pub colour: usize,
    /// Index of its dash, or of the form of its mark, below [`DASHES`].
    pub dash: usize,
}

impl Look {
    /// Grey: what others are compared with, and what is not told apart.
    pub const REST: Self = Self { colour: SERIES.len(), dash: 0 };

    /// The look of a place in a list: all colours, then all again with the next dash.
    #[must_use]
    pub const fn at(index: usize) -> Self {
        Self { colour: index % SERIES.len(), dash: index / SERIES.len() % DASHES }
    }
}

/// The look of a strategy, by its place in the list of its kind: the same in every plot, whatever else is drawn. An arm that
/// is named after several settings (`balancer=random hosts=4`) has that of the first strategy in its name. `None` where
/// there is none.
#[must_use]
pub fn of(name: &str) -> Option<Look> {
    fn place<Kind>(all: &[Line<Kind>], word: &str) -> Option<usize> {
        all.iter().position(|line| line.1.name == word)
    }
    let look = |word: &str| {
        let index = place(balance::ALL, word)
            .or_else(|| place(schedule::ALL, word))
            .or_else(|| place(place::ALL, word))?;
        Some(Look::at(index))
    };
    look(name).or_else(|| name.split([' ', '=', ',', '"']).find_map(look))
}

/// Looks of things that stand in one plot, by their names: those of strategies, places in the list for others. Two that would look the
/// same differ by the dash, as long as there are dashes.
#[must_use]
pub fn looks<S: AsRef<str>>(names: &[S]) -> Vec<Look> {
    let mut taken: Vec<Look> = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let wanted = of(name.as_ref()).unwrap_or(Look::at(index));
        let turned = (0..DASHES).map(|turn| Look { dash: (wanted.dash + turn) % DASHES, ..wanted });
        taken.push(turned.into_iter().find(|look| !taken.contains(look)).unwrap_or(wanted));
    }
    taken
}

/// Steps of [`heat`]: runs of equal cells are drawn as one.
pub(crate) const HEAT_STEPS: u32 = 25;

/// ColorBrewer's sequential Blues: light is 0, dark is `HEAT_STEPS`.
pub(crate) fn heat(step: u32) -> Colour {
    const STOPS: [[u32; 3]; 5] =
        [[247, 251, 255], [198, 219, 239], [107, 174, 214], [33, 113, 181], [8, 48, 107]];
    let scaled = step.min(HEAT_STEPS) * 4;
    let (stop, part) = ((scaled / HEAT_STEPS) as usize, scaled % HEAT_STEPS);
    let next = (stop + 1).min(4);
    let mix = |channel: usize| {
        ((STOPS[stop][channel] * (HEAT_STEPS - part) + STOPS[next][channel] * part) / HEAT_STEPS) as u8
    };
    Colour(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_looks_the_same_whatever_stands_beside_it() {
        let alone = looks(&["least-tokens"])[0];
        assert_eq!(of("least-tokens"), Some(alone));
        assert_eq!(looks(&["random", "hosts=4", "least-tokens"])[2], alone);
        assert_eq!(of("hosts=4 balancer=least-tokens"), Some(alone));
        assert_eq!(of("hosts=4"), None);
    }

    #[test]
    fn balancers_all_look_different() {
        let mut all: Vec<Look> = balance::ALL.iter().filter_map(|line| of(line.1.name)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), balance::ALL.len().min(SERIES.len() * DASHES));
    }

    #[test]
    fn arms_that_share_a_strategy_differ_by_their_dash() {
        let arms = looks(&["balancer=random scheduler=fifo", "balancer=random scheduler=priority", "other"]);
        assert_eq!(arms[0].colour, arms[1].colour);
        assert_ne!(arms[0].dash, arms[1].dash);
        assert_eq!(arms[2], Look::at(2));
    }
}
