//! The checkpoints of CoOp, CoCoOp, KgCoOp, ProGrad and MaPLe: how they are told apart, what must fit in
//! them, and what they do not say.

use std::path::{Path, PathBuf};

use promptsrc::Parameters;
use promptsrc::adapter::Adapter;
use promptsrc::config::{ClassPosition, Guidance};
use promptsrc::records::{ClipRecord, PreprocessingRecord};
use promptsrc_image::Preprocess;
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};
use promptsrc_reference::checkpoint::{
    Form, ReferenceCheckpoint, ReferenceCheckpointError, Supplement, save,
};
use promptsrc_reference::log::{self, ReferenceResult};

type Tensors = Vec<(&'static str, Vec<usize>)>;

/// Text prompts are 2 wide, visual ones 3, features 4.
const CTX: usize = 2;
const VISUAL: usize = 3;
const FEATURE: usize = 4;

fn coop(n_ctx: usize) -> Tensors {
    vec![
        ("ctx", vec![n_ctx, CTX]),
        ("token_prefix", vec![5, 1, CTX]),
        ("token_suffix", vec![5, 76 - n_ctx, CTX]),
    ]
}

fn class_specific() -> Tensors {
    let mut tensors = coop(3);
    tensors[0].1 = vec![5, 3, CTX];
    tensors
}

fn kgcoop() -> Tensors {
    [
        coop(4),
        vec![
            ("bias_vectors", vec![1, 6]),
            ("meta_net.linear1.weight", vec![6, 6]),
            ("meta_net.linear1.bias", vec![6]),
        ],
    ]
    .concat()
}

fn cocoop() -> Tensors {
    [
        coop(4),
        vec![
            ("meta_net.linear1.weight", vec![1, FEATURE]),
            ("meta_net.linear1.bias", vec![1]),
            ("meta_net.linear2.weight", vec![CTX, 1]),
            ("meta_net.linear2.bias", vec![CTX]),
        ],
    ]
    .concat()
}

fn maple() -> Tensors {
    vec![
        ("prompt_learner.ctx", vec![2, CTX]),
        ("prompt_learner.proj.weight", vec![VISUAL, CTX]),
        ("prompt_learner.proj.bias", vec![VISUAL]),
        ("prompt_learner.compound_prompts_text.0", vec![2, CTX]),
        ("prompt_learner.compound_prompts_text.1", vec![2, CTX]),
        (
            "prompt_learner.compound_prompt_projections.0.weight",
            vec![VISUAL, CTX],
        ),
        (
            "prompt_learner.compound_prompt_projections.0.bias",
            vec![VISUAL],
        ),
        (
            "prompt_learner.compound_prompt_projections.1.weight",
            vec![VISUAL, CTX],
        ),
        (
            "prompt_learner.compound_prompt_projections.1.bias",
            vec![VISUAL],
        ),
        ("image_encoder.ln_pre.weight", vec![VISUAL]),
    ]
}

/// Saves a checkpoint of these tensors in half precision, filled with distinct numbers.
fn write(folder: &Path, tensors: &Tensors) -> PathBuf {
    let mut next = 0_u16;
    let tensors = tensors.iter().map(|(name, shape)| {
        let values = (0..shape.iter().product::<usize>()).flat_map(|_| {
            next = (next + 1) % 1000;
            half::f16::from_f32(f32::from(next)).to_le_bytes()
        });
        let tensor = SavedTensor::new(DType::F16, shape.clone(), values.collect());
        (
            (*name).to_string(),
            Saved::Tensor(tensor.expect("a tensor")),
        )
    });
    let pairs = vec![
        (
            "state_dict".to_string(),
            Saved::OrderedDict(tensors.collect()),
        ),
        ("epoch".to_string(), Saved::Int(7)),
    ];
    let path = folder.join("model.pth.tar-7");
    std::fs::write(&path, torch_save(&Saved::Dict(pairs)).expect("a file")).expect("room");
    path
}

fn open(tensors: &Tensors) -> Result<ReferenceCheckpoint, ReferenceCheckpointError> {
    let folder = tempfile::tempdir().expect("a folder");
    ReferenceCheckpoint::open(&write(folder.path(), tensors))
}

fn opened(tensors: &Tensors) -> ReferenceCheckpoint {
    open(tensors).unwrap_or_else(|e| panic!("{e}"))
}

fn clip() -> (ClipRecord, PreprocessingRecord) {
    let record = ClipRecord {
        name: "a CLIP".to_string(),
        fingerprint: "0123".to_string(),
        embed_dim: FEATURE,
        vision: [VISUAL, 3],
        text: [CTX, 3],
        settings: None,
    };
    (record, PreprocessingRecord::of(&Preprocess::clip(32)))
}

fn given() -> Supplement {
    Supplement {
        clip: Some(clip()),
        ..Supplement::default()
    }
}

fn adapter(tensors: &Tensors, supplement: &Supplement) -> Adapter {
    opened(tensors)
        .adapter(supplement)
        .unwrap_or_else(|e| panic!("{e}"))
}

fn refused(tensors: &Tensors, supplement: &Supplement) -> ReferenceCheckpointError {
    opened(tensors).adapter(supplement).expect_err("a refusal")
}

fn names(count: usize) -> Option<Vec<String>> {
    Some((0..count).map(|class| format!("class {class}")).collect())
}

fn log(text: &str) -> Option<ReferenceResult> {
    log::parse(format!("** Config **\n{text}").as_bytes())
}

fn listed(parameters: &Parameters) -> Vec<(&str, &[usize])> {
    parameters
        .iter()
        .map(|p| (p.name.as_str(), p.shape.as_slice()))
        .collect()
}

#[test]
fn each_trainer_is_recognised_by_its_tensors() {
    let cases: [(Tensors, Form, Option<&str>, &str); 4] = [
        (coop(4), Form::Context, None, "coop"),
        (kgcoop(), Form::Context, Some("kgcoop"), "kgcoop"),
        (cocoop(), Form::ConditionedContext, Some("cocoop"), "cocoop"),
        (maple(), Form::ProjectedPrompts, Some("maple"), "maple"),
    ];
    for (tensors, form, recognised, method) in cases {
        let found = opened(&tensors);
        assert_eq!(found.form, form);
        assert_eq!(found.method.as_deref(), recognised, "{form:?}");
        assert_eq!((found.epoch, found.precision()), (Some(7), "f16"));
        let meta = adapter(&tensors, &given()).meta;
        assert_eq!(
            (meta.method.as_str(), meta.config.method()),
            (method, method)
        );
        assert_eq!(meta.config.epochs(), 7);
    }
}

/// The order is that of the method's own parameters, so that a run of this program and a checkpoint give
/// the same file.
#[test]
fn only_what_is_learned_is_taken_in_the_order_of_an_adapter() {
    let ctx: (&str, &[usize]) = ("prompt_learner.ctx", &[4, CTX]);
    assert_eq!(listed(&opened(&kgcoop()).prompts), [ctx]);
    let net: [(&str, &[usize]); 4] = [
        ("prompt_learner.meta_net.linear1.weight", &[1, FEATURE]),
        ("prompt_learner.meta_net.linear1.bias", &[1]),
        ("prompt_learner.meta_net.linear2.weight", &[CTX, 1]),
        ("prompt_learner.meta_net.linear2.bias", &[CTX]),
    ];
    assert_eq!(
        listed(&opened(&cocoop()).prompts),
        [&[ctx], &net[..]].concat()
    );
    let found = opened(&maple()).prompts;
    let found: Vec<&str> = found
        .iter()
        .map(|p| &p.name["prompt_learner.".len()..])
        .collect();
    let layers = ["0", "1"].map(|layer| {
        let of = |part: &str| format!("compound_prompt{part}");
        [
            of(&format!("s_text.{layer}")),
            of(&format!("_projections.{layer}.weight")),
            of(&format!("_projections.{layer}.bias")),
        ]
    });
    let first = ["ctx", "proj.weight", "proj.bias"].map(str::to_string);
    assert_eq!(found, [vec![first], layers.to_vec()].concat().concat());
}

#[test]
fn tensors_that_do_not_fit_each_other_are_named() {
    let without = |mut tensors: Tensors, name: &str| {
        tensors.retain(|(n, _)| *n != name);
        tensors
    };
    let with = |mut tensors: Tensors, name: &str, shape: &[usize]| {
        for (n, s) in &mut tensors {
            if *n == name {
                *s = shape.to_vec();
            }
        }
        tensors
    };
    let proj = "prompt_learner.compound_prompt_projections.1.weight";
    let deep = "prompt_learner.compound_prompts_text.0";
    let cases = [
        (
            without(cocoop(), "meta_net.linear2.bias"),
            "meta_net.linear2.bias is missing",
        ),
        (
            with(cocoop(), "meta_net.linear2.weight", &[CTX, 2]),
            "expected [2, 1]",
        ),
        (
            with(cocoop(), "meta_net.linear1.bias", &[2]),
            "expected [1]",
        ),
        (
            with(cocoop(), "meta_net.linear1.weight", &[4]),
            "expected [outputs, inputs]",
        ),
        (
            with(cocoop(), "ctx", &[5, 4, CTX]),
            "expected [tokens, width]",
        ),
        (with(coop(4), "ctx", &[CTX]), "or [classes, tokens, width]"),
        (with(coop(4), "ctx", &[0, CTX]), "shape [0, 2]"),
        (
            with(class_specific(), "ctx", &[4, 3, CTX]),
            "contexts of 4 classes and tokens of 5",
        ),
        (
            without(maple(), proj),
            "compound_prompt_projections.1.weight is missing",
        ),
        (without(maple(), deep), "compound_prompts_text.0 is missing"),
        (with(maple(), proj, &[CTX, CTX]), "expected [3, 2]"),
        (with(maple(), deep, &[3, CTX]), "expected [2, 2]"),
        (
            without(maple(), "prompt_learner.ctx"),
            "there are no prompts",
        ),
    ];
    for (tensors, expected) in cases {
        let error = open(&tensors).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}: {expected}");
    }
}

