//! A fitted head as a method's parameters: what an adapter of a feature method holds.

use promptsrc_clip::{BLOCK, ClipModel, values};
use promptsrc_heads::{
    ClipAdapter, Head as _, HeadError, LinearProbe, Lpp, NamedTensor, Prototypes, TipAdapter,
};

use crate::class_texts::{ClassTextError, zero_shot_weights};
use crate::config::{FeatureConfig, HeadSettings};
use crate::parameters::{Parameter, ParameterError, Parameters};

/// A classifier of frozen image features.
#[derive(Clone, Debug)]
pub(crate) enum Head {
    LinearProbe(LinearProbe),
    Prototypes(Prototypes),
    Lpp(Lpp),
    /// Tip-Adapter and Tip-Adapter-F.
    TipAdapter(TipAdapter),
    ClipAdapter(ClipAdapter),
}

/// Calls a function of the heads that have a fixed list of classes.
macro_rules! of_classes {
    ($head:expr, $own:ident => $result:expr, $adapter:ident => $other:expr) => {
        match $head {
            Head::LinearProbe($own) => $result,
            Head::Prototypes($own) => $result,
            Head::Lpp($own) => $result,
            Head::TipAdapter($own) => $result,
            Head::ClipAdapter($adapter) => $other,
        }
    };
}

impl Head {
    /// The parameters of an adapter.
    pub fn parameters(&self) -> Result<Parameters, ParameterError> {
        let tensors = of_classes!(self, head => head.tensors(), adapter => adapter.tensors());
        let parameter = |(name, shape, values): NamedTensor| Parameter {
            name,
            shape,
            values: values.into_owned(),
        };
        Parameters::new(tensors.into_iter().map(parameter).collect())
    }

    /// The head of an adapter's parameters.
    pub fn of(settings: &HeadSettings, parameters: &Parameters) -> Result<Self, HeadError> {
        fn tensor(p: &Parameter) -> NamedTensor<'_> {
            (p.name.clone(), p.shape.clone(), p.values.as_slice().into())
        }
        let tensors: Vec<NamedTensor> = parameters.iter().map(tensor).collect();
        Ok(match settings {
            HeadSettings::LinearProbe(_) => Self::LinearProbe(LinearProbe::from_tensors(&tensors)?),
            HeadSettings::Prototypes(_) => Self::Prototypes(Prototypes::from_tensors(&tensors)?),
            HeadSettings::Lpp(_) => Self::Lpp(Lpp::from_tensors(&tensors)?),
            HeadSettings::TipAdapter(_) | HeadSettings::TipAdapterF(_) => {
                Self::TipAdapter(TipAdapter::from_tensors(&tensors)?)
            }
            HeadSettings::ClipAdapter(_) => Self::ClipAdapter(ClipAdapter::from_tensors(&tensors)?),
        })
    }

    /// Numbers in a feature.
    pub fn dim(&self) -> usize {
        of_classes!(self, head => head.dim(), adapter => adapter.dim())
    }

    /// Number of its classes; `None` if it classifies among any.
    pub fn classes(&self) -> Option<usize> {
        of_classes!(self, head => Some(head.classes()), _adapter => None)
    }

    /// The head for some of its classes, in this order.
    pub fn subset(self, classes: &[usize]) -> Result<Self, HeadError> {
        Ok(match self {
            Self::LinearProbe(head) => Self::LinearProbe(head.subset(classes)?),
            Self::Prototypes(head) => Self::Prototypes(head.subset(classes)?),
            Self::Lpp(head) => Self::Lpp(head.subset(classes)?),
            Self::TipAdapter(head) => Self::TipAdapter(head.subset(classes)?),
            Self::ClipAdapter(head) => Self::ClipAdapter(head),
        })
    }

    /// Logits `[rows, classes]` of features `[rows, dim]`, not of unit length. `text`: the unit text
    /// features `[classes, dim]` of a head that classifies among any classes.
    pub fn logits(&self, features: &[f32], text: &[f32]) -> Result<Vec<f32>, HeadError> {
        of_classes!(self, head => head.logits(features), adapter => adapter.logits(features, text))
    }

    /// As [`logits`](Self::logits), to rounding; no row's numbers depend on how many others there are, because
    /// every product is of as many rows.
    pub fn logits_of_each(&self, features: &[f32], text: &[f32]) -> Result<Vec<f32>, HeadError> {
        let width = self.dim().max(1);
        if !features.len().is_multiple_of(width) {
            return self.logits(features, text);
        }
        let mut logits = Vec::new();
        for block in features.chunks(BLOCK * width) {
            let rows = block.len() / width;
            let mut whole = block.to_vec();
            // The last row fills up the last block.
            while whole.len() < BLOCK * width {
                whole.extend_from_slice(&block[block.len() - width..]);
            }
            let found = self.logits(&whole, text)?;
            logits.extend_from_slice(&found[..found.len() / BLOCK * rows]);
        }
        Ok(logits)
    }

    /// The unit text features `[classes, dim]` that the head's logits need.
    pub fn text(
        &self,
        clip: &ClipModel,
        config: &FeatureConfig,
        names: &[String],
    ) -> Result<Vec<f32>, ClassTextError> {
        match self {
            Self::ClipAdapter(_) => {
                let text = zero_shot_weights(clip, names, &config.templates, &mut |_, _| ())?;
                Ok(values(text))
            }
            _ => Ok(Vec::new()),
        }
    }
}
