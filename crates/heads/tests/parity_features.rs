//! The heads equal the published programs on recorded features: every quantity of `features/`.
//!
//! The features and the batches of each step are given, so that nothing random is left; settings, expected values and
//! tolerances are those of each case's JSON.

use promptsrc_goldens::{
    self as goldens, Group, Tensors, number, numbers, relative_distance, stated, tabled,
};
use promptsrc_heads::{
    AdamWSettings, ClapSettings, ClapTraining, ClipAdapter, ClipAdapterSettings,
    ClipAdapterTraining, Constraint, Features, FewShot, Fitted, Head, LinearProbe,
    LinearProbeSettings, Lpp, LppSettings, LppTraining, Progress, Prototypes, Recorded,
    SgdSettings, TipAdapter, TipAdapterFSettings, TipAdapterSettings, TipAdapterTraining,
    TrainFeatures, right_rows,
};
use serde_json::Value;

fn silent(_: Progress) {}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn labels(file: &Tensors, name: &str) -> Vec<usize> {
    let labels = file.get(name).i64();
    labels
        .iter()
        .map(|l| usize::try_from(*l).unwrap())
        .collect()
}

fn features(file: &Tensors, split: &str, suffix: &str) -> Features {
    let tensor = file.get(&format!("{split}_{suffix}"));
    Features {
        dim: tensor.shape[1],
        values: tensor.f32(),
        labels: labels(file, &format!("{split}_labels")),
    }
}

/// One method's case, and the features that the cases share.
struct Case {
    json: Value,
    file: Tensors,
    inputs: Tensors,
    group: Group,
    /// Largest error as a share of its tolerance, and of what.
    largest_share: (f64, String),
}

impl Case {
    /// None where the folder of goldens has no such case.
    fn read(name: &str) -> Option<Self> {
        if !goldens::has(format!("features/{name}.json")) {
            return None;
        }
        let json: Value = goldens::json(format!("features/{name}.json"));
        let inputs = json["inputs"].as_str().expect("a file name");
        Some(Self {
            file: Tensors::read(format!("features/{name}.safetensors")),
            inputs: Tensors::read(format!("features/{inputs}")),
            group: Group::new(&format!("features/{name}")),
            largest_share: (0.0, String::new()),
            json,
        })
    }

    fn number(&self, key: &str) -> f64 {
        number(&self.json[key])
    }

    fn train(&self, suffix: &str) -> TrainFeatures {
        let one = features(&self.inputs, "train", suffix);
        TrainFeatures {
            dim: one.dim,
            views: vec![one.values],
            labels: one.labels,
        }
    }

    /// The passes of which the cache is made.
    fn passes(&self) -> TrainFeatures {
        let tensor = self.inputs.get("train_features_raw_augmented");
        let [passes, rows, dim] = tensor.shape[..] else {
            panic!("passes of shape {:?}", tensor.shape)
        };
        assert_eq!(passes as f64, self.number("augment_epoch"));
        TrainFeatures {
            dim,
            views: tensor
                .f32()
                .chunks_exact(rows * dim)
                .map(<[f32]>::to_vec)
                .collect(),
            labels: labels(&self.inputs, "train_labels"),
        }
    }

    /// `[epoch][step][row]`.
    fn order(&self) -> Recorded {
        let tensor = self.inputs.get("batch_order");
        let [_, steps, size] = tensor.shape[..] else {
            panic!("a batch order of shape {:?}", tensor.shape)
        };
        let rows: Vec<usize> = tensor.i64().iter().map(|row| *row as usize).collect();
        let epochs = rows.chunks_exact(steps * size);
        Recorded(
            epochs
                .map(|epoch| epoch.chunks_exact(size).map(<[usize]>::to_vec).collect())
                .collect(),
        )
    }

    fn sgd(&self) -> SgdSettings {
        let order = self.order();
        let rates = numbers(&self.json["lrs_per_epoch"]);
        assert_eq!(rates.len(), order.0.len());
        let lr = self.number("lr");
        let warmup_epochs = rates.iter().take_while(|rate| **rate != lr).count();
        SgdSettings {
            lr,
            momentum: self.number("momentum"),
            weight_decay: self.number("weight_decay"),
            warmup_epochs,
            warmup_lr: rates[0],
            epochs: rates.len(),
            batch_size: order.0[0][0].len(),
        }
    }

