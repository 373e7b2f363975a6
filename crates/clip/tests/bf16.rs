//! Towers in bf16 against the same in f32: features and gradients differ by bf16's rounding.

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_clip::{ClipModel, ClipWeights, Precision, Tokenizer, values};
use promptsrc_goldens::{self as goldens, noise, relative_distance};

fn prompts(depth: usize, width: usize) -> Vec<Tensor<2>> {
    (0..depth)
        .map(|l| {
            let data = TensorData::new(noise(7 + l as u64, 4 * width, 0.05), [4, width]);
            Tensor::from_data(data, &Device::flex())
                .autodiff()
                .require_grad()
        })
        .collect()
}

/// Values of features, and the gradients of a random linear function of them.
fn run(features: impl Fn(&[Tensor<2>]) -> Tensor<2>, width: usize) -> (Vec<f32>, Vec<f32>) {
    let prompts = prompts(3, width);
    let out = features(&prompts);
    let [rows, columns] = out.dims();
    let direction = TensorData::new(noise(99, rows * columns, 1.0), [rows, columns]);
    let direction: Tensor<2> = Tensor::from_data(direction, &Device::flex());
    let mut tape = (out.clone() * direction).sum().backward();
    let gradients = prompts
        .iter()
        .flat_map(|p| values(p.grad_remove(&mut tape).expect("a gradient")))
        .collect();
    (values(out.inner()), gradients)
}

#[test]
fn features_and_gradients_are_those_of_f32_but_for_rounding() {
    if Precision::Bf16.check().is_err() {
        eprintln!("skipped: this processor has no bf16 instructions");
        return;
    }
    let name = goldens::list("tiny")
        .into_iter()
        .find(|n| n.ends_with(".safetensors"));
    let path = goldens::path("tiny").join(name.expect("a CLIP among the goldens"));
    let weights = ClipWeights::open(&path).expect("a whole CLIP");
    let device = Device::flex();
    let [exact, rounded] = [Precision::F32, Precision::Bf16].map(|precision| {
        let clip = ClipModel::with_precision(&weights, &device, precision).expect("a whole CLIP");
        assert_eq!(clip.precision(), precision);
        let side = clip.vision().resolution();
        let stem = clip
            .vision()
            .stem(clip.vision().images(noise(3, 6 * side * side, 2.0), 2));
        let texts: Vec<Vec<u32>> = ["a photo of a cat.", "a photo of a golden retriever."]
            .iter()
            .map(|t| Tokenizer::clip().tokenize(t, 77, false).expect("short"))
            .collect();
        let texts = clip.text().prepare(&texts, 4).expect("texts");
        [
            run(|p| clip.vision().features(&stem, p), clip.vision().width()),
            run(|p| clip.text().features(&texts, p), clip.text().width()),
        ]
    });
    for (tower, (exact, rounded)) in ["image", "text"].iter().zip(exact.iter().zip(&rounded)) {
        let (features, gradients) = (
            relative_distance(&rounded.0, &exact.0),
            relative_distance(&rounded.1, &exact.1),
        );
        println!("{tower}: features {features:.1e}, gradients {gradients:.1e}");
        assert!(features < 1e-2, "{tower} features: {features:.1e}");
        assert!(gradients < 3e-2, "{tower} gradients: {gradients:.1e}");
    }
}
