//! `promptsrc export`: writes classifiers and towers as ONNX models.

use std::path::Path;

use promptsrc::{
    OnnxExport, OnnxOptions, OnnxTower, export_onnx, export_tower_onnx, export_zero_shot_onnx,
};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{ExportSettings, Exported};

/// A model that was written.
#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    files: OnnxExport,
    /// What it is.
    what: String,
    /// Number of classes of a classifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<usize>,
    weights: String,
}

pub fn run(settings: ExportSettings, printer: &Printer) -> Result<(), Failure> {
    let ExportSettings { what, options } = settings;
    let written = match what {
        Exported::Adapter { source, names, out } => {
            let path = source.path().display().to_string();
            let loaded = source.load(printer)?;
            let meta = &loaded.adapter.meta;
            let names = loaded.names(names, &path)?;
            create_folder(&out)?;
            let files = export_onnx(&loaded.clip, &loaded.adapter, &names, &out, &options)?;
            let what = format!("classifier ({})", meta.method);
            vec![Written::new(files, what, Some(names.len()), &options)]
        }
        Exported::ZeroShot {
            clip,
            names,
            templates,
            out,
        } => {
            let clip = clip.open(printer)?;
            create_folder(&out)?;
            let files = export_zero_shot_onnx(&clip, &names, &templates, &out, &options)?;
            let what = "classifier (zero-shot)".to_string();
            vec![Written::new(files, what, Some(names.len()), &options)]
        }
        Exported::Towers { clip, towers } => {
            let clip = clip.open(printer)?;
            let mut written = Vec::new();
            for (tower, out) in towers {
                create_folder(&out)?;
                let files = export_tower_onnx(&clip, tower, &out, &options)?;
                let what = match tower {
                    OnnxTower::Image => "image tower",
                    OnnxTower::Text => "text tower",
                };
                written.push(Written::new(files, what.to_string(), None, &options));
            }
            written
        }
    };
    printer.answer(&written, || {
        let lines = written.iter().map(|written| {
            let Written { files, what, .. } = written;
            let classes = match written.classes {
                Some(classes) => format!(" among {classes} classes"),
                None => String::new(),
            };
            let data = match &files.data {
                Some(data) => format!(" and {}", data.display()),
                None => String::new(),
            };
            format!(
                "{}: {what}{classes}, {:.1} MB with {}{data}\n",
                files.model.display(),
                files.bytes as f64 / 1e6,
                files.record.display(),
            )
        });
        lines.collect::<String>()
    })
}

impl Written {
    fn new(files: OnnxExport, what: String, classes: Option<usize>, options: &OnnxOptions) -> Self {
        Self {
            files,
            what,
            classes,
            weights: options.weights.to_string(),
        }
    }
}

fn create_folder(out: &Path) -> Result<(), Failure> {
    match out.parent() {
        Some(folder) => std::fs::create_dir_all(folder)
            .map_err(|e| Failure::failed(format!("--out {}: {e}", out.display()))),
        None => Ok(()),
    }
}
