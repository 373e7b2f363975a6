//! A lock file: held by one process at a time, on all machines, and released however the process ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::lease::Lease;

/// A lock that this process holds until the value is dropped: the system's on this machine, and a lease
/// among all machines that share the folder.
#[derive(Debug)]
pub struct Lock {
    lease: Lease,
    /// Closing it releases the lock, after the lease is released.
    _file: File,
}

impl Lock {
    /// Takes the lock of that file, which is made if need be; `None` where another process holds it.
    ///
    /// Some network file systems have no locks, or none between machines. The lease beside the file is
    /// enough there.
    ///
    /// # Errors
    /// What the system says of the file; where it is no regular file, a link included.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        Self::take_with(path, Lease::take)
    }

    /// As [`take`](Self::take); where the last holder was on another machine and is silent, waits up to a
    /// minute for a sign of life.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_patiently(path: &Path) -> io::Result<Option<Self>> {
        Self::take_with(path, Lease::take_patiently)
    }

    fn take_with(
        path: &Path,
        take: impl Fn(&Path, bool) -> io::Result<Option<Lease>>,
    ) -> io::Result<Option<Self>> {
        refuse_link(path)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        let locked = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => false,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let lease = take(path, locked)?;
        Ok(lease.map(|lease| Self { lease, _file: file }))
    }

    /// Fails if another machine has taken over because this one gave no sign of life for a minute: before
    /// something is written that the other would not expect.
    ///
    /// # Errors
    /// What the system says, or that the lease is lost.
    pub fn check(&self) -> io::Result<()> {
        self.lease.check()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_free_again_when_dropped() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(".lock");
        for take in [Lock::take, Lock::take_patiently] {
            let held = take(&path)?.expect("the lock");
            held.check()?;
            assert!(take(&path)?.is_none());
            drop(held);
            assert!(take(&path)?.is_some());
            assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_machine_that_holds_the_lease_is_respected_whatever_the_system_says() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(".lock");
        fs::write(folder.path().join(".lock.lease.1"), "elsewhere 17 1.0 3\n")?;
        assert!(Lock::take(&path)?.is_none());
        let changes = || {
            std::thread::sleep(std::time::Duration::from_millis(400));
            fs::write(folder.path().join(".lock.lease.1"), "elsewhere 17 1.0 4\n")
        };
        std::thread::scope(|scope| {
            scope.spawn(changes);
            assert!(Lock::take_patiently(&path)?.is_none());
            Ok(())
        })
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
