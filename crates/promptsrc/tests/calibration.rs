//! A calibration as a value: what it answers, what it is for, and its file.

use promptsrc::calibration::{
    Calibration, CalibrationError, CalibrationImages, CalibrationOptions, CalibrationSubject,
    DataOfCalibration, LabelledLogits, NumbersError, Raps, SetMethod, UnknownScore, Wanted,
    calibrated_figures, hash_order, unknown_figures,
};
use promptsrc::{Classes, Clip, Parts, TrainedImages};

const NAMES: [&str; 3] = ["cat", "dog", "fish"];

fn subject() -> CalibrationSubject {
    let clip = Clip::open("mini").unwrap();
    CalibrationSubject::zero_shot(&clip, &NAMES, &["a photo of a {}."])
}

/// Overconfident answers, of which one in four is wrong.
fn logits(count: usize) -> LabelledLogits {
    let mut images = LabelledLogits::new(3);
    for place in 0..count {
        let label = place % 3;
        let answer = if place % 4 == 0 {
            (label + 1) % 3
        } else {
            label
        };
        let mut row = [0.0, 0.5, 0.25];
        row[answer] += 4.0 + (place % 7) as f32;
        images.push(label, &row).unwrap();
    }
    images
}

fn fitted(count: usize, options: &CalibrationOptions) -> Result<Calibration, CalibrationError> {
    let logits = logits(count);
    let hashes: Vec<u64> = (0..count as u64)
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .collect();
    let data = DataOfCalibration {
        name: "animals".to_string(),
        part: Parts::Val,
        classes: Classes::All,
        images: 0,
        trained_on: 0,
        unreadable: 0,
        exif: false,
        hashes: TrainedImages::with_hashes(hashes.clone()),
    };
    let images = CalibrationImages {
        logits: &logits,
        logit_scale: 100.0,
        hashes: &hashes,
        data,
    };
    Calibration::fit(subject(), images, options)
}

#[test]
fn a_calibration_comes_back_from_its_file_with_every_bit() {
    let made = fitted(100, &CalibrationOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = Calibration::path_beside(&folder.path().join("adapter.safetensors"));
    assert_eq!(path, folder.path().join("calibration.json"));
    made.save(&path).unwrap();
    assert_eq!(Calibration::load(&path).unwrap(), made);
    let other = Calibration::path_beside(&folder.path().join("pets.safetensors"));
    assert_eq!(
        other,
        folder.path().join("pets.safetensors.calibration.json")
    );
}

#[test]
fn a_temperature_changes_probabilities_and_neither_sets_nor_verdicts() {
    let options = CalibrationOptions {
        unknown: UnknownScore::Mcm,
        ..CalibrationOptions::default()
    };
    let made = fitted(100, &options).unwrap();
    assert!(made.temperature().value() > 1.5, "{:?}", made.temperature());
    let row = [5.0_f32, 0.5, 0.25];
    let wanted = Wanted {
        coverage: Some(0.8),
        sets: None,
        unknown: true,
    };
    let answer = made.answer(&row, &wanted).unwrap();
    let sum: f32 = answer.probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-6);
    let own = (5.0_f32).exp() / row.iter().map(|v| v.exp()).sum::<f32>();
    assert!(answer.probabilities[0] < own - 0.05);
    let unknown = answer.unknown.unwrap();
    assert!(
        (unknown.score - f64::from(own)).abs() < 1e-6,
        "at CLIP's own temperature"
    );
    assert_eq!(unknown.unknown, unknown.score < unknown.threshold);
    // Without CLIP's scale, which is 100 here, the scores of three classes are near a third.
    let unscaled = fitted(100, &CalibrationOptions::default()).unwrap();
    let unknown = unscaled.answer(&row, &wanted).unwrap().unknown.unwrap();
    let expected = 1.0
        / row
            .iter()
            .map(|v| f64::from(v - 5.0) / 100.0)
            .map(f64::exp)
            .sum::<f64>();
    assert!((unknown.score - expected).abs() < 1e-12, "{unknown:?}");
    assert!((0.33..0.35).contains(&unknown.score), "{unknown:?}");
    // Without a wish there is neither.
    let plain = made.answer(&row, &Wanted::default()).unwrap();
    assert_eq!((plain.set, plain.unknown), (None, None));
}

#[test]
fn the_promised_coverage_is_kept_on_the_calibration_images_themselves() {
    for class_conditional in [false, true] {
        let options = CalibrationOptions {
            class_conditional,
            raps: Some(Raps::new(0.1, 1).unwrap()),
            ..CalibrationOptions::default()
        };
        let made = fitted(300, &options).unwrap();
        let wanted = Wanted {
            coverage: Some(0.9),
            ..Wanted::default()
        };
        let found = calibrated_figures(&made, &logits(300), &wanted, true).unwrap();
        assert_eq!(found.sets.len(), 3);
        assert!(
            found.sets.iter().all(|set| set.coverage >= 0.9),
            "{found:?}"
        );
        let other = calibrated_figures(&made, &logits(300), &wanted, false).unwrap();
        assert!(other.sets.is_empty());
    }
}

