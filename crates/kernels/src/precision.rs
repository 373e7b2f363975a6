//! The number format of the products.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cpu::CpuFeatures;

/// The number format of weights and of the products' other operands. Sums, the residual stream,
/// layer normalisation and softmax are `f32` in every precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats throughout.
    #[default]
    F32,
    /// `bfloat16` operands, `f32` sums: half the memory. Needs AVX512-BF16.
    Bf16,
}

/// A precision that this processor cannot compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrecisionError {
    /// The processor has no instructions for it.
    #[error(
        "this processor has no bf16 instructions (AVX512-BF16); use f32, or auto for what the \
         processor has"
    )]
    NoBf16,
}

impl Precision {
    /// `bf16` where this processor has instructions for it, else `f32`.
    pub fn best() -> Self {
        if CpuFeatures::detected().has_bf16() {
            Self::Bf16
        } else {
            Self::F32
        }
    }

    /// Whether this processor can compute in it.
    ///
    /// # Errors
    /// [`PrecisionError::NoBf16`] where it cannot.
    pub fn check(self) -> Result<(), PrecisionError> {
        if self == Self::Bf16 && !CpuFeatures::detected().has_bf16() {
            return Err(PrecisionError::NoBf16);
        }
        Ok(())
    }

    /// `f32` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::F32, Self::Bf16]
            .into_iter()
            .find(|p| p.name() == name)
            .ok_or_else(|| format!("{name:?} is not a precision: use f32 or bf16"))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::*;

    #[test]
    fn has_the_same_name_in_files_and_messages() {
        for precision in [Precision::F32, Precision::Bf16] {
            let name = precision.to_string();
            assert_eq!(name.parse(), Ok(precision));
            let read: Result<_, Error> = Precision::deserialize(name.as_str().into_deserializer());
            assert_eq!(read, Ok(precision));
        }
    }

    #[cfg(feature = "clap")]
    #[test]
    fn has_the_same_name_on_the_command_line() {
        use clap::ValueEnum;

        for precision in Precision::value_variants() {
            let value = precision.to_possible_value().expect("no variant is hidden");
            assert_eq!(value.get_name(), precision.name());
        }
    }
}
