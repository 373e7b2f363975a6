//! A plot as values: axes and marks, which become SVG with text.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::colour::Colour;
use crate::number::shown;

/// Coordinates of the SVG are whole numbers: so many of them are a unit of [`Chart::width`].
const SCALE: u32 = 4;
/// Size of ordinary text.
pub(crate) const TEXT: f64 = 12.0;
/// Rough width of a character of that size.
const CHARACTER: f64 = 6.6;

/// A plot that cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plot cannot be drawn: {0}")]
pub struct PlotError(String);

/// A plot.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Width, of about the pixels that it has on a phone.
    pub width: u32,
    pub height: u32,
    pub x: Axis,
    pub y: Axis,
    pub marks: Vec<Mark>,
}

/// An axis.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// First and last value; the first may be the greater.
    pub range: (f64, f64),
    /// Values with their labels.
    pub ticks: Vec<(f64, String)>,
    /// What it shows.
    pub title: String,
    /// Space for labels.
    pub room: u32,
    /// Whether there are lines at the ticks.
    pub grid: bool,
    /// Whether the horizontal axis itself is drawn.
    pub line: bool,
}

/// A mark.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// A line through points.
    Line {
        points: Vec<(f64, f64)>,
        colour: Colour,
        /// Whether it stands behind others.
        faint: bool,
    },
    /// The area between lower and upper values: `(x, lower, upper)`.
    Band {
        points: Vec<(f64, f64, f64)>,
        colour: Colour,
    },
    /// A rectangle between two corners; `share` is its opacity.
    Bar {
        from: (f64, f64),
        to: (f64, f64),
        colour: Colour,
        share: f64,
    },
    /// A point.
    Dot {
        at: (f64, f64),
        colour: Colour,
        radius: u32,
    },
    /// A text beside a point.
    Text {
        at: (f64, f64),
        text: String,
        colour: Colour,
        size: f64,
        anchor: Anchor,
    },
}

/// Which part of a text is at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Its left end.
    Left,
    /// Its right end.
    Right,
    /// Its middle.
    Middle,
    /// Its left end, and the text goes upwards.
    Upwards,
}

/// Space for labels of at most so many characters.
pub(crate) fn room_for<'t>(labels: impl IntoIterator<Item = &'t str>, most: u32) -> u32 {
    let longest = labels.into_iter().map(|label| label.chars().count()).max();
    let width = longest.unwrap_or(0) as f64 * CHARACTER + 10.0;
    (width as u32).min(most)
}

/// A label of at most so many characters. Its middle is left out, since names of one data set often begin alike.
pub(crate) fn shortened(label: &str, most: usize) -> String {
    let count = label.chars().count();
    match count > most {
        true => {
            let end = most.saturating_sub(1) / 2;
            let start = most.saturating_sub(1) - end;
            let head: String = label.chars().take(start).collect();
            let tail: String = label.chars().skip(count - end).collect();
            format!("{}…{}", head.trim_end(), tail.trim_start())
        }
        false => label.to_string(),
    }
}

/// About `count` round values within a range, which holds them.
pub(crate) fn round_ticks(from: f64, to: f64, count: usize) -> Vec<f64> {
    let span = to - from;
    if !(span > 0.0 && span.is_finite()) {
        return vec![from];
    }
    let raw = span / count.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(10.0 * power);
    let first = (from / step - 1e-9).ceil();
    (0..=2 * count + 2)
        .map(|i| (first + i as f64) * step)
        .take_while(|value| *value <= to + step * 1e-6)
        .map(|value| {
            if value.abs() < step * 1e-6 {
                0.0
            } else {
                value
            }
        })
        .collect()
}

/// A number as short as its tick allows.
pub(crate) fn tick_label(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" => "0".to_string(),
        text => text.to_string(),
    }
}

impl Axis {
    /// An axis with round ticks.
    pub(crate) fn numbers(range: (f64, f64), count: usize, title: &str) -> Self {
        let (low, high) = (range.0.min(range.1), range.0.max(range.1));
        let ticks = round_ticks(low, high, count);
        let label = |value: f64| (value, tick_label(value));
        Self {
            range,
            ticks: ticks.into_iter().map(label).collect(),
            title: title.to_string(),
            room: 40,
            grid: true,
            line: true,
        }
    }

    /// An axis of rows or columns with names, the first at the top or left: row `i` is from `i` to
    /// `i + 1`.
    pub(crate) fn names(names: &[String], room: u32) -> Self {
        let most = (f64::from(room) / CHARACTER) as usize;
        let label = |(at, name): (usize, &String)| (at as f64 + 0.5, shortened(name, most.max(4)));
        Self {
            range: (names.len() as f64, 0.0),
            ticks: names.iter().enumerate().map(label).collect(),
            title: String::new(),
            room,
            grid: false,
            line: false,
        }
    }

