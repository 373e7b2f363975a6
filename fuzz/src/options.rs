//! Lists that the command takes: class names as an option, and files with a name, a text or a template on each line.
//!
//! Each command fails for a reason of its own after it has read them.

use std::ffi::OsString;
use std::path::Path;

use promptsrc_cli::{Failure, Host};

use crate::target::{Outcome, Target};
use crate::{repository, scratch};

pub const TARGETS: &[Target] = &[
    Target {
        name: "name_list",
        run: |data| match std::str::from_utf8(data) {
            Ok(list) => predict(&[format!("--names={list}").into()]),
            // Whatever the system gives as an argument that is no text is refused by the parser of arguments.
            Err(_) => Outcome::Skipped,
        },
        seeds: || repository::own("name_list"),
    },
    Target {
        name: "lines",
        run: lines,
        seeds: || repository::own("lines"),
    },
];

fn lines(data: &[u8]) -> Outcome {
    let file = scratch::file("lines/lines.txt", data);
    let all = [
        predict(&["--names-file".into(), file.clone().into()]),
        embed(&file),
        train(&file),
    ];
    match all.contains(&Outcome::Taken) {
        true => Outcome::Taken,
        false => Outcome::Refused,
    }
}

/// Class names for a CLIP that is not there.
fn predict(names: &[OsString]) -> Outcome {
    let mut arguments: Vec<OsString> = vec!["predict".into(), "--zero-shot".into()];
    arguments.extend_from_slice(names);
    arguments.push("image.jpg".into());
    without_clip(arguments)
}

/// Texts for a CLIP that is not there.
fn embed(texts: &Path) -> Outcome {
    let out = scratch::path("lines/out.safetensors");
    without_clip(vec![
        "embed".into(),
        "--texts".into(),
        texts.into(),
        "--out".into(),
        out.into(),
    ])
}

fn without_clip(mut arguments: Vec<OsString>) -> Outcome {
    let absent = "absent.safetensors";
    arguments.extend(["--clip".into(), scratch::path(absent).into()]);
    run(arguments, absent)
}

/// Templates for a training whose run folder is a file.
fn train(templates: &Path) -> Outcome {
    let data = scratch::fixed("lines/images/cat/1.jpg", b"");
    let data = data.ancestors().nth(2).expect("a folder");
    let out = scratch::fixed("lines/run", b"");
    run(
        vec![
            "train".into(),
            "--data".into(),
            data.into(),
            "--clip".into(),
            "mini".into(),
            "--templates".into(),
            templates.into(),
            "--out".into(),
            out.into(),
        ],
        "--out",
    )
}

/// Runs a command, which ends with a message that has a word of `end` where all options before are right.
fn run(mut arguments: Vec<OsString>, end: &str) -> Outcome {
    arguments.insert(0, "promptsrc".into());
    match promptsrc_cli::answer(arguments, Host::default()) {
        Ok(_) => panic!("a command that should fail has not"),
        Err((Failure::Usage(message) | Failure::Failed(message) | Failure::File(message), _)) => {
            assert!(!message.is_empty());
            match message.contains(end) {
                true => Outcome::Taken,
                false => Outcome::Refused,
            }
        }
        Err((other, _)) => panic!("{other}"),
    }
}
