//! Weight files of all kinds: each gives the same weights, and each refused file a reason.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use promptsrc_clip::tokenizer::{EndOfText, START_OF_TEXT};
use promptsrc_clip::weights::{
    Activation, ClipConfig, ClipWeights, Container, FloatType, Naming, TextConfig, VisionConfig,
    WeightError,
};
use promptsrc_goldens::{Group, Tensors};
use promptsrc_image::Preprocess;
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

// The goldens.

/// Every weight file and every folder with a configuration below a folder, sorted.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.push(path.clone());
            found.extend(everything(&path));
        } else if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("safetensors" | "pt" | "bin")
        ) && !path.ends_with("expected.safetensors")
        {
            found.push(path);
        }
    }
    found
}

/// The OpenAI safetensors file of a folder: the one directly in it.
fn plain(folder: &Path) -> PathBuf {
    everything(folder)
        .into_iter()
        .find(|path| {
            path.parent() == Some(folder) && path.extension().is_some_and(|e| e == "safetensors")
        })
        .expect("a plain safetensors file")
}

#[test]
fn parity_all_formats_give_the_same_weights() {
    if !promptsrc_goldens::has("formats") {
        return;
    }
    let mut group = Group::new("weight formats");
    let folder = promptsrc_goldens::path("formats");
    let reference = ClipWeights::open(plain(&folder)).unwrap();
    let expected = Tensors::read_file(reference.path());
    let fingerprint = reference.fingerprint().unwrap();
    let dims = &promptsrc_goldens::json("formats/expected.json")["dims"];
    let mut kinds = Vec::new();
    for path in everything(&folder) {
        let weights = ClipWeights::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let case = path.strip_prefix(&folder).unwrap().display().to_string();
        println!("{case}: {}, {:?}", weights.format(), weights.notes());
        kinds.push(weights.format());
        group.equal(
            &format!("{case} config"),
            weights.config(),
            reference.config(),
        );
        let config = weights.config();
        for (name, found) in [
            ("res", config.vision.resolution),
            ("patch", config.vision.patch_size),
            ("vw", config.vision.width),
            ("vl", config.vision.layers),
            ("tw", config.text.width),
            ("tl", config.text.layers),
            ("ctx", config.text.context_length),
            ("vocab", config.text.vocab_size),
            ("embed", config.embed_dim),
        ] {
            group.equal(
                &format!("{case} {name}"),
                &Some(found as u64),
                &dims[name].as_u64(),
            );
        }
        let names: Vec<_> = weights.names().collect();
        group.equal(
            &format!("{case} names"),
            &names,
            &expected.names().collect(),
        );
        for name in names {
            let golden = expected.get(name);
            group.equal(
                &format!("{case} {name}"),
                &weights.shape(name),
                &Some(&*golden.shape),
            );
            let found: Vec<f64> = weights
                .f32(name)
                .unwrap()
                .into_iter()
                .map(f64::from)
                .collect();
            group.absolute(&format!("{case} {name}"), &found, &golden.data, 0.0);
        }
        group.equal(
            &format!("{case} fingerprint"),
            &weights.fingerprint().unwrap(),
            &fingerprint,
        );
    }
    if promptsrc_goldens::is_committed() {
        for container in [
            Container::Safetensors,
            Container::TorchSave,
            Container::TorchScript,
        ] {
            assert!(
                kinds.iter().any(|kind| kind.container == container),
                "{container}"
            );
        }
        for naming in [Naming::OpenAi, Naming::HuggingFace, Naming::OpenClip] {
            assert!(kinds.iter().any(|kind| kind.naming == naming), "{naming}");
        }
    }
    group.finish(10 * kinds.len().max(1));
}

// Files made here.

type Tensor = (Vec<usize>, Vec<f32>);

