//! An adapter, from a run or from a checkpoint of the reference, and its CLIP.

use std::path::{Path, PathBuf};

use promptsrc::records::ClipRecord;
use promptsrc::run_folder;
use promptsrc::{Adapter, ClassifierError, Clip};
use promptsrc_reference::checkpoint::{Form, ReferenceCheckpoint, Supplement};

use super::clip::ClipSettings;
use super::files::lines;
use crate::args::{CheckpointArgs, Common, UsedCheckpointArgs};
use crate::failure::Failure;
use crate::output::Printer;
use crate::reference_files;

/// An adapter to load.
#[derive(Clone, Debug)]
pub struct AdapterSource {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A checkpoint of the reference, which is already read, what the options add to it, and its CLIP.
    Checkpoint(Box<ReferenceCheckpoint>, Box<Supplement>, ClipSettings),
    /// An adapter, which is already loaded, its file, and its CLIP.
    Adapter(Box<Adapter>, PathBuf, ClipSettings),
}

/// An adapter, and the CLIP it belongs to.
pub struct LoadedAdapter {
    pub adapter: Adapter,
    pub clip: Clip,
}

impl LoadedAdapter {
    /// The class names that are given, or else those of the training. `path`: what the adapter is called in a message.
    ///
    /// # Errors
    /// Wrong usage, if there are none.
    pub fn names(&self, given: Option<Vec<String>>, path: &str) -> Result<Vec<String>, Failure> {
        let names = given.unwrap_or_else(|| self.adapter.meta.class_names.clone());
        match names.is_empty() {
            true => Err(Failure::usage(format!(
                "{path} does not record which classes it was trained on: give class names with --names or \
                 --names-file"
            ))),
            false => Ok(names),
        }
    }
}

impl AdapterSource {
    /// The adapter of a run folder or file, or of a checkpoint of the reference; its CLIP is
    /// `clip`, or the one that the run recorded.
    pub fn new(
        path: &Path,
        clip: Option<&str>,
        args: &UsedCheckpointArgs,
        common: &Common,
    ) -> Result<Self, Failure> {
        let kind = match reference_files::checkpoint_at(path, None)? {
            Some(file) => {
                let checkpoint = ReferenceCheckpoint::open(&file)?;
                let Some(spec) = clip else {
                    return Err(Failure::usage(format!(
                        "{} is a checkpoint of the reference, which needs the CLIP that its run \
                         started from: give it with --clip",
                        file.display()
                    )));
                };
                let clip =
                    ClipSettings::new(spec, common)?.for_adapter(&file, checkpoint.precision());
                let names = args.training_names.as_deref().map(lines).transpose()?;
                let supplement = supplement(&args.checkpoint, names);
                Kind::Checkpoint(Box::new(checkpoint), Box::new(supplement), clip)
            }
            None => {
                let (file, folder) = adapter_at(path)?;
                if let Some(option) = args.given() {
                    return Err(of_adapter(option, &file));
                }
                let adapter = Box::new(Adapter::load(&file)?);
                let clip = match clip {
                    Some(spec) => ClipSettings::new(spec, common)?,
                    None => remembered_clip(folder, &file, &adapter, common)?,
                };
                let clip = clip.for_adapter(&file, &adapter.meta.precision);
                Kind::Adapter(adapter, file, clip)
            }
        };
        Ok(Self {
            path: path.to_path_buf(),
            kind,
        })
    }

