//! The folder of goldens: where it is, what is in it, and its JSON files.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of goldens in force: `PROMPTSRC_GOLDENS`, or the committed set.
pub fn dir() -> PathBuf {
    match std::env::var_os("PROMPTSRC_GOLDENS") {
        // Tests run in their crate's folder; a relative path is meant from the workspace's root.
        Some(dir) => workspace_root().join(dir),
        None => committed(),
    }
}

/// The folder of the committed set.
pub(crate) fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace's root exists")
}

/// Whether a group of goldens is there. The committed set has them all; another folder may lack
/// one, which is said aloud.
///
/// # Panics
/// If the committed set lacks it.
pub fn has(relative: impl AsRef<Path>) -> bool {
    let path = path(relative);
    let there = path.exists();
    if !there {
        assert!(
            !is_committed(),
            "{} is missing from the committed goldens",
            path.display()
        );
        println!("parity: no {}; nothing compared", path.display());
    }
    there
}

/// Whether the committed set is in force, of which a test knows what must be there.
pub fn is_committed() -> bool {
    std::env::var_os("PROMPTSRC_GOLDENS").is_none()
}

/// Names of the cases of a folder: its JSON files without their ending, sorted.
pub fn cases(folder: impl AsRef<Path>) -> Vec<String> {
    list(folder)
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .map(str::to_string)
        .collect()
}

/// Path of one golden file below [`dir`].
pub fn path(relative: impl AsRef<Path>) -> PathBuf {
    dir().join(relative)
}

/// One JSON golden, by its path below [`dir`].
pub fn json(relative: impl AsRef<Path>) -> Value {
    read_json(&path(relative))
}

pub(crate) fn read_json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names of the entries of a folder below [`dir`], sorted; empty where the folder is absent.
pub fn list(relative: impl AsRef<Path>) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path(relative)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|e| {
            e.expect("a readable folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
