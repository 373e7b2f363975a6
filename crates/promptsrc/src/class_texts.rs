//! Class names as tokenised texts, and the frozen features of templates filled with them.

use std::collections::HashMap;

use burn::tensor::{Tensor, TensorData};
use promptsrc_clip::templates::fill;
use promptsrc_clip::tokenizer::LONGEST_TEXT;
use promptsrc_clip::{ClipModel, Slot, TextInput, TextInputError, TokenizeError, unit, values};

use crate::config::ClassPosition;

/// A list of class names that cannot be turned into features.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClassTextError {
    /// No names at all.
    #[error("there are no class names")]
    NoClasses,
    /// A name that is empty or consists of blanks.
    #[error("class name {position} is empty")]
    EmptyName {
        /// Its position in the list, from 1.
        position: usize,
    },
    /// No template at all.
    #[error("there is no template to fill with the class names")]
    NoTemplates,
    /// Two different names are the same text to this CLIP.
    #[error(
        "the class names {first:?} and {second:?} are the same tokens to this CLIP, so the second is \
         never answered; rename one of them"
    )]
    SameTokens {
        /// The earlier name.
        first: String,
        /// The later name.
        second: String,
    },
    /// The filled text is longer than the context.
    #[error("class {name:?}: {source}")]
    TooLong {
        /// The class name.
        name: String,
        /// The tokenizer's error.
        source: TokenizeError,
    },
    /// The words of the context are other tokens before a class name than alone.
    #[error(
        "the tokenizer of this CLIP does not split {prefix:?} from the class name {name:?}, so the \
         learnable context would overwrite a part of the name: use other words for the context"
    )]
    Prefix {
        /// The words of the context.
        prefix: String,
        /// The class name.
        name: String,
    },
    /// The text tower cannot process the texts.
    #[error("class texts: {0}")]
    Input(#[from] TextInputError),
}

/// Rejects an empty list and empty names.
pub fn check_names(names: &[String]) -> Result<(), ClassTextError> {
    if names.is_empty() {
        return Err(ClassTextError::NoClasses);
    }
    match names.iter().position(|n| n.trim().is_empty()) {
        Some(at) => Err(ClassTextError::EmptyName { position: at + 1 }),
        None => Ok(()),
    }
}

/// The prompt `"<prompt_prefix> <name>."` of each class, tokenised; underscores in names become spaces.
pub fn prompt_tokens(
    clip: &ClipModel,
    prompt_prefix: &str,
    names: &[String],
) -> Result<Vec<Vec<u32>>, ClassTextError> {
    tokens(clip, &format!("{prompt_prefix} {{}}."), names)
}

/// How a class name stands in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// Its underscores are spaces.
    Cleaned,
    /// As it is given.
    AsGiven,
}

/// A template filled with each name, tokenised; underscores in names become spaces.
pub fn tokens(
    clip: &ClipModel,
    template: &str,
    names: &[String],
) -> Result<Vec<Vec<u32>>, ClassTextError> {
    tokens_as(clip, template, names, NameForm::Cleaned)
}

/// A template filled with each name in a form, tokenised.
pub(crate) fn tokens_as(
    clip: &ClipModel,
    template: &str,
    names: &[String],
    form: NameForm,
) -> Result<Vec<Vec<u32>>, ClassTextError> {
    check_names(names)?;
    let length = clip.text().context_length();
    let tokens: Vec<Vec<u32>> = names
        .iter()
        .map(|name| {
            let tokens = filled(template, name, form)
                .and_then(|text| clip.tokenizer().tokenize(&text, length, false));
            tokens.map_err(|source| ClassTextError::TooLong {
                name: name.clone(),
                source,
            })
        })
        .collect::<Result<_, _>>()?;
    check_tokens(names, &tokens)?;
    Ok(tokens)
}

