//! `promptsrc export`: what its models hold, what it refuses, and that onnxruntime computes what `predict` does.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use common::*;
use promptsrc_onnx::messages::{Extent, GraphProto, ModelProto, TensorProto, ValueInfoProto};
use prost::Message;
use serde_json::Value;

const NAMES: &str = "red circle,yellow star,a tea pot";

/// Exports with more options.
fn export(run: &str, out: &str, more: &[&str]) -> Ending {
    promptsrc(&[&["export", run, "--out", out], more].concat())
}

fn decoded(path: &str) -> ModelProto {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    ModelProto::decode(&*bytes).expect("a model")
}

fn graph(model: &ModelProto) -> &GraphProto {
    model.graph.as_ref().expect("a graph")
}

fn record(path: &str) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).expect("JSON")
}

fn metadata(model: &ModelProto) -> BTreeMap<String, String> {
    let entries = model.metadata_props.iter();
    let entry = |e: &promptsrc_onnx::messages::StringStringEntryProto| {
        (
            e.key.clone().unwrap_or_default(),
            e.value.clone().unwrap_or_default(),
        )
    };
    entries.map(entry).collect()
}

/// Names and extents of inputs or outputs.
fn shapes(values: &[ValueInfoProto]) -> Vec<(String, Vec<String>)> {
    let extent = |extent: Option<Extent>| match extent.expect("an extent") {
        Extent::DimValue(n) => n.to_string(),
        Extent::DimParam(name) => name,
    };
    let shape = |value: &ValueInfoProto| {
        let kind = value.r#type.clone().expect("a type").tensor_type;
        let axes = kind.expect("a tensor").shape.expect("a shape").dim;
        let axes = axes.into_iter().map(|dim| extent(dim.value)).collect();
        (value.name.clone().expect("a name"), axes)
    };
    values.iter().map(shape).collect()
}

fn tensor<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    let found = graph
        .initializer
        .iter()
        .find(|t| t.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("no {name}"))
}

fn pairs(expected: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |(name, axes): &(&str, &[&str])| {
        (
            name.to_string(),
            axes.iter().map(|a| a.to_string()).collect(),
        )
    };
    expected.iter().map(owned).collect()
}

#[test]
fn a_run_becomes_a_graph_of_standard_operators_without_the_text_tower() {
    let folder = scratch();
    let run = trained(folder.path());
    let out = below(&folder, "new/model.onnx");
    let ending = export(&run, &out, &["--names", NAMES, "--json"]).done();
    assert_eq!(ending.json()[0]["classes"], 3);
    let model = decoded(&out);
    assert_eq!(model.ir_version, Some(8));
    let sets: Vec<_> = model
        .opset_import
        .iter()
        .map(|set| (set.domain.as_deref(), set.version))
        .collect();
    assert_eq!(sets, [(Some(""), Some(17))]);
    let graph = graph(&model);
    assert_eq!(
        shapes(&graph.input),
        pairs(&[("pixel_values", &["batch", "3", "32", "32"])])
    );
    assert_eq!(
        shapes(&graph.output),
        pairs(&[
            ("features", &["batch", "64"]),
            ("logits", &["batch", "3"]),
            ("probabilities", &["batch", "3"]),
        ])
    );
    let standard = [
        "Add",
        "Concat",
        "Conv",
        "Div",
        "Expand",
        "Gather",
        "Gemm",
        "LayerNormalization",
        "MatMul",
        "Mul",
        "ReduceL2",
        "Reshape",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Transpose",
    ];
    let used: BTreeSet<&str> = graph
        .node
        .iter()
        .filter_map(|n| n.op_type.as_deref())
        .collect();
    assert!(used.iter().all(|op| standard.contains(op)), "{used:?}");
    // The learned prompts of the image tower, bit for bit.
    let learned = adapter_tensors(&run);
    let prompts: Vec<&TensorProto> = graph
        .initializer
        .iter()
        .filter(|t| {
            t.name
                .as_deref()
                .is_some_and(|n| n.starts_with("visual.prompts."))
        })
        .collect();
    assert!(prompts.len() >= 2);
    for prompt in &prompts {
        let bytes = prompt.raw_data.clone().expect("numbers");
        assert!(learned.values().any(|(_, _, learned)| *learned == bytes));
    }
    assert_eq!(tensor(graph, "class_features").dims, [3, 64]);
    assert!(graph.initializer.iter().all(|t| {
        let name = t.name.as_deref().unwrap_or_default();
        name != "token_embedding.weight" && !name.starts_with("transformer.")
    }));
}

