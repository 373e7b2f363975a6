//! Training equals the reference's: losses, gradients, prompts of every epoch, aggregation, logits.

mod common;

use common::*;
use promptsrc::class_texts::{prompt_tokens, teacher_text_features};
use promptsrc::methods::prompt_method;
use promptsrc::{Classifier, Parameters, Training};
use promptsrc_goldens::{
    self as goldens, Group, Quantity, Step, Tensors, number, numbers, strings, tabled, tolerance,
};

struct Groups {
    tokens: Group,
    teacher: Group,
    features: Group,
    step0_logits: Group,
    losses: Group,
    gradients: Group,
    step0_prompts: Group,
    later_losses: Group,
    step_logits: Group,
    epoch_prompts: Group,
    learning_rates: Group,
    gpa_weights: Group,
    gpa_prompts: Group,
    final_logits: Group,
}

#[test]
fn parity_training_equals_the_oracle_case_by_case() {
    if !goldens::has("train") {
        return;
    }
    let mut g = Groups {
        tokens: Group::new("train/tokens"),
        teacher: Group::new("train/teacher text features"),
        features: Group::new("train/unit features of step 0"),
        step0_logits: Group::new("train/logits of step 0"),
        losses: Group::new("train/loss terms of step 0"),
        gradients: Group::new("train/gradients of step 0 (relative)"),
        step0_prompts: Group::new("train/prompts after step 0"),
        later_losses: Group::new("train/loss terms of later steps"),
        step_logits: Group::new("train/logits of later steps"),
        epoch_prompts: Group::new("train/prompts after every epoch"),
        learning_rates: Group::new("train/learning rate of every epoch"),
        gpa_weights: Group::new("train/aggregation weights"),
        gpa_prompts: Group::new("train/aggregated prompts"),
        final_logits: Group::new("train/logits after training"),
    };
    let cases = goldens::cases("train");
    for case in &cases {
        compare(case, &mut g);
    }
    let n = cases.len();
    assert!(n > 0, "no case in {}", goldens::path("train").display());
    g.tokens.finish(n);
    g.teacher.finish(n);
    g.features.finish(4 * n);
    g.step0_logits.finish(2 * n);
    g.losses.finish(5 * n);
    g.gradients.finish(n);
    g.step0_prompts.finish(n);
    g.later_losses.finish(n);
    g.step_logits.finish(n);
    g.epoch_prompts.finish(n);
    g.learning_rates.finish(n);
    g.gpa_weights.finish(n);
    g.gpa_prompts.finish(n);
    g.final_logits.finish(2 * n);
}

