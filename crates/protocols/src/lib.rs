//! The four benchmarks of the paper as resumable, divisible sweeps over data sets, methods and
//! seeds.
//!
//! [`Plan`] lists the runs of a [`Protocol`] over the data sets of a [`DatasetCollection`];
//! a [`Sweep`] makes those that are not finished, each in a folder of its own; [`collect`] reads
//! the results in these folders, and [`tables`] averages them as the paper does, beside the
//! published numbers.

mod accuracies;
mod baseline;
mod collection;
mod column;
mod comparable;
mod comparison;
mod confidence_interval;
mod contender;
#[cfg(test)]
mod example_results;
mod facts;
mod fixed_classes;
pub mod jobs;
mod missing;
mod paired;
mod plan;
mod protocol;
mod published;
mod published_file;
mod reference_groups;
mod reference_results;
mod render;
mod results;
mod run_machines;
mod run_state;
mod saved_json;
mod student;
mod sweep;
mod sweep_error;
mod sweep_images;
mod table;
mod tables;

pub use baseline::compare_with;
pub use collection::{
    CollectionError, DatasetCollection, DatasetEntry, DatasetSize, OpenedDataset, TransferRole,
};
pub use column::Column;
pub use comparable::TableError;
pub use contender::{Contender, methods_in_words};
pub use facts::{Facts, ImageFacts};
pub use fixed_classes::ClassNames;
pub use paired::{NoTest, Paired, PairedTest};
pub use plan::{Choice, Plan, PlanError, PlannedRun};
pub use protocol::{Protocol, Target};
pub use published::{add_published, published};
pub use published_file::{PUBLISHED_FILE, Source};
pub use reference_results::{ReferenceResults, collect_reference};
pub use render::{Format, TextLine, TextTable, render, render_seeds, text_table};
pub use results::{Configuration, Measured, RESULT, ResultError, RunId, RunResult, collect};
pub use run_machines::{MACHINES, MachinesError, RunMachines};
pub use run_state::RunState;
pub use sweep::{Sweep, SweepEvent};
pub use sweep_error::SweepError;
pub use table::{Cell, Made, Row, Table};
pub use tables::tables;
