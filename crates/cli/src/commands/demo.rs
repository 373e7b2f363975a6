//! `promptsrc demo`: base-to-novel generalisation on the built-in world.
//!
//! It trains, evaluates and predicts in the same way as the commands that it prints.

mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::ProgressBar;
use promptsrc::methods::Request;
use promptsrc::{
    Adapter, Classes, Classifier, Clip, DataPlace, Event, Overrides, Part, Preset, RunSpec,
    TrainingImages, run_folder,
};
use promptsrc_clip::templates;
use promptsrc_protocols::jobs::one_per_thread;
use promptsrc_world::WorldSet;

use crate::commands::predict::Predicted;
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{DemoSettings, config_usage, decoding_threads};

use report::{Report, Rows, Scores, average};

/// Number of images that are classified at the end, each of another novel class.
const SHOWN: usize = 4;

/// One of the compared classifiers: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Contender {
    name: &'static str,
    learns: Learns,
    /// Whether it is only shown with `--ablation`.
    is_step: bool,
}

/// How a contender is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learns {
    /// CLIP without prompts.
    Nothing,
    /// The method of this name, as published.
    Method(&'static str),
    /// PromptSRC with a single template instead of 60, with or without its prompt aggregation.
    OneTemplate { gpa: bool },
}

impl Learns {
    /// The method and what replaces its settings.
    fn method(self) -> Option<(&'static str, Overrides)> {
        match self {
            Self::Nothing => None,
            Self::Method(name) => Some((name, Overrides::default())),
            Self::OneTemplate { gpa } => {
                let overrides = Overrides {
                    no_gpa: !gpa,
                    templates: Some(vec![templates::PHOTO.to_string()]),
                    ..Overrides::default()
                };
                Some(("promptsrc", overrides))
            }
        }
    }
}

const CONTENDERS: [Contender; 5] = [
    Contender {
        name: "zero-shot",
        learns: Learns::Nothing,
        is_step: false,
    },
    Contender {
        name: "ivlp",
        learns: Learns::Method("ivlp"),
        is_step: false,
    },
    Contender {
        name: "ivlp+agreement",
        learns: Learns::OneTemplate { gpa: false },
        is_step: true,
    },
    Contender {
        name: "ivlp+agreement+gpa",
        learns: Learns::OneTemplate { gpa: true },
        is_step: true,
    },
    Contender {
        name: "promptsrc",
        learns: Learns::Method("promptsrc"),
        is_step: false,
    },
];

/// One training with its evaluations.
#[derive(Clone, Copy)]
struct Job<'a> {
    clip: &'a Clip,
    settings: &'a DemoSettings,
    set: &'static WorldSet,
    contender: &'a Contender,
    seed: u64,
}

pub fn run(settings: &DemoSettings, printer: &Printer) -> Result<(), Failure> {
    let began = Instant::now();
    let DemoSettings {
        sets, seeds, out, ..
    } = settings;
    let contenders: Vec<&Contender> = CONTENDERS
        .iter()
        .filter(|contender| settings.ablation || !contender.is_step)
        .collect();
    std::fs::create_dir_all(out)
        .map_err(|e| Failure::failed(format!("--out {}: {e}", out.display())))?;
    introduce(settings, printer);
    let clip = settings.clip.open(printer)?;

    let mut jobs = Vec::new();
    for set in sets {
        for contender in &contenders {
            // The results without prompts do not depend on the seed.
            let seeds = match contender.learns {
                Learns::Nothing => &seeds[..1],
                _ => &seeds[..],
            };
            jobs.extend(seeds.iter().map(|seed| Job {
                clip: &clip,
                settings,
                set,
                contender,
                seed: *seed,
            }));
        }
    }
    let results = work(&jobs, printer)?;

    // A contender without training has the same result for every seed.
    let of = |set: Option<&str>, contender: &Contender, seed: u64| {
        let found = jobs.iter().zip(&results).filter(|(job, _)| {
            job.contender == contender
                && set.is_none_or(|set| job.set.name() == set)
                && (contender.learns == Learns::Nothing || job.seed == seed)
        });
        found.map(|(_, result)| *result).collect::<Vec<_>>()
    };
    let rows = |set: Option<&str>| -> Rows {
        let row = |contender: &&Contender| {
            let seeds = seeds.iter().map(|seed| average(&of(set, contender, *seed)));
            (
                contender.name,
                Scores::over_seeds(&seeds.collect::<Vec<_>>()),
            )
        };
        contenders.iter().map(row).collect()
    };
    let report = Report {
        sets: sets
            .iter()
            .map(|set| (set.name(), rows(Some(set.name()))))
            .collect(),
        average: rows(None),
        seeds: seeds.clone(),
        shots: settings.shots,
    };

    let seed = report.seeds[0];
    let shown = show_images(settings, &clip, seed)?;
    let seconds = began.elapsed().as_secs_f64();
    if printer.is_json() {
        let predictions: Vec<_> = shown.iter().flat_map(|s| &s.predictions).collect();
        return printer.json(&report.json(&predictions, seconds));
    }
    printer.result(&format!(
        "\n{report}{}{}\nTotal: {seconds:.0} s.\n",
        images_text(&shown),
        next_steps(settings, seed, &shown)
    ))
}

