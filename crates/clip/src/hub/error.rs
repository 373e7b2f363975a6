//! Why no weights are found for a name.

use std::path::PathBuf;

use hf_hub::api::sync::ApiError;
use thiserror::Error;

use super::known_clip::KnownClip;

/// A name for which no weights are found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// A path that does not exist.
    #[error("{spec}: no such file or folder")]
    NoSuchFile {
        /// The name.
        spec: String,
    },
    /// Neither a path nor a name.
    #[error(
        "{spec:?} is not a file, a folder or a known CLIP; give a path, one of {}, or ORGANISATION/NAME of a model on the Hugging Face hub",
        known_names()
    )]
    Unknown {
        /// The name.
        spec: String,
    },
    /// Downloads are switched off and the cache does not hold the files.
    #[error(
        "{spec}: no such file or folder; {repo} of the Hugging Face hub is not in the cache {} and HF_HUB_OFFLINE forbids downloading it; {}",
        cache.display(), by_hand(repo)
    )]
    Offline {
        /// The name.
        spec: String,
        /// The model on the hub.
        repo: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The hub has no such model, or it is not public.
    #[error(
        "{spec}: no such file or folder, and the Hugging Face hub has no public model {repo} (HTTP {status})"
    )]
    NoSuchModel {
        /// The name.
        spec: String,
        /// The model on the hub.
        repo: String,
        /// What the hub answered.
        status: u16,
    },
    /// The model has no weights in a format that is read.
    #[error(
        "{repo}: this model of the hub has no CLIP weights that can be read; expected config.json with model.safetensors or pytorch_model.bin, or open_clip_config.json with open_clip_model.safetensors or open_clip_pytorch_model.bin"
    )]
    NoWeights {
        /// The model on the hub.
        repo: String,
    },
    /// A download failed.
    #[error(
        "{spec}: no such file or folder; {file} of {repo} on the Hugging Face hub cannot be downloaded: {source}; {}",
        by_hand(repo)
    )]
    Download {
        /// The name.
        spec: String,
        /// The model on the hub.
        repo: String,
        /// The file.
        file: String,
        /// What went wrong.
        source: Box<ApiError>,
    },
    /// There is no folder to keep downloads in.
    #[error("there is no home folder to keep downloads in; set HF_HOME to a folder")]
    NoCache,
}

fn known_names() -> String {
    KnownClip::ALL.map(KnownClip::name).join(", ")
}

fn by_hand(repo: &str) -> String {
    let files = if repo.starts_with("openai/") {
        "model.safetensors (or pytorch_model.bin), config.json"
    } else {
        "config.json with model.safetensors, or open_clip_config.json with open_clip_model.safetensors"
    };
    format!(
        "download {repo}: {files} from https://huggingface.co/{repo}/tree/main on a machine with a network, put them into one folder, and give that folder: --clip FOLDER"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_download_and_where_to_give_it() {
        let error = HubError::Offline {
            spec: "ViT-B/16".to_string(),
            repo: KnownClip::VitB16.repo().to_string(),
            cache: "cache".into(),
        };
        let text = error.to_string();
        assert!(
            text.contains("openai/clip-vit-base-patch16: model.safetensors"),
            "{text}"
        );
        assert!(
            text.contains("config.json") && text.contains("--clip FOLDER"),
            "{text}"
        );
    }
}
