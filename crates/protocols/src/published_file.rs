//! The file of published results, read: the paper's tables, and results of further methods with their
//! own sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::collection::normalized;
use crate::protocol::Protocol;

/// Published numbers: the tables of PromptSRC's paper, and under `others` a block for each method and
/// protocol, which names where its numbers were read, the CLIP, shots and seeds.
pub const PUBLISHED_FILE: &str = include_str!("../assets/paper_results.json");

/// The name of the average over data sets.
pub(crate) const AVERAGE: &str = "average";

/// Where published numbers are from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The publication, the CLIP and the seeds, in short.
    pub name: String,
    /// Where the numbers were read; empty for the paper itself.
    pub read_in: String,
    /// What a person who compares with them should know; empty if that is nothing.
    pub note: String,
}

/// The source of the paper's tables.
pub(crate) static PAPER: LazyLock<Source> = LazyLock::new(|| Source {
    name: "Khattak et al., ICCV 2023, ViT-B/16, mean of 3 seeds".to_string(),
    read_in: String::new(),
    note: String::new(),
});

/// The results of one method in one protocol that are not of the paper.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) protocol: Protocol,
    /// Name of the method, as in its own paper.
    pub(crate) method: String,
    pub(crate) shots: usize,
    /// Whether they may be set beside results of this program. Otherwise they are only listed.
    pub(crate) beside: bool,
    pub(crate) source: Source,
    /// By data set and column.
    pub(crate) results: BTreeMap<(String, String), f64>,
}

/// A block as it is in the file.
#[derive(Deserialize)]
struct BlockInFile {
    method: String,
    protocol: Protocol,
    source: String,
    read_in: String,
    backbone: String,
    shots: usize,
    /// `None` where the source does not say them.
    seeds: Option<Vec<u64>>,
    beside: bool,
    note: String,
    results: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Protocol, method, data set and column.
type Key = (Protocol, String, String, String);

/// The numbers of the paper's tables.
pub(crate) static RESULTS: LazyLock<BTreeMap<Key, f64>> = LazyLock::new(|| {
    let file = file();
    let mut results = BTreeMap::new();
    for (protocol, section) in [
        (Protocol::BaseToNovel, "base_to_novel_16_shots"),
        (Protocol::FewShot, "few_shot"),
    ] {
        for (set, methods) in entries(&file[section]) {
            for (method, columns) in entries(methods) {
                for (column, value) in entries(columns) {
                    let key = (
                        protocol,
                        normalized(method),
                        canonical(set),
                        column.to_string(),
                    );
                    results.extend(value.as_f64().map(|value| (key, value)));
                }
            }
        }
    }
    for (protocol, section) in [
        (Protocol::CrossDataset, "cross_dataset_source_imagenet"),
        (
            Protocol::DomainGeneralization,
            "domain_generalization_source_imagenet",
        ),
    ] {
        for (method, sets) in entries(&file[section]) {
            for (set, value) in entries(sets) {
                let key = (
                    protocol,
                    normalized(method),
                    canonical(set),
                    "accuracy".to_string(),
                );
                results.extend(value.as_f64().map(|value| (key, value)));
            }
        }
    }
    // Its first and its last row are IVLP and PromptSRC, which are in the tables above.
    for (row, columns) in entries(&file["ablation_average_of_11"]) {
        for (column, value) in ["base", "novel", "hm"]
            .iter()
            .zip(columns.as_array().into_iter().flatten())
        {
            let key = (
                Protocol::BaseToNovel,
                normalized(row),
                AVERAGE.to_string(),
                column.to_string(),
            );
            if let Some(value) = value.as_f64() {
                results.entry(key).or_insert(value);
            }
        }
    }
    results
});

/// The results of further methods, in the order of the file.
pub(crate) static OTHERS: LazyLock<Vec<Block>> = LazyLock::new(|| {
    let blocks: Vec<BlockInFile> =
        serde_json::from_value(file()["others"].clone()).expect("the file is part of the program");
    blocks.into_iter().map(Block::from).collect()
});

impl From<BlockInFile> for Block {
    fn from(block: BlockInFile) -> Self {
        let seeds = match block.seeds.as_deref() {
            None => "seeds not stated".to_string(),
            Some(seeds) => format!("mean of {} seeds", seeds.len()),
        };
        let mut results = BTreeMap::new();
        for (set, columns) in block.results {
            for (column, value) in columns {
                results.insert((canonical(&set), column), value);
            }
        }
        Self {
            protocol: block.protocol,
            method: block.method,
            shots: block.shots,
            beside: block.beside,
            source: Source {
                name: format!("{}, {}, {seeds}", block.source, block.backbone),
                read_in: block.read_in,
                note: block.note,
            },
            results,
        }
    }
}

fn file() -> Value {
    serde_json::from_str(PUBLISHED_FILE).expect("the file is part of the program")
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(key, value)| (key.as_str(), value))
}

