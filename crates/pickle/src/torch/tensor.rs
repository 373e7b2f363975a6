//! One tensor of a torch file: its description in the pickle, and its values in a storage.

use std::borrow::Cow;
use std::ops::Range;

use super::dtype::DType;
use crate::value::Node;

/// Largest number of axes of a tensor.
const MAX_AXES: usize = 32;
/// A tensor may repeat its storage (stride 0) up to this many elements.
const MAX_REPEATED: usize = 1 << 20;

/// Where a tensor's values are, and how they are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    dtype: DType,
    shape: Vec<usize>,
    strides: Vec<usize>,
    /// In elements, from the start of the storage.
    offset: usize,
    storage: String,
}

impl TensorInfo {
    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Extent of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        // Checked when the tensor was described.
        self.shape.iter().product()
    }

    /// Name of the storage in the file; tensors may share one.
    pub fn storage(&self) -> &str {
        &self.storage
    }

    /// The bytes of a storage of `storage` bytes that the values are among: its own ones where they lie
    /// there in row-major order, else all from the first on.
    pub(super) fn needed(&self, storage: usize) -> Result<Range<usize>, String> {
        let size = self.dtype.size();
        let elements = self.elements();
        if elements == 0 {
            return Ok(0..0);
        }
        let missing = || "is not in this file".to_string();
        let start = self.offset.checked_mul(size).ok_or_else(missing)?;
        let end = match self.is_row_major() {
            true => elements
                .checked_mul(size)
                .and_then(|bytes| start.checked_add(bytes))
                .ok_or_else(missing)?,
            false => storage,
        };
        if start > end || end > storage {
            return Err(missing());
        }
        if !self.is_row_major() && elements > (storage / size).max(MAX_REPEATED) {
            return Err(format!(
                "has {elements} elements that repeat a storage of {storage} bytes; save a contiguous copy of it"
            ));
        }
        Ok(start..end)
    }

    /// The values in row-major order, from the [needed](Self::needed) bytes of the storage.
    pub(super) fn contiguous<'b>(&self, needed: Cow<'b, [u8]>) -> Result<Cow<'b, [u8]>, String> {
        if self.is_row_major() {
            return Ok(needed);
        }
        let size = self.dtype.size();
        let elements = self.elements();
        let mut out = Vec::with_capacity(elements * size);
        let mut index = vec![0; self.shape.len()];
        let mut position = 0_usize;
        for _ in 0..elements {
            let element = position
                .checked_mul(size)
                .and_then(|start| needed.get(start..start.checked_add(size)?))
                .ok_or_else(|| "is not in this file".to_string())?;
            out.extend_from_slice(element);
            // Count up, last axis fastest.
            for ((index, extent), stride) in
                index.iter_mut().zip(&self.shape).zip(&self.strides).rev()
            {
                *index += 1;
                position = position.wrapping_add(*stride);
                if *index < *extent {
                    break;
                }
                *index = 0;
                position = position.wrapping_sub(stride.wrapping_mul(*extent));
            }
        }
        Ok(Cow::Owned(out))
    }

    fn is_row_major(&self) -> bool {
        let mut expected = 1;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(extent, stride)| {
                let fits = *extent == 1 || *stride == expected;
                expected *= extent;
                fits
            })
    }
}

/// A storage as a tensor refers to it.
pub(super) struct Storage<'p> {
    pub(super) dtype: DType,
    pub(super) key: &'p str,
    /// In elements: views of a storage in old files begin somewhere inside it.
    pub(super) offset: usize,
    pub(super) elements: usize,
}

