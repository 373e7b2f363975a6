//! Files that are either whole or not there: written beside their place, then renamed into it.

use std::io::Write;
use std::path::{Path, PathBuf};

const PREFIX: &str = ".promptsrc-";
const SUFFIX: &str = ".part";

/// A file that could not be saved. What the path held before is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("cannot save {}: {source}", path.display())]
pub struct SaveError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

/// A file that is being written beside its place. It is put there by [`commit`](Self::commit); without that
/// nothing is left of it.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl AtomicFile {
    /// Begins a file that will be at `path`, in whose folder it is written.
    ///
    /// # Errors
    /// [`SaveError`] if there is something else than a regular file at `path`, or the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self, SaveError> {
        let create = || -> std::io::Result<tempfile::NamedTempFile> {
            // Renaming onto a device or a pipe would put a file in its place.
            if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
                let problem = "it exists and is not a regular file; choose another path";
                return Err(std::io::Error::other(problem));
            }
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX).suffix(SUFFIX);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                // As an ordinary new file would have it; the process's mask still applies.
                builder.permissions(std::fs::Permissions::from_mode(0o666));
            }
            // The temporary name would be in the message.
            let plain = |error: std::io::Error| match error.raw_os_error() {
                Some(code) => std::io::Error::from_raw_os_error(code),
                None => std::io::Error::from(error.kind()),
            };
            builder.tempfile_in(folder(path)).map_err(plain)
        };
        match create() {
            Ok(file) => Ok(Self {
                path: path.to_path_buf(),
                file,
            }),
            Err(source) => Err(SaveError {
                path: path.to_path_buf(),
                source,
            }),
        }
    }

    /// Waits until the disk has the file, and puts it into its place.
    ///
    /// # Errors
    /// [`SaveError`] if that fails; what the path held before is unchanged.
    pub fn commit(self) -> Result<(), SaveError> {
        let Self { path, file } = self;
        let commit = || -> std::io::Result<()> {
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|e| e.error)?;
            // The name as well: else it could be lost with the power.
            #[cfg(unix)]
            match std::fs::File::open(folder(&path)).and_then(|folder| folder.sync_all()) {
                // Some file systems cannot, and some folders can be written but not read.
                Err(error) if !cannot_sync(&error) => return Err(error),
                _ => {}
            }
            Ok(())
        };
        commit().map_err(|source| SaveError {
            path: path.clone(),
            source,
        })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The inner file: the wrapper's errors would speak of the temporary name.
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// Writes `bytes` to `path`, all or nothing, and waits until the disk has them.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), SaveError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|source| SaveError {
        path: path.to_path_buf(),
        source,
    })?;
    file.commit()
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn cannot_sync(error: &std::io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EACCES | libc::EPERM | libc::EBADF | libc::EOPNOTSUPP)
    )
}

/// Removes what a process that was killed while it saved has left in a folder. Only for a folder
/// in which no other process saves.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            // A leftover that cannot be removed does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