/// A small CLIP of odd dimensions.
fn small() -> ClipConfig {
    ClipConfig {
        embed_dim: 6,
        vision: VisionConfig {
            width: 8,
            layers: 2,
            heads: 1,
            mlp_width: 20,
            patch_size: 4,
            resolution: 12,
        },
        text: TextConfig {
            width: 10,
            layers: 1,
            heads: 1,
            mlp_width: 40,
            context_length: 7,
            vocab_size: 11,
            start_of_text: START_OF_TEXT,
            end_of_text: EndOfText::Greatest,
        },
        activation: Activation::QuickGelu,
        layer_norm_eps: 1e-5,
        preprocess: Preprocess::clip(12),
    }
}

/// The note on its weights where no configuration is beside them.
fn assumed() -> String {
    "there is no open_clip_config.json beside these weights; assumed: QuickGELU (--activation), 1 and \
     1 attention heads (--heads), images of 12 x 12 pixels (--image-size), OpenAI's preprocessing and \
     tokenizer"
        .to_string()
}

/// Its weights: every number is different and exact in half precision.
fn tensors() -> BTreeMap<String, Tensor> {
    let mut next = 0u16;
    small()
        .tensors()
        .into_iter()
        .map(|(name, shape)| {
            let values = (0..shape.iter().product())
                .map(|_| {
                    next += 1;
                    f32::from(next % 2048) / 64.0
                })
                .collect();
            (name, (shape, values))
        })
        .collect()
}

