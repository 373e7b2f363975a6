//! CLIP's weights, the files beside them, and tokenizers.

use std::path::Path;
use std::sync::Once;

use promptsrc::{Clip, ClipOptions};
use promptsrc_clip::{ClipWeights, Tokenizer};
use serde_json::Value;

use crate::target::{Outcome, Target};
use crate::{repository, scratch, sections, tensors};

pub const TARGETS: &[Target] = &[
    Target {
        name: "safetensors",
        run: |data| used(ClipWeights::from_safetensors("fuzz", tensors::file(data))),
        seeds: || {
            let header = tensors::header(&repository::read(OPENAI));
            vec![("openai.json".to_string(), header)]
        },
    },
    Target {
        name: "weights",
        run: |data| used(ClipWeights::open(scratch::file("weights.pt", data))),
        seeds: || repository::with_extension(&["pt"]),
    },
    Target {
        name: "sidecars",
        run: sidecars,
        seeds: sidecar_seeds,
    },
    Target {
        name: "tokenizer",
        run: tokenizer,
        seeds: || {
            let file = repository::read(&format!("{MULTILINGUAL}/tokenizer.json"));
            vec![("tokenizer.json".to_string(), file)]
        },
    },
    Target {
        name: "text",
        run: |data| match std::str::from_utf8(data) {
            Ok(text) => Tokenizer::clip().tokenize(text, 77, true).into(),
            Err(_) => Outcome::Refused,
        },
        seeds: texts,
    },
];

const OPENAI: &str = "tools/goldens/data/formats/a_openai_fp16.safetensors";
const HUGGING_FACE: &str = "tools/goldens/data/formats/d_hf";
const OPEN_CLIP: &str = "tools/goldens/data/formats/e_openclip";
const MULTILINGUAL: &str = "crates/cli/tests/fixtures/multilingual";

/// Reads the numbers and makes the model.
fn used<E>(weights: Result<ClipWeights, E>) -> Outcome {
    if let Ok(weights) = &weights {
        let names: Vec<&str> = weights.names().collect();
        for name in names {
            let _ = weights.f32(name);
        }
        let _ = Clip::from_weights(weights, "fuzz", &ClipOptions::default());
    }
    weights.into()
}

/// Folders with the weights of a CLIP in each form. The weights stay, what is beside them is the input.
const KINDS: [(&str, &str, &str); 4] = [
    ("hugging_face", HUGGING_FACE, "model.safetensors"),
    ("open_clip", OPEN_CLIP, "open_clip_model.safetensors"),
    ("multilingual", MULTILINGUAL, "model.safetensors"),
    ("parts", HUGGING_FACE, "model.safetensors"),
];

/// What may lie beside weights.
const BESIDE: [&str; 10] = [
    "config.json",
    "merges.txt",
    "model.safetensors.index.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "sentencepiece.bpe.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
];

fn sidecars(data: &[u8]) -> Outcome {
    static WEIGHTS: Once = Once::new();
    WEIGHTS.call_once(|| {
        for (kind, folder, file) in KINDS {
            let file_name = match kind {
                "parts" => "model-00001-of-00001.safetensors",
                _ => file,
            };
            let header = tensors::header(&repository::read(&format!("{folder}/{file}")));
            scratch::file(&format!("{kind}/{file_name}"), &tensors::file(&header));
        }
    });
    let files = sections::split(data);
    // The first name says of which kind they are.
    let kind = files.first().and_then(|(name, _)| name.split_once('/'));
    let kind = KINDS
        .iter()
        .find(|(known, ..)| Some(*known) == kind.map(|(kind, _)| kind));
    let Some((kind, ..)) = kind else {
        return Outcome::Refused;
    };
    let folder = scratch::path(kind);
    for name in BESIDE {
        let _ = std::fs::remove_file(folder.join(name));
    }
    for (name, content) in files {
        let name = name.rsplit('/').next().unwrap_or_default();
        if BESIDE.contains(&name) {
            std::fs::write(folder.join(name), content).expect("a file");
        }
    }
    let opened = ClipWeights::open(Path::new(&folder));
    if let Ok(weights) = &opened {
        let length = weights.config().text.context_length;
        let _ = weights
            .tokenizer()
            .tokenize("a photo of a cat.", length, true);
        let _ = Clip::from_weights(weights, "fuzz", &ClipOptions::default());
    }
    opened.into()
}

