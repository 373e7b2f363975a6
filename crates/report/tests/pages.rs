//! Whole pages: nothing that a name says becomes markup, numbers are those of the evaluation, every plot has
//! its table, nothing is fetched, and the size is bounded.

use std::path::PathBuf;

use promptsrc::metrics::{EvaluationBuilder, ReliabilityBin, harmonic_mean};
use promptsrc::{Event, MethodConfig, NearestWords, TrainConfig, VectorWords};
use promptsrc_protocols::{
    Configuration, Measured as Result_, Protocol, RunId, RunResult, Table, add_published,
    compare_with, tables,
};
use promptsrc_report::{
    Answered, Calibrated, Fact, Judged, Likely, Log, Measured, Run, RunPage, SweepMachine,
    SweepPage, Trust, Words, run_page, sweep_page, training_log,
};

const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "a & b ' c",
    "]]></style></svg><b>",
    "</title><!--",
    "\u{202e}\u{0}\u{1b}[31m{}",
];

fn likely(class: &str, probability: f32) -> Likely {
    Likely {
        class: class.to_string(),
        probability,
        calibrated: None,
    }
}

/// `images` of each class, of which every third is taken for the next class.
fn judged(names: &[String], images: usize) -> Judged {
    let mut builder = EvaluationBuilder::new(names.to_vec());
    for label in 0..names.len() {
        for at in 0..images {
            let answer = if at % 3 == 2 {
                (label + 1) % names.len()
            } else {
                label
            };
            let mut logits = vec![0.0; names.len()];
            logits[answer] = 1.0 + at as f32;
            builder.add(label, &logits).expect("logits");
        }
    }
    let answered = |right: bool| Answered {
        name: format!("{}/1.jpg", names[0]),
        truth: names[0].clone(),
        answers: vec![
            likely(&names[usize::from(!right)], 0.8125),
            likely(&names[usize::from(right)], 0.125),
        ],
        thumbnail: Some("data:image/png;base64,AAAA".to_string()),
    };
    Judged {
        reliability: builder.reliability().to_vec(),
        calibrated: None,
        evaluation: builder.finish().expect("images"),
        mistakes: vec![answered(false)],
        hits: vec![answered(true)],
    }
}

fn measured(classes: &str, names: &[String], images: [usize; 2]) -> Measured {
    Measured {
        classes: classes.to_string(),
        trained: if classes == "novel" { 0 } else { names.len() },
        learned: judged(names, images[0]),
        zero_shot: judged(names, images[1]),
        templates: vec![format!("{} of a {{}}.", names[0])],
        notes: vec![names[0].clone()],
    }
}

fn config() -> MethodConfig {
    TrainConfig {
        epochs: 3,
        ..TrainConfig::default()
    }
    .into()
}

fn events() -> Vec<Event> {
    let losses = |value: f32| promptsrc::losses::LossValues {
        total: value,
        ce: value / 2.0,
        ..Default::default()
    };
    let mut all = vec![Event::Start {
        method: "promptsrc".to_string(),
        classes: 2,
        images: 8,
        parameters: 10,
        epochs: 3,
        steps: 4,
        finished: 0,
        machine: None,
    }];
    for epoch in 1..=3 {
        all.extend((1..=4).map(|step| Event::Step {
            epoch,
            step,
            losses: losses(4.0 / (epoch * 4 + step) as f32),
        }));
        all.push(Event::Epoch {
            epoch,
            lr: 0.0025 / epoch as f64,
            losses: losses(1.234_567 / epoch as f32),
            seconds: 1.5,
        });
    }
    all
}

fn hostile_names() -> Vec<String> {
    HOSTILE.map(str::to_string).to_vec()
}

fn run(name: &str, names: &[String]) -> Run {
    Run {
        name: name.to_string(),
        method: names[1].clone(),
        made: vec![Fact {
            what: names[3].clone(),
            value: names[4].clone(),
        }],
        log: training_log(&events(), 0, &config()),
        measured: vec![
            measured("base", names, [9, 6]),
            measured("novel", names, [7, 5]),
        ],
        not_measured: vec![names[2].clone()],
        words: Words::Found(NearestWords {
            vectors: vec![VectorWords {
                class: Some(names[0].clone()),
                place: 1,
                nearest: vec![(names[1].clone(), 0.25)],
            }],
            left_out: 0,
        }),
    }
}

