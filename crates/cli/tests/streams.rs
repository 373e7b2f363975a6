//! What goes to standard output and to standard error, and what happens if nobody reads it.

mod common;

use std::fs;

use common::*;

#[test]
fn a_reader_that_stops_is_not_a_failure() {
    let folder = scratch();
    let (run, clip, data) = (trained(folder.path()), clip(), images());
    for script in [
        "inspect \"$1\" | head -n 1",
        "inspect \"$1\" --json | head -c 1",
        "sample --data \"$2\" --shots 4 | true",
        "predict \"$3\" \"$2\" | head -n 1",
        "predict \"$3\" \"$2\" --json | true",
        "--help | true",
        "train --help | head -n 1",
    ] {
        // A pipe's exit code is the reader's, so that of the command is told on standard error.
        let (command, reader) = script.split_once('|').expect("a pipe");
        let script = format!("{{ \"$0\" {command}; echo \"code $?\" >&2; }} | {reader}");
        let ending = shell(&script, &[&clip, &data, &run]).done();
        assert!(ending.stderr.ends_with("code 0\n"), "{ending}");
        assert!(!ending.stderr.contains("error"), "{ending}");
    }
}

#[test]
fn a_standard_output_that_is_full_is_a_failure() {
    if !fs::exists("/dev/full").unwrap_or(false) {
        println!("skipped: there is no /dev/full");
        return;
    }
    shell("\"$0\" inspect \"$1\" >/dev/full", &[&clip()]).fails(1, &["standard output"]);
}

#[test]
fn closed_streams_do_not_keep_a_run_from_being_saved() {
    let folder = scratch();
    for (i, script) in [">&-", "2>&-", ">&- 2>&-", "<&-", "| true", "2>&1 | true"]
        .iter()
        .enumerate()
    {
        let run = below(&folder, &i.to_string());
        let script = format!(
            "\"$0\" train --clip \"$1\" --data \"$2\" --shots 2 --epochs 2 --out \"$3\" {script}"
        );
        shell(&script, &[&clip(), &images(), &run]).done();
        // After a pipe the shell does not wait for the command itself.
        for _ in 0..1000 {
            if fs::exists(below(&run, "metrics.json")).unwrap_or(false) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(
            names(&run).contains(&"adapter.safetensors".to_string()),
            "{script}"
        );
    }
}

#[test]
fn json_is_alone_on_standard_output_and_warnings_are_on_standard_error() {
    let folder = scratch();
    let run = below(&folder, "run");
    // Sixteen shots of classes that have six: a warning.
    let ending = train(&run, &["--shots", "16", "--json"]).done();
    assert!(ending.json().is_object());
    assert!(ending.stderr.contains("warning: "), "{ending}");
    let data = images();
    for args in [
        vec!["eval", &run, "--data", &data, "--json"],
        vec!["predict", &run, &data, "--json"],
        vec!["inspect", &run, "--json"],
        vec!["sample", "--data", &data, "--shots", "1", "--json"],
    ] {
        let ending = promptsrc(&args).done();
        assert!(!ending.json().is_null());
        // Not a terminal: no bars, no colours.
        assert!(
            !ending.stderr.contains('\x1b') && !ending.stderr.contains('\r'),
            "{ending}"
        );
    }
}
