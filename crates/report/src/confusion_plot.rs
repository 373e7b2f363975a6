//! The confusion matrix, and its most frequent confusions.

use promptsrc::Evaluation;

use crate::chart::{Anchor, Axis, Chart, Mark, room_for, shortened};
use crate::colour::Colour;
use crate::data_table::DataTable;
use crate::figure::{Figure, Shape, Size};
use crate::limits::{CONFUSION_CLASSES, CONFUSIONS};
use crate::number::percent;

/// A true class that was taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Confusion {
    images: u64,
    of: u64,
    truth: usize,
    answer: usize,
}

/// Confusions, the most frequent first; of equal ones, in the order of the labels.
fn confusions(evaluation: &Evaluation) -> Vec<Confusion> {
    let mut found = Vec::new();
    for (truth, row) in evaluation.confusion_matrix.iter().enumerate() {
        let of = row.iter().sum();
        let wrong = row.iter().enumerate();
        let wrong = wrong.filter(|(answer, images)| *answer != truth && **images > 0);
        found.extend(wrong.map(|(answer, images)| Confusion {
            images: *images,
            of,
            truth,
            answer,
        }));
    }
    found.sort_by_key(|c| (std::cmp::Reverse(c.images), c.truth, c.answer));
    found
}

/// The confusions as a table; `None` if there are none. `most`: rows.
pub(crate) fn confusion_table(evaluation: &Evaluation, most: usize) -> Option<DataTable> {
    let found = confusions(evaluation);
    if found.is_empty() {
        return None;
    }
    let name = |class: usize| {
        let class = evaluation.per_class.get(class);
        class.map(|class| class.name.clone()).unwrap_or_default()
    };
    let mut table = DataTable::new(&["true class", "taken for", "#images", "#% of its class"]);
    for confusion in found.iter().take(most) {
        table.row(vec![
            name(confusion.truth),
            name(confusion.answer),
            confusion.images.to_string(),
            percent(confusion.images as f64 / confusion.of as f64),
        ]);
    }
    let more = found.len().saturating_sub(most);
    if more > 0 {
        table.note = format!("{more} less frequent confusions are left out.");
    }
    Some(table)
}

/// The matrix; `None` if it has too many classes to be drawn.
pub(crate) fn confusion_figure(evaluation: &Evaluation) -> Option<Figure> {
    let classes = evaluation.per_class.len();
    if classes > CONFUSION_CLASSES {
        return None;
    }
    let table = confusion_table(evaluation, CONFUSIONS).unwrap_or_else(|| DataTable {
        note: "No image was taken for another class.".to_string(),
        ..DataTable::new(&["true class", "taken for", "#images"])
    });
    Some(Figure {
        title: "Confusion matrix".to_string(),
        note: "Rows are true classes, columns answers; the stronger a colour, the greater the share of the \
               row."
            .to_string(),
        key: vec![
            (Colour::Series(0), Shape::Bar, "right".to_string()),
            (Colour::Series(1), Shape::Bar, "wrong".to_string()),
        ],
        chart: chart(evaluation),
        table,
        size: Size::Own,
    })
}

fn chart(evaluation: &Evaluation) -> Chart {
    let names: Vec<String> = evaluation
        .per_class
        .iter()
        .map(|c| c.name.clone())
        .collect();
    let n = names.len().max(1) as u32;
    let cell = (560 / n).clamp(11, 34);
    let room = room_for(names.iter().map(String::as_str), 150);
    let mut y = Axis::names(&names, room);
    let mut x = Axis::names(&[], 4);
    x.range = (0.0, f64::from(n));
    // The columns' names stand above them.
    let letters = (f64::from(room) / 6.4) as usize;
    let size = f64::from(cell).min(12.0);
    y.range = (f64::from(n), -f64::from(room) / f64::from(cell));
    let mut marks = Vec::new();
    for (at, name) in names.iter().enumerate() {
        marks.push(Mark::Text {
            at: (at as f64 + 0.5, 0.0),
            text: shortened(name, letters),
            colour: Colour::Muted,
            size,
            anchor: Anchor::Upwards,
        });
    }
    for (truth, row) in evaluation.confusion_matrix.iter().enumerate() {
        let all: u64 = row.iter().sum();
        for (answer, images) in row.iter().enumerate() {
            if *images == 0 {
                continue;
            }
            let share = *images as f64 / all as f64;
            let right = truth == answer;
            let (x, y) = (answer as f64, truth as f64);
            marks.push(Mark::Bar {
                from: (x + 0.04, y + 0.04),
                to: (x + 0.96, y + 0.96),
                colour: if right {
                    Colour::Series(0)
                } else {
                    Colour::Series(1)
                },
                // Few are seen as well.
                share: 0.15 + 0.85 * share,
            });
            if cell >= 17 {
                marks.push(Mark::Text {
                    at: (x + 0.5, y + 0.5),
                    text: images.to_string(),
                    colour: if share > 0.45 {
                        Colour::OnStrong
                    } else {
                        Colour::Ink
                    },
                    size: (f64::from(cell) * 0.42).min(12.0),
                    anchor: Anchor::Middle,
                });
            }
        }
    }
    // Lines around the matrix.
    let edge = f64::from(n);
    marks.push(Mark::Line {
        points: vec![
            (0.0, 0.0),
            (edge, 0.0),
            (edge, edge),
            (0.0, edge),
            (0.0, 0.0),
        ],
        colour: Colour::Grid,
        faint: false,
    });
    Chart {
        width: n * cell + room + 24,
        height: n * cell + room + 20,
        x,
        y,
        marks,
    }
}
