//! Calibration through the real command: what it promises, where it is refused, and bad input.

mod common;

use std::fs;

use common::memory::{FOR_A_SMALL_FILE, measured};
use common::records::{numbers, with};
use common::*;
use serde_json::Value;

const WORLD: [&str; 2] = ["--data", "world:objects"];

/// A run on base classes of the world, calibrated on its validation images.
fn calibrated(folder: &tempfile::TempDir, more: &[&str]) -> String {
    let run = run_of(folder);
    calibrate(&run, more).done();
    run
}

fn run_of(folder: &tempfile::TempDir) -> String {
    let run = below(folder, "run");
    let more = ["--classes", "base", "--method", "ivlp", "--shots", "1"];
    train_on("mini", "world:objects", &run, &more).done();
    run
}

fn calibrate(run: &str, more: &[&str]) -> Ending {
    promptsrc(&[&["calibrate", run, WORLD[0], WORLD[1]][..], more].concat())
}

fn eval(run: &str, more: &[&str]) -> Ending {
    promptsrc(&[&["eval", run, WORLD[0], WORLD[1], "--json"][..], more].concat())
}

fn predict(run: &str, more: &[&str]) -> Ending {
    promptsrc(&[&["predict", run, &image()][..], more].concat())
}

fn record(run: &str) -> Value {
    let text = fs::read_to_string(below(run, "calibration.json")).expect("a calibration");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_calibration_is_used_by_eval_and_predict_and_says_so() {
    let folder = scratch();
    let run = calibrated(&folder, &[]);
    let record = record(&run);
    assert_eq!(record["data"]["part"], "val");
    assert_eq!(record["data"]["classes"], "base");
    assert_eq!(
        record["subject"]["class_names"].as_array().unwrap().len(),
        15
    );
    let images = record["data"]["images"].as_u64().unwrap();
    assert_eq!(
        record["data"]["hashes"].as_array().unwrap().len() as u64,
        images
    );

    let file = below(&run, "calibration.json");
    let described = promptsrc(&["inspect", &file, "--json"]).done().json();
    assert_eq!(described["kind"], "calibration");
    assert_eq!(described["temperature"], record["temperature"]);
    assert_eq!(described["images"], images);

    let base = ["--classes", "base"];
    let ending = eval(&run, &[&base[..], &["--unknown-classes", "novel"]].concat()).done();
    assert!(ending.stderr.contains("calibrated by"), "{ending}");
    let found = ending.json();
    let after = &found["calibrated"];
    assert_eq!(after["temperature"], record["temperature"]["value"]);
    for key in [
        "negative_log_likelihood",
        "brier_score",
        "calibration_error",
    ] {
        let [own, fitted] = [&found, after].map(|of| of[key].as_f64().expect("a number"));
        assert!(
            own > 0.0 && fitted > 0.0 && own != fitted,
            "{key}: {own} {fitted}"
        );
    }
    let sets = after["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 3);
    for set in sets {
        assert_eq!(set["promised"], 0.95);
        // Two and a half standard deviations: 120 images to calibrate on, 600 to test.
        assert!(set["coverage"].as_f64().unwrap() > 0.90, "{set}");
        assert!(set["mean_size"].as_f64().unwrap() < 15.0, "{set}");
    }
    let unknown = &found["unknown"];
    assert_eq!(unknown["scores"].as_array().unwrap().len(), 4);
    assert!(
        unknown["threshold"]["known_kept"].as_f64().unwrap() > 0.9,
        "{unknown}"
    );

    let plain = eval(&run, &[&base[..], &["--no-calibration"]].concat()).done();
    assert!(!plain.stderr.contains("calibrated by"), "{plain}");
    let plain = plain.json();
    assert!(plain.get("calibrated").is_none());
    for key in ["accuracy", "negative_log_likelihood", "brier_score"] {
        assert_eq!(plain[key], found[key], "{key}");
    }

    let answer = predict(&run, &["--coverage", "0.95", "--unknown", "--json"])
        .done()
        .json();
    let first = &answer[0];
    assert_eq!(first["calibrated"], true);
    assert!(first["set"].is_array(), "{first}");
    let of = &first["unknown"];
    let below = of["score"].as_f64() < of["threshold"].as_f64();
    assert_eq!(of["unknown"].as_bool(), Some(below), "{of}");
    let own = predict(&run, &["--no-calibration", "--json"]).done().json();
    assert!(
        own[0].get("calibrated").is_none() && own[0].get("set").is_none(),
        "{own}"
    );
    assert_eq!(own[0]["top"][0]["name"], first["top"][0]["name"]);
    assert_ne!(
        own[0]["top"][0]["probability"],
        first["top"][0]["probability"]
    );
}

#[test]
fn every_form_of_predictions_has_sets_and_unknown_classes() {
    let folder = scratch();
    let run = calibrated(&folder, &["--sets", "aps,lac"]);
    let wanted = ["--coverage", "0.9", "--unknown", "--top-k", "1"];
    let form = |more: &[&str]| predict(&run, &[&wanted[..], more].concat()).done().stdout;
    let text = form(&[]);
    assert!(
        text.contains("    set  ") && text.contains("known  (score "),
        "{text}"
    );
    let jsonl: Value = serde_json::from_str(&form(&["--format", "jsonl"])).expect("JSON");
    let size = jsonl["set"].as_array().unwrap().len();
    let promise = serde_json::json!({"sets": "aps", "coverage": 0.9, "class_conditional": false});
    assert_eq!(jsonl["promise"], promise);
    let csv = form(&["--format", "csv"]);
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("image,rank,class,probability,in_set,unknown")
    );
    // The first, and all others of the set.
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), size.max(1), "{csv}");
    assert!(
        rows.iter().all(|row| row.contains(",true,")),
        "APS has the first\n{csv}"
    );
    let plain = predict(&run, &["--format", "csv", "--no-calibration"])
        .done()
        .stdout;
    assert!(
        plain.starts_with("image,rank,class,probability\n"),
        "{plain}"
    );
}

