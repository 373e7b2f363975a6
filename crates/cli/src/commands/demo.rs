//! `promptsrc demo`: base-to-novel generalisation on the built-in world.
//!
//! It trains, evaluates and predicts in the same way as the commands that it prints.

mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::ProgressBar;
use promptsrc::methods::{Family, Request, answers_other_names};
use promptsrc::{
    Adapter, Classes, Classifier, Clip, DataPlace, Event, MethodConfig, Overrides, Part, Preset,
    RunSpec, TrainingImages, run_folder,
};
use promptsrc_clip::templates;
use promptsrc_protocols::Contender;
use promptsrc_protocols::jobs::one_per_thread;
use promptsrc_world::WorldSet;

use crate::commands::predict::Predicted;
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{DemoSettings, config_usage, decoding_threads};

use report::{Accuracies, Report, Rows, Scores, average};

/// The method whose runs classify the images if it is in the table.
const PREFERRED: &str = "promptsrc";

/// Number of images that are classified at the end, each of another novel class.
const SHOWN: usize = 4;

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
        sets,
        seeds,
        out,
        contenders,
        ..
    } = settings;
    std::fs::create_dir_all(out)
        .map_err(|e| Failure::failed(format!("--out {}: {e}", out.display())))?;
    introduce(settings, printer);
    let clip = settings.clip.open(printer)?;

    let mut jobs = Vec::new();
    for set in sets {
        for contender in contenders {
            // The results without a training do not depend on the seed.
            let seeds = match learns(contender) {
                false => &seeds[..1],
                true => &seeds[..],
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
            job.contender.name() == contender.name()
                && set.is_none_or(|set| job.set.name() == set)
                && (!learns(contender) || job.seed == seed)
        });
        found.map(|(_, result)| *result).collect::<Vec<_>>()
    };
    let rows = |set: Option<&str>| -> Rows {
        let row = |contender: &Contender| {
            let seeds = seeds.iter().map(|seed| average(&of(set, contender, *seed)));
            (
                contender.name(),
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
        bold: printer.marks_results(),
    };

    let seed = report.seeds[0];
    let method = method_to_show(settings)?;
    let shown = match &method {
        Some(method) => show_images(settings, &clip, method, seed)?,
        None => Vec::new(),
    };
    let seconds = began.elapsed().as_secs_f64();
    if printer.is_json() {
        let predictions: Vec<_> = shown.iter().flat_map(|s| &s.predictions).collect();
        return printer.json(&report.json(&predictions, seconds));
    }
    printer.result(&format!(
        "\n{report}{}{}\nTotal: {seconds:.0} s.\n",
        images_text(&shown),
        next_steps(settings, seed, method.as_ref(), &shown)
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

/// Whether a row has a training.
fn learns(contender: &Contender) -> bool {
    !matches!(contender.method().family(), Family::Frozen)
}

/// The configuration of a training.
fn config(
    settings: &DemoSettings,
    set: &WorldSet,
    contender: &Contender,
    seed: u64,
) -> Result<MethodConfig, Failure> {
    let request = Request {
        method: contender.method().name(),
        preset: None,
        default_preset: Preset::BaseToNovel,
        is_mini: settings.clip.is_mini(),
        data_set: set.name(),
        shots: Some(settings.shots),
        seed,
        overrides: &contender.overrides(&Overrides::default()),
    };
    request.resolve().map_err(config_usage)
}

/// Executes the jobs in parallel and returns the accuracies of each.
fn work(jobs: &[Job], printer: &Printer) -> Result<Vec<Accuracies>, Failure> {
    let bar = printer.percent_bar(jobs.len() as u64 * JOB);
    let threads = rayon::current_num_threads();
    let found = one_per_thread(jobs, threads, |job| job.run(&bar));
    bar.finish_and_clear();
    found
}

/// Units of progress per job.
const JOB: u64 = 100;

impl Job<'_> {
    fn run(&self, bar: &ProgressBar) -> Result<Accuracies, Failure> {
        let mut done = 0;
        let (adapter, answers_novel) = match learns(self.contender) {
            true => {
                let config = config(self.settings, self.set, self.contender, self.seed)?;
                let answers = answers_other_names(&config).map_err(config_usage)?;
                (Some(self.train(config, &mut done, bar)?), answers)
            }
            false => (None, true),
        };
        let dataset = self.set.dataset();
        let accuracy = |classes| -> Result<f64, Failure> {
            let subset = dataset.whole().select(classes)?;
            let names = &subset.class_names;
            let classifier = match &adapter {
                Some(adapter) => adapter.classifier(self.clip, names)?,
                None => Classifier::zero_shot(self.clip, names, &[templates::PHOTO])?,
            };
            let items = subset.images(Part::Test, false)?.items;
            let evaluation = classifier.evaluate(&items, decoding_threads(), &mut |_| {})?;
            Ok(100.0 * evaluation.accuracy)
        };
        let accuracies = Accuracies {
            base: accuracy(Classes::Base)?,
            novel: match answers_novel {
                true => Some(accuracy(Classes::Novel)?),
                false => None,
            },
        };
        bar.inc(JOB.saturating_sub(done));
        Ok(accuracies)
    }

    /// Trains in a run folder; a run that an earlier demo has finished is kept.
    fn train(
        &self,
        config: MethodConfig,
        done: &mut u64,
        bar: &ProgressBar,
    ) -> Result<Adapter, Failure> {
        let dataset = self.set.dataset();
        let subset = dataset.few_shot(self.settings.shots, self.seed).base()?;
        let spec = RunSpec {
            clip: self.clip,
            images: TrainingImages::of(&subset, false)?,
            place: DataPlace {
                path: self.set.location(),
                ..DataPlace::default()
            },
            config,
            threads: decoding_threads(),
        };
        let folder = run_path(self.settings, self.set, self.contender.name(), self.seed);
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

/// The method whose runs classify the images: PromptSRC if it is in the table, otherwise the last one
/// that learns, is a method of its own and answers novel names; `None` if there is none.
fn method_to_show(settings: &DemoSettings) -> Result<Option<Contender>, Failure> {
    let (Some(set), Some(seed)) = (settings.sets.first(), settings.seeds.first()) else {
        return Ok(None);
    };
    let mut last = None;
    for contender in settings.contenders.iter().filter(|one| !one.is_step()) {
        if !learns(contender) {
            continue;
        }
        let config = config(settings, set, contender, *seed)?;
        if answers_other_names(&config).map_err(config_usage)? {
            if contender.name() == PREFERRED {
                return Ok(Some(*contender));
            }
            last = Some(*contender);
        }
    }
    Ok(last)
}

/// Writes a few images of classes that were not trained on, and classifies them among the novel
/// names.
fn show_images(
    settings: &DemoSettings,
    clip: &Clip,
    method: &Contender,
    seed: u64,
) -> Result<Vec<Shown>, Failure> {
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
        let run = run_path(settings, set, method.name(), seed);
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
    if shown.is_empty() {
        return String::new();
    }
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
fn next_steps(
    settings: &DemoSettings,
    seed: u64,
    method: Option<&Contender>,
    shown: &[Shown],
) -> String {
    let own_images = "With your own images, in a folder per class, and a published CLIP:\n\
         \x20 promptsrc train --clip ViT-B/16 --data IMAGES --shots 16 --out runs/mine\n\
         \x20 promptsrc predict runs/mine IMAGE.jpg --names \"a,b,c\"\n";
    let (Some(set), Some(method), Some(shown)) = (settings.sets.first(), method, shown.first())
    else {
        return format!("\n{own_images}");
    };
    let (data, shots) = (set.location(), settings.shots);
    let again = settings.out.join("by-hand");
    let again = again.display();
    let method = match method.name() {
        // That of `train` unless another is given.
        PREFERRED => String::new(),
        other => format!("--method {other} "),
    };
    format!(
        "\nThe runs are in {}, the images in {}. To repeat one of the runs:\n\
         \x20 promptsrc train --clip mini --data {data} --classes base --shots {shots} --seed {seed} \
         {method}--out {again}\n\
         \x20 promptsrc eval {again} --data {data} --classes novel\n\
         \x20 {}\n\
         {own_images}",
        settings.out.display(),
        settings.out.join("images").display(),
        shown.command
    )
}
