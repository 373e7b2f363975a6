//! Folders and names as people have them: what would give a wrong number is computed right, refused
//! with the reason, or said.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use serde_json::Value;

/// Links `link` to `target`.
fn link(target: impl AsRef<Path>, link: impl AsRef<Path>) {
    std::os::unix::fs::symlink(target, link).expect("a link");
}

/// Copies some of the example images of a class, by their numbers.
fn copy(class: &str, numbers: impl IntoIterator<Item = usize>, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for number in numbers {
        let name = format!("{class}_{number:02}.jpg");
        fs::copy(below(images(), &format!("{class}/{name}")), to.join(name)).expect("a copy");
    }
}

/// Names of the classes that `eval` tells apart, in order, and how many images it classifies.
#[track_caller]
fn evaluated(data: &Path, more: &[&str]) -> (Vec<String>, u64, String) {
    let ending = zero_shot("mini", &text(data), &[&["--json"], more].concat()).done();
    let found = ending.json();
    let classes = found["per_class"].as_array().expect("classes").iter();
    let names = classes.map(|c| c["name"].as_str().expect("a name").to_string());
    (
        names.collect(),
        found["total"].as_u64().expect("a count"),
        ending.stderr,
    )
}

/// The images of a part that `sample` lists, as paths below the data folder.
fn sampled(data: &Path, part: &str) -> BTreeSet<String> {
    let args = ["sample", "--data", &text(data), "--shots", "1000"];
    let listed = promptsrc(&args).done().stdout;
    let of_part = listed.lines().filter(|line| line.starts_with(part));
    let paths = of_part.map(|line| Path::new(line.rsplit('\t').next().expect("a path")));
    paths
        .map(|path| text(path.strip_prefix(data).expect("a path in the data folder")))
        .collect()
}

const FOUR: [&str; 4] = ["blue square", "green triangle", "red circle", "yellow star"];

#[test]
fn a_file_of_class_names_counts_only_inside_the_data_folder_and_is_named() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    let stray = folder.path().join("classnames.txt");
    fs::write(&stray, "cat\ndog\nhorse\ncow\n").expect("room");
    let (names, _, said) = evaluated(&data, &["-q"]);
    assert_eq!(names, FOUR);
    assert!(
        said.contains(&format!("{} is not used", stray.display())),
        "{said}"
    );

    let own = data.join("classnames.txt");
    fs::rename(&stray, &own).expect("a move");
    let (names, _, said) = evaluated(&data, &["-q"]);
    assert_eq!(names, ["cat", "dog", "horse", "cow"]);
    assert!(
        said.contains(&format!("the classes are named by {}", own.display())),
        "{said}"
    );

    // The run and the adapter record it.
    let run = below(&folder, "run");
    train_on("mini", &text(&data), &run, &[]).done();
    let found = promptsrc(&["inspect", &run, "--json"]).done().json();
    assert_eq!(found["config"]["data"]["class_names"], text(&own).as_str());
    let record = &found["adapter"]["record"]["data"];
    assert_eq!(record["class_names_file"], "classnames.txt");
}

