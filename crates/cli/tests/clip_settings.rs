//! Settings of a CLIP that its weights do not say: read from the configuration beside them, given as
//! options or assumed aloud; recorded in runs and compared.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use serde_json::{Value, json};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/clip_settings.json")).expect("JSON")
}

/// The images of the fixture, in its order.
fn image_paths(fixture: &Value) -> Vec<String> {
    let names = fixture["images"].as_array().expect("images");
    let name = |name: &Value| golden(&format!("images/{}", name.as_str().expect("a name")));
    names.iter().map(name).collect()
}

fn case<'a>(fixture: &'a Value, name: &str) -> &'a Value {
    let cases = fixture["cases"].as_array().expect("cases");
    let found = cases.iter().find(|case| case["name"] == name);
    found.unwrap_or_else(|| panic!("no case {name}"))
}

/// Writes the configuration files of a case with its weights beside them.
fn write_case(case: &Value, folder: &Path) {
    for (name, content) in case["files"].as_object().expect("files") {
        fs::write(folder.join(name), content.to_string()).expect("room for it");
    }
    let weights = Path::new(case["weights"].as_str().expect("a path"));
    let name = weights.file_name().expect("a file");
    let from = golden(&format!("formats/{}", weights.display()));
    fs::copy(from, folder.join(name)).expect("a copy");
}

/// Embeds the images of the fixture.
fn embed(clip: &str, images: &[String], out: &str, more: &[&str]) -> Ending {
    let mut args = vec![
        "embed",
        "--clip",
        clip,
        "--force",
        "--out",
        out,
        "--precision",
        "f32",
    ];
    args.extend(more);
    args.push("--images");
    args.extend(images.iter().map(String::as_str));
    promptsrc(&args)
}

/// The greatest difference of written image features from those of a case, relative to their norm.
fn error(out: &str, case: &Value) -> f64 {
    let tensors = Tensors::read(out);
    let (_, _, bytes) = &tensors.0["image_features"];
    let found: Vec<f64> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|value| f64::from(f32::from_le_bytes(*value)))
        .collect();
    let rows = case["features"].as_array().expect("features");
    let mut worst = 0f64;
    for (row, expected) in rows.iter().enumerate() {
        let expected: Vec<f64> = serde_json::from_value(expected.clone()).expect("numbers");
        let found = &found[row * expected.len()..(row + 1) * expected.len()];
        let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
        let difference = squares(&mut expected.iter().zip(found).map(|(a, b)| a - b));
        worst = worst.max((difference / squares(&mut expected.iter().copied())).sqrt());
    }
    worst
}

/// Relative error of features in single precision.
const ROUNDING: f64 = 1e-5;

#[test]
fn features_are_those_of_open_clip_and_transformers_under_every_configuration() {
    let fixture = fixture();
    let images = image_paths(&fixture);
    for case in fixture["cases"].as_array().expect("cases") {
        let folder = scratch();
        write_case(case, folder.path());
        let out = below(&folder, "features.safetensors");
        let ending = embed(&text(folder.path()), &images, &out, &[]).done();
        let error = error(&out, case);
        assert!(error < ROUNDING, "{}: {error:e}", case["name"]);
        assert!(
            !ending.stderr.contains("preprocessing is assumed"),
            "{ending}"
        );
    }
}

/// What a changed configuration answers: an error that names the file and the key.
fn refused(base: &str, file: &str, change: impl FnOnce(&mut Value), words: &[&str]) {
    let fixture = fixture();
    let mut case = case(&fixture, base).clone();
    change(&mut case["files"][file]);
    let folder = scratch();
    write_case(&case, folder.path());
    let path = text(folder.path());
    let mut all = vec![file];
    all.extend(words);
    promptsrc(&["inspect", &path]).fails(1, &all).silent();
    zero_shot(&path, &images(), &[]).fails(1, &all).silent();
}

