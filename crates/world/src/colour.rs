//! Colours: their words, and their red, green and blue.

use crate::arithmetic::mix;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// A colour that has a word.
    Colour {
        Red => "red",
        Orange => "orange",
        Yellow => "yellow",
        Green => "green",
        Turquoise => "turquoise",
        Blue => "blue",
        Purple => "purple",
        Pink => "pink",
        Brown => "brown",
        Black => "black",
        Gray => "gray",
        White => "white",
    }
}

/// Red, green and blue, 0 to 1, as screens take them.
pub(crate) type Rgb = [f32; 3];

pub(crate) const BLACK: Rgb = [0.05, 0.05, 0.06];
pub(crate) const WHITE: Rgb = [0.97, 0.97, 0.95];

impl Colour {
    pub(crate) fn rgb(self) -> Rgb {
        match self {
            Self::Red => [0.85, 0.12, 0.13],
            Self::Orange => [0.97, 0.52, 0.08],
            Self::Yellow => [0.97, 0.87, 0.18],
            Self::Green => [0.16, 0.62, 0.20],
            Self::Turquoise => [0.15, 0.78, 0.76],
            Self::Blue => [0.12, 0.30, 0.85],
            Self::Purple => [0.50, 0.18, 0.68],
            Self::Pink => [0.97, 0.55, 0.74],
            Self::Brown => [0.45, 0.27, 0.12],
            Self::Black => [0.08, 0.08, 0.09],
            Self::Gray => [0.53, 0.53, 0.55],
            Self::White => [0.96, 0.96, 0.95],
        }
    }
}

pub(crate) fn blend(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)]
}

pub(crate) fn scale(a: Rgb, factor: f32) -> Rgb {
    a.map(|c| c * factor)
}

pub(crate) fn luminance(a: Rgb) -> f32 {
    0.30 * a[0] + 0.59 * a[1] + 0.11 * a[2]
}
