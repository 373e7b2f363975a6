//! A checkpoint as the reference saves it gives its prompts and their logits.

#[path = "../../promptsrc/tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::*;
use promptsrc::records::{ClipRecord, ClipSettingsRecord, PreprocessingRecord};
use promptsrc::{Classifier, Parameters, TrainConfig};
use promptsrc_clip::{ClipModel, values};
use promptsrc_goldens::{
    self as goldens, Group, Quantity, Step, Tensors, number, strings, tolerance,
};
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};
use promptsrc_reference::checkpoint::{ReferenceCheckpoint, Supplement, find, save};
use promptsrc_reference::log::ReferenceResult;
use serde_json::Value;

#[test]
fn parity_reference_checkpoint_prompts_and_logits() {
    if !goldens::has("checkpoint") {
        return;
    }
    let json = goldens::json("checkpoint/checkpoint.json");
    let expected = Tensors::read("checkpoint/expected.safetensors");
    let case = json["case"].as_str().expect("a case");
    let case = goldens::json(format!("train/{case}.json"));
    let clip = clip(&goldens::path("train").join(case["files"]["clip"].as_str().expect("a CLIP")));
    let file = goldens::path("checkpoint").join(json["file"].as_str().expect("a file"));
    let checkpoint = ReferenceCheckpoint::open(&file).unwrap_or_else(|e| panic!("{e}"));

    let mut prompts = Group::new("checkpoint/prompts");
    let epoch = number(&json["top_level"]["epoch"]) as usize;
    prompts.equal("epoch", &checkpoint.epoch, &Some(epoch));
    // The reference writes the name of the newest file to `checkpoint`.
    let beside = file.with_file_name("checkpoint");
    if let Ok(newest) = std::fs::read_to_string(&beside) {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned());
        prompts.equal("newest", &Some(newest.trim().to_string()), &name);
    }
    let names: Vec<&str> = checkpoint.prompts.iter().map(|p| p.name.as_str()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    prompts.equal("names", &sorted, &expected.below("prompt/").collect());
    for prompt in checkpoint.prompts.iter() {
        let expected = &expected.get(&format!("prompt/{}", prompt.name)).data;
        prompts.absolute(&prompt.name, &widen(&prompt.values), expected, 0.0);
    }
    prompts.finish(3);

    let mut logits = Group::new("checkpoint/logits");
    let config = TrainConfig {
        prompts: prompt_config(&case["spec"]),
        ..TrainConfig::default()
    };
    // The prompts are the checkpoint's own: nothing is trained here.
    let logit_tolerance = tolerance(&json, Quantity::Logits, Step::First);
    let images = expected.get("images");
    for (key, names) in [
        ("logits_prompts_on_original_clip", "classnames"),
        ("logits_new_classes", "new_classnames"),
    ] {
        let names = strings(&json[names]);
        let classifier = Classifier::prompted(&clip, &config, &checkpoint.prompts, &names).unwrap();
        let found = widen(&classifier.logits(images.f32(), images.shape[0]));
        logits.absolute(key, &found, &expected.get(key).data, logit_tolerance);
    }
    // The reference's own logits, in half precision and with its perturbed frozen weights, differ
    // from these by at most what the golden gives for these two causes.
    let names = strings(&json["classnames"]);
    let classifier = Classifier::prompted(&clip, &config, &checkpoint.prompts, &names).unwrap();
    let found = widen(&classifier.logits(images.f32(), images.shape[0]));
    let weights = number(&json["gaps"]["original_clip_vs_ckpt_weights"]) + logit_tolerance;
    for key in [
        "logits_with_checkpoint_frozen_weights",
        "logits_reference_load_model_fp32",
    ] {
        logits.absolute(key, &found, &expected.get(key).data, weights);
    }
    logits.finish(4);
}

