//! Which logs of the Python reference belong together: a training and the evaluations of its
//! checkpoint, and runs of one configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promptsrc_datasets::{CatalogueSet, Classes};
use promptsrc_reference::log::ReferenceResult;

/// A log with its path.
pub(crate) type Log = (PathBuf, ReferenceResult);

/// Settings that are equal in runs whose results may be averaged, or joined, although they differ:
/// what a run is on, where it writes, and how it is executed.
const CIRCUMSTANCES: [&str; 14] = [
    "DATASET.NAME",
    "DATASET.NUM_SHOTS",
    "DATASET.ROOT",
    "DATASET.SUBSAMPLE_CLASSES",
    "DATALOADER.NUM_WORKERS",
    "DATALOADER.TEST.BATCH_SIZE",
    "OUTPUT_DIR",
    "RESUME",
    "SEED",
    "TEST.COMPUTE_CMAT",
    "TEST.PER_CLASS_RESULT",
    "TRAIN.PRINT_FREQ",
    "TRAIN.CHECKPOINT_FREQ",
    "USE_CUDA",
];

/// Settings of a trainer that an evaluation depends on as its training does.
const EVALUATED: [&str; 10] = [
    "N_CTX",
    "N_CTX_TEXT",
    "N_CTX_VISION",
    "PROMPT_DEPTH",
    "PROMPT_DEPTH_TEXT",
    "PROMPT_DEPTH_VISION",
    "CTX_INIT",
    "CSC",
    "CLASS_TOKEN_POSITION",
    "PREC",
];
/// Other settings that an evaluation depends on.
const OF_INPUT: [&str; 6] = [
    "INPUT.SIZE",
    "INPUT.INTERPOLATION",
    "INPUT.PIXEL_MEAN",
    "INPUT.PIXEL_STD",
    "MODEL.BACKBONE.NAME",
    "TRAINER.NAME",
];

/// The training that an evaluation has loaded.
pub(crate) enum Loaded<'a> {
    /// Its log is here.
    Known(&'a Log),
    /// Its log is not here, or nothing says where it is.
    Unknown,
    /// It cannot be the one that the evaluation names.
    Refused(String),
}

/// Finds the training whose checkpoint a log evaluates.
pub(crate) fn training_of<'a>(evaluation: &Log, trainings: &[&'a Log]) -> Loaded<'a> {
    let (path, log) = evaluation;
    let named = trainings.iter().copied().filter(|(at, training)| {
        training.seed == log.seed
            && match &log.model_dir {
                Some(folder) => match training.output_dir.as_deref() {
                    Some(own) => same_folder(own, folder),
                    None => is_tail(at.parent().unwrap_or(at), folder),
                },
                // Without arguments only the folders of the reference's scripts tell.
                None => log.output_dir.is_none() && same_places(path, at),
            }
    });
    let mut named: Vec<&'a Log> = named.collect();
    named.sort_by_key(|(at, _)| at.clone());
    let [training] = &named[..] else {
        return match named.len() {
            0 => Loaded::Unknown,
            n => Loaded::Refused(format!(
                "it evaluates {}, and {n} trainings here have that folder",
                log.model_dir.as_deref().unwrap_or("a training")
            )),
        };
    };
    let (at, settings) = (&training.0, &training.1.settings);
    let section = section(log);
    let own = EVALUATED.iter().map(|name| format!("{section}{name}"));
    for name in own.chain(OF_INPUT.map(String::from)) {
        if let (Some(trained), Some(evaluated)) = (settings.get(&name), log.settings.get(&name))
            && trained != evaluated
        {
            return Loaded::Refused(format!(
                "it evaluates the training of {} with another {name}: {evaluated} instead of \
                 {trained}",
                at.display()
            ));
        }
    }
    if let Some(reason) = no_protocol(&training.1, log) {
        return Loaded::Refused(format!(
            "it evaluates {reason} by the training of {}: none of the four protocols does",
            at.display()
        ));
    }
    let epochs: Option<usize> = training.1.setting("OPTIM.MAX_EPOCH");
    match (log.load_epoch, epochs) {
        (Some(loaded), Some(epochs)) if loaded != epochs => Loaded::Refused(format!(
            "it evaluates epoch {loaded} of the training of {}, which has {epochs}",
            at.display()
        )),
        _ => Loaded::Known(training),
    }
}

