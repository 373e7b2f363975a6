//! `promptsrc eval --unknown-data`: its figures are those of the logits that the command writes, and what are no
//! images of unknown classes is refused.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use serde_json::{Value, json};

/// What is known, and what is not.
const KNOWN: [&str; 2] = ["blue_square", "red_circle"];
const UNKNOWN: [&str; 2] = ["green_triangle", "yellow_star"];

/// Files of the images of a class.
fn files(class: &str) -> Vec<String> {
    let paths = sorted(&Path::new(&images()).join(class));
    let name = |path: &Path| format!("{class}/{}", text(path.file_name().expect("a name")));
    paths.iter().map(|path| name(path)).collect()
}

/// A split file over the example images: of each known class four images to calibrate on, the others to test.
/// `instead`: classes whose images take the place of the tested ones, under the known names.
fn split(folder: &Path, name: &str, instead: &[&str]) -> String {
    let label = |at: usize| KNOWN[at].replace('_', " ");
    let entry = |file: &String, at: usize| json!([file, at, label(at)]);
    let (mut val, mut test) = (Vec::new(), Vec::new());
    for (at, class) in KNOWN.iter().enumerate() {
        let files = files(class);
        val.extend(files[..4].iter().map(|file| entry(file, at)));
        if instead.is_empty() {
            test.extend(files[4..].iter().map(|file| entry(file, at)));
        }
    }
    for class in instead {
        // Of either known class, so that both have test images.
        let files = files(class);
        let entries = files.iter().enumerate();
        test.extend(entries.map(|(place, file)| entry(file, place % 2)));
    }
    let path = below(folder, name);
    let split = json!({"train": val.clone(), "val": val, "test": test});
    fs::write(&path, split.to_string()).expect("room");
    path
}

/// A folder with copies of classes, under other names.
fn folder_of(folder: &Path, name: &str, classes: &[(&str, &str)]) -> String {
    let root = folder.join(name);
    for (class, renamed) in classes {
        let to = root.join(renamed);
        fs::create_dir_all(&to).expect("a folder");
        for file in sorted(&Path::new(&images()).join(class)) {
            fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("a copy");
        }
    }
    text(root)
}

/// The logits of an evaluation, one row per image.
fn logits(command: &[&str], file: &str) -> Vec<Vec<f64>> {
    promptsrc(&[command, &["--logits", file, "--force"]].concat()).done();
    let mut reader = csv::Reader::from_path(file).expect("logits");
    let rows = reader.records().map(|row| {
        let row = row.expect("a row");
        let numbers = row.iter().skip(2).map(|text| {
            let value: f32 = text.parse().expect("a number");
            f64::from(value)
        });
        numbers.collect::<Vec<_>>()
    });
    rows.collect()
}

/// A score of logits that are the cosines times a scale.
fn score(name: &str, row: &[f64], scale: f64) -> f64 {
    let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = |by: f64| -> f64 {
        row.iter()
            .map(|logit| (by * (logit - greatest)).exp())
            .sum()
    };
    match name {
        "mcm" => 1.0 / sum(1.0),
        "mcm-unscaled" => 1.0 / sum(1.0 / scale),
        "max-logit" => greatest,
        "energy" => greatest + sum(1.0).ln(),
        other => panic!("{other}"),
    }
}

/// Over all pairs, by the definition of the area.
fn auroc(known: &[f64], unknown: &[f64]) -> f64 {
    let pairs = known
        .iter()
        .flat_map(|k| unknown.iter().map(move |u| (k, u)));
    let won = pairs.map(|(k, u)| match k.total_cmp(u) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    });
    won.sum::<f64>() / (known.len() * unknown.len()) as f64
}

fn reached(scores: &[f64], threshold: f64) -> f64 {
    let count = scores.iter().filter(|score| **score >= threshold).count();
    count as f64 / scores.len() as f64
}

