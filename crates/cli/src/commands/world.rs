//! `promptsrc world`: lists the built-in data sets, and exports them and their CLIP.

use promptsrc_datasets::Part;
use promptsrc_files::write_atomically;
use promptsrc_world::{WorldSet, images_per_class, sets};
use serde::Serialize;

use crate::args::{ClipFileArgs, ExportArgs, WorldArgs, WorldCommand};
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::output_file;

#[derive(Serialize)]
struct Listed {
    name: String,
    about: String,
    classes: Vec<String>,
    train: usize,
    val: usize,
    test: usize,
}

#[derive(Serialize)]
struct Exported {
    name: String,
    folder: String,
    images: usize,
}

pub fn run(args: &WorldArgs, printer: &Printer) -> Result<(), Failure> {
    match &args.command {
        WorldCommand::List => list(printer),
        WorldCommand::Export(args) => export(args, printer),
        WorldCommand::Clip(args) => clip(args, printer),
    }
}

fn list(printer: &Printer) -> Result<(), Failure> {
    let listed: Vec<Listed> = sets()
        .iter()
        .map(|set| {
            let classes = set.class_names();
            let images = |part| classes.len() * images_per_class(part);
            Listed {
                name: set.location(),
                about: set.about().to_string(),
                train: images(Part::Train),
                val: images(Part::Val),
                test: images(Part::Test),
                classes,
            }
        })
        .collect();
    if printer.is_json() {
        return printer.json(&listed);
    }
    let width = listed.iter().map(|l| l.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for set in &listed {
        let (name, classes) = (&set.name, set.classes.len());
        text += &format!("{name:width$}  {classes:>2} classes  {}\n", set.about);
    }
    printer.result(&text)
}

/// Writes the built-in CLIP.
fn clip(args: &ClipFileArgs, printer: &Printer) -> Result<(), Failure> {
    let nothing: [&std::path::Path; 0] = [];
    output_file::check("", &args.file, args.force, &nothing)?;
    let file = promptsrc_world::mini_file()?;
    write_atomically(&args.file, &file)?;
    let path = args.file.display().to_string();
    let written = serde_json::json!({ "file": path, "bytes": file.len() });
    printer.answer(&written, || format!("{path}: {} bytes", file.len()))
}

fn export(args: &ExportArgs, printer: &Printer) -> Result<(), Failure> {
    let chosen: Vec<&WorldSet> = match args.sets.as_slice() {
        [] => sets().iter().collect(),
        names => names
            .iter()
            .map(|name| WorldSet::find(name))
            .collect::<Result<_, _>>()
            .map_err(|e| Failure::usage(format!("--sets: {e}")))?,
    };
    for set in &chosen {
        let folder = args.folder.join(set.name());
        let is_occupied =
            std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        if is_occupied && !args.force {
            return Err(Failure::failed(format!(
                "{} is not empty: give --force to replace what is exported, or choose another folder",
                folder.display()
            )));
        }
    }
    let bar = printer.bar(chosen.len() as u64, "sets");
    let mut exported = Vec::new();
    for set in chosen {
        bar.set_message(set.name());
        let folder = set.export(&args.folder)?;
        let per_class: usize = Part::ALL.map(images_per_class).iter().sum();
        exported.push(Exported {
            name: set.name().to_string(),
            folder: folder.display().to_string(),
            images: per_class * set.class_names().len(),
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    if printer.is_json() {
        return printer.json(&exported);
    }
    let mut text = String::new();
    for set in &exported {
        text += &format!("{}: {} images\n", set.folder, set.images);
    }
    printer.result(&text)
}
