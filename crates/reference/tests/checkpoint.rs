//! Checkpoints that are damaged or of another kind, and checkpoints written and read again.

use std::path::Path;

use promptsrc::adapter::{Adapter, AdapterMeta};
use promptsrc::methods::Request;
use promptsrc::records::{ClipRecord, DataRecord, PreprocessingRecord};
use promptsrc::{Overrides, Parameter, Parameters};
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};
use promptsrc_reference::checkpoint::{
    Form, ReferenceCheckpoint, ReferenceCheckpointError, Supplement, find, run_log, save, to_bytes,
};
use proptest::prelude::*;

const FOLDER: &str = "VLPromptLearner";

/// Prompts in the order of an adapter: text, then image.
fn prompts(n_ctx: usize, text_depth: usize, bits: &[u32]) -> Parameters {
    let mut bits = bits.iter().copied().cycle();
    let first = std::iter::once("prompt_learner.ctx".to_string());
    let deep =
        (1..text_depth).map(|l| format!("text_encoder.transformer.resblocks.{l}.VPT_shallow"));
    let vision = std::iter::once("image_encoder.VPT".to_string());
    let list = first
        .chain(deep)
        .chain(vision)
        .map(|name| {
            let width = if name.starts_with("image") { 3 } else { 2 };
            let values = (0..n_ctx * width)
                .map(|_| f32::from_bits(bits.next().unwrap_or_default()))
                // Prompts are finite.
                .map(|value| if value.is_finite() { value } else { -0.0 })
                .collect();
            Parameter {
                name,
                shape: vec![n_ctx, width],
                values,
            }
        })
        .collect();
    Parameters::new(list).expect("prompts")
}

fn adapter(method: &str, parameters: Parameters) -> Adapter {
    let config = Request::of(method, &Overrides::default()).resolve();
    Adapter {
        parameters,
        meta: AdapterMeta {
            format_version: AdapterMeta::FORMAT_VERSION,
            method: method.to_string(),
            class_names: vec!["Ägyptische Mau".to_string(), "b\n\"c\"".to_string()],
            template: "a photo of a {}.".to_string(),
            clip: ClipRecord {
                name: "a CLIP".to_string(),
                fingerprint: "0123".to_string(),
                embed_dim: 4,
                vision: [3, 2],
                text: [2, 2],
                settings: None,
            },
            preprocessing: PreprocessingRecord {
                resolution: 32,
                mean: [0.1, 0.2, 0.3],
                std: [1.0, 2.0, 3.0],
                interpolation: "bicubic".to_string(),
                resize: None,
                crop: None,
                fill: None,
                rescale: None,
            },
            data: DataRecord::default(),
            precision: "f32".to_string(),
            config: config.expect("a configuration"),
            metrics: [("loss".to_string(), 0.1 + 0.2)].into(),
        },
    }
}

fn bits(parameters: &Parameters) -> Vec<(String, Vec<u32>)> {
    parameters
        .iter()
        .map(|p| {
            (
                p.name.clone(),
                p.values.iter().map(|v| v.to_bits()).collect(),
            )
        })
        .collect()
}

proptest! {
    // Fewer cases: each waits for the disk twice.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn saved_prompts_are_read_bit_by_bit(
        n_ctx in 1..5usize,
        depth in 1..4usize,
        values in prop::collection::vec(any::<u32>(), 1..40),
        ivlp in any::<bool>(),
        epoch in 0..200usize,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let method = if ivlp { "ivlp" } else { "promptsrc" };
        let adapter = adapter(method, prompts(n_ctx, depth, &values));
        let saved = save(&adapter, folder.path(), epoch, false).expect("saved");
        let found = ReferenceCheckpoint::open(&saved.file).expect("a checkpoint");
        prop_assert_eq!(found.epoch, Some(epoch));
        let again = found.adapter(&Supplement::default()).expect("an adapter");
        prop_assert_eq!(&again.meta, &adapter.meta);
        prop_assert_eq!(bits(&again.parameters), bits(&adapter.parameters));
    }
}

