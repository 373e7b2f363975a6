//! Reading data sets of each kind, valid and invalid.

use std::path::{Path, PathBuf};

use promptsrc_datasets::{DataError, DataSource, Dataset, Item, Part, Presence, Report};
use tempfile::TempDir;

/// A folder with the given files; they are empty, because no image is opened here.
fn tree(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        write(folder.path(), file, "");
    }
    folder
}

fn write(folder: &Path, file: &str, content: &str) -> PathBuf {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

fn read(data: impl Into<PathBuf>) -> (Dataset, Report) {
    DataSource::new(data).read().unwrap()
}

fn failure(data: impl Into<PathBuf>) -> DataError {
    DataSource::new(data).read().unwrap_err()
}

fn names(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .map(|i| {
            format!(
                "{} {}",
                i.path.file_name().unwrap().to_string_lossy(),
                i.label
            )
        })
        .collect()
}

const SPLIT: &str = r#"{
  "train": [["cat/a.jpg", 0, "cat"], ["dog/b.jpg", 1, "dog"], ["dog/gone.jpg", 1, "dog"]],
  "val": [["cat/c.jpg", 0, "cat"]],
  "test": [["dog/d.jpg", 1, "dog"], ["dog/gone too.jpg", 1, "dog"]]
}"#;
const SPLIT_FILES: [&str; 4] = [
    "images/cat/a.jpg",
    "images/dog/b.jpg",
    "images/cat/c.jpg",
    "images/dog/d.jpg",
];

#[test]
fn a_split_is_found_in_its_folder_and_its_images_below() {
    let folder = tree(&SPLIT_FILES);
    let split = write(folder.path(), "split_zhou_Pets.json", SPLIT);
    let (dataset, report) = read(folder.path());
    assert_eq!(dataset.class_names, ["cat", "dog"]);
    assert_eq!(dataset.train.len(), 3);
    assert_eq!(report.images, folder.path().join("images"));
    assert_eq!(
        dataset.train[0].path,
        folder.path().join("images/cat/a.jpg")
    );
    assert_eq!(dataset.train[2].presence, Presence::Missing);
    assert_eq!(
        (
            report.part(Part::Train).missing,
            report.part(Part::Test).missing
        ),
        (1, 1)
    );

    // The image folder with the split file gives the same, and so does the split file alone.
    let source = DataSource {
        split: Some(split.clone()),
        ..DataSource::new(folder.path().join("images"))
    };
    assert_eq!(source.read().unwrap().0.train, dataset.train);
    assert_eq!(read(split).0.train, dataset.train);
}

#[test]
fn only_missing_images_that_are_used_are_errors_and_are_named() {
    let folder = tree(&SPLIT_FILES);
    write(folder.path(), "split_zhou_Pets.json", SPLIT);
    let (dataset, _) = read(folder.path());
    let all = dataset.whole();
    let val = all.images(Part::Val, false).unwrap();
    assert_eq!((val.items.len(), val.wanted), (1, 1));
    let message = all.images(Part::Train, false).unwrap_err().to_string();
    assert!(
        message.contains("1 of the 3 train images are missing"),
        "{message}"
    );
    assert!(
        message.contains("gone.jpg") && message.contains("--allow-missing"),
        "{message}"
    );
    assert!(!message.contains("gone too"), "{message}");

    let train = all.images(Part::Train, true).unwrap();
    assert_eq!((train.items.len(), train.missing), (2, 1));
    let (mut gone, _) = read(folder.path());
    gone.train.retain(|item| item.presence == Presence::Missing);
    assert!(matches!(
        gone.whole().images(Part::Train, true),
        Err(DataError::NothingLeft {
            part: Part::Train,
            wanted: 1
        })
    ));
    gone.train.clear();
    assert!(matches!(
        gone.whole().images(Part::Train, true),
        Err(DataError::EmptyPart {
            part: Part::Train,
            ..
        })
    ));
}

