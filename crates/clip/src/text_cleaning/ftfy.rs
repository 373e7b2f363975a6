//! "Fixes text for you": a port of `ftfy.fix_text` with its default settings.
//!
//! Ported from [ftfy] 6.3 by Robyn Speer, licensed under the Apache License 2.0.
//!
//! [ftfy]: https://github.com/rspeer/python-ftfy

use std::borrow::Cow;
use std::iter::once;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::{html, mojibake};

/// Number of characters that are repaired at once in a text without line breaks.
const LONGEST_SEGMENT: usize = 1_000_000;

/// Repairs a text line by line.
pub(super) fn fix_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut unescape = true;
    for segment in text.split_inclusive('\n').flat_map(pieces) {
        // Real HTML keeps its entities, from the first tag on.
        unescape &= !segment.contains('<');
        out.push_str(&fix_segment(segment, unescape));
    }
    out
}

/// A line in pieces of at most [`LONGEST_SEGMENT`] characters.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .char_indices()
            .nth(LONGEST_SEGMENT)
            .map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(piece)
    })
}

/// Applies all repairs until none changes anything.
fn fix_segment(segment: &str, unescape: bool) -> String {
    let mut text = segment.to_string();
    loop {
        let mut fixed = Cow::Borrowed(text.as_str());
        if unescape {
            fixed = html::unescape_terminated(&text);
        }
        let fixed = mojibake::fix_encoding(&fixed);
        let fixed = replace_characters(&fixed);
        let fixed = remove_terminal_escapes(&fixed);
        let fixed: String = fixed.chars().filter(|c| !is_unwanted(*c)).nfc().collect();
        if fixed == text {
            return fixed;
        }
        text = fixed;
    }
}

/// Replaces control characters, ligatures, full-width and half-width forms, curly quotes and line
/// breaks by their plain forms.
fn replace_characters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut push = |c: char| {
        out.push(match c {
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
            '\u{201c}'..='\u{201f}' => '"',
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
            other => other,
        });
    };
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c == '\r' && characters.peek() == Some(&'\n') {
            continue;
        }
        let c = mojibake::fix_c1_control(c);
        match ligature(c) {
            Some(letters) => letters.chars().for_each(&mut push),
            None if is_other_width(c) => once(c).nfkc().for_each(&mut push),
            None => push(c),
        }
    }
    out
}

/// The letters of a ligature or digraph that is usually a copy-and-paste accident.
fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "ʼn",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' => "ſt",
        'ﬆ' => "st",
        _ => return None,
    })
}

/// Whether the character is a full-width or half-width form of another.
fn is_other_width(c: char) -> bool {
    matches!(c, '\u{3000}' | '\u{ff01}'..='\u{ffef}')
}

fn remove_terminal_escapes(text: &str) -> Cow<'_, str> {
    static ESCAPE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\x1b\[[\p{Nd};]*[a-zA-Z]").expect("a constant pattern"));
    if text.contains('\u{1b}') {
        ESCAPE.replace_all(text, "")
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether the character is neither visible nor a separator.
fn is_unwanted(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_ftfy_come_out_as_documented() {
        for (text, expected) in [
            ("âœ” No problems", "✔ No problems"),
            ("&macr;\\_(ã\u{83}\u{84})_/&macr;", "¯\\_(ツ)_/¯"),
            (
                "Broken text&hellip; it&#x2019;s ﬂubberiﬁc!",
                "Broken text… it's flubberific!",
            ),
            ("ＬＯＵＤ　ＮＯＩＳＥＳ", "LOUD NOISES"),
            ("Ｕﾀｰﾝ", "Uターン"),
            ("\u{1b}[36;44mI'm blue\u{1b}[0m", "I'm blue"),
            ("a\r\nb\rc\u{2028}d\u{2029}e", "a\nb\nc\nd\ne"),
            ("\u{feff}bom", "bom"),
            ("e\u{301}", "é"),
        ] {
            assert_eq!(fix_text(text), expected, "{text}");
        }
    }

    #[test]
    fn a_tag_keeps_the_entities_of_its_line_and_of_all_later_ones() {
        assert_eq!(fix_text("&amp;\n<b>&amp;\n&amp;"), "&\n<b>&amp;\n&amp;");
    }

    #[test]
    fn a_text_without_line_breaks_is_repaired_piece_by_piece() {
        let text = "ü".repeat(LONGEST_SEGMENT + 1);
        assert_eq!(
            pieces(&text).map(str::len).collect::<Vec<_>>(),
            [2 * LONGEST_SEGMENT, 2]
        );
    }
}
