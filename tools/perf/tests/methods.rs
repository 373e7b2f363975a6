//! The `step` and `work` measurements of the prompt methods, through their commands.

use std::process::{Command, Output};

use serde_json::Value;

fn perf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_promptsrc-perf"))
        .args(arguments)
        .output()
        .unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = perf(arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_work_of_each_prompt_method_is_listed_and_never_above_the_published_program() {
    let counts = json(&["work", "--classes", "10", "--json"]);
    let counts = counts.as_array().unwrap();
    let methods: Vec<&str> = counts
        .iter()
        .map(|c| c["method"].as_str().unwrap())
        .collect();
    for method in [
        "promptsrc",
        "ivlp",
        "coop",
        "cocoop",
        "maple",
        "kgcoop",
        "prograd",
    ] {
        assert!(methods.contains(&method), "{methods:?}");
    }
    for count in counts {
        let (published, needed) = (&count["published_gflop"], &count["needed_gflop"]);
        assert!(needed.as_f64().unwrap() > 0.0, "{count}");
        assert!(
            published.as_f64().unwrap() > needed.as_f64().unwrap(),
            "{count}"
        );
    }
    let output = perf(&["work", "--classes", "10"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().count(), 2 + methods.len(), "{table}");
}

/// The parameters are the context, 4 x 512, and the two layers of the network, 512 to 32 to 512 with
/// their biases; with a context of each of two classes, 2 x 4 x 512.
#[test]
fn a_step_of_a_method_names_it_and_learns_its_parameters() {
    let common = ["--classes", "2", "--steps", "1", "--json"];
    let cocoop = json(&[&["step", "--method", "cocoop"], &common[..]].concat());
    assert_eq!(
        (&cocoop["method"], &cocoop["batch"]),
        (&"cocoop".into(), &1.into())
    );
    assert_eq!(
        cocoop["parameters"],
        4 * 512 + 512 * 32 + 32 + 32 * 512 + 512
    );
    assert!(cocoop["first_loss"].as_f64().unwrap().is_finite());

    let specific = [
        "step",
        "--method",
        "coop",
        "--batch",
        "2",
        "--class-specific",
    ];
    let specific = json(&[&specific[..], &common[..]].concat());
    assert_eq!(specific["class_specific"], true);
    assert_eq!(specific["parameters"], 2 * 4 * 512);
    assert_eq!(specific["batch"], 2);
    assert!(specific["step_seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_method_without_prompts_or_without_a_setting_is_refused() {
    let refused = |arguments: &[&str]| {
        let output = perf(&[&["step", "--method"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["mapple"]).contains("mapple"));
    assert!(refused(&["zero-shot"]).contains("zero-shot"));
    assert!(refused(&["linear-probe"]).contains("linear-probe"));
    assert!(refused(&["maple", "--class-specific"]).contains("class-specific"));
    assert!(refused(&["kgcoop", "--class-position", "front"]).contains("class-position"));
}
