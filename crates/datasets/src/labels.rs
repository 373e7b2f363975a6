//! The table of labels and class names, built up entry by entry from a split or list.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::DataError;

/// Which name each label has been given.
pub(crate) struct Labels<'a> {
    file: &'a Path,
    names: BTreeMap<usize, String>,
    /// The label of each name; `None` where labels may share a name.
    labels: Option<HashMap<String, usize>>,
}

impl<'a> Labels<'a> {
    /// A table for the entries of a file, each name of which belongs to one label: a text encoder
    /// cannot tell classes of the same name apart.
    pub(crate) fn new(file: &'a Path) -> Self {
        Self {
            labels: Some(HashMap::new()),
            ..Self::with_shared_names(file)
        }
    }

    /// A table in which labels may share a name.
    pub(crate) fn with_shared_names(file: &'a Path) -> Self {
        Self {
            file,
            names: BTreeMap::new(),
            labels: None,
        }
    }

    /// Adds one entry; `at` is its place in the file, for a message.
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
        if let Some(labels) = &mut self.labels
            && let Some(first) = labels.insert(name.to_string(), label)
        {
            return Err(DataError::TwoLabels {
                file: file(),
                at: at(),
                name: name.to_string(),
                first,
                second: label,
            });
        }
        self.names.insert(label, name.to_string());
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
