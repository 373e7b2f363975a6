//! The bytes of a file that may be larger than memory.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a whole file: mapped, so that what is not looked at costs no memory, or in memory.
pub struct FileBytes(Content);

enum Content {
    Mapped(Mmap),
    InMemory(Vec<u8>),
}

impl FileBytes {
    /// Maps a file.
    ///
    /// # Errors
    /// Where there is none, it cannot be read or it is a folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if metadata.len() == 0 {
            // An empty file cannot be mapped everywhere.
            return Ok(Vec::new().into());
        }
        // SAFETY: the map is private and only read, as bytes, of which every value is valid. Nothing can
        // keep another program from changing the file meanwhile; that can make numbers wrong but breaks
        // no promise of the type system.
        Ok(Self(Content::Mapped(unsafe { Mmap::map(&file) }?)))
    }

    /// Lets the system take back the memory of `part`, which these bytes have lent: it is read from the
    /// file again when it is looked at again. Where the bytes are in memory nothing happens.
    pub fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Content::Mapped(map) = &self.0 {
            let start = (part.as_ptr() as usize).wrapping_sub(map.as_ptr() as usize);
            if start >= map.len() || part.len() > map.len() - start {
                return; // Not of this file.
            }
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // The system wants whole pages; the map itself rounds the beginning.
            // SAFETY: the map is of a file and never written, so its pages come back as they were.
            // Where the system will not, the memory stays: no fault.
            let _ = unsafe { map.unchecked_advise_range(advice, start, part.len()) };
        }
        #[cfg(not(unix))]
        let _ = part;
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Content::InMemory(bytes))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(map) => map,
            Content::InMemory(bytes) => bytes,
        }
    }
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBytes")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_bytes_are_read_again() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bytes");
        let expected: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &expected)?;
        let bytes = FileBytes::open(&path)?;
        for range in [0..1, 4096..8192, 5000..90_000, 99_999..100_000, 0..100_000] {
            assert_eq!(bytes[range.clone()], expected[range.clone()]);
            bytes.release(&bytes[range]);
            assert_eq!(*bytes, *expected);
        }
        bytes.release(&expected);
        assert_eq!(*bytes, *expected);
        Ok(())
    }

    #[test]
    fn an_empty_file_has_no_bytes_and_a_folder_none_to_read() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("empty");
        std::fs::write(&path, [])?;
        assert!(FileBytes::open(&path)?.is_empty());
        assert!(FileBytes::open(folder.path()).is_err());
        assert!(FileBytes::open(folder.path().join("none")).is_err());
        Ok(())
    }
}
