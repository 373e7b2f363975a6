//! Damaged, hostile and foreign weight and adapter files: a message that names the file, no panic,
//! nothing left behind.

mod common;

use std::fs;
use std::io::Write;

use common::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

/// Tries a weight file where one is looked at, where one is used, and where a run would be left.
#[track_caller]
fn refused(file: &str, words: &[&str]) {
    let folder = scratch();
    let run = below(&folder, "run");
    let data = images();
    let name = file.rsplit('/').next().unwrap_or_default();
    let words = [&[name], words].concat();
    promptsrc(&["inspect", file, "--json"])
        .fails(1, &words)
        .silent();
    zero_shot(file, &data, &[]).fails(1, &words).silent();
    train_on(file, &data, &run, &[]).fails(1, &words).silent();
    assert!(names(&run).is_empty(), "{:?}", names(&run));
}

#[test]
fn weight_files_that_are_cut_off_are_named() {
    let folder = scratch();
    for file in weight_files() {
        if fs::metadata(&file).is_ok_and(|m| m.is_dir()) {
            continue;
        }
        let whole = fs::read(&file).expect("weights");
        let cut = below(&folder, file.rsplit('/').next().expect("a name"));
        for length in [0, 1, 8, 9, 100, whole.len() / 2, whole.len() - 1] {
            fs::write(&cut, &whole[..length]).expect("room");
            promptsrc(&["inspect", &cut]).fails(1, &[&cut]).silent();
        }
        refused(&cut, &[]);
    }
}

#[test]
fn cut_off_weights_in_a_folder_are_named() {
    for original in weight_files() {
        if !fs::metadata(&original).is_ok_and(|m| m.is_dir()) {
            continue;
        }
        for cut in [0, 1000] {
            let folder = scratch();
            let copy = folder.path().join("clip");
            fs::create_dir(&copy).expect("a folder");
            for file in sorted(original.as_ref()) {
                let mut bytes = fs::read(&file).expect("a file");
                let weights = file.extension().is_some_and(|e| e != "json");
                bytes.truncate(if weights { cut } else { usize::MAX });
                fs::write(copy.join(file.file_name().expect("a name")), bytes).expect("room");
            }
            refused(&text(&copy), &[]);
        }
    }
}

#[test]
fn bytes_that_are_wrong_never_panic() {
    let folder = scratch();
    let file = below(&folder, "weights");
    for original in weight_files() {
        let Ok(whole) = fs::read(&original) else {
            continue;
        };
        // Headers stand at the beginning of safetensors and at the end of archives.
        for place in [0, 3, 7, 8, 9, 40, 200] {
            for place in [place, whole.len() - 1 - place] {
                let mut bytes = whole.clone();
                bytes[place] ^= 0xa5;
                fs::write(&file, bytes).expect("room");
                let ending = promptsrc(&["inspect", &file]);
                assert!(matches!(ending.code, Some(0 | 1)), "{ending}");
            }
        }
    }
}

#[test]
fn corrupt_headers_of_safetensors_are_refused() {
    let folder = scratch();
    let file = below(&folder, "corrupt.safetensors");
    let with = |length: u64, header: &str| {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 64]);
        fs::write(&file, bytes).expect("room");
    };
    let whole = |header: &str| with(header.len() as u64, header);
    with(u64::MAX, "{}");
    refused(&file, &[]);
    with(1 << 40, "{\"a\":1}");
    refused(&file, &[]);
    for header in [
        "{",
        "{]",
        "{\"a\":null}",
        r#"{"ln_final.weight":{"dtype":"F16","shape":[2],"data_offsets":[0,400]}}"#,
        r#"{"ln_final.weight":{"dtype":"F16","shape":[2],"data_offsets":[8,4]}}"#,
        r#"{"ln_final.weight":{"dtype":"F99","shape":[2],"data_offsets":[0,4]}}"#,
        r#"{"ln_final.weight":{"dtype":"F16","shape":[18446744073709551615,4],"data_offsets":[0,64]}}"#,
    ] {
        whole(header);
        refused(&file, &[]);
    }
}

