//! The mini CLIP: an ordinary CLIP, whose zero-shot results are those of PyTorch.

use std::collections::BTreeMap;

use promptsrc::train::preprocess;
use promptsrc::{Classifier, ClipModel, datasets::Part, evaluate};
use promptsrc_world::{Purpose, WorldSet, mini_clip, mini_file, sets};
use serde_json::Value;

const TEMPLATE: &str = "a photo of a {}.";

fn fixture() -> BTreeMap<String, Value> {
    let text = include_str!("fixtures/zero_shot.json");
    serde_json::from_str(text).expect("a JSON document")
}

#[test]
fn it_is_a_small_clip_in_openais_naming_with_the_standard_vocabulary() {
    let file = mini_file().expect("a file");
    assert!(file.len() < 8 << 20, "{} bytes", file.len());
    let weights = mini_clip().expect("a CLIP");
    assert_eq!(weights.notes(), Vec::<String>::new());
    let config = weights.config();
    assert_eq!(config.text.vocab_size, 49_408);
    assert_eq!(config.text.context_length, 77);
    assert_eq!(config.vision.heads * 64, config.vision.width);
    assert_eq!(config.text.heads * 64, config.text.width);
    // Rows of tokens that no text of the world uses are zero, those of its words are not.
    let table = weights.f32("token_embedding.weight").expect("a table");
    let rows = table.chunks_exact(config.text.width);
    let used = rows.filter(|row| row.iter().any(|v| *v != 0.0)).count();
    assert!((200..1000).contains(&used), "{used} rows");
}

/// Made by OpenCLIP in PyTorch on the exported images: fixtures/zero_shot.py.
#[test]
fn zero_shot_results_are_those_of_pytorch_on_the_exported_images() {
    let weights = mini_clip().expect("a CLIP");
    let clip = ClipModel::new(&weights, &Default::default()).expect("a CLIP");
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
            let classifier =
                Classifier::zero_shot(&clip, names, &[TEMPLATE.into()]).expect("a classifier");
            let mut items: Vec<_> = items.to_vec();
            items.retain(|item| range.contains(&item.label));
            for item in &mut items {
                item.label -= range.start;
            }
            let found = evaluate(&clip, &classifier, &items, 2, &mut |_| {}).expect("images");
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
        let all = Classifier::zero_shot(&clip, names, &[TEMPLATE.into()]).expect("a classifier");
        let preprocess = preprocess(&clip);
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
fn zero_shot_accuracy_is_neither_chance_nor_perfect() {
    let found = fixture();
    for set in sets() {
        let name = set.name();
        let expected = &found[name];
        if set.purpose() == Purpose::BaseToNovel {
            let right = expected["all"].as_f64().expect("a count");
            let accuracy = 100.0 * right / expected["total"].as_f64().expect("a count");
            println!("{name}: {accuracy:.1} %");
            assert!((35.0..=85.0).contains(&accuracy), "{name}: {accuracy}");
        }
    }
}
