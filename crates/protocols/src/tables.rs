//! Results of runs as tables: their rows, their columns and the cells of each.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::accuracies::{Accuracies, Series};
use crate::column::Column;
use crate::comparable::{TableError, check_comparable};
use crate::comparison::{Comparison, compare};
use crate::contender::{self, Contender};
use crate::missing::missing;
use crate::protocol::Protocol;
use crate::published::{is_published_selection, paper_name, published};
use crate::published_file::AVERAGE;
use crate::results::{RunId, RunResult};
use crate::table::{Made, Row, Table};

/// The tables of these results, protocol by protocol. `expected`: runs that must be in the tables;
/// those without a result are listed as missing.
///
/// # Errors
/// [`TableError`].
pub fn tables(
    results: &[(PathBuf, RunResult)],
    expected: &[RunId],
) -> Result<Vec<Table>, TableError> {
    check_comparable(results)?;
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
            // A method that learns nothing belongs to every number of shots.
            let belongs = |run: &RunId| run.shots.is_none_or(|own| own == shots);
            let of_it: Vec<&RunResult> =
                of_it.iter().copied().filter(|r| belongs(&r.run)).collect();
            let expected: Vec<&RunId> = expected.iter().copied().filter(|r| belongs(r)).collect();
            tables.push(table(protocol, &of_it, &expected));
        }
    }
    Ok(tables)
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
    let accuracies = Accuracies::new(protocol, results, &columns);

    let methods = in_order(
        ids().map(|run| run.method.as_str()),
        &contender::in_order().map(|c| c.name()).collect::<Vec<_>>(),
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

    let fixed_classes = |method: &str| {
        let of_it = |result: &&&RunResult| result.run.method == method;
        let mut of_it = results.iter().filter(of_it).peekable();
        of_it.peek().is_some() && of_it.all(|result| result.fixed_classes)
    };
    let rows = |of: &[&str], name: Option<&str>| -> Vec<Row> {
        let row = |method: &&str| {
            let paper_name = paper_name(method);
            let learns = ids().any(|run| run.method == **method && run.shots.is_some());
            let own_shots = shots.first().copied().filter(|_| learns);
            let own: Vec<&RunResult> = results
                .iter()
                .copied()
                .filter(|result| result.run.method == **method)
                .filter(|result| of.iter().any(|set| measures(result, set)))
                .collect();
            // What differs is said wherever the paper has a number, whatever the shots.
            let compared = |column: Column| {
                let name = name?;
                let any_shots = own_shots.map(|_| PAPER_SHOTS);
                published(protocol, paper_name, name, any_shots, column)?;
                let mut found = Comparison::default();
                for set in of {
                    let runs: Vec<&RunResult> = own
                        .iter()
                        .copied()
                        .filter(|run| measures(run, set))
                        .filter(|run| match (column, run.run.shots) {
                            (Column::Shots(shots), Some(own)) => own == shots,
                            _ => true,
                        })
                        .collect();
                    found.add(compare(protocol, &runs, set));
                }
                Some(found)
            };
            let mut comparison = Comparison::default();
            let cells = columns.iter().map(|column| {
                let mut cell = accuracies.cell(method, of, *column)?;
                let found = compared(*column).unwrap_or_default();
                if found.differs.is_empty() {
                    cell.published = name
                        .and_then(|set| published(protocol, paper_name, set, own_shots, *column));
                }
                comparison.add(found);
                Some(cell)
            });
            let cells: Vec<_> = cells.collect();
            // A step of the ablation is published as an average only.
            let is_in_sets = of.iter().any(|set| {
                let any_shots = own_shots.map(|_| PAPER_SHOTS);
                let has = |column: &Column| {
                    published(protocol, paper_name, set, any_shots, *column).is_some()
                };
                columns.iter().any(has)
            });
            if of.len() > 1 && is_in_sets && !comparison.differs.is_empty() {
                comparison.differs = vec!["see the data sets".to_string()];
            }
            Row {
                method: method.to_string(),
                by_seed: by_seed(&accuracies, method, of, &columns, learns),
                made: made(&own),
                differs: comparison.differs,
                unverified: comparison.unverified,
                against: Vec::new(),
                fixed_classes: fixed_classes(method),
                needs: needs(method),
                published: None,
                cells,
            }
        };
        // A row without a number says that there is none by design.
        let known = |row: &Row| row.cells.iter().any(Option::is_some) || row.fixed_classes;
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
        averaged: averaged.iter().map(|set| set.to_string()).collect(),
        baseline: None,
        group: None,
        missing: missing(protocol, results, expected),
        columns,
    }
}

