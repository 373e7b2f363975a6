//! Results through the real command: what they record, in which precision they are computed, and the
//! forms in which they are written.

mod common;

use std::fs;

use common::*;
use promptsrc::Precision;

/// The arguments of an evaluation of a run on its own images, as JSON.
fn eval(run: &str, more: &[&str]) -> Ending {
    let images = images();
    promptsrc(&[&["eval", run, "--data", &images, "--json"], more].concat())
}

#[test]
fn an_adapter_is_evaluated_in_the_precision_of_its_training() {
    let folder = scratch();
    let supported = [Precision::F32, Precision::Bf16].into_iter();
    for precision in supported.filter(|p| p.check().is_ok()) {
        let name = precision.name();
        let run = below(&folder, name);
        train(&run, &["--precision", name]).done();
        let ending = eval(&run, &[]).done();
        assert!(!ending.stderr.contains("trained in"), "{ending}");
        let provenance = &ending.json()["provenance"];
        assert_eq!(provenance["precision"], name);
        assert_eq!(provenance["adapter"]["precision"], name);
    }
    let bf16 = below(&folder, "bf16");
    if fs::exists(&bf16).expect("a folder") {
        let ending = eval(&bf16, &["--precision", "f32"]).done();
        assert!(
            ending.stderr.contains("trained in bf16, evaluated in f32"),
            "{ending}"
        );
        assert_eq!(ending.json()["provenance"]["precision"], "f32");
    }
}

#[test]
fn an_evaluation_records_how_it_was_computed() {
    let folder = scratch();
    let run = trained(folder.path());
    let found = eval(&run, &["--classes", "base"]).done().json();
    let provenance = &found["provenance"];
    assert_eq!(
        provenance["program"],
        concat!("promptsrc ", env!("CARGO_PKG_VERSION"))
    );
    let adapter = fs::read(below(&run, "adapter.safetensors")).expect("an adapter");
    assert_eq!(
        provenance["adapter"]["hash"],
        blake3::hash(&adapter).to_hex().as_str()
    );
    assert_eq!(
        provenance["clip_fingerprint"].as_str().map(str::is_empty),
        Some(false)
    );
    let data = &provenance["data"];
    assert_eq!(
        (&data["part"], &data["classes"]),
        (&"test".into(), &"base".into())
    );
    assert_eq!(data["images"], found["total"]);
    assert_eq!(provenance["templates"][0], "a photo of a {}.");
    // Zero-shot CLIP has no adapter.
    let clip = clip();
    let zero_shot = zero_shot(&clip, &images(), &["--json"]).done().json();
    assert!(
        zero_shot["provenance"].get("adapter").is_none(),
        "{zero_shot}"
    );
}

#[test]
fn predictions_are_written_as_csv_and_as_json_lines() {
    let folder = scratch();
    let (clip, image) = (clip(), image());
    let args = [
        "predict",
        "--zero-shot",
        "--clip",
        &clip,
        "--names",
        "\"a, b\",cat",
        &image,
    ];
    let whole = promptsrc(&[&args[..], &["--json"]].concat()).done().json();
    let csv = promptsrc(&[&args[..], &["--format", "csv"]].concat()).done();
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    assert_eq!(
        reader.headers().expect("a header"),
        vec!["image", "rank", "class", "probability"]
    );
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 2, "{csv}");
    for (place, row) in rows.iter().enumerate() {
        let expected = &whole[0]["top"][place];
        assert_eq!(&row[0], image.as_str());
        assert_eq!(row[1], (place + 1).to_string());
        assert_eq!(&row[2], expected["name"].as_str().expect("a name"));
        let probability: f32 = row[3].parse().expect("a number");
        assert_eq!(
            f64::from(probability) as f32,
            expected["probability"].as_f64().expect("a number") as f32
        );
    }
    let lines = promptsrc(&[&args[..], &["--format", "jsonl"]].concat()).done();
    assert_eq!(lines.stdout.lines().count(), 1);
    assert_eq!(lines.json(), whole[0]);
    // An image that cannot be read has no line, and is an error.
    let broken = below(&folder, "broken.png");
    fs::write(&broken, "no image").expect("room");
    let more = [&args[..], &[&broken, "--format", "csv"]].concat();
    let ending = promptsrc(&more).fails(1, &["broken.png", "1 of 2"]);
    assert_eq!(ending.stdout, csv.stdout);
    promptsrc(&[&args[..], &["--format", "csv", "--json"]].concat()).fails(2, &["--format"]);
}

