//! The four protocols: the data sets and classes that are learned and those that are measured.

use std::fmt;
use std::str::FromStr;

use promptsrc_datasets::Classes;
use serde::{Deserialize, Serialize};

use crate::collection::{DatasetEntry, TransferRole};
use promptsrc::config::{Preset, TrainConfig};

/// A benchmark of the paper (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Half of the classes are learned; both halves are measured, each within itself.
    BaseToNovel,
    /// All classes are learned, from different numbers of images per class.
    FewShot,
    /// All classes of the source are learned; other data sets are measured.
    CrossDataset,
    /// All classes of the source are learned; the same classes in other images are measured.
    DomainGeneralization,
}

/// Images that a run is measured on: the test split of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The data set.
    pub data_set: String,
    /// The classes that are distinguished.
    pub classes: Classes,
}

/// The kind of CLIP that is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// One like the paper's: the published configurations.
    #[default]
    Published,
    /// One with small images, such as promptsrc's built-in CLIP: the published configurations with
    /// larger crops, and few-shot learning in 20 epochs instead of 50.
    Mini,
}

impl Protocol {
    /// All protocols, in the order of the paper.
    pub const ALL: [Self; 4] = [
        Self::BaseToNovel,
        Self::FewShot,
        Self::CrossDataset,
        Self::DomainGeneralization,
    ];
    /// The paper's seeds.
    pub const SEEDS: [u64; 3] = [1, 2, 3];

    /// The name as written on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::BaseToNovel => "base-to-novel",
            Self::FewShot => "few-shot",
            Self::CrossDataset => "cross-dataset",
            Self::DomainGeneralization => "domain-generalization",
        }
    }

    /// The paper's numbers of images per class.
    pub fn shots(self) -> &'static [usize] {
        match self {
            Self::FewShot => &[1, 2, 4, 8, 16],
            _ => &[16],
        }
    }

    /// The published preset.
    pub fn preset(self) -> Preset {
        match self {
            Self::BaseToNovel => Preset::BaseToNovel,
            Self::FewShot => Preset::FewShot,
            Self::CrossDataset | Self::DomainGeneralization => Preset::CrossDataset,
        }
    }

    /// The configuration for a data set; that of `preset` where one is given. In few-shot learning
    /// the aggregation depends on the data set ([`TrainConfig::few_shot_for`]).
    pub fn config(self, data_set: &str, preset: Option<Preset>, scale: Scale) -> TrainConfig {
        let of = |preset| match preset {
            Preset::FewShot => TrainConfig::few_shot_for(data_set),
            other => TrainConfig::preset(other),
        };
        match (preset, scale, self) {
            (Some(preset), ..) => of(preset),
            (None, Scale::Published, _) => of(self.preset()),
            (None, Scale::Mini, Self::BaseToNovel | Self::FewShot) => of(Preset::Mini),
            (None, Scale::Mini, _) => TrainConfig {
                crop_scale: TrainConfig::preset(Preset::Mini).crop_scale,
                ..of(self.preset())
            },
        }
    }

    /// The classes that are learned.
    pub fn learned(self) -> Classes {
        match self {
            Self::BaseToNovel => Classes::Base,
            _ => Classes::All,
        }
    }

    /// Whether one data set is trained on and others are measured.
    pub fn is_transfer(self) -> bool {
        matches!(self, Self::CrossDataset | Self::DomainGeneralization)
    }

    /// Whether a data set is measured unless others are chosen; a transfer also measures its
    /// source.
    pub fn measures(self, set: &DatasetEntry) -> bool {
        match self {
            Self::BaseToNovel | Self::FewShot => set.measured_by_default,
            Self::CrossDataset => set.role == TransferRole::Target,
            Self::DomainGeneralization => set.role == TransferRole::Shifted,
        }
    }

    /// What a run that trains on `data_set` is measured on. `chosen`: the data sets of a transfer.
    pub fn targets(self, data_set: &str, chosen: &[String]) -> Vec<Target> {
        let target = |data_set: &str, classes| Target {
            data_set: data_set.to_string(),
            classes,
        };
        match self {
            Self::BaseToNovel => vec![
                target(data_set, Classes::Base),
                target(data_set, Classes::Novel),
            ],
            Self::FewShot => vec![target(data_set, Classes::All)],
            Self::CrossDataset | Self::DomainGeneralization => {
                let others = chosen.iter().filter(|name| *name != data_set);
                std::iter::once(target(data_set, Classes::All))
                    .chain(others.map(|name| target(name, Classes::All)))
                    .collect()
            }
        }
    }
}

/// The name of a choice of classes in files.
pub fn classes_name(classes: Classes) -> &'static str {
    match classes {
        Classes::All => "all",
        Classes::Base => "base",
        Classes::Novel => "novel",
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.name() == name)
            .ok_or_else(|| format!("unknown protocol {name:?}: one of {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaussian(config: &TrainConfig) -> (f64, f64) {
        let aggregation = config.aggregation.as_ref().expect("an aggregation");
        (aggregation.mean, aggregation.std)
    }

    /// From the reference's configuration files and the comment in the few-shot one.
    #[test]
    fn defaults_are_the_published_ones() {
        let published = |protocol: Protocol, set| protocol.config(set, None, Scale::Published);
        for (protocol, set, epochs, depth, expected) in [
            (Protocol::BaseToNovel, "DTD", 20, 9, (15.0, 1.0)),
            (Protocol::FewShot, "ImageNet", 50, 9, (30.0, 30.0)),
            (Protocol::FewShot, "SUN397", 50, 9, (30.0, 30.0)),
            (Protocol::FewShot, "DTD", 50, 9, (45.0, 5.0)),
            (Protocol::FewShot, "OxfordFlowers", 50, 9, (45.0, 5.0)),
            (Protocol::FewShot, "StanfordCars", 50, 9, (45.0, 5.0)),
            (Protocol::FewShot, "FGVCAircraft", 50, 9, (45.0, 5.0)),
            (Protocol::FewShot, "EuroSAT", 50, 9, (45.0, 5.0)),
            (Protocol::CrossDataset, "ImageNet", 20, 3, (6.0, 10.0)),
            (
                Protocol::DomainGeneralization,
                "ImageNet",
                20,
                3,
                (6.0, 10.0),
            ),
        ] {
            let config = published(protocol, set);
            assert_eq!(config.epochs, epochs, "{protocol} {set}");
            let depths = (config.prompts.depth_text, config.prompts.depth_vision);
            assert_eq!(depths, (depth, depth), "{protocol} {set}");
            assert_eq!(gaussian(&config), expected, "{protocol} {set}");
        }
        assert_eq!(Protocol::FewShot.shots(), [1, 2, 4, 8, 16]);
        assert_eq!(Protocol::BaseToNovel.shots(), [16]);
        assert_eq!(Protocol::SEEDS, [1, 2, 3]);
    }

    #[test]
    fn a_small_clip_sees_at_least_half_of_an_image() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.config("", None, Scale::Mini).crop_scale, 0.5);
            let asked = protocol.config("", Some(Preset::FewShot), Scale::Mini);
            assert_eq!(asked, TrainConfig::preset(Preset::FewShot));
        }
    }

    #[test]
    fn a_transfer_is_measured_on_its_source_once() {
        let chosen = ["source", "b"].map(String::from);
        let names: Vec<String> = Protocol::CrossDataset
            .targets("source", &chosen)
            .into_iter()
            .map(|t| t.data_set)
            .collect();
        assert_eq!(names, ["source", "b"]);
    }
}