#[test]
fn parity_reference_checkpoint_as_an_adapter() {
    if !goldens::has("checkpoint") {
        return;
    }
    let json = goldens::json("checkpoint/checkpoint.json");
    let name = json["case"].as_str().expect("a case");
    let case = goldens::json(format!("train/{name}.json"));
    let clip = clip(&goldens::path("train").join(case["files"]["clip"].as_str().expect("a CLIP")));
    let file = goldens::path("checkpoint").join(json["file"].as_str().expect("a file"));
    let run = file.parent().and_then(Path::parent).expect("a folder");
    assert_eq!(find(run, None).expect("a checkpoint"), Some(file.clone()));
    let checkpoint = ReferenceCheckpoint::open(&file).unwrap_or_else(|e| panic!("{e}"));
    let adapter = checkpoint
        .adapter(&Supplement::default())
        .unwrap_or_else(|e| panic!("{e}"));

    let mut group = Group::new("checkpoint/adapter");
    let (meta, optim) = (&adapter.meta, &json["optimizer_groups"][0]);
    group.equal("method", &meta.method.as_str(), &"promptsrc");
    group.equal("precision", &meta.precision.as_str(), &"f16");
    group.equal(
        "prompts",
        &meta.prompt_config().unwrap().prompts,
        &prompt_config(&case["spec"]),
    );
    group.equal("epochs", &checkpoint.epochs, &Some(meta.config.epochs()));
    group.equal(
        "lr",
        &meta.prompt_config().unwrap().optim.lr,
        &number(&optim["initial_lr"]),
    );
    let decay = meta.prompt_config().unwrap().optim.weight_decay;
    group.equal("weight decay", &decay, &number(&optim["weight_decay"]));
    let (vision, text) = (clip.vision(), clip.text());
    group.equal(
        "vision",
        &meta.clip.vision,
        &[vision.width(), vision.layers()],
    );
    group.equal("text", &meta.clip.text, &[text.width(), text.layers()]);
    let resolution = clip.config().vision.resolution;
    group.equal("resolution", &meta.preprocessing.resolution, &resolution);
    group.finish(9);

    // The names and the prefix that it was trained on agree with its tokens, others do not.
    let prompt_prefix = meta.prompt_model().unwrap().prompt_prefix();
    let names = strings(&json["classnames"]);
    let check = |prefix: &str, names: &[String]| checkpoint.check_texts(&clip, prefix, names);
    check(&prompt_prefix, &names).unwrap_or_else(|e| panic!("{e}"));
    check(&prompt_prefix, &[]).unwrap_or_else(|e| panic!("{e}"));
    let mut swapped = names.clone();
    swapped.swap(1, 2);
    let found = check(&prompt_prefix, &swapped)
        .expect_err("swapped names")
        .to_string();
    assert!(
        found.contains("class 2") && found.contains(&swapped[1]),
        "{found}"
    );
    let found = check(&prompt_prefix, &names[1..])
        .expect_err("too few")
        .to_string();
    assert!(
        found.contains(&format!("{} classes", names.len())),
        "{found}"
    );
    let longer = format!("{prompt_prefix} small");
    assert!(check(&longer, &[]).is_err() && check(&longer, &names).is_err());
}

/// A tensor of zeros, where only the shape is read.
fn blank(shape: &[usize]) -> Saved {
    let bytes = vec![0; 2 * shape.iter().product::<usize>()];
    Saved::Tensor(SavedTensor::new(DType::F16, shape.to_vec(), bytes).expect("a tensor"))
}

fn saved(shape: &[usize], values: &[f32]) -> Saved {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Saved::Tensor(SavedTensor::new(DType::F32, shape.to_vec(), bytes).expect("a tensor"))
}

