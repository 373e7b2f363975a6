//! What was typed, checked and turned into what the library takes.

use std::io::Read;
use std::path::{Path, PathBuf};

use promptsrc::adapter::ClipRecord;
use promptsrc::config::ConfigError;
use promptsrc::run_folder::{self, RunConfig};
use promptsrc::{Adapter, ClipModel, ClipWeights, Device, Method, TrainConfig};
use promptsrc_clip::hub;
use promptsrc_reference::checkpoint::{
    self, ReferenceCheckpoint, ReferenceCheckpointError, Supplement,
};
use promptsrc_reference::log::{self, ReferenceResult};
use promptsrc_world::MINI;

use crate::args::{Common, Overrides, Precision, TrainArgs};
use crate::failure::Failure;
use crate::output::Printer;

/// Sets the number of threads of all arithmetic.
pub fn threads(asked: Option<usize>) -> Result<(), Failure> {
    match asked {
        Some(n) => rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build_global()
            .map_err(|e| Failure::failed(format!("--threads {n}: {e}"))),
        None => Ok(()),
    }
}

/// A CLIP that is loaded, and what is known of its file.
pub struct LoadedClip {
    pub clip: ClipModel,
    pub weights: ClipWeights,
    /// Absolute path, or the name as typed.
    pub source: String,
    /// Last part of it.
    pub name: String,
}

impl LoadedClip {
    pub fn record(&self) -> Result<ClipRecord, Failure> {
        Ok(promptsrc::train::clip_record(&self.weights, &self.name)?)
    }
}

/// The precision that the options and the device give.
fn precision(common: &Common, device: &Device) -> Result<promptsrc::Precision, Failure> {
    let cpu = promptsrc::has_kernels(device);
    match common.precision {
        Precision::Auto if cpu => Ok(promptsrc::Precision::best()),
        Precision::Auto | Precision::F32 => Ok(promptsrc::Precision::F32),
        Precision::Bf16 if !cpu => Err(Failure::usage(format!(
            "--precision: bf16 is for the CPU; on {} use f32 or auto",
            common.device
        ))),
        Precision::Bf16 => {
            let bf16 = promptsrc::Precision::Bf16;
            bf16.check()
                .map_err(|e| Failure::usage(format!("--precision: {e}")))?;
            Ok(bf16)
        }
    }
}

/// Finds, downloads if necessary, and loads a CLIP.
pub fn clip(spec: &str, common: &Common, printer: &Printer) -> Result<LoadedClip, Failure> {
    let device =
        promptsrc::device(&common.device).map_err(|e| Failure::usage(format!("--device: {e}")))?;
    let precision = precision(common, &device)?;
    if is_mini(spec) {
        let weights = promptsrc_world::mini_clip()?;
        return Ok(LoadedClip {
            clip: ClipModel::with_precision(&weights, &device, precision)?,
            weights,
            source: MINI.to_string(),
            name: MINI.to_string(),
        });
    }
    let path = clip_path(spec, printer)?;
    let weights = ClipWeights::open(&path)?;
    for note in weights.notes() {
        printer.warning(&format!("{}: {note}", path.display()));
    }
    let clip = ClipModel::with_precision(&weights, &device, precision)?;
    let local = Path::new(spec).exists();
    let source = if local {
        absolute(&path)
    } else {
        spec.to_string()
    };
    let name = match Path::new(&source).file_name() {
        Some(name) if local => name.to_string_lossy().into_owned(),
        _ => spec.to_string(),
    };
    Ok(LoadedClip {
        clip,
        weights,
        source,
        name,
    })
}

/// Whether this names the CLIP that the program contains: a file or folder of that name takes
/// precedence.
pub fn is_mini(spec: &str) -> bool {
    spec == MINI && !Path::new(spec).exists()
}

fn clip_path(spec: &str, printer: &Printer) -> Result<PathBuf, Failure> {
    let mut bar = indicatif::ProgressBar::hidden();
    let path = hub::resolve(spec, &mut |event| match event {
        hub::DownloadEvent::Started { file, bytes } => {
            printer.note(&format!("downloading {spec}: {file}"));
            bar = printer.bar(bytes, "bytes");
            bar.set_message(format!("{file} "));
        }
        hub::DownloadEvent::Advanced { bytes } => bar.inc(bytes),
        _ => bar.finish_and_clear(),
    })?;
    Ok(path)
}

