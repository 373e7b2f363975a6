//! Temperature, metrics and prediction sets against scikit-learn, scipy and MAPIE: numbers of
//! `fixtures/public_libraries.py`, which says how they were made.

use promptsrc_calibration::{
    CalibrationBins, ConformalScores, LabelledLogits, Raps, SetScore, Temperature, Threshold,
    UnknownScore, auroc, brier_score, false_positive_rate, negative_log_likelihood,
};
use serde_json::Value;

/// What rounding explains in sums of some hundred terms near 1.
const ROUNDING: f64 = 1e-12;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/public_libraries.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn row(value: &Value) -> Vec<f32> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| number(value) as f32).collect()
}

fn images(value: &Value) -> LabelledLogits {
    let rows = value["logits"].as_array().unwrap();
    let mut images = LabelledLogits::new(row(&rows[0]).len());
    for (label, logits) in value["labels"].as_array().unwrap().iter().zip(rows) {
        images
            .push(label.as_u64().unwrap() as usize, &row(logits))
            .unwrap();
    }
    images
}

#[track_caller]
fn close(found: f64, expected: &Value, tolerance: f64) {
    let expected = number(expected);
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} is not {expected}"
    );
}

/// The sets of a score as lists of classes in increasing order, and their threshold.
fn sets(score: SetScore, known: &Value, coverage: f64) -> (f64, Vec<Vec<usize>>) {
    let scores = ConformalScores::fit(&score, &images(&known["calibration"])).unwrap();
    let threshold = scores.threshold(coverage).unwrap();
    let Threshold::Marginal(value) = threshold else {
        panic!("{threshold:?}");
    };
    let test = images(&known["test"]);
    let sets = test.rows().map(|(_, row)| {
        let mut set = score.set(row, &threshold).unwrap();
        set.sort_unstable();
        set
    });
    (value, sets.collect())
}

#[track_caller]
fn same_sets(score: SetScore, known: &Value, expected: &Value) {
    let (threshold, found) = sets(score, known, number(&expected["coverage"]));
    close(threshold, &expected["quantile"], ROUNDING);
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        expected["sets"],
        "{score:?}"
    );
}

#[test]
fn the_temperature_is_where_scipy_finds_the_greatest_likelihood() {
    let known = fixture();
    let found = Temperature::fit(&images(&known["calibration"])).unwrap();
    assert_eq!(found.missing(), None);
    close(found.value(), &known["temperature"], 1e-11);
}

#[test]
fn likelihood_brier_score_and_calibration_error_are_those_of_scikit_learn() {
    let known = fixture();
    let test = images(&known["test"]);
    let fitted = Temperature::fit(&images(&known["calibration"])).unwrap();
    for (temperature, key) in [(Temperature::OWN, "before"), (fitted, "after")] {
        let expected = &known[key];
        let likelihood = negative_log_likelihood(&test, temperature).unwrap();
        close(likelihood, &expected["negative_log_likelihood"], 1e-10);
        close(
            brier_score(&test, temperature).unwrap(),
            &expected["brier_score"],
            1e-10,
        );
        let error = CalibrationBins::of(&test, temperature).error().unwrap();
        close(error, &expected["calibration_error"], 1e-10);
    }
}

#[test]
fn auroc_and_fpr_at_95_are_those_of_scikit_learn_with_ties() {
    let known = fixture();
    let test = images(&known["test"]);
    let unknown: Vec<Vec<f32>> = known["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect();
    for score in UnknownScore::ALL {
        let of = |row: &[f32]| score.score(row, 50.0).unwrap();
        let kept: Vec<f64> = test.rows().map(|(_, row)| of(row)).collect();
        let other: Vec<f64> = unknown.iter().map(|row| of(row)).collect();
        let expected = &known["told"][score.name()];
        close(auroc(&kept, &other).unwrap(), &expected["auroc"], ROUNDING);
        let passed = false_positive_rate(&kept, &other, 0.95).unwrap();
        close(passed, &expected["fpr_at_95"], ROUNDING);
    }
}

#[test]
fn lac_sets_are_those_of_mapie() {
    let known = fixture();
    let all = known["lac"].as_array().unwrap();
    assert_eq!(all.len(), 4);
    all.iter()
        .for_each(|expected| same_sets(SetScore::Lac, &known, expected));
}

#[test]
fn aps_sets_are_those_of_mapie_with_the_last_label_and_u_of_1() {
    let known = fixture();
    let all = known["aps"].as_array().unwrap();
    assert_eq!(all.len(), 4);
    all.iter()
        .for_each(|expected| same_sets(SetScore::Aps, &known, expected));
}

#[test]
fn raps_scores_are_those_of_mapie_and_its_sets_those_of_the_papers_equation() {
    let known = fixture();
    let all = known["raps"].as_array().unwrap();
    assert_eq!(all.len(), 12);
    for expected in all {
        let k_reg = expected["k_reg"].as_u64().unwrap() as usize;
        let raps = Raps::new(number(&expected["lambda"]), k_reg).unwrap();
        same_sets(SetScore::Raps(raps), &known, expected);
    }
}
