//! The instruction sets that the kernels use: what this processor has, and what they may use of it.

use std::env;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// Environment variable that names the most that the kernels may use, for tests and benchmarks; unset or
/// empty, they use what the processor has.
pub const CPU_VARIABLE: &str = "PROMPTSRC_CPU";

/// What the kernels may use of a processor; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstructionSet {
    /// What every processor of this architecture has: SSE2 on x86-64, NEON on ARM.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// And AVX512-BF16.
    Avx512Bf16,
}

/// Instructions that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstructionSetError {
    /// No such name.
    #[error("{name:?} is not a set of instructions: use portable, avx2, avx512 or avx512-bf16")]
    Unknown {
        /// What was given.
        name: String,
    },
    /// [`CPU_VARIABLE`] has a value that is no name.
    #[error("environment variable {CPU_VARIABLE}: {0}")]
    Variable(Box<Self>),
    /// [`CPU_VARIABLE`] names what this processor does not have.
    #[error(
        "environment variable {CPU_VARIABLE}: this processor does not have {asked}; the most it \
         has is {has}"
    )]
    Missing {
        /// What the variable names.
        asked: InstructionSet,
        /// What the processor has.
        has: InstructionSet,
    },
}

impl InstructionSet {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16];

    /// What this processor has.
    pub fn of_processor() -> Self {
        static FOUND: OnceLock<InstructionSet> = OnceLock::new();
        *FOUND.get_or_init(Self::find)
    }

    #[cfg(target_arch = "x86_64")]
    fn find() -> Self {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (avx2, avx512) {
            (true, true) if is_x86_feature_detected!("avx512bf16") => Self::Avx512Bf16,
            (true, true) => Self::Avx512,
            (true, false) => Self::Avx2,
            (false, _) => Self::Portable,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn find() -> Self {
        Self::Portable
    }

    /// What the kernels use here: what the processor has, or the part of it that [`CPU_VARIABLE`]
    /// names. It is the same for the whole life of a process.
    ///
    /// # Errors
    /// [`InstructionSetError::Variable`], [`InstructionSetError::Missing`].
    pub fn chosen() -> Result<Self, InstructionSetError> {
        static CHOSEN: OnceLock<Result<InstructionSet, InstructionSetError>> = OnceLock::new();
        CHOSEN
            .get_or_init(|| {
                let name = env::var_os(CPU_VARIABLE).unwrap_or_default();
                Self::choose(&name.to_string_lossy(), Self::of_processor())
            })
            .clone()
    }

    /// [`chosen`](Self::chosen), where its error has been looked at before.
    ///
    /// # Panics
    /// On its errors.
    pub fn detected() -> Self {
        Self::chosen().unwrap_or_else(|error| panic!("{error}"))
    }

    fn choose(name: &str, has: Self) -> Result<Self, InstructionSetError> {
        if name.is_empty() {
            return Ok(has);
        }
        let asked = name
            .parse()
            .map_err(|error| InstructionSetError::Variable(Box::new(error)))?;
        if asked > has {
            return Err(InstructionSetError::Missing { asked, has });
        }
        Ok(asked)
    }

    /// Those that this processor has, the least first.
    pub fn available() -> impl Iterator<Item = Self> {
        let most = Self::of_processor();
        Self::ALL.into_iter().filter(move |set| *set <= most)
    }

    /// Whether products with bf16 operands have instructions.
    pub fn has_bf16(self) -> bool {
        self >= Self::Avx512Bf16
    }

    /// `portable`, `avx2`, `avx512` or `avx512-bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for InstructionSet {
    type Err = InstructionSetError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|set| set.name() == name)
            .ok_or_else(|| InstructionSetError::Unknown { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_chooses_what_the_processor_has() {
        let has = InstructionSet::Avx512;
        assert_eq!(InstructionSet::choose("", has), Ok(has));
        assert_eq!(InstructionSet::choose("avx512", has), Ok(has));
        assert_eq!(
            InstructionSet::choose("portable", has),
            Ok(InstructionSet::Portable)
        );
        let missing = InstructionSet::choose("avx512-bf16", has).expect_err("not there");
        assert!(missing.to_string().contains("does not have avx512-bf16"));
        let unknown = InstructionSet::choose("sse9", has).expect_err("no such name");
        assert!(unknown.to_string().contains("PROMPTSRC_CPU"));
        assert!(unknown.to_string().contains("\"sse9\""));
    }

    #[test]
    fn every_processor_has_the_portable_one() {
        assert_eq!(
            InstructionSet::available().next(),
            Some(InstructionSet::Portable)
        );
        assert_eq!(
            InstructionSet::available().last(),
            Some(InstructionSet::of_processor())
        );
    }
}
