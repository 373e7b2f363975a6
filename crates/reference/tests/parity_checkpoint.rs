//! A checkpoint as the reference saves it gives its prompts and their logits.

#[path = "../../promptsrc/tests/common/mod.rs"]
mod common;

use std::path::Path;

use common::*;
use promptsrc::{Classifier, Parameters, TrainConfig};
use promptsrc_clip::ClipModel;
use promptsrc_goldens::{
    self as goldens, Group, Quantity, Step, Tensors, number, strings, tolerance,
};
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};
use promptsrc_reference::checkpoint::{ReferenceCheckpoint, Supplement, find, save};

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

/// The IVLP trainer's file: prompts and frozen towers, no second image tower, no record. Of the
/// towers, only the tensors that show their shape.
fn ivlp_checkpoint(clip: &ClipModel, prompts: &Parameters, epoch: i64) -> Vec<u8> {
    let config = clip.config();
    let (vision, text) = (clip.vision(), clip.text());
    let patch = config.vision.patch_size;
    let positions = (config.vision.resolution / patch).pow(2) + 1;
    let mut tensors = vec![
        ("logit_scale".to_string(), blank(&[])),
        (
            "image_encoder.conv1.weight".to_string(),
            blank(&[vision.width(), 3, patch, patch]),
        ),
        (
            "image_encoder.positional_embedding".to_string(),
            blank(&[positions, vision.width()]),
        ),
        (
            "image_encoder.proj".to_string(),
            blank(&[vision.width(), config.embed_dim]),
        ),
        (
            "image_encoder.ln_pre.weight".to_string(),
            blank(&[vision.width()]),
        ),
        (
            "text_encoder.ln_final.weight".to_string(),
            blank(&[text.width()]),
        ),
    ];
    for (tower, width, layers) in [
        ("image_encoder", vision.width(), vision.layers()),
        ("text_encoder", text.width(), text.layers()),
    ] {
        for layer in 0..layers {
            let name = format!("{tower}.transformer.resblocks.{layer}.ln_1.weight");
            tensors.push((name, blank(&[width])));
        }
    }
    for prompt in prompts.iter() {
        let bytes = prompt.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = SavedTensor::new(DType::F32, prompt.shape.clone(), bytes);
        tensors.push((
            prompt.name.clone(),
            Saved::Tensor(tensor.expect("a tensor")),
        ));
    }
    let pairs = vec![
        ("state_dict".to_string(), Saved::OrderedDict(tensors)),
        ("epoch".to_string(), Saved::Int(epoch)),
    ];
    torch_save(&Saved::Dict(pairs)).expect("a file")
}

/// IVLP's learned prompts in a file like its trainer's, then saved in one of ours: both give the
/// same numbers, and the golden logits of the trainer.
#[test]
fn parity_ivlp_checkpoints_give_the_golden_logits() {
    if !goldens::has("trainers") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let clip = tiny();
    let case = goldens::cases("train").into_iter().next().expect("a case");
    let case = goldens::json(format!("train/{case}.json"));
    let batches = case["files"]["batches"].as_str().expect("a file");
    let batches = Tensors::read(format!("train/{batches}"));
    let images = batches.get("eval_images");
    let mut group = Group::new("trainers/IVLP through checkpoints");
    let mut count = 0;
    for case in goldens::cases("trainers") {
        let json = goldens::json(format!("trainers/{case}.json"));
        if json["trainer"] != "IVLP" {
            continue;
        }
        count += 1;
        let file = Tensors::read(format!("trainers/{case}.safetensors"));
        let epochs = number(&json["epochs"]) as i64;
        let learned = parameters(&file, &format!("epoch{epochs}/"));
        let theirs = folder.path().join(format!("{case}.pth.tar-{epochs}"));
        std::fs::write(&theirs, ivlp_checkpoint(&clip, &learned, epochs)).expect("room");

        let names = strings(&json["classnames"]);
        let supplement = Supplement {
            class_names: Some(names.clone()),
            ctx_init: json["options"]["TRAINER.IVLP.CTX_INIT"]
                .as_str()
                .map(str::to_string),
            ..Supplement::default()
        };
        let open = |path: &Path| ReferenceCheckpoint::open(path).unwrap_or_else(|e| panic!("{e}"));
        let adapter = open(&theirs)
            .adapter(&supplement)
            .unwrap_or_else(|e| panic!("{e}"));
        group.equal(
            &format!("{case}: method"),
            &adapter.meta.method.as_str(),
            &"ivlp",
        );
        let resolution = clip.config().vision.resolution;
        let found = adapter.meta.preprocessing.resolution;
        group.equal(&format!("{case}: resolution"), &found, &resolution);

        let run = folder.path().join(&case);
        let saved = save(&adapter, &run, epochs as usize, false).unwrap_or_else(|e| panic!("{e}"));
        let ours = open(&saved.file);
        let again = ours
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
    group.finish(3 * count);
    assert!(count > 0, "no IVLP case among the goldens");
}
