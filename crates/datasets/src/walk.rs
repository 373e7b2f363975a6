//! The images below a folder: each real file once, wherever symbolic links lead.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::folders::{self, Listing};

/// The images below a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderImages {
    /// The images, sorted. Of a file that several links lead to, only one path is listed.
    pub images: Vec<PathBuf>,
    /// Folders that were passed over: hidden ones, those that systems and programs leave (such as
    /// `__MACOSX`), and links that lead back to a folder they are in.
    pub passed_over: Vec<PathBuf>,
}

/// The images below a folder, each real file once. Links to other folders are followed.
///
/// # Errors
/// [`DataError`] if a folder cannot be read.
pub fn images_below(folder: &Path) -> Result<FolderImages, DataError> {
    let mut walk = Walk::new(&Root::new(folder)?, folder);
    let found = walk.images()?;
    Ok(FolderImages {
        images: found.into_iter().map(|found| found.path).collect(),
        passed_over: walk.passed_over,
    })
}

/// An image that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// Its real path where that is another one, because of a link on the way to it.
    pub(crate) real: Option<PathBuf>,
}

/// The folder of a data set.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    given: PathBuf,
    real: PathBuf,
}

impl Root {
    pub(crate) fn new(folder: &Path) -> Result<Self, DataError> {
        Ok(Self {
            given: folder.to_path_buf(),
            real: real(folder)?,
        })
    }

    /// The real path of a file or folder below it, if no link is on the way.
    fn plain(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.given) {
            Ok(inner) if !inner.as_os_str().is_empty() => self.real.join(inner),
            Ok(_) => self.real.clone(),
            Err(_) => path.to_path_buf(),
        }
    }

    /// The real path of an image.
    pub(crate) fn real_path(&self, found: &Found) -> PathBuf {
        match &found.real {
            Some(real) => real.clone(),
            None => self.plain(&found.path),
        }
    }

    /// Whether a link leads back to a folder that it is in, or that the data set is in.
    pub(crate) fn leads_back(&self, link: &Path) -> Result<bool, DataError> {
        let target = real(link)?;
        let here = real(link.parent().unwrap_or(link))?;
        Ok(here.starts_with(&target) || self.real.starts_with(&target))
    }
}

fn real(path: &Path) -> Result<PathBuf, DataError> {
    std::fs::canonicalize(path).map_err(DataError::read(path))
}

/// A walk through a folder and its subfolders. Links are followed last, so that a file that is
/// reached in both ways has the path without links.
pub(crate) struct Walk {
    root: Root,
    /// Real folders that were read.
    visited: HashSet<PathBuf>,
    open: Vec<PathBuf>,
    links: BTreeSet<PathBuf>,
    /// Images of folders that were read, not yet returned.
    images: Vec<Found>,
    pub(crate) passed_over: Vec<PathBuf>,
    /// Files that do not have the extension of an image.
    pub(crate) ignored: usize,
}

impl Walk {
    /// A walk through `folder`, which is in the data set's folder `root`.
    pub(crate) fn new(root: &Root, folder: &Path) -> Self {
        Self {
            root: root.clone(),
            visited: HashSet::new(),
            open: vec![folder.to_path_buf()],
            links: BTreeSet::new(),
            images: Vec::new(),
            passed_over: Vec::new(),
            ignored: 0,
        }
    }

    /// All images, sorted by path.
    pub(crate) fn images(&mut self) -> Result<Vec<Found>, DataError> {
        while self.step()? {}
        let mut found = std::mem::take(&mut self.images);
        if found.iter().any(|found| found.real.is_some()) {
            // Those without a link first.
            found.sort_by(|a, b| (a.real.is_some(), &a.path).cmp(&(b.real.is_some(), &b.path)));
            let mut seen = HashSet::new();
            found.retain(|found| seen.insert(self.root.real_path(found)));
        }
        found.sort();
        self.passed_over.sort();
        Ok(found)
    }

    /// Whether there is any image; stops at the first.
    pub(crate) fn has_images(&mut self) -> Result<bool, DataError> {
        while self.images.is_empty() {
            if !self.step()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the next folder; false where none is left.
    fn step(&mut self) -> Result<bool, DataError> {
        let (folder, here) = match self.open.pop() {
            // No link is on the way to it, but perhaps to the folder that the walk begins with. The system
            // would look at each folder on the way, which takes long where there are many.
            Some(folder) if !self.visited.is_empty() => {
                let here = self.root.plain(&folder);
                (folder, here)
            }
            other => {
                let Some(folder) = other.or_else(|| self.links.pop_first()) else {
                    return Ok(false);
                };
                let here = real(&folder)?;
                (folder, here)
            }
        };
        if !self.visited.insert(here.clone()) {
            return Ok(true);
        }
        let is_linked = here != self.root.plain(&folder);
        let Listing {
            folders,
            linked_folders,
            files,
            passed_over,
        } = folders::list(&folder)?;
        let inner = |name| folder.join(name);
        self.passed_over.extend(passed_over.into_iter().map(inner));
        match is_linked {
            true => self.links.extend(folders.into_iter().map(inner)),
            false => self.open.extend(folders.into_iter().map(inner)),
        }
        for link in linked_folders.into_iter().map(inner) {
            match self.root.leads_back(&link)? {
                true => self.passed_over.push(link),
                false => _ = self.links.insert(link),
            }
        }
        for (name, is_link) in files {
            let path = folder.join(&name);
            if !folders::is_image(&path) {
                self.ignored += 1;
                continue;
            }
            let real = match (is_link, is_linked) {
                // A broken link is a missing image, under its own name.
                (true, _) => real(&path).ok(),
                (false, true) => Some(here.join(name)),
                (false, false) => None,
            };
            self.images.push(Found { path, real });
        }
        Ok(true)
    }
}
