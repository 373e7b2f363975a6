//! The number formats that this processor has.

use promptsrc_clip::{Precision, processor_name};
use serde::Serialize;

use crate::failure::Failure;

#[derive(Serialize)]
struct Formats {
    processor: Option<String>,
    /// What the command takes.
    auto: &'static str,
    precisions: Vec<&'static str>,
}

/// Prints one line of JSON.
pub fn run() -> Result<(), Failure> {
    let all = [Precision::F32, Precision::Bf16];
    let formats = Formats {
        processor: processor_name(),
        auto: Precision::auto().map_err(|e| e.to_string())?.name(),
        precisions: all
            .into_iter()
            .filter(|precision| precision.check().is_ok())
            .map(Precision::name)
            .collect(),
    };
    println!("{}", serde_json::to_string(&formats)?);
    Ok(())
}
