//! Which classes take part: all, or one half for base-to-novel generalisation.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A choice of classes. The halves are those of the sorted labels; novel classes, which the
/// reference calls "new", are never trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Classes {
    /// All classes.
    #[default]
    All,
    /// The first half of the classes, rounded up.
    Base,
    /// The other half.
    #[serde(alias = "new")]
    #[cfg_attr(feature = "clap", value(alias = "new"))]
    Novel,
}

impl std::fmt::Display for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::All => "all",
            Self::Base => "base",
            Self::Novel => "novel",
        })
    }
}

/// A text that names no choice of classes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected all, base or novel, found {0:?}")]
pub struct UnknownClasses(pub String);

/// The choice of that name; `new`, the reference's word for `novel`, is understood too.
impl FromStr for Classes {
    type Err = UnknownClasses;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "all" => Ok(Self::All),
            "base" => Ok(Self::Base),
            "novel" | "new" => Ok(Self::Novel),
            _ => Err(UnknownClasses(name.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, Classes); 4] = [
        ("all", Classes::All),
        ("base", Classes::Base),
        ("novel", Classes::Novel),
        ("new", Classes::Novel),
    ];

    #[test]
    fn names_are_the_same_in_text_and_json() {
        for (name, classes) in NAMES {
            assert_eq!(name.parse(), Ok(classes));
            let json = format!("{name:?}");
            assert_eq!(serde_json::from_str::<Classes>(&json).unwrap(), classes);
            if name != "new" {
                assert_eq!(classes.to_string(), name);
                assert_eq!(serde_json::to_string(&classes).unwrap(), json);
            }
        }
        let error = "old".parse::<Classes>().unwrap_err().to_string();
        assert_eq!(error, "expected all, base or novel, found \"old\"");
    }

    #[cfg(feature = "clap")]
    #[test]
    fn options_take_the_same_names() {
        for (name, classes) in NAMES {
            let found = <Classes as clap::ValueEnum>::from_str(name, false);
            assert_eq!(found, Ok(classes));
        }
    }
}