fn page_of(runs: Vec<Run>) -> String {
    run_page(&RunPage {
        runs,
        program: "promptsrc 0.0.0".to_string(),
    })
    .expect("a page")
}

/// Nothing is fetched, no name is markup, and every plot has a table.
#[track_caller]
fn sound(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>"));
    for forbidden in [
        "http:",
        "https:",
        "<script",
        "<img src=x",
        "</style></svg>",
        "<!--",
        "\u{0}",
        "\u{1b}",
        "url(",
    ] {
        assert!(!page.contains(forbidden), "{forbidden:?} is in the page");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("</title>").count(), 1);
    for attribute in [" src=\"", " href=\""] {
        for rest in page.split(attribute).skip(1) {
            let fine = rest.starts_with("data:image/") || rest.starts_with('#');
            assert!(fine, "{attribute}{}", rest.get(..60).unwrap_or(rest));
        }
    }
    // Anchors lead somewhere.
    for rest in page.split("href=\"#").skip(1) {
        let id = rest.split('"').next().expect("an id");
        assert!(page.contains(&format!("id=\"{id}\"")), "no {id}");
    }
    for figure in page.split("<figure").skip(1) {
        let figure = figure.split("</figure>").next().expect("an end");
        assert!(
            figure.contains("<svg role=\"img\"") && figure.contains("<text"),
            "{figure}"
        );
        let numbers = figure.split("<details>").nth(1).expect("its numbers");
        assert!(numbers.contains("<table>"), "{numbers}");
    }
}

#[test]
fn no_name_becomes_markup_and_nothing_is_fetched() {
    let names = hostile_names();
    let page = page_of(vec![run(HOSTILE[0], &names), run(HOSTILE[4], &names)]);
    sound(&page);
    // What is hostile is shown as it is, in text and in plots.
    assert!(
        page.matches("&lt;script&gt;alert(1)&lt;/script&gt;")
            .count()
            > 20
    );
    // Two runs: the plot of both; each has losses, rate, accuracy, and for two halves classes, reliability
    // and matrix.
    assert_eq!(page.matches("<figure").count(), 1 + 2 * (3 + 2 * 3));
    assert_eq!(
        page.matches("<figure").count(),
        page.matches("<details>").count()
    );
}

#[test]
fn the_numbers_are_those_of_the_evaluation() {
    let names: Vec<String> = ["cat", "dog", "tea pot", "red", "blue"]
        .map(str::to_string)
        .to_vec();
    let run = run("runs/pets", &names);
    let page = page_of(vec![run.clone()]);
    sound(&page);
    let percent = |value: f64| format!("{:.2}", 100.0 * value);
    for measured in &run.measured {
        let evaluation = &measured.learned.evaluation;
        let head = format!(
            "{} of {} test images right among 5 classes",
            evaluation.correct, evaluation.total
        );
        assert!(page.contains(&head), "no {head}");
        for value in [
            evaluation.accuracy,
            evaluation.macro_f1,
            evaluation.top5_accuracy,
            evaluation.calibration_error,
            measured.zero_shot.evaluation.accuracy,
        ] {
            assert!(
                page.contains(&format!(">{}<", percent(value))),
                "no {value}"
            );
        }
        // The confusions: a third of each class is taken for the next one.
        let wrong = evaluation.confusion_matrix[0][1];
        let share = percent(wrong as f64 / evaluation.per_class[0].total as f64);
        let row = format!(
            "<td>cat</td><td>dog</td><td class=\"n\">{wrong}</td><td class=\"n\">{share}</td>"
        );
        assert!(page.contains(&row), "no {row}");
        // The bins of the calibration error add up to it.
        let error: f64 = measured
            .learned
            .reliability
            .iter()
            .map(|bin| (bin.confidence - bin.correct as f64).abs())
            .sum::<f64>()
            / evaluation.total as f64;
        assert!((error - evaluation.calibration_error).abs() < 1e-12);
        let images: u64 = measured
            .learned
            .reliability
            .iter()
            .map(|bin| bin.total)
            .sum();
        assert_eq!(images, evaluation.total);
    }
    let accuracy = |at: usize| run.measured[at].learned.evaluation.accuracy;
    assert!(page.contains(&percent(harmonic_mean(accuracy(0), accuracy(1)))));
    // Epochs, rates and losses of the log; the answers of images; the words.
    for text in [
        "1.2346", "0.6173", "2.500e-3", "1.250e-3", "81.25 %", "0.2500",
    ] {
        assert!(page.contains(text), "no {text}");
    }
}

