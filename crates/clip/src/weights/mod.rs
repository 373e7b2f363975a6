//! Weight files of a CLIP, read into one set of tensors in OpenAI's naming.
//!
//! [`ClipWeights::open`] takes what people have on disk: OpenAI's TorchScript archives, state
//! dictionaries of `torch.save`, safetensors, folders of Hugging Face and of OpenCLIP. Whatever
//! the names and the layout of the tensors in the file, the result has one set of names
//! (`visual.conv1.weight`, `transformer.resblocks.0.attn.in_proj_weight`, ...) and shapes, and one
//! [`ClipConfig`]. Opening reads headers only; numbers are read from the file on demand.

mod compact;
mod config;
mod convert;
mod error;
mod folder;
mod format;
mod known;
mod naming;
mod options;
mod sidecar;
mod source;
mod tokenizer_files;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub(crate) use compact::Compact;
pub use config::{ClipConfig, TextConfig, VisionConfig};
pub use convert::FloatType;
pub use error::WeightError;
pub use format::{Container, Naming, WeightFormat};
pub use options::WeightOptions;
pub use promptsrc_kernels::Activation;

use crate::tokenizer::Tokenizer;
use naming::{Found, Origin, Tensor};
use source::Source;

/// The weights of one CLIP.
///
/// No tensor is missing and all have the shapes that [`ClipConfig`] says: that was checked when the
/// file was opened. Linear weights are `[out, in]`, the projections `visual.proj` and
/// `text_projection` are `[in, out]`, as OpenAI has them. A clone shares the open file.
#[derive(Clone)]
pub struct ClipWeights {
    path: PathBuf,
    format: WeightFormat,
    config: ClipConfig,
    tokenizer: Tokenizer,
    notes: Vec<String>,
    source: Arc<Source>,
    tensors: BTreeMap<String, Tensor>,
    fingerprint: OnceLock<String>,
}

impl fmt::Debug for ClipWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClipWeights")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("config", &self.config)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