#[test]
fn a_list_of_images_is_read_from_standard_input() {
    let (clip, image) = (clip(), image());
    let args = [
        "predict",
        "--zero-shot",
        "--clip",
        &clip,
        "--names",
        "dog,cat",
        "--format=csv",
    ];
    let expected = promptsrc(&[&args[..], &[&image, &image]].concat()).done();
    let script = r#"printf '%s\r\n\n%s\n' "$IMAGE" "$IMAGE" | "$0" "$@""#;
    let script = format!("IMAGE='{image}'; {script}");
    let found = shell(&script, &[&args[..], &["-"]].concat()).done();
    assert_eq!(found.stdout, expected.stdout);
    shell(r#"printf '\n' | "$0" "$@""#, &[&args[..], &["-"]].concat())
        .fails(1, &["standard input", "no paths"])
        .silent();
    shell(
        r#"printf '' | "$0" "$@""#,
        &[&args[..], &["-", "-"]].concat(),
    )
    .fails(2, &["twice"]);
}

#[test]
fn embed_makes_the_folder_of_its_file() {
    let folder = scratch();
    let (clip, image) = (clip(), image());
    let out = below(&folder, "a/b/features.safetensors");
    let args = ["embed", "--clip", &clip, "--images", &image, "--out"];
    promptsrc(&[&args[..], &[&out]].concat()).done();
    let record = promptsrc(&["inspect", &out, "--json"]).done().json()["record"].clone();
    assert_eq!(record["version"], env!("CARGO_PKG_VERSION"));
    assert!(record["precision"].is_string(), "{record}");
    let below_a_file = format!("{out}/c/features.safetensors");
    promptsrc(&[&args[..], &[&below_a_file]].concat())
        .fails(1, &["--out", "is a file"])
        .silent();
}

#[test]
fn an_evaluation_writes_its_tables_into_a_folder() {
    let folder = scratch();
    let run = trained(folder.path());
    let report = below(&folder, "new/report");
    let found = eval(&run, &["--report-dir", &report]).done().json();
    assert_eq!(
        names(&report),
        [
            "confusion.csv",
            "per_class.csv",
            "predictions.csv",
            "report.txt",
            "result.json"
        ]
    );
    let read = |name: &str| {
        let mut reader = csv::Reader::from_path(below(&report, name)).expect("a table");
        let head = reader.headers().expect("a header").clone();
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
        (head, rows)
    };
    let classes = found["per_class"].as_array().expect("classes");
    let (head, rows) = read("confusion.csv");
    assert_eq!(&head[0], "true class \\ predicted class");
    for (i, class) in classes.iter().enumerate() {
        let name = class["name"].as_str().expect("a name");
        assert_eq!((&head[i + 1], &rows[i][0]), (name, name));
        for j in 0..classes.len() {
            assert_eq!(rows[i][j + 1], found["confusion_matrix"][i][j].to_string());
        }
    }
    // Every table counts the same images.
    let (_, predictions) = read("predictions.csv");
    assert_eq!(
        predictions.len() as u64,
        found["total"].as_u64().expect("a number")
    );
    let (head, per_class) = read("per_class.csv");
    assert_eq!(
        head,
        vec![
            "class",
            "precision",
            "recall",
            "f1",
            "images",
            "correct",
            "predicted"
        ]
    );
    for row in &per_class {
        let of = |column: usize| predictions.iter().filter(|p| p[column] == row[0]).count();
        let right = predictions
            .iter()
            .filter(|p| p[1] == row[0] && p[2] == row[0])
            .count();
        assert_eq!(row[4], of(1).to_string());
        assert_eq!(row[5], right.to_string());
        assert_eq!(row[6], of(2).to_string());
        let recall: f64 = row[2].parse().expect("a number");
        assert!((recall - right as f64 / of(1) as f64).abs() < 1e-12);
        let number = |column: usize| row[column].parse::<f64>().expect("a number");
        let precision = right as f64 / (of(2) as f64).max(1.0);
        assert!((number(1) - precision).abs() < 1e-12);
        let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
        assert!((number(3) - f1).abs() < 1e-12);
    }
    let text = fs::read_to_string(below(&report, "report.txt")).expect("a text");
    assert!(
        text.contains("accuracy") && text.contains("confusion matrix"),
        "{text}"
    );
    for (i, class) in classes.iter().enumerate() {
        let name = class["name"].as_str().expect("a name");
        let counts = &found["confusion_matrix"][i];
        let counts: Vec<String> = (0..classes.len()).map(|j| counts[j].to_string()).collect();
        let wanted = format!("{} {}", i + 1, counts.join(" "));
        let row = text
            .lines()
            .rev()
            .find(|line| line.starts_with(name))
            .expect("a row");
        let cells: Vec<&str> = row[name.len()..].split_whitespace().collect();
        assert_eq!(cells.join(" "), wanted);
    }
    let saved = fs::read_to_string(below(&report, "result.json")).expect("a result");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&saved).expect("JSON"),
        found
    );
    eval(&run, &["--report-dir", &report])
        .fails(1, &["confusion.csv", "--force"])
        .silent();
    eval(&run, &["--report-dir", &report, "--force"]).done();
}
