//! A run killed at any moment resumes and ends with the same bytes as one that was not.

mod common;

use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::*;
use serde_json::Value;

const EPOCHS: usize = 40;

fn finish(run: &str) {
    let status = start(run, EPOCHS, &["--resume"]).wait().expect("an end");
    assert!(status.success(), "{status}");
}

fn log(run: &str) -> Vec<Value> {
    let text = fs::read_to_string(below(run, "log.jsonl")).expect("a log");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
    text.lines().map(parse).collect()
}

/// The files of two runs are equal, and the log tells each epoch and step once, in order.
#[track_caller]
fn same(run: &str, whole: &str) {
    for name in [
        "adapter.safetensors",
        "state.safetensors",
        "metrics.json",
        "config.toml",
    ] {
        let read = |run| fs::read(below(run, name)).expect("a file");
        assert!(read(run) == read(whole), "{name} differs");
    }
    no_partial_files(run);
    // All but times and the events of a process's start and end.
    let told = |run| -> Vec<Value> {
        let mut events = log(run);
        events.retain(|e| e["event"] != "start" && e["event"] != "end");
        for event in &mut events {
            event.as_object_mut().expect("an object").remove("seconds");
        }
        events
    };
    let (told, expected) = (told(run), told(whole));
    let epochs: Vec<u64> = told
        .iter()
        .filter(|e| e["event"] == "epoch")
        .filter_map(|e| e["epoch"].as_u64())
        .collect();
    assert_eq!(epochs, (1..=EPOCHS as u64).collect::<Vec<_>>());
    assert_eq!(told, expected);
}

#[test]
fn kills_at_random_moments_do_not_change_a_byte() {
    let folder = scratch();
    let (whole, run) = (below(&folder, "whole"), below(&folder, "run"));
    let began = Instant::now();
    finish(&whole);
    let length = began.elapsed();
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .subsec_nanos();
    let mut random = u64::from(seed) | 1;
    let mut kills = 0;
    for _ in 0..12 {
        // Xorshift; up to a third of the whole run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let wait = length.mul_f64((random % 1000) as f64 / 3000.0);
        let began = Instant::now();
        match kill_when(start(&run, EPOCHS, &["--resume"]), || {
            began.elapsed() >= wait
        }) {
            true => kills += 1,
            false => break,
        }
    }
    println!("{kills} kills (random seed {seed}), of a run of {length:?}");
    assert!(
        kills >= 2,
        "the run is too short to be killed in its course"
    );
    finish(&run);
    same(&run, &whole);
}

#[test]
fn a_killed_run_of_each_method_ends_with_the_bytes_of_a_whole_one() {
    let folder = scratch();
    for method in ["ivlp", "coop", "cocoop", "maple", "kgcoop", "prograd"] {
        let (whole, run) = (
            below(&folder, &format!("{method}-whole")),
            below(&folder, &format!("{method}-run")),
        );
        let start = |run: &str| start(run, EPOCHS, &["--resume", "--method", method]);
        assert!(start(&whole).wait().expect("an end").success());
        assert!(kill_when(start(&run), || has_state(&run)));
        assert!(start(&run).wait().expect("an end").success());
        same(&run, &whole);
        let correct = |run: &str| {
            let eval = promptsrc(&["eval", run, "--data", &images(), "--json"]);
            eval.done().json()["correct"].as_u64().expect("a count")
        };
        assert_eq!(correct(&run), correct(&whole));
    }
}

#[test]
fn kills_while_a_file_is_being_saved_do_not_change_a_byte() {
    let folder = scratch();
    let (whole, run) = (below(&folder, "whole"), below(&folder, "run"));
    finish(&whole);
    let saving = || {
        let part = |name: &String| name.ends_with(".part");
        Path::new(&run).exists() && names(&run).iter().any(part)
    };
    let (mut kills, mut caught) = (0, 0);
    for _ in 0..6 {
        if !kill_when(start(&run, EPOCHS, &["--resume"]), saving) {
            break;
        }
        kills += 1;
        caught += usize::from(saving());
    }
    println!("{kills} kills, {caught} of them left a file half written");

    // What such a kill leaves, whether or not the moment was hit.
    let state = fs::read(below(&whole, "state.safetensors")).expect("a state");
    let half = below(&run, ".promptsrc-half.part");
    fs::write(half, &state[..state.len() / 2]).expect("room");
    finish(&run);
    same(&run, &whole);
}

#[test]
fn a_kill_before_the_first_epoch_is_saved_leaves_a_folder_to_start_in() {
    let folder = scratch();
    let (whole, run) = (below(&folder, "whole"), below(&folder, "run"));
    finish(&whole);
    let log_begins = || fs::metadata(below(&run, "log.jsonl")).is_ok();
    assert!(kill_when(start(&run, EPOCHS, &[]), log_begins));
    finish(&run);
    same(&run, &whole);
}

#[test]
fn half_a_line_of_a_log_is_removed() {
    let folder = scratch();
    let (whole, run) = (below(&folder, "whole"), below(&folder, "run"));
    finish(&whole);
    assert!(kill_when(start(&run, EPOCHS, &[]), || has_state(&run)));
    let file = below(&run, "log.jsonl");
    let mut log = fs::read_to_string(&file).expect("a log");
    log += "{\"event\":\"step\",\"epoch\":39,\"step\":1,\"tot";
    fs::write(&file, log).expect("room");
    finish(&run);
    same(&run, &whole);
}
