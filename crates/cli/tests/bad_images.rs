//! Damaged images, folders and lists: a message that names them, no panic, nothing left behind.

mod common;

use std::fs;
use std::path::Path;

use common::*;

/// The beginning of a PNG of 60000 x 60000 pixels.
const HUGE_PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0,
    234, 96, 0, 0, 234, 96, 8, 2, 0, 0, 0, 0x0f, 0xb0, 0xe2, 0x15, 0, 0, 0, 1, b'I', b'D', b'A',
    b'T', 0,
];

/// Ways in which an image can be bad, and a word that says so.
fn bad_images() -> [(&'static str, Vec<u8>, &'static str); 4] {
    let whole = fs::read(image()).expect("an image");
    [
        ("a zero-byte JPEG", Vec::new(), "empty"),
        (
            "a truncated JPEG",
            whole[..whole.len() / 2].to_vec(),
            "truncated",
        ),
        (
            "a text named .jpg",
            b"not an image\n".to_vec(),
            "not an image",
        ),
        ("a PNG bomb", HUGE_PNG.to_vec(), "60000 x 60000"),
    ]
}

#[test]
fn bad_images_end_training_and_evaluation_and_are_named() {
    let folder = scratch();
    for (what, bytes, word) in bad_images() {
        let inner = scratch();
        let data = copy_of_images(inner.path());
        for file in sorted(&data.join("red_circle")) {
            fs::write(file, &bytes).expect(what);
        }
        let (data, run) = (text(&data), below(&folder, "run"));
        train_on(&clip(), &data, &run, &[])
            .fails(1, &["red_circle_", word])
            .silent();
        nothing_half_written(&run);
        zero_shot(&clip(), &data, &[])
            .fails(1, &["red_circle_", word])
            .silent();
        // The images can be repaired and the same command run again.
        fs::remove_dir_all(&data).expect("the copy");
        let repaired = text(copy_of_images(inner.path()));
        train_on(&clip(), &repaired, &run, &[]).done();
        fs::remove_dir_all(&run).expect("the run");
    }
}

#[test]
fn predict_prints_the_good_images_and_names_the_bad() {
    let folder = scratch();
    let (run, good) = (trained(folder.path()), image());
    for (what, bytes, word) in bad_images() {
        let bad = below(&folder, "bad.jpg");
        fs::write(&bad, bytes).expect(what);
        let missing = below(&folder, "missing.jpg");
        let args = ["predict", &run, &bad, &good, &missing, "--names", "a,b"];
        let ending = promptsrc(&[&args[..], &["--json"]].concat())
            .fails(1, &["bad.jpg", "missing.jpg", word, "2 of 3 images"]);
        let found = ending.json();
        assert_eq!(found[1]["top"].as_array().expect("a list").len(), 2);
        for (i, name) in [(0, "bad.jpg"), (2, "missing.jpg")] {
            assert!(found[i].get("top").is_none(), "{found}");
            let error = found[i]["error"].as_str().expect("an error");
            assert!(error.contains(name), "{error}");
        }
        let read = promptsrc(&args).fails(1, &[word]);
        assert_eq!(read.stdout.lines().count(), 2, "{read}");
        promptsrc(&["predict", &run, &bad])
            .fails(1, &["1 of 1 images"])
            .silent();
    }
}

#[test]
fn embed_writes_nothing_where_an_image_is_bad() {
    let folder = scratch();
    for (what, bytes, word) in bad_images() {
        let bad = below(&folder, "bad.jpg");
        fs::write(&bad, bytes).expect(what);
        let out = below(&folder, "f.safetensors");
        let (clip, good) = (clip(), image());
        let args = [
            "embed", "--clip", &clip, "--out", &out, "--images", &good, &bad,
        ];
        promptsrc(&args).fails(1, &["bad.jpg", word]).silent();
        assert_eq!(names(&folder), ["bad.jpg"]);
    }
}

#[test]
fn folders_that_are_not_a_data_set_are_named() {
    let folder = scratch();
    let (run, clip) = (below(&folder, "run"), clip());
    let refused = |data: &Path, words: &[&str]| {
        let data = text(data);
        train_on(&clip, &data, &run, &[]).fails(1, words).silent();
        assert!(names(&run).is_empty());
        promptsrc(&["sample", "--data", &data, "--shots", "1"]).fails(1, words);
    };
    refused(&folder.path().join("nowhere"), &["nowhere"]);
    refused(
        Path::new(&clip),
        &["clip_openai_fp16.safetensors", "folder of class folders"],
    );

    let data = copy_of_images(folder.path());
    let bare = folder.path().join("bare");
    fs::create_dir(&bare).expect("a folder");
    refused(&bare, &["bare", "no subfolders"]);

    fs::rename(data.join("red_circle"), data.join("blue square")).expect("a new name");
    refused(&data, &["blue square"]);

    fs::write(data.join("classnames.txt"), "a\nb\na\nc\n").expect("room");
    refused(&data, &["classnames.txt", "\"a\""]);
    fs::write(data.join("classnames.txt"), "a\nb\n").expect("room");
    refused(&data, &["classnames.txt"]);
    fs::write(data.join("classnames.txt"), [0xff, 0xfe, 0x00]).expect("room");
    refused(&data, &["classnames.txt", "UTF-8"]);
}

