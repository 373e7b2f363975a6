//! The state file: everything that a resumed run needs to give the same result as an uninterrupted
//! one.

use std::path::Path;

use promptsrc_files::SaveError;
use promptsrc_files::tensor_file::{self, NamedTensor, TensorFileError, Values};
use serde::{Deserialize, Serialize};

use crate::aggregation::Aggregate;
use crate::config::TrainConfig;
use crate::losses::LossValues;
use crate::parameters::{Parameter, ParameterError, Parameters};
use crate::training::TrainingState;

/// Of a state between two epochs.
const BETWEEN_EPOCHS: u32 = 1;
/// Of a state within an epoch, which earlier programs must not take for one at its beginning.
const WITHIN_EPOCH: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Record {
    format_version: u32,
    epoch: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under_way: Option<UnderWay>,
}

/// The epoch that is under way.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    /// Its finished steps.
    steps: usize,
    /// The sum of their losses.
    losses: LossValues,
}

/// A state that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// Its parameters are invalid.
    #[error("{}: {source}", path.display())]
    Parameters {
        /// The file.
        path: std::path::PathBuf,
        /// The error of the parameters.
        source: ParameterError,
    },
    /// Momentum or aggregate contain NaN or an infinity.
    #[error("{}: tensor {name} contains {value}: the file is damaged, or the training diverged", path.display())]
    NotFinite {
        /// The file.
        path: std::path::PathBuf,
        /// The tensor.
        name: String,
        /// NaN or an infinity.
        value: f64,
    },
    /// It has been trained for no epoch, or for more than the run has.
    #[error("{}: it has {saved} finished epochs, but the run has {epochs}; the file is damaged", path.display())]
    Epoch {
        /// The file.
        path: std::path::PathBuf,
        /// Epochs of the state.
        saved: usize,
        /// Epochs of the run.
        epochs: usize,
    },
    /// Momentum or aggregate of a parameter are missing.
    #[error("{}: tensor {name} is missing; the file is damaged", path.display())]
    Missing {
        /// The file.
        path: std::path::PathBuf,
        /// The tensor.
        name: String,
    },
    /// Momentum or aggregate do not fit the parameters.
    #[error("{}: tensor {name} does not fit the parameters; the file is damaged", path.display())]
    Mismatch {
        /// The file.
        path: std::path::PathBuf,
        /// The tensor.
        name: String,
    },
}

/// Saves the state atomically. The random state is not saved, because it is derived from (seed,
/// epoch, image).
pub fn save(path: &Path, state: &TrainingState) -> Result<(), SaveError> {
    let mut tensors = Vec::new();
    for parameter in state.parameters.iter() {
        let mut add = |kind: &str, values| {
            let name = format!("{kind}/{}", parameter.name);
            tensors.push(NamedTensor {
                name,
                shape: parameter.shape.clone(),
                values,
            });
        };
        add("prompt", Values::F32(parameter.values.clone()));
        if let Some(velocity) = state
            .velocity
            .get(&parameter.name)
            .filter(|v| !v.is_empty())
        {
            add("velocity", Values::F32(velocity.clone()));
        }
        if let Some(sum) = state.aggregate.sums.get(&parameter.name) {
            add("aggregate", Values::F64(sum.clone()));
        }
    }
    let under_way = (state.step > 0).then_some(UnderWay {
        steps: state.step,
        losses: state.losses,
    });
    let record = Record {
        format_version: match under_way {
            None => BETWEEN_EPOCHS,
            Some(_) => WITHIN_EPOCH,
        },
        epoch: state.epoch,
        under_way,
    };
    tensor_file::save(path, &tensors, Some(&record))
}

/// Checks that a run of this configuration, with parameters of these shapes, can have saved a state. Without
/// its momentum or aggregate a run would go on and end with other bytes.
pub fn check(
    path: &Path,
    state: &TrainingState,
    config: &TrainConfig,
    shapes: &[(String, Vec<usize>)],
) -> Result<(), StateError> {
    // Nothing is saved before the first step, and nothing is under way after the last epoch.
    let is_begun = state.epoch > 0 || state.step > 0;
    let epochs_begun = state.epoch.saturating_add(usize::from(state.step > 0));
    if !is_begun || epochs_begun > config.epochs {
        return Err(StateError::Epoch {
            path: path.into(),
            saved: state.epoch,
            epochs: config.epochs,
        });
    }
    let parameters = |source| StateError::Parameters {
        path: path.into(),
        source,
    };
    let checked = state.parameters.check(shapes, &config.method);
    checked.map_err(parameters)?;
    let has_momentum = config.optim.momentum != 0.0;
    let has_aggregate = config.aggregation.is_some() && state.epoch > 0;
    for parameter in state.parameters.iter() {
        let name = &parameter.name;
        let missing = |kind: &str| StateError::Missing {
            path: path.into(),
            name: format!("{kind}/{name}"),
        };
        if has_momentum && !state.velocity.contains_key(name) {
            return Err(missing("velocity"));
        }
        if has_aggregate && !state.aggregate.sums.contains_key(name) {
            return Err(missing("aggregate"));
        }
    }
    Ok(())
}

/// Loads a state.
pub fn load(path: &Path) -> Result<TrainingState, StateError> {
    let (tensors, record): (_, Record) =
        tensor_file::load(path, "the state of a run", WITHIN_EPOCH)?;
    let mut parameters = Vec::new();
    let mut velocity = std::collections::BTreeMap::new();
    let mut aggregate = Aggregate::default();
    for tensor in tensors {
        match (tensor.name.split_once('/'), tensor.values) {
            (Some(("prompt", name)), Values::F32(values)) => {
                parameters.push(Parameter {
                    name: name.to_string(),
                    shape: tensor.shape,
                    values,
                });
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
    let parameters = Parameters::new(parameters).map_err(|source| StateError::Parameters {
        path: path.into(),
        source,
    })?;
    let momentum = velocity
        .iter()
        .flat_map(|(name, values): (&String, &Vec<f32>)| {
            values.iter().map(move |v| (name, f64::from(*v)))
        });
    let sums = aggregate
        .sums
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |v| (name, *v)));
    if let Some((name, value)) = momentum.chain(sums).find(|(_, value)| !value.is_finite()) {
        return Err(StateError::NotFinite {
            path: path.into(),
            name: name.clone(),
            value,
        });
    }
    let size = |name: &str| parameters.get(name).map(|p| p.values.len());
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
    let (step, losses) = match record.under_way {
        Some(UnderWay { steps, losses }) => (steps, losses),
        None => (0, LossValues::default()),
    };
    Ok(TrainingState {
        epoch: record.epoch,
        step,
        losses,
        parameters,
        velocity,
        aggregate,
    })
}
