//! Wrong usage: exit code 2 and a message that names the option, before any work is done.

mod common;

use std::fs;

use common::*;

/// A training with this option is refused as wrong usage, and leaves nothing.
#[track_caller]
fn refused(option: &str, value: &str, words: &[&str]) {
    let folder = scratch();
    let run = below(&folder, "run");
    let words = [&[option], words].concat();
    train(&run, &[option, value]).fails(2, &words).silent();
    assert!(
        names(&run).is_empty(),
        "{option} {value}: {:?}",
        names(&run)
    );
}

#[test]
fn unknown_names_are_refused_with_the_known_ones() {
    refused(
        "--preset",
        "paper",
        &["base-to-novel", "few-shot", "cross-dataset"],
    );
    refused("--method", "maples", &["promptsrc", "ivlp", "coop"]);
    refused("--method", "zero-shot", &["learns nothing"]);
    refused("--device", "abacus", &["cpu"]);
    refused("--precision", "f8", &["auto", "f32", "bf16"]);
    refused("--classes", "old", &["all", "base", "novel"]);
    refused("--colour", "red", &[]);
    let (clip, data) = (clip(), images());
    for (option, known) in [("--templates", "ensemble"), ("--part", "test")] {
        zero_shot(&clip, &data, &[option, "x"])
            .fails(2, &[option, known])
            .silent();
    }
    promptsrc(&["learn"]).fails(2, &["learn"]).silent();
}

#[test]
fn invalid_counts_are_refused() {
    for value in ["0", "-1", "abc", "", "1.5", "99999999999999999999999"] {
        refused("--shots", value, &["at least 1", "all"]);
        refused("--threads", value, &["from 1 to"]);
    }
    refused("--threads", "1000000", &["from 1 to"]);
    for value in ["-1", "abc", "", "1.5", "99999999999999999999999"] {
        for option in [
            "--epochs",
            "--batch-size",
            "--text-context",
            "--vision-context",
        ] {
            refused(option, value, &[]);
        }
        refused("--seed", value, &[]);
    }
    for option in ["--epochs", "--batch-size", "--text-context", "--text-depth"] {
        refused(option, "0", &["at least 1"]);
    }
    refused("--vision-context", "0", &["at least 1"]);
    let data = images();
    promptsrc(&["sample", "--data", &data, "--shots", "0"])
        .fails(2, &["--shots", "at least 1"])
        .silent();
    promptsrc(&["predict", &data, &data, "--top-k", "0"])
        .fails(2, &["--top-k", "at least 1"])
        .silent();
}

