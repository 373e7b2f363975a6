//! Every way a data set can be wrong.

use std::path::{Path, PathBuf};

use promptsrc_image::ImageError;

use crate::Part;

/// How many names an error spells out.
const SPELLED_OUT: usize = 10;

/// Why a data set could not be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be opened.
    #[error("{}: cannot be read: {reason}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// The operating system's words.
        reason: std::io::Error,
    },
    /// A data set of the paper lacks a file or folder that it cannot be read without.
    #[error(
        "{}: is not there, but {set} cannot be read without it; it is to be had from {address}",
        path.display()
    )]
    NotDownloaded {
        /// The file or folder.
        path: PathBuf,
        /// The data set.
        set: &'static str,
        /// Where to get it.
        address: &'static str,
    },
    /// A symbolic link that leads nowhere, or in a circle.
    #[error("{}: is a symbolic link to {}, which leads nowhere: {reason}", path.display(), target.display())]
    BrokenLink {
        /// The link.
        path: PathBuf,
        /// What it points to.
        target: PathBuf,
        /// The operating system's words.
        reason: std::io::Error,
    },
    /// A MATLAB file cannot be read, or holds something else.
    #[error("{}: {message}", file.display())]
    Matlab {
        /// The file.
        file: PathBuf,
        /// What was expected and what found.
        message: String,
    },
    /// A pickle of the reference cannot be read, or does not fit the data set.
    #[error("{}: {message}", file.display())]
    Pickle {
        /// The file.
        file: PathBuf,
        /// What was expected and what found.
        message: String,
    },
    /// A class has too few images for a split to be made.
    #[error(
        "{}: the class {name:?} has {images} images, too few to divide them ({shares}); add \
         images or a split file", folder.display()
    )]
    TooFewToDivide {
        /// The data set's folder or annotation.
        folder: PathBuf,
        /// The class.
        name: String,
        /// Its images.
        images: usize,
        /// The shares they were to be divided by.
        shares: &'static str,
    },
    /// The data path is a file of no known kind.
    #[error(
        "{}: not a data set: expected a folder of class folders, a split file (.json) or a list \
         (.csv, .tsv, .jsonl)", path.display()
    )]
    UnknownSource {
        /// The path as given.
        path: PathBuf,
    },
    /// A folder holds more than one split file.
    #[error(
        "{}: holds {} split files ({}); say which one to use",
        folder.display(), found.len(), found.join(", ")
    )]
    ManySplits {
        /// The folder.
        folder: PathBuf,
        /// Names of the split files.
        found: Vec<String>,
    },
    /// None of a split's or list's images is where it could be.
    #[error(
        "{}: none of its {count} images is there (for example {example:?}); looked below {}; \
         give the folder that the split's paths are relative to as the data folder",
        split.display(), tried.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoImages {
        /// The split or list.
        split: PathBuf,
        /// Images that it names.
        count: usize,
        /// One of them.
        example: PathBuf,
        /// Folders that were tried.
        tried: Vec<PathBuf>,
    },
    /// A split or list is not of its format.
    #[error("{}:{line}: {message}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What was expected and what found.
        message: String,
    },
    /// A list's header lacks a column.
    #[error(
        "{}: its header has no column {column:?}; found {found:?} (the columns are path, label \
         and, if wanted, class_name and split)", file.display()
    )]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column.
        column: &'static str,
        /// The columns there are.
        found: Vec<String>,
    },
    /// A split or list names no image at all.
    #[error("{}: lists no images", file.display())]
    EmptyList {
        /// The file.
        file: PathBuf,
    },
    /// A label has no class name.
    #[error(
        "{}: {at}: label {label} is out of range: {classes} class names are known (labels 0 to {})",
        file.display(), classes.saturating_sub(1)
    )]
    LabelOutOfRange {
        /// The file.
        file: PathBuf,
        /// Line or entry.
        at: String,
        /// The label.
        label: usize,
        /// How many names there are.
        classes: usize,
    },
    /// Labels are numbers, and nothing says what they mean.
    #[error(
        "{}: its labels are numbers without names; add a column class_name or give a file of class \
         names, one a line", file.display()
    )]
    NamelessLabels {
        /// The file.
        file: PathBuf,
    },
    /// A label is skipped: there are higher ones, but no image of it tells its name.
    #[error(
        "{}: no entry has label {label}, but there are labels up to {highest}; labels must count \
         from 0 without a gap", file.display()
    )]
    LabelGap {
        /// The file.
        file: PathBuf,
        /// The skipped label.
        label: usize,
        /// The highest label.
        highest: usize,
    },
    /// One label goes by two names.
    #[error("{}: {at}: label {label} is called {second:?} here and {first:?} before", file.display())]
    TwoNames {
        /// The file.
        file: PathBuf,
        /// Line or entry.
        at: String,
        /// The label.
        label: usize,
        /// Its earlier name.
        first: String,
        /// Its name here.
        second: String,
    },
    /// Two labels share a name; a text encoder could not tell them apart.
    #[error(
        "{}: {at}: the name {name:?} belongs to label {second} here and to label {first} before",
        file.display()
    )]
    TwoLabels {
        /// The file.
        file: PathBuf,
        /// Line or entry.
        at: String,
        /// The name.
        name: String,
        /// The label it had.
        first: usize,
        /// The label it has here.
        second: usize,
    },
    /// A file of class names does not fit the data.
    #[error("{}: {message}", file.display())]
    ClassNames {
        /// The file.
        file: PathBuf,
        /// What was expected and what found.
        message: String,
    },
    /// A folder has no class folders.
    #[error(
        "{}: has no sub-folders, so no classes; expected one folder of images per class, or \
         train, val and test folders of such", folder.display()
    )]
    NoClasses {
        /// The folder.
        folder: PathBuf,
    },
    /// A class folder has no images.
    #[error("{}: this class folder holds no images; fill it or remove it", folder.display())]
    EmptyClass {
        /// The folder.
        folder: PathBuf,
    },
    /// Two folders hold the same part, such as `val` and `validation`.
    #[error("{}: is a second folder of {part} images; join the two", folder.display())]
    TwoFolders {
        /// The second one.
        folder: PathBuf,
        /// The part.
        part: Part,
    },
    /// Files that are needed are not there.
    #[error("{}", describe_missing(*part, *wanted, missing, unreadable))]
    MissingImages {
        /// The part they belong to.
        part: Part,
        /// How many images were wanted.
        wanted: usize,
        /// Files that are not there.
        missing: NameList,
        /// Files whose folder may not be read.
        unreadable: NameList,
    },
    /// All files that are needed are missing.
    #[error("none of the {wanted} {part} images is there; check the data folder")]
    NothingLeft {
        /// The part.
        part: Part,
        /// How many images were wanted.
        wanted: usize,
    },
    /// A pick does not belong to the data set.
    #[error("there is no image {index} in the {part} part, which has {len}")]
    NoSuchItem {
        /// The part.
        part: Part,
        /// The place asked for.
        index: usize,
        /// Images of the part.
        len: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "{name}: has {} ({}); training needs at least two", count_of(classes.len()), classes.join(", ")
    )]
    TooFewClasses {
        /// The data set.
        name: String,
        /// The classes there are.
        classes: Vec<String>,
    },
    /// A half of the classes was asked for where there are no two halves.
    #[error("{name}: base and novel classes need at least two classes")]
    NoNovelClasses {
        /// The data set.
        name: String,
    },
    /// A part without images.
    #[error("{name}: has no {part} images")]
    EmptyPart {
        /// The data set.
        name: String,
        /// The part.
        part: Part,
    },
    /// A loader was asked for batches of nothing.
    #[error("the batch size is 0; expected at least 1")]
    ZeroBatch,
    /// A random crop that cannot be drawn.
    #[error("augmentation: {0}")]
    Augment(String),
    /// The worker threads could not be started.
    #[error("cannot start {threads} threads to load images: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The operating system's words.
        reason: String,
    },
    /// Images of a batch could not be decoded; each error names its file.
    #[error("{}", describe_images(.0))]
    Images(Vec<ImageError>),
}

