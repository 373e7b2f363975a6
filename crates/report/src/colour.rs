//! The colours of plots, by what they stand for. In the SVG they are fixed ones, which the page's style
//! replaces by those of its light or dark scheme.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// What a mark of a plot stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Text.
    Ink,
    /// Text beside the main one, axes.
    Muted,
    /// Lines behind the marks.
    Grid,
    /// Text on a strong colour.
    OnStrong,
    /// What others are compared with: zero-shot CLIP, the diagonal.
    Reference,
    /// One of several series.
    Series(usize),
}

/// Colours that people with a colour vision deficiency can tell apart (after Okabe and Ito), in light and in
/// dark; with the dashes of lines, so that no series depends on its colour alone.
const SERIES: [(&str, &str); 6] = [
    ("#0072B2", "#5AB4F0"),
    ("#C84E00", "#FF9A52"),
    ("#007F5C", "#35D0A3"),
    ("#A8478A", "#EBA0CF"),
    ("#806400", "#E8D44D"),
    ("#545B66", "#B6BECB"),
];
const DASHES: [&str; 6] = [
    "none",
    "28 12",
    "8 10",
    "36 10 8 10",
    "52 16",
    "16 8 4 8 4 8",
];
/// Series with colours and dashes of their own.
const DISTINCT: usize = 36;

impl Colour {
    /// The colour in the SVG. Each is used for nothing else.
    pub(crate) fn fixed(self) -> RGBColor {
        match self {
            Self::Ink => RGBColor(0x11, 0x11, 0x12),
            Self::Muted => RGBColor(0x66, 0x66, 0x67),
            Self::Grid => RGBColor(0xDD, 0xDD, 0xDE),
            Self::OnStrong => RGBColor(0xFF, 0xFF, 0xFE),
            Self::Reference => RGBColor(0x88, 0x88, 0x89),
            Self::Series(at) => {
                let at = at % DISTINCT;
                let text = SERIES.get(at % SERIES.len()).map_or("", |(light, _)| light);
                let part = |from: usize| {
                    let digits = text.get(from..from + 2).unwrap_or("00");
                    u8::from_str_radix(digits, 16).unwrap_or(0)
                };
                // The last digits tell the repetitions of a colour apart.
                RGBColor(
                    part(1),
                    part(3),
                    part(5).wrapping_add((at / SERIES.len()) as u8),
                )
            }
        }
    }

    /// The name of the style's variable, which is also the class of its mark in a legend.
    pub(crate) fn variable(self) -> String {
        match self {
            Self::Ink => "ink".to_string(),
            Self::Muted => "muted".to_string(),
            Self::Grid => "grid".to_string(),
            Self::OnStrong => "on-strong".to_string(),
            Self::Reference => "reference".to_string(),
            Self::Series(at) => format!("s{}", at % DISTINCT),
        }
    }
}

/// The dashes of a series' lines, in units of the plot.
fn dashes(at: usize) -> &'static str {
    let place = (at + at / SERIES.len()) % DASHES.len();
    DASHES.get(place).copied().unwrap_or("none")
}

/// The rules that give plots and legends the colours of the page. `series`: how many are used.
pub(crate) fn rules(series: usize) -> String {
    let mut css = String::new();
    let series = series.min(DISTINCT);
    let of = |dark: bool| -> String {
        let colour = |at: usize| {
            SERIES
                .get(at % SERIES.len())
                .map_or("", |pair| if dark { pair.1 } else { pair.0 })
        };
        let each = (0..series).map(|at| format!("--s{at}:{};", colour(at)));
        each.collect()
    };
    let _ = write!(
        css,
        ":root{{{}}}@media(prefers-color-scheme:dark){{:root{{{}}}}}",
        of(false),
        of(true)
    );
    let fixed = [
        Colour::Ink,
        Colour::Muted,
        Colour::Grid,
        Colour::OnStrong,
        Colour::Reference,
    ];
    for colour in fixed.into_iter().chain((0..series).map(Colour::Series)) {
        let RGBColor(r, g, b) = colour.fixed();
        let (hex, name) = (format!("#{r:02X}{g:02X}{b:02X}"), colour.variable());
        let _ = write!(
            css,
            ".plot [fill=\"{hex}\"]{{fill:var(--{name})}}.plot [stroke=\"{hex}\"]{{stroke:var(--{name})}}"
        );
        if let Colour::Series(at) = colour {
            let dashes = dashes(at);
            let _ = write!(
                css,
                ".key .{name}{{stroke:var(--{name});fill:var(--{name})}}"
            );
            if dashes != "none" {
                let _ = write!(
                    css,
                    ".plot polyline[stroke=\"{hex}\"],.key line.{name}{{stroke-dasharray:{dashes}}}"
                );
            }
        }
    }
    css += ".plot polyline[stroke=\"#888889\"],.key line.reference{stroke-dasharray:16 12}\
            .key .reference{stroke:var(--reference);fill:var(--reference)}";
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_series_share_colour_and_dashes() {
        let mut seen = Vec::new();
        for at in 0..DISTINCT {
            let pair = (SERIES[at % SERIES.len()].0, dashes(at));
            assert!(!seen.contains(&pair), "{at}");
            seen.push(pair);
        }
        let mut fixed: Vec<RGBColor> = (0..DISTINCT).map(|at| Colour::Series(at).fixed()).collect();
        fixed.sort_by_key(|RGBColor(r, g, b)| (*r, *g, *b));
        fixed.dedup();
        assert_eq!(fixed.len(), DISTINCT);
    }

    /// The contrast of WCAG 2: marks need 3 to 1 against the background.
    #[test]
    fn series_stand_out_in_light_and_dark() {
        let luminance = |hex: &str| {
            let part = |from: usize| {
                let byte = u8::from_str_radix(&hex[from..from + 2], 16).expect("digits");
                let c = f64::from(byte) / 255.0;
                if c <= 0.03928 {
                    c / 12.92
                } else {
                    ((c + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
        };
        let contrast = |a: &str, b: &str| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        // Plots stand on cards.
        let cards = crate::style::RULES.split("--card:").skip(1);
        let cards: Vec<&str> = cards.filter_map(|rest| rest.get(..7)).collect();
        assert_eq!(cards.len(), 2);
        for (light, dark) in SERIES {
            assert!(contrast(light, cards[0]) > 4.0, "{light}");
            assert!(contrast(dark, cards[1]) > 6.0, "{dark}");
        }
    }
}
