//! Which split a data set has: the published one, one that this program made, or another.

use serde::{Deserialize, Serialize};

/// The hashes of CoOp's split files, as `split_file.rs` computes them, from the copies in GitHub
/// linzhiqiu/cross_modal_adaptation. Those of Food101 and SUN397 could not be had.
const PUBLISHED: [(&str, &str); 7] = [
    (
        "split_zhou_Caltech101.json",
        "b9eb9ad4ef15c054d8ff6620a146b71bd72741c22e71bf874c1ea20f1f093df1",
    ),
    (
        "split_zhou_DescribableTextures.json",
        "0283f2e2633089401b9e43830094411770031ebdfea0e85cf45fa6c9036c7f9f",
    ),
    (
        "split_zhou_EuroSAT.json",
        "79647919b172c79d27c2821a8e5de2e5544cb05ae58d2785f87f9c0ac3ed252a",
    ),
    (
        "split_zhou_OxfordFlowers.json",
        "ce8384a3cc57add505447578f3bf8bcf88346b49bcacb3905dcb55c8ea1db720",
    ),
    (
        "split_zhou_OxfordPets.json",
        "52a227662a59eb979d20e7831e5bebc03cb1ddade3c467c3cc9a2dfcd34a4903",
    ),
    (
        "split_zhou_StanfordCars.json",
        "74e70c16c6a8cef526797734facdadb3a0a6196542d29756c89c045cf2b60149",
    ),
    (
        "split_zhou_UCF101.json",
        "5a148a8921dc2a7bf83aca9985266fed61a1b97c934dd9d10cb0de9527758d30",
    ),
];

/// Where the lists of a data set of the paper come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitOrigin {
    /// CoOp's split file, by its hash.
    Published,
    /// Made by this program because the published file was missing.
    Ours,
    /// A split file whose lists are not the published ones.
    Other,
    /// A split file of a data set whose published hash is not known here: only its counts can be
    /// compared with the published ones.
    Unverified,
    /// The data set's own lists: nobody publishes another split of it.
    Annotation,
}

/// The split of a data set of the paper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Where it comes from.
    pub origin: SplitOrigin,
    /// BLAKE3 of the lists of a split file: paths, labels and class names in order, whatever the
    /// white space of the file; `None` where there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl SplitOrigin {
    /// Its name, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Ours => "ours",
            Self::Other => "other",
            Self::Unverified => "not verified",
            Self::Annotation => "own lists",
        }
    }
}

impl Split {
    /// The split in a file of this name.
    pub(crate) fn in_file(name: &str, hash: String, made_here: bool) -> Self {
        let published = PUBLISHED.iter().find(|(file, _)| *file == name);
        let origin = match published {
            Some((_, own)) if *own == hash => SplitOrigin::Published,
            _ if made_here => SplitOrigin::Ours,
            Some(_) => SplitOrigin::Other,
            None => SplitOrigin::Unverified,
        };
        Self {
            origin,
            hash: Some(hash),
        }
    }

    /// A split without a file.
    pub(crate) fn without_file(origin: SplitOrigin) -> Self {
        Self { origin, hash: None }
    }
}
