//! What the command says of the machine, and which of its instructions the kernels use.

mod common;

use common::*;
use promptsrc_clip::InstructionSet;

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
