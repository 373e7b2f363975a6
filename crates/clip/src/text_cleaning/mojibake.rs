//! Mojibake: UTF-8 that was decoded in a one-byte encoding, found and decoded again.
//!
//! Ported from [ftfy] 6.3 by Robyn Speer, licensed under the Apache License 2.0: `fix_encoding`,
//! the heuristic of `badness.py` and the character classes of `chardata.py`.
//!
//! [ftfy]: https://github.com/rspeer/python-ftfy

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use regex::bytes::Regex as BytesRegex;

/// Undoes decodings in the wrong encoding until the text looks right or nothing helps.
pub(super) fn fix_encoding(text: &str) -> String {
    let mut text = text.to_string();
    while let Some(fixed) = fix_once(&text).filter(|fixed| *fixed != text) {
        text = fixed;
    }
    text
}

/// The character of Windows-1252 in the place of a C1 control character, as browsers read it.
pub(super) fn fix_c1_control(c: char) -> char {
    match c {
        '\u{80}'..='\u{9f}' => WINDOWS_1252.decode(c as u8).unwrap_or(c),
        other => other,
    }
}

/// The text with one layer of mojibake removed; `None` if there is none or it cannot be removed.
fn fix_once(text: &str) -> Option<String> {
    if text.is_ascii() || !is_bad(text) {
        return None;
    }
    // A text that was meant as UTF-8 and decoded in a one-byte encoding: the usual case.
    for page in PAGES.iter() {
        if let Some(fixed) = page
            .encode(text)
            .and_then(|bytes| decode_repaired(page, bytes))
        {
            return Some(fixed);
        }
    }
    let fixed = fix_embedded(text);
    if fixed != text {
        return Some(fixed);
    }
    // Latin-1 that was meant as Windows-1252 has C1 control characters, which nobody wants. Whether
    // the whole text can be that, or only these characters, they are replaced the same way.
    text.contains(|c| matches!(c, '\u{80}'..='\u{9f}'))
        .then(|| text.chars().map(fix_c1_control).collect())
}

/// The bytes of a text as UTF-8, after repair of bytes that were lost.
fn decode_repaired(page: &CodePage, mut bytes: Vec<u8>) -> Option<String> {
    // In MacRoman an en dash before a space looks the same.
    if page.name != "macroman" && ALTERED.is_match(&bytes) {
        bytes = restore_no_break_spaces(&bytes);
    }
    if page.sloppy {
        bytes = LOSSY
            .replace_all(&bytes, "\u{fffd}".as_bytes())
            .into_owned();
    }
    decode_utf8_variants(&bytes)
}

/// UTF-8 sequences in which a byte a0, a no-break space on its own, became an ordinary space.
static ALTERED: LazyLock<BytesRegex> = LazyLock::new(|| {
    bytes_pattern(&[
        r"[\xc2\xc3\xc5\xce\xd0\xd9][ ]",
        r"[\xe2\xe3][ ][\x80-\x84\x86-\x9f\xa1-\xbf]",
        r"[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf][ ]",
        r"[\xf0][ ][\x80-\xbf][\x80-\xbf]",
        r"[\xf0][\x80-\xbf][ ][\x80-\xbf]",
        r"[\xf0][\x80-\xbf][\x80-\xbf][ ]",
    ])
});

/// UTF-8 and CESU-8 sequences some of whose bytes became a replacement character (byte 1a here)
/// or a question mark.
static LOSSY: LazyLock<BytesRegex> = LazyLock::new(|| {
    bytes_pattern(&[
        r"[\xc2-\xdf][\x1a]",
        r"[\xc2-\xc3][?]",
        r"\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]",
        r"\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]",
        r"[\xe0-\xef][\x1a?][\x1a\x80-\xbf]",
        r"[\xe0-\xef][\x1a\x80-\xbf][\x1a?]",
        r"[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]",
        r"[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]",
        r"[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]",
        r"\x1a",
    ])
});

