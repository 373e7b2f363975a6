//! A bound on what JSON becomes in memory: a value takes many times its bytes.

use std::io;
use std::path::Path;

use crate::regular::read_regular;

/// Most that the values of a JSON text may weigh. A multilingual tokenizer of 900,000 tokens, each with its
/// number in a list of its own, weighs 4.5 million.
const HEAVIEST: usize = 4_800_000;

/// Refuses a JSON text whose values would take some hundreds of MiB: of `[0,0,0,...]` each two bytes become 32,
/// of `[{},{},...]` more than that.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`], with a sentence that begins with "it has".
pub fn bounded_json(text: &[u8]) -> io::Result<()> {
    let (mut weight, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        weight += match byte {
            b'"' => {
                in_string = true;
                0
            }
            b',' | b':' => 1,
            // A list or an object of its own has room for more than one value.
            b'[' => 3,
            b'{' => 8,
            _ => 0,
        };
        if weight > HEAVIEST {
            let problem = "it has more values than such a file may have";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
    }
    Ok(())
}

/// All bytes of a regular JSON file, within the bound on its values.
///
/// # Errors
/// As [`read_regular`] and [`bounded_json`].
pub fn read_regular_json(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let bytes = read_regular(path, most)?;
    bounded_json(&bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_count_and_what_stands_in_a_text_does_not() {
        let many = |part: &str| part.repeat(HEAVIEST + 1).into_bytes();
        for heavy in ["0,", "[", "{", "\"\":"] {
            assert!(bounded_json(&many(heavy)).is_err(), "{heavy}");
        }
        for light in ["0", " ", "\""] {
            assert!(bounded_json(&many(light)).is_ok(), "{light}");
        }
        let text = [b"\"\\\"".as_slice(), &many(","), b"\""].concat();
        assert!(bounded_json(&text).is_ok());
        let ended = [b"\"\\\\\"".as_slice(), &many(",0")].concat();
        assert!(bounded_json(&ended).is_err());
    }
}
