//! A checkpoint as the reference saves it gives its prompts and their logits.

mod common;

use common::*;
use promptsrc::Classifier;
use promptsrc::reference_checkpoint::ReferenceCheckpoint;
use promptsrc_goldens::{self as goldens, Group, Tensors, number, strings};

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
    // The reference leaves the newest file's name beside it.
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
    let lead = case["prompt_lead"].as_str().expect("words");
    let images = expected.get("images");
    for (key, names) in [
        ("logits_prompts_on_original_clip", "classnames"),
        ("logits_new_classes", "new_classnames"),
    ] {
        let names = strings(&json[names]);
        let classifier =
            Classifier::with_prompts(&clip, &checkpoint.prompts, lead, &names).unwrap();
        let found = widen(&classifier.logits(images.f32(), images.shape[0]));
        logits.absolute(key, &found, &expected.get(key).data, 2e-4);
    }
    // What the reference itself shows, in half precision and with its perturbed frozen weights, is
    // as far from this as the golden says that these two things make.
    let names = strings(&json["classnames"]);
    let classifier = Classifier::with_prompts(&clip, &checkpoint.prompts, lead, &names).unwrap();
    let found = widen(&classifier.logits(images.f32(), images.shape[0]));
    let weights = number(&json["gaps"]["original_clip_vs_ckpt_weights"]) * 1.01 + 2e-4;
    for key in [
        "logits_with_checkpoint_frozen_weights",
        "logits_reference_load_model_fp32",
    ] {
        logits.absolute(key, &found, &expected.get(key).data, weights);
    }
    logits.finish(4);
}
