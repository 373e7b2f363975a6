//! The settings of `promptsrc report`.

use std::path::{Path, PathBuf};

use promptsrc::methods::answers_other_names;
use promptsrc::run_folder::{self, RunConfig, RunData};
use promptsrc::{Adapter, Classes, ConfigError, MethodConfig, Parts};
use promptsrc_protocols::collect;

use super::adapter::AdapterSource;
use super::data::DataSettings;
use super::eval::ZeroShotTemplates;
use super::output_file;
use crate::args::{Common, DataArgs, DataOptions, ReportArgs, UsedCheckpointArgs};
use crate::failure::Failure;

/// A page to write.
#[derive(Clone, Debug)]
pub struct ReportSettings {
    pub out: PathBuf,
    pub what: Reported,
}

/// What a page is of.
#[derive(Clone, Debug)]
pub enum Reported {
    Runs(Vec<ReportedRun>),
    Sweep {
        folder: PathBuf,
        /// The method that others are compared with in the tables.
        baseline: Option<String>,
        /// Whether published results are added whatever they may be compared with.
        published: bool,
    },
}

/// A run on the page.
#[derive(Clone, Debug)]
pub struct ReportedRun {
    /// Its path as it was given.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: RunConfig,
    /// Its adapter; `None` if it is not finished.
    pub adapter: Option<Adapter>,
    /// How it is evaluated; `None`: it is not.
    pub measuring: Option<Measuring>,
}

/// How a run is evaluated.
#[derive(Clone, Debug)]
pub struct Measuring {
    pub source: AdapterSource,
    pub data: DataSettings,
    /// Folder of the images, which their names on the page leave out.
    pub root: PathBuf,
    pub part: Parts,
    /// Classes, those that were learned first.
    pub classes: Vec<Classes>,
    /// Templates of zero-shot CLIP; `None`: the data set's own, or else the usual one.
    pub templates: Option<ZeroShotTemplates>,
    /// Images of each kind on the page.
    pub images: usize,
}

impl ReportSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong or a folder is neither a run nor a sweep, as far as that can be
    /// found before an image is read or a CLIP is downloaded.
    pub fn new(args: &ReportArgs, common: &Common) -> Result<Self, Failure> {
        let most = promptsrc_report::limits::RUNS;
        if args.inputs.len() > most {
            return Err(Failure::usage(format!(
                "{} runs are given, and a page has at most {most}",
                args.inputs.len()
            )));
        }
        for folder in &args.inputs {
            if !folder.is_dir() {
                let problem = match folder.exists() {
                    true => "is a file: give the folder of a run or of a sweep",
                    false => "no such folder",
                };
                return Err(Failure::failed(format!("{}: {problem}", folder.display())));
            }
        }
        let is_run = |folder: &PathBuf| {
            run_folder::is_begun(folder) || folder.join(run_folder::CONFIG).exists()
        };
        let what = match args.inputs.as_slice() {
            [folder] if !is_run(folder) => sweep(folder, args)?,
            runs => {
                if let Some(option) = args.of_sweeps() {
                    return Err(Failure::usage(format!(
                        "{option} is for the folder of a sweep, not for runs"
                    )));
                }
                if let Some(other) = runs.iter().find(|folder| !is_run(folder)) {
                    return Err(not_a_run(other));
                }
                let runs = runs.iter().map(|folder| run(folder, args, common));
                Reported::Runs(runs.collect::<Result<_, _>>()?)
            }
        };
        let mut inputs = args.inputs.clone();
        inputs.extend(args.data.clone());
        inputs.extend(args.more.split.clone());
        inputs.extend(args.more.class_names.clone());
        if let Reported::Sweep { folder, .. } = &what {
            inputs.extend(collect(folder)?.into_iter().map(|(folder, _)| folder));
        }
        output_file::check("--out ", &args.out, args.force, &inputs)?;
        Ok(Self {
            out: args.out.clone(),
            what,
        })
    }
}

fn not_a_run(folder: &Path) -> Failure {
    let is_sweep = collect(folder).is_ok_and(|results| !results.is_empty());
    Failure::failed(match is_sweep {
        true => format!(
            "{} is a sweep: a page is of runs, or of one sweep; give it alone",
            folder.display()
        ),
        false => format!(
            "{}: neither the folder of a run, which promptsrc train writes, nor that of a sweep, which \
             promptsrc bench writes: there is no {} in it, and no result below it",
            folder.display(),
            run_folder::CONFIG
        ),
    })
}

