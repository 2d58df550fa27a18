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
pub(crate) const REST: Colour = Colour(128, 128, 128);

/// The hues of Okabe and Ito's palette (<https://jfly.uni-koeln.de/color/>) without black, brown in place of yellow, each as light or dark as it
/// takes to stand out from white (3:1 at least, WCAG 2.2, 1.4.11) and from all others for any colour vision. As they are, their sky blue has 2.3:1
/// and their orange 2.2:1, and to people without red cones their vermilion and the brown look much the same. The comment is the contrast on white.
pub(crate) const SERIES: [Colour; 7] = [
    Colour(0, 78, 155),    // blue 8.2
    Colour(194, 78, 0),    // vermilion 4.8
    Colour(7, 130, 94),    // green 4.8
    Colour(169, 111, 157), // purple 3.9
    Colour(53, 146, 223),  // sky 3.3
    Colour(209, 127, 9),   // orange 3.1
    Colour(104, 68, 15),   // brown 8.7
];

/// The same hues on a dark ground, in their order; the comment is the contrast on the dark card of a page.
pub(crate) const SERIES_ON_DARK: [Colour; 7] = [
    Colour(57, 137, 240),  // blue 4.6
    Colour(224, 96, 0),    // vermilion 4.5
    Colour(63, 202, 176),  // green 8.0
    Colour(192, 108, 165), // purple 4.6
    Colour(151, 225, 255), // sky 11.2
    Colour(255, 207, 70),  // orange 11.0
    Colour(195, 173, 93),  // brown 7.3
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

/// Relative luminance and contrast as in WCAG 2.2 (<https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>).
#[cfg(test)]
pub(crate) fn contrast(a: Colour, b: Colour) -> f64 {
    let luminance = |colour| {
        let [red, green, blue] = tests::linear(colour);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares of light, from sRGB.
    pub(super) fn linear(Colour(red, green, blue): Colour) -> [f64; 3] {
        [red, green, blue].map(|value| {
            let share = f64::from(value) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { libm::pow((share + 0.055) / 1.055, 2.4) }
        })
    }

    fn times(matrix: [[f64; 3]; 3], [a, b, c]: [f64; 3]) -> [f64; 3] {
        matrix.map(|[x, y, z]| x * a + y * b + z * c)
    }

    /// Where a colour lies in Oklab (<https://bottosson.github.io/posts/oklab/>): distances there are as people see them.
    fn seen(light: [f64; 3]) -> [f64; 3] {
        let cones = times(
            [
                [0.412_221, 0.536_333, 0.051_446],
                [0.211_903, 0.680_700, 0.107_397],
                [0.088_302, 0.281_719, 0.629_979],
            ],
            light,
        );
        times(
            [
                [0.210_454, 0.793_618, -0.004_072],
                [1.977_998, -2.428_592, 0.450_594],
                [0.025_904, 0.782_772, -0.808_676],
            ],
            cones.map(libm::cbrt),
        )
    }

    /// Colours as people see them who lack the cones for red, green or blue (Machado, Oliveira and Fernandes, IEEE TVCG 2009, severity 1).
    const VISIONS: [(&str, [[f64; 3]; 3]); 4] = [
        ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "no red",
            [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
        ),
        (
            "no green",
            [
                [0.367_322, 0.860_646, -0.227_968],
                [0.280_085, 0.672_501, 0.047_413],
                [-0.011_820, 0.042_940, 0.968_881],
            ],
        ),
        (
            "no blue",
            [
                [1.255_528, -0.076_749, -0.178_779],
                [-0.078_411, 0.930_809, 0.147_602],
                [0.004_733, 0.691_367, 0.303_900],
            ],
        ),
    ];

    #[test]
    fn colours_stand_out_from_paper() {
        for (index, colour) in SERIES.iter().chain([&REST]).enumerate() {
            let contrast = contrast(*colour, PAPER);
            println!("colour {index}: {contrast:.2}");
            assert!(contrast >= 3.0, "colour {index}: {contrast:.2}");
        }
    }

    /// A tenth of the way from black to white, or nearly so, is between any two (Okabe and Ito's own seven: 0.074).
    #[test]
    fn colours_differ_for_any_colour_vision() {
        for (ground, colours) in [("light", SERIES), ("dark", SERIES_ON_DARK)] {
            for (vision, matrix) in VISIONS {
                let all = colours
                    .map(|colour| seen(times(matrix, linear(colour)).map(|light| light.clamp(0.0, 1.0))));
                for (first, one) in all.iter().enumerate() {
                    for (second, other) in all.iter().enumerate().skip(first + 1) {
                        let square: f64 = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
                        let apart = libm::sqrt(square);
                        assert!(apart >= 0.095, "{ground}, {vision}: {first} and {second}: {apart:.3}");
                    }
                }
            }
        }
    }

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