fn bytes(tensors: &BTreeMap<String, Tensor>, dtype: Dtype) -> Vec<u8> {
    let data: BTreeMap<&str, (Dtype, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            let bytes = values
                .iter()
                .flat_map(|v| match dtype {
                    Dtype::F16 => half::f16::from_f32(*v).to_le_bytes().to_vec(),
                    Dtype::BF16 => half::bf16::from_f32(*v).to_le_bytes().to_vec(),
                    Dtype::F64 => f64::from(*v).to_le_bytes().to_vec(),
                    Dtype::I32 => (*v as i32).to_le_bytes().to_vec(),
                    _ => v.to_le_bytes().to_vec(),
                })
                .collect();
            (&**name, (dtype, &**shape, bytes))
        })
        .collect();
    let views = data.iter().map(|(name, (dtype, shape, data))| {
        (
            *name,
            TensorView::new(*dtype, shape.to_vec(), data).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn tensors(&self, tensors: &BTreeMap<String, Tensor>) -> PathBuf {
        self.put("clip.safetensors", bytes(tensors, Dtype::F32))
    }
}

fn open_changed(
    change: impl FnOnce(&mut BTreeMap<String, Tensor>),
) -> Result<ClipWeights, WeightError> {
    let folder = Folder::new();
    let mut tensors = tensors();
    change(&mut tensors);
    ClipWeights::open(folder.tensors(&tensors))
}

#[test]
fn a_small_clip_of_odd_dimensions_opens() {
    let folder = Folder::new();
    let weights = ClipWeights::open(folder.tensors(&tensors())).unwrap();
    assert_eq!(weights.config(), &small());
    assert_eq!(weights.format().to_string(), "OpenAI (safetensors)");
    assert_eq!(weights.notes(), [assumed()]);
    assert_eq!(weights.dtype("visual.proj"), Some(FloatType::F32));
    for (name, (shape, values)) in tensors() {
        assert_eq!(weights.shape(&name), Some(&*shape));
        assert_eq!(weights.f32(&name).unwrap(), values);
    }
    assert!(matches!(
        weights.f32("absent"),
        Err(WeightError::NoTensor { .. })
    ));
    // A folder with only that file is read like the file.
    assert!(ClipWeights::open(folder.path()).is_ok());
}

#[test]
fn the_fingerprint_is_of_the_numbers_and_not_of_their_type() {
    let folder = Folder::new();
    let fingerprint = |dtype, tensors: &BTreeMap<String, Tensor>| {
        let path = folder.put("clip.safetensors", bytes(tensors, dtype));
        ClipWeights::open(path).unwrap().fingerprint().unwrap()
    };
    let of_f32 = fingerprint(Dtype::F32, &tensors());
    assert_eq!(fingerprint(Dtype::F16, &tensors()), of_f32);
    assert_eq!(fingerprint(Dtype::F64, &tensors()), of_f32);
    assert_eq!(of_f32.len(), 64);
    let mut changed = tensors();
    changed.get_mut("logit_scale").unwrap().1[0] += 1.0;
    assert_ne!(fingerprint(Dtype::F32, &changed), of_f32);
}

/// The same weights in Hugging Face's names and layout.
fn hugging_face() -> BTreeMap<String, Tensor> {
    let mut out = BTreeMap::new();
    for (name, (shape, values)) in tensors() {
        let (tower, rest) = match name.strip_prefix("visual.") {
            Some(rest) => ("vision_model", rest),
            None => ("text_model", &*name),
        };
        if let Some(kind) = rest.split_once("attn.in_proj_").map(|(_, kind)| kind) {
            let layer = rest.split('.').nth(2).unwrap();
            let mut part = shape.clone();
            part[0] /= 3;
            for (which, values) in ["q", "k", "v"].iter().zip(values.chunks(values.len() / 3)) {
                out.insert(
                    format!("{tower}.encoder.layers.{layer}.self_attn.{which}_proj.{kind}"),
                    (part.clone(), values.to_vec()),
                );
            }
            continue;
        }
        if matches!(rest, "proj" | "text_projection") {
            let transposed = (0..shape[1])
                .flat_map(|column| (0..shape[0]).map(move |row| (row, column)))
                .map(|(row, column)| values[row * shape[1] + column])
                .collect();
            let name = if rest == "proj" {
                "visual_projection"
            } else {
                "text_projection"
            };
            out.insert(
                format!("{name}.weight"),
                (vec![shape[1], shape[0]], transposed),
            );
            continue;
        }
        let name = match rest {
            "logit_scale" => "logit_scale".to_string(),
            "class_embedding" => format!("{tower}.embeddings.class_embedding"),
            "conv1.weight" => format!("{tower}.embeddings.patch_embedding.weight"),
            "positional_embedding" => format!("{tower}.embeddings.position_embedding.weight"),
            "token_embedding.weight" => format!("{tower}.embeddings.token_embedding.weight"),
            _ => format!("{tower}.{rest}")
                .replace("transformer.resblocks", "encoder.layers")
                .replace("attn.out_proj", "self_attn.out_proj")
                .replace("ln_1", "layer_norm1")
                .replace("ln_2", "layer_norm2")
                .replace("c_fc", "fc1")
                .replace("c_proj", "fc2")
                .replace("ln_pre", "pre_layrnorm")
                .replace("ln_post", "post_layernorm")
                .replace("ln_final", "final_layer_norm"),
        };
        out.insert(name, (shape, values));
    }
    out
}

fn hugging_face_config() -> serde_json::Value {
    serde_json::json!({
        "model_type": "clip",
        "projection_dim": 6,
        "vision_config": {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
            "patch_size": 4, "image_size": 12, "hidden_act": "gelu", "layer_norm_eps": 1e-6},
        "text_config": {"hidden_size": 10, "num_hidden_layers": 1, "num_attention_heads": 2,
            "max_position_embeddings": 7, "vocab_size": 11, "hidden_act": "gelu", "layer_norm_eps": 1e-6},
    })
}

#[test]
fn a_hugging_face_folder_says_heads_and_activation() {
    let folder = Folder::new();
    folder.put("config.json", hugging_face_config().to_string());
    folder.put(
        "preprocessor_config.json",
        r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25],
            "size": {"shortest_edge": 12}, "crop_size": 12}"#,
    );
    let mut stored = hugging_face();
    stored.insert(
        "text_model.embeddings.position_ids".to_string(),
        (vec![1, 7], vec![0.0; 7]),
    );
    folder.put("model.safetensors", bytes(&stored, Dtype::F32));
    let weights = ClipWeights::open(folder.path()).unwrap();
    assert_eq!(weights.format().to_string(), "Hugging Face (safetensors)");
    let config = weights.config();
    assert_eq!((config.vision.heads, config.text.heads), (4, 2));
    assert_eq!(config.activation, Activation::Gelu);
    assert_eq!(
        (
            config.layer_norm_eps,
            config.preprocess.mean,
            config.preprocess.std
        ),
        (1e-6, [0.5; 3], [0.25; 3])
    );
    assert_eq!(
        weights.notes(),
        ["there is no tokenizer.json beside the weights: CLIP's tokenizer is assumed"]
    );
    for (name, (shape, values)) in tensors() {
        assert_eq!(weights.shape(&name), Some(&*shape), "{name}");
        assert_eq!(weights.f32(&name).unwrap(), values, "{name}");
    }
}

