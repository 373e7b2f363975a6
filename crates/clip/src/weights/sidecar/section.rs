//! One object of a JSON configuration: its keys are taken out as they are read, and what is left is
//! refused by name, because a setting that nobody reads may change what is computed.

use std::path::Path;

use serde_json::{Map, Value};

use crate::weights::error::WeightError;

/// An object of a configuration file.
pub(super) struct Section<'p> {
    path: &'p Path,
    /// Name of the object, which precedes the key in messages; empty for the file itself.
    name: String,
    map: Map<String, Value>,
}

/// A JSON file.
pub(in crate::weights) fn read_json(path: &Path) -> Result<Value, WeightError> {
    let text = promptsrc_files::read_regular_json(path, promptsrc_files::LARGEST_TEXT).map_err(
        |source| WeightError::Io {
            path: path.to_path_buf(),
            source,
        },
    )?;
    serde_json::from_slice(&text).map_err(|source| WeightError::Json {
        path: path.to_path_buf(),
        source,
    })
}

impl<'p> Section<'p> {
    /// A whole file.
    pub(super) fn file(path: &'p Path) -> Result<Self, WeightError> {
        Self::new(path, "", read_json(path)?)
    }

    /// An object that has a name in messages.
    pub(super) fn new(path: &'p Path, name: &str, value: Value) -> Result<Self, WeightError> {
        let mut section = Self {
            path,
            name: name.to_string(),
            map: Map::new(),
        };
        match value {
            Value::Object(map) => section.map = map,
            other => return Err(section.problem(format!("{other} is not an object"))),
        }
        Ok(section)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// The value of a key; `None` for `null` too, which means "not set".
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Puts a value back.
    pub(super) fn put(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_string(), value);
    }

    /// Takes over all keys of another section; they take precedence.
    pub(super) fn merge(&mut self, other: Section) {
        self.map.extend(other.map);
    }

    fn typed<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, WeightError> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let found = read(&value);
        found
            .map(Some)
            .ok_or_else(|| self.wrong(key, &value, expected))
    }

    /// An error about the value of a key.
    pub(super) fn wrong(&self, key: &str, found: &Value, expected: &str) -> WeightError {
        self.problem(format!("{} is {found}, expected {expected}", self.key(key)))
    }

    pub(super) fn problem(&self, problem: String) -> WeightError {
        WeightError::Config {
            path: self.path.to_path_buf(),
            problem,
        }
    }

    /// The value changes what is computed, in a way that is not supported.
    pub(super) fn unsupported(&self, key: &str, value: &Value) -> WeightError {
        WeightError::Variant {
            path: self.path.to_path_buf(),
            what: format!("{} is {value}", self.key(key)),
        }
    }

    fn key(&self, key: &str) -> String {
        match self.name.is_empty() {
            true => key.to_string(),
            false => format!("{}.{key}", self.name),
        }
    }

    pub(super) fn count(&mut self, key: &str) -> Result<Option<usize>, WeightError> {
        self.typed(key, "a whole number", |value| {
            usize::try_from(value.as_u64()?).ok()
        })
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<f64>, WeightError> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, WeightError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, WeightError> {
        self.typed(key, "a text", |value| value.as_str().map(str::to_string))
    }

    /// A side of a square, written as one number or as height and width.
    pub(super) fn side(&mut self, key: &str) -> Result<Option<usize>, WeightError> {
        self.typed(key, "one number, or twice the same", |value| {
            let side = |value: &Value| usize::try_from(value.as_u64()?).ok();
            match value {
                Value::Array(sides) => match sides.as_slice() {
                    [height, width] if height == width => side(height),
                    _ => None,
                },
                other => side(other),
            }
        })
    }

    /// A number for each colour channel, or one for all.
    pub(super) fn channels(&mut self, key: &str) -> Result<Option<[f32; 3]>, WeightError> {
        self.typed(key, "three numbers", |value| {
            let number = |value: &Value| value.as_f64().map(|number| number as f32);
            match value {
                Value::Array(values) => match values.as_slice() {
                    [r, g, b] => Some([number(r)?, number(g)?, number(b)?]),
                    _ => None,
                },
                other => Some([number(other)?; 3]),
            }
        })
    }

    /// An object within; an empty one where it is missing.
    pub(super) fn section(&mut self, key: &str) -> Result<Section<'p>, WeightError> {
        let value = self.take(key).unwrap_or_else(|| Map::new().into());
        Section::new(self.path, &self.key(key), value)
    }

    /// Keys that must have one of these values, or none: with others something else is computed.
    pub(super) fn only(&mut self, keys: &[&str], supported: &[Value]) -> Result<(), WeightError> {
        for key in keys {
            if let Some(value) = self.take(key)
                && !supported.contains(&value)
            {
                return Err(self.unsupported(key, &value));
            }
        }
        Ok(())
    }

    /// Keys that do not change what is computed here.
    pub(super) fn harmless(&mut self, keys: &[&str]) {
        for key in keys {
            self.take(key);
        }
    }

    /// Refuses every key that was not read.
    pub(super) fn finish(self) -> Result<(), WeightError> {
        let left = self.map.iter().find(|(_, value)| !value.is_null());
        let Some((key, value)) = left else {
            return Ok(());
        };
        Err(WeightError::UnknownKey {
            path: self.path.to_path_buf(),
            key: self.key(key),
            value: value.to_string().chars().take(80).collect(),
        })
    }
}