/// What an evaluation measures of a training that no protocol measures.
fn no_protocol(training: &ReferenceResult, log: &ReferenceResult) -> Option<String> {
    let classes = |log: &ReferenceResult| log.subset.unwrap_or(Classes::All);
    let (learned, measured) = (classes(training), classes(log));
    let (from, on) = (training.dataset.as_deref()?, log.dataset.as_deref()?);
    let as_asked = match (learned, measured) {
        (Classes::All, Classes::All) => true,
        (Classes::Base, Classes::Base | Classes::Novel) => from == on,
        _ => false,
    };
    (!as_asked)
        .then(|| format!("{measured} classes of {on} after learning {learned} classes of {from}"))
}

/// The configuration of a run: everything that its log says except what it is on and where, and
/// the name of the configuration in its path.
pub(crate) fn configuration(log: &Log) -> Configuration {
    let (path, log) = log;
    let own = section(log);
    let kept = |name: &str| {
        let of_other = name.starts_with("TRAINER.") && name != "TRAINER.NAME";
        !CIRCUMSTANCES.contains(&name) && (!of_other || name.starts_with(&own))
    };
    let settings = log.settings.iter().filter(|(name, _)| kept(name));
    let mut settings: BTreeMap<String, String> =
        settings.map(|(n, v)| (n.clone(), v.clone())).collect();
    // The paper has two aggregations in few-shot learning, by data set.
    let by_set = ["GPA_MEAN", "GPA_STD"].map(|name| settings.remove(&format!("{own}{name}")));
    Configuration {
        name: config_folder(path, log).or_else(|| {
            let file = Path::new(log.config_file.as_ref()?).file_stem()?;
            Some(file.to_string_lossy().into_owned())
        }),
        loaded: None,
        settings,
        by_set: by_set.into_iter().flatten().collect(),
    }
}

/// What runs have in common whose results may be in one table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Configuration {
    /// Its name.
    pub(crate) name: Option<String>,
    /// The folder of a training that is not here.
    pub(crate) loaded: Option<String>,
    pub(crate) settings: BTreeMap<String, String>,
    /// Settings that may differ between data sets.
    pub(crate) by_set: Vec<String>,
}

impl Configuration {
    /// In words: its name, and the settings in which it differs from others.
    pub(crate) fn words(&self, others: &[&Self]) -> String {
        let mut words = vec![match &self.name {
            Some(name) => format!("configuration {name}"),
            None => "a configuration without a name".to_string(),
        }];
        if let Some(folder) = &self.loaded {
            words.push(format!(
                "evaluations of {folder}, whose training is not here"
            ));
        }
        let differs = |name: &str, value: &str| {
            others
                .iter()
                .any(|other| other.settings.get(name).is_some_and(|own| own != value))
        };
        let differing = self.settings.iter().filter(|(n, v)| differs(n, v));
        words.extend(
            differing
                .take(3)
                .map(|(name, value)| format!("{name} {value}")),
        );
        let differs = others.iter().any(|other| other.by_set != self.by_set);
        if differs && !self.by_set.is_empty() {
            words.push(format!("GPA {}", self.by_set.join("/")));
        }
        words.join(", ")
    }
}

