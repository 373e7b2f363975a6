//! The best number of each column among rows, as tables show them.

use crate::table::Row;

/// For each row and column, whether its number is the best of the column: as shown, so that numbers
/// which look equal are equally good. Published rows compete where there are no others. Nothing is best
/// of one.
pub(super) fn best(rows: &[Row]) -> Vec<Vec<bool>> {
    let has_numbers = |row: &&Row| row.cells.iter().any(Option::is_some);
    let of_runs = rows
        .iter()
        .any(|row| row.published.is_none() && has_numbers(&row));
    let shown = |row: &Row, column: usize| -> Option<i64> {
        let competes = row.published.is_none() || !of_runs;
        let cell = row.cells.get(column).filter(|_| competes)?.as_ref()?;
        hundredths(cell.mean)
    };
    let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let most: Vec<Option<i64>> = (0..columns)
        .map(|column| {
            let values: Vec<i64> = rows.iter().filter_map(|row| shown(row, column)).collect();
            values.iter().max().copied().filter(|_| values.len() > 1)
        })
        .collect();
    let is_best = |row: &Row, column: usize, most: &Option<i64>| {
        let own = shown(row, column);
        own.is_some() && own == *most
    };
    rows.iter()
        .map(|row| {
            let columns = most.iter().enumerate();
            columns.map(|(i, most)| is_best(row, i, most)).collect()
        })
        .collect()
}

/// The number as shown, with two decimals, in hundredths.
fn hundredths(mean: f64) -> Option<i64> {
    format!("{mean:.2}").replace('.', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_results::example;
    use crate::published::add_published;
    use crate::table::Table;
    use crate::tables::tables;

    fn table() -> Table {
        tables(&example(), &[]).expect("a table").remove(0)
    }

    #[test]
    fn the_largest_is_best_and_equals_share() {
        // DTD: 60, 20, 30 and 65, 70, 67.41; b: 50, 50, 50 and 85, 50, 62.96.
        let table = table();
        let of = |i: usize| best(&table.data_sets[i].1);
        assert_eq!(of(0), [[false, false, false], [true, true, true]]);
        assert_eq!(of(1), [[false, true, false], [true, true, true]]);
        assert_eq!(best(&table.data_sets[0].1[..1]), [[false; 3]]);
    }

    #[test]
    fn what_looks_equal_is_equally_good() {
        let mut rows = table().data_sets.remove(1).1;
        let mut set = |row: usize, mean| {
            if let Some(cell) = &mut rows[row].cells[0] {
                cell.mean = mean;
            }
            best(&rows)[row][0]
        };
        set(0, 84.996);
        assert!(set(1, 85.001) && set(0, 84.9951));
        assert!(!set(0, 84.994));
        rows[1].cells[0] = None;
        assert!(!best(&rows)[0][0] && !best(&rows)[1][0]);
    }

    #[test]
    fn published_rows_compete_only_where_they_are_alone() {
        let mut table = table();
        add_published(&mut table);
        let rows = &mut table.data_sets[0].1;
        let own = rows.iter().filter(|row| row.published.is_none()).count();
        let found = best(rows);
        assert!(found[own..].iter().flatten().all(|best| !best), "{found:?}");
        assert!(found[..own].iter().flatten().any(|best| *best));
        // Of DTD the best published novel accuracy is PromptSRC's.
        rows.retain(|row| row.published.is_some());
        let found = best(rows);
        let names = rows.iter().zip(&found).filter(|(_, best)| best[1]);
        let names: Vec<&str> = names.map(|(row, _)| row.method.as_str()).collect();
        assert_eq!(names, ["PromptSRC"]);
    }
}
