//! Independent vision-language prompts: each of the first layers of both towers has its own prompt.

use burn::tensor::Tensor;
use promptsrc_clip::ClipModel;

use crate::config::{ConfigError, PromptConfig};
use crate::initial_values::{PROMPT_STD, embedded_words, gaussian};
use crate::parameters::{Leaves, Parameter, Parameters};
use crate::prompt_model::{PromptModel, TowerPrompts};

/// Which tower a prompt enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tower {
    /// The text tower.
    Text,
    /// The image tower.
    Vision,
}

/// The name of a layer's prompt in the reference's state dict.
pub fn prompt_name(tower: Tower, layer: usize) -> String {
    match (tower, layer) {
        (Tower::Text, 0) => "prompt_learner.ctx".to_string(),
        (Tower::Text, l) => format!("text_encoder.transformer.resblocks.{l}.VPT_shallow"),
        (Tower::Vision, 0) => "image_encoder.VPT".to_string(),
        (Tower::Vision, l) => format!("image_encoder.transformer.resblocks.{l}.VPT_shallow"),
    }
}

/// The tower and layer of a prompt, by its name in the reference's state dict; `None` if the name
/// is not that of a prompt.
pub fn parse_prompt_name(name: &str) -> Option<(Tower, usize)> {
    let deep = |prefix: &str| {
        let layer = name
            .strip_prefix(prefix)?
            .strip_suffix(".VPT_shallow")?
            .parse()
            .ok()?;
        (layer > 0).then_some(layer)
    };
    match name {
        "prompt_learner.ctx" => Some((Tower::Text, 0)),
        "image_encoder.VPT" => Some((Tower::Vision, 0)),
        _ => None
            .or_else(|| deep("text_encoder.transformer.resblocks.").map(|l| (Tower::Text, l)))
            .or_else(|| deep("image_encoder.transformer.resblocks.").map(|l| (Tower::Vision, l))),
    }
}

/// The prompt model of IVLP and PromptSRC (paper, section 3.1): each parameter is a prompt of one
/// layer of one tower, `[n_ctx, width]`.
#[derive(Clone, Debug)]
pub struct LayerPrompts {
    config: PromptConfig,
}

impl LayerPrompts {
    /// As in the reference of IVLP and PromptSRC: a context of up to four tokens is initialised
    /// with the initial words, a longer one at random.
    pub fn new(config: &PromptConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }

    /// Whether the first text prompt is initialised with words.
    pub(super) fn starts_from_words(&self) -> bool {
        !self.config.ctx_init.trim().is_empty()
            && self.config.n_ctx_text <= PromptConfig::MOST_INITIAL_WORDS
    }

    fn of_tower(&self, parameters: &Leaves, tower: Tower) -> Vec<Tensor<2>> {
        (0..)
            .map_while(|layer| parameters.get(&prompt_name(tower, layer)))
            .collect()
    }
}

impl PromptModel for LayerPrompts {
    /// All initial words, even if fewer of them are learned; "X X ..." for a context that is
    /// initialised at random.
    fn prompt_prefix(&self) -> String {
        match self.starts_from_words() {
            true => self.config.ctx_init.replace('_', " "),
            false => vec!["X"; self.config.n_ctx_text].join(" "),
        }
    }

    fn n_ctx_text(&self) -> usize {
        self.config.n_ctx_text
    }

    fn shapes(&self, clip: &ClipModel, _: usize) -> Vec<(String, Vec<usize>)> {
        let PromptConfig {
            n_ctx_text,
            n_ctx_vision,
            depth_text,
            depth_vision,
            ..
        } = self.config;
        let (text, vision) = (clip.text(), clip.vision());
        // A depth above the number of layers means all layers.
        let text_layers = 0..depth_text.min(text.layers());
        let vision_layers = 0..depth_vision.min(vision.layers());
        let text = text_layers.map(|layer| {
            let shape = vec![n_ctx_text, text.width()];
            (prompt_name(Tower::Text, layer), shape)
        });
        let vision = vision_layers.map(|layer| {
            let shape = vec![n_ctx_vision, vision.width()];
            (prompt_name(Tower::Vision, layer), shape)
        });
        text.chain(vision).collect()
    }

    /// The first text prompt is initialised with words, all others at random from N(0, 0.02), each
    /// from its own random stream. (The reference uses PyTorch's generator after initialising the
    /// weights of CLIP with it; these random values cannot be reproduced without PyTorch.)
    fn initial(
        &self,
        clip: &ClipModel,
        classes: usize,
        seed: u64,
    ) -> Result<Parameters, ConfigError> {
        let mut list = Vec::new();
        for (name, shape) in self.shapes(clip, classes) {
            let first = name == prompt_name(Tower::Text, 0);
            let values = if first && self.starts_from_words() {
                embedded_words(clip, &self.prompt_prefix(), self.config.n_ctx_text)?
            } else {
                gaussian(seed, &name, PROMPT_STD, shape.iter().product())
            };
            list.push(Parameter {
                name,
                shape,
                values,
            });
        }
        Parameters::new(list).map_err(ConfigError::Parameters)
    }

    fn prompts(&self, parameters: &Leaves) -> TowerPrompts {
        TowerPrompts {
            text: self.of_tower(parameters, Tower::Text),
            vision: self.of_tower(parameters, Tower::Vision),
        }
    }
}
