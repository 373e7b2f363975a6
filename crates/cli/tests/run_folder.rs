//! The run folder and other places to save to: occupied, changed, locked, unfinished, moved, full.

mod common;

use std::fs;
use std::path::Path;

use common::*;

/// An unfinished run: it was killed after its first epoch.
fn unfinished(run: &str, epochs: usize) {
    let killed = kill_when(start(run, epochs, &[]), || has_state(run));
    assert!(killed, "ended too early");
    assert!(
        !Path::new(run).join("adapter.safetensors").exists(),
        "finished too early"
    );
}

/// All files of a folder with their bytes, but for the lease that a killed process has left: whoever takes the lock
/// removes it.
fn contents(folder: &str) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = fs::read(below(folder, &name)).expect("a file");
        (name, bytes)
    };
    let kept = |name: &String| !name.contains(".lease.");
    names(folder).into_iter().filter(kept).map(read).collect()
}

#[test]
fn a_folder_that_holds_a_run_is_left_as_it_is() {
    let folder = scratch();
    let run = trained(folder.path());
    let before = contents(&run);
    train(&run, &["--epochs", "2"])
        .fails(1, &["run", "--resume", "another folder"])
        .silent();
    assert!(contents(&run) == before);
    // With --resume there is nothing left to do; the adapter is the same.
    let ending = train(&run, &["--epochs", "2", "--resume", "--json"]).done();
    assert_eq!(ending.json()["epochs"], 2);
    for ((name, old), (_, new)) in before.iter().zip(contents(&run)) {
        let log = name == "log.jsonl";
        assert!(log || *old == new, "{name} changed");
    }
}

#[test]
fn resume_starts_where_there_is_no_run() {
    let folder = scratch();
    let (fresh, resumed) = (below(&folder, "a"), below(&folder, "b"));
    train(&fresh, &[]).done();
    train(&resumed, &["--resume"]).done();
    assert!(adapter_bytes(&fresh) == adapter_bytes(&resumed));
}

#[test]
fn out_must_be_a_folder() {
    let folder = scratch();
    let file = below(&folder, "file");
    fs::write(&file, "mine").expect("room");
    train(&file, &[])
        .fails(1, &["--out", "file", "folder"])
        .silent();
    train(&file, &["--resume"])
        .fails(1, &["--out", "file", "folder"])
        .silent();
    train(&below(&file, "run"), &[])
        .fails(1, &["file/run"])
        .silent();
    assert_eq!(fs::read_to_string(&file).expect("it"), "mine");
    // Other files in the folder are not a run and are kept.
    train(&text(&folder), &[]).done();
    assert_eq!(fs::read_to_string(&file).expect("it"), "mine");
}

#[test]
fn resuming_with_other_options_is_refused_naming_them() {
    let folder = scratch();
    let run = below(&folder, "run");
    unfinished(&run, 2000);
    let before = contents(&run);
    for (options, word) in [
        (["--lr", "0.001"], "lr"),
        (["--seed", "2"], "seed"),
        (["--shots", "1"], "shots"),
        (["--classes", "base"], "classes"),
        (["--method", "ivlp"], "method"),
        (["--gpa-std", "2"], "std"),
        (["--ctx-init", "some other four words"], "ctx_init"),
        (["--batch-size", "2"], "batch_size"),
    ] {
        let all = [&["--resume", "--epochs", "2000"][..], &options].concat();
        train(&run, &all)
            .fails(1, &["configuration", word, options[1]])
            .silent();
    }
    train(&run, &["--resume", "--epochs", "3"])
        .fails(1, &["epochs", "2000", "3"])
        .silent();
    assert!(contents(&run) == before, "a refusal changed the run");

    // Other images, other weights.
    let data = copy_of_images(folder.path());
    fs::remove_file(data.join("red_circle/red_circle_02.jpg")).expect("an image");
    let resume = ["--resume", "--epochs", "2000"];
    train_on(&clip(), &text(&data), &run, &resume)
        .fails(1, &["images"])
        .silent();
    train_on(&other_clip(), &images(), &run, &resume)
        .fails(1, &[])
        .silent();
    assert!(contents(&run) == before, "a refusal changed the run");
}