#[test]
fn a_model_in_several_parts_is_put_together() {
    let folder = Folder::new();
    folder.put("config.json", hugging_face_config().to_string());
    let (vision, text): (BTreeMap<_, _>, BTreeMap<_, _>) = hugging_face()
        .into_iter()
        .partition(|(name, _)| name.starts_with("vis"));
    let mut map = serde_json::Map::new();
    for (part, file) in [
        (&vision, "model-1.safetensors"),
        (&text, "model-2.safetensors"),
    ] {
        folder.put(file, bytes(part, Dtype::F16));
        map.extend(part.keys().map(|name| (name.clone(), file.into())));
    }
    let index = folder.put(
        "model.safetensors.index.json",
        serde_json::json!({"weight_map": map}).to_string(),
    );
    for path in [folder.path(), &index] {
        let weights = ClipWeights::open(path).unwrap();
        assert_eq!(
            weights.f32("visual.proj").unwrap(),
            tensors()["visual.proj"].1
        );
        assert_eq!(
            weights.f32("logit_scale").unwrap(),
            tensors()["logit_scale"].1
        );
    }
    folder.put(
        "model.safetensors.index.json",
        r#"{"weight_map": {"a": "../x"}}"#,
    );
    assert!(matches!(
        ClipWeights::open(folder.path()),
        Err(WeightError::Config { .. })
    ));
}

fn open_clip_config(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut json = serde_json::json!({
        "model_cfg": {
            "embed_dim": 6,
            "vision_cfg": {"image_size": 12, "layers": 2, "width": 8, "patch_size": 4, "head_width": 2},
            "text_cfg": {"context_length": 7, "vocab_size": 11, "width": 10, "heads": 5, "layers": 1},
        },
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    });
    change(&mut json);
    json.to_string()
}

#[test]
fn an_open_clip_folder_says_heads_and_activation() {
    let folder = Folder::new();
    folder.put("open_clip_config.json", open_clip_config(|_| ()));
    folder.put(
        "open_clip_model.safetensors",
        bytes(&tensors(), Dtype::BF16),
    );
    let weights = ClipWeights::open(folder.path()).unwrap();
    assert_eq!(weights.format().naming, Naming::OpenClip);
    let config = weights.config();
    assert_eq!(config.activation, Activation::Gelu);
    assert_eq!(
        (
            config.vision.heads,
            config.text.heads,
            config.preprocess.mean
        ),
        (4, 5, [0.5; 3])
    );
    assert_eq!(weights.dtype("visual.proj"), Some(FloatType::Bf16));

    folder.put(
        "open_clip_config.json",
        open_clip_config(|json| json["model_cfg"]["quick_gelu"] = true.into()),
    );
    assert_eq!(
        ClipWeights::open(folder.path())
            .unwrap()
            .config()
            .activation,
        Activation::QuickGelu
    );
}

#[test]
fn a_bare_open_clip_file_notes_what_it_assumes() {
    let folder = Folder::new();
    let custom = tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let text = !name.starts_with("visual.") && name != "logit_scale";
            (if text { format!("text.{name}") } else { name }, tensor)
        })
        .collect();
    let weights = ClipWeights::open(folder.tensors(&custom)).unwrap();
    assert_eq!(weights.format().naming, Naming::OpenClip);
    assert_eq!(weights.config().activation, Activation::QuickGelu);
    assert!(
        weights.notes()[0].contains("QuickGELU"),
        "{:?}",
        weights.notes()
    );
}

