//! The text tower: a causal transformer with slots for prompt tokens, in a form that saves work
//! and computes the same function as [`PlainClip::text_features`](crate::plain::PlainClip).
//!
//! CLIP pushes every text through all 77 positions. The same function costs far less:
//!
//! - Nothing after the end-of-text token is computed: the mask is causal and only that token is
//!   read.
//! - The tokens that all texts begin with are computed once for all: by causality they cannot see
//!   what follows.
//! - The start-of-text token depends on nothing and is computed once, at load.
//! - A prompt row that the next block's prompt overwrites is not computed; only its key and value
//!   are.
//! - The texts' own tokens are constants of the first block.
//! - The last block computes one row per text.
//!
//! Each of these is tested against the plain form.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use promptsrc_kernels::{BlockShape, Layout, Precision};

use crate::block::{Block, Blocks, Form};
use crate::layers::LayerNorm;
use crate::reader::Reader;
use crate::rows::{Rows, indices};
use crate::tensors::values;
use crate::text_input::{PlacedContext, Slot, StartOfText, TextInput, TextInputError, up_to_end};
use crate::token_embedding::TokenEmbedding;
use crate::tokenizer::EndOfText;
use crate::weights::{ClipConfig, WeightError};

/// Texts that [`TextTower::encode`] encodes at once: bounds the memory, changes no number.
const CHUNK: usize = 128;

/// CLIP's frozen text tower.
///
/// The function that is computed, without any saving, is
/// [`PlainClip::text_features`](crate::plain::PlainClip::text_features).
#[derive(Clone, Debug)]
pub struct TextTower {
    token_embedding: TokenEmbedding,
    /// `[context_length, width]`.
    positional_embedding: Tensor<2>,
    blocks: Blocks,
    ln_final: LayerNorm,
    /// `[width, embed_dim]`.
    projection: Tensor<2>,
    width: usize,
    context_length: usize,
    vocab_size: usize,
    end_of_text: EndOfText,
    /// None where the vocabulary lacks the start-of-text token.
    start_of_text: Option<StartOfText>,
}

