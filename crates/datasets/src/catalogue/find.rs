//! The data set of a name or a folder.

use std::path::Path;

use super::entries::CATALOGUE;
use super::set::CatalogueSet;

impl CatalogueSet {
    /// The data set of that name: the reference's, the paper's or the folder's, in any case, with or
    /// without punctuation.
    ///
    /// ```
    /// use promptsrc_datasets::CatalogueSet;
    ///
    /// for name in ["OxfordFlowers", "flowers102", "oxford_flowers", "Oxford Flowers"] {
    ///     assert_eq!(CatalogueSet::find(name).map(|set| set.folder), Some("oxford_flowers"));
    /// }
    /// ```
    pub fn find(name: &str) -> Option<&'static CatalogueSet> {
        let name = plain(name);
        CATALOGUE.iter().find(|set| {
            [set.name, set.published_name, set.folder]
                .iter()
                .any(|known| plain(known) == name)
                || set.aliases.contains(&name.as_str())
        })
    }

    /// The data set in a folder, recognised by the folder's name and contents.
    pub(crate) fn recognise(folder: &Path) -> Option<&'static CatalogueSet> {
        // By the given name, because a link may have the data set's name, or by the real one.
        let real = std::fs::canonicalize(folder).ok();
        let names = [Some(folder), real.as_deref()]
            .into_iter()
            .flatten()
            .filter_map(|path| path.file_name()?.to_str());
        names
            .filter_map(|name| CATALOGUE.iter().find(|set| set.folder == name))
            .find(|set| {
                // The first download is the images; other layouts of the same name have them elsewhere.
                let images = set.downloads.first();
                images.is_some_and(|images| folder.join(images.path).exists())
            })
    }
}

/// A name in lower case, without punctuation.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
