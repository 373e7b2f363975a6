//! CoOp's split files: `{"train": [[path, label, class name], ...], "val": ..., "test": ...}`.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::labels::Labels;
use crate::{DataError, Dataset, Item, Part, class_names, text};

#[derive(Serialize, Deserialize)]
struct SplitFile {
    train: Vec<Entry>,
    #[serde(default)]
    val: Vec<Entry>,
    #[serde(default)]
    test: Vec<Entry>,
}

/// Path, label and class name.
type Entry = (String, usize, String);

/// Reads a split; the items' paths stay relative.
pub(crate) fn read(file: &Path, names: Option<&Path>) -> Result<Dataset, DataError> {
    read_with(file, names, Labels::as_read(file))
}

/// Reads the split of one of the paper's data sets, whose class names are the published ones.
pub(crate) fn read_published(file: &Path) -> Result<Dataset, DataError> {
    read_with(file, None, Labels::new(file))
}

fn read_with(file: &Path, names: Option<&Path>, mut labels: Labels) -> Result<Dataset, DataError> {
    let split: SplitFile =
        serde_json::from_str(&text::read(file)?).map_err(|e| DataError::Malformed {
            file: file.to_path_buf(),
            line: e.line() as u64,
            message: format!(
                "is not a split file ({{\"train\": [[path, label, class name], ...], \"val\": \
                 ..., \"test\": ...}}): {e}"
            ),
        })?;
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

/// Saves the split of a data set whose paths are relative, atomically.
pub(crate) fn save(dataset: &Dataset, file: &Path) -> std::io::Result<()> {
    let entries = |part: Part| {
        dataset
            .part(part)
            .iter()
            .map(|item| {
                let parts: Option<Vec<&str>> =
                    item.path.iter().map(std::ffi::OsStr::to_str).collect();
                let Some(parts) = parts else {
                    return Err(std::io::Error::other(format!(
                        "the name {} is not UTF-8 text",
                        item.path.display()
                    )));
                };
                let name = dataset.class_names.get(item.label).cloned();
                Ok((parts.join("/"), item.label, name.unwrap_or_default()))
            })
            .collect::<Result<Vec<_>, _>>()
    };
    let split = SplitFile {
        train: entries(Part::Train)?,
        val: entries(Part::Val)?,
        test: entries(Part::Test)?,
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".promptsrc-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The permissions of an ordinary new file; the process's umask still applies.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut saved = builder.tempfile_in(file.parent().unwrap_or(Path::new(".")))?;
    let mut text = Vec::new();
    // Indented by four spaces, as the reference writes it.
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    split.serialize(&mut serde_json::Serializer::with_formatter(
        &mut text, format,
    ))?;
    saved.as_file_mut().write_all(&text)?;
    saved.as_file().sync_all()?;
    saved.persist(file).map_err(|e| e.error)?;
    Ok(())
}
