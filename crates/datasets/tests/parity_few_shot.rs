//! Few-shot subsets compared with Python's `random` and the reference's own lists.

use promptsrc_datasets::{
    Classes, DataSource, Dataset, FewShotPicks, MersenneTwister, Part, Sample, few_shot,
};
use promptsrc_goldens::{Group, json, numbers, path, strings};
use serde_json::Value;

fn usizes(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|v| v as usize).collect()
}

fn usize(value: &Value) -> usize {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("not a whole number: {value}")) as usize
}

/// `[[place, label], ...]`.
fn samples(value: &Value) -> Vec<(usize, usize)> {
    let entries = value.as_array().expect("an array of [place, label]");
    let pair = |e: &Value| (usize(&e[0]), usize(&e[1]));
    entries.iter().map(pair).collect()
}

fn places(samples: &[Sample]) -> Vec<(usize, usize)> {
    samples.iter().map(|s| (s.index, s.item.label)).collect()
}

#[test]
fn parity_few_shot_mersenne_twister() {
    if !promptsrc_goldens::has("fewshot") {
        return;
    }
    let goldens = json("fewshot/fewshot.json");
    let mut group = Group::new("CPython's random");
    for stream in goldens["mt19937"].as_array().expect("mt19937 is an array") {
        let seed = stream["seed"].as_u64().unwrap();
        let mut random = MersenneTwister::new(seed);
        let expected = usizes(&stream["getrandbits32"]);
        let found = expected
            .iter()
            .map(|_| random.getrandbits(32) as usize)
            .collect::<Vec<_>>();
        group.equal(&format!("getrandbits, seed {seed}"), &found, &expected);

        let mut random = MersenneTwister::new(seed);
        let expected = numbers(&stream["random"]);
        let found = expected.iter().map(|_| random.random()).collect::<Vec<_>>();
        group.equal(&format!("random, seed {seed}"), &found, &expected);

        for (case, expected) in stream["sample"].as_object().expect("sample is an object") {
            let (n, k) = case.split_once(',').expect("sample cases are n,k");
            let (n, k) = (n.trim().parse().unwrap(), k.trim().parse().unwrap());
            let found = MersenneTwister::new(seed).sample(n, k);
            group.equal(
                &format!("sample({case}), seed {seed}"),
                &found,
                &usizes(expected),
            );
        }

        for (key, expected) in stream.as_object().unwrap() {
            let Some(n) = key.strip_prefix("shuffle_range") else {
                continue;
            };
            let mut items: Vec<usize> = (0..n.parse().unwrap()).collect();
            MersenneTwister::new(seed).shuffle(&mut items);
            group.equal(&format!("{key}, seed {seed}"), &items, &usizes(expected));
        }
    }
    group.finish(1);
}

/// The next random number after the picks of `few_shot`, which the goldens record.
fn next_random(dataset: &Dataset, shots: usize, seed: u64) -> f64 {
    let mut random = MersenneTwister::new(seed);
    for (part, shots) in [(Part::Train, shots), (Part::Val, shots.min(4))] {
        let labels = dataset.labels(part);
        let mut order: Vec<usize> = Vec::new();
        for label in &labels {
            if !order.contains(label) {
                order.push(*label);
            }
        }
        for label in order {
            let count = labels.iter().filter(|l| **l == label).count();
            if count >= shots {
                random.sample(count, shots);
            }
        }
    }
    random.random()
}

#[test]
fn parity_few_shot_picks_and_classes() {
    if !promptsrc_goldens::has("fewshot") {
        return;
    }
    let goldens = json("fewshot/fewshot.json");
    let split = path("fewshot").join(goldens["split"].as_str().expect("split is a file name"));
    // The split's images do not exist; only its lists are used.
    let source = DataSource {
        split: Some(split),
        allow_missing: true,
        ..DataSource::new(path("fewshot"))
    };
    let (dataset, _) = source.read().unwrap();
    assert_eq!(dataset.class_names, strings(&goldens["classnames"]));
    let mut group = Group::new("few-shot picks");
    for result in goldens["results"].as_array().expect("results is an array") {
        let (seed, shots) = (result["seed"].as_u64().unwrap(), usize(&result["shots"]));
        let subset = dataset.few_shot(shots, seed);
        for (key, classes) in [
            ("all", Classes::All),
            ("base", Classes::Base),
            ("new", Classes::Novel),
        ] {
            let expected = &result[key];
            let case = format!("seed {seed}, {shots} shots, {key}");
            let found = subset.clone().select(classes).unwrap();
            let of = |part| places(found.samples(part));
            group.equal(&case, &of(Part::Train), &samples(&expected["train"]));
            group.equal(&case, &of(Part::Val), &samples(&expected["val"]));
            let test = of(Part::Test);
            group.equal(&case, &test.len(), &usize(&expected["n_test"]));
            if !expected["test"].is_null() {
                group.equal(&case, &test, &samples(&expected["test"]));
            }
            group.equal(&case, &found.class_names, &strings(&expected["classnames"]));
            if let Some(expected) = expected["next_random_random"].as_f64() {
                group.equal(&case, &next_random(&dataset, shots, seed), &expected);
            }
        }
    }
    group.finish(1);
}

#[test]
fn few_shot_picks_of_the_published_splits_are_the_references() {
    let fixture: Value =
        serde_json::from_str(include_str!("fixtures/few_shot_published.json")).unwrap();
    let mut cases = 0;
    for (name, set) in fixture.as_object().unwrap() {
        let labels = |part: &str| -> Vec<usize> {
            let runs = set["label_runs"][part].as_array().unwrap();
            runs.iter()
                .flat_map(|run| vec![usize(&run[0]); usize(&run[1])])
                .collect()
        };
        let (train, val) = (labels("train"), labels("val"));
        for (case, expected) in set["picks"].as_object().unwrap() {
            let (shots, seed) = case
                .strip_prefix("shot_")
                .and_then(|case| case.split_once("-seed_"))
                .unwrap_or_else(|| panic!("not shot_K-seed_S: {case}"));
            let FewShotPicks { train, val, .. } =
                few_shot(&train, &val, shots.parse().unwrap(), seed.parse().unwrap());
            assert_eq!(train, usizes(&expected["train"]), "{name} {case} train");
            assert_eq!(val, usizes(&expected["val"]), "{name} {case} val");
            cases += 1;
        }
    }
    assert_eq!(cases, 45);
}