/// The embeddings of the tokens after the context of each class, `[classes, 76 - n_ctx, width]`.
fn suffix(clip: &ClipModel, tokens: &promptsrc_goldens::Tensor, n_ctx: usize) -> Saved {
    let &[classes, context] = tokens.shape.as_slice() else {
        panic!("tokens of shape {:?}", tokens.shape);
    };
    let ids: Vec<u32> = tokens.i64().iter().map(|id| *id as u32).collect();
    let rows = ids.chunks_exact(context).flat_map(|ids| &ids[1 + n_ctx..]);
    let rows: Vec<u32> = rows.copied().collect();
    let shape = [classes, context - 1 - n_ctx, clip.text().width()];
    saved(&shape, &values(clip.text().embed(&rows)))
}

/// A file with the tensors of a trainer's: what it has learned, the tokens of its classes, and the
/// shapes of the frozen towers where it saves these. `names` are those of the tensors outside blocks.
fn published_checkpoint(
    clip: &ClipModel,
    names: &[String],
    learned: &Parameters,
    suffix: Saved,
    epoch: i64,
) -> Vec<u8> {
    let config = clip.config();
    let (vision, text) = (clip.vision(), clip.text());
    let patch = config.vision.patch_size;
    let positions = (config.vision.resolution / patch).pow(2) + 1;
    let tensor = |name: &String| {
        let full = match name.split_once('.') {
            Some(("prompt_learner" | "image_encoder" | "text_encoder", _)) => name.clone(),
            _ => format!("prompt_learner.{name}"),
        };
        if let Some(learned) = learned.get(&full) {
            return saved(&learned.shape, &learned.values);
        }
        match full.as_str() {
            "prompt_learner.token_suffix" => suffix.clone(),
            "prompt_learner.bias_vectors" => blank(&[1, 512]),
            "prompt_learner.meta_net.linear1.weight" => blank(&[512, 512]),
            "image_encoder.conv1.weight" => blank(&[vision.width(), 3, patch, patch]),
            "image_encoder.positional_embedding" => blank(&[positions, vision.width()]),
            "image_encoder.proj" => blank(&[vision.width(), config.embed_dim]),
            "text_encoder.ln_final.weight" => blank(&[text.width()]),
            _ => blank(&[1]),
        }
    };
    let mut tensors: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), tensor(name)))
        .collect();
    if names.iter().any(|name| name == "image_encoder.proj") {
        for (tower, width, layers) in [
            ("image_encoder", vision.width(), vision.layers()),
            ("text_encoder", text.width(), text.layers()),
        ] {
            for layer in 0..layers {
                let name = format!("{tower}.transformer.resblocks.{layer}.ln_1.weight");
                tensors.push((name, blank(&[width])));
            }
        }
    }
    let pairs = vec![
        ("state_dict".to_string(), Saved::OrderedDict(tensors)),
        ("epoch".to_string(), Saved::Int(epoch)),
    ];
    torch_save(&Saved::Dict(pairs)).expect("a file")
}

/// The CLIP, which a file of a prompt learner alone does not show.
fn record(clip: &ClipModel) -> (ClipRecord, PreprocessingRecord) {
    let (vision, text, config) = (clip.vision(), clip.text(), clip.config());
    let record = ClipRecord {
        name: "tiny".to_string(),
        fingerprint: String::new(),
        embed_dim: config.embed_dim,
        vision: [vision.width(), vision.layers()],
        text: [text.width(), text.layers()],
        settings: Some(ClipSettingsRecord::of(config, clip.tokenizer())),
    };
    (record, PreprocessingRecord::of(&config.preprocess))
}

/// What the log of a case's run says.
fn log(json: &Value) -> ReferenceResult {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        other => other.to_string(),
    };
    let options = json["options"].as_object().expect("options");
    ReferenceResult {
        trainer: json["trainer"].as_str().map(str::to_string),
        dataset: options.get("DATASET.NAME").map(text),
        settings: options
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        ..ReferenceResult::default()
    }
}