    fn check(&mut self, what: &str, found: &[f32], quantity: &str) {
        let expected = self.file.get(what).data.clone();
        self.absolute(what, &widen(found), &expected, stated(&self.json, quantity));
    }

    fn check_relative(&mut self, what: &str, found: &[f32], quantity: &str) {
        let expected = self.file.get(what).data.clone();
        let tolerance = stated(&self.json, quantity);
        let distance = relative_distance(found, &self.file.get(what).f32());
        self.note_share(what, distance / tolerance);
        self.group
            .relative(what, &widen(found), &expected, tolerance);
    }

    fn check_number(&mut self, what: &str, found: f64, expected: f64, quantity: &str) {
        self.absolute(what, &[found], &[expected], stated(&self.json, quantity));
    }

    fn absolute(&mut self, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        let pairs = found.iter().zip(expected);
        let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        self.note_share(what, error / tolerance);
        self.group.absolute(what, found, expected, tolerance);
    }

    fn note_share(&mut self, what: &str, share: f64) {
        if share > self.largest_share.0 {
            self.largest_share = (share, what.to_string());
        }
    }

    /// Fails as [`Group::finish`] does, and says how much of a tolerance was used.
    fn finish(self, at_least: usize) {
        let (share, what) = self.largest_share;
        println!("largest share of a tolerance: {share:.2} ({what})");
        self.group.finish(at_least);
    }

    /// Learning rates, which are f64.
    fn check_rates(&mut self, key: &str, found: &[f64]) {
        let expected = numbers(&self.json[key]);
        let largest = expected.iter().copied().fold(0.0, f64::max);
        self.absolute(key, found, &expected, tabled("learning_rate") * largest);
    }

    /// An accuracy in percent, compared as a number of rows: exactly.
    fn check_accuracy(&mut self, key: &str, found: f64, rows: usize) {
        let expected = self.number(key);
        self.check_rows_right(key, found, expected, rows);
    }

    fn check_rows_right(&mut self, what: &str, found: f64, expected: f64, rows: usize) {
        let right = |percent: f64| (percent * rows as f64 / 100.0).round();
        self.group.equal(what, &right(found), &right(expected));
    }

    fn check_logits_accuracy(&mut self, key: &str, logits: &[f32], split: &str) {
        let labels = labels(&self.inputs, &format!("{split}_labels"));
        let classes = logits.len() / labels.len();
        let right = right_rows(logits, &labels, classes);
        let percent = 100.0 * right as f64 / labels.len() as f64;
        self.check_accuracy(key, percent, labels.len());
    }
}

/// The rows and labels of a batch.
fn batch(train: &TrainFeatures, rows: &[usize]) -> (Vec<f32>, Vec<usize>) {
    let dim = train.dim;
    let values = rows
        .iter()
        .flat_map(|r| &train.views[0][r * dim..(r + 1) * dim]);
    (
        values.copied().collect(),
        rows.iter().map(|r| train.labels[*r]).collect(),
    )
}

