//! Where a data set is read from: a split file, a folder of class folders, or a list.

mod columns;
mod folder;
mod list;

use std::path::{Path, PathBuf};

use crate::cache_folder::CacheFolder;
use crate::presence::Checker;
use crate::{
    CatalogueSet, DataError, Dataset, Part, Presence, Report, class_names, folders, split_file,
};

/// Subfolders in which the data sets of CoOp's benchmark keep their images. The paths in a split
/// file are relative to these.
const IMAGE_FOLDERS: [&str; 7] = [
    "",
    "2750",
    "101_ObjectCategories",
    "images",
    "jpg",
    "SUN397",
    "UCF-101-midframes",
];

/// Where to read a data set from.
///
/// ```no_run
/// use promptsrc_datasets::{DataSource, Part};
///
/// let (dataset, report) = DataSource::new("eurosat").read()?;
/// for warning in report.warnings() {
///     eprintln!("{warning}");
/// }
/// let base = dataset.few_shot(16, 1).base()?;
/// let train = base.images(Part::Train, false)?;
/// # Ok::<(), promptsrc_datasets::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource {
    /// One of:
    /// - the folder of a data set that has one of CoOp's `split_zhou_*.json` files, or, with
    ///   `split`, the folder of its images;
    /// - the folder of one of the paper's data sets without its split file, recognised by its name
    ///   and contents (see [`CatalogueSet::open`]);
    /// - a folder with a subfolder per class, or with subfolders `train`, `val` and `test` that
    ///   have one each; or a folder around such a one, with nothing else in it;
    /// - a list (`.csv`, `.tsv`, `.jsonl`) or a split file (`.json`).
    pub data: PathBuf,
    /// The split file or list, if `data` is not enough to find it.
    pub split: Option<PathBuf>,
    /// A file of class names: one per line, in the order of the labels (of the sorted class
    /// folders), or lines `folder name words`.
    pub class_names: Option<PathBuf>,
    /// Whether a run may continue without missing images. Reading only counts them; with this set,
    /// it succeeds even if none exists.
    pub allow_missing: bool,
    /// Whether images are turned by their EXIF orientation, which the reference ignores.
    pub upright: bool,
}

impl Dataset {
    /// Reads a data set from a folder, a list or a split file, see [`DataSource::data`]; no image is
    /// opened.
    ///
    /// What a person should know of it (missing files, duplicates, a split that had to be made) is in
    /// the report of [`DataSource::read`], which takes options too.
    ///
    /// # Errors
    /// As [`DataSource::read`].
    pub fn open(data: impl Into<PathBuf>) -> Result<Self, DataError> {
        let (dataset, _report) = DataSource::new(data).read()?;
        Ok(dataset)
    }
}

