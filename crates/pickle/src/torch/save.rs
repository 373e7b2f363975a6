//! Files as `torch.save` writes them, from plain values and tensors.

use std::io::{Cursor, Write};

use thiserror::Error;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::dtype::DType;

/// Name of the folder in the archive. `torch.save` takes the file's name, or this one where it
/// writes to no file; one name for all makes the bytes independent of where they go.
const FOLDER: &str = "archive";
/// Storages begin at multiples of this many bytes, so that they can be mapped.
const ALIGNMENT: u16 = 64;
/// Version of the archive's layout, as PyTorch counts it since 1.6.
const VERSION: &[u8] = b"3\n";

/// A value to save. Only what `torch.load(weights_only=True)` reads: no objects, no code.
#[derive(Clone, Debug, PartialEq)]
pub enum Saved {
    /// Python's `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Saved>),
    /// A dictionary with text for keys.
    Dict(Vec<(String, Saved)>),
    /// A `collections.OrderedDict`, the form of a module's state dictionary.
    OrderedDict(Vec<(String, Saved)>),
    /// A tensor on the CPU with a storage of its own.
    Tensor(SavedTensor),
}

/// A tensor to save.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedTensor {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// A value that cannot be saved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TorchSaveError {
    /// A tensor whose shape does not fit its values.
    #[error("a tensor of shape {shape:?} and type {dtype:?} cannot have {bytes} bytes")]
    Shape {
        /// Its shape.
        shape: Vec<usize>,
        /// Its type.
        dtype: DType,
        /// Bytes of its values.
        bytes: usize,
    },
    /// Text longer than the format can hold.
    #[error("a text of {bytes} bytes is longer than a pickle of protocol 2 can hold")]
    Text {
        /// Its length.
        bytes: usize,
    },
    /// The archive cannot be written.
    #[error("the archive cannot be written: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// An entry of the archive cannot be written.
    #[error("the archive cannot be written: {0}")]
    Entry(#[from] std::io::Error),
}

impl SavedTensor {
    /// A tensor from its values in row-major order, little-endian.
    ///
    /// # Errors
    ///
    /// Where shape and values do not agree.
    pub fn new(dtype: DType, shape: Vec<usize>, bytes: Vec<u8>) -> Result<Self, TorchSaveError> {
        let expected = shape
            .iter()
            .try_fold(dtype.size(), |product, extent| product.checked_mul(*extent));
        // Sizes are written as signed 64-bit integers.
        let sizes_fit = shape.iter().all(|extent| i64::try_from(*extent).is_ok());
        if expected != Some(bytes.len()) || !sizes_fit {
            let bytes = bytes.len();
            return Err(TorchSaveError::Shape {
                shape,
                dtype,
                bytes,
            });
        }
        Ok(Self {
            dtype,
            shape,
            bytes,
        })
    }
}

/// The bytes of a file that holds `value`, as `torch.save` of PyTorch 1.6 and later writes it: a
/// zip archive of `data.pkl` (protocol 2), `byteorder`, one entry `data/<n>` per tensor, and
/// `version`, nothing compressed, each storage at a multiple of 64 bytes. The same value gives the
/// same bytes.
///
/// # Errors
///
/// Where a text has 4 GiB or more, or an archive cannot hold the sizes.
pub fn torch_save(value: &Saved) -> Result<Vec<u8>, TorchSaveError> {
    let mut pickler = Pickler {
        bytes: vec![0x80, 2],
        storages: Vec::new(),
    };
    pickler.value(value)?;
    pickler.bytes.push(b'.');

    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .with_alignment(ALIGNMENT);
    let mut entry = |name: &str, bytes: &[u8]| -> Result<(), TorchSaveError> {
        archive.start_file(format!("{FOLDER}/{name}"), options)?;
        Ok(archive.write_all(bytes)?)
    };
    entry("data.pkl", &pickler.bytes)?;
    entry("byteorder", b"little")?;
    for (key, storage) in pickler.storages.iter().enumerate() {
        entry(&format!("data/{key}"), storage)?;
    }
    entry("version", VERSION)?;
    Ok(archive.finish()?.into_inner())
}

