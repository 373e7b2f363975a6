//! What the runs found, averaged over seeds and data sets as the paper does it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::confidence_interval::half_interval;
use crate::protocol::Protocol;
use crate::published::{AVERAGE, is_published_selection, published};
use crate::results::{RunId, RunResult};
use promptsrc::methods;
use promptsrc::metrics::harmonic_mean;
use promptsrc::run_folder;

/// What a column shows, in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Accuracy on the classes that were learned, among themselves.
    Base,
    /// Accuracy on the other classes, among themselves.
    Novel,
    /// Harmonic mean of the mean base and the mean novel accuracy.
    HarmonicMean,
    /// Accuracy on all classes.
    Accuracy,
    /// The same, after so many images a class.
    Shots(usize),
}

/// The results of one protocol; of those but few-shot learning, with one number of shots.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The protocol.
    pub protocol: Protocol,
    /// Images a class; empty where only methods are shown that learn nothing.
    pub shots: Vec<usize>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// What the columns show.
    pub columns: Vec<Column>,
    /// Results by data set; of a transfer its source first.
    pub data_sets: Vec<(String, Vec<Row>)>,
    /// Averages over the data sets, a transfer's source left out.
    pub average: Vec<Row>,
    /// Runs without which the table is not whole.
    pub missing: Vec<RunId>,
}

/// Results of a method.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// By column; `None` where nothing is known yet.
    pub cells: Vec<Option<Cell>>,
}

/// A number over the seeds, in per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The mean. Of the harmonic mean: that of the two means.
    pub mean: f64,
    /// Population deviation over the seeds (divided by n, as the reference's log parser does);
    /// `None` for fewer than two.
    pub deviation: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean, by Student's t.
    pub interval: Option<f64>,
    /// Runs behind it.
    pub runs: usize,
    /// The paper's result.
    pub published: Option<f64>,
}

impl Cell {
    /// How much more than the paper's result.
    pub fn difference(&self) -> Option<f64> {
        self.published.map(|published| self.mean - published)
    }
}

/// Results that do not belong into one table.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableError {
    /// A run occurs twice.
    #[error("{} and {} are results of the same run", first.display(), second.display())]
    Twice {
        /// Folder of one.
        first: PathBuf,
        /// Folder of the other.
        second: PathBuf,
    },
    /// They were made otherwise.
    #[error(
        "{} and {} cannot stand in one table, they differ in {difference}: collect them from \
         folders of their own",
        first.display(),
        second.display()
    )]
    Mixed {
        /// Folder of one.
        first: PathBuf,
        /// Folder of the other.
        second: PathBuf,
        /// What differs.
        difference: String,
    },
}

impl Column {
    /// Its name in files.
    pub fn key(self) -> String {
        match self {
            Self::Base => "base".into(),
            Self::Novel => "novel".into(),
            Self::HarmonicMean => "hm".into(),
            Self::Accuracy => "accuracy".into(),
            Self::Shots(shots) => shots.to_string(),
        }
    }

    /// Its head on a table.
    pub fn title(self) -> String {
        match self {
            Self::Base => "base".into(),
            Self::Novel => "novel".into(),
            Self::HarmonicMean => "harmonic mean".into(),
            Self::Accuracy => "accuracy".into(),
            Self::Shots(1) => "1 shot".into(),
            Self::Shots(shots) => format!("{shots} shots"),
        }
    }
}

/// The tables of these results, protocol by protocol, and of `expected` runs that have none yet.
///
/// # Errors
/// [`TableError`].
pub fn tables(
    results: &[(PathBuf, RunResult)],
    expected: &[RunId],
) -> Result<Vec<Table>, TableError> {
    check_alike(results)?;
    let mut tables = Vec::new();
    for protocol in Protocol::ALL {
        let of_it: Vec<&RunResult> = results
            .iter()
            .map(|(_, result)| result)
            .filter(|result| result.run.protocol == protocol)
            .collect();
        let expected: Vec<&RunId> = expected
            .iter()
            .filter(|run| run.protocol == protocol)
            .collect();
        let ids = of_it.iter().map(|result| &result.run);
        let ids: Vec<&RunId> = ids.chain(expected.iter().copied()).collect();
        if ids.is_empty() {
            continue;
        }
        let shots: BTreeSet<usize> = ids.iter().filter_map(|run| run.shots).collect();
        if protocol == Protocol::FewShot || shots.len() < 2 {
            tables.push(table(protocol, &of_it, &expected));
            continue;
        }
        for shots in shots {
            // What learns nothing is the same for all shots.
            let belongs = |run: &RunId| run.shots.is_none_or(|own| own == shots);
            let of_it: Vec<&RunResult> =
                of_it.iter().copied().filter(|r| belongs(&r.run)).collect();
            let expected: Vec<&RunId> = expected.iter().copied().filter(|r| belongs(r)).collect();
            tables.push(table(protocol, &of_it, &expected));
        }
    }
    Ok(tables)
}