#[test]
fn the_prefix_of_a_training_checkpoint_is_removed() {
    let weights = open_changed(|tensors| {
        *tensors = std::mem::take(tensors)
            .into_iter()
            .map(|(name, tensor)| (format!("state_dict.module.{name}"), tensor))
            .collect();
        tensors.insert("optimizer.step".to_string(), (vec![], vec![1.0]));
    })
    .unwrap();
    assert_eq!(
        weights.f32("visual.proj").unwrap(),
        tensors()["visual.proj"].1
    );
    assert!(
        weights
            .notes()
            .iter()
            .any(|note| note.contains("outside state_dict.module"))
    );
}

#[test]
fn extra_tensors_are_noted_unless_every_file_has_them() {
    let weights = open_changed(|tensors| {
        tensors.insert("input_resolution".to_string(), (vec![], vec![12.0]));
        tensors.insert("attn_mask".to_string(), (vec![1], vec![0.0]));
    })
    .unwrap();
    assert_eq!(weights.notes(), [assumed()]);
    let weights = open_changed(|tensors| {
        tensors.insert("classifier.weight".to_string(), (vec![1], vec![0.0]));
    })
    .unwrap();
    assert_eq!(
        weights.notes(),
        [assumed(), "tensors left out: classifier.weight".to_string()]
    );
}

#[test]
fn a_logit_scale_stored_as_a_list_of_one_is_read() {
    let weights =
        open_changed(|tensors| tensors.get_mut("logit_scale").unwrap().0 = vec![1]).unwrap();
    assert_eq!(weights.shape("logit_scale"), Some(&[][..]));
}

#[test]
fn every_missing_tensor_is_named() {
    for name in tensors().keys() {
        // Without it the file is not recognised at all.
        if name == "visual.conv1.weight" {
            continue;
        }
        let error = open_changed(|tensors| drop(tensors.remove(name))).unwrap_err();
        assert!(
            matches!(&error, WeightError::Missing { tensor, .. } if tensor == name),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(name) && error.to_string().contains("clip.safetensors"));
    }
}

#[test]
fn every_wrong_shape_is_named() {
    for (name, (shape, _)) in tensors() {
        if shape.is_empty() {
            continue;
        }
        let error = open_changed(|tensors| {
            let tensor = tensors.get_mut(&name).unwrap();
            tensor.0[0] += 1;
            tensor.1 = vec![0.0; tensor.0.iter().product()];
        });
        // The dimensions are taken from these; then the others do not fit.
        match error {
            Err(WeightError::Shape {
                found, expected, ..
            }) => {
                assert_ne!(format!("{found:?}"), expected);
            }
            Ok(_) => assert!(
                ["positional_embedding", "token_embedding.weight"].contains(&&*name),
                "{name}"
            ),
            Err(other) => panic!("{name}: {other}"),
        }
    }
    let error = open_changed(|tensors| {
        tensors.insert(
            "visual.positional_embedding".to_string(),
            (vec![9, 8], vec![0.0; 72]),
        );
    })
    .unwrap_err();
    assert!(error.to_string().contains("square number"), "{error}");
    let error = open_changed(|tensors| {
        tensors.insert(
            "visual.positional_embedding".to_string(),
            (vec![0, 8], vec![]),
        );
    })
    .unwrap_err();
    assert!(matches!(error, WeightError::Shape { .. }), "{error}");
}

#[test]
fn weights_that_are_not_floats_are_refused() {
    let folder = Folder::new();
    let path = folder.put("clip.safetensors", bytes(&tensors(), Dtype::I32));
    assert!(matches!(
        ClipWeights::open(path),
        Err(WeightError::Type { .. })
    ));
}

