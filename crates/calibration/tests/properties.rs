//! What must hold of sets, thresholds and metrics for any numbers.

use promptsrc_calibration::{
    ConformalScores, LabelledLogits, NoTemperature, NumbersError, Raps, SetCounts, SetMethod,
    SetScore, Temperature, Threshold, UnknownScore, auroc, conformal_quantile, false_positive_rate,
    known_threshold, negative_log_likelihood,
};
use proptest::prelude::*;

/// Logits on a coarse grid, so that many are equal.
fn logits(classes: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec((-20_i32..20).prop_map(|v| v as f32 / 4.0), classes)
}

fn images(classes: usize, most: usize) -> impl Strategy<Value = LabelledLogits> {
    let image = (0..classes, logits(classes));
    prop::collection::vec(image, 1..most).prop_map(move |all| {
        let mut images = LabelledLogits::new(classes);
        for (label, row) in all {
            images.push(label, &row).unwrap();
        }
        images
    })
}

fn score() -> impl Strategy<Value = SetScore> {
    prop_oneof![
        Just(SetScore::Lac),
        Just(SetScore::Aps),
        (0.0..1.0, 0_usize..5).prop_map(|(l, k)| SetScore::Raps(Raps::new(l, k).unwrap())),
    ]
}

proptest! {
    /// Of n + 1 images, at most (n + 1)(1 - coverage) are not covered by the sets of the n others: this is the
    /// promise, exact and without chance.
    #[test]
    fn leaving_each_image_out_in_turn_keeps_the_promised_coverage(
        all in images(4, 40), score in score(), coverage in 0.05..0.95_f64
    ) {
        let mut counts = SetCounts::default();
        for (out, (label, row)) in all.rows().enumerate() {
            let rest = all.select((0..all.len()).filter(|place| *place != out));
            let threshold = match rest.is_empty() {
                true => Threshold::Marginal(f64::INFINITY),
                false => ConformalScores::fit(&score, &rest).unwrap().threshold(coverage).unwrap(),
            };
            counts.add(label, &score.set(row, &threshold).unwrap());
        }
        prop_assert!(counts.coverage().unwrap() >= coverage - 1e-9);
    }

    /// The same for each class.
    #[test]
    fn leaving_each_image_out_keeps_the_promise_of_each_class(
        all in images(3, 40), score in score(), coverage in 0.05..0.95_f64
    ) {
        let mut counts = vec![SetCounts::default(); 3];
        for (out, (label, row)) in all.rows().enumerate() {
            let rest = all.select((0..all.len()).filter(|place| *place != out));
            if rest.is_empty() {
                continue;
            }
            let scores = ConformalScores::fit(&score, &rest).unwrap();
            let threshold = scores.thresholds_by_class(coverage).unwrap();
            counts[label].add(label, &score.set(row, &threshold).unwrap());
        }
        for counts in counts {
            prop_assert!(counts.coverage().is_none_or(|found| found >= coverage - 1e-9));
        }
    }

    #[test]
    fn a_set_of_more_coverage_holds_those_of_less(
        all in images(5, 60), row in logits(5), score in score(), two in (0.01..0.99_f64, 0.01..0.99_f64)
    ) {
        let scores = ConformalScores::fit(&score, &all).unwrap();
        let (less, more) = (two.0.min(two.1), two.0.max(two.1));
        for of in [ConformalScores::threshold, ConformalScores::thresholds_by_class] {
            let set = |coverage| score.set(&row, &of(&scores, coverage).unwrap()).unwrap();
            let (small, large) = (set(less), set(more));
            prop_assert!(small.iter().all(|class| large.contains(class)));
        }
    }

    #[test]
    fn a_set_of_one_threshold_is_the_first_of_the_ranking(
        all in images(5, 60), row in logits(5), score in score(), coverage in 0.01..0.99
    ) {
        let threshold = ConformalScores::fit(&score, &all).unwrap().threshold(coverage).unwrap();
        let everything = score.set(&row, &Threshold::Marginal(f64::INFINITY)).unwrap();
        let set = score.set(&row, &threshold).unwrap();
        prop_assert_eq!(everything.len(), 5);
        // Equal logits have equal scores in LAC, and follow one another in the others.
        prop_assert_eq!(&set[..], &everything[..set.len()]);
        let is_empty = set.is_empty();
        prop_assert!(!is_empty || score.method() != SetMethod::Aps, "APS always has the first");
    }

    #[test]
    fn auroc_and_fpr_are_those_of_their_definitions(
        known in prop::collection::vec((-8_i32..8).prop_map(f64::from), 1..40),
        unknown in prop::collection::vec((-8_i32..8).prop_map(f64::from), 1..40),
    ) {
        let pairs = known.iter().flat_map(|k| unknown.iter().map(move |u| match k.total_cmp(u) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        }));
        let expected = pairs.sum::<f64>() / (known.len() * unknown.len()) as f64;
        prop_assert!((auroc(&known, &unknown).unwrap() - expected).abs() < 1e-12);

        let reach = |of: &[f64], at: f64| {
            of.iter().filter(|score| **score >= at).count() as f64 / of.len() as f64
        };
        let thresholds = known.iter().copied().filter(|at| reach(&known, *at) >= 0.95 - 1e-12);
        let threshold = thresholds.fold(f64::NEG_INFINITY, f64::max);
        let found = false_positive_rate(&known, &unknown, 0.95).unwrap();
        prop_assert_eq!(found, reach(&unknown, threshold));
    }

    #[test]
    fn leaving_each_image_out_keeps_the_wanted_rate_of_known_images(
        scores in prop::collection::vec((-9_i32..9).prop_map(f64::from), 2..60), keep in 0.05..0.95
    ) {
        let mut kept = 0;
        for (out, score) in scores.iter().enumerate() {
            let mut rest = scores.clone();
            rest.remove(out);
            let threshold = known_threshold(&rest, keep).unwrap();
            kept += usize::from(threshold.is_none_or(|threshold| *score >= threshold));
        }
        prop_assert!(kept as f64 / scores.len() as f64 >= keep - 1e-9);
    }

    #[test]
    fn no_other_temperature_is_likelier(all in images(4, 40)) {
        let fitted = Temperature::fit(&all).unwrap();
        let loss = |t| negative_log_likelihood(&all, t).unwrap();
        if fitted.missing().is_none() {
            for factor in [0.5, 0.9, 0.999, 1.001, 1.1, 2.0] {
                let other = Temperature::new(fitted.value() * factor).unwrap();
                prop_assert!(loss(fitted) <= loss(other) + 1e-12);
            }
        }
    }
}

