//! CLIP's byte-pair encoding.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use crate::text_cleaning::{Cleaning, clean};

/// Token that begins every text.
pub const START_OF_TEXT: u32 = 49406;
/// Token that ends every text; the text feature is read at its position.
pub const END_OF_TEXT: u32 = 49407;

/// Number of merges that CLIP uses, of the file's 262,145 lines.
const MERGES: usize = 49152 - 256 - 2;

/// Byte-pair encoding over CLIP's vocabulary of 49,408 tokens.
///
/// Ids 0..256 are the bytes, 256..512 the bytes that end a word, followed by the merges, best
/// first, and the two special tokens. The ids are those of OpenAI's `simple_tokenizer.py` (with
/// `ftfy`).
///
/// Characters that were added to Unicode recently may be split differently by a Python with other
/// Unicode tables.
#[derive(Clone, Debug)]
pub(super) struct BytePair {
    /// Id of each byte inside a word; 256 more where it ends one.
    bytes: [u32; 256],
    /// Rank (best first) and id of each pair that merges.
    merges: HashMap<(u32, u32), Merge>,
}

#[derive(Clone, Copy, Debug)]
struct Merge {
    rank: u32,
    id: u32,
}

impl BytePair {
    /// CLIP's vocabulary; it is unpacked on the first call.
    pub(super) fn clip() -> &'static Self {
        static CLIP: OnceLock<BytePair> = OnceLock::new();
        CLIP.get_or_init(|| Self::from_merges(Self::pairs()))
    }

    /// The merges, best first: two symbols with a blank between them.
    pub(super) fn pairs() -> impl Iterator<Item = &'static str> {
        static TEXT: OnceLock<String> = OnceLock::new();
        let text = TEXT.get_or_init(|| {
            let packed = include_bytes!("../../assets/bpe_simple_vocab_16e6.txt.gz");
            let mut text = String::new();
            flate2::read::GzDecoder::new(packed.as_slice())
                .read_to_string(&mut text)
                .expect("the vocabulary inside this crate is complete");
            text
        });
        // The first line names the format.
        text.lines().skip(1).take(MERGES)
    }

    /// The symbols in the order of their ids, the special tokens last.
    pub(super) fn symbols() -> Vec<String> {
        let bytes: Vec<String> = glyphs()
            .iter()
            .map(|(_, glyph)| glyph.to_string())
            .collect();
        let ends: Vec<String> = bytes.iter().map(|glyph| format!("{glyph}</w>")).collect();
        let merged = Self::pairs().map(|pair| pair.replace(' ', "")).collect();
        let special = ["<|startoftext|>", "<|endoftext|>"]
            .map(str::to_string)
            .to_vec();
        [bytes, ends, merged, special].concat()
    }

    /// What the token with this id spells, and whether it ends a word; bytes that are no text are shown
    /// by the replacement character. `None` for an id that is none.
    pub(super) fn spelled(id: u32) -> Option<(String, bool)> {
        static SPELLED: OnceLock<Vec<(String, bool)>> = OnceLock::new();
        let all = SPELLED.get_or_init(|| {
            let bytes: HashMap<char, u8> = glyphs().into_iter().map(|(b, c)| (c, b)).collect();
            let spell = |symbol: String| {
                if symbol.starts_with("<|") {
                    return (symbol, true);
                }
                let inner = symbol.strip_suffix("</w>");
                let glyphs = inner.unwrap_or(&symbol).chars();
                let text: Vec<u8> = glyphs.filter_map(|c| bytes.get(&c).copied()).collect();
                (String::from_utf8_lossy(&text).into_owned(), inner.is_some())
            };
            Self::symbols().into_iter().map(spell).collect()
        });
        all.get(id as usize).cloned()
    }

    /// From lines of two symbols that merge, best first.
    fn from_merges<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let glyphs = glyphs();
        let mut bytes = [0; 256];
        let mut ids = HashMap::with_capacity(512 + MERGES);
        for (id, (byte, glyph)) in (0..).zip(&glyphs) {
            bytes[usize::from(*byte)] = id;
            ids.insert(glyph.to_string(), id);
            ids.insert(format!("{glyph}</w>"), id + 256);
        }
        let pairs: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(' ')).collect();
        // Where two pairs spell the same symbol, the later one names it.
        for (id, (left, right)) in (512..).zip(&pairs) {
            ids.insert(format!("{left}{right}"), id);
        }
        let merge = |(rank, (left, right)): (u32, &(&str, &str))| {
            let id = *ids.get(&format!("{left}{right}"))?;
            Some(((*ids.get(*left)?, *ids.get(*right)?), Merge { rank, id }))
        };
        let merges = (0..).zip(&pairs).filter_map(merge).collect();
        Self { bytes, merges }
    }

    /// Ids of a text, without start and end tokens; the text is cleaned first. A literal
    /// `<|startoftext|>` or `<|endoftext|>` becomes that special token.
    pub(super) fn encode(&self, text: &str, cleaning: Cleaning) -> Vec<u32> {
        static PIECE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"(?i)<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
            )
            .expect("a constant pattern")
        });
        let mut ids = Vec::new();
        for piece in PIECE.find_iter(&clean(text, cleaning)) {
            match piece.as_str() {
                "<|startoftext|>" => ids.push(START_OF_TEXT),
                "<|endoftext|>" => ids.push(END_OF_TEXT),
                word => ids.extend(self.encode_word(word)),
            }
        }
        ids
    }

    /// Ids of one word: its bytes, merged pair by pair, the best pair first.
    fn encode_word(&self, word: &str) -> Vec<u32> {
        let mut symbols: Vec<u32> = word
            .bytes()
            .map(|byte| self.bytes[usize::from(byte)])
            .collect();
        if let Some(last) = symbols.last_mut() {
            *last += 256;
        }
        // The merge of each symbol with the next, looked up again only if one of the two is new.
        let merge = |left: u32, right: u32| self.merges.get(&(left, right)).copied();
        let mut merges: Vec<Option<Merge>> = symbols
            .windows(2)
            .map(|pair| merge(pair[0], pair[1]))
            .collect();
        while let Some(best) = merges.iter().flatten().map(|m| m.rank).min() {
            let is_best = |m: &Option<Merge>| m.is_some_and(|m| m.rank == best);
            let mut merged = Vec::with_capacity(symbols.len());
            // For each symbol, the old merge with the next one, if both are old.
            let mut kept = Vec::with_capacity(symbols.len());
            let mut at = 0;
            while let Some(&symbol) = symbols.get(at) {
                match merges.get(at) {
                    Some(Some(m)) if m.rank == best => {
                        merged.push(m.id);
                        kept.push(None);
                        at += 2;
                    }
                    old => {
                        merged.push(symbol);
                        let next_is_old = !merges.get(at + 1).is_some_and(is_best);
                        kept.push(old.copied().filter(|_| next_is_old));
                        at += 1;
                    }
                }
            }
            merges = merged
                .windows(2)
                .zip(&kept)
                .map(|(pair, old)| old.unwrap_or_else(|| merge(pair[0], pair[1])))
                .collect();
            symbols = merged;
        }
        symbols
    }
}

