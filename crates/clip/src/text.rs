//! The text tower: a causal transformer with slots for prompt tokens, in its exact saving form.
//!
//! CLIP pushes every text through all 77 positions. The same function costs far less:
//! nothing after the end-of-text token is computed (the mask is causal and only that token is
//! read); the tokens that all texts begin with are computed once for all of them (by causality
//! they cannot see what follows); the start-of-text token depends on nothing and is computed once,
//! at load; a prompt row that the next layer overwrites gives keys and values only; the first
//! layer's own tokens are constants; and the last layer computes one row a text. Each of these is
//! tested against the plain form.

use burn::tensor::{Tensor, TensorData};
use promptsrc_kernels::Layout;

use crate::attention::indices;
use crate::block::{Block, BlockShape, Projected};
use crate::layers::{LayerNorm, Reader};
use crate::rows::Rows;
use crate::weights::{ClipConfig, WeightError};

/// Texts encoded at once by [`TextTower::encode`]; bounds the memory, does not change the numbers.
const CHUNK: usize = 128;

/// CLIP's frozen text tower.
#[derive(Clone, Debug)]
pub struct TextTower {
    token_embedding: Tensor<2>,
    positional_embedding: Tensor<2>,
    blocks: Vec<Block>,
    ln_final: LayerNorm,
    projection: Tensor<2>,
    width: usize,
    context_length: usize,
    vocab_size: usize,
    start_of_text: Option<StartOfText>,
}

/// Keys and values of the start-of-text token in each block: it sees only itself, so they are
/// constants of the weights.
#[derive(Clone, Debug)]
struct StartOfText {
    id: u32,
    /// Per block.
    projected: Vec<Projected>,
}

/// A list of tokenised texts, made ready for the tower: all that does not depend on a learned value.
///
/// The tokens fall into a prefix that all texts share (start-of-text, the learnable context, and
/// whatever else they have in common) and each text's own tokens up to its end-of-text token.
#[derive(Clone, Debug)]
pub struct TextInput {
    texts: usize,
    /// Learnable rows 1..=n_ctx.
    n_ctx: usize,
    /// Rows of the shared prefix, start-of-text included.
    prefix: usize,
    /// Each text's own tokens, one text after another, of which all outputs are read.
    own: Rows,
    /// The same, of which those of end-of-text are read.
    ends: Rows,
    start: StartOfText,
    /// `[prefix - 1, width]`: embedded prefix without start-of-text; rows of the context hold the
    /// tokens' own embeddings.
    prefix_tokens: Option<Tensor<2>>,
    /// `[n_ctx, width]`.
    context_positions: Option<Tensor<2>>,
    /// `[own tokens of all texts, width]`.
    own_tokens: Tensor<2>,
    /// Of the own tokens in block 0.
    first: Projected,
}

impl TextInput {
    /// Number of texts.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// Rows of the prefix that all texts share, and of all texts' own parts: what is computed
    /// instead of the whole context length for each.
    pub fn lengths(&self) -> (usize, usize) {
        (self.prefix, self.own.layout.rows())
    }
}

