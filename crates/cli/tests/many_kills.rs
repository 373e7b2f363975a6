//! Trainings and a sweep that are killed again and again at random moments end with the bytes of those that
//! were not.
//!
//! A hundred kills: `cargo test --release --locked -p promptsrc-cli --test many_kills -- --ignored --nocapture`.

mod common;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::folders::same_files;
use common::*;

/// Random moments of a seed (xorshift).
struct Moments(u64);

impl Moments {
    fn next(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        most.mul_f64((self.0 % 1000) as f64 / 1000.0)
    }
}

fn spawn(line: &[&str], out: &str) -> Child {
    Command::new(PROMPTSRC)
        .args(line)
        .args(["--out", out])
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

/// Kills a command this many times, beginning anew where it comes to its end before; then lets it end. How
/// many ends there were, each with the bytes of the undisturbed one.
fn killed(name: &str, line: &[&str], kills: usize, seed: u64) -> usize {
    let folder = scratch();
    let (whole, run) = (below(&folder, "whole"), below(&folder, "run"));
    let began = Instant::now();
    assert!(spawn(line, &whole).wait().expect("an end").success());
    let length = began.elapsed();
    let (mut moments, mut done, mut equal) = (Moments(seed), 0, 0);
    while done < kills {
        let wait = moments.next(length / 2);
        let began = Instant::now();
        let child = spawn(line, &run);
        match kill_when(child, || began.elapsed() >= wait) {
            true => done += 1,
            false => {
                same_files(&run, &whole);
                equal += 1;
                fs::remove_dir_all(&run).expect("a folder of its own");
            }
        }
    }
    assert!(spawn(line, &run).wait().expect("an end").success());
    same_files(&run, &whole);
    equal += 1;
    println!(
        "{name}: {kills} kills (seed {seed}) of {length:?}, {equal} ends, all with equal bytes"
    );
    equal
}

fn trainings(methods: &[&str], kills: usize) {
    let (clip, data) = (clip(), images());
    let line = ["train", "--clip", &clip, "--data", &data, "--shots", "2"];
    let line = [&line[..], &["--resume", "--quiet"]].concat();
    for (seed, method) in (1..).zip(methods) {
        let options: &[&str] = match *method {
            "tip-adapter" => &["--method", "tip-adapter"],
            "promptsrc-of-mini" => &["--clip", "mini", "--epochs", "6"],
            method => &["--method", method, "--epochs", "30"],
        };
        let mut line = line.clone();
        if options.contains(&"--clip") {
            line.drain(1..3);
        }
        killed(method, &[&line[..], options].concat(), kills, seed);
    }
}

fn sweep(kills: usize) {
    let line = [
        "bench",
        "base-to-novel",
        "--root",
        "world",
        "--datasets=finegrained",
        "--methods=zero-shot,coop,lp++",
        "--seeds=1,2",
        "--shots=1",
        "--epochs=2",
        "--threads=1",
        "--quiet",
    ];
    killed("bench", &line, kills, 9);
}

#[test]
fn some_kills() {
    trainings(&["clip-adapter"], 5);
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_kills() {
    let methods = [
        "promptsrc",
        "promptsrc-of-mini",
        "ivlp",
        "coop",
        "cocoop",
        "maple",
        "kgcoop",
        "prograd",
    ];
    trainings(&methods, 10);
    sweep(20);
}