#[test]
fn the_file_beside_a_model_and_its_metadata_say_the_same() {
    let folder = scratch();
    let run = below(&folder, "run");
    train(&run, &["--classes", "base", "--exif"]).done();
    let out = below(&folder, "model.onnx");
    export(
        &run,
        &out,
        &["--names", "yellow star,blue square,green triangle"],
    )
    .done();
    let record = record(&below(&folder, "model.json"));
    let metadata = metadata(&decoded(&out));
    let record_of = record.as_object().expect("an object");
    assert_eq!(record_of.len(), metadata.len());
    for (key, value) in record_of {
        let found = &metadata[key];
        let same = match value {
            Value::String(text) => text == found,
            other => serde_json::from_str::<Value>(found).ok().as_ref() == Some(other),
        };
        assert!(same, "{key}: {found} in the model, {value} beside it");
    }
    assert_eq!(record["method"], "promptsrc");
    assert_eq!(record["labels"][0], "yellow star");
    assert_eq!(
        record["training_labels"],
        serde_json::json!(["blue square", "green triangle"])
    );
    assert_eq!(record["novel_labels"], serde_json::json!(["yellow star"]));
    assert_eq!(record["preprocessing"]["interpolation"], "bicubic");
    assert_eq!(record["preprocessing"]["resize_to"], 32);
    assert_eq!(record["preprocessing"]["exif"], true);
    assert_eq!(record["activation"], "quick_gelu");
    let inspected = promptsrc(&["inspect", &run, "--json"])
        .done()
        .json()
        .to_string();
    let fingerprint = record["clip"]["fingerprint"]
        .as_str()
        .expect("a fingerprint");
    assert!(inspected.contains(fingerprint));
    // Without names those of the training.
    export(&run, &out, &["--force"]).done();
    assert_eq!(
        self::record(&below(&folder, "model.json"))["labels"],
        record["training_labels"]
    );
}

#[test]
fn half_precision_keeps_the_numbers_of_half_precision_weights() {
    let folder = scratch();
    let out = below(&folder, "model.onnx");
    let zero_shot = |more: &[&str]| {
        let args = [
            "export",
            "--clip",
            &clip(),
            "--names",
            NAMES,
            "--out",
            &out,
            "--force",
        ];
        promptsrc(&[&args, more].concat()).done();
        fs::metadata(&out).expect("a model").len()
    };
    let full = zero_shot(&[]);
    let half = zero_shot(&["--weights", "f16"]);
    assert!(half * 100 < full * 60, "{half} of {full} bytes");
    let model = decoded(&out);
    let weights = Tensors::read(&clip());
    for name in [
        "visual.proj",
        "visual.transformer.resblocks.0.mlp.c_fc.weight",
    ] {
        let (_, _, bytes) = &weights.0[name];
        let stored = tensor(graph(&model), name);
        assert_eq!(
            (stored.data_type, &stored.raw_data),
            (Some(10), &Some(bytes.clone())),
            "{name}"
        );
    }
    // Vectors and what is baked in stay in single precision.
    for name in ["visual.ln_pre.weight", "class_features", "logit_scale"] {
        assert_eq!(tensor(graph(&model), name).data_type, Some(1), "{name}");
    }
    assert_eq!(record(&below(&folder, "model.json"))["weights"], "f16");
}

