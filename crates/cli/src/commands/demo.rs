//! `promptsrc demo`: base-to-novel generalisation on the built-in world, from nothing.
//!
//! It only runs `train`, `eval` and `predict` commands, written out as a person would type them, with
//! the code that would run them then.

mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use indicatif::ProgressBar;
use promptsrc::Event;
use promptsrc_datasets::{Classes, Part};
use promptsrc_files::write_atomically;
use promptsrc_protocols::jobs::one_per_thread;
use promptsrc_world::{Purpose, WorldSet, sets};

use crate::args::{Cli, Command, Common, DemoArgs};
use crate::commands::{eval, predict, train};
use crate::failure::Failure;
use crate::output::Printer;

use report::{Report, Rows, Scores, average};

/// Images that are classified at the end, of one novel class each.
const SHOWN: usize = 4;

/// A classifier that is compared: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Contender {
    name: &'static str,
    /// Options of `train` in addition to those that all have; `None`: CLIP without prompts.
    options: Option<&'static [&'static str]>,
    /// Only with `--ablation`.
    is_step: bool,
}

/// In the template file of the ablation; the other methods take the preset's 60.
const ONE_TEMPLATE: &str = "a photo of a {}.\n";
/// Stands for its path in the options below.
const TEMPLATE_FILE: &str = "TEMPLATE";

const CONTENDERS: [Contender; 5] = [
    Contender {
        name: "zero-shot",
        options: None,
        is_step: false,
    },
    Contender {
        name: "ivlp",
        options: Some(&["--method", "ivlp"]),
        is_step: false,
    },
    Contender {
        name: "ivlp+agreement",
        options: Some(&["--no-gpa", "--templates", TEMPLATE_FILE]),
        is_step: true,
    },
    Contender {
        name: "ivlp+agreement+gpa",
        options: Some(&["--templates", TEMPLATE_FILE]),
        is_step: true,
    },
    Contender {
        name: "promptsrc",
        options: Some(&[]),
        is_step: false,
    },
];

/// One training with its evaluations.
#[derive(Clone, Copy)]
struct Job<'a> {
    set: &'static WorldSet,
    contender: &'a Contender,
    seed: u64,
}

pub fn run(args: &DemoArgs, common: &Common, printer: &Printer) -> Result<(), Failure> {
    let began = Instant::now();
    let chosen = chosen_sets(args)?;
    let mut seeds = args.seeds.clone();
    seeds.sort_unstable();
    seeds.dedup();
    let contenders: Vec<&Contender> = CONTENDERS
        .iter()
        .filter(|contender| args.ablation || !contender.is_step)
        .collect();
    make_folder(args)?;

    let mut jobs = Vec::new();
    for set in &chosen {
        for contender in &contenders {
            // Without prompts nothing depends on the seed.
            let seeds = match contender.options {
                Some(_) => &seeds[..],
                None => &seeds[..1],
            };
            jobs.extend(seeds.iter().map(|seed| Job {
                set,
                contender,
                seed: *seed,
            }));
        }
    }
    introduce(args, &chosen, printer);
    let results = work(&jobs, args, common, printer)?;

    // A contender without seeds has the same result for each.
    let of = |set: Option<&str>, contender: &Contender, seed: u64| {
        let found = jobs.iter().zip(&results).filter(|(job, _)| {
            job.contender == contender
                && set.is_none_or(|set| job.set.name() == set)
                && (contender.options.is_none() || job.seed == seed)
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
        sets: chosen
            .iter()
            .map(|set| (set.name(), rows(Some(set.name()))))
            .collect(),
        average: rows(None),
        seeds,
        shots: args.shots,
    };

    let seed = report.seeds[0];
    let shown = show_images(args, common, printer, &chosen, seed)?;
    let seconds = began.elapsed().as_secs_f64();
    if printer.is_json() {
        let predictions: Vec<_> = shown.iter().flat_map(|s| &s.predictions).collect();
        return printer.json(&report.json(&predictions, seconds));
    }
    printer.result(&format!(
        "\n{report}{}{}\nTotal: {seconds:.0} s.\n",
        images_text(&shown),
        next_steps(args, &chosen, seed, &shown)
    ))
}

fn chosen_sets(args: &DemoArgs) -> Result<Vec<&'static WorldSet>, Failure> {
    if args.sets.is_empty() {
        let for_it = |set: &&WorldSet| set.purpose() == Purpose::BaseToNovel;
        return Ok(sets().iter().filter(for_it).collect());
    }
    let find = |name: &String| {
        let name = name.strip_prefix("world:").unwrap_or(name);
        WorldSet::find(name).map_err(|e| Failure::usage(format!("--sets: {e}")))
    };
    let mut chosen: Vec<&WorldSet> = Vec::new();
    for name in &args.sets {
        let set = find(name)?;
        if !chosen.iter().any(|other| other.name() == set.name()) {
            chosen.push(set);
        }
    }
    Ok(chosen)
}

fn make_folder(args: &DemoArgs) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("--out {}: {e}", args.out.display()));
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    if args.ablation {
        write_atomically(&template_file(args), ONE_TEMPLATE.as_bytes())?;
    }
    Ok(())
}

