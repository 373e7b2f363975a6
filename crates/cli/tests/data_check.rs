//! `promptsrc data check` and the paper's data sets in other commands.

mod common;

use std::fs;

use common::*;
use serde_json::Value;

/// OxfordPets in its own layout, without a split file: two breeds of five images.
fn pets() -> tempfile::TempDir {
    let root = scratch();
    let folder = root.path().join("oxford_pets");
    for sub in ["images", "annotations"] {
        fs::create_dir_all(folder.join(sub)).unwrap();
    }
    let mut lines = String::new();
    for i in 1..=5 {
        for (class, breed) in [(1, "Abyssinian"), (2, "great_dane")] {
            lines += &format!("{breed}_{i} {class} 1 1\n");
            fs::write(folder.join(format!("images/{breed}_{i}.jpg")), "").unwrap();
        }
    }
    fs::write(folder.join("annotations/trainval.txt"), lines).unwrap();
    fs::write(folder.join("annotations/test.txt"), "Abyssinian_1 1 1 1\n").unwrap();
    root
}

#[test]
fn a_check_says_what_is_there_what_is_broken_and_what_to_download() {
    let root = pets();
    let path = text(&root);
    let ending = promptsrc(&["data", "check", &path]).fails(1, &["incomplete: OxfordPets"]);
    for words in [
        "8 of 2944",
        "broken: 2 classes instead of 37",
        "optional: split_zhou_OxfordPets.json from https://drive.google.com/",
        "missing: images, variants.txt, images_variant_train.txt",
        "EuroSAT",
    ] {
        assert!(ending.stdout.contains(words), "no {words:?}\n{ending}");
    }
    assert!(
        !root
            .path()
            .join("oxford_pets/split_zhou_OxfordPets.json")
            .exists()
    );

    let ending = promptsrc(&["data", "check", &path, "--json"]).fails(1, &["OxfordPets"]);
    let sets: Vec<Value> = serde_json::from_str(&ending.stdout).unwrap();
    assert_eq!(sets.len(), 15);
    assert_eq!(sets[2]["state"], "broken");
    assert_eq!(sets[2]["parts"]["val"]["found"], 2);
    assert_eq!(sets[0]["state"], "absent");
}

#[test]
fn missing_data_sets_are_not_an_error_but_a_wrong_root_is() {
    let root = scratch();
    let ending = promptsrc(&["data", "check", &text(&root)]).done();
    assert!(
        ending.stderr.contains("none of the data sets' folders"),
        "{ending}"
    );
    promptsrc(&["data", "check", &below(&root, "nowhere")]).fails(1, &["nowhere"]);
    promptsrc(&["data", "check"]).fails(2, &["ROOT"]);
}

#[test]
fn other_commands_read_a_known_folder_by_its_own_annotation() {
    let root = pets();
    let folder = below(&root, "oxford_pets");
    let args = ["sample", "--shots", "1", "--data", &folder];
    let ending = promptsrc(&args).done();
    assert_eq!(ending.stdout.lines().count(), 4, "{ending}");
    assert!(ending.stdout.contains("abyssinian"), "{ending}");
}
