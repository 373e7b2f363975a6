//! `promptsrc sample`: which images a few-shot subset contains.

use std::path::PathBuf;

use promptsrc_datasets::{Part, Sample};
use serde::Serialize;

use crate::args::{DataArgs, DataOptions, SampleArgs};
use crate::failure::Failure;
use crate::labelled_images;
use crate::output::Printer;

#[derive(Serialize)]
struct Picks {
    /// Positions in the training list, in the order in which the reference picks them.
    train: Vec<usize>,
    /// Positions in the validation list.
    val: Vec<usize>,
}

pub fn run(args: &SampleArgs, printer: &Printer) -> Result<(), Failure> {
    // The subset depends on the lists alone: the images need not exist.
    let folder = args
        .split
        .as_deref()
        .and_then(|s| s.parent())
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder.to_path_buf()
            }
        });
    let data_args = DataArgs {
        data: args.data.clone().or(folder).unwrap_or_default(),
        more: DataOptions {
            split: args.split.clone(),
            class_names: args.class_names.clone(),
            allow_missing: true,
        },
    };
    let dataset = labelled_images::read_quietly(&data_args)?;
    let selection = labelled_images::few_shot(&dataset, Some(args.shots), args.seed, args.classes)?;
    let places = |samples: &[Sample]| samples.iter().map(|s| s.index).collect::<Vec<_>>();
    let picks = Picks {
        train: places(&selection.train),
        val: places(&selection.val),
    };
    if printer.is_json() {
        return printer.json(&picks);
    }
    let mut text = String::new();
    for part in [Part::Train, Part::Val] {
        for sample in selection.part(part) {
            let Some(item) = dataset.part(part).get(sample.index) else {
                continue;
            };
            let name = dataset
                .class_names
                .get(item.label)
                .map_or("", String::as_str);
            text += &format!(
                "{part}\t{}\t{name}\t{}\n",
                sample.index,
                item.path.display()
            );
        }
    }
    printer.result(&text)
}
