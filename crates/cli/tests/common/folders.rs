//! Two folders that must hold the same: every byte, and the same story in the logs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{sorted, text};

/// Paths of all files below a folder, but for locks.
pub fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in sorted(folder) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name != ".lock") {
            found.insert(text(path));
        }
    }
    found
}

/// What a log tells, whenever it happened and however often its process was started.
fn told(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a log");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
    let mut events: Vec<Value> = text.lines().map(parse).collect();
    events.retain(|e| e["event"] != "start" && e["event"] != "end");
    for event in &mut events {
        event.as_object_mut().expect("an object").remove("seconds");
    }
    events
}

/// The files below two paths are the same. A path that is a file stands for itself.
#[track_caller]
pub fn same_files(here: &str, whole: &str) {
    if Path::new(whole).is_file() {
        let read = |path| fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        return assert!(read(here) == read(whole), "{here} differs");
    }
    let below = |folder: &str| -> BTreeSet<String> {
        let cut = |path: String| path[folder.len()..].to_string();
        files(folder.as_ref()).into_iter().map(cut).collect()
    };
    assert_eq!(below(here), below(whole));
    for name in below(whole) {
        let [here, whole] = [here, whole].map(|folder| format!("{folder}{name}"));
        if name.ends_with("log.jsonl") {
            assert_eq!(told(&here), told(&whole), "{here}");
            continue;
        }
        let read = |path: &str| fs::read(path).expect("a file");
        assert!(read(&here) == read(&whole), "{here} differs");
    }
}
