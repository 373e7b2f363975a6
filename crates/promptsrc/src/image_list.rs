//! The fingerprint that identifies a list of images.

use std::path::Path;

use promptsrc_datasets::Item;

/// A fingerprint of a list of images: file names with their parent folders, labels and class names,
/// in order. The rest of the paths is left out, so that the images can be moved.
pub fn fingerprint(class_names: &[String], items: &[Item]) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in class_names {
        hasher.update(name.as_bytes()).update(&[0]);
    }
    for item in items {
        let folder = item
            .path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default();
        let name = item.path.file_name().unwrap_or_default();
        hasher.update(folder.as_encoded_bytes()).update(b"/");
        hasher
            .update(name.as_encoded_bytes())
            .update(&(item.label as u64).to_le_bytes());
    }
    hasher.finalize().to_hex().as_str()[..16].to_string()
}
