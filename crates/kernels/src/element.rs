//! The number formats of a product's operands: `f32` and `bf16`.

use half::bf16;

use crate::buffer::Pooled;

/// A number format in which the operands of a product are stored.
pub(crate) trait Element: Pooled + Sync + std::fmt::Debug {
    /// Numbers along the summed axis that a packed panel stores side by side.
    const GROUP: usize;

    /// Rounded to nearest, ties to even.
    fn from_f32(value: f32) -> Self;

    /// Exact.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    const GROUP: usize = 1;

    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for bf16 {
    const GROUP: usize = 2;

    /// As `half` does it, in a form that the compiler vectorises.
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        // Rounding must not carry a NaN over into infinity.
        let quiet = (bits >> 16) | 0x40;
        let nan = bits & 0x7fff_ffff > 0x7f80_0000;
        Self::from_bits(if nan { quiet } else { rounded } as u16)
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_half_does() {
        let mut bits = 1u32;
        for _ in 0..2_000_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = f32::from_bits(bits);
            let (ours, theirs) = (<bf16 as Element>::from_f32(value), bf16::from_f32(value));
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{value:e} ({bits:#x})");
            assert!(Element::to_f32(ours).to_bits() == theirs.to_f32().to_bits() || value.is_nan());
        }
    }
}
