//! The linear probe's solver ends where scikit-learn's does: recorded by `fixtures/logistic_regression.py`.

use promptsrc_goldens::{noise, number, numbers};
use promptsrc_heads::{Head, LinearProbe, LinearProbeSettings, TrainFeatures};
use serde_json::Value;

fn features(case: &Value) -> TrainFeatures {
    let integer = |key: &str| number(&case[key]) as usize;
    let (seed, rows) = (integer("seed") as u64, integer("rows"));
    let (dim, classes) = (integer("dim"), integer("classes"));
    let labels: Vec<usize> = (0..rows).map(|row| row % classes).collect();
    let centres = noise(seed + 1, classes * dim, number(&case["centres"]) as f32);
    let mut values = noise(seed, rows * dim, 1.0);
    for (row, label) in values.chunks_exact_mut(dim).zip(&labels) {
        let centre = &centres[label * dim..(label + 1) * dim];
        row.iter_mut().zip(centre).for_each(|(v, c)| *v += c);
    }
    TrainFeatures {
        dim,
        views: vec![values],
        labels,
    }
}

#[test]
fn each_fit_ends_after_the_iterations_and_at_the_point_of_scikit_learn() {
    let recorded = include_str!("fixtures/logistic_regression.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let settings = LinearProbeSettings::default();
    for case in recorded["cases"].as_array().unwrap() {
        let train = features(case);
        let classes = number(&case["classes"]) as usize;
        for fit in case["fits"].as_array().unwrap() {
            let c = number(&fit["c"]);
            let what = format!("seed {}, C {c:e}", case["seed"]);
            let solved = LinearProbe::solve(&settings, classes, &train, c).unwrap();
            let iterations = number(&fit["iterations"]) as usize;
            assert_eq!(solved.iterations, iterations, "{what}");
            let objective = number(&fit["objective"]);
            assert!((solved.objective - objective).abs() < 1e-10, "{what}");
            let logits = solved.head.logits(&train.views[0][..train.dim]).unwrap();
            let mean = logits.iter().map(|l| f64::from(*l)).sum::<f64>() / classes as f64;
            let expected = numbers(&fit["first_row"]);
            // The head is f32.
            let scale = expected.iter().fold(1.0, |most: f64, v| most.max(v.abs()));
            for (found, expected) in logits.iter().zip(&expected) {
                let error = (f64::from(*found) - mean - expected).abs();
                assert!(error < 1e-6 * scale, "{what}: {found}, {expected}");
            }
        }
    }
}