#[test]
fn a_method_with_other_parameters_is_refused_and_one_with_the_same_is_not() {
    let of = |method: &str| Supplement {
        method: Some(method.to_string()),
        ..given()
    };
    for method in ["coop", "prograd", "kgcoop"] {
        let adapter = adapter(&coop(4), &of(method));
        assert_eq!(adapter.meta.config.method(), method);
    }
    for (tensors, method, expected) in [
        (coop(4), "maple", "coop, kgcoop, prograd"),
        (kgcoop(), "cocoop", "coop, kgcoop, prograd"),
        (cocoop(), "coop", "cocoop"),
        (maple(), "ivlp", "maple"),
    ] {
        let error = refused(&tensors, &of(method)).to_string();
        assert!(
            error.contains(method) && error.contains(expected),
            "{error}"
        );
    }
    // A file of a prompt learner alone does not show the CLIP.
    let error = refused(&coop(4), &Supplement::default()).to_string();
    assert!(error.contains("--clip"), "{error}");
}

#[test]
fn what_nothing_says_is_assumed_and_can_be_asked_for() {
    let mut supplement = given();
    let assumed = |supplement: &Supplement| opened(&coop(4)).assumptions(supplement);
    assert_eq!(assumed(&supplement).method.as_deref(), Some("coop"));
    assert!(assumed(&supplement).class_position);
    supplement.class_position = Some(ClassPosition::Middle);
    supplement.method = Some("prograd".to_string());
    assert_eq!(assumed(&supplement), Default::default());
    let meta = adapter(&coop(4), &supplement).meta;
    assert_eq!(
        meta.prompt_config().unwrap().prompts.class_position,
        ClassPosition::Middle
    );
    assert_eq!(meta.template, "a photo {} of a.");
    // KgCoOp's class name always stands at the end.
    assert_eq!(opened(&kgcoop()).assumptions(&given()), Default::default());
    supplement.method = None;
    let error = refused(&kgcoop(), &supplement).to_string();
    assert!(error.contains("class-position"), "{error}");
}

