//! `train --tensorboard`: event files say what the log says, also of a run that was killed and resumed.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::*;
use promptsrc_tensorboard::messages::{Event, SessionStatus, What};
use promptsrc_tensorboard::{RecordError, records};
use prost::Message as _;
use serde_json::Value;

/// Values by name and step.
type Scalars = BTreeMap<String, BTreeMap<i64, f32>>;

/// The messages of a file up to where a kill has cut it.
fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).expect("a file");
    let whole = match records(&bytes) {
        Err(RecordError::Truncated { at }) => &bytes[..at],
        Ok(_) => &bytes,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let messages = records(whole).expect("records").into_iter();
    messages
        .map(|bytes| Event::decode(bytes).expect("an event"))
        .collect()
}

/// What TensorBoard shows of a folder: a training that starts at a step takes back what earlier files
/// have of it and of later steps.
fn shown(folder: &str) -> Scalars {
    let mut scalars = Scalars::new();
    for path in sorted(folder.as_ref()) {
        let events = events(&path);
        let first = events.first().and_then(|event| event.what.clone());
        assert_eq!(first, Some(What::FileVersion("brain.Event:2".to_string())));
        let mut last = f64::MIN;
        for event in events {
            assert!(event.wall_time >= last);
            last = event.wall_time;
            match event.what {
                Some(What::SessionLog(log)) if log.status == i32::from(SessionStatus::Start) => {
                    scalars
                        .values_mut()
                        .for_each(|values| values.retain(|step, _| *step < event.step));
                }
                Some(What::Summary(summary)) => {
                    for value in summary.value {
                        let steps = scalars.entry(value.tag).or_default();
                        let known = steps.insert(event.step, value.simple_value.expect("a value"));
                        assert_eq!(known, None, "a step twice");
                    }
                }
                _ => {}
            }
        }
    }
    scalars
}

/// What the log of a run with PromptSRC's losses says.
fn logged(run: &str) -> Scalars {
    let mut scalars = Scalars::new();
    let mut add = |tag: &str, step: i64, value: &Value| {
        let value = value.as_f64().expect("a number") as f32;
        scalars
            .entry(tag.to_string())
            .or_default()
            .insert(step, value);
    };
    let log = fs::read_to_string(below(run, "log.jsonl")).expect("a log");
    let mut steps = 0;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let epoch = event["epoch"].as_i64().unwrap_or(0);
        match event["event"].as_str() {
            Some("start") => steps = event["steps"].as_i64().expect("steps"),
            Some("step") => {
                let step = (epoch - 1) * steps + event["step"].as_i64().expect("a step");
                add("loss/total", step, &event["total"]);
                add("loss/cross_entropy", step, &event["ce"]);
                add("loss/text", step, &event["scl_text"]);
                add("loss/image", step, &event["scl_image"]);
                add("loss/logits", step, &event["scl_logits"]);
            }
            Some("epoch") => {
                add("learning_rate", epoch * steps, &event["lr"]);
                add("epoch/mean_loss", epoch * steps, &event["total"]);
                add("epoch/number", epoch * steps, &event["epoch"]);
            }
            _ => {}
        }
    }
    scalars
}

#[test]
fn an_event_file_says_what_the_log_says() {
    let folder = scratch();
    let run = below(&folder, "run");
    train(&run, &["--epochs", "3", "--tensorboard"]).done();
    let board = below(&run, "tensorboard");
    let found = shown(&board);
    assert_eq!(found.len(), 8, "{:?}", found.keys());
    assert!(found["loss/total"].len() > 3 && found["learning_rate"].len() == 3);
    assert_eq!(found, logged(&run));
    // A run that is finished leaves no other file.
    train(&run, &["--epochs", "3", "--tensorboard", "--resume"]).done();
    assert_eq!(names(&board).len(), 1);
    // Another folder; the values are the same.
    let (other, chosen) = (below(&folder, "other"), below(&folder, "events/of"));
    train(&other, &["--epochs", "3", "--tensorboard", &chosen]).done();
    assert_eq!(shown(&chosen), found);
    assert!(!names(&other).contains(&"tensorboard".to_string()));
}