fn of(rows: &[(usize, [f32; 2])]) -> LabelledLogits {
    let mut images = LabelledLogits::new(2);
    for (label, row) in rows {
        images.push(*label, row).unwrap();
    }
    images
}

#[test]
fn images_that_are_all_right_or_all_chance_have_no_temperature_and_say_so() {
    let right = Temperature::fit(&of(&[(0, [2.0, 1.0]), (1, [0.0, 3.0])])).unwrap();
    assert_eq!(
        (right.value(), right.missing()),
        (1.0, Some(NoTemperature::AllCorrect))
    );
    let wrong = Temperature::fit(&of(&[(1, [2.0, 1.0]), (0, [0.0, 3.0])])).unwrap();
    assert_eq!(
        (wrong.value(), wrong.missing()),
        (1.0, Some(NoTemperature::Uninformative))
    );
    let equal = Temperature::fit(&of(&[(1, [2.0, 2.0])])).unwrap();
    assert_eq!(equal.missing(), Some(NoTemperature::Uninformative));
}

#[test]
fn great_and_small_logits_still_have_a_temperature() {
    let mut unit = None;
    for scale in [1.0_f32, 1e-30, 1e-6, 1e6, 1e30] {
        let row = |a: f32, b: f32| [a * scale, b * scale];
        let images = of(&[
            (0, row(2.0, 1.0)),
            (0, row(1.0, 2.0)),
            (1, row(0.0, 3.0)),
            (0, row(3.0, 1.0)),
        ]);
        let found = Temperature::fit(&images).unwrap();
        assert_eq!(found.missing(), None, "{scale}");
        // It is as large as the logits are.
        let value = found.value() / f64::from(scale);
        let unit = *unit.get_or_insert(value);
        assert!(
            (value / unit - 1.0).abs() < 1e-5,
            "{scale}: {value}, {unit}"
        );
        assert!(
            negative_log_likelihood(&images, found).unwrap().is_finite(),
            "{scale}"
        );
    }
}

