//! The paper's results, to compare one's own with.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::collection::normalized;
use crate::column::Column;
use crate::protocol::Protocol;
use crate::table::{Cell, Made, Row, Table};
use promptsrc::methods;

/// The numbers of the paper's tables, with their source.
pub const PUBLISHED_FILE: &str = include_str!("../assets/paper_results.json");

/// Their source, in short.
pub const PAPER: &str = "Khattak et al., ICCV 2023, ViT-B/16, mean of 3 seeds";

/// Shots per class of the published results of every protocol but few-shot learning.
const SHOTS: usize = 16;

/// The name of the average over data sets.
pub(crate) const AVERAGE: &str = "average";

type Key = (Protocol, String, String, String);

/// By protocol, method, data set and column.
static RESULTS: LazyLock<BTreeMap<Key, f64>> = LazyLock::new(|| {
    let file: Value =
        serde_json::from_str(PUBLISHED_FILE).expect("the file is part of the program");
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
    results
});

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(key, value)| (key.as_str(), value))
}

/// The one name of each data set, which has several in tables, papers and folders.
fn canonical(name: &str) -> String {
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

/// The paper's name of a method; one that the paper does not have keeps its own.
pub(crate) fn paper_name(method: &str) -> &str {
    methods::find(method).map_or(method, |m| m.paper_name())
}

/// The published accuracy or harmonic mean, in per cent, of a method by its name in the paper.
/// `data_set`: any usual name, or "average". `shots`: those of the run; `None` for zero-shot CLIP.
pub fn published(
    protocol: Protocol,
    method: &str,
    data_set: &str,
    shots: Option<usize>,
    column: Column,
) -> Option<f64> {
    if shots.is_some_and(|shots| shots != SHOTS) && protocol != Protocol::FewShot {
        return None;
    }
    let key = (
        protocol,
        normalized(method),
        canonical(data_set),
        column.key(),
    );
    RESULTS.get(&key).copied()
}

/// The methods of the paper, by their names there.
const METHODS: [&str; 8] = [
    "CLIP",
    "linear probe",
    "CoOp",
    "CoCoOp",
    "ProDA",
    "MaPLe",
    "IVLP",
    "PromptSRC",
];

/// Adds the paper's results to a table as rows of their own, after those of the runs, for the data
/// sets that it has. A method whose published numbers are beside its own row has no other.
pub fn add_published(table: &mut Table) {
    let protocol = table.protocol;
    let learned_with = (protocol != Protocol::FewShot)
        .then(|| table.shots.first().copied())
        .flatten();
    let columns = table.columns.clone();
    let is_beside = |rows: &[Row], name: &str| {
        rows.iter()
            .filter(|row| paper_name(&row.method) == name)
            .any(|row| row.cells.iter().flatten().any(|c| c.published.is_some()))
    };
    let add = |set: &str, rows: &mut Vec<Row>| {
        for name in METHODS {
            let shots = learned_with.filter(|_| name != "CLIP");
            let cells: Vec<Option<Cell>> = columns
                .iter()
                .map(|column| {
                    let mean = published(protocol, name, set, shots, *column)?;
                    Some(Cell {
                        mean,
                        standard_deviation: None,
                        interval: None,
                        runs: 0,
                        published: None,
                    })
                })
                .collect();
            if cells.iter().any(Option::is_some) && !is_beside(rows, name) {
                rows.push(Row {
                    method: name.to_string(),
                    cells,
                    by_seed: Vec::new(),
                    made: Made::default(),
                    differs: Vec::new(),
                    unverified: Vec::new(),
                    published: true,
                });
            }
        }
    };
    let sources: Vec<String> = match protocol.is_transfer() {
        true => vec!["imagenet".to_string()],
        false => Vec::new(),
    };
    let averaged: Vec<&str> = table
        .data_sets
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !sources.contains(&canonical(name)))
        .collect();
    if is_published_selection(protocol, &averaged) {
        add(AVERAGE, &mut table.average);
    }
    for (name, rows) in &mut table.data_sets {
        add(name, rows);
    }
}

