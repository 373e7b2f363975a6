//! The runs without which a table is not complete.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::Protocol;
use crate::results::{RunId, RunResult};

/// The runs that are expected but have no result, those that each method lacks of the full grid of
/// its data sets, shots and seeds, and those without a measurement that another run of the same
/// method on the same data set has. What a method cannot be measured on is not missing.
pub(crate) fn missing(
    protocol: Protocol,
    results: &[&RunResult],
    expected: &[&RunId],
) -> Vec<RunId> {
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
        let complete = match protocol {
            // Of what belongs to the trained classes there are no novel ones.
            Protocol::BaseToNovel if result.fixed_classes => targets(result).len() == 1,
            Protocol::BaseToNovel => targets(result).len() == 2,
            _ => targets(result) == all && !all.is_empty(),
        };
        if complete {
            missing.remove(&result.run);
        }
    }
    missing.into_iter().collect()
}
