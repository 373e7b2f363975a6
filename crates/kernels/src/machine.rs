//! What the processor can do, found out at run time.

use std::sync::OnceLock;

/// The instructions that the kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    avx512: bool,
    bf16: bool,
}

impl Machine {
    /// This processor.
    pub fn here() -> Self {
        static HERE: OnceLock<Machine> = OnceLock::new();
        *HERE.get_or_init(Self::detect)
    }

    /// Any processor: nothing but portable code.
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
