//! The images that an adapter was trained on, known by what they contain.

use promptsrc_datasets::{Item, content_hashes};
use serde::{Deserialize, Serialize};

/// Hashes of the images of a training: 64 bits of the BLAKE3 hash of each file, in increasing order.
/// They know an image again wherever it lies and whatever it is called, and show nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct TrainedImages {
    hashes: Vec<u64>,
}

/// A text that is not one of the hashes of an adapter's record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 16 hexadecimal digits as the hash of a training image, found {0:?}")]
pub struct InvalidHash(String);

impl TrainedImages {
    /// The hashes of these images. Every file is read; one that cannot be is left out, because
    /// loading it fails.
    pub fn of(items: &[Item]) -> Self {
        Self::with_hashes(content_hashes(items).into_iter().flatten().collect())
    }

    /// Those with these hashes.
    pub fn with_hashes(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        Self { hashes }
    }

    /// How many different images there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether an image with this hash is one of them.
    pub fn contains(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }

    /// Whether nothing is known of the images, as in adapters that were converted from the reference.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// How many of these images were trained on. Every file is read.
    pub fn count_in(&self, items: &[Item]) -> usize {
        if self.is_empty() {
            return 0;
        }
        let hashes = content_hashes(items).into_iter().flatten();
        hashes.filter(|hash| self.contains(*hash)).count()
    }
}

impl From<TrainedImages> for Vec<String> {
    fn from(images: TrainedImages) -> Self {
        images
            .hashes
            .iter()
            .map(|hash| format!("{hash:016x}"))
            .collect()
    }
}

impl TryFrom<Vec<String>> for TrainedImages {
    type Error = InvalidHash;

    fn try_from(texts: Vec<String>) -> Result<Self, Self::Error> {
        let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let hash = |text: String| match u64::from_str_radix(&text, 16) {
            Ok(hash) if is_hash(&text) => Ok(hash),
            _ => Err(InvalidHash(text)),
        };
        let mut hashes: Vec<u64> = texts.into_iter().map(hash).collect::<Result<_, _>>()?;
        hashes.sort_unstable();
        Ok(Self { hashes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_content_alone() {
        let folder = tempfile::tempdir().unwrap();
        let item = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            Item::new(path, 0)
        };
        let trained = TrainedImages::of(&[item("a", "one"), item("b", "two"), item("c", "one")]);
        let tested = [item("d", "two"), item("e", "three"), item("a", "four")];
        assert_eq!(trained.count_in(&tested), 1);
        assert_eq!(TrainedImages::default().count_in(&tested), 0);
        let json = serde_json::to_string(&trained).unwrap();
        assert_eq!(json.matches('"').count(), 4, "{json}");
        assert_eq!(
            serde_json::from_str::<TrainedImages>(&json).unwrap(),
            trained
        );
        for wrong in [
            "[\"12\"]",
            "[\"000000000000000g\"]",
            "[\"+00000000000000f\"]",
        ] {
            assert!(
                serde_json::from_str::<TrainedImages>(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
