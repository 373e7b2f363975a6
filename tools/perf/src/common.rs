//! Options of the measurements that compute.

use std::num::NonZeroUsize;

use promptsrc_clip::Precision;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::failure::Failure;

/// How to compute.
#[derive(clap::Args)]
pub struct Computing {
    /// Precision of the products: f32, bf16, or auto for what the command takes on this processor.
    #[arg(long, value_name = "P", default_value = "auto")]
    precision: String,
    /// Threads [default: all cores].
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

impl Computing {
    pub fn precision(&self) -> Result<Precision, Failure> {
        let precision = match self.precision.as_str() {
            "auto" => Precision::auto().map_err(|e| e.to_string())?,
            name => name.parse().map_err(|e| format!("--precision: {e}"))?,
        };
        precision.check().map_err(|e| format!("--precision: {e}"))?;
        Ok(precision)
    }

    pub fn pool(&self) -> Result<ThreadPool, Failure> {
        let threads = self.threads.map_or(0, NonZeroUsize::get);
        Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
    }
}