/// The storage that a persistent id stands for: `("storage", type, key, device, elements)`,
/// in old files with a view `(key, offset, elements)` at the end. The device does not matter.
pub(super) fn storage(node: Node<'_>) -> Result<Storage<'_>, String> {
    let id = node.as_persistent_id().ok_or_else(|| {
        format!(
            "its storage is {}, expected a persistent id",
            node.value().kind()
        )
    })?;
    let parts: Vec<_> = id.elements().take(7).collect();
    let [tag, kind, key, _device, elements, rest @ ..] = parts.as_slice() else {
        return Err(format!(
            "its storage has {} parts, expected 5 or 6",
            parts.len()
        ));
    };
    if tag.as_str() != Some("storage") {
        return Err("its persistent id is not a storage".to_string());
    }
    let (module, name) = kind
        .as_global()
        .ok_or_else(|| "its storage has no type".to_string())?;
    let dtype = DType::of_storage(module, name).ok_or_else(|| {
        format!(
            "its storage is a {module}.{name}, which is not supported; save it as float32 or float16"
        )
    })?;
    let (Some(key), Some(elements)) = (key.as_str(), elements.as_usize()) else {
        return Err("its storage has no key or no size".to_string());
    };
    let offset = match rest.first().filter(|view| !view.is_none()) {
        None => 0,
        Some(view) => view
            .elements()
            .nth(1)
            .and_then(Node::as_usize)
            .ok_or_else(|| "its storage is a view without an offset".to_string())?,
    };
    Ok(Storage {
        dtype,
        key,
        offset,
        elements,
    })
}

/// The tensor that an object stands for; `None` where it stands for something else.
///
/// `storage_bytes` gives the size of a storage of the file.
pub(super) fn describe(
    node: Node<'_>,
    storage_bytes: impl Fn(&str) -> Option<usize>,
) -> Option<Result<TensorInfo, String>> {
    let (arguments, version) = rebuild_arguments(node)?;
    Some(rebuild(&arguments, version, storage_bytes))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rebuild {
    V1,
    V2,
    V3,
}

/// Follows parameters and subclasses to the tensor inside.
fn rebuild_arguments(node: Node<'_>) -> Option<(Vec<Node<'_>>, Rebuild)> {
    // Parameter in a subclass in a parameter: no file nests deeper.
    const DEEPEST: usize = 4;
    let mut function = node.class()?;
    let mut arguments: Vec<_> = node.args().take(16).collect();
    for _ in 0..DEEPEST {
        match function {
            ("torch._utils", "_rebuild_tensor") => return Some((arguments, Rebuild::V1)),
            ("torch._utils", "_rebuild_tensor_v2") => return Some((arguments, Rebuild::V2)),
            ("torch._utils", "_rebuild_tensor_v3") => return Some((arguments, Rebuild::V3)),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                let inner = *arguments.first()?;
                function = inner.class()?;
                arguments = inner.args().take(16).collect();
            }
            ("torch._tensor", "_rebuild_from_type_v2") => {
                function = arguments.first()?.as_global()?;
                arguments = arguments.get(2)?.elements().take(16).collect();
            }
            _ => return None,
        }
    }
    None
}

fn rebuild(
    arguments: &[Node<'_>],
    version: Rebuild,
    storage_bytes: impl Fn(&str) -> Option<usize>,
) -> Result<TensorInfo, String> {
    let [storage_node, offset, shape, strides, rest @ ..] = arguments else {
        return Err(format!(
            "is described by {} values, expected at least 4",
            arguments.len()
        ));
    };
    if version == Rebuild::V3 {
        return Err(
            "has an element type newer than float16; save it as float32 or float16".to_string(),
        );
    }
    // The sixth argument is what torch calls metadata: a pending negation or conjugation.
    if version == Rebuild::V2 && rest.get(2).is_some_and(|m| m.entries().next().is_some()) {
        return Err("is a negated or conjugated view; save a contiguous copy of it".to_string());
    }
    let storage = storage(*storage_node)?;
    let sizes = |node: &Node<'_>, what: &str| -> Result<Vec<usize>, String> {
        node.elements()
            .take(MAX_AXES + 1)
            .map(Node::as_usize)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| format!("has a {what} that is not a list of sizes"))
    };
    let (shape, strides) = (sizes(shape, "shape")?, sizes(strides, "stride")?);
    if shape.len() != strides.len() || shape.len() > MAX_AXES {
        return Err(format!(
            "has {} axes and {} strides (at most {MAX_AXES})",
            shape.len(),
            strides.len()
        ));
    }
    let offset = offset
        .as_usize()
        .and_then(|offset| offset.checked_add(storage.offset))
        .ok_or_else(|| "has no valid offset".to_string())?;
    let too_large = || format!("of shape {shape:?} and stride {strides:?} is larger than memory");
    let elements = shape
        .iter()
        .try_fold(1usize, |product, extent| product.checked_mul(*extent))
        .filter(|elements| elements.checked_mul(8).is_some())
        .ok_or_else(too_large)?;
    // Products of the other axes must not overflow where one axis is empty.
    shape
        .iter()
        .filter(|extent| **extent != 0)
        .try_fold(1usize, |product, extent| product.checked_mul(*extent))
        .ok_or_else(too_large)?;

    let bytes = storage_bytes(storage.key)
        .ok_or_else(|| format!("its storage {} is not in the file", storage.key))?;
    let available = bytes / storage.dtype.size();
    if storage.offset == 0 && available < storage.elements {
        return Err(format!(
            "its storage {} should have {} elements and has {available}: the file is damaged",
            storage.key, storage.elements
        ));
    }
    if elements > 0 {
        let end = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |end, (extent, stride)| {
                end.checked_add((extent - 1).checked_mul(*stride)?)
            })
            .ok_or_else(too_large)?;
        if end >= available {
            return Err(format!(
                "of shape {shape:?} reaches element {end} of storage {}, which has {available}: the file is damaged",
                storage.key
            ));
        }
    }
    Ok(TensorInfo {
        dtype: storage.dtype,
        shape,
        strides,
        offset,
        storage: storage.key.to_string(),
    })
}