/// Accuracies in per cent by seed, 0 where there is none.
type Series = BTreeMap<u64, f64>;

/// What was measured, by method, data set and column.
struct Numbers {
    series: BTreeMap<(String, String, Column), Series>,
}

impl Numbers {
    fn new(protocol: Protocol, results: &[&RunResult], columns: &[Column]) -> Self {
        let mut series: BTreeMap<(String, String, Column), Series> = BTreeMap::new();
        for result in results {
            let run = &result.run;
            for measured in &result.measured {
                let own: Vec<Column> = match (protocol, measured.classes.as_str(), run.shots) {
                    (Protocol::BaseToNovel, "base", _) => vec![Column::Base],
                    (Protocol::BaseToNovel, _, _) => vec![Column::Novel],
                    (Protocol::FewShot, _, Some(shots)) => vec![Column::Shots(shots)],
                    // It learns nothing and is the same after any number of images.
                    (Protocol::FewShot, _, None) => columns.to_vec(),
                    _ => vec![Column::Accuracy],
                };
                for column in own {
                    let key = (run.method.clone(), measured.data_set.clone(), column);
                    let seed = run.seed.unwrap_or(0);
                    series
                        .entry(key)
                        .or_default()
                        .insert(seed, measured.accuracy());
                }
            }
        }
        Self { series }
    }

    fn of(&self, method: &str, data_set: &str, column: Column) -> Option<&Series> {
        let key = (method.to_string(), data_set.to_string(), column);
        self.series.get(&key)
    }

    /// Means over seeds, averaged over data sets, and the averages of each seed that all of them
    /// have; `None` unless each data set has a number.
    fn average(&self, method: &str, data_sets: &[&str], column: Column) -> Option<(f64, Series)> {
        let all = data_sets.iter().map(|set| self.of(method, set, column));
        let all: Vec<&Series> = all.collect::<Option<_>>()?;
        let (first, rest) = all.split_first()?;
        let n = all.len() as f64;
        let average = all.iter().map(|series| mean(series.values())).sum::<f64>() / n;
        let mut by_seed = Series::new();
        for (seed, value) in *first {
            let others = rest.iter().map(|series| series.get(seed).copied());
            if let Some(others) = others.collect::<Option<Vec<f64>>>() {
                by_seed.insert(*seed, (value + others.iter().sum::<f64>()) / n);
            }
        }
        Some((average, by_seed))
    }

    /// The cell of a data set, or of the average of several.
    fn cell(&self, method: &str, data_sets: &[&str], column: Column) -> Option<Cell> {
        let (mean, by_seed) = match column {
            Column::HarmonicMean => {
                let (base, bases) = self.average(method, data_sets, Column::Base)?;
                let (novel, novels) = self.average(method, data_sets, Column::Novel)?;
                let both = bases.iter().filter_map(|(seed, base)| {
                    let novel = novels.get(seed)?;
                    Some((*seed, harmonic_mean(*base, *novel)))
                });
                (harmonic_mean(base, novel), both.collect())
            }
            column => self.average(method, data_sets, column)?,
        };
        let values: Vec<f64> = by_seed.into_values().collect();
        Some(Cell {
            mean,
            deviation: (values.len() > 1).then(|| deviation(&values)),
            interval: half_interval(&values),
            runs: values.len(),
            published: None,
        })
    }
}

