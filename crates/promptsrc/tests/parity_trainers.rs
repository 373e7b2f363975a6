//! The other methods equal the reference's trainers through the same loop.

mod common;

use common::*;
use promptsrc::config::{ClassPosition, Guidance};
use promptsrc::methods::{Request, prompt_model};
use promptsrc::{Classifier, Overrides, Parameters, Preset, TrainConfig, Training};
use promptsrc_clip::ClipModel;
use promptsrc_goldens::{
    self as goldens, Group, Quantity, Step, Tensors, number, strings, tolerance,
};
use serde_json::Value;

struct Groups {
    losses: Group,
    gradients: Group,
    moved: Group,
    logits: Group,
    cases: usize,
}

impl Groups {
    fn new(trainer: &str) -> Self {
        let group = |what: &str| Group::new(&format!("trainers/{trainer} {what}"));
        Self {
            losses: group("losses"),
            gradients: group("gradients (relative)"),
            moved: group("parameters and momentum"),
            logits: group("logits"),
            cases: 0,
        }
    }

    fn finish(self, trainer: &str) {
        let folder = goldens::path("trainers");
        assert!(self.cases > 0, "no {trainer} case in {}", folder.display());
        self.losses.finish(self.cases);
        self.gradients.finish(self.cases);
        self.moved.finish(self.cases);
        self.logits.finish(2 * self.cases);
    }
}

/// Compares each case of a trainer, whose options begin with `TRAINER.<section>`; `settings` is given
/// the trainer's options and the case.
fn compare(
    trainer: &str,
    section: &str,
    settings: impl Fn(&dyn Fn(&str) -> Value, &Value) -> Overrides,
) {
    if !goldens::has("trainers") {
        return;
    }
    let mut groups = Groups::new(trainer);
    for case in goldens::cases("trainers") {
        let json = goldens::json(format!("trainers/{case}.json"));
        if json["trainer"] != trainer {
            continue;
        }
        let option = |key: &str| json["options"][format!("TRAINER.{section}.{key}")].clone();
        let mut config = resolved(&trainer.to_lowercase(), &settings(&option, &json));
        config.epochs = number(&json["epochs"]) as usize;
        config.optim.lr = number(&json["lr"]);
        compare_case(&case, &json, config, &mut groups);
    }
    groups.finish(trainer);
}

