//! Files of a model on the Hugging Face hub: in the cache, and downloaded into it.

use std::env;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use super::error::HubError;

/// What happens while weights are downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadEvent {
    /// The download of a file begins.
    Started {
        /// Its name on the hub.
        file: String,
        /// Its size in bytes.
        bytes: u64,
    },
    /// More of the file has arrived.
    Advanced {
        /// How much more, in bytes.
        bytes: u64,
    },
    /// The file is complete.
    Finished,
}

/// Configuration and weights that belong together, best first.
const SETS: [[&str; 2]; 4] = [
    ["open_clip_config.json", "open_clip_model.safetensors"],
    ["config.json", "model.safetensors"],
    ["open_clip_config.json", "open_clip_pytorch_model.bin"],
    ["config.json", "pytorch_model.bin"],
];
/// Descriptions of the image processor, and tokenizers.
const BESIDE: [&str; 5] = [
    "processor_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
];

/// The folder of the cache that holds the weights of a model, if they are complete.
pub(super) fn cached(cache: &Path, repo: &str) -> Option<PathBuf> {
    let cached = Cache::new(cache.to_path_buf()).repo(model(repo));
    complete_folder(|file| cached.get(file))
}

/// The folder that holds one whole set of files.
fn complete_folder(get: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    SETS.iter().find_map(|[config, weights]| {
        let (config, weights) = (get(config)?, get(weights)?);
        (config.parent() == weights.parent())
            .then(|| weights.parent().map(Path::to_path_buf))
            .flatten()
    })
}

/// Downloads the weights of a model into the cache, and returns their folder there.
pub(super) fn download(
    spec: &str,
    repo: &str,
    cache: &Path,
    progress: &mut dyn FnMut(DownloadEvent),
) -> Result<PathBuf, HubError> {
    let failed = |file: &str, source: ApiError| match status(&source) {
        // The hub answers 401 for models that do not exist, so as not to reveal private ones.
        Some(status @ (401 | 403 | 404)) => HubError::NoSuchModel {
            spec: spec.to_string(),
            repo: repo.to_string(),
            status,
        },
        _ => HubError::Download {
            spec: spec.to_string(),
            repo: repo.to_string(),
            file: file.to_string(),
            source: Box::new(source),
        },
    };
    let mut builder = ApiBuilder::from_cache(Cache::new(cache.to_path_buf()))
        .with_progress(false)
        .with_retries(2);
    if let Ok(endpoint) = env::var("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint);
    }
    let all = "the list of files";
    let api = builder.build().map_err(|source| failed(all, source))?;
    let api = api.repo(model(repo));
    let info = api.info().map_err(|source| failed(all, source))?;
    let has = |file: &str| info.siblings.iter().any(|known| known.rfilename == file);
    let [config, weights] = SETS
        .into_iter()
        .find(|set| set.iter().all(|file| has(file)))
        .ok_or_else(|| HubError::NoWeights {
            repo: repo.to_string(),
        })?;
    let mut fetch = |file: &str| fetch(&api, file, progress).map_err(|source| failed(file, source));
    fetch(config)?;
    for file in BESIDE.into_iter().filter(|file| has(file)) {
        fetch(file)?;
    }
    let weights = fetch(weights)?;
    Ok(weights
        .parent()
        .map_or_else(|| weights.clone(), Path::to_path_buf))
}

fn fetch(
    api: &ApiRepo,
    file: &str,
    progress: &mut dyn FnMut(DownloadEvent),
) -> Result<PathBuf, ApiError> {
    api.download_with_progress(file, Relay(progress))
}

/// Passes hf-hub's progress on as events.
struct Relay<'p>(&'p mut dyn FnMut(DownloadEvent));

impl hf_hub::api::Progress for Relay<'_> {
    fn init(&mut self, size: usize, file: &str) {
        (self.0)(DownloadEvent::Started {
            file: file.to_string(),
            bytes: size as u64,
        });
    }

    fn update(&mut self, size: usize) {
        (self.0)(DownloadEvent::Advanced { bytes: size as u64 });
    }

    fn finish(&mut self) {
        (self.0)(DownloadEvent::Finished);
    }
}

fn model(repo: &str) -> Repo {
    Repo::new(repo.to_string(), RepoType::Model)
}

/// The HTTP status of a failed request; hf-hub keeps it in the message only.
fn status(error: &ApiError) -> Option<u16> {
    let text = error.to_string();
    let (_, rest) = text.split_once("http status: ")?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Where Hugging Face's tools keep downloads, according to the environment.
pub(super) fn cache_folder(
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(cache) = set("HF_HUB_CACHE") {
        return Some(cache.into());
    }
    if let Some(home) = set("HF_HOME") {
        return Some(Path::new(&home).join("hub"));
    }
    Some(
        env::home_dir()?
            .join(".cache")
            .join("huggingface")
            .join("hub"),
    )
}

/// Whether Hugging Face's tools take the value of an environment variable as yes.
pub(super) fn is_set(value: Option<&str>) -> bool {
    value.is_some_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_follows_the_environment() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> = pairs
                .iter()
                .map(|(n, v)| (n.to_string(), v.to_string()))
                .collect();
            cache_folder(move |name| {
                pairs
                    .iter()
                    .find(|(n, _)| n == name)
                    .map(|(_, value)| value.into())
            })
        };
        assert_eq!(of(&[("HF_HOME", "h")]), Some("h/hub".into()));
        assert_eq!(
            of(&[("HF_HOME", "h"), ("HF_HUB_CACHE", "c")]),
            Some("c".into())
        );
        assert_eq!(
            of(&[("HF_HOME", "h"), ("HF_HUB_CACHE", "")]),
            Some("h/hub".into())
        );
        assert!(is_set(Some("1")) && is_set(Some("true")));
        assert!(!is_set(Some("0")) && !is_set(None) && !is_set(Some("")));
    }

    /// A cache as hf-hub and huggingface_hub lay it out.
    fn cache_with(folder: &Path, repo: &str, files: &[&str]) {
        let repo = folder.join(format!("models--{}", repo.replace('/', "--")));
        let snapshot = repo.join("snapshots").join("c0ffee");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(repo.join("refs")).unwrap();
        std::fs::write(repo.join("refs").join("main"), "c0ffee").unwrap();
        for file in files {
            std::fs::write(snapshot.join(file), "").unwrap();
        }
    }

    #[test]
    fn a_whole_set_in_the_cache_is_used_without_a_network() {
        let folder = tempfile::tempdir().unwrap();
        let cached = |repo: &str| cached(folder.path(), repo);
        cache_with(folder.path(), "a/hf", &["config.json", "pytorch_model.bin"]);
        cache_with(
            folder.path(),
            "a/oc",
            &["open_clip_config.json", "open_clip_model.safetensors"],
        );
        cache_with(folder.path(), "a/half", &["config.json"]);
        assert!(cached("a/hf").unwrap().ends_with("snapshots/c0ffee"));
        assert!(cached("a/oc").is_some());
        assert!(cached("a/half").is_none());
        assert!(cached("a/none").is_none());
    }
}
