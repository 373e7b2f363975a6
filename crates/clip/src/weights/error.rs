//! Everything that can be wrong with a weight file.

use std::path::PathBuf;

use promptsrc_pickle::TorchFileError;
use safetensors::SafeTensorError;
use thiserror::Error;

use crate::tokenizer::TokenizerError;

/// A weight file or folder that cannot be opened as a CLIP.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A safetensors file is damaged.
    #[error(
        "{}: a damaged or cut off safetensors file ({source}); copy or download it again",
        path.display()
    )]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with its header.
        source: SafeTensorError,
    },
    /// A file of PyTorch is damaged or cannot be read.
    #[error(transparent)]
    Torch(#[from] TorchFileError),
    /// A pickle that would run code when opened by Python.
    #[error(
        "{}: this pickle calls {function}; it is not a weight file, and Python would run that call when opening it",
        path.display()
    )]
    Code {
        /// The file.
        path: PathBuf,
        /// What it calls.
        function: String,
    },
    /// A file of an unknown kind.
    #[error(
        "{}: not a weight file: {what}; expected a safetensors file, a file written by torch.save or a TorchScript archive",
        path.display()
    )]
    NotWeights {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        what: String,
    },
    /// A folder without weights.
    #[error(
        "{}: no weight file in this folder; expected config.json with model.safetensors (Hugging Face), open_clip_config.json with open_clip_model.safetensors (OpenCLIP), or one .safetensors, .pt, .pth or .bin file",
        path.display()
    )]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with several weight files.
    #[error("{}: several weight files in this folder ({files}); name one of them", path.display())]
    ManyWeights {
        /// The folder.
        path: PathBuf,
        /// Their names.
        files: String,
    },
    /// A JSON file beside the weights does not parse.
    #[error("{}: {source}", path.display())]
    Json {
        /// The JSON file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The tokenizer beside the weights cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A JSON file beside the weights has an invalid value.
    #[error("{}: {problem}", path.display())]
    Config {
        /// The JSON file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A JSON file beside the weights has a key that is not known, and might change what is computed.
    #[error(
        "{}: the key {key} (its value is {value}) is not known to this program, and may change what this CLIP computes; remove it if it does not",
        path.display()
    )]
    UnknownKey {
        /// The JSON file.
        path: PathBuf,
        /// The key, with the objects that it is in.
        key: String,
        /// Its value, as JSON.
        value: String,
    },
    /// An option contradicts the configuration beside the weights, or is not needed with it.
    #[error(
        "{option} is for weights without a configuration, but {} says it for these; leave the option out",
        path.display()
    )]
    Stated {
        /// The configuration file.
        path: PathBuf,
        /// The option.
        option: &'static str,
    },
    /// The side of the images does not fit the image tower's patches.
    #[error(
        "{}: {key} is {side}, but the image tower has {grid} x {grid} patches of {patch} pixels, so images of {} to {} pixels a side",
        path.display(),
        grid * patch,
        (grid + 1) * patch - 1
    )]
    ImageSize {
        /// The file that says it, or the weight file.
        path: PathBuf,
        /// The key or option.
        key: &'static str,
        /// Its value.
        side: usize,
        /// Side of a patch.
        patch: usize,
        /// Patches along one side of the image.
        grid: usize,
    },
    /// A JSON file and the tensors beside it contradict each other.
    #[error(
        "{}: {field} is {stated}, but the image or text tower beside it has {found}; they do not belong together",
        path.display()
    )]
    ConfigMismatch {
        /// The JSON file.
        path: PathBuf,
        /// The field in it.
        field: &'static str,
        /// Its value.
        stated: usize,
        /// What the tensors' shapes say.
        found: usize,
    },
    /// A CLIP whose image tower is a ResNet.
    #[error(
        "{}: a CLIP with a ResNet image tower (it has {tensor}); only vision transformers are supported: use ViT-B/32, ViT-B/16 or ViT-L/14",
        path.display()
    )]
    ResNet {
        /// The file.
        path: PathBuf,
        /// A tensor that shows it.
        tensor: String,
    },
    /// Weights of something else.
    #[error("{}: not a CLIP: {why}; it has {names}", path.display())]
    NotClip {
        /// The file.
        path: PathBuf,
        /// What shows it.
        why: String,
        /// The first few tensors' names.
        names: String,
    },
    /// A variant of CLIP that computes something else.
    #[error("{}: a variant of CLIP that is not supported: {what}", path.display())]
    Variant {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A tensor is missing.
    #[error("{}: tensor {stored_as} is missing{}", path.display(), expected(shape))]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor's name in OpenAI's naming.
        tensor: String,
        /// The name it should have in this file.
        stored_as: String,
        /// Its shape in this file, if the other tensors determine it.
        shape: Option<Vec<usize>>,
    },
    /// A tensor has another shape than the others imply.
    #[error("{}: tensor {stored_as} has shape {found:?}, expected {expected}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor's name in OpenAI's naming.
        tensor: String,
        /// Its name in this file.
        stored_as: String,
        /// Its shape in this file.
        found: Vec<usize>,
        /// The shape it should have in this file.
        expected: String,
    },
    /// A tensor is not stored as floats.
    #[error(
        "{}: tensor {tensor} is stored as {found}, expected float16, bfloat16, float32 or float64",
        path.display()
    )]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor's name in this file.
        tensor: String,
        /// Its type.
        found: String,
    },
    /// A tensor contains a number that nothing can be computed with.
    #[error(
        "{}: tensor {tensor} contains {value}; the file is damaged, or its training diverged: use other weights",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name in this file.
        tensor: String,
        /// NaN or an infinity.
        value: f32,
    },
    /// Several CLIPs in one file.
    #[error(
        "{}: {} CLIPs in one file, under {}; choose one with --clip-prefix PREFIX",
        path.display(),
        prefixes.len(),
        quoted(prefixes)
    )]
    ManyClips {
        /// The file.
        path: PathBuf,
        /// What their tensors' names begin with.
        prefixes: Vec<String>,
    },
    /// No CLIP under the prefix that was chosen.
    #[error(
        "{}: no CLIP under --clip-prefix {prefix:?}; there is one under {}",
        path.display(),
        quoted(prefixes)
    )]
    NoSuchPrefix {
        /// The file.
        path: PathBuf,
        /// The prefix.
        prefix: String,
        /// Those under which there is one.
        prefixes: Vec<String>,
    },
    /// Tensors of a tower that nothing here computes with.
    #[error(
        "{}: a variant of CLIP that is not supported: CLIP's towers have no tensor {tensors}",
        path.display()
    )]
    Unread {
        /// The file.
        path: PathBuf,
        /// Their names in this file.
        tensors: String,
    },
    /// A tower's width is not a multiple of its heads.
    #[error("{}: the {tower} tower of width {width} cannot have {heads} attention heads", path.display())]
    Heads {
        /// The file.
        path: PathBuf,
        /// `image` or `text`.
        tower: &'static str,
        /// Its width.
        width: usize,
        /// Its number of heads.
        heads: usize,
    },
    /// A name that is not a tensor of a CLIP.
    #[error("{}: there is no tensor {tensor}", path.display())]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The name.
        tensor: String,
    },
    /// A file changed after it was opened.
    #[error("{}: tensor {tensor} cannot be read any more; the file has changed since it was opened", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The tensor's name in this file.
        tensor: String,
    },
}

fn quoted(prefixes: &[String]) -> String {
    let quoted: Vec<String> = prefixes.iter().map(|p| format!("{p:?}")).collect();
    quoted.join(" and ")
}

fn expected(shape: &Option<Vec<usize>>) -> String {
    match shape {
        Some(shape) => format!(", expected shape {shape:?}"),
        None => String::new(),
    }
}
