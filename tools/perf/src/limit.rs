//! How close a measurement comes to what the machine could do.

use promptsrc_clip::{ClipConfig, Precision};
use serde::Serialize;

use crate::needed_work;

/// Arithmetic per second, beside that of the microkernel alone.
#[derive(Serialize)]
pub struct Limit {
    pub needed_gflop: f64,
    pub gflops: f64,
    pub gemm_ceiling_gflops: f64,
    pub fraction_of_ceiling: f64,
}

impl Limit {
    /// For products that took so many seconds; measures the ceiling on the threads of this pool.
    pub fn of(needed_gflop: f64, seconds: f64, clip: &ClipConfig, precision: Precision) -> Self {
        let gemm_ceiling_gflops = ceiling(clip, precision);
        let gflops = needed_gflop / seconds;
        Self {
            needed_gflop,
            gflops,
            gemm_ceiling_gflops,
            fraction_of_ceiling: gflops / gemm_ceiling_gflops,
        }
    }
}

/// GFLOP/s of the microkernel over the products of one block of the image tower.
fn ceiling(clip: &ClipConfig, precision: Precision) -> f64 {
    let (mut work, mut time) = (0.0, 0.0);
    for (inputs, outputs) in needed_work::products(clip) {
        let flop = (inputs * outputs) as f64;
        work += flop;
        time += flop / promptsrc_kernels::ceiling(precision, 96, inputs, outputs, 40);
    }
    work / time
}
