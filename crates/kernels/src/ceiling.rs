//! The fastest that this processor multiplies: what a measurement of a whole pass is compared with.

use half::bf16;
use rayon::prelude::*;

use crate::instruction_set::InstructionSet;
use crate::microkernel::Microkernel;
use crate::packed::Packed;
use crate::precision::Precision;
use crate::product::{padded, product};

/// Speed of multiplying `rows` rows with a matrix `[steps, columns]`, in GFLOP/s: how fast this
/// processor's cores are with nothing but the microkernel. Every thread multiplies all rows; the
/// best of `rounds`.
pub fn ceiling(
    precision: Precision,
    rows: usize,
    steps: usize,
    columns: usize,
    rounds: usize,
) -> f64 {
    fn measured<E: Microkernel>(rows: usize, steps: usize, columns: usize, rounds: usize) -> f64 {
        let set = InstructionSet::detected();
        let threads = rayon::current_num_threads();
        let stride = padded(steps);
        let right = Packed::<E>::new(set, steps, columns, |p, c| (p * 7 + c) as f32 % 13.0 - 6.0);
        let left = vec![E::from_f32(0.5); rows * stride];
        let once = || {
            let start = std::time::Instant::now();
            (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
                product(set, rows, &left, stride, &right, |chunk| {
                    std::hint::black_box(chunk.values);
                });
            });
            start.elapsed().as_secs_f64()
        };
        let best = (0..rounds.max(1)).map(|_| once()).fold(f64::MAX, f64::min);
        2.0 * (threads * rows * steps * columns) as f64 / best / 1e9
    }
    match precision {
        Precision::F32 => measured::<f32>(rows, steps, columns, rounds),
        Precision::Bf16 => measured::<bf16>(rows, steps, columns, rounds),
    }
}
