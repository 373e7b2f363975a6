//! Gaussian-weighted prompt aggregation (GPA): the parameters of all epochs, averaged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::parameters::Parameters;

/// Gaussian weights over the epochs (paper, section 3.2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregationConfig {
    /// Mean, in epochs counted from 1.
    pub mean: f64,
    /// Standard deviation, in epochs.
    pub std: f64,
}

/// Weight of each epoch `1..=epochs`: the density of N(mean, std) at that epoch, divided by the sum
/// of all densities (paper, section 3.2.2).
pub fn gaussian_weights(epochs: usize, aggregation: &AggregationConfig) -> Vec<f64> {
    let AggregationConfig { mean, std } = aggregation;
    let density = |epoch: usize| {
        let z = (epoch as f64 - mean) / std;
        (-0.5 * z * z).exp() / (std * (2.0 * std::f64::consts::PI).sqrt())
    };
    let raw: Vec<f64> = (1..=epochs).map(density).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|w| w / total).collect()
}

/// The weighted sum of the parameters so far. Only learned parameters are averaged. The reference
/// also averages the frozen weights, but because the epoch weights sum to one, that changes them by
/// rounding only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregate {
    /// Sums by parameter name, in f64 so that long runs do not accumulate rounding errors.
    pub sums: BTreeMap<String, Vec<f64>>,
}

impl Aggregate {
    /// Adds the parameters at the end of an epoch.
    pub fn add(&mut self, parameters: &Parameters, weight: f64) {
        for parameter in parameters.iter() {
            let sum = self.sums.entry(parameter.name.clone()).or_default();
            sum.resize(parameter.values.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(&parameter.values) {
                *sum += weight * f64::from(*value);
            }
        }
    }

    /// The aggregated parameters; `parameters` gives names and shapes.
    pub fn finish(&self, parameters: &Parameters) -> Parameters {
        let mut aggregated = parameters.clone();
        for parameter in aggregated.iter_mut() {
            if let Some(sum) = self.sums.get(&parameter.name) {
                parameter.values = sum.iter().map(|v| *v as f32).collect();
            }
        }
        aggregated
    }
}
