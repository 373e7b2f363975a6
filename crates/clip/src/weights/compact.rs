//! Numbers in the narrowest format that holds them exactly.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Numbers of a large table of which few are looked at, in the narrowest format that holds each of them
/// exactly: published CLIPs were trained and saved in f16, whatever a file stores them as today.
pub(crate) enum Compact {
    F16(Vec<f16>),
    F32(Vec<f32>),
}

/// Numbers that one task of the thread pool narrows.
const TASK: usize = 1 << 16;

impl Compact {
    pub fn new(values: Vec<f32>) -> Self {
        let exact = |value: &f32| f16::from_f32(*value).to_f32().to_bits() == value.to_bits();
        if !values.par_chunks(TASK).all(|piece| piece.iter().all(exact)) {
            return Self::F32(values);
        }
        let mut narrow = vec![f16::ZERO; values.len()];
        narrow
            .par_chunks_mut(TASK)
            .zip(values.par_chunks(TASK))
            .for_each(|(to, from)| to.convert_from_f32_slice(from));
        Self::F16(narrow)
    }

    /// The numbers from `start` on, as many as `to` has room for.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn copy(&self, start: usize, to: &mut [f32]) {
        let range = start..start + to.len();
        match self {
            Self::F16(values) => values[range].convert_to_f32_slice(to),
            Self::F32(values) => to.copy_from_slice(&values[range]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f32], is_narrow: bool) {
        let compact = Compact::new(values.to_vec());
        assert_eq!(matches!(compact, Compact::F16(_)), is_narrow);
        for start in 0..values.len() {
            let mut copied = vec![f32::NAN; values.len() - start];
            compact.copy(start, &mut copied);
            assert_eq!(copied, values[start..]);
        }
    }

    #[test]
    fn no_number_changes() {
        // The smallest and the largest f16, a subnormal one, and what lies beyond.
        let halves = [0.0, -0.0, 1.5, 65504.0, -65504.0, 2.0f32.powi(-24)];
        check(&halves, true);
        for other in [0.1, 65520.0, 1e-9, 2.0f32.powi(-25), 1.0 + f32::EPSILON] {
            check(&[&halves[..], &[other]].concat(), false);
        }
    }
}
