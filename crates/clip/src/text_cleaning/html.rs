//! HTML character references, decoded as Python's `html.unescape` does.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::mojibake::WINDOWS_1252;

/// Named references: name without `&`, with its semicolon where it has one, to its characters.
static NAMED: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    include_str!("../../assets/html5_entities.txt")
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            let characters = value
                .split(' ')
                .filter_map(|c| u32::from_str_radix(c, 16).ok().and_then(char::from_u32));
            Some((name, characters.collect()))
        })
        .collect()
});

/// Names in capitals that a browser does not know but whose meaning is clear (`EACUTE;`), with
/// their semicolons.
static SHOUTED: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    NAMED
        .iter()
        .filter(|(name, _)| name.ends_with(';') && !name.contains(|c: char| c.is_ascii_uppercase()))
        .map(|(name, value)| (name.to_uppercase(), value.to_uppercase()))
        .filter(|(name, _)| longest_name(name).is_none())
        .collect()
});

/// Decodes every reference, named or numeric, with or without its semicolon.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    static REFERENCE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\x0c <&#;]{1,32};?)"));
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    REFERENCE.replace_all(text, |found: &Captures| {
        let reference = &found[1];
        if let Some(number) = reference.strip_prefix('#') {
            return numeric(number.trim_end_matches(';'));
        }
        match longest_name(reference) {
            Some((value, rest)) => format!("{value}{rest}"),
            None => found[0].to_string(),
        }
    })
}

/// Decodes only what is unmistakably a reference: those that end in a semicolon, names in capitals
/// included. This is ftfy's `unescape_html`.
pub(super) fn unescape_terminated(text: &str) -> Cow<'_, str> {
    static REFERENCE: LazyLock<Regex> = LazyLock::new(|| pattern("&(#?[0-9A-Za-z]{1,24};)"));
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    REFERENCE.replace_all(text, |found: &Captures| {
        let (whole, name) = (&found[0], &found[1]);
        if name.starts_with('#') {
            let decoded = unescape(whole);
            // A semicolon that is left was not part of the number.
            return if decoded.contains(';') {
                whole.to_string()
            } else {
                decoded.into_owned()
            };
        }
        let known = NAMED.get(name).or_else(|| SHOUTED.get(name));
        known.map_or_else(|| whole.to_string(), String::clone)
    })
}

/// The value of the longest name that `reference` begins with, and what follows the name.
fn longest_name(reference: &str) -> Option<(&'static str, &str)> {
    (2..=reference.len()).rev().find_map(|end| {
        let (name, rest) = reference.split_at_checked(end)?;
        Some((NAMED.get(name)?.as_str(), rest))
    })
}

/// The character of `233` or `xe9`: what browsers make of it, invalid numbers included.
fn numeric(digits: &str) -> String {
    let (digits, radix) = match digits.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => (hexadecimal, 16),
        None => (digits, 10),
    };
    let number = digits
        .chars()
        .filter_map(|c| c.to_digit(radix))
        .fold(0u32, |n, digit| {
            n.saturating_mul(radix).saturating_add(digit)
        });
    let character = match number {
        0 => Some('\u{fffd}'),
        0x0d => Some('\r'),
        // Written by people whose bytes were Windows-1252.
        0x80..=0x9f => WINDOWS_1252.decode(number as u8),
        0x01..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f | 0xfdd0..=0xfdef => None,
        _ if number <= 0x10_ffff && number & 0xfffe == 0xfffe => None,
        _ => Some(char::from_u32(number).unwrap_or('\u{fffd}')),
    };
    character.map(String::from).unwrap_or_default()
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_is_read() {
        assert_eq!(NAMED.len(), 2231);
        assert_eq!(NAMED["NewLine;"], "\n");
        assert_eq!(NAMED["NotEqualTilde;"], "\u{2242}\u{338}");
    }

    #[test]
    fn references_are_decoded_as_python_does() {
        // Each pair from CPython 3.11's html.unescape.
        for (text, expected) in [
            ("&eacute;clair &eacuteclair", "éclair éclair"),
            ("&notit; &notin; &not", "¬it; ∉ ¬"),
            ("&ampx &amp;amp; &&amp", "&x &amp; &&"),
            ("&unknown; &; & &#; &#x;", "&unknown; &; & &#; &#x;"),
            ("&#233;&#xE9&#XE9;&#150;&#x80;&#x81;", "ééé–€\u{81}"),
            (
                "&#0;&#xD800;&#1114112;&#99999999999999999999;",
                "\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("&#1;&#x1f;&#127;&#xfdd0;&#x1fffe;&#x10ffff;&#xb;", ""),
            ("&#13;&#10;&#9;", "\r\n\t"),
        ] {
            assert_eq!(unescape(text), expected, "{text}");
        }
    }

    #[test]
    fn only_terminated_references_are_decoded_in_the_cautious_form() {
        for (text, expected) in [
            ("this&not that &notit; &amp", "this&not that &notit; &amp"),
            ("P&EACUTE;REZ BUNDESSTRA&SZLIG;E", "PÉREZ BUNDESSTRASSE"),
            ("&ntilde; &Ntilde; &NTILDE; &nTILDE;", "ñ Ñ Ñ &nTILDE;"),
            ("&#59; &#233;", "&#59; é"),
        ] {
            assert_eq!(unescape_terminated(text), expected, "{text}");
        }
    }
}
