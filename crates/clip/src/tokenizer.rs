//! CLIP's byte-pair tokenizer.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use crate::text_cleaning::clean;

/// Token that begins every text.
pub const START_OF_TEXT: u32 = 49406;
/// Token that ends every text; the text feature is read at its position.
pub const END_OF_TEXT: u32 = 49407;

/// Number of merges that CLIP uses, of the file's 262,145 lines.
const MERGES: usize = 49152 - 256 - 2;
/// Number of characters of a text that an error shows.
const SHOWN: usize = 60;

/// A text that cannot be tokenised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// More tokens than the text tower has positions.
    #[error(
        "the text {text:?} has {tokens} tokens, start and end included, but this CLIP reads at \
         most {context_length}; shorten it"
    )]
    TooLong {
        /// The text, shortened where it is very long.
        text: String,
        /// Its tokens, start and end included.
        tokens: usize,
        /// Positions of the text tower.
        context_length: usize,
    },
}

/// Byte-pair encoding over CLIP's vocabulary of 49,408 tokens.
///
/// Ids 0..256 are the bytes, 256..512 the bytes that end a word, followed by the merges, best
/// first, and the two special tokens. The ids are those of OpenAI's `simple_tokenizer.py` (with
/// `ftfy`).
///
/// Characters that were added to Unicode recently may be split differently by a Python with other
/// Unicode tables.
///
/// ```
/// use promptsrc_clip::Tokenizer;
///
/// let tokens = Tokenizer::clip().tokenize("a photo of a cat.", 77, false)?;
/// assert_eq!(tokens, [49406, 320, 1125, 539, 320, 2368, 269, 49407]);
/// # Ok::<(), promptsrc_clip::TokenizeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tokenizer {
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

impl Tokenizer {
    /// CLIP's tokenizer; the vocabulary is unpacked on the first call.
    pub fn clip() -> &'static Self {
        static CLIP: OnceLock<Tokenizer> = OnceLock::new();
        CLIP.get_or_init(|| {
            let packed = include_bytes!("../assets/bpe_simple_vocab_16e6.txt.gz");
            let mut merges = String::new();
            flate2::read::GzDecoder::new(packed.as_slice())
                .read_to_string(&mut merges)
                .expect("the vocabulary inside this crate is complete");
            // The first line names the format.
            Self::from_merges(merges.lines().skip(1).take(MERGES))
        })
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