/// An adapter, and the CLIP it belongs to.
pub struct LoadedRun {
    pub adapter: Adapter,
    pub clip: LoadedClip,
}

/// Loads the adapter of a run folder or file, or of a checkpoint of the reference, and its CLIP from
/// where the run found it or from `--clip`.
pub fn run(
    path: &Path,
    clip_option: Option<&str>,
    common: &Common,
    printer: &Printer,
) -> Result<LoadedRun, Failure> {
    if let Some(checkpoint) = checkpoint_at(path, None)? {
        return checkpoint_run(&checkpoint, clip_option, common, printer);
    }
    let (adapter_path, folder) = adapter_at(path)?;
    let adapter = Adapter::load(&adapter_path)?;
    let config = match (clip_option, folder.map(|f| f.join(run_folder::CONFIG))) {
        (None, Some(path)) if path.exists() => Some(run_folder::read_config(&path)?),
        _ => None,
    };
    let remembered = config.map(|c: RunConfig| c.clip.source);
    let spec = match (clip_option, &remembered) {
        (Some(spec), _) => spec.to_string(),
        (None, Some(source)) if Path::new(source).is_absolute() && !Path::new(source).exists() => {
            return Err(Failure::failed(format!(
                "the CLIP of this run, {source}, no longer exists: give its new path with --clip"
            )));
        }
        (None, Some(source)) => source.clone(),
        (None, None) => {
            return Err(Failure::usage(format!(
                "{} does not record where its CLIP ({}) is: give it with --clip",
                adapter_path.display(),
                adapter.meta.clip.name
            )));
        }
    };
    let clip = clip(&spec, common, printer)?;
    adapter
        .prompts
        .check_for(&clip.clip)
        .map_err(|e| Failure::failed(format!("{}: {e}", adapter_path.display())))?;
    warn_of_other_weights(&adapter_path, &adapter.meta.clip, &clip, printer)?;
    Ok(LoadedRun { adapter, clip })
}

/// Warns where a CLIP has other weights than the one that prompts were learned on: the results will
/// differ. An adapter converted from a checkpoint may not know its CLIP's weights.
pub fn warn_of_other_weights(
    path: &Path,
    expected: &ClipRecord,
    clip: &LoadedClip,
    printer: &Printer,
) -> Result<(), Failure> {
    let known = !expected.fingerprint.is_empty();
    if known && clip.weights.fingerprint()? != expected.fingerprint {
        printer.warning(&format!(
            "{} was trained on the CLIP {}, which has other weights than {}: results will differ",
            path.display(),
            expected.name,
            clip.source
        ));
    }
    Ok(())
}

/// The adapter file of a run folder or file, and the folder it lies in.
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
            (_, true) => {
                "the run there is not finished: continue it with `promptsrc train ... --resume`"
            }
            (true, false) => "it is not the folder of a run",
            (false, false) => "there is no such file or folder",
        };
        return Err(Failure::failed(format!("{}: {problem}", path.display())));
    }
    Ok((adapter, folder))
}

/// The checkpoint of the reference at a path; none where the path is something else.
pub fn checkpoint_at(path: &Path, epoch: Option<usize>) -> Result<Option<PathBuf>, Failure> {
    // An adapter in a folder takes precedence: it is what this program evaluates there.
    if path.join(run_folder::ADAPTER).exists() {
        return Ok(None);
    }
    match checkpoint::find(path, epoch)? {
        Some(file) if path.is_dir() || is_torch_file(path) => Ok(Some(file)),
        _ => Ok(None),
    }
}

/// Whether a file begins as PyTorch's do: as a zip archive or as a pickle.
fn is_torch_file(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(9).read_to_end(&mut start));
    // A safetensors file begins with the length of its header, which may be any eight bytes.
    let safetensors = start.get(8) == Some(&b'{');
    let pickle = start.first() == Some(&0x80) && start.get(1).is_some_and(|version| *version < 6);
    read.is_ok() && !safetensors && (start.starts_with(b"PK") || pickle)
}