#[test]
fn adding_images_moves_no_image_to_another_part() {
    let folder = scratch();
    let data = folder.path().join("d");
    for class in ["red_circle", "blue_square"] {
        copy(class, 3..=12, &data.join(class));
    }
    let before = ["train", "val"].map(|part| sampled(&data, part));
    let run = below(&folder, "run");
    train_on("mini", &text(&data), &run, &["--shots", "all"]).done();
    for class in ["red_circle", "blue_square", "yellow_star"] {
        copy(class, 1..=12, &data.join(class));
    }
    let after = ["train", "val"].map(|part| sampled(&data, part));
    for (before, after) in before.iter().zip(&after) {
        assert!(
            !before.is_empty() && before.is_subset(after),
            "{before:?} {after:?}"
        );
        assert!(before.len() < after.len());
    }
    assert!(before[0].is_disjoint(&after[1]));
    // None of the test images was trained on, and no warning says so.
    let clean = promptsrc(&["eval", &run, "--data", &text(&data)]).done();
    assert!(!clean.stderr.contains("was trained on"), "{clean}");

    // Another path of the data folder and another class beside do not count either.
    let moved = folder.path().join("elsewhere/e");
    fs::create_dir(folder.path().join("elsewhere")).expect("a folder");
    fs::rename(&data, &moved).expect("a move");
    assert_eq!(sampled(&moved, "train"), after[0]);
    // A list of the same paths divides them in the same way.
    let mut list = "path,label\n".to_string();
    for class in names(&moved) {
        for file in names(moved.join(&class)) {
            list += &format!("./{class}/{file},{class}\n");
        }
    }
    fs::write(moved.join("list.csv"), list).expect("room");
    let args = [
        "sample",
        "--data",
        &text(moved.join("list.csv")),
        "--shots",
        "1000",
        "--json",
    ];
    let listed = promptsrc(&args).done().json();
    assert_eq!(
        listed["train"].as_array().expect("a list").len(),
        after[0].len()
    );
    assert_eq!(
        listed["val"].as_array().expect("a list").len(),
        after[1].len()
    );
}

#[test]
fn test_images_that_were_trained_on_are_counted_whatever_they_are_called() {
    let folder = scratch();
    let data = folder.path().join("d");
    for class in ["red_circle", "blue_square"] {
        copy(class, 1..=6, &data.join("train").join(class));
        copy(class, 7..=12, &data.join("test").join(class));
    }
    let run = below(&folder, "run");
    train_on("mini", &text(&data), &run, &["--shots", "all"]).done();
    let eval = |what: &str, more: &[&str]| {
        let args = ["eval", what, "--data", &text(&data), "-q"];
        promptsrc(&[&args[..], more].concat()).done()
    };
    let clean = eval(&run, &[]);
    assert!(!clean.stderr.contains("trained on"), "{clean}");
    // Copies of four training images, under other names.
    for class in ["red_circle", "blue_square"] {
        for number in [2, 5] {
            let name = format!("{class}_{number:02}.jpg");
            let to = format!("test/{class}/again_{name}");
            fs::copy(data.join("train").join(class).join(name), data.join(to)).expect("a copy");
        }
    }
    let said = "trained on 4 of the 16 test images";
    let ending = eval(&run, &[]);
    assert!(ending.stderr.contains(said), "{ending}");
    // The bare adapter file knows it too.
    let adapter = below(&folder, "alone.safetensors");
    fs::copy(below(&run, "adapter.safetensors"), &adapter).expect("a copy");
    let ending = eval(&adapter, &["--clip", "mini"]);
    assert!(ending.stderr.contains(said), "{ending}");
    // To evaluate on the training images is what was asked for.
    let asked = eval(&run, &["--part", "train"]);
    assert!(!asked.stderr.contains("trained on"), "{asked}");
}

#[test]
fn a_benchmark_counts_them_too() {
    let folder = scratch();
    let root = below(&folder, "root");
    promptsrc(&["world", "export", &root, "--sets", "surfaces"]).done();
    // In the place of a data set of the paper.
    let data = PathBuf::from(below(&root, "dtd"));
    fs::rename(below(&root, "surfaces"), &data).expect("a move");
    let split = names(&data)
        .into_iter()
        .find(|name| name.starts_with("split_zhou_"));
    let file = data.join("split_zhou_DescribableTextures.json");
    fs::rename(data.join(split.expect("a split file")), &file).expect("a name");
    let split = fs::read(&file).expect("a split file");
    let data_option = text(&data);
    let args = [
        "sample",
        "--data",
        &data_option,
        "--shots",
        "1",
        "--classes",
        "base",
    ];
    let listed = promptsrc(&args).done().stdout;
    let trained = listed
        .lines()
        .next()
        .and_then(|line| line.rsplit('\t').next());
    let split: Value = serde_json::from_slice(&split).expect("JSON");
    let tested = split["test"][0][0].as_str().expect("a path");
    fs::copy(trained.expect("a path"), data.join("images").join(tested)).expect("a copy");
    let out = below(&folder, "out");
    let args = [
        "bench",
        "base-to-novel",
        "--root",
        &root,
        "--clip",
        "mini",
        "--out",
        &out,
        "--datasets",
        "dtd",
        "--methods",
        "ivlp",
        "--seeds",
        "1",
        "--shots",
        "1",
    ];
    let ending = promptsrc(&args).done();
    assert!(ending.stderr.contains("trained on 1 of the"), "{ending}");
}