#[test]
fn what_was_calibrated_on_is_not_evaluated_with_the_calibration() {
    let folder = scratch();
    let run = calibrated(&folder, &[]);
    let val = ["--classes", "base", "--part", "val"];
    let ending = eval(&run, &val).done();
    assert!(ending.stderr.contains("it was made from"), "{ending}");
    assert!(ending.json().get("calibrated").is_none());
    eval(&run, &[&val[..], &["--coverage", "0.9"]].concat()).fails(1, &["it was made from"]);
}

#[test]
fn test_images_and_trained_images_are_refused() {
    let folder = scratch();
    let run = run_of(&folder);
    calibrate(&run, &["--part", "test"]).fails(2, &["--part test"]);
    calibrate(&run, &["--part", "all"]).fails(1, &["--part all"]);
    let ending = calibrate(&run, &["--part", "train", "--json"]).done();
    assert!(ending.stderr.contains("15 of"), "{ending}");
    assert_eq!(ending.json()["trained_on"], 15);

    // All training images of the examples, so that none is left.
    let all = below(&folder, "all");
    train_on(&clip(), &images(), &all, &["--shots", "all"]).done();
    promptsrc(&["calibrate", &all, "--data", &images(), "--part", "train"])
        .fails(1, &["trained on all"]);
    assert!(!names(&all).contains(&"calibration.json".to_string()));
}

