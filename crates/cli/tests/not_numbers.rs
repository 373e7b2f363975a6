//! NaN and infinities in any tensor that is read, and trainings that diverge: refused with file and tensor,
//! and no such adapter is ever saved.

mod common;

use std::fs;
use std::path::Path;

use common::records::Recorded;
use common::*;
use safetensors::Dtype;

const METHODS: [&str; 8] = [
    "promptsrc",
    "coop",
    "cocoop",
    "maple",
    "clap",
    "lp++",
    "tip-adapter",
    "clip-adapter",
];

fn run_of(folder: &tempfile::TempDir, method: &str) -> String {
    let run = below(folder, method);
    let options: &[&str] = match method {
        "tip-adapter" => &[],
        _ => &["--epochs", "1"],
    };
    let (clip, data) = (clip(), images());
    let line = [
        "train", "--clip", &clip, "--data", &data, "--shots", "1", "--out", &run, "--method",
        method,
    ];
    promptsrc(&[&line[..], options].concat()).done();
    run
}

#[test]
fn a_value_that_is_no_number_in_any_tensor_of_an_adapter_is_refused() {
    let folder = scratch();
    let (clip, image, data) = (clip(), image(), images());
    let bad = below(&folder, "bad.safetensors");
    for method in METHODS {
        let run = run_of(&folder, method);
        let file = Recorded::read(&below(&run, "adapter.safetensors"));
        for name in file.names() {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                file.with_value(&name, value).write(&bad);
                let words = ["bad.safetensors", &name];
                let out = below(&folder, "out");
                let uses: [&[&str]; 4] = [
                    &["predict", &bad, &image, "--clip", &clip],
                    &["eval", &bad, "--data", &data, "--clip", &clip],
                    &["inspect", &bad],
                    &["convert", &bad, &out],
                ];
                for args in uses {
                    let ending = promptsrc(args);
                    println!("{method} {name} {value} {}", args[0]);
                    ending.fails(1, &words).silent();
                }
                assert!(!Path::new(&out).exists());
            }
            // Numbers, but too large to compute with: an answer of numbers, or none.
            for value in [3e38, -3e38] {
                file.with_value(&name, value).write(&bad);
                let ending = promptsrc(&["predict", &bad, &image, "--clip", &clip, "--json"]);
                match ending.code {
                    Some(0) => assert!(!ending.stdout.contains("null"), "{ending}"),
                    _ => drop(ending.fails(1, &["error: "]).silent()),
                }
            }
        }
    }
}

#[test]
fn a_value_that_is_no_number_in_any_tensor_of_a_clip_is_refused() {
    let folder = scratch();
    let (file, image, data) = (below(&folder, "bad.safetensors"), image(), images());
    let (texts, out) = (
        below(&folder, "texts.txt"),
        below(&folder, "out.safetensors"),
    );
    fs::write(&texts, "a cat\n").expect("room");
    let names: Vec<String> = Tensors::read(&clip()).0.into_keys().collect();
    for (i, name) in names.iter().enumerate() {
        let mut tensors = Tensors::read(&clip());
        let (dtype, _, bytes) = tensors.0.get_mut(name).expect("a tensor");
        assert_eq!(*dtype, Dtype::F16);
        // NaN and the infinities, in half precision.
        let value = [0x7e00_u16, 0x7c00, 0xfc00][i % 3];
        let last = bytes.len() - 2;
        bytes[last..].copy_from_slice(&value.to_le_bytes());
        tensors.write(&file);
        let words = ["bad.safetensors", name];
        let run = below(&folder, "run");
        let uses: [&[&str]; 4] = [
            &[
                "predict",
                "--zero-shot",
                "--clip",
                &file,
                "--names",
                "a,b",
                &image,
            ],
            &["eval", "--zero-shot", "--clip", &file, "--data", &data],
            &["embed", "--clip", &file, "--texts", &texts, "--out", &out],
            &[
                "train", "--clip", &file, "--data", &data, "--shots", "1", "--epochs", "1",
                "--method", "clap", "--out", &run,
            ],
        ];
        // Each command opens a CLIP in the same way; one is enough for a tensor.
        promptsrc(uses[i % 4]).fails(1, &words).silent();
        assert!(!Path::new(&out).exists());
        nothing_half_written(&run);
    }
}

#[test]
fn a_training_that_diverges_leaves_no_adapter() {
    let folder = scratch();
    // Each step makes every value a million times larger.
    let options = ["--lr", "1000", "--weight-decay", "1000", "--epochs", "30"];
    for method in [
        "promptsrc",
        "ivlp",
        "coop",
        "cocoop",
        "maple",
        "kgcoop",
        "prograd",
        "clap",
    ] {
        let run = below(&folder, method);
        let options = [&options[..], &["--method", method]].concat();
        train(&run, &options).fails(1, &["learning rate"]).silent();
        nothing_half_written(&run);
        // Nor does it when it is resumed from the last epoch that could be saved.
        let options = [&options[..], &["--resume"]].concat();
        train(&run, &options).fails(1, &["learning rate"]).silent();
        nothing_half_written(&run);
    }
    for rate in ["1e30", "inf", "NaN", "-1"] {
        let run = below(&folder, "refused");
        let given = format!("--lr={rate}");
        let ending = train(&run, &[&given]);
        ending.fails(2, &["--lr"]).silent();
        assert!(!Path::new(&run).exists());
    }
}

#[test]
fn features_in_a_cache_that_are_no_numbers_are_computed_again() {
    let folder = scratch();
    let cache = below(&folder, "cache");
    let options = |cache| ["--method", "clap", "--feature-cache", cache];
    let whole = below(&folder, "whole");
    train(&whole, &options(&cache)).done();
    let inner = sorted(cache.as_ref())
        .pop()
        .expect("the folder of the CLIP");
    let files = sorted(&inner);
    assert!(!files.is_empty());
    for file in files {
        let mut bytes = fs::read(&file).expect("features");
        let end = bytes.len() - 32;
        // The last value, and a check that is right.
        bytes[end - 4..end].copy_from_slice(&f32::NAN.to_le_bytes());
        let check = blake3::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(check.as_bytes());
        fs::write(&file, bytes).expect("room");
    }
    let run = below(&folder, "run");
    train(&run, &options(&cache)).done();
    assert!(adapter_bytes(&run) == adapter_bytes(&whole));
}
