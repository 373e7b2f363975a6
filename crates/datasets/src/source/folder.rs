//! A folder with a subfolder per class, or with such folders `train`, `val` and `test`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::SPELLED_OUT;
use crate::walk::{Found, Root, Walk};
use crate::{DataError, Dataset, Item, Part, Report, class_names, folders, hash_split, same_names};

/// The file that names the classes, in the data set's folder.
const CLASS_NAMES: &str = "classnames.txt";

/// The images of each class folder.
type ClassFolders = BTreeMap<OsString, Vec<Found>>;

/// Reads the folder. Classes are numbered in the sorted order of their folders' names (in numeric
/// order if all names are numbers); images are sorted by path. `wrappers` are the folders around it
/// that belong to the data set, the innermost last.
pub(super) fn read(
    folder: &Path,
    wrappers: &[PathBuf],
    names: Option<&Path>,
    report: &mut Report,
) -> Result<Dataset, DataError> {
    report.source = format!("folder {}", folder.display());
    report.images = folder.to_path_buf();
    let root = Root::new(folder)?;
    let mut passed_over = PassedOver::default();
    let top = subfolders(&root, folder, &mut passed_over)?;
    // Only if all subfolders are parts: a class may be called "train".
    let parts: Option<Vec<(Part, PathBuf)>> = top
        .iter()
        .map(|name| Some((name.to_str()?.parse().ok()?, folder.join(name))))
        .collect();

    if parts.is_none() {
        refuse_parts_among_classes(&root, folder, &top)?;
    }
    let mut found: Vec<(Option<Part>, ClassFolders)> = Vec::new();
    let divided = parts.is_none();
    match parts {
        Some(parts) => {
            for (part, folder) in parts {
                let class_folders = subfolders(&root, &folder, &mut passed_over)?;
                let classes = read_classes(&root, &folder, class_folders, &mut passed_over)?;
                if found.iter().any(|(p, _)| *p == Some(part)) {
                    return Err(DataError::TwoFolders { folder, part });
                }
                found.push((Some(part), classes));
            }
        }
        None => {
            let classes = read_classes(&root, folder, top, &mut passed_over)?;
            found.push((None, classes));
        }
    }
    passed_over.report(folder, report);
    check_links(&root, &found, report)?;

    let class_folders = numbered(
        found
            .iter()
            .flat_map(|(_, classes)| classes.keys())
            .collect(),
    );
    let mut dataset = Dataset {
        class_names: names_of(folder, wrappers, names, &class_folders, report)?,
        ..Dataset::default()
    };
    let items = |label: usize, classes: &mut ClassFolders| -> Vec<Item> {
        let images = class_folders
            .get(label)
            .and_then(|folder| classes.remove(folder));
        images
            .unwrap_or_default()
            .into_iter()
            .map(|found| Item::new(found.path, label))
            .collect()
    };
    for (part, mut classes) in found {
        let by_label: Vec<Vec<Item>> = (0..class_folders.len())
            .map(|label| items(label, &mut classes))
            .collect();
        let Some(part) = part else {
            report.note(hash_split::NOTE);
            hash_split::divide(by_label, folder, &mut dataset);
            continue;
        };
        let absent = by_label.iter().filter(|items| items.is_empty()).count();
        if absent > 0 {
            let all = class_folders.len();
            report.note(format!(
                "{absent} of {all} classes have no folder in {part}"
            ));
        }
        *dataset.part_mut(part) = by_label.into_iter().flatten().collect();
    }
    if divided {
        return Ok(dataset);
    }
    if dataset.test.is_empty() && !dataset.val.is_empty() {
        dataset.test = dataset.val.clone();
        report.note("there is no test folder: the validation images are used for testing too");
    } else if dataset.val.is_empty() && !dataset.test.is_empty() && !dataset.train.is_empty() {
        dataset.val = dataset.test.clone();
        report.note("there is no validation folder: the test images are used for validation too");
    }
    Ok(dataset)
}

/// Fails where several subfolders are called like parts and hold folders, as parts do, but another
/// one is not: all of them would be read as classes.
fn refuse_parts_among_classes(
    root: &Root,
    folder: &Path,
    subfolders: &[OsString],
) -> Result<(), DataError> {
    let is_part = |name: &&OsString| name.to_str().is_some_and(|n| n.parse::<Part>().is_ok());
    let (parts, others): (Vec<&OsString>, Vec<&OsString>) = subfolders.iter().partition(is_part);
    let mut nested = Vec::new();
    for name in parts {
        let path = folder.join(name);
        let images = Walk::new(root, &path).images()?;
        if images
            .iter()
            .all(|found| found.path.parent() != Some(&path))
        {
            nested.push(name.to_string_lossy().into_owned());
        }
    }
    match others.first() {
        Some(other) if nested.len() > 1 => Err(DataError::PartsAmongClasses {
            folder: folder.to_path_buf(),
            parts: nested,
            other: other.to_string_lossy().into_owned(),
        }),
        _ => Ok(()),
    }
}

