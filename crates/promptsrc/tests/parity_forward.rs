//! Frozen features and zero-shot logits equal the oracle's.

mod common;

use common::*;
use promptsrc::Classifier;
use promptsrc::class_texts::{teacher_text_features, tokens, zero_shot_weights};
use promptsrc_clip::{ClipModel, ClipWeights, unit};
use promptsrc_goldens::{
    self as goldens, Group, Quantity, Step, Tensors, strings, tabled, tolerance,
};
use serde_json::Value;

#[test]
fn parity_frozen_features_and_zero_shot_logits() {
    if !goldens::has("forward") {
        return;
    }
    let clip = tiny();
    let mut features = Group::new("forward/features");
    let mut unit_features = Group::new("forward/unit features");
    let mut logits = Group::new("forward/logits");
    let mut ids = Group::new("forward/tokens");
    for case in goldens::cases("forward") {
        let json = goldens::json(format!("forward/{case}.json"));
        let feature_tolerance = tolerance(&json, Quantity::Features, Step::First);
        let unit_tolerance = tolerance(&json, Quantity::UnitFeatures, Step::First);
        let logit_tolerance = tolerance(&json, Quantity::Logits, Step::First);
        let file = Tensors::read(format!("forward/{case}.safetensors"));
        let names = strings(&json["classnames"]);
        let images = file.get("images");
        let image = clip.image_features(tensor(images));
        features.absolute(
            &case,
            &host(image.clone()),
            &file.get("image_features").data,
            feature_tolerance,
        );
        let found = host(unit(image.clone()));
        unit_features.absolute(
            &case,
            &found,
            &file.get("image_features_unit").data,
            unit_tolerance,
        );

        let all = goldens::json("templates.json");
        for (key, templates) in json["templates"].as_object().expect("templates") {
            if key == "teacher" {
                let raw =
                    teacher_text_features(&clip, &names, &strings(&all["teacher"]), &mut |_, _| ())
                        .unwrap();
                let expected = &file.get("teacher_text_raw_mean60").data;
                features.absolute("teacher", &host(raw.clone()), expected, feature_tolerance);
                let expected = &file.get("teacher_text_unit").data;
                unit_features.absolute(
                    "teacher",
                    &host(unit(raw.clone())),
                    expected,
                    unit_tolerance,
                );
                let found = host(clip.logits(image.clone(), raw));
                logits.absolute(
                    "teacher",
                    &found,
                    &file.get("teacher_logits").data,
                    logit_tolerance,
                );
                continue;
            }
            let templates = strings(templates);
            let found = zero_shot_weights(&clip, &names, &templates, &mut |_, _| ()).unwrap();
            let expected = &file.get(&format!("classifier_{key}")).data;
            unit_features.absolute(key, &host(found), expected, unit_tolerance);
            let classifier = Classifier::zero_shot(&clip, &names, &templates).unwrap();
            let found = widen(&classifier.logits(images.f32(), images.shape[0]));
            logits.absolute(
                key,
                &found,
                &file.get(&format!("logits_{key}")).data,
                logit_tolerance,
            );
            if file.has(&format!("tokens_{key}")) {
                let expected = file.get(&format!("tokens_{key}"));
                let tokens = tokens(&clip, &templates[0], &names).unwrap();
                for (row, found) in expected.i64().chunks(expected.shape[1]).zip(&tokens) {
                    let mut padded: Vec<i64> = found.iter().map(|i| i64::from(*i)).collect();
                    padded.resize(expected.shape[1], 0);
                    ids.equal(key, &padded, &row.to_vec());
                }
                let found = host(clip.text().encode(&tokens).unwrap());
                let expected = &file.get(&format!("text_features_{key}")).data;
                features.absolute(key, &found, expected, feature_tolerance);
            }
        }
    }
    features.finish(3);
    unit_features.finish(3);
    logits.finish(2);
    ids.finish(1);
}

#[test]
fn parity_shapes_read_off_the_weights() {
    if !goldens::has("tiny") {
        return;
    }
    let clip = tiny();
    let config = clip.config();
    let mut group = Group::new("tiny/shapes");
    for case in goldens::cases("tiny") {
        let dims = goldens::json(format!("tiny/{case}.json"));
        for (key, found) in [
            ("res", config.vision.resolution),
            ("patch", config.vision.patch_size),
            ("vw", config.vision.width),
            ("vl", config.vision.layers),
            ("tw", config.text.width),
            ("tl", config.text.layers),
            ("ctx", config.text.context_length),
            ("vocab", config.text.vocab_size),
            ("embed", config.embed_dim),
        ] {
            group.equal(key, &Some(found as u64), &dims[key].as_u64());
        }
        let scale = f64::from(clip.logit_scale());
        let expected = goldens::number(&dims["logit_scale"]).exp();
        group.relative("logit_scale", &[scale], &[expected], tabled("logit_scale"));
    }
    group.finish(if goldens::is_committed() { 10 } else { 0 });
}

#[test]
fn parity_every_weight_format_gives_the_same_features() {
    if !goldens::has("formats") {
        return;
    }
    let mut features = Group::new("formats/features");
    let mut logits = Group::new("formats/logits");
    let expected = Tensors::read("formats/expected.safetensors");
    let feature_tolerance = tolerance(&Value::Null, Quantity::Features, Step::First);
    let logit_tolerance = tolerance(&Value::Null, Quantity::Logits, Step::First);
    let mut files = Vec::new();
    for name in goldens::list("formats") {
        let path = goldens::path("formats").join(&name);
        if path.is_dir() {
            // The folder as a whole, and each weight file in it.
            let inside = goldens::list(format!("formats/{name}"));
            files.push(path.clone());
            files.extend(
                inside
                    .iter()
                    .filter(|n| !n.ends_with(".json"))
                    .map(|n| path.join(n)),
            );
        } else if !name.starts_with("expected.") {
            files.push(path);
        }
    }
    let images = tensor::<4>(expected.get("images"));
    let ids = expected.get("token_ids");
    let tokens: Vec<Vec<u32>> = ids
        .i64()
        .chunks(ids.shape[1])
        .map(|row| row.iter().map(|i| *i as u32).collect())
        .collect();
    let mut fingerprints = Vec::new();
    for path in &files {
        let what = path
            .strip_prefix(goldens::dir())
            .unwrap()
            .display()
            .to_string();
        let weights = ClipWeights::open(path).unwrap_or_else(|e| panic!("{what}: {e}"));
        fingerprints.push(weights.fingerprint().unwrap());
        let clip = ClipModel::new(&weights, &Default::default()).unwrap();
        let image = clip.image_features(images.clone());
        let text = clip.text().encode(&tokens).unwrap();
        let found = host(image.clone());
        features.absolute(
            &what,
            &found,
            &expected.get("image_features").data,
            feature_tolerance,
        );
        let found = host(text.clone());
        features.absolute(
            &what,
            &found,
            &expected.get("text_features").data,
            feature_tolerance,
        );
        let found = host(clip.logits(image, text));
        logits.absolute(&what, &found, &expected.get("logits").data, logit_tolerance);
    }
    fingerprints.dedup();
    assert_eq!(
        fingerprints.len(),
        1,
        "one fingerprint for the same numbers in any format"
    );
    features.finish(2 * files.len());
    logits.finish(files.len().max(3));
}
