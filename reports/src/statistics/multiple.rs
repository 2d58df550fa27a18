//! Many comparisons at once: the more are made, the more look like something by chance alone.

/// Holm's step-down correction (Scandinavian Journal of Statistics 6 (1979) 65): at a level of these p-values the chance that any of the true
/// nulls is rejected stays below that level, however they depend on each other.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, index) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        least = least.max((p_values[*index] * left).min(1.0));
        adjusted[*index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_example_by_hand() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(adjusted.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{adjusted:?}");
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }

    proptest! {
        #[test]
        fn it_keeps_the_order_and_never_makes_anything_more_certain(p_values in prop::collection::vec(0.0..=1.0, 0..20)) {
            let adjusted = holm(&p_values);
            for (at, (p, adjusted_p)) in p_values.iter().zip(&adjusted).enumerate() {
                prop_assert!(adjusted_p >= p && *adjusted_p <= 1.0);
                for (other_p, other) in p_values.iter().zip(&adjusted).skip(at + 1) {
                    prop_assert!(p.total_cmp(other_p) == std::cmp::Ordering::Equal || (p < other_p) == (adjusted_p < other) || adjusted_p == other);
                }
            }
        }
    }
}
