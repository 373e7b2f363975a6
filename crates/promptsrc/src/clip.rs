//! Opening a CLIP: its two towers, its source, and the record that identifies its weights.

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use promptsrc_clip::hub::{self, DownloadEvent, HubError};
use promptsrc_clip::weights::WeightOptions;
use promptsrc_clip::{
    ClipModel, ClipWeights, InstructionSet, Precision, PrecisionError, WeightError,
};
use promptsrc_image::Preprocess;
use promptsrc_world::{MINI, WorldError, mini_clip};

use crate::device::{CPU, DeviceError, OpenDevice, catching, device};
use crate::feature_cache::FeatureCache;
use crate::records::{ClipRecord, ClipSettingsRecord, PreprocessingRecord};

/// A frozen CLIP, ready to train on and to classify with.
///
/// It dereferences to a [`ClipModel`], which has the two towers.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use promptsrc::Clip;
///
/// let published = Clip::open("ViT-B/16")?; // from the Hugging Face hub, once
/// let own = Clip::open("weights/ViT-B-16.pt")?; // a file or folder
/// let built_in = Clip::open("mini")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Clip {
    model: ClipModel,
    /// Its file, still open: an export reads the numbers again.
    weights: Arc<ClipWeights>,
    source: String,
    record: ClipRecord,
    stated: WeightOptions,
    notes: Vec<String>,
    features: Arc<FeatureCache>,
    device: OpenDevice,
}

/// Device and precision of a CLIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipOptions {
    /// Name of the device, see [`device_names`](crate::device_names).
    pub device: String,
    /// Number format of the towers' products.
    pub precision: PrecisionChoice,
    /// Settings that the files do not say.
    pub weights: WeightOptions,
}

impl Default for ClipOptions {
    fn default() -> Self {
        Self {
            device: CPU.to_string(),
            precision: PrecisionChoice::Auto,
            weights: WeightOptions::default(),
        }
    }
}

/// A precision, or the best that the device supports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// The best that the device supports.
    #[default]
    Auto,
    /// This one.
    Given(Precision),
}

impl PrecisionChoice {
    const ALL: [Self; 3] = [
        Self::Auto,
        Self::Given(Precision::F32),
        Self::Given(Precision::Bf16),
    ];
}

