//! A list of shapes as SVG and as PNG, through plotters' backends. Both draw on a grid of a quarter of a pixel; the bitmap
//! is then averaged over 4 × 4, which smooths what the backend draws hard.

use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontFamily, FontStyle, FontTransform, RGBAColor, ShapeStyle, TextStyle};

use super::figure::{Anchor, At, Figure, HEIGHT, Pen, Shape, Style, WIDTH};
use super::font;
use super::palette::{Colour, PAPER};

/// Grid units in a pixel.
const UNITS: u32 = 4;
/// What plotters' SVG backend divides font sizes by.
const PLOTTERS_TEXT: f64 = 1.24;
/// Half of DejaVu's height of small letters, in font sizes: how far the base line is below the middle.
const HALF_SMALL_LETTER: f64 = 0.2735;

const fn paint(colour: Colour) -> RGBAColor {
    RGBAColor(colour.0, colour.1, colour.2, 1.0)
}

fn units(value: f64) -> i32 {
    (value * f64::from(UNITS)).round() as i32
}

fn grid(at: At) -> (i32, i32) {
    (units(at.0), units(at.1))
}

const fn size() -> (u32, u32) {
    (WIDTH as u32 * UNITS, HEIGHT as u32 * UNITS)
}

/// The figure as an SVG document.
pub(super) fn svg(figure: &Figure) -> String {
    let mut text = String::new();
    let (width, height) = size();
    {
        let mut backend = SVGBackend::with_string(&mut text, (width, height));
        fill(&mut backend, (0.0, 0.0), (WIDTH, HEIGHT), PAPER);
        for shape in &figure.shapes {
            match shape {
                Shape::Line { points, pen } => {
                    let path = points.iter().copied().map(grid);
                    expect_drawn(backend.draw_path(path, &stroke(*pen)));
                }
                Shape::Text { at, text, style } => svg_text(&mut backend, *at, text, *style),
                Shape::Rect { from, to, colour } => fill(&mut backend, *from, *to, *colour),
            }
        }
        expect_drawn(backend.present());
    }
    let body = text.split_once('\n').map_or("", |(_, body)| body);
    let title = figure.title.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<svg width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {width} {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\" role=\"img\">\n<title>{title}</title>\n{body}"
    )
}

/// The figure as a PNG file.
pub(super) fn png(figure: &Figure) -> Vec<u8> {
    let (width, height) = size();
    let mut pixels = vec![255_u8; (width * height * 3) as usize];
    {
        let mut backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
        for shape in &figure.shapes {
            match shape {
                Shape::Line { points, pen } => bitmap_line(&mut backend, points, *pen),
                Shape::Text { .. } => {}
                Shape::Rect { from, to, colour } => fill(&mut backend, *from, *to, *colour),
            }
        }
        expect_drawn(backend.present());
    }
    for shape in &figure.shapes {
        if let Shape::Text { at, text, style } = shape {
            bitmap_text(&mut pixels, *at, text, *style);
        }
    }
    encode(&average(&pixels))
}

fn expect_drawn<E>(drawn: Result<(), E>) {
    assert!(drawn.is_ok(), "drawing into memory has nothing to fail on");
}

fn stroke(pen: Pen) -> ShapeStyle {
    let stroke_width = units(pen.width).max(1).unsigned_abs();
    ShapeStyle { color: paint(pen.colour), filled: false, stroke_width }
}

fn fill<B: DrawingBackend>(backend: &mut B, from: At, to: At, colour: Colour) {
    let ((left, top), (right, bottom)) = (grid(from), grid(to));
    if right > left && bottom > top {
        polygon(backend, &[from, (to.0, from.1), to, (from.0, to.1)], colour);
    }
}

fn polygon<B: DrawingBackend>(backend: &mut B, points: &[At], colour: Colour) {
    let path = points.iter().copied().map(grid);
    expect_drawn(backend.fill_polygon(path, &paint(colour)));
}

fn svg_text(backend: &mut SVGBackend<'_>, at: At, text: &str, style: Style) {
    let h_pos = match style.anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let size = style.size * f64::from(UNITS) * PLOTTERS_TEXT;
    let weight = if style.bold { FontStyle::Bold } else { FontStyle::Normal };
    let transform = if style.upwards { FontTransform::Rotate270 } else { FontTransform::None };
    let ink = paint(style.colour);
    let font = (FontFamily::Name(font::FAMILY), size, weight);
    let style = TextStyle::from(font).transform(transform).color(&ink).pos(Pos::new(h_pos, VPos::Center));
    expect_drawn(backend.draw_text(text, &style, grid(at)));
}

/// Each piece as a rectangle of its own with a round joint: plotters' own thick lines have spikes at sharp turns.
fn bitmap_line<B: DrawingBackend>(backend: &mut B, points: &[At], pen: Pen) {
    let half = pen.width / 2.0;
    for pair in points.windows(2) {
        let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
        let length = libm::hypot(to_x - x, to_y - y);
        if length > 0.0 {
            let (dx, dy) = ((to_y - y) / length * half, (x - to_x) / length * half);
            let quad = [(x + dx, y + dy), (to_x + dx, to_y + dy), (to_x - dx, to_y - dy), (x - dx, y - dy)];
            polygon(backend, &quad, pen.colour);
        }
    }
    if half >= 0.75 {
        let inner = points.len().saturating_sub(2);
        for at in points.iter().skip(1).take(inner) {
            let radius = units(half).unsigned_abs();
            expect_drawn(backend.draw_circle(grid(*at), radius, &paint(pen.colour), true));
        }
    }
}

fn bitmap_text(pixels: &mut [u8], at: At, text: &str, style: Style) {
    let (width, height) = size();
    let size = style.size * f64::from(UNITS);
    let length = font::width(text, size, style.bold);
    let back = match style.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => length / 2.0,
        Anchor::End => length,
    };
    let (x, y) = grid(at);
    let (along, across) = (-(back.round() as i32), (size * HALF_SMALL_LETTER).round() as i32);
    font::draw(text, size, style.bold, |dx, dy, coverage| {
        let (dx, dy) = (along + dx, across + dy);
        let (px, py) = if style.upwards { (x + dy, y - dx) } else { (x + dx, y + dy) };
        if (0..width as i32).contains(&px) && (0..height as i32).contains(&py) {
            let from = ((py as u32 * width + px as u32) * 3) as usize;
            for (pixel, ink) in
                pixels[from..from + 3].iter_mut().zip([style.colour.0, style.colour.1, style.colour.2])
            {
                let mixed =
                    f32::from(*pixel) + (f32::from(ink) - f32::from(*pixel)) * coverage.clamp(0.0, 1.0);
                *pixel = mixed.round() as u8;
            }
        }
    });
}

fn average(pixels: &[u8]) -> Vec<u8> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let units = UNITS as usize;
    let mut small = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = 0_u32;
                for row in y * units..(y + 1) * units {
                    let from = (row * width * units + x * units) * 3 + channel;
                    sum += pixels[from..]
                        .iter()
                        .step_by(3)
                        .take(units)
                        .map(|value| u32::from(*value))
                        .sum::<u32>();
                }
                small.push((sum / (UNITS * UNITS)) as u8);
            }
        }
    }
    small
}

fn encode(pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels)?;
        writer.finish()
    });
    written.expect("writing to memory has nothing to fail on");
    bytes
}