#[test]
fn long_lists_of_missing_images_are_truncated_and_counted() {
    let folder = tree(&["a/0.jpg"]);
    let entries: Vec<String> = (0..40)
        .map(|i| format!("[\"a/{i}.jpg\", 0, \"a\"]"))
        .collect();
    let split = format!("{{\"train\": [{}]}}", entries.join(","));
    write(folder.path(), "split_zhou_A.json", &split);
    let (dataset, _) = read(folder.path());
    let all = dataset.whole();
    let message = all.images(Part::Train, false).unwrap_err().to_string();
    assert_eq!(message.matches(".jpg").count(), 10, "{message}");
    assert!(message.contains("and 29 more"), "{message}");
}

#[test]
fn a_split_without_any_image_names_the_folders_it_tried() {
    let folder = tree(&["2750/x.txt"]);
    write(folder.path(), "split_zhou_Pets.json", SPLIT);
    let error = failure(folder.path());
    let DataError::NoImages {
        count: 6, tried, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(tried.len(), 2);
    let allowed = DataSource {
        allow_missing: true,
        ..DataSource::new(folder.path())
    };
    assert_eq!(allowed.read().unwrap().1.part(Part::Train).missing, 3);
}

#[test]
fn wrong_splits_are_refused_with_the_reason() {
    let check = |content: &str, expected: &str| {
        let folder = tree(&[]);
        write(folder.path(), "split_zhou_X.json", content);
        let message = failure(folder.path()).to_string();
        assert!(message.contains("split_zhou_X.json"), "{message}");
        assert!(message.contains(expected), "{message}");
    };
    check("", "EOF");
    check("[1, 2]", "is not a split file");
    check("{\"train\": [\n[\"a\", -1, \"x\"]]}", "split_zhou_X.json:2");
    check("{\"train\": [[\"a\", 0]]}", "is not a split file");
    check("{\"train\": []}", "lists no images");
    check(
        r#"{"train": [["a", 0, "x"], ["b", 0, "y"]]}"#,
        "label 0 is called \"y\" here but \"x\" earlier",
    );
    check(
        r#"{"train": [["a", 0, "x"]], "val": [["b", 1, "x"]]}"#,
        "label 1 here but to label 0",
    );
    check(
        r#"{"train": [["a", 0, "x"], ["b", 18446744073709551615, "y"]]}"#,
        "no entry has label 1",
    );
}

#[test]
fn two_splits_in_a_folder_are_refused_unless_one_is_named() {
    let folder = tree(&SPLIT_FILES);
    write(folder.path(), "split_zhou_A.json", SPLIT);
    let b = write(folder.path(), "split_zhou_B.json", SPLIT);
    assert!(
        failure(folder.path())
            .to_string()
            .contains("split_zhou_A.json, split_zhou_B.json")
    );
    let source = DataSource {
        split: Some(b),
        ..DataSource::new(folder.path())
    };
    assert!(source.read().is_ok());
}

#[test]
fn images_listed_twice_are_warnings() {
    let folder = tree(&["a/1.jpg", "a/2.jpg"]);
    let split = r#"{"train": [["a/1.jpg", 0, "a"], ["a/1.jpg", 0, "a"], ["a/2.jpg", 0, "a"]],
                    "test": [["a/2.jpg", 0, "a"]]}"#;
    write(folder.path(), "split_zhou_A.json", split);
    let (_, report) = read(folder.path());
    assert_eq!(report.duplicate_count, 2);
    let warnings = report.warnings().join("\n");
    assert!(
        warnings.contains("1.jpg is listed twice in train"),
        "{warnings}"
    );
    assert!(
        warnings.contains("2.jpg is listed in train and in test"),
        "{warnings}"
    );
}

