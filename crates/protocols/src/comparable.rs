//! Whether results may be averaged in one table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::results::{RunId, RunResult};
use promptsrc::{MethodConfig, run_folder};
use serde::Serialize;

/// Results that cannot be averaged in one table.
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
    /// They were made with different configurations or images.
    #[error(
        "{} and {} cannot be in one table because they differ ({difference}): put them into \
         separate folders and make a table of each",
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

/// The settings of a training, named in a difference as in a result.
#[derive(Serialize)]
struct TrainedAs {
    train: Option<MethodConfig>,
}

/// Fails where results of one protocol have different CLIPs, images or configurations.
pub(crate) fn check_comparable(results: &[(PathBuf, RunResult)]) -> Result<(), TableError> {
    let mut runs: BTreeMap<&RunId, &PathBuf> = BTreeMap::new();
    for (folder, result) in results {
        if let Some(first) = runs.insert(&result.run, folder) {
            return Err(TableError::Twice {
                first: first.clone(),
                second: folder.clone(),
            });
        }
    }
    // By group of results: what must be the same in all of the group.
    let mut seen: BTreeMap<String, (&PathBuf, serde_json::Value)> = BTreeMap::new();
    for (folder, result) in results {
        let run = &result.run;
        let mut configuration = result.configuration.of_same_images();
        let mut train = configuration.train.take();
        if let Some(train) = &mut train {
            train.set_seed(0);
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
            (
                // Each number of shots is a column of its own, and some methods train longer on more of them.
                format!(
                    "{} {} {} {:?}",
                    run.protocol, run.method, run.data_set, run.shots
                ),
                value(serde_json::to_value(TrainedAs { train })),
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
                    let names = ["in the first", "in the second"];
                    if let Some(difference) = run_folder::differences([other, &fact], names) {
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