/// The data sets that the paper's tables of a protocol have, without their average.
pub(crate) fn data_sets_of_paper(protocol: Protocol) -> BTreeSet<String> {
    let of_it = RESULTS.keys().filter(|(own, ..)| *own == protocol);
    let sets = of_it.map(|(_, _, set, _)| set.clone());
    sets.filter(|set| set != AVERAGE).collect()
}

/// The one name of each data set, which has several in tables, papers and folders.
pub(crate) fn canonical(name: &str) -> String {
    let name = normalized(name);
    match name.as_str() {
        "caltech" => "caltech101",
        "pets" => "oxfordpets",
        "cars" => "stanfordcars",
        "flowers" | "flowers102" => "oxfordflowers",
        "food" => "food101",
        "aircraft" => "fgvcaircraft",
        "sun" => "sun397",
        "ucf" => "ucf101",
        "describabletextures" => "dtd",
        "v2" => "imagenetv2",
        "sketch" => "imagenetsketch",
        "a" | "imagenetadversarial" => "imageneta",
        "r" | "imagenetrendition" => "imagenetr",
        "avgof10" | "avgof4" => AVERAGE,
        other => other,
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptsrc::metrics::harmonic_mean;

    /// Every block names its source, and its numbers agree with each other: averages are the means of
    /// the data sets, harmonic means those of base and novel. Only rounding to two decimals may differ,
    /// in a harmonic mean that of three seeds' means as well.
    #[test]
    fn numbers_of_other_sources_agree_with_each_other() {
        let mut checked = 0;
        for block in OTHERS.iter() {
            let what = (&block.method, block.protocol);
            assert!(block.source.name.contains("ViT-"), "{what:?}");
            assert!(!block.source.read_in.is_empty(), "{what:?}");
            assert!(block.beside || !block.source.note.is_empty(), "{what:?}");
            let sets: BTreeSet<&String> = block.results.keys().map(|(set, _)| set).collect();
            let of = |set: &str, column: &str| {
                let key = (set.to_string(), column.to_string());
                block.results.get(&key).copied()
            };
            let columns: BTreeSet<&String> = block.results.keys().map(|(_, c)| c).collect();
            for column in columns.into_iter().filter(|column| *column != "hm") {
                let source = block.protocol.is_transfer().then_some("imagenet");
                let is_averaged = |set: &&&String| **set != AVERAGE && Some(set.as_str()) != source;
                let values = sets.iter().filter(is_averaged).map(|set| of(set, column));
                let values: Vec<f64> = values.map(|v| v.expect("a number")).collect();
                if values.is_empty() {
                    continue;
                }
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let average = of(AVERAGE, column).expect("an average");
                assert!(
                    (mean - average).abs() < 0.0101,
                    "{what:?} {column}: {mean} {average}"
                );
                checked += 1;
            }
            for set in &sets {
                if let (Some(base), Some(novel)) = (of(set, "base"), of(set, "novel")) {
                    let hm = of(set, "hm").expect("a harmonic mean");
                    let difference = (harmonic_mean(base, novel) - hm).abs();
                    assert!(difference < 0.0101, "{what:?} {set}: {difference}");
                    checked += 1;
                }
            }
        }
        assert_eq!(checked, 3 * (2 + 12) + 1);
    }

    #[test]
    fn the_ablation_begins_and_ends_with_rows_of_the_table() {
        let file = file();
        let rows: Vec<&str> = entries(&file["ablation_average_of_11"])
            .map(|(row, _)| row)
            .collect();
        assert_eq!(rows.len(), 4);
        let of = |row: &str, column: &str| {
            let key = (
                Protocol::BaseToNovel,
                normalized(row),
                AVERAGE.into(),
                column.into(),
            );
            RESULTS.get(&key).copied()
        };
        assert_eq!(of("+ mutual agreement (SCL)", "hm"), Some(79.55));
        assert_eq!(of("+ Gaussian prompt aggregation", "novel"), Some(75.69));
        for (row, method) in [("IVLP", "IVLP"), ("+ textual diversity", "PromptSRC")] {
            for column in ["base", "novel", "hm"] {
                assert_eq!(of(row, column), of(method, column), "{row} {column}");
            }
        }
    }
}