fn prototypes(name: &str) {
    let Some(mut case) = Case::read(name) else {
        return;
    };
    let settings = ClapSettings {
        constraint: match case.json["constraint"].as_str() {
            Some("none") => Constraint::None,
            Some("l2") => Constraint::L2,
            other => panic!("constraint {other:?}"),
        },
        sgd: case.sgd(),
    };
    let train = case.train("features_raw");
    let test = features(&case.inputs, "test", "features_raw");
    let text = case.inputs.get("text_features_raw").f32();
    let scale = case.number("logit_scale") as f32;
    let start = Prototypes::new(&text, train.dim, scale).unwrap();
    case.check("init/prototypes", start.prototypes(), "weights");
    let logits = start.logits(&train.views[0]).unwrap();
    case.check("train_logits_init", &logits, "logits");
    let mut training = ClapTraining::new(&settings, start, &train).unwrap();
    if settings.constraint == Constraint::L2 {
        case.check("multipliers", training.multipliers(), "multipliers");
    }
    let rates: Vec<f64> = (0..settings.sgd.epochs)
        .map(|e| settings.sgd.learning_rate(e))
        .collect();
    case.check_rates("lrs_per_epoch", &rates);
    let losses = numbers(&case.json["losses_per_step"]);
    let order = case.order();
    let mut step = 0;
    for (epoch, batches) in order.0.iter().enumerate() {
        for rows in batches {
            let (values, labels) = batch(&train, rows);
            if step == 0 {
                let found = training.gradient(&values, &labels).unwrap();
                case.check_relative("step0/grad/prototypes", &found.gradient, "step0_grad_rel");
            }
            let loss = training.step(rates[epoch], &values, &labels).unwrap();
            case.check_number(
                &format!("loss of step {step}"),
                loss,
                losses[step],
                "losses",
            );
            case.check(
                &format!("step{step}/after/prototypes"),
                training.head.prototypes(),
                "weights",
            );
            step += 1;
        }
        case.check(
            &format!("epoch{}/prototypes", epoch + 1),
            training.head.prototypes(),
            "weights",
        );
    }
    assert_eq!(step, losses.len());
    if settings.constraint == Constraint::L2 {
        let expected = case.number("constraint_final");
        case.check_number("constraint_final", training.penalty(), expected, "losses");
    }
    let logits = training.head.logits(&test.values).unwrap();
    case.check("test_logits", &logits, "logits");
    case.check_logits_accuracy("test_acc", &logits, "test");
    // The whole fit is these steps.
    let data = FewShot {
        text_features: &text,
        train: &train,
        validation: None,
        logit_scale: scale,
    };
    let fitted = Prototypes::fit_in_order(&settings, &data, &order, &mut silent).unwrap();
    case.group
        .equal("the whole fit", &fitted.head, &training.head);
    case.finish(2 * losses.len() + 5);
}

#[test]
fn parity_zs_lp_equals_the_published_program() {
    prototypes("zs_lp");
}

#[test]
fn parity_clap_equals_the_published_program() {
    prototypes("clap");
}

#[test]
fn parity_lpp_equals_the_published_program() {
    let Some(mut case) = Case::read("lpp") else {
        return;
    };
    let settings = LppSettings {
        epochs: case.number("epochs") as usize,
        momentum: case.number("momentum"),
        ..LppSettings::default()
    };
    let train = case.train("features_raw");
    let validation = features(&case.inputs, "val", "features_raw");
    let test = features(&case.inputs, "test", "features_raw");
    let text = case.inputs.get("text_features").f32();
    let data = FewShot {
        text_features: &text,
        train: &train,
        validation: Some(&validation),
        logit_scale: 1.0,
    };
    let bias = case.file.get("init/bias").f32();
    let mut training = LppTraining::new(&settings, &data, &bias).unwrap();
    case.check("init/weight", training.head.weight(), "init");
    case.check("init/alpha", training.head.alpha(), "init_alpha");
    for (key, found) in [
        ("lr_w", training.lr_weight()),
        ("lr_alpha", training.lr_alpha()),
    ] {
        let expected = case.number(key);
        case.check_number(key, found / expected, 1.0, "lr_rel");
    }
    let first = numbers(&case.json["losses_first_20"]);
    let accuracies = numbers(&case.json["val_acc_per_epoch"]);
    assert_eq!(accuracies.len(), settings.epochs);
    let mut selected = None;
    for epoch in 1..=settings.epochs {
        let loss = training.epoch();
        if let Some(expected) = first.get(epoch - 1) {
            case.check_number(
                &format!("loss of epoch {epoch}"),
                loss,
                *expected,
                "losses_first_20",
            );
        }
        if epoch == settings.epochs {
            let expected = case.number("loss_last");
            case.check_number("loss_last", loss, expected, "loss_last");
        }
        let logits = training.head.logits(&validation.values).unwrap();
        let right = right_rows(&logits, &validation.labels, training.head.classes());
        let percent = 100.0 * right as f64 / validation.rows() as f64;
        let what = format!("validation accuracy of epoch {epoch}");
        case.check_rows_right(&what, percent, accuracies[epoch - 1], validation.rows());
        if case.number("selected_epoch") as usize == epoch {
            selected = Some(training.head.clone());
        }
        if case.file.has(&format!("epoch{epoch}/weight")) {
            let named = format!("epoch{epoch}");
            let name = if case.json["tolerances"][format!("{named}_weight")].is_null() {
                "late"
            } else {
                &named
            };
            let head = training.head.clone();
            case.check(
                &format!("{named}/weight"),
                head.weight(),
                &format!("{name}_weight"),
            );
            case.check(
                &format!("{named}/bias"),
                head.bias(),
                &format!("{name}_bias"),
            );
            case.check(
                &format!("{named}/alpha"),
                head.alpha(),
                &format!("{name}_alpha"),
            );
            let logits = head.logits(&test.values).unwrap();
            case.check(
                &format!("{named}/test_logits"),
                &logits,
                &format!("{name}_logits"),
            );
        }
    }
    let fitted = Lpp::fit_from(&settings, &data, &bias, &mut silent).unwrap();
    let selected = selected.expect("the selected epoch is one of them");
    case.group
        .equal("the selected head", &fitted.head, &selected);
    let epoch = case.number("selected_epoch");
    case.group
        .equal("selected_epoch", &fitted.figure("epoch"), &Some(epoch));
    let accuracy = fitted.figure("validation_accuracy").unwrap();
    case.check_accuracy("val_acc_selected", accuracy, validation.rows());
    let logits = fitted.head.logits(&test.values).unwrap();
    case.check_logits_accuracy("test_acc_selected", &logits, "test");
    case.finish(settings.epochs + first.len() + 5);
}