#[test]
fn a_width_without_whole_heads_is_refused() {
    let folder = Folder::new();
    folder.put(
        "open_clip_config.json",
        open_clip_config(|json| json["model_cfg"]["text_cfg"]["heads"] = 3.into()),
    );
    folder.put("open_clip_model.safetensors", bytes(&tensors(), Dtype::F32));
    let error = ClipWeights::open(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            WeightError::Heads {
                tower: "text",
                width: 10,
                heads: 3,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_configuration_of_another_model_is_refused() {
    let folder = Folder::new();
    folder.put("open_clip_model.safetensors", bytes(&tensors(), Dtype::F32));
    for (part, field) in [
        ("vision_cfg", "width"),
        ("vision_cfg", "layers"),
        ("vision_cfg", "patch_size"),
        ("vision_cfg", "image_size"),
        ("text_cfg", "width"),
        ("text_cfg", "layers"),
        ("text_cfg", "context_length"),
        ("text_cfg", "vocab_size"),
    ] {
        folder.put(
            "open_clip_config.json",
            open_clip_config(|json| json["model_cfg"][part][field] = 99.into()),
        );
        let error = ClipWeights::open(folder.path()).unwrap_err();
        assert!(
            matches!(
                error,
                WeightError::ConfigMismatch { stated: 99, .. }
                    | WeightError::ImageSize { side: 99, .. }
            ),
            "{error}"
        );
    }
    for (part, field, value) in [
        ("vision_cfg", "timm_model_name", serde_json::json!("vit")),
        ("vision_cfg", "pool_type", serde_json::json!("avg")),
        ("text_cfg", "no_causal_mask", serde_json::json!(true)),
        ("text_cfg", "hf_model_name", serde_json::json!("roberta")),
    ] {
        folder.put(
            "open_clip_config.json",
            open_clip_config(|json| json["model_cfg"][part][field] = value),
        );
        let error = ClipWeights::open(folder.path()).unwrap_err();
        assert!(matches!(error, WeightError::Variant { .. }), "{error}");
    }
    folder.put("open_clip_config.json", "{");
    assert!(matches!(
        ClipWeights::open(folder.path()),
        Err(WeightError::Json { .. })
    ));
}

#[test]
fn other_models_are_refused_and_identified() {
    let error = open_changed(|tensors| {
        tensors.insert(
            "visual.layer1.0.conv1.weight".to_string(),
            (vec![1], vec![0.0]),
        );
    })
    .unwrap_err();
    assert!(matches!(error, WeightError::ResNet { .. }), "{error}");

    for (name, word) in [
        ("vision_model.head.mlp.fc1.weight", "SigLIP"),
        ("prompt_learner.ctx", "learned prompts"),
        ("visual.trunk.blocks.0.norm1.weight", "timm"),
    ] {
        let error = open_changed(|tensors| {
            tensors.clear();
            tensors.insert(name.to_string(), (vec![1], vec![0.0]));
        })
        .unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, WeightError::NotClip { .. })
                && text.contains(word)
                && text.contains(name),
            "{text}"
        );
    }

    let error = open_changed(|tensors| {
        tensors.clear();
        tensors.insert("features.0.weight".to_string(), (vec![1], vec![0.0]));
    })
    .unwrap_err();
    assert!(error.to_string().contains("features.0.weight"), "{error}");

    let error = open_changed(|tensors| {
        tensors.insert(
            "visual.transformer.resblocks.0.ls_1.gamma".to_string(),
            (vec![1], vec![0.0]),
        );
    })
    .unwrap_err();
    assert!(matches!(error, WeightError::Unread { .. }), "{error}");
}

#[test]
fn a_pickle_with_code_is_refused_and_its_call_named() {
    let folder = Folder::new();
    let hostile = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.";
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("clip/data.pkl", options).unwrap();
    zip.write_all(hostile).unwrap();
    let archive = zip.finish().unwrap().into_inner();
    for (name, bytes) in [
        ("clip.pt", &archive[..]),
        ("plain.pt", hostile),
        ("text.pt", b"cposix\nsystem\n(S'ls'\ntR."),
        ("pytorch_model.bin", hostile),
    ] {
        let error = ClipWeights::open(folder.put(name, bytes)).unwrap_err();
        assert!(
            matches!(&error, WeightError::Code { function, .. } if function == "posix.system"),
            "{error}"
        );
        assert!(error.to_string().contains("this pickle calls posix.system"));
    }
}

#[test]
fn files_that_are_not_weights_are_refused_and_identified() {
    let folder = Folder::new();
    for (bytes, word) in [
        (&b""[..], "empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "Git LFS",
        ),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"GGUF\x03\x00\x00\x00\x00\x00", "GGUF"),
    ] {
        for name in ["clip.pt", "clip.safetensors"] {
            let error = ClipWeights::open(folder.put(name, bytes))
                .unwrap_err()
                .to_string();
            let expected =
                error.contains(word) || (word == "GGUF" && error.contains("safetensors"));
            assert!(expected && error.contains(name), "{error}");
        }
    }
    assert!(matches!(
        ClipWeights::open(folder.path().join("absent")),
        Err(WeightError::Io { .. })
    ));
}