fn bytes_pattern(alternatives: &[&str]) -> BytesRegex {
    BytesRegex::new(&format!("(?-u:{})", alternatives.join("|"))).expect("a constant pattern")
}

fn restore_no_break_spaces(bytes: &[u8]) -> Vec<u8> {
    // A lone "à" is nearly always a word, so its space stays beside the restored one, except for the
    // Portuguese contractions.
    const CONTRACTIONS: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];
    let mut restored = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        match rest.strip_prefix(b"\xc3 ") {
            Some(after) if !CONTRACTIONS.iter().any(|c| after.starts_with(c)) => {
                restored.extend_from_slice(b"\xc3\xa0 ");
                rest = after;
            }
            _ => {
                restored.push(first);
                rest = after;
            }
        }
    }
    ALTERED
        .replace_all(&restored, |found: &regex::bytes::Captures| -> Vec<u8> {
            found[0]
                .iter()
                .map(|b| if *b == b' ' { 0xa0 } else { *b })
                .collect()
        })
        .into_owned()
}

/// Decodes UTF-8, CESU-8 (surrogate pairs of three bytes each) and Java's two-byte zero.
///
/// As in ftfy, a line break at the very end passes for the last byte of the latter two.
fn decode_utf8_variants(bytes: &[u8]) -> Option<String> {
    let ends_line = |byte: u8, after: &[u8]| byte == b'\n' && after.is_empty();
    let mut standard = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = match rest {
            [0xc0, last, after @ ..] if *last == 0x80 || ends_line(*last, after) => {
                standard.push(0);
                after
            }
            [
                0xed,
                a @ 0xa0..=0xaf,
                b @ 0x80..=0xbf,
                0xed,
                c @ 0xb0..=0xbf,
                d,
                after @ ..,
            ] if matches!(d, 0x80..=0xbf) || ends_line(*d, after) => {
                let bits = |byte: u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
                let number =
                    bits(*a, 15, 16) + bits(*b, 63, 10) + bits(*c, 15, 6) + bits(*d, 63, 0);
                let character = char::from_u32(number + 0x1_0000)?;
                standard.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            _ => {
                standard.push(first);
                after
            }
        };
    }
    String::from_utf8(standard).ok()
}

/// Fixes stretches that look like UTF-8 mojibake inside a text that as a whole is not.
fn fix_embedded(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut previous = None;
    while let Some(&c) = characters.get(at) {
        let garbled = previous.is_some_and(|p| CLUES.strict_continuation.contains(p));
        let length = if garbled {
            0
        } else {
            CLUES.stretch(&characters[at..])
        };
        if length == 0 {
            out.push(c);
            at += 1;
        } else {
            let stretch: String = characters[at..at + length].iter().collect();
            // Shorter than the text, or this would never end.
            if length < characters.len() && is_bad(&stretch) {
                out.push_str(&fix_encoding(&stretch));
            } else {
                out.push_str(&stretch);
            }
            at += length;
        }
        previous = at
            .checked_sub(1)
            .and_then(|last| characters.get(last))
            .copied();
    }
    out
}

/// Characters that bytes of UTF-8 decode to in encodings akin to Latin-1.
struct Clues {
    /// Leading bytes of sequences of two, three and four bytes.
    first: [Characters; 3],
    /// Continuation bytes, and a space for a no-break space.
    continuation: Characters,
    /// Those of them that seldom stand for themselves next to mojibake.
    strict_continuation: Characters,
}

static CLUES: LazyLock<Clues> = LazyLock::new(|| {
    let strict = "\u{80}-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛-˝΄-ΆΈ-ΊΌΎΏЁ-ЌЎЏё-ќўџҐґ†‡‰‹›€№™";
    Clues {
        first: [
            Characters::new("Â-ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ-ΡΣ-ίВ-Я"),
            Characters::new("à-ïāăąćčďēėęěģīįķĺļŕźΰ-οа-п"),
            Characters::new("ðóđğšπσру"),
        ],
        continuation: Characters::new(&format!(" –—―‘’‚“”„•…{strict}")),
        strict_continuation: Characters::new(strict),
    }
});