/// Shots with which every protocol of the paper has results.
const PAPER_SHOTS: usize = 16;

/// What a method needs beyond the labelled shots.
fn needs(method: &str) -> Vec<&'static str> {
    let contender = Contender::find(method);
    let needs = contender.map_or(&[][..], |contender| contender.method().needs());
    needs.iter().map(|need| need.text()).collect()
}

fn measures(result: &RunResult, data_set: &str) -> bool {
    result.measured.iter().any(|m| m.data_set == data_set)
}

fn by_seed(
    accuracies: &Accuracies,
    method: &str,
    data_sets: &[&str],
    columns: &[Column],
    learns: bool,
) -> Vec<(Option<u64>, Vec<Option<f64>>)> {
    let values: Vec<Series> = columns
        .iter()
        .map(|column| {
            let values = accuracies.values(method, data_sets, *column);
            values.map(|(_, series)| series).unwrap_or_default()
        })
        .collect();
    let seeds: BTreeSet<u64> = values.iter().flat_map(|v| v.keys().copied()).collect();
    seeds
        .into_iter()
        .map(|seed| {
            let of_it = values.iter().map(|series| series.get(&seed).copied());
            (learns.then_some(seed), of_it.collect())
        })
        .collect()
}

/// How results were made.
fn made(results: &[&RunResult]) -> Made {
    let mut made = Made::default();
    for result in results {
        let clip = &result.configuration.clip;
        let is_hash = clip.len() == 64 && clip.bytes().all(|b| b.is_ascii_hexdigit());
        let short = clip.get(..8).filter(|_| is_hash).unwrap_or(clip);
        let clip = match &result.facts {
            Some(facts) => format!("{} ({short})", facts.clip.name),
            None => short.to_string(),
        };
        made.clips.push(clip);
        made.precisions.push(result.configuration.precision.clone());
        let train = result.configuration.train.as_ref();
        let epochs = train.map(|train| train.epochs()).or(result.logged_epochs);
        made.epochs.extend(epochs);
        made.programs.push(match &result.facts {
            Some(facts) => facts.program.clone(),
            None if result.trained_by_reference() => "the Python reference".to_string(),
            None => "not recorded".to_string(),
        });
    }
    made.sort();
    made
}

