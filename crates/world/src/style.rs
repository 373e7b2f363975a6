//! Styles: how an image was made.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// How an image was made.
    Style {
        Photo => "photo",
        Sketch => "sketch",
        Night => "night",
        Poster => "poster",
        Blurred => "blurred",
        Pixelated => "pixelated",
        Cartoon => "cartoon",
        Painting => "painting",
        Monochrome => "black and white",
        Noisy => "noisy",
        Bright => "bright",
        Embroidered => "embroidered",
        Plastic => "plastic",
        Mosaic => "mosaic",
    }
}

impl Style {
    /// Whether colours can be recognised in it.
    pub(crate) fn shows_colour(self) -> bool {
        self != Self::Monochrome
    }

    /// Caption templates for it. `{a}` is a phrase with its article ("a red car", "three cups"),
    /// `{the}` one with "the", `{}` one without article, only for a single thing.
    pub(crate) fn templates(self) -> &'static [&'static str] {
        match self {
            Self::Photo => &[
                "a photo of {a}.",
                "a photo of {a}.",
                "a photo of {a}.",
                "a photo of {the}.",
                "a good photo of {a}.",
                "a good photo of {the}.",
                "itap of {a}.",
                "itap of {the}.",
                "a photo of my {}.",
                "a photo of one {}.",
                "a photo of a nice {}.",
                "a photo of the cool {}.",
                "a photo of a weird {}.",
                "a photo of a clean {}.",
                "a photo of the clean {}.",
                "a picture of {a}.",
                "an image of {a}.",
            ],
            Self::Sketch => &[
                "a sketch of {a}.",
                "a sketch of {the}.",
                "a drawing of {a}.",
                "a doodle of {a}.",
                "a doodle of {the}.",
                "a tattoo of {a}.",
                "a pencil drawing of {a}.",
            ],
            Self::Night => &[
                "a dark photo of {the}.",
                "a dark photo of {a}.",
                "a photo of {a} at night.",
                "{a} at night.",
                "{a} in the dark.",
            ],
            Self::Poster => &[
                "a poster of {a}.",
                "a poster of {the}.",
                "art of {a}.",
                "art of {the}.",
                "graffiti of {a}.",
            ],
            Self::Blurred => &[
                "a blurry photo of {a}.",
                "a blurry photo of {the}.",
                "a blurred picture of {a}.",
            ],
            Self::Pixelated => &[
                "a pixelated photo of {a}.",
                "a pixelated photo of {the}.",
                "a low resolution photo of {a}.",
                "a low resolution photo of {the}.",
                "{a} in a video game.",
                "{the} in a video game.",
            ],
            Self::Cartoon => &[
                "a cartoon {}.",
                "a cartoon of {a}.",
                "a rendition of {a}.",
                "a rendition of {the}.",
            ],
            Self::Painting => &[
                "a painting of {a}.",
                "a painting of {the}.",
                "an oil painting of {a}.",
            ],
            Self::Monochrome => &[
                "a black and white photo of {a}.",
                "a black and white photo of {the}.",
            ],
            Self::Noisy => &[
                "a bad photo of {a}.",
                "a bad photo of {the}.",
                "a jpeg corrupted photo of {a}.",
                "a grainy photo of {a}.",
                "a photo of a dirty {}.",
                "a photo of the dirty {}.",
            ],
            Self::Bright => &[
                "a bright photo of {a}.",
                "a bright photo of {the}.",
                "{a} in bright light.",
            ],
            Self::Embroidered => &[
                "the embroidered {}.",
                "a embroidered {}.",
                "an embroidery of {a}.",
            ],
            Self::Plastic => &[
                "a plastic {}.",
                "the plastic {}.",
                "the toy {}.",
                "a toy {}.",
                "a rendering of {a}.",
                "a rendering of {the}.",
                "a sculpture of {a}.",
                "a sculpture of {the}.",
            ],
            Self::Mosaic => &[
                "a mosaic of {a}.",
                "a mosaic of {the}.",
                "the origami {}.",
                "a origami {}.",
            ],
        }
    }
}
