//! The `loader` measurement through its command.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn perf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_promptsrc-perf"))
        .args(arguments)
        .output()
        .unwrap()
}

/// A folder of two classes with three copies of a JPEG each.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let image = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/image/tests/fixtures/jpeg_2x2.jpg");
    for class in ["cat", "dog"] {
        let class = folder.path().join(class);
        std::fs::create_dir(&class).unwrap();
        for name in ["a.jpg", "b.jpg", "c.jpg"] {
            std::fs::copy(&image, class.join(name)).unwrap();
        }
    }
    folder
}

#[test]
fn speeds_are_printed_for_one_thread_and_for_all() {
    let data = data();
    let path = data.path().to_str().unwrap();
    let common = [
        "loader",
        "--data",
        path,
        "--threads",
        "2",
        "--resolution",
        "16",
    ];
    let output = perf(&[&common[..], &["--json", "--images", "4"]].concat());
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["images"], 4);
    let by_threads = report["by_threads"].as_array().unwrap();
    assert_eq!(by_threads.len(), 2);
    for (speeds, threads) in by_threads.iter().zip([1, 2]) {
        assert_eq!(speeds["threads"], threads);
        for what in [
            "decode",
            "prepare_evaluation",
            "prepare_training",
            "load_evaluation",
            "load_training",
        ] {
            let speed = speeds[what]["pictures_per_second"].as_f64().unwrap();
            assert!(speed > 0.0 && speed.is_finite(), "{what}: {speed}");
        }
    }

    let output = perf(&common);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("2 threads"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let data = data();
    let broken = data.path().join("cat").join("a.jpg");
    std::fs::write(&broken, "no image").unwrap();
    let output = perf(&["loader", "--data", data.path().to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("a.jpg"), "{error}");

    let output = perf(&["loader", "--data", "no-such-folder"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("no-such-folder"), "{error}");
}
