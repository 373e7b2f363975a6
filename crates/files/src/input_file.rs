//! A file that may be larger than memory, of which parts are read.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

/// A regular file of which parts are read as they are needed, or bytes in memory in its place.
///
/// It is not mapped: a map of a file that another program shortens ends the process.
pub struct InputFile {
    content: Content,
    len: usize,
}

enum Content {
    File(File),
    Memory(Vec<u8>),
}

/// Bytes that one task of the thread pool reads.
const TASK: usize = 1 << 20;

impl InputFile {
    /// Opens a file.
    ///
    /// # Errors
    /// Where there is none, it cannot be read, or it is no regular file.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = crate::open_regular(path.as_ref())?;
        let len = file.metadata()?.len();
        Ok(Self {
            content: Content::File(file),
            len: usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?,
        })
    }

    /// Its bytes when it was opened.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Some of its bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where they are not all there, now or when it was opened; what the
    /// system says otherwise.
    pub fn read(&self, range: Range<usize>) -> io::Result<Cow<'_, [u8]>> {
        if range.start > range.end || range.end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let file = match &self.content {
            Content::Memory(bytes) => return Ok(Cow::Borrowed(&bytes[range])),
            Content::File(file) => file,
        };
        let mut bytes = vec![0; range.len()];
        bytes
            .par_chunks_mut(TASK)
            .enumerate()
            .try_for_each(|(i, part)| read_at(file, part, (range.start + i * TASK) as u64))?;
        Ok(Cow::Owned(bytes))
    }

    /// All of its bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_all(&self) -> io::Result<Cow<'_, [u8]>> {
        self.read(0..self.len)
    }

    /// A reader from its beginning.
    pub fn reader(&self) -> InputReader<'_> {
        InputReader {
            input: self,
            position: 0,
        }
    }
}

impl From<Vec<u8>> for InputFile {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            len: bytes.len(),
            content: Content::Memory(bytes),
        }
    }
}

impl fmt::Debug for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputFile")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Reads an [`InputFile`] from one place to another.
#[derive(Debug)]
pub struct InputReader<'a> {
    input: &'a InputFile,
    position: u64,
}

impl Read for InputReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(self.position).unwrap_or(usize::MAX);
        let left = self.input.len.saturating_sub(start);
        let n = buffer.len().min(left);
        if n > 0 {
            buffer[..n].copy_from_slice(&self.input.read(start..start + n)?);
        }
        self.position += n as u64;
        Ok(n)
    }
}

impl Seek for InputReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => (self.input.len as u64).checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => (bytes, offset) = (&mut bytes[n..], offset + n as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bytes");
        let expected: Vec<u8> = (0..3 * TASK as u32 + 7).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &expected)?;
        for file in [InputFile::open(&path)?, expected.clone().into()] {
            let len = expected.len();
            assert_eq!(file.len(), len);
            for range in [0..0, 0..1, 5..TASK + 9, len - 1..len, len..len, 0..len] {
                assert_eq!(*file.read(range.clone())?, expected[range]);
            }
            for range in [len..len + 1, 0..len + 1, usize::MAX - 1..usize::MAX] {
                let error = file.read(range).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            }
            let mut reader = file.reader();
            reader.seek(SeekFrom::End(-9))?;
            let mut end = Vec::new();
            reader.read_to_end(&mut end)?;
            assert_eq!(end, expected[len - 9..]);
            assert!(reader.seek(SeekFrom::Current(-(len as i64) - 1)).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_file_that_is_shortened_is_an_error() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bytes");
        std::fs::write(&path, vec![7; 10_000])?;
        let file = InputFile::open(&path)?;
        std::fs::write(&path, vec![7; 5_000])?;
        assert_eq!(file.read(0..5_000)?.len(), 5_000);
        let error = file.read(0..5_001).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        Ok(())
    }
}
