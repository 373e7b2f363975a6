//! The frame around each message of an event file (TFRecord): its length and two checksums.

/// Bytes of a frame before the message: length and its checksum.
const HEAD: usize = 12;
/// Bytes of a checksum.
const CHECKSUM: usize = 4;

/// A file that is not one of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It ends within a frame, as after a kill.
    #[error("the file ends within the record at byte {at}")]
    Truncated {
        /// Where the frame begins.
        at: usize,
    },
    /// A checksum is not that of its bytes.
    #[error("the record at byte {at} has a wrong checksum")]
    Checksum {
        /// Where the frame begins.
        at: usize,
    },
}

/// The CRC-32C of bytes, turned and shifted so that a checksum of data which contain checksums differs
/// from them.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// A message in its frame.
pub fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [
        &length[..],
        &masked_checksum(&length).to_le_bytes(),
        message,
        &masked_checksum(message).to_le_bytes(),
    ]
    .concat()
}

/// The messages of a file.
///
/// # Errors
/// [`RecordError`] of the first frame that is not whole or not what was written.
pub fn records(bytes: &[u8]) -> Result<Vec<&[u8]>, RecordError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let truncated = RecordError::Truncated { at };
        let head = rest.first_chunk::<HEAD>().ok_or(truncated)?;
        let (length, checksum) = head.split_at(HEAD - CHECKSUM);
        let matches = |bytes: &[u8], checksum: &[u8]| match checksum
            == masked_checksum(bytes).to_le_bytes()
        {
            true => Ok(()),
            false => Err(RecordError::Checksum { at }),
        };
        matches(length, checksum)?;
        let length = length.try_into().map(u64::from_le_bytes).unwrap_or(0);
        let length = usize::try_from(length).map_err(|_| truncated)?;
        let end = length.checked_add(HEAD).ok_or(truncated)?;
        let message = rest.get(HEAD..end).ok_or(truncated)?;
        let last = end.checked_add(CHECKSUM).ok_or(truncated)?;
        matches(message, rest.get(end..last).ok_or(truncated)?)?;
        found.push(message);
        at += last;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32C of "123456789" is e3069283 (RFC 3720, B.4 has its polynomial); turned and shifted by hand.
    #[test]
    fn a_checksum_is_masked() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_checksum(b"123456789"), 0xc78a_b0e5);
    }

    #[test]
    fn damage_is_found() {
        let bytes = [record(b"one"), record(b""), record(b"three")].concat();
        assert_eq!(records(&bytes), Ok(vec![&b"one"[..], b"", b"three"]));
        assert_eq!(records(&[]), Ok(vec![]));
        for end in 1..bytes.len() {
            let whole = end == 19 || end == 35;
            let found = records(&bytes[..end]);
            let truncated = matches!(found, Err(RecordError::Truncated { .. }));
            assert_eq!(truncated, !whole, "{end}: {found:?}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(records(&damaged).is_err(), "{at}");
        }
    }
}