#[test]
fn a_calibration_is_beside_what_it_changes() {
    let names: Vec<String> = ["cat", "dog", "tea pot", "red", "blue"]
        .map(str::to_string)
        .to_vec();
    let mut run = run("runs/pets", &names);
    let learned = &mut run.measured[0].learned;
    let trust = |error: f64| Trust {
        negative_log_likelihood: 10.0 * error,
        brier_score: 2.0 * error,
        calibration_error: error,
    };
    // Half as confident: each image is in another bin.
    let bins = learned.reliability.len();
    let mut reliability = vec![ReliabilityBin::default(); bins];
    for (at, bin) in learned.reliability.iter().enumerate() {
        let half = &mut reliability[at / 2];
        half.confidence += 0.5 * bin.confidence;
        half.correct += bin.correct;
        half.total += bin.total;
    }
    learned.calibrated = Some(Calibrated {
        temperature: 1.75,
        fitted_on: 321,
        before: trust(0.125),
        after: trust(0.0625),
        reliability: reliability.clone(),
    });
    for image in learned.mistakes.iter_mut().chain(&mut learned.hits) {
        for answer in &mut image.answers {
            answer.calibrated = Some(answer.probability / 2.0);
        }
    }
    let before = learned.reliability.clone();
    let page = page_of(vec![run]);
    sound(&page);
    assert_eq!(page.matches("<figure").count(), 3 + 2 * 3 + 1);
    for text in [
        "Reliability without the calibration",
        "Expected calibration error 6.25 % instead of 12.50 %.",
        "calibrated 6.25, zero-shot ",
        "(temperature 1.7500, from 321 images)",
        "<td>negative log-likelihood</td><td class=\"n\">1.2500</td><td class=\"n\">0.6250</td>",
        "<td>Brier score</td><td class=\"n\">0.2500</td><td class=\"n\">0.1250</td>",
        "<td>calibration error, %</td><td class=\"n\">12.50</td><td class=\"n\">6.25</td>",
        "81.25 → 40.62 %",
        "without → with the run's calibration",
    ] {
        assert!(page.contains(text), "no {text}");
    }
    // Each bin without and with the calibration in one row.
    let figure = page
        .split("<figure")
        .find(|figure| figure.contains("<h4>Reliability with the calibration</h4>"));
    let figure = figure.expect("a figure");
    for (before, after) in before.iter().zip(&reliability) {
        let cells = [before, after].map(|bin| {
            let of = |value: f64| match bin.total {
                0 => "-".to_string(),
                total => format!("{:.2}", 100.0 * value / total as f64),
            };
            let cells = [
                bin.total.to_string(),
                bin.correct.to_string(),
                of(bin.confidence),
                of(bin.correct as f64),
            ];
            cells
                .map(|cell| format!("<td class=\"n\">{cell}</td>"))
                .concat()
        });
        assert!(figure.contains(&cells.concat()), "no {cells:?}");
    }
}

#[test]
fn what_is_missing_is_said_and_not_drawn() {
    let empty = Run {
        name: "r".to_string(),
        log: Log::missing("There is no log.".to_string()),
        words: Words::None("A head has no words.".to_string()),
        ..Run::default()
    };
    let page = page_of(vec![empty]);
    sound(&page);
    assert!(!page.contains("<figure"));
    for words in [
        "There is no log.",
        "A head has no words.",
        "Nothing was measured.",
    ] {
        assert!(page.contains(words), "no {words}");
    }
    // A log that was damaged: what follows no step, or is no number, is counted.
    let mut damaged = events();
    damaged.push(damaged[1].clone());
    let log = training_log(&damaged, 2, &config());
    let page = page_of(vec![Run {
        log,
        ..Run::default()
    }]);
    assert!(page.contains("3 lines of the log cannot be used"), "{page}");
    let nothing = training_log(&[], 0, &config());
    let page = page_of(vec![Run {
        log: nothing,
        ..Run::default()
    }]);
    assert!(page.contains("There is no log of the training.") && !page.contains("<figure"));
}