/// Some names and a count of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameList {
    names: Vec<PathBuf>,
    count: usize,
}

impl NameList {
    /// Counts a file, and keeps its name while the list is short.
    pub fn push(&mut self, path: &Path) {
        self.count += 1;
        if self.names.len() < SPELLED_OUT {
            self.names.push(path.to_path_buf());
        }
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first of them.
    pub fn names(&self) -> &[PathBuf] {
        &self.names
    }
}

impl std::fmt::Display for NameList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for name in &self.names {
            write!(f, "\n  {}", name.display())?;
        }
        match self.count - self.names.len() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

fn describe_missing(
    part: Part,
    wanted: usize,
    missing: &NameList,
    unreadable: &NameList,
) -> String {
    let mut message = String::new();
    if missing.count() > 0 {
        let count = missing.count();
        message += &format!("{count} of the {wanted} {part} images are missing:{missing}\n");
    }
    if unreadable.count() > 0 {
        let count = unreadable.count();
        message += &format!(
            "{count} of the {wanted} {part} images are in folders that may not be \
             read:{unreadable}\n"
        );
    }
    message + "fetch them, or go on without them by allowing missing images (--allow-missing)"
}

fn describe_images(errors: &[ImageError]) -> String {
    match errors {
        [one] => one.to_string(),
        many => {
            let mut message = format!("{} images cannot be used:", many.len());
            for error in many.iter().take(SPELLED_OUT) {
                message += &format!("\n  {error}");
            }
            if many.len() > SPELLED_OUT {
                message += &format!("\n  and {} more", many.len() - SPELLED_OUT);
            }
            message
        }
    }
}

fn count_of(classes: usize) -> String {
    match classes {
        0 => "no classes".into(),
        1 => "one class".into(),
        n => format!("{n} classes"),
    }
}
