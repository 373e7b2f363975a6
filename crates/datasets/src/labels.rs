//! The table of labels and class names, built up entry by entry from a split or list.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::{DataError, reading};

/// Which name each label has been given.
pub(crate) struct Labels<'a> {
    file: &'a Path,
    names: BTreeMap<usize, String>,
    /// The label of each name; `None` where labels may share a name.
    labels: Option<HashMap<String, usize>>,
    /// Whether names are the same that CLIP reads as the same text.
    as_read: bool,
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

    /// As [`new`](Self::new), for names that a person chose: those that differ only in case, white
    /// space or underscores are the same too.
    pub(crate) fn as_read(file: &'a Path) -> Self {
        Self {
            as_read: true,
            ..Self::new(file)
        }
    }

    /// A table in which labels may share a name.
    pub(crate) fn with_shared_names(file: &'a Path) -> Self {
        Self {
            file,
            names: BTreeMap::new(),
            labels: None,
            as_read: false,
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
        let key = match self.as_read {
            true => reading(name),
            false => name.to_string(),
        };
        if let Some(labels) = &mut self.labels
            && let Some(first) = labels.insert(key, label)
        {
            if let Some(known) = self.names.get(&first).filter(|known| *known != name) {
                return Err(DataError::SameNames {
                    file: file(),
                    at: at(),
                    first: known.clone(),
                    second: name.to_string(),
                });
            }
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