/// Protocol 0: `system` of `module` is called with a command that would leave a file behind.
fn code(module: &str, trace: &str) -> Vec<u8> {
    format!("c{module}\nsystem\n(S'touch {trace}'\ntR.").into_bytes()
}

#[test]
fn a_pickle_with_code_in_it_is_named_and_never_run() {
    let folder = scratch();
    let trace = below(&folder, "trace");
    for module in ["os", "posix", "nt"] {
        let raw = below(&folder, "raw.pt");
        fs::write(&raw, code(module, &trace)).expect("room");
        refused(&raw, &["system"]);

        let archive = below(&folder, "archive.pt");
        let mut zip = zip::ZipWriter::new(fs::File::create(&archive).expect("room"));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        for (name, bytes) in [
            ("archive/data.pkl", code(module, &trace)),
            ("archive/version", b"3\n".to_vec()),
        ] {
            zip.start_file(name, options).expect("an entry");
            zip.write_all(&bytes).expect("room");
        }
        zip.finish().expect("an archive");
        refused(&archive, &["system"]);
    }
    assert!(!fs::exists(&trace).expect("a folder"), "the code was run");
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let folder = scratch();
    for (name, shape, expected) in [
        ("ln_final.weight", vec![63], "64"),
        ("visual.conv1.weight", vec![128, 4, 8, 8], "3"),
        (
            "transformer.resblocks.1.mlp.c_fc.weight",
            vec![256, 65],
            "64",
        ),
        ("visual.proj", vec![127, 64], "128"),
    ] {
        let mut tensors = Tensors::read(&clip());
        tensors.zeros(name, &shape);
        let file = below(&folder, "shape.safetensors");
        tensors.write(&file);
        refused(&file, &[name, &format!("{shape:?}"), expected]);
    }
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = scratch();
    for name in [
        "transformer.resblocks.1.mlp.c_fc.weight",
        "visual.transformer.resblocks.0.attn.in_proj_bias",
        "text_projection",
        "logit_scale",
        "visual.ln_pre.bias",
        "token_embedding.weight",
    ] {
        let mut tensors = Tensors::read(&clip());
        tensors.0.remove(name).expect("the tensor");
        let file = below(&folder, "missing.safetensors");
        tensors.write(&file);
        refused(&file, &[name]);
    }
}

#[test]
fn a_clip_with_a_resnet_is_recognised_and_refused() {
    let folder = scratch();
    let mut tensors = Tensors::read(&clip());
    tensors.0.retain(|name, _| !name.starts_with("visual."));
    tensors.zeros("visual.conv1.weight", &[32, 3, 3, 3]);
    tensors.zeros("visual.layer1.0.conv1.weight", &[32, 32, 1, 1]);
    tensors.zeros("visual.attnpool.positional_embedding", &[50, 64]);
    tensors.zeros("visual.attnpool.q_proj.weight", &[64, 64]);
    let file = below(&folder, "RN50.safetensors");
    tensors.write(&file);
    refused(&file, &["ResNet", "ViT-B/16"]);
}

#[test]
fn weights_that_are_not_numbers_end_the_training_without_an_adapter() {
    let folder = scratch();
    let (file, run) = (below(&folder, "nan.safetensors"), below(&folder, "run"));
    let mut tensors = Tensors::read(&clip());
    let (_, _, bytes) = tensors.0.get_mut("visual.proj").expect("the projection");
    // Not a number, in half precision.
    bytes.fill(0x7e);
    tensors.write(&file);
    train_on(&file, &images(), &run, &[])
        .fails(1, &["nan.safetensors", "visual.proj", "NaN"])
        .silent();
    nothing_half_written(&run);
}

#[test]
fn other_files_are_not_weights() {
    let folder = scratch();
    let words = below(&folder, "words.pt");
    fs::write(&words, "not a weight file\n").expect("room");
    refused(&words, &["not a weight file"]);
    refused(&image(), &["not a weight file"]);
    refused(&images(), &["no weight file"]);
}

