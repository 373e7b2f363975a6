//! Regular files: what devices, pipes and folders are not.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a text: a list, a configuration, a vocabulary, a log.
pub const LARGEST_TEXT: u64 = 256 << 20;

/// Most bytes of an adapter, a state or features.
pub const LARGEST_TENSORS: u64 = 8 << 30;

/// Opens a file for reading, if it is a regular one. A pipe would wait for a writer, and a device may never
/// end.
///
/// # Errors
/// Where it cannot be opened, or is something else.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe must not wait. It means nothing to a regular file.
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::other(
            "it is a device, a pipe or a socket; a regular file is expected",
        ));
    }
    Ok(file)
}

/// All bytes of a regular file of at most `most`.
///
/// # Errors
/// As [`open_regular`]; and where it has more bytes.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let len = file.metadata()?.len();
    let too_large = || {
        io::Error::other(format!(
            "it has more than {most} bytes, the most that such a file may have"
        ))
    };
    if len > most {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large());
    }
    Ok(bytes)
}

/// As [`read_regular`], for text.
///
/// # Errors
/// As [`read_regular`]; and where it is not UTF-8.
pub fn read_regular_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read_regular(path, most)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_file_is_read_and_a_longer_one_is_not() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("text");
        std::fs::write(&path, "four")?;
        assert_eq!(read_regular(&path, 4)?, b"four");
        assert_eq!(read_regular_text(&path, 100)?, "four");
        assert!(read_regular(&path, 3).is_err());
        std::fs::write(&path, [0xff])?;
        assert!(read_regular_text(&path, 100).is_err());
        assert!(read_regular(folder.path(), 100).is_err());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_at_once() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status()?;
        assert!(made.success());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket)?;
        for path in [&pipe, &socket, Path::new("/dev/zero"), folder.path()] {
            assert!(read_regular(path, 100).is_err(), "{}", path.display());
        }
        Ok(())
    }
}
