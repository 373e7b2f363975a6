//! Every method of the registry goes through the same commands.

mod common;

use std::fs;

use common::{
    Ending, adapter_bytes, below, clip, copy_of_images, image, images, kill_when, names,
    no_partial_files, promptsrc, scratch, start_with, text,
};
use promptsrc::methods::{Family, all};
use serde_json::Value;

/// A method, what is given to its training, and whether it classifies among other classes than those of
/// its training.
fn learning_methods() -> Vec<(&'static str, Vec<&'static str>, bool)> {
    let mut list = Vec::new();
    for method in all() {
        match method.family() {
            Family::Frozen => {}
            Family::Prompts(_) => list.push((method.name(), vec!["--epochs", "2"], true)),
            Family::Features(_) => {
                list.push((method.name(), vec![], method.name() == "clip-adapter"));
            }
        }
    }
    list.push(("coop", vec!["--epochs", "2", "--class-specific"], false));
    let middle = vec!["--epochs", "2", "--class-position", "middle"];
    list.push(("coop", middle, true));
    list.push(("kgcoop", vec!["--epochs", "2", "--class-specific"], false));
    list
}

/// Trains on two shots per class of the example images, unless the options say another number.
fn train(run: &str, options: &[&str]) -> Ending {
    let (clip, images) = (clip(), images());
    let line = ["train", "--clip", &clip, "--data", &images, "--out", run];
    let shots: &[&str] = match options.contains(&"--shots") {
        true => &[],
        false => &["--shots", "2"],
    };
    promptsrc(&[&line[..], shots, options].concat())
}

fn accuracy(evaluation: &Value) -> f64 {
    evaluation["accuracy"].as_f64().expect("an accuracy")
}

#[test]
fn every_method_is_trained_evaluated_inspected_and_predicted_with() {
    let folder = scratch();
    let (images, image) = (images(), image());
    for (place, (method, options, any_names)) in learning_methods().into_iter().enumerate() {
        let run = below(&folder, &format!("{place}-{method}"));
        let options = [&["--method", method, "--shots", "4"], &options[..]].concat();
        let trained = train(
            &run,
            &[&options[..], &["--classes", "base", "--json"]].concat(),
        )
        .done();
        let summary = trained.json();
        assert_eq!(summary["method"], method);
        assert_eq!(summary["classes"], 2, "{trained}");

        let eval = |classes: &str| {
            promptsrc(&[
                "eval",
                &run,
                "--data",
                &images,
                "--classes",
                classes,
                "--json",
            ])
        };
        let base = eval("base").done().json();
        assert_eq!(base["provenance"]["adapter"]["method"], method);
        assert!((0.0..=1.0).contains(&accuracy(&base)));
        let novel = eval("novel");
        let predict =
            |names: &str| promptsrc(&["predict", &run, &image, "--names", names, "--json"]);
        match any_names {
            true => {
                assert!((0.0..=1.0).contains(&accuracy(&novel.done().json())));
                predict("red circle,teapot").done();
            }
            false => {
                let words = ["red circle", "yellow star", method, "blue square"];
                novel.fails(1, &words).silent();
                predict("red circle,blue square").fails(1, &["red circle", method]);
                // Some of its classes, in another order, are fine.
                let found = predict("green triangle,blue square").done().json();
                let top = found[0]["top"].as_array().expect("a list");
                assert_eq!(top.len(), 2);
                let turned = predict("blue square,green triangle").done().json();
                let probability = |found: &Value, name: &str| {
                    let top = found[0]["top"].as_array().expect("a list");
                    let it = top.iter().find(|t| t["name"] == name).expect("the name");
                    it["probability"].as_f64().expect("a number")
                };
                for name in ["blue square", "green triangle"] {
                    let difference = probability(&found, name) - probability(&turned, name);
                    assert!(difference.abs() < 1e-6, "{method} {name}: {difference}");
                }
            }
        }
        let inspected = promptsrc(&["inspect", &run]).done();
        assert!(inspected.stdout.contains(method), "{inspected}");
        // A run is defined by its configuration, which its folder has.
        let again = below(&folder, &format!("{place}-again"));
        let config = below(&run, "config.toml");
        let data = ["--data", &images, "--shots", "4", "--classes", "base"];
        let line = [
            "train",
            "--clip",
            &clip(),
            "--config",
            &config,
            "--out",
            &again,
            "--threads",
            "1",
        ];
        promptsrc(&[&line[..], &data].concat()).done();
        assert!(
            adapter_bytes(&again) == adapter_bytes(&run),
            "{method}: other bytes"
        );
    }
}