#[test]
fn a_thousand_classes_make_a_page_of_bounded_size() {
    let names: Vec<String> = (0..1000)
        .map(|at| format!("a class with a long name {at}"))
        .collect();
    let run = Run {
        name: "imagenet".to_string(),
        method: "promptsrc".to_string(),
        measured: vec![measured("all", &names, [3, 3])],
        ..Run::default()
    };
    let page = page_of(vec![run]);
    sound(&page);
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains("The matrix of 1000 classes is not drawn"));
    assert!(page.contains("990 less frequent confusions are left out."));
    assert!(page.contains("a class with a long name 999"));
}

fn result(
    method: &str,
    data_set: &str,
    shots: Option<usize>,
    seed: u64,
    correct: u64,
) -> (PathBuf, RunResult) {
    let run = RunId {
        protocol: Protocol::FewShot,
        method: method.to_string(),
        data_set: data_set.to_string(),
        shots,
        seed: shots.map(|_| seed),
    };
    let configuration = Configuration {
        clip: "abc".to_string(),
        clip_settings: None,
        preprocessing: None,
        precision: "f32".to_string(),
        allow_missing: false,
        exif: false,
        train: shots.map(|_| {
            TrainConfig {
                method: method.to_string(),
                seed,
                ..TrainConfig::default()
            }
            .into()
        }),
    };
    let mut result = RunResult::new(run, configuration, None);
    result.measured.push(Result_ {
        data_set: data_set.to_string(),
        classes: "all".to_string(),
        names: 10,
        correct,
        total: 1000,
        macro_f1: 0.5,
        images: data_set.to_string(),
        image_facts: None,
    });
    (result.run.path(), result)
}

fn few_shot(sets: &[&str]) -> Vec<Table> {
    let mut results = Vec::new();
    for set in sets {
        results.push(result("zero-shot", set, None, 0, 500));
        for (at, shots) in [1, 2, 4].into_iter().enumerate() {
            for seed in 1..=3 {
                let correct = 600 + 50 * at as u64 + 10 * seed;
                results.push(result("coop", set, Some(shots), seed, correct));
                results.push(result("promptsrc", set, Some(shots), seed, correct + 25));
            }
        }
    }
    tables(&results, &[]).expect("tables")
}

#[test]
fn a_sweep_shows_its_tables_curves_and_differences() {
    let mut tables = few_shot(&["DTD", "<script>alert(1)</script>"]);
    assert!(compare_with(&mut tables[0], "zero-shot"));
    let content = SweepPage {
        name: "</title><script>".to_string(),
        tables: tables.clone(),
        tests: false,
        machines: vec![SweepMachine {
            name: Some("</td><script>".to_string()),
            trained: 7,
            evaluated: 8,
        }],
        program: "promptsrc 0.0.0".to_string(),
    };
    let page = sweep_page(&content).expect("a page");
    sound(&page);
    // Side by side; the average and two data sets over shots; two methods less zero-shot.
    assert_eq!(page.matches("<figure").count(), 1 + 3 + 2);
    // One shot: 61, 62, 63 and their deviation; the difference to 50.
    for text in [
        "62.00 ± 0.82",
        "+12.00",
        "+14.50",
        "PromptSRC less CLIP",
        "shots per class",
        "standard deviation",
        "&lt;/td&gt;&lt;script&gt;</td><td class=\"n\">7</td><td class=\"n\">8</td>",
    ] {
        assert!(page.contains(text), "no {text}");
    }
    assert!(!page.contains("p over pairs"));
    let tested = sweep_page(&SweepPage {
        tests: true,
        ..content
    });
    assert!(tested.expect("a page").contains("p over pairs"));
    // Published rows have bars and marks of their own.
    add_published(&mut tables[0]);
    let page = sweep_page(&SweepPage {
        tables,
        ..SweepPage::default()
    });
    sound(&page.expect("a page"));
}

#[test]
fn a_sweep_without_learning_and_without_results_is_a_page() {
    let results = [result("zero-shot", "DTD", None, 0, 500)];
    let page = sweep_page(&SweepPage {
        tables: tables(&results, &[]).expect("a table"),
        ..SweepPage::default()
    });
    let page = page.expect("a page");
    sound(&page);
    assert_eq!(page.matches("<figure").count(), 1);
    sound(&sweep_page(&SweepPage::default()).expect("a page"));
}