impl TextTower {
    /// Reads the tower; with a precision its blocks are the kernels'.
    pub(crate) fn read(
        reader: &Reader,
        config: &ClipConfig,
        frozen: Option<Precision>,
    ) -> Result<Self, WeightError> {
        let text = &config.text;
        let epsilon = config.layer_norm_eps;
        let shape = BlockShape {
            width: text.width,
            heads: text.heads,
            hidden: text.mlp_width,
            activation: config.activation,
            epsilon,
        };
        let mut tower = Self {
            token_embedding: reader.token_embedding("token_embedding.weight")?,
            positional_embedding: reader.matrix("positional_embedding")?,
            blocks: Blocks::read(reader, "transformer.resblocks", text.layers, shape, frozen)?,
            ln_final: reader.layer_norm("ln_final", epsilon)?,
            projection: reader.matrix("text_projection")?,
            width: text.width,
            context_length: text.context_length,
            vocab_size: text.vocab_size,
            end_of_text: text.end_of_text,
            start_of_text: None,
        };
        if (text.start_of_text as usize) < tower.vocab_size {
            tower.start_of_text = Some(tower.start(text.start_of_text));
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
        self.token_embedding.rows(ids)
    }

    /// The positional embedding `[rows, width]` of consecutive rows.
    fn positions(&self, rows: Range<usize>) -> Tensor<2> {
        self.positional_embedding
            .clone()
            .slice([rows, 0..self.width]) // [rows, width]
    }

    /// The token that a text begins with, as it enters the first block: `[1, width]`.
    fn start_token(&self, id: u32) -> Tensor<2> {
        self.embed(&[id]) + self.positions(0..1)
    }

    fn start(&self, id: u32) -> StartOfText {
        let token = self.start_token(id);
        StartOfText {
            id,
            projected: match &self.blocks {
                Form::Frozen(blocks) => Form::Frozen(project_in_each(blocks, token)),
                Form::Plain(blocks) => Form::Plain(project_in_each(blocks, token)),
            },
        }
    }

    /// Makes a list of texts ready. Each is `[start-of-text, ..., end-of-text]` without padding;
    /// what follows the first occurrence of its greatest id (the end-of-text token) is dropped.
    /// The `n_ctx` tokens after start-of-text are the slots of the learnable context (0: none).
    pub fn prepare(&self, tokens: &[Vec<u32>], n_ctx: usize) -> Result<TextInput, TextInputError> {
        let texts = up_to_end(
            tokens,
            n_ctx,
            self.context_length,
            self.vocab_size,
            self.end_of_text,
        )?;
        if texts.is_empty() {
            return Err(TextInputError::Empty);
        }
        let prefix = shared_prefix(&texts, n_ctx);
        Ok(self.input(&texts, n_ctx, prefix))
    }

    /// As [`prepare`](Self::prepare), for a context whose rows take any places in the texts: those
    /// after the class name, or of each text's own. `slots` of each text are in order of position; the
    /// first prompt then has `context_rows` rows, and there are no deeper ones. What all texts begin
    /// with is still computed once.
    ///
    /// # Errors
    /// [`TextInputError`]; [`TextInputError::Slot`] if a slot is not between a text's start and end.
    ///
    /// # Panics
    /// If there is not one list of slots for each text, or a slot has a row beyond `context_rows`.
    pub fn prepare_placed(
        &self,
        tokens: &[Vec<u32>],
        slots: &[Vec<Slot>],
        context_rows: usize,
    ) -> Result<TextInput, TextInputError> {
        assert_eq!(tokens.len(), slots.len(), "texts and lists of slots");
        let texts = up_to_end(
            tokens,
            0,
            self.context_length,
            self.vocab_size,
            self.end_of_text,
        )?;
        let Some(first) = slots.first() else {
            return Err(TextInputError::Empty);
        };
        for (text, (ids, slots)) in texts.iter().zip(slots).enumerate() {
            let tokens = ids.len() - 2;
            if let Some(slot) = slots.iter().find(|s| !(1..=tokens).contains(&s.position)) {
                return Err(TextInputError::Slot {
                    text,
                    position: slot.position,
                    tokens,
                });
            }
            assert!(
                slots.iter().all(|s| s.row < context_rows),
                "rows of the text context"
            );
        }
        // The context's first rows, where all texts have them right after start-of-text.
        let leading = |i: usize| {
            let slot = Slot {
                position: i + 1,
                row: i,
            };
            slots.iter().all(|of| of.get(i) == Some(&slot))
        };
        let n_ctx = (0..first.len()).take_while(|i| leading(*i)).count();
        let prefix = 1 + n_ctx;
        let mut input = self.input(&texts, n_ctx, prefix);

        let mut order: Vec<usize> = (0..input.own.layout.rows()).collect();
        let (mut rows, mut positions) = (Vec::new(), Vec::new());
        for (text, slots) in slots.iter().enumerate() {
            let begin = input.own.layout.sequence(text).start;
            for slot in &slots[n_ctx..] {
                order[begin + slot.position - prefix] = order.len() + rows.len();
                rows.push(slot.row);
                positions.push(slot.position);
            }
        }
        let device = self.positional_embedding.device();
        if !rows.is_empty() {
            let positions = indices(&positions, &device);
            input.placed = Some(PlacedContext {
                context_rows,
                rows: indices(&rows, &device),
                positions: self.positional_embedding.clone().select(0, positions),
                order: indices(&order, &device),
            });
        }
        Ok(input)
    }

    /// Checked texts, of which all begin with the same `prefix` tokens, as an input.
    fn input(&self, texts: &[&[u32]], n_ctx: usize, prefix: usize) -> TextInput {
        let first = texts[0];
        let start = match &self.start_of_text {
            Some(start) if start.id == first[0] => start.clone(),
            _ => self.start(first[0]),
        };

        let ids: Vec<u32> = texts.iter().flat_map(|t| &t[prefix..]).copied().collect();
        let positions: Vec<usize> = texts.iter().flat_map(|t| prefix..t.len()).collect();
        let positions = indices(&positions, &self.positional_embedding.device());
        // [own tokens, width]
        let own_tokens = self.embed(&ids) + self.positional_embedding.clone().select(0, positions);

        let layout = Layout::new(texts.iter().map(|t| t.len() - prefix), true);
        let ends = (0..texts.len())
            .map(|t| layout.sequence(t).end - 1)
            .collect();
        TextInput {
            texts: texts.len(),
            n_ctx,
            placed: None,
            prefix,
            own: Rows::new(layout.clone()),
            ends: Rows::new(layout.with_outputs(ends)),
            start,
            prefix_tokens: (prefix > 1)
                .then(|| self.embed(&first[1..prefix]) + self.positions(1..prefix)),
            context_positions: (n_ctx > 0).then(|| self.positions(1..1 + n_ctx)),
            own_projected: self.blocks.project_first(own_tokens.clone()),
            own_tokens,
        }
    }

    /// Text features `[texts, embed_dim]`, not normalised.
    ///
    /// `prompts[l]` `[n_ctx, width]` takes rows 1..=n_ctx at block `l`. The first is added to the
    /// positional embedding, deeper ones are not. Without prompts this is frozen CLIP. Prompts
    /// beyond the last block are ignored. An input that was [prepared](Self::prepare_placed) with
    /// places of its own takes one prompt, `[context_rows, width]`.
    ///
    /// # Panics
    /// If prompts are given to an input that was prepared for others.
    pub fn features(&self, input: &TextInput, prompts: &[Tensor<2>]) -> Tensor<2> {
        if let Some(prompt) = prompts.first() {
            assert_eq!(
                prompt.dims(),
                [input.context_rows(), self.width],
                "shape of a text prompt"
            );
            assert!(
                input.placed.is_none() || prompts.len() == 1,
                "deep prompts of a placed context"
            );
        }
        let (start, own) = (&input.start.projected, &input.own_projected);
        let ends = match &self.blocks {
            Form::Frozen(b) => self.transform(b, input, start.frozen(), own.frozen(), prompts),
            Form::Plain(b) => self.transform(b, input, start.plain(), own.plain(), prompts),
        }; // [texts, width]
        self.ln_final.forward(ends).matmul(self.projection.clone()) // [texts, embed_dim]
    }

    /// The end-of-text tokens `[texts, width]` after the last block. `start`: start-of-text in each
    /// block, `own`: the own tokens in block 0, where they have been projected in the form of these
    /// blocks.
    fn transform<B: Block>(
        &self,
        blocks: &[B],
        input: &TextInput,
        start: Option<&Vec<B::Projected>>,
        own: Option<&B::Projected>,
        prompts: &[Tensor<2>],
    ) -> Tensor<2> {
        let anew;
        let start = match start {
            Some(start) => start,
            None => {
                anew = project_in_each(blocks, self.start_token(input.start.id));
                &anew
            }
        };
        let last = blocks.len() - 1;
        let mut prefix = input.prefix_tokens.clone(); // [prefix - 1, width], without start-of-text
        // [own tokens, width]
        let (mut tokens, mut given) = match (&input.placed, prompts.first()) {
            (Some(placed), Some(prompt)) => (placed.fill(&input.own_tokens, prompt), None),
            _ => (input.own_tokens.clone(), own),
        };
        for (layer, block) in blocks.iter().enumerate() {
            if let Some(prompt) = prompts.get(layer).filter(|_| input.n_ctx > 0) {
                // A placed context begins with the rows that all texts share.
                let prompt = prompt.clone().slice([0..input.n_ctx, 0..self.width]);
                // [prefix - 1, width]
                prefix = Some(input.overwrite_context(prefix, prompt, layer));
            }
            let start = Some(&start[layer]);
            let rows = input.needed_rows(layer == last);
            // [own tokens, width], from the last block [texts, width]
            tokens = block.forward(tokens, prefix.clone(), rows, start, given.take());

            let overwritten_next = layer + 1 < prompts.len();
            prefix = match (prefix, input.needed_prefix(layer == last, overwritten_next)) {
                // [needed rows, width]
                (Some(prefix), Some(rows)) => Some(block.forward(prefix, None, &rows, start, None)),
                _ => None,
            };
        }
        tokens
    }

    /// Frozen features `[texts, embed_dim]` of any number of texts, not normalised; texts of
    /// similar length are encoded together.
    pub fn encode(&self, tokens: &[Vec<u32>]) -> Result<Tensor<2>, TextInputError> {
        self.encode_with(tokens, &mut |_| ())
    }

    /// As [`encode`](Self::encode); `progress` receives the number of texts that are finished.
    pub fn encode_with(
        &self,
        tokens: &[Vec<u32>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Tensor<2>, TextInputError> {
        // Checked as a whole first, so that an error names the text's place in the list.
        up_to_end(
            tokens,
            0,
            self.context_length,
            self.vocab_size,
            self.end_of_text,
        )?;
        if tokens.is_empty() {
            return Err(TextInputError::Empty);
        }
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|i| tokens[*i].len());
        let [_, embed_dim] = self.projection.dims();
        let mut rows = vec![0.0f32; tokens.len() * embed_dim];
        let mut done = 0;
        for chunk in order.chunks(CHUNK) {
            let texts: Vec<Vec<u32>> = chunk.iter().map(|i| tokens[*i].clone()).collect();
            let features = self.features(&self.prepare(&texts, 0)?, &[]); // [chunk, embed_dim]
            for (i, row) in chunk.iter().zip(values(features).chunks_exact(embed_dim)) {
                rows[i * embed_dim..(i + 1) * embed_dim].copy_from_slice(row);
            }
            done += chunk.len();
            progress(done);
        }
        let shape = [tokens.len(), embed_dim];
        let device = self.positional_embedding.device();
        Ok(Tensor::from_data(TensorData::new(rows, shape), &device))
    }
}

/// Number of tokens that all texts begin with, the learnable context included. Every text keeps at
/// least its end-of-text token for itself.
fn shared_prefix(texts: &[&[u32]], n_ctx: usize) -> usize {
    let shortest = texts.iter().map(|t| t.len()).min().unwrap_or(1);
    let common = (0..shortest - 1)
        .take_while(|i| texts.iter().all(|t| t[*i] == texts[0][*i]))
        .count();
    common.max(1 + n_ctx).min(shortest - 1)
}

/// Projections in each block of a token `[1, width]` that sees only itself.
fn project_in_each<B: Block>(blocks: &[B], mut token: Tensor<2>) -> Vec<B::Projected> {
    let alone = Rows::one(1, 1);
    blocks
        .iter()
        .map(|block| {
            let projected = block.project(token.clone());
            token = block.forward(token.clone(), None, &alone, None, Some(&projected));
            projected
        })
        .collect()
}

impl TextInput {
    /// The prefix `[prefix - 1, width]` of the block `layer`: the prompt `[n_ctx, width]`, followed
    /// by what follows the context in the prefix `before`, whose last rows these are.
    fn overwrite_context(
        &self,
        before: Option<Tensor<2>>,
        prompt: Tensor<2>,
        layer: usize,
    ) -> Tensor<2> {
        let prompt = match &self.context_positions {
            Some(positions) if layer == 0 => prompt + positions.clone(),
            _ => prompt,
        }; // [n_ctx, width]
        let kept = self.prefix - 1 - self.n_ctx;
        match before {
            Some(before) if kept > 0 => {
                let [rows, width] = before.dims();
                let following = before.slice([rows - kept..rows, 0..width]); // [kept, width]
                Tensor::cat(vec![prompt, following], 0) // [prefix - 1, width]
            }
            _ => prompt,
        }
    }

    /// The own tokens, of which every output is needed; after the last block only that of
    /// end-of-text.
    fn needed_rows(&self, is_last: bool) -> &Rows {
        if is_last { &self.ends } else { &self.own }
    }

    /// The prefix without start-of-text, of which the outputs are needed that the next block
    /// reads: none after the last block, and not those of the context where the next block's
    /// prompt overwrites it.
    fn needed_prefix(&self, is_last: bool, overwritten_next: bool) -> Option<Rows> {
        let rows = self.prefix - 1;
        let needed = match (is_last, overwritten_next) {
            (true, _) => 0,
            (false, true) => rows - self.n_ctx,
            (false, false) => rows,
        };
        (needed > 0).then(|| Rows::one(rows, needed))
    }
}
