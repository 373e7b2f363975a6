//! The kinds of weight files.

use std::fmt;

/// Kind of a weight file: its naming and its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeightFormat {
    /// Whose names the tensors have.
    pub naming: Naming,
    /// The file format.
    pub container: Container,
}

/// Whose names a file's tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Naming {
    /// OpenAI's (`visual.conv1.weight`).
    OpenAi,
    /// Hugging Face's (`vision_model.embeddings.patch_embedding.weight`).
    HuggingFace,
    /// OpenCLIP's: OpenAI's names, with a configuration beside the file, or with the prefix `text.`
    /// or `module.`.
    OpenClip,
}

/// The file format of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// A safetensors file, or several.
    Safetensors,
    /// A file of `torch.save`, or several.
    TorchSave,
    /// A TorchScript archive.
    TorchScript,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Naming::OpenAi => "OpenAI",
            Naming::HuggingFace => "Hugging Face",
            Naming::OpenClip => "OpenCLIP",
        })
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Safetensors => "safetensors",
            Container::TorchSave => "torch.save",
            Container::TorchScript => "TorchScript",
        })
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.naming, self.container)
    }
}
