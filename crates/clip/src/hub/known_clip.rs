//! The CLIPs that OpenAI published.

/// A CLIP that OpenAI published, with what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KnownClip {
    /// ViT-B/32: the fastest.
    VitB32,
    /// ViT-B/16: the one that prompt learning is measured on.
    VitB16,
    /// ViT-L/14.
    VitL14,
    /// ViT-L/14 on images of 336 pixels: the most accurate.
    VitL14At336,
}

impl KnownClip {
    /// All of them, smallest first.
    pub const ALL: [KnownClip; 4] = [
        KnownClip::VitB32,
        KnownClip::VitB16,
        KnownClip::VitL14,
        KnownClip::VitL14At336,
    ];

    /// OpenAI's name for it.
    pub fn name(self) -> &'static str {
        match self {
            KnownClip::VitB32 => "ViT-B/32",
            KnownClip::VitB16 => "ViT-B/16",
            KnownClip::VitL14 => "ViT-L/14",
            KnownClip::VitL14At336 => "ViT-L/14@336px",
        }
    }

    /// Its model on the Hugging Face hub.
    pub fn repo(self) -> &'static str {
        match self {
            KnownClip::VitB32 => "openai/clip-vit-base-patch32",
            KnownClip::VitB16 => "openai/clip-vit-base-patch16",
            KnownClip::VitL14 => "openai/clip-vit-large-patch14",
            KnownClip::VitL14At336 => "openai/clip-vit-large-patch14-336",
        }
    }

    /// The [fingerprint](crate::ClipWeights::fingerprint) of its weights; `None` where it has not
    /// been recorded yet. `promptsrc inspect` prints that of a file.
    pub fn fingerprint(self) -> Option<&'static str> {
        // The one place for them. None has been recorded: the weights could not be had where this
        // was written.
        match self {
            KnownClip::VitB32 | KnownClip::VitB16 | KnownClip::VitL14 | KnownClip::VitL14At336 => {
                None
            }
        }
    }

    /// The one whose weights have this fingerprint.
    pub fn with_fingerprint(fingerprint: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.fingerprint() == Some(fingerprint))
    }

    /// Number of parameters in both towers.
    pub fn parameters(self) -> u64 {
        match self {
            KnownClip::VitB32 => 151_277_313,
            KnownClip::VitB16 => 149_620_737,
            KnownClip::VitL14 => 427_616_513,
            KnownClip::VitL14At336 => 427_944_193,
        }
    }

    /// Side of its images, in pixels.
    pub fn resolution(self) -> usize {
        match self {
            KnownClip::VitL14At336 => 336,
            _ => 224,
        }
    }

    /// Zero-shot accuracy on ImageNet in percent, as the CLIP paper reports it (Radford et al.
    /// 2021, table 11).
    pub fn imagenet_zero_shot(self) -> f32 {
        match self {
            KnownClip::VitB32 => 63.2,
            KnownClip::VitB16 => 68.6,
            KnownClip::VitL14 => 75.3,
            KnownClip::VitL14At336 => 76.2,
        }
    }

    /// The one of that name, in any case and with `-` or `_` for `/` and `@`.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |name: &str| {
            name.to_lowercase()
                .replace(['/', '@', '_'], "-")
                .trim_end_matches("px")
                .to_string()
        };
        Self::ALL
            .into_iter()
            .find(|known| plain(known.name()) == plain(name))
    }
}
