//! Colours that people with any colour vision tell apart, on a light ground.

/// Red, green, blue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Colour(pub(super) u8, pub(super) u8, pub(super) u8);

pub(super) const PAPER: Colour = Colour(255, 255, 255);
pub(super) const INK: Colour = Colour(34, 34, 34);
pub(super) const SOFT_INK: Colour = Colour(90, 90, 90);
pub(super) const GRID: Colour = Colour(226, 226, 226);
pub(super) const FRAME: Colour = Colour(150, 150, 150);
pub(super) const REST: Colour = Colour(170, 170, 170);

/// Okabe and Ito's palette (<https://jfly.uni-koeln.de/color/>) without black, the yellow darkened.
pub(super) const SERIES: [Colour; 7] = [
    Colour(0, 114, 178),
    Colour(213, 94, 0),
    Colour(0, 158, 115),
    Colour(204, 121, 167),
    Colour(86, 180, 233),
    Colour(230, 159, 0),
    Colour(120, 94, 40),
];

/// Steps of [`heat`]: runs of equal cells are drawn as one.
pub(super) const HEAT_STEPS: u32 = 25;

/// ColorBrewer's sequential Blues: light is 0, dark is `HEAT_STEPS`.
pub(super) fn heat(step: u32) -> Colour {
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