#[test]
fn novel_classes_that_were_trained_on_are_said() {
    let folder = scratch();
    let (run, data) = (trained(folder.path()), images());
    let eval = |classes: &str| {
        promptsrc(&["eval", &run, "--data", &data, "-q", "--classes", classes]).done()
    };
    let ending = eval("novel");
    let said = "trained on 2 of the 2 novel classes of images (such as \"red circle\")";
    assert!(ending.stderr.contains(said), "{ending}");
    assert!(!eval("base").stderr.contains("novel"));
}

#[test]
fn small_classes_without_training_or_test_images_are_named() {
    let folder = scratch();
    let data = folder.path().join("d");
    for class in ["red_circle", "blue_square", "yellow_star"] {
        copy(class, 1..=12, &data.join(class));
    }
    let train = sampled(&data, "train");
    let of = |keep: bool, class: &str| {
        for file in names(data.join(class)) {
            if train.contains(&format!("{class}/{file}")) != keep {
                fs::remove_file(data.join(class).join(file)).expect("an image");
            }
        }
    };
    of(true, "red_circle");
    of(false, "yellow_star");
    let (names, _, said) = evaluated(&data, &[]);
    assert_eq!(names, ["blue square", "red circle", "yellow star"]);
    assert!(
        said.contains("1 of 3 classes has no test images: red circle"),
        "{said}"
    );
    let ending = train_on("mini", &text(&data), &below(&folder, "run"), &[]).done();
    let said = "1 of 3 classes has no train images: yellow star";
    assert!(ending.stderr.contains(said), "{ending}");
    // It still is one of the classes, in the half that its place in the alphabet gives it.
    let (names, ..) = evaluated(&data, &["--classes", "base"]);
    assert_eq!(names, ["blue square", "red circle"]);
}

#[test]
fn names_that_clip_reads_as_the_same_text_are_refused() {
    let folder = scratch();
    let refused = |data: &Path, words: &[&str]| {
        let run = below(&folder, "run");
        let data = text(data);
        train_on("mini", &data, &run, &[]).fails(1, words).silent();
        zero_shot("mini", &data, &[]).fails(1, words).silent();
        assert!(!Path::new(&run).exists());
    };
    let pairs = [
        ("Red circle", "red circle"),
        ("red_circle", "red circle"),
        ("red  circle", "red circle"),
        ("RED__CIRCLE", "red_circle"),
    ];
    for (first, second) in pairs {
        let inner = scratch();
        let data = inner.path().join("d");
        copy("red_circle", 1..=12, &data.join(first));
        copy("blue_square", 1..=12, &data.join(second));
        copy("yellow_star", 1..=12, &data.join("yellow_star"));
        refused(
            &data,
            &[
                &format!("{first:?}"),
                &format!("{second:?}"),
                "never answers",
            ],
        );

        // In the file that names the folders, in both layouts.
        let data = copy_of_images(inner.path());
        let file = data.join("classnames.txt");
        fs::write(&file, format!("a\n{first}\nb\n{second}\n")).expect("room");
        refused(&data, &["classnames.txt", &format!("{second:?}")]);
        let lines =
            format!("red_circle {first}\nblue_square {second}\nyellow_star a\ngreen_triangle b\n");
        fs::write(&file, lines).expect("room");
        refused(&data, &["classnames.txt", &format!("{second:?}")]);

        // In a list and in a split file.
        let entry = |class: &str, number: usize| format!("{class}/{class}_{number:02}.jpg");
        let (red, blue) = (entry("red_circle", 1), entry("blue_square", 1));
        let list = data.join("list.csv");
        fs::write(
            &list,
            format!("path,label\n{red},{first}\n{blue},{second}\n"),
        )
        .expect("room");
        let words = ["list.csv", &format!("{first:?}"), &format!("{second:?}")];
        refused(&list, &words);
        let rows = format!("{red},0,{first}\n{blue},1,{second}\n");
        fs::write(&list, format!("path,label,class_name\n{rows}")).expect("room");
        refused(&list, &["list.csv", "line 3", &format!("{second:?}")]);
        let split = serde_json::json!({ "train": [[red, 0, first], [blue, 1, second]] });
        let split_file = data.join("split_zhou_Shapes.json");
        fs::write(&split_file, split.to_string()).expect("room");
        refused(&data, &["split_zhou_Shapes.json", &format!("{second:?}")]);
    }
    // The tokenizer reads more texts as the same than those: it decides.
    let data = folder.path().join("d");
    copy("red_circle", 1..=12, &data.join("Q&amp;A"));
    copy("blue_square", 1..=12, &data.join("q & a"));
    refused(&data, &["\"Q&amp;A\"", "\"q & a\"", "same tokens"]);
}