/// Why a list of texts cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextInputError {
    /// Nothing to encode.
    #[error("there is no text to encode")]
    Empty,
    /// A text has fewer than its start and end token.
    #[error("text {text} has {tokens} tokens; start-of-text and end-of-text are needed at least")]
    TooShort {
        /// Position of the text in the list.
        text: usize,
        /// Number of its tokens.
        tokens: usize,
    },
    /// A text has more tokens than the tower has positions.
    #[error("text {text} has {tokens} tokens and the text tower {context_length} positions")]
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
    #[error("text {text} begins with token {id}, the first one with token {expected}")]
    Start {
        /// Position of the text in the list.
        text: usize,
        /// Its first token.
        id: u32,
        /// The first token of the first text.
        expected: u32,
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

impl TextTower {
    pub(crate) fn read(reader: &Reader, config: &ClipConfig) -> Result<Self, WeightError> {
        let ClipConfig {
            text,
            activation,
            layer_norm_eps,
            ..
        } = config.clone();
        let shape = BlockShape {
            width: text.width,
            heads: text.heads,
            activation,
            epsilon: layer_norm_eps.into(),
        };
        let blocks = (0..text.layers)
            .map(|l| Block::read(reader, &format!("transformer.resblocks.{l}"), shape))
            .collect::<Result<_, _>>()?;
        let mut tower = Self {
            token_embedding: reader.matrix("token_embedding.weight")?,
            positional_embedding: reader.matrix("positional_embedding")?,
            blocks,
            ln_final: reader.layer_norm("ln_final", shape.epsilon)?,
            projection: reader.matrix("text_projection")?,
            width: text.width,
            context_length: text.context_length,
            vocab_size: text.vocab_size,
            start_of_text: None,
        };
        let start = crate::tokenizer::START_OF_TEXT;
        if (start as usize) < tower.vocab_size {
            tower.start_of_text = Some(tower.start(start));
        }
        Ok(tower)
    }

    /// Number of transformer blocks: the greatest prompt depth.
    pub fn layers(&self) -> usize {
        self.blocks.len()
    }

    /// Width of a token, and of a prompt.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of positions: the longest text, start and end token included.
    pub fn context_length(&self) -> usize {
        self.context_length
    }

    /// The token embeddings `[ids, width]`, without positions.
    ///
    /// # Panics
    /// If an id is outside the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Tensor<2> {
        let rows: Vec<usize> = ids.iter().map(|id| *id as usize).collect();
        self.token_embedding
            .clone()
            .select(0, indices(&rows, &self.token_embedding.device()))
    }

    fn positions(&self, rows: std::ops::Range<usize>) -> Tensor<2> {
        self.positional_embedding
            .clone()
            .slice([rows, 0..self.width])
    }

    fn start(&self, id: u32) -> StartOfText {
        let mut x = self.embed(&[id]) + self.positions(0..1);
        let alone = Rows::one(1, 1);
        let projected = self
            .blocks
            .iter()
            .map(|block| {
                let projected = block.project(x.clone());
                x = block.forward(x.clone(), None, &alone, None, Some(&projected));
                projected
            })
            .collect();
        StartOfText { id, projected }
    }

    /// Makes a list of texts ready. Each is `[start-of-text, ..., end-of-text]` without padding; what
    /// stands after the first occurrence of its greatest id (the end-of-text token) is dropped.
    /// The `n_ctx` tokens after start-of-text are the slots of the learnable context (0: none).
    pub fn prepare(&self, tokens: &[Vec<u32>], n_ctx: usize) -> Result<TextInput, TextInputError> {
        let cut = self.cut(tokens, n_ctx)?;
        let Some(first) = cut.first() else {
            return Err(TextInputError::Empty);
        };
        // Every text keeps at least its end-of-text token for itself.
        let shortest = cut.iter().map(|t| t.len()).min().unwrap_or(1);
        let common = (0..shortest - 1)
            .take_while(|i| cut.iter().all(|t| t[*i] == first[*i]))
            .count();
        let prefix = common.max(1 + n_ctx).min(shortest - 1);

        let ids: Vec<u32> = cut.iter().flat_map(|t| &t[prefix..]).copied().collect();
        let positions: Vec<usize> = cut.iter().flat_map(|t| prefix..t.len()).collect();
        let positions = indices(&positions, &self.positional_embedding.device());
        let own_tokens = self.embed(&ids) + self.positional_embedding.clone().select(0, positions);
        let layout = Layout::new(cut.iter().map(|t| t.len() - prefix), true);
        let ends = (0..cut.len()).map(|t| layout.sequence(t).end - 1).collect();
        let start = match &self.start_of_text {
            Some(start) if start.id == first[0] => start.clone(),
            _ => self.start(first[0]),
        };
        Ok(TextInput {
            texts: cut.len(),
            n_ctx,
            prefix,
            own: Rows::new(layout.clone()),
            ends: Rows::new(layout.with_outputs(ends)),
            start,
            prefix_tokens: (prefix > 1)
                .then(|| self.embed(&first[1..prefix]) + self.positions(1..prefix)),
            context_positions: (n_ctx > 0).then(|| self.positions(1..1 + n_ctx)),
            first: self.blocks[0].project(own_tokens.clone()),
            own_tokens,
        })
    }

    /// The texts up to their end-of-text tokens, checked.
    fn cut<'a>(
        &self,
        tokens: &'a [Vec<u32>],
        n_ctx: usize,
    ) -> Result<Vec<&'a [u32]>, TextInputError> {
        let expected = tokens
            .first()
            .and_then(|t| t.first())
            .copied()
            .unwrap_or_default();
        let mut cut = Vec::with_capacity(tokens.len());
        for (text, ids) in tokens.iter().enumerate() {
            let end = crate::tokenizer::eot_position(ids);
            let Some(kept) = ids.get(..=end).filter(|kept| kept.len() >= 2) else {
                return Err(TextInputError::TooShort {
                    text,
                    tokens: ids.len(),
                });
            };
            if kept.len() > self.context_length {
                return Err(TextInputError::TooLong {
                    text,
                    tokens: kept.len(),
                    context_length: self.context_length,
                });
            }
            if let Some(id) = kept.iter().find(|id| **id as usize >= self.vocab_size) {
                let vocab_size = self.vocab_size;
                return Err(TextInputError::UnknownToken {
                    text,
                    id: *id,
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
            cut.push(kept);
        }
        Ok(cut)
    }

    /// Text features `[texts, embed_dim]`, not normalised.
    ///
    /// `prompts[l]` `[n_ctx, width]` takes rows 1..=n_ctx at block `l`. The first is added to the
    /// positional embedding, deeper ones are not. Without prompts this is frozen CLIP. Prompts
    /// beyond the last block are not looked at.
    ///
    /// # Panics
    /// If prompts are given to an input that was prepared for another number of context tokens.
    pub fn features(&self, input: &TextInput, prompts: &[Tensor<2>]) -> Tensor<2> {
        if let Some(prompt) = prompts.first() {
            assert_eq!(
                prompt.dims(),
                [input.n_ctx, self.width],
                "shape of a text prompt"
            );
        }
        let last = self.blocks.len() - 1;
        let (n_ctx, prefix) = (input.n_ctx, input.prefix);

        // Rows 1..prefix; start-of-text is a constant.
        let mut shared_rows = input.prefix_tokens.clone();
        let mut tokens = input.own_tokens.clone();
        for (layer, block) in self.blocks.iter().enumerate() {
            if let Some(prompt) = prompts.get(layer) {
                let prompt = match (layer, &input.context_positions) {
                    (0, Some(positions)) => prompt.clone() + positions.clone(),
                    _ => prompt.clone(),
                };
                // What follows the context: of the embedded prefix, or of what went on.
                let tail = shared_rows.take().and_then(|rows| {
                    let n = rows.dims()[0];
                    let tail = prefix - 1 - n_ctx;
                    (tail > 0).then(|| rows.slice([n - tail..n, 0..self.width]))
                });
                shared_rows = Some(match tail {
                    Some(tail) => Tensor::cat(vec![prompt, tail], 0),
                    None => prompt,
                });
            }

            let start = &input.start.projected[layer];
            let (rows, given) = (
                if layer == last {
                    &input.ends
                } else {
                    &input.own
                },
                (layer == 0).then_some(&input.first),
            );
            tokens = block.forward(tokens, shared_rows.clone(), rows, Some(start), given);

            // Prefix rows whose output somebody reads. The next layer's prompts overwrite the
            // context; the last layer's output is read at end-of-text only.
            let overwritten = if layer + 1 < prompts.len() { n_ctx } else { 0 };
            let going_on = if layer == last {
                0
            } else {
                prefix - 1 - overwritten
            };
            shared_rows = shared_rows.filter(|_| going_on > 0).map(|shared| {
                let rows = Rows::one(prefix - 1, going_on);
                block.forward(shared, None, &rows, Some(start), None)
            });
        }
        self.ln_final
            .forward(tokens)
            .matmul(self.projection.clone())
    }

    /// Frozen features `[texts, embed_dim]` of any number of texts, not normalised; texts of like
    /// length are encoded together.
    pub fn encode(&self, tokens: &[Vec<u32>]) -> Result<Tensor<2>, TextInputError> {
        // Checked as a whole first, so that an error names the text's place in the list.
        self.cut(tokens, 0)?;
        if tokens.is_empty() {
            return Err(TextInputError::Empty);
        }
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|i| tokens[*i].len());
        let mut rows = vec![0.0f32; 0];
        let mut embed_dim = 0;
        for chunk in order.chunks(CHUNK) {
            let texts: Vec<Vec<u32>> = chunk.iter().map(|i| tokens[*i].clone()).collect();
            let features = self.features(&self.prepare(&texts, 0)?, &[]);
            embed_dim = features.dims()[1];
            rows.resize(tokens.len() * embed_dim, 0.0);
            let values = crate::values(features);
            for (i, row) in chunk.iter().zip(values.chunks_exact(embed_dim)) {
                rows[i * embed_dim..(i + 1) * embed_dim].copy_from_slice(row);
            }
        }
        let device = self.token_embedding.device();
        Ok(Tensor::from_data(
            TensorData::new(rows, [tokens.len(), embed_dim]),
            &device,
        ))
    }
}