#[test]
fn keys_that_nobody_reads_are_refused_by_name() {
    const OPEN_CLIP: &str = "open_clip_config.json";
    let at: [(&str, &[&str]); 5] = [
        ("", &[]),
        ("model_cfg", &["model_cfg"]),
        ("vision_cfg", &["model_cfg", "vision_cfg"]),
        ("text_cfg", &["model_cfg", "text_cfg"]),
        ("preprocess_cfg", &["preprocess_cfg"]),
    ];
    for (_, path) in at {
        refused(
            "as published",
            OPEN_CLIP,
            |file| path.iter().fold(file, |at, key| &mut at[*key])["invented"] = true.into(),
            &["invented", "true"],
        );
    }
    for (file, path) in [
        ("config.json", "vision_config"),
        ("config.json", "text_config"),
        ("processor_config.json", "image_processor"),
    ] {
        refused(
            "processor_config",
            file,
            |file| file[path]["invented"] = 3.into(),
            &["invented", "3"],
        );
    }
    refused(
        "processor_config",
        "config.json",
        |file| file["invented"] = "x".into(),
        &["invented"],
    );
    refused(
        "preprocessor_config",
        "preprocessor_config.json",
        |file| file["invented"] = json!({"a": 1}),
        &["invented"],
    );
}

#[test]
fn settings_that_compute_something_else_are_refused() {
    const OPEN_CLIP: &str = "open_clip_config.json";
    type Change = fn(&mut Value);
    let open_clip: [(Change, &str); 12] = [
        (
            |c| c["model_cfg"]["vision_cfg"]["global_average_pool"] = true.into(),
            "global_average_pool",
        ),
        (
            |c| c["model_cfg"]["vision_cfg"]["pool_type"] = "avg".into(),
            "pool_type",
        ),
        (
            |c| c["model_cfg"]["vision_cfg"]["ls_init_value"] = 0.1.into(),
            "ls_init_value",
        ),
        (
            |c| c["model_cfg"]["vision_cfg"]["no_ln_pre"] = true.into(),
            "no_ln_pre",
        ),
        (
            |c| c["model_cfg"]["text_cfg"]["no_causal_mask"] = true.into(),
            "no_causal_mask",
        ),
        (
            |c| c["model_cfg"]["text_cfg"]["pool_type"] = "last".into(),
            "pool_type",
        ),
        (
            |c| c["preprocess_cfg"]["interpolation"] = "lanczos".into(),
            "interpolation",
        ),
        (
            |c| c["preprocess_cfg"]["resize_mode"] = "crop".into(),
            "resize_mode",
        ),
        (|c| c["preprocess_cfg"]["size"] = 48.into(), "size"),
        (|c| c["preprocess_cfg"]["size"] = json!([32, 48]), "size"),
        (|c| c["preprocess_cfg"]["mode"] = "BGR".into(), "mode"),
        (
            |c| c["preprocess_cfg"]["std"] = json!([0.1, 0, 0.1]),
            "standard deviation",
        ),
    ];
    for (change, word) in open_clip {
        refused("as published", OPEN_CLIP, change, &[word]);
    }
    let processor: [(Change, &str); 7] = [
        (|p| p["image_processor"]["resample"] = 6.into(), "resample"),
        (
            |p| p["image_processor"]["size"] = json!({"longest_edge": 32}),
            "size",
        ),
        (
            |p| p["image_processor"]["crop_size"] = 48.into(),
            "crop_size",
        ),
        (
            |p| p["image_processor"]["do_center_crop"] = false.into(),
            "do_center_crop",
        ),
        (|p| p["image_processor"]["do_pad"] = true.into(), "do_pad"),
        (
            |p| p["image_processor"]["image_processor_type"] = "SiglipImageProcessor".into(),
            "SiglipImageProcessor",
        ),
        (
            |p| p["image_processor"]["rescale_factor"] = json!(-1),
            "rescale_factor",
        ),
    ];
    for (change, word) in processor {
        refused("processor_config", "processor_config.json", change, &[word]);
    }
    let config: [(Change, &str); 4] = [
        (
            |c| c["vision_config"]["hidden_act"] = "relu".into(),
            "hidden_act",
        ),
        (
            |c| c["text_config"]["eos_token_id"] = 7.into(),
            "eos_token_id",
        ),
        (
            |c| c["vision_config"]["image_size"] = 48.into(),
            "image_size",
        ),
        (
            |c| c["text_config"]["intermediate_size"] = 99.into(),
            "intermediate_size",
        ),
    ];
    for (change, word) in config {
        refused("processor_config", "config.json", change, &[word]);
    }
}

