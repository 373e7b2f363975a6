//! Results made up for the tests of tables.

use std::path::PathBuf;

use crate::contender::Contender;
use crate::facts::{Facts, ImageFacts};
use crate::protocol::Protocol;
use crate::results::{Configuration, Measured, RunId, RunResult};
use promptsrc::Overrides;
use promptsrc::config::TrainConfig;
use promptsrc::methods::Request;
use promptsrc::records::ClipRecord;
use promptsrc_datasets::{Split, SplitOrigin};

/// A result; `measured` has data sets, classes and the number of correct images of 100.
pub(crate) fn result(
    protocol: Protocol,
    method: &str,
    data_set: &str,
    shots_and_seed: Option<(usize, u64)>,
    measured: &[(&str, &str, u64)],
) -> (PathBuf, RunResult) {
    let run = RunId {
        protocol,
        method: method.into(),
        data_set: data_set.into(),
        shots: shots_and_seed.map(|(shots, _)| shots),
        seed: shots_and_seed.map(|(_, seed)| seed),
    };
    let configuration = Configuration {
        clip: "abc".into(),
        precision: "f32".into(),
        clip_settings: None,
        preprocessing: None,
        allow_missing: false,
        exif: false,
        train: shots_and_seed.map(|(_, seed)| {
            let config = TrainConfig {
                seed,
                ..TrainConfig::default()
            };
            config.into()
        }),
    };
    let mut result = RunResult::new(run, configuration, None);
    for (data_set, classes, correct) in measured {
        result.measured.push(Measured {
            data_set: data_set.to_string(),
            classes: classes.to_string(),
            names: 10,
            correct: *correct,
            total: 100,
            macro_f1: 0.5,
            images: format!("{data_set} {classes}"),
            image_facts: None,
        });
    }
    (result.run.path(), result)
}

fn base_to_novel(
    method: &str,
    set: &str,
    seed: u64,
    base: u64,
    novel: u64,
) -> (PathBuf, RunResult) {
    let measured = [(set, "base", base), (set, "novel", novel)];
    result(
        Protocol::BaseToNovel,
        method,
        set,
        Some((16, seed)),
        &measured,
    )
}

pub(crate) fn example() -> Vec<(PathBuf, RunResult)> {
    let zero_shot = |set, base, novel| {
        let measured = [(set, "base", base), (set, "novel", novel)];
        result(Protocol::BaseToNovel, "zero-shot", set, None, &measured)
    };
    vec![
        base_to_novel("promptsrc", "b", 1, 80, 40),
        base_to_novel("promptsrc", "b", 2, 90, 60),
        base_to_novel("promptsrc", "DTD", 1, 60, 60),
        base_to_novel("promptsrc", "DTD", 2, 70, 80),
        zero_shot("b", 50, 50),
        zero_shot("DTD", 60, 20),
    ]
}

/// A method of which there are base classes only, beside those of [`example`].
pub(crate) fn fixed_classes(seeds: &[u64]) -> Vec<(PathBuf, RunResult)> {
    let run = |set: &str, seed: &u64| {
        let measured = [(set, "base", 90 + seed)];
        let (folder, result) = result(
            Protocol::BaseToNovel,
            "coop",
            set,
            Some((16, *seed)),
            &measured,
        );
        let result = RunResult {
            fixed_classes: true,
            ..result
        };
        (folder, result)
    };
    let sets = ["b", "DTD"].into_iter();
    sets.flat_map(|set| seeds.iter().map(move |seed| run(set, seed)))
        .collect()
}

/// Three seeds of PromptSRC on DTD, made in every respect as the published ones.
pub(crate) fn published_like() -> Vec<RunResult> {
    as_published("promptsrc", "DTD", [(864, 720), (828, 520)])
}

/// Three seeds of a method or step on a data set, made in every respect as the published ones.
/// `halves`: images of base and of novel classes, and how many of them are right with the seed 0.
pub(crate) fn as_published(name: &str, set: &str, halves: [(u64, u64); 2]) -> Vec<RunResult> {
    let contender = Contender::find(name).expect("a method");
    let image_facts = |used| ImageFacts {
        used,
        left_out: 0,
        unreadable: 0,
        few_shot_cache: None,
        split: Some(Split {
            origin: SplitOrigin::Published,
            hash: None,
        }),
    };
    let run = |seed: &u64| {
        let measured = [(set, "base", 1), (set, "novel", 1)];
        let id = Some((16, *seed));
        let (_, mut run) = result(Protocol::BaseToNovel, name, set, id, &measured);
        let request = Request {
            method: contender.method().name(),
            preset: None,
            default_preset: Protocol::BaseToNovel.preset(),
            is_mini: false,
            data_set: set,
            shots: Some(16),
            seed: *seed,
            overrides: &contender.overrides(&Overrides::default()),
        };
        run.configuration.train = Some(request.resolve().expect("a configuration"));
        for (measured, (total, correct)) in run.measured.iter_mut().zip(halves) {
            (measured.total, measured.correct) = (total, correct + seed);
            measured.image_facts = Some(image_facts(total as usize));
        }
        run.facts = Some(Facts {
            program: "promptsrc 0.1.0".into(),
            clip: ClipRecord {
                name: "ViT-B/16".into(),
                fingerprint: "abc".into(),
                embed_dim: 512,
                vision: [768, 12],
                text: [512, 12],
                settings: None,
            },
            trained_on: Some(image_facts(370)),
        });
        run
    };
    Protocol::SEEDS.iter().map(run).collect()
}

/// The configuration of a result's prompts, to change it.
pub(crate) fn prompts(result: &mut RunResult) -> &mut TrainConfig {
    match &mut result.configuration.train {
        Some(promptsrc::MethodConfig::Prompts(config)) => config,
        other => panic!("{other:?}"),
    }
}