#[test]
fn names_on_the_command_line_are_two_that_differ() {
    let folder = scratch();
    let (run, image) = (trained(folder.path()), image());
    let with = |names: &str| {
        promptsrc(&[
            "predict", &run, &image, "--names", names, "--json", "--top-k", "9",
        ])
    };
    for (list, words) in [
        ("a,b,a", vec!["\"a\"", "twice"]),
        (
            "red_circle,red circle",
            vec!["\"red_circle\"", "\"red circle\""],
        ),
        ("Cat,dog,cAT", vec!["\"Cat\"", "\"cAT\""]),
        ("cat", vec!["\"cat\"", "at least two"]),
        ("\"cat, dog\"", vec!["\"cat, dog\"", "at least two"]),
        ("\"cat,dog", vec!["not closed"]),
        ("\"cat\" dog,a", vec!["comma"]),
    ] {
        with(list)
            .fails(2, &[&["--names"][..], &words].concat())
            .silent();
    }
    with("t-shirt,t - shirt")
        .fails(1, &["\"t-shirt\"", "same tokens"])
        .silent();
    let found = |ending: Ending| -> Vec<String> {
        let found = ending.done().json();
        let top = found[0]["top"].as_array().expect("names").clone();
        let mut names: Vec<String> = top
            .iter()
            .map(|t| t["name"].as_str().expect("a name").to_string())
            .collect();
        names.sort();
        names
    };
    assert_eq!(found(with("\"star, yellow\",red")), ["red", "star, yellow"]);
    assert_eq!(found(with("red, \"a \"\"b\"\"\" ")), ["a \"b\"", "red"]);
    let file = below(&folder, "names.txt");
    for (names, words) in [
        ("cat\n", ["\"cat\"", "at least two"]),
        ("cat\ndog\nCat\n", ["\"cat\"", "\"Cat\""]),
    ] {
        fs::write(&file, names).expect("room");
        promptsrc(&["predict", &run, &image, "--names-file", &file])
            .fails(2, &[&["--names-file"][..], &words].concat())
            .silent();
    }
}

#[test]
fn one_class_is_evaluated_no_more_than_it_is_trained_on() {
    let folder = scratch();
    let data = folder.path().join("d");
    copy("red_circle", 1..=12, &data.join("red_circle"));
    let words = ["one class", "red circle", "at least two"];
    zero_shot("mini", &text(&data), &[])
        .fails(1, &words)
        .silent();
    let run = trained(folder.path());
    promptsrc(&["eval", &run, "--data", &text(&data)])
        .fails(1, &words)
        .silent();
    // Half of two classes is one class.
    copy("blue_square", 1..=12, &data.join("blue_square"));
    for classes in ["base", "novel"] {
        zero_shot("mini", &text(&data), &["--classes", classes])
            .fails(1, &["one class", "at least two"])
            .silent();
    }
}