#[test]
fn a_folder_without_image_processor_says_what_is_assumed() {
    let folder = scratch();
    let ending = promptsrc(&[
        "embed",
        "--clip",
        &golden("formats/d_hf"),
        "--images",
        &image(),
        "--out",
        &below(&folder, "features.safetensors"),
    ]);
    let stderr = ending.done().stderr;
    for word in [
        "preprocessor_config.json",
        "processor_config.json",
        "OpenAI",
    ] {
        assert!(stderr.contains(word), "no {word} in {stderr}");
    }
}

#[test]
fn bare_weights_say_what_is_assumed_and_options_say_it_instead() {
    let fixture = fixture();
    let images = image_paths(&fixture);
    let folder = scratch();
    let out = below(&folder, "features.safetensors");
    for name in [
        "neutral.safetensors",
        "open_clip_x.safetensors",
        "ViT-B-16.pt",
    ] {
        let weights = below(&folder, name);
        fs::copy(
            golden("formats/e_openclip/open_clip_model.safetensors"),
            &weights,
        )
        .expect("a copy");
        let ending = embed(&weights, &images, &out, &[]).done();
        for word in [
            name,
            "QuickGELU",
            "--activation",
            "--heads",
            "--image-size",
            "preprocessing",
        ] {
            assert!(ending.stderr.contains(word), "no {word} in\n{ending}");
        }
        for (option, value, expected) in [
            ("--activation", "quick-gelu", "as published"),
            ("--activation", "gelu", "GELU"),
            ("--heads", "4,1", "head width"),
            ("--image-size", "36", "image size beyond the patches"),
        ] {
            let ending = embed(&weights, &images, &out, &[option, value]).done();
            let error = error(&out, case(&fixture, expected));
            assert!(error < ROUNDING, "{option} {value}: {error:e}");
            assert!(!ending.stderr.contains(option), "{ending}");
        }
        let all = [
            "--activation",
            "gelu",
            "--heads",
            "1,1",
            "--image-size",
            "32",
        ];
        embed(&weights, &images, &out, &all).done();
        assert!(error(&out, case(&fixture, "GELU")) < ROUNDING);
        embed(&weights, &images, &out, &["--image-size", "40"]).fails(1, &["--image-size", "39"]);
        embed(&weights, &images, &out, &["--heads", "3,1"]).fails(1, &["heads"]);
        embed(&weights, &images, &out, &["--heads", "3"]).fails(2, &["--heads"]);
        embed(&weights, &images, &out, &["--activation", "relu"]).fails(2, &["--activation"]);
    }
    // A configuration says it already.
    let whole = golden("formats/e_openclip/open_clip_model.safetensors");
    embed(&whole, &images, &out, &["--activation", "gelu"])
        .fails(1, &["--activation", "open_clip_config.json"]);
    embed("mini", &images, &out, &["--heads", "1,1"]).fails(1, &["--heads"]);
}