fn table(protocol: Protocol, results: &[&RunResult], expected: &[&RunId]) -> Table {
    let ids = || {
        let found = results.iter().map(|result| &result.run);
        found.chain(expected.iter().copied())
    };
    let shots: BTreeSet<usize> = ids().filter_map(|run| run.shots).collect();
    let seeds: BTreeSet<u64> = ids().filter_map(|run| run.seed).collect();
    let columns = match protocol {
        Protocol::BaseToNovel => vec![Column::Base, Column::Novel, Column::HarmonicMean],
        Protocol::FewShot if shots.is_empty() => vec![Column::Accuracy],
        Protocol::FewShot => shots.iter().map(|shots| Column::Shots(*shots)).collect(),
        _ => vec![Column::Accuracy],
    };
    let numbers = Numbers::new(protocol, results, &columns);

    let methods = in_order(
        ids().map(|run| run.method.as_str()),
        &methods::all().map(|m| m.name()).collect::<Vec<_>>(),
    );
    let sources: BTreeSet<&str> = match protocol.is_transfer() {
        true => ids().map(|run| run.data_set.as_str()).collect(),
        false => BTreeSet::new(),
    };
    let measured = results.iter().flat_map(|result| &result.measured);
    let mut data_sets: Vec<&str> = measured.map(|m| m.data_set.as_str()).collect();
    data_sets.sort_unstable();
    data_sets.dedup();
    data_sets.sort_by_key(|set| !sources.contains(set));
    let averaged: Vec<&str> = data_sets
        .iter()
        .copied()
        .filter(|set| !sources.contains(set))
        .collect();
    let has_published_average = is_published_selection(protocol, &averaged);

    let rows = |of: &[&str], name: Option<&str>| -> Vec<Row> {
        let row = |method: &&str| {
            let paper_name = methods::find(method).map_or(*method, |m| m.paper_name());
            let learns = ids().any(|run| run.method == **method && run.shots.is_some());
            let own_shots = shots.first().copied().filter(|_| learns);
            let cell = |column: &Column| {
                let mut cell = numbers.cell(method, of, *column)?;
                cell.published =
                    name.and_then(|set| published(protocol, paper_name, set, own_shots, *column));
                Some(cell)
            };
            Row {
                method: method.to_string(),
                cells: columns.iter().map(cell).collect(),
            }
        };
        let known = |row: &Row| row.cells.iter().any(Option::is_some);
        methods.iter().map(row).filter(known).collect()
    };
    Table {
        protocol,
        shots: shots.iter().copied().collect(),
        seeds: seeds.iter().copied().collect(),
        data_sets: data_sets
            .iter()
            .map(|set| (set.to_string(), rows(&[set], Some(set))))
            .collect(),
        average: rows(&averaged, has_published_average.then_some(AVERAGE)),
        missing: missing(protocol, results, expected),
        columns,
    }
}

/// The runs that would make every method's data sets, shots and seeds a full grid, and those that
/// were expected; also those that lack a measurement which another run of the method has.
fn missing(protocol: Protocol, results: &[&RunResult], expected: &[&RunId]) -> Vec<RunId> {
    let mut missing: BTreeSet<RunId> = expected.iter().map(|run| (*run).clone()).collect();
    let mut methods: BTreeMap<&str, Vec<&RunResult>> = BTreeMap::new();
    for result in results {
        methods.entry(&result.run.method).or_default().push(result);
    }
    for (method, results) in &methods {
        let sets: BTreeSet<&str> = results.iter().map(|r| r.run.data_set.as_str()).collect();
        let shots: BTreeSet<Option<usize>> = results.iter().map(|r| r.run.shots).collect();
        let seeds: BTreeSet<Option<u64>> = results.iter().map(|r| r.run.seed).collect();
        for set in &sets {
            for shots in &shots {
                for seed in &seeds {
                    missing.insert(RunId {
                        protocol,
                        method: method.to_string(),
                        data_set: set.to_string(),
                        shots: *shots,
                        seed: *seed,
                    });
                }
            }
        }
    }
    let targets = |result: &RunResult| -> BTreeSet<(String, String)> {
        let measured = result.measured.iter();
        let target = measured.map(|m| (m.data_set.clone(), m.classes.clone()));
        target.collect()
    };
    for result in results {
        let alike = results.iter().filter(|other| {
            other.run.data_set == result.run.data_set && other.run.method == result.run.method
        });
        let all: BTreeSet<_> = alike.flat_map(|other| targets(other)).collect();
        let whole = match protocol {
            Protocol::BaseToNovel => targets(result).len() == 2,
            _ => targets(result) == all && !all.is_empty(),
        };
        if whole {
            missing.remove(&result.run);
        }
    }
    missing.into_iter().collect()
}

