//! The built-in CLIP on the built-in data sets: its zero-shot results are those of PyTorch.

use std::collections::BTreeMap;

use promptsrc::class_texts::teacher_text_features;
use promptsrc::training::{Training, TrainingError};
use promptsrc::{Classifier, Clip, ClipOptions, Part, Precision, PrecisionChoice, TrainConfig};
use promptsrc_clip::templates::PHOTO;
use promptsrc_clip::values;
use promptsrc_world::{Purpose, WorldSet};
use serde_json::Value;

fn fixture() -> BTreeMap<String, Value> {
    let text = include_str!("../../world/tests/fixtures/zero_shot.json");
    serde_json::from_str(text).expect("a JSON document")
}

/// Made by OpenCLIP in PyTorch on the exported images: zero_shot.py beside the fixture.
#[test]
fn zero_shot_results_are_those_of_pytorch_on_the_exported_images() {
    let f32 = ClipOptions {
        precision: PrecisionChoice::Given(Precision::F32),
        ..ClipOptions::default()
    };
    let clip = Clip::open_with("mini", &f32, &mut |_| {}).expect("a CLIP");
    let mut compared = 0;
    for (name, expected) in fixture() {
        let set = WorldSet::find(&name).expect("a data set");
        let dataset = set.dataset();
        let items = dataset.part(Part::Test);
        let names = &dataset.class_names;
        let half = names.len().div_ceil(2);
        let parts = [
            ("all", 0..names.len()),
            ("base", 0..half),
            ("novel", half..names.len()),
        ];
        // Of the shifted sets only a few images are compared, below.
        let measured = match set.purpose() {
            Purpose::Shifted => 0,
            Purpose::BaseToNovel => 3,
            _ => 1,
        };
        for (part, range) in parts.into_iter().take(measured) {
            let names = &names[range.clone()];
            let classifier = Classifier::zero_shot(&clip, names, &[PHOTO]).expect("a classifier");
            let mut items: Vec<_> = items.to_vec();
            items.retain(|item| range.contains(&item.label));
            for item in &mut items {
                item.label -= range.start;
            }
            let found = classifier.evaluate(&items, 2, &mut |_| {}).expect("images");
            let right = expected[part].as_u64().expect("a count");
            // An image on the border between two classes may fall to either side by rounding.
            assert!(
                found.correct.abs_diff(right) <= 2,
                "{name}, {part}: {} right, PyTorch {right}",
                found.correct
            );
            if part == "all" {
                assert_eq!(Some(found.total), expected["total"].as_u64(), "{name}");
            }
        }
        let all = Classifier::zero_shot(&clip, names, &[PHOTO]).expect("a classifier");
        let preprocess = clip.preprocess();
        for (place, logits) in expected["logits"].as_object().expect("logits") {
            let item = &items[place.parse::<usize>().expect("a place")];
            let image = item.image(&Default::default()).expect("an image");
            let found = all.logits(preprocess.apply(&image).expect("an image"), 1);
            let logits = logits.as_array().expect("numbers");
            assert_eq!(found.len(), logits.len());
            for (a, b) in found.iter().zip(logits) {
                let b = b.as_f64().expect("a number") as f32;
                assert!((a - b).abs() < 2e-3, "{name}, image {place}: {a} {b}");
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared} logits compared");
}

#[test]
fn a_training_whose_values_overflow_ends_before_they_are_saved() {
    let clip = Clip::open("mini").expect("a CLIP");
    let names = ["a cat", "a dog"].map(String::from);
    let mut training = Training::new(&clip, TrainConfig::default(), &names).expect("a training");
    let side = clip.vision().resolution();
    let mut gradients = training.gradients(vec![0.5; 3 * side * side], &[0]);
    training.apply(&gradients);
    training.end_epoch().expect("finite values");
    for gradient in gradients.gradients.iter_mut().flatten() {
        *gradient = f32::INFINITY;
    }
    training.apply(&gradients);
    let error = training.end_epoch().expect_err("values that overflow");
    assert!(
        matches!(error, TrainingError::Diverged { epoch: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("learning rate"), "{error}");
}

#[test]
fn the_progress_of_text_features_covers_every_template_and_changes_no_number() {
    let clip = Clip::open("mini").expect("a CLIP");
    let names: Vec<String> = (0..150).map(|i| format!("thing {i}")).collect();
    let templates = ["a photo of a {}.", "a {}."].map(String::from);
    let mut seen = Vec::new();
    let with = teacher_text_features(&clip, &names, &templates, &mut |done, total| {
        seen.push((done, total));
    });
    assert_eq!(seen, [(128, 300), (150, 300), (278, 300), (300, 300)]);
    let without = teacher_text_features(&clip, &names, &templates, &mut |_, _| ());
    assert_eq!(
        values(with.expect("features")),
        values(without.expect("features"))
    );
}
