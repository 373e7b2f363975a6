//! Lines over steps, epochs or shots.

use crate::chart::{Axis, Chart, Mark, room_for};
use crate::colour::Colour;

/// A line with its points.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub colour: Colour,
    pub points: Vec<(f64, f64)>,
    /// Half the height of the band around each point; empty: none.
    pub spread: Vec<f64>,
    /// Whether the points are marked.
    pub dots: bool,
    /// Whether it stands behind the others.
    pub faint: bool,
}

/// Lines in one plot; `from_zero`: its vertical axis begins there. `ticks`: those of the horizontal axis,
/// if they are given.
pub(crate) fn lines(
    series: &[Series],
    (x_title, y_title): (&str, &str),
    from_zero: bool,
    ticks: Option<Vec<(f64, String)>>,
) -> Chart {
    let points = || series.iter().flat_map(|s| &s.points);
    let extent = |values: &mut dyn Iterator<Item = f64>| {
        let finite = values.filter(|v| v.is_finite());
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let (mut left, mut right) = extent(&mut points().map(|(x, _)| *x));
    let edges = series.iter().flat_map(|s| {
        let spread = s.spread.iter().copied().chain(std::iter::repeat(0.0));
        let both = s.points.iter().zip(spread);
        both.flat_map(|((_, y), spread)| [y - spread, y + spread])
    });
    let (mut low, mut high) = extent(&mut edges.into_iter());
    // Plots of nothing are not made; a single point still needs an extent.
    if !(left.is_finite() && low.is_finite()) {
        (left, right, low, high) = (0.0, 1.0, 0.0, 1.0);
    }
    if right <= left {
        (left, right) = (left - 0.5, right + 0.5);
    }
    if from_zero {
        low = low.min(0.0);
    }
    let room = if high > low { 0.06 * (high - low) } else { 0.5 };
    let low = if from_zero && low == 0.0 {
        0.0
    } else {
        low - room
    };
    let mut x = Axis::numbers((left, right), 5, x_title);
    // Steps, epochs and shots are whole.
    x.ticks.retain(|(value, _)| value.fract() == 0.0);
    if let Some(ticks) = ticks {
        let margin = 0.04 * (right - left);
        x.range = (left - margin, right + margin);
        x.ticks = ticks;
    }
    x.grid = false;
    x.room = 22;
    let mut y = Axis::numbers((low, high + room), 5, y_title);
    y.room = room_for(y.ticks.iter().map(|(_, label)| label.as_str()), 60);
    let mut marks = Vec::new();
    for Series {
        colour,
        points,
        spread,
        ..
    } in series
    {
        if spread.iter().any(|s| *s > 0.0) {
            let band = points
                .iter()
                .zip(spread)
                .map(|((x, y), s)| (*x, y - s, y + s));
            marks.push(Mark::Band {
                points: band.collect(),
                colour: *colour,
            });
        }
    }
    for Series {
        colour,
        points,
        dots,
        faint,
        ..
    } in series
    {
        marks.push(Mark::Line {
            points: points.clone(),
            colour: *colour,
            faint: *faint,
        });
        if *dots {
            marks.extend(points.iter().map(|at| Mark::Dot {
                at: *at,
                colour: *colour,
                radius: 3,
            }));
        }
    }
    Chart {
        width: 420,
        height: 280,
        x,
        y,
        marks,
    }
}