/// A CLIP that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The device does not exist, or cannot be relied on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The processor does not support the precision.
    #[error(transparent)]
    Precision(#[from] PrecisionError),
    /// The precision is only supported on the CPU.
    #[error("{precision} is only supported on the CPU; on {device} use f32 or auto")]
    OnlyCpu {
        /// The precision.
        precision: Precision,
        /// The device.
        device: String,
    },
    /// It is not found, or cannot be downloaded.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Settings are given for the built-in CLIP.
    #[error(
        "--activation, --heads, --image-size and --clip-prefix are for weight files; the built-in CLIP \
         needs none of them"
    )]
    Stated,
    /// Its weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The built-in CLIP cannot be read.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl Clip {
    /// Opens a weight file or folder (OpenAI, Hugging Face, OpenCLIP), a published CLIP by its name
    /// (`ViT-B/16`), a model of the Hugging Face hub, or `mini`, the built-in one; on the CPU, in the
    /// best precision that the processor has.
    ///
    /// # Errors
    /// [`ClipError`].
    pub fn open(spec: &str) -> Result<Self, ClipError> {
        Self::open_with(spec, &ClipOptions::default(), &mut |_| {})
    }

    /// As [`open`](Self::open), with options. `progress` receives the progress of a download.
    ///
    /// # Errors
    /// [`ClipError`].
    pub fn open_with(
        spec: &str,
        options: &ClipOptions,
        progress: &mut dyn FnMut(DownloadEvent),
    ) -> Result<Self, ClipError> {
        // Options first: weights may have to be downloaded.
        options.resolve()?;
        if is_mini(spec) {
            if !options.weights.is_empty() {
                return Err(ClipError::Stated);
            }
            return Self::from_weights(&mini_clip()?, MINI, options);
        }
        let path = hub::resolve(spec, progress)?;
        let weights = ClipWeights::open_with(&path, &options.weights)?;
        let mut clip = Self::from_weights(&weights, spec, options)?;
        clip.stated = options.weights.clone();
        if Path::new(spec).exists() {
            let absolute = std::path::absolute(&path).unwrap_or(path);
            let name = absolute.file_name();
            if let Some(name) = name {
                clip.record.name = name.to_string_lossy().into_owned();
            }
            clip.source = absolute.display().to_string();
        }
        Ok(clip)
    }

    /// A CLIP from weights that have been read already. `name` identifies it in the records of runs.
    ///
    /// # Errors
    /// [`ClipError`].
    pub fn from_weights(
        weights: &ClipWeights,
        name: &str,
        options: &ClipOptions,
    ) -> Result<Self, ClipError> {
        let (device, precision) = options.resolve()?;
        let config = weights.config();
        device.prove(config)?;
        let read = || ClipModel::with_precision(weights, &device.device, precision);
        let model = catching(&device.name, read)??;
        Ok(Self {
            source: name.to_string(),
            record: ClipRecord {
                name: name.to_string(),
                fingerprint: weights.fingerprint()?,
                embed_dim: config.embed_dim,
                vision: [config.vision.width, config.vision.layers],
                text: [config.text.width, config.text.layers],
                settings: Some(ClipSettingsRecord::of(config, weights.tokenizer())),
            },
            stated: WeightOptions::default(),
            notes: weights.notes().to_vec(),
            features: Arc::new(FeatureCache::in_memory(&model)),
            weights: Arc::new(weights.clone()),
            model,
            device,
        })
    }

    /// The two towers.
    pub fn model(&self) -> &ClipModel {
        &self.model
    }

    /// The device that it computes on.
    pub fn open_device(&self) -> &OpenDevice {
        &self.device
    }

    /// Its weights, as its file has them.
    pub fn weights(&self) -> &ClipWeights {
        &self.weights
    }

    /// The image features that have been computed, for feature methods.
    pub fn feature_cache(&self) -> &FeatureCache {
        &self.features
    }

    /// Keeps image features in a folder, also for later processes; without it they are kept in memory.
    pub fn with_feature_cache(mut self, folder: &Path) -> Self {
        let settings = serde_json::to_string(&self.record.settings).unwrap_or_default();
        let precision = self.precision().to_string();
        let fingerprint = self.record.fingerprint.as_str();
        // Each device rounds in its own way.
        let identity = match self.device.is_cpu() {
            true => vec![fingerprint, &settings, &precision],
            false => vec![fingerprint, &settings, &precision, &self.device.hardware],
        };
        self.features = Arc::new(FeatureCache::open(folder, &identity, &self.model));
        self
    }

    /// Its source: an absolute path, or a name as given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is the built-in CLIP.
    pub fn is_mini(&self) -> bool {
        self.source == MINI
    }

    /// Its record in runs and adapters.
    pub fn record(&self) -> &ClipRecord {
        &self.record
    }

    /// The settings that were given when it was opened, because its files do not say them.
    pub fn stated(&self) -> &WeightOptions {
        &self.stated
    }

    /// Notes on its weight file, for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Its preprocessing of images.
    pub fn preprocess(&self) -> Preprocess {
        preprocess(&self.model)
    }

    /// The record of its preprocessing in adapters.
    pub fn preprocessing_record(&self) -> PreprocessingRecord {
        PreprocessingRecord::of(&self.preprocess())
    }
}

impl Deref for Clip {
    type Target = ClipModel;

    fn deref(&self) -> &ClipModel {
        &self.model
    }
}

/// The preprocessing of images for a CLIP.
pub fn preprocess(clip: &ClipModel) -> Preprocess {
    clip.config().preprocess
}

/// Whether this is the name of the built-in CLIP: `mini`, unless a file or folder has that name.
pub fn is_mini(spec: &str) -> bool {
    spec == MINI && !Path::new(spec).exists()
}

impl ClipOptions {
    /// The device, and the precision on it.
    ///
    /// # Errors
    /// [`ClipError::Device`], [`ClipError::Precision`], [`ClipError::OnlyCpu`].
    pub fn resolve(&self) -> Result<(OpenDevice, Precision), ClipError> {
        // Before anything computes.
        InstructionSet::chosen().map_err(PrecisionError::from)?;
        let device = device(&self.device)?;
        let cpu = device.is_cpu();
        let precision = match self.precision {
            PrecisionChoice::Auto if cpu => Precision::auto()?,
            PrecisionChoice::Auto => Precision::F32,
            PrecisionChoice::Given(Precision::F32) => Precision::F32,
            PrecisionChoice::Given(precision) if cpu => {
                precision.check()?;
                precision
            }
            PrecisionChoice::Given(precision) => {
                return Err(ClipError::OnlyCpu {
                    precision,
                    device: self.device.clone(),
                });
            }
        };
        Ok((device, precision))
    }
}

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Given(precision) => precision.fmt(f),
        }
    }
}

impl FromStr for PrecisionChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|p| p.to_string() == name);
        found.ok_or_else(|| "one of auto, f32, bf16".to_string())
    }
}

#[cfg(feature = "clap")]
impl clap::ValueEnum for PrecisionChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            Self::Auto => Some(
                clap::builder::PossibleValue::new("auto").help("The best that the device supports"),
            ),
            Self::Given(precision) => precision.to_possible_value(),
        }
    }
}
