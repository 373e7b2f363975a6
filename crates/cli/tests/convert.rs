//! `promptsrc convert`, and checkpoints of the reference in the place of an adapter.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use promptsrc_goldens::{Tensors, strings};
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};

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
    let cases: [(&[&str], i32, &[&str]); 11] = [
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
        (
            &[&reference(), &out, "--method", "zero-shot"],
            2,
            &["zero-shot", "coop"],
        ),
        (
            &[&reference(), &adapter, "--force", "--method", "coop"],
            2,
            &["--method", "not a checkpoint of coop", "promptsrc, ivlp"],
        ),
        (
            &[&adapter, &out, "--class-position", "end"],
            2,
            &["--class-position", "is an adapter"],
        ),
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

/// A file of a case of CoOp's form among the goldens, as its trainer saves it, but for the tokens; in the
/// folder of a run. And the names of its classes, one per line.
fn published(folder: &Path, case: &str) -> (String, String) {
    let learned = Tensors::read_file(Path::new(&golden(&format!("trainers/{case}.safetensors"))));
    let tensors = learned.below("epoch2/prompt_learner.").map(|name| {
        let tensor = learned.get(&format!("epoch2/prompt_learner.{name}"));
        let bytes = tensor.f32().iter().flat_map(|v| v.to_le_bytes()).collect();
        let saved = SavedTensor::new(DType::F32, tensor.shape.clone(), bytes).expect("a tensor");
        (name.to_string(), Saved::Tensor(saved))
    });
    let pairs = [
        ("state_dict", Saved::OrderedDict(tensors.collect())),
        ("epoch", Saved::Int(2)),
    ];
    let pairs = pairs.map(|(key, value)| (key.to_string(), value)).to_vec();
    let run = folder.join(case);
    let inner = run.join("prompt_learner");
    fs::create_dir_all(&inner).expect("a folder");
    let bytes = torch_save(&Saved::Dict(pairs)).expect("a file");
    fs::write(inner.join("model.pth.tar-2"), bytes).expect("room");
    let json = fs::read_to_string(golden(&format!("trainers/{case}.json"))).expect("a case");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let names = below(&run, "names.txt");
    fs::write(&names, strings(&json["classnames"]).join("\n")).expect("room");
    (text(run), names)
}

#[test]
fn a_run_of_each_method_becomes_its_trainers_checkpoint_and_the_same_adapter_again() {
    let folder = scratch();
    let cases: [(&str, &[&str], &str); 6] = [
        ("coop", &[], "prompt_learner"),
        (
            "coop",
            &["--class-specific", "--class-position", "middle"],
            "prompt_learner",
        ),
        ("cocoop", &[], "prompt_learner"),
        ("kgcoop", &[], "prompt_learner"),
        ("prograd", &["--class-position", "front"], "prompt_learner"),
        ("maple", &["--text-depth", "2"], "MultiModalPromptLearner"),
    ];
    for (case, (method, more, place)) in cases.into_iter().enumerate() {
        let run = below(&folder, &format!("run{case}"));
        let options = [&["--method", method, "--shots", "1", "--epochs", "1"], more];
        train(&run, &options.concat()).done();
        let out = below(&folder, &format!("out{case}"));
        let made = promptsrc(&["convert", &run, &out, "--json"]).done().json();
        assert_eq!(names(&out), [place]);
        assert_eq!(names(below(&out, place)), ["checkpoint", "model.pth.tar-1"]);
        let hint = made["hint"].as_str().expect("a hint");
        assert!(hint.contains("--load-epoch 1"), "{hint}");
        let back = below(&folder, &format!("back{case}.safetensors"));
        promptsrc(&["convert", &out, &back]).done();
        assert!(
            fs::read(&back).expect("a file") == adapter_bytes(&run),
            "{method} {more:?}"
        );
        let predict = |run: &str| {
            let args = ["predict", run, &image(), "--clip", &clip(), "--json"];
            promptsrc(&args).done().stdout
        };
        assert_eq!(predict(&out), predict(&run), "{method} {more:?}");
        let inspected = promptsrc(&["inspect", &out, "--json"]).done().json();
        assert_eq!(inspected["method"], method);
    }
}

#[test]
fn the_place_of_the_class_name_comes_from_the_option_or_the_log() {
    let folder = scratch();
    let (run, class_names) = published(folder.path(), "coop_generic_middle");
    let inspected = promptsrc(&["inspect", &run, "--json"]).done().json();
    assert_eq!(inspected["method"], serde_json::Value::Null);
    assert_eq!(
        inspected["method_of"],
        serde_json::json!(["coop", "kgcoop", "prograd"])
    );
    let out = below(&folder, "a.safetensors");
    promptsrc(&["convert", &run, &out])
        .fails(2, &["--clip"])
        .silent();

    let clip = clip();
    let convert = |more: &[&str]| {
        let args = ["convert", &run, &out, "--clip", &clip, "--force"];
        let ending = promptsrc(&[&args, more].concat()).done();
        let meta = record(&out);
        let word = |key: &str| meta[key].as_str().expect("a text").to_string();
        (word("method"), word("template"), ending.stderr)
    };
    let (method, template, said) = convert(&[]);
    assert_eq!(
        (method.as_str(), template.as_str()),
        ("coop", "X X X X X {}.")
    );
    assert!(said.contains("--class-position"), "{said}");
    assert!(said.contains("assumed coop (--method)"), "{said}");
    let options = ["--class-position", "middle", "--method", "prograd"];
    let (method, template, said) = convert(&options);
    assert_eq!(
        (method.as_str(), template.as_str()),
        ("prograd", "X a {} photo of a.")
    );
    only_assumes(&said);

    // A checkpoint is used as the adapter is that is made from it.
    let predict = |run: &str, more: &[&str]| {
        let image = image();
        let args = ["predict", run, &image, "--clip", &clip, "--names-file"];
        let all = [&args, &[class_names.as_str(), "--json"][..], more].concat();
        let ending = promptsrc(&all).done();
        (ending.json(), ending.stderr)
    };
    let adapter = predict(&out, &[]).0;
    let (middle, said) = predict(&run, &["--class-position", "middle"]);
    assert_eq!(middle, adapter);
    only_assumes(&said);
    let (end, said) = predict(&run, &[]);
    assert_ne!(end, adapter);
    assert!(said.contains("--class-position"), "{said}");
    let log = "** Config **\nTRAINER:\n  COOP:\n    CLASS_TOKEN_POSITION: middle\n    CTX_INIT: \n  NAME: CoOp\n";
    fs::write(below(&run, "log.txt"), log).expect("a log");
    let (logged, said) = predict(&run, &[]);
    assert_eq!(logged, adapter);
    only_assumes(&said);
    let data = images();
    let args = ["eval", &run, "--clip", &clip, "--data", &data, "--json"];
    let measured = promptsrc(&args).done().measured();
    let args = ["eval", &out, "--clip", &clip, "--data", &data, "--json"];
    assert_eq!(measured, promptsrc(&args).done().measured());

    let args = ["predict", &out, &data, "--clip", &clip, "--class-position"];
    promptsrc(&[&args, &["middle"][..]].concat())
        .fails(2, &["--class-position", "is an adapter"])
        .silent();
    let args = ["eval", "--zero-shot", "--clip", &clip, "--data", &data];
    promptsrc(&[&args, &["--method", "coop"][..]].concat())
        .fails(2, &["--method", "zero-shot"])
        .silent();
}

#[test]
fn contexts_of_classes_are_used_with_the_names_of_their_training() {
    let folder = scratch();
    let (run, class_names) = published(folder.path(), "coop_csc_end");
    let (out, clip, image) = (below(&folder, "a.safetensors"), clip(), image());
    let convert = |more: &[&str]| {
        let args = ["convert", &run, &out, "--clip", &clip];
        promptsrc(&[&args, more].concat())
    };
    convert(&[])
        .fails(2, &["--class-names", "5 classes"])
        .silent();
    let few = below(&folder, "few.txt");
    fs::write(&few, "cat\ndog\n").expect("names");
    convert(&["--class-names", &few])
        .fails(2, &["--class-names", "5 classes", "2 class names"])
        .silent();
    assert!(!Path::new(&out).exists());
    convert(&["--class-names", &class_names]).done();

    let predict = |run: &str, more: &[&str]| {
        let args = ["predict", run, &image, "--clip", &clip, "--json"];
        promptsrc(&[&args, more].concat())
    };
    predict(&run, &[])
        .fails(2, &["--training-names", "5 classes"])
        .silent();
    let direct = predict(&run, &["--training-names", &class_names]).done();
    assert_eq!(direct.json(), predict(&out, &[]).done().json());
    let others = ["--training-names", &class_names, "--names", "cat,dog"];
    predict(&run, &others).fails(1, &["cat"]).silent();
    let inspected = promptsrc(&["inspect", &run]).done().stdout;
    assert!(inspected.contains("class_specific: true"), "{inspected}");
}

#[test]
fn a_damaged_checkpoint_of_a_prompt_learner_is_reported_by_its_tensor() {
    let folder = scratch();
    let path = below(&folder, "model.pth.tar-2");
    let tensor = |shape: &[usize]| {
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        Saved::Tensor(SavedTensor::new(DType::F32, shape.to_vec(), bytes).expect("a tensor"))
    };
    let tensors = vec![
        ("ctx".to_string(), tensor(&[4, 64])),
        ("meta_net.linear1.weight".to_string(), tensor(&[4, 64])),
        ("meta_net.linear1.bias".to_string(), tensor(&[4])),
    ];
    let dict = Saved::Dict(vec![(
        "state_dict".to_string(),
        Saved::OrderedDict(tensors),
    )]);
    fs::write(&path, torch_save(&dict).expect("a file")).expect("room");
    for args in [
        vec!["inspect", path.as_str()],
        vec!["eval", &path, "--clip", &clip(), "--data", &images()],
    ] {
        promptsrc(&args)
            .fails(1, &["meta_net.linear2.weight is missing"])
            .silent();
    }
}