#[test]
fn everything_that_logits_depend_on_is_compared() {
    let made = fitted(50, &CalibrationOptions::default()).unwrap();
    made.check_for(&subject()).unwrap();
    type Change = fn(&mut CalibrationSubject);
    let changes: [(&str, Change); 6] = [
        ("the CLIP", |of| of.clip_fingerprint.insert(0, 'f')),
        ("settings", |of| of.preprocessing.resolution += 1),
        ("the adapter", |of| {
            of.adapter = Some(promptsrc::calibration::CalibratedAdapter {
                method: "ivlp".to_string(),
                file: "0".to_string(),
                configuration: "0".to_string(),
            });
        }),
        ("the templates", |of| of.templates[0].push('!')),
        ("the precision", |of| of.precision.push('!')),
        ("another order", |of| of.class_names.swap(0, 1)),
    ];
    for (words, change) in changes {
        let mut here = subject();
        change(&mut here);
        let error = made.check_for(&here).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        let only_names = words == "another order";
        assert_eq!(
            made.check_temperature_for(&here).is_ok(),
            only_names,
            "{words}"
        );
    }
}

#[test]
fn the_settings_of_raps_are_chosen_on_images_that_its_scores_are_not_from() {
    let made = fitted(50, &CalibrationOptions::default()).unwrap();
    let raps = made
        .record()
        .sets
        .iter()
        .find(|set| set.method == SetMethod::Raps)
        .unwrap();
    assert_eq!(raps.chosen_on, 10);
    assert_eq!(raps.scores.iter().flatten().count(), 40);
    assert_eq!(hash_order(&[3, 1, 2], 3), [1, 2, 0]);
    let few = fitted(1, &CalibrationOptions::default()).unwrap_err();
    assert!(few.to_string().contains("RAPS"), "{few}");
}

#[test]
fn what_a_calibration_lacks_is_said_before_and_refused() {
    let options = CalibrationOptions {
        sets: vec![SetMethod::Lac],
        keep: 0.99,
        unknown: UnknownScore::Energy,
        ..CalibrationOptions::default()
    };
    let made = fitted(18, &options).unwrap();
    let of = |coverage, sets, unknown| Wanted {
        coverage,
        sets,
        unknown,
    };
    let row = [1.0, 2.0, 3.0];
    for wanted in [
        of(Some(0.9), Some(SetMethod::Aps), false),
        of(None, None, true),
        of(Some(1.0), None, false),
        of(Some(f64::NAN), None, false),
    ] {
        assert!(made.answer(&row, &wanted).is_err(), "{wanted:?}");
        assert!(made.notes(&wanted).is_err(), "{wanted:?}");
    }
    let all = of(Some(0.95), None, false);
    assert_eq!(made.answer(&row, &all).unwrap().set, Some(vec![2, 1, 0]));
    let notes = made.notes(&all).unwrap();
    assert!(
        notes.len() == 1 && notes[0].contains("at least 19"),
        "{notes:?}"
    );
    assert_eq!(
        made.notes(&of(Some(0.94), None, false)).unwrap(),
        Vec::<String>::new()
    );
    let short = made.answer(&row[..2], &all).unwrap_err();
    assert!(matches!(
        short,
        CalibrationError::Numbers(NumbersError::Length { .. })
    ));
    let nan = made
        .answer(&[f32::NAN, 0.0, 0.0], &all)
        .unwrap_err()
        .to_string();
    assert!(nan.contains("\"cat\"") && nan.contains("NaN"), "{nan}");
}

#[test]
fn unknown_classes_are_judged_by_each_score_and_the_threshold() {
    let made = fitted(100, &CalibrationOptions::default()).unwrap();
    let known = logits(60);
    let known: Vec<&[f32]> = known.rows().map(|(_, row)| row).collect();
    let unknown = [[0.1_f32, 0.2, 0.15]; 20];
    let unknown: Vec<&[f32]> = unknown.iter().map(|row| &row[..]).collect();
    let found = unknown_figures(&known, &unknown, 100.0, Some(&made)).unwrap();
    assert_eq!((found.known, found.unknown), (60, 20));
    assert!(
        found
            .scores
            .iter()
            .all(|of| of.auroc == 1.0 && of.fpr_at_95 == 0.0)
    );
    let threshold = found.threshold.unwrap();
    assert_eq!(
        (threshold.score, threshold.unknown_found),
        (UnknownScore::McmUnscaled, 1.0)
    );
    assert!(unknown_figures(&known, &[], 100.0, None).is_err());
    let nan: [&[f32]; 1] = [&[f32::NAN, 0.0, 0.0]];
    assert!(unknown_figures(&known, &nan, 100.0, None).is_err());
}
