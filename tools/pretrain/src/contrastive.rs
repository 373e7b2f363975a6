//! CLIP's loss: in a batch of images and captions, each should find its own.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_clip::{unit, values};

/// The loss of a batch, and its gradients.
pub struct Contrast {
    /// Mean of the cross-entropies of both directions.
    pub loss: f32,
    /// Share of the images that find their own caption.
    pub accuracy: f32,
    /// Gradient of the image features, `[batch, embed_dim]`, row-major.
    pub image: Vec<f32>,
    /// Gradient of the text features, `[batch, embed_dim]`.
    pub text: Vec<f32>,
    /// Gradient of the logarithm of the scale.
    pub logit_scale: f32,
}

/// Symmetric cross-entropy of the scaled cosine similarities of features `[batch, embed_dim]`,
/// which are normalised here (Radford et al. 2021, figure 3).
pub fn contrast(
    image: Vec<f32>,
    text: Vec<f32>,
    batch: usize,
    logit_scale: f32,
    device: &Device,
) -> Contrast {
    let leaf = |values: Vec<f32>| {
        let embed_dim = values.len() / batch;
        Tensor::<2>::from_data(TensorData::new(values, [batch, embed_dim]), device)
            .autodiff()
            .require_grad()
    };
    let (image, text) = (leaf(image), leaf(text));
    let scale = Tensor::<1>::from_data(TensorData::new(vec![logit_scale], [1]), device)
        .autodiff()
        .require_grad();
    let logits = unit(image.clone()).matmul(unit(text.clone()).transpose())
        * scale.clone().exp().unsqueeze::<2>();
    let own = Tensor::<2>::eye(batch, device);
    let cross_entropy = |logits: Tensor<2>| {
        (log_softmax(logits, 1) * own.clone())
            .sum()
            .div_scalar(-(batch as f64))
    };
    let loss =
        (cross_entropy(logits.clone()) + cross_entropy(logits.clone().transpose())).div_scalar(2.0);
    let rows = values(logits);
    let found = rows
        .chunks_exact(batch)
        .enumerate()
        .filter(|(i, row)| row.iter().all(|logit| *logit <= row[*i]));
    let accuracy = found.count() as f32 / batch as f32;
    let mut tape = loss.backward();
    let [loss] = values(loss)[..] else {
        unreachable!("a loss is one number")
    };
    let mut gradient =
        |leaf: &Tensor<2>| leaf.grad_remove(&mut tape).map(values).unwrap_or_default();
    let (image, text) = (gradient(&image), gradient(&text));
    let logit_scale = scale.grad_remove(&mut tape).map(values);
    Contrast {
        loss,
        accuracy,
        image,
        text,
        logit_scale: logit_scale.and_then(|g| g.first().copied()).unwrap_or(0.0),
    }
}
