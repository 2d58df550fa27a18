//! Least squares of relative errors, errors as text, tables that do not fall.

use std::collections::BTreeMap;

/// Coefficients x that make Σ ((row · x − y) / y)² least. Each row is (factors, y), y positive.
pub(crate) fn least_squares(rows: &[(Vec<f64>, f64)]) -> Vec<f64> {
    let len = rows[0].0.len();
    let mut matrix = vec![vec![0.0; len + 1]; len];
    for (factors, y) in rows {
        for i in 0..len {
            for j in 0..len {
                matrix[i][j] += factors[i] * factors[j] / (y * y);
            }
            matrix[i][len] += factors[i] / y;
        }
    }
    eliminate(matrix)
}

/// Gauss-Jordan with the largest pivot.
fn eliminate(mut matrix: Vec<Vec<f64>>) -> Vec<f64> {
    let len = matrix.len();
    for column in 0..len {
        let mut pivot = column;
        for row in column + 1..len {
            if matrix[row][column].abs() > matrix[pivot][column].abs() {
                pivot = row;
            }
        }
        matrix.swap(column, pivot);
        assert!(matrix[column][column] != 0.0, "the measurements determine every coefficient");
        for row in 0..len {
            if row != column {
                let factor = matrix[row][column] / matrix[column][column];
                let pivot_row = matrix[column].clone();
                for (cell, above) in matrix[row].iter_mut().zip(&pivot_row).skip(column) {
                    *cell -= factor * above;
                }
            }
        }
    }
    (0..len).map(|row| matrix[row][len] / matrix[row][row]).collect()
}

/// The nearest values that do not fall: neighbours that fall are replaced by their mean.
pub(crate) fn rising(knots: &[(u32, f64)]) -> Vec<(u32, f64)> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for &(_, value) in knots {
        pools.push((value, 1));
        while pools.len() > 1 && pools[pools.len() - 2].0 > pools[pools.len() - 1].0 {
            let (high, len_high) = pools.pop().unwrap_or_default();
            let (low, len_low) = pools.pop().unwrap_or_default();
            let len = len_high + len_low;
            pools.push(((high * len_high as f64 + low * len_low as f64) / len as f64, len));
        }
    }
    let values = pools.iter().flat_map(|&(value, len)| std::iter::repeat_n(value, len));
    knots.iter().zip(values).map(|(&(at, _), value)| (at, value)).collect()
}

/// Relative errors of pairs (fitted, measured), as text: median, largest, number of rows.
pub(crate) fn errors(pairs: &[(f64, f64)]) -> String {
    let mut errors: Vec<f64> =
        pairs.iter().map(|(fitted, measured)| (fitted / measured - 1.0).abs()).collect();
    errors.sort_by(f64::total_cmp);
    let most = errors.last().copied().unwrap_or(0.0);
    format!(
        "median {:.1} %, largest {:.1} % of {} rows",
        percent(median(&errors)),
        percent(most),
        errors.len()
    )
}

fn percent(fraction: f64) -> f64 {
    fraction * 100.0
}

/// The median of sorted values; of two in the middle, their mean.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        len if len % 2 == 1 => sorted[len / 2],
        len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
    }
}

/// The median of values in any order.
pub(crate) fn median_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    median(&values)
}

/// The value at `at` on the straight line between the two entries around it; the nearest entry outside.
pub(crate) fn between(table: &BTreeMap<u32, f64>, at: u32) -> f64 {
    match (table.range(..=at).next_back(), table.range(at..).next()) {
        (Some((&low, &from)), Some((&high, &to))) if high > low => {
            from + (to - from) * f64::from(at - low) / f64::from(high - low)
        }
        (Some((_, &value)), _) | (None, Some((_, &value))) => value,
        (None, None) => panic!("an empty table"),
    }
}

/// The same with the entries at `knots` alone.
pub(crate) fn between_knots(table: &BTreeMap<u32, f64>, knots: &[u32], at: u32) -> f64 {
    let kept = table.iter().filter(|(key, _)| knots.contains(key)).map(|(&key, &value)| (key, value));
    between(&kept.collect(), at)
}
