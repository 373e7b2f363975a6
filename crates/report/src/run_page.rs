//! The page of one run, or of several side by side.

use maud::{Markup, html};
use promptsrc::metrics::harmonic_mean;
use promptsrc::{Evaluation, VectorWords};

use crate::bars::{Bar, BarRow, bars};
use crate::chart::PlotError;
use crate::class_plot::class_figure;
use crate::colour::Colour;
use crate::confusion_plot::{confusion_figure, confusion_table};
use crate::data_table::DataTable;
use crate::figure::{Figure, Shape, Size, grid};
use crate::limits::{CONFUSION_CLASSES, RUNS};
use crate::mistakes::gallery;
use crate::number::{percent, points, shown};
use crate::page::{Head, page};
use crate::reliability_plot::{calibrated_figure, reliability_figure};
use crate::run::{Calibrated, Measured, Run, RunPage, Words};

/// Confusions that are named beside the matrix.
const WORST: usize = 10;
/// Colours that the page's plots may need.
const SERIES: usize = 12;

/// The page of runs.
///
/// # Errors
/// [`PlotError`].
pub fn run_page(content: &RunPage) -> Result<String, PlotError> {
    let runs = content.runs.get(..RUNS).unwrap_or(&content.runs);
    let left_out = content.runs.len() - runs.len();
    let several = runs.len() > 1;
    let mut places = Vec::new();
    if several {
        places.push(("together".to_string(), "Side by side".to_string()));
        let each = runs.iter().enumerate();
        places.extend(each.map(|(at, run)| (format!("r{at}"), run.name.clone())));
    } else {
        places.extend(runs.iter().flat_map(|run| sections(0, run)));
    }
    let title = match runs {
        [run] => run.name.clone(),
        runs => format!("{} runs", runs.len()),
    };
    let lead = match runs {
        [run] => summary(run),
        _ => String::new(),
    };
    let body = html! {
        @if several { (together(runs)?) }
        @if left_out > 0 {
            p.note { (left_out) " more runs are left out: a page has at most " (RUNS) "." }
        }
        @for (at, run) in runs.iter().enumerate() {
            section.run id=(format!("r{at}")) {
                @if several {
                    h2 { (shown(&run.name)) }
                    p.lead { (shown(&summary(run))) }
                }
                (of_run(at, run)?)
            }
        }
    };
    let head = Head {
        kind: if several {
            "promptsrc report of runs"
        } else {
            "promptsrc report of a run"
        },
        title: &title,
        lead: &lead,
        places,
        series: SERIES,
        program: &content.program,
    };
    Ok(page(&head, &body))
}

/// The sections that a run has: their ids and names.
fn sections(at: usize, run: &Run) -> Vec<(String, String)> {
    let mut found = vec![
        (format!("r{at}-result"), "Result".to_string()),
        (format!("r{at}-training"), "Training".to_string()),
    ];
    found.extend(run.measured.iter().map(|measured| {
        let id = format!("r{at}-{}", anchor(&measured.classes));
        (id, classes_in_words(measured))
    }));
    found.push((format!("r{at}-words"), "Words".to_string()));
    found.push((format!("r{at}-made"), "What it was made of".to_string()));
    found
}

