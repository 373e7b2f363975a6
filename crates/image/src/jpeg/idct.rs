//! libjpeg's accurate integer inverse DCT (`jidctint.c`, "islow").
//!
//! Loeffler, Ligtenberg and Moschytz' factorisation with 13 fractional bits; columns first, with 2
//! bits kept between the passes. Each rounding is libjpeg's. Sums wrap: only corrupt data overflow.

use std::num::Wrapping;

type Int = Wrapping<i32>;

const CONST_BITS: usize = 13;
const PASS1_BITS: usize = 2;

const fn fix(value: i32) -> Int {
    Wrapping(value)
}
const FIX_0_298631336: Int = fix(2446);
const FIX_0_390180644: Int = fix(3196);
const FIX_0_541196100: Int = fix(4433);
const FIX_0_765366865: Int = fix(6270);
const FIX_0_899976223: Int = fix(7373);
const FIX_1_175875602: Int = fix(9633);
const FIX_1_501321110: Int = fix(12299);
const FIX_1_847759065: Int = fix(15137);
const FIX_1_961570560: Int = fix(16069);
const FIX_2_053119869: Int = fix(16819);
const FIX_2_562915447: Int = fix(20995);
const FIX_3_072711026: Int = fix(25172);

/// Dequantizes a block and writes its 8 x 8 samples, `stride` apart from row to row.
#[inline(always)]
pub(super) fn inverse(block: &[i16; 64], table: &[u16; 64], place: &mut [u8], stride: usize) {
    if block[1..].iter().all(|c| *c == 0) {
        let dc = Wrapping(i32::from(block[0])) * Wrapping(i32::from(table[0]));
        let sample = sample(descale(dc << PASS1_BITS, PASS1_BITS + 3));
        for row in place.chunks_mut(stride).take(8) {
            if let Some(row) = row.get_mut(..8) {
                row.fill(sample);
            }
        }
        return;
    }
    let mut work = [[Wrapping(0); 8]; 8];
    for (row, (coefficients, steps)) in work.iter_mut().zip(
        block
            .as_chunks::<8>()
            .0
            .iter()
            .zip(table.as_chunks::<8>().0),
    ) {
        for (value, (coefficient, step)) in row.iter_mut().zip(coefficients.iter().zip(steps)) {
            *value = Wrapping(i32::from(*coefficient)) * Wrapping(i32::from(*step));
        }
    }
    // One pass works on all columns of a row at once; transposed, on all rows of a column.
    let work = transpose(pass(work, CONST_BITS - PASS1_BITS));
    let work = transpose(pass(work, CONST_BITS + PASS1_BITS + 3));
    for (row, values) in place.chunks_mut(stride).zip(work) {
        if let Some(row) = row.get_mut(..8) {
            for (place, value) in row.iter_mut().zip(values) {
                *place = sample(value);
            }
        }
    }
}

#[inline(always)]
fn sample(value: Int) -> u8 {
    (value.0.saturating_add(128)).clamp(0, 255) as u8
}

/// Division by a power of two, rounded.
#[inline(always)]
fn descale(value: Int, bits: usize) -> Int {
    (value + (Wrapping(1) << (bits - 1))) >> bits
}

#[inline(always)]
fn transpose(rows: [[Int; 8]; 8]) -> [[Int; 8]; 8] {
    let mut columns = [[Wrapping(0); 8]; 8];
    for (i, row) in rows.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            columns[j][i] = *value;
        }
    }
    columns
}

/// Eight one-dimensional transforms side by side, along the outer index.
#[inline(always)]
fn pass(input: [[Int; 8]; 8], bits: usize) -> [[Int; 8]; 8] {
    let mut output = [[Wrapping(0); 8]; 8];
    for lane in 0..8 {
        let at = |frequency: usize| input[frequency][lane];

        // Even part.
        let z1 = (at(2) + at(6)) * FIX_0_541196100;
        let tmp2 = z1 - at(6) * FIX_1_847759065;
        let tmp3 = z1 + at(2) * FIX_0_765366865;
        let tmp0 = (at(0) + at(4)) << CONST_BITS;
        let tmp1 = (at(0) - at(4)) << CONST_BITS;
        let even = [tmp0 + tmp3, tmp1 + tmp2, tmp1 - tmp2, tmp0 - tmp3];

        // Odd part.
        let (tmp0, tmp1, tmp2, tmp3) = (at(7), at(5), at(3), at(1));
        let z5 = (tmp0 + tmp2 + tmp1 + tmp3) * FIX_1_175875602;
        let z1 = (tmp0 + tmp3) * FIX_0_899976223;
        let z2 = (tmp1 + tmp2) * FIX_2_562915447;
        let z3 = z5 - (tmp0 + tmp2) * FIX_1_961570560;
        let z4 = z5 - (tmp1 + tmp3) * FIX_0_390180644;
        let odd = [
            tmp3 * FIX_1_501321110 - z1 + z4,
            tmp2 * FIX_3_072711026 - z2 + z3,
            tmp1 * FIX_2_053119869 - z2 + z4,
            tmp0 * FIX_0_298631336 - z1 + z3,
        ];

        for (i, (even, odd)) in even.into_iter().zip(odd).enumerate() {
            output[i][lane] = descale(even + odd, bits);
            output[7 - i][lane] = descale(even - odd, bits);
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortcut_for_flat_blocks_is_the_general_transform() {
        for dc in [-1024, -513, -7, 0, 1, 3, 4, 500, 1023] {
            let mut block = [0; 64];
            block[0] = dc;
            let mut quick = [0; 64];
            inverse(&block, &[1; 64], &mut quick, 8);
            // A coefficient that is quantized to zero takes the general path.
            block[63] = 1;
            let mut table = [1; 64];
            table[63] = 0;
            let mut long = [0; 64];
            inverse(&block, &table, &mut long, 8);
            assert_eq!(quick, long, "{dc}");
        }
    }

    #[test]
    fn extreme_coefficients_do_not_overflow_into_a_panic() {
        let mut samples = [0; 64];
        inverse(&[i16::MIN; 64], &[u16::MAX; 64], &mut samples, 8);
        inverse(&[i16::MAX; 64], &[u16::MAX; 64], &mut samples, 8);
    }
}