#[test]
fn weights_in_a_file_of_their_own_are_the_same_numbers() {
    let folder = scratch();
    let run = trained(folder.path());
    let (inside, beside) = (below(&folder, "inside.onnx"), below(&folder, "beside.onnx"));
    export(&run, &inside, &["--names", NAMES]).done();
    let more = ["--names", NAMES, "--external-above", "1000000"];
    let ending = export(&run, &beside, &more).done();
    assert!(ending.stdout.contains("beside.onnx.data"), "{ending}");
    assert_eq!(
        names(&folder),
        [
            "beside.json",
            "beside.onnx",
            "beside.onnx.data",
            "inside.json",
            "inside.onnx",
            "run"
        ]
    );
    let data = fs::read(below(&folder, "beside.onnx.data")).expect("data");
    let (inside, beside) = (decoded(&inside), decoded(&beside));
    let mut moved = 0;
    for whole in &graph(&inside).initializer {
        let part = tensor(graph(&beside), whole.name.as_deref().expect("a name"));
        let at = |key: &str| -> usize {
            let entry = part
                .external_data
                .iter()
                .find(|e| e.key.as_deref() == Some(key));
            entry
                .and_then(|e| e.value.as_ref()?.parse().ok())
                .expect("a number")
        };
        let bytes = match part.external_data.is_empty() {
            true => part.raw_data.clone().expect("numbers"),
            false => {
                moved += 1;
                assert_eq!(
                    (part.external_data[0].value.as_deref(), at("offset") % 4096),
                    (Some("beside.onnx.data"), 0)
                );
                data[at("offset")..at("offset") + at("length")].to_vec()
            }
        };
        assert_eq!(Some(bytes), whole.raw_data, "{:?}", whole.name);
    }
    assert!(moved > 10);
}

#[test]
fn the_same_bytes_with_any_number_of_threads() {
    let folder = scratch();
    let run = trained(folder.path());
    let files: Vec<Vec<u8>> = ["1", "2", "2"]
        .iter()
        .map(|threads| {
            let out = below(&folder, "model.onnx");
            export(&run, &out, &["--threads", threads, "--force"]).done();
            fs::read(out).expect("a model")
        })
        .collect();
    assert!(files[0] == files[1] && files[1] == files[2]);
}

#[test]
fn both_towers_become_two_files_and_one_becomes_one() {
    let folder = scratch();
    let out = below(&folder, "towers");
    promptsrc(&["export", "--clip", &clip(), "--out", &out]).done();
    let files = [
        "text_model.json",
        "text_model.onnx",
        "vision_model.json",
        "vision_model.onnx",
    ];
    assert_eq!(names(&out), files);
    let image = decoded(&below(&out, "vision_model.onnx"));
    assert_eq!(
        shapes(&graph(&image).input),
        pairs(&[("pixel_values", &["batch", "3", "32", "32"])])
    );
    assert_eq!(
        shapes(&graph(&image).output),
        pairs(&[("image_embeds", &["batch", "64"])])
    );
    let text = decoded(&below(&out, "text_model.onnx"));
    assert_eq!(
        shapes(&graph(&text).input),
        pairs(&[("input_ids", &["batch", "sequence"])])
    );
    assert_eq!(
        shapes(&graph(&text).output),
        pairs(&[("text_embeds", &["batch", "64"])])
    );
    assert_eq!(
        record(&below(&out, "text_model.json"))["text"]["context_length"],
        77
    );
    let alone = below(&folder, "images.onnx");
    let one = [
        "export",
        "--clip",
        &clip(),
        "--tower",
        "image",
        "--out",
        &alone,
    ];
    promptsrc(&one).done();
    let both = fs::read(below(&out, "vision_model.onnx")).expect("a model");
    assert!(fs::read(alone).expect("a model") == both);
}