/// Distinct names, those that are known in their order, then the others.
fn in_order<'a>(names: impl Iterator<Item = &'a str>, known: &[&str]) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.sort_by_key(|name| known.iter().position(|k| k == name).unwrap_or(known.len()));
    names
}

/// Fails where results of a protocol are of different CLIPs, images or configurations.
fn check_alike(results: &[(PathBuf, RunResult)]) -> Result<(), TableError> {
    let mut runs: BTreeMap<&RunId, &PathBuf> = BTreeMap::new();
    for (folder, result) in results {
        if let Some(first) = runs.insert(&result.run, folder) {
            return Err(TableError::Twice {
                first: first.clone(),
                second: folder.clone(),
            });
        }
    }
    // What must agree, under what it must agree for.
    let mut seen: BTreeMap<String, (&PathBuf, serde_json::Value)> = BTreeMap::new();
    for (folder, result) in results {
        let run = &result.run;
        let mut configuration = result.configuration.clone();
        if let Some(train) = &mut configuration.train {
            train.seed = 0;
        }
        let value = |v: Result<serde_json::Value, _>| v.unwrap_or_default();
        let configuration = value(serde_json::to_value(configuration));
        let mut facts = vec![
            (
                format!("{}", run.protocol),
                serde_json::json!({ "clip": result.configuration.clip }),
            ),
            (
                format!("{} {} {}", run.protocol, run.method, run.data_set),
                configuration,
            ),
        ];
        for measured in &result.measured {
            facts.push((
                format!("{} {}", measured.data_set, measured.classes),
                serde_json::json!({ "images": measured.images }),
            ));
        }
        for (key, fact) in facts {
            match seen.get(&key) {
                None => {
                    seen.insert(key, (folder, fact));
                }
                Some((first, other)) => {
                    if let Some(difference) = run_folder::difference_of(other, &fact) {
                        return Err(TableError::Mixed {
                            first: (*first).clone(),
                            second: folder.clone(),
                            difference,
                        });
                    }
                }
            }
        }
    }
    Ok(())
}

fn mean<'a>(values: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let n = values.len().max(1) as f64;
    values.sum::<f64>() / n
}

