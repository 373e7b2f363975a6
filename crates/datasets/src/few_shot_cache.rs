//! Few-shot subsets that the reference saved, and uses unconditionally where they are:
//! `split_fewshot/shot_K-seed_S.pkl` in the folder of a data set.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache_folder::CacheFolder;
use crate::datum::{Datum, list, parse, wrong};
use crate::{DataError, Dataset, FewShotPicks, Item, Part};

/// The folder in which the reference saves few-shot subsets.
const FOLDER: &str = "split_fewshot";

/// A file with a few-shot subset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FewShotCache {
    /// Its path; in a record, its name.
    pub file: PathBuf,
    /// The first 64 bits of the BLAKE3 hash of its bytes, in hexadecimal digits.
    pub hash: String,
}

impl FewShotCache {
    /// Where the reference saves the subset of a data set in this folder.
    pub fn path(folder: &Path, shots: usize, seed: u64) -> PathBuf {
        folder
            .join(FOLDER)
            .join(format!("shot_{shots}-seed_{seed}.pkl"))
    }

    /// The same, with the name of the file in place of its path.
    pub fn for_record(&self) -> Self {
        let name = self.file.file_name().unwrap_or_default();
        Self {
            file: name.into(),
            hash: self.hash.clone(),
        }
    }
}

impl Dataset {
    /// The few-shot subset of all classes that the reference saved for this data set, as indices into
    /// its lists; `None` where there is no such file.
    ///
    /// The pickle is parsed and never executed. Images are matched by the ends of their paths, so
    /// the file may come from another machine. Without it, [`Dataset::few_shot`] gives the same
    /// picks, provided that the reference drew them from the same lists.
    ///
    /// # Errors
    /// [`DataError::Pickle`] if it is not such a file or does not fit the data set.
    pub fn saved_few_shot(
        &self,
        shots: usize,
        seed: u64,
    ) -> Result<Option<(FewShotCache, FewShotPicks)>, DataError> {
        let Some(caches) = &self.caches else {
            return Ok(None);
        };
        let mut files = caches
            .folders
            .iter()
            .map(|folder| FewShotCache::path(folder, shots, seed));
        // A broken link is an error, not a reason to draw another subset.
        match files.find(|file| file.symlink_metadata().is_ok()) {
            Some(file) => picks(&file, self, caches, shots).map(Some),
            None => Ok(None),
        }
    }
}

/// The picks of a few-shot file as indices into a data set's lists. A file without validation picks,
/// such as ImageNet's, takes the whole validation list, as in the reference.
fn picks(
    file: &Path,
    dataset: &Dataset,
    caches: &CacheFolder,
    shots: usize,
) -> Result<(FewShotCache, FewShotPicks), DataError> {
    let (pickle, bytes) = parse(file)?;
    let Some(train) = list(file, &pickle, "train")? else {
        return Err(wrong(file, "expected a list \"train\", found none"));
    };
    if train.is_empty() {
        return Err(wrong(file, "its list \"train\" is empty"));
    }
    let train = places(file, dataset, Part::Train, caches, train)?;
    let val = match list(file, &pickle, "val")? {
        Some(val) => places(file, dataset, Part::Val, caches, val)?,
        None => (0..dataset.val.len()).collect(),
    };
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for item in train.iter().filter_map(|place| dataset.train.get(*place)) {
        *counts.entry(item.label).or_default() += 1;
    }
    if let Some((label, count)) = counts.iter().find(|(_, n)| **n > shots) {
        let name = dataset.class_names.get(*label).map_or("", String::as_str);
        return Err(wrong(
            file,
            format!(
                "has {count} training images of the class {name:?}, more than the {shots} of its name; \
                 draw others with --ignore-few-shot-cache, or rename the file"
            ),
        ));
    }
    let short = counts.into_iter().filter(|(_, n)| *n < shots).collect();
    let cache = FewShotCache {
        file: file.to_path_buf(),
        hash: blake3::hash(&bytes).to_hex()[..16].to_string(),
    };
    Ok((cache, FewShotPicks { train, val, short }))
}

/// The images of a list, by the names of their files.
struct Known {
    /// Parts of each image's path below the image folder.
    paths: Vec<Vec<String>>,
    by_name: HashMap<String, Vec<usize>>,
}

/// What the end of a path leads to.
enum Match {
    One(usize),
    None,
    /// Several images fit equally well: two of them.
    Several(usize, usize),
}