#[test]
fn a_folder_around_the_class_folders_is_opened_and_said() {
    let folder = scratch();
    let outer = folder.path().join("par");
    fs::create_dir_all(outer.join("__MACOSX/images")).expect("a folder");
    let inner = copy_of_images(&outer);
    let (names, total, said) = evaluated(&outer, &["-q"]);
    assert_eq!((names.as_slice(), total), (&FOUR.map(String::from)[..], 16));
    assert!(
        said.contains(&format!("is read from {}", inner.display())),
        "{said}"
    );
    assert!(said.contains("__MACOSX"), "{said}");

    // Training, sampling and evaluating agree, with and without the outer folder.
    let (one, two) = (below(&folder, "one"), below(&folder, "two"));
    train_on("mini", &text(&outer), &one, &[]).done();
    train_on("mini", &text(&inner), &two, &[]).done();
    assert_eq!(adapter_tensors(&one), adapter_tensors(&two));
    assert_eq!(
        sampled(&outer, "train"),
        sampled(&inner, "train")
            .iter()
            .map(|path| format!("images/{path}"))
            .collect()
    );
    // Two folders around them, or a link to them, are the same.
    fs::create_dir(folder.path().join("parpar")).expect("a folder");
    link(&outer, folder.path().join("parpar/link"));
    assert_eq!(evaluated(&folder.path().join("parpar"), &[]).0, FOUR);
    // Class names beside the wrapped folder belong to it; a split file inside is found.
    fs::write(outer.join("classnames.txt"), "a\nb\nc\nd\n").expect("room");
    assert_eq!(evaluated(&outer, &[]).0, ["a", "b", "c", "d"]);
    let entry = |class: &str, label: usize| {
        serde_json::json!([
            format!("{class}/{class}_01.jpg"),
            label,
            format!("class {label}")
        ])
    };
    let test = [entry("red_circle", 0), entry("yellow_star", 1)];
    let split = serde_json::json!({ "train": test, "test": test });
    fs::write(inner.join("split_zhou_Some.json"), split.to_string()).expect("room");
    let (names, total, _) = evaluated(&outer, &[]);
    assert_eq!(
        (names, total),
        (vec!["class 0".to_string(), "class 1".into()], 2)
    );
}

