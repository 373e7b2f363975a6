//! Whether results may be set beside the published ones, and if not, what differs.

use std::collections::BTreeSet;

use promptsrc::methods::{Family, Request};
use promptsrc::records::ClipRecord;
use promptsrc::{MethodConfig, Overrides, run_folder};
use promptsrc_clip::hub::KnownClip;
use promptsrc_datasets::{CatalogueSet, Classes, Part, Split, SplitOrigin};

use crate::contender::Contender;
use crate::protocol::Protocol;
use crate::results::{Measured, RunResult};

/// The CLIP of the published results.
const CLIP: KnownClip = KnownClip::VitB16;
/// Width and layers of its image tower, of its text tower, and the dimension of its features.
const SHAPE: ([usize; 2], [usize; 2], usize) = ([768, 12], [512, 12], 512);

/// What tells results from the published ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    /// What differs: with any, there is no comparison.
    pub(crate) differs: Vec<String>,
    /// What could not be verified.
    pub(crate) unverified: Vec<String>,
}

impl Comparison {
    fn differ(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.differs.contains(&what) {
            self.differs.push(what);
        }
    }

    fn doubt(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.unverified.contains(&what) {
            self.unverified.push(what);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        other.differs.into_iter().for_each(|what| self.differ(what));
        other
            .unverified
            .into_iter()
            .for_each(|what| self.doubt(what));
    }
}

/// Compares the runs of one method, with one number of shots, that were measured on a data set.
pub(crate) fn compare(protocol: Protocol, runs: &[&RunResult], data_set: &str) -> Comparison {
    let mut found = Comparison::default();
    seeds(runs, &mut found);
    for run in runs {
        let Some(facts) = &run.facts else {
            if run.trained_by_reference() {
                found.differ("a log of the reference does not record weights, split and images");
                continue;
            }
            found.differ("CLIP, split and images not recorded");
            configuration(protocol, run, &mut found);
            continue;
        };
        clip(&facts.clip, &run.configuration.clip, &mut found);
        if run.configuration.exif {
            found.differ("images turned by their EXIF orientation");
        }
        configuration(protocol, run, &mut found);
        let trained = &run.run.data_set;
        if let Some(images) = &facts.trained_on {
            if images.left_out > 0 {
                found.differ(format!(
                    "{} of {} training images",
                    grouped(images.used),
                    grouped(images.used + images.left_out)
                ));
            }
            split(trained, images.split.as_ref(), &mut found);
        } else if run.configuration.train.is_some() {
            found.differ("training images not recorded");
        }
        for measured in run.measured.iter().filter(|m| m.data_set == data_set) {
            test_images(measured, &mut found);
        }
    }
    found
}

fn seeds(runs: &[&RunResult], found: &mut Comparison) {
    let learns = runs.iter().any(|run| run.run.seed.is_some());
    let own: BTreeSet<u64> = runs.iter().filter_map(|run| run.run.seed).collect();
    if !learns || own.iter().eq(Protocol::SEEDS.iter()) {
        return;
    }
    let list: Vec<String> = own.iter().map(u64::to_string).collect();
    match own.len() {
        1 => found.differ("1 seed"),
        n if n < Protocol::SEEDS.len() => found.differ(format!("{n} seeds")),
        _ => found.differ(format!("seeds {}", list.join(", "))),
    }
}

fn clip(clip: &ClipRecord, fingerprint: &str, found: &mut Comparison) {
    match KnownClip::with_fingerprint(fingerprint) {
        Some(CLIP) => return,
        Some(other) => return found.differ(format!("CLIP {}", other.name())),
        None => {}
    }
    if (clip.vision, clip.text, clip.embed_dim) != SHAPE || CLIP.fingerprint().is_some() {
        return found.differ(format!("other CLIP ({})", clip.name));
    }
    // A name with a slash is one of the hub: a file or folder is recorded by its last part.
    let of_hub = [CLIP.name(), CLIP.repo()];
    match of_hub.contains(&&*clip.name.replace("hf-hub:", "")) {
        true => found.doubt("weights not verified"),
        false => found.differ(format!(
            "CLIP {} not known to be {}",
            clip.name,
            CLIP.repo()
        )),
    }
}

fn configuration(protocol: Protocol, run: &RunResult, found: &mut Comparison) {
    let id = &run.run;
    let contender = Contender::find(&id.method);
    let Some(config) = &run.configuration.train else {
        if contender.is_ok_and(|one| !matches!(one.method().family(), Family::Frozen)) {
            found.differ("configuration not recorded");
        }
        return;
    };
    if let Some(shots) = id.shots
        && !protocol.shots().contains(&shots)
    {
        found.differ(format!("{shots} shot{}", if shots == 1 { "" } else { "s" }));
    }
    let Ok(contender) = contender else {
        return found.differ("configuration unknown");
    };
    let published = Request {
        method: contender.method().name(),
        preset: None,
        default_preset: protocol.preset(),
        is_mini: false,
        data_set: &id.data_set,
        shots: id.shots,
        seed: config.seed(),
        overrides: &contender.overrides(&Overrides::default()),
    };
    let Ok(published) = published.resolve() else {
        return found.differ("configuration unknown");
    };
    let epochs = config.epochs();
    if epochs != published.epochs() {
        let s = if epochs == 1 { "" } else { "s" };
        found.differ(format!("{epochs} epoch{s}"));
    }
    let mut others = published;
    // Said already.
    if let MethodConfig::Prompts(others) = &mut others {
        others.epochs = epochs;
    }
    let value = |v: Result<serde_json::Value, _>| v.unwrap_or_default();
    let (own, others) = (
        value(serde_json::to_value(config)),
        value(serde_json::to_value(&others)),
    );
    if let Some(differences) = run_folder::differences([&own, &others], ["here", "published"]) {
        found.differ(differences);
    }
}

fn split(data_set: &str, split: Option<&Split>, found: &mut Comparison) {
    match split.map(|split| split.origin) {
        Some(SplitOrigin::Published | SplitOrigin::Annotation) => {}
        Some(SplitOrigin::Ours) => found.differ("own split"),
        Some(SplitOrigin::Other) => found.differ("other split"),
        Some(SplitOrigin::Unverified) => found.doubt("split not verified"),
        None if CatalogueSet::find(data_set).is_some() => found.differ("split not recorded"),
        None => found.differ("other data set"),
    }
}

fn test_images(measured: &Measured, found: &mut Comparison) {
    let Some(set) = CatalogueSet::find(&measured.data_set) else {
        return found.differ("other data set");
    };
    let half = |pick: fn((usize, usize)) -> usize| set.test_halves.map(pick);
    let expected = match measured.classes.parse() {
        Ok(Classes::Base) => half(|halves| halves.0),
        Ok(Classes::Novel) => half(|halves| halves.1),
        _ => Some(set.count(Part::Test)),
    };
    let own = measured.total as usize;
    match expected {
        Some(expected) if expected != own => {
            let half = match measured.classes.as_str() {
                "all" => String::new(),
                half => format!("{half} "),
            };
            found.differ(format!(
                "{} of {} {half}test images",
                grouped(own),
                grouped(expected)
            ));
        }
        Some(_) => {}
        None => found.doubt("number of test images not verified"),
    }
    match &measured.image_facts {
        None => found.differ("images not recorded"),
        Some(facts) => {
            if facts.left_out > 0 {
                found.differ("test images left out");
            }
            split(&measured.data_set, facts.split.as_ref(), found);
        }
    }
}

/// A number with commas between thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_results::{prompts, published_like};