fn introduce(settings: &DemoSettings, printer: &Printer) {
    let names: Vec<&str> = settings.sets.iter().map(|set| set.name()).collect();
    printer.note(&format!(
        "Synthetic images ({}) and a small CLIP, both built in.\n\
         The methods learn from {} images per base class and are evaluated on other images, of \
         base and novel classes.",
        names.join(", "),
        settings.shots
    ));
}

/// Executes the jobs in parallel and returns base and novel accuracy of each in per cent.
fn work(jobs: &[Job], printer: &Printer) -> Result<Vec<[f64; 2]>, Failure> {
    let bar = printer.percent_bar(jobs.len() as u64 * JOB);
    let threads = rayon::current_num_threads();
    let found = one_per_thread(jobs, threads, |job| job.run(&bar));
    bar.finish_and_clear();
    found
}

/// Units of progress per job.
const JOB: u64 = 100;

impl Job<'_> {
    fn run(&self, bar: &ProgressBar) -> Result<[f64; 2], Failure> {
        let mut done = 0;
        let adapter = match self.contender.learns.method() {
            Some((method, overrides)) => Some(self.train(method, &overrides, &mut done, bar)?),
            None => None,
        };
        let dataset = self.set.dataset();
        let mut accuracy = [0.0; 2];
        for (place, classes) in accuracy.iter_mut().zip([Classes::Base, Classes::Novel]) {
            let subset = dataset.whole().select(classes)?;
            let names = &subset.class_names;
            let classifier = match &adapter {
                Some(adapter) => adapter.classifier(self.clip, names)?,
                None => Classifier::zero_shot(self.clip, names, &[templates::PHOTO])?,
            };
            let items = subset.images(Part::Test, false)?.items;
            let evaluation = classifier.evaluate(&items, decoding_threads(), &mut |_| {})?;
            *place = 100.0 * evaluation.accuracy;
        }
        bar.inc(JOB.saturating_sub(done));
        Ok(accuracy)
    }

    /// Trains in a run folder; a run that an earlier demo has finished is kept.
    fn train(
        &self,
        method: &str,
        overrides: &Overrides,
        done: &mut u64,
        bar: &ProgressBar,
    ) -> Result<Adapter, Failure> {
        let dataset = self.set.dataset();
        let subset = dataset.few_shot(self.settings.shots, self.seed).base()?;
        let request = Request {
            method,
            preset: None,
            default_preset: Preset::BaseToNovel,
            is_mini: self.settings.clip.is_mini(),
            data_set: self.set.name(),
            shots: Some(self.settings.shots),
            seed: self.seed,
            overrides,
        };
        let spec = RunSpec {
            clip: self.clip,
            images: TrainingImages::of(&subset, false)?,
            place: DataPlace {
                path: self.set.location(),
                ..DataPlace::default()
            },
            config: request.resolve().map_err(config_usage)?,
            threads: decoding_threads(),
        };
        let folder = run_path(self.settings, self.set, self.contender.name, self.seed);
        let (mut steps_in_all, mut steps_done) = (0, 0);
        let adapter = spec.train_in(&folder, true, &mut |event| match event {
            Event::Start {
                epochs,
                steps,
                finished,
                ..
            } => {
                steps_in_all = (epochs * steps) as u64;
                steps_done = (finished * steps) as u64;
            }
            Event::Step { .. } => {
                steps_done += 1;
                let now = (JOB - 10) * steps_done / steps_in_all.max(1);
                bar.inc(now.saturating_sub(*done));
                *done = now;
            }
            _ => {}
        })?;
        Ok(adapter)
    }
}

