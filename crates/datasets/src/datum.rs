//! Lists of images that the reference saved as pickles: parsed, never executed.
//!
//! A pickle holds a dictionary of lists of Dassl's `Datum`, whose attributes are `_impath`,
//! `_label`, `_domain` and `_classname`. The paths are those of the machine that wrote it; only
//! their ends are used here.

use std::path::Path;

use promptsrc_pickle::{Node, Pickle};

use crate::DataError;

/// A `Datum`.
pub(crate) struct Datum {
    /// Parts of the path.
    pub(crate) path: Vec<String>,
    pub(crate) label: usize,
    pub(crate) class_name: String,
}

pub(crate) fn wrong(file: &Path, message: impl Into<String>) -> DataError {
    DataError::Pickle {
        file: file.to_path_buf(),
        message: message.into(),
    }
}

/// A file of the reference, and its bytes.
pub(crate) fn parse(file: &Path) -> Result<(Pickle, Vec<u8>), DataError> {
    // Checked before opening: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(file).map_err(DataError::read(file))?;
    if !metadata.is_file() {
        return Err(wrong(file, "is not a regular file"));
    }
    let size = metadata.len();
    if size > Pickle::MAX_BYTES as u64 {
        let most = Pickle::MAX_BYTES >> 20;
        return Err(wrong(
            file,
            format!("is larger than {most} MiB; remove it to continue without it"),
        ));
    }
    let bytes = promptsrc_files::read_regular(file, promptsrc_files::LARGEST_TEXT)
        .map_err(DataError::read(file))?;
    let pickle = Pickle::parse(&bytes)
        .map_err(|e| wrong(file, format!("cannot be read as a pickle: {e}")))?;
    if let Some(code) = pickle.code() {
        return Err(wrong(
            file,
            format!("would run {code} if Python opened it; it is not a file of the reference"),
        ));
    }
    Ok((pickle, bytes))
}

/// The list of that name; `None` where the pickle has none.
pub(crate) fn list(
    file: &Path,
    pickle: &Pickle,
    name: &str,
) -> Result<Option<Vec<Datum>>, DataError> {
    let Some(list) = pickle.root().get(name) else {
        return Ok(None);
    };
    let each = list.elements().enumerate();
    each.map(|(index, node)| {
        datum(node).ok_or_else(|| {
            let found = node.value().kind();
            wrong(
                file,
                format!(
                    "expected an image with _impath, _label and _classname as entry {index} of \
                     {name:?}, found {found}"
                ),
            )
        })
    })
    .collect::<Result<_, _>>()
    .map(Some)
}

fn datum(node: Node) -> Option<Datum> {
    // The private attributes of Dassl's class, or those that its properties are called by.
    let get = |private: &str, public: &str| node.get(private).or_else(|| node.get(public));
    let path = get("_impath", "impath")?.as_str()?;
    let parts = path.split(['/', '\\']).filter(|part| !part.is_empty());
    Some(Datum {
        path: parts.map(str::to_string).collect(),
        label: get("_label", "label")?.as_usize()?,
        class_name: get("_classname", "classname")?.as_str()?.to_string(),
    })
}
