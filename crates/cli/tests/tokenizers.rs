//! CLIPs with a tokenizer of their own, in any language: computed as transformers and OpenCLIP do, or
//! refused.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use serde_json::{Value, json};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/tokenizers.json")).expect("JSON")
}

fn multilingual(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/multilingual");
    below(folder, name)
}

/// A copy of the small MetaCLIP 2.
fn copy(folder: &Path) -> String {
    for name in [
        "config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        fs::copy(multilingual(name), folder.join(name)).expect("a copy");
    }
    text(folder)
}

/// Embeds the texts of the fixture, and returns the greatest error relative to a row's norm.
fn error(clip: &str, expected: &Value, folder: &Path) -> f64 {
    let fixture = fixture();
    let texts: Vec<String> = serde_json::from_value(fixture["texts"].clone()).expect("texts");
    // The last is empty, which is no line.
    let texts = &texts[..texts.len() - 1];
    let (file, out) = (below(folder, "texts.txt"), below(folder, "out.safetensors"));
    fs::write(&file, texts.join("\n")).expect("room for it");
    let args = [
        "embed",
        "--clip",
        clip,
        "--texts",
        &file,
        "--out",
        &out,
        "--precision",
        "f32",
    ];
    promptsrc(&args).done();
    let tensors = Tensors::read(&out);
    let (_, shape, bytes) = &tensors.0["text_features"];
    assert_eq!(shape[0], texts.len());
    let found: Vec<f64> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|value| f64::from(f32::from_le_bytes(*value)))
        .collect();
    let mut worst = 0f64;
    for (row, found) in found.chunks(shape[1]).enumerate() {
        let expected: Vec<f64> = serde_json::from_value(expected[row].clone()).expect("numbers");
        let difference: f64 = expected
            .iter()
            .zip(found)
            .map(|(a, b)| (a - b).powi(2))
            .sum();
        let norm: f64 = expected.iter().map(|a| a * a).sum();
        worst = worst.max((difference / norm).sqrt());
    }
    worst
}

#[test]
fn text_features_of_metaclip_2_are_those_of_transformers() {
    let folder = scratch();
    let clip = copy(folder.path());
    let error = error(&clip, &fixture()["metaclip_2"], folder.path());
    assert!(error < 1e-5, "{error:e}");
}

#[test]
fn text_features_with_a_named_tokenizer_are_those_of_open_clip() {
    let fixture = fixture();
    for case in fixture["open_clip"].as_array().expect("cases") {
        let folder = scratch();
        for name in ["open_clip_model.safetensors", "tokenizer.json"] {
            fs::copy(multilingual(name), folder.path().join(name)).expect("a copy");
        }
        let config = folder.path().join("open_clip_config.json");
        fs::write(config, case["config"].to_string()).expect("room for it");
        let clip = text(folder.path());
        let error = error(&clip, &case["features"], folder.path());
        assert!(error < 1e-5, "{}: {error:e}", case["clean"]);
        // Without the file there is nothing to compute it with.
        fs::remove_file(folder.path().join("tokenizer.json")).expect("a file");
        promptsrc(&["inspect", &clip])
            .fails(
                1,
                &[
                    "hf_tokenizer_name",
                    "somebody/multilingual",
                    "tokenizer.json",
                ],
            )
            .silent();
    }
}