fn template_file(args: &DemoArgs) -> PathBuf {
    args.out.join("one_template.txt")
}

fn introduce(args: &DemoArgs, chosen: &[&WorldSet], printer: &Printer) {
    let names: Vec<&str> = chosen.iter().map(|set| set.name()).collect();
    printer.note(&format!(
        "Drawn images ({}) and a small CLIP, both built in.\n\
         The methods learn from {} images per base class and are evaluated on other images, of \
         base and novel classes.",
        names.join(", "),
        args.shots
    ));
}

/// Does the jobs, several at once, and returns base and novel accuracy of each in per cent.
fn work(
    jobs: &[Job],
    args: &DemoArgs,
    common: &Common,
    printer: &Printer,
) -> Result<Vec<[f64; 2]>, Failure> {
    let bar = printer.percent_bar(jobs.len() as u64 * JOB);
    // The results of its commands are not printed one by one.
    let printer = printer.quiet();
    let threads = rayon::current_num_threads();
    let found = one_per_thread(jobs, threads, |job| job.run(args, common, &printer, &bar));
    bar.finish_and_clear();
    found
}

/// Units of progress per job.
const JOB: u64 = 100;

impl Job<'_> {
    fn run(
        &self,
        args: &DemoArgs,
        common: &Common,
        printer: &Printer,
        bar: &ProgressBar,
    ) -> Result<[f64; 2], Failure> {
        let run = self.folder(args);
        let data = format!("world:{}", self.set.name());
        let mut done = 0;
        if let Some(words) = self.training(args) {
            let Command::Train(train_args) = parse(&words)? else {
                return Err(Failure::failed("not a training"));
            };
            let mut steps_in_all = 0;
            let mut steps_done = 0;
            train::learn(&train_args, common, printer, &mut |event| match event {
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
                    bar.inc(now.saturating_sub(done));
                    done = now;
                }
                _ => {}
            })?;
        }
        let mut accuracy = [0.0; 2];
        for (place, classes) in accuracy.iter_mut().zip(["base", "novel"]) {
            let mut words = vec!["eval", "--data", &data, "--classes", classes];
            match self.contender.options {
                Some(_) => words.push(&run),
                None => words.extend(["--zero-shot", "--clip", "mini"]),
            }
            let Command::Eval(eval_args) = parse(&words)? else {
                return Err(Failure::failed("not an evaluation"));
            };
            *place = 100.0 * eval::evaluation(&eval_args, common, printer)?.accuracy;
        }
        bar.inc(JOB.saturating_sub(done));
        Ok(accuracy)
    }

    fn folder(&self, args: &DemoArgs) -> String {
        run_folder(args, self.set, self.contender.name, self.seed)
    }

    /// The words of its `train` command.
    fn training(&self, args: &DemoArgs) -> Option<Vec<String>> {
        let options = self.contender.options?;
        let mut words = train_words(args, self.set, self.seed, &self.folder(args));
        words.extend(options.iter().map(|option| match *option {
            TEMPLATE_FILE => template_file(args).display().to_string(),
            option => option.to_string(),
        }));
        // What an earlier demo has finished is kept.
        words.push("--resume".into());
        Some(words)
    }
}

fn run_folder(args: &DemoArgs, set: &WorldSet, contender: &str, seed: u64) -> String {
    let name = format!("{}-{contender}-seed{seed}", set.name());
    args.out.join(name).display().to_string()
}