fn tip_settings(json: &Value) -> TipAdapterSettings {
    let scale = numbers(&json["search_scale_beta_alpha"]);
    let steps = numbers(&json["search_step_beta_alpha"]);
    TipAdapterSettings {
        init_alpha: number(&json["init_alpha"]),
        init_beta: number(&json["init_beta"]),
        search_scale_beta: scale[0],
        search_scale_alpha: scale[1],
        search_steps_beta: steps[0] as usize,
        search_steps_alpha: steps[1] as usize,
    }
}

/// What the search chose, and the numbers with it.
fn check_selected(
    case: &mut Case,
    fitted: &Fitted<TipAdapter>,
    validation: &Features,
    test: &Features,
) {
    for (key, name) in [("chosen_alpha", "alpha"), ("chosen_beta", "beta")] {
        let expected = Some(case.number(key));
        case.group.equal(key, &fitted.figure(name), &expected);
    }
    let accuracy = fitted.figure("validation_accuracy").unwrap();
    case.check_accuracy("val_acc_selected", accuracy, validation.rows());
    let logits = fitted.head.logits(&test.values).unwrap();
    case.check("test_logits_selected", &logits, "logits");
    case.check_logits_accuracy("test_acc_selected", &logits, "test");
}

#[test]
fn parity_tip_adapter_equals_the_published_program() {
    let Some(mut case) = Case::read("tip_adapter") else {
        return;
    };
    let settings = tip_settings(&case.json);
    let train = case.passes();
    let validation = features(&case.inputs, "val", "features_raw");
    let test = features(&case.inputs, "test", "features_raw");
    let text = case.inputs.get("text_features").f32();
    let data = FewShot {
        text_features: &text,
        train: &train,
        validation: Some(&validation),
        logit_scale: case.number("logit_scale") as f32,
    };
    let cache = TipAdapter::cache(&settings, &data).unwrap();
    case.check("cache_keys", cache.keys(), "cache_keys");
    let values = case.file.get("cache_values").f32();
    case.group.equal("cache_values", &cache.values(), &values);
    let logits = cache.logits(&validation.values).unwrap();
    case.check("val_logits_init", &logits, "logits");
    case.check_logits_accuracy("val_acc_init", &logits, "val");
    let logits = cache.logits(&test.values).unwrap();
    case.check("test_logits_init", &logits, "logits");
    case.check_logits_accuracy("test_acc_init", &logits, "test");
    let fitted = TipAdapter::fit(&settings, &data, &silent).unwrap();
    check_selected(&mut case, &fitted, &validation, &test);
    case.finish(11);
}