/// The distinct names: first the known ones, in the order of `known`, then the others.
fn in_order<'a>(names: impl Iterator<Item = &'a str>, known: &[&str]) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.sort_by_key(|name| known.iter().position(|k| k == name).unwrap_or(known.len()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_results::{
        as_published, example, fixed_classes, prompts, published_like, result,
    };
    use crate::published::add_published;
    use crate::table::Cell;
    use promptsrc::MethodConfig;
    use promptsrc_datasets::{CATALOGUE, CatalogueSet};

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
    fn means_standard_deviations_and_harmonic_means_by_hand() {
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
        near(cell(b, "promptsrc", 0).standard_deviation, 5.0);
        // Two seeds have no interval.
        assert_eq!(cell(b, "promptsrc", 0).interval, None);
        near(cell(b, "promptsrc", 1).mean, 50.0);
        near(cell(b, "promptsrc", 1).standard_deviation, 10.0);
        near(cell(b, "promptsrc", 2).mean, 8500.0 / 135.0);
        // By seed: 6400 / 120 and 10800 / 150 are 53.3.. and 72: half of the difference.
        near(
            cell(b, "promptsrc", 2).standard_deviation,
            (72.0 - 6400.0 / 120.0) / 2.0,
        );

        // Average: bases 85 and 65, novels 50 and 70; the mean of the harmonic means would be 65.2.
        near(cell(&table.average, "promptsrc", 0).mean, 75.0);
        near(cell(&table.average, "promptsrc", 1).mean, 60.0);
        near(cell(&table.average, "promptsrc", 2).mean, 9000.0 / 135.0);
        // By seed: bases 70, 80; novels 50, 70.
        near(cell(&table.average, "promptsrc", 0).standard_deviation, 5.0);
        near(
            cell(&table.average, "promptsrc", 1).standard_deviation,
            10.0,
        );
        let (first, second) = (7000.0 / 120.0, 11200.0 / 150.0);
        near(
            cell(&table.average, "promptsrc", 2).standard_deviation,
            (second - first) / 2.0,
        );

        // A single run has no standard deviation.
        let zero_shot = cell(b, "zero-shot", 2);
        near(zero_shot.mean, 50.0);
        assert_eq!(
            (
                zero_shot.standard_deviation,
                zero_shot.interval,
                zero_shot.runs
            ),
            (None, None, 1)
        );
        near(
            cell(&table.average, "zero-shot", 2).mean,
            2.0 * 55.0 * 35.0 / 90.0,
        );

        // The paper has DTD, but these results do not say how they were made.
        assert_eq!(cell(dtd, "promptsrc", 0).published, None);
        assert_eq!(cell(dtd, "zero-shot", 0).published, None);
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
    fn missing_runs_are_named_and_averages_need_every_data_set() {
        let mut results = example();
        let (_, removed) = results.remove(3);
        let whole = tables(&results, &[]).expect("a table");
        assert_eq!(whole[0].missing, std::slice::from_ref(&removed.run));
        // One seed of one set is missing: there is still a mean, but only one seed is in all sets.
        let average = cell(&whole[0].average, "promptsrc", 0);
        assert_eq!((average.runs, average.standard_deviation), (1, None));
        results.remove(2);
        let less = tables(&results, std::slice::from_ref(&removed.run)).expect("a table");
        assert_eq!(less[0].missing, [removed.run]);
        let averaged: Vec<&str> = less[0].average.iter().map(|r| r.method.as_str()).collect();
        assert_eq!(averaged, ["zero-shot"]);

        // A run that was measured on one half of the classes only.
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
        assert_eq!(cell(rows, "promptsrc", 1).published, None);
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
    fn published_results_are_beside_runs_as_published_and_else_the_row_says_why() {
        let found = |results: &[RunResult]| {
            let results: Vec<_> = results.iter().map(|r| (r.run.path(), r.clone())).collect();
            tables(&results, &[]).expect("a table").remove(0)
        };
        let mut runs = published_like();
        let table = found(&runs);
        let row = &table.data_sets[0].1[0];
        near(row.cells[0].and_then(|cell| cell.published), 83.37);
        assert!(table.is_comparable() && row.differs.is_empty());
        assert_eq!(row.unverified, ["weights not verified"]);
        let seeds: Vec<Option<u64>> = row.by_seed.iter().map(|(seed, _)| *seed).collect();
        assert_eq!(seeds, [1, 2, 3].map(Some));
        near(row.by_seed[1].1[0], 100.0 * 722.0 / 864.0);

        // The paper's rows are rows of their own, and never in ours.
        let mut with = table.clone();
        add_published(&mut with);
        let names: Vec<&str> = with.data_sets[0]
            .1
            .iter()
            .map(|r| r.method.as_str())
            .collect();
        let paper = [
            "CLIP",
            "CoOp",
            "CoCoOp",
            "ProDA",
            "MaPLe",
            "IVLP",
            "KgCoOp",
            "ProGrad",
            "CLIP-Adapter",
        ];
        assert_eq!(names[0], "promptsrc");
        assert_eq!(names[1..], paper);
        near(cell(&with.data_sets[0].1, "MaPLe", 1).mean, 59.18);

        for run in &mut runs {
            run.run.shots = Some(4);
        }
        let table = found(&runs);
        let row = &table.data_sets[0].1[0];
        assert!(!table.is_comparable());
        assert_eq!(row.cells[0].and_then(|cell| cell.published), None);
        assert_eq!(row.differs, ["4 shots"]);
    }

    #[test]
    fn the_published_ablation_is_beside_its_average_where_it_is_comparable() {
        let sets = CATALOGUE.iter().filter(|set| !set.is_test_only());
        let run = |set: &CatalogueSet| {
            let (base, novel) = set.test_halves.unwrap_or((100, 100));
            let halves = [(base as u64, 10), (novel as u64, 10)];
            as_published("ivlp+agreement", set.published_name, halves)
        };
        let mut runs: Vec<RunResult> = sets.flat_map(run).collect();
        assert_eq!(runs.len(), 3 * 11);
        let found = |runs: &[RunResult]| {
            let results: Vec<_> = runs.iter().map(|r| (r.run.path(), r.clone())).collect();
            tables(&results, &[]).expect("a table").remove(0)
        };
        let table = found(&runs);
        let row = &table.average[0];
        let published: Vec<_> = (0..3)
            .map(|i| cell(&table.average, "ivlp+agreement", i))
            .collect();
        let published: Vec<_> = published.iter().map(|cell| cell.published).collect();
        assert_eq!(published, [84.21, 75.38, 79.55].map(Some), "{row:?}");
        assert_eq!(
            table.data_sets[0].1[0].cells[0].and_then(|c| c.published),
            None
        );

        // With other epochs it is not, and the average says why: no data set has a published number.
        for run in &mut runs {
            prompts(run).epochs = 2;
        }
        let row = found(&runs).average.remove(0);
        assert_eq!(row.differs, ["2 epochs"]);
        assert_eq!(row.cells[0].and_then(|cell| cell.published), None);
        // As a row of its own it is there.
        let mut with = found(&runs);
        add_published(&mut with);
        near(
            cell(&with.average, "+ mutual agreement (SCL)", 1).mean,
            75.38,
        );
    }

    #[test]
    fn what_has_only_its_own_classes_has_dashes_and_lacks_nothing() {
        let mut results = example();
        results.extend(fixed_classes(&[1, 2]));
        let table = tables(&results, &[]).expect("a table").remove(0);
        assert_eq!(table.missing, []);
        for rows in [&table.data_sets[0].1, &table.data_sets[1].1, &table.average] {
            near(cell(rows, "coop", 0).mean, 91.5);
            let row = rows.iter().find(|row| row.method == "coop").expect("a row");
            assert!(row.fixed_classes);
            assert_eq!((row.cells[1], row.cells[2]), (None, None));
        }
        // Without having learned for its own classes only, the novel ones are missing.
        for (_, result) in &mut results {
            result.fixed_classes = false;
        }
        let table = tables(&results, &[]).expect("a table").remove(0);
        assert_eq!(table.missing.len(), 4);

        // In a transfer, it may have nothing but its source; a method without results has no row.
        let measured = [("Z", "all", 70)];
        let id = Some((16, 1));
        let (folder, mut own) = result(Protocol::CrossDataset, "coop", "Z", id, &measured);
        own.fixed_classes = true;
        let measured = [("Z", "all", 70), ("A", "all", 50)];
        let other = result(Protocol::CrossDataset, "promptsrc", "Z", id, &measured);
        let table = tables(&[(folder, own), other], &[])
            .expect("a table")
            .remove(0);
        assert_eq!(table.missing, []);
        let (name, rows) = &table.data_sets[1];
        assert_eq!(name, "A");
        let dash = rows.iter().find(|row| row.method == "coop").expect("a row");
        assert_eq!(dash.cells, [None]);
        assert_eq!(rows.len(), 2);
        let dash = table.average.iter().find(|row| row.method == "coop");
        assert_eq!(dash.expect("a row").cells, [None]);
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
    fn results_of_different_configurations_are_not_averaged() {
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
                if let Some(MethodConfig::Prompts(train)) = &mut r.configuration.train {
                    train.epochs = 3;
                }
            },
            "epochs",
        );
        change(&|r| r.measured[0].images = "other".into(), "images");
        change(&|r| r.run.seed = Some(1), "the same run");
    }

    #[test]
    fn a_method_that_trains_longer_on_more_shots_is_in_one_table() {
        let run = |shots: usize, seed: u64, epochs: usize| {
            let measured = [("DTD", "all", 50 + shots as u64)];
            let shots_and_seed = Some((shots, seed));
            let mut run = result(Protocol::FewShot, "coop", "DTD", shots_and_seed, &measured);
            prompts(&mut run.1).epochs = epochs;
            run
        };
        let mut results = vec![run(1, 1, 50), run(1, 2, 50), run(2, 1, 100), run(2, 2, 100)];
        let found = tables(&results, &[]).expect("a table");
        let row = &found[0].data_sets[0].1[0];
        let means: Vec<f64> = row.cells.iter().flatten().map(|cell| cell.mean).collect();
        assert_eq!(means, [51.0, 52.0]);
        // What is averaged must be made alike, and the rest must be alike in all of the table.
        prompts(&mut results[3].1).epochs = 50;
        let message = tables(&results, &[]).unwrap_err().to_string();
        assert!(message.contains("train.epochs: 100"), "{message}");
        prompts(&mut results[3].1).epochs = 100;
        for run in &mut results[2..] {
            run.1.configuration.precision = "bf16".into();
        }
        let message = tables(&results, &[]).unwrap_err().to_string();
        assert!(message.contains("precision"), "{message}");
    }
}
