//! CoOp's split files: `{"train": [[path, label, class name], ...], "val": ..., "test": ...}`.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::labels::Labels;
use crate::{DataError, Dataset, Item, Part, class_names, text};

#[derive(Serialize, Deserialize)]
struct SplitFile {
    /// How this program made the split; other readers of split files ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_by_promptsrc: Option<serde_json::Value>,
    train: Vec<Entry>,
    #[serde(default)]
    val: Vec<Entry>,
    #[serde(default)]
    test: Vec<Entry>,
}

/// Path, label and class name.
type Entry = (String, usize, String);

/// What tells one split file from another.
pub(crate) struct Identity {
    /// BLAKE3 of the lists: paths, labels and class names in order.
    pub(crate) hash: String,
    /// Whether this program made the split.
    pub(crate) made_here: bool,
}

/// Reads a split; the items' paths stay relative.
pub(crate) fn read(file: &Path, names: Option<&Path>) -> Result<Dataset, DataError> {
    dataset(parse(file)?, file, names, Labels::as_read(file))
}

/// Reads the split of one of the paper's data sets, whose class names are the published ones, and
/// what identifies it.
pub(crate) fn read_identified(file: &Path) -> Result<(Dataset, Identity), DataError> {
    let split = parse(file)?;
    let identity = Identity {
        hash: hash(&split),
        made_here: split.made_by_promptsrc.is_some(),
    };
    Ok((dataset(split, file, None, Labels::new(file))?, identity))
}

fn parse(file: &Path) -> Result<SplitFile, DataError> {
    serde_json::from_str(&text::read(file)?).map_err(|e| DataError::Malformed {
        file: file.to_path_buf(),
        line: e.line() as u64,
        message: format!(
            "is not a split file ({{\"train\": [[path, label, class name], ...], \"val\": \
             ..., \"test\": ...}}): {e}"
        ),
    })
}

fn hash(split: &SplitFile) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for (part, entries) in [
        ("train", &split.train),
        ("val", &split.val),
        ("test", &split.test),
    ] {
        text(part);
        text(&entries.len().to_string());
        for (path, label, name) in entries {
            text(path);
            text(&label.to_string());
            text(name);
        }
    }
    hasher.finalize().to_hex().to_string()
}

fn dataset(
    split: SplitFile,
    file: &Path,
    names: Option<&Path>,
    mut labels: Labels,
) -> Result<Dataset, DataError> {
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

/// Saves the split of a data set whose paths are relative, atomically, marked as made in this way.
pub(crate) fn save(dataset: &Dataset, file: &Path, how: &str) -> std::io::Result<()> {
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
        made_by_promptsrc: Some(format!("{how}; this is not the published split").into()),
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
