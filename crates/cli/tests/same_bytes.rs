//! The same bytes, whatever the number of threads and however often a command is repeated.

mod common;

use std::fs;

use common::*;

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = scratch();
    let out: Vec<Vec<Vec<u8>>> = ["1", "2", "5"]
        .into_iter()
        .map(|threads| {
            let run = below(&folder, threads);
            let with = ["--threads", threads, "--epochs", "4", "--quiet"];
            train(&run, &with).done();
            let (data, file) = (images(), below(&folder, "f.safetensors"));
            let clip = clip();
            let json = |args: &[&str]| {
                let args = [args, &["--threads", threads, "--json"]].concat();
                promptsrc(&args).done().stdout.into_bytes()
            };
            let args = [
                "eval",
                &run,
                "--data",
                &data,
                "--threads",
                threads,
                "--json",
            ];
            let evaluation = promptsrc(&args).done().measured().to_string().into_bytes();
            let options = ["--templates", "ensemble", "--threads", threads, "--json"];
            let zero_shot = zero_shot(&clip, &data, &options).done().stdout.into_bytes();
            let prediction = json(&["predict", &run, &data, "--names", "a,b,c"]);
            json(&[
                "embed", "--clip", &clip, "--images", &data, "--force", "--out", &file,
            ]);
            vec![
                adapter_bytes(&run),
                fs::read(below(&run, "state.safetensors")).expect("a state"),
                fs::read(&file).expect("features"),
                evaluation,
                zero_shot,
                prediction,
            ]
        })
        .collect();
    let what = [
        "adapter",
        "state",
        "features",
        "evaluation",
        "zero-shot",
        "prediction",
    ];
    for other in &out[1..] {
        for (what, (one, other)) in what.iter().zip(out[0].iter().zip(other)) {
            assert!(one == other, "{what} differs");
        }
    }
}

#[test]
fn another_seed_gives_another_adapter() {
    let folder = scratch();
    let adapter = |seed: &str| {
        let run = below(&folder, seed);
        train(&run, &["--seed", seed]).done();
        adapter_tensors(&run)
    };
    assert!(adapter("1") != adapter("2"));
}
