//! A plot as a list of shapes in pixels, y downwards, later ones above earlier ones.

use super::font;
use super::palette::{Colour, INK, PAPER, SOFT_INK};

pub(super) const WIDTH: f64 = 1280.0;
pub(super) const HEIGHT: f64 = 720.0;
pub(super) const TEXT: f64 = 15.0;
pub(super) const SMALL: f64 = 13.0;

/// A point in pixels.
pub(super) type At = (f64, f64);

/// Which end of a text stands at its point; in height it is always the middle of the small letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Style {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) anchor: Anchor,
    /// Whether it runs upwards.
    pub(super) upwards: bool,
    pub(super) colour: Colour,
}

impl Style {
    pub(super) const fn new(size: f64, anchor: Anchor) -> Self {
        Self { size, bold: false, anchor, upwards: false, colour: INK }
    }
    pub(super) const fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }
    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
    pub(super) const fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Pen {
    pub(super) colour: Colour,
    pub(super) width: f64,
    pub(super) dashed: bool,
}

impl Pen {
    pub(super) const fn new(colour: Colour, width: f64) -> Self {
        Self { colour, width, dashed: false }
    }
    pub(super) const fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Shape {
    Rect { from: At, to: At, colour: Colour },
    Line { points: Vec<At>, pen: Pen },
    Text { at: At, text: String, style: Style },
}

/// A rectangle inside a figure.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }
    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// A plot, `WIDTH` × `HEIGHT`.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) shapes: Vec<Shape>,
}

/// An entry of a legend.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Key {
    pub(super) label: String,
    pub(super) pen: Pen,
    /// A filled box in place of a line.
    pub(super) filled: bool,
}

impl Figure {
    /// A figure with its title: what it shows, and below it under what.
    pub(super) fn new(what: &str, under: &str) -> Self {
        let mut figure = Self { title: format!("{what} – {under}"), shapes: Vec::new() };
        let fitted = |text: &str, size, bold| font::fit(text, size, bold, WIDTH - 60.0);
        figure.text((30.0, 32.0), &fitted(what, 20.0, true), Style::new(20.0, Anchor::Start).bold());
        let style = Style::new(TEXT, Anchor::Start).colour(SOFT_INK);
        figure.text((30.0, 60.0), &fitted(under, TEXT, false), style);
        figure
    }

    pub(super) fn text(&mut self, at: At, text: &str, style: Style) {
        self.shapes.push(Shape::Text { at, text: text.to_owned(), style });
    }

    pub(super) fn line(&mut self, points: Vec<At>, pen: Pen) {
        if pen.dashed {
            dashes(&points, 7.0, 5.0, |dash| self.shapes.push(Shape::Line { points: dash, pen }));
        } else {
            self.shapes.push(Shape::Line { points, pen });
        }
    }

    pub(super) fn rect(&mut self, from: At, to: At, colour: Colour) {
        self.shapes.push(Shape::Rect { from, to, colour });
    }

    pub(super) fn frame(&mut self, area: Area, colour: Colour) {
        let Area { left, top, right, bottom } = area;
        let points = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        self.line(points, Pen::new(colour, 1.0));
    }

    /// A sentence in the middle of a panel that has nothing to show.
    pub(super) fn empty(&mut self, area: Area, why: &str) {
        let at = (f64::midpoint(area.left, area.right), f64::midpoint(area.top, area.bottom));
        let half = font::width(why, TEXT, false) / 2.0 + 12.0;
        self.rect((at.0 - half, at.1 - 16.0), (at.0 + half, at.1 + 16.0), PAPER);
        self.text(at, why, Style::new(TEXT, Anchor::Middle).colour(SOFT_INK));
    }

    /// A legend in rows from (`left`, `top`), wrapped at `right`; returns the height of a row times the rows.
    pub(super) fn legend(&mut self, keys: &[Key], area: Area) -> f64 {
        const ROW: f64 = 24.0;
        let (mut x, mut y) = (area.left, area.top);
        for key in keys {
            let label = font::fit(&key.label, TEXT, false, area.width() - 40.0);
            let width = 34.0 + font::width(&label, TEXT, false);
            if x > area.left && x + width > area.right {
                (x, y) = (area.left, y + ROW);
            }
            if key.filled {
                self.rect((x, y - 7.0), (x + 22.0, y + 7.0), key.pen.colour);
            } else {
                self.line(vec![(x, y), (x + 26.0, y)], key.pen);
            }
            self.text((x + 32.0, y), &label, Style::new(TEXT, Anchor::Start));
            x += width + 26.0;
        }
        y + ROW - area.top
    }
}

/// Cuts a line into dashes.
fn dashes(points: &[At], on: f64, off: f64, mut dash: impl FnMut(Vec<At>)) {
    let (mut drawing, mut left, mut current) = (true, on, Vec::new());
    for pair in points.windows(2) {
        let ((mut x, mut y), (to_x, to_y)) = (pair[0], pair[1]);
        if drawing && current.is_empty() {
            current.push((x, y));
        }
        loop {
            let rest = libm::hypot(to_x - x, to_y - y);
            if rest <= left {
                left -= rest;
                if drawing {
                    current.push((to_x, to_y));
                }
                break;
            }
            let part = left / rest;
            (x, y) = (x + (to_x - x) * part, y + (to_y - y) * part);
            if drawing {
                current.push((x, y));
                dash(std::mem::take(&mut current));
            } else {
                current.push((x, y));
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
    }
    if current.len() > 1 {
        dash(current);
    }
}
