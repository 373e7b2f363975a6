//! Image features of a frozen CLIP that have been computed before.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use promptsrc_clip::{ClipModel, InstructionSet, values};
use promptsrc_files::{LARGEST_TENSORS, SaveError, read_regular, write_atomically};

/// First bytes of a file; the number is that of the format.
const MAGIC: &[u8; 8] = b"psfeat01";
/// Bytes of a key.
const KEY: usize = 32;
/// How the name of a file ends.
const EXTENSION: &str = "features";
/// Features that are kept in memory before a file of them is written.
const AT_ONCE: usize = 1024;

type Key = [u8; KEY];

/// Image features of one CLIP, by what the image tower is given.
///
/// The key of a feature is the BLAKE3 hash of the preprocessed image, `[3, resolution, resolution]`: two
/// images, crops or preprocessings that differ in one value have different keys. A folder keeps the
/// features of different CLIPs, precisions and processors apart, because their numbers differ. Files are
/// written whole, under names of their own, so any number of processes can use a folder; a damaged file is
/// ignored. A folder may be removed at any time.
#[derive(Debug)]
pub struct FeatureCache {
    /// Folder of this CLIP; `None`: nothing is written.
    folder: Option<PathBuf>,
    embed_dim: usize,
    features: Mutex<Features>,
}

#[derive(Debug, Default)]
struct Features {
    /// Whether the files have been read, which happens on first use.
    is_read: bool,
    known: HashMap<Key, Box<[f32]>>,
    /// Those that no file has yet.
    unsaved: Vec<Key>,
}

impl FeatureCache {
    /// A cache in memory.
    pub fn in_memory(clip: &ClipModel) -> Self {
        Self {
            folder: None,
            embed_dim: clip.config().embed_dim,
            features: Mutex::default(),
        }
    }

    /// The cache of a CLIP below a folder, which is made when features are saved. `identity`: all that
    /// changes the numbers of a feature, but for the image and the processor.
    pub fn open(folder: &Path, identity: &[&str], clip: &ClipModel) -> Self {
        let mut cache = Self::in_memory(clip);
        cache.folder = Some(folder.join(folder_name(identity, clip)));
        cache
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.lock().known.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The features `[batch, embed_dim]` of preprocessed images, not of unit length, as the frozen image
    /// tower computes them. `images`: `[batch, 3, resolution, resolution]`.
    ///
    /// # Errors
    /// [`SaveError`] if new ones cannot be saved.
    pub fn features(
        &self,
        clip: &ClipModel,
        images: &[f32],
        batch: usize,
    ) -> Result<Vec<f32>, SaveError> {
        let size = images.len() / batch.max(1);
        let keys: Vec<Key> = images.chunks_exact(size.max(1)).map(key_of).collect();
        let is_new: Vec<bool> = {
            let features = self.lock();
            keys.iter()
                .map(|key| !features.known.contains_key(key))
                .collect()
        };
        let new: Vec<usize> = (0..keys.len()).filter(|i| is_new[*i]).collect();
        if !new.is_empty() {
            let pixels: Vec<f32> = new
                .iter()
                .flat_map(|i| &images[i * size..(i + 1) * size])
                .copied()
                .collect();
            let found = frozen_features(clip, pixels, new.len());
            let mut features = self.lock();
            for (i, row) in new.iter().zip(found.chunks_exact(self.embed_dim)) {
                if features.known.insert(keys[*i], row.into()).is_none() {
                    features.unsaved.push(keys[*i]);
                }
            }
            let many = features.unsaved.len() >= AT_ONCE;
            drop(features);
            if many {
                self.save()?;
            }
        }
        let features = self.lock();
        let rows = keys.iter().filter_map(|key| features.known.get(key));
        Ok(rows.flat_map(|row| row.iter().copied()).collect())
    }

    /// Writes the features that no file has yet.
    ///
    /// # Errors
    /// [`SaveError`] if the file cannot be written.
    pub fn save(&self) -> Result<(), SaveError> {
        let mut features = self.lock();
        let unsaved = std::mem::take(&mut features.unsaved);
        let Some(folder) = self.folder.as_ref().filter(|_| !unsaved.is_empty()) else {
            return Ok(());
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.embed_dim as u64).to_le_bytes());
        for key in &unsaved {
            let Some(row) = features.known.get(key) else {
                continue;
            };
            bytes.extend(key);
            bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        }
        drop(features);
        let check = blake3::hash(&bytes);
        bytes.extend(check.as_bytes());
        let path = folder.join(format!("{}.{EXTENSION}", &check.to_hex()[..16]));
        std::fs::create_dir_all(folder).map_err(|source| SaveError {
            path: folder.clone(),
            source,
        })?;
        write_atomically(&path, &bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Features> {
        let mut features = self.features.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut features.is_read, true)
            && let Some(folder) = &self.folder
        {
            features.known = read(folder, self.embed_dim);
        }
        features
    }
}

impl Drop for FeatureCache {
    fn drop(&mut self) {
        // What cannot be saved is computed again.
        let _ = self.save();
    }
}

/// The features of all files in a folder.
fn read(folder: &Path, embed_dim: usize) -> HashMap<Key, Box<[f32]>> {
    let mut known = HashMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_ours = path.extension().is_some_and(|e| e == EXTENSION) && path.is_file();
        if is_ours && let Ok(bytes) = read_regular(&path, LARGEST_TENSORS) {
            known.extend(parse(&bytes, embed_dim).into_iter().flatten());
        }
    }
    known
}

