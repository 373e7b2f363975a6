//! The number format of the products.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::instruction_set::{InstructionSet, InstructionSetError};
use crate::vendor::Vendor;

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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrecisionError {
    /// There are no instructions for it.
    #[error(
        "there are no bf16 instructions (AVX512-BF16) in {used}, which is what the kernels use here; \
         use f32, or auto for what suits the processor"
    )]
    NoBf16 {
        /// What the kernels use.
        used: InstructionSet,
    },
    /// It cannot be said what the kernels use.
    #[error(transparent)]
    InstructionSet(#[from] InstructionSetError),
}

impl Precision {
    /// What `auto` takes on this processor: `bf16` on one by AMD with AVX512-BF16, else `f32`. Only the
    /// maker and the instructions decide, so that the same processor always computes the same.
    ///
    /// Instructions alone do not tell: Intel's processors with AVX512-BF16 multiply faster in `f32`
    /// (BENCHMARKS.md).
    ///
    /// # Errors
    /// [`PrecisionError::InstructionSet`].
    pub fn auto() -> Result<Self, PrecisionError> {
        Ok(Self::suiting(
            InstructionSet::chosen()?,
            Vendor::of_processor(),
        ))
    }

    fn suiting(set: InstructionSet, vendor: Vendor) -> Self {
        if set.has_bf16() && vendor == Vendor::Amd {
            Self::Bf16
        } else {
            Self::F32
        }
    }

    /// Whether the kernels can compute in it here.
    ///
    /// # Errors
    /// [`PrecisionError`] where they cannot.
    pub fn check(self) -> Result<(), PrecisionError> {
        let used = InstructionSet::chosen()?;
        if self == Self::Bf16 && !used.has_bf16() {
            return Err(PrecisionError::NoBf16 { used });
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

    #[test]
    fn maker_and_instructions_choose() {
        for set in InstructionSet::ALL {
            assert_eq!(Precision::suiting(set, Vendor::Intel), Precision::F32);
            assert_eq!(Precision::suiting(set, Vendor::Other), Precision::F32);
            let amd = Precision::suiting(set, Vendor::Amd);
            assert_eq!(amd == Precision::Bf16, set.has_bf16());
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
