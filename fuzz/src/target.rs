//! A target: a parser, and inputs to begin with.

use libfuzzer_sys::Corpus;

/// A parser by name.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]) -> Outcome,
    /// Inputs of which the parser takes some, with the names of their files.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

/// What came of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    Refused,
    /// The parser has not seen it, because it would do what a fuzzer should not.
    Skipped,
}

impl Outcome {
    pub fn corpus(self) -> Corpus {
        match self {
            Self::Taken | Self::Refused => Corpus::Keep,
            Self::Skipped => Corpus::Reject,
        }
    }
}

impl<T, E> From<Result<T, E>> for Outcome {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Taken,
            Err(_) => Self::Refused,
        }
    }
}
