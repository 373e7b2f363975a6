//! Lists of images that the reference saved as pickles: parsed, never executed.
//!
//! A pickle holds a dictionary of lists of Dassl's `Datum`, whose attributes are `_impath`,
//! `_label`, `_domain` and `_classname`. The paths are those of the machine that wrote it; only
//! their ends are used here.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use promptsrc_pickle::{Node, Pickle};

use super::annotation::listed;
use super::set::CatalogueSet;
use crate::labels::Labels;
use crate::{DataError, Dataset, FewShotPicks, Item, Part};

/// The folder in which the reference saves few-shot subsets.
const FEW_SHOT_FOLDER: &str = "split_fewshot";

impl CatalogueSet {
    /// The few-shot subset that the reference saved as `split_fewshot/shot_K-seed_S.pkl`, as indices
    /// into the lists of `dataset`, which must be this one as [`open`](Self::open) reads it; `None`
    /// if there is no such file.
    ///
    /// The pickle is parsed and never executed. Images are matched by the ends of their paths, so
    /// the file may come from another machine. Without it, [`Dataset::few_shot`] gives the same
    /// picks, provided that the reference drew them from the same lists.
    ///
    /// # Errors
    /// [`DataError::Pickle`] if it is not such a file or does not fit the data set.
    pub fn few_shot_file(
        &self,
        collection: &Path,
        dataset: &Dataset,
        shots: usize,
        seed: u64,
    ) -> Result<Option<FewShotPicks>, DataError> {
        let folder = collection.join(self.folder);
        let file = folder
            .join(FEW_SHOT_FOLDER)
            .join(format!("shot_{shots}-seed_{seed}.pkl"));
        if !file.exists() {
            return Ok(None);
        }
        few_shot(&file, dataset, &folder.join(self.images), shots).map(Some)
    }
}

/// A `Datum`.
struct Datum {
    /// Parts of the path.
    path: Vec<String>,
    label: usize,
    class_name: String,
}

fn wrong(file: &Path, message: impl Into<String>) -> DataError {
    DataError::Pickle {
        file: file.to_path_buf(),
        message: message.into(),
    }
}

fn parse(file: &Path) -> Result<Pickle, DataError> {
    let size = std::fs::metadata(file)
        .map_err(DataError::read(file))?
        .len();
    if size > Pickle::MAX_BYTES as u64 {
        let most = Pickle::MAX_BYTES >> 20;
        return Err(wrong(
            file,
            format!("is larger than {most} MiB; remove it to continue without it"),
        ));
    }
    let bytes = std::fs::read(file).map_err(DataError::read(file))?;
    let pickle = Pickle::parse(&bytes)
        .map_err(|e| wrong(file, format!("cannot be read as a pickle: {e}")))?;
    if let Some(code) = pickle.code() {
        return Err(wrong(
            file,
            format!("would run {code} if Python opened it; it is not a file of the reference"),
        ));
    }
    Ok(pickle)
}

/// The list of that name; `None` where the pickle has none.
fn list(file: &Path, pickle: &Pickle, name: &str) -> Result<Option<Vec<Datum>>, DataError> {
    let Some(list) = pickle.root().get(name) else {
        return Ok(None);
    };
    let each = list.elements().enumerate();
    each.map(|(index, node)| {
        datum(node).ok_or_else(|| {
            let found = node.value().kind();
            wrong(
                file,
                format!(
                    "expected an image with _impath, _label and _classname as entry {index} of \
                     {name:?}, found {found}"
                ),
            )
        })
    })
    .collect::<Result<_, _>>()
    .map(Some)
}

fn datum(node: Node) -> Option<Datum> {
    let path = node.get("_impath")?.as_str()?;
    let parts = path.split(['/', '\\']).filter(|part| !part.is_empty());
    Some(Datum {
        path: parts.map(str::to_string).collect(),
        label: node.get("_label")?.as_usize()?,
        class_name: node.get("_classname")?.as_str()?.to_string(),
    })
}

