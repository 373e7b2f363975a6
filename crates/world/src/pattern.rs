//! Surface patterns: words, and where on a surface the second colour is.

use crate::arithmetic::{fract, noise, sine};
use crate::random::{grid_hash, grid_unit};
use crate::vocabulary::vocabulary;

vocabulary! {
    /// What a surface looks like.
    Pattern {
        Plain => "plain",
        Striped => "striped",
        Dotted => "dotted",
        Checkered => "checkered",
        Zigzag => "zigzag",
        Wavy => "wavy",
        Grid => "latticed",
        Speckled => "speckled",
        Ringed => "ringed",
        Scaly => "scaly",
        Honeycomb => "honeycombed",
        Marbled => "marbled",
        Woven => "woven",
        Cracked => "cracked",
    }
}

impl Pattern {
    /// As part of a longer phrase: "a star with stripes".
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::Plain => "of one colour",
            Self::Striped => "with stripes",
            Self::Dotted => "with dots",
            Self::Checkered => "with checks",
            Self::Zigzag => "with zigzags",
            Self::Wavy => "with wavy lines",
            Self::Grid => "with a lattice",
            Self::Speckled => "with speckles",
            Self::Ringed => "with rings",
            Self::Scaly => "with scales",
            Self::Honeycomb => "with a honeycomb pattern",
            Self::Marbled => "with marbling",
            Self::Woven => "with a weave",
            Self::Cracked => "with cracks",
        }
    }

    /// How much of the second colour a point has, 0 to 1. The pattern repeats about once per unit;
    /// `pixel` is the width of a pixel in that unit: edges are softened over it.
    pub(crate) fn second(self, u: f32, v: f32, pixel: f32, seed: u32) -> f32 {
        let edge = |inside: f32| (inside / pixel + 0.5).clamp(0.0, 1.0);
        let stripe = |x: f32| edge(0.2 - (fract(x) - 0.5).abs());
        match self {
            Self::Plain => 0.0,
            Self::Striped => stripe(u),
            Self::Dotted => {
                let row = (v * 1.15).floor();
                let x = fract(u + fract(row * 0.5)) - 0.5;
                let y = (fract(v * 1.15) - 0.5) / 1.15;
                edge(0.29 - (x * x + y * y).sqrt())
            }
            Self::Checkered => {
                let triangle = |x: f32| (fract(x * 0.6) - 0.5).abs() - 0.25;
                let (x, y) = (triangle(u), triangle(v));
                let inside = x.abs().min(y.abs()) / 0.6;
                edge(if (x > 0.0) == (y > 0.0) {
                    inside
                } else {
                    -inside
                })
            }
            Self::Zigzag => stripe(v * 0.9 + 1.1 * (fract(u * 0.55) - 0.5).abs()),
            Self::Wavy => stripe(v * 0.95 + 0.26 * sine(u * 0.6)),
            Self::Grid => {
                let line = |x: f32| 0.15 - (fract(x) - 0.5).abs();
                edge(line(u).max(line(v)))
            }
            Self::Speckled => {
                let mut nearest = -1.0_f32;
                let (u, v) = (u * 1.6, v * 1.6);
                let (iu, iv) = (u.floor(), v.floor());
                for (dx, dy) in NEIGHBOURS {
                    let (cx, cy) = (iu as i32 + dx, iv as i32 + dy);
                    let bits = grid_hash(cx, cy, seed);
                    if bits & 3 == 0 {
                        continue;
                    }
                    let x = cx as f32 + 0.15 + 0.7 * grid_unit(cx, cy, seed ^ 1) - u;
                    let y = cy as f32 + 0.15 + 0.7 * grid_unit(cx, cy, seed ^ 2) - v;
                    let radius = 0.16 + 0.22 * grid_unit(cx, cy, seed ^ 3);
                    nearest = nearest.max(radius - (x * x + y * y).sqrt());
                }
                edge(nearest / 1.6)
            }
            Self::Ringed => stripe((u * u + v * v).sqrt() + 0.1),
            Self::Scaly => {
                // Rows of half circles, each row shifted and over the one below.
                let row = (v * 1.4).floor();
                let mut best = 0.0_f32;
                for above in [0.0, 1.0] {
                    let r = row - above;
                    let x = fract(u + fract(r * 0.5)) - 0.5;
                    let y = v * 1.4 - r;
                    let radius = (x * x * 4.0 + y * y * 0.6).sqrt();
                    if radius <= 1.05 {
                        best = edge(0.3 * (radius - 0.76));
                        break;
                    }
                }
                best
            }
            Self::Honeycomb => {
                // Distance to the border of hexagons with centres one unit apart.
                const HEIGHT: f32 = 1.732_050_8;
                let cell = |x: f32, y: f32| {
                    let (x, y) = (
                        (fract(x) - 0.5).abs(),
                        (fract(y / HEIGHT) - 0.5).abs() * HEIGHT,
                    );
                    (x).max(0.5 * x + 0.866_025_4 * y)
                };
                let to_centre = cell(u, v).min(cell(u + 0.5, v + 0.5 * HEIGHT));
                edge(to_centre - 0.38)
            }
            Self::Marbled => {
                let warp =
                    1.9 * noise(u * 0.7, v * 0.7, seed) + 0.6 * noise(u * 1.7, v * 1.7, seed);
                let vein = (fract(u * 0.28 + 0.16 * v + warp) - 0.5).abs();
                (0.75 - 4.2 * vein).clamp(0.0, 1.0)
            }
            Self::Woven => {
                let (x, y) = (u * 0.75, v * 0.75);
                let across = ((x.floor() + y.floor()) as i32).rem_euclid(2) == 0;
                let (x, y) = (fract(x) - 0.5, fract(y) - 0.5);
                let (along, side) = if across { (x, y) } else { (y, x) };
                let strand = (fract(side * 2.0) - 0.5).abs();
                let shade = 0.55 * edge((strand - 0.22) / 1.5);
                (shade + 0.9 * along.abs() * along.abs() * 1.6).clamp(0.0, 1.0)
            }
            Self::Cracked => {
                let (u, v) = (u * 0.75, v * 0.75);
                let (iu, iv) = (u.floor(), v.floor());
                let (mut first, mut second) = (9.0_f32, 9.0_f32);
                for (dx, dy) in NEIGHBOURS {
                    let (cx, cy) = (iu as i32 + dx, iv as i32 + dy);
                    let x = cx as f32 + grid_unit(cx, cy, seed) - u;
                    let y = cy as f32 + grid_unit(cx, cy, seed ^ 7) - v;
                    let distance = x * x + y * y;
                    if distance < first {
                        second = first;
                        first = distance;
                    } else if distance < second {
                        second = distance;
                    }
                }
                edge((0.17 - (second.sqrt() - first.sqrt())) / 1.5)
            }
        }
    }
}

const NEIGHBOURS: [(i32, i32); 9] = [
    (-1, -1),
    (0, -1),
    (1, -1),
    (-1, 0),
    (0, 0),
    (1, 0),
    (-1, 1),
    (0, 1),
    (1, 1),
];