#[test]
fn a_state_or_configuration_that_is_damaged_is_named() {
    let folder = scratch();
    let run = below(&folder, "run");
    unfinished(&run, 2000);
    let resume = || train(&run, &["--resume", "--epochs", "2000"]);
    for name in ["state.safetensors", "config.toml"] {
        let file = below(&run, name);
        let whole = fs::read(&file).expect("it");
        for length in [0, 20, whole.len() / 2] {
            fs::write(&file, &whole[..length]).expect("room");
            resume().fails(1, &[name]).silent();
            promptsrc(&["inspect", &file, "--json"])
                .fails(1, &[name])
                .silent();
            promptsrc(&["inspect", &run, "--json"])
                .fails(1, &[name])
                .silent();
        }
        fs::write(&file, &whole).expect("room");
    }
    nothing_half_written(&run);
}

#[test]
fn a_second_process_stays_out_of_a_run_folder() {
    let folder = scratch();
    let run = below(&folder, "run");
    let mut first = start(&run, 5000, &[]);
    assert!(
        wait_until(&mut first, || has_state(&run)),
        "ended too early"
    );
    let options = ["--resume", "--epochs", "5000"];
    train(&run, &options).fails(1, &["in use"]).silent();
    train(&run, &options[1..]).fails(1, &["run"]).silent();
    assert!(
        first.try_wait().expect("a child").is_none(),
        "the first one is disturbed"
    );
    kill(first);
}

#[test]
fn an_unfinished_run_is_not_used() {
    let folder = scratch();
    let run = below(&folder, "run");
    unfinished(&run, 2000);
    let data = images();
    promptsrc(&["eval", &run, "--data", &data])
        .fails(1, &["not finished", "--resume"])
        .silent();
    promptsrc(&["predict", &run, &image()])
        .fails(1, &["not finished", "--resume"])
        .silent();
    let found = promptsrc(&["inspect", &run, "--json"]).done().json();
    assert_eq!(
        (&found["kind"], &found["finished"]),
        (&"run".into(), &false.into())
    );
    assert!(found["epoch"].as_u64().is_some_and(|e| e > 0), "{found}");
}

#[test]
fn a_run_can_be_used_after_its_clip_has_moved() {
    let folder = scratch();
    let (old, new) = (
        below(&folder, "old.safetensors"),
        below(&folder, "new.safetensors"),
    );
    fs::copy(clip(), &old).expect("a copy");
    let (run, data, image) = (below(&folder, "run"), images(), image());
    train_on(&old, &data, &run, &[]).done();
    let eval = ["eval", &run, "--data", &data, "--json"];
    let before = promptsrc(&eval).done();
    fs::rename(&old, &new).expect("a move");
    promptsrc(&eval)
        .fails(1, &["old.safetensors", "--clip"])
        .silent();
    promptsrc(&["predict", &run, &image])
        .fails(1, &["old.safetensors", "--clip"])
        .silent();
    let after = promptsrc(&[&eval[..], &["--clip", &new]].concat()).done();
    assert_eq!(before.measured(), after.measured());
    assert!(!after.stderr.contains("other weights"), "{after}");
    promptsrc(&["predict", &run, &image, "--clip", &new]).done();
    train_on(&new, &data, &run, &["--resume"]).done();

    // The adapter alone does not know where its CLIP is.
    let alone = below(&folder, "adapter.safetensors");
    fs::copy(below(&run, "adapter.safetensors"), &alone).expect("a copy");
    let eval = ["eval", &alone, "--data", &data, "--json"];
    promptsrc(&eval)
        .fails(2, &["adapter.safetensors", "--clip"])
        .silent();
    let alone = promptsrc(&[&eval[..], &["--clip", &new]].concat()).done();
    assert_eq!(before.measured(), alone.measured());
}