impl ClipWeights {
    /// Opens a weight file, or a folder with one.
    ///
    /// A file is recognised by its content, not by its extension. A folder is one of Hugging Face's
    /// (`config.json` with `model.safetensors` or `pytorch_model.bin`, also in several parts), one
    /// of OpenCLIP's (`open_clip_config.json` with `open_clip_model.safetensors` or
    /// `open_clip_pytorch_model.bin`), or any other that holds exactly one weight file.
    ///
    /// # Errors
    ///
    /// If there is no such file, it is damaged, holds no CLIP with a vision transformer, or a
    /// tensor is missing or has another shape than the others imply.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        Self::open_with(path, &WeightOptions::default())
    }

    /// As [`open`](Self::open), with what the files do not say.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); also if a configuration beside the weights says it already.
    pub fn open_with(path: impl AsRef<Path>, options: &WeightOptions) -> Result<Self, WeightError> {
        let path = path.as_ref();
        let files = folder::locate(path)?;
        let source = Source::open(&files)?;
        let main = files.first().map_or(path, PathBuf::as_path);
        Self::resolve(main, source, options)
    }

    /// Weights from the bytes of a safetensors file; `name` takes the place of a path in messages.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_safetensors(name: &str, bytes: Vec<u8>) -> Result<Self, WeightError> {
        let name = Path::new(name);
        let source = Source::of_bytes(name, bytes)?;
        Self::resolve(name, source, &WeightOptions::default())
    }

    fn resolve(path: &Path, source: Source, options: &WeightOptions) -> Result<Self, WeightError> {
        let Found {
            format,
            config,
            tokenizer,
            notes,
            tensors,
        } = naming::resolve(path, &source, options)?;
        Ok(Self {
            path: path.to_path_buf(),
            format,
            config,
            tokenizer,
            notes,
            source: Arc::new(source),
            tensors,
            fingerprint: OnceLock::new(),
        })
    }

    /// The weight file (of several parts: the first).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of the file.
    pub fn format(&self) -> WeightFormat {
        self.format
    }

    /// The model's dimensions.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// The tokenizer of the text tower.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What was assumed or left out when the file was opened, for people to read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// All tensors' names in OpenAI's naming, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor in OpenAI's layout.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| &*tensor.shape)
    }

    /// Type in which the file stores a tensor (if it is made of several: the first one's).
    pub fn dtype(&self, name: &str) -> Option<FloatType> {
        let origin = &self.tensors.get(name)?.origin;
        self.source.get(origin.parts().first()?)?.dtype
    }

    /// A tensor's values as `f32`, row-major in OpenAI's layout.
    ///
    /// # Errors
    ///
    /// If there is no tensor of that name, it contains NaN or an infinity, or the file changed since
    /// it was opened.
    pub fn f32(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| WeightError::NoTensor {
                path: self.path.clone(),
                tensor: name.to_string(),
            })?;
        let mut values = Vec::new();
        for part in tensor.origin.parts() {
            let (dtype, bytes) = self.source.read(&self.path, part)?;
            let start = values.len();
            convert::append_f32(dtype, &bytes, &mut values);
            drop(bytes);
            let new = values.get(start..).unwrap_or_default();
            self.check_finite(part, convert::not_finite(new))?;
        }
        if let (Origin::Transposed(_), [rows, columns]) = (&tensor.origin, &*tensor.shape) {
            values = transposed(&values, *rows, *columns);
        }
        Ok(values)
    }

    /// As [`f32`](Self::f32), for a table that is kept but seldom read.
    pub(crate) fn compact(&self, name: &str) -> Result<Compact, WeightError> {
        let direct = self.tensors.get(name).map(|tensor| &tensor.origin);
        if let Some(Origin::Direct([part])) = direct
            && let (FloatType::F16, bytes) = self.source.read(&self.path, part)?
        {
            let values = convert::f16(&bytes);
            drop(bytes);
            let not_finite = values.iter().find(|value| !value.is_finite());
            self.check_finite(part, not_finite.map(|value| value.to_f32()))?;
            return Ok(Compact::F16(values));
        }
        Ok(Compact::new(self.f32(name)?))
    }

    fn check_finite(&self, part: &str, not_finite: Option<f32>) -> Result<(), WeightError> {
        match not_finite {
            None => Ok(()),
            Some(value) => Err(WeightError::NotFinite {
                path: self.path.clone(),
                tensor: part.to_string(),
                value,
            }),
        }
    }

    /// Identifies the numbers: BLAKE3 of every tensor's name, shape and values as `f32`, in the
    /// order of their names. The same weights have the same fingerprint in every file format, and
    /// half-precision weights the same as their copy in `f32`.
    ///
    /// The first call reads all weights.
    ///
    /// # Errors
    ///
    /// If a tensor contains NaN or an infinity, or the file changed since it was opened.
    pub fn fingerprint(&self) -> Result<String, WeightError> {
        if let Some(fingerprint) = self.fingerprint.get() {
            return Ok(fingerprint.clone());
        }
        let mut hasher = blake3::Hasher::new();
        for (name, tensor) in &self.tensors {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
            for extent in &tensor.shape {
                hasher.update(&(*extent as u64).to_le_bytes());
            }
            if let Origin::Direct([part]) = &tensor.origin
                && let (FloatType::F32, bytes) = self.source.read(&self.path, part)?
            {
                // The file's bytes are what would be hashed.
                hasher.update_rayon(&bytes);
                self.check_finite(part, convert::not_finite_bytes(&bytes))?;
                continue;
            }
            let mut bytes = Vec::new();
            for values in self.f32(name)?.chunks(1 << 20) {
                bytes.clear();
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                hasher.update_rayon(&bytes);
            }
        }
        let fingerprint = hasher.finalize().to_hex().to_string();
        Ok(self.fingerprint.get_or_init(|| fingerprint).clone())
    }
}

/// `[columns, rows]`, as the file has it, to `[rows, columns]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows)
        .flat_map(|row| values.iter().skip(row).step_by(rows).take(columns).copied())
        .collect()
}