/// A part of an id: letters and digits.
fn anchor(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn summary(run: &Run) -> String {
    let wanted = ["data set", "shots per class", "seed"];
    let fact = |what: &&str| {
        let fact = run.made.iter().find(|fact| fact.what == *what)?;
        Some(format!("{what} {}", fact.value))
    };
    let facts = wanted.iter().filter_map(fact);
    let all: Vec<String> = std::iter::once(run.method.clone()).chain(facts).collect();
    all.join(" · ")
}

fn classes_in_words(measured: &Measured) -> String {
    match measured.classes.as_str() {
        "all" => "All classes".to_string(),
        "base" => "Base classes".to_string(),
        "novel" => "Novel classes".to_string(),
        other => other.to_string(),
    }
}

/// Accuracies on base and novel classes, if both were measured.
fn base_and_novel(run: &Run, of: impl Fn(&Measured) -> &Evaluation) -> Option<(f64, f64)> {
    let find = |classes: &str| run.measured.iter().find(|m| m.classes == classes);
    let (base, novel) = (find("base")?, find("novel")?);
    Some((of(base).accuracy, of(novel).accuracy))
}

fn of_run(at: usize, run: &Run) -> Result<Markup, PlotError> {
    let id = |name: &str| format!("r{at}-{name}");
    let training = run.log.figures();
    Ok(html! {
        h2 id=(id("result")) { "Result" }
        @if run.measured.is_empty() && run.not_measured.is_empty() {
            p.note { "Nothing was measured." }
        }
        @for note in &run.not_measured { p.note { (shown(note)) } }
        @if !run.measured.is_empty() {
            (tiles(run))
            (grid(&[accuracy_figure(std::slice::from_ref(run), false)])?)
        }
        h2 id=(id("training")) { "Training" }
        @for note in run.log.notes() { p.note { (shown(note)) } }
        @if !training.is_empty() { (grid(&training)?) }
        @for measured in &run.measured {
            h2 id=(id(&anchor(&measured.classes))) { (classes_in_words(measured)) }
            (of_measured(run, measured)?)
        }
        h2 id=(id("words")) { "Words nearest to the learned prompt" }
        (words(&run.words))
        h2 id=(id("made")) { "What it was made of" }
        dl.made {
            @for fact in &run.made {
                dt { (shown(&fact.what)) }
                dd { (shown(&fact.value)) }
            }
        }
    })
}

/// The main numbers.
fn tiles(run: &Run) -> Markup {
    let tile = |what: String, value: f64, than: Option<f64>| {
        html! {
            li {
                div.what { (what) }
                div.value { (percent(value)) small { " %" } }
                @if let Some(than) = than {
                    div.than {
                        "zero-shot " (percent(than)) ", "
                        span class=[direction(value - than)] { (points(value - than)) }
                    }
                }
            }
        }
    };
    let own = base_and_novel(run, |m| &m.learned.evaluation);
    let theirs = base_and_novel(run, |m| &m.zero_shot.evaluation);
    html! {
        ul.tiles {
            @for measured in &run.measured {
                (tile(
                    format!("accuracy, {}", classes_in_words(measured).to_lowercase()),
                    measured.learned.evaluation.accuracy,
                    Some(measured.zero_shot.evaluation.accuracy),
                ))
            }
            @if let (Some((base, novel)), Some(other)) = (own, theirs) {
                (tile("harmonic mean".to_string(), harmonic_mean(base, novel), Some(harmonic_mean(other.0, other.1))))
            }
            @for measured in &run.measured {
                li {
                    div.what { "calibration error, " (classes_in_words(measured).to_lowercase()) }
                    div.value { (percent(measured.learned.evaluation.calibration_error)) small { " %" } }
                    div.than {
                        @if let Some(calibrated) = &measured.learned.calibrated {
                            "calibrated " (percent(calibrated.after.calibration_error)) ", "
                        }
                        "zero-shot " (percent(measured.zero_shot.evaluation.calibration_error))
                    }
                }
            }
        }
    }
}

/// Whether a difference, as it is shown, is more or less than nothing.
fn direction(difference: f64) -> Option<&'static str> {
    match points(difference).as_str() {
        "+0.00" => None,
        _ if difference > 0.0 => Some("up"),
        _ => Some("down"),
    }
}