#[test]
fn one_class_cannot_be_told_apart() {
    let folder = scratch();
    let run = below(&folder, "run");
    let data = copy_of_images(folder.path());
    for class in ["blue_square", "green_triangle", "yellow_star"] {
        fs::remove_dir_all(data.join(class)).expect("a class");
    }
    train_on(&clip(), &text(&data), &run, &[])
        .fails(1, &["one class", "red circle", "at least two"])
        .silent();
    assert!(names(&run).is_empty());
}

#[test]
fn the_half_of_two_classes_is_one_and_is_refused() {
    let folder = scratch();
    let run = below(&folder, "run");
    let data = copy_of_images(folder.path());
    for class in ["blue_square", "green_triangle"] {
        fs::remove_dir_all(data.join(class)).expect("a class");
    }
    train_on(&clip(), &text(&data), &run, &["--classes", "base"])
        .fails(1, &["red circle", "at least two"])
        .silent();
    nothing_half_written(&run);
}

#[test]
fn a_folder_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch();
    let data = copy_of_images(folder.path());
    let locked = data.join("red_circle");
    let allow = |mode| {
        fs::set_permissions(&locked, fs::Permissions::from_mode(mode)).expect("permissions");
    };
    allow(0o000);
    if fs::read_dir(&locked).is_ok() {
        allow(0o755);
        println!("skipped: this user may read everything (root does)");
        return;
    }
    let run = below(&folder, "run");
    let training = train_on(&clip(), &text(&data), &run, &[]);
    let prediction = promptsrc(&[
        "predict",
        "--zero-shot",
        "--clip",
        &clip(),
        "--names",
        "a,b",
        &text(&locked),
    ]);
    allow(0o755);
    training.fails(1, &["red_circle", "denied"]).silent();
    prediction.fails(1, &["red_circle", "denied"]).silent();
    assert!(names(&run).is_empty());
}

#[test]
fn lists_that_are_wrong_are_named_with_the_line() {
    let folder = scratch();
    let run = below(&folder, "run");
    let data = copy_of_images(folder.path());
    let (red, blue) = (
        "red_circle/red_circle_01.jpg",
        "blue_square/blue_square_01.jpg",
    );
    let class_names = below(&folder, "names.txt");
    fs::write(&class_names, "red\nblue\n").expect("room");
    let named = ["--class-names", class_names.as_str()];
    for (list, options, words) in [
        (
            format!("path,label\n{red},0\n{blue},7\n"),
            &named[..],
            vec!["line 3", "label 7"],
        ),
        (
            format!("path,label\n{red},0\n{blue},1\n"),
            &[],
            vec!["class_name"],
        ),
        (
            format!("path,label\n{red},-1\n{blue},0\n"),
            &named,
            vec!["-1"],
        ),
        (
            format!("path,label,class_name\n{red},0,a\n{blue},1,a\n"),
            &[],
            vec!["line 3", "\"a\""],
        ),
        (
            format!("path,label,class_name\n{red},0,a\n{blue},0,b\n"),
            &[],
            vec!["line 3", "\"a\"", "\"b\""],
        ),
        (
            format!("path,label,class_name\n{red},0,a\n{blue},2,c\n"),
            &[],
            vec!["label 1"],
        ),
        (format!("where,label\n{red},a\n"), &[], vec!["\"path\""]),
        (format!("path,label\n{red}\n"), &[], vec![""]),
        (format!("path,label\n{red},\n"), &[], vec!["label is empty"]),
        ("path,label\n".to_string(), &[], vec!["no images"]),
        (String::new(), &[], vec!["no images"]),
    ] {
        let file = text(data.join("list.csv"));
        fs::write(&file, list).expect("room");
        let words = [&["list.csv"][..], &words].concat();
        train_on(&clip(), &file, &run, options)
            .fails(1, &words)
            .silent();
        assert!(names(&run).is_empty());
    }
    let file = text(data.join("list.jsonl"));
    fs::write(
        &file,
        format!("{{\"path\": \"{red}\", \"label\": \"a\"}}\n{{"),
    )
    .expect("room");
    train_on(&clip(), &file, &run, &[])
        .fails(1, &["list.jsonl:2", "JSON"])
        .silent();
}