fn sweep(folder: &Path, args: &ReportArgs) -> Result<Reported, Failure> {
    // A result that is damaged is named.
    if collect(folder)?.is_empty() {
        let logs = promptsrc_protocols::collect_reference(folder).map_err(Failure::failed)?;
        if logs.results.is_empty() && logs.apart.is_empty() {
            return Err(not_a_run(folder));
        }
    }
    if let Some(option) = args.of_runs() {
        return Err(Failure::usage(format!(
            "{option} is for runs, and {} is a sweep, whose results are taken as they are",
            folder.display()
        )));
    }
    Ok(Reported::Sweep {
        folder: folder.to_path_buf(),
        baseline: args.baseline.clone(),
        published: args.published,
    })
}

fn run(folder: &Path, args: &ReportArgs, common: &Common) -> Result<ReportedRun, Failure> {
    let path = folder.join(run_folder::CONFIG);
    if !path.exists() {
        return Err(Failure::failed(format!(
            "{} has an adapter but no {}: give the whole folder of the run",
            folder.display(),
            run_folder::CONFIG
        )));
    }
    let config = run_folder::read_config(&path)?;
    let file = folder.join(run_folder::ADAPTER);
    let adapter = file.exists().then(|| Adapter::load(&file)).transpose()?;
    let measuring = match (args.no_evaluation, &adapter) {
        (true, _) => None,
        (false, None) => {
            return Err(Failure::failed(format!(
                "{}: the run is not finished: continue it with `promptsrc train ... --resume`, or give \
                 --no-evaluation for a page of what there is",
                folder.display()
            )));
        }
        (false, Some(_)) => Some(measuring(folder, &config, args, common)?),
    };
    Ok(ReportedRun {
        name: folder.display().to_string(),
        folder: folder.to_path_buf(),
        config,
        adapter,
        measuring,
    })
}

fn measuring(
    folder: &Path,
    config: &RunConfig,
    args: &ReportArgs,
    common: &Common,
) -> Result<Measuring, Failure> {
    let source = AdapterSource::new(
        folder,
        args.clip.as_deref(),
        &UsedCheckpointArgs::default(),
        common,
    )?;
    let data = data_args(folder, &config.data, args, common)?;
    let mut settings = DataSettings::new(&data, common)?;
    settings.parts_as_one = args.part == Parts::All;
    let learned: Classes = config.data.classes.parse().map_err(|e| {
        Failure::failed(format!(
            "{}: {e}",
            folder.join(run_folder::CONFIG).display()
        ))
    })?;
    Ok(Measuring {
        source,
        root: match data.data.is_dir() {
            true => data.data.clone(),
            false => data.data.parent().unwrap_or(Path::new("")).to_path_buf(),
        },
        data: settings,
        part: args.part,
        classes: classes_of(learned, &config.train)?,
        templates: match (args.templates, args.template.as_slice()) {
            (None, []) => None,
            (named, given) => {
                let named = named.unwrap_or(crate::args::TemplatesArg::Single);
                Some(ZeroShotTemplates::new(named, given)?)
            }
        },
        images: usize::from(args.images),
    })
}

/// The classes that a run is measured on, those that it has learned first.
fn classes_of(learned: Classes, config: &MethodConfig) -> Result<Vec<Classes>, ConfigError> {
    Ok(match (learned, answers_other_names(config)?) {
        (Classes::All, _) => vec![Classes::All],
        (learned, false) => vec![learned],
        (Classes::Base, true) => vec![Classes::Base, Classes::Novel],
        (Classes::Novel, true) => vec![Classes::Novel, Classes::Base],
    })
}

/// Where the images are: as the options say, or as the run recorded.
fn data_args(
    folder: &Path,
    recorded: &RunData,
    args: &ReportArgs,
    common: &Common,
) -> Result<DataArgs, Failure> {
    let hosted = common
        .host
        .as_ref()
        .is_some_and(|host| host.dataset.is_some());
    let more = DataOptions {
        allow_missing: args.more.allow_missing || recorded.allow_missing,
        ..args.more.clone()
    };
    if let Some(data) = &args.data {
        let data = data.clone();
        return Ok(DataArgs { data, more });
    }
    let data = PathBuf::from(&recorded.path);
    let is_known = !recorded.path.is_empty() && (data.is_absolute() || recorded.path.contains(':'));
    if !hosted && (!is_known || (data.is_absolute() && !data.exists())) {
        return Err(Failure::failed(format!(
            "the images of the run {} are not {}: give their place with --data, or --no-evaluation",
            folder.display(),
            match is_known {
                true => format!("at {} any more", recorded.path),
                false => "recorded".to_string(),
            }
        )));
    }
    let path = |given: &Option<PathBuf>, recorded: &Option<String>| {
        given
            .clone()
            .or_else(|| recorded.as_ref().map(PathBuf::from))
    };
    Ok(DataArgs {
        data,
        more: DataOptions {
            split: path(&args.more.split, &recorded.split),
            class_names: path(&args.more.class_names, &recorded.class_names),
            ..more
        },
    })
}