impl DataSource {
    /// A source without options.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            split: None,
            class_names: None,
            allow_missing: false,
            upright: false,
        }
    }

    /// Reads the lists of the data set; no image is opened.
    ///
    /// Missing images are counted in the report and are not yet an error: only those that a run
    /// uses must exist, which [`Subset::images`](crate::Subset::images) checks.
    ///
    /// # Errors
    /// Any [`DataError`] except those of loading.
    pub fn read(&self) -> Result<(Dataset, Report), DataError> {
        let (dataset, report) = self.read_as_stored()?;
        let mut dataset = dataset.upright(self.upright);
        let caches = dataset.caches.get_or_insert_with(|| {
            let folder_of = |file: &PathBuf| folders::folder_of(file).to_path_buf();
            let mut folders: Vec<PathBuf> = match self.data.is_dir() {
                true => vec![self.data.clone()],
                false => vec![folder_of(&self.data)],
            };
            let listing = report.listing.iter().chain(&self.split).map(folder_of);
            folders.extend(listing);
            CacheFolder {
                folders,
                images: report.images.clone(),
                other_names: false,
            }
        });
        caches.other_names = report.class_names.is_some();
        Ok((dataset, report))
    }

    /// Reads the lists; images are as they are stored.
    fn read_as_stored(&self) -> Result<(Dataset, Report), DataError> {
        let data = &self.data;
        let metadata = std::fs::metadata(data).map_err(DataError::read(data))?;
        let mut report = Report::default();
        let dataset = match (&self.split, metadata.is_dir()) {
            (Some(split), is_dir) => {
                let folder = if is_dir {
                    data.as_path()
                } else {
                    folders::folder_of(data)
                };
                self.read_listing(split, folder, &mut report)?
            }
            (None, false) => self.read_listing(data, folders::folder_of(data), &mut report)?,
            (None, true) => return self.read_folder(data, &mut Vec::new()),
        };
        Ok(finished(dataset, report, data))
    }

    /// A folder: one with a split file, one of the paper's data sets, or one of class folders.
    /// `wrappers` are the folders around it, down from the data folder, that hold nothing else.
    fn read_folder(
        &self,
        folder: &Path,
        wrappers: &mut Vec<PathBuf>,
    ) -> Result<(Dataset, Report), DataError> {
        let mut report = Report::default();
        if let Some(split) = find_split(folder)? {
            let dataset = self.read_listing(&split, folder, &mut report)?;
            return Ok(finished(dataset, report, folder));
        }
        if let Some(set) = CatalogueSet::recognise(folder) {
            return self.read_catalogue_set(set, folder);
        }
        if let Some(wrapper) = folder::wrapper(folder)? {
            wrappers.push(folder.to_path_buf());
            let (mut dataset, mut report) = self.read_folder(&wrapper.inner, wrappers)?;
            // "images" says less than the name of the folder around it; a set of the paper has its own.
            if report.is_plain_folder() {
                dataset.name = folders::name_of(folder);
            }
            wrapper.report(&mut report);
            return Ok((dataset, report));
        }
        let names = self.class_names.as_deref();
        let dataset = folder::read(folder, wrappers, names, &mut report)?;
        Ok(finished(dataset, report, folder))
    }

    /// A data set of the paper without its split file, from its own annotation.
    fn read_catalogue_set(
        &self,
        set: &CatalogueSet,
        folder: &Path,
    ) -> Result<(Dataset, Report), DataError> {
        let (mut dataset, mut report) = set.open_folder(folder, self.allow_missing)?;
        if let Some(names) = &self.class_names {
            dataset.class_names = class_names::by_label(names, dataset.class_names.len())?;
            report.name_classes(names);
        }
        Ok((dataset, report))
    }

    /// A split file or list, depending on the extension; `folder` is where its images are.
    fn read_listing(
        &self,
        file: &Path,
        folder: &Path,
        report: &mut Report,
    ) -> Result<Dataset, DataError> {
        let extension = file
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase());
        let names = self.class_names.as_deref();
        let format = match extension.as_deref() {
            Some("json") => None,
            Some("csv") => Some(list::Format::Separated(b',')),
            Some("tsv") => Some(list::Format::Separated(b'\t')),
            Some("jsonl" | "ndjson") => Some(list::Format::JsonLines),
            _ => {
                return Err(DataError::UnknownSource {
                    path: file.to_path_buf(),
                });
            }
        };
        let (mut dataset, candidates) = match format {
            None => (
                split_file::read(file, names)?,
                IMAGE_FOLDERS.map(|f| folder.join(f)).into(),
            ),
            Some(format) => (
                list::read(file, format, names, report)?,
                vec![folder.to_path_buf()],
            ),
        };
        let kind = if format.is_none() { "split" } else { "list" };
        report.source = format!("{kind} {}", file.display());
        report.listing = Some(file.to_path_buf());
        if let Some(names) = names {
            report.name_classes(names);
        }
        dataset.name = folders::name_of(folder);
        self.locate(&mut dataset, file, candidates, report)?;
        Ok(dataset)
    }

    /// Completes the relative paths of all items by the candidate folder in which most files exist.
    fn locate(
        &self,
        dataset: &mut Dataset,
        file: &Path,
        candidates: Vec<PathBuf>,
        report: &mut Report,
    ) -> Result<(), DataError> {
        let mut checker = Checker::default();
        let mut best: Option<(usize, PathBuf, Vec<Presence>)> = None;
        let tried: Vec<PathBuf> = candidates.into_iter().filter(|c| c.is_dir()).collect();
        for candidate in &tried {
            let presences: Vec<Presence> = Part::ALL
                .into_iter()
                .flat_map(|part| dataset.part(part))
                .map(|item| checker.check(&candidate.join(&item.path)))
                .collect();
            let usable = presences
                .iter()
                .filter(|p| **p != Presence::Missing)
                .count();
            if best.as_ref().is_none_or(|(most, ..)| usable > *most) {
                best = Some((usable, candidate.clone(), presences));
            }
        }
        let count: usize = Part::ALL.iter().map(|part| dataset.part(*part).len()).sum();
        let Some((usable, images, presences)) = best else {
            return Err(DataError::UnknownSource {
                path: self.data.clone(),
            });
        };
        if usable == 0 && !self.allow_missing {
            let example = Part::ALL
                .into_iter()
                .find_map(|part| dataset.part(part).first())
                .map(|item| item.path.clone())
                .unwrap_or_default();
            let split = file.to_path_buf();
            return Err(DataError::NoImages {
                split,
                count,
                example,
                tried,
            });
        }
        let mut presences = presences.into_iter();
        for part in Part::ALL {
            for item in dataset.part_mut(part) {
                item.path = images.join(&item.path);
                item.presence = presences.next().unwrap_or_default();
            }
        }
        report.images = images;
        Ok(())
    }
}

/// A data set that was read from a path, and its report.
fn finished(mut dataset: Dataset, mut report: Report, data: &Path) -> (Dataset, Report) {
    if dataset.name.is_empty() {
        dataset.name = folders::name_of(data);
    }
    report.take_stock(&dataset);
    (dataset, report)
}

/// The split file of a folder, if it has one.
fn find_split(folder: &Path) -> Result<Option<PathBuf>, DataError> {
    let mut found = Vec::new();
    for (name, _) in folders::entries(folder)? {
        let text = name.to_string_lossy();
        if text.starts_with("split_zhou_") && text.ends_with(".json") {
            found.push(text.into_owned());
        }
    }
    found.sort();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(folder.join(one))),
        _ => Err(DataError::ManySplits {
            folder: folder.to_path_buf(),
            found,
        }),
    }
}
