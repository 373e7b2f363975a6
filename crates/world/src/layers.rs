//! Layers of the things, painted one over the other: polygons in a square from -1 to 1, `y`
//! downwards.

use std::sync::LazyLock;

use crate::arithmetic::{cosine, sine};
use crate::thing::Thing;

use Role::{Accent, Body, Dark, Glow, Light, Shade, Stalk};
use Step::{Disc, Hole, Line, Move, Quad};

/// What colour a layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The thing's colour and pattern.
    Body,
    /// The colour of the part that has one of its own.
    Accent,
    /// The thing's colour, darker, without pattern.
    Shade,
    /// Nearly black.
    Dark,
    /// Nearly white.
    Light,
    /// Green, as stalks are.
    Stalk,
    /// Orange, as flames and beaks are.
    Glow,
}

/// Polygons that are filled together; a hole is one of opposite orientation.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) role: Role,
    pub(crate) polygons: Vec<Vec<[f32; 2]>>,
}

/// The layers of a thing, lowest first.
pub(crate) fn layers(thing: Thing) -> &'static [Layer] {
    static LAYERS: LazyLock<Vec<Vec<Layer>>> = LazyLock::new(|| {
        Thing::ALL
            .iter()
            .map(|thing| {
                steps(*thing)
                    .iter()
                    .map(|(role, steps)| Layer {
                        role: *role,
                        polygons: flatten(steps),
                    })
                    .collect()
            })
            .collect()
    });
    // The list is in the order of the enumeration.
    &LAYERS[thing as usize]
}

/// A step of an outline.
#[derive(Clone, Copy)]
enum Step {
    /// Begins a polygon.
    Move(f32, f32),
    Line(f32, f32),
    /// A quadratic curve: control point and end.
    Quad(f32, f32, f32, f32),
    /// An ellipse: centre and radii.
    Disc(f32, f32, f32, f32),
    /// An ellipse that is cut out.
    Hole(f32, f32, f32, f32),
}

fn flatten(steps: &[Step]) -> Vec<Vec<[f32; 2]>> {
    let mut polygons: Vec<(bool, Vec<[f32; 2]>)> = Vec::new();
    for step in steps {
        match *step {
            Move(x, y) => polygons.push((false, vec![[x, y]])),
            Disc(x, y, rx, ry) => polygons.push((false, ellipse(x, y, rx, ry))),
            Hole(x, y, rx, ry) => polygons.push((true, ellipse(x, y, rx, ry))),
            Line(x, y) => {
                if let Some((_, points)) = polygons.last_mut() {
                    points.push([x, y]);
                }
            }
            Quad(cx, cy, x, y) => {
                if let Some((_, points)) = polygons.last_mut() {
                    let [x0, y0] = points.last().copied().unwrap_or_default();
                    for i in 1..=8 {
                        let t = i as f32 / 8.0;
                        let (a, b, c) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
                        points.push([a * x0 + b * cx + c * x, a * y0 + b * cy + c * y]);
                    }
                }
            }
        }
    }
    // All have the same orientation, so that overlapping ones join; holes have the opposite one.
    polygons
        .into_iter()
        .map(|(hole, mut points)| {
            if (signed_area(&points) < 0.0) != hole {
                points.reverse();
            }
            points
        })
        .collect()
}

fn ellipse(x: f32, y: f32, rx: f32, ry: f32) -> Vec<[f32; 2]> {
    (0..24)
        .map(|i| {
            let turns = i as f32 / 24.0;
            [x + rx * cosine(turns), y + ry * sine(turns)]
        })
        .collect()
}

fn signed_area(points: &[[f32; 2]]) -> f32 {
    let next = points.iter().cycle().skip(1);
    points
        .iter()
        .zip(next)
        .map(|(a, b)| a[0] * b[1] - b[0] * a[1])
        .sum()
}

