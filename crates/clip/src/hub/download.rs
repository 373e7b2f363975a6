//! Files of a model on the Hugging Face hub: in the cache, and downloaded into it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use promptsrc_files::{Lock, open_regular};
use serde::Deserialize;

use super::cache::{ModelCache, Name};
use super::checksum::Checksum;
use super::client::{Answer, Client};
use super::error::{FetchError, HubError};

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

/// Most bytes of the description of a model.
const LONGEST_DESCRIPTION: u64 = 16 << 20;

/// Most bytes of a file whose size the hub does not say.
const LONGEST_FILE: u64 = 64 << 30;

/// How often a file is asked for again without a byte of progress.
const RETRIES: usize = 2;

/// The folder of the cache that holds the weights of a model, if they are complete.
pub(super) fn cached(cache: &Path, repo: &str) -> Option<PathBuf> {
    let cached = ModelCache::new(cache, repo);
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
    let failed = |file: &str, source: FetchError| match source {
        // The hub answers 401 for models that do not exist, so as not to reveal private ones.
        FetchError::Status {
            status: status @ (401 | 403 | 404),
        } => HubError::NoSuchModel {
            spec: spec.to_string(),
            repo: repo.to_string(),
            status,
        },
        source => HubError::Download {
            spec: spec.to_string(),
            repo: repo.to_string(),
            file: file.to_string(),
            source: Box::new(source),
        },
    };
    let all = "the list of files";
    let client = Client::of_environment().map_err(|source| failed(all, source))?;
    let model = Model::ask(&client, repo, cache).map_err(|source| failed(all, source))?;
    let has = |file: &str| model.files.contains_key(file);
    let [config, weights] = SETS
        .into_iter()
        .find(|set| set.iter().all(|file| has(file)))
        .ok_or_else(|| HubError::NoWeights {
            repo: repo.to_string(),
        })?;
    let mut fetch = |file: &str| {
        let path = model.fetch(file, progress);
        path.map_err(|source| failed(file, source))
    };
    fetch(config)?;
    for file in BESIDE.into_iter().filter(|file| has(file)) {
        fetch(file)?;
    }
    let weights = fetch(weights)?;
    // Only now: what `main` was before stays complete until then.
    let main = model.cache.set_main(&model.commit);
    main.map_err(|source| failed("refs/main", in_cache(&weights)(source)))?;
    Ok(weights
        .parent()
        .map_or_else(|| weights.clone(), Path::to_path_buf))
}

/// A version of a model on the hub.
struct Model<'c> {
    client: &'c Client,
    repo: &'c str,
    cache: ModelCache,
    commit: Name,
    files: BTreeMap<String, Described>,
}

/// What the hub says of a file beside its name.
#[derive(Default)]
struct Described {
    /// SHA-256 and size of a large file.
    large: Option<(Name, u64)>,
}

impl<'c> Model<'c> {
    /// Asks what `main` is, and which files it has.
    fn ask(client: &'c Client, repo: &'c str, cache: &Path) -> Result<Self, FetchError> {
        #[derive(Deserialize)]
        struct Description {
            sha: String,
            #[serde(default)]
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
            lfs: Option<Large>,
        }
        #[derive(Deserialize)]
        struct Large {
            sha256: Option<String>,
            size: Option<u64>,
        }
        let path = format!("api/models/{repo}/revision/main?blobs=true");
        let answer = client.get(&path, 0)?;
        let status = answer.status;
        if status != 200 {
            return Err(FetchError::Status { status });
        }
        let bytes = answer.body.all(LONGEST_DESCRIPTION)?;
        let description: Description =
            serde_json::from_slice(&bytes).map_err(|source| FetchError::Description { source })?;
        let commit = Name::new(&description.sha).ok_or_else(|| FetchError::Version {
            found: description.sha.chars().take(200).collect(),
        })?;
        let described = |sibling: Sibling| {
            let sum = sibling.lfs.as_ref().and_then(|lfs| lfs.sha256.as_deref());
            let sum = sum.and_then(Name::new).filter(Checksum::is_sha256);
            let size = sibling.lfs.as_ref().and_then(|lfs| lfs.size);
            let large = sum.zip(size);
            (sibling.rfilename, Described { large })
        };
        Ok(Self {
            client,
            repo,
            cache: ModelCache::new(cache, repo),
            commit,
            files: description.siblings.into_iter().map(described).collect(),
        })
    }