/// A template with the name, unless it would be longer than any text: a long template with many places for a long
/// name is too long for memory.
fn filled(template: &str, name: &str, form: NameForm) -> Result<String, TokenizeError> {
    let places = template.matches("{}").count();
    let bytes = (template.len() - 2 * places).saturating_add(places.saturating_mul(name.len()));
    if bytes > LONGEST_TEXT {
        return Err(TokenizeError::TooManyBytes {
            text: name.chars().take(60).collect(),
            bytes,
            most: LONGEST_TEXT,
        });
    }
    Ok(match form {
        NameForm::Cleaned => fill(template, name),
        NameForm::AsGiven => template.replace("{}", name),
    })
}

/// Rejects different names of the same tokens. Equal names pass: published class names have some,
/// such as ImageNet's two of "missile"; where a person gives names, those are refused before.
fn check_tokens(names: &[String], tokens: &[Vec<u32>]) -> Result<(), ClassTextError> {
    let mut seen: HashMap<&[u32], &String> = HashMap::with_capacity(names.len());
    for (name, tokens) in names.iter().zip(tokens) {
        match seen.insert(tokens, name) {
            Some(first) if first != name => {
                return Err(ClassTextError::SameTokens {
                    first: first.clone(),
                    second: name.clone(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The class prompts as input of the text tower, with `n_ctx` learnable tokens.
pub fn prompt_input(
    clip: &ClipModel,
    prompt_prefix: &str,
    n_ctx: usize,
    names: &[String],
) -> Result<TextInput, ClassTextError> {
    let tokens = learnable_tokens(clip, prompt_prefix, n_ctx, names)?;
    Ok(clip.text().prepare(&tokens, n_ctx)?)
}

/// The tokens of [`prompt_tokens`], whose first `n_ctx` after start-of-text are those of the prefix
/// alone.
fn learnable_tokens(
    clip: &ClipModel,
    prompt_prefix: &str,
    n_ctx: usize,
    names: &[String],
) -> Result<Vec<Vec<u32>>, ClassTextError> {
    let tokens = prompt_tokens(clip, prompt_prefix, names)?;
    let prefix = encoded(clip, prompt_prefix)?;
    let context = prefix.get(..n_ctx).unwrap_or(&prefix);
    let differs = |tokens: &Vec<u32>| !tokens.get(1..).is_some_and(|t| t.starts_with(context));
    match tokens.iter().position(differs) {
        Some(place) => Err(ClassTextError::Prefix {
            prefix: prompt_prefix.to_string(),
            name: names.get(place).cloned().unwrap_or_default(),
        }),
        None => Ok(tokens),
    }
}

/// The tokens of words alone, without start and end.
fn encoded(clip: &ClipModel, words: &str) -> Result<Vec<u32>, ClassTextError> {
    let tokens = clip.tokenizer().encode(words);
    tokens.map_err(|source| ClassTextError::TooLong {
        name: words.to_string(),
        source,
    })
}

/// As [`prompt_input`], for a class name that stands elsewhere among the `n_ctx` learnable tokens, or
/// for a context of each class, whose first prompt has `n_ctx` rows for each.
///
/// The tokens are those of [`prompt_tokens`] in another order, as in CoOp: the class name is moved to
/// after the first half of the context (rounded down), or to before it.
pub fn placed_input(
    clip: &ClipModel,
    prompt_prefix: &str,
    n_ctx: usize,
    class_position: ClassPosition,
    class_specific: bool,
    names: &[String],
) -> Result<TextInput, ClassTextError> {
    let mut tokens = learnable_tokens(clip, prompt_prefix, n_ctx, names)?;
    let mut slots = Vec::with_capacity(names.len());
    for (class, (name, ids)) in names.iter().zip(&mut tokens).enumerate() {
        let name_tokens = encoded(clip, &name.replace('_', " "))?;
        // Between start and end; other tokenizers may have fewer tokens than words.
        let own = ids.len().saturating_sub(2);
        if own < n_ctx {
            return Err(ClassTextError::Input(TextInputError::ContextTooLong {
                text: class,
                n_ctx,
                tokens: own,
            }));
        }
        let before = class_position.tokens_before(n_ctx);
        // The tokens of the name follow those of the context.
        let first = 1 + before;
        let end = (1 + n_ctx + name_tokens.len()).min(1 + own);
        if let Some(moved) = ids.get_mut(first..end) {
            moved.rotate_left(n_ctx - before);
        }
        let name_tokens = end - 1 - n_ctx;
        slots.push(
            (0..n_ctx)
                .map(|i| Slot {
                    position: 1 + i + if i < before { 0 } else { name_tokens },
                    row: if class_specific { class * n_ctx + i } else { i },
                })
                .collect(),
        );
    }
    let rows = if class_specific {
        names.len() * n_ctx
    } else {
        n_ctx
    };
    Ok(clip.text().prepare_placed(&tokens, &slots, rows)?)
}

/// The frozen text feature of PromptSRC, `[classes, embed_dim]`: the mean over all templates of
/// features that are *not* normalised (textual diversity, paper section 3.2.3). It is normalised
/// when it is used. `progress` receives the number of finished texts and of all.
pub fn teacher_text_features(
    clip: &ClipModel,
    names: &[String],
    templates: &[String],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Tensor<2>, ClassTextError> {
    frozen_text_features(clip, names, templates, NameForm::Cleaned, progress)
}

/// As [`teacher_text_features`], with names in a form.
pub(crate) fn frozen_text_features(
    clip: &ClipModel,
    names: &[String],
    templates: &[String],
    form: NameForm,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Tensor<2>, ClassTextError> {
    mean_over_templates(clip, names, templates, form, |features| features, progress)
}

/// Zero-shot classifier weights, unit rows `[classes, embed_dim]`: the features of each template
/// are normalised, averaged and normalised again. `progress` receives the number of finished texts and
/// of all.
pub fn zero_shot_weights(
    clip: &ClipModel,
    names: &[String],
    templates: &[String],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Tensor<2>, ClassTextError> {
    let form = NameForm::Cleaned;
    let mean = mean_over_templates(clip, names, templates, form, unit, progress)?;
    Ok(unit(mean))
}

fn mean_over_templates(
    clip: &ClipModel,
    names: &[String],
    templates: &[String],
    form: NameForm,
    each: impl Fn(Tensor<2>) -> Tensor<2>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Tensor<2>, ClassTextError> {
    if templates.is_empty() {
        return Err(ClassTextError::NoTemplates);
    }
    let mut sums: Vec<f64> = Vec::new();
    let mut shape = [0; 2];
    let total = templates.len() * names.len();
    for (place, template) in templates.iter().enumerate() {
        let tokens = tokens_as(clip, template, names, form)?;
        let report = &mut |done| progress(place * names.len() + done, total);
        let features = each(clip.text().encode_with(&tokens, report)?);
        shape = features.dims();
        sums.resize(shape[0] * shape[1], 0.0);
        for (sum, value) in sums.iter_mut().zip(values(features)) {
            *sum += f64::from(value);
        }
    }
    let n = templates.len() as f64;
    let mean: Vec<f32> = sums.iter().map(|s| (s / n) as f32).collect();
    Ok(Tensor::from_data(
        TensorData::new(mean, shape),
        clip.device(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_not_filled_beyond_the_longest_text() {
        let filled = |template: &str, name: &str| filled(template, name, NameForm::Cleaned);
        assert_eq!(
            filled("a {} {}.", "red_cat").as_deref(),
            Ok("a red cat red cat.")
        );
        let name = "a".repeat(LONGEST_TEXT / 2);
        assert_eq!(
            filled("{}{}", &name).map(|text| text.len()),
            Ok(LONGEST_TEXT)
        );
        // 4 GiB of text.
        let error = filled(&"{}".repeat(1 << 20), &name).unwrap_err();
        let bytes = name.len() << 20;
        assert!(
            matches!(error, TokenizeError::TooManyBytes { bytes: found, .. } if found == bytes),
            "{error}"
        );
    }
}