impl Clues {
    /// How many of the first characters look like UTF-8 sequences.
    fn stretch(&self, characters: &[char]) -> usize {
        let mut length = 0;
        while let Some(sequence) = self.sequence(&characters[length..]) {
            length += sequence;
        }
        length
    }

    fn sequence(&self, characters: &[char]) -> Option<usize> {
        let (first, rest) = characters.split_first()?;
        let continued = |n: usize| {
            rest.get(..n)
                .is_some_and(|r| r.iter().all(|c| self.continuation.contains(*c)))
        };
        (1..)
            .zip(&self.first)
            .find(|(n, f)| f.contains(*first) && continued(*n))
            .map(|(n, _)| n + 1)
    }
}

/// A set of characters.
struct Characters(Vec<(char, char)>);

impl Characters {
    /// From single characters and ranges, `"a-zÆ"`.
    fn new(class: &str) -> Self {
        let characters: Vec<char> = class.chars().collect();
        let mut rest = characters.as_slice();
        let mut ranges = Vec::new();
        loop {
            rest = match rest {
                [from, '-', to, after @ ..] => {
                    ranges.push((*from, *to));
                    after
                }
                [one, after @ ..] => {
                    ranges.push((*one, *one));
                    after
                }
                [] => break,
            };
        }
        ranges.sort_unstable();
        Self(ranges)
    }

    fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= c);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, to)| c <= *to)
    }
}

/// Windows-1252, with the bytes that it leaves unassigned read as Latin-1.
pub(super) static WINDOWS_1252: LazyLock<CodePage> = LazyLock::new(|| {
    CodePage::all()
        .find(|page| page.name == "windows-1252")
        .unwrap_or_else(CodePage::latin_1)
});

/// The encodings that text is wrongly decoded in, in the order in which they are tried.
static PAGES: LazyLock<Vec<CodePage>> = LazyLock::new(|| {
    std::iter::once(CodePage::latin_1())
        .chain(CodePage::all())
        .collect()
});

/// A one-byte encoding whose lower half is ASCII.
pub(super) struct CodePage {
    name: &'static str,
    /// A Windows code page: byte 1a stands for the replacement character.
    sloppy: bool,
    upper: Vec<char>,
    bytes: HashMap<char, u8>,
}

impl CodePage {
    fn new(name: &'static str, upper: Vec<char>) -> Self {
        let bytes = upper.iter().copied().zip(0x80..=0xff).collect();
        Self {
            name,
            sloppy: name.starts_with("windows"),
            upper,
            bytes,
        }
    }

    fn latin_1() -> Self {
        Self::new("latin-1", ('\u{80}'..='\u{ff}').collect())
    }

    /// All but Latin-1.
    fn all() -> impl Iterator<Item = Self> {
        include_str!("../../assets/code_pages.txt")
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                let name = words.next()?;
                let code_points = words.filter_map(|word| u32::from_str_radix(word, 16).ok());
                Some(Self::new(
                    name,
                    code_points.filter_map(char::from_u32).collect(),
                ))
            })
    }

    /// The character of a byte.
    pub(super) fn decode(&self, byte: u8) -> Option<char> {
        match byte {
            0x1a if self.sloppy => Some('\u{fffd}'),
            0x00..=0x7f => Some(char::from(byte)),
            0x80..=0xff => self.upper.get(usize::from(byte) - 0x80).copied(),
        }
    }

    /// The bytes of a text, where this encoding has all its characters.
    fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars()
            .map(|c| match c {
                '\u{fffd}' if self.sloppy => Some(0x1a),
                '\u{1a}' if self.sloppy => None,
                '\0'..='\u{7f}' => Some(c as u8),
                other => self.bytes.get(&other).copied(),
            })
            .collect()
    }
}

