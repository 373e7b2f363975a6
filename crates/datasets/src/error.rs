//! Every way a data set can be wrong.

use std::path::{Path, PathBuf};

use promptsrc_image::ImageError;

use crate::Part;

/// How many images that cannot be decoded an error lists in full.
const IMAGES_SPELLED_OUT: usize = 20;
/// How many names an error or report lists in full.
pub(crate) const SPELLED_OUT: usize = 10;

/// Why a data set could not be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be opened.
    #[error("{}: cannot be read: {reason}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        reason: std::io::Error,
    },
    /// A data set of the paper lacks a file or folder that it cannot be read without.
    #[error(
        "{}: does not exist, but {set} cannot be read without it; download it from {address}",
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
    /// A symbolic link that is broken or leads in a circle.
    #[error("{}: is a broken symbolic link to {}: {reason}", path.display(), target.display())]
    BrokenLink {
        /// The link.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
        /// The operating system's error.
        reason: std::io::Error,
    },
    /// A MATLAB file cannot be read, or has other contents than expected.
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
        "{}: the class {name:?} has {images} images, too few to divide ({shares}); add images or \
         a split file", folder.display()
    )]
    TooFewToDivide {
        /// The data set's folder or annotation file.
        folder: PathBuf,
        /// The class.
        name: String,
        /// How many images it has.
        images: usize,
        /// How they should be divided.
        shares: &'static str,
    },
    /// The data path is neither a folder nor a known kind of file.
    #[error(
        "{}: not a data set: expected a folder of class folders, a split file (.json) or a list \
         (.csv, .tsv, .jsonl)", path.display()
    )]
    UnknownSource {
        /// The path as given.
        path: PathBuf,
    },
    /// A folder has more than one split file.
    #[error(
        "{}: has {} split files ({}); say which one to use",
        folder.display(), found.len(), found.join(", ")
    )]
    ManySplits {
        /// The folder.
        folder: PathBuf,
        /// Names of the split files.
        found: Vec<String>,
    },
    /// None of the images of a split or list was found.
    #[error(
        "{}: none of its {count} images was found (for example {example:?}) in {}; as the data \
         folder, give the one that the split's paths are relative to",
        split.display(), tried.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoImages {
        /// The split or list.
        split: PathBuf,
        /// How many images it lists.
        count: usize,
        /// One of them.
        example: PathBuf,
        /// The folders searched.
        tried: Vec<PathBuf>,
    },
    /// A split or list is not in its format.
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
         and, optionally, class_name and split; other usual names, such as filename, image, class \
         and category, are understood too)", file.display()
    )]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column.
        column: &'static str,
        /// The columns found.
        found: Vec<String>,
    },
    /// A split or list has no images.
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
        /// How many class names there are.
        classes: usize,
    },
    /// Labels are numbers, and nothing gives the names of their classes.
    #[error(
        "{}: its labels are numbers without names; add a column class_name or give a file of class \
         names, one per line", file.display()
    )]
    NamelessLabels {
        /// The file.
        file: PathBuf,
    },
    /// A label is skipped: higher ones occur, but no image has it.
    #[error(
        "{}: no entry has label {label}, but labels go up to {highest}; labels must count \
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
    /// One label has two names.
    #[error("{}: {at}: label {label} is called {second:?} here but {first:?} earlier", file.display())]
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
    /// Two labels share a name; a text encoder cannot tell them apart.
    #[error(
        "{}: {at}: the name {name:?} belongs to label {second} here but to label {first} earlier",
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
    /// Two classes have names that CLIP cannot tell apart.
    #[error(
        "{}: {at}: the class names {first:?} and {second:?} differ only in case, white space or \
         underscores, so CLIP reads the same text for both and never answers the second; rename \
         one of them", file.display()
    )]
    SameNames {
        /// The file or folder.
        file: PathBuf,
        /// Line, entry or folder of the second.
        at: String,
        /// The earlier name.
        first: String,
        /// The later name.
        second: String,
    },
    /// A file is an image of two classes, because links lead to it.
    #[error(
        "{}: is the same file as {}, through a symbolic link, but in another class; an image has \
         one class: remove one of the links", second.display(), first.display()
    )]
    FileInTwoClasses {
        /// Its path in one class.
        first: PathBuf,
        /// Its path in the other.
        second: PathBuf,
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
        "{}: has no subfolders with images and therefore no classes; expected one folder of images \
         per class, or folders train, val and test with one each", folder.display()
    )]
    NoClasses {
        /// The folder.
        folder: PathBuf,
    },
    /// A class folder has no images.
    #[error("{}: this class folder has no images; add some or remove it", folder.display())]
    EmptyClass {
        /// The folder.
        folder: PathBuf,
    },
    /// Parts and another folder are side by side.
    #[error(
        "{}: the folders {} look like parts, with class folders in them, but {other:?} beside them is \
         none (train, val, test); move it elsewhere", folder.display(), parts.join(", ")
    )]
    PartsAmongClasses {
        /// The folder.
        folder: PathBuf,
        /// The subfolders that look like parts.
        parts: Vec<String>,
        /// The first that does not.
        other: String,
    },
    /// Two folders are the same part, such as `val` and `validation`.
    #[error("{}: is a second folder of {part} images; merge the two", folder.display())]
    TwoFolders {
        /// The second one.
        folder: PathBuf,
        /// The part.
        part: Part,
    },
    /// Some of the images that are needed are missing.
    #[error("{}", describe_missing(*part, *wanted, missing, unreadable))]
    MissingImages {
        /// The part they belong to.
        part: Part,
        /// How many images are needed.
        wanted: usize,
        /// Files that do not exist.
        missing: NameList,
        /// Files whose folder cannot be read for lack of permission.
        unreadable: NameList,
    },
    /// All images that are needed are missing.
    #[error("none of the {wanted} {part} images exists; check the data folder")]
    NothingLeft {
        /// The part.
        part: Part,
        /// How many images are needed.
        wanted: usize,
    },
    /// Training and evaluation need at least two classes.
    #[error(
        "{name}: has {} ({}); at least two are needed, because with one class every answer is right",
        count_of(classes.len()), classes.join(", ")
    )]
    TooFewClasses {
        /// The data set.
        name: String,
        /// Its classes.
        classes: Vec<String>,
    },
    /// Half of the classes was asked for, but there are fewer than two.
    #[error("{name}: base and novel classes need at least two classes")]
    NoNovelClasses {
        /// The data set.
        name: String,
    },
    /// A part has no images.
    #[error("{name}: has no {part} images")]
    EmptyPart {
        /// The data set.
        name: String,
        /// The part.
        part: Part,
    },
    /// A loader was asked for batches of size 0.
    #[error("the batch size is 0; expected at least 1")]
    ZeroBatch,
    /// The settings of the augmentation are invalid.
    #[error("augmentation: {0}")]
    Augment(String),
    /// The worker threads could not be started.
    #[error("cannot start {threads} threads to load images: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The operating system's error.
        reason: String,
    },
    /// Images could not be decoded; each error names its file.
    #[error("{}", describe_images(.0))]
    Images(Vec<ImageError>),
    /// Images cannot be decoded; each error names its file.
    #[error("{}", describe_undecodable(*wanted, errors))]
    Undecodable {
        /// How many images are needed.
        wanted: usize,
        /// Why each cannot be decoded.
        errors: Vec<ImageError>,
    },
    /// None of the images that are needed can be decoded.
    #[error("none of the {wanted} images can be decoded: {first}")]
    NoneDecodable {
        /// How many images are needed.
        wanted: usize,
        /// Why the first cannot be decoded.
        first: Box<ImageError>,
    },
}