/// Population deviation.
fn deviation(values: &[f64]) -> f64 {
    let average = mean(values.iter());
    let squares: f64 = values.iter().map(|v| (v - average).powi(2)).sum();
    (squares / values.len().max(1) as f64).sqrt()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::results::{Configuration, Measured};
    use promptsrc::config::TrainConfig;

    /// A result with percentages of 100 images.
    pub(crate) fn result(
        protocol: Protocol,
        method: &str,
        data_set: &str,
        shots_and_seed: Option<(usize, u64)>,
        measured: &[(&str, &str, u64)],
    ) -> (PathBuf, RunResult) {
        let run = RunId {
            protocol,
            method: method.into(),
            data_set: data_set.into(),
            shots: shots_and_seed.map(|(shots, _)| shots),
            seed: shots_and_seed.map(|(_, seed)| seed),
        };
        let configuration = Configuration {
            clip: "abc".into(),
            precision: "f32".into(),
            allow_missing: false,
            train: shots_and_seed.map(|(_, seed)| TrainConfig {
                seed,
                ..TrainConfig::default()
            }),
        };
        let mut result = RunResult::new(run, configuration, None);
        for (data_set, classes, correct) in measured {
            result.measured.push(Measured {
                data_set: data_set.to_string(),
                classes: classes.to_string(),
                names: 10,
                correct: *correct,
                total: 100,
                macro_f1: 0.5,
                images: format!("{data_set} {classes}"),
            });
        }
        (result.run.path(), result)
    }

    fn base_to_novel(
        method: &str,
        set: &str,
        seed: u64,
        base: u64,
        novel: u64,
    ) -> (PathBuf, RunResult) {
        let measured = [(set, "base", base), (set, "novel", novel)];
        result(
            Protocol::BaseToNovel,
            method,
            set,
            Some((16, seed)),
            &measured,
        )
    }

    pub(crate) fn example() -> Vec<(PathBuf, RunResult)> {
        let zero_shot = |set, base, novel| {
            let measured = [(set, "base", base), (set, "novel", novel)];
            result(Protocol::BaseToNovel, "zero-shot", set, None, &measured)
        };
        vec![
            base_to_novel("promptsrc", "b", 1, 80, 40),
            base_to_novel("promptsrc", "b", 2, 90, 60),
            base_to_novel("promptsrc", "DTD", 1, 60, 60),
            base_to_novel("promptsrc", "DTD", 2, 70, 80),
            zero_shot("b", 50, 50),
            zero_shot("DTD", 60, 20),
        ]
    }

    fn cell(rows: &[Row], method: &str, column: usize) -> Cell {
        let row = rows.iter().find(|row| row.method == method).expect("a row");
        row.cells[column].expect("a number")
    }

    #[track_caller]
    fn near(found: impl Into<Option<f64>>, expected: f64) {
        let found = found.into().expect("a number");
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn means_deviations_and_harmonic_means_by_hand() {
        let tables = tables(&example(), &[]).expect("a table");
        let [table] = &tables[..] else {
            panic!("{tables:?}")
        };
        assert_eq!(
            (&table.shots[..], &table.seeds[..]),
            (&[16][..], &[1, 2][..])
        );
        assert_eq!(table.missing, []);
        let names: Vec<&str> = table.data_sets.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["DTD", "b"]);
        let (dtd, b) = (&table.data_sets[0].1, &table.data_sets[1].1);

        // b: base 85 and novel 50, of the means: 2 * 85 * 50 / 135.
        near(cell(b, "promptsrc", 0).mean, 85.0);
        near(cell(b, "promptsrc", 0).deviation, 5.0);
        // Sample deviation sqrt(50), over sqrt(2) is 5, times the quantile at 1 degree.
        near(cell(b, "promptsrc", 0).interval, 5.0 * 12.706204736);
        near(cell(b, "promptsrc", 1).mean, 50.0);
        near(cell(b, "promptsrc", 1).deviation, 10.0);
        near(cell(b, "promptsrc", 2).mean, 8500.0 / 135.0);
        // By seed: 6400 / 120 and 10800 / 150 are 53.3.. and 72: half of the difference.
        near(
            cell(b, "promptsrc", 2).deviation,
            (72.0 - 6400.0 / 120.0) / 2.0,
        );

        // Average: bases 85 and 65, novels 50 and 70; the mean of the harmonic means would be 65.2.
        near(cell(&table.average, "promptsrc", 0).mean, 75.0);
        near(cell(&table.average, "promptsrc", 1).mean, 60.0);
        near(cell(&table.average, "promptsrc", 2).mean, 9000.0 / 135.0);
        // By seed: bases 70, 80; novels 50, 70.
        near(cell(&table.average, "promptsrc", 0).deviation, 5.0);
        near(cell(&table.average, "promptsrc", 1).deviation, 10.0);
        let (first, second) = (7000.0 / 120.0, 11200.0 / 150.0);
        near(
            cell(&table.average, "promptsrc", 2).deviation,
            (second - first) / 2.0,
        );

        // Without seeds there is nothing to deviate.
        let zero_shot = cell(b, "zero-shot", 2);
        near(zero_shot.mean, 50.0);
        assert_eq!(
            (zero_shot.deviation, zero_shot.interval, zero_shot.runs),
            (None, None, 1)
        );
        near(
            cell(&table.average, "zero-shot", 2).mean,
            2.0 * 55.0 * 35.0 / 90.0,
        );

        // The paper: DTD base 83.37; zero-shot 53.24. Its average is of other data sets.
        near(cell(dtd, "promptsrc", 0).published, 83.37);
        near(cell(dtd, "promptsrc", 0).difference(), 65.0 - 83.37);
        near(cell(dtd, "zero-shot", 0).published, 53.24);
        assert_eq!(cell(b, "promptsrc", 0).published, None);
        assert_eq!(cell(&table.average, "promptsrc", 0).published, None);
    }

    #[test]
    fn a_table_does_not_depend_on_the_order_of_the_results() {
        let mut turned = example();
        turned.reverse();
        assert_eq!(tables(&turned, &[]), tables(&example(), &[]));
    }

    #[test]
    fn what_is_missing_is_named_and_no_average_is_taken_of_less() {
        let mut results = example();
        let (_, removed) = results.remove(3);
        let whole = tables(&results, &[]).expect("a table");
        assert_eq!(whole[0].missing, std::slice::from_ref(&removed.run));
        // One seed of one set is missing: the mean stands, the deviation is of one seed.
        let average = cell(&whole[0].average, "promptsrc", 0);
        assert_eq!((average.runs, average.deviation), (1, None));
        results.remove(2);
        let less = tables(&results, std::slice::from_ref(&removed.run)).expect("a table");
        assert_eq!(less[0].missing, [removed.run]);
        let averaged: Vec<&str> = less[0].average.iter().map(|r| r.method.as_str()).collect();
        assert_eq!(averaged, ["zero-shot"]);

        // A run that has been measured on one half only.
        let mut half = example();
        half[0].1.measured.pop();
        let expected = [half[0].1.run.clone()];
        assert_eq!(tables(&half, &[]).expect("a table")[0].missing, expected);
    }

    #[test]
    fn shots_are_columns_of_few_shot_learning_and_tables_of_the_others() {
        let few = |method, shots: Option<(usize, u64)>, correct| {
            let measured = [("EuroSAT", "all", correct)];
            result(Protocol::FewShot, method, "EuroSAT", shots, &measured)
        };
        let results = [
            few("promptsrc", Some((16, 1)), 90),
            few("promptsrc", Some((4, 1)), 80),
            few("zero-shot", None, 40),
        ];
        let tables_of = tables(&results, &[]).expect("a table");
        assert_eq!(tables_of[0].columns, [Column::Shots(4), Column::Shots(16)]);
        let rows = &tables_of[0].data_sets[0].1;
        near(cell(rows, "promptsrc", 0).mean, 80.0);
        near(cell(rows, "promptsrc", 1).mean, 90.0);
        near(cell(rows, "promptsrc", 1).published, 92.43);
        near(cell(rows, "zero-shot", 0).mean, 40.0);
        near(cell(rows, "zero-shot", 1).mean, 40.0);

        let mut several = example();
        several.push(result(
            Protocol::BaseToNovel,
            "promptsrc",
            "b",
            Some((4, 1)),
            &[("b", "base", 1), ("b", "novel", 1)],
        ));
        let several = tables(&several, &[]).expect("tables");
        assert_eq!(several.len(), 2);
        assert_eq!(
            (&several[0].shots[..], &several[1].shots[..]),
            (&[4][..], &[16][..])
        );
        assert!(
            several
                .iter()
                .all(|t| t.data_sets[1].1[0].method == "zero-shot")
        );
    }

    #[test]
    fn the_source_of_a_transfer_is_first_and_not_in_the_average() {
        let measured = [("Z", "all", 70), ("B", "all", 50), ("A", "all", 40)];
        let run = result(
            Protocol::CrossDataset,
            "promptsrc",
            "Z",
            Some((16, 1)),
            &measured,
        );
        let tables = tables(&[run], &[]).expect("a table");
        let names: Vec<&str> = tables[0]
            .data_sets
            .iter()
            .map(|(n, _)| n.as_str())
            .collect();
        assert_eq!(names, ["Z", "A", "B"]);
        near(cell(&tables[0].average, "promptsrc", 0).mean, 45.0);
    }

    #[test]
    fn results_that_were_made_otherwise_are_not_averaged() {
        let mut results = example();
        let mut change = |f: &dyn Fn(&mut RunResult), words: &str| {
            let kept = results[1].1.clone();
            f(&mut results[1].1);
            let message = tables(&results, &[]).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
            results[1].1 = kept;
        };
        change(&|r| r.configuration.clip = "other".into(), "clip");
        change(
            &|r| {
                if let Some(train) = &mut r.configuration.train {
                    train.epochs = 3;
                }
            },
            "epochs",
        );
        change(&|r| r.measured[0].images = "other".into(), "images");
        change(&|r| r.run.seed = Some(1), "the same run");
    }
}
