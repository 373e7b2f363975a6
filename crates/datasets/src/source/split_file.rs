//! CoOp's published splits: `{"train": [[path, label, class name], ...], "val": ..., "test": ...}`.

use std::path::Path;

use serde::Deserialize;

use super::labels::Labels;
use super::{class_names, read_text};
use crate::{DataError, Dataset, Item, Part};

#[derive(Deserialize)]
struct SplitFile {
    train: Vec<(String, usize, String)>,
    #[serde(default)]
    val: Vec<(String, usize, String)>,
    #[serde(default)]
    test: Vec<(String, usize, String)>,
}

/// Reads a split; the items' paths stay relative.
pub(crate) fn read(file: &Path, names: Option<&Path>) -> Result<Dataset, DataError> {
    let split: SplitFile =
        serde_json::from_str(&read_text(file)?).map_err(|e| DataError::Malformed {
            file: file.to_path_buf(),
            line: e.line() as u64,
            message: format!(
                "is not a split file ({{\"train\": [[path, label, class name], ...], \"val\": \
                 ..., \"test\": ...}}): {e}"
            ),
        })?;
    let mut labels = Labels::new(file);
    let mut dataset = Dataset::default();
    let parts = [
        (Part::Train, split.train),
        (Part::Val, split.val),
        (Part::Test, split.test),
    ];
    for (part, entries) in parts {
        for (index, (path, label, name)) in entries.into_iter().enumerate() {
            labels.add(label, &name, || {
                format!("entry {index} of {part} ({path:?})")
            })?;
            dataset.part_mut(part).push(Item::new(path, label));
        }
    }
    dataset.class_names = labels.finish()?;
    if dataset.class_names.is_empty() {
        return Err(DataError::EmptyList {
            file: file.to_path_buf(),
        });
    }
    if let Some(names) = names {
        dataset.class_names = class_names::by_label(names, dataset.class_names.len())?;
    }
    Ok(dataset)
}