/// Accuracies of runs beside zero-shot CLIP. `named`: whether rows have the names of the runs.
fn accuracy_figure(runs: &[Run], named: bool) -> Figure {
    let mut rows = Vec::new();
    let mut table = DataTable::new(&[
        "run",
        "classes",
        "#images",
        "#right",
        "#accuracy",
        "#zero-shot",
        "#difference",
        "#top 5",
        "#macro F1",
        "#calibration error",
        "#zero-shot's",
    ]);
    let bar = |value: f64, colour: Colour| {
        Some(Bar {
            colour,
            value: 100.0 * value,
            spread: None,
            text: percent(value),
        })
    };
    for run in runs {
        let name = |classes: &str| match named {
            true => format!("{} · {classes}", run.name),
            false => classes.to_string(),
        };
        for measured in &run.measured {
            let (own, other) = (&measured.learned.evaluation, &measured.zero_shot.evaluation);
            rows.push(BarRow {
                name: name(&measured.classes),
                bars: vec![
                    bar(own.accuracy, Colour::Series(0)),
                    bar(other.accuracy, Colour::Reference),
                ],
            });
            table.row(vec![
                run.name.clone(),
                measured.classes.clone(),
                own.total.to_string(),
                own.correct.to_string(),
                percent(own.accuracy),
                percent(other.accuracy),
                points(own.accuracy - other.accuracy),
                percent(own.top5_accuracy),
                percent(own.macro_f1),
                percent(own.calibration_error),
                percent(other.calibration_error),
            ]);
        }
        let own = base_and_novel(run, |m| &m.learned.evaluation);
        let theirs = base_and_novel(run, |m| &m.zero_shot.evaluation);
        if let (Some(own), Some(theirs)) = (own, theirs) {
            let (own, theirs) = (
                harmonic_mean(own.0, own.1),
                harmonic_mean(theirs.0, theirs.1),
            );
            rows.push(BarRow {
                name: name("harmonic mean"),
                bars: vec![bar(own, Colour::Series(0)), bar(theirs, Colour::Reference)],
            });
            let none = || "-".to_string();
            table.row(vec![
                run.name.clone(),
                "harmonic mean".to_string(),
                none(),
                none(),
                percent(own),
                percent(theirs),
                points(own - theirs),
                none(),
                none(),
                none(),
                none(),
            ]);
        }
    }
    if !named {
        table.columns.remove(0);
        for row in &mut table.rows {
            row.remove(0);
        }
    }
    let method = match runs {
        [run] => run.method.clone(),
        _ => "the run".to_string(),
    };
    Figure {
        title: "Accuracy beside zero-shot CLIP".to_string(),
        note: "On the test images of these classes, among these classes.".to_string(),
        key: vec![
            (Colour::Series(0), Shape::Bar, method),
            (Colour::Reference, Shape::Bar, "zero-shot CLIP".to_string()),
        ],
        // Room for the numbers behind the bars.
        chart: bars(&rows, (0.0, 115.0), "", 16),
        table,
        size: Size::Column,
    }
}

/// The runs in one table and one plot.
fn together(runs: &[Run]) -> Result<Markup, PlotError> {
    let any = runs.iter().any(|run| !run.measured.is_empty());
    let figure = accuracy_figure(runs, true);
    let wanted: Vec<&str> = runs
        .iter()
        .flat_map(|run| run.made.iter().map(|f| f.what.as_str()))
        .collect();
    let mut facts: Vec<&str> = Vec::new();
    for what in wanted {
        if !facts.contains(&what) {
            facts.push(what);
        }
    }
    let value = |run: &Run, what: &str| {
        let fact = run.made.iter().find(|fact| fact.what == what);
        fact.map_or("-".to_string(), |fact| fact.value.clone())
    };
    let mut differ = DataTable::default();
    differ.columns.push(("".to_string(), false));
    differ
        .columns
        .extend(runs.iter().map(|run| (run.name.clone(), false)));
    for what in facts {
        let values: Vec<String> = runs.iter().map(|run| value(run, what)).collect();
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            differ.row(std::iter::once(what.to_string()).chain(values).collect());
        }
    }
    Ok(html! {
        h2 id="together" { "Side by side" }
        @if any {
            (figure.table.html())
            (grid(&[figure])?)
        } @else {
            p.note { "Nothing was measured." }
        }
        h3 { "In what they differ" }
        @if differ.rows.is_empty() {
            p.note { "In nothing that is recorded." }
        } @else {
            (differ.html())
        }
    })
}

