//! Results of the Python reference, read from its logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promptsrc_datasets::{CatalogueSet, Classes};

use crate::protocol::Protocol;
use crate::results::{Configuration, Measured, RunId, RunResult};
use promptsrc_reference::log::{ReferenceLogError, ReferenceResult, read_below};

/// The data set that the reference trains on in the transfer protocols.
const SOURCE: &str = "ImageNet";

/// The results in the logs below a folder.
#[derive(Debug, Default)]
pub struct ReferenceResults {
    /// Results, in the order of their ids, with the folder of the last log of each.
    pub results: Vec<(PathBuf, RunResult)>,
    /// Logs that cannot be used, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Reads every `log.txt` below a folder. Results on base or novel classes belong to base-to-novel
/// generalisation; runs that only evaluate, on all classes, to the transfer protocols; the rest to
/// few-shot learning.
///
/// # Errors
/// If the folder cannot be read.
pub fn collect_reference(folder: &Path) -> Result<ReferenceResults, ReferenceLogError> {
    let logs = read_below(folder)?;
    let mut found = ReferenceResults::default();
    for error in logs.errors {
        found.left_out.push((folder.into(), error.to_string()));
    }
    let mut runs: BTreeMap<RunId, (PathBuf, RunResult)> = BTreeMap::new();
    for (path, log) in logs.results {
        match measured(&log) {
            Ok((run, measured)) => {
                let configuration = Configuration {
                    clip: "of the reference".to_string(),
                    precision: "of the reference".to_string(),
                    allow_missing: false,
                    train: None,
                };
                let place = path.parent().unwrap_or(&path).to_path_buf();
                let (at, result) = runs
                    .entry(run.clone())
                    .or_insert_with(|| (place.clone(), RunResult::new(run, configuration, None)));
                // Of two logs of the same measurement, the first one counts.
                let is_duplicate = result
                    .measured
                    .iter()
                    .any(|m| m.data_set == measured.data_set && m.classes == measured.classes);
                if is_duplicate {
                    let reason = format!("{} already has a result of the same run", at.display());
                    found.left_out.push((path, reason));
                } else {
                    result.measured.push(measured);
                    *at = place;
                }
            }
            Err(reason) => found.left_out.push((path, reason)),
        }
    }
    for (place, mut result) in runs.into_values() {
        result
            .measured
            .sort_by(|a, b| (&a.data_set, &a.classes).cmp(&(&b.data_set, &b.classes)));
        found.results.push((place, result));
    }
    Ok(found)
}

/// The run that a log belongs to, and what it measured.
fn measured(log: &ReferenceResult) -> Result<(RunId, Measured), String> {
    if !log.finished {
        return Err("the log ends before its result".to_string());
    }
    let missing = |what: &str| format!("neither the log nor its path has the {what}");
    let name = log.dataset.as_deref().ok_or_else(|| missing("data set"))?;
    let trainer = log.trainer.as_deref().ok_or_else(|| missing("trainer"))?;
    let subset = log.subset.unwrap_or(Classes::All);
    let total = log
        .total
        .ok_or("the log does not have the number of test images")?;
    let correct = match (log.correct, log.accuracy) {
        (Some(correct), _) => correct,
        (None, Some(accuracy)) => (accuracy / 100.0 * total as f64).round() as u64,
        (None, None) => return Err("the log has no accuracy".to_string()),
    };
    if total == 0 || correct > total {
        return Err(format!(
            "{correct} of {total} images classified correctly, which is impossible"
        ));
    }

    let set = CatalogueSet::find(name);
    let data_set = set.map_or(name, |set| set.published_name).to_string();
    let learned = !trainer.starts_with("Zeroshot");
    let protocol = match subset {
        Classes::Base | Classes::Novel => Protocol::BaseToNovel,
        Classes::All if set.is_some_and(CatalogueSet::is_test_only) => {
            Protocol::DomainGeneralization
        }
        Classes::All if learned && log.eval_only == Some(true) => Protocol::CrossDataset,
        Classes::All => Protocol::FewShot,
    };
    let method = match (log.method(), learned) {
        (Some(method), _) => method.name().to_string(),
        (None, true) => trainer.to_lowercase(),
        (None, false) => "zero-shot".to_string(),
    };
    let run = RunId {
        protocol,
        method,
        data_set: if protocol.is_transfer() {
            SOURCE.to_string()
        } else {
            data_set.clone()
        },
        shots: if learned {
            Some(log.shots.ok_or_else(|| missing("number of shots"))?)
        } else {
            None
        },
        seed: if learned {
            Some(log.seed.ok_or_else(|| missing("seed"))?)
        } else {
            None
        },
    };
    let measured = Measured {
        data_set,
        classes: subset.to_string(),
        names: 0,
        correct,
        total,
        macro_f1: log.macro_f1.unwrap_or(0.0),
        images: String::new(),
    };
    Ok((run, measured))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Column;
    use crate::tables::tables;

    fn log(total: u64, correct: u64) -> String {
        format!(
            "** Config **\nEvaluate on the *test* set\n=> result\n* total: {total}\n* correct: \
             {correct}\n* accuracy: {:.1}%\n* error: {:.1}%\n* macro_f1: 50.0%\nElapsed: 0:10:00\n",
            100.0 * correct as f64 / total as f64,
            100.0 - 100.0 * correct as f64 / total as f64,
        )
    }

    fn put(root: &Path, half: &str, seed: u64, text: &str) {
        let folder = root.join(format!(
            "output/base2new/{half}/eurosat/shots_16/PromptSRC/vit_b16_c2_ep20_batch4_4+4ctx/seed{seed}"
        ));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("log.txt"), text).expect("a log");
    }

    #[test]
    fn logs_of_both_halves_become_one_table() {
        let root = tempfile::tempdir().expect("a folder");
        for (seed, base, novel) in [(1, 3780, 2730), (2, 3864, 2886), (3, 3822, 2808)] {
            put(root.path(), "train_base", seed, &log(4200, base));
            put(root.path(), "test_new", seed, &log(3900, novel));
        }
        put(root.path(), "train_base", 4, "** Config **\nepoch [1/20]\n");
        let found = collect_reference(root.path()).expect("logs");
        assert_eq!(found.results.len(), 3, "{:?}", found.left_out);
        assert_eq!(found.left_out.len(), 1);
        let table = &tables(&found.results, &[]).expect("a table")[0];
        assert_eq!(table.protocol, Protocol::BaseToNovel);
        let (name, rows) = &table.data_sets[0];
        assert_eq!(
            (name.as_str(), rows[0].method.as_str()),
            ("EuroSAT", "promptsrc")
        );
        let of = |column: Column| {
            let at = table.columns.iter().position(|c| *c == column).expect("it");
            rows[0].cells[at].as_ref().expect("a number").mean
        };
        assert!((of(Column::Base) - 91.0).abs() < 1e-9);
        assert!((of(Column::Novel) - 72.0).abs() < 1e-9);
        assert!((of(Column::HarmonicMean) - 2.0 * 91.0 * 72.0 / 163.0).abs() < 1e-9);
    }
}