/// At the greatest threshold that 95 % of the known reach.
fn fpr_at_95(known: &[f64], unknown: &[f64]) -> f64 {
    let mut thresholds = known.to_vec();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    let first = thresholds.iter().find(|t| reached(known, **t) >= 0.95);
    reached(unknown, *first.expect("the least reaches all"))
}

#[track_caller]
fn close(found: &Value, expected: f64) {
    let found = found.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn figures_of_unknown_classes_are_those_of_the_logits() {
    let folder = scratch();
    // Of random numbers, so that it tells nothing apart with certainty.
    let (clip, data) = (clip(), images());
    let known = split(folder.path(), "known.json", &[]);
    let (run, calibration) = (below(&folder, "run"), below(&folder, "calibration.json"));
    train_on(&clip, &data, &run, &["--split", &known, "--method", "coop"]).done();
    let zero_shot = ["--zero-shot", "--clip", &clip];
    let calibrate = [
        &["calibrate", "--data", &data, "--split", &known][..],
        &zero_shot,
        &["--keep", "0.6", "--out", &calibration],
    ];
    promptsrc(&calibrate.concat()).done();
    let record = std::fs::read_to_string(&calibration).expect("a calibration");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    let scale = record["unknown"]["logit_scale"].as_f64().expect("a scale");

    let unknown = UNKNOWN.map(|class| (class, class));
    let apart = folder_of(folder.path(), "unknown", &unknown);
    let csv = below(&folder, "logits.csv");
    let subjects: [&[&str]; 2] = [
        &[&run],
        &[
            "--zero-shot",
            "--clip",
            &clip,
            "--calibration",
            &calibration,
        ],
    ];
    let mut seen = Vec::new();
    for subject in subjects {
        let eval = |split: &str, more: &[&str]| -> Vec<String> {
            let data = ["--data", &data, "--split", split];
            let all = [&["eval"][..], subject, &data, more].concat();
            all.into_iter().map(str::to_string).collect()
        };
        let logits = |split: &str| {
            let command = eval(split, &[]);
            logits(
                &command.iter().map(String::as_str).collect::<Vec<_>>(),
                &csv,
            )
        };
        let of_known = logits(&known);
        assert_eq!(of_known.len(), 16);
        for (classes, among) in [
            (None, &UNKNOWN[..]),
            (Some("all"), &UNKNOWN[..]),
            (Some("base"), &UNKNOWN[..1]),
            (Some("novel"), &UNKNOWN[1..]),
        ] {
            // The same images, as if they were test images of the known classes.
            let of_unknown = logits(&split(folder.path(), "as-known.json", among));
            assert_eq!(of_unknown.len(), 12 * among.len());
            let mut more = vec!["--json", "--unknown-data", &apart];
            more.extend(classes.iter().flat_map(|of| ["--unknown-classes", of]));
            let command = eval(&known, &more);
            let ending = promptsrc(&command.iter().map(String::as_str).collect::<Vec<_>>());
            let found = &ending.done().json()["unknown"];
            assert_eq!(found["known"], 16);
            assert_eq!(found["unknown"], of_unknown.len());
            assert_eq!(found["data"], "unknown");
            let names: Vec<String> = among.iter().map(|name| name.replace('_', " ")).collect();
            assert_eq!(found["classes"], json!(names));
            let scores = found["scores"].as_array().expect("scores");
            assert_eq!(scores.len(), 4);
            for figures in scores {
                let name = figures["score"].as_str().expect("a name");
                let of = |rows: &[Vec<f64>]| -> Vec<f64> {
                    rows.iter().map(|row| score(name, row, scale)).collect()
                };
                let (known, unknown) = (of(&of_known), of(&of_unknown));
                close(&figures["auroc"], auroc(&known, &unknown));
                close(&figures["fpr_at_95"], fpr_at_95(&known, &unknown));
                seen.push(auroc(&known, &unknown));
                let at = &found["threshold"];
                if at["score"] == name {
                    let threshold = at["threshold"].as_f64().expect("a number");
                    assert_eq!(at["keep"], 0.6);
                    close(&at["known_kept"], reached(&known, threshold));
                    close(&at["unknown_found"], 1.0 - reached(&unknown, threshold));
                }
            }
            assert_eq!(found["threshold"].is_object(), subject[0] == "--zero-shot");
        }
    }
    // The figures tell scores, subjects and classes apart: nothing here is the same by accident of the images.
    seen.sort_by(f64::total_cmp);
    seen.dedup();
    assert!(seen.len() > 6, "{seen:?}");
}

#[test]
fn what_is_known_is_left_out_or_refused() {
    let folder = scratch();
    let known = split(folder.path(), "known.json", &[]);
    let data = images();
    let eval = |unknown: &str, more: &[&str]| {
        let args = ["--split", &known, "--unknown-data", unknown, "--json"];
        zero_shot("mini", &data, &[&args[..], more].concat())
    };
    // Names that CLIP reads alike are the same class.
    let classes = [
        ("red_circle", "Red__Circle"),
        ("yellow_star", "yellow_star"),
    ];
    let some = folder_of(folder.path(), "some", &classes);
    let ending = eval(&some, &[]).done();
    let message =
        "12 of 24 images of some are no unknown ones and left out: their classes are known: ";
    assert!(ending.stderr.contains(message), "{ending}");
    let found = &ending.json()["unknown"];
    assert_eq!(found["unknown"], 12);
    assert_eq!(found["classes"], json!(["yellow star"]));
    // In the order of their names, the known one is the first half.
    eval(&some, &["--unknown-classes", "base"]).fails(1, &["some", "among the known ones"]);
    let all = [("red_circle", "RED circle"), ("blue_square", "blue_square")];
    let all = folder_of(folder.path(), "all", &all);
    eval(&all, &[])
        .fails(
            1,
            &["all has no", "all its classes are among the known ones"],
        )
        .silent();
    eval(&data, &[]).done();
}

#[test]
fn where_there_are_no_images_of_unknown_classes_it_says_so() {
    let folder = scratch();
    let data = images();
    let eval = |more: &[&str]| zero_shot("mini", &data, more);
    let of = |path: &str, more: &[&str]| eval(&[&["--unknown-data", path], more].concat());
    let missing = below(&folder, "missing");
    of(&missing, &[]).fails(1, &[&missing]).silent();
    let empty = below(&folder, "empty");
    fs::create_dir(&empty).expect("a folder");
    of(&empty, &[]).fails(1, &[&empty]).silent();
    let bare = below(&folder, "bare");
    for class in ["teapot", "kettle"] {
        fs::create_dir_all(Path::new(&bare).join(class)).expect("a folder");
    }
    of(&bare, &[]).fails(1, &["bare"]).silent();
    fs::write(Path::new(&bare).join("teapot/1.txt"), "no image").expect("room");
    of(&bare, &[]).fails(1, &["bare"]).silent();
    of(&image(), &[]).fails(1, &["red_circle_01.jpg"]).silent();
    of("world:nothing", &[]).fails(2, &["nothing"]).silent();
    // A damaged image is named.
    fs::write(Path::new(&bare).join("teapot/1.png"), "no image").expect("room");
    of(&bare, &[]).fails(1, &["1.png"]).silent();

    // Without images of their own, unknown classes are others of the same data.
    eval(&["--unknown-classes", "all"]).fails(2, &["--unknown-classes all", "--unknown-data"]);
    eval(&["--unknown-classes", "novel"]).fails(2, &["novel", "--classes all"]);
    eval(&["--classes", "base", "--unknown-classes", "base"]).fails(2, &["--classes base"]);
    eval(&["--unknown-classes", "rare"]).fails(2, &["--unknown-classes"]);
    let base = ["--classes", "base", "--unknown-classes", "novel", "--json"];
    let found = eval(&base).done().json();
    assert_eq!(
        found["unknown"]["classes"],
        json!(["red circle", "yellow star"])
    );
}