fn a_checkpoint() -> Adapter {
    adapter("promptsrc", prompts(2, 2, &[0x3f80_0000]))
}

/// Writes a checkpoint of these tensors.
fn file(path: &Path, names: &[(&str, &[usize])], more: Vec<(String, Saved)>) {
    let tensors = names.iter().map(|(name, shape)| {
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        let tensor = SavedTensor::new(DType::F32, shape.to_vec(), bytes).expect("a tensor");
        (name.to_string(), Saved::Tensor(tensor))
    });
    let mut pairs = vec![(
        "state_dict".to_string(),
        Saved::OrderedDict(tensors.collect()),
    )];
    pairs.extend(more);
    std::fs::write(path, torch_save(&Saved::Dict(pairs)).expect("a file")).expect("room");
}

const CTX: (&str, &[usize]) = ("prompt_learner.ctx", &[2, 2]);

#[test]
fn missing_information_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.pth.tar-5");
    file(&path, &[("module.prompt_learner.ctx", &[2, 2])], vec![]);
    let checkpoint = ReferenceCheckpoint::open(&path).expect("a checkpoint");
    assert_eq!((&checkpoint.method, checkpoint.epoch), (&None, None));
    let ask = |supplement: &Supplement| {
        checkpoint
            .adapter(supplement)
            .expect_err("a question")
            .to_string()
    };
    let mut supplement = Supplement::default();
    assert!(
        ask(&supplement).contains("--method"),
        "{}",
        ask(&supplement)
    );
    supplement.method = Some("ivlp".to_string());
    assert!(ask(&supplement).contains("--clip"), "{}", ask(&supplement));
    let meta = a_checkpoint().meta;
    supplement.clip = Some((meta.clip, meta.preprocessing));
    let adapter = checkpoint.adapter(&supplement).expect("an adapter");
    assert_eq!(adapter.meta.prompt_config().unwrap().prompts.n_ctx_text, 2);
    assert_eq!(
        adapter.meta.prompt_config().unwrap().prompts.depth_vision,
        0
    );
    assert_eq!(adapter.meta.template, "a photo of a {}.");
    assert!(adapter.meta.class_names.is_empty());
    // Five learned tokens before the class name are written as five unknown words.
    file(&path, &[("prompt_learner.ctx", &[5, 2])], vec![]);
    let checkpoint = ReferenceCheckpoint::open(&path).expect("a checkpoint");
    let adapter = checkpoint.adapter(&supplement).expect("an adapter");
    assert_eq!(adapter.meta.template, "X X X X X {}.");
}

#[test]
fn damaged_and_newer_records_are_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.pth.tar-5");
    let with = |record: &str| {
        let record = vec![("promptsrc".to_string(), Saved::Str(record.to_string()))];
        file(&path, &[CTX], record);
        ReferenceCheckpoint::open(&path).expect_err("a bad record")
    };
    for bad in ["", "{}", "[1]", "{\"format_version\": 1}"] {
        let found = with(bad);
        assert!(
            matches!(found, ReferenceCheckpointError::Record { .. }),
            "{bad}: {found}"
        );
    }
    let found = with("{\"format_version\": 9999}").to_string();
    assert!(found.contains("9999") && found.contains("newer"), "{found}");
}

#[test]
fn truncated_or_changed_files_do_no_harm() {
    let bytes = to_bytes(&a_checkpoint(), Form::LayerPrompts, 20).expect("bytes");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.pth.tar-20");
    for length in (0..bytes.len()).step_by(37) {
        std::fs::write(&path, &bytes[..length]).expect("room");
        assert!(ReferenceCheckpoint::open(&path).is_err(), "{length} bytes");
    }
    for at in (0..bytes.len()).step_by(5) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        std::fs::write(&path, &changed).expect("room");
        // It may succeed or fail, but not panic.
        if let Ok(found) = ReferenceCheckpoint::open(&path) {
            let _ = found.adapter(&Supplement::default());
        }
    }
}