#[test]
fn parity_tip_adapter_f_equals_the_published_program() {
    let Some(mut case) = Case::read("tip_adapter_f") else {
        return;
    };
    let order = case.order();
    let optimizer = &case.json["optimizer"];
    let betas = numbers(&optimizer["betas"]);
    let settings = TipAdapterFSettings {
        tip_adapter: tip_settings(&case.json),
        adamw: AdamWSettings {
            lr: number(&optimizer["lr"]),
            beta1: betas[0],
            beta2: betas[1],
            eps: number(&optimizer["eps"]),
            weight_decay: number(&optimizer["weight_decay"]),
        },
        epochs: order.0.len(),
        batch_size: order.0[0][0].len(),
    };
    let passes = case.passes();
    let train = case.train("features_raw");
    let validation = features(&case.inputs, "val", "features_raw");
    let test = features(&case.inputs, "test", "features_raw");
    let text = case.inputs.get("text_features").f32();
    let data = |train| FewShot {
        text_features: &text,
        train,
        validation: Some(&validation),
        logit_scale: case.number("logit_scale") as f32,
    };
    let cache = TipAdapter::cache(&settings.tip_adapter, &data(&passes)).unwrap();
    let trained = TipAdapter::fit_keys_from(
        &settings,
        &data(&train),
        Some(cache.clone()),
        &order,
        &mut silent,
    )
    .unwrap();
    let losses = numbers(&case.json["losses_per_step"]);
    let accuracies = numbers(&case.json["test_acc_epochs"]);
    let mut training = TipAdapterTraining::new(&settings, cache, losses.len()).unwrap();
    let mut rates = Vec::new();
    for (epoch, batches) in order.0.iter().enumerate() {
        for rows in batches {
            let step = rates.len();
            rates.push(training.learning_rate());
            let (values, labels) = batch(&train, rows);
            let loss = training.step(&values, &labels).unwrap();
            case.check_number(
                &format!("loss of step {step}"),
                loss,
                losses[step],
                "losses",
            );
            if step == 0 {
                case.check("step0/after/cache_keys", training.head.keys(), "cache_keys");
            }
        }
        let named = format!("epoch{}", epoch + 1);
        case.check(
            &format!("{named}/cache_keys"),
            training.head.keys(),
            "cache_keys",
        );
        let logits = training.head.logits(&test.values).unwrap();
        case.check(&format!("{named}/test_logits_init"), &logits, "logits");
        let right = right_rows(&logits, &test.labels, training.head.classes());
        let percent = 100.0 * right as f64 / test.rows() as f64;
        case.check_rows_right(
            &format!("{named}: test accuracy"),
            percent,
            accuracies[epoch],
            test.rows(),
        );
    }
    case.check_rates("lrs_per_step", &rates);
    case.group.equal(
        "keys of the whole fit",
        &trained.head.keys(),
        &training.head.keys(),
    );
    check_selected(&mut case, &trained, &validation, &test);
    case.finish(losses.len() + 3 * accuracies.len() + 8);
}

#[test]
fn parity_clip_adapter_equals_the_published_program() {
    let Some(mut case) = Case::read("clip_adapter") else {
        return;
    };
    let settings = ClipAdapterSettings {
        ratio: case.number("ratio"),
        reduction: case.number("reduction") as usize,
        sgd: case.sgd(),
    };
    let train = case.train("features_raw");
    let test = features(&case.inputs, "test", "features_raw");
    let text = case.inputs.get("text_features_raw").f32();
    let scale = case.number("logit_scale") as f32;
    let initial = |name: &str| {
        case.file
            .get(&format!("init/adapter.fc.{name}.weight"))
            .f32()
    };
    let start = ClipAdapter::new(&settings, train.dim, scale, initial("0"), initial("2")).unwrap();
    let logits = start.logits(&test.values, &text).unwrap();
    case.check("test_logits_init", &logits, "logits");
    let rates: Vec<f64> = (0..settings.sgd.epochs)
        .map(|e| settings.sgd.learning_rate(e))
        .collect();
    case.check_rates("lrs_per_epoch", &rates);
    let check_weights = |case: &mut Case, prefix: &str, adapter: &ClipAdapter| {
        for (name, _, values) in adapter
            .tensors()
            .iter()
            .filter(|t| t.0.starts_with("adapter."))
        {
            case.check(&format!("{prefix}/{name}"), values, "weights");
        }
    };
    let losses = numbers(&case.json["losses_per_step"]);
    let mut training = ClipAdapterTraining::new(&settings, start.clone(), &text).unwrap();
    let order = case.order();
    let mut step = 0;
    for (epoch, batches) in order.0.iter().enumerate() {
        for rows in batches {
            let (values, labels) = batch(&train, rows);
            if step == 0 {
                let found = training.gradient(&values, &labels).unwrap();
                for (name, gradient) in [("0", &found.down), ("2", &found.up)] {
                    let what = format!("step0/grad/adapter.fc.{name}.weight");
                    case.check_relative(&what, gradient, "step0_grad_rel");
                }
            }
            let loss = training.step(rates[epoch], &values, &labels).unwrap();
            case.check_number(
                &format!("loss of step {step}"),
                loss,
                losses[step],
                "losses",
            );
            if step == 0 {
                check_weights(&mut case, "step0/after", &training.head);
            }
            step += 1;
        }
        check_weights(&mut case, &format!("epoch{}", epoch + 1), &training.head);
    }
    assert_eq!(step, losses.len());
    let logits = training.head.logits(&test.values, &text).unwrap();
    case.check("test_logits", &logits, "logits");
    case.check_logits_accuracy("test_acc", &logits, "test");
    let data = FewShot {
        text_features: &text,
        train: &train,
        validation: None,
        logit_scale: scale,
    };
    let fitted = ClipAdapter::fit_from(&settings, &data, start, &order, &mut silent).unwrap();
    case.group
        .equal("the whole fit", &fitted.head, &training.head);
    case.finish(losses.len() + 10);
}

