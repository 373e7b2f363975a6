//! The tokenizer of a folder: which files it has, and whether they are CLIP's own.

use std::path::Path;

use super::error::WeightError;
use super::sidecar::{Sidecar, TokenizerSource};
use crate::tokenizer::{EndOfText, Tokenizer};

const JSON: &str = "tokenizer.json";
const VOCABULARY: &str = "vocab.json";
const MERGES: &str = "merges.txt";
/// Files of tokenizers that are only read through their `tokenizer.json`.
const OTHERS: [&str; 5] = [
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
    "vocab.txt",
    "bpe.codes",
];

/// The tokenizer that a configuration means, and where the text's feature is read.
pub(super) fn open(
    sidecar: &Sidecar,
    vocab_size: usize,
    notes: &mut Vec<String>,
) -> Result<(Tokenizer, EndOfText), WeightError> {
    let (config, texts) = (&sidecar.path, &sidecar.texts);
    let refused = |problem: String| WeightError::Config {
        path: config.clone(),
        problem,
    };
    let json = config.with_file_name(JSON);
    let tokenizer = match &texts.tokenizer {
        TokenizerSource::Clip(cleaning) => Tokenizer::clip_with(*cleaning),
        TokenizerSource::Named { name, cleaning } => match json.is_file() {
            true => Tokenizer::json(&json, Some(*cleaning))?,
            false => {
                return Err(refused(format!(
                    "model_cfg.text_cfg.hf_tokenizer_name is {name:?}: put the {JSON} of {name} beside the weights"
                )));
            }
        },
        TokenizerSource::Folder { or_clip } => of_folder(config, *or_clip, notes)?,
    };
    // CLIP's own needs no file; its end token has the greatest id.
    let is_clip = tokenizer.end() == Tokenizer::clip().end()
        && tokenizer.vocab_size() == Tokenizer::clip().vocab_size();
    match texts.end {
        EndOfText::First(id) if id != tokenizer.end() => Err(refused(format!(
            "{} is {id}, but the tokenizer ends texts with {}",
            texts.end_key,
            tokenizer.end()
        ))),
        EndOfText::Greatest if tokenizer.end() as usize + 1 != tokenizer.vocab_size() => {
            Err(refused(format!(
                "the text feature is read at the greatest token ({}), but the tokenizer ends texts with {}, of {} tokens",
                texts.end_key,
                tokenizer.end(),
                tokenizer.vocab_size()
            )))
        }
        _ if is_clip => Ok((tokenizer, EndOfText::Greatest)),
        _ if tokenizer.vocab_size() > vocab_size => Err(WeightError::Config {
            path: json,
            problem: format!(
                "the tokenizer has {} tokens, but the text tower embeds {vocab_size}",
                tokenizer.vocab_size()
            ),
        }),
        end => Ok((tokenizer, end)),
    }
}

/// The tokenizer whose files are beside a configuration of Hugging Face.
fn of_folder(
    config: &Path,
    or_clip: bool,
    notes: &mut Vec<String>,
) -> Result<Tokenizer, WeightError> {
    let file = |name: &str| Some(config.with_file_name(name)).filter(|path| path.is_file());
    if let Some(json) = file(JSON) {
        return Ok(Tokenizer::of_transformers(&json)?);
    }
    let (vocabulary, merges) = (file(VOCABULARY), file(MERGES));
    let other = match (&vocabulary, &merges) {
        (Some(vocabulary), _) if !Tokenizer::is_clip_vocabulary(vocabulary)? => {
            Some(vocabulary.clone())
        }
        (_, Some(merges)) if !Tokenizer::is_clip_merges(merges)? => Some(merges.clone()),
        (None, None) => OTHERS.iter().find_map(|name| file(name)),
        _ => None,
    };
    if let Some(path) = other {
        return Err(WeightError::Config {
            path,
            problem: format!(
                "this is not CLIP's tokenizer, and there is no {JSON} to compute it with: write one with \
                 AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) of transformers"
            ),
        });
    }
    if vocabulary.is_none() && merges.is_none() {
        if !or_clip {
            return Err(WeightError::Config {
                path: config.to_path_buf(),
                problem: format!(
                    "this kind of CLIP has a tokenizer of its own, but there is no {JSON} beside it"
                ),
            });
        }
        notes.push(format!(
            "there is no {JSON} beside the weights: CLIP's tokenizer is assumed"
        ));
    }
    Ok(Tokenizer::clip().clone())
}