/// What the log of a checkpoint's run says, if it lies next to it.
pub fn checkpoint_log(checkpoint: &Path, printer: &Printer) -> Option<ReferenceResult> {
    let log = checkpoint::run_log(checkpoint)?;
    match log::read(&log) {
        Ok(found) => Some(found),
        Err(error) => {
            printer.warning(&error.to_string());
            None
        }
    }
}

/// Warns of prompts of an epoch in the middle of a run: they are not what its results were measured
/// with.
pub fn warn_of_unfinished(checkpoint: &ReferenceCheckpoint, printer: &Printer) {
    if let (true, Some(epoch), Some(epochs)) = (
        checkpoint.is_unfinished(),
        checkpoint.epoch,
        checkpoint.epochs,
    ) {
        printer.warning(&format!(
            "{} is of epoch {epoch} of {epochs}: its prompts are not aggregated",
            checkpoint.path.display()
        ));
    }
}

fn checkpoint_run(
    path: &Path,
    clip_option: Option<&str>,
    common: &Common,
    printer: &Printer,
) -> Result<LoadedRun, Failure> {
    let checkpoint = ReferenceCheckpoint::open(path)?;
    let Some(spec) = clip_option else {
        return Err(Failure::usage(format!(
            "{} is a checkpoint of the reference, which needs the CLIP that its run started from: \
             give it with --clip",
            path.display()
        )));
    };
    warn_of_unfinished(&checkpoint, printer);
    let clip = clip(spec, common, printer)?;
    let supplement = Supplement {
        // It does not change what is computed.
        method: checkpoint.method.or(Some(Method::PromptSrc)),
        clip: Some((
            clip.record()?,
            promptsrc::train::preprocessing_record(&clip.clip),
        )),
        log: checkpoint_log(path, printer),
        ..Supplement::default()
    };
    let adapter = checkpoint.adapter(&supplement)?;
    let fits = |e| Failure::failed(format!("{}: {e}", path.display()));
    adapter.prompts.check_for(&clip.clip).map_err(fits)?;
    if let Some(record) = &checkpoint.record {
        warn_of_other_weights(path, &record.clip, &clip, printer)?;
    }
    let prompt_prefix = adapter.meta.config.prompt_lead();
    checkpoint
        .check_texts(&clip.clip, &prompt_prefix, &[])
        .map_err(|e| match e {
            ReferenceCheckpointError::OtherPrefix { .. } => Failure::failed(format!(
                "{e} (promptsrc convert --ctx-init converts it to an adapter)"
            )),
            e => e.into(),
        })?;
    Ok(LoadedRun { adapter, clip })
}

/// The training configuration: preset or file, then the options.
pub fn train_config(args: &TrainArgs, data_set: &str) -> Result<TrainConfig, Failure> {
    let mut config = match &args.config {
        Some(path) => config_file(path)?,
        None if args.preset == promptsrc::Preset::FewShot => {
            TrainConfig::few_shot_for(data_set).with_method(args.method)
        }
        None => TrainConfig::preset(args.preset).with_method(args.method),
    };
    config.seed = args.seed;
    Settings::read(&args.overrides)?.put_into(&mut config)?;
    config.check().map_err(config_usage)?;
    Ok(config)
}

/// Settings that replace a preset's, with the contents of the files that they name.
pub struct Settings<'a> {
    typed: &'a Overrides,
    templates: Option<Vec<String>>,
}

impl<'a> Settings<'a> {
    pub fn read(typed: &'a Overrides) -> Result<Self, Failure> {
        let templates = typed.templates.as_deref().map(lines).transpose()?;
        Ok(Self { typed, templates })
    }

    /// Fails where the configuration does not have one of them.
    pub fn put_into(&self, config: &mut TrainConfig) -> Result<(), Failure> {
        let o = self.typed;
        set(&mut config.epochs, o.epochs);
        set(&mut config.batch_size, o.batch_size);
        set(&mut config.crop_scale, o.crop_scale);
        set(&mut config.optim.lr, o.lr);
        set(&mut config.optim.momentum, o.momentum);
        set(&mut config.optim.weight_decay, o.weight_decay);
        set(&mut config.optim.warmup_epochs, o.warmup_epochs);
        set(&mut config.optim.warmup_lr, o.warmup_lr);
        set(&mut config.prompts.n_ctx_text, o.text_context);
        set(&mut config.prompts.n_ctx_vision, o.vision_context);
        set(&mut config.prompts.depth_text, o.text_depth);
        set(&mut config.prompts.depth_vision, o.vision_depth);
        set(&mut config.prompts.ctx_init, o.ctx_init.clone());
        regularisation(config, o)?;
        set(&mut config.templates, self.templates.clone());
        Ok(())
    }
}