#[test]
fn a_clip_that_is_not_there_is_named_with_what_to_do() {
    let folder = scratch();
    let missing = below(&folder, "nowhere.safetensors");
    let data = images();
    let eval = |clip: &str| zero_shot(clip, &data, &[]);
    eval(&missing)
        .fails(1, &["nowhere.safetensors", "no such file"])
        .silent();
    eval("RN50x4").fails(1, &["RN50x4", "ViT-B/16"]).silent();
    eval("").fails(1, &["ViT-B/16"]).silent();

    // Without a network: which files, and where to.
    let script = "HF_HUB_CACHE=\"$1\" exec \"$0\" eval --zero-shot --clip ViT-B/16 --data \"$2\"";
    shell(script, &[&below(&folder, "cache"), &data])
        .fails(1, &["ViT-B/16", "HF_HUB_OFFLINE", "safetensors"])
        .silent();
}

#[test]
fn an_adapter_for_another_clip_is_refused() {
    let folder = scratch();
    let (run, other) = (trained(folder.path()), other_clip());
    let adapter = below(&run, "adapter.safetensors");
    let (data, image) = (images(), image());
    for run in [&run, &adapter] {
        let eval = ["eval", run, "--clip", &other, "--data", &data];
        promptsrc(&eval).fails(1, &[&adapter, "CLIP"]).silent();
        let predict = ["predict", run, &image, "--clip", &other, "--json"];
        promptsrc(&predict).fails(1, &[&adapter, "CLIP"]).silent();
    }

    // Other weights of the same shape: it runs, and says so.
    let mut tensors = Tensors::read(&clip());
    let (_, _, bytes) = tensors.0.get_mut("visual.proj").expect("the projection");
    bytes
        .iter_mut()
        .skip(1)
        .step_by(2)
        .for_each(|sign| *sign ^= 0x80);
    let near = below(&folder, "near.safetensors");
    tensors.write(&near);
    let ending = promptsrc(&["eval", &run, "--clip", &near, "--data", &data]).done();
    assert!(ending.stderr.contains("warning: ") && ending.stderr.contains("other weights"));
}

#[test]
fn what_is_not_an_adapter_is_refused() {
    let folder = scratch();
    let run = trained(folder.path());
    let data = images();
    let eval = |file: &str| promptsrc(&["eval", file, "--data", &data, "--clip", &clip()]);
    eval(&clip())
        .fails(1, &["clip_openai_fp16", "adapter"])
        .silent();
    eval(&below(&run, "state.safetensors"))
        .fails(1, &["state.safetensors", "adapter"])
        .silent();
    eval(&below(&run, "config.toml"))
        .fails(1, &["config.toml"])
        .silent();
    eval(&image()).fails(1, &["red_circle_01.jpg"]).silent();
    eval(&images())
        .fails(1, &["not the folder of a run"])
        .silent();
    eval(&below(&folder, "nothing"))
        .fails(1, &["no such file or folder"])
        .silent();

    let adapter = below(&run, "adapter.safetensors");
    let whole = fs::read(&adapter).expect("an adapter");
    for length in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&adapter, &whole[..length]).expect("room");
        eval(&run).fails(1, &["adapter.safetensors"]).silent();
    }
    // Whole again, but of another width than its record says.
    for (name, shape) in [
        ("prompt_learner.ctx", [4, 96]),
        ("prompt_learner.ctx", [0, 64]),
    ] {
        let damaged = below(&folder, "damaged.safetensors");
        fs::write(&damaged, with_zeros(&whole, name, &shape)).expect("room");
        eval(&damaged).fails(1, &["damaged.safetensors"]).silent();
    }
}

/// The same file, its record included, with zeros of another shape as one of its tensors.
fn with_zeros(bytes: &[u8], name: &str, shape: &[usize]) -> Vec<u8> {
    let (_, header) = SafeTensors::read_metadata(bytes).expect("a header");
    let file = SafeTensors::deserialize(bytes).expect("a file");
    assert!(file.tensor(name).is_ok(), "no {name}");
    let zeros = vec![0; 4 * shape.iter().product::<usize>()];
    let views = file.iter().map(|(n, view)| {
        let view = match n == name {
            true => TensorView::new(Dtype::F32, shape.to_vec(), &zeros),
            false => TensorView::new(view.dtype(), view.shape().to_vec(), view.data()),
        };
        (n, view.expect("a tensor"))
    });
    serialize(views, header.metadata().clone()).expect("a file")
}
