//! Seconds of `promptsrc report` for the paper's whole sweep: results of its plan, with made-up counts, written as
//! `promptsrc bench` writes them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use promptsrc::provenance::program;
use promptsrc::records::ClipRecord;
use promptsrc::{Classes, Machine, Overrides, Part};
use promptsrc_datasets::{CATALOGUE, CatalogueSet, Split, SplitOrigin};
use promptsrc_protocols::{
    Choice, Configuration, Contender, DatasetEntry, DatasetSize, Facts, ImageFacts, Measured, Plan,
    PlannedRun, Protocol, RunMachines, RunResult, Target, TransferRole,
};
use serde::Serialize;

use crate::failure::Failure;
use crate::median::median;

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// The command.
    #[arg(long, value_name = "FILE", default_value = "target/release/promptsrc")]
    promptsrc: PathBuf,
    /// Methods, besides zero-shot CLIP.
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "coop,promptsrc"
    )]
    methods: Vec<String>,
    /// Pages to write, after one to warm up.
    #[arg(long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    /// Keeps the page there.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Figures {
    data_sets: usize,
    methods: usize,
    seeds: usize,
    results: usize,
    /// Seconds of the process.
    median_seconds: f64,
    longest_seconds: f64,
    page_bytes: u64,
    machine: Machine,
}

/// Runs and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let sweep = folder.path().join("sweep");
    let mut methods = vec![Contender::find("zero-shot")?];
    for name in &options.methods {
        methods.push(Contender::find(name)?);
    }
    let results = write_sweep(&sweep, &methods)?;
    let page = options.out.clone();
    let page = page.unwrap_or_else(|| folder.path().join("report.html"));
    let once = || report(&options.promptsrc, &sweep, &page);
    once()?;
    let seconds = (0..options.repetitions.get())
        .map(|_| once())
        .collect::<Result<Vec<_>, _>>()?;
    let figures = Figures {
        data_sets: entries()
            .iter()
            .filter(|set| set.measured_by_default)
            .count(),
        methods: methods.len(),
        seeds: Protocol::SEEDS.len(),
        results,
        longest_seconds: seconds.iter().copied().fold(0.0, f64::max),
        median_seconds: median(seconds),
        page_bytes: std::fs::metadata(&page)?.len(),
        machine: Machine::here(),
    };
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    println!(
        "{} data sets x {} methods x {} seeds, base to novel and few-shot ({} results): {:.2} s, at most {:.2} s; a page \
         of {:.0} kB\n{}",
        figures.data_sets,
        figures.methods,
        figures.seeds,
        figures.results,
        figures.median_seconds,
        figures.longest_seconds,
        figures.page_bytes as f64 / 1e3,
        figures.machine
    );
    Ok(())
}

/// Seconds of one page.
fn report(command: &Path, sweep: &Path, page: &Path) -> Result<f64, Failure> {
    let start = Instant::now();
    let status = Command::new(command)
        .arg("report")
        .arg(sweep)
        .arg("--out")
        .arg(page)
        .args(["--force", "--quiet"])
        .stdout(Stdio::null())
        .status()
        .map_err(|e| format!("{}: {e}", command.display()))?;
    let seconds = start.elapsed().as_secs_f64();
    match status.success() {
        true => Ok(seconds),
        false => Err(format!("{} report: {status}", command.display()).into()),
    }
}

/// The paper's data sets, as a sweep of `bench` has them.
fn entries() -> Vec<DatasetEntry> {
    let entry = |set: &CatalogueSet| DatasetEntry {
        name: set.published_name.to_string(),
        aliases: Vec::new(),
        role: TransferRole::None,
        measured_by_default: !set.is_test_only(),
        size: DatasetSize {
            classes: set.classes,
            test: set.count(Part::Test),
        },
    };
    CATALOGUE.iter().map(entry).collect()
}

/// Writes the results of base to novel and few-shot, and returns how many.
fn write_sweep(folder: &Path, methods: &[Contender]) -> Result<usize, Failure> {
    let sets = entries();
    let mut written = 0;
    for protocol in [Protocol::BaseToNovel, Protocol::FewShot] {
        let choice = Choice {
            protocol,
            data_sets: None,
            methods: methods.to_vec(),
            seeds: Protocol::SEEDS.to_vec(),
            shots: protocol.shots().to_vec(),
            preset: None,
            is_mini: false,
            overrides: Overrides::default(),
        };
        for run in Plan::new(&choice, &sets, &|_| None)?.runs {
            let folder = folder.join(run.id.path());
            std::fs::create_dir_all(&folder)?;
            let machine = vec![Some(Machine::here())];
            let machines = RunMachines {
                trained_on: run.config.iter().flat_map(|_| machine.clone()).collect(),
                evaluated_on: machine,
            };
            machines.save(&folder)?;
            made_up(&run, &sets).save(&folder)?;
            written += 1;
        }
    }
    Ok(written)
}