    /// Downloads a file, unless it is in the cache, and returns its place there.
    fn fetch(
        &self,
        file: &str,
        progress: &mut dyn FnMut(DownloadEvent),
    ) -> Result<PathBuf, FetchError> {
        let place = self.cache.place(&self.commit, file);
        if place.exists() {
            return Ok(place);
        }
        let prepared = self.cache.prepare(&self.commit);
        prepared.map_err(in_cache(&place))?;
        let (mut tries, mut reached, mut before) = (0, 0, 0);
        let content = loop {
            let error = match self.content(file, &mut reached, progress) {
                Ok(content) => break content,
                Err(error) => error,
            };
            // While more of the file arrives one goes on; without progress not for ever.
            tries = if reached > before { 0 } else { tries + 1 };
            if tries > RETRIES || !is_passing(&error) {
                return Err(error);
            }
            before = reached;
            std::thread::sleep(Duration::from_millis(500 << tries));
        };
        let added = self.cache.add(&self.commit, file, &content);
        added.map_err(in_cache(&place))
    }

    /// Downloads a file's content, or what of it is not there yet. `reached`: how far into it any try has
    /// come.
    fn content(
        &self,
        file: &str,
        reached: &mut u64,
        progress: &mut dyn FnMut(DownloadEvent),
    ) -> Result<Name, FetchError> {
        let path = format!("{}/resolve/{}/{file}", self.repo, self.commit.as_str());
        let ask = |first: u64| -> Result<Answer, FetchError> {
            let answer = self.client.get(&path, first)?;
            match (answer.status, first) {
                // A part that nobody has asked for is not the file.
                (200, _) | (206, 1..) => Ok(answer),
                (status, _) => Err(FetchError::Status { status }),
            }
        };
        let mut answer = ask(0)?;
        let described = self.files.get(file).and_then(|of| of.large.as_ref());
        let (name, size) = match described {
            Some((sum, size)) => (Some(sum.clone()), Some(*size)),
            None => (answer.etag.as_deref().and_then(Name::new), answer.size),
        };
        // A hub that names it by something else: by its own checksum, when it is there.
        let Some(name) = name else {
            return self.unnamed(file, answer, size, reached, progress);
        };
        let content = self.cache.content(&name);
        if content.exists() {
            return Ok(name);
        }
        let _lock = self.locked(&name)?;
        if content.exists() {
            return Ok(name);
        }

        let part = self.cache.part(&name);
        let have = fs::symlink_metadata(&part).map_or(0, |part| match part.is_file() {
            true => part.len(),
            false => 0,
        });
        let mut first = 0;
        if have > 0 && size.is_some_and(|size| have < size) {
            let rest = ask(have)?;
            if rest.status == 206 && rest.first == have {
                (answer, first) = (rest, have);
            }
        }
        let mut checksum = Checksum::of(&name, size);
        let mut to = open_part(&part, first).map_err(in_cache(&part))?;
        if first > 0 {
            let read = open_regular(&part).and_then(|file| checksum.read(file.take(first)));
            read.map_err(in_cache(&part))?;
        }
        let transfer = Transfer {
            file,
            size,
            first,
            reached,
        };
        transfer.run(answer, &mut to, &part, &mut checksum, progress)?;
        if let Err(error) = checksum.check() {
            // What is wrong is not kept to be continued.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        let renamed = to.sync_all().and_then(|()| fs::rename(&part, &content));
        renamed.map_err(in_cache(&content))?;
        Ok(name)
    }

    /// A content that the hub gives no name which can be a file's.
    fn unnamed(
        &self,
        file: &str,
        answer: Answer,
        size: Option<u64>,
        reached: &mut u64,
        progress: &mut dyn FnMut(DownloadEvent),
    ) -> Result<Name, FetchError> {
        let place = self.cache.place(&self.commit, file);
        let folder = place.parent().unwrap_or(Path::new("."));
        let mut to = tempfile::NamedTempFile::new_in(folder).map_err(in_cache(&place))?;
        let mut checksum = Checksum::sha256();
        let transfer = Transfer {
            file,
            size,
            first: 0,
            reached,
        };
        transfer.run(answer, to.as_file_mut(), &place, &mut checksum, progress)?;
        let name = checksum.name();
        to.as_file().sync_all().map_err(in_cache(&place))?;
        let content = self.cache.content(&name);
        to.persist(&content)
            .map_err(|error| in_cache(&content)(error.error))?;
        Ok(name)
    }

    /// The lock of a content, waiting for another process that downloads it.
    fn locked(&self, name: &Name) -> Result<Lock, FetchError> {
        let path = self.cache.lock(name);
        let part = self.cache.part(name);
        let size = || fs::metadata(&part).map_or(0, |part| part.len());
        let mut before = size();
        loop {
            for _ in 0..240 {
                match Lock::take(&path).map_err(in_cache(&path))? {
                    Some(lock) => return Ok(lock),
                    None => std::thread::sleep(Duration::from_millis(250)),
                }
            }
            let now = size();
            if now == before {
                return Err(FetchError::Busy { path });
            }
            before = now;
        }
    }
}

/// A body on its way into a file.
struct Transfer<'t> {
    file: &'t str,
    size: Option<u64>,
    first: u64,
    reached: &'t mut u64,
}