#[test]
fn a_calibration_of_another_adapter_clip_or_names_is_refused_by_name() {
    let folder = scratch();
    let run = calibrated(&folder, &[]);
    let other = below(&folder, "other");
    let more = [
        "--classes",
        "base",
        "--method",
        "ivlp",
        "--shots",
        "1",
        "--seed",
        "2",
    ];
    train_on("mini", "world:objects", &other, &more).done();
    let file = below(&run, "calibration.json");
    let base = ["--classes", "base", "--calibration", &file];
    eval(&other, &base).fails(1, &["calibration.json", "the adapter"]);
    fs::copy(&file, below(&other, "calibration.json")).expect("a copy");
    let found = eval(&other, &["--classes", "base"]).done();
    assert!(found.stderr.contains("is not used: "), "{found}");
    assert!(found.json().get("calibrated").is_none());

    let novel = eval(&run, &["--classes", "novel"]).done();
    assert!(novel.stderr.contains("class names"), "{novel}");
    assert!(novel.json().get("calibrated").is_none());
    eval(&run, &["--classes", "novel", "--coverage", "0.9"]).fails(1, &["class names"]);
    let only = eval(&run, &["--classes", "novel", "--temperature-only"]).done();
    assert!(only.stderr.contains("other class names"), "{only}");
    let only = only.json();
    assert_eq!(only["calibrated"]["calibration"]["temperature_only"], true);
    assert!(only["calibrated"].get("sets").is_none(), "{only}");
    predict(&run, &["--names", "cat,dog", "--unknown"]).fails(1, &["class names"]);
    // Made in another precision.
    let text = fs::read_to_string(&file).expect("a calibration");
    let here = record(&run)["subject"]["precision"]
        .as_str()
        .expect("text")
        .to_string();
    let made = text.replacen(
        &format!("\"precision\":\"{here}\""),
        "\"precision\":\"f16\"",
        1,
    );
    assert_ne!(text, made);
    fs::write(&file, made).expect("a file");
    predict(&run, &["--coverage", "0.9"]).fails(1, &["the precision f16"]);
}

#[test]
fn rates_that_are_none_are_wrong_usage() {
    let folder = scratch();
    let run = calibrated(&folder, &[]);
    for rate in ["0", "1", "1.5", "-0.5", "NaN", "inf", "x"] {
        predict(&run, &["--coverage", rate]).fails(2, &["--coverage", "above 0 and below 1"]);
        calibrate(&run, &["--force", "--keep", rate]).fails(2, &["--keep"]);
        calibrate(&run, &["--force", "--coverage", rate]).fails(2, &["--coverage"]);
    }
    let raps = ["--force", "--raps-k", "1", "--raps-lambda"];
    for lambda in ["-1", "NaN", "inf"] {
        calibrate(&run, &[&raps[..], &[lambda]].concat()).fails(2, &["lambda"]);
    }
    calibrate(&run, &["--force", "--sets", "lac,lac,aps,lac"]).fails(2, &["twice"]);
    calibrate(&run, &["--force", "--sets", "lac,lac"]).fails(2, &["twice"]);
    calibrate(&run, &["--force", "--sets", "topk"]).fails(2, &["lac, aps or raps"]);
    let raps = ["--raps-k", "2", "--raps-lambda", "1"];
    calibrate(&run, &[&["--force", "--sets", "lac"][..], &raps].concat())
        .fails(2, &["--raps-k", "--sets"]);
}

#[test]
fn a_calibration_is_not_replaced_unawares_nor_needed_silently() {
    let folder = scratch();
    let run = run_of(&folder);
    predict(&run, &["--coverage", "0.9"]).fails(2, &["promptsrc calibrate"]);
    predict(&run, &["--unknown"]).fails(2, &["promptsrc calibrate"]);
    calibrate(&run, &["--sets", "lac"]).done();
    calibrate(&run, &[]).fails(1, &["calibration.json", "--force"]);
    predict(&run, &["--coverage", "0.9", "--sets", "aps"]).fails(1, &["no aps sets", "lac"]);
    let before = fs::read(below(&run, "calibration.json")).expect("a calibration");
    calibrate(&run, &["--sets", "lac", "--force"]).done();
    let after = fs::read(below(&run, "calibration.json")).expect("a calibration");
    assert!(before == after, "the same images give the same calibration");
    no_partial_files(&run);
}

#[test]
fn too_few_images_are_said_and_their_sets_hold_all_classes() {
    let folder = scratch();
    let run = calibrated(&folder, &["--class-conditional"]);
    let ending = predict(&run, &["--coverage", "0.99", "--json"]).done();
    assert!(
        ending
            .stderr
            .contains("15 of 15 classes are in every lac set"),
        "{ending}"
    );
    assert_eq!(ending.json()[0]["set"].as_array().unwrap().len(), 15);
    let ending = calibrate(&run, &["--force", "--keep", "0.9999"]).done();
    assert!(
        ending.stderr.contains("no threshold for unknown classes"),
        "{ending}"
    );
    predict(&run, &["--unknown"]).fails(1, &["no threshold", "9999"]);
    let ending = predict(&run, &["--coverage", "0.9999"]).done();
    assert!(ending.stderr.contains("holds all classes"), "{ending}");
}

