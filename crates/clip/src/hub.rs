//! Weights by name: a path, a published CLIP, or a model of the Hugging Face hub.

use std::env;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use thiserror::Error;

/// A CLIP that OpenAI published, with what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KnownClip {
    /// ViT-B/32: the fastest.
    VitB32,
    /// ViT-B/16: the one that prompt learning is measured on.
    VitB16,
    /// ViT-L/14.
    VitL14,
    /// ViT-L/14 on images of 336 pixels: the most accurate.
    VitL14At336,
}

impl KnownClip {
    /// All of them, smallest first.
    pub const ALL: [KnownClip; 4] = [
        KnownClip::VitB32,
        KnownClip::VitB16,
        KnownClip::VitL14,
        KnownClip::VitL14At336,
    ];

    /// OpenAI's name for it.
    pub fn name(self) -> &'static str {
        match self {
            KnownClip::VitB32 => "ViT-B/32",
            KnownClip::VitB16 => "ViT-B/16",
            KnownClip::VitL14 => "ViT-L/14",
            KnownClip::VitL14At336 => "ViT-L/14@336px",
        }
    }

    /// Its model on the Hugging Face hub.
    pub fn repo(self) -> &'static str {
        match self {
            KnownClip::VitB32 => "openai/clip-vit-base-patch32",
            KnownClip::VitB16 => "openai/clip-vit-base-patch16",
            KnownClip::VitL14 => "openai/clip-vit-large-patch14",
            KnownClip::VitL14At336 => "openai/clip-vit-large-patch14-336",
        }
    }

    /// Number of parameters in both towers.
    pub fn parameters(self) -> u64 {
        match self {
            KnownClip::VitB32 => 151_277_313,
            KnownClip::VitB16 => 149_620_737,
            KnownClip::VitL14 => 427_616_513,
            KnownClip::VitL14At336 => 427_944_193,
        }
    }

    /// Side of its images, in pixels.
    pub fn resolution(self) -> usize {
        match self {
            KnownClip::VitL14At336 => 336,
            _ => 224,
        }
    }

    /// Zero-shot accuracy on ImageNet in percent, as the CLIP paper reports it (Radford et al.
    /// 2021, table 11).
    pub fn imagenet_zero_shot(self) -> f32 {
        match self {
            KnownClip::VitB32 => 63.2,
            KnownClip::VitB16 => 68.6,
            KnownClip::VitL14 => 75.3,
            KnownClip::VitL14At336 => 76.2,
        }
    }

    /// The one of that name, in any case and with `-` or `_` for `/` and `@`.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |name: &str| {
            name.to_lowercase()
                .replace(['/', '@', '_'], "-")
                .trim_end_matches("px")
                .to_string()
        };
        Self::ALL
            .into_iter()
            .find(|known| plain(known.name()) == plain(name))
    }
}

/// What happens while weights are downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadEvent {
    /// A file begins.
    Started {
        /// Its name on the hub.
        file: String,
        /// Its size in bytes.
        bytes: u64,
    },
    /// More of the file has come.
    Advanced {
        /// How much more, in bytes.
        bytes: u64,
    },
    /// The file is complete.
    Finished,
}

/// A name of weights that leads nowhere.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// A path at which there is nothing.
    #[error("{spec}: no such file or folder")]
    NoSuchFile {
        /// What was asked for.
        spec: String,
    },
    /// Neither a path nor a name.
    #[error(
        "{spec:?} is neither a file, nor a folder, nor a known CLIP; known are {}, and any ORGANISATION/NAME of the Hugging Face hub",
        known_names()
    )]
    Unknown {
        /// What was asked for.
        spec: String,
    },
    /// Downloads are switched off and the files are not there.
    #[error(
        "{spec}: no such file or folder; {repo} of the Hugging Face hub is not in the cache {} and HF_HUB_OFFLINE forbids to download it; {}",
        cache.display(), by_hand(repo)
    )]
    Offline {
        /// What was asked for.
        spec: String,
        /// The model on the hub.
        repo: String,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// The hub has no such model, or not for everyone.
    #[error(
        "{spec}: no such file or folder, and the Hugging Face hub has no public model {repo} (HTTP {status})"
    )]
    NoSuchModel {
        /// What was asked for.
        spec: String,
        /// The model on the hub.
        repo: String,
        /// What the hub answered.
        status: u16,
    },
    /// The model holds no weights of a kind that is read.
    #[error(
        "{repo}: this model of the hub has no CLIP weights that can be read; expected config.json with model.safetensors or pytorch_model.bin, or open_clip_config.json with open_clip_model.safetensors or open_clip_pytorch_model.bin"
    )]
    NoWeights {
        /// The model on the hub.
        repo: String,
    },
    /// A download failed.
    #[error(
        "{spec}: no such file or folder; {file} of {repo} of the Hugging Face hub cannot be downloaded: {source}; {}",
        by_hand(repo)
    )]
    Download {
        /// What was asked for.
        spec: String,
        /// The model on the hub.
        repo: String,
        /// The file.
        file: String,
        /// What went wrong.
        source: Box<ApiError>,
    },
    /// There is no place to keep downloads.
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
        "download {repo}: {files} from https://huggingface.co/{repo}/tree/main where there is a network, put them into one folder, and give that folder: --clip FOLDER"
    )
}

