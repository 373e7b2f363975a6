//! Results as one page: a file of HTML with its plots, tables and thumbnails, which needs no network and no
//! script, for phones and desks, light and dark.
//!
//! Everything is a value that the caller has found out: this crate opens no file and classifies nothing.
//! Names, paths and words are escaped wherever they are shown. The page is bounded: see [`limits`].
//!
//! ```
//! use promptsrc_report::{SweepPage, sweep_page};
//!
//! let page = sweep_page(&SweepPage { name: "results".into(), ..SweepPage::default() })?;
//! assert!(page.starts_with("<!DOCTYPE html>"));
//! # Ok::<(), promptsrc_report::PlotError>(())
//! ```

mod bars;
mod chart;
mod class_plot;
mod colour;
mod confusion_plot;
mod data_table;
mod figure;
pub mod limits;
mod line_plot;
mod mistakes;
mod number;
mod page;
mod reliability_plot;
mod run;
mod run_page;
mod style;
mod sweep_page;
mod thumbnail;
mod training;

pub use chart::PlotError;
pub use run::{Answered, Calibrated, Fact, Judged, Likely, Measured, Run, RunPage, Trust, Words};
pub use run_page::run_page;
pub use sweep_page::{SweepMachine, SweepPage, sweep_page};
pub use thumbnail::{ThumbnailError, thumbnail};
pub use training::{Log, training_log};
