//! Other trainers equal the reference's through the same loop: IVLP and CoOp as methods of the registry,
//! and MaPLe's and CoCoOp's forms as prompt models that only this test knows.

mod common;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use common::*;
use promptsrc::config::{ConfigError, PromptConfig};
use promptsrc::methods::{Request, layer_prompts::LayerPrompts, prompt_method};
use promptsrc::training::TrainingState;
use promptsrc::{
    Classifier, Leaves, Overrides, Parameter, Parameters, Preset, PromptModel, TowerPrompts,
    TrainConfig, Training,
};
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
            gradients: group("gradients of step 0 (relative)"),
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

/// The configuration of a case's method, and its prompt model.
type Setup = (TrainConfig, fn(&TrainConfig) -> Box<dyn PromptModel>);

/// Compares each case of a trainer that `setup` takes; it is given the trainer's options.
fn compare(trainer: &str, setup: impl Fn(&dyn Fn(&str) -> Value) -> Option<Setup>) {
    if !goldens::has("trainers") {
        return;
    }
    let mut groups = Groups::new(trainer);
    for case in goldens::cases("trainers") {
        let json = goldens::json(format!("trainers/{case}.json"));
        if json["trainer"] != trainer {
            continue;
        }
        let prefix = format!("TRAINER.{}", trainer.to_uppercase());
        let option = |key: &str| json["options"][format!("{prefix}.{key}")].clone();
        if let Some((mut config, model)) = setup(&option) {
            config.epochs = number(&json["epochs"]) as usize;
            config.optim.lr = number(&json["lr"]);
            compare_case(&case, &json, config, model, &mut groups);
        }
    }
    groups.finish(trainer);
}

