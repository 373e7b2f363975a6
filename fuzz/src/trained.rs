//! What a training leaves: adapters, states, configurations, results, logs, checkpoints, features.

use std::path::PathBuf;
use std::sync::LazyLock;

use promptsrc::calibration::{Calibration, SetMethod, Wanted};
use promptsrc::{Adapter, Clip, MethodConfig};
use promptsrc_protocols::{Format, RESULT, RunResult, render, render_seeds, tables};
use promptsrc_reference::ReferenceCheckpoint;
use promptsrc_reference::checkpoint::{Supplement, to_bytes};
use serde::Deserialize;

use crate::target::{Outcome, Target};
use crate::{repository, scratch, tensors};

pub const TARGETS: &[Target] = &[
    Target {
        name: "adapter",
        run: adapter,
        seeds: || repository::own("adapter"),
    },
    Target {
        name: "calibration",
        run: calibration,
        seeds: || repository::own("calibration"),
    },
    Target {
        name: "state",
        run: |data| {
            let path = scratch::file("state.safetensors", &tensors::file(data));
            promptsrc::run_folder::read_state(&path).into()
        },
        seeds: || repository::own("state"),
    },
    Target {
        name: "config",
        run: |data| promptsrc::run_folder::read_config(&scratch::file("config.toml", data)).into(),
        seeds: || repository::own("config"),
    },
    Target {
        name: "method",
        run: method,
        seeds: || repository::own("method"),
    },
    Target {
        name: "result",
        run: result,
        seeds: || repository::own("result"),
    },
    Target {
        name: "log",
        run: |data| match promptsrc_reference::log::parse(data) {
            Some(_) => Outcome::Taken,
            None => Outcome::Refused,
        },
        seeds: || repository::own("log"),
    },
    Target {
        name: "checkpoint",
        run: checkpoint,
        seeds: checkpoint_seeds,
    },
    Target {
        name: "features",
        run: features,
        seeds: || {
            let mut file = b"psfeat01".to_vec();
            file.extend(64u64.to_le_bytes());
            file.extend([7; 32 + 4 * 64]);
            vec![("one.features".to_string(), file)]
        },
    },
];

/// The CLIP that the seeds' adapters were trained on.
static CLIP: LazyLock<Clip> = LazyLock::new(|| {
    let path = repository::path("tools/goldens/data/tiny/clip_openai_fp16.safetensors");
    Clip::open(&path.to_string_lossy()).expect("a CLIP")
});