    /// The same with its CLIP in f32, unless the options say another precision.
    pub fn in_f32(self, common: &Common) -> Self {
        let kind = match self.kind {
            Kind::Checkpoint(checkpoint, supplement, clip) => {
                Kind::Checkpoint(checkpoint, supplement, clip.in_f32(common))
            }
            Kind::Adapter(adapter, file, clip) => Kind::Adapter(adapter, file, clip.in_f32(common)),
        };
        Self { kind, ..self }
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether images are turned by their EXIF orientation: as asked, otherwise as in the training.
    /// Warns where these differ.
    pub fn exif(&self, asked: Option<bool>, printer: &Printer) -> bool {
        let trained = match &self.kind {
            Kind::Checkpoint(checkpoint, ..) => {
                let record = checkpoint.record.as_ref();
                record.is_some_and(|record| record.data.exif)
            }
            Kind::Adapter(adapter, ..) => adapter.meta.data.exif,
        };
        let is_turned = |exif| match exif {
            true => "turned by their EXIF orientation",
            false => "as they are stored, whatever their EXIF orientation",
        };
        match asked {
            Some(asked) if asked != trained => {
                printer.warning(&format!(
                    "{} was trained on images {}, and is used on images {}: leave out --exif for \
                     the same as in the training",
                    self.path.display(),
                    is_turned(trained),
                    is_turned(asked)
                ));
                asked
            }
            _ => trained,
        }
    }

    /// The class names of the training, as far as they are known before the CLIP is open.
    pub fn class_names(&self) -> Option<&Vec<String>> {
        match &self.kind {
            Kind::Checkpoint(..) => None,
            Kind::Adapter(adapter, ..) => Some(&adapter.meta.class_names),
        }
    }

    /// The file of the adapter.
    pub fn file(&self) -> &Path {
        match &self.kind {
            Kind::Checkpoint(checkpoint, ..) => &checkpoint.path,
            Kind::Adapter(_, file, _) => file,
        }
    }

    /// Loads adapter and CLIP, and warns if they do not belong together.
    pub fn load(self, printer: &Printer) -> Result<LoadedAdapter, Failure> {
        match self.kind {
            Kind::Checkpoint(checkpoint, supplement, clip) => {
                load_checkpoint(&checkpoint, *supplement, &clip, printer)
            }
            Kind::Adapter(adapter, file, clip) => {
                let clip = clip.open(printer)?;
                check_for(&adapter, &clip, &file)?;
                warn_of_other_weights(&file, &adapter.meta.clip, &clip, printer);
                Ok(LoadedAdapter {
                    adapter: *adapter,
                    clip,
                })
            }
        }
    }
}

/// What the options add to a checkpoint.
pub fn supplement(args: &CheckpointArgs, class_names: Option<Vec<String>>) -> Supplement {
    Supplement {
        method: args.method.clone(),
        ctx_init: args.ctx_init.clone(),
        class_position: args.class_position,
        class_names,
        ..Supplement::default()
    }
}

/// An option of checkpoints that was given with something else.
pub fn only_of_checkpoints(option: &str, because: &str) -> Failure {
    Failure::usage(format!("{option} only applies to checkpoints: {because}"))
}

/// An option of checkpoints that was given with an adapter.
pub fn of_adapter(option: &str, file: &Path) -> Failure {
    let because = format!("{} is an adapter, which records it", file.display());
    only_of_checkpoints(option, &because)
}

/// The source of the CLIP, as recorded by the run of an adapter.
fn remembered_clip(
    folder: Option<&Path>,
    file: &Path,
    adapter: &Adapter,
    common: &Common,
) -> Result<ClipSettings, Failure> {
    let config = folder.map(|folder| folder.join(run_folder::CONFIG));
    let Some(config) = config.filter(|path| path.exists()) else {
        return Err(Failure::usage(format!(
            "{} does not record where its CLIP ({}) is: give it with --clip",
            file.display(),
            adapter.meta.clip.name
        )));
    };
    let clip = run_folder::read_config(&config)?.clip;
    let source = clip.source;
    if Path::new(&source).is_absolute() && !Path::new(&source).exists() {
        return Err(Failure::failed(format!(
            "the CLIP of this run, {source}, no longer exists: give its new path with --clip"
        )));
    }
    // The settings that the run was given for weights without a configuration, unless others are
    // given now.
    let given = common.weights();
    let stated = if given.is_empty() { clip.stated } else { given };
    ClipSettings::with(&source, common, stated)
}

fn load_checkpoint(
    checkpoint: &ReferenceCheckpoint,
    supplement: Supplement,
    clip: &ClipSettings,
    printer: &Printer,
) -> Result<LoadedAdapter, Failure> {
    let path = &checkpoint.path;
    reference_files::warn_of_unfinished(checkpoint, printer);
    let clip = clip.open(printer)?;
    // Where a whole model has no towers; the choice does not affect the predictions.
    let unknown = checkpoint.method.is_none() && checkpoint.form == Form::LayerPrompts;
    let supplement = Supplement {
        method: supplement
            .method
            .or_else(|| unknown.then(|| "promptsrc".to_string())),
        clip: Some((clip.record().clone(), clip.preprocessing_record())),
        log: reference_files::log_of(path, printer),
        ..supplement
    };
    if checkpoint.assumptions(&supplement).class_position {
        reference_files::note_assumed_position(path, printer);
    }
    let adapter = checkpoint
        .adapter(&supplement)
        .map_err(|e| reference_files::usage(e, "--training-names"))?;
    check_for(&adapter, &clip, path)?;
    if let Some(record) = &checkpoint.record {
        warn_of_other_weights(path, &record.clip, &clip, printer);
    }
    let prompt_prefix = adapter.meta.prompt_model()?.prompt_prefix();
    checkpoint
        .check_texts(&clip, &prompt_prefix, &adapter.meta.class_names)
        .map_err(|e| reference_files::usage(e, "--training-names"))?;
    Ok(LoadedAdapter { adapter, clip })
}

/// Fails if an adapter, which was read from `path`, does not fit a CLIP.
pub fn check_for(adapter: &Adapter, clip: &Clip, path: &Path) -> Result<(), Failure> {
    adapter
        .check_for(clip)
        .map_err(|e: ClassifierError| Failure::failed(format!("{}: {e}", path.display())))
}

/// Warns if a CLIP has other weights than the one that the prompts were learned on, because the
/// results will differ. An adapter that was converted from a checkpoint may not record these
/// weights.
pub fn warn_of_other_weights(path: &Path, expected: &ClipRecord, clip: &Clip, printer: &Printer) {
    let known = !expected.fingerprint.is_empty();
    if known && clip.record().fingerprint != expected.fingerprint {
        printer.warning(&format!(
            "{} was trained on the CLIP {}, which has other weights than {}: results will differ",
            path.display(),
            expected.name,
            clip.source()
        ));
    }
}

/// The adapter file of a run folder or file, and its folder.
pub fn adapter_at(path: &Path) -> Result<(PathBuf, Option<&Path>), Failure> {
    let (adapter, folder) = if path.is_dir() {
        (path.join(run_folder::ADAPTER), Some(path))
    } else {
        (path.to_path_buf(), path.parent())
    };
    if !adapter.exists() {
        let unfinished =
            path.join(run_folder::STATE).exists() || path.join(run_folder::CONFIG).exists();
        let problem = match (path.exists(), unfinished) {
            (_, true) => "the run is not finished: continue it with `promptsrc train ... --resume`",
            (true, false) => "it is not the folder of a run",
            (false, false) => "no such file or folder",
        };
        return Err(Failure::failed(format!("{}: {problem}", path.display())));
    }
    Ok((adapter, folder))
}