/// A folder that only wraps another one.
pub(super) struct Wrapper {
    /// The folder inside.
    pub(super) inner: PathBuf,
    folder: PathBuf,
    passed_over: PassedOver,
}

impl Wrapper {
    /// Says what was done.
    pub(super) fn report(self, report: &mut Report) {
        report.note(format!(
            "{} contains a single folder, which contains folders: the data set is read from {}",
            self.folder.display(),
            self.inner.display()
        ));
        self.passed_over.report(&self.folder, report);
    }
}

/// The folder as a wrapper, if all of its images are in subfolders of one subfolder, which is no part.
pub(super) fn wrapper(folder: &Path) -> Result<Option<Wrapper>, DataError> {
    let root = Root::new(folder)?;
    let mut passed_over = PassedOver::default();
    let top = subfolders(&root, folder, &mut passed_over)?;
    let [only] = top.as_slice() else {
        return Ok(None);
    };
    let inner = folder.join(only);
    let is_part = only
        .to_str()
        .is_some_and(|name| name.parse::<Part>().is_ok());
    let holds_images = || -> Result<bool, DataError> {
        let files = folders::list(&inner)?.files;
        Ok(files
            .iter()
            .any(|(name, _)| folders::is_image(name.as_ref())))
    };
    if is_part || holds_images()? {
        return Ok(None);
    }
    Ok(Some(Wrapper {
        inner,
        folder: folder.to_path_buf(),
        passed_over,
    }))
}

/// The names of the class folders in the order of their labels.
fn numbered(names: BTreeSet<&OsString>) -> Vec<OsString> {
    let mut names: Vec<OsString> = names.into_iter().cloned().collect();
    let number = |name: &OsString| name.to_str().and_then(|n| n.parse::<u64>().ok());
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by_key(number);
    }
    names
}

/// The class names: from the given file, from `classnames.txt` in the data set's folder, or those of
/// the class folders, with spaces for underscores.
fn names_of(
    folder: &Path,
    wrappers: &[PathBuf],
    file: Option<&Path>,
    folders: &[OsString],
    report: &mut Report,
) -> Result<Vec<String>, DataError> {
    let folders: Vec<String> = folders
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let own = || {
        let places = std::iter::once(folder).chain(wrappers.iter().rev().map(PathBuf::as_path));
        let mut files = places.map(|place| place.join(CLASS_NAMES));
        files.find(|file| file.is_file())
    };
    if let Some(file) = file.map(Path::to_path_buf).or_else(own) {
        report.name_classes(&file);
        return class_names::by_folder(&file, &folders, report);
    }
    let outermost = wrappers.first().map_or(folder, PathBuf::as_path);
    let outside = std::fs::canonicalize(outermost).ok();
    let outside = outside.as_deref().and_then(Path::parent);
    if let Some(file) = outside.map(|above| above.join(CLASS_NAMES))
        && file.is_file()
    {
        report.note(format!(
            "{} is not used, because it is outside of the data folder: if it names these classes, \
             give it as the file of class names (--class-names)",
            file.display()
        ));
    }
    let names: Vec<String> = folders.iter().map(|name| name.replace('_', " ")).collect();
    if let Some((first, second)) = same_names(&names).first().copied() {
        let name = |place: usize| folders.get(place).cloned().unwrap_or_default();
        return Err(DataError::SameNames {
            file: folder.to_path_buf(),
            at: "two class folders".to_string(),
            first: name(first),
            second: name(second),
        });
    }
    Ok(names)
}

/// Folders that a person might expect to be read otherwise.
#[derive(Default)]
struct PassedOver {
    not_classes: Vec<PathBuf>,
    empty: Vec<PathBuf>,
    leading_back: Vec<PathBuf>,
    /// Broken links, perhaps to class folders.
    broken: Vec<PathBuf>,
    /// Images beside class folders.
    classless: Vec<PathBuf>,
    /// Class folders whose images are all in subfolders, of which there are several.
    nested: Vec<PathBuf>,
    /// Files that do not have the extension of an image.
    ignored: usize,
}

impl PassedOver {
    /// Enters the folders that a walk has passed over.
    fn add(&mut self, folders: Vec<PathBuf>) {
        for folder in folders {
            match folders::is_passed_over(folder.file_name().unwrap_or_default()) {
                true => self.not_classes.push(folder),
                false => self.leading_back.push(folder),
            }
        }
    }

