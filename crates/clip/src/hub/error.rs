//! Why no weights are found for a name.

use std::path::PathBuf;

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
        "{spec}: no such file or folder, and the Hugging Face hub has no model {repo} that is public, or that HF_TOKEN opens (HTTP {status})"
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
        source: Box<FetchError>,
    },
    /// There is no folder to keep downloads in.
    #[error("there is no home folder to keep downloads in; set HF_HOME to a folder")]
    NoCache,
}

/// Why a request to a hub, or a download from it, failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The address of the hub is none.
    #[error(
        "HF_ENDPOINT: {value:?} is not the address of a hub; expected http:// or https://, a host and no credentials"
    )]
    Endpoint {
        /// The address.
        value: String,
    },
    /// The time to wait is no number of seconds.
    #[error("HF_HUB_DOWNLOAD_TIMEOUT: {value:?} is not a number of seconds from 1 to 86400")]
    Timeout {
        /// What was given.
        value: String,
    },
    /// The token cannot be part of a request.
    #[error("{place}: the token contains characters that no token has")]
    Token {
        /// The variable or the file.
        place: String,
    },
    /// A host cannot be reached, or does not answer in time.
    #[error("{host}: {source}")]
    Request {
        /// The host.
        host: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The hub answered something else than the file.
    #[error("the answer is HTTP {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// A redirect to what is not followed.
    #[error(
        "a redirect to {to:?} is not followed: expected http:// or https://, and https:// after https://"
    )]
    Redirect {
        /// Where it leads.
        to: String,
    },
    /// Redirect after redirect.
    #[error("more than {most} redirects")]
    Redirects {
        /// The most that are followed.
        most: usize,
    },
    /// Nothing, or nearly nothing, arrived for too long.
    #[error("the server sent next to nothing for {seconds} s (HF_HUB_DOWNLOAD_TIMEOUT)")]
    Stalled {
        /// The time that was waited.
        seconds: u64,
    },
    /// The connection broke.
    #[error("the connection broke: {source}")]
    Broken {
        /// What the system says.
        source: std::io::Error,
    },
    /// An answer is longer than such an answer can be, or than was announced.
    #[error("the answer has more than {most} bytes")]
    TooLong {
        /// The most that it may have.
        most: u64,
    },
    /// A file ended too early.
    #[error("{found} of {expected} bytes arrived")]
    TooShort {
        /// Its size.
        expected: u64,
        /// What arrived.
        found: u64,
    },
    /// The bytes are not those that the hub has a checksum of.
    #[error(
        "what arrived has the checksum {found}, and the hub says {expected}: it was damaged on the way, or is something else"
    )]
    Checksum {
        /// What the hub says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The description of a model cannot be understood.
    #[error("the hub's description of the model cannot be read: {source}")]
    Description {
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A version that is not letters and digits.
    #[error("the hub calls the version {found:?}; expected letters and digits")]
    Version {
        /// What it is called.
        found: String,
    },
    /// The cache cannot be written.
    #[error("{}: {source}", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has been downloading the file without progress.
    #[error("another process holds {} and downloads nothing", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
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
