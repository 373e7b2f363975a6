//! The built-in data sets in the real command.

mod common;

use common::*;

#[test]
fn the_data_sets_are_listed() {
    let listed = promptsrc(&["world", "list", "--json"]).done().json();
    let sets = listed.as_array().expect("a list");
    assert!(sets.len() >= 5);
    for set in sets {
        let name = set["name"].as_str().expect("a name");
        assert!(name.starts_with("world:"), "{name}");
        assert!(
            set["classes"].as_array().expect("classes").len() >= 8,
            "{name}"
        );
    }
    let read = promptsrc(&["world", "list"]).done().stdout;
    assert_eq!(read.lines().count(), sets.len());
}

#[test]
fn a_built_in_data_set_and_its_exported_copy_give_the_same_adapter() {
    let folder = scratch();
    let dir = below(&folder, "sets");
    let exported = promptsrc(&["world", "export", &dir, "--sets", "scenes", "--json"]).done();
    let exported = exported.json();
    let copy = exported[0]["folder"]
        .as_str()
        .expect("a folder")
        .to_string();

    let clip = clip();
    let adapter = |name: &str, data: &str| {
        let run = below(&folder, name);
        let args = [
            "train", "--clip", &clip, "--data", data, "--shots", "1", "--quiet",
        ];
        let more = ["--classes", "base", "--epochs", "1", "--out", &run];
        promptsrc(&[&args[..], &more].concat()).done();
        let args = ["eval", &run, "--data", data, "--classes", "novel", "--json"];
        let evaluation = promptsrc(&args).done().measured();
        (adapter_tensors(&run), evaluation)
    };
    let built_in = adapter("built-in", "world:scenes");
    assert!(
        built_in == adapter("copy", &copy),
        "the copy gives another adapter"
    );
    assert!(built_in.1["total"].as_u64() > Some(0));
}

#[test]
fn what_the_world_does_not_have_is_wrong_usage() {
    let folder = scratch();
    let (run, dir, clip) = (below(&folder, "run"), below(&folder, "sets"), clip());
    let train = |more: &[&str]| {
        let args = ["train", "--clip", &clip, "--out", &run];
        promptsrc(&[&args[..], more].concat())
    };
    train(&["--data", "world:nothing"]).fails(2, &["--data", "nothing", "objects"]);
    train(&["--data", "world:objects", "--split", "x.json"]).fails(2, &["--split"]);
    promptsrc(&["world", "export", &dir, "--sets", "nothing"]).fails(2, &["--sets", "nothing"]);
    assert!(!std::path::Path::new(&run).exists());
    assert!(!std::path::Path::new(&dir).exists());
}
