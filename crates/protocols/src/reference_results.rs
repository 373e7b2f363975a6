//! Results of the Python reference, read from its logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use promptsrc_datasets::{CatalogueSet, Classes};

use crate::protocol::Protocol;
use crate::reference_groups::{self, Loaded, Log, is_transfer_source, training_of, without_seed};
use crate::results::{Configuration, Measured, OF_REFERENCE, RunId, RunResult};
use promptsrc_reference::log::{ReferenceLogError, ReferenceResult, read_below};

/// The data set that the reference trains on in the transfer protocols.
const SOURCE: &str = "ImageNet";

/// The results in the logs below a folder.
#[derive(Debug, Default)]
pub struct ReferenceResults {
    /// Results of methods that have one configuration, in the order of their ids, with the folder of
    /// the last log of each.
    pub results: Vec<Found>,
    /// Results of methods that have several configurations, which must not be averaged or joined: by
    /// configuration, in words.
    pub apart: Vec<(String, Vec<Found>)>,
    /// Logs that cannot be used, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// A result and its folder.
type Found = (PathBuf, RunResult);

/// What a log says: the run that it belongs to, the configuration of its training, and what it has
/// measured.
struct Entry {
    path: PathBuf,
    run: RunId,
    configuration: reference_groups::Configuration,
    /// The CLIP that the log names, or nothing.
    backbone: String,
    precision: String,
    /// Epochs of the training, if there was one.
    epochs: Option<usize>,
    measured: Measured,
}

/// Reads every `log.txt` below a folder. Results on base or novel classes belong to base-to-novel
/// generalisation; runs that only evaluate, on all classes, and the trainings that they evaluate to
/// the transfer protocols; the rest to few-shot learning.
///
/// An evaluation belongs to the training whose folder it names (`model_dir`), and to no other. Runs
/// whose logs say different configurations are kept apart.
///
/// # Errors
/// If the folder cannot be read.
pub fn collect_reference(folder: &Path) -> Result<ReferenceResults, ReferenceLogError> {
    let logs = read_below(folder)?;
    let mut found = ReferenceResults::default();
    for error in logs.errors {
        found.left_out.push((folder.into(), error.to_string()));
    }
    let logs: Vec<Log> = logs.results;
    let trainings: Vec<&Log> = logs.iter().filter(|(_, log)| !is_evaluation(log)).collect();
    let mut entries = Vec::new();
    // Trainings that were evaluated on other data sets, by path, and in which protocols.
    let mut sources: BTreeMap<&Path, BTreeSet<Protocol>> = BTreeMap::new();
    for log in logs.iter().filter(|(_, log)| is_evaluation(log)) {
        let loaded = match training_of(log, &trainings) {
            Loaded::Known(training) => Some(training),
            Loaded::Unknown => None,
            Loaded::Refused(reason) => {
                found.left_out.push((log.0.clone(), reason));
                continue;
            }
        };
        match entry(log, loaded, None) {
            Ok(entry) => {
                if let Some((path, _)) = loaded.filter(|_| entry.run.protocol.is_transfer()) {
                    let of_it = sources.entry(path).or_default();
                    of_it.insert(entry.run.protocol);
                }
                entries.push(entry);
            }
            Err(reason) => found.left_out.push((log.0.clone(), reason)),
        }
    }
    for log in trainings {
        let evaluated = sources.get(&*log.0).cloned().unwrap_or_default();
        let mut protocols: Vec<Option<Protocol>> = evaluated.iter().copied().map(Some).collect();
        if protocols.is_empty() {
            let source = is_transfer_source(log, false);
            protocols.push(source.then_some(Protocol::CrossDataset));
        }
        for protocol in protocols {
            match entry(log, None, protocol) {
                Ok(entry) => entries.push(entry),
                Err(reason) => {
                    found.left_out.push((log.0.clone(), reason));
                    break;
                }
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    group(entries, &mut found);
    Ok(found)
}

/// Whether a log is of an evaluation of another run's checkpoint.
fn is_evaluation(log: &ReferenceResult) -> bool {
    let learned = log
        .trainer
        .as_deref()
        .is_none_or(|t| !t.starts_with("Zeroshot"));
    learned && (log.eval_only == Some(true) || log.subset == Some(Classes::Novel))
}

/// Puts the logs of a run together, and runs of different configurations apart.
fn group(entries: Vec<Entry>, found: &mut ReferenceResults) {
    type Key<'a> = (Protocol, &'a str);
    let mut configurations: BTreeMap<Key, BTreeSet<&reference_groups::Configuration>> =
        BTreeMap::new();
    // By data set, whose aggregation may be its own.
    let mut by_set: BTreeMap<(Key, &str), BTreeSet<&Vec<String>>> = BTreeMap::new();
    for Entry {
        run, configuration, ..
    } in &entries
    {
        let key = (run.protocol, run.method.as_str());
        configurations.entry(key).or_default().insert(configuration);
        let set = by_set.entry((key, &run.data_set)).or_default();
        set.insert(&configuration.by_set);
    }
    let is_one = |key: &Key| {
        let all = configurations.get(key).into_iter().flatten();
        let plain: BTreeSet<_> = all.map(|c| (&c.name, &c.loaded, &c.settings)).collect();
        let mut sets = by_set.iter().filter(|((of, _), _)| of == key);
        plain.len() < 2 && sets.all(|(_, aggregations)| aggregations.len() < 2)
    };
    let words = |entry: &Entry| -> Option<String> {
        let key = (entry.run.protocol, entry.run.method.as_str());
        let all = configurations.get(&key)?;
        let others: Vec<_> = all
            .iter()
            .copied()
            .filter(|other| **other != entry.configuration)
            .collect();
        // Evaluations without their training are never as complete as the others.
        let apart = !is_one(&key) || entry.configuration.loaded.is_some();
        apart.then(|| entry.configuration.words(&others))
    };
    let words: Vec<Option<String>> = entries.iter().map(words).collect();
    type Runs = BTreeMap<(Option<String>, RunId), (PathBuf, RunResult)>;
    let mut runs: Runs = BTreeMap::new();
    for (entry, words) in entries.into_iter().zip(words) {
        let Entry {
            path,
            run,
            measured,
            backbone,
            precision,
            epochs,
            ..
        } = entry;
        let configuration = Configuration {
            clip: format!("{backbone} {OF_REFERENCE}")
                .trim_start()
                .to_string(),
            precision,
            clip_settings: None,
            preprocessing: None,
            allow_missing: false,
            exif: false,
            train: None,
        };
        let place = path.parent().unwrap_or(&path).to_path_buf();
        let new = || {
            let result = RunResult {
                logged_epochs: epochs,
                ..RunResult::new(run.clone(), configuration, None)
            };
            (place.clone(), result)
        };
        let (at, result) = runs.entry((words, run.clone())).or_insert_with(new);
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
    for ((words, _), (place, mut result)) in runs {
        result
            .measured
            .sort_by(|a, b| (&a.data_set, &a.classes).cmp(&(&b.data_set, &b.classes)));
        let Some(words) = words else {
            found.results.push((place, result));
            continue;
        };
        match found.apart.last_mut().filter(|(own, _)| *own == words) {
            Some((_, results)) => results.push((place, result)),
            None => found.apart.push((words, vec![(place, result)])),
        }
    }
}

/// The run that a log belongs to, and what it measured. `loaded`: the training that it evaluates.
/// `protocol`: that of a training, if its own log does not say it.
fn entry(log: &Log, loaded: Option<&Log>, protocol: Option<Protocol>) -> Result<Entry, String> {
    let (path, of_log) = log;
    let (mut run, measured) = measured(of_log, loaded.map(|(_, training)| training))?;
    if let Some(training) = loaded.filter(|_| run.protocol.is_transfer()) {
        let of_training = training.1.dataset.as_deref().unwrap_or(SOURCE);
        // A checkpoint that is evaluated where it was trained is few-shot learning, unless it is the
        // source of a transfer.
        if training.1.dataset == of_log.dataset && !is_transfer_source(training, false) {
            run.protocol = Protocol::FewShot;
        }
        let set = CatalogueSet::find(of_training);
        run.data_set = set
            .map_or(of_training, |set| set.published_name)
            .to_string();
    }
    if let Some(protocol) = protocol {
        run.protocol = protocol;
        run.data_set.clone_from(&measured.data_set);
    }
    let mut configuration = reference_groups::configuration(loaded.unwrap_or(log));
    if loaded.is_none() && is_evaluation(of_log) {
        configuration.loaded = of_log.model_dir.as_deref().map(without_seed);
    }
    let setting = |name: &str| of_log.settings.get(name).cloned();
    let trainer = of_log.trainer.as_deref().unwrap_or_default().to_uppercase();
    let of_training = loaded.map_or(of_log, |(_, training)| training);
    let learns = run.seed.is_some();
    Ok(Entry {
        path: path.clone(),
        epochs: of_training.setting("OPTIM.MAX_EPOCH").filter(|_| learns),
        backbone: setting("MODEL.BACKBONE.NAME").unwrap_or_default(),
        precision: setting(&format!("TRAINER.{trainer}.PREC")).unwrap_or("not recorded".into()),
        run,
        configuration,
        measured,
    })
}

/// The run that a log belongs to, and what it measured.
fn measured(
    log: &ReferenceResult,
    training: Option<&ReferenceResult>,
) -> Result<(RunId, Measured), String> {
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
            {
                let shots = training.and_then(|training| training.shots).or(log.shots);
                Some(shots.ok_or_else(|| missing("number of shots"))?)
            }
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
        images: format!("{total} images"),
        image_facts: None,
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