/// The bytes in the order of their ids, with the characters that the merges spell them with:
/// printable ones by themselves, then the others by characters from U+0100 on.
fn glyphs() -> Vec<(u8, char)> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let own = (0..=255)
        .filter(printable)
        .map(|byte| (byte, char::from(byte)));
    let others = (0..=255).filter(|byte| !printable(byte)).zip('\u{100}'..);
    own.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_whole() {
        let tokenizer = BytePair::clip();
        assert_eq!(tokenizer.merges.len(), MERGES);
        let mut bytes = tokenizer.bytes;
        bytes.sort_unstable();
        assert!((0..256).eq(bytes));
        assert!(
            tokenizer
                .merges
                .values()
                .all(|m| (512..START_OF_TEXT).contains(&m.id))
        );
    }

    /// 2368 is "cat" as a word, 320 "a"; 64 and 320 are the byte "a" within and at the end of a word.
    #[test]
    fn a_token_spells_the_text_that_becomes_it() {
        let word = |text: &str| Some((text.to_string(), true));
        assert_eq!(BytePair::spelled(2368), word("cat"));
        assert_eq!(BytePair::spelled(320), word("a"));
        assert_eq!(BytePair::spelled(64), Some(("a".to_string(), false)));
        assert_eq!(BytePair::spelled(START_OF_TEXT), word("<|startoftext|>"));
        assert_eq!(BytePair::spelled(END_OF_TEXT + 1), None);
        // Every word that is text is encoded as itself; of two tokens that spell the same, as the later.
        let words = (256..START_OF_TEXT).filter_map(|id| Some((id, BytePair::spelled(id)?)));
        let mut compared = 0;
        for (id, (text, ends)) in words {
            if ends && text.chars().all(|c| c.is_ascii_lowercase()) {
                let found = BytePair::clip().encode(&text, Cleaning::Lower);
                let spelled: Vec<_> = found.iter().map(|id| BytePair::spelled(*id)).collect();
                assert!(found == [id] || spelled == [word(&text)], "{id} {text}");
                compared += 1;
            }
        }
        assert!(compared > 20_000, "{compared}");
    }

    /// The whole vocabulary and all merges, as Hugging Face's files have them.
    #[test]
    fn the_vocabulary_is_recognised_by_its_ids_and_merges() {
        let byte_pair = BytePair::clip();
        let names = BytePair::symbols();
        assert_eq!(names.len(), END_OF_TEXT as usize + 1);
        let id = |name: &str| names.iter().position(|n| n == name).map(|id| id as u32);
        assert_eq!(id("<|startoftext|>"), Some(START_OF_TEXT));
        assert_eq!(id("cat</w>"), Some(2368));
        assert_eq!(byte_pair.merges.len(), BytePair::pairs().count());
    }
}
