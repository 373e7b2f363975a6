//! The bytes of a pickle, read one field after the other.

use std::sync::Arc;

use crate::error::PickleErrorKind as Kind;
use crate::literals::utf8;

/// The bytes of a pickle, and how far they have been read.
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    position: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Number of bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    fn left(&self) -> &'b [u8] {
        self.bytes.get(self.position..).unwrap_or(&[])
    }

    pub(crate) fn need(&self, length: u64) -> Result<usize, Kind> {
        let left = self.left().len();
        match usize::try_from(length) {
            Ok(length) if length <= left => Ok(length),
            _ => Err(Kind::Truncated {
                needed: length,
                left,
            }),
        }
    }

    pub(crate) fn take(&mut self, length: u64) -> Result<&'b [u8], Kind> {
        let length = self.need(length)?;
        let taken = self.left().get(..length).unwrap_or(&[]);
        self.position += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Kind> {
        let left = self.left();
        let array = *left.first_chunk().ok_or(Kind::Truncated {
            needed: N as u64,
            left: left.len(),
        })?;
        self.position += N;
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Kind> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Kind> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Kind> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn signed_length(&mut self) -> Result<u64, Kind> {
        let length: i64 = i32::from_le_bytes(self.array()?).into();
        u64::try_from(length).map_err(|_| Kind::NegativeLength { length })
    }

    /// Bytes up to the next line end, which is read too and not returned.
    pub(crate) fn line(&mut self) -> Result<&'b [u8], Kind> {
        let left = self.left();
        let end = left
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(Kind::UnendedLine)?;
        self.position += end + 1;
        let line = left.get(..end).unwrap_or(&[]);
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    pub(crate) fn utf8_line(&mut self) -> Result<Arc<str>, Kind> {
        utf8(self.line()?)
    }
}
