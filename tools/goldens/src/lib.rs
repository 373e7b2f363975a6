//! The reference's numbers ("goldens") and how the parity tests read and compare them.
//!
//! A small set is committed in this crate's `data` folder. The variable `PROMPTSRC_GOLDENS=DIR`
//! points every parity test at another folder of the same layout; nothing here assumes a shape, a
//! class name or a case name. This crate is for tests only, so it panics with the file's name
//! where a golden is not as promised.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

mod tolerance;

pub use tolerance::{Quantity, Step, tabled, tolerance};

/// The folder of goldens in force: `PROMPTSRC_GOLDENS`, or the committed set.
pub fn dir() -> PathBuf {
    match std::env::var_os("PROMPTSRC_GOLDENS") {
        // Tests run in their crate's folder; a relative path is meant from the workspace's root.
        Some(dir) => workspace_root().join(dir),
        None => committed(),
    }
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace's root exists")
}

/// Whether a group of goldens is there. The committed set has them all; another folder may lack
/// one, which is said aloud.
///
/// # Panics
/// If the committed set lacks it.
pub fn has(relative: impl AsRef<Path>) -> bool {
    let path = path(relative);
    let there = path.exists();
    if !there {
        assert!(
            !is_committed(),
            "{} is missing from the committed goldens",
            path.display()
        );
        println!("parity: no {}; nothing compared", path.display());
    }
    there
}

/// Whether the committed set is in force, of which a test knows what must be there.
pub fn is_committed() -> bool {
    std::env::var_os("PROMPTSRC_GOLDENS").is_none()
}

/// Names of the cases of a folder: its JSON files without their ending, sorted.
pub fn cases(folder: impl AsRef<Path>) -> Vec<String> {
    list(folder)
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .map(str::to_string)
        .collect()
}

/// Path of one golden file below [`dir`].
pub fn path(relative: impl AsRef<Path>) -> PathBuf {
    dir().join(relative)
}

/// One JSON golden, by its path below [`dir`].
pub fn json(relative: impl AsRef<Path>) -> Value {
    read_json(&path(relative))
}

fn read_json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Strings of a JSON array.
pub fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not an array: {value}"))
        .iter()
        .map(|v| {
            v.as_str()
                .unwrap_or_else(|| panic!("not a string: {v}"))
                .to_string()
        })
        .collect()
}

/// Numbers of a JSON array.
pub fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not an array: {value}"))
        .iter()
        .map(number)
        .collect()
}

/// One JSON number.
pub fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Names of the entries of a folder below [`dir`], sorted; empty where the folder is absent.
pub fn list(relative: impl AsRef<Path>) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path(relative)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|e| {
            e.expect("a readable folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

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
    /// Reads the file at a path below [`dir`].
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

/// Compares one group of goldens, keeps the largest error, and says how many cases it saw.
///
/// ```
/// let mut group = promptsrc_goldens::Group::new("example");
/// group.absolute("half", &[0.5], &[0.5 + 1e-9], 1e-6);
/// group.finish(1);
/// ```
#[derive(Debug)]
pub struct Group {
    name: String,
    cases: usize,
    largest: f64,
    largest_case: String,
    failures: Vec<String>,
}

impl Group {
    /// An empty group.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            cases: 0,
            largest: 0.0,
            largest_case: String::new(),
            failures: Vec::new(),
        }
    }

    /// Largest absolute difference of any element must stay within `tolerance`.
    pub fn absolute(&mut self, case: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        self.same_length(case, found.len(), expected.len());
        let error = found
            .iter()
            .zip(expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, nan_max);
        self.record(case, error, tolerance);
    }

    /// Norm of the difference over the norm of the expected values (relative Frobenius error).
    /// Where the expected values are all zero the found ones must be within `tolerance` of it.
    pub fn relative(&mut self, case: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        self.same_length(case, found.len(), expected.len());
        let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
        let gap = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
        let size = norm(&mut expected.iter().copied());
        self.record(case, if size == 0.0 { gap } else { gap / size }, tolerance);
    }

    /// Found and expected must be equal.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, case: &str, found: &T, expected: &T) {
        self.cases += 1;
        if found != expected {
            self.failures
                .push(format!("{case}: found {found:?}, expected {expected:?}"));
        }
    }

    fn same_length(&mut self, case: &str, found: usize, expected: usize) {
        assert_eq!(found, expected, "{}: {case}: number of values", self.name);
    }

    fn record(&mut self, case: &str, error: f64, tolerance: f64) {
        self.cases += 1;
        if error.is_nan() || error > tolerance {
            self.failures.push(format!(
                "{case}: error {error:.3e}, tolerance {tolerance:.3e}"
            ));
        }
        if error.is_nan() || error > self.largest {
            self.largest = error;
            self.largest_case = case.to_string();
        }
    }

    /// Prints the count and the largest error; panics where a case failed or where fewer than
    /// `at_least` cases were compared.
    pub fn finish(self, at_least: usize) {
        println!(
            "parity {}: {} cases compared, largest error {:.3e} ({})",
            self.name, self.cases, self.largest, self.largest_case
        );
        assert!(
            self.failures.is_empty(),
            "{}: {} of {} cases differ:\n{}",
            self.name,
            self.failures.len(),
            self.cases,
            self.failures
                .iter()
                .take(20)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
        assert!(
            self.cases >= at_least,
            "{}: only {} cases were compared, at least {at_least} were expected in {}",
            self.name,
            self.cases,
            dir().display()
        );
    }
}

fn nan_max(a: f64, b: f64) -> f64 {
    if b.is_nan() || b > a { b } else { a }
}