#[test]
fn a_run_records_the_settings_and_is_not_evaluated_under_others() {
    let folder = scratch();
    let run = below(&folder, "run");
    let bare = clip();
    train(&run, &["--activation", "gelu"]).done();
    let data = images();
    let accuracy = |more: &[&str]| {
        let args = [&["eval", &run, "--data", &data, "--json"], more].concat();
        promptsrc(&args).done().json()["accuracy"].clone()
    };
    // The run knows them; whoever names the CLIP says them again.
    let own = accuracy(&[]);
    assert_eq!(own, accuracy(&["--clip", &bare, "--activation", "gelu"]));
    let words = ["activation", "\"gelu\" in training", "\"quick_gelu\" here"];
    promptsrc(&["eval", &run, "--data", &data, "--clip", &bare])
        .fails(1, &words)
        .silent();
    promptsrc(&["predict", &run, "--clip", &bare, "--names", "a,b", &image()])
        .fails(1, &words)
        .silent();
    promptsrc(&["eval", &run, "--data", &data, "--activation", "quick-gelu"])
        .fails(1, &words)
        .silent();
    // A resume under other settings is another run.
    train(&run, &["--resume"])
        .fails(1, &["activation"])
        .silent();
    train(&run, &["--resume", "--activation", "gelu"]).done();

    let config = promptsrc(&["inspect", &run, "--json"]).done();
    let record = promptsrc(&["inspect", &below(&run, "adapter.safetensors"), "--json"]).done();
    assert_eq!(
        record.json()["record"]["clip"]["settings"]["activation"],
        "gelu"
    );
    assert!(config.stdout.contains("gelu"), "{config}");
}

#[test]
fn the_same_weights_under_another_preprocessing_are_another_clip() {
    let fixture = fixture();
    let folder = scratch();
    let clips: Vec<String> = ["as published", "squash", "other colours"]
        .map(|name| {
            let clip = folder.path().join(name);
            fs::create_dir(&clip).expect("a folder");
            let case = case(&fixture, name);
            write_case(case, &clip);
            text(clip)
        })
        .to_vec();
    // Its vocabulary is cut; the built-in CLIP reads words.
    let mini = below(&folder, "mini.safetensors");
    promptsrc(&["world", "clip", &mini]).done();
    for clip in &clips {
        let path = format!("{clip}/open_clip_config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let described = promptsrc(&["inspect", &mini, "--json"]).done().json();
        let (vision, words) = (&described["vision"], &described["text"]);
        config["model_cfg"] = json!({
            "embed_dim": described["embed_dim"],
            "quick_gelu": true,
            "vision_cfg": {"image_size": vision["resolution"], "layers": vision["layers"],
                "width": vision["width"], "patch_size": vision["patch_size"]},
            "text_cfg": {"context_length": words["context_length"], "vocab_size": words["vocab_size"],
                "width": words["width"], "heads": words["heads"], "layers": words["layers"]},
        });
        fs::write(&path, config.to_string()).unwrap();
        fs::copy(&mini, format!("{clip}/open_clip_model.safetensors")).unwrap();
    }
    let run = below(&folder, "run");
    train_on(&clips[1], &images(), &run, &["--preset", "mini"]).done();
    let data = images();
    let eval = |clip: &str| promptsrc(&["eval", &run, "--data", &data, "--clip", clip]);
    eval(&clips[1]).done();
    eval(&clips[0])
        .fails(1, &["preprocessing.resize", "squash"])
        .silent();
    eval(&clips[2])
        .fails(1, &["preprocessing.mean", "0.5"])
        .silent();
    eval(&mini).fails(1, &["preprocessing.resize"]).silent();

    // A sweep does not go on with the results of another preprocessing.
    let out = below(&folder, "sweep");
    let sweep = |clip: &str| {
        promptsrc(&[
            "bench",
            "base-to-novel",
            "--root",
            "world",
            "--datasets=surfaces",
            "--methods=zero-shot",
            "--quiet",
            "--clip",
            clip,
            "--out",
            &out,
        ])
    };
    sweep(&clips[1]).done();
    sweep(&clips[1]).done();
    sweep(&clips[0]).fails(1, &["preprocessing.resize"]);
    sweep(&mini).fails(1, &["preprocessing.resize"]);
}