#[test]
fn a_class_with_too_few_images_is_in_every_set() {
    let images = of(&[(0, [2.0, 1.0]), (0, [1.0, 0.5]), (0, [3.0, 0.0])]);
    let scores = ConformalScores::fit(&SetScore::Lac, &images).unwrap();
    let threshold = scores.thresholds_by_class(0.7).unwrap();
    assert!(matches!(&threshold, Threshold::ByClass(each) if each[1].is_infinite()));
    assert_eq!(SetScore::Lac.set(&[9.0, -9.0], &threshold), Ok(vec![0, 1]));
}

#[test]
fn numbers_that_are_none_are_refused_and_not_counted() {
    let mut images = LabelledLogits::new(2);
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(matches!(
            images.push(0, &[0.0, wrong]),
            Err(NumbersError::NotFinite { .. })
        ));
        let threshold = Threshold::Marginal(0.5);
        assert!(SetScore::Lac.set(&[0.0, wrong], &threshold).is_err());
        for score in UnknownScore::ALL {
            assert!(score.score(&[0.0, wrong], 100.0).is_err());
        }
    }
    assert!(matches!(
        images.push(2, &[0.0, 0.0]),
        Err(NumbersError::Label { .. })
    ));
    assert!(matches!(
        images.push(0, &[0.0]),
        Err(NumbersError::Length { .. })
    ));
    assert!(images.is_empty());
    assert_eq!(Temperature::fit(&images), Err(NumbersError::Empty));
    assert!(ConformalScores::of(vec![vec![f64::NAN]]).is_err());
    assert!(ConformalScores::of(vec![vec![], vec![]]).is_err());
    assert!(auroc(&[1.0], &[]).is_err() && auroc(&[], &[1.0]).is_err());
    assert!(auroc(&[f64::NAN], &[1.0]).is_err());
    assert!(known_threshold(&[f64::INFINITY], 0.5).is_err());
    for wrong in [0.0, f64::NAN, -1.0, f64::INFINITY] {
        assert!(Temperature::new(wrong).is_err());
    }
    assert!(Raps::new(f64::NAN, 1).is_err() && Raps::new(-0.1, 1).is_err());
}

#[test]
fn the_settings_of_raps_are_chosen_for_small_sets() {
    // The true class is mostly the first, else the second: k_reg is 2 at 90 %, and a penalty costs nothing.
    let mut images = LabelledLogits::new(8);
    for place in 0..40_u8 {
        let mut row = [0.0_f32; 8];
        (row[1], row[2]) = (4.0, 3.5);
        images
            .push(if place % 4 == 0 { 2 } else { 1 }, &row)
            .unwrap();
    }
    let raps = Raps::choose(&images, 0.9).unwrap();
    assert_eq!((raps.k_reg, raps.lambda), (2, 0.001));
    assert!(Raps::choose(&LabelledLogits::new(8), 0.9).is_err());
}

#[test]
fn the_quantile_of_conformal_prediction_is_the_rank_of_the_definition() {
    let scores: Vec<f64> = (1..=99).map(f64::from).collect();
    assert_eq!(conformal_quantile(&scores, 0.9), Ok(90.0));
    assert_eq!(conformal_quantile(&scores, 0.901), Ok(91.0));
}