#[test]
fn counts_that_no_machine_can_hold_are_refused_instead_of_tried() {
    refused("--epochs", "99999999999999", &["at most"]);
    refused("--vision-context", "99999999999", &["at most"]);
    refused("--text-context", "99999999999", &["at most"]);
    // These are only bounds: the towers have fewer layers, the classes fewer images.
    let folder = scratch();
    let most = usize::MAX.to_string();
    for option in ["--text-depth", "--vision-depth", "--batch-size", "--shots"] {
        train(&below(&folder, option), &[option, &most]).done();
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for option in [
        "--lr",
        "--momentum",
        "--weight-decay",
        "--warmup-lr",
        "--text-loss-weight",
    ] {
        for value in ["-1", "-0.5", "NaN", "inf", "1e99"] {
            refused(option, value, &["between 0 and"]);
        }
        refused(option, "fast", &[]);
    }
    refused("--gpa-std", "0", &["between"]);
    refused("--gpa-std", "-1", &["between"]);
    refused("--gpa-mean", "NaN", &["between"]);
    // So far from every epoch that all weights vanish.
    refused("--gpa-mean", "1000", &["aggregation", "deviation"]);
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let folder = scratch();
    let run = below(&folder, "run");
    let (clip, data) = (clip(), images());
    for (method, option) in [
        ("ivlp", "--gpa-mean"),
        ("ivlp", "--text-loss-weight"),
        ("coop", "--gpa-std"),
        ("coop", "--image-loss-weight"),
        ("coop", "--text-depth"),
        ("coop", "--vision-depth"),
        ("coop", "--vision-context"),
    ] {
        train(&run, &["--method", method, option, "3"])
            .fails(2, &[option, method])
            .silent();
    }
    train(&run, &["--method", "ivlp", "--no-gpa"])
        .fails(2, &["--no-gpa", "ivlp"])
        .silent();
    train(&run, &["--no-gpa", "--gpa-std", "3"])
        .fails(2, &["--no-gpa", "--gpa-std"])
        .silent();
    train(&run, &["--config", "c.toml", "--preset", "few-shot"])
        .fails(2, &["--config", "--preset"])
        .silent();
    assert!(names(&run).is_empty());
    let eval = ["eval", "--data", &data, "--clip", &clip];
    let with = |more: &[&str]| promptsrc(&[&eval[..], more].concat());
    with(&[]).fails(2, &["RUN"]).silent();
    with(&[&run, "--zero-shot"])
        .fails(2, &["RUN", "--zero-shot"])
        .silent();
    with(&[&run, "--template", "a {}"])
        .fails(2, &["--template", "RUN"])
        .silent();
    with(&[&run, "--templates", "single"])
        .fails(2, &["--templates", "RUN"])
        .silent();
    with(&["--zero-shot", "--template", "a {}", "--templates", "single"])
        .fails(2, &["--template", "--templates"])
        .silent();
    promptsrc(&["eval", "--zero-shot", "--data", &data])
        .fails(2, &["--clip"])
        .silent();
    promptsrc(&["train", "--data", &data])
        .fails(2, &["--clip", "--out"])
        .silent();
    promptsrc(&["embed", "--clip", &clip, "--out", &run])
        .fails(2, &["--images"])
        .silent();
    promptsrc(&["sample", "--shots", "1"])
        .fails(2, &["--data"])
        .silent();
    promptsrc(&["predict", &run]).fails(2, &["IMAGE"]).silent();
    promptsrc(&["inspect"]).fails(2, &["FILE"]).silent();
}

#[test]
fn prompts_that_do_not_fit_the_clip_are_refused_under_their_option() {
    refused("--text-context", "76", &["75"]);
    refused("--ctx-init", "two words", &["\"two words\""]);
    refused("--ctx-init", &"word ".repeat(100), &["shorten"]);
}

#[test]
fn templates_and_configurations_from_files_are_checked() {
    let folder = scratch();
    let (file, run) = (below(&folder, "file"), below(&folder, "run"));
    let with = |option: &str, content: &[u8]| {
        fs::write(&file, content).expect("room");
        train(&run, &[option, &file])
    };
    with("--templates", b"a photo\n")
        .fails(2, &["--templates", "\"a photo\"", "{}"])
        .silent();
    with("--templates", b"\n\n").fails(1, &["file"]).silent();
    with("--templates", &[0xff, 0xfe])
        .fails(1, &["file", "UTF-8"])
        .silent();
    let long = format!("{} {{}}.", "long ".repeat(100));
    with("--templates", long.as_bytes())
        .fails(1, &["blue square", "shorten"])
        .silent();
    with("--config", b"").fails(1, &["file", "train"]).silent();
    with("--config", b"train = [").fails(1, &["file"]).silent();
    with("--config", b"[train]\nepochs = 3\n")
        .fails(1, &["file", "method"])
        .silent();
    for option in ["--templates", "--config"] {
        train(&run, &[option, "/nowhere/file"])
            .fails(1, &["/nowhere/file"])
            .silent();
    }
    assert!(names(&run).is_empty());
}

#[test]
fn empty_and_repeated_class_names_are_refused() {
    let folder = scratch();
    let (run, image) = (trained(folder.path()), image());
    let with =
        |option: &str, names: &str| promptsrc(&["predict", &run, &image, option, names, "--json"]);
    for list in ["", ",", "a,,b", "a, ,b", "a,b,"] {
        with("--names", list)
            .fails(2, &["--names", "empty"])
            .silent();
    }
    with("--names", "a,b, a")
        .fails(2, &["--names", "\"a\"", "twice"])
        .silent();
    let file = below(&folder, "names.txt");
    fs::write(&file, "a\nb\na\n").expect("room");
    with("--names-file", &file)
        .fails(2, &["--names-file", "\"a\"", "twice"])
        .silent();
    fs::write(&file, "\n \n").expect("room");
    with("--names-file", &file)
        .fails(1, &["names.txt", "no lines"])
        .silent();
    with("--names-file", &below(&folder, "gone"))
        .fails(1, &["gone"])
        .silent();
    promptsrc(&[
        "predict",
        &run,
        &image,
        "--names",
        "a",
        "--names-file",
        &file,
    ])
    .fails(2, &["--names", "--names-file"])
    .silent();
}

#[test]
fn a_class_name_of_two_hundred_words_is_named() {
    let folder = scratch();
    let (run, image) = (trained(folder.path()), image());
    let long = ["word"; 200].join(" ");
    let names_option = format!("cat,{long}");
    promptsrc(&["predict", &run, &image, "--names", &names_option])
        .fails(1, &["word word word", "77", "shorten"])
        .silent();

    let data = copy_of_images(folder.path());
    let class_names = format!("blue\ngreen\nred\n{long}\n");
    fs::write(data.join("classnames.txt"), class_names).expect("room");
    let data = text(&data);
    let other = below(&folder, "other");
    train_on(&clip(), &data, &other, &[])
        .fails(1, &["word word word", "77", "shorten"])
        .silent();
    assert!(names(&other).is_empty(), "{:?}", names(&other));
    zero_shot(&clip(), &data, &[])
        .fails(1, &["word word word", "77"])
        .silent();
    // A run of the other classes does not know the long one.
    let base = ["--classes", "base"];
    train_on(&clip(), &data, &other, &base).done();
}

#[test]
fn texts_that_are_too_long_are_refused_or_cut() {
    let folder = scratch();
    let (texts, out) = (below(&folder, "texts.txt"), below(&folder, "f.safetensors"));
    fs::write(&texts, format!("short\n{}\n", ["word"; 200].join(" "))).expect("room");
    let clip = clip();
    let args = [
        "embed", "--clip", &clip, "--texts", &texts, "--force", "--out", &out,
    ];
    promptsrc(&args)
        .fails(1, &["word word", "77", "--truncate"])
        .silent();
    assert_eq!(names(&folder), ["texts.txt"]);
    promptsrc(&[&args[..], &["--truncate"]].concat()).done();
    fs::write(&texts, "").expect("room");
    promptsrc(&args)
        .fails(1, &["texts.txt", "no lines"])
        .silent();
}

#[test]
fn a_text_outside_a_small_vocabulary_is_refused() {
    // A CLIP for other tokens than CLIP's own has a smaller table of them.
    let folder = scratch();
    let (texts, out) = (below(&folder, "texts.txt"), below(&folder, "f.safetensors"));
    fs::write(&texts, "a photo of a cat\n").expect("room");
    let mut tensors = Tensors::read(&clip());
    tensors.zeros("token_embedding.weight", &[400, 64]);
    let small = below(&folder, "small.safetensors");
    tensors.write(&small);
    promptsrc(&["embed", "--clip", &small, "--texts", &texts, "--out", &out])
        .fails(1, &["400"])
        .silent();
    assert!(!names(&folder).contains(&"f.safetensors".to_string()));
}

#[test]
fn inputs_without_images_are_named() {
    let folder = scratch();
    let (run, empty) = (trained(folder.path()), below(&folder, "empty"));
    fs::create_dir(&empty).expect("a folder");
    promptsrc(&["predict", &run, &empty, "--json"])
        .fails(1, &["empty", "no images"])
        .silent();
    let clip = clip();
    let out = below(&folder, "f.safetensors");
    promptsrc(&["embed", "--clip", &clip, "--out", &out, "--images", &empty])
        .fails(1, &["empty", "no images"])
        .silent();
    promptsrc(&["inspect", &below(&folder, "gone")])
        .fails(1, &["gone"])
        .silent();
}
