//! A lock file: held by one process at a time, and released however the process ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A lock that this process holds until the value is dropped.
#[derive(Debug)]
pub struct Lock {
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// By the system, which releases it when the process dies.
    BySystem(#[allow(dead_code, reason = "closing it releases the lock")] File),
    /// By a file that says who holds it, where the file system has no locks.
    ByFile(PathBuf),
}

impl Lock {
    /// Takes the lock of that file, which is made if need be; `None` where another process holds it.
    ///
    /// Some network file systems have no locks. There a second file, `<name>.owner`, is the lock: what a
    /// process that was killed has left is recognised on the same host only.
    ///
    /// # Errors
    /// What the system says of the file; where it is no regular file, a link included.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        refuse_link(path)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self {
                held: Held::BySystem(file),
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => Self::take_by_file(path),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn take_by_file(path: &Path) -> io::Result<Option<Self>> {
        let mut name = path.as_os_str().to_os_string();
        name.push(".owner");
        let owner = PathBuf::from(name);
        let me = format!("{} {}\n", host(), std::process::id());
        for _ in 0..2 {
            match OpenOptions::new().create_new(true).write(true).open(&owner) {
                Ok(mut file) => {
                    file.write_all(me.as_bytes())?;
                    return Ok(Some(Self {
                        held: Held::ByFile(owner),
                    }));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !is_left_behind(&owner) {
                        return Ok(None);
                    }
                    fs::remove_file(&owner)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Held::ByFile(owner) = &self.held {
            // What cannot be removed is recognised by the next process on this host.
            let _ = fs::remove_file(owner);
        }
    }
}

/// Fails where a file is not to be opened for writing: a link would lead elsewhere, a pipe would wait.
pub fn refuse_link(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => Err(io::Error::other(
            "it is a link, a folder or a device; a regular file is expected, remove it",
        )),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether an error says that the file system has no locks.
fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_unix = matches!(
        error.raw_os_error(),
        Some(libc::ENOLCK | libc::ENOSYS | libc::EOPNOTSUPP | libc::EINVAL)
    );
    #[cfg(not(unix))]
    let is_unix = false;
    is_unix || error.kind() == ErrorKind::Unsupported
}

/// Whether the process that made the file is gone: only where it ran on this host.
fn is_left_behind(owner: &Path) -> bool {
    let Ok(text) = crate::read_regular_text(owner, 4096) else {
        return false;
    };
    let Some((host_of, process)) = text.trim().rsplit_once(' ') else {
        return false;
    };
    let Ok(process) = process.parse::<u32>() else {
        return false;
    };
    let processes = Path::new("/proc");
    host_of == host()
        && processes.join("self").exists()
        && !processes.join(process.to_string()).exists()
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.ok().or_else(|| std::env::var("HOSTNAME").ok());
    name.unwrap_or_default().trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_free_again_when_dropped() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(".lock");
        for take in [Lock::take, Lock::take_by_file] {
            let held = take(&path)?;
            assert!(held.is_some());
            assert!(take(&path)?.is_none());
            drop(held);
            assert!(take(&path)?.is_some());
        }
        Ok(())
    }

    #[test]
    fn what_a_dead_process_has_left_is_taken_over() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(".lock");
        let owner = folder.path().join(".lock.owner");
        // No process has this number.
        fs::write(&owner, format!("{} 4194305\n", host()))?;
        assert!(Lock::take_by_file(&path)?.is_some());
        for other in ["elsewhere 4194305\n", "", "no number"] {
            fs::write(&owner, other)?;
            assert!(Lock::take_by_file(&path)?.is_none(), "{other:?}");
        }
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_written_through() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (path, target) = (folder.path().join(".lock"), folder.path().join("target"));
        std::os::unix::fs::symlink(&target, &path)?;
        assert!(Lock::take(&path).is_err());
        assert!(!target.exists());
        Ok(())
    }
}