impl Transfer<'_> {
    fn run(
        self,
        answer: Answer,
        to: &mut File,
        path: &Path,
        checksum: &mut Checksum,
        progress: &mut dyn FnMut(DownloadEvent),
    ) -> Result<(), FetchError> {
        progress(DownloadEvent::Started {
            file: self.file.to_string(),
            bytes: self.size.unwrap_or(0),
        });
        progress(DownloadEvent::Advanced { bytes: self.first });
        let most = self.size.unwrap_or(LONGEST_FILE);
        let mut found = self.first;
        let mut body = answer.body;
        while let Some(piece) = body.next()? {
            let bytes = piece.len() as u64;
            found += bytes;
            if found > most {
                return Err(FetchError::TooLong { most });
            }
            to.write_all(&piece).map_err(in_cache(path))?;
            checksum.update(&piece);
            *self.reached = found.max(*self.reached);
            progress(DownloadEvent::Advanced { bytes });
        }
        match self.size {
            Some(expected) if found < expected => Err(FetchError::TooShort { expected, found }),
            _ => {
                progress(DownloadEvent::Finished);
                Ok(())
            }
        }
    }
}

/// The file of a part, at its end, with the first `first` bytes of what it had.
fn open_part(part: &Path, first: u64) -> io::Result<File> {
    // No link that somebody has put there.
    if fs::symlink_metadata(part).is_ok_and(|part| !part.is_file()) {
        fs::remove_file(part)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .create(true)
        .write(true)
        .truncate(false)
        .open(part)?;
    file.set_len(first)?;
    io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
    Ok(file)
}

/// Whether asking again may help.
fn is_passing(error: &FetchError) -> bool {
    match error {
        FetchError::Request { .. }
        | FetchError::Stalled { .. }
        | FetchError::Broken { .. }
        | FetchError::TooShort { .. } => true,
        FetchError::Status { status } => matches!(status, 429 | 500 | 502 | 503 | 504),
        _ => false,
    }
}

fn in_cache(path: &Path) -> impl Fn(io::Error) -> FetchError {
    let path = path.to_path_buf();
    move |source| FetchError::Cache {
        path: path.clone(),
        source,
    }
}

/// Whether Hugging Face's tools take the value of an environment variable as yes.
pub(super) fn is_set(value: Option<&str>) -> bool {
    value.is_some_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_as_in_python() {
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