/// A calibration that is taken answers with finite numbers and classes that exist.
fn calibration(data: &[u8]) -> Outcome {
    let path = scratch::file("calibration.json", data);
    let Ok(calibration) = Calibration::load(&path) else {
        return Outcome::Refused;
    };
    let classes = calibration.class_names().len();
    let logits: Vec<f32> = (0..classes).map(|class| (class % 7) as f32).collect();
    for sets in SetMethod::ALL {
        for coverage in [None, Some(0.5), Some(0.999)] {
            for unknown in [false, true] {
                let wanted = Wanted {
                    coverage,
                    sets: Some(sets),
                    unknown,
                };
                let notes = calibration.notes(&wanted);
                let answer = calibration.answer(&logits, &wanted);
                assert_eq!(notes.is_ok(), answer.is_ok());
                let Ok(answer) = answer else { continue };
                assert!(answer.probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
                assert!(
                    answer
                        .set
                        .is_some_and(|set| set.iter().all(|of| *of < classes))
                );
            }
        }
    }
    Outcome::Taken
}

fn adapter(data: &[u8]) -> Outcome {
    let path = scratch::file("adapter.safetensors", &tensors::file(data));
    let _ = promptsrc_files::tensor_file::record(&path);
    let loaded = Adapter::load(&path);
    if let Ok(adapter) = &loaded {
        let model = CLIP.model();
        let _ = adapter.classifier(model, &["cat", "dog"]);
        let names: Vec<&String> = adapter.meta.class_names.iter().take(4).collect();
        if let Ok(classifier) = adapter.classifier(model, &names) {
            let side = model.config().preprocess.resolution as usize;
            let _ = classifier.probabilities(vec![0.5; 3 * side * side], 1);
        }
    }
    loaded.into()
}

fn method(data: &[u8]) -> Outcome {
    #[derive(Deserialize)]
    struct Sections {
        train: MethodConfig,
    }
    let text = String::from_utf8_lossy(data);
    let read = toml::from_str::<Sections>(&text);
    if let Ok(Sections { train }) = &read {
        let _ = (train.check(), train.epochs(), train.needs_validation());
        if let Some(config) = train.prompts() {
            let _ = config.check();
        }
    }
    read.into()
}

fn result(data: &[u8]) -> Outcome {
    scratch::file(&format!("result/{RESULT}"), data);
    match RunResult::load(&scratch::path("result")) {
        Ok(Some(result)) => {
            let results = [(scratch::path("result"), result)];
            if let Ok(tables) = tables(&results, &[]) {
                for format in ["terminal", "markdown", "csv", "latex", "json"] {
                    let format: Format = format.parse().expect("a format");
                    let _ = render(&tables, format, true);
                }
                let _ = render_seeds(&tables);
            }
            Outcome::Taken
        }
        _ => Outcome::Refused,
    }
}

fn checkpoint(data: &[u8]) -> Outcome {
    let opened = ReferenceCheckpoint::open(&scratch::file("model.pth.tar-5", data));
    if let Ok(checkpoint) = &opened {
        let supplement = Supplement::default();
        let _ = checkpoint.assumptions(&supplement);
        if let Ok(adapter) = checkpoint.adapter(&supplement) {
            let _ = to_bytes(&adapter, checkpoint.form, 3);
        }
    }
    opened.into()
}

/// A checkpoint of the reference without the frozen weights, with this program's record and without it.
fn checkpoint_seeds() -> Vec<(String, Vec<u8>)> {
    let whole = repository::path("tools/goldens/data/checkpoint/VLPromptLearner/model.pth.tar-3");
    let checkpoint = ReferenceCheckpoint::open(&whole).expect("a checkpoint");
    let adapter = checkpoint
        .adapter(&Supplement::default())
        .expect("an adapter");
    let recorded = to_bytes(&adapter, checkpoint.form, 3).expect("a checkpoint");
    let mut seeds = vec![("recorded".to_string(), recorded.clone())];
    // As long as the key of the record.
    let mut plain = recorded;
    let key = b"promptsrc";
    let places: Vec<usize> = plain
        .windows(key.len())
        .enumerate()
        .filter(|(_, window)| window == key)
        .map(|(place, _)| place)
        .collect();
    for place in places {
        plain[place..place + key.len()].copy_from_slice(b"something");
    }
    seeds.push(("plain".to_string(), plain));
    seeds
}

fn features(data: &[u8]) -> Outcome {
    let mut file = data.to_vec();
    // A fuzzer would never find the hash at the end.
    file.extend(blake3::hash(data).as_bytes());
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let cache = scratch::path("features");
        let clip = CLIP.clone().with_feature_cache(&cache);
        let side = clip.model().config().preprocess.resolution as usize;
        let features = clip.feature_cache();
        let _ = features.features(clip.model(), &vec![0.5; 3 * side * side], 1);
        features.save().expect("a folder of features");
        let mut folders = std::fs::read_dir(&cache).expect("a cache");
        let folder = folders.next().expect("a folder").expect("a folder").path();
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            std::fs::remove_file(entry.expect("a file").path()).expect("a file");
        }
        folder
    });
    std::fs::write(FOLDER.join("fuzz.features"), file).expect("a file");
    let cache = scratch::path("features");
    match CLIP
        .clone()
        .with_feature_cache(&cache)
        .feature_cache()
        .is_empty()
    {
        true => Outcome::Refused,
        false => Outcome::Taken,
    }
}
