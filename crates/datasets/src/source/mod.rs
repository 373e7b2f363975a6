//! Where a data set comes from: a split file, a folder of class folders, or a list.

mod class_names;
mod divide;
mod folder;
pub(crate) mod labels;
mod list;
pub(crate) mod split_file;

use std::path::{Path, PathBuf};

use crate::presence::Checker;
use crate::{CatalogueSet, DataError, Dataset, Part, Presence, Report};

/// Sub-folders in which the data sets of CoOp's benchmark keep their images. The paths in a
/// split file are relative to these.
const IMAGE_FOLDERS: [&str; 7] = [
    "",
    "2750",
    "101_ObjectCategories",
    "images",
    "jpg",
    "SUN397",
    "UCF-101-midframes",
];

/// Where a data set is to be read from.
///
/// ```no_run
/// use promptsrc_datasets::{Classes, DataSource, Part};
///
/// let (dataset, report) = DataSource::new("eurosat").read()?;
/// for warning in report.warnings() {
///     eprintln!("{warning}");
/// }
/// let picks = dataset.few_shot(16, 1);
/// let selection = dataset.select(&picks, Classes::Base)?;
/// let train = dataset.items(Part::Train, &selection.train, false)?;
/// # Ok::<(), promptsrc_datasets::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource {
    /// One of:
    /// - the folder of a data set that has one of CoOp's `split_zhou_*.json` files, or with
    ///   `split` the folder of its images;
    /// - the folder of one of the paper's data sets without its split file, known by its name and
    ///   by what is in it (see [`CatalogueSet::open`]);
    /// - a folder with a sub-folder per class, or with `train`, `val`, `test` sub-folders of such;
    /// - a list (`.csv`, `.tsv`, `.jsonl`) or a split file (`.json`) itself.
    pub data: PathBuf,
    /// The split file or list, where it is not found by `data` alone.
    pub split: Option<PathBuf>,
    /// A file of class names: one a line in the order of the labels (of the sorted class folders),
    /// or `folder name words` a line.
    pub class_names: Option<PathBuf>,
    /// Whether a run may go on without the images that are missing. Reading only counts them;
    /// with this set it does not fail even where none is there.
    pub allow_missing: bool,
}

impl DataSource {
    /// A source without options.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            split: None,
            class_names: None,
            allow_missing: false,
        }
    }

    /// Reads what there is; no image is opened.
    ///
    /// Missing images are counted in the report and are no error yet: only those that a run uses
    /// need to exist, which [`Dataset::items`] checks.
    ///
    /// # Errors
    /// Any [`DataError`] but those of loading.
    pub fn read(&self) -> Result<(Dataset, Report), DataError> {
        let data = &self.data;
        let metadata = std::fs::metadata(data).map_err(|reason| DataError::Read {
            path: data.clone(),
            reason,
        })?;
        let mut report = Report::default();
        let mut dataset = match (&self.split, metadata.is_dir()) {
            (Some(split), is_dir) => {
                let root = if is_dir {
                    data.as_path()
                } else {
                    folder_of(data)
                };
                self.read_listing(split, root, &mut report)?
            }
            (None, false) => self.read_listing(data, folder_of(data), &mut report)?,
            (None, true) => match find_split(data)? {
                Some(split) => self.read_listing(&split, data, &mut report)?,
                None if let Some(set) = CatalogueSet::recognise(data) => {
                    return self.read_catalogue_set(set);
                }
                None => folder::read(data, self.class_names.as_deref(), &mut report)?,
            },
        };
        if dataset.name.is_empty() {
            dataset.name = name_of(data);
        }
        report.take_stock(&dataset);
        Ok((dataset, report))
    }

    /// A data set of the paper that has no split file, by its own annotation.
    fn read_catalogue_set(&self, set: &CatalogueSet) -> Result<(Dataset, Report), DataError> {
        let (mut dataset, report) = set.open_folder(&self.data, self.allow_missing)?;
        if let Some(names) = &self.class_names {
            dataset.class_names = class_names::by_label(names, dataset.class_names.len())?;
        }
        Ok((dataset, report))
    }

    /// A split file or list, told apart by the extension.
    fn read_listing(
        &self,
        file: &Path,
        root: &Path,
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
                IMAGE_FOLDERS.map(|f| root.join(f)).into(),
            ),
            Some(format) => (
                list::read(file, format, names, report)?,
                vec![root.to_path_buf()],
            ),
        };
        let kind = if format.is_none() { "split" } else { "list" };
        report.source = format!("{kind} {}", file.display());
        report.listing = Some(file.to_path_buf());
        dataset.name = name_of(root);
        self.locate(&mut dataset, file, candidates, report)?;
        Ok(dataset)
    }

    /// Finds the folder that the relative paths of all items belong below: that of most files.
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
        let Some((usable, root, presences)) = best else {
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
                item.path = root.join(&item.path);
                item.presence = presences.next().unwrap_or_default();
            }
        }
        report.images = root;
        Ok(())
    }
}

/// The one split file of a folder, if there is any.
fn find_split(folder: &Path) -> Result<Option<PathBuf>, DataError> {
    let read = |reason| DataError::Read {
        path: folder.to_path_buf(),
        reason,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
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

/// The folder that a file lies in.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What to call the data set of a path: its last part, of a relative path the real one.
pub(crate) fn name_of(path: &Path) -> String {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match real.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "data".into(),
    }
}

/// The text of a small file.
pub(crate) fn read_text(file: &Path) -> Result<String, DataError> {
    let bytes = std::fs::read(file).map_err(|reason| DataError::Read {
        path: file.to_path_buf(),
        reason,
    })?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let line = 1 + e
            .as_bytes()
            .iter()
            .take(valid)
            .filter(|b| **b == b'\n')
            .count();
        DataError::Malformed {
            file: file.to_path_buf(),
            line: line as u64,
            message: "is not UTF-8 text; save it as UTF-8".into(),
        }
    })?;
    // Spreadsheet programs like to begin with a byte order mark.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_string)
        .unwrap_or(text))
}
