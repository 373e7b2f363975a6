//! A disk that fails at any call: exit code 1 and the file's name, never a damaged file under a final name,
//! and the same line ends with the same bytes once the disk works again.
//!
//! More of them: `cargo test --release --locked -p promptsrc-cli --test disk_errors -- --ignored --nocapture`.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::folders::{files, same_files};
use common::*;

/// What can fail, and the names of the settings in `fixtures/disk_errors.c`.
const CALLS: [&str; 5] = ["open", "write", "short", "sync", "rename"];
/// No space, an error of the device, over quota, read-only (of Linux).
const NUMBERS: [&str; 4] = ["28", "5", "122", "30"];

/// The library that lets calls fail.
fn library(folder: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/disk_errors.c");
    let library = below(folder, "disk_errors.so");
    let made = Command::new("cc")
        .args([
            "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", &library,
        ])
        .arg(source)
        .arg("-ldl")
        .output()
        .expect("a C compiler, which building the command needs as well");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    library
}

/// Runs a command while one call below a folder fails, and counts those that could have.
struct Disk {
    library: String,
    count: String,
}

impl Disk {
    fn run(
        &self,
        below: &str,
        args: &[&str],
        call: &str,
        at: usize,
        number: &str,
    ) -> (Ending, usize) {
        let _ = fs::remove_file(&self.count);
        let script = "export LD_PRELOAD=\"$1\" DISK_ERROR_BELOW=\"$2\" DISK_ERROR_CALL=\"$3\" \
                      DISK_ERROR_AT=\"$4\" DISK_ERROR_NUMBER=\"$5\" DISK_ERROR_COUNT=\"$6\"; \
                      shift 6; exec \"$0\" \"$@\"";
        let at = at.to_string();
        let settings = [&self.library, below, call, &at, number, &self.count];
        let ending = shell(script, &[&settings[..], args].concat());
        let count = fs::metadata(&self.count).map_or(0, |m| m.len() as usize);
        (ending, count)
    }
}

/// A command that writes: its line for an output below a folder, and that of the next try.
struct Job {
    name: &'static str,
    line: Vec<String>,
    again: Vec<&'static str>,
}

fn jobs(folder: &Path) -> Vec<Job> {
    let (clip, data) = (clip(), images());
    let job = |name, line: &[&str], again: &[&'static str]| Job {
        name,
        line: line.iter().map(|word| word.to_string()).collect(),
        again: again.to_vec(),
    };
    let trained = trained(folder);
    let train = [
        "train", "--clip", &clip, "--data", &data, "--shots", "1", "--quiet",
    ];
    let prompts = [&train[..], &["--epochs", "3", "--out", "OUT/run"]].concat();
    let head = [
        &train[..],
        &["--method", "clap", "--epochs", "2", "--out", "OUT/run"],
    ]
    .concat();
    let sweep = [
        "bench",
        "base-to-novel",
        "--root=world",
        "--datasets=finegrained",
        "--methods=zero-shot,coop",
        "--seeds=1",
        "--shots=1",
        "--epochs=2",
        "--quiet",
        "--out",
        "OUT/sweep",
    ];
    let embed = [
        "embed",
        "--clip",
        &clip,
        "--images",
        &data,
        "--out",
        "OUT/f.safetensors",
    ];
    let report = [
        "eval",
        &trained,
        "--clip",
        &clip,
        "--data",
        &data,
        "--report-dir",
        "OUT/report",
    ];
    vec![
        job("train", &prompts, &["--resume"]),
        job("train a head", &head, &["--resume"]),
        job("bench", &sweep, &[]),
        job("embed", &embed, &["--force"]),
        job(
            "convert",
            &["convert", &trained, "OUT/checkpoint"],
            &["--force"],
        ),
        job(
            "world clip",
            &["world", "clip", "OUT/clip.safetensors"],
            &["--force"],
        ),
        job("report", &report, &["--force"]),
    ]
}

/// Lets calls of each kind fail, `most` of them spread over each job's.
fn failing(most: usize, with_sweep: bool) {
    let folder = scratch();
    let disk = Disk {
        library: library(folder.path()),
        count: below(&folder, "count"),
    };
    let (mut errors, mut equal) = (0, 0);
    let jobs = jobs(folder.path()).into_iter();
    for (place, job) in jobs
        .filter(|job| with_sweep || job.name != "bench")
        .enumerate()
    {
        let line = |out: &str| -> Vec<String> {
            let words = job.line.iter();
            words.map(|word| word.replace("OUT", out)).collect()
        };
        for call in CALLS {
            let whole = scratch();
            let out = text(whole.path());
            let words = line(&out);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (ending, count) = disk.run(&out, &words, call, 0, "5");
            ending.done();
            assert!(count > 0, "{}: no call of the kind {call}", job.name);
            let tries = most.min(count);
            for try_ in 0..tries {
                // The first and the last, and others between.
                let at = match tries {
                    1 => 1 + place % count,
                    _ => 1 + try_ * (count - 1) / (tries - 1),
                };
                let number = NUMBERS[(try_ + at) % NUMBERS.len()];
                let here = scratch();
                let out = text(here.path());
                let words = line(&out);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let what = format!("{}: {call} {at} of {count} fails with {number}", job.name);
                let (ending, _) = disk.run(&out, &words, call, at, number);
                println!("{what}");
                ending.fails(1, &[&out]);
                errors += 1;
                for file in files(here.path()) {
                    assert!(!file.ends_with(".part"), "{what}: {file} is left");
                }
                promptsrc(&[&words[..], &job.again].concat()).done();
                same_files(&out, &text(whole.path()));
                equal += 1;
            }
        }
    }
    println!("{errors} errors, {equal} with equal bytes afterwards");
}

#[test]
fn a_disk_error_is_named_and_the_next_try_ends_with_the_same_bytes() {
    failing(1, false);
}

#[test]
#[ignore = "takes minutes"]
fn many_disk_errors_are_named() {
    failing(4, true);
}
