//! The learned parameters of a method: named tensors, and the same tensors as leaves of a tape.

use burn::tensor::{Device, Tensor, TensorData};

/// A named tensor of learned values, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name; where the Python reference has the same parameter, its name in the checkpoints.
    pub name: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// All parameters of a run, in the order of their prompt model.
///
/// The optimiser, its velocity, the aggregate, the state file and the adapter file work on named
/// tensors only. What a tensor means is defined by a [`PromptModel`](crate::PromptModel).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    list: Vec<Parameter>,
}

/// Parameters that do not fit a prompt model or a CLIP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There are no parameters.
    #[error("there are no learned parameters")]
    None,
    /// A tensor whose values do not fill its shape.
    #[error("the parameter {name} has shape {shape:?} but {values} values")]
    Count {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Number of its values.
        values: usize,
    },
    /// A value that nothing can be computed with.
    #[error("the parameter {name} contains {value}: the file is damaged, or its training diverged")]
    NotFinite {
        /// Its name.
        name: String,
        /// NaN or an infinity, as text.
        value: String,
    },
    /// A required parameter is missing.
    #[error("the parameter {name} is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A parameter that the method does not have.
    #[error(
        "the parameter {name} is unknown: the method {method} with this configuration has no parameter of that name"
    )]
    Unknown {
        /// Its name.
        name: String,
        /// The method.
        method: String,
    },
    /// A parameter of another shape.
    #[error(
        "the parameter {name} has shape {found:?}, but {expected:?} is expected on this CLIP: it \
         was learned for another CLIP or with another configuration"
    )]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
}

impl Parameters {
    /// Parameters, checked to have as many values as their shapes say, all of them finite.
    ///
    /// # Errors
    /// [`ParameterError::None`], [`ParameterError::Count`], [`ParameterError::NotFinite`].
    pub fn new(list: Vec<Parameter>) -> Result<Self, ParameterError> {
        if list.is_empty() {
            return Err(ParameterError::None);
        }
        for parameter in &list {
            let wanted = parameter
                .shape
                .iter()
                .try_fold(1_usize, |product, extent| product.checked_mul(*extent));
            if wanted != Some(parameter.values.len()) || parameter.values.is_empty() {
                return Err(ParameterError::Count {
                    name: parameter.name.clone(),
                    shape: parameter.shape.clone(),
                    values: parameter.values.len(),
                });
            }
        }
        let parameters = Self { list };
        parameters.check_finite()?;
        Ok(parameters)
    }

    /// Checks that all values are finite.
    ///
    /// # Errors
    /// [`ParameterError::NotFinite`].
    pub fn check_finite(&self) -> Result<(), ParameterError> {
        for parameter in &self.list {
            if let Some(value) = parameter.values.iter().find(|value| !value.is_finite()) {
                return Err(ParameterError::NotFinite {
                    name: parameter.name.clone(),
                    value: value.to_string(),
                });
            }
        }
        Ok(())
    }

    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.list.iter()
    }

    /// All parameters, to change their values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.list.iter_mut()
    }

    /// The parameter with that name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.list.iter().find(|p| p.name == name)
    }

    /// The parameters with some of the entries of their first axis, in this order.
    ///
    /// # Panics
    /// If there is no such entry.
    pub(crate) fn rows(&self, rows: &[usize]) -> Self {
        let of = |p: &Parameter| {
            let size: usize = p.shape.iter().skip(1).product();
            let mut shape = p.shape.clone();
            shape[0] = rows.len();
            let values = rows
                .iter()
                .flat_map(|row| &p.values[row * size..(row + 1) * size]);
            Parameter {
                name: p.name.clone(),
                values: values.copied().collect(),
                shape,
            }
        };
        Self {
            list: self.list.iter().map(of).collect(),
        }
    }

    /// Number of learned values.
    pub fn count(&self) -> usize {
        self.list.iter().map(|p| p.values.len()).sum()
    }

    /// Checks that these are the parameters with the expected names and shapes.
    ///
    /// # Errors
    /// The first difference; `method` is named in the message.
    pub fn check(
        &self,
        expected: &[(String, Vec<usize>)],
        method: &str,
    ) -> Result<(), ParameterError> {
        for (name, shape) in expected {
            let Some(found) = self.get(name) else {
                return Err(ParameterError::Missing { name: name.clone() });
            };
            if found.shape != *shape {
                return Err(ParameterError::Shape {
                    name: name.clone(),
                    found: found.shape.clone(),
                    expected: shape.clone(),
                });
            }
        }
        let known = |name: &str| expected.iter().any(|(known, _)| known == name);
        match self.list.iter().find(|p| !known(&p.name)) {
            Some(parameter) => Err(ParameterError::Unknown {
                name: parameter.name.clone(),
                method: method.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// The parameters on a device. With `learn`, each is a leaf of the tape and gets a gradient.
    pub fn leaves(&self, device: &Device, learn: bool) -> Leaves {
        let leaf = |p: &Parameter| {
            let flat = TensorData::new(p.values.clone(), [p.values.len()]);
            let tensor = Tensor::from_data(flat, device);
            Leaf {
                name: p.name.clone(),
                shape: p.shape.clone(),
                // [values]
                flat: match learn {
                    true => tensor.autodiff().require_grad(),
                    false => tensor,
                },
            }
        };
        Leaves {
            list: self.list.iter().map(leaf).collect(),
        }
    }
}

/// Parameters as tensors on a device.
#[derive(Clone, Debug)]
pub struct Leaves {
    list: Vec<Leaf>,
}

#[derive(Clone, Debug)]
struct Leaf {
    name: String,
    shape: Vec<usize>,
    flat: Tensor<1>,
}

impl Leaves {
    /// The parameter with that name, in its shape, on the tape; `None` if there is no such parameter.
    ///
    /// # Panics
    /// If the parameter has another number of axes. Parameters are checked against their prompt model
    /// before they are used.
    pub fn get<const D: usize>(&self, name: &str) -> Option<Tensor<D>> {
        let leaf = self.list.iter().find(|leaf| leaf.name == name)?;
        let shape: [usize; D] = match leaf.shape.as_slice().try_into() {
            Ok(shape) => shape,
            Err(_) => panic!("{name} has {} axes, {D} are asked for", leaf.shape.len()),
        };
        Some(leaf.flat.clone().reshape(shape))
    }

    /// The flat tensors `[values]`, in the order of the parameters.
    pub(crate) fn flat(&self) -> impl Iterator<Item = &Tensor<1>> {
        self.list.iter().map(|leaf| &leaf.flat)
    }
}
