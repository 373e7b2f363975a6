//! One file per subcommand.

pub mod bench;
pub mod calibrate;
pub mod completions;
pub mod convert;
pub mod data;
pub mod demo;
pub mod embed;
pub mod eval;
pub mod export;
pub mod inspect;
mod machine;
pub mod predict;
pub mod report;
pub mod sample;
pub mod serve;
pub mod train;
pub mod world;
