//! The fastest that this processor multiplies: what a measurement of a whole pass is compared with.

use half::bf16;
use rayon::prelude::*;

use crate::instruction_set::InstructionSet;
use crate::microkernel::Microkernel;
use crate::packed::{Packed, Right};
use crate::precision::Precision;
use crate::product::{padded, product};

/// Rows that a thread multiplies at a time.
const ROWS: usize = 96;

/// Speed of the products of a block of this `width`, and this width inside its MLP, in GFLOP/s: how fast
/// this processor's cores are with nothing but the microkernel. Every thread multiplies all rows; the
/// best of `rounds` counts for each product.
pub fn ceiling(precision: Precision, width: usize, hidden: usize, rounds: usize) -> f64 {
    let products = [
        (width, 3 * width),
        (width, width),
        (width, hidden),
        (hidden, width),
    ];
    let (mut work, mut time) = (0.0, 0.0);
    for (steps, columns) in products {
        let flop = (steps * columns) as f64;
        work += flop;
        time += flop / of_product(precision, steps, columns, rounds);
    }
    work / time
}

/// The same of one product with a matrix `[steps, columns]`.
fn of_product(precision: Precision, steps: usize, columns: usize, rounds: usize) -> f64 {
    fn measured<E: Microkernel>(steps: usize, columns: usize, rounds: usize) -> f64 {
        let set = InstructionSet::detected();
        let threads = rayon::current_num_threads();
        let stride = padded(steps);
        let right = Packed::<E>::new(set, steps, columns, |p, c| (p * 7 + c) as f32 % 13.0 - 6.0);
        let left = vec![E::from_f32(0.5); ROWS * stride];
        let once = || {
            let start = std::time::Instant::now();
            (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
                product(set, ROWS, &left, stride, Right::Packed(&right), |chunk| {
                    std::hint::black_box(chunk.values);
                });
            });
            start.elapsed().as_secs_f64()
        };
        let best = (0..rounds.max(1)).map(|_| once()).fold(f64::MAX, f64::min);
        2.0 * (threads * ROWS * steps * columns) as f64 / best / 1e9
    }
    match precision {
        Precision::F32 => measured::<f32>(steps, columns, rounds),
        Precision::Bf16 => measured::<bf16>(steps, columns, rounds),
    }
}
