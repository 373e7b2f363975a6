//! Files of the repository: weights to parse with, and seeds.

use std::path::{Path, PathBuf};

/// Largest seed.
const LARGEST: u64 = 512 << 10;

/// Folders with files that a parser takes.
const FOLDERS: [&str; 5] = [
    "crates/cli/tests/fixtures",
    "crates/datasets/tests/fixtures",
    "crates/image/tests",
    "examples/images/red_circle",
    "tools/goldens/data",
];

/// A path in the repository.
pub fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// The bytes of a file of the repository.
pub fn read(file: &str) -> Vec<u8> {
    let path = path(file);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The small files with one of these extensions.
pub fn with_extension(extensions: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        below(&path(folder), &mut found);
    }
    found.retain(|file| {
        let name = file.to_string_lossy();
        extensions.iter().any(|e| name.ends_with(&format!(".{e}")))
    });
    contents(found)
}

/// The seeds of a target that are kept beside this program.
pub fn own(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    below(&folder.join(target), &mut found);
    contents(found)
}

fn contents(mut files: Vec<PathBuf>) -> Vec<(String, Vec<u8>)> {
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (name.into_owned(), bytes)
    };
    files.into_iter().map(read).collect()
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder);
    for entry in entries.unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry of a folder").path();
        let metadata = path.metadata().expect("a file of the repository");
        match metadata.is_dir() {
            true => below(&path, found),
            false if metadata.len() <= LARGEST => found.push(path),
            false => {}
        }
    }
}