    fn label(&self, value: f64) -> String {
        let distance = |tick: &f64| (tick - value).abs();
        let nearest = self
            .ticks
            .iter()
            .min_by(|a, b| distance(&a.0).total_cmp(&distance(&b.0)));
        nearest.map(|(_, label)| shown(label)).unwrap_or_default()
    }
}

/// Values on an axis with the ticks of [`Axis`].
struct Scale {
    range: (f64, f64),
    ticks: Vec<f64>,
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.0) / (self.range.1 - self.range.0);
        let (from, to) = (f64::from(limit.0), f64::from(limit.1));
        (from + share * (to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

/// A size of text as the backend takes it: it writes less into the SVG.
fn text_size(size: f64) -> f64 {
    const BACKEND: f64 = 1.24;
    size * f64::from(SCALE) * BACKEND
}

impl Chart {
    /// The elements of the SVG, without the outer one, and its width and height.
    ///
    /// # Errors
    /// [`PlotError`].
    pub(crate) fn draw(&self) -> Result<(String, u32, u32), PlotError> {
        let numbers = [self.x.range, self.y.range];
        if numbers
            .iter()
            .any(|(a, b)| !(a.is_finite() && b.is_finite()) || a == b)
        {
            return Err(PlotError(format!("its axes are {numbers:?}")));
        }
        let (width, height) = (self.width * SCALE, self.height * SCALE);
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            self.draw_on(&root).map_err(PlotError)?;
            root.present().map_err(|e| PlotError(e.to_string()))?;
        }
        // The page writes the outer element itself.
        let inner = svg.split_once('>').map_or("", |(_, rest)| rest);
        let inner = inner.trim_end().strip_suffix("</svg>").unwrap_or(inner);
        Ok((inner.replace('\n', ""), width, height))
    }

    fn draw_on(
        &self,
        root: &DrawingArea<SVGBackend, plotters::coord::Shift>,
    ) -> Result<(), String> {
        let problem = |e: &dyn std::fmt::Display| e.to_string();
        let range = |axis: &Axis| Scale {
            range: axis.range,
            ticks: axis.ticks.iter().map(|(value, _)| *value).collect(),
        };
        let title_room = |axis: &Axis| if axis.title.is_empty() { 0 } else { 16 };
        let mut chart = ChartBuilder::on(root)
            .margin(6 * SCALE)
            .margin_right(12 * SCALE)
            .x_label_area_size((self.x.room + title_room(&self.x)) * SCALE)
            .y_label_area_size((self.y.room + title_room(&self.y)) * SCALE)
            .build_cartesian_2d(range(&self.x), range(&self.y))
            .map_err(|e| problem(&e))?;
        let text = |colour: Colour, size: f64| {
            ("sans-serif", text_size(size))
                .into_font()
                .color(&colour.fixed())
        };
        let (x_label, y_label) = (
            |value: &f64| self.x.label(*value),
            |value: &f64| self.y.label(*value),
        );
        // Axes are marks: the mesh would draw both or none.
        let no_line = Colour::Muted.fixed().mix(0.0).stroke_width(0);
        let mut mesh = chart.configure_mesh();
        mesh.max_light_lines(0)
            .bold_line_style(Colour::Grid.fixed().stroke_width(SCALE))
            .label_style(text(Colour::Muted, TEXT))
            .axis_desc_style(text(Colour::Muted, TEXT))
            .set_all_tick_mark_size(4 * SCALE)
            .x_labels(self.x.ticks.len().max(1))
            .y_labels(self.y.ticks.len().max(1))
            .x_label_formatter(&x_label)
            .y_label_formatter(&y_label)
            .axis_style(no_line);
        if !self.x.grid {
            mesh.disable_x_mesh();
        }
        if !self.y.grid {
            mesh.disable_y_mesh();
        }
        if !self.x.title.is_empty() {
            mesh.x_desc(shown(&self.x.title));
        }
        if !self.y.title.is_empty() {
            mesh.y_desc(shown(&self.y.title));
        }
        mesh.draw().map_err(|e| problem(&e))?;
        drop(mesh);
        if self.x.line {
            let (from, to) = self.x.range;
            let below = self.y.range.0;
            let axis = [(from, below), (to, below)];
            let style = Colour::Muted.fixed().stroke_width(SCALE);
            chart
                .draw_series(std::iter::once(PathElement::new(axis, style)))
                .map_err(|e| problem(&e))?;
        }
        for mark in &self.marks {
            let drawn = match mark {
                Mark::Line {
                    points,
                    colour,
                    faint,
                } => {
                    let style = match faint {
                        true => colour.fixed().mix(0.3).stroke_width(SCALE),
                        false => colour.fixed().stroke_width(2 * SCALE),
                    };
                    let line = PathElement::new(points.clone(), style);
                    chart.draw_series(std::iter::once(line)).map(|_| ())
                }
                Mark::Band { points, colour } => {
                    let upper = points.iter().map(|(x, _, high)| (*x, *high));
                    let lower = points.iter().rev().map(|(x, low, _)| (*x, *low));
                    let around: Vec<(f64, f64)> = upper.chain(lower).collect();
                    let area = Polygon::new(around, colour.fixed().mix(0.16));
                    chart.draw_series(std::iter::once(area)).map(|_| ())
                }
                Mark::Bar {
                    from,
                    to,
                    colour,
                    share,
                } => {
                    let bar = Rectangle::new([*from, *to], colour.fixed().mix(*share).filled());
                    chart.draw_series(std::iter::once(bar)).map(|_| ())
                }
                Mark::Dot { at, colour, radius } => {
                    let dot = Circle::new(*at, radius * SCALE, colour.fixed().filled());
                    chart.draw_series(std::iter::once(dot)).map(|_| ())
                }
                Mark::Text {
                    at,
                    text: words,
                    colour,
                    size,
                    anchor,
                } => {
                    let style = text(*colour, *size);
                    let pad = (4 * SCALE) as i32;
                    let (style, shift) = match anchor {
                        Anchor::Left => (style.pos(Pos::new(HPos::Left, VPos::Center)), (pad, 0)),
                        Anchor::Right => {
                            (style.pos(Pos::new(HPos::Right, VPos::Center)), (-pad, 0))
                        }
                        Anchor::Middle => (style.pos(Pos::new(HPos::Center, VPos::Center)), (0, 0)),
                        Anchor::Upwards => (
                            style
                                .transform(FontTransform::Rotate270)
                                .pos(Pos::new(HPos::Left, VPos::Center)),
                            (0, -pad),
                        ),
                    };
                    let words = EmptyElement::at(*at) + Text::new(shown(words), shift, style);
                    chart.draw_series(std::iter::once(words)).map(|_| ())
                }
            };
            drawn.map_err(|e| problem(&e))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_differ_at_their_end_still_do_when_they_are_shortened() {
        assert_eq!(shortened("a fish", 6), "a fish");
        let of = |end: &str| shortened(&format!("a blue fish with a {end} tail"), 16);
        assert_eq!(
            (of("long").as_str(), of("short").as_str()),
            ("a blue f…ng tail", "a blue f…rt tail")
        );
        assert_eq!(shortened("αβγδεζ", 4), "αβ…ζ");
    }

    #[test]
    fn ticks_are_round_and_within_the_range() {
        assert_eq!(
            round_ticks(0.0, 100.0, 5),
            [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
        );
        assert_eq!(round_ticks(-7.0, 12.0, 4), [-5.0, 0.0, 5.0, 10.0]);
        assert_eq!(round_ticks(3.0, 3.0, 4), [3.0]);
        let labels: Vec<String> = round_ticks(0.0, 0.003, 3)
            .into_iter()
            .map(tick_label)
            .collect();
        assert_eq!(labels, ["0", "0.001", "0.002", "0.003"]);
        assert_eq!(tick_label(2_500_000.0), "2e6");
    }

    #[test]
    fn text_in_a_plot_is_text_and_escaped() {
        let hostile = "</text><script>alert(1)</script> & \" ' ]]>";
        let chart = Chart {
            width: 200,
            height: 100,
            x: Axis::numbers((0.0, 1.0), 2, hostile),
            y: Axis::names(&[hostile.to_string()], 400),
            marks: vec![Mark::Text {
                at: (0.5, 0.5),
                text: hostile.to_string(),
                colour: Colour::Ink,
                size: TEXT,
                anchor: Anchor::Middle,
            }],
        };
        let (svg, width, height) = chart.draw().expect("a plot");
        assert_eq!((width, height), (800, 400));
        assert!(!svg.contains("<script") && !svg.contains("<svg"), "{svg}");
        assert_eq!(
            svg.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count(),
            3,
            "{svg}"
        );
    }

    #[test]
    fn a_plot_without_a_range_is_an_error() {
        let mut chart = Chart {
            width: 200,
            height: 100,
            x: Axis::numbers((0.0, 1.0), 2, ""),
            y: Axis::numbers((1.0, 1.0), 2, ""),
            marks: Vec::new(),
        };
        assert!(chart.draw().is_err());
        chart.y.range = (0.0, f64::NAN);
        assert!(chart.draw().is_err());
        chart.y.range = (1.0, 0.0);
        assert!(chart.draw().is_ok());
    }
}
