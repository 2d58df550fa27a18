//! Colours of a page, light and dark. Print is always light.

use std::fmt::Write as _;

use crate::plots::palette::{Colour, SERIES, SERIES_ON_DARK};

/// Ground, cards on it, ink, soft ink, edges, what can be pressed, good, bad, what is neither, cells of a map.
type Inks = [(&'static str, Colour); 10];

const LIGHT: Inks = [
    ("ground", Colour(246, 247, 249)),
    ("card", Colour(255, 255, 255)),
    ("ink", Colour(26, 32, 39)),
    ("quiet", Colour(86, 98, 112)),
    ("edge", Colour(213, 219, 226)),
    ("main", Colour(0, 90, 148)),
    ("good", Colour(0, 105, 79)),
    ("bad", Colour(173, 31, 0)),
    ("rest", Colour(125, 134, 145)),
    ("heat", Colour(8, 66, 130)),
];

const DARK: Inks = [
    ("ground", Colour(17, 22, 28)),
    ("card", Colour(26, 33, 41)),
    ("ink", Colour(232, 237, 242)),
    ("quiet", Colour(159, 171, 184)),
    ("edge", Colour(49, 60, 72)),
    ("main", Colour(86, 180, 233)),
    ("good", Colour(79, 209, 165)),
    ("bad", Colour(255, 143, 115)),
    ("rest", Colour(130, 142, 155)),
    ("heat", Colour(120, 200, 255)),
];

/// The custom properties that the style sheet goes by: `--ground` and so on, and `--line-0` to `--line-7`, the last of which is the grey of the rest.
pub(super) fn css() -> String {
    let (light, dark) = (properties(&LIGHT, &SERIES), properties(&DARK, &SERIES_ON_DARK));
    format!(
        ":root {{ color-scheme: light dark; {light}}}\n\
         @media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark}}} }}\n\
         @media screen {{ :root[data-theme=dark] {{ color-scheme: dark; {dark}}} :root[data-theme=light] {{ color-scheme: light; }} }}\n"
    )
}

fn properties(inks: &Inks, lines: &[Colour; 7]) -> String {
    let mut css = String::new();
    let numbered = lines.iter().enumerate().map(|(index, colour)| (format!("line-{index}"), *colour));
    let inks = inks.iter().map(|(name, colour)| ((*name).to_owned(), *colour));
    for (name, Colour(red, green, blue)) in inks.chain(numbered) {
        let _ = write!(css, "--{name}: #{red:02x}{green:02x}{blue:02x}; ");
    }
    css + &format!("--line-{}: var(--rest); ", lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::palette::contrast;

    fn ink(inks: &Inks, name: &str) -> Colour {
        inks.iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn text_stands_out_from_every_ground() {
        for inks in [&LIGHT, &DARK] {
            for text in ["ink", "quiet", "main", "good", "bad"] {
                for ground in ["ground", "card"] {
                    let contrast = contrast(ink(inks, text), ink(inks, ground));
                    assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
                }
            }
        }
    }

    #[test]
    fn lines_stand_out_from_their_card_in_both_themes() {
        for (inks, lines, least) in [(&LIGHT, SERIES, 3.0), (&DARK, SERIES_ON_DARK, 4.5)] {
            for (index, colour) in lines.iter().enumerate() {
                let contrast = contrast(*colour, ink(inks, "card"));
                println!("line {index}: {contrast:.2}");
                assert!(contrast >= least, "line {index}: {contrast:.2}");
            }
        }
        for inks in [&LIGHT, &DARK] {
            assert!(contrast(ink(inks, "rest"), ink(inks, "card")) >= 3.0);
        }
    }
}
