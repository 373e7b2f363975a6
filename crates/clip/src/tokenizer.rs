//! The tokenizer of a CLIP's text tower: CLIP's own byte-pair encoding, or another one from its
//! `tokenizer.json`.

mod byte_pair;
mod growth;
mod guarded;
mod json;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use byte_pair::BytePair;
pub use byte_pair::{END_OF_TEXT, START_OF_TEXT};
use json::Json;
pub use json::TokenizerError;

pub use crate::text_cleaning::Cleaning;

/// Number of characters of a text that an error shows.
const SHOWN: usize = 60;

/// A text that cannot be tokenised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// More bytes than any text of a CLIP needs: cleaning and merging take longer than a text is long.
    #[error("the text {text:?} has {bytes} bytes; a text has at most {most}, shorten it")]
    TooManyBytes {
        /// The beginning of the text.
        text: String,
        /// Its length.
        bytes: usize,
        /// The most that is read.
        most: usize,
    },
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
    /// The tokenizer of a `tokenizer.json` has no tokens for the text.
    #[error("the text {text:?} cannot be tokenised: {problem}")]
    Impossible {
        /// The text, shortened where it is very long.
        text: String,
        /// What the tokenizer says.
        problem: String,
    },
}

/// A tokenizer. That of nearly every CLIP, [`clip`](Self::clip), is byte-pair encoding over a
/// vocabulary of 49,408 tokens: ids 0..256 are the bytes, 256..512 the bytes that end a word,
/// followed by the merges, best first, and the two special tokens. The ids are those of OpenAI's
/// `simple_tokenizer.py` (with `ftfy`). Any other comes from a `tokenizer.json`.
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
    kind: Kind,
    /// `None`: texts are taken as they are.
    cleaning: Option<Cleaning>,
}

#[derive(Clone, Debug)]
enum Kind {
    Clip,
    Json(Arc<Json>),
}

impl Tokenizer {
    /// CLIP's tokenizer.
    pub fn clip() -> &'static Self {
        static CLIP: OnceLock<Tokenizer> = OnceLock::new();
        CLIP.get_or_init(|| Self::clip_with(Cleaning::Lower))
    }

    /// CLIP's tokenizer with another cleaning of texts, as OpenCLIP has it.
    pub fn clip_with(cleaning: Cleaning) -> Self {
        Self {
            kind: Kind::Clip,
            cleaning: Some(cleaning),
        }
    }

    /// The tokenizer of a `tokenizer.json`; with `cleaning` texts are cleaned first, as OpenCLIP does.
    ///
    /// # Errors
    /// [`TokenizerError`] if the file cannot be read, or does not put one token before and one after
    /// every text.
    pub fn json(path: &Path, cleaning: Option<Cleaning>) -> Result<Self, TokenizerError> {
        Self::of_json(&json::File::read(path)?, cleaning)
    }

    /// The tokenizer of a `tokenizer.json` of transformers: CLIP's own, if it has CLIP's vocabulary and
    /// merges.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn of_transformers(path: &Path) -> Result<Self, TokenizerError> {
        let file = json::File::read(path)?;
        match file.is_clip() {
            true => Ok(Self::clip().clone()),
            false => Self::of_json(&file, None),
        }
    }

    fn of_json(file: &json::File, cleaning: Option<Cleaning>) -> Result<Self, TokenizerError> {
        Ok(Self {
            kind: Kind::Json(Arc::new(Json::of(file)?)),
            cleaning,
        })
    }

    /// Whether a `vocab.json` has CLIP's own vocabulary.
    ///
    /// # Errors
    /// [`TokenizerError`] if the file cannot be read.
    pub fn is_clip_vocabulary(path: &Path) -> Result<bool, TokenizerError> {
        json::is_clip_vocabulary(path)
    }

    /// Whether a `merges.txt` has CLIP's own merges.
    ///
    /// # Errors
    /// [`TokenizerError`] if the file cannot be read.
    pub fn is_clip_merges(path: &Path) -> Result<bool, TokenizerError> {
        json::is_clip_merges(path)
    }

    /// Token that begins every text.
    pub fn start(&self) -> u32 {
        match &self.kind {
            Kind::Clip => START_OF_TEXT,
            Kind::Json(json) => json.start,
        }
    }

    /// Token that ends every text.
    pub fn end(&self) -> u32 {
        match &self.kind {
            Kind::Clip => END_OF_TEXT,
            Kind::Json(json) => json.end,
        }
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        match &self.kind {
            Kind::Clip => END_OF_TEXT as usize + 1,
            Kind::Json(json) => json.vocab_size,
        }
    }

    /// What tells it from other tokenizers: the hash of its file and its cleaning. `None` for CLIP's
    /// own with its usual cleaning.
    pub fn identity(&self) -> Option<String> {
        let cleaning = match self.cleaning {
            Some(cleaning) => format!("cleaned: {}", cleaning.name()),
            None => "not cleaned".to_string(),
        };
        match &self.kind {
            Kind::Clip if self.cleaning == Some(Cleaning::Lower) => None,
            Kind::Clip => Some(format!("CLIP's, {cleaning}")),
            Kind::Json(json) => Some(format!("{}, {cleaning}", json.hash)),
        }
    }

    /// What a token spells, for people to read: a token that goes on within a word ends with a hyphen.
    /// `None` for an id that is none.
    pub fn spelling(&self, id: u32) -> Option<String> {
        match &self.kind {
            Kind::Clip => BytePair::spelled(id).map(|(text, ends_word)| match ends_word {
                true => text,
                false => format!("{text}-"),
            }),
            Kind::Json(json) => json.symbol(id),
        }
    }

    /// Ids of a text, without start and end tokens.
    ///
    /// CLIP's own cleans the text first: mojibake and HTML entities decoded, white space collapsed,
    /// lower case. A literal `<|startoftext|>` or `<|endoftext|>` becomes that special token.
    ///
    /// # Errors
    /// [`TokenizeError::Impossible`]; CLIP's own has ids for every text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        if text.len() > LONGEST_TEXT {
            return Err(TokenizeError::TooManyBytes {
                text: shorten(text),
                bytes: text.len(),
                most: LONGEST_TEXT,
            });
        }
        match &self.kind {
            Kind::Clip => {
                let cleaning = self.cleaning.unwrap_or_default();
                Ok(BytePair::clip().encode(text, cleaning))
            }
            Kind::Json(json) => {
                let cleaned = self.cleaning.map(|c| crate::text_cleaning::clean(text, c));
                json.encode(cleaned.as_deref().unwrap_or(text))
                    .map_err(|problem| TokenizeError::Impossible {
                        text: shorten(text),
                        problem,
                    })
            }
        }
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
        let mut tokens = vec![self.start()];
        tokens.extend(self.encode(text)?);
        tokens.push(self.end());
        if tokens.len() > context_length {
            if !truncate || context_length == 0 {
                return Err(TokenizeError::TooLong {
                    text: shorten(text),
                    tokens: tokens.len(),
                    context_length,
                });
            }
            tokens.truncate(context_length - 1);
            tokens.push(self.end());
        }
        Ok(tokens)
    }
}

