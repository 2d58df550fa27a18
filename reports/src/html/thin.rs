//! Fewer points and fewer digits, so that a page stays small and shows the same.

use serde_json::Value;

/// Indices of at most `most` (4 at least) of the points, in order: all where there are no more, else first, last, lowest and highest of
/// equally many neighbours, so that no peak is lost. The first and the last point are always among them.
pub(super) fn thinned(points: &[(f64, f64)], most: usize) -> Vec<usize> {
    if points.len() <= most {
        return (0..points.len()).collect();
    }
    let each = points.len().div_ceil((most / 4).max(1));
    let mut kept = Vec::with_capacity(most);
    for from in (0..points.len()).step_by(each) {
        let to = (from + each).min(points.len());
        let by_height = |a: &usize, b: &usize| points[*a].1.total_cmp(&points[*b].1);
        let (lowest, highest) = ((from..to).min_by(by_height), (from..to).max_by(by_height));
        let mut four = [Some(from), lowest, highest, Some(to - 1)];
        four.sort_unstable();
        kept.extend(four.into_iter().flatten());
    }
    kept.dedup();
    kept
}

/// A number with so many digits that count; whole ones without a point. `null` where it is none.
pub(super) fn number(value: f64, digits: usize) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    let rounded: f64 = format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value);
    if rounded.fract() == 0.0 && rounded.abs() < 9e15 {
        Value::from(rounded as i64)
    } else {
        Value::from(rounded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ends_and_extremes_are_kept_in_order(
            heights in prop::collection::vec(-1e6_f64..1e6, 1..3_000),
            most in 4_usize..500,
        ) {
            let points: Vec<(f64, f64)> = (0_u32..).map(f64::from).zip(heights).collect();
            let kept = thinned(&points, most);
            prop_assert!(kept.len() <= most);
            prop_assert!(kept.is_sorted_by(|a, b| a < b));
            prop_assert_eq!((kept[0], kept[kept.len() - 1]), (0, points.len() - 1));
            let all = || points.iter().map(|point| point.1);
            let left = || kept.iter().map(|index| points[*index].1);
            prop_assert_eq!(left().fold(f64::MAX, f64::min), all().fold(f64::MAX, f64::min));
            prop_assert_eq!(left().fold(f64::MIN, f64::max), all().fold(f64::MIN, f64::max));
        }
    }

    #[test]
    fn few_points_all_stay() {
        assert_eq!(thinned(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)], 4), [0, 1, 2]);
        assert!(thinned(&[], 4).is_empty());
    }

    #[test]
    fn digits_that_do_not_count_go() {
        let text = |value| number(value, 4).to_string();
        assert_eq!(
            [1.0, 12_345.678, 0.001_234_56, -2.5, 0.0].map(text),
            ["1", "12350", "0.001235", "-2.5", "0"]
        );
        assert_eq!([f64::NAN, f64::INFINITY].map(text), ["null", "null"]);
    }
}
