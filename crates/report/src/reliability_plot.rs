//! Reliability diagrams: accuracy over confidence, and how many images each bin has.

use promptsrc::metrics::ReliabilityBin;

use crate::chart::{Anchor, Axis, Chart, Mark};
use crate::colour::Colour;
use crate::data_table::DataTable;
use crate::figure::{Figure, Shape, Size};
use crate::number::percent;
use crate::run::{Calibrated, Judged, Measured};

/// The diagram, beside zero-shot CLIP, and the images of its bins.
pub(crate) fn reliability_figure(measured: &Measured, method: &str) -> Figure {
    let (learned, zero_shot) = (&measured.learned, &measured.zero_shot);
    let error = |judged: &Judged| percent(judged.evaluation.calibration_error);
    Figure {
        title: match learned.calibrated {
            Some(_) => "Reliability without the calibration".to_string(),
            None => "Reliability".to_string(),
        },
        note: format!(
            "Expected calibration error {} %, zero-shot CLIP {} %. On the dashed line, confidence is accuracy; \
             the bars at the bottom are the numbers of images.",
            error(learned),
            error(zero_shot)
        ),
        key: vec![
            (Colour::Series(0), Shape::Bar, method.to_string()),
            (Colour::Series(1), Shape::Dot, "zero-shot CLIP".to_string()),
            diagonal(),
        ],
        chart: chart(
            (&learned.reliability, Colour::Series(0)),
            (&zero_shot.reliability, Colour::Series(1)),
        ),
        table: table(
            (method, &learned.reliability),
            ("zero-shot", &zero_shot.reliability),
        ),
        size: Size::Column,
    }
}

/// The diagram with a calibration, beside the one without.
pub(crate) fn calibrated_figure(learned: &Judged, calibrated: &Calibrated) -> Figure {
    let (before, after) = (&learned.reliability, &calibrated.reliability);
    Figure {
        title: "Reliability with the calibration".to_string(),
        note: format!(
            "Expected calibration error {} % instead of {} %. A temperature moves images to other bins, and changes \
             no answer.",
            percent(calibrated.after.calibration_error),
            percent(calibrated.before.calibration_error)
        ),
        key: vec![
            (
                Colour::Series(2),
                Shape::Bar,
                "with the calibration".to_string(),
            ),
            (Colour::Series(0), Shape::Dot, "without".to_string()),
            diagonal(),
        ],
        chart: chart((after, Colour::Series(2)), (before, Colour::Series(0))),
        table: table(("without", before), ("with", after)),
        size: Size::Column,
    }
}

fn diagonal() -> (Colour, Shape, String) {
    let name = "confidence = accuracy".to_string();
    (Colour::Reference, Shape::Line, name)
}

/// The first as bars, the second as dots.
fn chart(
    (learned, of_bars): (&[ReliabilityBin], Colour),
    (other, of_dots): (&[ReliabilityBin], Colour),
) -> Chart {
    let bins = learned.len().max(1);
    let width = 100.0 / bins as f64;
    let mut marks = Vec::new();
    let fullest = learned.iter().map(|bin| bin.total).max().unwrap_or(1);
    for (at, bin) in learned.iter().enumerate() {
        if bin.total == 0 {
            continue;
        }
        let (from, to) = (at as f64 * width, (at + 1) as f64 * width);
        let accuracy = 100.0 * bin.correct as f64 / bin.total as f64;
        let height = 18.0 * bin.total as f64 / fullest as f64;
        marks.push(Mark::Bar {
            from: (from + 0.08 * width, 0.0),
            to: (to - 0.08 * width, accuracy),
            colour: of_bars,
            share: 0.75,
        });
        // A bin of which nothing is right has a line.
        marks.push(Mark::Line {
            points: vec![
                (from + 0.08 * width, accuracy),
                (to - 0.08 * width, accuracy),
            ],
            colour: of_bars,
            faint: false,
        });
        marks.push(Mark::Bar {
            from: (from + 0.08 * width, -24.0),
            to: (to - 0.08 * width, -24.0 + height),
            colour: Colour::Muted,
            share: 0.8,
        });
    }
    marks.push(Mark::Line {
        points: vec![(0.0, 0.0), (100.0, 100.0)],
        colour: Colour::Reference,
        faint: false,
    });
    let seen = other.iter().filter(|bin| bin.total > 0);
    marks.extend(seen.map(|bin| Mark::Dot {
        at: (
            100.0 * bin.confidence / bin.total as f64,
            100.0 * bin.correct as f64 / bin.total as f64,
        ),
        colour: of_dots,
        radius: 4,
    }));
    marks.push(Mark::Text {
        at: (0.0, -13.0),
        text: "images".to_string(),
        colour: Colour::Muted,
        size: 11.0,
        anchor: Anchor::Left,
    });
    let mut x = Axis::numbers((0.0, 100.0), 5, "confidence in per cent");
    x.room = 22;
    x.grid = false;
    let mut y = Axis::numbers((-24.0, 104.0), 5, "accuracy in per cent");
    y.ticks.retain(|(value, _)| (0.0..=100.0).contains(value));
    y.room = 32;
    Chart {
        width: 420,
        height: 360,
        x,
        y,
        marks,
    }
}

fn table(
    (method, learned): (&str, &[ReliabilityBin]),
    (beside, other): (&str, &[ReliabilityBin]),
) -> DataTable {
    let mut table = DataTable::new(&["confidence, %"]);
    for name in [method, beside] {
        table.columns.extend([
            (format!("{name}, images"), true),
            (format!("{name}, right"), true),
            (format!("{name}, confidence, %"), true),
            (format!("{name}, accuracy, %"), true),
        ]);
    }
    let width = 100.0 / learned.len().max(1) as f64;
    for (at, bin) in learned.iter().enumerate() {
        let (from, to) = (at as f64 * width, (at + 1) as f64 * width);
        let mut row = vec![format!("{from:.1} to {to:.1}")];
        for bin in [Some(bin), other.get(at)] {
            let bin = bin.copied().unwrap_or_default();
            let of = |value: f64| match bin.total {
                0 => "-".to_string(),
                total => percent(value / total as f64),
            };
            row.extend([
                bin.total.to_string(),
                bin.correct.to_string(),
                of(bin.confidence),
                of(bin.correct as f64),
            ]);
        }
        table.row(row);
    }
    table.note = "Bins are open below and closed above.".to_string();
    table
}