fn compare_case(case: &str, json: &Value, config: TrainConfig, g: &mut Groups) {
    g.cases += 1;
    let clip = tiny();
    let batch_file = batch_file();
    let file = Tensors::read(format!("trainers/{case}.safetensors"));
    let names = strings(&json["classnames"]);
    let initial = parameters(&file, "init/");
    check_start(case, &clip, &config, &initial, names.len());
    let images = batch_file.get("eval_images");
    let mut check_logits = |parameters: &Parameters, key: &str, step: Step| {
        let classifier = Classifier::prompted(&clip, &config, parameters, &names).unwrap();
        let found = widen(&classifier.logits(images.f32(), images.shape[0]));
        let what = format!("{case}: {key}");
        let tolerance = tolerance(json, Quantity::Logits, step);
        g.logits
            .absolute(&what, &found, &file.get(key).data, tolerance);
    };
    check_logits(&initial, "eval_logits_init", Step::First);
    let mut training = Training::from_parameters(&clip, config.clone(), &names, initial).unwrap();
    let steps = number(&json["steps"]) as usize;
    let batches = batches(&batch_file);
    for step in 0..steps {
        let (images, labels) = &batches[step];
        let found = training.gradients(images.clone(), labels);
        training.apply(&found);
        let of_step = Step::number(step);
        let mut check_loss = |name: &str, found: f32, expected: &Value| {
            let tolerance = tolerance(json, Quantity::Loss, of_step);
            let what = format!("{case}: step {step} {name}");
            g.losses
                .absolute(&what, &[found.into()], &[number(expected)], tolerance);
        };
        check_loss("total", found.losses.total, &json["losses_per_step"][step]);
        let terms = &json["loss_terms_per_step"][step];
        for (name, value) in [
            ("ce", found.losses.ce),
            ("xe", found.losses.ce),
            ("kl", found.losses.teacher_ce),
        ] {
            if !terms[name].is_null() {
                check_loss(name, value, &terms[name]);
            }
        }
        if let (Some(Guidance::Knowledge { weight }), false) =
            (config.guidance, terms["score"].is_null())
        {
            let score = found.losses.knowledge / weight as f32;
            check_loss("score", score, &terms["score"]);
        }
        let [own, guide] = match &found.unprojected {
            Some([own, guide]) => [Some(own), Some(guide)],
            None => [None, None],
        };
        let gradients = [
            ("grad", Some(&found.gradients)),
            ("grad_xe", own),
            ("grad_kl", guide),
        ];
        for (place, parameter) in training.state().parameters.iter().enumerate() {
            let name = &parameter.name;
            let what = format!("{case}: step {step} {name}");
            for (kind, gradients) in gradients {
                let key = format!("step{step}/{kind}/{name}");
                let (Some(gradients), true) = (gradients, file.has(&key)) else {
                    continue;
                };
                let tolerance = tolerance(json, Quantity::Gradient, of_step);
                let (found, expected) = (widen(&gradients[place]), &file.get(&key).data);
                g.gradients.relative(&what, &found, expected, tolerance);
            }
            let key = format!("step{step}/after/{name}");
            if file.has(&key) {
                let tolerance = tolerance(json, Quantity::Prompts, of_step);
                let (found, expected) = (widen(&parameter.values), &file.get(&key).data);
                g.moved.absolute(&what, &found, expected, tolerance);
            }
        }
        if (step + 1) % (steps / config.epochs) == 0 {
            training.end_epoch().expect("finite values");
            for parameter in training.state().parameters.iter() {
                let name = format!("epoch{}/{}", training.state().epoch, parameter.name);
                let expected = &file.get(&name).data;
                let moved_tolerance = tolerance(json, Quantity::Prompts, Step::Later);
                let what = format!("{case}: {name}");
                g.moved
                    .absolute(&what, &widen(&parameter.values), expected, moved_tolerance);
            }
        }
    }
    for (name, velocity) in &training.state().velocity {
        let expected = &file.get(&format!("momentum/{name}")).data;
        let what = format!("{case}: momentum of {name}");
        let momentum_tolerance = tolerance(json, Quantity::Momentum, Step::Later);
        g.moved
            .relative(&what, &widen(velocity), expected, momentum_tolerance);
    }
    check_logits(&training.learned(), "eval_logits_final", Step::Later);
}

/// The parameters have the reference's names and shapes, and a context that is initialised with words
/// begins as the reference's does.
fn check_start(
    case: &str,
    clip: &ClipModel,
    config: &TrainConfig,
    expected: &Parameters,
    classes: usize,
) {
    let model = prompt_model(config).unwrap();
    expected
        .check(&model.shapes(clip, classes), &config.method)
        .unwrap();
    let drawn = model.initial(clip, classes, 0).unwrap();
    assert_eq!(drawn.count(), expected.count(), "{case}");
    let context = "prompt_learner.ctx";
    if model.prompt_prefix().split(' ').any(|word| word != "X") {
        assert_eq!(drawn.get(context), expected.get(context), "{case}");
    }
}

/// The batches that the cases of `train/` name.
fn batch_file() -> Tensors {
    let case = goldens::cases("train").into_iter().next().expect("a case");
    let json: Value = goldens::json(format!("train/{case}.json"));
    let name = json["files"]["batches"].as_str().expect("a file name");
    Tensors::read(format!("train/{name}"))
}

fn count(value: Value) -> Option<usize> {
    value.as_u64().map(|n| n as usize)
}

/// The words of an option; none where they are empty.
fn words(value: &Value) -> Option<String> {
    let words = value.as_str().filter(|words| !words.is_empty());
    words.map(str::to_string)
}