fn run_path(settings: &DemoSettings, set: &WorldSet, contender: &str, seed: u64) -> PathBuf {
    let name = format!("{}-{contender}-seed{seed}", set.name());
    settings.out.join(name)
}

/// Images of novel classes of a set, classified by a run.
struct Shown {
    command: String,
    truth: Vec<String>,
    predictions: Vec<Predicted>,
}

/// Writes a few images of classes that were not trained on, and classifies them among the novel
/// names.
fn show_images(settings: &DemoSettings, clip: &Clip, seed: u64) -> Result<Vec<Shown>, Failure> {
    let mut all = Vec::new();
    let per_set = SHOWN.div_ceil(settings.sets.len());
    for set in settings.sets.iter().take(SHOWN) {
        let novel = set.dataset().whole().novel()?.class_names;
        let names = set.class_names();
        let (mut truth, mut files) = (Vec::new(), Vec::new());
        for i in 0..per_set.min(novel.len()) {
            // Spread over the novel classes.
            let name = &novel[(2 * i + 1) * novel.len() / (2 * per_set)];
            let label = names.iter().position(|n| n == name).unwrap_or(0);
            let file = format!("{}-{}.png", set.name(), name.replace(' ', "_"));
            let path = settings.out.join("images").join(file);
            set.save_image(Part::Test, label, 0, &path)?;
            truth.push(name.clone());
            files.push(path);
        }
        let run = run_path(settings, set, "promptsrc", seed);
        let adapter = Adapter::load(&run.join(run_folder::ADAPTER))?;
        let predictions = adapter.classifier(clip, &novel)?.predict(&files)?;
        let words: Vec<String> = std::iter::once(&run)
            .chain(&files)
            .map(|path| path.display().to_string())
            .collect();
        all.push(Shown {
            command: format!(
                "promptsrc predict {} --names {:?}",
                words.join(" "),
                novel.join(",")
            ),
            truth,
            predictions: predictions.iter().map(|p| Predicted::new(p, 2)).collect(),
        });
    }
    Ok(all)
}

fn images_text(shown: &[Shown]) -> String {
    let mut text =
        "\nImages of classes that the training never saw, classified among all novel names:\n"
            .to_string();
    let rows: Vec<(&str, &str, &Predicted)> = shown
        .iter()
        .flat_map(|s| s.truth.iter().zip(&s.predictions))
        .map(|(truth, p)| (truth.as_str(), file_name(&p.image), p))
        .collect();
    let width = rows
        .iter()
        .map(|(_, file, _)| file.len())
        .max()
        .unwrap_or(0);
    for (truth, file, prediction) in rows {
        let top = prediction.top.as_deref().unwrap_or_default();
        let named: Vec<String> = top
            .iter()
            .map(|n| format!("{} {:.0} %", n.name, 100.0 * n.probability))
            .collect();
        let mark = match top.first() {
            Some(first) if first.name == truth => "right",
            _ => "wrong",
        };
        text += &format!("  {file:width$}  {mark}: {}\n", named.join(", "));
    }
    text
}

fn file_name(path: &str) -> &str {
    Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(path)
}

/// Commands that repeat a part of the demo, and suggestions for what to try next.
fn next_steps(settings: &DemoSettings, seed: u64, shown: &[Shown]) -> String {
    let (Some(set), Some(shown)) = (settings.sets.first(), shown.first()) else {
        return String::new();
    };
    let (data, shots) = (set.location(), settings.shots);
    let again = settings.out.join("by-hand");
    let again = again.display();
    format!(
        "\nThe runs are in {}, the images in {}. To repeat one of the runs:\n\
         \x20 promptsrc train --clip mini --data {data} --classes base --shots {shots} --seed {seed} \
         --out {again}\n\
         \x20 promptsrc eval {again} --data {data} --classes novel\n\
         \x20 {}\n\
         With your own images, in a folder per class, and a published CLIP:\n\
         \x20 promptsrc train --clip ViT-B/16 --data IMAGES --shots 16 --out runs/mine\n\
         \x20 promptsrc predict runs/mine IMAGE.jpg --names \"a,b,c\"\n",
        settings.out.display(),
        settings.out.join("images").display(),
        shown.command
    )
}
