//! `promptsrc sample`: which pictures a few-shot subset holds.

use std::path::PathBuf;

use serde::Serialize;

use crate::args::{Common, DataArgs, SampleArgs};
use crate::commands::data;
use crate::failure::Failure;
use crate::output;

#[derive(Serialize)]
struct Sample {
    /// Positions in the training list, in the order in which the reference picks them.
    train: Vec<usize>,
    /// Positions in the validation list.
    val: Vec<usize>,
}

pub fn run(args: &SampleArgs, common: &Common) -> Result<(), Failure> {
    // The picks depend on the lists alone: no picture needs to be there.
    let folder = args.split.as_deref().and_then(|s| s.parent()).map(PathBuf::from);
    let data_args = DataArgs {
        data: args.data.clone().or(folder).unwrap_or_default(),
        more: args.more.clone(),
    };
    let dataset = data::read(&data_args)?;
    let (train, val) = data::few_shot(&dataset, args.shots, args.seed, args.classes);
    let sample = Sample { train, val };
    if common.json {
        return output::json(&sample);
    }
    let mut text = String::new();
    for (part, picks, items) in [
        ("train", &sample.train, dataset.train()),
        ("val", &sample.val, dataset.val()),
    ] {
        for at in picks {
            if let Some(item) = items.get(*at) {
                let name = &dataset.class_names()[item.label];
                text += &format!("{part}\t{at}\t{name}\t{}\n", item.path.display());
            }
        }
    }
    output::result(&text)
}
