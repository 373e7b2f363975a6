//! What the command says of the machine, and which of its instructions the kernels use.

mod common;

use std::fs;

use common::*;
use promptsrc_clip::InstructionSet;
use serde_json::Value;

/// The command with `PROMPTSRC_CPU`.
fn limited(set: &str, args: &[&str]) -> Ending {
    let script = r#"PROMPTSRC_CPU="$1"; export PROMPTSRC_CPU; shift; exec "$0" "$@""#;
    shell(script, &[&[set], args].concat())
}

#[test]
fn the_machine_is_described() {
    let found = promptsrc(&["inspect", "--machine", "--json"]).done().json();
    assert_eq!(found["kind"], "machine");
    let has = InstructionSet::of_processor();
    assert_eq!(found["instructions"]["processor"], has.name());
    assert!(found["gflops"]["f32"].as_f64().expect("a number") > 0.0);
    assert_eq!(found["gflops"]["bf16"].is_number(), {
        let used = found["instructions"]["used"].as_str().expect("a name");
        used == InstructionSet::Avx512Bf16.name()
    });
    for set in InstructionSet::available() {
        let found = limited(set.name(), &["inspect", "--machine", "--json"]).done();
        let found = found.json();
        assert_eq!(found["instructions"]["used"], set.name());
        assert_eq!(found["instructions"]["limited_by"].is_null(), set == has);
        if !set.has_bf16() {
            assert_eq!(found["auto"], "f32");
        }
    }
    promptsrc(&["inspect"]).fails(2, &["FILE"]);
    promptsrc(&["inspect", &clip(), "--machine"]).fails(2, &["--machine"]);
}

#[test]
fn every_instruction_set_gives_the_same_probabilities_to_rounding() {
    let (clip, image) = (clip(), image());
    let args = ["predict", "--zero-shot", "--clip", &clip, &image];
    let args = [
        &args[..],
        &["--names", "red circle,teapot", "--precision", "f32"],
        &["--json"],
    ];
    let args = args.concat();
    let probability = |set: InstructionSet| {
        let found = limited(set.name(), &args).done().json();
        found[0]["top"][0]["probability"]
            .as_f64()
            .expect("a number")
    };
    let portable = probability(InstructionSet::Portable);
    for set in InstructionSet::available() {
        let difference = (probability(set) - portable).abs();
        assert!(difference < 1e-4, "{set}: {difference:e}");
    }
}

#[test]
fn what_the_processor_does_not_have_is_refused() {
    let (clip, image) = (clip(), image());
    let args = ["predict", "--zero-shot", "--clip", &clip, &image];
    let args = [&args[..], &["--names", "red circle,teapot"]].concat();
    limited("sse9", &args).fails(2, &["PROMPTSRC_CPU", "\"sse9\"", "portable", "avx2"]);
    if InstructionSet::of_processor() < InstructionSet::Avx512Bf16 {
        limited("avx512-bf16", &args).fails(2, &["PROMPTSRC_CPU", "avx512-bf16", "most it has"]);
    }
    let bf16 = [&args[..], &["--precision", "bf16"]].concat();
    limited("portable", &bf16).fails(2, &["bf16", "portable", "f32"]);
}

/// The log of a run, with the machine of each start replaced.
fn with_machine(run: &str, machine: Option<&str>) {
    let file = below(run, "log.jsonl");
    let text = fs::read_to_string(&file).expect("a log");
    let lines = text.lines().map(|line| {
        let mut event: Value = serde_json::from_str(line).expect("an event");
        if event["event"] == "start" {
            match machine {
                Some(name) => event["machine"]["processor"] = name.into(),
                None => drop(event.as_object_mut().expect("an object").remove("machine")),
            }
        }
        event.to_string() + "\n"
    });
    let changed: String = lines.collect();
    assert_ne!(text, changed);
    fs::write(&file, changed).expect("room");
}

#[test]
fn a_run_says_what_it_was_trained_on_and_not_whose_machine_that_is() {
    let folder = scratch();
    let run = below(&folder, "run");
    train(&run, &["--threads", "1"]).done();
    let here = promptsrc(&["inspect", "--machine", "--threads", "1", "--json"]);
    let here = here.done().json();
    let found = promptsrc(&["inspect", &run, "--json"]).done().json();
    let machines = found["trained_on"].as_array().expect("machines");
    assert_eq!(machines.len(), 1);
    let machine = &machines[0];
    for key in ["processor", "architecture", "system", "cores", "threads"] {
        assert_eq!(machine[key], here[key], "{key}");
    }
    assert_eq!(machine["instructions"], here["instructions"]["used"]);
    assert_eq!(machine["threads"], 1);
    assert_eq!(machine.as_object().expect("an object").len(), 6);

    let line = |run: &str| {
        let text = promptsrc(&["inspect", run]).done().stdout;
        let line = text.lines().find(|line| line.starts_with("trained_on: "));
        line.expect("a line").to_string()
    };
    assert!(line(&run).contains("1 thread on "), "{}", line(&run));
    with_machine(&run, Some("Other CPU"));
    assert!(
        line(&run).starts_with("trained_on: Other CPU, 1 thread on "),
        "{}",
        line(&run)
    );

    // On the page, where it was trained and where it is evaluated.
    let page = || {
        let out = below(&folder, "report.html");
        let args = ["report", &run, "--out", &out, "--force", "--images", "0"];
        promptsrc(&[&args[..], &["--threads", "2"]].concat()).done();
        fs::read_to_string(&out).expect("a page")
    };
    let of = |page: &str, what: &str| {
        let rest = page.split_once(&format!("<dt>{what}</dt><dd>"));
        let value = rest.and_then(|(_, rest)| rest.split_once("</dd>"));
        value.expect("a fact").0.to_string()
    };
    let whole = page();
    assert!(of(&whole, "trained on").starts_with("Other CPU, 1 thread on "));
    let evaluated = of(&whole, "evaluated on");
    assert!(evaluated.contains(", 2 threads on "), "{evaluated}");
    assert!(!evaluated.contains("Other CPU"), "{evaluated}");

    // A log of an earlier version.
    with_machine(&run, None);
    assert_eq!(line(&run), "trained_on: not recorded");
    assert_eq!(of(&page(), "trained on"), "not recorded");
    fs::remove_file(below(&run, "log.jsonl")).expect("a log");
    assert_eq!(line(&run), "trained_on: not recorded");
    assert_eq!(of(&page(), "trained on"), "not recorded");
}