#[test]
fn a_killed_training_of_a_head_ends_with_the_bytes_of_a_whole_one() {
    let folder = scratch();
    for method in ["clap", "tip-adapter-f", "clip-adapter", "lp++"] {
        let whole = below(&folder, &format!("{method}-whole"));
        let run = below(&folder, &format!("{method}-run"));
        let cache = below(&folder, "cache");
        let options = ["--resume", "--method", method, "--feature-cache", &cache];
        train(&whole, &options).done();
        let child = start_with(&run, &options);
        kill_when(child, || fs::metadata(below(&run, "log.jsonl")).is_ok());
        assert!(!fs::exists(below(&run, "state.safetensors")).unwrap());
        train(&run, &options).done();
        assert!(adapter_bytes(&run) == adapter_bytes(&whole), "{method}");
        no_partial_files(&run);
    }
}

#[test]
fn image_features_are_computed_once_and_the_results_are_the_same_without_them() {
    let folder = scratch();
    let (cache, images) = (below(&folder, "cache"), images());
    let options = ["--method", "tip-adapter", "--passes", "2"];
    let cached = ["--feature-cache", &cache];
    let first = below(&folder, "first");
    train(&first, &[&options[..], &cached].concat()).done();
    let files = |cache: &str| -> Vec<String> {
        let folders = fs::read_dir(cache).expect("a cache").flatten();
        folders.flat_map(|folder| names(folder.path())).collect()
    };
    let before = files(&cache);
    assert_eq!(before.len(), 1);
    // Nothing new: the same images and crops.
    let second = below(&folder, "second");
    train(&second, &[&options[..], &cached].concat()).done();
    assert_eq!(files(&cache), before);
    // In memory, and from a cache whose files are damaged.
    let third = below(&folder, "third");
    train(
        &third,
        &[&options[..], &["--feature-cache", "none"]].concat(),
    )
    .done();
    for entry in fs::read_dir(&cache).expect("a cache").flatten() {
        for name in names(entry.path()) {
            let file = entry.path().join(name);
            let mut bytes = fs::read(&file).expect("a file");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&file, bytes).expect("room");
        }
    }
    let fourth = below(&folder, "fourth");
    train(&fourth, &[&options[..], &cached].concat()).done();
    for run in [&second, &third, &fourth] {
        assert!(adapter_bytes(run) == adapter_bytes(&first), "{run}");
    }
    let eval = |more: &[&str]| {
        let line = ["eval", &first, "--data", &images, "--json"];
        promptsrc(&[&line[..], more].concat()).done().measured()
    };
    let [cold, warm, none] = [&cached[..], &cached, &["--feature-cache", "none"]].map(eval);
    assert_eq!(cold, warm);
    assert_eq!(cold, none);
}

#[test]
fn settings_that_a_method_does_not_have_are_refused_before_anything_is_read() {
    let folder = scratch();
    let run = below(&folder, "run");
    for (method, options, word) in [
        ("tip-adapter", vec!["--lr", "0.1"], "--lr"),
        ("linear-probe", vec!["--epochs", "3"], "--epochs"),
        ("linear-probe", vec!["--templates", "x.txt"], "x.txt"),
        ("clap", vec!["--preset", "few-shot"], "--preset"),
        ("clap", vec!["--gpa-mean", "3"], "--gpa-mean"),
        ("clap", vec!["--passes", "0"], "--passes"),
        ("promptsrc", vec!["--passes", "2"], "--passes"),
        ("promptsrc", vec!["--class-specific"], "--class-specific"),
        ("maple", vec!["--vision-depth", "2"], "--vision-depth"),
        (
            "cocoop",
            vec!["--class-position", "front"],
            "--class-position",
        ),
        ("coop", vec!["--kg-weight", "2"], "--kg-weight"),
        (
            "coop",
            vec!["--class-specific", "--ctx-init", "a photo"],
            "--class-specific",
        ),
        ("kgcoop", vec!["--prograd-lambda", "2"], "--prograd-lambda"),
        (
            "kgcoop",
            vec!["--class-position", "front"],
            "--class-position",
        ),
        (
            "prograd",
            vec!["--text-context", "2", "--ctx-init", "a photo of a"],
            "--text-context",
        ),
        (
            "prograd",
            vec!["--prograd-temperature", "0"],
            "--prograd-temperature",
        ),
        (
            "clip-adapter",
            vec!["--adapter-ratio", "1.5"],
            "--adapter-ratio",
        ),
        ("nothing", vec![], "tip-adapter-f"),
    ] {
        let options = [&["--method", method], &options[..]].concat();
        let ending = train(&run, &options);
        assert!(matches!(ending.code, Some(1 | 2)), "{ending}");
        assert!(ending.stderr.contains(word), "no {word:?} in\n{ending}");
        ending.silent();
    }
    assert!(names(&folder).is_empty());
}

