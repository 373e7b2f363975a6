//! `promptsrc world`: the built-in data sets, listed and written as ordinary folders.

use promptsrc_datasets::Part;
use promptsrc_files::write_atomically;
use promptsrc_world::{WorldSet, images_per_class, sets};
use serde::Serialize;

use crate::args::{ClipFileArgs, Common, ExportArgs, WorldArgs, WorldCommand};
use crate::failure::Failure;
use crate::output;

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

pub fn run(args: &WorldArgs, common: &Common) -> Result<(), Failure> {
    match &args.command {
        WorldCommand::List => list(common),
        WorldCommand::Export(args) => export(args, common),
        WorldCommand::Clip(args) => clip(args, common),
    }
}

fn list(common: &Common) -> Result<(), Failure> {
    let listed: Vec<Listed> = sets()
        .iter()
        .map(|set| {
            let classes = set.class_names();
            let images = |part| classes.len() * images_per_class(part);
            Listed {
                name: format!("world:{}", set.name()),
                about: set.about().to_string(),
                train: images(Part::Train),
                val: images(Part::Val),
                test: images(Part::Test),
                classes,
            }
        })
        .collect();
    if common.json {
        return output::json(&listed);
    }
    let width = listed.iter().map(|l| l.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for set in &listed {
        let (name, classes) = (&set.name, set.classes.len());
        text += &format!("{name:width$}  {classes:>2} classes  {}\n", set.about);
    }
    output::result(&text)
}

/// Writes the CLIP that the program carries.
fn clip(args: &ClipFileArgs, common: &Common) -> Result<(), Failure> {
    let file = promptsrc_world::mini_file()?;
    write_atomically(&args.file, &file)?;
    let path = args.file.display().to_string();
    if common.json {
        return output::json(&serde_json::json!({ "file": path, "bytes": file.len() }));
    }
    output::result(&format!("{path}: {} bytes", file.len()))
}

fn export(args: &ExportArgs, common: &Common) -> Result<(), Failure> {
    let chosen: Vec<&WorldSet> = match args.sets.as_slice() {
        [] => sets().iter().collect(),
        names => names
            .iter()
            .map(|name| WorldSet::find(name.strip_prefix("world:").unwrap_or(name)))
            .collect::<Result<_, _>>()
            .map_err(|e| Failure::usage(format!("--sets: {e}")))?,
    };
    let bar = output::bar(chosen.len() as u64, "sets", common.quiet);
    let mut exported = Vec::new();
    for set in chosen {
        bar.set_message(set.name());
        let folder = set.export(&args.folder)?;
        let a_class: usize = Part::ALL.map(images_per_class).iter().sum();
        exported.push(Exported {
            name: set.name().to_string(),
            folder: folder.display().to_string(),
            images: a_class * set.class_names().len(),
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    if common.json {
        return output::json(&exported);
    }
    let mut text = String::new();
    for set in &exported {
        text += &format!("{}: {} images\n", set.folder, set.images);
    }
    output::result(&text)
}
