//! Learning rates, aggregation weights and SGD equal PyTorch's and the reference's.

use promptsrc::aggregation::gaussian_weights;
use promptsrc::config::{AggregationConfig, OptimConfig, TrainConfig, Warmup};
use promptsrc::sgd::{learning_rate, sgd_step};
use promptsrc_goldens::{self as goldens, Group, number, numbers, tabled};

#[test]
fn parity_learning_rate_schedules() {
    if !goldens::has("lr_schedules.json") {
        return;
    }
    let mut group = Group::new("lr_schedules");
    let json = goldens::json("lr_schedules.json");
    let defaults = &json["sgd_defaults"];
    let ours = TrainConfig::default().optim;
    assert_eq!(ours.momentum, number(&defaults["momentum"]));
    assert_eq!(ours.weight_decay, number(&defaults["weight_decay"]));
    assert_eq!(ours.dampening, number(&defaults["dampening"]));
    assert_eq!(ours.nesterov, defaults["nesterov"].as_bool().unwrap());
    let schedules = json["schedules"].as_array().expect("schedules");
    for (i, schedule) in schedules.iter().enumerate() {
        let warmup = match schedule["warmup_type"].as_str() {
            Some("constant") => Warmup::Constant,
            Some("linear") => Warmup::Linear,
            other => panic!("schedule {i}: warm-up {other:?}"),
        };
        let optim = OptimConfig {
            lr: number(&schedule["lr"]),
            warmup,
            // The reference writes -1 for none.
            warmup_epochs: number(&schedule["warmup_epoch"]).max(0.0) as usize,
            warmup_lr: number(&schedule["warmup_cons_lr"]),
            ..ours.clone()
        };
        let epochs = number(&schedule["max_epoch"]) as usize;
        let expected = numbers(&schedule["lr_per_epoch"]);
        let found: Vec<f64> = (0..expected.len())
            .map(|e| learning_rate(&optim, epochs, e))
            .collect();
        // PyTorch's scheduler goes from epoch to epoch and adds a rounding at each.
        group.absolute(
            &format!("schedule {i}"),
            &found,
            &expected,
            tabled("learning_rate") * optim.lr.max(1e-3),
        );
    }
    group.finish(schedules.len().max(1));
}

#[test]
fn parity_gaussian_weights() {
    if !goldens::has("gpa_gauss.json") {
        return;
    }
    let mut group = Group::new("gpa_gauss");
    let json = goldens::json("gpa_gauss.json");
    let rows = json.as_array().expect("rows");
    for row in rows {
        let (mean, std) = (number(&row["mean"]), number(&row["std"]));
        let epochs = number(&row["epochs"]) as usize;
        let found = gaussian_weights(epochs, &AggregationConfig { mean, std });
        let what = format!("{epochs} epochs, N({mean}, {std})");
        group.absolute(
            &what,
            &found,
            &numbers(&row["weights"]),
            tabled("aggregation_weights"),
        );
    }
    group.finish(rows.len().max(1));
}

#[test]
fn parity_sgd_steps() {
    if !goldens::has("optim_sgd.json") {
        return;
    }
    let mut group = Group::new("optim_sgd (f32 against f64)");
    let json = goldens::json("optim_sgd.json");
    let runs = json.as_array().expect("runs");
    for (i, run) in runs.iter().enumerate() {
        let options = &run["options"];
        let optim = OptimConfig {
            momentum: number(&options["momentum"]),
            weight_decay: number(&options["weight_decay"]),
            dampening: number(&options["dampening"]),
            nesterov: options["nesterov"].as_bool().unwrap(),
            ..TrainConfig::default().optim
        };
        let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect::<Vec<f32>>();
        let mut parameters = narrow(numbers(&run["params"][0]));
        let mut velocity = Vec::new();
        for (step, lr) in numbers(&run["lrs"]).into_iter().enumerate() {
            let gradient = narrow(numbers(&run["grads"][step]));
            sgd_step(&optim, lr, &mut parameters, &gradient, &mut velocity);
            let found: Vec<f64> = parameters.iter().map(|p| f64::from(*p)).collect();
            let expected = numbers(&run["params"][step + 1]);
            group.relative(
                &format!("run {i}, step {step}"),
                &found,
                &expected,
                tabled("sgd_step"),
            );
        }
    }
    group.finish(runs.len().max(1));
}
