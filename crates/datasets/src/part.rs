//! The parts of a data set: training, validation, test.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of a data set. PromptSRC does not use the validation images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Training images.
    Train,
    /// Validation images.
    Val,
    /// Test images.
    Test,
}

/// The part of a data set, or all parts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Parts {
    /// Training images.
    Train,
    /// Validation images.
    Val,
    /// Test images.
    Test,
    /// All images, as one.
    All,
}

impl Parts {
    /// The part; `None` for all.
    pub fn one(self) -> Option<Part> {
        match self {
            Self::Train => Some(Part::Train),
            Self::Val => Some(Part::Val),
            Self::Test => Some(Part::Test),
            Self::All => None,
        }
    }
}

impl Part {
    /// All parts, in the order in which the reference reads them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

/// A text that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected train, val or test, found {0:?}")]
pub struct UnknownPart(pub String);

/// The part of that name, in any case. The usual synonyms are understood too, because folders and
/// lists use them: training, valid, validation, dev, testing.
impl FromStr for Part {
    type Err = UnknownPart;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Ok(Self::Train),
            "val" | "valid" | "validation" | "dev" => Ok(Self::Val),
            "test" | "testing" => Ok(Self::Test),
            _ => Err(UnknownPart(name.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_json() {
        for (part, name) in Part::ALL.into_iter().zip(["train", "val", "test"]) {
            assert_eq!(part.to_string(), name);
            assert_eq!(name.parse(), Ok(part));
            let json = format!("{name:?}");
            assert_eq!(serde_json::to_string(&part).unwrap(), json);
            assert_eq!(serde_json::from_str::<Part>(&json).unwrap(), part);
        }
        assert_eq!("Validation".parse(), Ok(Part::Val));
        let error = "trian".parse::<Part>().unwrap_err().to_string();
        assert_eq!(error, "expected train, val or test, found \"trian\"");
    }

    #[cfg(feature = "clap")]
    #[test]
    fn options_take_the_same_names() {
        for part in Part::ALL {
            let found = <Part as clap::ValueEnum>::from_str(&part.to_string(), false);
            assert_eq!(found, Ok(part));
        }
    }
}
