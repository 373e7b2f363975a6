//! CoOp through every command: a method that is one file and one line of the registry.

mod common;

use common::*;

#[test]
fn coop_is_trained_evaluated_inspected_and_predicted_with() {
    let folder = scratch();
    let run = below(&folder, "run");
    let options = ["--method", "coop", "--shots", "4", "--epochs", "30"];
    let trained = train(&run, &[&options[..], &["--json"]].concat()).done();
    let summary = trained.json();
    assert_eq!(summary["method"], "coop");
    // Four context tokens, as wide as the text tower of this CLIP; nothing in the image tower.
    assert_eq!(summary["parameters"], 4 * 64);
    let names: Vec<String> = adapter_tensors(&run).into_keys().collect();
    assert_eq!(names, ["prompt_learner.ctx"]);

    let (images, clip) = (images(), clip());
    let eval = |args: &[&str]| {
        let all = [args, &["--data", &images, "--part", "train", "--json"]].concat();
        promptsrc(&all).done().json()
    };
    let learned = eval(&["eval", &run])["accuracy"]
        .as_f64()
        .expect("a number");
    let before = eval(&["eval", "--zero-shot", "--clip", &clip])["accuracy"]
        .as_f64()
        .expect("a number");
    assert!(learned > before + 0.2, "{before} before, {learned} after");

    let inspected = promptsrc(&["inspect", &run]).done();
    assert!(inspected.stdout.contains("method: coop"), "{inspected}");
    let args = ["predict", &run, &image(), "--names", "red circle,teapot"];
    promptsrc(&args).done();
    // The words of the context decide how many tokens it has, as in CoOp.
    let words = below(&folder, "words");
    let options = [
        "--method",
        "coop",
        "--ctx-init",
        "a drawing of one",
        "--json",
    ];
    let summary = train(&words, &options).done().json();
    assert_eq!(summary["parameters"], 4 * 64);
    let options = [
        "--method",
        "coop",
        "--ctx-init",
        "a drawing",
        "--text-context",
        "3",
    ];
    train(&below(&folder, "refused"), &options)
        .fails(2, &["--text-context", "ctx-init"])
        .silent();
}

#[test]
fn coop_is_a_row_of_the_benchmark() {
    let folder = scratch();
    let out = below(&folder, "out");
    let args = [
        "bench",
        "base-to-novel",
        "--root",
        "world",
        "--out",
        &out,
        "--datasets=finegrained",
        "--methods=zero-shot,coop",
        "--shots=1",
        "--seeds=1",
        "--epochs=1",
        "--quiet",
    ];
    let table = promptsrc(&args).done();
    assert!(table.stdout.contains("coop"), "{table}");
    let run = below(&out, "base-to-novel/coop/finegrained/shots_1/seed_1");
    assert!(adapter_tensors(&run).contains_key("prompt_learner.ctx"));
}
