//! Weight files that another program shortens while they are read: an error that names the file, or the right
//! answer, and never a signal.

mod common;

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use common::*;
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};
use safetensors::Dtype;

/// The small CLIP in a file that takes a while to read: with more words than it knows.
fn large() -> Tensors {
    /// Rows of 64 half-precision numbers: 38 MiB.
    const WORDS: usize = 300_000;
    let mut tensors = Tensors::read(&clip());
    let (_, shape, bytes) = (tensors.0.get_mut("token_embedding.weight")).expect("the words");
    shape[0] = WORDS;
    bytes.resize(2 * WORDS * shape[1], 0);
    tensors
}

/// The same as `torch.save` writes a dictionary of tensors.
fn as_torch(tensors: &Tensors) -> Vec<u8> {
    let tensors = tensors.0.iter().map(|(name, (dtype, shape, bytes))| {
        assert_eq!(*dtype, Dtype::F16);
        let saved = SavedTensor::new(DType::F16, shape.clone(), bytes.clone());
        (name.clone(), Saved::Tensor(saved.expect("a tensor")))
    });
    torch_save(&Saved::OrderedDict(tensors.collect())).expect("an archive")
}

/// Predicts with weights that are shortened at a moment; how long it took.
fn predict(weights: &str, whole: &[u8], shortened: Option<(Duration, u64)>) -> (Ending, Duration) {
    fs::write(weights, whole).expect("room");
    let image = image();
    let args = [
        "predict",
        "--zero-shot",
        "--clip",
        weights,
        "--names",
        "a,b",
        "--json",
        &image,
    ];
    let began = Instant::now();
    let thread = shortened.map(|(moment, length)| {
        let file = OpenOptions::new()
            .write(true)
            .open(weights)
            .expect("a file");
        std::thread::spawn(move || {
            std::thread::sleep(moment);
            file.set_len(length).expect("a shorter file");
        })
    });
    let ending = promptsrc(&args);
    let took = began.elapsed();
    if let Some(thread) = thread {
        thread.join().expect("an end");
    }
    (ending, took)
}

fn shortened_while_read(name: &str, whole: &[u8]) {
    /// Moments, spread over the time of an undisturbed command.
    const MOMENTS: u32 = 8;
    let folder = scratch();
    let weights = below(&folder, name);
    let (usual, took) = predict(&weights, whole, None);
    let usual = usual.done().stdout;
    let (mut refused, mut right) = (0, 0);
    for moment in 0..MOMENTS {
        for length in [0, 4096, whole.len() as u64 / 2, whole.len() as u64 - 1] {
            let moment = took * moment / MOMENTS;
            let (ending, _) = predict(&weights, whole, Some((moment, length)));
            match ending.code {
                Some(0) => {
                    assert_eq!(ending.stdout, usual, "{moment:?} {length}\n{ending}");
                    right += 1;
                }
                _ => {
                    ending.fails(1, &[name]).silent();
                    refused += 1;
                }
            }
        }
    }
    println!("{name}: {refused} refused, {right} right");
    assert!(refused > 0 && Path::new(&weights).exists());
}

#[test]
fn safetensors() {
    let folder = scratch();
    let file = below(&folder, "whole.safetensors");
    large().write(&file);
    shortened_while_read("short.safetensors", &fs::read(file).expect("weights"));
}

#[test]
fn torch_archives() {
    shortened_while_read("short.pt", &as_torch(&large()));
}