#[test]
fn lists_that_are_right_are_read() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    let mut rows = Vec::new();
    for class in ["red_circle", "blue_square"] {
        for file in names(data.join(class)) {
            rows.push((format!("{class}/{file}"), class));
        }
    }
    let list = |name: &str, header: &str, row: &dyn Fn(&str, &str) -> String| {
        let lines: Vec<String> = rows.iter().map(|(path, class)| row(path, class)).collect();
        let file = text(data.join(name));
        fs::write(&file, format!("{header}{}\n", lines.join("\n"))).expect("room");
        file
    };
    for file in [
        list("a.csv", "path,label\n", &|path, class| {
            format!("{path},{class}")
        }),
        list("a.tsv", "label\tpath\n", &|path, class| {
            format!("{class}\t{path}")
        }),
        list("a.jsonl", "", &|path, class| {
            serde_json::json!({ "path": path, "label": class }).to_string()
        }),
    ] {
        let run = below(&folder, "run");
        let summary = train_on(&clip(), &file, &run, &["--json"]).done().json();
        assert_eq!(
            (&summary["classes"], &summary["images"]),
            (&2.into(), &4.into())
        );
        fs::remove_dir_all(run).expect("the run");
    }
}

/// A split file of two classes, of which two training images and a test image are missing.
fn split_with_missing(folder: &Path) -> String {
    let entry = |path: &str, label: usize| {
        let name = ["red", "blue"][label];
        serde_json::json!([path, label, name])
    };
    let split = serde_json::json!({
        "train": [
            entry("red_circle/red_circle_01.jpg", 0),
            entry("red_circle/gone_1.jpg", 0),
            entry("blue_square/blue_square_01.jpg", 1),
            entry("blue_square/gone_2.jpg", 1),
        ],
        "val": [
            entry("red_circle/red_circle_05.jpg", 0),
            entry("blue_square/blue_square_05.jpg", 1),
        ],
        "test": [
            entry("red_circle/red_circle_07.jpg", 0),
            entry("blue_square/gone_7.jpg", 1),
            entry("blue_square/blue_square_07.jpg", 1),
        ],
    });
    let file = below(folder, "split_zhou_Shapes.json");
    fs::write(&file, split.to_string()).expect("room");
    file
}

#[test]
fn images_of_a_split_that_are_missing_are_listed_unless_allowed() {
    let folder = scratch();
    let (split, data) = (split_with_missing(folder.path()), images());
    let run = below(&folder, "run");
    let options = ["--split", &split, "--allow-missing"];
    train_on(&clip(), &data, &run, &options[..2])
        .fails(
            1,
            &[
                "2 of the 4 train images",
                "gone_1.jpg",
                "gone_2.jpg",
                "--allow-missing",
            ],
        )
        .silent();
    assert!(names(&run).is_empty());
    let ending = train_on(&clip(), &data, &run, &options).done();
    assert!(ending.stderr.contains("2 of 4 train images"), "{ending}");

    let eval = ["eval", &run, "--data", &data, "--json", "--split", &split];
    promptsrc(&eval)
        .fails(
            1,
            &["1 of the 3 test images", "gone_7.jpg", "--allow-missing"],
        )
        .silent();
    let ending = promptsrc(&[&eval[..], &["--allow-missing"]].concat()).done();
    assert!(ending.stderr.contains("1 of 3 test images"), "{ending}");
    assert_eq!(ending.json()["total"], 2);

    // No image at all: probably the wrong folder.
    let wrong = below(&folder, "run");
    train_on(&clip(), &wrong, &below(&folder, "other"), &options[..2])
        .fails(1, &["split_zhou_Shapes.json", "data folder"])
        .silent();
}

#[test]
fn split_files_that_are_wrong_are_named() {
    let folder = scratch();
    let (split, data) = (split_with_missing(folder.path()), images());
    let run = below(&folder, "run");
    let whole = fs::read_to_string(&split).expect("a split");
    for (content, word) in [
        (String::new(), "split file"),
        (whole[..whole.len() / 2].to_string(), "split file"),
        (whole.replace("\"train\"", "\"practice\""), "train"),
        (whole.replace(",1,\"blue\"", ",9,\"blue\""), "label"),
        (whole.replacen(",1,\"blue\"", ",9,\"blue\"", 1), "blue"),
        (whole.replace(",1,\"blue\"", ",-1,\"blue\""), "split"),
        (whole.replace(",1,\"blue\"", ",1,\"red\""), "red"),
    ] {
        fs::write(&split, content).expect("room");
        train_on(
            &clip(),
            &data,
            &run,
            &["--split", &split, "--allow-missing"],
        )
        .fails(1, &["split_zhou_Shapes.json", word])
        .silent();
        assert!(names(&run).is_empty());
    }
}