#[test]
fn folders_without_one_weight_file_say_so() {
    let folder = Folder::new();
    assert!(matches!(
        ClipWeights::open(folder.path()),
        Err(WeightError::NoWeights { .. })
    ));
    folder.put("a.pt", "");
    folder.put("b.safetensors", "");
    let error = ClipWeights::open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, WeightError::ManyWeights { files, .. } if files == "a.pt, b.safetensors"),
        "{error}"
    );
}

#[test]
fn a_safetensors_file_cut_anywhere_is_an_error() {
    let folder = Folder::new();
    let bytes = bytes(&tensors(), Dtype::F16);
    let header = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for length in (0..header + 8)
        .step_by(37)
        .chain((header + 8..bytes.len()).step_by(997))
    {
        let error =
            ClipWeights::open(folder.put("clip.safetensors", &bytes[..length])).unwrap_err();
        assert!(
            error.to_string().contains("clip.safetensors"),
            "cut to {length}: {error}"
        );
    }
    // A header that claims more bytes than the file has.
    for claim in [u64::MAX, 1 << 62, 1 << 30, bytes.len() as u64] {
        let mut bytes = bytes.clone();
        bytes[..8].copy_from_slice(&claim.to_le_bytes());
        let error = ClipWeights::open(folder.put("clip.safetensors", bytes)).unwrap_err();
        assert!(matches!(error, WeightError::Safetensors { .. }), "{error}");
    }
}

#[test]
fn a_torch_file_cut_anywhere_is_an_error() {
    let folder = Folder::new();
    for path in everything(&promptsrc_goldens::path("formats")) {
        if path.extension().is_none_or(|extension| extension != "pt") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for part in 0..40 {
            let cut = folder.put("cut.pt", &bytes[..bytes.len() * part / 40]);
            let error = ClipWeights::open(cut).unwrap_err();
            assert!(error.to_string().contains("cut.pt"), "{error}");
        }
    }
}

fn try_all(path: &Path) {
    if let Ok(weights) = ClipWeights::open(path) {
        for name in weights.names() {
            let _ = weights.f32(name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_safetensors_open_or_fail_without_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        in_header in any::<bool>(),
    ) {
        let folder = Folder::new();
        let mut bytes = bytes(&tensors(), Dtype::F16);
        let end = if in_header { u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize } else { bytes.len() };
        for (place, byte) in changes {
            let place = place.index(end);
            bytes[place] = byte;
        }
        try_all(&folder.put("clip.safetensors", bytes));
    }

    #[test]
    fn changed_torch_files_open_or_fail_without_panic(
        which in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let folder = Folder::new();
        let files: Vec<_> = everything(&promptsrc_goldens::path("formats"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "pt"))
            .collect();
        let mut bytes = fs::read(which.get(&files)).unwrap();
        // The pickle and the directory are at the ends of the file.
        for (place, byte) in changes {
            let end = 24_000.min(bytes.len());
            let place = place.index(2 * end);
            let place = if place < end { place } else { bytes.len() - 1 - (place - end) };
            bytes[place] = byte;
        }
        try_all(&folder.put("clip.pt", bytes));
    }

    #[test]
    fn changed_configurations_open_or_fail_without_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let folder = Folder::new();
        let mut config = open_clip_config(|_| ()).into_bytes();
        for (place, byte) in changes {
            let place = place.index(config.len());
            config[place] = byte;
        }
        folder.put("open_clip_config.json", config);
        folder.put("open_clip_model.safetensors", bytes(&tensors(), Dtype::F16));
        try_all(folder.path());
    }
}
