//! The real command on small files: how it is run, and what must hold however it ends.

// Each test file uses a part of this.
#![allow(dead_code)]

pub mod folders;
pub mod memory;
pub mod records;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use safetensors::tensor::{SafeTensors, TensorView};
use safetensors::{Dtype, serialize};
use serde_json::Value;

/// The binary under test.
pub const PROMPTSRC: &str = env!("CARGO_BIN_EXE_promptsrc");

/// A command that takes longer is taken to hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a command ended.
#[derive(Debug)]
pub struct Ending {
    /// What was typed.
    pub line: String,
    /// Exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `promptsrc` with these arguments.
pub fn promptsrc(args: &[&str]) -> Ending {
    ending(PROMPTSRC, args)
}

/// Runs `promptsrc` with a limit on the size of files, in blocks of the shell: like a full disk, but
/// without special rights.
pub fn promptsrc_on_a_full_disk(blocks: usize, args: &[&str]) -> Ending {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut all = vec!["-c", &script, PROMPTSRC];
    all.extend(args);
    ending("sh", &all)
}

/// Runs a line of the shell in which `$0` is the command and `$1`, `$2`, ... are the arguments.
pub fn shell(script: &str, args: &[&str]) -> Ending {
    let mut all = vec!["-c", script, PROMPTSRC];
    all.extend(args);
    ending("sh", &all)
}

fn ending(program: &str, args: &[&str]) -> Ending {
    let output = assert_cmd::Command::new(program)
        .args(args)
        // A test never asks the network.
        .env("HF_HUB_OFFLINE", "1")
        // Nor does it use the cache of the person who runs it.
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .timeout(PATIENCE)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    checked(Ending {
        line: format!("{program} {}", args.join(" ")),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// It did not panic.
fn checked(ending: Ending) -> Ending {
    for word in ["panicked", "stack backtrace", "memory allocation"] {
        assert!(!ending.stderr.contains(word), "a panic\n{ending}");
    }
    ending
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            line,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{line}\ncode {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

impl Ending {
    /// It succeeded.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// It failed with this exit code and a message that contains all these words.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(self.stderr.contains("error: "), "no message\n{self}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in\n{self}");
        }
        self
    }

    /// It printed nothing on standard output.
    #[track_caller]
    pub fn silent(self) -> Self {
        assert_eq!(self.stdout, "", "{self}");
        self
    }

    /// Standard output as one JSON document and nothing else.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}\n{self}"))
    }

    /// What an evaluation measured: its JSON without the record of names and paths.
    #[track_caller]
    pub fn measured(&self) -> Value {
        let mut found = self.json();
        let object = found.as_object_mut().expect("an object");
        object.remove("provenance").expect("a provenance");
        found
    }
}

/// A temporary folder, removed when the test ends.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A path as an argument.
pub fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("a readable path").to_string()
}

/// A path below a folder, as an argument.
pub fn below(folder: impl AsRef<Path>, name: &str) -> String {
    text(folder.as_ref().join(name))
}

/// A file or folder of the committed goldens.
pub fn golden(name: &str) -> String {
    below(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/goldens/data"),
        name,
    )
}

/// The small CLIP of random numbers: image tower 128 wide, text tower 64 wide, features of 64.
pub fn clip() -> String {
    golden("tiny/clip_openai_fp16.safetensors")
}

/// A CLIP of other widths.
pub fn other_clip() -> String {
    weight_files()
        .into_iter()
        .find(|f| f.ends_with(".safetensors"))
        .expect("a safetensors file among the formats")
}

/// Every weight file and folder among the formats.
pub fn weight_files() -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(golden("formats"))
        .expect("the formats")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let weights = [".safetensors", ".pt"].iter().any(|e| name.ends_with(e));
            path.is_dir() || (weights && !name.starts_with("expected"))
        })
        .map(text)
        .collect();
    found.sort();
    assert!(found.len() >= 5, "{found:?}");
    found
}

/// Drawn images: four classes of twelve.
pub fn images() -> String {
    text(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/images"))
}

/// One of them.
pub fn image() -> String {
    below(images(), "red_circle/red_circle_01.jpg")
}

/// A copy of the images, to be damaged.
pub fn copy_of_images(to: &Path) -> PathBuf {
    let root = to.join("images");
    for class in sorted(images().as_ref()) {
        let name = class.file_name().expect("a class");
        fs::create_dir_all(root.join(name)).expect("a class folder");
        for file in sorted(&class) {
            let copy = root.join(name).join(file.file_name().expect("an image"));
            fs::copy(&file, copy).expect("a copy");
        }
    }
    root
}

/// The entries of a folder, in order.
pub fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    found.sort();
    found
}

