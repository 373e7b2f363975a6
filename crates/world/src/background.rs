//! What is behind the things: a wall, or a place that has a word.

use crate::arithmetic::{fract, mix, noise, sine, smooth};
use crate::colour::{Colour, Rgb, blend, scale};
use crate::random::{grid_hash, grid_unit};
use crate::vocabulary::vocabulary;

vocabulary! {
    /// A place.
    Place {
        Grass => "grass",
        Sky => "sky",
        Sea => "sea",
        Sand => "sand",
        Snow => "snow",
        Bricks => "brick wall",
        Wood => "wooden table",
        Space => "space",
        Forest => "forest",
        City => "city",
        Mountains => "mountains",
        Tiles => "tiled floor",
    }
}

impl Place {
    /// Phrases that say that something is there; the first is the usual one.
    pub(crate) fn phrases(self) -> &'static [&'static str] {
        match self {
            Self::Grass => &["on grass", "on the grass", "in a meadow"],
            Self::Sky => &["in the sky", "in front of a cloudy sky"],
            Self::Sea => &["in the sea", "on the water"],
            Self::Sand => &["on sand", "on a beach", "in the sand"],
            Self::Snow => &["in the snow", "on snow"],
            Self::Bricks => &["in front of a brick wall", "on a brick wall"],
            Self::Wood => &["on a wooden table", "on wood"],
            Self::Space => &["in space", "among the stars"],
            Self::Forest => &["in a forest", "in the woods"],
            Self::City => &["in a city", "in front of tall houses"],
            Self::Mountains => &["in front of mountains", "in the mountains"],
            Self::Tiles => &["on a tiled floor", "on tiles"],
        }
    }

    /// The colour of a point; `x` and `y` go from 0 to 1.
    fn rgb(self, x: f32, y: f32, pixel: f32, seed: u32) -> Rgb {
        let edge = |inside: f32| (inside / pixel + 0.5).clamp(0.0, 1.0);
        let vary = |seed_bit: u32| grid_unit(1, 2, seed ^ seed_bit);
        match self {
            Self::Grass => {
                let blades = noise(x * 26.0, y * 9.0, seed);
                let patches = noise(x * 4.0, y * 4.0, seed ^ 1);
                blend(
                    [0.20, 0.44, 0.10],
                    [0.50, 0.72, 0.24],
                    0.55 * blades + 0.45 * patches,
                )
            }
            Self::Sky => {
                let cloud =
                    0.65 * noise(x * 3.5, y * 5.5, seed) + 0.35 * noise(x * 9.0, y * 12.0, seed);
                let blue = blend([0.30, 0.56, 0.92], [0.68, 0.84, 0.98], y);
                blend(blue, [0.98, 0.98, 1.0], smooth(0.5, 0.72, cloud))
            }
            Self::Sea => {
                let row = y * 9.0 + 0.35 * sine(x * 2.0 + vary(3) + 0.6 * (y * 9.0).floor());
                let crest = smooth(0.72, 0.98, fract(row)) * noise(x * 6.0, y * 9.0, seed);
                let water = blend([0.10, 0.45, 0.68], [0.03, 0.26, 0.48], y);
                blend(water, [0.80, 0.93, 0.97], crest)
            }
            Self::Sand => {
                let ripple = sine(y * 7.0 + 0.8 * noise(x * 3.0, y * 3.0, seed));
                let grain = noise(x * 40.0, y * 40.0, seed);
                blend(
                    [0.80, 0.67, 0.42],
                    [0.96, 0.87, 0.64],
                    0.45 + 0.2 * ripple + 0.5 * (grain - 0.5),
                )
            }
            Self::Snow => {
                let drift = noise(x * 3.0, y * 5.0, seed);
                let ground = blend([0.80, 0.87, 0.96], [0.97, 0.98, 1.0], drift);
                let (cx, cy) = ((x * 13.0).floor() as i32, (y * 13.0).floor() as i32);
                let (fx, fy) = (fract(x * 13.0) - 0.5, fract(y * 13.0) - 0.5);
                let flake = grid_hash(cx, cy, seed) & 3 == 0 && fx * fx + fy * fy < 0.12;
                if flake {
                    [1.0, 1.0, 1.0]
                } else {
                    scale(ground, 0.93)
                }
            }
            Self::Bricks => {
                let v = y * 8.0 + vary(5);
                let row = v.floor();
                let u = x * 4.5 + fract(row * 0.5) + vary(6);
                let joint = edge((0.09 - fract(v)) / 8.0).max(edge((0.06 - fract(u)) / 4.5));
                let tone = grid_unit(u.floor() as i32, row as i32, seed);
                let brick = blend([0.55, 0.24, 0.18], [0.72, 0.38, 0.28], tone);
                blend(brick, [0.80, 0.76, 0.70], joint)
            }
            Self::Wood => {
                let plank = (y * 4.0 + vary(5)).floor();
                let grain = noise(x * 3.0 + plank * 7.0, y * 34.0, seed);
                let gap = edge((0.07 - fract(y * 4.0 + vary(5))) / 4.0);
                let wood = blend([0.58, 0.38, 0.20], [0.80, 0.60, 0.38], grain);
                blend(wood, [0.30, 0.18, 0.09], gap)
            }
            Self::Space => {
                let nebula = noise(x * 2.5, y * 2.5, seed);
                let dark = blend([0.02, 0.02, 0.07], [0.14, 0.07, 0.24], nebula * nebula);
                let (cx, cy) = ((x * 11.0).floor() as i32, (y * 11.0).floor() as i32);
                let sx = fract(x * 11.0) - 0.2 - 0.6 * grid_unit(cx, cy, seed ^ 8);
                let sy = fract(y * 11.0) - 0.2 - 0.6 * grid_unit(cx, cy, seed ^ 9);
                let bright = grid_unit(cx, cy, seed ^ 10);
                let star = edge((0.10 + 0.14 * bright - (sx * sx + sy * sy).sqrt()) / 11.0);
                let here = if bright > 0.45 { star } else { 0.0 };
                blend(dark, [1.0, 1.0, 0.92], here)
            }
            Self::Forest => {
                let leaves = noise(x * 9.0, y * 9.0, seed);
                let green = blend([0.03, 0.16, 0.06], [0.14, 0.38, 0.12], leaves);
                let u = x * 5.0 + vary(4);
                let column = u.floor() as i32;
                let middle = 0.3 + 0.4 * grid_unit(column, 0, seed);
                let width = 0.10 + 0.09 * grid_unit(column, 1, seed);
                let trunk = edge((width - (fract(u) - middle).abs()) / 5.0);
                let bark = scale(
                    [0.36, 0.24, 0.14],
                    0.75 + 0.5 * noise(x * 30.0, y * 6.0, seed),
                );
                let ground = smooth(0.82, 0.9, y);
                blend(
                    blend(green, bark, trunk * (1.0 - ground)),
                    [0.22, 0.26, 0.10],
                    ground,
                )
            }
            Self::City => {
                let sky = blend([0.62, 0.74, 0.86], [0.95, 0.86, 0.74], y);
                let u = x * 5.0 + vary(4);
                let column = u.floor() as i32;
                let top = 0.12 + 0.42 * grid_unit(column, 0, seed);
                let tone = grid_unit(column, 1, seed);
                let house = blend([0.32, 0.34, 0.40], [0.55, 0.52, 0.52], tone);
                let (wx, wy) = (fract(fract(u) * 3.0), fract(y * 13.0));
                let lit =
                    grid_hash((u * 3.0).floor() as i32, (y * 13.0).floor() as i32, seed) & 3 != 0;
                let window = wx > 0.3 && wx < 0.8 && wy > 0.3 && wy < 0.8 && fract(u) > 0.06;
                let wall = if window && lit {
                    [0.95, 0.88, 0.55]
                } else {
                    house
                };
                let street = smooth(0.88, 0.92, y);
                blend(blend(sky, wall, edge(y - top)), [0.28, 0.28, 0.30], street)
            }
            Self::Mountains => {
                let sky = blend([0.50, 0.72, 0.94], [0.88, 0.93, 0.97], y);
                let ridge = |shift: f32, steep: f32, low: f32, bit: u32| {
                    let u = x * 2.0 + vary(bit) + shift;
                    low + steep * (fract(u) - 0.5).abs() + 0.05 * noise(x * 9.0, 0.0, seed ^ bit)
                };
                let far = ridge(0.5, 0.6, 0.22, 4);
                let near = ridge(0.0, 0.7, 0.34, 5);
                let rock = blend(
                    [0.42, 0.42, 0.50],
                    [0.56, 0.54, 0.58],
                    noise(x * 9.0, y * 9.0, seed),
                );
                let snow = |top: f32, r: Rgb| {
                    blend(r, [0.97, 0.98, 1.0], edge(0.44 - y).min(edge(y - top)))
                };
                let mut c = blend(sky, snow(far, scale(rock, 1.1)), edge(y - far));
                c = blend(c, snow(near, scale(rock, 0.85)), edge(y - near));
                blend(c, [0.36, 0.48, 0.26], smooth(0.78, 0.86, y))
            }
            Self::Tiles => {
                let (u, v) = (x * 5.0 + vary(4), y * 5.0 + vary(5));
                let dark = ((u.floor() + v.floor()) as i32).rem_euclid(2) == 0;
                let joint = edge((0.05 - fract(u).min(fract(v))) / 5.0);
                let tile = if dark {
                    [0.60, 0.66, 0.70]
                } else {
                    [0.84, 0.86, 0.85]
                };
                blend(tile, [0.42, 0.44, 0.46], joint)
            }
        }
    }
}

/// What is behind the things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Background {
    /// A wall of one colour.
    Wall(Colour),
    /// One colour above that becomes another below.
    Blend(Colour, Colour),
    /// A place.
    Place(Place),
}

impl Background {
    /// The colour of a point; `x` and `y` go from 0 to 1.
    pub(crate) fn rgb(self, x: f32, y: f32, pixel: f32, seed: u32) -> Rgb {
        // Walls are paler than things of the same colour, so that these stand out.
        let pale = |colour: Colour| blend(colour.rgb(), [0.88, 0.88, 0.86], 0.42);
        match self {
            Self::Wall(colour) => {
                scale(pale(colour), mix(0.96, 1.04, noise(x * 5.0, y * 5.0, seed)))
            }
            Self::Blend(top, bottom) => blend(pale(top), pale(bottom), smooth(0.1, 0.9, y)),
            Self::Place(place) => place.rgb(x, y, pixel, seed),
        }
    }
}