    /// Ids of a text, without start and end tokens.
    ///
    /// The text is cleaned first: mojibake and HTML entities decoded, white space collapsed, lower
    /// case. A literal `<|startoftext|>` or `<|endoftext|>` becomes that special token.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        static PIECE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"(?i)<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
            )
            .expect("a constant pattern")
        });
        let mut ids = Vec::new();
        for piece in PIECE.find_iter(&clean(text)) {
            match piece.as_str() {
                "<|startoftext|>" => ids.push(START_OF_TEXT),
                "<|endoftext|>" => ids.push(END_OF_TEXT),
                word => ids.extend(self.encode_word(word)),
            }
        }
        ids
    }

    /// `[start, ids of the text, end]`, without padding.
    ///
    /// # Errors
    /// If that is longer than `context_length` tokens. With `truncate` it is cut to that length
    /// instead, with the end token last; the reference never does that in training.
    pub fn tokenize(
        &self,
        text: &str,
        context_length: usize,
        truncate: bool,
    ) -> Result<Vec<u32>, TokenizeError> {
        let mut tokens = vec![START_OF_TEXT];
        tokens.extend(self.encode(text));
        tokens.push(END_OF_TEXT);
        if tokens.len() > context_length {
            if !truncate || context_length == 0 {
                return Err(TokenizeError::TooLong {
                    text: shorten(text),
                    tokens: tokens.len(),
                    context_length,
                });
            }
            tokens.truncate(context_length - 1);
            tokens.push(END_OF_TEXT);
        }
        Ok(tokens)
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

/// Position of the end token: the first of the greatest ids, as the reference pools by `argmax`.
///
/// A literal `<|endoftext|>` inside a text therefore ends it early. 0 for no tokens.
pub fn eot_position(tokens: &[u32]) -> usize {
    let greatest = tokens.iter().max();
    tokens
        .iter()
        .position(|id| Some(id) == greatest)
        .unwrap_or(0)
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

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any characters, and many of those that text cleaning looks for.
    fn odd_text() -> impl Strategy<Value = String> {
        let pieces = [
            "À",
            "Ã",
            "â",
            "€",
            "í",
            "ð",
            "\u{80}",
            "\u{9f}",
            "½",
            " ",
            "\n",
            "\r",
            "?",
            "\u{fffd}",
            "\u{1a}",
            "&",
            "&#",
            "x1F600;",
            "amp;",
            "<",
            "'s",
            "ſ",
            "Σ",
            "ﬅ",
            "\u{1b}[",
            "31m",
            "＇",
            "<|endoftext|>",
            "<|",
        ];
        let piece = prop_oneof![
            proptest::sample::select(pieces.to_vec()).prop_map(String::from),
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_text_has_ids_of_the_vocabulary(text in odd_text()) {
            prop_assert!(Tokenizer::clip().encode(&text).iter().all(|id| *id <= END_OF_TEXT));
            let tokens = Tokenizer::clip().tokenize(&text, 9, true).unwrap();
            prop_assert!((2..=9).contains(&tokens.len()));
            prop_assert_eq!(tokens.last(), Some(&END_OF_TEXT));
        }
    }

    #[test]
    fn the_vocabulary_is_whole() {
        let tokenizer = Tokenizer::clip();
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

    #[test]
    fn a_text_is_framed_by_start_and_end() {
        let tokens = Tokenizer::clip().tokenize("a photo of a cat.", 77, false);
        assert_eq!(
            tokens,
            Ok(vec![49406, 320, 1125, 539, 320, 2368, 269, 49407])
        );
        assert_eq!(
            Tokenizer::clip().tokenize("", 77, false),
            Ok(vec![49406, 49407])
        );
    }

    #[test]
    fn a_text_that_just_fits_is_accepted() {
        let tokenizer = Tokenizer::clip();
        assert_eq!(
            tokenizer
                .tokenize("cat ".repeat(75).trim(), 77, false)
                .map(|t| t.len()),
            Ok(77)
        );
        let error = tokenizer
            .tokenize(&"cat ".repeat(76), 77, false)
            .unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("78 tokens") && message.contains("77"),
            "{message}"
        );
        assert!(
            message.contains("cat cat") && message.len() < 250,
            "{message}"
        );
    }

    #[test]
    fn truncation_ends_with_the_end_token() {
        let tokenizer = Tokenizer::clip();
        assert_eq!(
            tokenizer.tokenize("cat cat cat", 3, true),
            Ok(vec![49406, 2368, 49407])
        );
        assert_eq!(tokenizer.tokenize("cat", 1, true), Ok(vec![49407]));
        assert!(tokenizer.tokenize("cat", 0, true).is_err());
    }

    #[test]
    fn a_literal_end_token_moves_the_pooled_position() {
        let tokens = Tokenizer::clip()
            .tokenize("a<|endoftext|>b", 77, false)
            .unwrap();
        assert_eq!(tokens, [49406, 320, 49407, 321, 49407]);
        assert_eq!(eot_position(&tokens), 2);
        assert_eq!(eot_position(&[]), 0);
    }

    #[test]
    fn a_very_long_word_is_encoded_in_reasonable_time() {
        let next = |n: &u64| Some((n * 48_271) % 0x7fff_ffff);
        let letters =
            std::iter::successors(Some(1), next).map(|n| char::from(b'a' + (n % 26) as u8));
        let word: String = letters.take(20_000).collect();
        assert!(Tokenizer::clip().encode(&word).len() > 5_000);
    }
}