/// Whether a training is that of the transfer protocols: on all classes of ImageNet, with the
/// configuration for it or evaluated on another data set.
pub(crate) fn is_transfer_source(log: &Log, evaluated_elsewhere: bool) -> bool {
    let (path, log) = log;
    if log.subset.unwrap_or(Classes::All) != Classes::All
        || log.dataset.as_deref() != Some("ImageNet")
    {
        return false;
    }
    let named = |text: &str| text.contains("cross_datasets") || text.contains("xd_");
    let own = section(log);
    let shallow = |name: &str| {
        let depth: Option<usize> = log.setting(&format!("{own}{name}"));
        depth.is_some_and(|depth| depth <= 3)
    };
    let gpa: Option<f64> = log.setting(&format!("{own}GPA_MEAN"));
    evaluated_elsewhere
        || log.config_file.as_deref().is_some_and(named)
        || config_folder(path, log).is_some_and(|folder| named(&folder))
        || (shallow("PROMPT_DEPTH_TEXT") && shallow("PROMPT_DEPTH_VISION") && gpa == Some(6.0))
}

fn section(log: &ReferenceResult) -> String {
    let trainer = log.trainer.as_deref().unwrap_or_default();
    format!("TRAINER.{}.", trainer.to_uppercase())
}

/// The folder of the configuration in the paths of the reference's scripts, without the number of
/// shots: it follows that of the trainer.
fn config_folder(path: &Path, log: &ReferenceResult) -> Option<String> {
    let trainer = log.trainer.as_deref()?;
    let mut parts = path.parent()?.iter().filter_map(|part| part.to_str());
    parts.by_ref().find(|p| p.eq_ignore_ascii_case(trainer))?;
    let folder = parts.next()?;
    let is_seed = folder
        .strip_prefix("seed")
        .is_some_and(|s| s.parse::<u64>().is_ok());
    let without = folder
        .strip_suffix("shots")
        .and_then(|rest| rest.rsplit_once('_'));
    let plain = match without {
        Some((name, shots)) if shots.parse::<usize>().is_ok() => name,
        _ => folder,
    };
    (!is_seed).then(|| plain.to_string())
}

fn parts(folder: &str) -> Vec<&str> {
    let parts = folder.split(['/', '\\']);
    parts.filter(|part| !matches!(*part, "" | ".")).collect()
}

/// Whether two names may be of one folder: one of them may be relative. A short name is not enough.
fn same_folder(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    one == other
        || (one.ends_with(&other) || other.ends_with(&one)) && one.len().min(other.len()) > 2
}

/// Whether the folder of a log is the one that was given, possibly before it was moved: they end
/// alike, from the folders on that the reference's scripts make.
fn is_tail(folder: &Path, given: &str) -> bool {
    let own: Vec<&str> = folder.iter().filter_map(|part| part.to_str()).collect();
    let given = parts(given);
    let common = own.iter().rev().zip(given.iter().rev());
    let common: Vec<&str> = common
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| *a)
        .collect();
    let whole = common.len() == given.len().min(own.len()) && common.len() > 2;
    whole
        || common
            .iter()
            .any(|part| matches!(*part, "train_base" | "output"))
}

/// The folder of a training without what differs between its seeds and data sets.
pub(crate) fn without_seed(folder: &str) -> String {
    let is_seed = |part: &str| {
        part.strip_prefix("seed")
            .is_some_and(|s| s.parse::<u64>().is_ok())
    };
    let parts = folder.split('/').map(|part| match part {
        seed if is_seed(seed) => "seed*",
        set if CatalogueSet::find(set).is_some() => "*",
        other => other,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Whether two logs lie at the same place below `train_base` and `test_new`.
fn same_places(evaluation: &Path, training: &Path) -> bool {
    let below = |path: &Path, half: &str| -> Option<PathBuf> {
        let parts: Vec<_> = path.parent()?.iter().collect();
        let at = parts.iter().rposition(|part| *part == half)?;
        let (before, after) = parts.split_at(at);
        Some(before.iter().chain(after.iter().skip(1)).collect())
    };
    let one = below(evaluation, "test_new");
    one.is_some() && one == below(training, "train_base")
}
