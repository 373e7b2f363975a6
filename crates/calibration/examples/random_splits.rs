//! Coverage of prediction sets over 100 random splits of the images of a file of logits, as
//! `promptsrc eval --logits FILE` writes it, beside the promise.
//!
//! `cargo run --release -p promptsrc-calibration --example random_splits -- FILE CALIBRATION_IMAGES [COVERAGE...]`

use std::error::Error;

use promptsrc_calibration::{
    ConformalScores, LabelledLogits, Raps, SetCounts, SetScore, conformal_quantile,
};

const SPLITS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "give FILE CALIBRATION_IMAGES [COVERAGE...]";
    let file = arguments.next().ok_or(usage)?;
    let count: usize = arguments.next().ok_or(usage)?.parse()?;
    let mut coverages: Vec<f64> = arguments
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    if coverages.is_empty() {
        coverages = vec![0.8, 0.9, 0.95];
    }
    let images = read(&file)?;
    if count == 0 || count >= images.len() {
        return Err(format!("{count} of {} images to calibrate on", images.len()).into());
    }
    // The settings of RAPS are given: chosen ones would depend on the split.
    let scores = [
        SetScore::Lac,
        SetScore::Aps,
        SetScore::Raps(Raps::new(0.1, 2)?),
    ];
    println!(
        "{} images of {} classes, {count} to calibrate on, {SPLITS} splits\n",
        images.len(),
        images.classes()
    );
    println!(
        "| sets | promise | mean coverage | standard deviation | smallest | largest | expected mean | mean size | empty |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for coverage in coverages {
        for score in scores {
            for by_class in [false, true] {
                row(&images, score, coverage, by_class, count)?;
            }
        }
    }
    Ok(())
}

fn row(
    images: &LabelledLogits,
    score: SetScore,
    coverage: f64,
    by_class: bool,
    count: usize,
) -> Result<(), Box<dyn Error>> {
    let (mut found, mut size, mut empty, mut total) = (Vec::new(), 0.0, 0, 0);
    for seed in 1..=SPLITS {
        let order = shuffled(images.len(), seed);
        let (calibration, test) = order.split_at(count);
        let scores = ConformalScores::fit(&score, &images.select(calibration.iter().copied()))?;
        let threshold = match by_class {
            true => scores.thresholds_by_class(coverage)?,
            false => scores.threshold(coverage)?,
        };
        let mut counts = SetCounts::default();
        for (label, row) in images.select(test.iter().copied()).rows() {
            counts.add(label, &score.set(row, &threshold)?);
        }
        found.push(counts.coverage().ok_or("no test images")?);
        size += counts.mean_size().ok_or("no test images")?;
        empty += counts.empty;
        total += counts.total;
    }
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let squares: f64 = found.iter().map(|of| (of - mean).powi(2)).sum();
    let deviation = (squares / (found.len() - 1) as f64).sqrt();
    let (least, most) = found
        .iter()
        .fold((1.0_f64, 0.0_f64), |(a, b), of| (a.min(*of), b.max(*of)));
    // Where no scores are equal: ceil((n + 1) coverage) / (n + 1).
    let ranks: Vec<f64> = (1..=count).map(|rank| rank as f64).collect();
    let expected = match by_class {
        true => "-".to_string(),
        false => format!(
            "{:.2} %",
            100.0 * conformal_quantile(&ranks, coverage)? / (count + 1) as f64
        ),
    };
    println!(
        "| {}{} | {} % | {:.2} % | {:.2} | {:.2} % | {:.2} % | {expected} | {:.2} | {:.2} % |",
        score.method(),
        if by_class { ", each class" } else { "" },
        100.0 * coverage,
        100.0 * mean,
        100.0 * deviation,
        100.0 * least,
        100.0 * most,
        size / SPLITS as f64,
        100.0 * empty as f64 / total as f64
    );
    Ok(())
}

fn read(file: &str) -> Result<LabelledLogits, Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(file)?;
    let names: Vec<String> = reader.headers()?.iter().skip(2).map(String::from).collect();
    let mut images = LabelledLogits::new(names.len());
    for record in reader.records() {
        let record = record?;
        let class = record.get(1).unwrap_or_default();
        let label = names.iter().position(|name| name == class);
        let row: Vec<f32> = record
            .iter()
            .skip(2)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        images.push(label.ok_or("a true class without a column")?, &row)?;
    }
    Ok(images)
}

/// A permutation by Fisher and Yates, with SplitMix64 (Steele et al., 2014) as its source of numbers.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let bound = last as u64 + 1;
        order.swap(last, (next() % bound) as usize);
    }
    order
}