#[test]
fn nothing_is_replaced_unawares() {
    let folder = scratch();
    let run = trained(folder.path());
    let out = below(&folder, "model.onnx");
    for name in ["model.onnx", "model.json", "model.onnx.data"] {
        let path = below(&folder, name);
        fs::write(&path, "mine").expect("room for it");
        export(&run, &out, &[])
            .fails(1, &[name, "--force"])
            .silent();
        assert_eq!(fs::read(&path).expect("a file"), b"mine");
        fs::remove_file(&path).expect("a removal");
        assert_eq!(names(&folder), ["run"]);
    }
    // Names from what would be the file beside the model.
    let list = below(&folder, "model.json");
    fs::write(&list, "red circle\nyellow star\n").expect("room for it");
    let more = ["--names-file", &list, "--force"];
    export(&run, &out, &more)
        .fails(1, &["model.json", "input"])
        .silent();
    assert_eq!(names(&folder), ["model.json", "run"]);
    fs::remove_file(&list).expect("a removal");
    export(&run, &out, &[]).done();
    export(&run, &out, &["--force", "--weights", "f16"]).done();
    assert_eq!(record(&list)["weights"], "f16");
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = scratch();
    let run = trained(folder.path());
    let out = below(&folder, "model.onnx");
    export(&run, &out, &[]).done();
    let before = [&out, &below(&folder, "model.json")].map(|path| fs::read(path).expect("a file"));
    let args = ["export", &run, "--names", NAMES, "--out", &out, "--force"];
    promptsrc_on_a_full_disk(1000, &args)
        .fails(1, &["model.onnx"])
        .silent();
    let after = [&out, &below(&folder, "model.json")].map(|path| fs::read(path).expect("a file"));
    assert!(before == after);
    no_partial_files(&text(&folder));
}

#[test]
fn class_features_that_depend_on_the_image_are_refused_with_the_reason() {
    let folder = scratch();
    let run = below(&folder, "run");
    train(&run, &["--method", "cocoop"]).done();
    let ending = export(&run, &below(&folder, "model.onnx"), &[]);
    ending
        .fails(1, &["cocoop", "for each image", "predict"])
        .silent();
    assert_eq!(names(&folder), ["run"]);
}

#[test]
fn heads_become_models_of_their_own_classes() {
    let folder = scratch();
    let run = below(&folder, "run");
    train(&run, &["--method", "lp++", "--epochs", "2"]).done();
    let out = below(&folder, "model.onnx");
    export(&run, &out, &["--names", "teapot,red circle"])
        .fails(1, &["teapot"])
        .silent();
    export(&run, &out, &["--names", "yellow star,red circle"]).done();
    assert_eq!(tensor(graph(&decoded(&out)), "class_weights").dims, [2, 64]);
}

#[test]
fn a_checkpoint_of_the_reference_is_exported_too_and_in_f32_whatever_it_was_trained_in() {
    let folder = scratch();
    let out = below(&folder, "model.onnx");
    let more = ["--clip", &clip(), "--names", NAMES];
    let ending = export(&golden("checkpoint"), &out, &more).done();
    assert!(!ending.stderr.contains("evaluated in"), "{ending}");
    let record = record(&below(&folder, "model.json"));
    assert_eq!(record["class_features_precision"], "f32");
    assert_eq!(record["novel_labels"].as_array().map(Vec::len), Some(3));
}

