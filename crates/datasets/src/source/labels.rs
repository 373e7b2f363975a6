//! The table of labels and names that a split or list builds up, entry by entry.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::DataError;

/// Which name each label has been given.
pub(crate) struct Labels<'a> {
    file: &'a Path,
    names: BTreeMap<usize, String>,
    labels: HashMap<String, usize>,
}

impl<'a> Labels<'a> {
    pub(crate) fn new(file: &'a Path) -> Self {
        Self {
            file,
            names: BTreeMap::new(),
            labels: HashMap::new(),
        }
    }

    /// Takes in one entry; `at` says where it stands.
    pub(crate) fn add(
        &mut self,
        label: usize,
        name: &str,
        at: impl Fn() -> String,
    ) -> Result<(), DataError> {
        let file = || self.file.to_path_buf();
        match self.names.get(&label) {
            Some(known) if known == name => return Ok(()),
            Some(first) => {
                let (first, second) = (first.clone(), name.to_string());
                return Err(DataError::TwoNames {
                    file: file(),
                    at: at(),
                    label,
                    first,
                    second,
                });
            }
            None => {}
        }
        if let Some(first) = self.labels.get(name) {
            let (first, name) = (*first, name.to_string());
            return Err(DataError::TwoLabels {
                file: file(),
                at: at(),
                name,
                first,
                second: label,
            });
        }
        self.names.insert(label, name.to_string());
        self.labels.insert(name.to_string(), label);
        Ok(())
    }

    /// The names by label; labels must be 0, 1, 2, ...
    pub(crate) fn finish(self) -> Result<Vec<String>, DataError> {
        let highest = self.names.keys().next_back().copied().unwrap_or(0);
        for (expected, label) in self.names.keys().enumerate() {
            if *label != expected {
                let file = self.file.to_path_buf();
                return Err(DataError::LabelGap {
                    file,
                    label: expected,
                    highest,
                });
            }
        }
        Ok(self.names.into_values().collect())
    }
}