fn train_words(args: &DemoArgs, set: &WorldSet, seed: u64, run: &str) -> Vec<String> {
    let data = format!("world:{}", set.name());
    let (shots, seed) = (args.shots.to_string(), seed.to_string());
    [
        "train",
        "--clip",
        "mini",
        "--preset",
        "mini",
        "--data",
        &data,
        "--classes",
        "base",
        "--shots",
        &shots,
        "--seed",
        &seed,
        "--out",
        run,
    ]
    .map(String::from)
    .to_vec()
}

/// The command of these words, as if a person had typed them.
fn parse(words: &[impl AsRef<str>]) -> Result<Command, Failure> {
    let words = words.iter().map(AsRef::as_ref);
    Cli::try_parse_from(["promptsrc"].into_iter().chain(words))
        .map(|cli| cli.command)
        .map_err(|e| Failure::failed(e.to_string()))
}

/// Images of novel classes of a set, classified by a run.
struct Shown {
    command: String,
    truth: Vec<String>,
    predictions: Vec<predict::Prediction>,
}

/// Writes a few images of classes that the training never saw, and classifies them among the novel
/// names.
fn show_images(
    args: &DemoArgs,
    common: &Common,
    printer: &Printer,
    chosen: &[&'static WorldSet],
    seed: u64,
) -> Result<Vec<Shown>, Failure> {
    let mut all = Vec::new();
    let per_set = SHOWN.div_ceil(chosen.len());
    for set in chosen.iter().take(SHOWN) {
        let dataset = set.dataset();
        let picks = dataset.few_shot(args.shots, seed);
        let novel = dataset.select(&picks, Classes::Novel)?.class_names;
        let names = set.class_names();
        let (mut truth, mut files) = (Vec::new(), Vec::new());
        for i in 0..per_set.min(novel.len()) {
            // Spread over the novel classes.
            let name = &novel[(2 * i + 1) * novel.len() / (2 * per_set)];
            let label = names.iter().position(|n| n == name).unwrap_or(0);
            let file = format!("{}-{}.png", set.name(), name.replace(' ', "_"));
            let path = args.out.join("images").join(file);
            set.save_image(Part::Test, label, 0, &path)?;
            truth.push(name.clone());
            files.push(path);
        }
        let run = run_folder(args, set, "promptsrc", seed);
        let names = novel.join(",");
        let mut words = vec!["predict".to_string(), run];
        words.extend(files.iter().map(|f| f.display().to_string()));
        let typed: Vec<&str> = words.iter().map(String::as_str).collect();
        let command = format!("promptsrc {} --names {:?}", typed.join(" "), names);
        words.extend(["--names".into(), names, "--top-k".into(), "2".into()]);
        let Command::Predict(predict_args) = parse(&words)? else {
            return Err(Failure::failed("not a prediction"));
        };
        all.push(Shown {
            command,
            truth,
            predictions: predict::predictions(&predict_args, common, &printer.quiet())?,
        });
    }
    Ok(all)
}

fn images_text(shown: &[Shown]) -> String {
    let mut text =
        "\nImages of classes that the training never saw, classified among all novel names:\n"
            .to_string();
    let rows: Vec<(&str, &str, &predict::Prediction)> = shown
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

/// The commands that this ran, and what to try next.
fn next_steps(args: &DemoArgs, chosen: &[&'static WorldSet], seed: u64, shown: &[Shown]) -> String {
    let (Some(set), Some(shown)) = (chosen.first(), shown.first()) else {
        return String::new();
    };
    let run = run_folder(args, set, "promptsrc", seed);
    let training = train_words(args, set, seed, &run).join(" ");
    format!(
        "\nThe runs are in {}, the images in {}. One of the runs by hand:\n\
         \x20 promptsrc {training}\n\
         \x20 promptsrc eval {run} --data world:{} --classes novel\n\
         \x20 {}\n\
         With your own images, in a folder per class, and a real CLIP:\n\
         \x20 promptsrc train --clip ViT-B/16 --data IMAGES --shots 16 --out runs/mine\n\
         \x20 promptsrc predict runs/mine IMAGE.jpg --names \"a,b,c\"\n",
        args.out.display(),
        args.out.join("images").display(),
        set.name(),
        shown.command
    )
}