/// Writes the pickle's instructions and collects the storages that they name. Nothing is memoised:
/// no value here appears twice.
struct Pickler<'v> {
    bytes: Vec<u8>,
    storages: Vec<&'v [u8]>,
}

impl<'v> Pickler<'v> {
    fn value(&mut self, value: &'v Saved) -> Result<(), TorchSaveError> {
        match value {
            Saved::None => self.bytes.push(b'N'),
            Saved::Bool(true) => self.bytes.push(0x88),
            Saved::Bool(false) => self.bytes.push(0x89),
            Saved::Int(value) => self.int(*value),
            Saved::Float(value) => {
                self.bytes.push(b'G');
                // The one number in a pickle that is big-endian.
                self.bytes.extend(value.to_be_bytes());
            }
            Saved::Str(text) => self.text(text)?,
            Saved::List(values) => {
                self.bytes.extend(b"](");
                for value in values {
                    self.value(value)?;
                }
                self.bytes.push(b'e');
            }
            Saved::Dict(pairs) => {
                self.bytes.push(b'}');
                self.pairs(pairs)?;
            }
            Saved::OrderedDict(pairs) => {
                self.ordered_dict();
                self.pairs(pairs)?;
            }
            Saved::Tensor(tensor) => self.tensor(tensor)?,
        }
        Ok(())
    }

    fn pairs(&mut self, pairs: &'v [(String, Saved)]) -> Result<(), TorchSaveError> {
        self.bytes.push(b'(');
        for (key, value) in pairs {
            self.text(key)?;
            self.value(value)?;
        }
        self.bytes.push(b'u');
        Ok(())
    }

    fn ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.bytes.extend(b")R");
    }

    fn global(&mut self, module: &str, name: &str) {
        self.bytes
            .extend(format!("c{module}\n{name}\n").into_bytes());
    }

    fn int(&mut self, value: i64) {
        if let Ok(value) = u8::try_from(value) {
            self.bytes.extend([b'K', value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.bytes.push(b'M');
            self.bytes.extend(value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.bytes.push(b'J');
            self.bytes.extend(value.to_le_bytes());
        } else {
            self.bytes.extend([0x8a, 8]);
            self.bytes.extend(value.to_le_bytes());
        }
    }

    fn text(&mut self, text: &str) -> Result<(), TorchSaveError> {
        let length =
            u32::try_from(text.len()).map_err(|_| TorchSaveError::Text { bytes: text.len() })?;
        self.bytes.push(b'X');
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(text.as_bytes());
        Ok(())
    }

    /// As `torch.Tensor.__reduce_ex__` describes a tensor.
    fn tensor(&mut self, tensor: &'v SavedTensor) -> Result<(), TorchSaveError> {
        let elements = tensor.bytes.len() / tensor.dtype.size();
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.bytes.extend(b"((");
        self.text("storage")?;
        self.global("torch", tensor.dtype.storage_class());
        self.text(&self.storages.len().to_string())?;
        self.text("cpu")?;
        self.size(elements);
        self.bytes.extend(b"tQ");
        self.size(0);
        self.sizes(&tensor.shape);
        self.sizes(&row_major_strides(&tensor.shape));
        // requires_grad, and no backward hooks.
        self.bytes.push(0x89);
        self.ordered_dict();
        self.bytes.extend(b"tR");
        self.storages.push(&tensor.bytes);
        Ok(())
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.bytes.push(b'(');
        for size in sizes {
            self.size(*size);
        }
        self.bytes.push(b't');
    }

    fn size(&mut self, size: usize) {
        // A tensor's sizes were checked when it was made; its strides are at most its elements.
        self.int(i64::try_from(size).unwrap_or(i64::MAX));
    }
}

fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut stride = 1usize;
    let mut strides: Vec<usize> = shape
        .iter()
        .rev()
        .map(|extent| {
            let this = stride;
            // As torch: an empty axis counts as one.
            stride = stride.saturating_mul((*extent).max(1));
            this
        })
        .collect();
    strides.reverse();
    strides
}
