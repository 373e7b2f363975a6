//! Labelled images, as the options of several commands ask for them.

use std::path::Path;

use promptsrc_datasets::{Classes, DataSource, Dataset, FewShot, Item, Part, Resolved, Selection};
use promptsrc_world::WorldSet;

use crate::args::{ClassesArg, DataArgs, PartArg};
use crate::failure::Failure;
use crate::output::Printer;
use crate::resolve;

/// Images of some classes, numbered from 0.
pub struct Chosen {
    pub class_names: Vec<String>,
    pub items: Vec<Item>,
}

/// Reads a data set and the name of its split file, if it has one; warns of what a person should
/// know. Missing images are reported where they are needed.
pub fn read(args: &DataArgs, printer: &Printer) -> Result<(Dataset, Option<String>), Failure> {
    if let Some(set) = world_set(args)? {
        return Ok((set.dataset(), None));
    }
    let (dataset, report) = source(args).read()?;
    for finding in report.findings() {
        printer.warning(&finding);
    }
    let split = report.listing.as_deref().and_then(Path::file_name);
    Ok((
        dataset,
        split.map(|name| name.to_string_lossy().into_owned()),
    ))
}

/// Reads a data set of which only the lists matter, not the images: without warnings.
pub fn read_quietly(args: &DataArgs) -> Result<Dataset, Failure> {
    match world_set(args)? {
        Some(set) => Ok(set.dataset()),
        None => Ok(source(args).read()?.0),
    }
}

/// The built-in data set that `--data world:NAME` names.
fn world_set(args: &DataArgs) -> Result<Option<&'static WorldSet>, Failure> {
    let Some(name) = world_name(&args.data) else {
        return Ok(None);
    };
    if args.more.split.is_some() || args.more.class_names.is_some() {
        return Err(Failure::usage(
            "--data world:NAME has its own split and class names: leave out --split and \
             --class-names",
        ));
    }
    match WorldSet::find(name) {
        Ok(set) => Ok(Some(set)),
        Err(error) => Err(Failure::usage(format!("--data: {error}"))),
    }
}

/// NAME of `world:NAME`, unless a file or folder is called just that.
fn world_name(data: &Path) -> Option<&str> {
    let name = data.to_str()?.strip_prefix("world:")?;
    (!data.exists()).then_some(name)
}

/// Where the images are, as a run records it: an absolute path, or the name of a built-in data set.
pub fn remembered(data: &Path) -> String {
    match world_name(data) {
        Some(_) => data.display().to_string(),
        None => resolve::absolute(data),
    }
}

fn source(args: &DataArgs) -> DataSource {
    DataSource {
        data: args.data.clone(),
        split: args.more.split.clone(),
        class_names: args.more.class_names.clone(),
        allow_missing: args.more.allow_missing,
    }
}

/// The images to train on.
pub fn training(
    dataset: &Dataset,
    shots: Option<usize>,
    seed: u64,
    classes: ClassesArg,
    allow_missing: bool,
    printer: &Printer,
) -> Result<Chosen, Failure> {
    dataset.check_trainable()?;
    let picks = picks(dataset, shots, seed);
    if let (Some(shots), Some((label, images))) = (shots, picks.short.first()) {
        let name = dataset.class_names.get(*label).map_or("", String::as_str);
        printer.warning(&format!(
            "{} of {} classes have fewer than {shots} training images, all of which are used \
             (the first: {name}, {images})",
            picks.short.len(),
            dataset.class_names.len()
        ));
    }
    let selection = dataset.select(&picks, library(classes))?;
    chosen(dataset, Part::Train, selection, allow_missing, printer)
}

/// The few-shot subset of some classes.
pub fn few_shot(
    dataset: &Dataset,
    shots: Option<usize>,
    seed: u64,
    classes: ClassesArg,
) -> Result<Selection, Failure> {
    Ok(dataset.select(&picks(dataset, shots, seed), library(classes))?)
}

fn picks(dataset: &Dataset, shots: Option<usize>, seed: u64) -> FewShot {
    // 0 shots take every image.
    dataset.few_shot(shots.unwrap_or(0), seed)
}

fn library(classes: ClassesArg) -> Classes {
    match classes {
        ClassesArg::All => Classes::All,
        ClassesArg::Base => Classes::Base,
        ClassesArg::Novel => Classes::Novel,
    }
}

/// All images of a part.
pub fn part(
    dataset: &Dataset,
    part: PartArg,
    classes: ClassesArg,
    allow_missing: bool,
    printer: &Printer,
) -> Result<Chosen, Failure> {
    let part = match part {
        PartArg::Train => Part::Train,
        PartArg::Val => Part::Val,
        PartArg::Test => Part::Test,
    };
    dataset.check_part(part)?;
    let selection = few_shot(dataset, None, 0, classes)?;
    chosen(dataset, part, selection, allow_missing, printer)
}

fn chosen(
    dataset: &Dataset,
    part: Part,
    selection: Selection,
    allow_missing: bool,
    printer: &Printer,
) -> Result<Chosen, Failure> {
    let samples = selection.part(part);
    let Resolved { items, dropped } = dataset.items(part, samples, allow_missing)?;
    if dropped > 0 {
        printer.warning(&format!(
            "{dropped} of {} {part} images are missing and are left out",
            samples.len()
        ));
    }
    Ok(Chosen {
        class_names: selection.class_names,
        items,
    })
}

/// The name of a choice of classes, as files have it.
pub fn classes_name(classes: ClassesArg) -> &'static str {
    match classes {
        ClassesArg::All => "all",
        ClassesArg::Base => "base",
        ClassesArg::Novel => "novel",
    }
}

/// What identifies the images in the record of a run.
pub fn fingerprint(chosen: &Chosen) -> String {
    promptsrc::image_list::fingerprint(&chosen.class_names, &chosen.items)
}
