//! Towers over tensors in memory are the towers of a file, and their weights can be learned.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_clip::{ClipModel, ClipWeights, WeightError, values};
use promptsrc_goldens as goldens;

fn path() -> std::path::PathBuf {
    let name = goldens::list("tiny")
        .into_iter()
        .find(|n| n.ends_with(".safetensors"));
    goldens::path("tiny").join(name.expect("a CLIP among the goldens"))
}

fn images(clip: &ClipModel) -> Tensor<4> {
    let side = clip.config().vision.resolution;
    let n = 2 * 3 * side * side;
    let pixels = (0..n).map(|i| ((i * 37 % 101) as f32 - 50.0) / 40.0);
    clip.vision().images(pixels.collect(), 2)
}

fn texts() -> Vec<Vec<u32>> {
    vec![
        vec![49406, 320, 1125, 539, 320, 2368, 269, 49407],
        vec![49406, 320, 1929, 49407],
    ]
}

fn features(clip: &ClipModel) -> (Tensor<2>, Tensor<2>) {
    let texts = clip.text().prepare(&texts(), 0).expect("texts");
    let text = clip.text().features(&texts, &[]);
    (clip.image_features(images(clip)), text)
}

#[test]
fn towers_over_leaves_agree_with_the_file_and_with_finite_differences() {
    let weights = ClipWeights::open(path()).expect("a whole CLIP");
    let device = Device::flex();
    let config = weights.config();
    let stored: BTreeMap<String, Vec<f32>> = weights
        .names()
        .map(|name| (name.to_string(), weights.f32(name).expect("a tensor")))
        .collect();
    let leaves = |stored: &BTreeMap<String, Vec<f32>>| -> BTreeMap<String, Tensor<1>> {
        stored
            .iter()
            .map(|(name, values)| {
                let data = TensorData::new(values.clone(), [values.len()]);
                let leaf = Tensor::from_data(data, &device).autodiff().require_grad();
                (name.clone(), leaf)
            })
            .collect()
    };
    let of = |leaves: &BTreeMap<String, Tensor<1>>| {
        ClipModel::from_tensors(config, &device, &|name| leaves[name].clone())
            .expect("a whole CLIP")
    };

    let frozen = features(&ClipModel::new(&weights, &device).expect("a whole CLIP"));
    let learned = leaves(&stored);
    let (image, text) = features(&of(&learned));
    for (found, expected) in [(&image, &frozen.0), (&text, &frozen.1)] {
        for (a, b) in values(found.clone()).iter().zip(values(expected.clone())) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    let mut tape = (image.powi_scalar(2).sum() + text.powi_scalar(2).sum()).backward();
    let gradients: BTreeMap<&String, Vec<f32>> = learned
        .iter()
        .filter_map(|(name, leaf)| Some((name, values(leaf.grad_remove(&mut tape)?))))
        .collect();
    // Everything but the logit scale, which no feature depends on.
    assert_eq!(gradients.len() + 1, stored.len());
    let loss = |stored: &BTreeMap<String, Vec<f32>>| -> f64 {
        let (image, text) = features(&of(&leaves(stored)));
        let all = values(image).into_iter().chain(values(text));
        all.map(|v| f64::from(v).powi(2)).sum()
    };
    // Along the gradient itself, so that the difference is large against rounding.
    for name in [
        "visual.conv1.weight",
        "visual.class_embedding",
        "visual.transformer.resblocks.0.attn.in_proj_weight",
        "visual.transformer.resblocks.1.mlp.c_fc.weight",
        "visual.transformer.resblocks.1.attn.in_proj_bias",
        "token_embedding.weight",
        "positional_embedding",
        "transformer.resblocks.0.ln_1.weight",
        "transformer.resblocks.1.attn.out_proj.weight",
        "text_projection",
    ] {
        let gradient = &gradients[&name.to_string()];
        let length = gradient
            .iter()
            .map(|g| f64::from(*g).powi(2))
            .sum::<f64>()
            .sqrt();
        let moved = |by: f64| {
            let mut stored = stored.clone();
            let values = stored.get_mut(name).expect("a tensor");
            for (value, g) in values.iter_mut().zip(gradient) {
                *value += (by * f64::from(*g) / length) as f32;
            }
            loss(&stored)
        };
        let step = 2e-3;
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        assert!(
            (slope - length).abs() < 0.01 * length + 1e-4,
            "{name}: slope {slope}, gradient {length}"
        );
    }
}

#[test]
fn a_file_in_memory_is_the_file_on_disk() {
    let path = path();
    let bytes = std::fs::read(&path).expect("a file");
    let on_disk = ClipWeights::open(&path).expect("a whole CLIP");
    let in_memory = ClipWeights::from_safetensors("built in", bytes.clone()).expect("the same");
    assert_eq!(in_memory.config(), on_disk.config());
    assert_eq!(
        in_memory.fingerprint().expect("readable"),
        on_disk.fingerprint().expect("readable")
    );
    let cut = ClipWeights::from_safetensors("built in", bytes[..bytes.len() - 9].to_vec());
    let error = cut.expect_err("it is cut off");
    assert!(matches!(error, WeightError::Safetensors { .. }));
    assert!(error.to_string().contains("built in"), "{error}");
}