    fn report(mut self, root: &Path, report: &mut Report) {
        report.ignored += self.ignored;
        let mut note = |folders: &mut Vec<PathBuf>, what: &str| {
            folders.sort();
            folders.dedup();
            if folders.is_empty() {
                return;
            }
            let names: Vec<String> = folders
                .iter()
                .take(SPELLED_OUT)
                .map(|path| {
                    path.strip_prefix(root)
                        .unwrap_or(path)
                        .display()
                        .to_string()
                })
                .collect();
            let more = match folders.len() - names.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            report.note(format!("{what}: {}{more}", names.join(", ")));
        };
        note(
            &mut self.not_classes,
            "passed over, because they are no class folders",
        );
        note(
            &mut self.empty,
            "passed over, because they contain no images (no file with an extension such as .jpg)",
        );
        note(
            &mut self.leading_back,
            "passed over, because these links lead back to a folder that they are in",
        );
        note(
            &mut self.broken,
            "passed over, because these links are broken",
        );
        note(
            &mut self.classless,
            "passed over, because these images are beside the class folders, in none of them",
        );
        note(
            &mut self.nested,
            "read as one class each, although their images are in several subfolders",
        );
    }
}

/// The names of a folder's subfolders that contain images, sorted.
fn subfolders(
    root: &Root,
    folder: &Path,
    passed_over: &mut PassedOver,
) -> Result<Vec<OsString>, DataError> {
    let listing = folders::list(folder)?;
    let mut names = Vec::new();
    for name in listing.all_folders() {
        let path = folder.join(&name);
        if listing.linked_folders.contains(&name) && root.leads_back(&path)? {
            passed_over.leading_back.push(path);
        } else if Walk::new(root, &path).has_images()? {
            names.push(name);
        } else {
            passed_over.empty.push(path);
        }
    }
    let inner = |name| folder.join(name);
    for (name, is_link) in listing.files {
        let path = folder.join(name);
        if folders::is_image(&path) {
            passed_over.classless.push(path);
        } else if is_link && !path.exists() {
            passed_over.broken.push(path);
        }
    }
    passed_over
        .not_classes
        .extend(listing.passed_over.into_iter().map(inner));
    match names.is_empty() {
        true => Err(DataError::NoClasses {
            folder: folder.to_path_buf(),
        }),
        false => Ok(names),
    }
}

/// The images of each class folder, sorted. Files beside the class folders, such as
/// `classnames.txt` or a README, do not count as ignored.
fn read_classes(
    root: &Root,
    folder: &Path,
    names: Vec<OsString>,
    passed_over: &mut PassedOver,
) -> Result<ClassFolders, DataError> {
    let mut classes = BTreeMap::new();
    for name in names {
        let class = folder.join(&name);
        let mut walk = Walk::new(root, &class);
        let images = walk.images()?;
        let subfolders: BTreeSet<Option<&Path>> = images
            .iter()
            .map(|found| found.path.parent().filter(|parent| *parent != class))
            .collect();
        if subfolders.len() > 1 && !subfolders.contains(&None) {
            passed_over.nested.push(class);
        }
        classes.insert(name, images);
        passed_over.ignored += walk.ignored;
        passed_over.add(walk.passed_over);
    }
    Ok(classes)
}

/// Fails if links make a file an image of two classes, and says if they make it one of two parts.
fn check_links(
    root: &Root,
    found: &[(Option<Part>, ClassFolders)],
    report: &mut Report,
) -> Result<(), DataError> {
    let all = || {
        found.iter().flat_map(|(part, classes)| {
            let each = classes.iter();
            each.flat_map(move |(class, images)| images.iter().map(move |i| (*part, class, i)))
        })
    };
    // Without a link every file is there once.
    if all().all(|(_, _, found)| found.real.is_none()) {
        return Ok(());
    }
    let mut seen: HashMap<PathBuf, (Option<Part>, &OsStr, &Path)> = HashMap::new();
    let mut twice = 0;
    for (part, class, found) in all() {
        let this = (part, class.as_os_str(), found.path.as_path());
        let Some((first_part, first_class, first)) = seen.insert(root.real_path(found), this)
        else {
            continue;
        };
        if first_class != class {
            return Err(DataError::FileInTwoClasses {
                first: first.to_path_buf(),
                second: found.path.clone(),
            });
        }
        // Validation and test may be the same.
        let is_train = |part| part == Some(Part::Train);
        twice += usize::from(is_train(first_part) || is_train(part));
    }
    if twice > 0 {
        report.note(format!(
            "{twice} images are in train and, through a symbolic link, in another part too"
        ));
    }
    Ok(())
}