#[test]
fn the_words_are_the_published_ones_where_the_context_has_room_for_them() {
    let words = |tensors: &Tensors, words: Option<&str>| {
        let supplement = Supplement {
            ctx_init: words.map(str::to_string),
            ..given()
        };
        opened(tensors).adapter(&supplement).map(|a| {
            (
                a.meta.prompt_config().unwrap().prompts.n_ctx_text,
                a.meta.template,
            )
        })
    };
    let found = |tensors: &Tensors, given: Option<&str>| words(tensors, given).expect("an adapter");
    assert_eq!(found(&coop(4), None), (4, "a photo of a {}.".to_string()));
    assert_eq!(found(&coop(3), None), (3, "X X X {}.".to_string()));
    assert_eq!(found(&coop(3), Some("one two_three")).0, 3);
    assert_eq!(found(&cocoop(), Some("")), (4, "X X X X {}.".to_string()));
    assert_eq!(
        found(&maple(), Some("one two three")),
        (2, "one two three {}.".to_string())
    );
    let error = words(&coop(4), Some("a photo"))
        .expect_err("two words")
        .to_string();
    assert!(error.contains('4') && error.contains('2'), "{error}");
}

#[test]
fn contexts_of_classes_need_the_names_of_their_training() {
    let with = |class_names| Supplement {
        class_names,
        ..given()
    };
    let checkpoint = opened(&class_specific());
    assert!(checkpoint.is_class_specific());
    assert_eq!(checkpoint.classes, Some(5));
    assert!(matches!(
        refused(&class_specific(), &with(None)),
        ReferenceCheckpointError::NoClassNames { classes: 5, .. }
    ));
    assert!(matches!(
        refused(&class_specific(), &with(names(4))),
        ReferenceCheckpointError::ClassCount {
            expected: 5,
            found: 4,
            ..
        }
    ));
    let meta = adapter(&class_specific(), &with(names(5))).meta;
    assert!(meta.prompt_config().unwrap().prompts.class_specific);
    assert_eq!(meta.class_names.len(), 5);
    let error = refused(
        &class_specific(),
        &Supplement {
            ctx_init: Some("a photo of".to_string()),
            ..with(names(5))
        },
    );
    assert!(
        matches!(error, ReferenceCheckpointError::Config { .. }),
        "{error}"
    );
}

