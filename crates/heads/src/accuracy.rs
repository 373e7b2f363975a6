//! How many rows have their largest logit at their label.

/// The position of the first largest value.
pub(crate) fn first_largest(row: &[f32]) -> usize {
    let mut at = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[at] {
            at = i;
        }
    }
    at
}

/// Number of rows of `logits [rows, classes]` whose first largest value is at their label.
pub fn right_rows(logits: &[f32], labels: &[usize], classes: usize) -> usize {
    logits
        .chunks_exact(classes)
        .zip(labels)
        .filter(|(row, label)| first_largest(row) == **label)
        .count()
}

/// Percentage of right rows.
pub(crate) fn percent(right: usize, rows: usize) -> f64 {
    100.0 * right as f64 / rows as f64
}
