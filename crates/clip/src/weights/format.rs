//! What kind of file weights come from.

use std::fmt;

/// Kind of a weight file: whose names its tensors have, and what they are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeightFormat {
    /// Whose names the tensors have.
    pub naming: Naming,
    /// What the tensors are kept in.
    pub container: Container,
}

/// Whose names a file's tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Naming {
    /// OpenAI's (`visual.conv1.weight`).
    OpenAi,
    /// Hugging Face's (`vision_model.embeddings.patch_embedding.weight`).
    HuggingFace,
    /// OpenCLIP's: OpenAI's names, with a configuration beside, or with `text.` or `module.` in
    /// front.
    OpenClip,
}

/// What a file keeps its tensors in.
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