/// Finds the weights that `spec` names, and downloads them where they are not here yet; gives a
/// path for [`ClipWeights::open`](crate::weights::ClipWeights::open).
///
/// `spec` is the first of these that fits:
/// - a path at which there is something;
/// - the name of a [`KnownClip`];
/// - a model of the Hugging Face hub, as `organisation/name` or `hf-hub:organisation/name`.
///
/// Downloads go to the cache that other tools of Hugging Face share: `HF_HUB_CACHE`, or `hub` in
/// `HF_HOME`, or `~/.cache/huggingface/hub`. What is there is taken without asking the network;
/// `HF_HUB_OFFLINE=1` forbids to ask it at all; `HF_ENDPOINT` names another hub.
///
/// # Errors
///
/// Where nothing of that name is here or can be downloaded; the message says what to download by
/// hand.
pub fn resolve(spec: &str, progress: &mut dyn FnMut(DownloadEvent)) -> Result<PathBuf, HubError> {
    let repo = match locate(spec)? {
        Place::Here(path) => return Ok(path),
        Place::Hub(repo) => repo,
    };
    let cache = cache_folder(|name| env::var_os(name)).ok_or(HubError::NoCache)?;
    let cached = Cache::new(cache.clone()).repo(model(&repo));
    if let Some(folder) = complete_folder(|file| cached.get(file)) {
        return Ok(folder);
    }
    if is_set(env::var("HF_HUB_OFFLINE").ok().as_deref()) {
        return Err(HubError::Offline {
            spec: spec.to_string(),
            repo,
            cache,
        });
    }
    download(spec, &repo, &cache, progress)
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Here(PathBuf),
    Hub(String),
}

/// Where to look for a name; asks the file system only.
fn locate(spec: &str) -> Result<Place, HubError> {
    let path = Path::new(spec);
    if !spec.is_empty() && path.exists() {
        return Ok(Place::Here(path.to_path_buf()));
    }
    if let Some(known) = KnownClip::from_name(spec) {
        return Ok(Place::Hub(known.repo().to_string()));
    }
    if let Some(repo) = spec.strip_prefix("hf-hub:") {
        return if is_repo(repo) {
            Ok(Place::Hub(repo.to_string()))
        } else {
            Err(HubError::Unknown {
                spec: spec.to_string(),
            })
        };
    }
    // `ViT-B/61` has the form of a model of the hub, but is a known CLIP misspelled.
    let organisation = spec.split('/').next().unwrap_or(spec).to_lowercase();
    if ["vit-b", "vit-l", "vit-h", "vit-g"].contains(&organisation.as_str()) {
        return Err(HubError::Unknown {
            spec: spec.to_string(),
        });
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let file_like = ["pt", "pth", "safetensors", "bin", "ckpt", "json"]
        .contains(&extension.to_lowercase().as_str());
    // `folder/name` beside which `folder` exists is a mistyped path and no model of the hub.
    let in_a_folder = path
        .parent()
        .is_some_and(|parent| !parent.as_os_str().is_empty() && parent.exists());
    if is_repo(spec) && !file_like && !in_a_folder {
        return Ok(Place::Hub(spec.to_string()));
    }
    if file_like || spec.contains(['/', '\\']) {
        return Err(HubError::NoSuchFile {
            spec: spec.to_string(),
        });
    }
    Err(HubError::Unknown {
        spec: spec.to_string(),
    })
}

/// Whether a text is `organisation/name` as the hub allows it.
fn is_repo(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !part.contains("..")
    };
    text.len() <= 200
        && text
            .split_once('/')
            .is_some_and(|(organisation, name)| part(organisation) && part(name))
}