#[test]
fn a_class_name_in_any_language_is_learned_and_answered() {
    let folder = scratch();
    let clip_folder = folder.path().join("clip");
    fs::create_dir(&clip_folder).expect("a folder");
    let clip = copy(&clip_folder);
    let names = below(&folder, "names.txt");
    fs::write(
        &names,
        "blue_square blaues Quadrat\ngreen_triangle 緑三角形\nred_circle красный круг\n\
         yellow_star étoile jaune\n",
    )
    .expect("room for it");
    let (data, run) = (images(), below(&folder, "run"));
    let more = [
        "--class-names",
        &names,
        "--preset",
        "mini",
        "--text-depth",
        "2",
        "--vision-depth",
        "2",
    ];
    train_on(&clip, &data, &run, &more).done();
    let evaluation = promptsrc(&[
        "eval",
        &run,
        "--data",
        &data,
        "--class-names",
        &names,
        "--json",
    ]);
    assert_eq!(evaluation.done().json()["total"], 16);
    let prediction = promptsrc(&[
        "predict",
        &run,
        "--names",
        "Katze,красный круг,星",
        &image(),
    ]);
    assert!(prediction.done().stdout.contains('%'));

    // Another tokenizer with the same weights is another CLIP.
    let file = clip_folder.join("tokenizer.json");
    let changed = fs::read_to_string(&file)
        .expect("a tokenizer")
        .replace("NFKC", "NFC");
    fs::write(&file, changed).expect("room for it");
    promptsrc(&["eval", &run, "--data", &data, "--class-names", &names])
        .fails(1, &["clip.tokenizer"])
        .silent();
}

/// What a changed folder answers.
#[track_caller]
fn refused(change: impl FnOnce(&Path), words: &[&str]) {
    let folder = scratch();
    let clip = copy(folder.path());
    change(folder.path());
    promptsrc(&["inspect", &clip]).fails(1, words).silent();
    zero_shot(&clip, &images(), &[]).fails(1, words).silent();
}

fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    change(&mut json);
    fs::write(path, json.to_string()).expect("room for it");
}

#[test]
fn what_cannot_be_computed_with_is_refused() {
    let no_tokenizer = |folder: &Path| {
        fs::remove_file(folder.join("tokenizer.json")).expect("a tokenizer");
        fs::remove_file(folder.join("tokenizer_config.json")).expect("its configuration");
    };
    refused(no_tokenizer, &["config.json", "tokenizer.json"]);
    for (name, content) in [
        ("sentencepiece.bpe.model", "x"),
        ("vocab.txt", "[PAD]"),
        ("vocab.json", "{\"a\": 0}"),
        ("merges.txt", "#version: 0.2\na b\n"),
    ] {
        refused(
            |folder| {
                no_tokenizer(folder);
                // Its text tower could be CLIP's.
                edit(folder, "config.json", |config| {
                    config["model_type"] = "clip".into();
                    config["text_config"]["model_type"] = "clip_text_model".into();
                    config["vision_config"]["model_type"] = "clip_vision_model".into();
                });
                fs::write(folder.join(name), content).expect("room for it");
            },
            &[name, "tokenizer.json"],
        );
    }
    refused(
        |folder| {
            edit(folder, "config.json", |c| {
                c["text_config"]["eos_token_id"] = 7.into()
            })
        },
        &["eos_token_id", "7", "2"],
    );
    refused(
        |folder| {
            edit(folder, "tokenizer.json", |t| {
                t["post_processor"] = Value::Null
            })
        },
        &["tokenizer.json", "start", "end"],
    );
    let added = |ids: std::ops::Range<usize>| {
        move |folder: &Path| {
            edit(folder, "tokenizer.json", |tokenizer| {
                let added = tokenizer["added_tokens"].as_array_mut().expect("tokens");
                for id in ids {
                    added.push(
                        json!({"id": id, "content": format!("<new {id}>"), "special": true,
                        "lstrip": false, "rstrip": false, "normalized": false,
                        "single_word": false}),
                    );
                }
            });
        }
    };
    let tokenizer = fs::read(multilingual("tokenizer.json")).expect("a tokenizer");
    let tokenizer: Value = serde_json::from_slice(&tokenizer).expect("JSON");
    let next = tokenizer["model"]["vocab"]
        .as_array()
        .expect("a vocabulary")
        .len();
    refused(added(5000..5001), &["tokenizer.json", "<new 5000>"]);
    // The text tower has three rows more than the tokenizer has tokens.
    refused(added(next..next + 4), &["tokenizer.json", "embeds"]);
    refused(
        |folder| fs::write(folder.join("tokenizer.json"), "{}").expect("room for it"),
        &["tokenizer.json"],
    );
}
