//! The cache that Hugging Face's tools share, as they lay it out: of each model the contents of its
//! files, the files of each version as links to them, and the version that `main` is.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use promptsrc_files::{read_regular_text, write_atomically};

/// What a file or folder of the cache may be called where the name comes from a hub: letters and digits
/// only, so that it can be no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// The most that a version or a checksum has.
    const LONGEST: usize = 128;

    pub fn new(text: &str) -> Option<Self> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        (plain && text.len() <= Self::LONGEST).then(|| Self(text.to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Most bytes of a file that holds a version or a token.
pub(super) const LONGEST_SMALL: u64 = 4096;

/// One model in the cache.
#[derive(Debug)]
pub(super) struct ModelCache {
    folder: PathBuf,
    locks: PathBuf,
}

impl ModelCache {
    /// Of the model `repo`, `organisation/name`, which the caller has checked.
    pub fn new(cache: &Path, repo: &str) -> Self {
        let name = format!("models--{}", repo.replace('/', "--"));
        Self {
            folder: cache.join(&name),
            locks: cache.join(".locks").join(&name),
        }
    }

    /// A file of the version that `main` is, if it is there.
    pub fn get(&self, file: &str) -> Option<PathBuf> {
        let main = self.folder.join("refs").join("main");
        let commit = read_regular_text(&main, LONGEST_SMALL).ok()?;
        let path = self.place(&Name::new(commit.trim())?, file);
        path.exists().then_some(path)
    }

    /// The place of a file of a version.
    pub fn place(&self, commit: &Name, file: &str) -> PathBuf {
        self.folder
            .join("snapshots")
            .join(commit.as_str())
            .join(file)
    }

    /// The place of a file's content.
    pub fn content(&self, name: &Name) -> PathBuf {
        self.folder.join("blobs").join(name.as_str())
    }

    /// The place of a content of which a part has arrived.
    pub fn part(&self, name: &Name) -> PathBuf {
        let name = format!("{}.incomplete", name.as_str());
        self.folder.join("blobs").join(name)
    }

    /// The lock that a process holds while it writes a content, as huggingface_hub does.
    pub fn lock(&self, name: &Name) -> PathBuf {
        self.locks.join(format!("{}.lock", name.as_str()))
    }

    /// Makes the folders that a download needs.
    pub fn prepare(&self, commit: &Name) -> io::Result<()> {
        for folder in [
            self.folder.join("blobs"),
            self.folder.join("refs"),
            self.folder.join("snapshots").join(commit.as_str()),
            self.locks.clone(),
        ] {
            fs::create_dir_all(folder)?;
        }
        Ok(())
    }

    /// Gives a version a file: a link to the content, or the content itself where there are no links.
    pub fn add(&self, commit: &Name, file: &str, content: &Name) -> io::Result<PathBuf> {
        let place = self.place(commit, file);
        if place.exists() {
            return Ok(place);
        }
        // A link to what is no longer there.
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        #[cfg(unix)]
        {
            let target = Path::new("..")
                .join("..")
                .join("blobs")
                .join(content.as_str());
            match std::os::unix::fs::symlink(target, &place) {
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => done?,
            }
        }
        #[cfg(not(unix))]
        fs::copy(self.content(content), &place)?;
        Ok(place)
    }

    /// Makes a version `main`: what [`get`](Self::get) looks at.
    pub fn set_main(&self, commit: &Name) -> io::Result<()> {
        let path = self.folder.join("refs").join("main");
        write_atomically(&path, commit.as_str().as_bytes()).map_err(|error| error.source)
    }
}

/// Where Hugging Face's tools keep downloads, according to the environment.
pub(super) fn cache_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(cache) = set("HF_HUB_CACHE") {
        return Some(cache.into());
    }
    Some(home(variable)?.join("hub"))
}

/// Where they keep everything, the token included.
pub(super) fn home(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(home) = set("HF_HOME") {
        return Some(home.into());
    }
    Some(env::home_dir()?.join(".cache").join("huggingface"))
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
    }

    #[test]
    fn a_name_from_a_hub_is_no_path() {
        for text in ["c0ffee", "0123456789abcdefABCDEF", &"a".repeat(128)] {
            assert_eq!(Name::new(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "..",
            "../../victim",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "a.b",
            "a\0",
            "C:",
            "é",
            "a b",
            &"a".repeat(129),
        ] {
            assert_eq!(Name::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn files_of_a_version_are_links_to_contents() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let model = ModelCache::new(folder.path(), "a/b");
        let (commit, content) = (Name::new("c0ffee").unwrap(), Name::new("abc").unwrap());
        model.prepare(&commit)?;
        fs::write(model.content(&content), "what it says")?;
        let place = model.add(&commit, "config.json", &content)?;
        assert_eq!(fs::read_to_string(&place)?, "what it says");
        // Not before the version is the current one.
        assert_eq!(model.get("config.json"), None);
        model.set_main(&commit)?;
        assert_eq!(model.get("config.json"), Some(place));

        // A file of refs that another program has damaged.
        fs::write(folder.path().join("models--a--b/refs/main"), "../../x")?;
        assert_eq!(model.get("config.json"), None);
        Ok(())
    }
}
