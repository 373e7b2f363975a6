//! A head as named tensors, and the checks on the way back.

use std::borrow::Cow;

use crate::error::HeadError;

/// Name, shape and row-major values, which need not be copied to be read.
pub type NamedTensor<'a> = (String, Vec<usize>, Cow<'a, [f32]>);

/// Tensors on their way into a head, each taken once.
pub(crate) struct Reader<'a> {
    names: &'static [&'static str],
    found: Vec<(&'a [usize], &'a [f32])>,
}

impl<'a> Reader<'a> {
    /// Exactly the tensors of these names.
    pub(crate) fn new(
        tensors: &'a [NamedTensor<'_>],
        names: &'static [&'static str],
    ) -> Result<Self, HeadError> {
        let expected = || names.join(", ");
        for (i, (name, ..)) in tensors.iter().enumerate() {
            let twice = tensors[..i].iter().any(|(other, ..)| other == name);
            if twice || !names.contains(&name.as_str()) {
                return Err(HeadError::UnknownTensor {
                    name: name.clone(),
                    expected: expected(),
                });
            }
        }
        let mut found = Vec::new();
        for name in names {
            let tensor = tensors.iter().find(|(other, ..)| other == name);
            let Some((_, shape, values)) = tensor else {
                return Err(HeadError::MissingTensor {
                    name,
                    expected: expected(),
                });
            };
            let product = shape
                .iter()
                .try_fold(1usize, |n, extent| n.checked_mul(*extent));
            if product != Some(values.len()) {
                return Err(HeadError::TensorShape {
                    name,
                    found: shape.clone(),
                    expected: format!("a shape of its {} values", values.len()),
                });
            }
            if let Some(value) = values.iter().find(|v| !v.is_finite()) {
                return Err(HeadError::TensorValue {
                    name,
                    found: *value,
                    expected: "a finite number",
                });
            }
            found.push((shape.as_slice(), &**values));
        }
        Ok(Self { names, found })
    }

    fn get(&self, name: &str) -> (&'static str, &'a [usize], &'a [f32]) {
        let at = self.names.iter().position(|other| *other == name);
        let at = at.expect("a head reads the tensors that it names");
        (self.names[at], self.found[at].0, self.found[at].1)
    }

    /// A matrix: rows, columns and values.
    pub(crate) fn matrix(&self, name: &str) -> Result<(usize, usize, Vec<f32>), HeadError> {
        let (name, shape, values) = self.get(name);
        match *shape {
            [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns, values.to_vec())),
            _ => Err(HeadError::TensorShape {
                name,
                found: shape.to_vec(),
                expected: "two axes, neither of them empty".to_string(),
            }),
        }
    }

    /// A matrix of this many columns: rows, perhaps none, and values.
    pub(crate) fn rows_of(
        &self,
        name: &str,
        columns: usize,
    ) -> Result<(usize, Vec<f32>), HeadError> {
        let rows = self.get(name).1.first().copied().unwrap_or_default();
        Ok((rows, self.shaped(name, &[rows, columns])?))
    }

    /// A tensor of exactly this shape.
    pub(crate) fn shaped(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, HeadError> {
        let (name, shape, values) = self.get(name);
        if shape == expected {
            return Ok(values.to_vec());
        }
        Err(HeadError::TensorShape {
            name,
            found: shape.to_vec(),
            expected: format!("{expected:?}"),
        })
    }

    /// A single number, of shape `[1]`.
    pub(crate) fn number(&self, name: &str) -> Result<f32, HeadError> {
        Ok(self.shaped(name, &[1])?[0])
    }

    /// A single number above 0.
    pub(crate) fn positive(&self, name: &str) -> Result<f32, HeadError> {
        let found = self.number(name)?;
        if found > 0.0 {
            return Ok(found);
        }
        Err(HeadError::TensorValue {
            name: self.get(name).0,
            found,
            expected: "a number above 0",
        })
    }

    /// Whole numbers below `limit`, as many as the shape says.
    pub(crate) fn indices(
        &self,
        name: &str,
        count: usize,
        limit: usize,
    ) -> Result<Vec<usize>, HeadError> {
        let values = self.shaped(name, &[count])?;
        let wrong = |v: &&f32| v.fract() != 0.0 || **v < 0.0 || **v >= limit as f32;
        match values.iter().find(wrong) {
            Some(value) => Err(HeadError::TensorValue {
                name: self.get(name).0,
                found: *value,
                expected: "a class, counted from 0",
            }),
            None => Ok(values.iter().map(|v| *v as usize).collect()),
        }
    }
}

/// A tensor for the way out.
pub(crate) fn tensor(name: &str, shape: &[usize], values: &[f32]) -> NamedTensor<'static> {
    (name.to_string(), shape.to_vec(), values.to_vec().into())
}