/// What is wrong with a configuration, under the name of the option that sets it.
pub fn config_usage(error: ConfigError) -> Failure {
    let option = match &error {
        // These begin with the option's name.
        ConfigError::Zero { .. } | ConfigError::TooMany { .. } | ConfigError::OutOfRange { .. } => {
            return Failure::usage(format!("--{error}"));
        }
        ConfigError::Nesterov => return Failure::usage(error),
        ConfigError::NoTemplates | ConfigError::Template { .. } => "--templates",
        ConfigError::NoWeight { .. } => "--gpa-mean and --gpa-std",
        ConfigError::ContextTooLong { .. } => "--text-context",
        ConfigError::FewWords { .. } | ConfigError::Vocabulary { .. } | ConfigError::Words(_) => {
            "--ctx-init"
        }
    };
    Failure::usage(format!("{option}: {error}"))
}

fn regularisation(config: &mut TrainConfig, o: &Overrides) -> Result<(), Failure> {
    let weights = [
        o.text_loss_weight,
        o.image_loss_weight,
        o.logits_loss_weight,
    ];
    match &mut config.regularisation {
        Some(regularisation) => {
            set(&mut regularisation.text, o.text_loss_weight);
            set(&mut regularisation.image, o.image_loss_weight);
            set(&mut regularisation.logits, o.logits_loss_weight);
        }
        None if weights.iter().any(Option::is_some) => {
            return Err(Failure::usage(
                "the method ivlp has no losses of these weights: use --method promptsrc",
            ));
        }
        None => {}
    }
    if o.no_gpa {
        config.aggregation = None;
    }
    match &mut config.aggregation {
        Some(aggregation) => {
            set(&mut aggregation.mean, o.gpa_mean);
            set(&mut aggregation.std, o.gpa_std);
        }
        None if o.gpa_mean.is_some() || o.gpa_std.is_some() => {
            return Err(Failure::usage(
                "the method ivlp does not aggregate prompts: use --method promptsrc",
            ));
        }
        None => {}
    }
    Ok(())
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn config_file(path: &Path) -> Result<TrainConfig, Failure> {
    #[derive(serde::Deserialize)]
    struct Sections {
        train: TrainConfig,
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    let sections: Sections =
        toml::from_str(&text).map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    Ok(sections.train)
}

/// The lines of a text file that are not blank.
pub fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(str::to_string)
        .collect();
    if lines.is_empty() {
        return Err(Failure::failed(format!("{} has no lines", path.display())));
    }
    Ok(lines)
}

/// An absolute path, which means the same from another folder.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_path_buf())
        .to_string_lossy()
        .into_owned()
}

/// Number of decoding threads: as many as the arithmetic has.
pub fn decoding_threads() -> usize {
    rayon::current_num_threads()
}

/// Images that were named, and those in folders that were named, in a stable order.
pub fn images(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for input in inputs {
        if input.is_dir() {
            let before = found.len();
            gather(input, &mut found, 0)?;
            if found.len() == before {
                return Err(Failure::failed(format!(
                    "{}: there are no images in it",
                    input.display()
                )));
            }
        } else {
            found.push(input.clone());
        }
    }
    Ok(found)
}

fn gather(folder: &Path, found: &mut Vec<PathBuf>, depth: usize) -> Result<(), Failure> {
    // Deep enough for any data set, and an end to links that lead back up.
    const DEPTH: usize = 32;
    let failed = |e: std::io::Error| Failure::failed(format!("{}: {e}", folder.display()));
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        let hidden = entry
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if entry.is_dir() {
            if depth < DEPTH {
                gather(&entry, found, depth + 1)?;
            }
        } else if is_image(&entry) {
            found.push(entry);
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .map(str::to_lowercase);
    extension.is_some_and(|e| promptsrc_image::EXTENSIONS.contains(&e.as_str()))
}
