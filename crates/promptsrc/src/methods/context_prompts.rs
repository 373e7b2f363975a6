//! A context at the input of the text tower: the prompt model of CoOp and of the methods that guide it.

use burn::tensor::Tensor;
use promptsrc_clip::ClipModel;

use crate::config::{ConfigError, PromptConfig};
use crate::initial_values::{PROMPT_STD, embedded_words, gaussian};
use crate::methods::layer_prompts::{Tower, prompt_name};
use crate::methods::text_context::number_of_words;
use crate::parameters::{Leaves, Parameter, Parameters};
use crate::prompt_model::{Placement, PromptModel, TowerPrompts};

/// One parameter, the context: `[n_ctx, width]` for all classes, or `[classes, n_ctx, width]` with a
/// context for each. It has the reference's name, `prompt_learner.ctx`.
#[derive(Clone, Debug)]
pub struct ContextPrompts {
    config: PromptConfig,
}

impl ContextPrompts {
    /// The model of a configuration.
    pub fn new(config: &PromptConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }

    fn name(&self) -> String {
        prompt_name(Tower::Text, 0)
    }

    /// Tokens of the context that are initialised with words: the last ones.
    fn words(&self) -> usize {
        match self.config.class_specific {
            true => 0,
            false => number_of_words(&self.config.ctx_init).min(self.config.n_ctx_text),
        }
    }
}

impl PromptModel for ContextPrompts {
    /// "X" for each token that is not initialised with a word, then the initial words.
    fn prompt_prefix(&self) -> String {
        let words = self.words();
        let mut list = vec!["X".to_string(); self.config.n_ctx_text - words];
        if words > 0 {
            list.push(self.config.ctx_init.trim().replace('_', " "));
        }
        list.join(" ")
    }

    fn n_ctx_text(&self) -> usize {
        self.config.n_ctx_text
    }

    fn placement(&self) -> Placement {
        Placement {
            class_position: self.config.class_position,
            class_specific: self.config.class_specific,
        }
    }

    fn shapes(&self, clip: &ClipModel, classes: usize) -> Vec<(String, Vec<usize>)> {
        let mut shape = vec![self.config.n_ctx_text, clip.text().width()];
        if self.config.class_specific {
            shape.insert(0, classes);
        }
        vec![(self.name(), shape)]
    }

    /// With words, the embeddings of the words' first tokens, as many as there are words, and zeros
    /// before them if the context is longer (ProGrad's start; in CoOp it never is). Without words,
    /// N(0, 0.02).
    fn initial(
        &self,
        clip: &ClipModel,
        classes: usize,
        seed: u64,
    ) -> Result<Parameters, ConfigError> {
        let words = self.words();
        let list = self.shapes(clip, classes).into_iter();
        let list = list.map(|(name, shape)| {
            let values = if words > 0 {
                let text = self.config.ctx_init.replace('_', " ");
                let embedded = embedded_words(clip, &text, words)?;
                let zeros = (self.config.n_ctx_text - words) * clip.text().width();
                [vec![0.0; zeros], embedded].concat()
            } else {
                gaussian(seed, &name, PROMPT_STD, shape.iter().product())
            };
            Ok(Parameter {
                name,
                shape,
                values,
            })
        });
        let list: Vec<Parameter> = list.collect::<Result<_, ConfigError>>()?;
        Parameters::new(list).map_err(ConfigError::Parameters)
    }

    fn prompts(&self, parameters: &Leaves) -> TowerPrompts {
        let context: Option<Tensor<2>> = match self.config.class_specific {
            true => parameters.get::<3>(&self.name()).map(|context| {
                let [classes, n_ctx, width] = context.dims();
                context.reshape([classes * n_ctx, width]) // [classes * n_ctx, width]
            }),
            false => parameters.get(&self.name()), // [n_ctx, width]
        };
        TowerPrompts {
            text: context.into_iter().collect(),
            vision: Vec::new(),
        }
    }

    fn is_class_specific(&self) -> bool {
        self.config.class_specific
    }

    fn of_classes(&self, parameters: &Parameters, classes: &[usize]) -> Parameters {
        match self.config.class_specific {
            true => parameters.rows(classes),
            false => parameters.clone(),
        }
    }
}
