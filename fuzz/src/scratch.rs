//! Where inputs lie that a parser wants as a file: in memory, where there is such a folder.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    // The fuzzer never returns to remove it: `run.sh` gives the folder, and does.
    let given = std::env::var_os("PROMPTSRC_FUZZ_SCRATCH").map(PathBuf::from);
    given.expect("PROMPTSRC_FUZZ_SCRATCH: a folder for the files of the parsers")
});

/// A path in the folder.
pub fn path(name: &str) -> PathBuf {
    FOLDER.join(name)
}

/// Writes a file.
pub fn file(name: &str, data: &[u8]) -> PathBuf {
    let path = path(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    std::fs::write(&path, data).expect("a file");
    path
}

/// Writes a file that is the same for every input, the first time.
pub fn fixed(name: &str, data: &[u8]) -> PathBuf {
    let path = path(name);
    if !path.exists() {
        file(name, data);
    }
    path
}

/// Removes a folder and what is in it.
pub fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}
