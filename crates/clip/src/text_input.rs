//! A list of tokenised texts, made ready for the text tower.

use burn::tensor::{Int, Tensor};
use promptsrc_kernels as kernels;

use crate::block::{Form, PlainProjected, Projected};
use crate::rows::Rows;
use crate::tokenizer::EndOfText;

/// A list of tokenised texts, made ready for the tower: all that depends on no learned value.
///
/// The tokens fall into a prefix that all texts share (start-of-text, the learnable context, and
/// whatever else they have in common) and each text's own tokens up to its end-of-text token.
#[derive(Clone, Debug)]
pub struct TextInput {
    pub(crate) texts: usize,
    /// Number of learnable rows that all texts share at the same positions: 1..=n_ctx.
    pub(crate) n_ctx: usize,
    /// Learnable rows among the texts' own tokens, if there are any.
    pub(crate) placed: Option<PlacedContext>,
    /// Rows of the shared prefix, start-of-text included.
    pub(crate) prefix: usize,
    /// Each text's own tokens, text after text, every output of which is read.
    pub(crate) own: Rows,
    /// The same, of which only the outputs of end-of-text are read.
    pub(crate) ends: Rows,
    pub(crate) start: StartOfText,
    /// `[prefix - 1, width]`: the embedded prefix without start-of-text; rows of the context hold
    /// the tokens' own embeddings.
    pub(crate) prefix_tokens: Option<Tensor<2>>,
    /// `[n_ctx, width]`: the positional embedding of the context.
    pub(crate) context_positions: Option<Tensor<2>>,
    /// `[own tokens of all texts, width]`; learnable rows hold the tokens' own embeddings.
    pub(crate) own_tokens: Tensor<2>,
    /// Of the own tokens in block 0.
    pub(crate) own_projected: Projected,
}

/// The token that all texts begin with, and its queries, keys and values in each block: it sees
/// only itself, so they are constants of the weights.
#[derive(Clone, Debug)]
pub(crate) struct StartOfText {
    pub id: u32,
    /// Per block.
    pub projected: Form<Vec<kernels::Projected>, Vec<PlainProjected>>,
}

/// A learnable row of a text: a row of the context takes the place of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Position in the text; 0 is start-of-text.
    pub position: usize,
    /// Row of the context.
    pub row: usize,
}

/// Learnable rows among the texts' own tokens.
#[derive(Clone, Debug)]
pub(crate) struct PlacedContext {
    /// Rows that the context must have.
    pub context_rows: usize,
    /// `[placed]`: the row of the context of each place.
    pub rows: Tensor<1, Int>,
    /// `[placed, width]`: the positional embedding of each place.
    pub positions: Tensor<2>,
    /// `[own tokens]`: for each own token its row among the own tokens, followed by the places.
    pub order: Tensor<1, Int>,
}

impl PlacedContext {
    /// The own tokens `[own tokens, width]` with rows of the context `[context_rows, width]`.
    ///
    /// # Panics
    /// If the context has another number of rows.
    pub fn fill(&self, own_tokens: &Tensor<2>, context: &Tensor<2>) -> Tensor<2> {
        let [rows, _] = context.dims();
        assert_eq!(rows, self.context_rows, "rows of the text context");
        // [placed, width]
        let placed = context.clone().select(0, self.rows.clone()) + self.positions.clone();
        // [own tokens + placed, width]
        let all = Tensor::cat(vec![own_tokens.clone(), placed], 0);
        all.select(0, self.order.clone()) // [own tokens, width]
    }
}

impl TextInput {
    /// Rows that the context of the first prompt must have.
    pub(crate) fn context_rows(&self) -> usize {
        let placed = self.placed.as_ref();
        placed.map_or(self.n_ctx, |placed| placed.context_rows)
    }

    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// Rows of the prefix that all texts share, and of all texts' own parts: what is computed
    /// instead of the whole context length for each text.
    pub fn lengths(&self) -> (usize, usize) {
        (self.prefix, self.own.layout.rows())
    }
}

/// Why a list of texts cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextInputError {
    /// The list is empty.
    #[error("there is no text to encode")]
    Empty,
    /// A text has fewer tokens than start and end.
    #[error("text {text} has {tokens} tokens; it needs at least start-of-text and end-of-text")]
    TooShort {
        /// Position of the text in the list.
        text: usize,
        /// Number of its tokens.
        tokens: usize,
    },
    /// A text has more tokens than the tower has positions.
    #[error("text {text} has {tokens} tokens, but the text tower has {context_length} positions")]
    TooLong {
        /// Position of the text in the list.
        text: usize,
        /// Number of its tokens.
        tokens: usize,
        /// Positions of the tower.
        context_length: usize,
    },
    /// A token outside the vocabulary.
    #[error("text {text} has token {id}, but the vocabulary of this CLIP has {vocab_size} tokens")]
    UnknownToken {
        /// Position of the text in the list.
        text: usize,
        /// The token.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// Not all texts begin with the same token.
    #[error("text {text} begins with token {id}, but the first text with token {expected}")]
    Start {
        /// Position of the text in the list.
        text: usize,
        /// Its first token.
        id: u32,
        /// The first token of the first text.
        expected: u32,
    },
    /// A learnable row has no token to take the place of.
    #[error(
        "text {text} has {tokens} tokens between start and end, but a learnable row at position \
         {position}"
    )]
    Slot {
        /// Position of the text in the list.
        text: usize,
        /// Position of the learnable row in the text.
        position: usize,
        /// Tokens between start-of-text and end-of-text.
        tokens: usize,
    },
    /// The learnable context would overwrite the class name.
    #[error(
        "the context has {n_ctx} learnable tokens but text {text} has only {tokens} tokens before \
         its end-of-text token: use fewer context tokens, or more words to initialise them from"
    )]
    ContextTooLong {
        /// Position of the text in the list.
        text: usize,
        /// Learnable context tokens.
        n_ctx: usize,
        /// Tokens between start-of-text and end-of-text.
        tokens: usize,
    },
}

/// The texts up to their end-of-text tokens, checked: none has more tokens than `context_length`
/// or a token outside `vocab_size`, all begin with the same token, and each has room for `n_ctx`
/// context tokens.
pub(crate) fn up_to_end(
    tokens: &[Vec<u32>],
    n_ctx: usize,
    context_length: usize,
    vocab_size: usize,
    end: EndOfText,
) -> Result<Vec<&[u32]>, TextInputError> {
    let expected = tokens
        .first()
        .and_then(|t| t.first())
        .copied()
        .unwrap_or_default();
    let mut texts = Vec::with_capacity(tokens.len());
    for (text, ids) in tokens.iter().enumerate() {
        let Some(kept) = ids.get(..=end.position(ids)).filter(|kept| kept.len() >= 2) else {
            return Err(TextInputError::TooShort {
                text,
                tokens: ids.len(),
            });
        };
        if kept.len() > context_length {
            return Err(TextInputError::TooLong {
                text,
                tokens: kept.len(),
                context_length,
            });
        }
        if let Some(&id) = kept.iter().find(|id| **id as usize >= vocab_size) {
            return Err(TextInputError::UnknownToken {
                text,
                id,
                vocab_size,
            });
        }
        if kept[0] != expected {
            return Err(TextInputError::Start {
                text,
                id: kept[0],
                expected,
            });
        }
        if kept.len() - 2 < n_ctx {
            return Err(TextInputError::ContextTooLong {
                text,
                n_ctx,
                tokens: kept.len() - 2,
            });
        }
        texts.push(kept);
    }
    Ok(texts)
}