    fn differs(change: impl Fn(&mut Vec<RunResult>)) -> Comparison {
        let mut runs = published_like();
        change(&mut runs);
        let runs: Vec<&RunResult> = runs.iter().collect();
        compare(Protocol::BaseToNovel, &runs, "DTD")
    }

    #[test]
    fn a_run_as_published_differs_in_nothing() {
        let found = differs(|_| ());
        assert_eq!(found.differs, Vec::<String>::new());
        assert_eq!(found.unverified, ["weights not verified"]);
    }

    #[test]
    fn everything_that_differs_is_named() {
        type Change = fn(&mut RunResult);
        let cases: [(Change, &str); 11] = [
            (|r| prompts(r).epochs = 2, "2 epochs"),
            (
                |r| prompts(r).batch_size = 8,
                "batch_size: 8 here, 4 published",
            ),
            (|r| r.run.shots = Some(4), "4 shots"),
            (|r| r.measured[0].total = 40, "40 of 864 base test images"),
            (
                |r| {
                    let facts = r.measured[0].image_facts.as_mut().unwrap();
                    facts.split.as_mut().unwrap().origin = SplitOrigin::Ours;
                },
                "own split",
            ),
            (
                |r| {
                    let facts = r.facts.as_mut().unwrap().trained_on.as_mut().unwrap();
                    facts.split.as_mut().unwrap().origin = SplitOrigin::Other;
                },
                "other split",
            ),
            (
                |r| {
                    let facts = r.facts.as_mut().unwrap();
                    facts.trained_on.as_mut().unwrap().left_out = 5;
                },
                "370 of 375 training images",
            ),
            (
                |r| r.facts.as_mut().unwrap().clip.vision = [96, 4],
                "other CLIP (ViT-B/16)",
            ),
            (
                |r| r.facts.as_mut().unwrap().clip.name = "ViT-B-16.pt".into(),
                "CLIP ViT-B-16.pt not known to be openai/clip-vit-base-patch16",
            ),
            (|r| r.facts = None, "CLIP, split and images not recorded"),
            (|r| r.measured[0].image_facts = None, "images not recorded"),
        ];
        for (change, words) in cases {
            let found = differs(|runs| change(&mut runs[0]));
            assert_eq!(found.differs, [words]);
        }
        assert_eq!(differs(|runs| runs.truncate(1)).differs, ["1 seed"]);
        assert_eq!(differs(|runs| runs.truncate(2)).differs, ["2 seeds"]);
        let other = differs(|runs| runs[2].run.seed = Some(7));
        assert_eq!(other.differs, ["seeds 1, 2, 7"]);
    }
}