#[test]
fn folders_that_are_no_classes_are_passed_over_with_a_note() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    for junk in [
        "__MACOSX/red_circle",
        ".ipynb_checkpoints",
        "red_circle/.thumbs",
        "@eaDir",
    ] {
        copy("yellow_star", 1..=3, &data.join(junk));
    }
    fs::create_dir_all(data.join("empty/inner")).expect("a folder");
    fs::create_dir(data.join("notes")).expect("a folder");
    fs::write(data.join("notes/notes.txt"), "no image").expect("room");
    let (names, total, said) = evaluated(&data, &["-q"]);
    assert_eq!((names.as_slice(), total), (&FOUR.map(String::from)[..], 16));
    for words in [
        "no class folders: .ipynb_checkpoints, @eaDir, __MACOSX, red_circle/.thumbs",
        "contain no images (no file with an extension such as .jpg): empty, notes",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let clip = [
        "predict",
        "--zero-shot",
        "--clip",
        "mini",
        "--names",
        "a,b",
        "--json",
    ];
    let found = promptsrc(&[&clip[..], &[&text(&data)]].concat())
        .done()
        .json();
    assert_eq!(found.as_array().expect("a list").len(), 48);

    // Nothing else there: no data set. Parts are parts although something lies beside them.
    let bare = folder.path().join("bare");
    fs::create_dir_all(bare.join("empty")).expect("a folder");
    fs::create_dir_all(bare.join("__MACOSX")).expect("a folder");
    zero_shot("mini", &text(&bare), &[])
        .fails(1, &["bare", "no subfolders with images"])
        .silent();
    for part in ["train", "test"] {
        for class in ["red_circle", "blue_square"] {
            copy(class, 1..=2, &bare.join(part).join(class));
        }
    }
    let (names, total, _) = evaluated(&bare, &[]);
    assert_eq!(
        (names, total),
        (vec!["blue square".to_string(), "red circle".into()], 4)
    );
    copy("yellow_star", 1..=2, &bare.join("unlabelled"));
    zero_shot("mini", &text(&bare), &[])
        .fails(1, &["test, train", "\"unlabelled\"", "move it"])
        .silent();
    // An image in no class folder has no class.
    copy("yellow_star", 1..=1, &data);
    let (_, total, said) = evaluated(&data, &[]);
    assert_eq!(total, 16);
    assert!(
        said.contains("in none of them: yellow_star_01.jpg"),
        "{said}"
    );
    // Class folders of class folders are one class each, which is said.
    let two = folder.path().join("two");
    for (outer, class) in [
        ("a", "red_circle"),
        ("a", "blue_square"),
        ("b", "yellow_star"),
    ] {
        copy(class, 1..=6, &two.join(outer).join(class));
    }
    let (names, _, said) = evaluated(&two, &[]);
    assert_eq!(names, ["a", "b"]);
    assert!(
        said.contains("one class each") && said.contains("subfolders: a\n"),
        "{said}"
    );
}

#[test]
fn each_real_file_counts_once_however_links_lead() {
    let folder = scratch();
    let data = folder.path().join("d");
    copy("red_circle", 1..=3, &data.join("red_circle"));
    copy("blue_square", 1..=12, &data.join("blue_square"));
    link("..", data.join("red_circle/up"));
    link(&data, data.join("round"));
    let outside = folder.path().join("outside");
    copy("red_circle", 4..=6, &outside);
    link(&outside, data.join("red_circle/more"));
    link(&outside, data.join("red_circle/more again"));
    link("red_circle_01.jpg", data.join("red_circle/a_link.jpg"));
    link(&data, outside.join("back"));

    let count = |more: &[&str]| {
        let args = [
            "predict",
            "--zero-shot",
            "--clip",
            "mini",
            "--names",
            "a,b",
            "--json",
        ];
        let found = promptsrc(&[&args[..], &[&text(&data)], more].concat())
            .done()
            .json();
        let paths = found.as_array().expect("a list").iter();
        let real = |p: &Value| fs::canonicalize(p["image"].as_str().expect("a path")).expect("it");
        let real: Vec<PathBuf> = paths.map(real).collect();
        assert_eq!(
            real.iter().collect::<BTreeSet<_>>().len(),
            real.len() - more.len()
        );
        real.len()
    };
    assert_eq!(count(&[]), 18);
    // An image that is named twice is classified twice.
    let one = text(data.join("red_circle/red_circle_01.jpg"));
    assert_eq!(count(&[&one]), 19);
    let out = below(&folder, "f.safetensors");
    let args = [
        "embed",
        "--clip",
        "mini",
        "--images",
        &text(&data),
        "--out",
        &out,
        "--json",
    ];
    assert_eq!(promptsrc(&args).done().json()["images"], 18);

    // As a data set: nothing of another class is in red_circle.
    let parts = ["train", "val"].map(|part| sampled(&data, part));
    let red = |path: &&String| path.starts_with("red_circle/");
    let names: Vec<&String> = parts.iter().flatten().filter(red).collect();
    assert!(
        names.iter().all(|path| path.contains("red_circle_0")),
        "{names:?}"
    );
    let (classes, tested, said) = evaluated(&data, &[]);
    assert_eq!(classes, ["blue square", "red circle"]);
    assert_eq!(
        parts.iter().map(BTreeSet::len).sum::<usize>() + tested as usize,
        18
    );
    assert!(said.contains("lead back"), "{said}");
    for link in ["red_circle/up", "round"] {
        assert!(said.contains(link), "{said}");
    }

    // A class that is lost because of a broken link is named.
    link("nowhere", data.join("yellow_star"));
    let (_, _, said) = evaluated(&data, &[]);
    assert!(said.contains("links are broken: yellow_star"), "{said}");

    // One file in two classes has two labels.
    link(data.join("blue_square"), data.join("square"));
    let words = [
        "square/blue_square_01.jpg",
        "blue_square/blue_square_01.jpg",
        "another class",
    ];
    let run = below(&folder, "run");
    train_on("mini", &text(&data), &run, &[])
        .fails(1, &words)
        .silent();
    zero_shot("mini", &text(&data), &[])
        .fails(1, &words)
        .silent();
    fs::remove_file(data.join("square")).expect("the link");
    link(
        "../red_circle/red_circle_02.jpg",
        data.join("blue_square/x.jpg"),
    );
    zero_shot("mini", &text(&data), &[])
        .fails(1, &["blue_square/x.jpg", "red_circle/red_circle_02.jpg"])
        .silent();
}