impl Known {
    fn new(items: &[Item], images: &Path) -> Self {
        let paths: Vec<Vec<String>> = items
            .iter()
            .map(|item| {
                let path = item.path.strip_prefix(images).unwrap_or(&item.path);
                let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
                parts.collect()
            })
            .collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, path) in paths.iter().enumerate() {
            if let Some(name) = path.last() {
                by_name.entry(name.clone()).or_default().push(place);
            }
        }
        Self { paths, by_name }
    }

    /// The image that has the longest common end with a path: its whole path below the image folder,
    /// or at least its folder and its name.
    fn find(&self, path: &[String]) -> Match {
        let places = path.last().and_then(|name| self.by_name.get(name));
        let mut best = (0, Match::None);
        for place in places.into_iter().flatten() {
            let Some(own) = self.paths.get(*place) else {
                continue;
            };
            let equal = own.iter().rev().zip(path.iter().rev());
            let common = equal.take_while(|(own, other)| own == other).count();
            if common < 2 && common < own.len() {
                continue;
            }
            best = match best {
                (most, found) if common < most => (most, found),
                (most, Match::One(first)) if common == most => {
                    (most, Match::Several(first, *place))
                }
                (most, found @ Match::Several(..)) if common == most => (most, found),
                _ => (common, Match::One(*place)),
            };
        }
        best.1
    }
}

fn places(
    file: &Path,
    dataset: &Dataset,
    part: Part,
    caches: &CacheFolder,
    picks: Vec<Datum>,
) -> Result<Vec<usize>, DataError> {
    let items = dataset.part(part);
    let known = Known::new(items, &caches.images);
    let mut seen = std::collections::HashSet::new();
    let place = |pick: Datum| {
        let path = pick.path.join("/");
        let refused = |problem: String| {
            Err(wrong(
                file,
                format!(
                    "has {path:?}, {problem}; the reference trains on the images of this file: give \
                     --data the data set that it was made of, or draw other images with \
                     --ignore-few-shot-cache"
                ),
            ))
        };
        let place = match known.find(&pick.path) {
            Match::One(place) => place,
            Match::None => {
                return refused(format!("which is not in the {part} list of the data set"));
            }
            Match::Several(first, second) => {
                let name = |place: usize| items.get(place).map(|item| item.path.display());
                let (first, second) = (name(first), name(second));
                return refused(match (first, second) {
                    (Some(first), Some(second)) => {
                        format!("which may be {first} or {second}")
                    }
                    _ => "which fits several images".to_string(),
                });
            }
        };
        let label = items.get(place).map(|item| item.label);
        let name = label.and_then(|label| dataset.class_names.get(label));
        let other_name = !caches.other_names && name != Some(&pick.class_name);
        if label != Some(pick.label) || other_name {
            return refused(format!(
                "with label {} ({}), the data set with label {} ({})",
                pick.label,
                pick.class_name,
                label.unwrap_or_default(),
                name.map_or("", String::as_str)
            ));
        }
        match seen.insert(place) {
            true => Ok(place),
            false => refused("twice".to_string()),
        }
    };
    picks.into_iter().map(place).collect()
}

/// The few-shot files of a data set's folder: file, shots and seed, sorted.
pub(crate) fn few_shot_files(folder: &Path) -> Vec<(PathBuf, usize, u64)> {
    // A folder that does not exist or cannot be read has no files to compare with.
    let entries = std::fs::read_dir(folder.join(FOLDER));
    let mut files: Vec<(PathBuf, usize, u64)> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?.strip_prefix("shot_")?.strip_suffix(".pkl")?;
            let (shots, seed) = name.split_once("-seed_")?;
            Some((entry.path(), shots.parse().ok()?, seed.parse().ok()?))
        })
        .collect();
    files.sort_by_key(|(_, shots, seed)| (*shots, *seed));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(images: &[&str], path: &str) -> Result<usize, usize> {
        let items: Vec<Item> = images.iter().map(|path| Item::new(*path, 0)).collect();
        let path: Vec<String> = path.split('/').map(str::to_string).collect();
        match Known::new(&items, "data".as_ref()).find(&path) {
            Match::One(place) => Ok(place),
            Match::None => Err(0),
            Match::Several(..) => Err(2),
        }
    }

    #[test]
    fn images_are_matched_by_the_longest_common_end_of_their_paths() {
        let images = ["data/train/cat/1.jpg", "data/test/cat/1.jpg", "data/2.jpg"];
        assert_eq!(find(&images, "C:/x/train/cat/1.jpg"), Ok(0));
        assert_eq!(find(&images, "x/test/cat/1.jpg"), Ok(1));
        // It fits both equally well.
        assert_eq!(find(&images, "x/cat/1.jpg"), Err(2));
        assert_eq!(find(&images[..1], "x/cat/1.jpg"), Ok(0));
        // The name alone is enough only for an image that has nothing else.
        assert_eq!(find(&images[..1], "x/dog/1.jpg"), Err(0));
        assert_eq!(find(&images, "anywhere/2.jpg"), Ok(2));
        assert_eq!(find(&images, "anywhere/3.jpg"), Err(0));
    }
}
