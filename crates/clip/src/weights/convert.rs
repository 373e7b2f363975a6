//! Conversion of stored floats to `f32`.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

/// Type in which a file stores weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatType {
    /// 16-bit float (IEEE).
    F16,
    /// 16-bit float with the exponent of a 32-bit one.
    Bf16,
    /// 32-bit float.
    F32,
    /// 64-bit float; rounded to 32 bits when read.
    F64,
}

impl FloatType {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            FloatType::F16 | FloatType::Bf16 => 2,
            FloatType::F32 => 4,
            FloatType::F64 => 8,
        }
    }
}

/// Numbers that one task of the thread pool converts.
const TASK: usize = 1 << 16;
/// Half floats that are copied to an aligned buffer at a time, to be converted as a slice.
const LANE: usize = 512;

/// Appends the little-endian numbers in `bytes` to `values`.
pub(super) fn append_f32(dtype: FloatType, bytes: &[u8], values: &mut Vec<f32>) {
    let start = values.len();
    values.resize(start + bytes.len() / dtype.size(), 0.0);
    let Some(new) = values.get_mut(start..) else {
        return;
    };
    new.par_chunks_mut(TASK)
        .zip(bytes.par_chunks(TASK * dtype.size()))
        .for_each(|(to, from)| match dtype {
            FloatType::F16 => halves(to, from, f16::from_le_bytes),
            FloatType::Bf16 => halves(to, from, bf16::from_le_bytes),
            FloatType::F32 => each(to, from, f32::from_le_bytes),
            FloatType::F64 => each(to, from, |bytes| f64::from_le_bytes(bytes) as f32),
        });
}

/// The little-endian numbers in `bytes`, as they are.
pub(super) fn f16(bytes: &[u8]) -> Vec<f16> {
    let numbers = bytes.as_chunks().0.iter();
    numbers.map(|bytes| f16::from_le_bytes(*bytes)).collect()
}

/// The first little-endian `f32` that is NaN or infinite.
pub(super) fn not_finite_bytes(bytes: &[u8]) -> Option<f32> {
    let number = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
    let finite = |piece: &[u8]| {
        let numbers = piece.as_chunks().0.iter().map(number);
        numbers.fold(true, |all, v| all & v.is_finite())
    };
    let piece = bytes
        .par_chunks(4 * TASK)
        .find_first(|piece| !finite(piece))?;
    piece
        .as_chunks()
        .0
        .iter()
        .map(number)
        .find(|value| !value.is_finite())
}

/// The first number that is NaN or infinite.
pub(super) fn not_finite(values: &[f32]) -> Option<f32> {
    // Without a branch a piece is looked at as vectors.
    let finite = |piece: &[f32]| piece.iter().fold(true, |all, v| all & v.is_finite());
    let piece = values.par_chunks(TASK).find_first(|piece| !finite(piece))?;
    piece.iter().copied().find(|value| !value.is_finite())
}

fn each<const N: usize>(to: &mut [f32], from: &[u8], number: impl Fn([u8; N]) -> f32) {
    for (to, from) in to.iter_mut().zip(from.as_chunks().0) {
        *to = number(*from);
    }
}

fn halves<T: Copy + Default>(to: &mut [f32], from: &[u8], number: impl Fn([u8; 2]) -> T)
where
    [T]: HalfFloatSliceExt,
{
    let mut lane = [T::default(); LANE];
    for (to, from) in to.chunks_mut(LANE).zip(from.chunks(LANE * 2)) {
        let from = from.as_chunks().0;
        for (half, bytes) in lane.iter_mut().zip(from) {
            *half = number(*bytes);
        }
        if let Some(lane) = lane.get(..to.len()) {
            lane.convert_to_f32_slice(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_float_converts_to_itself_at_any_length() {
        let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        for length in [0, 1, LANE - 1, LANE, LANE + 1, halves.len()] {
            let mut values = Vec::new();
            append_f32(FloatType::F16, &bytes[..length * 2], &mut values);
            assert_eq!(values.len(), length);
            for (value, half) in values.iter().zip(&halves) {
                assert!(
                    *value == half.to_f32() || (value.is_nan() && half.is_nan()),
                    "{half:?}"
                );
            }
        }
    }

    #[test]
    fn the_other_types_convert_exactly() {
        let numbers = [0.0f32, -1.5, 3.25, f32::MAX, f32::MIN_POSITIVE];
        let mut values = Vec::new();
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        append_f32(FloatType::F32, &bytes, &mut values);
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|n| f64::from(*n).to_le_bytes())
            .collect();
        append_f32(FloatType::F64, &bytes, &mut values);
        assert_eq!(values, [numbers, numbers].concat());
        values.clear();
        let bytes: Vec<u8> = [1.5f32, -0.25]
            .iter()
            .flat_map(|n| bf16::from_f32(*n).to_le_bytes())
            .collect();
        append_f32(FloatType::Bf16, &bytes, &mut values);
        assert_eq!(values, [1.5, -0.25]);
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_found() {
        let mut values = vec![f32::MAX; 2 * TASK + 7];
        assert_eq!(not_finite(&values), None);
        values[2 * TASK + 3] = f32::NEG_INFINITY;
        assert_eq!(not_finite(&values), Some(f32::NEG_INFINITY));
        values[TASK + 1] = f32::NAN;
        assert!(not_finite(&values).is_some_and(f32::is_nan));
        assert_eq!(not_finite(&[]), None);
        let bytes = |values: &[f32]| {
            values
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect::<Vec<_>>()
        };
        assert!(not_finite_bytes(&bytes(&values)).is_some_and(f32::is_nan));
        values[TASK + 1] = 0.0;
        assert_eq!(not_finite_bytes(&bytes(&values)), Some(f32::NEG_INFINITY));
        assert_eq!(not_finite_bytes(&bytes(&values[..TASK])), None);
    }
}
