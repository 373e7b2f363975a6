//! A tokenizer from a `tokenizer.json` of Hugging Face's `tokenizers`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::byte_pair::{BytePair, START_OF_TEXT};
use super::growth;
use super::guarded::guarded;

/// A `tokenizer.json` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct TokenizerError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// A `tokenizer.json`, read and parsed.
pub(super) struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    value: Value,
}

/// The tokenizer of a file.
#[derive(Debug)]
pub(super) struct Json {
    inner: tokenizers::Tokenizer,
    /// Of the file.
    pub(super) hash: String,
    pub(super) start: u32,
    pub(super) end: u32,
    /// One more than the greatest id.
    pub(super) vocab_size: usize,
}

fn error(path: &Path, problem: impl ToString) -> TokenizerError {
    TokenizerError {
        path: path.to_path_buf(),
        problem: problem.to_string(),
    }
}

impl Json {
    pub(super) fn of(file: &File) -> Result<Self, TokenizerError> {
        let problem = |problem: String| error(&file.path, problem);
        growth::check(&file.value).map_err(problem)?;
        // What was checked, and not what a file says twice.
        let checked = serde_json::to_vec(&file.value).map_err(|e| problem(e.to_string()))?;
        let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(&checked))
            .map_err(|e| problem(format!("it cannot be read as a tokenizer: {e}")))?;
        // Texts that are too long are refused, and none is padded.
        inner
            .with_truncation(None)
            .map_err(|e| problem(e.to_string()))?;
        inner.with_padding(None);
        for token in file.value["added_tokens"].as_array().into_iter().flatten() {
            let (name, id) = (token["content"].as_str().unwrap_or_default(), &token["id"]);
            let found = inner.token_to_id(name).map(u64::from);
            if found != id.as_u64() {
                return Err(problem(format!(
                    "its added token {name:?} has the id {id}, where the next free one is expected"
                )));
            }
        }
        let encode = |text: &str, special: bool| {
            let encoding = guarded(|| inner.encode(text, special)).map_err(problem)?;
            Ok(encoding.get_ids().to_vec())
        };
        let (start, end) = match encode("", true)?.as_slice() {
            [start, end] => (*start, *end),
            other => {
                return Err(problem(format!(
                    "it makes {other:?} of an empty text, expected one start and one end token"
                )));
            }
        };
        for text in ["a", "a photo of a cat."] {
            let inside = encode(text, false)?;
            if encode(text, true)? != [&[start], inside.as_slice(), &[end]].concat() {
                return Err(problem(
                    "it does not put one token before and one after every text".to_string(),
                ));
            }
        }
        let vocabulary = inner.get_vocab(true);
        let greatest = vocabulary.values().copied().max().unwrap_or_default();
        if let Some(odd) = [start, end].into_iter().find(|id| *id > greatest) {
            return Err(problem(format!(
                "it begins or ends texts with {odd}, but its tokens are 0 to {greatest}"
            )));
        }
        Ok(Self {
            hash: format!("tokenizer.json {}", blake3::hash(&file.bytes).to_hex()),
            start,
            end,
            vocab_size: greatest as usize + 1,
            inner,
        })
    }

    /// The symbol of a token, as the file has it.
    pub(super) fn symbol(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = guarded(|| self.inner.encode(text, false))?;
        let ids = encoding.get_ids();
        match ids.iter().find(|id| **id as usize >= self.vocab_size) {
            Some(id) => Err(format!("it has the token {id}, of {}", self.vocab_size)),
            None => Ok(ids.to_vec()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    promptsrc_files::read_regular_json(path, promptsrc_files::LARGEST_TEXT)
        .map_err(|e| error(path, e))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Value, TokenizerError> {
    serde_json::from_slice(bytes).map_err(|e| error(path, e))
}

/// Whether a normalizer makes texts lower case.
fn lowers(normalizer: &Value) -> bool {
    normalizer["type"] == "Lowercase"
        || normalizer["normalizers"]
            .as_array()
            .is_some_and(|normalizers| normalizers.iter().any(lowers))
}

/// Whether these are CLIP's symbols, each with its id.
fn has_clip_vocabulary(vocabulary: &Value) -> bool {
    let Some(vocabulary) = vocabulary.as_object() else {
        return false;
    };
    let symbols = BytePair::symbols();
    // Where two pairs spell the same symbol, a vocabulary has only the later id.
    let ids: HashMap<&str, u64> = (0..)
        .zip(&symbols)
        .map(|(id, s)| (s.as_str(), id))
        .collect();
    vocabulary.len() == ids.len()
        && vocabulary
            .iter()
            .all(|(symbol, id)| ids.get(symbol.as_str()).copied() == id.as_u64())
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, TokenizerError> {
        let bytes = read(path)?;
        Ok(Self {
            path: path.to_path_buf(),
            value: parse(path, &bytes)?,
            bytes,
        })
    }

    /// Whether it has CLIP's own vocabulary and merges, over texts in lower case.
    pub(super) fn is_clip(&self) -> bool {
        let model = &self.value["model"];
        let special = u64::from(START_OF_TEXT);
        let added_are_clips = self.value["added_tokens"].as_array().is_none_or(|added| {
            added.iter().all(|token| {
                let id = token["id"].as_u64();
                match token["content"].as_str() {
                    Some("<|startoftext|>") => id == Some(special),
                    Some("<|endoftext|>") => id == Some(special + 1),
                    _ => false,
                }
            })
        });
        let merges: Option<Vec<String>> = model["merges"].as_array().and_then(|merges| {
            // Newer files have pairs, older ones a text with a blank.
            let pair = |merge: &Value| match merge {
                Value::Array(pair) => match pair.as_slice() {
                    [left, right] => Some(format!("{} {}", left.as_str()?, right.as_str()?)),
                    _ => None,
                },
                merge => merge.as_str().map(str::to_string),
            };
            merges.iter().map(pair).collect()
        });
        lowers(&self.value["normalizer"])
            && model["type"].as_str().is_none_or(|kind| kind == "BPE")
            && added_are_clips
            && has_clip_vocabulary(&model["vocab"])
            && merges.is_some_and(|merges| merges.iter().map(String::as_str).eq(BytePair::pairs()))
    }
}

pub(super) fn is_clip_vocabulary(path: &Path) -> Result<bool, TokenizerError> {
    Ok(has_clip_vocabulary(&parse(path, &read(path)?)?))
}

pub(super) fn is_clip_merges(path: &Path) -> Result<bool, TokenizerError> {
    let text = promptsrc_files::read_regular_text(path, promptsrc_files::LARGEST_TEXT)
        .map_err(|e| error(path, e))?;
    let lines = text.lines().filter(|line| !line.starts_with("#version"));
    let lines = lines.filter(|line| !line.is_empty());
    Ok(lines.eq(BytePair::pairs()))
}
