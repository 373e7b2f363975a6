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

/// Sends a signal to a process that runs.
#[cfg(unix)]
fn signal(child: &std::process::Child, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

#[cfg(unix)]
#[test]
fn a_run_told_to_stop_ends_with_75_in_the_middle_of_an_epoch_and_goes_on_there() {
    let folder = scratch();
    let whole = below(&folder, "whole");
    let began = Instant::now();
    finish(&whole);
    let length = began.elapsed();
    let run = below(&folder, "run");
    let (mut stops, mut within) = (0, 0);
    for moment in 0..10 {
        let mut child = start(&run, EPOCHS, &["--resume"]);
        // From the start of the process to a third of a run.
        let wait = length.mul_f64(f64::from(moment * 7 % 10) / 30.0);
        let began = Instant::now();
        let watching = || has_state(&run) || Path::new(&run).join("config.toml").exists();
        if !wait_until(&mut child, || watching() && began.elapsed() >= wait) {
            break;
        }
        signal(&child, if moment % 2 == 0 { "TERM" } else { "INT" });
        let code = child.wait().expect("an end").code();
        if code == Some(0) {
            break;
        }
        assert_eq!(code, Some(75), "after {wait:?}");
        stops += 1;
        let state = promptsrc(&["inspect", &below(&run, "state.safetensors"), "--json"]);
        within += usize::from(state.done().json()["step"].as_u64().is_some());
    }
    println!("{stops} stops, {within} of them within an epoch");
    assert!(stops >= 2 && within >= 1, "{stops} stops, {within} within");
    finish(&run);
    same(&run, &whole);
}

#[cfg(unix)]
#[test]
fn a_stopped_command_says_how_to_go_on_and_a_second_signal_ends_it_at_once() {
    let folder = scratch();
    let run = below(&folder, "run");
    let script = "\"$0\" train --clip \"$1\" --data \"$2\" --out \"$3\" --shots 2 --epochs 4000 & \
                  child=$!; while [ ! -e \"$3/state.safetensors\" ]; do sleep 0.02; done; \
                  kill -TERM $child; wait $child";
    let ending = shell(script, &[&clip(), &images(), &run]);
    let ending = ending.fails(75, &["--resume", &run, "stopped in epoch"]);
    assert!(ending.stderr.contains("SIGTERM"), "{ending}");

    // One that does not come to the end of its step: the second signal has its usual effect.
    let slow = below(&folder, "slow");
    let script = "\"$0\" train --clip \"$1\" --data \"$2\" --out \"$3\" --shots 2 --epochs 4000 --quiet & \
                  child=$!; while [ ! -e \"$3/state.safetensors\" ]; do sleep 0.02; done; \
                  kill -STOP $child; kill -TERM $child; kill -INT $child; kill -CONT $child; wait $child";
    let ending = shell(script, &[&clip(), &images(), &slow]);
    let code = ending.code.expect("a code");
    assert!([75, 128 + 2, 128 + 15].contains(&code), "{ending}");
}

#[cfg(unix)]
#[test]
fn a_fit_told_to_stop_ends_at_its_next_step() {
    let folder = scratch();
    let run = below(&folder, "run");
    for again in ["", "--resume"] {
        // Until this process has written of its fit.
        let script = "touch \"$3.before\"; \
                      \"$0\" train --method clip-adapter --clip \"$1\" --data \"$2\" --out \"$3\" --shots 2 \
                      --epochs 1000000 --quiet $4 & child=$!; \
                      until [ \"$3/log.jsonl\" -nt \"$3.before\" ] && \
                      tail -n 1 \"$3/log.jsonl\" | grep -q '\"fit\"'; do \
                      kill -0 $child || exit 1; sleep 0.02; done; \
                      kill -TERM $child; wait $child";
        let ending = shell(script, &[&clip(), &images(), &run, again]);
        let ending = ending.fails(75, &["--resume", "after the features of"]);
        assert!(!ending.stderr.contains("takes too long"), "{ending}");
    }
}

#[cfg(unix)]
#[test]
fn a_sweep_told_to_stop_goes_on_where_it_was() {
    let folder = scratch();
    let (whole, part) = (below(&folder, "whole"), below(&folder, "part"));
    let sweep = |out: &str| {
        let mut command = std::process::Command::new(PROMPTSRC);
        command
            .args([
                "bench",
                "base-to-novel",
                "--root",
                "world",
                "--datasets=surfaces,finegrained",
            ])
            .args([
                "--methods=zero-shot,promptsrc,clap",
                "--seeds=1,2",
                "--shots=1",
                "--epochs=2",
            ])
            .args(["--quiet", "--json", "--out", out])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().expect("the command starts")
    };
    let began = Instant::now();
    let expected = sweep(&whole).wait_with_output().expect("an end");
    assert!(expected.status.success());
    let length = began.elapsed();
    let mut stops = 0;
    for moment in 1..8 {
        let mut child = sweep(&part);
        let began = Instant::now();
        let wait = length.mul_f64(f64::from(moment) / 24.0);
        if !wait_until(&mut child, || began.elapsed() >= wait) {
            break;
        }
        signal(&child, "TERM");
        let ended = child.wait_with_output().expect("an end");
        match ended.status.code() {
            Some(0) => break,
            code => assert_eq!(code, Some(75), "{}", String::from_utf8_lossy(&ended.stderr)),
        }
        assert!(String::from_utf8_lossy(&ended.stderr).contains("the same command goes on"));
        stops += 1;
    }
    assert!(stops >= 1, "the sweep of {length:?} was never stopped");
    let found = sweep(&part).wait_with_output().expect("an end");
    assert!(found.status.success());
    assert_eq!(found.stdout, expected.stdout);
}

#[test]
fn a_run_that_is_continued_elsewhere_names_both_machines() {
    let folder = scratch();
    let run = below(&folder, "run");
    let start = |threads: &str| start(&run, EPOCHS, &["--resume", "--threads", threads]);
    assert!(kill_when(start("1"), || has_state(&run)));
    assert!(start("2").wait().expect("an end").success());
    // Nothing is left to do here.
    assert!(start("3").wait().expect("an end").success());
    let found = promptsrc(&["inspect", &run, "--json"]).done().json();
    let machines = found["trained_on"].as_array().expect("machines");
    let threads: Vec<&Value> = machines.iter().map(|of| &of["threads"]).collect();
    assert_eq!(threads, [1, 2]);
}