fn compare_case(
    case: &str,
    json: &Value,
    config: TrainConfig,
    model: fn(&TrainConfig) -> Box<dyn PromptModel>,
    g: &mut Groups,
) {
    g.cases += 1;
    let clip = tiny();
    let batch_file = batch_file();
    let file = Tensors::read(format!("trainers/{case}.safetensors"));
    let names = strings(&json["classnames"]);
    let initial = parameters(&file, "init/");
    let images = batch_file.get("eval_images");
    let mut check_logits = |parameters: &Parameters, key: &str, step: Step| {
        let classifier = Classifier::with_model(&clip, model(&config), parameters, &names).unwrap();
        let found = widen(&classifier.logits(images.f32(), images.shape[0]));
        let what = format!("{case}: {key}");
        let tolerance = tolerance(json, Quantity::Logits, step);
        g.logits
            .absolute(&what, &found, &file.get(key).data, tolerance);
    };
    check_logits(&initial, "eval_logits_init", Step::First);
    let state = TrainingState {
        epoch: 0,
        parameters: initial,
        velocity: Default::default(),
        aggregate: Default::default(),
    };
    let mut training =
        Training::with_model(&clip, config.clone(), model(&config), &names, state).unwrap();
    let steps = number(&json["steps"]) as usize;
    let batches = batches(&batch_file);
    for step in 0..steps {
        let (images, labels) = &batches[step];
        let found = training.gradients(images.clone(), labels);
        training.apply(&found);
        let expected = [number(&json["losses_per_step"][step])];
        let loss_tolerance = tolerance(json, Quantity::Loss, Step::number(step));
        let loss = [found.losses.total.into()];
        g.losses.absolute(
            &format!("{case}: step {step}"),
            &loss,
            &expected,
            loss_tolerance,
        );
        if step == 0 {
            let parameters = training.state().parameters.iter();
            for (parameter, gradient) in parameters.zip(&found.gradients) {
                let what = format!("{case}: {}", parameter.name);
                let expected = &file.get(&format!("step0/grad/{}", parameter.name)).data;
                let gradient_tolerance = tolerance(json, Quantity::Gradient, Step::First);
                g.gradients
                    .relative(&what, &widen(gradient), expected, gradient_tolerance);
                let expected = &file.get(&format!("step0/after/{}", parameter.name)).data;
                let moved_tolerance = tolerance(json, Quantity::Prompts, Step::First);
                g.moved
                    .absolute(&what, &widen(&parameter.values), expected, moved_tolerance);
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
    request.resolve().unwrap()
}

fn registered(config: &TrainConfig) -> Box<dyn PromptModel> {
    prompt_method(&config.method).unwrap().prompt_model(config)
}

#[test]
fn parity_ivlp_equals_the_reference_trainer() {
    compare("IVLP", |option| {
        let overrides = Overrides {
            vision_depth: count(option("PROMPT_DEPTH_VISION")),
            text_depth: count(option("PROMPT_DEPTH_TEXT")),
            vision_context: count(option("N_CTX_VISION")),
            text_context: count(option("N_CTX_TEXT")),
            ctx_init: words(&option("CTX_INIT")),
            ..Overrides::default()
        };
        Some((resolved("ivlp", &overrides), registered))
    });
}

#[test]
fn parity_coop_equals_the_reference_trainer() {
    compare("CoOp", |option| {
        let shared = option("CSC") == false;
        let end = option("CLASS_TOKEN_POSITION") == "end";
        let ctx_init = words(&option("CTX_INIT"));
        let overrides = Overrides {
            // The published program takes the number of tokens from the words, where there are any.
            text_context: count(option("N_CTX")).filter(|_| ctx_init.is_none()),
            ctx_init,
            ..Overrides::default()
        };
        (shared && end).then(|| (resolved("coop", &overrides), registered as _))
    });
}

/// MaPLe's form: deep text prompts, and visual prompts that are linear projections of them.
#[derive(Debug)]
struct Projected(PromptConfig);

impl Projected {
    fn text(&self, layer: usize) -> String {
        match layer {
            0 => "prompt_learner.ctx".into(),
            l => format!("prompt_learner.compound_prompts_text.{}", l - 1),
        }
    }

    fn projection(&self, layer: usize) -> String {
        match layer {
            0 => "prompt_learner.proj".into(),
            l => format!("prompt_learner.compound_prompt_projections.{}", l - 1),
        }
    }
}

impl PromptModel for Projected {
    fn prompt_prefix(&self) -> String {
        LayerPrompts::new(&self.0).prompt_prefix()
    }

    fn n_ctx_text(&self) -> usize {
        self.0.n_ctx_text
    }

    fn shapes(&self, clip: &ClipModel) -> Vec<(String, Vec<usize>)> {
        let (text, vision) = (clip.text().width(), clip.vision().width());
        let of_layer = |layer| {
            let projection = self.projection(layer);
            [
                (self.text(layer), vec![self.0.n_ctx_text, text]),
                (format!("{projection}.weight"), vec![vision, text]),
                (format!("{projection}.bias"), vec![vision]),
            ]
        };
        (0..self.0.depth_text).flat_map(of_layer).collect()
    }

    fn initial(&self, clip: &ClipModel, _seed: u64) -> Result<Parameters, ConfigError> {
        let zero = |(name, shape): (String, Vec<usize>)| Parameter {
            values: vec![0.0; shape.iter().product()],
            name,
            shape,
        };
        Ok(Parameters::new(
            self.shapes(clip).into_iter().map(zero).collect(),
        )?)
    }

    fn prompts(&self, parameters: &Leaves) -> TowerPrompts {
        let mut prompts = TowerPrompts::default();
        for layer in 0..self.0.depth_text {
            let projection = self.projection(layer);
            let text: Tensor<2> = parameters.get(&self.text(layer)).unwrap();
            prompts
                .vision
                .push(linear(parameters, &projection, text.clone()));
            prompts.text.push(text);
        }
        prompts
    }
}

/// `x W^T + b`, `[rows, inputs]` -> `[rows, outputs]`.
fn linear(parameters: &Leaves, name: &str, x: Tensor<2>) -> Tensor<2> {
    let weight: Tensor<2> = parameters.get(&format!("{name}.weight")).unwrap();
    let bias: Tensor<1> = parameters.get(&format!("{name}.bias")).unwrap();
    x.matmul(weight.transpose()) + bias.unsqueeze()
}

#[test]
fn parity_visual_prompts_projected_from_text_prompts_learn_as_in_maple() {
    compare("MaPLe", |option| {
        let mut config = resolved("ivlp", &Overrides::default());
        config.prompts.n_ctx_text = count(option("N_CTX"))?;
        config.prompts.depth_text = count(option("PROMPT_DEPTH"))?;
        config.prompts.ctx_init = words(&option("CTX_INIT")).unwrap_or_default();
        Some((config, |config| Box::new(Projected(config.prompts.clone()))))
    });
}

/// CoCoOp's form: a shift of the context that a small network computes from the image.
#[derive(Debug)]
struct Conditioned(PromptConfig);

const NET: &str = "prompt_learner.meta_net";
/// The hidden layer has one unit for so many of the embedding.
const REDUCTION: usize = 16;

impl PromptModel for Conditioned {
    fn prompt_prefix(&self) -> String {
        LayerPrompts::of_any_words(&self.0).prompt_prefix()
    }

    fn n_ctx_text(&self) -> usize {
        self.0.n_ctx_text
    }

    fn shapes(&self, clip: &ClipModel) -> Vec<(String, Vec<usize>)> {
        let (width, embed_dim) = (clip.text().width(), clip.config().embed_dim);
        let hidden = embed_dim / REDUCTION;
        vec![
            ("prompt_learner.ctx".into(), vec![self.0.n_ctx_text, width]),
            (format!("{NET}.linear1.weight"), vec![hidden, embed_dim]),
            (format!("{NET}.linear1.bias"), vec![hidden]),
            (format!("{NET}.linear2.weight"), vec![width, hidden]),
            (format!("{NET}.linear2.bias"), vec![width]),
        ]
    }

    fn initial(&self, clip: &ClipModel, seed: u64) -> Result<Parameters, ConfigError> {
        LayerPrompts::of_any_words(&self.0).initial(clip, seed)
    }

    fn prompts(&self, _: &Leaves) -> TowerPrompts {
        TowerPrompts::default()
    }

    fn is_conditioned(&self) -> bool {
        true
    }

    fn text_prompts_for_image(
        &self,
        parameters: &Leaves,
        image_feature: &Tensor<2>,
    ) -> Option<Vec<Tensor<2>>> {
        let context: Tensor<2> = parameters.get("prompt_learner.ctx")?;
        let hidden = relu(linear(
            parameters,
            &format!("{NET}.linear1"),
            image_feature.clone(),
        ));
        let shift = linear(parameters, &format!("{NET}.linear2"), hidden); // [1, width]
        Some(vec![context + shift])
    }
}

#[test]
fn parity_text_prompts_conditioned_on_the_image_learn_as_in_cocoop() {
    compare("CoCoOp", |option| {
        let mut config = resolved("ivlp", &Overrides::default());
        let words = words(&option("CTX_INIT"));
        config.prompts.n_ctx_text = match &words {
            Some(words) => words.split(' ').count(),
            None => count(option("N_CTX"))?,
        };
        config.prompts.ctx_init = words.unwrap_or_default();
        Some((config, |config| {
            Box::new(Conditioned(config.prompts.clone()))
        }))
    });
}
