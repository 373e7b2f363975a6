//! `promptsrc convert`, and checkpoints of the reference in the place of an adapter.

mod common;

use std::fs;
use std::path::Path;

use common::*;

/// The golden run of the reference.
fn reference() -> String {
    golden("checkpoint")
}

fn classes() -> Vec<String> {
    let text = fs::read_to_string(golden("checkpoint/checkpoint.json")).expect("a description");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let names = json["classnames"].as_array().expect("names");
    names
        .iter()
        .map(|n| n.as_str().expect("a name").to_string())
        .collect()
}

/// The bare weights have no configuration beside them, which is all that there is to say.
fn only_assumes(stderr: &str) {
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("assumed: QuickGELU"), "{stderr}");
}

fn record(adapter: &str) -> serde_json::Value {
    promptsrc(&["inspect", adapter, "--json"]).done().json()["record"].clone()
}

#[test]
fn a_run_converted_to_a_checkpoint_and_back_is_the_same_adapter() {
    let folder = scratch();
    let run = trained(folder.path());
    let out = below(&folder, "reference");
    let ending = promptsrc(&["convert", &run, &out, "--clip", &clip(), "--json"]).done();
    let made = ending.json();
    assert_eq!(made["epoch"], 2);
    only_assumes(&ending.stderr);
    assert_eq!(
        names(below(&out, "VLPromptLearner")),
        ["checkpoint", "model.pth.tar-2"]
    );
    let hint = made["hint"].as_str().expect("a hint");
    assert!(
        hint.contains(&format!("--model-dir {out} --load-epoch 2")),
        "{hint}"
    );

    let back = below(&folder, "back.safetensors");
    promptsrc(&["convert", &out, &back]).done();
    let bytes = |path: &str| fs::read(path).expect("a file");
    assert!(bytes(&back) == adapter_bytes(&run));
    // The same bytes each time.
    let again = below(&folder, "again");
    promptsrc(&["convert", &back, &again, "--epoch", "2"]).done();
    let file = "VLPromptLearner/model.pth.tar-2";
    assert!(bytes(&below(&out, file)) == bytes(&below(&again, file)));

    // It measures and predicts as the run does, by the names of its training.
    let data = images();
    let measure = |run: &str| {
        let args = ["eval", run, "--clip", &clip(), "--data", &data, "--json"];
        promptsrc(&args).done().measured()
    };
    assert_eq!(measure(&out), measure(&run));
    let predict = |run: &str| {
        let args = ["predict", run, &image(), "--clip", &clip(), "--json"];
        promptsrc(&args).done().stdout
    };
    assert_eq!(predict(&below(&out, file)), predict(&run));
    let ending = promptsrc(&["eval", &out, "--clip", &other_clip(), "--data", &data]);
    ending.fails(1, &["model.pth.tar-2", "this CLIP"]).silent();
}