/// ImageNet's lists `train` and `test`. Paths become relative to the image folder: part, class
/// folder and file.
pub(super) fn lists(file: &Path) -> Result<Dataset, DataError> {
    let pickle = parse(file)?;
    let mut dataset = Dataset::default();
    // Of ImageNet's classes, two are called "missile" and two "sunglasses".
    let mut names = Labels::with_shared_names(file);
    for (part, name) in [(Part::Train, "train"), (Part::Test, "test")] {
        let Some(list) = list(file, &pickle, name)? else {
            return Err(wrong(file, format!("expected a list {name:?}, found none")));
        };
        for datum in list {
            let Some(tail) = datum
                .path
                .len()
                .checked_sub(3)
                .and_then(|n| datum.path.get(n..))
            else {
                let path = datum.path.join("/");
                return Err(wrong(
                    file,
                    format!("expected a path ending in part/class/file, found {path:?}"),
                ));
            };
            let path: PathBuf = tail.iter().collect();
            dataset.part_mut(part).push(listed(path, datum.label));
            names.add(datum.label, &datum.class_name, || datum.path.join("/"))?;
        }
    }
    dataset.class_names = names.finish()?;
    Ok(dataset)
}

/// The picks of a few-shot file as indices into a data set's lists. A file without validation picks,
/// such as ImageNet's, takes the whole validation list, as in the reference.
pub(super) fn few_shot(
    file: &Path,
    dataset: &Dataset,
    images: &Path,
    shots: usize,
) -> Result<FewShotPicks, DataError> {
    let pickle = parse(file)?;
    let Some(train) = list(file, &pickle, "train")? else {
        return Err(wrong(file, "expected a list \"train\", found none"));
    };
    let train = places(file, dataset, Part::Train, images, train)?;
    let val = match list(file, &pickle, "val")? {
        Some(val) => places(file, dataset, Part::Val, images, val)?,
        None => (0..dataset.val.len()).collect(),
    };
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for item in train.iter().filter_map(|place| dataset.train.get(*place)) {
        *counts.entry(item.label).or_default() += 1;
    }
    let short = counts.into_iter().filter(|(_, n)| *n < shots).collect();
    Ok(FewShotPicks { train, val, short })
}

fn places(
    file: &Path,
    dataset: &Dataset,
    part: Part,
    images: &Path,
    picks: Vec<Datum>,
) -> Result<Vec<usize>, DataError> {
    let items = dataset.part(part);
    let key = |item: &Item| {
        let path = item.path.strip_prefix(images).unwrap_or(&item.path);
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    };
    let known: HashMap<String, usize> = items
        .iter()
        .enumerate()
        .map(|(place, item)| (key(item), place))
        .collect();
    let place = |pick: Datum| {
        // The longest end of the path that is an image of the list.
        let ends = (0..pick.path.len()).filter_map(|start| pick.path.get(start..));
        let found = ends
            .map(|end| end.join("/"))
            .find_map(|end| known.get(&end));
        let path = pick.path.join("/");
        let Some(place) = found else {
            return Err(wrong(
                file,
                format!("has {path:?}, which is not in the {part} list of the data set"),
            ));
        };
        let label = items.get(*place).map(|item| item.label);
        let name = label.and_then(|label| dataset.class_names.get(label));
        if label != Some(pick.label) || name != Some(&pick.class_name) {
            return Err(wrong(
                file,
                format!(
                    "has {path:?} with label {} ({}), the data set with label {} ({})",
                    pick.label,
                    pick.class_name,
                    label.unwrap_or_default(),
                    name.map_or("", String::as_str)
                ),
            ));
        }
        Ok(*place)
    };
    picks.into_iter().map(place).collect()
}

/// The few-shot files of a data set's folder: file, shots and seed, sorted.
pub(super) fn few_shot_files(folder: &Path) -> Vec<(PathBuf, usize, u64)> {
    // A folder that does not exist or cannot be read has no files to compare with.
    let entries = std::fs::read_dir(folder.join(FEW_SHOT_FOLDER));
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