/// What each trainer learned, in a file with its tensors' names, then saved in one of ours: both give
/// the same parameters, and the golden logits of the trainer.
#[test]
fn parity_checkpoints_of_all_trainers_give_the_golden_logits() {
    if !goldens::has("trainers") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let clip = tiny();
    let record = record(&clip);
    let case = goldens::cases("train").into_iter().next().expect("a case");
    let case = goldens::json(format!("train/{case}.json"));
    let batches = case["files"]["batches"].as_str().expect("a file");
    let batches = Tensors::read(format!("train/{batches}"));
    let images = batches.get("eval_images");
    let mut group = Group::new("trainers through checkpoints");
    let mut trainers = BTreeSet::new();
    let mut count = 0;
    for case in goldens::cases("trainers") {
        let json = goldens::json(format!("trainers/{case}.json"));
        let trainer = json["trainer"].as_str().expect("a trainer");
        trainers.insert(trainer.to_string());
        count += 1;
        let file = Tensors::read(format!("trainers/{case}.safetensors"));
        let epochs = number(&json["epochs"]) as i64;
        let learned = parameters(&file, &format!("epoch{epochs}/"));
        let keys = json["checkpoint_keys_without_blocks"].as_object();
        let (place, keys) = keys.and_then(|k| k.iter().next()).expect("keys");
        let theirs = folder.path().join(&case).join("theirs").join(place);
        let suffix = suffix(&clip, file.get("tokens"), number(&json["n_ctx"]) as usize);
        let bytes = published_checkpoint(&clip, &strings(keys), &learned, suffix, epochs);
        std::fs::create_dir_all(theirs.parent().expect("a folder")).expect("room");
        std::fs::write(&theirs, bytes).expect("room");

        let names = strings(&json["classnames"]);
        let open = |path: &Path| ReferenceCheckpoint::open(path).unwrap_or_else(|e| panic!("{e}"));
        let checkpoint = open(&theirs);
        let whole = checkpoint.clip.is_some();
        let supplement = Supplement {
            class_names: Some(names.clone()),
            log: Some(log(&json)),
            clip: (!whole).then(|| record.clone()),
            ..Supplement::default()
        };
        let adapter = checkpoint
            .adapter(&supplement)
            .unwrap_or_else(|e| panic!("{case}: {e}"));
        let method = trainer.to_lowercase();
        group.equal(&format!("{case}: method"), &adapter.meta.method, &method);
        let resolution = clip.config().vision.resolution;
        let found = adapter.meta.preprocessing.resolution;
        group.equal(&format!("{case}: resolution"), &found, &resolution);
        let prefix = adapter.meta.prompt_model().unwrap().prompt_prefix();
        checkpoint
            .check_texts(&clip, &prefix, &names)
            .unwrap_or_else(|e| panic!("{case}: {e}"));

        let run = folder.path().join(&case).join("ours");
        let saved = save(&adapter, &run, epochs as usize, false).unwrap_or_else(|e| panic!("{e}"));
        group.equal(&format!("{case}: place"), &saved.file, &run.join(place));
        let again = open(&saved.file)
            .adapter(&Supplement::default())
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(
            again == adapter,
            "{case}: not the same after it was saved and read"
        );
        for parameter in learned.iter() {
            let found = again.parameters.get(&parameter.name);
            assert!(found == Some(parameter), "{case}: {}", parameter.name);
        }
        assert!(
            save(&adapter, &run, epochs as usize, false).is_err(),
            "{case}: overwritten"
        );

        let classifier = again.classifier(&clip, &names).unwrap();
        let found = widen(&classifier.logits(images.f32(), images.shape[0]));
        let expected = &file.get("eval_logits_final").data;
        let tolerance = tolerance(&json, Quantity::Logits, Step::First);
        group.absolute(&format!("{case}: logits"), &found, expected, tolerance);
    }
    group.finish(4 * count);
    let expected = ["CoCoOp", "CoOp", "IVLP", "KgCoOp", "MaPLe", "ProGrad"];
    assert!(
        expected.iter().all(|t| trainers.contains(*t)),
        "{trainers:?}"
    );
}
