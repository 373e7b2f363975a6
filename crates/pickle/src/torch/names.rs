//! The dotted names of a file's tensors.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use super::error::TorchFileError;
use super::tensor;
use crate::value::{Node, Pickle, Value, ValueId};

/// Deepest nesting in which tensors are searched.
const MAX_DEPTH: usize = 64;
/// Largest number of bytes of all names together.
const MAX_NAMES: usize = 64 << 20;

pub(super) fn tensors(
    path: &Path,
    pickle: &Pickle,
    storages: &HashMap<String, Range<usize>>,
) -> Result<BTreeMap<String, tensor::TensorInfo>, TorchFileError> {
    let mut walk = Walk {
        path,
        storages,
        tensors: BTreeMap::new(),
        above: Vec::new(),
        name: String::new(),
        // Shared values are visited once for each name that leads to them; in files that torch
        // writes that is a small multiple, in hostile ones it doubles with every level.
        visits_left: pickle.values.len().saturating_mul(8).saturating_add(1024),
        name_bytes_left: MAX_NAMES,
    };
    walk.visit(pickle.root())?;
    Ok(walk.tensors)
}

struct Walk<'a> {
    path: &'a Path,
    storages: &'a HashMap<String, Range<usize>>,
    tensors: BTreeMap<String, tensor::TensorInfo>,
    /// Values that contain the one being visited: a value inside itself is not visited again.
    above: Vec<ValueId>,
    name: String,
    visits_left: usize,
    name_bytes_left: usize,
}

impl Walk<'_> {
    fn visit(&mut self, node: Node<'_>) -> Result<(), TorchFileError> {
        self.visits_left = self.spend(self.visits_left, 1)?;
        let container = matches!(
            node.value(),
            Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Object(_)
        );
        if !container || self.above.len() >= MAX_DEPTH || self.above.contains(&node.id()) {
            return Ok(());
        }
        let size = |key: &str| self.storages.get(key).map(Range::len);
        if let Some(described) = tensor::describe(node, size) {
            let info = described.map_err(|problem| TorchFileError::Tensor {
                path: self.path.to_path_buf(),
                tensor: self.name.clone(),
                problem,
            })?;
            self.name_bytes_left = self.spend(self.name_bytes_left, self.name.len())?;
            self.tensors.entry(self.name.clone()).or_insert(info);
            return Ok(());
        }

        self.above.push(node.id());
        for (key, value) in node.entries() {
            self.below(key, value, false)?;
        }
        for (key, value) in node.attributes() {
            self.below(key, value, true)?;
        }
        for (index, value) in node.elements().enumerate() {
            self.step_into(Some(&index.to_string()), value)?;
        }
        self.above.pop();
        Ok(())
    }

    fn spend(&self, left: usize, cost: usize) -> Result<usize, TorchFileError> {
        left.checked_sub(cost)
            .ok_or_else(|| TorchFileError::Entangled {
                path: self.path.to_path_buf(),
            })
    }

    fn below(
        &mut self,
        key: Node<'_>,
        value: Node<'_>,
        attribute: bool,
    ) -> Result<(), TorchFileError> {
        match key.value() {
            // A module that was saved whole keeps its tensors and modules in these attributes;
            // its state dictionary does not name them.
            Value::Str(name)
                if attribute && matches!(&**name, "_parameters" | "_buffers" | "_modules") =>
            {
                self.step_into(None, value)
            }
            Value::Str(name) => self.step_into(Some(name), value),
            Value::Int(index) => self.step_into(Some(&index.to_string()), value),
            _ => Ok(()),
        }
    }

    fn step_into(&mut self, part: Option<&str>, value: Node<'_>) -> Result<(), TorchFileError> {
        let length = self.name.len();
        if let Some(part) = part {
            self.spend(self.name_bytes_left, length.saturating_add(part.len()))?;
            if length > 0 {
                self.name.push('.');
            }
            self.name.push_str(part);
        }
        self.visit(value)?;
        self.name.truncate(length);
        Ok(())
    }
}
