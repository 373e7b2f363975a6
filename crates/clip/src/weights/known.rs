//! The files that OpenAI published, which need no configuration: their settings are known.

use std::path::Path;

use sha2::{Digest, Sha256};

/// SHA-256 of OpenAI's vision transformers, as their addresses contain it.
const OPENAI: [&str; 4] = [
    // ViT-B/32
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    // ViT-B/16
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
    // ViT-L/14
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
    // ViT-L/14@336px
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
];

/// Whether a file is one that OpenAI published. A file that cannot be read is not.
pub(super) fn is_openai(path: &Path) -> bool {
    sha256(path).is_ok_and(|hash| OPENAI.contains(&hash.as_str()))
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut promptsrc_files::open_regular(path)?, &mut hasher)?;
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_sha256() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        assert_eq!(
            sha256(file.path()).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(!is_openai(file.path()));
    }
}
