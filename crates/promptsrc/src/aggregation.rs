//! Gaussian-weighted prompt aggregation: the prompts of all epochs, averaged.

use std::collections::BTreeMap;

use crate::config::AggregationConfig;
use crate::prompts::Prompts;

/// Weight of each epoch `1..=epochs`: the density of N(mean, std) there, over the sum of all
/// (paper, section 3.2.2).
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

/// The weighted sum of the prompts so far. Only prompts are averaged: the weights sum to one, so
/// the frozen weights, which the reference averages too, would not change but for rounding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregate {
    /// By the prompts' names. In f64, so that a long run adds no rounding of its own.
    pub sums: BTreeMap<String, Vec<f64>>,
}

impl Aggregate {
    /// Adds the prompts as they stand at the end of an epoch.
    pub fn add(&mut self, prompts: &Prompts, weight: f64) {
        for prompt in prompts.iter() {
            let sum = self.sums.entry(prompt.name.clone()).or_default();
            sum.resize(prompt.values.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(&prompt.values) {
                *sum += weight * f64::from(*value);
            }
        }
    }

    /// The aggregated prompts, in the places of `prompts`.
    pub fn finish(&self, prompts: &Prompts) -> Prompts {
        let mut aggregated = prompts.clone();
        for prompt in aggregated.iter_mut() {
            if let Some(sum) = self.sums.get(&prompt.name) {
                prompt.values = sum.iter().map(|v| *v as f32).collect();
            }
        }
        aggregated
    }
}
