//! The demo and the CLIP that the command carries.

mod common;

use common::*;

/// A demo of one shot on one data set.
fn demo(out: &str, more: &[&str]) -> Ending {
    let args = ["demo", "--out", out, "--shots", "1"];
    let set = ["--sets", "finegrained"];
    promptsrc(&[&args[..], &set, more].concat()).done()
}

#[test]
fn the_demo_is_the_commands_that_it_prints() {
    let folder = scratch();
    let out = below(&folder, "demo");
    let demo = |more: &[&str]| demo(&out, more);
    let report = demo(&["--seeds", "2,1", "--json"]).json();
    let rows = &report["sets"]["finegrained"];
    for row in ["zero-shot", "ivlp", "promptsrc"] {
        for table in [rows, &report["average"]] {
            let score = |key: &str| table[row][key].as_f64().expect("a score");
            let (base, novel, hm) = (score("base"), score("novel"), score("hm"));
            for value in [base, novel] {
                assert!((0.0..=100.0).contains(&value), "{row}: {value}");
            }
            assert!((hm - 2.0 * base * novel / (base + novel)).abs() < 1e-9);
        }
        assert_eq!(
            rows[row], report["average"][row],
            "one set is its own average"
        );
    }
    assert_eq!(rows["zero-shot"]["hm_std"], 0.0);
    assert_eq!(report["seeds"], serde_json::json!([1, 2]));
    assert_eq!(rows.get("ivlp+agreement"), None);
    let shown = report["predictions"].as_array().expect("predictions");
    assert!(!shown.is_empty());
    for prediction in shown {
        let image = prediction["image"].as_str().expect("a path");
        assert!(std::path::Path::new(image).exists(), "{image}");
    }

    // The same by hand, with the command that it prints for its first seed.
    let text = demo(&["--seeds", "2"]).stdout;
    let mut printed = text.lines().map(str::trim);
    let command = printed
        .find(|line| line.starts_with("promptsrc train"))
        .expect("a command");
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    promptsrc(&words).done();
    let by_hand = format!("{out}/by-hand");
    let run = format!("{out}/finegrained-promptsrc-seed2");
    assert!(
        adapter_bytes(&by_hand) == adapter_bytes(&run),
        "the demo trains differently"
    );
    let accuracy = |run: &str, classes: &str| {
        let args = [
            "eval",
            run,
            "--data",
            "world:finegrained",
            "--classes",
            classes,
            "--json",
        ];
        100.0
            * promptsrc(&args).done().json()["accuracy"]
                .as_f64()
                .expect("accuracy")
    };
    for classes in ["base", "novel"] {
        let seeds = [1, 2].map(|seed| format!("{out}/finegrained-promptsrc-seed{seed}"));
        let mean = seeds.iter().map(|run| accuracy(run, classes)).sum::<f64>() / 2.0;
        let told = rows["promptsrc"][classes].as_f64().expect("a score");
        assert!((mean - told).abs() < 1e-9, "{classes}: {mean} {told}");
    }

    // Finished runs are not repeated, and the printed table has the same numbers.
    let before = adapter_bytes(&run);
    let text = demo(&["--seeds", "1,2"]).stdout;
    assert!(before == adapter_bytes(&run));
    for words in [
        "finegrained",
        "average",
        "zero-shot",
        "ivlp",
        "promptsrc",
        "promptsrc train",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let base = rows["promptsrc"]["base"].as_f64().expect("a score");
    assert!(text.contains(&format!("{base:.1} ± ")), "{text}");
}

#[test]
fn the_demo_shows_the_methods_that_are_chosen() {
    let folder = scratch();
    let out = below(&folder, "demo");
    let demo = |more: &[&str]| demo(&out, more);
    // Without PromptSRC another method classifies the images, and is the one of the commands.
    let text = demo(&["--methods", "ivlp,zero-shot,ivlp"]).stdout;
    let rows: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("average"))
        .map(|line| line.trim_start_matches("average").trim_start())
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(rows, ["ivlp", "zero-shot"], "{text}");
    assert!(text.contains("--seed 1 --method ivlp --out "), "{text}");
    assert!(!text.contains("Compared with zero-shot"), "{text}");
    let run = format!("{out}/finegrained-ivlp-seed1");
    assert!(
        text.contains(&format!("promptsrc predict {run} ")),
        "{text}"
    );
    let made = names(&out);
    assert!(
        made.iter().all(|name| !name.contains("promptsrc")),
        "{made:?}"
    );

    // Where nothing learns, nothing is classified and nothing can be repeated.
    let only = demo(&["--methods", "zero-shot", "--json"]).json();
    assert_eq!(only["predictions"], serde_json::json!([]));
    let text = demo(&["--methods", "zero-shot"]).stdout;
    assert!(text.contains("With your own images"), "{text}");
    assert!(!text.contains("To repeat"), "{text}");

    let help = promptsrc(&["demo", "--help"]).done().stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["--methods", "promptsrc; or paper (", "all (every method)"] {
        assert!(help.contains(words), "no {words:?} in {help}");
    }
    promptsrc(&["demo", "--out", &out, "--methods", "nothing"])
        .fails(2, &["--methods", "nothing", "paper, all"])
        .silent();
}

#[test]
fn the_demo_says_what_is_wrong() {
    let folder = scratch();
    let out = below(&folder, "demo");
    let demo = |more: &[&str]| promptsrc(&[&["demo", "--out", &out], more].concat());
    demo(&["--sets", "nothing"])
        .fails(2, &["--sets", "nothing", "objects"])
        .silent();
    demo(&["--shots", "0"]).fails(2, &["--shots"]).silent();
    demo(&["--seeds", "1,x"]).fails(2, &["--seeds"]).silent();
    assert!(!std::path::Path::new(&out).exists());
    std::fs::write(&out, "in the way").expect("a file");
    demo(&["--sets", "surfaces"])
        .fails(1, &["--out", &out])
        .silent();
}

#[test]
fn the_built_in_clip_is_an_ordinary_weight_file() {
    let folder = scratch();
    let file = below(&folder, "mini.safetensors");
    let written = promptsrc(&["world", "clip", &file, "--json"]).done().json();
    let bytes = std::fs::metadata(&file).expect("a file").len();
    assert_eq!(written["bytes"].as_u64(), Some(bytes));
    let inspect = |clip: &str| promptsrc(&["inspect", clip, "--json"]).done().json();
    let (built_in, copy) = (inspect("mini"), inspect(&file));
    assert_eq!(built_in["fingerprint"], copy["fingerprint"]);
    assert_eq!(built_in["parameters"], copy["parameters"]);

    let texts = below(&folder, "texts.txt");
    std::fs::write(&texts, "a photo of a red car.\na striped fish\n").expect("a file");
    let embed = |clip: &str, name: &str| {
        let out = below(&folder, name);
        promptsrc(&["embed", "--clip", clip, "--texts", &texts, "--out", &out]).done();
        Tensors::read(&out).0
    };
    assert!(embed("mini", "a") == embed(&file, "b"));
    let evaluate = |clip: &str| {
        let options = ["--part", "val", "--json"];
        zero_shot(clip, "world:surfaces", &options)
            .done()
            .measured()
    };
    assert_eq!(evaluate("mini"), evaluate(&file));
}