/// Whether a text has a sequence of characters that is far more likely mojibake than meant.
fn is_bad(text: &str) -> bool {
    static BAD: LazyLock<Regex> = LazyLock::new(|| {
        let mut pattern = UNLIKELY.join("|");
        for (category, characters) in CATEGORIES {
            pattern = pattern.replace(&format!("{{{category}}}"), characters);
        }
        Regex::new(&pattern).expect("a constant pattern")
    });
    BAD.is_match(text)
}

/// The characters that occur in mojibake, by what they are otherwise used for.
const CATEGORIES: [(&str, &str); 14] = [
    // In many contexts: not mojibake by themselves.
    ("common", "\u{a0}\u{ad}·´–—―…’"),
    // Control characters without any other use today.
    ("c1", "\u{80}-\u{9f}"),
    // Nearly always mojibake.
    ("bad", "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\u{fffd}ªº"),
    ("law", "¶§"),
    ("currency", "¢£¥₧€"),
    ("start_punctuation", "¡«¿©΄΅‘‚“„•‹\u{f8ff}"),
    ("end_punctuation", "®»˝”›™"),
    ("numeric", "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№"),
    // Letters that faces are made of.
    ("kaomoji", "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°"),
    (
        "upper_accented",
        "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ",
    ),
    ("lower_accented", "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ"),
    ("upper_common", "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я"),
    ("lower_common", "α-ωάέήίΰа-џ"),
    ("box", "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓"),
];

