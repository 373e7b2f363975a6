//! The learned prompts of both towers, on the host, under their names in the reference's checkpoints.

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_clip::{ClipModel, Tokenizer, values};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::config::{ConfigError, PromptConfig};

/// Standard deviation of prompts that begin at random.
const INITIAL_STD: f64 = 0.02;

/// Which tower a prompt enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tower {
    /// The text tower.
    Text,
    /// The image tower.
    Vision,
}

/// The prompt of one layer of one tower.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Name in the reference's state dict.
    pub name: String,
    /// The tower.
    pub tower: Tower,
    /// The block it enters, from 0.
    pub layer: usize,
    /// `[n_ctx, width]`.
    pub shape: [usize; 2],
    /// Row-major values.
    pub values: Vec<f32>,
}

/// All prompts of a run: the text tower's from the first layer on, then the image tower's.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompts {
    prompts: Vec<Prompt>,
}

/// The prompts as tensors on a device, one per layer.
#[derive(Clone, Debug)]
pub struct PromptTensors {
    /// Text prompts by layer, `[n_ctx_text, text width]`.
    pub text: Vec<Tensor<2>>,
    /// Visual prompts by layer, `[n_ctx_vision, vision width]`.
    pub vision: Vec<Tensor<2>>,
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

/// The layer that a name stands for, if it is a prompt's.
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

/// Prompts that do not fit together or do not fit a CLIP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptsError {
    /// There is nothing.
    #[error("there are no prompts (no tensor named prompt_learner.ctx)")]
    None,
    /// A layer between two others has none.
    #[error("the prompt {name} is missing")]
    Missing {
        /// Name of the missing prompt.
        name: String,
    },
    /// A prompt of another length or width than its tower's first.
    #[error("the prompt {name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Name of the prompt.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// Prompts made for a CLIP of another width.
    #[error(
        "the prompt {name} is {found} wide, but this CLIP's {tower} tower {expected}: the prompts \
         were learned for another CLIP"
    )]
    Width {
        /// Name of the prompt.
        name: String,
        /// Its width.
        found: usize,
        /// "text" or "image".
        tower: &'static str,
        /// The tower's width.
        expected: usize,
    },
    /// Prompts for more layers than the CLIP has.
    #[error(
        "the prompt {name} is for layer {layer}, but this CLIP's {tower} tower has {layers} layers"
    )]
    Layer {
        /// Name of the prompt.
        name: String,
        /// Its layer, from 0.
        layer: usize,
        /// "text" or "image".
        tower: &'static str,
        /// Layers of the tower.
        layers: usize,
    },
}

impl Prompts {
    /// Prompts as they begin: the first text prompt from words, all others N(0, 0.02) from a stream
    /// of their own for each (seed, name). (The reference draws them from PyTorch's generator after
    /// the whole of CLIP has been drawn too; its random values cannot be had without PyTorch.)
    pub fn initial(
        config: &PromptConfig,
        clip: &ClipModel,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let towers = [
            (
                Tower::Text,
                config.depth_text,
                config.n_ctx_text,
                clip.text().layers(),
                clip.text().width(),
            ),
            (
                Tower::Vision,
                config.depth_vision,
                config.n_ctx_vision,
                clip.vision().layers(),
                clip.vision().width(),
            ),
        ];
        let mut prompts = Vec::new();
        for (tower, depth, n_ctx, layers, width) in towers {
            for layer in 0..depth.min(layers) {
                let name = prompt_name(tower, layer);
                let values = if tower == Tower::Text && layer == 0 && config.begins_with_words() {
                    embedded_words(config, clip)?
                } else {
                    gaussian(seed, &name, n_ctx * width)
                };
                prompts.push(Prompt {
                    name,
                    tower,
                    layer,
                    shape: [n_ctx, width],
                    values,
                });
            }
        }
        Ok(Self { prompts })
    }

