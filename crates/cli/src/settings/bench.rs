//! The settings of `promptsrc bench`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promptsrc::Classes;
use promptsrc_protocols::{Choice, Contender, DatasetCollection, Plan, PlanError, Protocol};
use promptsrc_world::MINI;

use super::clip::ClipSettings;
use super::collections::{Folder, WORLD, World};
use super::files::refuse_file;
use super::job_array;
use super::train::{config_usage, overrides};
use crate::args::{BenchArgs, BenchCommand, Common, Only, Scheduler, TableArgs};
use crate::failure::Failure;

/// A benchmark, or the tables of finished runs.
pub enum BenchSettings<'a> {
    Sweep(Box<SweepSettings>),
    Table(&'a TableArgs),
}

/// The runs of a benchmark.
pub struct SweepSettings {
    pub protocol: Protocol,
    pub clip: ClipSettings,
    pub collection: Box<dyn DatasetCollection>,
    /// All runs of the benchmark.
    pub plan: Plan,
    /// The runs to execute.
    pub part: Plan,
    pub out: PathBuf,
    pub allow_missing: bool,
    pub allow_unreadable: bool,
    pub exif: bool,
    pub ignore_few_shot_caches: bool,
    /// The method that the tables compare the others with.
    pub baseline: Option<String>,
    /// Whether the runs are only listed.
    pub list: bool,
    /// What a job is printed for, instead of the list.
    pub job: Option<Scheduler>,
    /// Number of parts of the job, if given.
    pub parts: Option<usize>,
    /// Threads of a part of the job, if given.
    pub asked_threads: Option<usize>,
    /// How the scheduler has named the part of this process, for the user.
    pub found: Option<String>,
}

impl<'a> BenchSettings<'a> {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before an image is read or a
    /// CLIP is downloaded.
    pub fn new(command: &'a BenchCommand, common: &Common) -> Result<Self, Failure> {
        let (protocol, args) = match command {
            BenchCommand::BaseToNovel(args) => (Protocol::BaseToNovel, args),
            BenchCommand::FewShot(args) => (Protocol::FewShot, args),
            BenchCommand::CrossDataset(args) => (Protocol::CrossDataset, args),
            BenchCommand::DomainGeneralization(args) => (Protocol::DomainGeneralization, args),
            BenchCommand::Table(args) => return Ok(Self::Table(args)),
        };
        let sweep = SweepSettings::new(protocol, args, common)?;
        Ok(Self::Sweep(Box::new(sweep)))
    }
}

impl SweepSettings {
    fn new(protocol: Protocol, args: &BenchArgs, common: &Common) -> Result<Self, Failure> {
        let is_world = args.root == Path::new(WORLD) && !args.root.exists();
        let spec = match (&args.clip, is_world) {
            (Some(clip), _) => clip.as_str(),
            (None, true) => MINI,
            (None, false) => {
                return Err(Failure::usage(
                    "--clip is missing: give a CLIP, for example --clip ViT-B/16; only --root \
                     world has a default",
                ));
            }
        };
        let clip = ClipSettings::new(spec, common)?;
        let folder = match is_world {
            true => None,
            false => Some(Folder::new(&args.root)?),
        };
        let collection: &dyn DatasetCollection = match &folder {
            None => &World,
            Some(folder) => folder,
        };
        let sets = collection.sets();
        let methods = args.chosen.contenders(args.ablation);
        if let Some(baseline) = &args.compare.baseline {
            let names: Vec<&str> = methods.iter().map(Contender::name).collect();
            if !names.contains(&baseline.as_str()) {
                return Err(Failure::usage(format!(
                    "--baseline {baseline}: it is not one of the methods of this benchmark, {}",
                    names.join(", ")
                )));
            }
        }
        let choice = Choice {
            protocol,
            data_sets: (!args.datasets.is_empty()).then(|| args.datasets.clone()),
            methods,
            seeds: args.seeds.clone(),
            shots: match args.shots.is_empty() {
                true => protocol.shots().to_vec(),
                false => args.shots.clone(),
            },
            preset: args.preset,
            is_mini: clip.is_mini(),
            overrides: overrides(&args.overrides)?,
        };
        let names = ClassNameReader::new(collection);
        let plan =
            Plan::new(&choice, &sets, &|name| names.read(name)).map_err(|error| match error {
                PlanError::Config(error) => config_usage(error),
                PlanError::UnknownSet { .. } => Failure::usage(format!("--datasets: {error}")),
                error => Failure::usage(error),
            })?;
        let (share, found) = match args.only {
            None => (None, None),
            Some(Only::Given(share)) => (Some(share), None),
            Some(Only::Auto) => {
                let (share, why) = job_array::share(&|name| std::env::var(name).ok())?;
                let found = format!("part {} of {} ({why})", share.part, share.parts);
                (Some(share), Some(found))
            }
        };
        let part = match share {
            Some(share) => plan.part(share.part - 1, share.parts),
            None => plan.clone(),
        };
        if !args.plan {
            if let Some(folder) = &folder {
                folder.check(&data_sets(&part))?;
            }
            refuse_file("--out", &args.out, "a benchmark")?;
        }
        Ok(Self {
            protocol,
            clip,
            collection: match folder {
                None => Box::new(World),
                Some(folder) => Box::new(folder),
            },
            plan,
            part,
            out: args.out.clone(),
            allow_missing: args.allow_missing,
            allow_unreadable: args.allow_unreadable,
            exif: args.exif,
            ignore_few_shot_caches: args.ignore_few_shot_cache,
            baseline: args.compare.baseline.clone(),
            list: args.plan,
            job: args.format,
            parts: args.parts,
            asked_threads: common.threads,
            found,
        })
    }
}

/// Reads the class names of data sets, each once.
struct ClassNameReader<'a> {
    collection: &'a dyn DatasetCollection,
    read: RefCell<BTreeMap<String, Option<Vec<String>>>>,
}

impl<'a> ClassNameReader<'a> {
    fn new(collection: &'a dyn DatasetCollection) -> Self {
        Self {
            collection,
            read: RefCell::default(),
        }
    }

    /// The class names of a data set; `None` where it cannot be read. The sweep says why.
    fn read(&self, name: &str) -> Option<Vec<String>> {
        let mut read = self.read.borrow_mut();
        let names = || {
            let opened = self.collection.open(name).ok()?;
            let all = opened.dataset.whole().select(Classes::All).ok()?;
            Some(all.class_names)
        };
        let names = read.entry(name.to_string()).or_insert_with(names);
        names.clone()
    }
}

/// The data sets that the runs are trained or evaluated on.
fn data_sets(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for run in &plan.runs {
        let targets = run.targets.iter().map(|target| &target.data_set);
        for name in std::iter::once(&run.id.data_set).chain(targets) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}