fn compare(case: &str, g: &mut Groups) {
    let json = goldens::json(format!("train/{case}.json"));
    let file = Tensors::read(format!("train/{case}.safetensors"));
    let named = |key: &str| goldens::path("train").join(json["files"][key].as_str().expect(key));
    let batch_file = Tensors::read_file(&named("batches"));
    let clip = clip(&named("clip"));
    let names = strings(&json["classnames"]);
    let config = config(&json);
    let epochs = config.epochs;

    let model = prompt_method(&config.method).unwrap().prompt_model(&config);
    let prefix = model.prompt_prefix();
    g.tokens.equal(
        &format!("{case}: prompt prefix"),
        &prefix.as_str(),
        &json["prompt_lead"].as_str().unwrap(),
    );
    let tokens = prompt_tokens(&clip, &prefix, &names).unwrap();
    let expected = file.get("tokens");
    for (row, ids) in expected.i64().chunks(expected.shape[1]).zip(&tokens) {
        let mut padded: Vec<i64> = ids.iter().map(|i| i64::from(*i)).collect();
        padded.resize(expected.shape[1], 0);
        g.tokens.equal(case, &padded, &row.to_vec());
    }
    let teacher = teacher_text_features(&clip, &names, &config.templates, &mut |_, _| ()).unwrap();
    g.teacher.absolute(
        case,
        &host(teacher),
        &file.get("teacher_text_raw").data,
        tolerance(&json, Quantity::Features, Step::First),
    );

    let initial = parameters(&file, "init/");
    let drawn = model.initial(&clip, names.len(), 0).unwrap();
    let shapes = |p: &Parameters| {
        let shape = |p: &promptsrc::Parameter| (p.name.clone(), p.shape.clone());
        p.iter()
            .map(shape)
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    g.tokens.equal(
        &format!("{case}: names and shapes"),
        &shapes(&drawn),
        &shapes(&initial),
    );
    if !prefix.starts_with('X') {
        let words = |p: &Parameters| p.get("prompt_learner.ctx").unwrap().values.clone();
        g.tokens.equal(
            &format!("{case}: initial words"),
            &words(&drawn),
            &words(&initial),
        );
    }

    let mut learner = Training::from_parameters(&clip, config.clone(), &names, initial).unwrap();
    let batches = batches(&batch_file);
    let per_epoch = number(&json["steps_per_epoch"]) as usize;
    assert_eq!(batches.len(), epochs * per_epoch, "{case}: batches");
    let losses_of_steps = json["losses_per_step"].as_array().expect("losses");
    let first = |quantity| tolerance(&json, quantity, Step::First);
    let later = |quantity| tolerance(&json, quantity, Step::Later);

    for epoch in 0..epochs {
        let lr = [learner.learning_rate()];
        let expected = [number(&json["lr_per_epoch"][epoch])];
        g.learning_rates.absolute(
            &format!("{case}: epoch {}", epoch + 1),
            &lr,
            &expected,
            tabled("learning_rate") * config.optim.lr,
        );
        for (i, (images, labels)) in batches
            .iter()
            .enumerate()
            .skip(epoch * per_epoch)
            .take(per_epoch)
        {
            let step = learner.gradients(images.clone(), labels);
            learner.apply(&step);
            let what = format!("{case}: step {i}");
            let values = [
                ("ce", step.losses.ce),
                ("scl_text", step.losses.scl_text),
                ("scl_image", step.losses.scl_image),
                ("scl_logits", step.losses.scl_logits),
                ("total", step.losses.total),
            ];
            for (key, value) in values {
                let expected = [number(&losses_of_steps[i][key])];
                let what = format!("{what}: {key}");
                let tolerance = tolerance(&json, Quantity::Loss, Step::number(i));
                let group = if i == 0 {
                    &mut g.losses
                } else {
                    &mut g.later_losses
                };
                group.absolute(&what, &[value.into()], &expected, tolerance);
            }
            let logits = host(step.student.logits.clone());
            if i > 0 {
                let expected = &file.get(&format!("step{i}/logits")).data;
                g.step_logits
                    .absolute(&what, &logits, expected, later(Quantity::Logits));
                continue;
            }
            let teacher = step.teacher.clone().expect("a frozen pass");
            let expected = |name: &str| file.get(&format!("step0/{name}")).data.clone();
            let tolerance = first(Quantity::Logits);
            g.step0_logits
                .absolute(&what, &logits, &expected("logits"), tolerance);
            let frozen = host(teacher.logits);
            g.step0_logits
                .absolute(&what, &frozen, &expected("teacher_logits"), tolerance);
            for (name, features) in [
                ("text_features", step.student.text.clone()),
                ("image_features", step.student.image.clone()),
                ("teacher_text_features", teacher.text),
                ("teacher_image_features", teacher.image),
            ] {
                let tolerance = first(Quantity::UnitFeatures);
                g.features
                    .absolute(&what, &host(features), &expected(name), tolerance);
            }
            for (prompt, gradient) in learner.state().parameters.iter().zip(&step.gradients) {
                let what = format!("{what}: {}", prompt.name);
                let expected = &file.get(&format!("step0/grad/{}", prompt.name)).data;
                g.gradients
                    .relative(&what, &widen(gradient), expected, first(Quantity::Gradient));
                let expected = &file.get(&format!("step0/after/{}", prompt.name)).data;
                let found = widen(&prompt.values);
                g.step0_prompts
                    .absolute(&what, &found, expected, first(Quantity::Prompts));
            }
        }
        learner.end_epoch().expect("finite values");
        for prompt in learner.state().parameters.iter() {
            let name = format!("epoch{}/{}", epoch + 1, prompt.name);
            let found = widen(&prompt.values);
            let expected = &file.get(&name).data;
            g.epoch_prompts.absolute(
                &format!("{case}: {name}"),
                &found,
                expected,
                later(Quantity::Prompts),
            );
        }
    }
    let weights = promptsrc::aggregation::gaussian_weights(
        epochs,
        config.aggregation.as_ref().expect("an aggregation"),
    );
    g.gpa_weights.absolute(
        case,
        &weights,
        &numbers(&json["gpa"]["weights"]),
        tabled("aggregation_weights"),
    );
    let learned = learner.learned();
    for prompt in learned.iter() {
        let expected = &file.get(&format!("gpa/{}", prompt.name)).data;
        let what = format!("{case}: {}", prompt.name);
        g.gpa_prompts.absolute(
            &what,
            &widen(&prompt.values),
            expected,
            later(Quantity::Prompts),
        );
    }
    for (key, prompts) in [
        ("eval_logits_last_epoch", &learner.state().parameters),
        ("eval_logits_gpa", &learned),
    ] {
        let images = batch_file.get("eval_images");
        let classifier = Classifier::prompted(&clip, &config, prompts, &names).unwrap();
        let logits = widen(&classifier.logits(images.f32(), images.shape[0]));
        let what = format!("{case}: {key}");
        g.final_logits
            .absolute(&what, &logits, &file.get(key).data, later(Quantity::Logits));
    }
}