/// Blocks of the shell's limit that the configuration fits in and the state does not, whether a
/// block has 512 or 1024 bytes.
const SMALL_DISK: usize = 30;

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = scratch();
    let (run, clip, data) = (below(&folder, "run"), clip(), images());
    let train = [
        "train", "--clip", &clip, "--data", &data, "--shots", "2", "--epochs", "2", "--out", &run,
    ];
    for (blocks, file) in [
        (0, ""),
        (1, "config.toml"),
        (SMALL_DISK, "state.safetensors"),
    ] {
        promptsrc_on_a_full_disk(blocks, &train)
            .fails(1, &["run", file])
            .silent();
        nothing_half_written(&run);
        let files = names(&run);
        assert!(
            !files.contains(&"state.safetensors".to_string()),
            "{files:?}"
        );
    }
    // When there is room again the same line works.
    promptsrc(&train).done();

    let out = below(&folder, "f.safetensors");
    let embed = ["embed", "--clip", &clip, "--images", &data, "--out", &out];
    promptsrc_on_a_full_disk(1, &embed)
        .fails(1, &["f.safetensors"])
        .silent();
    assert_eq!(names(&folder), ["run"]);
    promptsrc(&embed).done();
    let before = fs::read(&out).expect("features");
    promptsrc_on_a_full_disk(1, &embed)
        .fails(1, &["f.safetensors"])
        .silent();
    assert!(
        fs::read(&out).expect("features") == before,
        "the old file is lost"
    );
    assert_eq!(names(&folder), ["f.safetensors", "run"]);
}

#[test]
fn a_full_disk_keeps_the_last_saved_epoch() {
    let folder = scratch();
    let (run, whole) = (below(&folder, "run"), below(&folder, "whole"));
    let epochs = 100;
    unfinished(&run, epochs);
    let state = || fs::read(below(&run, "state.safetensors")).expect("a state");
    let before = state();
    let (clip, data, epochs) = (clip(), images(), epochs.to_string());
    let line = [
        "train", "--clip", &clip, "--data", &data, "--shots", "2", "--epochs", &epochs,
    ];
    let at = |out| [&line[..], &["--out", out, "--resume", "--quiet"]].concat();
    promptsrc_on_a_full_disk(SMALL_DISK, &at(&run))
        .fails(1, &["state.safetensors"])
        .silent();
    nothing_half_written(&run);
    assert!(state() == before, "the last saved epoch is lost");

    promptsrc(&at(&run)).done();
    promptsrc(&at(&whole)).done();
    assert!(adapter_bytes(&run) == adapter_bytes(&whole));
}

#[test]
fn features_are_not_saved_over_what_is_not_a_file() {
    let folder = scratch();
    let (clip, image) = (clip(), image());
    let embed =
        |out: &str| promptsrc(&["embed", "--clip", &clip, "--images", &image, "--out", out]);
    embed(&text(&folder)).fails(1, &["--out", "file"]).silent();
    // Renaming a file over a pipe or a device would replace it.
    let pipe = below(&folder, "pipe");
    shell("mkfifo \"$1\"", &[&pipe]).done();
    embed(&pipe).fails(1, &["--out", "pipe"]).silent();
    use std::os::unix::fs::FileTypeExt;
    assert!(fs::metadata(&pipe).expect("the pipe").file_type().is_fifo());
}

#[test]
fn a_damaged_configuration_is_named_where_the_clip_is_looked_up_in_it() {
    let folder = scratch();
    let run = trained(folder.path());
    fs::write(below(&run, "config.toml"), "[clip").expect("a writable run");
    let data = images();
    promptsrc(&["eval", &run, "--data", &data]).fails(1, &["config.toml"]);
    // Not asked for its CLIP, it need not be whole.
    promptsrc(&["eval", &run, "--data", &data, "--clip", &clip()]).done();
}
