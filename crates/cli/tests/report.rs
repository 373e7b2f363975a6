//! `promptsrc report`: pages of runs and sweeps, and what is wrong with folders that are neither.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use serde_json::Value;

/// Writes a page with more options, and returns it with what the command printed.
#[track_caller]
fn page(inputs: &[&str], out: &str, more: &[&str]) -> (String, Value) {
    let args = [&["report"], inputs, &["--out", out, "--json"], more].concat();
    let answer = promptsrc(&args).done().json();
    let page = fs::read_to_string(out).expect("a page");
    assert_eq!(answer["bytes"], page.len());
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    // Nothing is fetched, and nothing says where this machine keeps things.
    for forbidden in ["http:", "https:", "<script", env!("CARGO_MANIFEST_DIR")] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for attribute in [" src=\"", " href=\""] {
        for rest in page.split(attribute).skip(1) {
            assert!(rest.starts_with("data:image/") || rest.starts_with('#'));
        }
    }
    (page, answer)
}

fn percent(value: &Value) -> String {
    format!("{:.2}", 100.0 * value.as_f64().expect("a number"))
}

#[test]
fn a_page_of_a_run_has_the_numbers_of_eval() {
    let folder = scratch();
    let run = below(&folder, "run");
    train(&run, &["--epochs", "3", "--classes", "base"]).done();
    let out = below(&folder, "new/report.html");
    let (page, answer) = page(&[&run], &out, &["--images", "3"]);
    let measured = &answer["runs"][0]["measured"];
    for (at, classes) in ["base", "novel"].into_iter().enumerate() {
        let data = images();
        let own = promptsrc(&[
            "eval",
            &run,
            "--data",
            &data,
            "--classes",
            classes,
            "--json",
        ]);
        let own = own.done().json();
        let frozen = zero_shot(&clip(), &data, &["--classes", classes, "--json"])
            .done()
            .json();
        assert_eq!(measured[at]["classes"], classes);
        assert_eq!(measured[at]["accuracy"], own["accuracy"]);
        assert_eq!(measured[at]["zero_shot_accuracy"], frozen["accuracy"]);
        for number in ["accuracy", "macro_f1", "calibration_error"] {
            let shown = format!(">{}<", percent(&own[number]));
            assert!(page.contains(&shown), "no {number} {shown} of {classes}");
        }
        let shown = format!(">{}<", percent(&frozen["calibration_error"]));
        assert!(page.contains(&shown), "no {shown}");
        let head = format!("{} of {} test images right", own["correct"], own["total"]);
        assert!(page.contains(&head), "no {head:?}");
    }
    // Losses and rate, words for the four vectors of the context, settings and versions.
    for words in [
        "Losses",
        "Learning rate",
        "vector 4",
        "optim.momentum",
        "evaluated on",
        "clip_openai_fp16.safetensors",
        "Reliability",
        "Confusion matrix",
    ] {
        assert!(page.contains(words), "no {words}");
    }
    let mistakes = page.matches("data:image/").count();
    assert!((4..=12).contains(&mistakes), "{mistakes}");
    assert_eq!(page.matches("<figure").count(), 3 + 2 * 3);
    // The last loss of the log is in the table.
    let log = fs::read_to_string(below(&run, "log.jsonl")).expect("a log");
    let epoch = log
        .lines()
        .rev()
        .find(|line| line.contains("\"epoch\""))
        .expect("an epoch");
    let epoch: Value = serde_json::from_str(epoch).expect("JSON");
    let total = format!("{:.4}", epoch["total"].as_f64().expect("a loss"));
    assert!(page.contains(&total), "no {total}");
}