#[test]
fn the_log_of_a_run_says_what_its_checkpoint_does_not() {
    let of_log = |tensors: &Tensors, text: &str| {
        let supplement = Supplement {
            log: log(text),
            class_names: names(5),
            ..given()
        };
        assert_eq!(opened(tensors).assumptions(&supplement), Default::default());
        adapter(tensors, &supplement).meta
    };
    let coop_log = "TRAINER:\n  COOP:\n    CLASS_TOKEN_POSITION: front\n    CSC: False\n    CTX_INIT: one two three four\n  NAME: CoOp\n";
    let meta = of_log(&coop(4), coop_log);
    assert_eq!(
        (meta.method.as_str(), meta.template.as_str()),
        ("coop", "{} one two three four.")
    );
    let meta = of_log(&class_specific(), coop_log);
    assert_eq!(meta.template, "{} X X X.");
    let random = "TRAINER:\n  COOP:\n    CLASS_TOKEN_POSITION: end\n    CTX_INIT: \n  NAME: CoOp\n";
    assert_eq!(of_log(&coop(4), random).template, "X X X X {}.");
    // ProGrad takes the words of the data set's template, KgCoOp its own.
    let prograd = "DATASET:\n  NAME: OxfordPets\nLOSS:\n  LAMBDA: 0.5\n  T: 2.0\nTRAINER:\n  COOP:\n    CLASS_TOKEN_POSITION: end\n    CTX_INIT: True\n  NAME: ProGrad\n";
    let meta = of_log(&coop(16), prograd);
    assert_eq!(meta.method, "prograd");
    assert_eq!(
        meta.template,
        "X X X X X X X X a type of pet, a photo of a {}."
    );
    let expected = Guidance::GradientProjection {
        lambda: 0.5,
        temperature: 2.0,
    };
    assert_eq!(meta.prompt_config().unwrap().guidance, Some(expected));
    let knowledge = "DATASET:\n  NAME: DescribableTextures\nTRAINER:\n  COOP:\n    CLASS_TOKEN_POSITION: middle\n    CTX_INIT: True\n    W: 3.0\n  NAME: KgCoOp\n";
    let meta = of_log(&kgcoop(), knowledge);
    assert_eq!(meta.template, "a photo of a {}.");
    assert_eq!(
        meta.prompt_config().unwrap().guidance,
        Some(Guidance::Knowledge { weight: 3.0 })
    );
    assert_eq!(
        meta.prompt_config().unwrap().templates,
        ["a photo of a {}, a type of texture."]
    );
}

