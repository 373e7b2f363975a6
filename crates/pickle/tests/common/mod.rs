//! A hostile pickle that several tests use.

/// A list of the list before it, twice, on 60 levels: 2^60 leaves if values were copied.
pub fn doubling_lists() -> Vec<u8> {
    let mut bytes = b"\x80\x02]q\x00".to_vec();
    for level in 0..60u8 {
        bytes.extend([b']', b'q', level + 1, b'(', b'h', level, b'h', level, b'e']);
    }
    bytes.push(b'.');
    bytes
}
