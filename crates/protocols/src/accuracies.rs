//! Accuracies of runs, averaged over seeds and data sets as the paper does it.

use std::collections::BTreeMap;

use crate::column::Column;
use crate::confidence_interval::half_interval;
use crate::protocol::Protocol;
use crate::results::RunResult;
use crate::table::Cell;
use promptsrc::metrics::harmonic_mean;

/// Accuracies in per cent by seed; a method that learns nothing has the seed 0.
pub(crate) type Series = BTreeMap<u64, f64>;

/// Accuracies by method, data set and column.
pub(crate) struct Accuracies {
    series: BTreeMap<(String, String, Column), Series>,
}

impl Accuracies {
    pub(crate) fn new(protocol: Protocol, results: &[&RunResult], columns: &[Column]) -> Self {
        let mut series: BTreeMap<(String, String, Column), Series> = BTreeMap::new();
        for result in results {
            let run = &result.run;
            for measured in &result.measured {
                let own: Vec<Column> = match (protocol, measured.classes.as_str(), run.shots) {
                    (Protocol::BaseToNovel, "base", _) => vec![Column::Base],
                    (Protocol::BaseToNovel, _, _) => vec![Column::Novel],
                    (Protocol::FewShot, _, Some(shots)) => vec![Column::Shots(shots)],
                    // A method that learns nothing has the same accuracy at every number of shots.
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

    /// The means over seeds, averaged over data sets; and the average over data sets for each seed
    /// that all of them have. `None` unless every data set has a result.
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

    /// The mean of a data set, or of the average of several, and the values of each seed.
    pub(crate) fn values(
        &self,
        method: &str,
        data_sets: &[&str],
        column: Column,
    ) -> Option<(f64, Series)> {
        Some(match column {
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
        })
    }

    /// The cell of a data set, or of the average of several.
    pub(crate) fn cell(&self, method: &str, data_sets: &[&str], column: Column) -> Option<Cell> {
        let (mean, by_seed) = self.values(method, data_sets, column)?;
        let values: Vec<f64> = by_seed.into_values().collect();
        Some(Cell {
            mean,
            standard_deviation: (values.len() > 1).then(|| standard_deviation(&values)),
            interval: half_interval(&values),
            runs: values.len(),
            published: None,
        })
    }
}

fn mean<'a>(values: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let n = values.len().max(1) as f64;
    values.sum::<f64>() / n
}

/// Population standard deviation.
fn standard_deviation(values: &[f64]) -> f64 {
    let average = mean(values.iter());
    let squares: f64 = values.iter().map(|v| (v - average).powi(2)).sum();
    (squares / values.len().max(1) as f64).sqrt()
}
