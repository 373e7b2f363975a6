//! `promptsrc data check`: checks which of the paper's data sets are in a folder, and whether they
//! are complete.

use promptsrc_datasets::{Part, PartCheck, SetCheck, SetState, check};
use serde_json::{Value, json};

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output::Printer;

pub fn run(args: &CheckArgs, printer: &Printer) -> Result<(), Failure> {
    let root = &args.root;
    // Without this a wrong root would be reported as 15 missing data sets.
    std::fs::read_dir(root).map_err(|e| Failure::failed(format!("{}: {e}", root.display())))?;
    let checks = check(root);
    let json: Vec<Value> = checks.iter().map(as_json).collect();
    printer.answer(&json, || as_text(&checks))?;
    let state = |state| checks.iter().filter(move |check| check.state == state);
    let broken: Vec<&str> = state(SetState::Broken)
        .map(|c| c.set.published_name)
        .collect();
    if !broken.is_empty() {
        return Err(Failure::failed(format!(
            "{}: incomplete: {}",
            root.display(),
            broken.join(", ")
        )));
    }
    if state(SetState::Absent).count() == checks.len() {
        printer.warning(&format!(
            "{}: none of the data sets' folders exists (imagenet, caltech-101, oxford_pets, ...)",
            root.display()
        ));
    }
    Ok(())
}

fn state_name(state: SetState) -> &'static str {
    match state {
        SetState::Absent => "absent",
        SetState::Whole => "whole",
        SetState::Broken => "broken",
    }
}

fn as_json(check: &SetCheck) -> Value {
    let parts = Part::ALL
        .into_iter()
        .zip(&check.parts)
        .map(|(part, counts)| {
            let PartCheck {
                found,
                listed,
                expected,
            } = counts;
            let counts = json!({ "found": found, "listed": listed, "expected": expected });
            (part.to_string(), counts)
        });
    let halves = |halves: Option<(usize, usize)>| {
        halves.map(|(base, novel)| json!({ "base": base, "novel": novel }))
    };
    let downloads = check.downloads.iter();
    let few_shot_files = check.few_shot_files.iter();
    json!({
        "name": check.set.name,
        "published_name": check.set.published_name,
        "folder": check.folder,
        "state": state_name(check.state),
        "source": check.source,
        "split": check.split,
        "classes": { "found": check.classes, "expected": check.set.classes },
        "parts": parts.collect::<serde_json::Map<_, _>>(),
        "test": {
            "found": halves(check.test_halves),
            "expected": halves(check.set.test_halves),
        },
        "problems": check.problems,
        "notes": check.notes,
        "downloads": downloads.map(|d| json!({
            "path": d.path,
            "address": d.address,
            "optional": d.optional,
        })).collect::<Vec<_>>(),
        "few_shot_files": few_shot_files.map(|f| json!({
            "file": f.file,
            "shots": f.shots,
            "seed": f.seed,
            "equal": f.equal,
        })).collect::<Vec<_>>(),
    })
}

/// A table of all data sets, then a paragraph for each that has problems, notes or missing files.
fn as_text(checks: &[SetCheck]) -> String {
    let mut rows =
        vec![["", "folder", "", "split", "classes", "train", "val", "test"].map(String::from)];
    for check in checks {
        let part = |counts: &PartCheck| match (check.state, counts.expected) {
            (_, 0) => "-".to_string(),
            (SetState::Absent, expected) => expected.to_string(),
            (_, expected) => of(counts.found, expected),
        };
        let [train, val, test] = &check.parts;
        let classes = match check.state {
            SetState::Absent => check.set.classes.to_string(),
            _ => of(check.classes, check.set.classes),
        };
        rows.push([
            check.set.published_name.to_string(),
            check.set.folder.to_string(),
            state_name(check.state).to_string(),
            check
                .split
                .as_ref()
                .map_or("-", |split| split.origin.name())
                .to_string(),
            classes,
            part(train),
            part(val),
            part(test),
        ]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            line += &match column {
                0..4 => format!("{cell:width$}  "),
                _ => format!("{cell:>width$}  "),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    for check in checks {
        text += &paragraph(check);
    }
    text
}

/// `20 of 47`, or only the number if nothing is missing.
fn of(found: usize, expected: usize) -> String {
    match found == expected {
        true => found.to_string(),
        false => format!("{found} of {expected}"),
    }
}

fn paragraph(check: &SetCheck) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(check.problems.iter().map(|p| format!("broken: {p}")));
    if check.state != SetState::Absent {
        if let Some((base, novel)) = check
            .test_halves
            .filter(|_| check.set.test_halves.is_some())
        {
            lines.push(format!("test images listed: base {base}, novel {novel}"));
        }
        lines.extend(check.notes.clone());
    }
    let (equal, other): (Vec<_>, Vec<_>) = check.few_shot_files.iter().partition(|f| f.equal);
    if !equal.is_empty() {
        let count = equal.len();
        lines.push(format!(
            "few-shot files of the reference: {count} with the same images as promptsrc samples"
        ));
    }
    for file in other {
        let (file, shots, seed) = (file.file.display(), file.shots, file.seed);
        lines.push(format!(
            "{file}: not the images that promptsrc samples with {shots} shots and seed {seed}"
        ));
    }
    lines.extend(missing_files(check));
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n{} ({})\n",
        check.set.published_name,
        check.folder.display()
    );
    for line in lines {
        text += &format!("  {line}\n");
    }
    text
}

/// The files to download, with one line per address.
fn missing_files(check: &SetCheck) -> Vec<String> {
    let mut files: Vec<(&str, bool, Vec<&str>)> = Vec::new();
    for download in &check.downloads {
        let optional = download.optional && check.state != SetState::Absent;
        match files.last_mut() {
            Some((address, _, paths)) if *address == download.address => paths.push(download.path),
            _ => files.push((download.address, optional, vec![download.path])),
        }
    }
    let line = |(address, optional, paths): (&str, bool, Vec<&str>)| {
        let need = if optional { "optional" } else { "missing" };
        format!("{need}: {} from {address}", paths.join(", "))
    };
    files.into_iter().map(line).collect()
}
