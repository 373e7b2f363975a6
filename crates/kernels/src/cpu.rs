//! The instruction sets that the kernels use, detected at run time.

use std::sync::OnceLock;

/// The instruction sets that the kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuFeatures {
    avx512: bool,
    bf16: bool,
}

impl CpuFeatures {
    /// Those of this processor.
    pub fn detected() -> Self {
        static DETECTED: OnceLock<CpuFeatures> = OnceLock::new();
        *DETECTED.get_or_init(Self::detect)
    }

    /// None of them: portable code only, as on any other processor.
    pub fn portable() -> Self {
        Self {
            avx512: false,
            bf16: false,
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn detect() -> Self {
        let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        Self {
            avx512,
            bf16: avx512 && is_x86_feature_detected!("avx512bf16"),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> Self {
        Self::portable()
    }

    /// AVX-512 foundation and byte/word instructions.
    pub(crate) fn has_avx512(self) -> bool {
        self.avx512
    }

    /// AVX512-BF16.
    pub fn has_bf16(self) -> bool {
        self.bf16
    }
}
