//! Cross-entropy and the three self-regulating losses.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Weights of the three self-regulations (paper, equation 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossWeights {
    /// Weight of the mean absolute difference of unit text features.
    pub text: f64,
    /// Weight of the mean absolute difference of unit image features.
    pub image: f64,
    /// Weight of KL(frozen || prompted) of the logits, divided by batch times classes.
    pub logits: f64,
}

/// Outputs of both towers for a batch; features are unit vectors.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// `[classes, embed_dim]`.
    pub text: Tensor<2>,
    /// `[batch, embed_dim]`.
    pub image: Tensor<2>,
    /// `[batch, classes]`.
    pub logits: Tensor<2>,
}

impl Outputs {
    /// The same values, detached from the tape.
    pub(crate) fn inner(self) -> Self {
        Self {
            text: self.text.inner(),
            image: self.image.inner(),
            logits: self.logits.inner(),
        }
    }
}

/// Losses of one step, multiplied by their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossValues {
    /// Their sum.
    pub total: f32,
    /// Cross-entropy.
    pub ce: f32,
    /// Text features against the frozen ones.
    pub scl_text: f32,
    /// Image features against the frozen ones.
    pub scl_image: f32,
    /// Logits against the frozen ones.
    pub scl_logits: f32,
    /// KgCoOp's loss of the text features.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub knowledge: f32,
    /// ProGrad's cross-entropy with the frozen probabilities, which turns the gradient and is not part
    /// of the sum.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub teacher_ce: f32,
}

fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

/// The losses as tensors of one value, for the backward pass.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Their sum.
    pub total: Tensor<1>,
    ce: Tensor<1>,
    /// Text, image, logits.
    regularisers: Option<[Tensor<1>; 3]>,
    knowledge: Option<Tensor<1>>,
}

impl Losses {
    /// Cross-entropy with `labels` `[batch]`, and if the outputs of the frozen towers are given as
    /// `teacher`:
    ///
    /// - text: `w.text * mean |t - t*|` over unit features (paper, equation 3),
    /// - image: `w.image * mean |v - v*|` over unit features (paper, equation 3),
    /// - logits: `w.logits * KL(teacher || student) / (batch * classes)` (paper, equation 4; the
    ///   division by all elements, not by the batch, is the reference's).
    pub fn new(
        student: &Outputs,
        labels: &[usize],
        teacher: Option<(&Outputs, &LossWeights)>,
    ) -> Self {
        let [batch, classes] = student.logits.dims();
        let index: Vec<i64> = labels.iter().map(|l| *l as i64).collect();
        let index: Tensor<2, Int> = Tensor::from_data(
            TensorData::new(index, [batch, 1]),
            &student.logits.device().inner(),
        );
        let log_student = log_softmax(student.logits.clone(), 1);
        let ce = log_student.clone().gather(1, index).mean().neg();
        let Some((teacher, weights)) = teacher else {
            return Self {
                total: ce.clone(),
                ce,
                regularisers: None,
                knowledge: None,
            };
        };
        let distance = |a: &Tensor<2>, b: &Tensor<2>, weight: f64| {
            (a.clone() - b.clone()).abs().mean().mul_scalar(weight)
        };
        let text = distance(&student.text, &teacher.text, weights.text);
        let image = distance(&student.image, &teacher.image, weights.image);
        let log_teacher = log_softmax(teacher.logits.clone(), 1);
        let logits = (log_teacher.clone().exp() * (log_teacher - log_student))
            .sum()
            .mul_scalar(weights.logits / (batch * classes) as f64);
        let total = ce.clone() + logits.clone() + text.clone() + image.clone();
        Self {
            total,
            ce,
            regularisers: Some([text, image, logits]),
            knowledge: None,
        }
    }

    /// Adds KgCoOp's loss, `weight * (1 - mean_k cos(w_k, w0_k))` over unit features of the classes
    /// (Yao et al., equation 4).
    pub(crate) fn with_knowledge(self, text: &Tensor<2>, frozen: &Tensor<2>, weight: f64) -> Self {
        let [classes, _] = text.dims();
        let cosines = (text.clone() * frozen.clone()).sum(); // [1]
        let score = cosines.mul_scalar(-1.0 / classes as f64).add_scalar(1.0);
        let knowledge = score.mul_scalar(weight);
        Self {
            total: self.total + knowledge.clone(),
            knowledge: Some(knowledge),
            ..self
        }
    }

    /// The values on the host.
    pub fn values(&self) -> LossValues {
        let scalar = |t: &Tensor<1>| promptsrc_clip::values(t.clone().inner())[0];
        let [scl_text, scl_image, scl_logits] = match &self.regularisers {
            Some(terms) => terms.each_ref().map(scalar),
            None => [0.0; 3],
        };
        LossValues {
            total: scalar(&self.total),
            ce: scalar(&self.ce),
            scl_text,
            scl_image,
            scl_logits,
            knowledge: self.knowledge.as_ref().map_or(0.0, scalar),
            teacher_ce: 0.0,
        }
    }
}

/// ProGrad's distance to the frozen CLIP: `-T^2 sum softmax(frozen / T) log softmax(own / T)`, mean over
/// the batch. It is a cross-entropy, which is never 0; its gradient is that of the KL divergence.
pub(crate) fn teacher_cross_entropy(
    own: &Tensor<2>,
    frozen: &Tensor<2>,
    temperature: f64,
) -> Tensor<1> {
    let [batch, _] = own.dims();
    let log = |logits: &Tensor<2>| log_softmax(logits.clone().div_scalar(temperature), 1);
    (log(frozen).exp() * log(own))
        .sum()
        .mul_scalar(-temperature * temperature / batch as f64)
}

impl LossValues {
    /// Adds another step's values.
    pub fn add(&mut self, other: &LossValues) {
        self.total += other.total;
        self.ce += other.ce;
        self.scl_text += other.scl_text;
        self.scl_image += other.scl_image;
        self.scl_logits += other.scl_logits;
        self.knowledge += other.knowledge;
        self.teacher_ce += other.teacher_ce;
    }

    /// Divides by a number of steps (at least one).
    pub fn over(&self, steps: usize) -> LossValues {
        let n = steps.max(1) as f32;
        LossValues {
            total: self.total / n,
            ce: self.ce / n,
            scl_text: self.scl_text / n,
            scl_image: self.scl_image / n,
            scl_logits: self.scl_logits / n,
            knowledge: self.knowledge / n,
            teacher_ce: self.teacher_ce / n,
        }
    }
}