#[test]
fn a_method_that_chooses_on_validation_images_says_where_there_are_none() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    // A list without validation images.
    let mut list = String::from("path,class,part\n");
    for class in names(&data) {
        for (place, image) in names(data.join(&class)).iter().enumerate() {
            let part = if place < 4 { "train" } else { "test" };
            list += &format!("{class}/{image},{class},{part}\n");
        }
    }
    let file = data.join("list.csv");
    fs::write(&file, list).expect("room");
    let on = |run: &str, more: &[&str]| {
        let (clip, file, out) = (clip(), text(&file), below(&folder, run));
        let line = ["train", "--clip", &clip, "--data", &file, "--out", &out];
        promptsrc(&[&line[..], more].concat())
    };
    for (method, word) in [
        ("tip-adapter", "--no-search"),
        ("lp++", "--no-search"),
        ("linear-probe", "--probe-c"),
    ] {
        on("none", &["--method", method])
            .fails(1, &[method, "validation", word])
            .silent();
    }
    on("tip", &["--method", "tip-adapter", "--no-search"]).done();
    on(
        "lpp",
        &["--method", "lp++", "--no-search", "--epochs", "20"],
    )
    .done();
    on("probe", &["--method", "linear-probe", "--probe-c", "0.1"]).done();
    on("clap", &["--method", "clap", "--epochs", "2"]).done();
}

#[test]
fn missing_validation_images_are_said_whether_or_not_they_may_be_left_out() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    let mut list = String::from("path,class,split\n");
    for class in names(&data) {
        for (place, image) in names(data.join(&class)).iter().enumerate() {
            let part = ["train", "val", "test"][place % 3];
            list += &format!("{class}/{image},{class},{part}\n");
        }
    }
    let file = data.join("list.csv");
    fs::write(&file, list).expect("room");
    let validation: Vec<_> = names(&data)
        .into_iter()
        .filter(|name| name != "list.csv")
        .flat_map(|class| {
            let folder = data.join(class);
            let images = names(&folder).into_iter().enumerate();
            images
                .filter(|(place, _)| place % 3 == 1)
                .map(move |(_, image)| folder.join(image))
                .collect::<Vec<_>>()
        })
        .collect();
    let on = |run: &str, more: &[&str]| {
        let (clip, file, out) = (clip(), text(&file), below(&folder, run));
        let line = ["train", "--clip", &clip, "--data", &file, "--out", &out];
        promptsrc(&[&line[..], &["--shots", "4"], more].concat())
    };
    let lpp = ["--method", "lp++", "--epochs", "20"];
    fs::remove_file(&validation[0]).expect("an image");
    // With four shots all four of a class are drawn, whichever files there are.
    let refused = on("refused", &lpp);
    refused
        .fails(1, &["validation images", "are missing", "--allow-missing"])
        .silent();
    let allowed = on("allowed", &[&lpp[..], &["--allow-missing"]].concat()).done();
    assert!(
        allowed.stderr.contains("val images") && allowed.stderr.contains("missing"),
        "{allowed}"
    );
    // A method that chooses nothing does not ask for them.
    let other = on("other", &["--method", "clap", "--epochs", "2"]).done();
    assert!(!other.stderr.contains("val images"), "{other}");
    for image in &validation[1..] {
        fs::remove_file(image).expect("an image");
    }
    let all = format!("{} are missing", validation.len());
    on("none", &[&lpp[..], &["--allow-missing"]].concat())
        .fails(1, &["validation images", &all])
        .silent();
}