#[test]
fn runs_stand_side_by_side_and_a_head_says_what_it_has_not() {
    let folder = scratch();
    let (run, head) = (below(&folder, "run"), below(&folder, "head"));
    train(&run, &[]).done();
    let data = images();
    let clip = clip();
    let args = [
        "train",
        "--clip",
        &clip,
        "--data",
        &data,
        "--shots",
        "2",
        "--method",
        "tip-adapter-f",
    ];
    promptsrc(
        &[
            &args[..],
            &["--classes", "base", "--no-search", "--out", &head],
        ]
        .concat(),
    )
    .done();
    let (page, answer) = page(
        &[&run, &head],
        &below(&folder, "r.html"),
        &["--images", "0"],
    );
    assert_eq!(answer["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        answer["runs"][1]["measured"].as_array().map(Vec::len),
        Some(1)
    );
    for words in [
        "2 runs",
        "Side by side",
        "In what they differ",
        "tip-adapter-f learns a classifier of image features",
        "What tip-adapter-f learned belongs to the base classes of its training",
        "The fit of a head logs no learning rate.",
    ] {
        assert!(page.contains(words), "no {words:?}");
    }
    assert!(!page.contains("data:image/"));
}

#[test]
fn a_page_without_an_evaluation_needs_neither_clip_nor_images() {
    let folder = scratch();
    let run = trained(folder.path());
    let copy = below(&folder, "copy");
    let images = copy_of_images(folder.path());
    train_on(&clip(), &text(&images), &copy, &[]).done();
    fs::remove_dir_all(&images).expect("images");
    let out = below(&folder, "r.html");
    promptsrc(&["report", &copy, "--out", &out])
        .fails(1, &["are not at", "--data", "--no-evaluation"]);
    assert!(!Path::new(&out).exists());
    let (whole, _) = page(&[&copy], &out, &["--no-evaluation"]);
    assert!(whole.contains("It was not evaluated: --no-evaluation was given."));
    assert!(whole.contains("Losses") && !whole.contains("Confusion matrix"));
    // Images at another place.
    let (moved, _) = page(&[&copy], &out, &["--force", "--data", &common::images()]);
    assert!(moved.contains("Confusion matrix"));

    // A run that is not finished.
    fs::remove_file(below(&run, "adapter.safetensors")).expect("an adapter");
    promptsrc(&["report", &run, "--out", &out, "--force"]).fails(1, &["not finished", "--resume"]);
    let (unfinished, _) = page(&[&run], &out, &["--force", "--no-evaluation"]);
    assert!(unfinished.contains("The run is not finished"));
}

#[test]
fn damaged_runs_are_named_or_said() {
    let folder = scratch();
    let run = trained(folder.path());
    let out = below(&folder, "r.html");
    let log = below(&run, "log.jsonl");
    let whole = fs::read(&log).expect("a log");
    // A line that was cut by a kill, and bytes that are no text.
    fs::write(
        &log,
        [&whole[..], b"{\"event\":\"st\n", &[0xff, 0xfe, b'\n']].concat(),
    )
    .expect("room");
    let (cut, _) = page(&[&run], &out, &["--no-evaluation"]);
    assert!(cut.contains("2 lines of the log cannot be used and are left out."));
    fs::write(&log, b"").expect("room");
    let (empty, _) = page(&[&run], &out, &["--no-evaluation", "--force"]);
    assert!(
        empty.contains("There is no log of the training.") && !empty.contains("Learning rate<")
    );
    fs::remove_file(&log).expect("a log");
    let (none, _) = page(&[&run], &out, &["--no-evaluation", "--force"]);
    assert!(none.contains("There is no log of the training (log.jsonl)."));

    // A configuration of another training is said, on the page and as a warning.
    let config = below(&run, "config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, text.replace("seed = 1\n", "seed = 2\n")).expect("room");
    let ending = promptsrc(&["report", &run, "--out", &out, "--no-evaluation", "--force"]).done();
    assert!(ending.stderr.contains("different trainings"), "{ending}");
    fs::write(&config, "version = 1").expect("room");
    promptsrc(&["report", &run, "--out", &out, "--force"]).fails(1, &["config.toml"]);
    fs::write(&config, &text).expect("room");
    let adapter = below(&run, "adapter.safetensors");
    fs::write(&adapter, b"no adapter").expect("room");
    let args = ["report", &run, "--out", &out, "--no-evaluation", "--force"];
    promptsrc(&args).fails(1, &["adapter.safetensors"]);
    fs::remove_file(&config).expect("a configuration");
    promptsrc(&args).fails(1, &["config.toml"]);
}

#[test]
fn nothing_is_replaced_unawares_and_no_input_ever() {
    let folder = scratch();
    let run = trained(folder.path());
    let out = below(&folder, "r.html");
    fs::write(&out, "mine").expect("room");
    promptsrc(&["report", &run, "--out", &out, "--no-evaluation"]).fails(1, &["--force"]);
    assert_eq!(fs::read(&out).expect("a file"), b"mine");
    let log = below(&run, "log.jsonl");
    promptsrc(&["report", &run, "--out", &log, "--no-evaluation", "--force"]).fails(1, &["input"]);
    promptsrc(&["report", &run, "--out", &run, "--no-evaluation", "--force"])
        .fails(1, &["regular file"]);
    page(&[&run], &out, &["--no-evaluation", "--force"]);
}

#[test]
fn a_page_of_a_sweep_has_its_tables_and_takes_results_as_they_are() {
    let folder = scratch();
    let sweep = below(&folder, "sweep");
    let args = [
        "bench",
        "few-shot",
        "--root",
        "world",
        "--datasets",
        "objects,scenes",
        "--seeds",
        "1",
        "--shots",
        "1,2",
        "--epochs",
        "1",
        "--methods",
        "zero-shot,coop",
        "--out",
        &sweep,
        "--json",
    ];
    let table = promptsrc(&args).done().json();
    let out = below(&folder, "r.html");
    let (whole, answer) = page(&[&sweep], &out, &[]);
    assert_eq!(
        (&answer["of"], &answer["tables"]),
        (&Value::from("sweep"), &Value::from(1))
    );
    for (set, method, column) in [
        ("objects", "coop", "1"),
        ("scenes", "coop", "2"),
        ("scenes", "zero-shot", "2"),
    ] {
        let mean = table["sets"][set][method][column]["mean"]
            .as_f64()
            .expect("a mean");
        assert!(
            whole.contains(&format!(">{mean:.2}<")),
            "no {mean} of {set} {method}"
        );
    }
    // Side by side, the average and two sets over shots, one method less zero-shot.
    assert_eq!(whole.matches("<figure").count(), 1 + 3 + 1);
    assert!(whole.contains("CoOp less CLIP"), "no differences");
    // Two sets with two numbers of shots are trained; zero-shot CLIP, once for each set, is only evaluated.
    let rows = |page: &str| -> Vec<Vec<String>> {
        let section = page.split_once("id=\"machines\"").expect("a section").1;
        let body = section.split_once("<tbody>").expect("a table").1;
        let body = body.split_once("</tbody>").expect("an end").0;
        let rows = body.split("<tr>").skip(1).map(|row| {
            let cells = row.split("</td>").filter_map(|cell| cell.rsplit_once('>'));
            cells.map(|(_, text)| text.to_string()).collect::<Vec<_>>()
        });
        rows.collect()
    };
    let machines = rows(&whole);
    let [machine] = machines.as_slice() else {
        panic!("{machines:?}");
    };
    assert!(machine[0].contains(" thread on "), "{machine:?}");
    assert_eq!(machine[1..3], ["4", "6"], "{machine:?}");
    let (tested, _) = page(&[&sweep], &out, &["--force", "--baseline", "coop"]);
    assert!(tested.contains("p over pairs") && tested.contains("CLIP less CoOp"));
    promptsrc(&[
        "report",
        &sweep,
        "--out",
        &out,
        "--force",
        "--baseline",
        "maple",
    ])
    .fails(2, &["maple", "coop"]);
    promptsrc(&["report", &sweep, "--out", &out, "--force", "--clip", "mini"])
        .fails(2, &["--clip", "is a sweep"]);

    // Another machine measured one of the runs, and an earlier version made another.
    let of = |run: &str| below(&sweep, &format!("few-shot/{run}/machines.json"));
    let file = of("coop/scenes/shots_2/seed_1");
    let text = fs::read_to_string(&file).expect("machines");
    let mut moved: Value = serde_json::from_str(&text).expect("JSON");
    moved["evaluated_on"][0]["processor"] = "Other CPU".into();
    fs::write(&file, moved.to_string()).expect("room");
    fs::remove_file(of("coop/scenes/shots_1/seed_1")).expect("machines");
    let (page_of_two, _) = page(&[&sweep], &out, &["--force"]);
    let mut counts: Vec<(bool, bool, String, String)> = rows(&page_of_two)
        .into_iter()
        .map(|row| {
            let (other, none) = (row[0].starts_with("Other CPU"), row[0] == "not recorded");
            (other, none, row[1].clone(), row[2].clone())
        })
        .collect();
    counts.sort();
    let row = |other, none, trained: &str, evaluated: &str| {
        (other, none, trained.to_string(), evaluated.to_string())
    };
    assert_eq!(
        counts,
        [
            row(false, false, "3", "4"),
            row(false, true, "1", "1"),
            row(true, false, "0", "1")
        ]
    );
    // A repeated sweep changes nothing of it; a damaged file is named.
    promptsrc(&args).done();
    assert_eq!(
        fs::read_to_string(&file).expect("machines"),
        moved.to_string()
    );
    fs::write(&file, "[").expect("room");
    promptsrc(&["report", &sweep, "--out", &out, "--force"])
        .fails(1, &["machines.json", "remove it"]);
    fs::write(&file, text).expect("room");

    // A folder of a run within the sweep is a run; a sweep beside a run is an error.
    let inner = below(&sweep, "few-shot/coop/objects/shots_1/seed_1");
    page(&[&inner], &out, &["--force", "--no-evaluation"]);
    promptsrc(&["report", &inner, &sweep, "--out", &out, "--force"])
        .fails(1, &["is a sweep", "alone"]);
    promptsrc(&[
        "report",
        &inner,
        "--out",
        &out,
        "--force",
        "--baseline",
        "coop",
    ])
    .fails(2, &["--baseline"]);

    // A damaged result is named, and is never written over.
    let result = below(&inner, "result.json");
    promptsrc(&["report", &sweep, "--out", &result, "--force"]).fails(1, &["input"]);
    fs::write(&result, "{").expect("room");
    promptsrc(&["report", &sweep, "--out", &out, "--force"])
        .fails(1, &["result.json", "remove it"]);
}

#[test]
fn what_is_neither_a_run_nor_a_sweep_says_so() {
    let folder = scratch();
    let (out, empty) = (below(&folder, "r.html"), below(&folder, "empty"));
    fs::create_dir(&empty).expect("a folder");
    promptsrc(&["report", &empty, "--out", &out])
        .fails(1, &[&empty, "promptsrc train", "promptsrc bench"]);
    promptsrc(&["report", &below(&folder, "none"), "--out", &out]).fails(1, &["no such folder"]);
    promptsrc(&["report", &image(), "--out", &out]).fails(1, &["is a file"]);
    promptsrc(&["report", "--out", &out]).fails(2, &["RUN"]);
    let many = vec![empty.as_str(); 21];
    let args = [&["report"], &many[..], &["--out", &out]].concat();
    promptsrc(&args).fails(2, &["at most 20"]);
    assert!(!Path::new(&out).exists());
}

/// Images of a bin, those that are right, and the sum of their confidences.
type Bin = (u64, u64, f64);

/// The bins of rows of logits with their classes, at a temperature.
fn bins(rows: &[(usize, Vec<f64>)], temperature: f64) -> Vec<Bin> {
    let mut bins = vec![(0, 0, 0.0); 15];
    for (label, row) in rows {
        let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let answer = row.iter().position(|logit| *logit == greatest);
        let sum: f64 = row
            .iter()
            .map(|logit| ((logit - greatest) / temperature).exp())
            .sum();
        let confidence = 1.0 / sum;
        let bin = (1..=15).find(|bin| confidence <= f64::from(*bin) / 15.0);
        let (total, right, confidences) = &mut bins[bin.expect("a probability") as usize - 1];
        *total += 1;
        *right += u64::from(answer == Some(*label));
        *confidences += confidence;
    }
    bins
}

fn cells((total, right, confidences): Bin) -> String {
    let of = |value: f64| match total {
        0 => "-".to_string(),
        total => format!("{:.2}", 100.0 * value / total as f64),
    };
    let cells = [
        total.to_string(),
        right.to_string(),
        of(confidences),
        of(right as f64),
    ];
    cells
        .map(|cell| format!("<td class=\"n\">{cell}</td>"))
        .concat()
}

#[test]
fn a_calibration_of_the_run_is_shown_with_the_numbers_of_eval() {
    let folder = scratch();
    let (run, logits) = (below(&folder, "run"), below(&folder, "logits.csv"));
    let of = ["--data", "world:objects", "--classes", "base"];
    let more = ["--classes", "base", "--method", "ivlp", "--shots", "1"];
    train_on("mini", "world:objects", &run, &more).done();
    promptsrc(&[&["calibrate", &run, "--sets", "lac"][..], &of].concat()).done();
    let eval = [&["eval", &run, "--json", "--logits", &logits][..], &of].concat();
    let own = promptsrc(&eval).done().json();
    let (page, _) = page(&[&run], &below(&folder, "report.html"), &["--images", "2"]);
    let after = &own["calibrated"];
    assert_ne!(after["calibration_error"], own["calibration_error"]);
    let expected = format!(
        "the expected calibration error is {} % instead of {} %",
        percent(&after["calibration_error"]),
        percent(&own["calibration_error"])
    );
    assert!(page.contains(&expected), "{expected}");
    for (name, key) in [
        ("negative log-likelihood", "negative_log_likelihood"),
        ("Brier score", "brier_score"),
    ] {
        let [before, after] = [&own, after].map(|of| of[key].as_f64().expect("a number"));
        let row = format!(
            "<td>{name}</td><td class=\"n\">{before:.4}</td><td class=\"n\">{after:.4}</td>"
        );
        assert!(page.contains(&row), "no {row}");
    }

    // The bins of both, from the logits that eval wrote.
    let mut reader = csv::Reader::from_path(&logits).expect("logits");
    let names: Vec<String> = reader
        .headers()
        .expect("a head")
        .iter()
        .skip(2)
        .map(str::to_string)
        .collect();
    let rows: Vec<(usize, Vec<f64>)> = reader
        .records()
        .map(|row| {
            let row = row.expect("a row");
            let label = names.iter().position(|name| *name == row[1]);
            let numbers = row.iter().skip(2);
            let numbers = numbers.map(|text| f64::from(text.parse::<f32>().expect("a number")));
            (label.expect("a class"), numbers.collect())
        })
        .collect();
    let temperature = after["temperature"].as_f64().expect("a number");
    assert!((temperature - 1.0).abs() > 0.01, "{temperature}");
    let figure = page
        .split("<figure")
        .find(|figure| figure.contains("<h4>Reliability with the calibration</h4>"))
        .expect("a figure");
    for (before, after) in bins(&rows, 1.0).into_iter().zip(bins(&rows, temperature)) {
        let row = cells(before) + &cells(after);
        assert!(figure.contains(&row), "no {row}");
    }
    // The most probable answers of the images that are shown, without and with the calibration.
    let confidence = |row: &[f64], temperature: f64| {
        let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let terms = row
            .iter()
            .map(|logit| ((logit - greatest) / temperature).exp());
        100.0 / terms.sum::<f64>()
    };
    let shown = rows.iter().filter(|(_, row)| {
        let [before, after] = [1.0, temperature].map(|of| confidence(row, of));
        page.contains(&format!("{before:.2} → {after:.2} %"))
    });
    assert!(shown.count() >= 4);

    // Novel classes have none; a damaged one is not passed over in silence.
    assert_eq!(
        page.matches("Reliability with the calibration</h4>")
            .count(),
        1
    );
    fs::write(Path::new(&run).join("calibration.json"), "{}").expect("a file");
    let (page, _) = self::page(&[&run], &below(&folder, "again.html"), &["--images", "2"]);
    assert!(page.contains("calibration was not used"));
    assert!(!page.contains("with the calibration") && !page.contains(" → "));
}
