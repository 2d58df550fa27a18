//! The font: widths for the layout, glyphs for the bitmap.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

/// What an SVG asks for; Verdana descends from the same design and is as wide.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, Geneva, sans-serif";

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../fonts/DejaVuSans.ttf"))
        .expect("the font in the tree is whole")
});
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../fonts/DejaVuSans-Bold.ttf"))
        .expect("the font in the tree is whole")
});

fn face(bold: bool) -> &'static FontRef<'static> {
    if bold { &BOLD } else { &REGULAR }
}

/// ab_glyph scales by the height of a line, we by the size of the font.
fn scale(font: &FontRef<'_>, size: f64) -> PxScale {
    let em = font.units_per_em().unwrap_or(2048.0);
    PxScale::from(size as f32 * font.height_unscaled() / em)
}

/// The width of `text` in the unit of `size`.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let font = face(bold);
    let scaled = font.as_scaled(scale(font, size));
    text.chars().map(|c| f64::from(scaled.h_advance(scaled.glyph_id(c)))).sum()
}

/// `text`, cut with an ellipsis where it is wider than `width_max`.
pub(super) fn fit(text: &str, size: f64, bold: bool, width_max: f64) -> String {
    if width(text, size, bold) <= width_max {
        return text.to_owned();
    }
    let mut cut = text.to_owned();
    while cut.pop().is_some() {
        let shorter = format!("{}…", cut.trim_end());
        if width(&shorter, size, bold) <= width_max {
            return shorter;
        }
    }
    String::new()
}

/// Calls `dot(x, y, coverage)` for each pixel that the text covers, from its start on the base line, y downwards.
pub(super) fn draw(text: &str, size: f64, bold: bool, mut dot: impl FnMut(i32, i32, f32)) {
    let font = face(bold);
    let scale = scale(font, size);
    let scaled = font.as_scaled(scale);
    let mut x = 0.0;
    for c in text.chars() {
        let id = scaled.glyph_id(c);
        if let Some(outline) = font.outline_glyph(id.with_scale_and_position(scale, point(x, 0.0))) {
            let (left, top) = (outline.px_bounds().min.x as i32, outline.px_bounds().min.y as i32);
            outline.draw(|dx, dy, coverage| dot(left + dx as i32, top + dy as i32, coverage));
        }
        x += scaled.h_advance(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_text_is_never_wider_than_allowed() {
        let text = "a-model-with-a-rather-long-name:70b-instruct-q4_K_M";
        for width_max in [0.0, 5.0, 40.0, 120.0, 4_000.0] {
            assert!(width(&fit(text, 15.0, false, width_max), 15.0, false) <= width_max);
        }
        assert_eq!(fit(text, 15.0, false, 4_000.0), text);
        assert!(fit(text, 15.0, false, 120.0).ends_with('…'));
    }
}