fn sidecar_seeds() -> Vec<(String, Vec<u8>)> {
    let processor = br#"{"do_center_crop": true, "crop_size": 32, "do_normalize": true, "do_resize": true,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3, "size": {"shortest_edge": 32}, "image_processor_type": "CLIPImageProcessor"}"#;
    let config = repository::read(&format!("{HUGGING_FACE}/config.json"));
    let header = tensors::header(&repository::read(&format!(
        "{HUGGING_FACE}/model.safetensors"
    )));
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    let names = header
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name);
    let part = Value::from("model-00001-of-00001.safetensors");
    let map: serde_json::Map<String, Value> = names
        .filter(|name| *name != "__metadata__")
        .map(|name| (name.clone(), part.clone()))
        .collect();
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    let multilingual = |file: &str| repository::read(&format!("{MULTILINGUAL}/{file}"));
    let open_clip = repository::read(&format!("{OPEN_CLIP}/open_clip_config.json"));
    let merges = b"#version: 0.2\ni n\nt h\na n\nr e\n".to_vec();
    let seeds = [
        (
            "hugging_face",
            sections::join(&[("hugging_face/config.json", config.clone())]),
        ),
        (
            "processor",
            sections::join(&[
                ("hugging_face/config.json", config.clone()),
                ("preprocessor_config.json", processor.to_vec()),
            ]),
        ),
        (
            "merges",
            sections::join(&[
                ("hugging_face/config.json", config.clone()),
                ("merges.txt", merges),
                (
                    "vocab.json",
                    br#"{"!": 0, "<|startoftext|>": 49406}"#.to_vec(),
                ),
            ]),
        ),
        (
            "multilingual",
            sections::join(&[
                ("multilingual/config.json", multilingual("config.json")),
                (
                    "processor_config.json",
                    multilingual("processor_config.json"),
                ),
                (
                    "tokenizer_config.json",
                    multilingual("tokenizer_config.json"),
                ),
                ("tokenizer.json", multilingual("tokenizer.json")),
            ]),
        ),
        (
            "open_clip",
            sections::join(&[("open_clip/open_clip_config.json", open_clip)]),
        ),
        (
            "parts",
            sections::join(&[
                ("parts/config.json", config),
                (
                    "model.safetensors.index.json",
                    index.to_string().into_bytes(),
                ),
            ]),
        ),
    ];
    let named = seeds
        .into_iter()
        .map(|(name, seed)| (name.to_string(), seed));
    named.collect()
}

fn tokenizer(data: &[u8]) -> Outcome {
    let opened = Tokenizer::json(&scratch::file("tokenizer.json", data), None);
    if let Ok(tokenizer) = &opened {
        for text in ["a photo of a cat.", "un  c\u{ed}rculo\trojo &amp; azul", ""] {
            let _ = tokenizer.tokenize(text, 77, true);
        }
    }
    opened.into()
}

fn texts() -> Vec<(String, Vec<u8>)> {
    let texts = [
        "a photo of a cat.",
        "caf\u{e9} &amp; cr\u{e8}me br\u{fb}l\u{e9}e &lt;b&gt; &#233;",
        "dâ€™accord, Ã©tÃ©",
        "\u{8d64}\u{3044}\u{5186} 12345 it's THEY'LL",
        "\u{1f469}\u{200d}\u{1f52c} \u{202e}abc\u{feff}",
    ];
    let named = texts.iter().enumerate();
    named
        .map(|(place, text)| (format!("{place}.txt"), text.as_bytes().to_vec()))
        .collect()
}