#[test]
fn parity_linear_probe_searches_as_the_published_program() {
    let Some(mut case) = Case::read("linear_probe") else {
        return;
    };
    let settings = LinearProbeSettings {
        search_steps: case.number("num_step") as usize,
        max_iter: case.number("max_iter") as usize,
        tol: case.number("tol"),
        ..LinearProbeSettings::default()
    };
    let own = |split: &str| features(&case.file, split, "features");
    let (train, validation, test) = (own("train"), own("val"), own("test"));
    let classes = case.file.get("final/intercept").data.len();
    let train = TrainFeatures {
        dim: train.dim,
        views: vec![train.values],
        labels: train.labels,
    };
    let (fitted, visits) =
        LinearProbe::fit_visiting(&settings, classes, &train, Some(&validation), &mut silent)
            .unwrap();
    let visited = numbers(&case.json["visited_C"]);
    let found: Vec<f64> = visits.iter().map(|v| v.c).collect();
    let tolerance = stated(&case.json, "visited_C_rel");
    let ratios: Vec<f64> = found.iter().zip(&visited).map(|(a, b)| a / b).collect();
    case.absolute("visited_C", &ratios, &vec![1.0; visited.len()], tolerance);
    let accuracies = numbers(&case.json["visited_val_acc"]);
    for (visit, expected) in visits.iter().zip(&accuracies) {
        let what = format!("validation accuracy with C = {}", visit.c);
        case.check_rows_right(&what, visit.accuracy, *expected, validation.rows());
    }
    let c = fitted.figure("c").unwrap() / case.number("final_C");
    case.absolute("final_C", &[c], &[1.0], tolerance);
    // A row's logits are determined up to a constant.
    let centred = |logits: &[f64]| -> Vec<f64> {
        logits
            .chunks_exact(classes)
            .flat_map(|row| {
                let mean = row.iter().sum::<f64>() / classes as f64;
                row.iter().map(move |l| l - mean)
            })
            .collect()
    };
    let logits = fitted.head.logits(&test.values).unwrap();
    for name in ["exact", "sklearn"] {
        let what = format!("final/test_decision_{name}");
        let expected = centred(&case.file.get(&what).data);
        let tolerance = stated(&case.json, "decision_vs_exact");
        case.absolute(&what, &centred(&widen(&logits)), &expected, tolerance);
    }
    let right = right_rows(&logits, &test.labels, classes);
    let percent = 100.0 * right as f64 / test.rows() as f64;
    case.check_accuracy("test_acc", percent, test.rows());
    // Recorded on f32 features, on which scikit-learn computes in f32: where a fit ends because the function no longer
    // falls, rounding says after how many iterations, on each machine differently. Therefore only printed;
    // `logistic_regression.rs` compares them in f64.
    let iterations = numbers(&case.json["visited_n_iter"]);
    let pairs = visits.iter().zip(&iterations);
    let equal = pairs
        .clone()
        .filter(|(v, n)| v.iterations as f64 == **n)
        .count();
    println!(
        "iterations equal in {equal} of {} fits: {:?}",
        visits.len(),
        pairs
            .map(|(v, n)| (v.c, v.iterations, *n))
            .collect::<Vec<_>>()
    );
    case.finish(visited.len() + 5);
}
