//! What a comparison shows: methods by names and words, the steps of the ablation, differences to a
//! baseline, the best numbers, and what is published of others.

mod common;

use std::fs;

use common::*;
use serde_json::Value;

/// A benchmark of one shot and one epoch.
fn bench<'a>(protocol: &'a str, out: &'a str, more: &[&'a str]) -> Ending {
    let args = [
        "bench",
        protocol,
        "--root",
        "world",
        "--out",
        out,
        "--shots=1",
    ];
    promptsrc(&[&args[..], more].concat())
}

fn table(out: &str, more: &[&str]) -> Ending {
    promptsrc(&[&["bench", "table", out], more].concat())
}

/// The distinct methods of a plan, in its order.
fn planned(plan: &Value) -> Vec<String> {
    let mut methods: Vec<String> = Vec::new();
    for run in plan["runs"].as_array().expect("runs") {
        let method = run["method"].as_str().expect("a name").to_string();
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

fn keys(object: &Value) -> Vec<&str> {
    let map = object.as_object().expect("an object");
    map.keys().map(String::as_str).collect()
}

#[test]
fn methods_are_chosen_by_names_and_words_in_every_protocol() {
    let folder = scratch();
    let out = below(&folder, "out");
    for protocol in [
        "base-to-novel",
        "few-shot",
        "cross-dataset",
        "domain-generalization",
    ] {
        let of = |methods: &str| {
            let more = ["--plan", "--json", "--seeds=1", "--methods", methods];
            planned(&bench(protocol, &out, &more).done().json())
        };
        let (all, paper) = (of("all"), of("paper"));
        for name in ["zero-shot", "coop", "ivlp", "promptsrc"] {
            assert!(paper.iter().any(|other| other == name), "{paper:?}");
        }
        // Both in the order of the registry.
        let in_order: Vec<&String> = all.iter().filter(|name| paper.contains(name)).collect();
        assert_eq!(in_order, paper.iter().collect::<Vec<_>>());
        let mixed = of("promptsrc,paper,promptsrc,all");
        assert_eq!(mixed[0], "promptsrc");
        assert_eq!(mixed.len(), all.len());
        // The help names each of them.
        let help = promptsrc(&["bench", protocol, "--help"]).done().stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(all.iter().all(|name| help.contains(name)), "{help}");
        assert!(
            help.contains("paper (") && help.contains("all (every method)"),
            "{help}"
        );
    }
    bench("few-shot", &out, &["--methods=papers"])
        .fails(2, &["--methods", "papers", "promptsrc", "paper, all"])
        .silent();
    assert!(fs::metadata(&out).is_err());
}

#[test]
fn the_ablation_is_rows_between_ivlp_and_promptsrc_in_every_protocol() {
    let folder = scratch();
    let out = below(&folder, "out");
    let rows = ["ivlp", "ivlp+agreement", "ivlp+agreement+gpa", "promptsrc"];
    for protocol in ["few-shot", "cross-dataset", "domain-generalization"] {
        let more = [
            "--plan",
            "--json",
            "--seeds=1",
            "--ablation",
            "--methods=ivlp",
        ];
        let plan = bench(protocol, &out, &more).done().json();
        let mut methods = planned(&plan);
        methods.sort_unstable();
        assert_eq!(methods, rows, "{protocol}");
    }
    let sweep = [
        "--datasets=surfaces,finegrained",
        "--methods=zero-shot",
        "--ablation",
        "--seeds=1,2",
        "--epochs=1",
        "--quiet",
    ];
    let run = |more: &[&str]| bench("base-to-novel", &out, &[&sweep[..], more].concat());
    let text = run(&["--baseline=ivlp"]).done().stdout;
    let shown: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("average"))
        .map(|line| line.trim_start_matches("average").trim_start())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| rows.contains(word) || *word == "zero-shot")
        .collect();
    assert_eq!(
        shown,
        ["zero-shot", rows[0], rows[1], rows[2], rows[3]],
        "{text}"
    );
    for words in [
        "less ivlp",
        "p over pairs",
        "p over data sets",
        ", n 4",
        ", n 2",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    // Not on a terminal: no control characters.
    assert!(!text.contains('\x1b'), "{text}");

    // Runs of their own, by the settings of promptsrc without some of its parts.
    let config = |method: &str| {
        let run = format!("base-to-novel/{method}/surfaces/shots_1/seed_1/config.toml");
        let config = fs::read_to_string(below(&out, &run)).expect("a configuration");
        let config: toml::Table = config.parse().expect("TOML");
        config["train"].clone()
    };
    let has = |method: &str, part: &str| config(method).get(part).is_some();
    let parts = rows.map(|row| (has(row, "regularisation"), has(row, "aggregation")));
    assert_eq!(
        parts,
        [(false, false), (true, false), (true, true), (true, true)]
    );
    let templates = rows.map(|row| config(row)["templates"].as_array().map_or(0, Vec::len));
    assert_eq!(templates[1..], [1, 1, 60]);

    let json = table(&out, &["--json", "--baseline", "ivlp"]).done().json();
    assert_eq!(json["complete"], true);
    let own = &json["average"];
    assert_eq!(keys(own).len(), 5);
    // zero-shot is paired with both seeds of both data sets, ivlp with itself not at all.
    let against = |method: &str| own[method]["base"]["against_baseline"].clone();
    assert_eq!(against("ivlp"), Value::Null);
    for method in ["zero-shot", "ivlp+agreement", "promptsrc"] {
        assert_eq!(against(method)["over_pairs"]["n"], 4, "{json}");
        assert_eq!(against(method)["over_data_sets"]["n"], 2, "{json}");
    }
    let difference = own["promptsrc"]["base"]["mean"].as_f64().expect("a mean")
        - own["ivlp"]["base"]["mean"].as_f64().expect("a mean");
    let told = against("promptsrc")["difference"].as_f64().expect("it");
    assert!((told - difference).abs() < 1e-9, "{told} {difference}");
    // The best is the largest.
    for column in ["base", "novel", "hm"] {
        let means = keys(own).into_iter().map(|method| &own[method][column]);
        let means: Vec<&Value> = means.collect();
        let best = means.iter().filter(|cell| cell["best"] == true);
        let best: Vec<f64> = best.filter_map(|cell| cell["mean"].as_f64()).collect();
        let most = means.iter().filter_map(|cell| cell["mean"].as_f64());
        let most = most.fold(f64::MIN, f64::max);
        assert!(!best.is_empty(), "{json}");
        assert!(
            best.iter().all(|mean| (mean - most).abs() < 0.0101),
            "{json}"
        );
    }
    let markdown = table(&out, &["--format=markdown"]).done().stdout;
    let best = markdown.lines().filter(|line| line.starts_with('|'));
    assert!(
        best.filter(|line| line.contains("| **")).count() > 2,
        "{markdown}"
    );
    let latex = table(&out, &["--format=latex"]).done().stdout;
    assert!(latex.contains("\\textbf{"), "{latex}");

    // A run that is not there is missing, by its own name.
    let lost = "base-to-novel/ivlp+agreement/surfaces/shots_1/seed_2";
    fs::remove_file(below(&out, &format!("{lost}/result.json"))).expect("a file");
    let json = table(&out, &["--json"]).done().json();
    assert_eq!(json["missing"], serde_json::json!([lost]));
}

#[test]
fn a_baseline_without_results_is_an_error_and_published_rows_have_sources() {
    let folder = scratch();
    let out = below(&folder, "out");
    let zero_shot = [
        "--datasets=surfaces",
        "--methods=zero-shot",
        "--quiet",
        "--baseline=coop",
    ];
    bench("base-to-novel", &out, &zero_shot)
        .fails(2, &["--baseline coop", "zero-shot"])
        .silent();
    bench("base-to-novel", &out, &zero_shot[..3]).done();
    table(&out, &["--baseline", "promptsrc"])
        .fails(2, &["--baseline promptsrc", "zero-shot"])
        .silent();
    // Alone, there is nothing to compare it with.
    let text = table(&out, &["--baseline", "zero-shot"]).done().stdout;
    assert!(text.contains("less zero-shot: ") && !text.contains("  less zero-shot  "));

    // A run that learned for its own classes only has no novel ones: a dash, and nothing is missing.
    let path = below(&out, "base-to-novel/zero-shot/surfaces/result.json");
    let mut result: Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("it")).expect("JSON");
    result["measured"].as_array_mut().expect("both").truncate(1);
    fs::write(&path, result.to_string()).expect("a file");
    assert_eq!(table(&out, &["--json"]).done().json()["complete"], false);
    result["fixed_classes"] = true.into();
    fs::write(&path, result.to_string()).expect("a file");
    let json = table(&out, &["--json"]).done().json();
    assert_eq!(json["complete"], true);
    let row = &json["sets"]["surfaces"]["zero-shot"];
    assert!(row["base"]["mean"].is_f64());
    assert_eq!((&row["novel"], &row["hm"]), (&Value::Null, &Value::Null));
    let text = table(&out, &[]).done().stdout;
    let line = text
        .lines()
        .find(|line| line.starts_with("surfaces"))
        .expect("a row");
    assert_eq!(
        line.split_whitespace().filter(|word| *word == "-").count(),
        2,
        "{text}"
    );
    assert!(
        text.contains("-: what zero-shot learned belongs to the trained classes"),
        "{text}"
    );

    // In the place of DTD, the published numbers of it are rows of their own.
    let root = below(&folder, "root");
    promptsrc(&["world", "export", &root, "--sets", "surfaces"]).done();
    fs::rename(below(&root, "surfaces"), below(&root, "dtd")).expect("a move");
    let other = below(&folder, "other");
    let args = ["bench", "base-to-novel", "--root", &root, "--clip", "mini"];
    let more = [
        "--out",
        &other,
        "--datasets=dtd",
        "--methods=zero-shot",
        "--quiet",
    ];
    promptsrc(&[&args[..], &more].concat()).done();
    let json = table(&other, &["--json", "--published"]).done().json();
    let published = &json["published"]["DTD"];
    assert_eq!(published["KgCoOp"]["novel"], 54.99);
    assert_eq!(published["MaPLe"]["novel"], 59.18);
    let sources = &json["published_sources"];
    assert!(
        sources["KgCoOp"]["source"]
            .to_string()
            .contains("Skip Tuning")
    );
    assert!(sources["MaPLe"]["source"].to_string().contains("Khattak"));
    let text = table(&other, &["--published"]).done().stdout;
    assert!(text.contains("published of KgCoOp: Wu et al."), "{text}");
}