/// Where there is PyTorch it is asked too.
#[test]
fn pytorch_reads_the_checkpoint_to_the_bit() {
    let python = |args: &[&str]| {
        let output = std::process::Command::new("python3").args(args).output();
        output.ok().map(|o| {
            let text = [o.stdout, o.stderr].concat();
            (
                o.status.success(),
                String::from_utf8_lossy(&text).into_owned(),
            )
        })
    };
    if python(&["-c", "import torch"]).is_none_or(|(has, _)| !has) {
        eprintln!("there is no PyTorch here");
        return;
    }
    let folder = scratch();
    let adapter = below(&folder, "a.safetensors");
    promptsrc(&["convert", &reference(), &adapter]).done();
    promptsrc(&["convert", &adapter, &text(folder.path())]).done();
    let script = text(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch_load.py"));
    let file = below(&folder, "VLPromptLearner/model.pth.tar-3");
    let (fine, said) = python(&[&script, &file, &adapter]).expect("python");
    assert!(fine && said.contains("6 prompts are the same"), "{said}");
}

#[test]
fn a_checkpoint_of_the_reference_becomes_an_adapter() {
    let folder = scratch();
    let run = below(&folder, "eurosat/PromptSRC/c_4shots/seed3");
    let inner = below(&run, "VLPromptLearner");
    fs::create_dir_all(&inner).expect("a folder");
    let file = golden("checkpoint/VLPromptLearner/model.pth.tar-3");
    fs::copy(file, below(&inner, "model.pth.tar-3")).expect("a copy");
    let log = "** Config **\nDATASET:\n  SUBSAMPLE_CLASSES: base\nTRAINER:\n  PROMPTSRC:\n    GPA_MEAN: 2\n    GPA_STD: 3\n";
    fs::write(below(&run, "log.txt"), log).expect("a log");
    let class_names = below(&folder, "names.txt");
    fs::write(&class_names, classes().join("\n")).expect("names");

    let out = below(&folder, "a.safetensors");
    let mut args = vec!["convert", &run, &out, "--class-names", &class_names];
    let clip = clip();
    args.extend(["--clip", &clip]);
    promptsrc(&args).done();
    let meta = record(&out);
    assert_eq!(meta["method"], "promptsrc");
    assert_eq!(meta["class_names"], serde_json::json!(classes()));
    assert_eq!(meta["data"]["name"], "EuroSAT");
    assert_eq!(meta["data"]["classes"], "base");
    assert_eq!(
        (&meta["data"]["shots"], &meta["data"]["seed"]),
        (&4.into(), &3.into())
    );
    let aggregation = &meta["config"]["aggregation"];
    assert_eq!(
        (&aggregation["mean"], &aggregation["std"]),
        (&2.0.into(), &3.0.into())
    );
    assert_eq!(meta["clip"]["fingerprint"].as_str().map(str::len), Some(64));
    promptsrc(&["predict", &out, &image(), "--clip", &clip]).done();

    // Without class names and CLIP: an adapter that records neither, and says so where it matters.
    let bare = below(&folder, "bare.safetensors");
    promptsrc(&["convert", &run, &bare]).done();
    let ending = promptsrc(&["predict", &bare, &image(), "--clip", &clip]);
    ending.fails(2, &["--names"]).silent();
    let ending = promptsrc(&[
        "predict",
        &bare,
        &image(),
        "--clip",
        &clip,
        "--names",
        "cat,dog",
    ]);
    let said = ending.done().stderr;
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("assumed: QuickGELU"), "{said}");
    assert!(said.contains("trained in f16, evaluated in f32"), "{said}");
    let ending = promptsrc(&["eval", &run, "--data", &images()]);
    ending.fails(2, &["model.pth.tar-3", "--clip"]).silent();

    // Names in another order, of another number, and words that it did not begin with.
    let shifted: Vec<String> = classes().into_iter().rev().collect();
    fs::write(&class_names, shifted.join("\n")).expect("names");
    args.push("--force");
    let ending = promptsrc(&args);
    ending
        .fails(2, &["--class-names", "class 1", shifted[0].as_str()])
        .silent();
    fs::write(&class_names, "cat\n").expect("names");
    promptsrc(&args)
        .fails(2, &["5 classes", "1 class names"])
        .silent();
    let ending = promptsrc(&[
        "convert",
        &run,
        &bare,
        "--force",
        "--clip",
        &clip,
        "--ctx-init",
        "a photo of a small",
    ]);
    ending
        .fails(2, &["--ctx-init", "a photo of a small"])
        .silent();
}

#[test]
fn nothing_is_replaced_without_force() {
    let folder = scratch();
    let (adapter, out) = (below(&folder, "a.safetensors"), below(&folder, "out"));
    fs::write(&adapter, "mine").expect("a file");
    let ending = promptsrc(&["convert", &reference(), &adapter]);
    ending.fails(1, &["a.safetensors", "--force"]).silent();
    assert_eq!(fs::read(&adapter).expect("a file"), b"mine");
    promptsrc(&["convert", &reference(), &adapter, "--force"]).done();
    promptsrc(&["convert", &adapter, &out]).done();
    let ending = promptsrc(&["convert", &adapter, &out]);
    ending.fails(1, &["model.pth.tar-3", "--force"]).silent();
    promptsrc(&["convert", &adapter, &out, "--force"]).done();
    // In a folder the adapter has its usual name.
    let place = below(&folder, "place");
    fs::create_dir(&place).expect("a folder");
    promptsrc(&["convert", &out, &place]).done();
    assert_eq!(names(&place), ["adapter.safetensors"]);
}

#[test]
fn what_cannot_be_converted_is_named() {
    let folder = scratch();
    let adapter = below(&folder, "a.safetensors");
    promptsrc(&["convert", &reference(), &adapter]).done();
    let out = below(&folder, "out");
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (&["nowhere", &out], 1, &["nowhere", "no such file"]),
        (
            &[&images(), &out],
            1,
            &["images", "not the folder of a run"],
        ),
        (&[&reference(), &out], 2, &["NAME.safetensors"]),
        (
            &[&reference(), &adapter, "--epoch", "4"],
            1,
            &["model.pth.tar-4"],
        ),
        (&[&adapter, &adapter], 2, &["is a file", "VLPromptLearner"]),
        (
            &[&adapter, &out, "--ctx-init", "an image"],
            2,
            &["--ctx-init", "is an adapter"],
        ),
        (
            &[&adapter, &out, "--clip", &other_clip()],
            1,
            &["this CLIP"],
        ),
        (&[&clip(), &out], 1, &["not written by promptsrc"]),
        (&[&reference(), &out, "--method", "coop"], 2, &["coop"]),
    ];
    for (args, code, words) in cases {
        let mut all = vec!["convert"];
        all.extend(args);
        promptsrc(&all).fails(code, words).silent();
        assert!(!Path::new(&out).exists(), "{args:?} left something");
    }
    // A weight file is a torch file too, but holds no prompts.
    let weights = weight_files()
        .into_iter()
        .find(|f| f.ends_with(".pt"))
        .expect("a torch file");
    let ending = promptsrc(&["convert", &weights, &below(&folder, "b.safetensors")]);
    ending.fails(1, &["there are no prompts"]).silent();
}
