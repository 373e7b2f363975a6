//! Compares the rows of a table with those of a baseline.

use std::collections::BTreeMap;

use crate::paired::paired;
use crate::table::{Row, Table};

/// Compares every row of a table with that of a method. False if the table has no row of it.
pub fn compare_with(table: &mut Table, baseline: &str) -> bool {
    let is_it = |row: &&Row| row.method == baseline && row.published.is_none();
    let rows = table.data_sets.iter().flat_map(|(_, rows)| rows);
    if !rows.chain(&table.average).any(|row| is_it(&row)) {
        return false;
    }
    table.baseline = Some(baseline.to_string());
    // Before they change: the average is compared by the rows of the data sets.
    let data_sets = table.data_sets.clone();
    let of = |set: &str| {
        let found = data_sets.iter().find(|(name, _)| name == set);
        found.map_or(&[][..], |(_, rows)| rows)
    };
    let columns = table.columns.len();
    let compare = |rows: &mut [Row], sets: &[&str]| {
        let base = rows.iter().find(is_it).cloned();
        for row in rows.iter_mut().filter(|row| row.published.is_none()) {
            let Some(base) = &base else { continue };
            if row.method == base.method {
                continue;
            }
            let has_both = |column: usize| {
                let has = |row: &Row| row.cells.get(column).is_some_and(Option::is_some);
                has(row) && has(base)
            };
            let against = (0..columns).map(|column| {
                let sets = sets.iter().map(|set| {
                    let find = |method: &str| of(set).iter().find(|row| row.method == method);
                    match (find(&row.method), find(&base.method)) {
                        (Some(row), Some(base)) => differences(row, base, column),
                        _ => Vec::new(),
                    }
                });
                let sets: Vec<Vec<f64>> = sets.collect();
                has_both(column).then(|| paired(&sets)).flatten()
            });
            row.against = against.collect();
        }
    };
    for (name, rows) in &mut table.data_sets {
        compare(rows, &[name.as_str()]);
    }
    let averaged: Vec<&str> = table.averaged.iter().map(String::as_str).collect();
    compare(&mut table.average, &averaged);
    true
}

/// The differences of the pairs of one data set.
fn differences(row: &Row, base: &Row, column: usize) -> Vec<f64> {
    let values = |row: &Row| -> BTreeMap<Option<u64>, f64> {
        let seeds = row.by_seed.iter();
        let value = seeds.filter_map(|(seed, values)| Some((*seed, (*values.get(column)?)?)));
        value.collect()
    };
    let (own, others) = (values(row), values(base));
    match (own.get(&None), others.get(&None)) {
        (Some(own), Some(other)) => vec![own - other],
        (Some(own), None) => others.values().map(|other| own - other).collect(),
        (None, Some(other)) => own.values().map(|own| own - other).collect(),
        (None, None) => {
            let both = own
                .iter()
                .filter_map(|(seed, own)| Some((own, others.get(seed)?)));
            both.map(|(own, other)| own - other).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_results::example;
    use crate::paired::{NoTest, PairedTest};
    use crate::tables::tables;

    fn p(test: PairedTest) -> f64 {
        test.p.unwrap_or_else(|none| panic!("{none:?}"))
    }

    #[test]
    fn rows_are_paired_by_data_set_and_seed_and_zero_shot_with_every_seed() {
        let mut table = tables(&example(), &[]).expect("a table").remove(0);
        assert!(!compare_with(&mut table, "coop"));
        assert_eq!(table.baseline, None);
        assert!(compare_with(&mut table, "zero-shot"));
        let find = |rows: &[Row], method: &str| {
            let found = rows.iter().find(|row| row.method == method);
            found.cloned().expect("a row")
        };
        let (_, dtd) = &table.data_sets[0];
        assert_eq!(find(dtd, "zero-shot").against, []);
        // DTD: base 60 and 70 against 60, novel 60 and 80 against 20.
        let row = find(dtd, "promptsrc");
        let against = |row: &Row, column: usize| row.against[column].expect("a comparison");
        assert_eq!(against(&row, 0).difference, 5.0);
        assert_eq!(against(&row, 1).difference, 50.0);
        assert_eq!(against(&row, 0).pairs.n, 2);
        assert_eq!(against(&row, 0).data_sets.p, Err(NoTest::OnePair));
        // Both data sets: base 0, 10, 30, 40; by data set 5 and 35.
        let row = find(&table.average, "promptsrc");
        let base = against(&row, 0);
        assert_eq!(
            (base.difference, base.pairs.n, base.data_sets.n),
            (20.0, 4, 2)
        );
        assert!(
            (p(base.pairs) - 0.11615752834753827).abs() < 1e-12,
            "{base:?}"
        );
        assert!(
            (p(base.data_sets) - 0.4096655293982669).abs() < 1e-12,
            "{base:?}"
        );

        // The other way round only the sign changes.
        let mut turned = tables(&example(), &[]).expect("a table").remove(0);
        assert!(compare_with(&mut turned, "promptsrc"));
        let row = find(&turned.average, "zero-shot");
        let other = against(&row, 0);
        assert_eq!(other.difference, -20.0);
        assert!((p(other.pairs) - p(base.pairs)).abs() < 1e-15);
    }
}