/// Configuration and weights that belong together, best first.
const SETS: [[&str; 2]; 4] = [
    ["open_clip_config.json", "open_clip_model.safetensors"],
    ["config.json", "model.safetensors"],
    ["open_clip_config.json", "open_clip_pytorch_model.bin"],
    ["config.json", "pytorch_model.bin"],
];
const IMAGES: &str = "preprocessor_config.json";

/// The folder in which one whole set of files is.
fn complete_folder(get: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    SETS.iter().find_map(|[config, weights]| {
        let (config, weights) = (get(config)?, get(weights)?);
        (config.parent() == weights.parent())
            .then(|| weights.parent().map(Path::to_path_buf))
            .flatten()
    })
}

fn download(
    spec: &str,
    repo: &str,
    cache: &Path,
    progress: &mut dyn FnMut(DownloadEvent),
) -> Result<PathBuf, HubError> {
    let failed = |file: &str, source: ApiError| match status(&source) {
        // The hub says 401 for models that are not there, so as not to tell private ones.
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
    if has(IMAGES) {
        fetch(IMAGES)?;
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

/// The HTTP status of an answer that is no success. hf-hub keeps it in the message only.
fn status(error: &ApiError) -> Option<u16> {
    let text = error.to_string();
    let (_, rest) = text.split_once("http status: ")?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Where Hugging Face's tools keep downloads, by the environment.
fn cache_folder(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
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

/// How Hugging Face's tools read a switch from the environment.
fn is_set(value: Option<&str>) -> bool {
    value.is_some_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_found_however_they_are_typed() {
        for (spec, known) in [
            ("ViT-B/16", KnownClip::VitB16),
            ("vit-b-16", KnownClip::VitB16),
            ("ViT-B_32", KnownClip::VitB32),
            ("ViT-L/14", KnownClip::VitL14),
            ("ViT-L/14@336px", KnownClip::VitL14At336),
            ("ViT-L-14-336", KnownClip::VitL14At336),
        ] {
            assert_eq!(KnownClip::from_name(spec), Some(known), "{spec}");
            assert_eq!(locate(spec).unwrap(), Place::Hub(known.repo().to_string()));
        }
        assert_eq!(KnownClip::from_name("ViT-B/8"), None);
    }

    #[test]
    fn models_of_the_hub_are_told_from_paths() {
        for spec in [
            "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
            "openai/clip-vit-base-patch16",
        ] {
            assert_eq!(locate(spec).unwrap(), Place::Hub(spec.to_string()));
            let with_scheme = format!("hf-hub:{spec}");
            assert_eq!(locate(&with_scheme).unwrap(), Place::Hub(spec.to_string()));
        }
        for spec in [
            "weights/clip.pt",
            "a/b/c",
            "./openai/clip",
            "/nowhere/clip",
            "../x",
            "~/clip",
            "clip.safetensors",
            "src/no-such-model",
            "org/a..b",
        ] {
            assert!(
                matches!(locate(spec), Err(HubError::NoSuchFile { .. })),
                "{spec}"
            );
        }
        for spec in [
            "",
            "clip",
            "ViT-B/61",
            "hf-hub:",
            "hf-hub:clip",
            "hf-hub:a/b/c",
        ] {
            let found = locate(spec);
            assert!(
                matches!(found, Err(HubError::Unknown { .. })),
                "{spec}: {found:?}"
            );
        }
    }

    #[test]
    fn what_exists_wins_over_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_string_lossy().into_owned();
        assert_eq!(
            locate(&path).unwrap(),
            Place::Here(folder.path().to_path_buf())
        );
    }

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
    fn a_whole_set_in_the_cache_is_taken_without_a_network() {
        let folder = tempfile::tempdir().unwrap();
        let cached = |repo: &str| {
            let cached = Cache::new(folder.path().to_path_buf()).repo(model(repo));
            complete_folder(|file| cached.get(file))
        };
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
