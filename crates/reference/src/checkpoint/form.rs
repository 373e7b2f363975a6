//! The forms of checkpoints: which parameters the trainers save, and where.

use promptsrc_pickle::TorchFile;

use super::state_dict::{LEARNER, is_learner_alone, names};

/// How a group of trainers saves what it has learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// PromptSRC and IVLP: the whole model, with prompts in the layers of its towers.
    LayerPrompts,
    /// CoOp, KgCoOp and ProGrad: the prompt learner alone, with one context for all classes or one
    /// for each.
    Context,
    /// CoCoOp: the prompt learner alone, with a context and the network that shifts it.
    ConditionedContext,
    /// MaPLe: the whole model, with text prompts and their projections.
    ProjectedPrompts,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 4] = [
        Self::LayerPrompts,
        Self::Context,
        Self::ConditionedContext,
        Self::ProjectedPrompts,
    ];

    /// The form of a method's checkpoints; `None` where it is not known to be saved as such.
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|form| form.methods().contains(&method))
    }

    /// The methods that are saved in this form.
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Self::LayerPrompts => &[PROMPTSRC, IVLP],
            Self::Context => &[COOP, KGCOOP, PROGRAD],
            Self::ConditionedContext => &[COCOOP],
            Self::ProjectedPrompts => &[MAPLE],
        }
    }

    /// The method where neither the file nor anything else says which it is: CoOp's and ProGrad's
    /// files have the same tensors and give the same classifier.
    pub fn default_method(self) -> Option<&'static str> {
        match self {
            Self::LayerPrompts => None,
            Self::Context => Some(COOP),
            Self::ConditionedContext => Some(COCOOP),
            Self::ProjectedPrompts => Some(MAPLE),
        }
    }

    /// The folder in which the trainers save, below that of the run.
    pub fn folder(self) -> &'static str {
        match self {
            Self::LayerPrompts => "VLPromptLearner",
            Self::Context | Self::ConditionedContext => "prompt_learner",
            Self::ProjectedPrompts => "MultiModalPromptLearner",
        }
    }

    /// The name of a parameter in the state dictionary: without the name of the prompt learner where
    /// the trainers save it alone.
    pub(super) fn saved_name(self, parameter: &str) -> &str {
        match self {
            Self::Context | Self::ConditionedContext => {
                parameter.strip_prefix(LEARNER).unwrap_or(parameter)
            }
            Self::LayerPrompts | Self::ProjectedPrompts => parameter,
        }
    }

    /// The form of a file by its tensors, and the method where these show it.
    pub(super) fn of(file: &TorchFile) -> (Self, Option<&'static str>) {
        let learner_has = |part: &str| {
            names(file).any(|name| {
                name.strip_prefix(LEARNER)
                    .is_some_and(|below| below.starts_with(part))
            })
        };
        let has = |part: &str| names(file).any(|name| name.starts_with(part));
        if learner_has("compound_prompts_text.") || learner_has("proj.") {
            (Self::ProjectedPrompts, Some(MAPLE))
        } else if learner_has("bias_vectors") {
            // Its network is never used and has one layer.
            (Self::Context, Some(KGCOOP))
        } else if learner_has("meta_net.") {
            (Self::ConditionedContext, Some(COCOOP))
        } else if is_learner_alone(file) {
            (Self::Context, None)
        } else if learner_has("ZS_image_encoder.") {
            // Only PromptSRC's model has a second, frozen image tower.
            (Self::LayerPrompts, Some(PROMPTSRC))
        } else if has("image_encoder.ln_") {
            (Self::LayerPrompts, Some(IVLP))
        } else {
            (Self::LayerPrompts, None)
        }
    }
}

const PROMPTSRC: &str = "promptsrc";
const IVLP: &str = "ivlp";
const COOP: &str = "coop";
const KGCOOP: &str = "kgcoop";
const PROGRAD: &str = "prograd";
const COCOOP: &str = "cocoop";
const MAPLE: &str = "maple";

/// Whether the reference's trainers save the runs of a method as checkpoints that this program reads
/// and writes.
pub fn is_saved_by_the_reference(method: &str) -> bool {
    Form::of_method(method).is_some()
}