#[test]
fn an_adapter_saved_and_read_is_the_same_and_its_trainer_finds_it() {
    let cases: [(Tensors, &str, &str); 5] = [
        (coop(4), "prograd", "prompt_learner"),
        (class_specific(), "coop", "prompt_learner"),
        (kgcoop(), "kgcoop", "prompt_learner"),
        (cocoop(), "cocoop", "prompt_learner"),
        (maple(), "maple", "MultiModalPromptLearner"),
    ];
    for (tensors, method, folder) in cases {
        let supplement = Supplement {
            method: Some(method.to_string()),
            class_names: names(5),
            ..given()
        };
        let adapter = adapter(&tensors, &supplement);
        let run = tempfile::tempdir().expect("a folder");
        let saved = save(&adapter, run.path(), 7, false).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(saved.file, run.path().join(folder).join("model.pth.tar-7"));
        let again = ReferenceCheckpoint::open(&saved.file).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(again.method.as_deref(), Some(method));
        let read = again.adapter(&Supplement::default());
        assert!(
            read.unwrap_or_else(|e| panic!("{e}")) == adapter,
            "{method}"
        );
        // Under the names of the trainer's own file.
        let file = promptsrc_pickle::TorchFile::open(&saved.file).expect("a torch file");
        let theirs: Vec<String> = tensors
            .iter()
            .map(|(name, _)| format!("state_dict.{name}"))
            .collect();
        assert!(
            file.tensors().keys().all(|name| theirs.contains(name)),
            "{method}"
        );
        assert_eq!(file.tensors().len(), adapter.parameters.iter().count());
    }
}

/// The record of an adapter keeps its settings where another method of the same parameters is asked for.
#[test]
fn a_saved_adapter_may_become_one_of_another_method_of_its_form() {
    let supplement = Supplement {
        class_position: Some(ClassPosition::Front),
        ctx_init: Some(String::new()),
        ..given()
    };
    let adapter = adapter(&coop(4), &supplement);
    let run = tempfile::tempdir().expect("a folder");
    let saved = save(&adapter, run.path(), 7, false).expect("saved");
    let again = ReferenceCheckpoint::open(&saved.file).expect("a checkpoint");
    let of = |method: &str| {
        again.adapter(&Supplement {
            method: Some(method.to_string()),
            ..Supplement::default()
        })
    };
    let meta = of("prograd").expect("an adapter").meta;
    assert_eq!(
        (meta.config.method(), meta.template.as_str()),
        ("prograd", "{} X X X X.")
    );
    assert!(meta.prompt_config().unwrap().guidance.is_some());
    // KgCoOp has no other place.
    assert!(matches!(
        of("kgcoop"),
        Err(ReferenceCheckpointError::Config { .. })
    ));
    assert!(matches!(
        of("maple"),
        Err(ReferenceCheckpointError::OtherMethod { .. })
    ));
}

#[test]
fn changed_files_do_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let supplement = Supplement {
        class_names: names(5),
        ..given()
    };
    for tensors in [class_specific(), kgcoop(), cocoop(), maple()] {
        let path = write(folder.path(), &tensors);
        let bytes = std::fs::read(&path).expect("a file");
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x15;
            std::fs::write(&path, &changed).expect("room");
            // It may succeed or fail, but not panic.
            if let Ok(found) = ReferenceCheckpoint::open(&path) {
                let _ = found.adapter(&supplement);
            }
        }
    }
}
