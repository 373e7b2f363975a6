//! Paths that mean harm or a mistake: pipes and devices in the place of files, inputs in the place of outputs,
//! names that would move the cursor.

mod common;

use std::fs;

use common::{below, clip, image, images, promptsrc, scratch, shell};

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_wherever_a_file_is_read() {
    let folder = scratch();
    let pipe = below(&folder, "pipe");
    shell("mkfifo \"$1\"", &[&pipe]).done();
    let (clip, image, data) = (clip(), image(), images());
    let out = below(&folder, "run");
    for path in [&pipe, "/dev/zero"] {
        let each: [&[&str]; 8] = [
            &["predict", path, &image, "--names", "a,b"],
            &[
                "predict",
                "--zero-shot",
                "--clip",
                &clip,
                "--names-file",
                path,
                &image,
            ],
            &[
                "predict",
                "--zero-shot",
                "--clip",
                path,
                "--names",
                "a,b",
                &image,
            ],
            &[
                "predict",
                "--zero-shot",
                "--clip",
                &clip,
                "--names",
                "a,b",
                path,
            ],
            &["train", "--clip", &clip, "--data", path, "--out", &out],
            &[
                "train", "--clip", &clip, "--data", &data, "--config", path, "--out", &out,
            ],
            &["embed", "--clip", &clip, "--texts", path, "--out", &out],
            &["inspect", path],
        ];
        for args in each {
            let ending = promptsrc(args);
            assert_eq!(ending.code, Some(1), "{ending}");
            assert!(ending.stderr.contains(path), "{ending}");
        }
    }
}

#[test]
fn what_exists_is_replaced_only_with_force_and_an_input_never() {
    let folder = scratch();
    let weights = below(&folder, "clip.safetensors");
    fs::copy(clip(), &weights).expect("a copy");
    let picture = below(&folder, "picture.jpg");
    fs::copy(image(), &picture).expect("a copy");
    let texts = below(&folder, "texts.txt");
    fs::write(&texts, "a cat\n").expect("a file");
    let embed = |out: &str, more: &[&str]| {
        let args = [
            "embed", "--clip", &weights, "--images", &picture, "--texts", &texts, "--out", out,
        ];
        promptsrc(&[&args[..], more].concat())
    };
    let out = below(&folder, "features.safetensors");
    fs::write(&out, "mine").expect("a file");
    embed(&out, &[])
        .fails(1, &["features.safetensors", "--force"])
        .silent();
    for input in [&weights, &picture, &texts] {
        let before = fs::read(input).expect("the input");
        embed(input, &[]).fails(1, &["input"]).silent();
        embed(input, &["--force"]).fails(1, &["input"]).silent();
        assert_eq!(fs::read(input).expect("the input"), before);
    }
    assert_eq!(fs::read(&out).expect("the file"), b"mine");

    promptsrc(&["world", "clip", &out])
        .fails(1, &["--force"])
        .silent();
    promptsrc(&["world", "clip", &out, "--force"]).done();
    assert!(fs::read(&out).expect("the file").len() > 1000);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_a_log_or_a_lock_is_not_written_through() {
    for name in ["log.jsonl", ".lock"] {
        let folder = scratch();
        let run = below(&folder, "run");
        fs::create_dir(&run).expect("a folder");
        let target = below(&folder, "target");
        std::os::unix::fs::symlink(&target, below(&run, name)).expect("a link");
        let (clip, data) = (clip(), images());
        let args = [
            "train", "--clip", &clip, "--data", &data, "--shots", "1", "--epochs", "1",
        ];
        promptsrc(&[&args[..], &["--out", &run]].concat())
            .fails(1, &[name, "link"])
            .silent();
        assert!(!fs::exists(&target).expect("an answer"));
    }
}

#[test]
fn control_characters_of_names_do_not_reach_the_terminal() {
    let (clip, image) = (common::golden("tiny/clip_openai_fp16.safetensors"), image());
    let args = [
        "predict",
        "--zero-shot",
        "--clip",
        "mini",
        &image,
        "--names",
    ];
    let ending = promptsrc(&[&args[..], &["red\u{1b}[2J car,blue\u{7} fish"]].concat()).done();
    assert!(!ending.stdout.contains(['\u{1b}', '\u{7}']), "{ending}");
    assert!(
        ending.stdout.contains("\\u{1b}[2J") || ending.stdout.contains("\\u{7}"),
        "{ending}"
    );
    let missing = "no\u{1b}[31msuch.jpg";
    let args = [
        "predict",
        "--zero-shot",
        "--clip",
        &clip,
        missing,
        "--names",
        "a,b",
    ];
    let ending = promptsrc(&args);
    assert!(!ending.stderr.contains('\u{1b}'), "{ending}");
}

#[cfg(unix)]
#[test]
fn images_below_a_thousand_and_a_half_folders_are_found() {
    let folder = scratch();
    let data = folder.path().join("data");
    for class in ["cat", "dog"] {
        let deep = data.join(class).join(["d"; 1500].join("/"));
        fs::create_dir_all(&deep).expect("folders");
        fs::copy(image(), deep.join("x.jpg")).expect("a copy");
    }
    let (clip, data) = (clip(), data.to_str().expect("a path").to_string());
    let args = [
        "predict",
        "--zero-shot",
        "--clip",
        &clip,
        "--names",
        "a,b",
        "--format",
        "csv",
        &data,
    ];
    let ending = promptsrc(&args).done();
    // Each with both names.
    assert_eq!(ending.stdout.matches("x.jpg").count(), 4, "{ending}");
    for args in [
        &["eval", "--zero-shot", "--clip", &clip, "--data", &data][..],
        &["sample", "--data", &data, "--shots", "1"],
    ] {
        let ending = promptsrc(args);
        assert!(matches!(ending.code, Some(0 | 1)), "{ending}");
    }
}