fn of_measured(run: &Run, measured: &Measured) -> Result<Markup, PlotError> {
    let evaluation = &measured.learned.evaluation;
    let mut figures = Vec::new();
    figures.extend(class_figure(measured, &run.method));
    let reliability = reliability_figure(measured, &run.method);
    // Without and with a calibration stand beside each other.
    let calibration = match &measured.learned.calibrated {
        Some(calibrated) => {
            let with = calibrated_figure(&measured.learned, calibrated);
            Some(trust(calibrated, &[reliability, with])?)
        }
        None => {
            figures.push(reliability);
            None
        }
    };
    let worst = confusion_table(evaluation, WORST);
    let matrix = confusion_figure(evaluation)
        .map(|figure| figure.html())
        .transpose()?;
    let classes = evaluation.per_class.len();
    Ok(html! {
        p.lead {
            (evaluation.correct) " of " (evaluation.total) " test images right among " (classes) " classes"
            @match measured.trained {
                0 => { ", none of which the run has learned." }
                n if n == classes => { ", which the run has learned." }
                n => { ", " (n) " of which the run has learned." }
            }
        }
        p.note { "Zero-shot CLIP: " (shown(&measured.templates.join(" · "))) }
        @for note in &measured.notes { p.note { (shown(note)) } }
        (grid(&figures)?)
        @if let Some(calibration) = calibration { (calibration) }
        h3 { "Worst confusions" }
        @match worst {
            Some(table) => (table.html()),
            None => p.note { "No image was taken for another class." },
        }
        @match matrix {
            Some(matrix) => (matrix),
            None => p.note {
                "The matrix of " (classes) " classes is not drawn (it is up to " (CONFUSION_CLASSES) "): its "
                "most frequent confusions are those above."
            },
        }
        (gallery("Most confident mistakes", "There is no mistake.", &measured.learned.mistakes))
        (gallery("Least confident hits", "No image is right.", &measured.learned.hits))
    })
}

/// What a calibration changes.
fn trust(calibrated: &Calibrated, figures: &[Figure]) -> Result<Markup, PlotError> {
    let Calibrated { before, after, .. } = calibrated;
    let mut table = DataTable::new(&["", "#without", "#with"]);
    let mut row = |name: &str, [before, after]: [String; 2]| {
        table.row(vec![name.to_string(), before, after]);
    };
    let both = [before, after];
    row(
        "negative log-likelihood",
        both.map(|of| format!("{:.4}", of.negative_log_likelihood)),
    );
    row(
        "Brier score",
        both.map(|of| format!("{:.4}", of.brier_score)),
    );
    row(
        "calibration error, %",
        both.map(|of| percent(of.calibration_error)),
    );
    Ok(html! {
        h3 { "What the calibration changes" }
        p.note {
            "With the run's calibration (temperature " (format!("{:.4}", calibrated.temperature)) ", from "
            (calibrated.fitted_on) " images), the expected calibration error is " (percent(after.calibration_error))
            " % instead of " (percent(before.calibration_error)) " %. The answers are the same, so all that counts them "
            "is as it is."
        }
        (table.html())
        (grid(figures)?)
    })
}

fn words(words: &Words) -> Markup {
    let found = match words {
        Words::None(why) => return html! { p.note { (shown(why)) } },
        Words::Found(found) => found,
    };
    let name = |vector: &VectorWords| match &vector.class {
        Some(class) => format!("{class}, vector {}", vector.place),
        None => format!("vector {}", vector.place),
    };
    html! {
        p.note {
            "The tokens of CLIP whose embeddings are nearest to each vector of the context (Euclidean distance), as "
            "CoOp's authors interpret their prompts. A token that goes on within a word ends with a hyphen."
        }
        ol.vectors {
            @for vector in &found.vectors {
                li {
                    h4 { (shown(&name(vector))) }
                    div.scroll { table {
                        thead { tr { th { "word" } th.n { "distance" } } }
                        tbody {
                            @for (word, distance) in &vector.nearest {
                                tr { td { (shown(word)) } td.n { (format!("{distance:.4}")) } }
                            }
                        }
                    } }
                }
            }
        }
        @if found.left_out > 0 {
            p.note { (found.left_out) " more vectors are left out." }
        }
    }
}