/// A result of a run, with counts that are a function of its name.
fn made_up(run: &PlannedRun, sets: &[DatasetEntry]) -> RunResult {
    let images = |used| ImageFacts {
        used,
        left_out: 0,
        unreadable: 0,
        split: Some(Split {
            origin: SplitOrigin::Published,
            hash: None,
        }),
        few_shot_cache: None,
    };
    let fingerprint = |what: &str| {
        let [a, b, c, d] = [1, 2, 3, 4].map(|salt| hash(what, salt));
        format!("{a:016x}{b:016x}{c:016x}{d:016x}")
    };
    let clip = fingerprint("ViT-B/16");
    let configuration = Configuration {
        clip: clip.clone(),
        clip_settings: None,
        preprocessing: None,
        precision: "f32".to_string(),
        allow_missing: false,
        exif: false,
        train: run.config.clone(),
    };
    let measured = |target: &Target| {
        let entry = sets.iter().find(|set| set.name == target.data_set);
        let size = entry.map(|set| set.size).unwrap_or_default();
        let half = |of: usize| match target.classes {
            Classes::All => of,
            Classes::Base => of.div_ceil(2),
            Classes::Novel => of / 2,
        };
        let (names, total) = (half(size.classes), half(size.test).max(1));
        let what = format!("{} {} {:?}", target.data_set, target.classes, run.id);
        // From 40 to 95 per cent.
        let share = 0.4 + 0.55 * (hash(&what, 0) >> 11) as f64 / (1_u64 << 53) as f64;
        Measured {
            data_set: target.data_set.clone(),
            classes: target.classes.to_string(),
            names,
            correct: (share * total as f64) as u64,
            total: total as u64,
            macro_f1: share,
            images: fingerprint(&format!("{} {}", target.data_set, target.classes)),
            image_facts: Some(images(total)),
        }
    };
    let trained_on = run.config.as_ref();
    let trained_on = trained_on.map(|_| fingerprint(&format!("{:?}", run.id)));
    RunResult {
        fixed_classes: !run.answers_other_names(),
        facts: Some(Facts {
            program: program(),
            clip: ClipRecord {
                name: "ViT-B/16".to_string(),
                fingerprint: clip,
                embed_dim: 512,
                vision: [768, 12],
                text: [512, 12],
                settings: None,
            },
            trained_on: trained_on.as_ref().map(|_| images(16)),
        }),
        measured: run.targets.iter().map(measured).collect(),
        ..RunResult::new(run.id.clone(), configuration, trained_on)
    }
}

/// A number that depends on every character (FNV-1a).
fn hash(text: &str, salt: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    text.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use promptsrc_protocols::{collect, tables};

    use super::*;

    #[test]
    fn the_results_are_read_as_those_of_the_whole_sweep() {
        let folder = tempfile::tempdir().expect("a folder");
        let methods = ["zero-shot", "coop", "promptsrc"];
        let methods = methods.map(|name| Contender::find(name).expect("a method"));
        let written = write_sweep(folder.path(), &methods).expect("results");
        let results = collect(folder.path()).expect("results");
        // 11 sets: zero-shot twice, and two methods with three seeds of 16 shots, and of five numbers.
        assert_eq!(written, 11 * (2 + 2 * 3 + 2 * 3 * 5));
        assert_eq!(results.len(), written);
        let tables = tables(&results, &[]).expect("tables");
        assert_eq!(tables.len(), 2);
        for table in &tables {
            assert_eq!(table.data_sets.len(), 11);
            assert_eq!(table.average.len(), 3);
            assert!(table.data_sets.iter().all(|(_, rows)| rows.len() == 3));
        }
        // No two runs have the same numbers by construction.
        let mut shares: Vec<String> = results
            .iter()
            .flat_map(|(_, result)| &result.measured)
            .map(|measured| format!("{}", measured.macro_f1))
            .collect();
        let all = shares.len();
        shares.sort();
        shares.dedup();
        assert_eq!(shares.len(), all);
    }
}
