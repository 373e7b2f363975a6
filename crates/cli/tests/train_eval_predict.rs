//! The main job through the real command: train, evaluate, predict, embed, sample, inspect.

mod common;

use std::fs;

use common::*;
use promptsrc_goldens::{Group, has, json, numbers, path};
use serde_json::Value;

fn array<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list {key:?} in {value}"))
}

/// `accuracy`, `correct` and `total`, which must agree with each other.
fn accuracy(evaluation: &Value) -> (u64, u64) {
    let correct = evaluation["correct"].as_u64().expect("correct");
    let total = evaluation["total"].as_u64().expect("total");
    let accuracy = evaluation["accuracy"].as_f64().expect("accuracy");
    assert!((accuracy - correct as f64 / total as f64).abs() < 1e-12);
    (correct, total)
}

#[test]
fn training_leaves_a_whole_run_and_says_in_json_what_it_did() {
    let folder = scratch();
    let run = below(&folder, "deep/run");
    let ending = train(&run, &["--classes", "base", "--epochs", "2", "--json"]).done();
    let summary = ending.json();
    assert_eq!(summary["classes"], 2);
    assert_eq!(summary["images"], 4);
    assert_eq!(summary["epochs"], 2);
    assert_eq!(summary["out"], run.as_str());
    assert!(summary["losses"]["total"].is_f64(), "{summary}");
    assert!(ending.stderr.contains("epoch 2/2"), "{ending}");
    let files = [
        ".lock",
        "adapter.safetensors",
        "config.toml",
        "log.jsonl",
        "metrics.json",
        "state.safetensors",
    ];
    assert_eq!(names(&run), files);
    let metrics = fs::read_to_string(below(&run, "metrics.json")).expect("metrics");
    assert!(
        serde_json::from_str::<Value>(&metrics)
            .expect("JSON")
            .is_object()
    );
}

#[test]
fn quiet_training_writes_no_line_of_progress() {
    let folder = scratch();
    let ending = train(&below(&folder, "run"), &["--quiet"]).done();
    assert!(!ending.stderr.contains("epoch"), "{ending}");
    assert!(ending.stdout.contains("learned"), "{ending}");
}

