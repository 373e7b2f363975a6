//! The state file: everything a killed run needs to end as if it had not been killed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::aggregation::Aggregate;
use crate::learner::LearnerState;
use crate::prompts::{Prompts, PromptsError};
use promptsrc_files::SaveError;
use promptsrc_files::tensor_file::{self, NamedTensor, TensorFileError, Values};

const FORMAT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    format_version: u32,
    epoch: usize,
}

/// A state that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// Its prompts.
    #[error("{}: {source}", path.display())]
    Prompts {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        source: PromptsError,
    },
    /// Momentum or aggregate do not fit the prompts.
    #[error("{}: tensor {name} does not fit the prompts in the file; it is damaged", path.display())]
    Mismatch {
        /// The file.
        path: std::path::PathBuf,
        /// The tensor.
        name: String,
    },
}

/// Saves the state, all or nothing. The random state is derived from (seed, epoch, image), so
/// the epoch stands for it.
pub fn save(path: &Path, state: &LearnerState) -> Result<(), SaveError> {
    let mut tensors = Vec::new();
    for prompt in state.prompts.iter() {
        let mut add = |kind: &str, values| {
            let name = format!("{kind}/{}", prompt.name);
            tensors.push(NamedTensor {
                name,
                shape: prompt.shape.to_vec(),
                values,
            });
        };
        add("prompt", Values::F32(prompt.values.clone()));
        if let Some(velocity) = state.velocity.get(&prompt.name).filter(|v| !v.is_empty()) {
            add("velocity", Values::F32(velocity.clone()));
        }
        if let Some(sum) = state.aggregate.sums.get(&prompt.name) {
            add("aggregate", Values::F64(sum.clone()));
        }
    }
    let record = Record {
        format_version: FORMAT_VERSION,
        epoch: state.epoch,
    };
    tensor_file::save(path, &tensors, Some(&record))
}

/// Loads a state.
pub fn load(path: &Path) -> Result<LearnerState, StateError> {
    let (tensors, record): (_, Record) =
        tensor_file::load(path, "the state of a run", FORMAT_VERSION)?;
    let mut prompts = Vec::new();
    let mut velocity = std::collections::BTreeMap::new();
    let mut aggregate = Aggregate::default();
    for tensor in tensors {
        match (tensor.name.split_once('/'), tensor.values) {
            (Some(("prompt", name)), Values::F32(values)) => {
                prompts.push((name.to_string(), tensor.shape, values));
            }
            (Some(("velocity", name)), Values::F32(values)) => {
                velocity.insert(name.to_string(), values);
            }
            (Some(("aggregate", name)), Values::F64(values)) => {
                aggregate.sums.insert(name.to_string(), values);
            }
            _ => {
                return Err(StateError::Mismatch {
                    path: path.into(),
                    name: tensor.name,
                });
            }
        }
    }
    let prompts = Prompts::from_named(prompts).map_err(|source| StateError::Prompts {
        path: path.into(),
        source,
    })?;
    let size = |name: &str| {
        prompts
            .iter()
            .find(|p| p.name == name)
            .map(|p| p.values.len())
    };
    let lengths = velocity
        .iter()
        .map(|(n, v)| (n, v.len()))
        .chain(aggregate.sums.iter().map(|(n, v)| (n, v.len())));
    for (name, length) in lengths {
        if size(name) != Some(length) {
            return Err(StateError::Mismatch {
                path: path.into(),
                name: name.clone(),
            });
        }
    }
    Ok(LearnerState {
        epoch: record.epoch,
        prompts,
        velocity,
        aggregate,
    })
}
