//! Horizontal bars: rows with a bar, or several, for each.

use crate::chart::{Anchor, Axis, Chart, Mark, TEXT, room_for};
use crate::colour::Colour;

/// A row of bars, one below the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BarRow {
    pub name: String,
    /// `None`: there is no number, and its place is empty.
    pub bars: Vec<Option<Bar>>,
}

/// A bar from zero to its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub colour: Colour,
    pub value: f64,
    /// Half the length of the line across its end.
    pub spread: Option<f64>,
    /// The text at its end.
    pub text: String,
}

/// Bars of rows; `range`: the horizontal axis, which has zero within.
pub(crate) fn bars(rows: &[BarRow], range: (f64, f64), title: &str, thickness: u32) -> Chart {
    let most = rows
        .iter()
        .map(|row| row.bars.len())
        .max()
        .unwrap_or(1)
        .max(1);
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    let y = Axis::names(&names, room_for(names.iter().map(String::as_str), 150));
    let mut x = Axis::numbers(range, 4, title);
    x.room = 22;
    let mut marks = vec![Mark::Line {
        points: vec![(0.0, 0.0), (0.0, rows.len() as f64)],
        colour: Colour::Muted,
        faint: false,
    }];
    // A third of a row is the distance to the next.
    let share = 0.78 / most as f64;
    for (at, row) in rows.iter().enumerate() {
        for (place, bar) in row.bars.iter().enumerate() {
            let Some(bar) = bar else { continue };
            let top = at as f64 + 0.11 + place as f64 * share;
            let (middle, bottom) = (top + 0.5 * share, top + 0.9 * share);
            let end = bar.value.clamp(range.0, range.1);
            marks.push(Mark::Bar {
                from: (0.0, top),
                to: (end, bottom),
                colour: bar.colour,
                share: 1.0,
            });
            let mut edge = end;
            if let Some(spread) = bar.spread {
                let from = (bar.value - spread).clamp(range.0, range.1);
                let to = (bar.value + spread).clamp(range.0, range.1);
                marks.push(Mark::Line {
                    points: vec![(from, middle), (to, middle)],
                    colour: Colour::Ink,
                    faint: false,
                });
                edge = if end < 0.0 { from } else { to };
            }
            let anchor = if end < 0.0 {
                Anchor::Right
            } else {
                Anchor::Left
            };
            marks.push(Mark::Text {
                at: (edge, middle),
                text: bar.text.clone(),
                colour: Colour::Ink,
                size: TEXT.min(f64::from(thickness) * 0.85),
                anchor,
            });
        }
    }
    let rows = rows.len().max(1) as u32;
    Chart {
        width: 420,
        height: rows * (most as u32 * thickness + 8) + 60,
        x,
        y,
        marks,
    }
}