/// Unlikely sequences; `{category}` stands for its characters, and white space and word characters
/// are written out as Python has them.
const UNLIKELY: &[&str] = &[
    "[{c1}]",
    "[{bad}{lower_accented}{upper_accented}{box}{start_punctuation}{end_punctuation}{currency}\
     {numeric}{law}][{bad}]",
    "[a-zA-Z][{lower_common}{upper_common}][{bad}]",
    "[{bad}][{lower_accented}{upper_accented}{box}{start_punctuation}{end_punctuation}{currency}\
     {numeric}{law}]",
    "[{lower_accented}{lower_common}{box}{end_punctuation}{currency}{numeric}][{upper_accented}]",
    "[{box}{end_punctuation}{currency}{numeric}][{lower_accented}]",
    "[{lower_accented}{box}{end_punctuation}][{currency}]",
    r"[\s\x1c-\x1f][{upper_accented}][{currency}]",
    "[{upper_accented}{box}][{numeric}{law}]",
    "[{lower_accented}{upper_accented}{box}{currency}{end_punctuation}][{start_punctuation}]\
     [{numeric}]",
    "[{lower_accented}{upper_accented}{currency}{numeric}{box}{law}][{end_punctuation}]\
     [{start_punctuation}]",
    "[{currency}{numeric}{box}][{start_punctuation}]",
    "[a-z][{upper_accented}][{start_punctuation}{currency}]",
    "[{box}][{kaomoji}]",
    "[{lower_accented}{upper_accented}{currency}{numeric}{start_punctuation}{end_punctuation}\
     {law}][{box}]",
    "[{box}][{end_punctuation}]",
    r"[{lower_accented}{upper_accented}][{start_punctuation}{end_punctuation}][\p{L}\p{N}_]",
    // The ligature œ when not followed by an unaccented Latin letter.
    "[Œœ][^A-Za-z]",
    // Degree signs after capital letters.
    "[{upper_accented}]°",
    // Windows-1252 mojibake of two characters that is not covered above.
    "[ÂÃÎÐ][€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»{start_punctuation}{end_punctuation}–—´]",
    "×[²³]",
    // Windows-1252 mojibake of Arabic words; four characters, because they are common ones.
    "[ØÙ][{common}{currency}{bad}{numeric}{start_punctuation}ŸŠ®°µ»]\
     [ØÙ][{common}{currency}{bad}{numeric}{start_punctuation}ŸŠ®°µ»]",
    // Windows-1252 mojibake that begins sequences of three in some South Asian alphabets.
    "à[²µ¹¼½¾]",
    // MacRoman mojibake that is not covered above.
    "√[±∂†≠®™´≤≥¥µø]",
    "≈[°¢]",
    "‚Ä[ìîïòôúùû†°¢π]",
    "‚[âó][àä°ê]",
    // Windows-1251 mojibake of characters from U+2000 on.
    "вЂ",
    // Windows-1251 mojibake of Latin-1 characters or Cyrillic.
    "[ВГРС][{c1}{bad}{start_punctuation}{end_punctuation}{currency}°µ][ВГРС]",
    // Windows-1251 mojibake on top of Windows-1252 mojibake.
    "ГўВЂВ.[A-Za-z ]",
    // Windows-1252 mojibake of à, á and the no-break space itself.
    "Ã[\u{a0}¡]",
    r"[a-z][\s\x1c-\x1f]?[ÃÂ][ ]",
    "^[ÃÂ][ ]",
    // An Â before a character that it is mojibake of.
    "[a-z.,?!{end_punctuation}]Â[ {start_punctuation}{end_punctuation}]",
    // Windows-1253 mojibake of characters from U+2000 on.
    "β€[™\u{a0}Ά\u{ad}®°]",
    // Windows-1253 mojibake of Latin-1 characters or Greek.
    "[ΒΓΞΟ][{c1}{bad}{start_punctuation}{end_punctuation}{currency}°][ΒΓΞΟ]",
    // Windows-1257 mojibake of characters from U+2000 on.
    "ā€",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pages_are_read_and_invertible() {
        assert_eq!(PAGES.len(), 10);
        for page in PAGES.iter() {
            assert_eq!(
                (page.upper.len(), page.bytes.len()),
                (128, 128),
                "{}",
                page.name
            );
            let text: String = (0..=0xff).filter_map(|b| page.decode(b)).collect();
            assert_eq!(
                page.encode(&text),
                Some((0..=0xff).collect()),
                "{}",
                page.name
            );
        }
    }

    #[test]
    fn characters_are_found_in_sets() {
        let set = Characters::new("c-eÆa");
        let found: String = "abcdefÆ".chars().filter(|c| set.contains(*c)).collect();
        assert_eq!(found, "acdeÆ");
    }

    #[test]
    fn mojibake_is_undone_in_every_encoding_it_comes_from() {
        // "l'été – ça coûte 5 €" in UTF-8, decoded in each.
        let meant = "l'été – ça coûte 5 €";
        for page in PAGES.iter() {
            let broken: String = meant.bytes().filter_map(|b| page.decode(b)).collect();
            assert_eq!(fix_encoding(&broken), meant, "{}: {broken}", page.name);
        }
    }

    #[test]
    fn lost_bytes_are_restored_where_they_are_unmistakable() {
        // Each pair from ftfy 6.3.
        for (text, expected) in [
            ("voilÃ le travail", "voilà le travail"),
            ("Ã la mode", "à la mode"),
            ("â€œ like this â€\u{fffd}", "“ like this \u{fffd}"),
            ("\u{ed}\u{a0}\u{bd}\u{ed}\u{b8}\u{80}", "😀"),
            ("â€œmojibakeâ€\u{9d} and “meant”", "“mojibake” and “meant”"),
        ] {
            assert_eq!(fix_encoding(text), expected, "{text}");
        }
    }

    #[test]
    fn meant_text_is_left_alone() {
        for text in [
            "Ångström",
            "(╯°□°)╯",
            "naïve café",
            "Москва",
            "IKEA™ • Blåhaj",
            "℃ 30 °C",
        ] {
            assert_eq!(fix_encoding(text), text);
        }
    }
}