/// Whether these are exactly the data sets of the published average.
pub(crate) fn is_published_selection(protocol: Protocol, data_sets: &[&str]) -> bool {
    let mut own: Vec<String> = data_sets.iter().map(|set| canonical(set)).collect();
    own.sort();
    let mut paper: Vec<String> = RESULTS
        .keys()
        .filter(|(p, _, set, _)| *p == protocol && set != AVERAGE)
        .map(|(_, _, set, _)| set.clone())
        // A transfer's source is not in its average.
        .filter(|set| !(protocol.is_transfer() && set == "imagenet"))
        .collect();
    paper.sort();
    paper.dedup();
    own == paper
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptsrc::metrics::harmonic_mean;

    const ELEVEN: [&str; 11] = [
        "ImageNet",
        "Caltech101",
        "OxfordPets",
        "StanfordCars",
        "OxfordFlowers",
        "Food101",
        "FGVCAircraft",
        "SUN397",
        "DTD",
        "EuroSAT",
        "UCF101",
    ];

    /// The paper rounds to two decimals.
    const ROUNDING: f64 = 0.0051;

    /// Table 3 of the paper; only the rounding to two decimals may differ.
    #[test]
    fn averages_and_harmonic_means_of_the_paper_are_computed_as_here() {
        let mut checked = 0;
        for method in [
            "CLIP",
            "CoOp",
            "CoCoOp",
            "ProDA",
            "MaPLe",
            "IVLP",
            "PromptSRC",
        ] {
            let of = |set, column| {
                published(Protocol::BaseToNovel, method, set, None, column)
                    .unwrap_or_else(|| panic!("{method} {set} {column:?}"))
            };
            let mean = |column| ELEVEN.iter().map(|set| of(set, column)).sum::<f64>() / 11.0;
            let (base, novel) = (mean(Column::Base), mean(Column::Novel));
            let paper =
                [Column::Base, Column::Novel, Column::HarmonicMean].map(|c| of("average", c));
            for (ours, paper) in [base, novel, harmonic_mean(base, novel)].iter().zip(paper) {
                assert!((ours - paper).abs() < ROUNDING, "{method}: {ours} {paper}");
            }
            for set in ELEVEN {
                let hm = harmonic_mean(of(set, Column::Base), of(set, Column::Novel));
                let paper = of(set, Column::HarmonicMean);
                assert!(
                    (hm - paper).abs() < ROUNDING,
                    "{method} {set}: {hm} {paper}"
                );
                checked += 1;
            }
        }
        assert_eq!(checked, 77);
    }

    #[test]
    fn averages_of_the_other_tables_are_means_of_their_rows() {
        let ten = &ELEVEN[1..];
        let four = &["ImageNetV2", "ImageNet-Sketch", "ImageNet-A", "ImageNet-R"][..];
        let mut cases = Vec::new();
        for method in ["CoOp", "CoCoOp", "MaPLe", "PromptSRC"] {
            cases.push((Protocol::CrossDataset, method, ten, Column::Accuracy));
            cases.push((
                Protocol::DomainGeneralization,
                method,
                four,
                Column::Accuracy,
            ));
            for shots in [1, 2, 4, 8, 16] {
                // Its published average, 75.37, is not the mean of its rows, 75.75.
                if (method, shots) != ("MaPLe", 4) {
                    cases.push((Protocol::FewShot, method, &ELEVEN, Column::Shots(shots)));
                }
            }
        }
        for (protocol, method, sets, column) in cases {
            let of = |set: &str| published(protocol, method, set, None, column).expect("a number");
            let mean = sets.iter().map(|set| of(set)).sum::<f64>() / sets.len() as f64;
            let paper = of("average");
            assert!(
                (mean - paper).abs() < ROUNDING,
                "{protocol} {method}: {mean} {paper}"
            );
        }
    }

    #[test]
    fn only_results_of_the_same_setting_are_compared() {
        let of =
            |set, shots| published(Protocol::BaseToNovel, "PromptSRC", set, shots, Column::Base);
        assert_eq!(of("dtd", Some(16)), of("DescribableTextures", None));
        assert!(of("Flowers102", Some(16)).is_some());
        assert_eq!(of("Flowers102", Some(4)), None);
        assert_eq!(of("objects", Some(16)), None);
        assert!(is_published_selection(Protocol::BaseToNovel, &ELEVEN));
        assert!(!is_published_selection(Protocol::BaseToNovel, &ELEVEN[1..]));
        assert!(is_published_selection(Protocol::CrossDataset, &ELEVEN[1..]));
        let four = ["ImageNetV2", "ImageNet-Sketch", "ImageNet-A", "ImageNet-R"];
        assert!(is_published_selection(
            Protocol::DomainGeneralization,
            &four
        ));
    }
}
