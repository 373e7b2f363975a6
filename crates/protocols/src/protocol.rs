//! The four protocols: the data sets and classes that are learned and those that are measured.

use std::fmt;
use std::str::FromStr;

use promptsrc_datasets::Classes;
use serde::{Deserialize, Serialize};

use crate::collection::{DatasetEntry, TransferRole};
use promptsrc::Preset;

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

    #[test]
    fn defaults_are_the_published_ones() {
        let presets = Protocol::ALL.map(Protocol::preset);
        let [base_to_novel, few_shot, cross_dataset, domain] = presets;
        assert_eq!(base_to_novel, Preset::BaseToNovel);
        assert_eq!(few_shot, Preset::FewShot);
        assert_eq!([cross_dataset, domain], [Preset::CrossDataset; 2]);
        assert_eq!(Protocol::FewShot.shots(), [1, 2, 4, 8, 16]);
        assert_eq!(Protocol::BaseToNovel.shots(), [16]);
        assert_eq!(Protocol::SEEDS, [1, 2, 3]);
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