#[test]
fn zero_shot_clip_has_a_calibration_in_a_file_of_its_own() {
    let folder = scratch();
    let file = below(&folder, "zero-shot.json");
    let clip = ["--zero-shot", "--clip", "mini"];
    let args = [
        &["calibrate", "--out", &file, "--classes", "base"][..],
        &WORLD,
        &clip,
    ]
    .concat();
    promptsrc(&args).done();
    let args = [
        &[
            "eval",
            "--json",
            "--calibration",
            &file,
            "--classes",
            "base",
        ][..],
        &WORLD,
        &clip,
    ];
    let found = promptsrc(&args.concat()).done().json();
    assert!(found["calibrated"]["sets"].is_array(), "{found}");
    let other = [&args.concat()[..], &["--template", "a drawing of a {}."]].concat();
    promptsrc(&other).fails(1, &["templates"]);
}

#[test]
fn a_calibration_of_other_templates_is_used_with_these() {
    let folder = scratch();
    let file = below(&folder, "drawing.json");
    let (clip, template) = (
        ["--zero-shot", "--clip", "mini"],
        ["--template", "a drawing of a {}."],
    );
    let made = ["calibrate", "--out", &file, "--classes", "base"];
    promptsrc(&[&made[..], &WORLD, &clip, &template].concat()).done();
    let text = fs::read_to_string(&file).expect("a calibration");
    let record: Value = serde_json::from_str(&text).expect("JSON");
    let names = quoted_names(&record["subject"]["class_names"]);
    let image = image();
    let predicted = ["predict", &image, "--names", &names, "--calibration", &file];
    let wanted = [&predicted[..], &clip, &["--coverage", "0.9", "--json"]].concat();
    promptsrc(&wanted).fails(1, &["templates", "a drawing of a {}."]);
    let found = promptsrc(&[&wanted[..], &template].concat()).done().json();
    assert!(found[0]["set"].is_array(), "{found}");
    promptsrc(&["predict", "run", &image, "--template", "a {}"]).fails(2, &["--zero-shot"]);
}

/// Names as a value of `--names`.
fn quoted_names(names: &Value) -> String {
    let names = names.as_array().expect("names").iter();
    let quoted = names.map(|name| format!("\"{}\"", name.as_str().expect("a name")));
    quoted.collect::<Vec<_>>().join(",")
}

#[test]
fn the_files_of_an_evaluation_have_the_calibrated_probabilities() {
    let folder = scratch();
    let run = calibrated(&folder, &[]);
    let report = |name: &str, more: &[&str]| {
        let out = below(&folder, name);
        let given = ["--classes", "base", "--report-dir", &out];
        eval(&run, &[&given[..], more].concat()).done();
        let of = |file: &str| fs::read_to_string(below(&out, file)).expect("a file");
        (of("predictions.csv"), of("report.txt"))
    };
    let (after, text) = report("after", &[]);
    let (before, plain) = report("before", &["--no-calibration"]);
    let probability = |csv: &str| -> f64 {
        let first = csv.lines().nth(1).expect("an image");
        let last = first.rsplit(',').next().expect("a column");
        last.parse().expect("a probability")
    };
    assert!(text.contains("calibrated (temperature") && text.contains("lac"));
    assert!(plain.contains("Brier score") && !plain.contains("calibrated (temp"));
    // The same odds, at another temperature: logits say which.
    let logits = below(&folder, "logits.csv");
    eval(&run, &["--classes", "base", "--logits", &logits]).done();
    let logits = fs::read_to_string(&logits).expect("logits");
    let row = logits.lines().nth(1).expect("an image").split(',').skip(2);
    let row: Vec<f64> = row.map(|logit| logit.parse().expect("a logit")).collect();
    let top = row.iter().copied().fold(f64::MIN, f64::max);
    let temperature = record(&run)["temperature"]["value"].as_f64().unwrap();
    for (csv, temperature) in [(&before, 1.0), (&after, temperature)] {
        let sum: f64 = row.iter().map(|l| ((l - top) / temperature).exp()).sum();
        let found = probability(csv);
        assert!((found - 1.0 / sum).abs() < 1e-5, "{found} {}", 1.0 / sum);
    }
}

