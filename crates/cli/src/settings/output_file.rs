//! Files that a command writes: nothing is replaced unawares, and never what the command reads.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Fails if a command must not write a file at `path`: because it is no regular file; because there is one
/// and `force` does not say to replace it; or because it is one of the `inputs`, files or folders, which
/// `force` does not change. `option` is what the path was given as.
pub fn check(
    option: &str,
    path: &Path,
    force: bool,
    inputs: &[impl AsRef<Path>],
) -> Result<(), Failure> {
    let failed = |problem: String| {
        Err(Failure::failed(format!(
            "{option}{}: {problem}",
            path.display()
        )))
    };
    // A link whose target is missing counts as well: saving would put a file in its place.
    if path.symlink_metadata().is_ok() {
        if !path.is_file() {
            return failed("is not a regular file; give the name of a file to write".to_string());
        }
        let place = same_file::Handle::from_path(path);
        let is_place = |input: &Path| {
            let input = same_file::Handle::from_path(input);
            matches!((&place, input), (Ok(place), Ok(input)) if *place == input)
        };
        let is_read = |input: &&Path| match input.is_dir() {
            true => fs::read_dir(input)
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| is_place(&entry.path())),
            false => is_place(input),
        };
        if let Some(input) = inputs.iter().map(AsRef::as_ref).find(is_read) {
            return failed(format!(
                "is an input of this command ({}), which it does not replace; choose another path",
                input.display()
            ));
        }
        if !force {
            return failed(
                "exists: give --force to replace it, or choose another path".to_string(),
            );
        }
    }
    // The folder is created when the file is saved; what is in its way is found before.
    let in_the_way = path
        .ancestors()
        .skip(1)
        .find(|folder| folder.exists() && !folder.is_dir());
    match in_the_way {
        Some(file) => failed(format!("{} is a file, not a folder", file.display())),
        None => Ok(()),
    }
}

/// The paths among what a command was given: a CLIP may also be a name.
pub fn paths<'a>(given: impl IntoIterator<Item = &'a str>) -> Vec<PathBuf> {
    let given = given.into_iter().map(PathBuf::from);
    given.filter(|path| path.exists()).collect()
}