#[test]
fn the_checkpoint_of_a_folder_is_the_one_it_names_or_the_newest() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("seed1");
    let inner = run.join(FOLDER);
    assert_eq!(find(folder.path(), None).expect("no error"), None);
    std::fs::create_dir_all(&inner).expect("a folder");
    assert_eq!(find(&run, None).expect("no error"), None);
    let touch = |name: &str| std::fs::write(inner.join(name), "").expect("room");
    let found = |epoch| find(&run, epoch).expect("no error");
    let file = |name: &str| Some(inner.join(name));
    touch("model-best.pth.tar");
    assert_eq!(found(None), file("model-best.pth.tar"));
    touch("model.pth.tar-9");
    touch("model.pth.tar-20");
    assert_eq!(found(None), file("model.pth.tar-20"));
    assert_eq!(found(Some(9)), file("model.pth.tar-9"));
    assert_eq!(
        find(&inner, None).expect("no error"),
        file("model.pth.tar-20")
    );
    let error = find(&run, Some(10)).expect_err("no such epoch").to_string();
    assert!(error.contains("model.pth.tar-10"), "{error}");
    std::fs::write(inner.join("checkpoint"), "model.pth.tar-9\n").expect("room");
    assert_eq!(found(None), file("model.pth.tar-9"));
    // Names outside the folder, or of no file, are ignored.
    for bad in [
        "../VLPromptLearner/model.pth.tar-9",
        "/etc/passwd",
        "",
        "model.pth.tar-8",
    ] {
        std::fs::write(inner.join("checkpoint"), bad).expect("room");
        assert_eq!(found(None), file("model.pth.tar-20"), "{bad}");
    }
    assert_eq!(run_log(&inner.join("model.pth.tar-9")), None);
    std::fs::write(run.join("log.txt"), "").expect("room");
    assert_eq!(
        run_log(&inner.join("model.pth.tar-9")),
        Some(run.join("log.txt"))
    );
}

#[test]
fn the_folder_of_any_trainer_is_found_in_the_folder_of_its_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path();
    for trainer in ["prompt_learner", "MultiModalPromptLearner"] {
        let inner = run.join(trainer);
        std::fs::create_dir(&inner).expect("room");
        std::fs::write(inner.join("model.pth.tar-5"), "").expect("room");
        let found = find(run, None).expect("one folder");
        assert_eq!(found, Some(inner.join("model.pth.tar-5")));
        std::fs::remove_dir_all(&inner).expect("removed");
    }
    for trainer in ["prompt_learner", FOLDER] {
        std::fs::create_dir(run.join(trainer)).expect("room");
        std::fs::write(run.join(trainer).join("model.pth.tar-5"), "").expect("room");
    }
    let error = find(run, None).expect_err("two folders").to_string();
    assert!(
        error.contains("prompt_learner") && error.contains(FOLDER),
        "{error}"
    );
}

#[test]
fn files_are_replaced_only_with_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join(FOLDER);
    let adapter = a_checkpoint();
    // The inner folder itself, or the run's.
    let saved = save(&adapter, &inner, 20, false).expect("saved");
    assert_eq!(saved.file, inner.join("model.pth.tar-20"));
    let newest = || std::fs::read_to_string(inner.join("checkpoint")).expect("a name");
    assert_eq!(newest(), "model.pth.tar-20\n");
    for epoch in [20, 30] {
        let error = save(&adapter, folder.path(), epoch, false).expect_err("occupied");
        assert!(
            matches!(error, ReferenceCheckpointError::Occupied { .. }),
            "{error}"
        );
    }
    assert!(!inner.join("model.pth.tar-30").exists());
    save(&adapter, folder.path(), 30, true).expect("saved");
    assert_eq!(newest(), "model.pth.tar-30\n");
}

#[test]
fn an_adapter_of_a_method_without_such_checkpoints_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut adapter = a_checkpoint();
    adapter.meta.method = "other".to_string();
    let error = save(&adapter, folder.path(), 20, false).expect_err("no such checkpoints");
    let text = error.to_string();
    assert!(
        text.contains("other") && text.contains("promptsrc, ivlp, coop"),
        "{text}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
}