/// Where a text's feature is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfText {
    /// At the first of the greatest ids, as the reference pools by `argmax`: CLIP's end token has the
    /// greatest id. A literal `<|endoftext|>` inside a text therefore ends it early.
    #[default]
    Greatest,
    /// At the first token of this id.
    First(u32),
}

impl EndOfText {
    /// The position in a text; 0 where it is not found.
    pub fn position(self, tokens: &[u32]) -> usize {
        let wanted = match self {
            Self::Greatest => tokens.iter().copied().max(),
            Self::First(id) => Some(id),
        };
        tokens
            .iter()
            .position(|id| Some(*id) == wanted)
            .unwrap_or(0)
    }
}

/// Most bytes of a text: a hundred for each position of a published CLIP.
pub const LONGEST_TEXT: usize = 8192;

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
            prop_assert!(Tokenizer::clip().encode(&text).unwrap().iter().all(|id| *id <= END_OF_TEXT));
            let tokens = Tokenizer::clip().tokenize(&text, 9, true).unwrap();
            prop_assert!((2..=9).contains(&tokens.len()));
            prop_assert_eq!(tokens.last(), Some(&END_OF_TEXT));
        }
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
        assert_eq!(EndOfText::Greatest.position(&tokens), 2);
        assert_eq!(EndOfText::Greatest.position(&[]), 0);
    }

    #[test]
    fn a_very_long_word_is_encoded_in_reasonable_time() {
        let next = |n: &u64| Some((n * 48_271) % 0x7fff_ffff);
        let letters =
            std::iter::successors(Some(1), next).map(|n| char::from(b'a' + (n % 26) as u8));
        let word: String = letters.take(8_000).collect();
        assert!(Tokenizer::clip().encode(&word).unwrap().len() > 2_000);
        let long = "a".repeat(LONGEST_TEXT + 1);
        let error = Tokenizer::clip().tokenize(&long, 77, true).unwrap_err();
        assert!(error.to_string().contains("8193 bytes"), "{error}");
    }

    /// Of `SimpleTokenizer(clean=...)` of open_clip 3.3.
    #[test]
    fn each_cleaning_gives_the_ids_of_open_clip() {
        let file = include_str!("../../cli/tests/fixtures/tokenizers.json");
        let file: serde_json::Value = serde_json::from_str(file).unwrap();
        for cleaning in Cleaning::ALL {
            let tokenizer = Tokenizer::clip_with(cleaning);
            let texts = file["odd_texts"].as_array().unwrap();
            for (place, text) in texts.iter().enumerate() {
                let expected = &file["odd_ids"][cleaning.name()][place];
                let expected: Vec<u32> = serde_json::from_value(expected.clone()).unwrap();
                let found = tokenizer.tokenize(text.as_str().unwrap(), 77, false);
                assert_eq!(found, Ok(expected), "{text} {}", cleaning.name());
            }
        }
    }

    /// A tokenizer of three words; texts begin with `<s>` and end with `</s>`.
    fn words() -> serde_json::Value {
        let special = |name: &str| serde_json::json!({"SpecialToken": {"id": name, "type_id": 0}});
        let ids =
            |name: &str, id: u32| serde_json::json!({"id": name, "ids": [id], "tokens": [name]});
        serde_json::json!({
            "version": "1.0",
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [special("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, special("</s>")],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": ids("<s>", 0), "</s>": ids("</s>", 1)},
            },
            "model": {
                "type": "WordLevel",
                "vocab": {"<s>": 0, "</s>": 1, "<unk>": 2, "a": 3, "cat": 4},
                "unk_token": "<unk>",
            },
        })
    }

    #[test]
    fn a_file_that_the_library_stops_with_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        let open = |file: &serde_json::Value| {
            std::fs::write(&path, file.to_string()).unwrap();
            Tokenizer::json(&path, None)
        };
        let tokenizer = open(&words()).unwrap();
        assert_eq!(tokenizer.tokenize("a cat", 77, false), Ok(vec![0, 3, 4, 1]));
        let problem = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut file = words();
            change(&mut file);
            open(&file).unwrap_err().problem
        };
        let unknown = problem(&|file| {
            file["post_processor"]["single"][0]["SpecialToken"]["id"] = "<t>".into();
        });
        assert!(unknown.contains("stopped with"), "{unknown}");
        let odd = problem(&|file| {
            file["post_processor"]["special_tokens"]["<s>"]["ids"][0] = 5.into();
        });
        assert!(
            odd.contains("ends texts with 5, but its tokens are 0 to 4"),
            "{odd}"
        );
        let table =
            serde_json::json!({"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="});
        let cut = problem(&|file| file["normalizer"] = table.clone());
        assert!(
            cut.contains("normalizer has a table of characters that is cut off"),
            "{cut}"
        );
    }

    #[test]
    fn clips_own_files_are_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let vocabulary: serde_json::Map<String, serde_json::Value> = (0..)
            .zip(BytePair::symbols())
            .map(|(id, symbol): (u32, String)| (symbol, id.into()))
            .collect();
        let merges: Vec<&str> = BytePair::pairs().collect();
        std::fs::write(
            path("merges.txt"),
            format!("#version: 0.2\n{}\n", merges.join("\n")),
        )
        .unwrap();
        std::fs::write(
            path("vocab.json"),
            serde_json::to_string(&vocabulary).unwrap(),
        )
        .unwrap();
        assert!(Tokenizer::is_clip_merges(&path("merges.txt")).unwrap());
        assert!(Tokenizer::is_clip_vocabulary(&path("vocab.json")).unwrap());
        let pairs: Vec<Vec<&str>> = merges.iter().map(|m| m.split(' ').collect()).collect();
        let mut file = serde_json::json!({
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
            "added_tokens": [{"id": 49406, "content": "<|startoftext|>"}, {"id": 49407, "content": "<|endoftext|>"}],
            "model": {"type": "BPE", "vocab": vocabulary, "merges": pairs},
        });
        let recognised = |file: &serde_json::Value| {
            std::fs::write(path("tokenizer.json"), file.to_string()).unwrap();
            json::File::read(&path("tokenizer.json")).unwrap().is_clip()
        };
        assert!(recognised(&file));
        file["model"]["merges"] = merges.clone().into();
        assert!(recognised(&file));
        let lower = file["normalizer"].take();
        assert!(!recognised(&file));
        file["normalizer"] = lower;
        file["model"]["merges"][7] = merges[8].into();
        assert!(!recognised(&file));
        file["model"]["merges"][7] = merges[7].into();
        file["added_tokens"][1] = serde_json::json!({"id": 49408, "content": "<new>"});
        assert!(!recognised(&file));
    }
}