impl DataError {
    /// The error that a file or folder cannot be read, for `map_err`.
    pub(crate) fn read(path: &Path) -> impl Fn(std::io::Error) -> Self {
        |reason| Self::Read {
            path: path.to_path_buf(),
            reason,
        }
    }
}

/// The first few of some file names, and the count of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameList {
    names: Vec<PathBuf>,
    count: usize,
}

impl NameList {
    /// Counts a file, and keeps its name if it is one of the first few.
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

    /// The first few of them.
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
            "{count} of the {wanted} {part} images are in folders without read \
             permission:{unreadable}\n"
        );
    }
    message + "restore them, or continue without them (--allow-missing)"
}

fn describe_images(errors: &[ImageError]) -> String {
    match errors {
        [one] => one.to_string(),
        many => format!("{} images cannot be used:{}", many.len(), listed(many)),
    }
}

fn describe_undecodable(wanted: usize, errors: &[ImageError]) -> String {
    format!(
        "{} of the {wanted} images cannot be decoded:{}\nreplace them, or continue without them \
         (--allow-unreadable)",
        errors.len(),
        listed(errors)
    )
}

/// The first few of these errors, a line each, and the count of the others.
pub(crate) fn listed(errors: &[ImageError]) -> String {
    let mut text = String::new();
    for error in errors.iter().take(IMAGES_SPELLED_OUT) {
        text += &format!("\n  {error}");
    }
    match errors.len().saturating_sub(IMAGES_SPELLED_OUT) {
        0 => text,
        more => text + &format!("\n  and {more} more"),
    }
}

fn count_of(classes: usize) -> String {
    match classes {
        0 => "no classes".into(),
        1 => "one class".into(),
        n => format!("{n} classes"),
    }
}
