//! The benchmarks on the built-in world: whichever process makes the runs, and however often they
//! are killed, the table has the same bytes.

mod common;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use serde_json::Value;

/// A small sweep: two data sets, two methods, two seeds, two epochs of one shot per class.
const SWEEP: [&str; 11] = [
    "bench",
    "base-to-novel",
    "--root",
    "world",
    "--datasets=surfaces,finegrained",
    "--methods=zero-shot,promptsrc",
    "--seeds=1,2",
    "--shots=1",
    "--epochs=2",
    "--quiet",
    "--json",
];
/// Two data sets: zero-shot once, the other method with two seeds.
const RUNS: usize = 6;

fn sweep(out: &str, more: &[&str]) -> Ending {
    promptsrc(&[&SWEEP[..], &["--out", out], more].concat())
}

fn start_sweep(out: &str, more: &[&str]) -> Child {
    spawn(&[&SWEEP[..], &["--out", out], more].concat())
}

/// Starts a command in the background.
fn spawn(args: &[&str]) -> Child {
    Command::new(PROMPTSRC)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

fn output_of(child: Child) -> String {
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

fn table(out: &str, format: &str) -> String {
    promptsrc(&["bench", "table", out, "--format", format])
        .done()
        .stdout
}

/// Folders of a sweep that hold this file.
fn holding(out: &str, name: &str) -> Vec<String> {
    fn walk(folder: &str, name: &str, found: &mut Vec<String>) {
        if fs::metadata(below(folder, name)).is_ok() {
            found.push(folder.to_string());
        }
        for entry in names(folder) {
            let path = below(folder, &entry);
            if fs::metadata(&path).is_ok_and(|m| m.is_dir()) {
                walk(&path, name, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(out, name, &mut found);
    found
}

/// Both sweeps have the same results and adapters, and leave no temporary files.
#[track_caller]
fn same_runs(out: &str, whole: &str) {
    let runs = holding(whole, "result.json");
    assert_eq!(runs.len(), RUNS);
    for run in &runs {
        let other = run.replace(whole, out);
        for name in ["result.json", "adapter.safetensors", "state.safetensors"] {
            let read = |folder: &str| fs::read(below(folder, name)).ok();
            assert!(read(&other) == read(run), "{other} {name}");
        }
        no_partial_files(&other);
        assert!(
            !names(&other).contains(&".measuring".to_string()),
            "{other}"
        );
    }
    assert_eq!(holding(out, "result.json").len(), RUNS);
}

#[test]
fn the_table_does_not_depend_on_which_process_makes_the_runs() {
    let folder = scratch();
    let whole = below(&folder, "whole");
    let began = Instant::now();
    let expected = sweep(&whole, &[]).done().stdout;
    let length = began.elapsed();
    let json: Value = serde_json::from_str(&expected).expect("JSON");
    assert_eq!(json["complete"], true);
    assert_eq!(json["average"]["promptsrc"]["hm"]["runs"], 2);
    assert_eq!(table(&whole, "json"), expected);

    // Interrupted between the result and the end.
    let one = &holding(&whole, "result.json")[0];
    let measuring = below(one, ".measuring");
    fs::create_dir(&measuring).expect("a folder");
    fs::copy(below(one, "result.json"), below(&measuring, "result.json")).expect("a copy");
    assert_eq!(sweep(&whole, &[]).done().stdout, expected);
    assert!(!fs::exists(&measuring).expect("an answer"));

    // Killed in the middle, several times, and resumed.
    let killed = below(&folder, "killed");
    let mut kills = 0;
    for part in [3, 2, 4] {
        let child = start_sweep(&killed, &["--threads", "1"]);
        let began = Instant::now();
        kills += usize::from(kill_when(child, || began.elapsed() >= length / part));
    }
    let before = holding(&killed, "result.json").len();
    println!("{kills} kills in {length:?}, {before} of {RUNS} runs were finished");
    assert!(kills > 0, "the sweep is too short to be killed");
    assert_eq!(sweep(&killed, &["--threads", "1"]).done().stdout, expected);
    same_runs(&killed, &whole);

    // In three parts at once; none of them is the whole.
    let parts = below(&folder, "parts");
    let children = ["1/3", "2/3", "3/3"].map(|only| start_sweep(&parts, &["--only", only]));
    for child in children {
        output_of(child);
    }
    assert_eq!(table(&parts, "json"), expected);
    same_runs(&parts, &whole);

    // Two that both do all of it: each ends with the whole table.
    let both = below(&folder, "both");
    let children = [(); 2].map(|()| start_sweep(&both, &["--threads", "1"]));
    for child in children {
        assert_eq!(output_of(child), expected);
    }
    same_runs(&both, &whole);
    let started: usize = holding(&both, "log.jsonl")
        .iter()
        .map(|run| {
            let log = fs::read_to_string(below(run, "log.jsonl")).expect("a log");
            log.matches("\"event\":\"start\"").count()
        })
        .sum();
    assert_eq!(started, RUNS - 2, "a run was trained twice");

    for format in ["terminal", "markdown", "csv", "latex"] {
        let text = table(&whole, format);
        assert!(text.contains("surfaces"), "{text}");
        for out in [&killed, &parts, &both] {
            assert_eq!(table(out, format), text);
        }
    }
}

#[test]
fn a_run_whose_process_dies_is_taken_over_by_the_one_that_waits() {
    let folder = scratch();
    let start = |out: &str| {
        let args = [
            "bench",
            "base-to-novel",
            "--root",
            "world",
            "--json",
            "--shots=1",
        ];
        let more = [
            "--datasets=surfaces",
            "--methods=promptsrc",
            "--seeds=1",
            "--epochs=12",
        ];
        spawn(&[&args[..], &more, &["--out", out]].concat())
    };
    let whole = below(&folder, "whole");
    let expected = output_of(start(&whole));

    let out = below(&folder, "out");
    let run = below(&out, "base-to-novel/promptsrc/surfaces/shots_1/seed_1");
    let mut first = start(&out);
    wait_until(&mut first, || has_state(&run));
    let second = start(&out);
    std::thread::sleep(Duration::from_millis(300));
    kill(first);
    let killed = fs::metadata(below(&run, "result.json")).is_err();
    println!("killed before its end: {killed}");
    assert_eq!(output_of(second), expected);
    let same = |name: &str| {
        let read = |out: &str| {
            let run = "base-to-novel/promptsrc/surfaces/shots_1/seed_1";
            fs::read(below(below(out, run), name)).expect("a file")
        };
        assert!(read(&out) == read(&whole), "{name}");
    };
    same("result.json");
    same("adapter.safetensors");
}

#[test]
fn a_part_ends_with_a_table_that_says_it_is_partial_and_the_rest_completes_it() {
    let folder = scratch();
    let out = below(&folder, "out");
    let small = ["--methods=zero-shot,ivlp", "--seeds=1", "--epochs=1"];
    let run = |more: &[&str]| {
        let mut args = vec!["bench", "base-to-novel", "--root", "world", "--shots=1"];
        args.extend(["--datasets=surfaces,finegrained", "--out", &out]);
        args.extend(small);
        args.extend(more);
        promptsrc(&args).done()
    };
    let plan = run(&["--plan", "--json"]).json();
    let runs = plan["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|run| run["state"] == "new"));
    assert!(fs::metadata(&out).is_err(), "a plan does nothing");
    let first = run(&["--only", "1/2", "--plan", "--json"]).json();
    let first = first["runs"].as_array().expect("runs").len();
    assert!((1..4).contains(&first));

    let text = run(&["--only", "1/2"]).stdout;
    assert!(text.contains("Partial: "), "{text}");
    assert_eq!(holding(&out, "result.json").len(), first);
    let text = run(&[]).stdout;
    assert!(!text.contains("Partial"), "{text}");
    for word in ["surfaces", "finegrained", "average", "zero-shot", "ivlp"] {
        assert!(text.contains(word), "no {word} in {text}");
    }
    let plan = run(&["--plan", "--json"]).json();
    let runs = plan["runs"].as_array().expect("runs");
    assert!(runs.iter().all(|run| run["state"] == "finished"));
    assert!(
        plan["seconds_left"].as_f64().is_some_and(|s| s == 0.0),
        "{plan}"
    );

    // The same by `train` and `eval`.
    let ivlp = below(&out, "base-to-novel/ivlp/surfaces/shots_1/seed_1");
    let eval = [
        "eval",
        &ivlp,
        "--data",
        "world:surfaces",
        "--classes",
        "novel",
        "--json",
    ];
    let eval = promptsrc(&eval).done().json();
    let result = fs::read_to_string(below(&ivlp, "result.json")).expect("a result");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    assert_eq!(result["measured"][1]["correct"], eval["correct"]);
    assert_eq!(result["measured"][1]["total"], eval["total"]);
}

#[test]
fn the_other_protocols_learn_once_and_measure_every_target() {
    let folder = scratch();
    let out = below(&folder, "out");
    let run = |protocol: &str, more: &[&str]| {
        let mut args = vec!["bench", protocol, "--root", "world", "--out", &out];
        args.extend(["--seeds=1", "--epochs=1", "--json", "--quiet"]);
        args.extend(more);
        promptsrc(&args).done().json()
    };
    let few = [
        "--datasets=finegrained",
        "--shots=1,2",
        "--methods=zero-shot,promptsrc",
    ];
    let few = run("few-shot", &few);
    let row = &few["sets"]["finegrained"];
    assert!(
        row["promptsrc"]["2"]["mean"]
            .as_f64()
            .is_some_and(|v| v > 0.0),
        "{few}"
    );
    assert_eq!(row["zero-shot"]["1"], row["zero-shot"]["2"]);

    let one = ["--shots=1", "--methods=promptsrc"];
    let cross = run(
        "cross-dataset",
        &[&one[..], &["--datasets=surfaces,scenes"]].concat(),
    );
    let names: Vec<&String> = cross["sets"].as_object().expect("sets").keys().collect();
    assert_eq!(names, ["source", "scenes", "surfaces"]);
    let mean = |set: &str| cross["sets"][set]["promptsrc"]["accuracy"]["mean"].as_f64();
    let mean = [mean("scenes"), mean("surfaces")].map(|m| m.expect("a mean"));
    let average = cross["average"]["promptsrc"]["accuracy"]["mean"].as_f64();
    assert_eq!(average, Some((mean[0] + mean[1]) / 2.0));

    // More targets later: what was trained and evaluated before is kept.
    let run_folder = below(&out, "cross-dataset/promptsrc/source/shots_1/seed_1");
    let log = fs::read(below(&run_folder, "log.jsonl")).expect("a log");
    let more = ["--datasets=surfaces,scenes,finegrained"];
    let more = run("cross-dataset", &[&one[..], &more].concat());
    assert_eq!(more["sets"]["scenes"], cross["sets"]["scenes"]);
    assert!(more["sets"]["finegrained"].is_object());
    assert!(fs::read(below(&run_folder, "log.jsonl")).expect("a log") == log);

    // The other transfer has learned the same already.
    let shifted = ["--datasets=source-sketch,source-night"];
    let shifted = run("domain-generalization", &[&one[..], &shifted].concat());
    let names: Vec<&String> = shifted["sets"].as_object().expect("sets").keys().collect();
    assert_eq!(names, ["source", "source-night", "source-sketch"]);
    assert_eq!(shifted["sets"]["source"], cross["sets"]["source"]);
    let other = below(
        &out,
        "domain-generalization/promptsrc/source/shots_1/seed_1",
    );
    assert!(fs::read(below(other, "log.jsonl")).expect("a log") == log);

    let tables = promptsrc(&["bench", "table", &out, "--json"]).done().json();
    assert_eq!(tables.as_array().map(Vec::len), Some(3));
    let one = ["bench", "table", &out, "--json", "--protocol", "few-shot"];
    assert_eq!(promptsrc(&one).done().json(), few);
}

#[test]
fn a_changed_configuration_is_refused_and_wrong_options_are_named() {
    let folder = scratch();
    let out = below(&folder, "out");
    let run = |more: &[&str]| {
        let mut args = vec!["bench", "base-to-novel", "--root", "world", "--out", &out];
        args.extend([
            "--shots=1",
            "--seeds=1",
            "--datasets=finegrained",
            "--quiet",
        ]);
        args.extend(more);
        promptsrc(&args)
    };
    run(&["--methods=ivlp", "--epochs=1"]).done();
    let result = below(
        &out,
        "base-to-novel/ivlp/finegrained/shots_1/seed_1/result.json",
    );
    let before = fs::read(&result).expect("a result");
    // Nothing is made, not even what is new.
    run(&["--methods=zero-shot,ivlp", "--epochs=2"])
        .fails(
            1,
            &[
                "another configuration",
                "epochs: 1 in the folder, 2 requested",
            ],
        )
        .silent();
    run(&["--methods=ivlp", "--epochs=1", "--clip", &clip()])
        .fails(1, &["another configuration", "clip: "])
        .silent();
    assert!(fs::read(&result).expect("a result") == before);
    assert_eq!(holding(&out, "result.json").len(), 1);

    // So is that of a run that is not finished.
    fs::remove_file(&result).expect("a file");
    run(&["--methods=ivlp", "--epochs=1", "--lr=0.1"])
        .fails(1, &["another configuration", "lr: "])
        .silent();
    run(&["--methods=ivlp", "--epochs=1"]).done();
    assert!(fs::read(&result).expect("a result") == before);

    // A result file that is cut off.
    fs::write(&result, "{\"format_version\": 1, ").expect("room");
    for args in [
        &["bench", "table", &out][..],
        &["bench", "table", &out, "--json"],
    ] {
        promptsrc(args)
            .fails(1, &["result.json", "remove it"])
            .silent();
    }
    run(&["--methods=ivlp", "--epochs=1"])
        .fails(1, &["result.json"])
        .silent();

    run(&["--datasets=nothing"])
        .fails(2, &["--datasets", "nothing", "surfaces"])
        .silent();
    run(&["--methods=nothing"])
        .fails(2, &["--methods", "nothing", "ivlp"])
        .silent();
    // What a method does not have is refused as in `train`, whatever the others have.
    run(&["--methods=ivlp,promptsrc", "--gpa-mean=3"])
        .fails(2, &["--gpa-mean", "ivlp"])
        .silent();
    run(&["--methods=promptsrc,coop", "--vision-depth=3"])
        .fails(2, &["--vision-depth", "coop"])
        .silent();
    run(&["--methods=zero-shot", "--epochs=3"])
        .fails(2, &["--epochs", "zero-shot"])
        .silent();
    run(&["--methods=zero-shot", "--preset=few-shot"])
        .fails(2, &["--preset", "zero-shot"])
        .silent();
    run(&["--only=0/3"]).fails(2, &["--only", "I/N"]).silent();
    run(&["--only=4/3"]).fails(2, &["--only", "I/N"]).silent();
    run(&["--epochs=0"]).fails(2, &["--epochs"]).silent();
    let elsewhere = ["bench", "few-shot", "--root", &out];
    promptsrc(&elsewhere).fails(2, &["--clip"]).silent();
    promptsrc(&[&elsewhere[..], &["--clip", "mini"]].concat())
        .fails(1, &["ImageNet", "--datasets"])
        .silent();
    let nowhere = below(&folder, "nowhere");
    promptsrc(&["bench", "few-shot", "--root", &nowhere, "--clip", "mini"])
        .fails(1, &["--root", "nowhere"])
        .silent();
    promptsrc(&["bench", "table", &nowhere])
        .fails(1, &["nowhere"])
        .silent();
    promptsrc(&["bench", "table", &text(&folder)])
        .fails(1, &["no results"])
        .silent();
}

#[test]
fn a_folder_of_data_sets_is_a_root() {
    let folder = scratch();
    let root = below(&folder, "root");
    let export = ["world", "export", &root, "--sets", "surfaces"];
    promptsrc(&export).done();
    // In the place of a data set of the benchmark.
    fs::rename(below(&root, "surfaces"), below(&root, "dtd")).expect("a move");
    let out = below(&folder, "out");
    let args = [
        "bench",
        "base-to-novel",
        "--root",
        &root,
        "--clip",
        "mini",
        "--out",
        &out,
    ];
    let more = ["--datasets", "dtd", "--methods", "zero-shot", "--json"];
    let json = promptsrc(&[&args[..], &more].concat()).done().json();
    // In the place of DTD, with another CLIP: the published number is not set beside it.
    let base = &json["sets"]["DTD"]["zero-shot"]["base"];
    assert!(base["mean"].is_f64());
    assert_eq!(
        (&base["published"], &base["difference"]),
        (&Value::Null, &Value::Null)
    );
    let differs = json["comparison"]["DTD"]["zero-shot"]["differs"].to_string();
    for words in ["other CLIP (mini)", "of 864 base test images"] {
        assert!(differs.contains(words), "no {words} in {differs}");
    }
}