/// A method's configuration as `train` would resolve it.
fn resolved(method: &str, overrides: &Overrides) -> TrainConfig {
    let request = Request {
        method,
        preset: Some(Preset::FewShot),
        default_preset: Preset::FewShot,
        is_mini: false,
        data_set: "",
        shots: Some(16),
        seed: 1,
        overrides,
    };
    request.resolve().unwrap().prompts().unwrap().clone()
}

#[test]
fn parity_ivlp_equals_the_reference_trainer() {
    compare("IVLP", "IVLP", |option, _| Overrides {
        vision_depth: count(option("PROMPT_DEPTH_VISION")),
        text_depth: count(option("PROMPT_DEPTH_TEXT")),
        vision_context: count(option("N_CTX_VISION")),
        text_context: count(option("N_CTX_TEXT")),
        ctx_init: words(&option("CTX_INIT")),
        ..Overrides::default()
    });
}

#[test]
fn parity_coop_equals_the_reference_trainer() {
    compare("CoOp", "COOP", |option, _| {
        let context = context(option);
        let no_words = context.ctx_init.as_deref() == Some("");
        Overrides {
            class_specific: no_words && option("CSC") == true,
            class_position: position(&option("CLASS_TOKEN_POSITION")),
            ..context
        }
    });
}

#[test]
fn parity_maple_equals_the_reference_trainer() {
    compare("MaPLe", "MAPLE", |option, _| Overrides {
        text_context: count(option("N_CTX")),
        text_depth: count(option("PROMPT_DEPTH")),
        ctx_init: words(&option("CTX_INIT")).or(Some(String::new())),
        ..Overrides::default()
    });
}

#[test]
fn parity_cocoop_equals_the_reference_trainer() {
    compare("CoCoOp", "COCOOP", |option, _| context(option));
}

#[test]
fn parity_kgcoop_equals_the_reference_trainer() {
    compare("KgCoOp", "COOP", |option, json| {
        // The option is only tested for truth; the words are always the same ones.
        let words = (!words_are_off(&option("CTX_INIT"))).then(|| "a photo of a".to_string());
        Overrides {
            text_context: count(option("N_CTX")).filter(|_| words.is_none()),
            class_specific: words.is_none() && option("CSC") == true,
            ctx_init: words.or(Some(String::new())),
            kg_weight: Some(number(&option("W"))),
            templates: Some(vec![text(&json["fixed_template"])]),
            ..Overrides::default()
        }
    });
}

#[test]
fn parity_prograd_equals_the_reference_trainer() {
    compare("ProGrad", "COOP", |option, json| {
        let template = text(&json["fixed_template"]);
        let starts_from_words = !words_are_off(&option("CTX_INIT"));
        let loss = |key: &str| number(&json["options"][format!("LOSS.{key}")]);
        Overrides {
            text_context: count(option("N_CTX")),
            class_specific: !starts_from_words && option("CSC") == true,
            class_position: position(&option("CLASS_TOKEN_POSITION")),
            ctx_init: Some(match starts_from_words {
                true => template.replace(" {}.", ""),
                false => String::new(),
            }),
            prograd_lambda: Some(loss("LAMBDA")),
            prograd_temperature: Some(loss("T")),
            templates: Some(vec![template]),
            ..Overrides::default()
        }
    });
}

fn words_are_off(option: &Value) -> bool {
    option == false || option == ""
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_string()
}

fn position(option: &Value) -> Option<ClassPosition> {
    Some(text(option).parse().expect("a position"))
}

/// CoOp's options of the context. The published program takes the number of tokens from the words,
/// where there are any, and then has one context for all classes.
fn context(option: &dyn Fn(&str) -> Value) -> Overrides {
    let words = words(&option("CTX_INIT"));
    Overrides {
        text_context: count(option("N_CTX")).filter(|_| words.is_none()),
        ctx_init: words.or(Some(String::new())),
        ..Overrides::default()
    }
}
