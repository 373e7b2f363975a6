//! Weights by name: a path, a published CLIP, or a model of the Hugging Face hub.

mod body;
mod cache;
mod checksum;
mod client;
mod download;
mod error;
mod known_clip;

use std::env;
use std::path::{Path, PathBuf};

use cache::cache_folder;
pub use download::DownloadEvent;
use download::{cached, download, is_set};
pub use error::{FetchError, HubError};
pub use known_clip::KnownClip;

/// Finds the weights that `spec` names, and downloads them if they are not on this machine yet;
/// returns a path for [`ClipWeights::open`](crate::weights::ClipWeights::open).
///
/// `spec` is the first of these that fits:
/// - an existing path;
/// - the name of a [`KnownClip`];
/// - a model of the Hugging Face hub, as `organisation/name` or `hf-hub:organisation/name`.
///
/// Downloads go to the cache that other tools of Hugging Face share: `HF_HUB_CACHE`, or `hub` in
/// `HF_HOME`, or `~/.cache/huggingface/hub`. What it holds is used without asking the network;
/// `HF_HUB_OFFLINE=1` forbids asking it at all; `HF_ENDPOINT` names another hub. `HF_TOKEN`, or the file that
/// `huggingface-cli login` writes, opens private models; it is sent to the hub itself only, and over TLS only.
/// A download that broke is continued; what the hub has a checksum of is compared with it.
///
/// # Errors
///
/// If nothing of that name exists or can be downloaded; the message says what to download by
/// hand.
pub fn resolve(spec: &str, progress: &mut dyn FnMut(DownloadEvent)) -> Result<PathBuf, HubError> {
    let repo = match locate(spec)? {
        Place::Here(path) => return Ok(path),
        Place::Hub(repo) => repo,
    };
    let cache = cache_folder(|name| env::var_os(name)).ok_or(HubError::NoCache)?;
    if let Some(folder) = cached(&cache, &repo) {
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

/// Whether the weights that `spec` names are on this machine, so that [`resolve`] downloads nothing.
pub fn is_here(spec: &str) -> bool {
    match locate(spec) {
        Ok(Place::Here(_)) => true,
        Ok(Place::Hub(repo)) => cache_folder(|name| env::var_os(name))
            .is_some_and(|cache| download::cached(&cache, &repo).is_some()),
        Err(_) => false,
    }
}

/// Where to look for a name; only the file system is asked.
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
    // `folder/name` where `folder` exists is a mistyped path, not a model of the hub.
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
    fn models_of_the_hub_are_distinguished_from_paths() {
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
    fn an_existing_path_takes_precedence_over_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_string_lossy().into_owned();
        assert_eq!(
            locate(&path).unwrap(),
            Place::Here(folder.path().to_path_buf())
        );
    }
}
