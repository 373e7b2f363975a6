//! Published results, to compare one's own with.

use crate::collection::normalized;
use crate::column::Column;
use crate::contender::Contender;
use crate::protocol::Protocol;
use crate::published_file::{AVERAGE, Block, OTHERS, PAPER, RESULTS, Source};
use crate::published_file::{canonical, data_sets_of_paper};
use crate::table::{Cell, Made, Row, Table};

/// Shots per class of the paper's results of every protocol but few-shot learning.
const SHOTS: usize = 16;

/// The published name of a method; one that has none keeps its own.
pub(crate) fn paper_name(method: &str) -> &str {
    Contender::find(method).map_or(method, |found| found.paper_name())
}

/// The published accuracy or harmonic mean, in per cent, of a method by its published name, if results
/// may be set beside it. `data_set`: any usual name, or "average". `shots`: those of the run; `None` for
/// zero-shot CLIP.
pub fn published(
    protocol: Protocol,
    method: &str,
    data_set: &str,
    shots: Option<usize>,
    column: Column,
) -> Option<f64> {
    let is_of_paper = protocol == Protocol::FewShot || shots.is_none_or(|shots| shots == SHOTS);
    let of_paper = || {
        let key = (
            protocol,
            normalized(method),
            canonical(data_set),
            column.key(),
        );
        RESULTS.get(&key).copied()
    };
    let of_others = || {
        let block = block_beside(protocol, method)?;
        let asked = shots.is_none_or(|shots| shots == block.shots);
        asked.then(|| block.value(data_set, column)).flatten()
    };
    is_of_paper.then(of_paper).flatten().or_else(of_others)
}

/// The block of a method whose numbers may be set beside results.
fn block_beside(protocol: Protocol, method: &str) -> Option<&'static Block> {
    let is_it = |block: &&Block| {
        block.beside
            && block.protocol == protocol
            && normalized(&block.method) == normalized(method)
    };
    OTHERS.iter().find(is_it)
}

/// Where the numbers are from that may be set beside results of a method.
pub(crate) fn source_beside(protocol: Protocol, method: &str) -> Option<&'static Source> {
    let name = normalized(method);
    let of_paper = RESULTS
        .keys()
        .any(|(own, method, ..)| *own == protocol && *method == name);
    match of_paper {
        true => Some(&PAPER),
        false => block_beside(protocol, method).map(|block| &block.source),
    }
}

impl Block {
    fn value(&self, data_set: &str, column: Column) -> Option<f64> {
        let key = (canonical(data_set), column.key());
        self.results.get(&key).copied()
    }
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

/// Adds published results to a table as rows of their own, after those of the runs, for the data sets
/// that they have: those of the paper, its ablation where the table has steps of it, and those of
/// further methods. A method whose published numbers are beside its own row has no other.
pub fn add_published(table: &mut Table) {
    let protocol = table.protocol;
    let learned_with = (protocol != Protocol::FewShot)
        .then(|| table.shots.first().copied())
        .flatten();
    let columns = table.columns.clone();
    let methods = |rows: &[Row]| -> Vec<Contender> {
        let found = rows.iter().map(|row| Contender::find(&row.method));
        found.filter_map(Result::ok).collect()
    };
    let mut steps: Vec<&str> = Vec::new();
    for (_, rows) in &table.data_sets {
        for step in methods(rows).iter().filter(|one| one.is_step()) {
            if !steps.contains(&step.paper_name()) {
                steps.push(step.paper_name());
            }
        }
    }
    let is_beside = |rows: &[Row], name: &str| {
        rows.iter()
            .filter(|row| paper_name(&row.method) == name)
            .any(|row| row.cells.iter().flatten().any(|c| c.published.is_some()))
    };
    let add = |set: &str, rows: &mut Vec<Row>| {
        let mut add_row = |name: &str, source, value: &dyn Fn(Column) -> Option<f64>| {
            let cells: Vec<Option<Cell>> = columns
                .iter()
                .map(|column| value(*column).map(Cell::published))
                .collect();
            if cells.iter().any(Option::is_some) && !is_beside(rows, name) {
                rows.push(published_row(name, source, cells));
            }
        };
        for name in METHODS.iter().chain(&steps) {
            let shots = learned_with.filter(|_| *name != "CLIP");
            add_row(name, &PAPER, &|column| {
                published(protocol, name, set, shots, column)
            });
        }
        for block in OTHERS.iter().filter(|block| block.protocol == protocol) {
            if learned_with.is_none_or(|shots| shots == block.shots) {
                add_row(&block.method, &block.source, &|column| {
                    block.value(set, column)
                });
            }
        }
    };
    let averaged: Vec<&str> = table.averaged.iter().map(String::as_str).collect();
    if is_published_selection(protocol, &averaged) {
        add(AVERAGE, &mut table.average);
    }
    for (name, rows) in &mut table.data_sets {
        add(name, rows);
    }
}

fn published_row(name: &str, source: &'static Source, cells: Vec<Option<Cell>>) -> Row {
    Row {
        method: name.to_string(),
        cells,
        against: Vec::new(),
        fixed_classes: false,
        needs: Vec::new(),
        by_seed: Vec::new(),
        made: Made::default(),
        differs: Vec::new(),
        unverified: Vec::new(),
        published: Some(source),
    }
}

/// Whether these are exactly the data sets of the published average.
pub(crate) fn is_published_selection(protocol: Protocol, data_sets: &[&str]) -> bool {
    let mut own: Vec<String> = data_sets.iter().map(|set| canonical(set)).collect();
    own.sort();
    let mut paper = data_sets_of_paper(protocol);
    if protocol.is_transfer() {
        // A transfer's source is not in its average.
        paper.remove("imagenet");
    }
    own.iter().eq(&paper)
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
        let other =
            |method, shots| published(Protocol::BaseToNovel, method, "DTD", shots, Column::Novel);
        assert_eq!(other("KgCoOp", Some(16)), Some(54.99));
        assert_eq!(other("KgCoOp", Some(4)), None);
        // Their settings are not known: they are listed, and not set beside anything.
        assert_eq!(other("ProGrad", Some(16)), None);
        assert_eq!(other("CLIP-Adapter", Some(16)), None);
        let source = |method| {
            let source = source_beside(Protocol::BaseToNovel, method);
            source
                .map(|source| source.name.as_str())
                .unwrap_or_default()
        };
        assert!(source("PromptSRC").contains("Khattak"));
        assert!(source("KgCoOp").contains("Skip Tuning"));
        assert_eq!(source("ProGrad"), "");
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
