//! Every parser of bytes that other people made, one per target: `PROMPTSRC_FUZZ=image`. An input may be refused;
//! it must not panic, hang or take much memory.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use promptsrc::Adapter;
use promptsrc_clip::{ClipWeights, Tokenizer};
use promptsrc_datasets::DataSource;
use promptsrc_image::Limits;
use promptsrc_pickle::{Pickle, TorchFile};
use promptsrc_reference::ReferenceCheckpoint;

/// A parser by name.
type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("image", |data| {
        let limits = Limits {
            max_pixels: 1 << 22,
            ..Limits::default()
        };
        let _ = promptsrc_image::decode(data, &limits);
    }),
    ("exif", |data| {
        let limits = Limits {
            max_pixels: 1 << 18,
            ..Limits::default()
        };
        let _ = promptsrc_image::decode_upright(data, &limits);
    }),
    ("pickle", |data| {
        if let Ok(pickle) = Pickle::parse(data) {
            let _ = pickle.code();
            let _ = pickle.nodes().count();
        }
    }),
    ("torch", |data| {
        if let Ok(file) = TorchFile::from_bytes("fuzz.pt", data.to_vec()) {
            for tensor in file.tensors().values() {
                let _ = file.read(tensor);
            }
        }
    }),
    ("safetensors", |data| {
        if let Ok(weights) = ClipWeights::from_safetensors("fuzz", data.to_vec()) {
            let _ = weights.fingerprint();
        }
    }),
    ("weights", |data| {
        let _ = ClipWeights::open(file("weights.pt", data));
    }),
    ("tokenizer", |data| {
        if let Ok(tokenizer) = Tokenizer::json(&file("tokenizer.json", data), None) {
            let _ = tokenizer.tokenize("a photo of a cat.", 77, true);
        }
    }),
    ("text", |data| {
        if let Ok(text) = std::str::from_utf8(data) {
            let _ = Tokenizer::clip().tokenize(text, 77, true);
        }
    }),
    ("adapter", |data| {
        let _ = Adapter::load(&file("adapter.safetensors", data));
    }),
    ("state", |data| {
        let _ = promptsrc::run_folder::read_state(&file("state.safetensors", data));
    }),
    ("config", |data| {
        let _ = promptsrc::run_folder::read_config(&file("config.toml", data));
    }),
    ("csv", |data| list("list.csv", data)),
    ("tsv", |data| list("list.tsv", data)),
    ("jsonl", |data| list("list.jsonl", data)),
    ("split", |data| list("split_zhou_Fuzz.json", data)),
    ("mat", |data| {
        file("oxford_flowers/cat_to_name.json", b"{\"1\": \"rose\", \"2\": \"tulip\"}");
        file("oxford_flowers/imagelabels.mat", data);
        list_in(&FOLDER.path().join("oxford_flowers"));
    }),
    ("log", |data| {
        let _ = promptsrc_reference::log::read(&file("log.txt", data));
    }),
    ("checkpoint", |data| {
        let _ = ReferenceCheckpoint::open(&file("model.pth.tar-5", data));
    }),
];

/// Where inputs lie that a parser wants as a file.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.expect("a temporary folder")
});

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("PROMPTSRC_FUZZ").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = found.unwrap_or_else(|| panic!("PROMPTSRC_FUZZ={name:?}: one of {names:?}"));
    *target
});

fn file(name: &str, data: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    std::fs::write(&path, data).expect("a file");
    path
}

fn list(name: &str, data: &[u8]) {
    list_in(&file(name, data));
}

fn list_in(path: &Path) {
    let mut source = DataSource::new(path);
    source.allow_missing = true;
    let _ = source.read();
}

fuzz_target!(|data: &[u8]| TARGET(data));