/// The names in a folder, in order; none where it is not there.
pub fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|e| text(e.expect("an entry").file_name()))
        .collect();
    names.sort();
    names
}

/// Trains two epochs on two shots per class in `folder/run`, and returns its path.
pub fn trained(folder: &Path) -> String {
    let run = below(folder, "run");
    train(&run, &["--epochs", "2"]).done();
    run
}

/// Trains on two shots per class of the example images, with more options.
pub fn train(run: &str, more: &[&str]) -> Ending {
    train_on(&clip(), &images(), run, more)
}

/// Trains on two shots per class, with more options.
pub fn train_on(clip: &str, data: &str, run: &str, more: &[&str]) -> Ending {
    let mut args = vec!["train", "--clip", clip, "--data", data, "--out", run];
    args.extend(more);
    if !more.contains(&"--shots") {
        args.extend(["--shots", "2"]);
    }
    if !more.contains(&"--epochs") {
        args.extend(["--epochs", "1"]);
    }
    promptsrc(&args)
}

/// Evaluates zero-shot CLIP, with more options.
pub fn zero_shot(clip: &str, data: &str, more: &[&str]) -> Ending {
    let args = ["eval", "--zero-shot", "--clip", clip, "--data", data];
    promptsrc(&[&args[..], more].concat())
}

/// The bytes of a run's adapter file.
#[track_caller]
pub fn adapter_bytes(run: &str) -> Vec<u8> {
    fs::read(below(run, "adapter.safetensors")).expect("an adapter")
}

/// The tensors of a run's adapter file.
#[track_caller]
pub fn adapter_tensors(run: &str) -> BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> {
    Tensors::read(&below(run, "adapter.safetensors")).0
}

/// Whether a run has saved an epoch.
pub fn has_state(run: &str) -> bool {
    Path::new(run).join("state.safetensors").exists()
}

/// Waits until `ready`; false where the process ended before.
pub fn wait_until(child: &mut Child, mut ready: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "it hangs");
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        if ready() {
            return true;
        }
        // Often enough to catch a file while it is being written.
        std::thread::sleep(Duration::from_micros(20));
    }
}

/// Kills a process.
pub fn kill(mut child: Child) {
    child.kill().expect("a kill");
    child.wait().expect("an end");
}

/// Kills a process as soon as `now` says so; false where it ended before.
pub fn kill_when(mut child: Child, now: impl FnMut() -> bool) -> bool {
    let running = wait_until(&mut child, now);
    if running {
        kill(child);
    }
    running
}

/// Starts a training in the background: two shots per class, this many epochs.
pub fn start(run: &str, epochs: usize, more: &[&str]) -> Child {
    let epochs = epochs.to_string();
    start_with(run, &[&["--epochs", &epochs], more].concat())
}

/// Starts a training in the background: two shots per class, with these options.
pub fn start_with(run: &str, options: &[&str]) -> Child {
    Command::new(PROMPTSRC)
        .args(["train", "--clip", &clip(), "--data", &images()])
        .args(["--shots", "2", "--out", run])
        .args(options)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

/// A failed training has left no adapter and no partial file.
#[track_caller]
pub fn nothing_half_written(run: &str) {
    for name in names(run) {
        assert!(
            !name.starts_with("adapter") && !name.starts_with("metrics"),
            "{run} holds {name}"
        );
    }
    no_partial_files(run);
}

/// A folder holds no file that is half written.
#[track_caller]
pub fn no_partial_files(folder: &str) {
    for name in names(folder) {
        assert!(!name.ends_with(".part"), "{folder} holds {name}");
    }
}

/// The tensors of a safetensors file, to be changed and written again.
pub struct Tensors(pub BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>);

impl Tensors {
    /// Reads a file.
    pub fn read(path: &str) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        Self(
            file.iter()
                .map(|(name, view)| {
                    let (shape, data) = (view.shape().to_vec(), view.data().to_vec());
                    (name.to_string(), (view.dtype(), shape, data))
                })
                .collect(),
        )
    }

    /// The shape of a tensor.
    #[track_caller]
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.0.get(name).unwrap_or_else(|| panic!("no {name}")).1
    }

    /// Replaces a tensor by one of zeros, in half precision.
    pub fn zeros(&mut self, name: &str, shape: &[usize]) {
        let bytes = vec![0; 2 * shape.iter().product::<usize>()];
        self.0
            .insert(name.to_string(), (Dtype::F16, shape.to_vec(), bytes));
    }

    /// Writes a file.
    pub fn write(&self, path: &str) {
        let views = self.0.iter().map(|(name, (dtype, shape, data))| {
            let view = TensorView::new(*dtype, shape.clone(), data).expect("a tensor");
            (name.as_str(), view)
        });
        fs::write(path, serialize(views, None).expect("a file")).expect("room for it");
    }
}