#[test]
fn wrong_usage_says_what_is_wrong() {
    let folder = scratch();
    let run = trained(folder.path());
    let out = below(&folder, "model.onnx");
    let not_onnx = below(&folder, "model.pt");
    export(&run, &not_onnx, &[])
        .fails(2, &["--out", ".onnx"])
        .silent();
    export(&run, &out, &["--names", "cat"])
        .fails(2, &["cat"])
        .silent();
    export(&run, &out, &["--names", "cat,"])
        .fails(2, &["empty"])
        .silent();
    export(&run, &out, &["--ctx-init", "a"])
        .fails(2, &["--ctx-init"])
        .silent();
    export(&run, &out, &["--external-above", "-1"]).silent();
    let of_clip = |more: &[&str], words: &[&str]| {
        let clip = clip();
        let args = ["export", "--clip", &clip, "--out", &out];
        promptsrc(&[&args, more].concat()).fails(2, words).silent();
    };
    of_clip(&[], &["folder", "--tower", "--names"]);
    of_clip(&["--template", "a {}."], &["--names"]);
    of_clip(&["--names", NAMES, "--template", "a"], &["{}"]);
    of_clip(&["--method", "coop"], &["--method"]);
    // What the command line itself refuses.
    for args in [
        &["export", "--out", &out][..],
        &["export", &run][..],
        &["export", &run, "--out", &out, "--template", "a {}."][..],
        &["export", &run, "--out", &out, "--tower", "image"][..],
        &["export", &run, "--out", &out, "--weights", "int8"][..],
    ] {
        let ending = promptsrc(args);
        assert_eq!(ending.code, Some(2), "{ending}");
    }
    assert_eq!(names(&folder), ["run"]);
}

/// A Python with onnxruntime, if there is one; else a message says what is not tested.
fn python(what: &str) -> Option<String> {
    let given = std::env::var("PROMPTSRC_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let wanted = "import onnx, onnxruntime, numpy, PIL, safetensors";
    let found = Command::new(&given).args(["-c", wanted]).output();
    let has_all = found.is_ok_and(|done| done.status.success());
    if !has_all {
        eprintln!(
            "SKIPPED: {what}: {given} has no onnx, onnxruntime, numpy, pillow and safetensors \
             (PROMPTSRC_PYTHON names another Python)"
        );
    }
    has_all.then_some(given)
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn onnxruntime_computes_what_predict_and_embed_do() {
    let Some(python) = python("onnxruntime beside predict and embed") else {
        return;
    };
    let done = Command::new(python)
        .arg(root().join("tools/onnx/check.py"))
        .args(["--quick", "--promptsrc", PROMPTSRC])
        .env("HF_HUB_OFFLINE", "1")
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("Python starts");
    let printed = String::from_utf8_lossy(&done.stdout);
    let failed = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{printed}\n{failed}");
    println!("{}", printed.lines().last().unwrap_or_default());
}

#[test]
fn the_python_of_the_readme_serves_a_model() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let (_, onnx) = readme.split_once("## ONNX").expect("the section");
    let (_, code) = onnx.split_once("```python\n").expect("an example");
    let (code, _) = code.split_once("```").expect("an end");
    let lines = code
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.contains("import "));
    assert!(lines.count() <= 12, "{code}");
    let Some(python) = python("the Python of README.md") else {
        return;
    };
    let folder = scratch();
    let run = trained(folder.path());
    let names = "yellow star,red circle,a tea pot";
    export(&run, &below(&folder, "model.onnx"), &["--names", names]).done();
    fs::copy(image(), below(&folder, "photo.jpg")).expect("a copy");
    let done = Command::new(python)
        .args(["-c", code])
        .current_dir(folder.path())
        .output()
        .expect("Python starts");
    let failed = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{failed}");
    let photo = below(&folder, "photo.jpg");
    let predicted = promptsrc(&["predict", &run, &photo, "--names", names, "--json"]).done();
    let best = &predicted.json()[0]["top"][0];
    let printed = String::from_utf8_lossy(&done.stdout).trim().to_string();
    let (name, probability) = printed.rsplit_once(' ').expect("a name and a number");
    assert_eq!(name, best["name"].as_str().expect("a name"));
    let probability: f64 = probability.parse().expect("a number");
    let expected = best["probability"].as_f64().expect("a number");
    assert!(
        (probability - expected).abs() < 1e-3,
        "{probability}, {expected}"
    );
}
