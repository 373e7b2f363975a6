//! `promptsrc bench`: the paper's benchmarks, except runs that are finished, and their tables.

mod plan_listing;
mod progress;

use std::path::Path;

use promptsrc::TrainConfig;
use promptsrc_protocols::{
    Choice, DatasetCollection, Format, Plan, PlanError, Protocol, RunId, Scale, Sweep, collect,
    collect_reference, render, tables,
};
use promptsrc_world::MINI;

use crate::args::{BenchArgs, BenchCommand, Common, TableArgs};
use crate::failure::Failure;
use crate::output::Printer;
use crate::resolve::{self, LoadedClip};
use crate::root::{Folder, WORLD, World};

use progress::SweepProgress;

pub fn run(command: &BenchCommand, common: &Common, printer: &Printer) -> Result<(), Failure> {
    let bench = |protocol, args| bench(protocol, args, common, printer);
    match command {
        BenchCommand::BaseToNovel(args) => bench(Protocol::BaseToNovel, args),
        BenchCommand::FewShot(args) => bench(Protocol::FewShot, args),
        BenchCommand::CrossDataset(args) => bench(Protocol::CrossDataset, args),
        BenchCommand::DomainGeneralization(args) => bench(Protocol::DomainGeneralization, args),
        BenchCommand::Table(args) => table(args, printer),
    }
}

fn bench(
    protocol: Protocol,
    args: &BenchArgs,
    common: &Common,
    printer: &Printer,
) -> Result<(), Failure> {
    let is_world = args.root == Path::new(WORLD) && !args.root.exists();
    let clip = match (&args.clip, is_world) {
        (Some(clip), _) => clip.as_str(),
        (None, true) => MINI,
        (None, false) => {
            return Err(Failure::usage(
                "--clip is missing: name a CLIP, for example --clip ViT-B/16; only --root world has a \
                 default",
            ));
        }
    };
    let scale = match resolve::is_mini(clip) {
        true => Scale::Mini,
        false => Scale::Published,
    };
    let folder = match is_world {
        true => None,
        false => Some(Folder::new(&args.root)?),
    };
    let root: &dyn DatasetCollection = match &folder {
        None => &World,
        Some(folder) => folder,
    };
    let plan = plan_of(protocol, args, root, scale)?;
    let part = match args.only {
        Some(only) => plan.part(only.part - 1, only.parts),
        None => plan.clone(),
    };
    if args.plan {
        return plan_listing::print(&plan, &part, args, printer);
    }
    if let Some(folder) = &folder {
        folder.check(&data_sets(&part))?;
    }
    if args.out.exists() && !args.out.is_dir() {
        return Err(Failure::failed(format!(
            "--out {}: is a file; the runs need a folder, which is created if it does not exist",
            args.out.display()
        )));
    }

    let loaded = resolve::clip(clip, common, printer)?;
    for run in &part.runs {
        if let Some(config) = &run.config {
            config
                .check_for(loaded.clip.config())
                .map_err(resolve::config_usage)?;
        }
    }
    let (at_once, decoding) = threads(&loaded);
    let record = loaded.record()?;
    let sweep = Sweep::new(&loaded.clip, record, loaded.source.clone(), root, &args.out)
        .allow_missing(args.allow_missing)
        .threads(at_once, decoding);
    let progress = SweepProgress::new(&part, printer);
    let failed = sweep.make(&part.runs, &|event| progress.show(event));
    progress.close();
    let failed = failed?;

    // The results of all parts that there are. They are read as `bench table` reads them, so that it
    // does not matter which process made which run.
    let expected: Vec<RunId> = plan.runs.iter().map(|run| run.id.clone()).collect();
    let mut results = collect_if_there(&args.out.join(protocol.name()))?;
    results.retain(|(_, result)| expected.contains(&result.run));
    let format = match printer.is_json() {
        true => Format::Json,
        false => Format::Terminal,
    };
    let text = render(&tables(&results, &expected)?, format);
    printer.result(&match printer.is_json() {
        true => text,
        false => format!("\n{text}"),
    })?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::failed("a run failed: see its error above")),
        n => Err(Failure::failed(format!(
            "{n} runs failed: see their errors above"
        ))),
    }
}

/// How many runs are made at once, and on how many threads a run prepares images. A step of a small
/// model is too short to be divided among threads, and several large models would not fit.
fn threads(loaded: &LoadedClip) -> (usize, usize) {
    const SMALL: usize = 256;
    match loaded.clip.config().vision.width <= SMALL {
        true => (rayon::current_num_threads(), 1),
        false => (1, resolve::decoding_threads()),
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

fn plan_of(
    protocol: Protocol,
    args: &BenchArgs,
    root: &dyn DatasetCollection,
    scale: Scale,
) -> Result<Plan, Failure> {
    let choice = Choice {
        protocol,
        data_sets: (!args.datasets.is_empty()).then(|| args.datasets.clone()),
        methods: args.methods.clone(),
        seeds: args.seeds.clone(),
        shots: match args.shots.is_empty() {
            true => protocol.shots().to_vec(),
            false => args.shots.clone(),
        },
    };
    let settings = resolve::Settings::read(&args.overrides)?;
    // A preset with all regularisers has every setting; a method takes those that it has.
    let mut probe = TrainConfig::default();
    settings.put_into(&mut probe)?;
    let configure = |data_set: &str| {
        let mut config = protocol.config(data_set, args.preset, scale);
        // A setting that no preset has was found above.
        let _ = settings.put_into(&mut config);
        config
    };
    Plan::new(&choice, &root.sets(), &configure).map_err(|error| match error {
        PlanError::Config(error) => resolve::config_usage(error),
        PlanError::UnknownSet { .. } => Failure::usage(format!("--datasets: {error}")),
        error => Failure::usage(error),
    })
}

fn collect_if_there(folder: &Path) -> Result<Vec<Found>, Failure> {
    match folder.exists() {
        true => Ok(collect(folder)?),
        false => Ok(Vec::new()),
    }
}

type Found = (std::path::PathBuf, promptsrc_protocols::RunResult);

fn table(args: &TableArgs, printer: &Printer) -> Result<(), Failure> {
    let mut results = collect(&args.folder)?;
    let reference = collect_reference(&args.folder).map_err(Failure::failed)?;
    for (path, reason) in &reference.left_out {
        printer.warning(&format!("{}: left out: {reason}", path.display()));
    }
    results.extend(reference.results);
    if let Some(protocol) = args.protocol {
        results.retain(|(_, result)| result.run.protocol == protocol);
    }
    if results.is_empty() {
        return Err(promptsrc_protocols::ResultError::None {
            path: args.folder.clone(),
        }
        .into());
    }
    let format = match (args.format, printer.is_json()) {
        (None, true) => Format::Json,
        (format, _) => format.unwrap_or_default(),
    };
    let text = render(&tables(&results, &[])?, format);
    printer.result(&match format {
        Format::Terminal => format!("\n{text}"),
        _ => text,
    })
}
