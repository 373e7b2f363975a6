//! The surface of things: a pattern in two colours.

use crate::arithmetic::{cosine, sine};
use crate::colour::{BLACK, Colour, Rgb, WHITE, blend, luminance};
use crate::pattern::Pattern;
use crate::random::Random;

/// A pattern in two colours, as all things of a subject have it.
#[derive(Clone, Copy)]
pub(crate) struct Surface {
    /// The colour of the surface where the pattern is not.
    pub(crate) first: Rgb,
    second: Rgb,
    pattern: Pattern,
    /// Pixels after which it repeats.
    period: f32,
    /// Cosine and sine of its angle.
    turn: (f32, f32),
    seed: u32,
}

impl Surface {
    pub(crate) fn new(colour: Colour, pattern: Pattern, period: f32, random: &mut Random) -> Self {
        let first = vary(colour.rgb(), random);
        // Stripes have four directions, zigzags and waves two; all are turned a little.
        let angle = match pattern {
            Pattern::Striped => random.pick(&[0.0, 0.125, 0.25, 0.375]),
            Pattern::Zigzag | Pattern::Wavy => random.pick(&[0.0, 0.0, 0.25]),
            _ => 0.0,
        } + random.between(-0.03, 0.03);
        Self {
            first,
            second: second_colour(colour, first, random),
            pattern,
            period,
            turn: (cosine(angle), sine(angle)),
            seed: random.bits() as u32,
        }
    }

    /// The colour at a point in pixels.
    pub(crate) fn at(&self, x: f32, y: f32) -> Rgb {
        if self.pattern == Pattern::Plain {
            return self.first;
        }
        let (c, s) = self.turn;
        let (u, v) = ((c * x + s * y) / self.period, (c * y - s * x) / self.period);
        let second = self.pattern.second(u, v, 1.0 / self.period, self.seed);
        blend(self.first, self.second, second)
    }
}

/// A random variation of a colour.
pub(crate) fn vary(colour: Rgb, random: &mut Random) -> Rgb {
    let brightness = random.between(0.9, 1.08);
    colour.map(|c| (c * brightness + random.between(-0.04, 0.04)).clamp(0.0, 1.0))
}

/// The second colour of a pattern: if possible not one that has a word of its own.
fn second_colour(colour: Colour, first: Rgb, random: &mut Random) -> Rgb {
    let choice = random.below(10);
    let second = match colour {
        Colour::White => {
            return blend([0.55, 0.55, 0.60], [0.68, 0.62, 0.52], choice as f32 / 9.0);
        }
        Colour::Black => {
            return blend([0.60, 0.60, 0.64], [0.72, 0.68, 0.58], choice as f32 / 9.0);
        }
        Colour::Gray if choice < 5 => BLACK,
        Colour::Yellow | Colour::Turquoise | Colour::Pink | Colour::Orange => match choice {
            0..5 => blend(first, BLACK, 0.62),
            5..8 => BLACK,
            _ => WHITE,
        },
        _ => match choice {
            0..6 => WHITE,
            6..8 => blend(first, WHITE, 0.62),
            _ => BLACK,
        },
    };
    if (luminance(second) - luminance(first)).abs() < 0.25 {
        if luminance(first) > 0.45 {
            BLACK
        } else {
            WHITE
        }
    } else {
        second
    }
}
