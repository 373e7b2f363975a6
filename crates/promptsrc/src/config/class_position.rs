//! Where the class name stands among the context tokens of a prompt.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the class name stands among the context tokens (CoOp, section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassPosition {
    /// After all context tokens.
    #[default]
    End,
    /// After the first half of them, rounded down.
    Middle,
    /// Before all of them.
    Front,
}

impl ClassPosition {
    /// All positions.
    pub const ALL: [Self; 3] = [Self::End, Self::Middle, Self::Front];

    /// The name as written on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Middle => "middle",
            Self::Front => "front",
        }
    }

    /// How many of so many context tokens stand before the class name.
    pub fn tokens_before(self, n_ctx: usize) -> usize {
        match self {
            Self::End => n_ctx,
            Self::Middle => n_ctx / 2,
            Self::Front => 0,
        }
    }

    /// Whether it is the usual one.
    pub fn is_end(&self) -> bool {
        *self == Self::End
    }
}

impl fmt::Display for ClassPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ClassPosition {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|position| position.name() == name)
            .ok_or_else(|| format!("unknown position {name:?}: expected end, middle or front"))
    }
}
