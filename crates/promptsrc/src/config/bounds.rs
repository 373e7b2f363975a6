//! The bounds of single settings, which every configuration checks in the same way.

use crate::config::error::ConfigError;

/// A count of at least one.
pub(super) fn positive(option: &'static str, value: usize) -> Result<(), ConfigError> {
    match value {
        0 => Err(ConfigError::Zero { option }),
        _ => Ok(()),
    }
}

/// A count that is not absurdly large: it would exhaust the memory before any other check rejects it.
pub(super) fn at_most(option: &'static str, value: usize, most: usize) -> Result<(), ConfigError> {
    match value <= most {
        true => Ok(()),
        false => Err(ConfigError::TooMany {
            option,
            value,
            most,
        }),
    }
}

/// A finite number in a range, its ends included.
pub(super) fn within(
    option: &'static str,
    value: f64,
    low: f64,
    high: f64,
) -> Result<(), ConfigError> {
    match value.is_finite() && value >= low && value <= high {
        true => Ok(()),
        false => Err(ConfigError::OutOfRange {
            option,
            value,
            low,
            high,
        }),
    }
}

/// Epochs: at least one, and not absurdly many.
pub(super) fn epochs(value: usize) -> Result<(), ConfigError> {
    positive("epochs", value)?;
    at_most("epochs", value, 1_000_000)
}

/// Templates with a place for the class name.
pub(super) fn have_place(templates: &[String]) -> Result<(), ConfigError> {
    match templates.iter().find(|template| !template.contains("{}")) {
        Some(template) => Err(ConfigError::Template {
            template: template.clone(),
        }),
        None => Ok(()),
    }
}