    /// From named tensors `(name, shape, values)`; names that are not a prompt's are not looked at.
    pub fn from_named<S: AsRef<str>>(
        tensors: impl IntoIterator<Item = (S, Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, PromptsError> {
        let mut prompts = Vec::new();
        for (name, shape, values) in tensors {
            let name = name.as_ref();
            let Some((tower, layer)) = parse_prompt_name(name) else {
                continue;
            };
            let &[n_ctx, width] = shape.as_slice() else {
                let expected = vec![4, shape.last().copied().unwrap_or(0)];
                return Err(PromptsError::Shape {
                    name: name.to_string(),
                    found: shape,
                    expected,
                });
            };
            if n_ctx == 0 || width == 0 || values.len() != n_ctx * width {
                let expected = vec![1, width];
                return Err(PromptsError::Shape {
                    name: name.to_string(),
                    found: shape,
                    expected,
                });
            }
            prompts.push(Prompt {
                name: name.to_string(),
                tower,
                layer,
                shape: [n_ctx, width],
                values,
            });
        }
        prompts.sort_by_key(|p| (p.tower == Tower::Vision, p.layer));
        let prompts = Self { prompts };
        if prompts.of(Tower::Text).next().is_none() {
            return Err(PromptsError::None);
        }
        for tower in [Tower::Text, Tower::Vision] {
            let mut shape = None;
            for (layer, prompt) in prompts.of(tower).enumerate() {
                if prompt.layer != layer {
                    return Err(PromptsError::Missing {
                        name: prompt_name(tower, layer),
                    });
                }
                let expected = *shape.get_or_insert(prompt.shape);
                if prompt.shape != expected {
                    return Err(PromptsError::Shape {
                        name: prompt.name.clone(),
                        found: prompt.shape.to_vec(),
                        expected: expected.to_vec(),
                    });
                }
            }
        }
        Ok(prompts)
    }

    /// Finds what does not fit this CLIP.
    pub fn check_for(&self, clip: &ClipModel) -> Result<(), PromptsError> {
        let towers = [
            (
                Tower::Text,
                "text",
                clip.text().width(),
                clip.text().layers(),
            ),
            (
                Tower::Vision,
                "image",
                clip.vision().width(),
                clip.vision().layers(),
            ),
        ];
        for (which, tower, expected, layers) in towers {
            for Prompt {
                name,
                layer,
                shape: [_, found],
                ..
            } in self.of(which)
            {
                if *found != expected {
                    let (name, found) = (name.clone(), *found);
                    return Err(PromptsError::Width {
                        name,
                        found,
                        tower,
                        expected,
                    });
                }
                if *layer >= layers {
                    return Err(PromptsError::Layer {
                        name: name.clone(),
                        layer: *layer,
                        tower,
                        layers,
                    });
                }
            }
        }
        Ok(())
    }

    /// All prompts, text first.
    pub fn iter(&self) -> impl Iterator<Item = &Prompt> {
        self.prompts.iter()
    }

    /// All prompts, to change their values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Prompt> {
        self.prompts.iter_mut()
    }

    /// One tower's prompts by layer.
    pub fn of(&self, tower: Tower) -> impl Iterator<Item = &Prompt> {
        self.prompts.iter().filter(move |p| p.tower == tower)
    }

    /// Number of learned values.
    pub fn parameters(&self) -> usize {
        self.prompts.iter().map(|p| p.values.len()).sum()
    }

    /// Learnable context tokens of the text tower.
    pub fn n_ctx_text(&self) -> usize {
        self.of(Tower::Text).next().map_or(0, |p| p.shape[0])
    }

    /// On a device, each a leaf that gathers a gradient where `learn` is set.
    pub fn tensors(&self, device: &Device, learn: bool) -> PromptTensors {
        let tower = |tower| {
            self.of(tower)
                .map(|p| {
                    let data = TensorData::new(p.values.clone(), p.shape);
                    let tensor = Tensor::from_data(data, device);
                    if learn {
                        tensor.autodiff().require_grad()
                    } else {
                        tensor
                    }
                })
                .collect()
        };
        PromptTensors {
            text: tower(Tower::Text),
            vision: tower(Tower::Vision),
        }
    }
}

impl PromptTensors {
    /// In the order of [`Prompts::iter`].
    pub fn iter(&self) -> impl Iterator<Item = &Tensor<2>> {
        self.text.iter().chain(&self.vision)
    }
}

/// Token embeddings of the first `n_ctx_text` tokens of the initial words.
fn embedded_words(config: &PromptConfig, clip: &ClipModel) -> Result<Vec<f32>, ConfigError> {
    let ids = Tokenizer::clip().encode(&config.lead());
    let n_ctx = config.n_ctx_text;
    let Some(first) = ids.get(..n_ctx) else {
        return Err(ConfigError::FewWords {
            n_ctx,
            words: config.ctx_init.clone(),
            tokens: ids.len(),
        });
    };
    let vocab_size = clip.config().text.vocab_size;
    if let Some(id) = first.iter().find(|id| **id as usize >= vocab_size) {
        return Err(ConfigError::Vocabulary {
            words: config.ctx_init.clone(),
            id: *id,
            vocab_size,
        });
    }
    Ok(values(clip.text().embed(first)))
}

/// Normal values of mean 0 and deviation 0.02 from the stream of (seed, name).
fn gaussian(seed: u64, name: &str, n: usize) -> Vec<f32> {
    // FNV-1a: a stable number for a name.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(hash);
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (0..n)
        .map(|_| {
            // Box and Muller.
            let (a, b) = (uniform(), uniform());
            let normal = (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos();
            (INITIAL_STD * normal) as f32
        })
        .collect()
}
