//! Accuracy by class, beside that of zero-shot CLIP.

use promptsrc::Evaluation;

use crate::chart::{Axis, Chart, Mark, room_for};
use crate::colour::Colour;
use crate::data_table::DataTable;
use crate::figure::{Figure, Shape, Size};
use crate::limits::CLASS_BARS;
use crate::number::{percent, points};
use crate::run::Measured;

/// Accuracy of a class, of both.
struct ClassLine<'a> {
    name: &'a str,
    learned: f64,
    zero_shot: Option<f64>,
}

/// Accuracies by class; `None` if no class has an image.
pub(crate) fn class_figure(measured: &Measured, method: &str) -> Option<Figure> {
    let (learned, zero_shot) = (&measured.learned.evaluation, &measured.zero_shot.evaluation);
    let mut lines: Vec<ClassLine> = learned
        .per_class
        .iter()
        .enumerate()
        .filter_map(|(at, class)| {
            let other = zero_shot.per_class.get(at);
            Some(ClassLine {
                name: &class.name,
                learned: class.accuracy?,
                zero_shot: other.and_then(|class| class.accuracy),
            })
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    lines.sort_by(|a, b| a.learned.total_cmp(&b.learned).then(a.name.cmp(b.name)));
    let all = lines.len();
    let note = match all > CLASS_BARS {
        true => {
            let (low, high) = (CLASS_BARS - CLASS_BARS / 5, CLASS_BARS / 5);
            let last = lines.split_off(all - high);
            lines.truncate(low);
            lines.extend(last);
            format!(
                "Of {all} classes, the {low} with the lowest accuracy and, below them, the {high} with the \
                 highest; the numbers are of all."
            )
        }
        false => "The lowest first.".to_string(),
    };
    Some(Figure {
        title: "Accuracy by class".to_string(),
        note,
        key: vec![
            (Colour::Series(0), Shape::Dot, method.to_string()),
            (Colour::Reference, Shape::Dot, "zero-shot CLIP".to_string()),
        ],
        chart: chart(&lines),
        table: table(learned, zero_shot, method),
        size: Size::Column,
    })
}

fn chart(lines: &[ClassLine]) -> Chart {
    let names: Vec<String> = lines.iter().map(|line| line.name.to_string()).collect();
    let y = Axis::names(&names, room_for(names.iter().map(String::as_str), 160));
    let mut x = Axis::numbers((0.0, 100.0), 4, "accuracy in per cent");
    x.room = 22;
    let mut marks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let row = at as f64 + 0.5;
        let at = |share: f64| (100.0 * share, row);
        if let Some(other) = line.zero_shot {
            marks.push(Mark::Bar {
                from: (100.0 * other.min(line.learned), row - 0.06),
                to: (100.0 * other.max(line.learned), row + 0.06),
                colour: Colour::Reference,
                share: 0.6,
            });
            marks.push(Mark::Dot {
                at: at(other),
                colour: Colour::Reference,
                radius: 3,
            });
        }
        marks.push(Mark::Dot {
            at: at(line.learned),
            colour: Colour::Series(0),
            radius: 5,
        });
    }
    Chart {
        width: 420,
        height: 17 * lines.len() as u32 + 60,
        x,
        y,
        marks,
    }
}

/// All classes in the order of their labels.
fn table(learned: &Evaluation, zero_shot: &Evaluation, method: &str) -> DataTable {
    let mut table = DataTable::new(&["class", "#images"]);
    table.columns.extend([
        (format!("{method}, right"), true),
        (format!("{method}, %"), true),
        ("zero-shot, right".to_string(), true),
        ("zero-shot, %".to_string(), true),
        ("difference".to_string(), true),
    ]);
    for (at, class) in learned.per_class.iter().enumerate() {
        let other = zero_shot.per_class.get(at);
        let accuracy = |share: Option<f64>| share.map_or("-".to_string(), percent);
        let theirs = other.and_then(|class| class.accuracy);
        let difference = class.accuracy.zip(theirs).map(|(a, b)| points(a - b));
        table.row(vec![
            class.name.clone(),
            class.total.to_string(),
            class.correct.to_string(),
            accuracy(class.accuracy),
            other.map_or("-".to_string(), |class| class.correct.to_string()),
            accuracy(theirs),
            difference.unwrap_or_else(|| "-".to_string()),
        ]);
    }
    table
}
