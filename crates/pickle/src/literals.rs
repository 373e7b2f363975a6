//! Numbers and text as pickles write them.

use std::sync::Arc;

use crate::error::PickleErrorKind as Kind;
use crate::value::Value;

pub(crate) fn utf8(bytes: &[u8]) -> Result<Arc<str>, Kind> {
    let text = std::str::from_utf8(bytes).map_err(|_| Kind::BadText { encoding: "UTF-8" })?;
    Ok(text.into())
}

pub(crate) fn number<T: std::str::FromStr>(text: &[u8], expected: &'static str) -> Result<T, Kind> {
    let text = String::from_utf8_lossy(text);
    text.trim().parse().map_err(|_| Kind::BadNumber {
        text: text.chars().take(40).collect(),
        expected,
    })
}

/// A little-endian two's complement integer of any length.
pub(crate) fn integer(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    if bytes.len() > 8 {
        return Value::BigInt(bytes.to_vec());
    }
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    Value::Int(i64::from_le_bytes(wide))
}

/// A decimal integer of any length that Python itself would read back.
pub(crate) fn decimal_integer(text: &[u8]) -> Result<Value, Kind> {
    const MAX_DIGITS: usize = 4300;
    let expected = "an integer of at most 4300 digits";
    let text = text.trim_ascii();
    let error = match number(text, expected) {
        Ok(value) => return Ok(Value::Int(value)),
        Err(error) => error,
    };
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(error);
    }
    let mut bytes: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u16::from(digit - b'0');
        for byte in &mut bytes {
            carry += u16::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    // The top bit is the sign.
    if bytes.last().is_none_or(|byte| *byte >= 0x80) {
        bytes.push(0);
    }
    if negative {
        let mut carry = true;
        for byte in &mut bytes {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    Ok(Value::BigInt(bytes))
}

/// Python 2's `str` is text in practice, and bytes where it is not.
pub(crate) fn python2_string(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::Str(text.into()),
        Err(error) => Value::Bytes(error.into_bytes()),
    }
}

/// A quoted string with backslash escapes, as Python's `repr` writes it.
pub(crate) fn unquote(line: &[u8]) -> Result<Vec<u8>, Kind> {
    const BAD: Kind = Kind::BadText {
        encoding: "quoted string",
    };
    let line = line.trim_ascii();
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return Err(BAD),
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let escaped = match rest.next().ok_or(BAD)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'x' => {
                let mut digit = || hex_digit(rest.next()).ok_or(BAD);
                (digit()? << 4 | digit()?) as u8
            }
            first @ b'0'..=b'7' => {
                let mut code = u32::from(first - b'0');
                for _ in 0..2 {
                    match rest.peek() {
                        Some(next @ b'0'..=b'7') => {
                            code = code << 3 | u32::from(next - b'0');
                            rest.next();
                        }
                        _ => break,
                    }
                }
                code as u8
            }
            other @ (b'\\' | b'\'' | b'"') => other,
            other => {
                out.push(b'\\');
                other
            }
        };
        out.push(escaped);
    }
    Ok(out)
}

fn hex_digit(byte: Option<u8>) -> Option<u32> {
    char::from(byte?).to_digit(16)
}

/// Latin-1 with `\uXXXX` and `\UXXXXXXXX`: Python's `raw-unicode-escape`.
pub(crate) fn raw_unicode_escape(line: &[u8]) -> Result<String, Kind> {
    const BAD: Kind = Kind::BadText {
        encoding: "raw-unicode-escape",
    };
    let mut out = String::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let digits = match (byte, rest.peek()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                out.push(char::from(byte));
                continue;
            }
        };
        rest.next();
        let mut code = 0;
        for _ in 0..digits {
            code = code << 4 | hex_digit(rest.next()).ok_or(BAD)?;
        }
        out.push(char::from_u32(code).ok_or(BAD)?);
    }
    Ok(out)
}