/// How each thing is drawn.
#[rustfmt::skip]
fn steps(thing: Thing) -> &'static [(Role, &'static [Step])] {
    match thing {
        Thing::Apple => &[
            (Dark, &[Move(-0.07, -0.5), Line(0.0, -0.98), Line(0.12, -0.96), Line(0.07, -0.5)]),
            (Accent, &[Move(0.08, -0.66), Quad(0.3, -1.1, 0.75, -0.95), Quad(0.6, -0.5, 0.08, -0.66)]),
            (Body, &[Move(0.0, -0.5), Quad(0.3, -0.78, 0.65, -0.6), Quad(1.05, -0.4, 0.88, 0.15),
                Quad(0.7, 0.98, 0.25, 0.95), Quad(0.0, 0.85, -0.25, 0.95), Quad(-0.7, 0.98, -0.88, 0.15),
                Quad(-1.05, -0.4, -0.65, -0.6), Quad(-0.3, -0.78, 0.0, -0.5)]),
        ],
        Thing::Arrow => &[
            (Body, &[Move(-0.98, -0.26), Line(0.1, -0.26), Line(0.1, -0.78), Line(1.0, 0.0),
                Line(0.1, 0.78), Line(0.1, 0.26), Line(-0.98, 0.26)]),
        ],
        Thing::Balloon => &[
            (Dark, &[Move(-0.03, 0.5), Line(0.05, 0.5), Line(0.14, 1.1), Line(0.05, 1.1)]),
            (Body, &[Disc(0.0, -0.28, 0.62, 0.72), Move(-0.14, 0.56), Line(0.0, 0.36), Line(0.14, 0.56)]),
            (Light, &[Disc(-0.24, -0.55, 0.1, 0.16)]),
        ],
        Thing::Bell => &[
            (Accent, &[Disc(0.0, 0.68, 0.24, 0.24)]),
            (Shade, &[Disc(0.0, -0.84, 0.17, 0.16)]),
            (Body, &[Move(-0.9, 0.62), Quad(-0.52, 0.35, -0.52, -0.2), Quad(-0.48, -0.85, 0.0, -0.85),
                Quad(0.48, -0.85, 0.52, -0.2), Quad(0.52, 0.35, 0.9, 0.62)]),
        ],
        Thing::Bird => &[
            (Dark, &[Move(-0.15, 0.4), Line(-0.05, 0.4), Line(-0.05, 0.98), Line(-0.15, 0.98),
                Move(0.15, 0.4), Line(0.25, 0.4), Line(0.25, 0.98), Line(0.15, 0.98)]),
            (Glow, &[Move(0.74, -0.56), Line(1.12, -0.36), Line(0.74, -0.22)]),
            (Body, &[Disc(-0.02, 0.14, 0.64, 0.46), Disc(0.5, -0.4, 0.36, 0.36),
                Move(-0.4, -0.1), Line(-1.05, -0.42), Line(-0.98, 0.16), Line(-0.4, 0.42)]),
            (Accent, &[Move(-0.45, 0.0), Quad(0.1, -0.24, 0.34, 0.06), Quad(0.05, 0.5, -0.62, 0.36)]),
            (Dark, &[Disc(0.58, -0.46, 0.09, 0.09)]),
        ],
        Thing::Boat => &[
            (Dark, &[Move(-0.06, -0.98), Line(0.05, -0.98), Line(0.05, 0.4), Line(-0.06, 0.4)]),
            (Accent, &[Move(0.1, -0.92), Line(0.82, 0.12), Line(0.1, 0.12),
                Move(-0.12, -0.7), Line(-0.12, 0.12), Line(-0.7, 0.12)]),
            (Body, &[Move(-1.05, 0.24), Line(1.05, 0.24), Line(0.66, 0.9), Line(-0.66, 0.9)]),
        ],
        Thing::Bolt => &[
            (Body, &[Move(0.3, -1.0), Line(-0.62, 0.14), Line(-0.1, 0.14), Line(-0.42, 1.0),
                Line(0.66, -0.28), Line(0.12, -0.28), Line(0.62, -1.0)]),
        ],
        Thing::Bottle => &[
            (Body, &[Move(-0.15, -0.75), Line(0.15, -0.75), Line(0.17, -0.36), Quad(0.45, -0.2, 0.45, 0.12),
                Line(0.45, 0.98), Line(-0.45, 0.98), Line(-0.45, 0.12), Quad(-0.45, -0.2, -0.17, -0.36)]),
            (Accent, &[Move(-0.2, -1.02), Line(0.2, -1.02), Line(0.2, -0.68), Line(-0.2, -0.68)]),
        ],
        Thing::Butterfly => &[
            (Dark, &[Move(-0.03, -0.5), Line(-0.34, -1.0), Line(-0.26, -1.02), Line(0.03, -0.56),
                Line(0.26, -1.02), Line(0.34, -1.0), Line(0.03, -0.5)]),
            (Body, &[Move(0.0, -0.05), Quad(-0.3, -0.95, -0.85, -0.85), Quad(-1.15, -0.4, -0.7, 0.05),
                Quad(-1.0, 0.5, -0.6, 0.85), Quad(-0.2, 0.85, 0.0, 0.2), Quad(0.2, 0.85, 0.6, 0.85),
                Quad(1.0, 0.5, 0.7, 0.05), Quad(1.15, -0.4, 0.85, -0.85), Quad(0.3, -0.95, 0.0, -0.05)]),
            (Accent, &[Disc(0.0, 0.06, 0.13, 0.66)]),
        ],
        Thing::Car => &[
            (Body, &[Move(-1.05, 0.42), Line(-1.05, 0.05), Quad(-1.0, -0.12, -0.72, -0.14), Line(-0.42, -0.62),
                Line(0.38, -0.62), Line(0.68, -0.14), Quad(1.05, -0.08, 1.05, 0.2), Line(1.05, 0.42)]),
            (Light, &[Move(-0.34, -0.49), Line(-0.04, -0.49), Line(-0.04, -0.14), Line(-0.55, -0.14),
                Move(0.08, -0.49), Line(0.3, -0.49), Line(0.5, -0.14), Line(0.08, -0.14)]),
            (Accent, &[Disc(-0.55, 0.42, 0.29, 0.29), Disc(0.55, 0.42, 0.29, 0.29)]),
            (Light, &[Disc(-0.55, 0.42, 0.1, 0.1), Disc(0.55, 0.42, 0.1, 0.1)]),
        ],
        Thing::Cat => &[
            (Body, &[Disc(0.0, 0.16, 0.84, 0.74), Move(-0.8, 0.1), Line(-0.78, -0.98), Line(-0.16, -0.5),
                Move(0.8, 0.1), Line(0.78, -0.98), Line(0.16, -0.5)]),
            (Light, &[Disc(-0.34, 0.04, 0.2, 0.2), Disc(0.34, 0.04, 0.2, 0.2)]),
            (Dark, &[Disc(-0.34, 0.04, 0.09, 0.17), Disc(0.34, 0.04, 0.09, 0.17),
                Move(-0.14, 0.36), Line(0.14, 0.36), Line(0.0, 0.54),
                Move(0.3, 0.46), Line(1.1, 0.32), Line(1.1, 0.39), Line(0.3, 0.53),
                Move(-0.3, 0.46), Line(-1.1, 0.32), Line(-1.1, 0.39), Line(-0.3, 0.53)]),
        ],
        Thing::Chair => &[
            (Body, &[Move(-0.62, -0.98), Line(0.62, -0.98), Line(0.62, -0.3), Line(-0.62, -0.3),
                Move(-0.62, -0.3), Line(-0.4, -0.3), Line(-0.4, 1.0), Line(-0.62, 1.0),
                Move(0.4, -0.3), Line(0.62, -0.3), Line(0.62, 1.0), Line(0.4, 1.0)]),
            (Accent, &[Move(-0.62, 0.06), Line(0.62, 0.06), Line(0.76, 0.42), Line(-0.76, 0.42)]),
        ],
        Thing::Circle => &[(Body, &[Disc(0.0, 0.0, 0.95, 0.95)])],
        Thing::Cloud => &[
            (Body, &[Disc(-0.58, 0.18, 0.42, 0.38), Disc(-0.08, -0.16, 0.52, 0.5), Disc(0.54, 0.12, 0.46, 0.44),
                Move(-0.6, 0.1), Line(0.6, 0.1), Line(0.6, 0.56), Line(-0.6, 0.56)]),
        ],
        Thing::Cross => &[
            (Body, &[Move(-0.33, -0.95), Line(0.33, -0.95), Line(0.33, -0.33), Line(0.95, -0.33),
                Line(0.95, 0.33), Line(0.33, 0.33), Line(0.33, 0.95), Line(-0.33, 0.95),
                Line(-0.33, 0.33), Line(-0.95, 0.33), Line(-0.95, -0.33), Line(-0.33, -0.33)]),
        ],
        Thing::Crown => &[
            (Body, &[Move(-0.88, 0.78), Line(-0.98, -0.55), Line(-0.45, 0.05), Line(0.0, -0.85),
                Line(0.45, 0.05), Line(0.98, -0.55), Line(0.88, 0.78)]),
            (Accent, &[Disc(-0.52, 0.46, 0.15, 0.15), Disc(0.0, 0.46, 0.15, 0.15), Disc(0.52, 0.46, 0.15, 0.15)]),
        ],
        Thing::Cup => &[
            (Accent, &[Disc(0.52, 0.05, 0.44, 0.44), Hole(0.52, 0.05, 0.22, 0.22)]),
            (Body, &[Move(-0.85, -0.62), Line(0.48, -0.62), Line(0.34, 0.82), Line(-0.7, 0.82)]),
            (Dark, &[Disc(-0.185, -0.6, 0.6, 0.13)]),
        ],
        Thing::Diamond => &[
            (Body, &[Move(0.0, -1.0), Line(0.68, 0.0), Line(0.0, 1.0), Line(-0.68, 0.0)]),
        ],
        Thing::Drop => &[
            (Body, &[Move(0.0, -1.0), Quad(0.72, 0.0, 0.66, 0.42), Quad(0.55, 0.98, 0.0, 0.98),
                Quad(-0.55, 0.98, -0.66, 0.42), Quad(-0.72, 0.0, 0.0, -1.0)]),
        ],
        Thing::Fish => &[
            (Accent, &[Move(0.45, 0.0), Line(1.05, -0.58), Line(0.9, 0.0), Line(1.05, 0.58)]),
            (Shade, &[Move(-0.35, -0.4), Line(0.15, -0.85), Line(0.35, -0.35),
                Move(-0.2, 0.45), Line(0.1, 0.8), Line(0.25, 0.4)]),
            (Body, &[Move(-1.0, 0.0), Quad(-0.75, -0.58, -0.15, -0.58), Quad(0.4, -0.52, 0.66, 0.0),
                Quad(0.4, 0.52, -0.15, 0.58), Quad(-0.75, 0.58, -1.0, 0.0)]),
            (Light, &[Disc(-0.58, -0.12, 0.15, 0.15)]),
            (Dark, &[Disc(-0.6, -0.12, 0.075, 0.075)]),
        ],
        Thing::Flower => &[
            (Stalk, &[Move(-0.07, 0.1), Line(0.07, 0.1), Line(0.07, 1.05), Line(-0.07, 1.05),
                Move(0.0, 0.95), Quad(0.1, 0.5, 0.6, 0.5), Quad(0.5, 0.95, 0.0, 0.95)]),
            (Body, &[Disc(0.48, -0.3, 0.3, 0.3), Disc(0.24, 0.1, 0.3, 0.3), Disc(-0.24, 0.1, 0.3, 0.3),
                Disc(-0.48, -0.3, 0.3, 0.3), Disc(-0.24, -0.7, 0.3, 0.3), Disc(0.24, -0.7, 0.3, 0.3),
                Disc(0.0, -0.3, 0.4, 0.4)]),
            (Accent, &[Disc(0.0, -0.3, 0.25, 0.25)]),
        ],
        Thing::Hat => &[
            (Body, &[Disc(0.0, 0.52, 1.05, 0.28), Move(-0.56, 0.5), Line(-0.48, -0.72), Quad(0.0, -0.98, 0.48, -0.72),
                Line(0.56, 0.5)]),
            (Accent, &[Move(-0.54, 0.12), Line(0.54, 0.12), Line(0.57, 0.42), Quad(0.0, 0.54, -0.57, 0.42)]),
        ],
        Thing::Heart => &[
            (Body, &[Move(0.0, 0.95), Quad(-1.0, 0.25, -0.98, -0.3), Quad(-0.92, -0.88, -0.46, -0.88),
                Quad(-0.1, -0.86, 0.0, -0.45), Quad(0.1, -0.86, 0.46, -0.88), Quad(0.92, -0.88, 0.98, -0.3),
                Quad(1.0, 0.25, 0.0, 0.95)]),
        ],
        Thing::Hexagon => &[
            (Body, &[Move(0.98, 0.0), Line(0.49, 0.85), Line(-0.49, 0.85), Line(-0.98, 0.0),
                Line(-0.49, -0.85), Line(0.49, -0.85)]),
        ],
        Thing::House => &[
            (Body, &[Move(-0.74, -0.2), Line(0.74, -0.2), Line(0.74, 0.92), Line(-0.74, 0.92)]),
            (Accent, &[Move(0.0, -1.0), Line(1.05, -0.1), Line(-1.05, -0.1)]),
            (Dark, &[Move(-0.46, 0.36), Line(-0.12, 0.36), Line(-0.12, 0.92), Line(-0.46, 0.92)]),
            (Light, &[Move(0.14, 0.16), Line(0.54, 0.16), Line(0.54, 0.52), Line(0.14, 0.52)]),
        ],
        Thing::Key => &[
            (Body, &[Disc(-0.55, 0.0, 0.45, 0.45), Hole(-0.55, 0.0, 0.19, 0.19),
                Move(-0.16, -0.13), Line(1.02, -0.13), Line(1.02, 0.13), Line(-0.16, 0.13),
                Move(0.45, 0.1), Line(0.62, 0.1), Line(0.62, 0.5), Line(0.45, 0.5),
                Move(0.82, 0.1), Line(1.0, 0.1), Line(1.0, 0.44), Line(0.82, 0.44)]),
        ],
        Thing::Leaf => &[
            (Body, &[Move(-0.8, 0.7), Quad(-1.0, -0.75, 0.95, -0.9), Quad(0.95, 1.0, -0.8, 0.7)]),
            (Shade, &[Move(-1.0, 0.92), Line(0.58, -0.58), Line(0.64, -0.5), Line(-0.92, 1.0)]),
        ],
        Thing::Moon => &[
            (Body, &[Move(0.42, -0.95), Quad(-0.88, -0.95, -0.88, 0.0), Quad(-0.88, 0.95, 0.42, 0.95),
                Quad(-0.3, 0.6, -0.3, 0.0), Quad(-0.3, -0.6, 0.42, -0.95)]),
        ],
        Thing::Mushroom => &[
            (Accent, &[Move(-0.27, 0.0), Line(0.27, 0.0), Quad(0.22, 0.5, 0.4, 0.98), Line(-0.4, 0.98),
                Quad(-0.22, 0.5, -0.27, 0.0)]),
            (Body, &[Move(-1.0, 0.14), Quad(-0.95, -0.92, 0.0, -0.94), Quad(0.95, -0.92, 1.0, 0.14),
                Quad(0.0, 0.34, -1.0, 0.14)]),
        ],
        Thing::Ring => &[(Body, &[Disc(0.0, 0.0, 0.98, 0.98), Hole(0.0, 0.0, 0.5, 0.5)])],
        Thing::Rocket => &[
            (Glow, &[Move(-0.2, 0.7), Line(0.0, 1.12), Line(0.2, 0.7)]),
            (Accent, &[Move(-0.3, 0.1), Line(-0.8, 0.9), Line(-0.26, 0.72),
                Move(0.3, 0.1), Line(0.26, 0.72), Line(0.8, 0.9)]),
            (Body, &[Move(0.0, -1.05), Quad(0.46, -0.55, 0.42, 0.1), Line(0.3, 0.78), Line(-0.3, 0.78),
                Line(-0.42, 0.1), Quad(-0.46, -0.55, 0.0, -1.05)]),
            (Light, &[Disc(0.0, -0.28, 0.18, 0.18)]),
        ],
        Thing::Square => &[
            (Body, &[Move(-0.82, -0.82), Line(0.82, -0.82), Line(0.82, 0.82), Line(-0.82, 0.82)]),
        ],
        Thing::Star => &[
            (Body, &[Move(0.0, -1.05), Line(0.259, -0.357), Line(0.999, -0.324), Line(0.418, 0.136),
                Line(0.617, 0.849), Line(0.0, 0.44), Line(-0.617, 0.849), Line(-0.418, 0.136),
                Line(-0.999, -0.324), Line(-0.259, -0.357)]),
        ],
        Thing::Tree => &[
            (Accent, &[Move(-0.17, 0.2), Line(0.17, 0.2), Line(0.22, 1.0), Line(-0.22, 1.0)]),
            (Body, &[Disc(0.0, -0.48, 0.56, 0.5), Disc(-0.44, -0.02, 0.5, 0.44), Disc(0.44, -0.02, 0.5, 0.44),
                Disc(0.0, 0.05, 0.4, 0.36)]),
        ],
        Thing::Triangle => &[
            (Body, &[Move(0.0, -0.95), Line(0.98, 0.8), Line(-0.98, 0.8)]),
        ],
        Thing::Umbrella => &[
            (Accent, &[Move(-0.07, -0.9), Line(0.07, -0.9), Line(0.07, 0.72), Quad(0.07, 1.05, -0.2, 1.05),
                Quad(-0.5, 1.05, -0.5, 0.68), Line(-0.35, 0.68), Quad(-0.35, 0.9, -0.2, 0.9),
                Quad(-0.07, 0.9, -0.07, 0.7)]),
            (Body, &[Move(-1.05, 0.14), Quad(-0.95, -0.9, 0.0, -0.92), Quad(0.95, -0.9, 1.05, 0.14),
                Quad(0.87, -0.12, 0.7, 0.08), Quad(0.52, -0.12, 0.35, 0.08), Quad(0.17, -0.12, 0.0, 0.08),
                Quad(-0.17, -0.12, -0.35, 0.08), Quad(-0.52, -0.12, -0.7, 0.08), Quad(-0.87, -0.12, -1.05, 0.14)]),
        ],
    }
}