/// Features `[batch, embed_dim]` of the frozen image tower, not of unit length. They are kept for images in any
/// company, and do not depend on it.
pub(crate) fn frozen_features(clip: &ClipModel, images: Vec<f32>, batch: usize) -> Vec<f32> {
    let vision = clip.vision();
    let stem = vision.stem(vision.images(images, batch));
    values(vision.features_of_each(&stem, &[]))
}

fn key_of(image: &[f32]) -> Key {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = [0u8; 4096];
    for values in image.chunks(bytes.len() / 4) {
        for (place, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
            *place = value.to_le_bytes();
        }
        hasher.update(&bytes[..4 * values.len()]);
    }
    *hasher.finalize().as_bytes()
}

/// Name of the folder of a CLIP.
fn folder_name(identity: &[&str], clip: &ClipModel) -> String {
    let arithmetic = format!("{:?} {:?}", clip.device(), InstructionSet::detected());
    let own = [env!("CARGO_PKG_VERSION"), &arithmetic];
    let mut hasher = blake3::Hasher::new();
    for part in own.iter().chain(identity) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_string()
}

/// The features of a file; `None` if it is not whole, of another length, or holds what is not a number.
fn parse(bytes: &[u8], embed_dim: usize) -> Option<Vec<(Key, Box<[f32]>)>> {
    let (content, check) = bytes.split_at_checked(bytes.len().checked_sub(KEY)?)?;
    if blake3::hash(content).as_bytes() != check {
        return None;
    }
    let rows = content.strip_prefix(MAGIC)?;
    let (dim, rows) = rows.split_first_chunk::<8>()?;
    let size = KEY.checked_add(embed_dim.checked_mul(4)?)?;
    if u64::from_le_bytes(*dim) != embed_dim as u64 || rows.len() % size != 0 {
        return None;
    }
    let row = |row: &[u8]| {
        let (key, values) = row.split_first_chunk::<KEY>()?;
        let values = values.as_chunks::<4>().0.iter();
        let values: Box<[f32]> = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        // No tower has computed that, whatever the check says.
        let is_finite = values.iter().all(|value| value.is_finite());
        is_finite.then_some((*key, values))
    };
    rows.chunks_exact(size).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rows: &[(Key, [f32; 2])]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(2u64.to_le_bytes());
        for (key, row) in rows {
            bytes.extend(key);
            bytes.extend(row.iter().flat_map(|v| v.to_le_bytes()));
        }
        let check = blake3::hash(&bytes);
        bytes.extend(check.as_bytes());
        bytes
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let bytes = file(&[([7; KEY], [0.5, -1.0]), ([8; KEY], [2.0, 3.0])]);
        let found = parse(&bytes, 2).expect("a whole file");
        assert_eq!(found[1], ([8; KEY], vec![2.0, 3.0].into_boxed_slice()));
        assert_eq!(parse(&bytes, 3), None);
        for cut in [0, 1, 8, 20, bytes.len() - 1] {
            assert_eq!(parse(&bytes[..cut], 2), None, "{cut} bytes");
        }
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_eq!(parse(&damaged, 2), None, "byte {place}");
        }
    }

    #[test]
    fn images_that_differ_in_one_value_have_different_keys() {
        let image: Vec<f32> = (0..5000).map(|i| i as f32).collect();
        for place in [0, 1023, 1024, 4999] {
            let mut other = image.clone();
            other[place] += 0.001 + image[place] * 1e-6;
            assert_ne!(key_of(&image), key_of(&other), "value {place}");
        }
    }
}