#[test]
fn a_link_between_parts_is_said() {
    let folder = scratch();
    let data = folder.path().join("d");
    for class in ["red_circle", "blue_square"] {
        copy(class, 1..=4, &data.join("train").join(class));
        copy(class, 5..=8, &data.join("test").join(class));
    }
    link(data.join("test"), data.join("val"));
    assert!(!evaluated(&data, &[]).2.contains("symbolic link"));
    for number in [1, 2, 3] {
        let name = format!("red_circle_0{number}.jpg");
        link(
            data.join("train/red_circle").join(&name),
            data.join("test/red_circle").join(name),
        );
    }
    let (_, total, said) = evaluated(&data, &[]);
    assert_eq!(total, 11);
    assert!(
        said.contains("are in train and, through a symbolic link"),
        "{said}"
    );
}

#[test]
fn blank_lines_move_no_row() {
    let folder = scratch();
    let (texts, out) = (below(&folder, "texts.txt"), below(&folder, "f.safetensors"));
    let embed = || {
        promptsrc(&[
            "embed", "--clip", "mini", "--texts", &texts, "--out", &out, "--json",
        ])
    };
    for content in ["a cat\n\na dog\n", "a cat\r\n \t\r\na dog"] {
        fs::write(&texts, content).expect("room");
        embed().fails(1, &["texts.txt:2", "blank"]).silent();
    }
    fs::write(&texts, "\na cat\n").expect("room");
    embed().fails(1, &["texts.txt:1", "blank"]).silent();
    assert!(!Path::new(&out).exists());
    // At the end there is nothing to move.
    fs::write(&texts, "\u{feff}a cat\na dog\n\n\n").expect("room");
    assert_eq!(embed().done().json()["texts"], 2);

    // Where labels are numbers of lines, a blank line would move the names after it.
    let data = copy_of_images(folder.path());
    let (list, class_names) = (text(data.join("list.csv")), below(&folder, "names.txt"));
    let rows = "red_circle/red_circle_01.jpg,0,test\nblue_square/blue_square_01.jpg,2,test\n";
    fs::write(&list, format!("path,label,split\n{rows}")).expect("room");
    fs::write(&class_names, "red\n\ngreen\nblue\n").expect("room");
    let ending = zero_shot("mini", &list, &["--class-names", &class_names]);
    ending
        .fails(1, &["names.txt:3", "line 2 is blank"])
        .silent();
    fs::write(&class_names, "red\ngreen\nblue\n").expect("room");
    let ending = zero_shot("mini", &list, &["--class-names", &class_names]).done();
    assert!(
        ending.stderr.contains("the classes are named by"),
        "{ending}"
    );
}