#[test]
fn a_run_is_evaluated_on_base_novel_and_all_classes() {
    let folder = scratch();
    let run = below(&folder, "run");
    train(&run, &["--classes", "base"]).done();
    for (classes, names) in [
        ("base", vec!["blue square", "green triangle"]),
        ("novel", vec!["red circle", "yellow star"]),
        (
            "all",
            vec!["blue square", "green triangle", "red circle", "yellow star"],
        ),
    ] {
        let args = ["eval", &run, "--data", &images(), "--classes", classes];
        let evaluation = promptsrc(&[&args[..], &["--json"]].concat()).done().json();
        let (_, total) = accuracy(&evaluation);
        assert_eq!(total, 4 * names.len() as u64);
        let found: Vec<&str> = array(&evaluation, "per_class")
            .iter()
            .map(|c| c["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(found, names);
        for key in ["top5_accuracy", "macro_f1", "calibration_error"] {
            let value = evaluation[key].as_f64().unwrap_or_else(|| panic!("{key}"));
            assert!((0.0..=1.0).contains(&value), "{key} {value}");
        }
        let matrix = array(&evaluation, "confusion_matrix");
        assert_eq!(matrix.len(), names.len());

        let read = promptsrc(&args).done();
        assert!(read.stdout.contains("accuracy"), "{read}");
        for name in names {
            assert!(read.stdout.contains(name), "{read}");
        }
    }
    // "new" is what the reference calls novel.
    promptsrc(&["eval", &run, "--data", &images(), "--classes", "new"]).done();
    // The adapter file serves as its run does.
    let adapter = below(&run, "adapter.safetensors");
    promptsrc(&["eval", &adapter, "--data", &images(), "--json"]).done();
}

#[test]
fn zero_shot_clip_is_evaluated_with_every_kind_of_template() {
    let (clip, folder) = (clip(), scratch());
    let data = images();
    let with = |more: &[&str]| zero_shot(&clip, &data, &[&["--json"], more].concat());
    let single = with(&[]).done().json();
    assert_eq!(accuracy(&single).1, 16);
    let same = with(&["--template", "a photo of a {}."]).done().json();
    assert_eq!(single, same);
    assert_eq!(single, with(&["--templates", "single"]).done().json());
    with(&["--templates", "ensemble"]).done();
    with(&["--template", "a sketch of a {}.", "--template", "a {}."]).done();
    with(&["--templates", "data-set"])
        .fails(2, &["images", "--template"])
        .silent();
    with(&["--template", "no place for a name"])
        .fails(2, &["--template", "{}"])
        .silent();

    // A folder that is called like a known data set has a template.
    let known = folder.path().join("eurosat");
    fs::rename(copy_of_images(folder.path()), &known).expect("a new name");
    let known = text(known);
    let own = zero_shot(&clip, &known, &["--json", "--templates", "data-set"]);
    let typed = "a centered satellite photo of {}.";
    let typed = zero_shot(&clip, &known, &["--json", "--template", typed]);
    assert_eq!(own.done().json(), typed.done().json());
}

#[test]
fn images_are_classified_among_given_default_and_filed_names() {
    let folder = scratch();
    let (run, image) = (trained(folder.path()), image());
    let check = |found: &Value, images: usize, names: &[&str]| {
        let found = found.as_array().expect("a list");
        assert_eq!(found.len(), images);
        for prediction in found {
            assert!(prediction["image"].is_string());
            assert!(prediction.get("error").is_none());
            let top = array(prediction, "top");
            let mut named: Vec<&str> = top.iter().filter_map(|t| t["name"].as_str()).collect();
            named.sort_unstable();
            assert_eq!(named, names);
            let p: Vec<f64> = top
                .iter()
                .filter_map(|t| t["probability"].as_f64())
                .collect();
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{p:?}");
            assert!(p.is_sorted_by(|a, b| a >= b), "{p:?}");
        }
    };
    let typed = [
        "predict",
        &run,
        &image,
        "--names",
        "a cat, b_b ,ç é",
        "--json",
    ];
    let typed = promptsrc(&typed).done().json();
    check(&typed, 1, &["a cat", "b_b", "ç é"]);
    assert_eq!(typed[0]["image"], image.as_str());

    let file = below(&folder, "names.txt");
    fs::write(&file, "\u{feff}a cat\r\n\r\nb_b\nç é\n").expect("a list");
    let filed = ["predict", &run, &image, "--names-file", &file, "--json"];
    assert_eq!(promptsrc(&filed).done().json(), typed);

    let own = promptsrc(&["predict", &run, &image, "--json"])
        .done()
        .json();
    check(
        &own,
        1,
        &["blue square", "green triangle", "red circle", "yellow star"],
    );
    let class = below(images(), "blue_square");
    let many = ["predict", &run, &class, &image, "--names", "a,b", "--json"];
    check(&promptsrc(&many).done().json(), 13, &["a", "b"]);

    let one = ["predict", &run, &image, "--names", "a,b,c", "--top-k", "1"];
    let read = promptsrc(&one).done();
    assert_eq!(read.stdout.lines().count(), 1, "{read}");
    assert!(read.stdout.contains('%'), "{read}");

    let clip = clip();
    let zero = ["predict", "--zero-shot", "--clip", &clip, &image, "--json"];
    let named = promptsrc(&[&zero[..], &["--names", "a,b"]].concat());
    check(&named.done().json(), 1, &["a", "b"]);
    promptsrc(&zero).fails(2, &["--names"]).silent();
}

#[test]
fn features_are_written_unnormalised_with_their_shapes() {
    let folder = scratch();
    let (out, texts) = (below(&folder, "f.safetensors"), below(&folder, "texts.txt"));
    fs::write(&texts, "a photo of a cat\na dog\n").expect("a list");
    let clip = clip();
    let (class, image) = (below(images(), "blue_square"), image());
    let args = [
        "embed", "--clip", &clip, "--texts", &texts, "--out", &out, "--json", "--images", &class,
        &image,
    ];
    let summary = promptsrc(&args).done().json();
    assert_eq!(
        (&summary["images"], &summary["texts"]),
        (&13.into(), &2.into())
    );
    let features = Tensors::read(&out);
    let names: Vec<&str> = features.0.keys().map(String::as_str).collect();
    assert_eq!(names, ["image_features", "text_features"]);
    assert_eq!(features.shape("image_features"), [13, 64]);
    assert_eq!(features.shape("text_features"), [2, 64]);
    for (name, (_, _, bytes)) in &features.0 {
        let (values, _) = bytes.as_chunks();
        let values: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
        for row in values.chunks_exact(64) {
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            assert!(
                norm.is_finite() && (norm - 1.0).abs() > 1e-3,
                "{name} {norm}"
            );
        }
    }
    let found = promptsrc(&["inspect", &out, "--json"]).done().json();
    assert_eq!(found["kind"], "features");

    // Either alone, and the old file is replaced.
    promptsrc(&[
        "embed", "--clip", &clip, "--texts", &texts, "--force", "--out", &out,
    ])
    .done();
    assert_eq!(Tensors::read(&out).0.len(), 1);
}

#[test]
fn parity_sample_command_gives_the_references_picks() {
    if !has("fewshot/fewshot.json") {
        return;
    }
    let goldens = json("fewshot/fewshot.json");
    let split = text(path("fewshot").join(goldens["split"].as_str().expect("a split file")));
    let mut group = Group::new("fewshot/command");
    for result in goldens["results"].as_array().expect("results") {
        let (seed, shots) = (result["seed"].to_string(), result["shots"].to_string());
        for (classes, expected) in result.as_object().expect("a case") {
            if !["all", "base", "new"].contains(&classes.as_str()) {
                continue;
            }
            let args = [
                "sample",
                "--split",
                &split,
                "--shots",
                &shots,
                "--seed",
                &seed,
                "--classes",
                classes,
                "--json",
            ];
            let found = promptsrc(&args).done().json();
            for part in ["train", "val"] {
                let places = array(expected, part)
                    .iter()
                    .map(|pair| numbers(pair)[0])
                    .collect::<Vec<_>>();
                let case = format!("{part} of {classes}, {shots} shots, seed {seed}");
                group.equal(&case, &numbers(&found[part]), &places);
            }
        }
    }
    group.finish(2);
}

#[test]
fn a_folder_is_sampled_without_opening_its_images() {
    let data = images();
    let args = ["sample", "--data", &data, "--shots", "2"];
    let found = promptsrc(&[&args[..], &["--json"]].concat()).done().json();
    assert_eq!(array(&found, "train").len(), 8);
    let read = promptsrc(&args).done();
    assert!(read.stdout.contains("red_circle_"), "{read}");
    assert_eq!(
        read.stdout
            .lines()
            .filter(|l| l.starts_with("train"))
            .count(),
        8
    );
}

#[test]
fn inspect_knows_every_weight_format() {
    let mut formats = std::collections::BTreeSet::new();
    for file in weight_files() {
        let found = promptsrc(&["inspect", &file, "--json"]).done().json();
        assert_eq!(found["kind"], "CLIP weights", "{file}");
        assert!(
            found["parameters"].as_u64().is_some_and(|n| n > 0),
            "{file}"
        );
        assert!(found["vision"]["width"].is_u64(), "{file}");
        assert!(!array(&found, "tensors").is_empty(), "{file}");
        formats.insert(found["format"].to_string());
        let read = promptsrc(&["inspect", &file]).done();
        assert!(read.stdout.starts_with("kind: CLIP weights\n"), "{read}");
    }
    assert!(formats.len() >= 4, "{formats:?}");
}

#[test]
fn inspect_knows_what_a_run_leaves_and_a_checkpoint_of_the_reference() {
    let folder = scratch();
    let run = trained(folder.path());
    let checkpoints = golden("checkpoint/VLPromptLearner");
    let checkpoint = sorted(checkpoints.as_ref())
        .into_iter()
        .find(|p| text(p).contains("model.pth.tar"))
        .map(text)
        .expect("a checkpoint");
    for (file, kind) in [
        (run.clone(), "run"),
        (below(&run, "adapter.safetensors"), "adapter"),
        (below(&run, "state.safetensors"), "state of a run"),
        (below(&run, "config.toml"), "run configuration"),
        (checkpoint, "reference checkpoint"),
        (clip(), "CLIP weights"),
    ] {
        let found = promptsrc(&["inspect", &file, "--json"]).done().json();
        assert_eq!(found["kind"], kind, "{file}");
        let read = promptsrc(&["inspect", &file]).done();
        assert!(
            read.stdout.starts_with(&format!("kind: {kind}\n")),
            "{read}"
        );
    }
}

#[test]
fn another_runs_configuration_is_a_starting_point() {
    let folder = scratch();
    let (first, second) = (below(&folder, "first"), below(&folder, "second"));
    train(&first, &["--epochs", "2", "--lr", "0.01", "--no-gpa"]).done();
    let config = below(&first, "config.toml");
    train(&second, &["--epochs", "2", "--config", &config]).done();
    assert_eq!(adapter_tensors(&first), adapter_tensors(&second));
}

#[test]
fn every_preset_and_method_trains() {
    let folder = scratch();
    for (i, options) in [
        ["--preset", "base-to-novel"],
        ["--preset", "few-shot"],
        ["--preset", "cross-dataset"],
        ["--method", "ivlp"],
        ["--method", "coop"],
        ["--vision-depth", "0"],
        ["--text-context", "6"],
        ["--ctx-init", ""],
        ["--shots", "all"],
    ]
    .iter()
    .enumerate()
    {
        let run = below(&folder, &i.to_string());
        train(&run, options).done();
        promptsrc(&["predict", &run, &image(), "--names", "a,b", "--json"]).done();
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for args in [
        vec!["--help"],
        vec!["--version"],
        vec!["help", "train"],
        vec!["train", "--help"],
        vec!["eval", "--help"],
        vec!["predict", "--help"],
        vec!["embed", "--help"],
        vec!["sample", "--help"],
        vec!["inspect", "-h"],
    ] {
        let ending = promptsrc(&args).done();
        assert!(
            !ending.stdout.is_empty() && ending.stderr.is_empty(),
            "{ending}"
        );
    }
}
