//! Which of several choices are worth a thought where two things count: those that no other beats in both.

/// Whether each is on the front; both coordinates are better the less they are. Points that are not finite are not.
#[must_use]
pub fn front(points: &[(f64, f64)]) -> Vec<bool> {
    let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let beats = |a: &(f64, f64), b: &(f64, f64)| a.0 <= b.0 && a.1 <= b.1 && a != b;
    let on_front = |point: &(f64, f64)| {
        finite(point) && !points.iter().any(|other| finite(other) && beats(other, point))
    };
    points.iter().map(on_front).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_no_other_beats_in_both() {
        let points = [(1.0, 9.0), (2.0, 4.0), (3.0, 4.0), (9.0, 1.0), (2.0, 4.0), (0.5, f64::INFINITY)];
        assert_eq!(front(&points), [true, true, false, true, true, false]);
        assert_eq!(front(&[]), Vec::<bool>::new());
    }
}
