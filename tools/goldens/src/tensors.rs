//! The tensors of a safetensors golden.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::folder::path;

/// One tensor of a golden file; integers and half floats are widened to `f64`.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub data: Vec<f64>,
}

impl Tensor {
    /// The values as `f32` (exact: goldens are stored as `f32` or narrower).
    pub fn f32(&self) -> Vec<f32> {
        self.data.iter().map(|v| *v as f32).collect()
    }

    /// The values as integers.
    pub fn i64(&self) -> Vec<i64> {
        self.data.iter().map(|v| *v as i64).collect()
    }

    /// The values as bytes.
    pub fn u8(&self) -> Vec<u8> {
        self.data.iter().map(|v| *v as u8).collect()
    }

    /// Root of the sum of squares.
    pub fn norm(&self) -> f64 {
        self.data.iter().map(|v| v * v).sum::<f64>().sqrt()
    }
}

/// All tensors of one safetensors golden.
#[derive(Clone, Debug)]
pub struct Tensors {
    file: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

impl Tensors {
    /// Reads the file at a path below [`dir`](crate::dir).
    pub fn read(relative: impl AsRef<Path>) -> Self {
        Self::read_file(&path(relative))
    }

    /// Reads any safetensors file.
    pub fn read_file(file: &Path) -> Self {
        let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let parsed = safetensors::SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let tensors = parsed
            .iter()
            .map(|(name, view)| {
                let tensor = Tensor {
                    shape: view.shape().to_vec(),
                    data: widen(view.dtype(), view.data()),
                };
                (name.to_string(), tensor)
            })
            .collect();
        Self {
            file: file.to_path_buf(),
            tensors,
        }
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> &Tensor {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{}: no tensor {name:?}", self.file.display()))
    }

    /// Whether a tensor of that name is there.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Names that begin with `prefix`, without it, sorted.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.names().filter_map(move |n| n.strip_prefix(prefix))
    }
}

fn widen(dtype: safetensors::Dtype, bytes: &[u8]) -> Vec<f64> {
    use safetensors::Dtype;
    fn each<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|c| f(*c)).collect()
    }
    match dtype {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |b| f32::from_le_bytes(b).into()),
        Dtype::F16 => each(bytes, |b| half::f16::from_le_bytes(b).into()),
        Dtype::BF16 => each(bytes, |b| half::bf16::from_le_bytes(b).into()),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
        Dtype::U8 => each(bytes, |[b]: [u8; 1]| b.into()),
        other => panic!("a golden of type {other:?}"),
    }
}
