//! Light, which pretraining never varies and data sets do not vary at random.
//!
//! Real images of a class share more than the class name says: birds a habitat, aircraft the sky
//! above their airline's home. Here they share the light. Each class is mostly seen in a light of
//! its own, which no name mentions: a model can learn it for the classes that it is trained on, but
//! it is useless for all others, and misleads a model that relies on it.

use crate::arithmetic::mix;
use crate::canvas::Canvas;
use crate::colour::Rgb;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// The light that a scene is seen in.
    Light {
        Clear => "clear",
        Fog => "fog",
        Water => "under water",
        Dusk => "dusk",
        Neon => "neon",
        Lamp => "lamp",
    }
}

impl Light {
    /// A colour in this light, of a strength from 0 to 1.
    fn shine(self, colour: Rgb, strength: f32) -> Rgb {
        let [r, g, b] = colour;
        let lit = match self {
            Self::Clear => return colour,
            Self::Fog => [r, g, b].map(|v| 0.30 * v + 0.55),
            Self::Water => [
                0.22 * r + 0.06 * g,
                0.14 * r + 0.55 * g + 0.08 * b + 0.10,
                0.08 * r + 0.20 * g + 0.50 * b + 0.24,
            ],
            Self::Dusk => [
                0.70 * r + 0.12 * g + 0.16,
                0.16 * r + 0.48 * g + 0.04,
                0.06 * r + 0.14 * g + 0.34 * b + 0.06,
            ],
            Self::Neon => [
                0.30 * r + 0.55 * b + 0.12,
                0.42 * g + 0.10 * r,
                0.35 * r + 0.25 * g + 0.40 * b + 0.10,
            ],
            Self::Lamp => [
                0.55 * r + 0.20 * g + 0.10,
                0.20 * r + 0.60 * g + 0.08,
                0.10 * g + 0.35 * b + 0.03,
            ],
        };
        [0, 1, 2].map(|i| mix(colour[i], lit[i], strength))
    }
}

/// Lights an image, with a strength in percent.
pub(crate) fn illuminate(canvas: &mut Canvas, light: Light, percent: u8) {
    if light != Light::Clear {
        let strength = f32::from(percent.min(100)) / 100.0;
        canvas.paint(|_, _, colour| light.shine(colour, strength));
    }
}