#[test]
fn a_run_that_is_killed_and_resumed_loses_no_step_and_has_none_twice() {
    let folder = scratch();
    let run = below(&folder, "run");
    let log = below(&run, "log.jsonl");
    let epochs_done = || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.matches("\"event\":\"epoch\"").count()
    };
    let mut killed = 0;
    for epochs in [1, 7, 20] {
        let child = start(&run, 40, &["--tensorboard", "--resume"]);
        killed += usize::from(kill_when(child, || epochs_done() >= epochs));
    }
    let status = start(&run, 40, &["--tensorboard", "--resume"])
        .wait()
        .expect("an end");
    assert!(status.success() && killed > 0, "{killed} kills, {status}");
    let board = below(&run, "tensorboard");
    assert!(names(&board).len() > 1);
    assert_eq!(shown(&board), logged(&run));
}

#[test]
fn a_head_has_the_losses_of_its_fit_and_its_accuracy() {
    let folder = scratch();
    let run = below(&folder, "run");
    let (clip, data) = (clip(), images());
    let args = [
        "train",
        "--clip",
        &clip,
        "--data",
        &data,
        "--shots",
        "2",
        "--out",
        &run,
        "--tensorboard",
    ];
    promptsrc(&[&args[..], &["--method", "tip-adapter-f"]].concat()).done();
    let found = shown(&below(&run, "tensorboard"));
    let log = fs::read_to_string(below(&run, "log.jsonl")).expect("a log");
    let fits: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|event| event["event"] == "fit")
        .collect();
    assert!(!fits.is_empty());
    let losses: Vec<f32> = found["loss/total"].values().copied().collect();
    let expected: Vec<f32> = fits
        .iter()
        .map(|fit| fit["loss"].as_f64().expect("a loss") as f32)
        .collect();
    assert_eq!(losses, expected);
    let metrics = fs::read(below(&run, "metrics.json")).expect("metrics");
    let metrics: Value = serde_json::from_slice(&metrics).expect("JSON");
    let accuracy = metrics["validation_accuracy"]
        .as_f64()
        .expect("an accuracy") as f32;
    let last = found["metrics/validation_accuracy"]
        .values()
        .next_back()
        .copied();
    assert_eq!(last, Some(accuracy));
}

#[test]
fn a_file_in_the_way_is_named_before_the_training() {
    let folder = scratch();
    let (run, file) = (below(&folder, "run"), below(&folder, "file"));
    fs::write(&file, "").expect("room");
    train(&run, &["--tensorboard", &file]).fails(1, &["--tensorboard", "is a file"]);
    assert!(!Path::new(&run).exists());
}

#[test]
fn tensorboard_reads_what_was_written() {
    let python = std::env::var("PROMPTSRC_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let wanted = ["-c", "import tensorboard"];
    if !Command::new(&python)
        .args(wanted)
        .output()
        .is_ok_and(|done| done.status.success())
    {
        eprintln!(
            "SKIPPED: event files in TensorBoard: {python} has no tensorboard (PROMPTSRC_PYTHON names \
             another Python)"
        );
        return;
    }
    let folder = scratch();
    let run = below(&folder, "run");
    let log = below(&run, "log.jsonl");
    let child = start(&run, 40, &["--tensorboard"]);
    let begun = || {
        fs::read_to_string(&log).is_ok_and(|text| text.matches("\"event\":\"epoch\"").count() > 3)
    };
    kill_when(child, begun);
    let status = start(&run, 40, &["--tensorboard", "--resume"])
        .wait()
        .expect("an end");
    assert!(status.success(), "{status}");
    let script = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
board = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})
board.Reload()
tags = board.Tags()['scalars']
print(json.dumps({tag: [[s.step, s.value] for s in board.Scalars(tag)] for tag in tags}))
";
    let done = Command::new(&python)
        .args(["-c", script, &below(&run, "tensorboard")])
        .output()
        .expect("Python starts");
    let failed = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{failed}");
    let found: BTreeMap<String, Vec<(i64, f32)>> =
        serde_json::from_slice(&done.stdout).expect("JSON");
    let expected: BTreeMap<String, Vec<(i64, f32)>> = logged(&run)
        .into_iter()
        .map(|(tag, values)| (tag, values.into_iter().collect()))
        .collect();
    assert!(expected["loss/total"].len() > 40);
    assert_eq!(found, expected);
    println!("TensorBoard reads {} tags", found.len());
}
