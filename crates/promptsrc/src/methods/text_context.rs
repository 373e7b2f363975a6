//! CoOp's rules of the text context, which the methods that build on CoOp share.

use crate::config::{ClassPosition, ConfigError, Overrides, PromptConfig};

/// Prompts at the input of the text tower only.
pub(crate) fn at_text_input(n_ctx: usize, ctx_init: &str) -> PromptConfig {
    PromptConfig {
        n_ctx_text: n_ctx,
        n_ctx_vision: 0,
        depth_text: 1,
        depth_vision: 0,
        ctx_init: ctx_init.to_string(),
        class_specific: false,
        class_position: ClassPosition::End,
    }
}

/// Sets the number of context tokens to the number of initial words, if there are any (CoOp's
/// `CTX_INIT`). If the number of tokens was `given` and the words were not, a different number removes
/// the words, so that the context is initialised at random.
///
/// # Errors
/// [`ConfigError::WordCount`] if both were given and contradict each other.
pub(crate) fn count_words(
    prompts: &mut PromptConfig,
    given: &Overrides,
) -> Result<(), ConfigError> {
    let words = number_of_words(&prompts.ctx_init);
    match given.text_context {
        Some(n_ctx) if words > 0 && n_ctx != words => match given.ctx_init {
            Some(_) => return Err(ConfigError::WordCount { n_ctx, words }),
            None => prompts.ctx_init.clear(),
        },
        _ if words > 0 => prompts.n_ctx_text = words,
        _ => {}
    }
    Ok(())
}

/// Removes the words of the preset where each class has a context of its own, which is initialised at
/// random.
///
/// # Errors
/// [`ConfigError::WordsForEachClass`] if such words were given.
pub(crate) fn refuse_words_of_each_class(
    prompts: &mut PromptConfig,
    given: &Overrides,
) -> Result<(), ConfigError> {
    if !prompts.class_specific || number_of_words(&prompts.ctx_init) == 0 {
        return Ok(());
    }
    if given.ctx_init.is_some() || !given.class_specific {
        return Err(ConfigError::WordsForEachClass);
    }
    prompts.ctx_init.clear();
    Ok(())
}

/// Number of initial words, as CoOp counts them: split at blanks, where an underscore is a blank.
pub(crate) fn number_of_words(ctx_init: &str) -> usize {
    ctx_init.replace('_', " ").split_whitespace().count()
}