#[test]
fn class_folders_are_sorted_and_divided_by_their_paths_alone() {
    let files: Vec<String> = ["b_flat", "a"]
        .iter()
        .flat_map(|class| (0..10).map(move |i| format!("{class}/{i}.png")))
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let folder = tree(&files);
    write(folder.path(), "README.md", "");
    write(folder.path(), "a/notes.txt", "");
    write(folder.path(), "a/.hidden.png", "");
    write(folder.path(), ".cache/1.png", "");
    let (dataset, report) = read(folder.path());
    assert_eq!(dataset.class_names, ["a", "b flat"]);
    assert_eq!(
        (
            dataset.train.len(),
            dataset.val.len(),
            dataset.test.len(),
            report.ignored
        ),
        (7, 4, 9, 1)
    );
    assert!(dataset.is_divided);
    assert_eq!(
        names(&dataset.train),
        [
            "0.png 0", "2.png 0", "5.png 0", "8.png 0", "2.png 1", "6.png 1", "9.png 1"
        ]
    );
    let warnings = report.warnings().join("\n");
    assert!(warnings.contains("50 % are train"), "{warnings}");
    assert!(warnings.contains("no class folders: .cache"), "{warnings}");

    // Neither the order in which they were made nor other images count.
    let again = tree(&files.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(names(&read(again.path()).0.train), names(&dataset.train));
    write(again.path(), "a/10.png", "");
    write(again.path(), "a 0/0.png", "");
    let (more, _) = read(again.path());
    for part in Part::ALL {
        let kept: Vec<&Path> = more
            .part(part)
            .iter()
            .filter_map(|item| item.path.strip_prefix(again.path()).ok())
            .collect();
        for item in dataset.part(part) {
            assert!(
                kept.contains(&item.path.strip_prefix(folder.path()).unwrap()),
                "{item:?}"
            );
        }
    }
}

#[test]
fn part_folders_are_parts_and_validation_images_replace_missing_test_images() {
    let folder = tree(&[
        "train/x/1.jpg",
        "train/y/2.jpg",
        "validation/x/3.jpg",
        "validation/y/4.JPG",
    ]);
    let (dataset, report) = read(folder.path());
    assert_eq!(names(&dataset.train), ["1.jpg 0", "2.jpg 1"]);
    assert_eq!(names(&dataset.test), ["3.jpg 0", "4.JPG 1"]);
    assert_eq!(dataset.val, dataset.test);
    assert!(
        report
            .warnings()
            .iter()
            .any(|w| w.contains("no test folder")),
        "{report:?}"
    );
    assert_eq!(report.duplicate_count, 0);

    // A class may be called train.
    let folder = tree(&["train/1.jpg", "bus/2.jpg"]);
    assert_eq!(read(folder.path()).0.class_names, ["bus", "train"]);
}

#[test]
fn class_names_come_from_classnames_txt_in_each_layout() {
    let wordnet = ["n01440764/1.jpg", "n01443537/2.jpg"];
    let folder = tree(&wordnet);
    write(
        folder.path(),
        "classnames.txt",
        "n01443537 goldfish\nn01440764 tench\nn99999999 more\n",
    );
    assert_eq!(read(folder.path()).0.class_names, ["tench", "goldfish"]);

    let folder = tree(&wordnet);
    write(
        folder.path(),
        "classnames.txt",
        "\u{feff}a tench\n\nb goldfish\n",
    );
    assert_eq!(read(folder.path()).0.class_names, ["a tench", "b goldfish"]);

    let numbers: Vec<String> = (0..11).map(|i| format!("{i}/p.jpg")).collect();
    let folder = tree(&numbers.iter().map(String::as_str).collect::<Vec<_>>());
    let lines: Vec<String> = (0..11)
        .map(|i| format!("n0000000{} name {i}", i % 10))
        .collect();
    let file = write(folder.path(), "names", &lines.join("\n"));
    let source = DataSource {
        class_names: Some(file),
        ..DataSource::new(folder.path())
    };
    let (dataset, _) = source.read().unwrap();
    assert_eq!(dataset.class_names[2], "name 2");
    assert_eq!(dataset.class_names[10], "name 10");

    // Published names of WordNet's classes may be the same, which is said.
    let folder = tree(&wordnet);
    write(
        folder.path(),
        "classnames.txt",
        "n01443537 missile\nn01440764 missile\n",
    );
    let (dataset, report) = read(folder.path());
    assert_eq!(dataset.class_names, ["missile", "missile"]);
    let warnings = report.warnings().join("\n");
    assert!(warnings.contains("never answered"), "{warnings}");

    let folder = tree(&wordnet);
    write(folder.path(), "classnames.txt", "only one\n");
    let message = failure(folder.path()).to_string();
    assert!(message.contains("each of the 2 class folders"), "{message}");
}

#[test]
fn wrong_folders_are_refused_with_the_reason() {
    let folder = tree(&["a/1.jpg"]);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let (dataset, report) = read(folder.path());
    assert_eq!(dataset.class_names, ["a"]);
    let warnings = report.warnings().join("\n");
    assert!(
        warnings.contains("extension such as .jpg): empty"),
        "{warnings}"
    );

    let folder = tree(&["1.jpg"]);
    assert!(matches!(
        failure(folder.path()),
        DataError::NoClasses { .. }
    ));

    assert!(matches!(failure("no/such/folder"), DataError::Read { .. }));

    let folder = tree(&["train/a/1.jpg", "val/a/1.jpg", "validation/a/1.jpg"]);
    assert!(matches!(
        failure(folder.path()),
        DataError::TwoFolders {
            part: Part::Val,
            ..
        }
    ));

    let folder = tree(&["notes.txt"]);
    let error = failure(folder.path().join("notes.txt"));
    assert!(matches!(error, DataError::UnknownSource { .. }));

    let folder = tree(&["only/1.jpg", "only/2.jpg"]);
    let error = read(folder.path()).0.whole().check_trainable().unwrap_err();
    assert!(matches!(error, DataError::TooFewClasses { .. }), "{error}");
    let (dataset, _) = read(folder.path());
    let halves = dataset.few_shot(1, 1).base();
    assert!(matches!(halves, Err(DataError::NoNovelClasses { .. })));
}

#[cfg(unix)]
#[test]
fn a_thousand_folders_in_each_other_are_walked() {
    let folder = tempfile::tempdir().unwrap();
    // Made from within: no path of the system is that long at once.
    let script = "for i in $(seq 1000); do mkdir d; cd d; done; cp \"$1\" image.jpg";
    let image = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/images/red_circle/red_circle_01.jpg");
    let made = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(image.canonicalize().unwrap())
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    let found = promptsrc_datasets::images_below(folder.path()).unwrap();
    assert_eq!(found.images.len(), 1);
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles_and_any_file_name_is_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tree(&["a/1.jpg", "b/2.jpg"]);
    let root = folder.path();
    std::os::unix::fs::symlink(root.join("a"), root.join("a/again")).unwrap();
    std::fs::write(root.join("b").join(OsStr::from_bytes(b"\xff\xfe.jpg")), "").unwrap();
    let outside = tree(&["3.jpg", "4.jpg"]);
    std::os::unix::fs::symlink(outside.path(), root.join("c")).unwrap();
    let (dataset, _) = read(root);
    assert_eq!(dataset.class_names, ["a", "b", "c"]);
    let count = dataset.train.len() + dataset.val.len() + dataset.test.len();
    // One of a, two of b and two of c.
    assert_eq!(count, 5);
    std::os::unix::fs::symlink(root.join("b"), root.join("d")).unwrap();
    let error = failure(root);
    assert!(
        matches!(error, DataError::FileInTwoClasses { .. }),
        "{error}"
    );
}

#[test]
fn lists_of_each_format_give_the_same_data_set() {
    let folder = tree(&["p/1.jpg", "p/2.jpg", "p/3.jpg"]);
    let root = folder.path();
    let csv = "path,label,split\np/1.jpg,cat,train\np/2.jpg,dog,train\n\"p/3.jpg\", dog ,test\n";
    let tsv = csv.replace(',', "\t").replace('"', "");
    let jsonl = r#"{"path": "p/1.jpg", "label": 0, "class_name": "cat", "split": "train"}
{"path": "p/2.jpg", "label": 1, "class_name": "dog", "split": "train"}

{"path": "p/3.jpg", "label": "1", "class_name": "dog", "split": "test", "other": [1]}"#;
    let expected = read(write(root, "list.csv", csv)).0;
    assert_eq!(expected.class_names, ["cat", "dog"]);
    assert_eq!(names(&expected.train), ["1.jpg 0", "2.jpg 1"]);
    assert_eq!(names(&expected.test), ["3.jpg 1"]);
    assert_eq!(read(write(root, "list.tsv", &tsv)).0, expected);
    assert_eq!(read(write(root, "list.jsonl", jsonl)).0, expected);

    let list = write(
        root,
        "numbers.csv",
        "path,label,split\np/1.jpg,1,train\np/2.jpg,0,val\n",
    );
    assert!(matches!(failure(&list), DataError::NamelessLabels { .. }));
    let file = write(root, "names.txt", "cat\ndog\nfish\n");
    let source = DataSource {
        class_names: Some(file),
        ..DataSource::new(list)
    };
    assert_eq!(source.read().unwrap().0.class_names, ["cat", "dog", "fish"]);
}

#[test]
fn a_list_without_splits_is_divided() {
    let folder = tree(&[]);
    let rows: Vec<String> = (0..10).map(|i| format!("{i}.jpg,x")).collect();
    let list = write(
        folder.path(),
        "list.csv",
        &format!("path,label\n{}\n", rows.join("\n")),
    );
    let source = DataSource {
        allow_missing: true,
        ..DataSource::new(list)
    };
    let (dataset, report) = source.read().unwrap();
    assert_eq!(
        (dataset.train.len(), dataset.val.len(), dataset.test.len()),
        (4, 3, 3)
    );
    assert_eq!(report.part(Part::Train).missing, 4);
}

#[test]
fn wrong_lists_are_refused_with_their_line() {
    let check = |file: &str, content: &str, expected: &str| {
        let folder = tree(&["p/1.jpg"]);
        let message = failure(write(folder.path(), file, content)).to_string();
        assert!(message.contains(file), "{message}");
        assert!(message.contains(expected), "{expected:?} in: {message}");
    };
    check("a.csv", "", "lists no images");
    check("a.csv", "path,label\n", "lists no images");
    check("a.csv", "where,label\np/1.jpg,a\n", "no column \"path\"");
    check(
        "a.csv",
        "file,image,label\np/1.jpg,p/1.jpg,a\n",
        "a.csv:1: the columns \"file\" and \"image\" may each be",
    );
    check("a.csv", "path,label\np/1.jpg,a\np/2.jpg\n", "a.csv:3");
    check(
        "a.csv",
        "path,label,split\np/1.jpg,a,trian\n",
        "a.csv:2: expected the split train",
    );
    check(
        "a.csv",
        "path,label\np/1.jpg,\n",
        "a.csv:2: its label is empty",
    );
    check(
        "a.csv",
        "path,label,class_name\nx,0,a\ny,0,b\n",
        "line 3: label 0 is called \"b\"",
    );
    check(
        "a.csv",
        "path,label,class_name\nx,0,a\ny,1,a\n",
        "line 3: the name \"a\" belongs",
    );
    check(
        "a.csv",
        "path,label,class_name\nx,0,a\ny,2,b\n",
        "no entry has label 1",
    );
    check("a.jsonl", "{\"path\": \"p/1.jpg\"}", "found no \"label\"");
    check(
        "a.jsonl",
        "{\"path\": \"p/1.jpg\", \"label\": 0}\nnonsense",
        "a.jsonl:2: is not JSON",
    );
    check(
        "a.jsonl",
        "{\"path\": [1], \"label\": 0}",
        "expected text or a number as \"path\"",
    );

    let folder = tree(&["p/1.jpg"]);
    let list = write(folder.path(), "a.csv", "path,label\np/1.jpg,0\np/1.jpg,7\n");
    let file = write(folder.path(), "names.txt", "cat\ndog\n");
    let source = DataSource {
        class_names: Some(file),
        ..DataSource::new(list)
    };
    let message = source.read().unwrap_err().to_string();
    assert!(
        message.contains("line 3: label 7 is out of range: 2 class names"),
        "{message}"
    );

    let folder = tree(&[]);
    let latin = folder.path().join("a.csv");
    std::fs::write(&latin, b"path,label\ncaf\xe9.jpg,a\n").unwrap();
    let message = failure(latin).to_string();
    assert!(message.contains("a.csv:2: is not UTF-8"), "{message}");
}
