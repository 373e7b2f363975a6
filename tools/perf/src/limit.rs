//! How close a measurement comes to what the machine could do.

use promptsrc_clip::{ClipConfig, Precision, ceiling};
use serde::Serialize;

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
        let (width, hidden) = (clip.vision.width, clip.vision.mlp_width);
        let gemm_ceiling_gflops = ceiling(precision, width, hidden, 40);
        let gflops = needed_gflop / seconds;
        Self {
            needed_gflop,
            gflops,
            gemm_ceiling_gflops,
            fraction_of_ceiling: gflops / gemm_ceiling_gflops,
        }
    }
}