#[test]
fn images_of_the_world_are_known_again_in_its_files() {
    let folder = scratch();
    let world = below(&folder, "world");
    promptsrc(&["world", "export", &world, "--sets", "objects"]).done();
    let run = run_of(&folder);
    let files = below(&world, "objects");
    let found = promptsrc(&[
        "calibrate",
        &run,
        "--data",
        &files,
        "--classes",
        "base",
        "--part",
        "train",
        "--json",
    ])
    .done();
    assert!(found.stderr.contains("15 of "), "{found}");
}

#[test]
fn a_damaged_calibration_is_refused_with_its_name() {
    let folder = scratch();
    let run = calibrated(&folder, &[]);
    let file = below(&run, "calibration.json");
    let text = fs::read_to_string(&file).expect("a calibration");
    let damaged = |text: &str| {
        fs::write(&file, text).expect("a file");
        let ending = measured(&["predict", &run, &image(), "--json"]).within(FOR_A_SMALL_FILE);
        assert_eq!(ending.code, Some(1), "{ending}");
        assert!(ending.stderr.contains("calibration.json"), "{ending}");
        assert!(ending.stdout.is_empty(), "{ending}");
    };
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "\u{0}",
        "{\"format_version\":1}",
        &text[..text.len() / 2],
    ] {
        damaged(text);
    }
    damaged(&"[".repeat(100_000));
    damaged(&text.replacen("\"format_version\":1", "\"format_version\":2", 1));
    damaged(&text.replacen("\"format_version\":1", "\"format_version\":0", 1));
    damaged(&text.replacen("\"scores\":[[", "\"scores\":[[],[", 1));
    damaged(&text.replacen("\"scores\":[[", "\"scores\":[[0.5,", 1));
    damaged(&text.replacen("{\"format_version\"", "{\"more\":1,\"format_version\"", 1));

    // Every number replaced by ones that it cannot be: refused, or without influence.
    let record: Value = serde_json::from_str(&text).expect("JSON");
    let own = [
        "/temperature/value",
        "/coverage",
        "/unknown/keep",
        "/sets/0/chosen_on",
        "/data/images",
    ];
    let pointers = numbers(&record);
    for pointer in own {
        assert!(
            pointers.iter().any(|of| of == pointer),
            "{pointer} of {pointers:?}"
        );
        for literal in [
            "NaN",
            "1e999",
            "-1",
            "1e300",
            "\"7\"",
            "[1]",
            "4611686018427387904",
        ] {
            damaged(&with(&record, pointer, literal));
        }
    }
    for literal in ["NaN", "1e999", "-1", "null", "\"0.5\""] {
        damaged(&with(&record, "/sets/0/scores/0/0", literal));
    }
    damaged(&with(&record, "/temperature/value", "0"));
    fs::write(&file, &text).expect("a file");
    predict(&run, &["--coverage", "0.9"]).done();
}

#[test]
fn logits_are_written_and_not_replaced_unawares() {
    let folder = scratch();
    let run = run_of(&folder);
    let file = below(&folder, "logits.csv");
    let base = ["--classes", "base", "--logits", &file];
    let found = eval(&run, &base).done().json();
    let text = fs::read_to_string(&file).expect("logits");
    assert!(text.starts_with("image,true class,"), "{text}");
    assert_eq!(
        text.lines().count() as u64,
        found["total"].as_u64().unwrap() + 1
    );
    eval(&run, &base).fails(1, &["--logits", "--force"]);
    eval(&run, &[&base[..], &["--force"]].concat()).done();
}
