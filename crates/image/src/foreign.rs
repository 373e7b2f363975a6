//! What files are that are not images of a known format, for error messages.

/// Kinds of files by how they begin.
const BEGINNINGS: [(&[u8], &str); 13] = [
    (
        b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a",
        "a JPEG XL image; convert it to JPEG or PNG",
    ),
    (b"\xff\x0a", "a JPEG XL image; convert it to JPEG or PNG"),
    (
        b"\0\0\0\x0cjP  \x0d\x0a\x87\x0a",
        "a JPEG 2000 image; convert it to JPEG or PNG",
    ),
    (
        b"\xff\x4f\xff\x51",
        "a JPEG 2000 image; convert it to JPEG or PNG",
    ),
    (b"8BPS", "a Photoshop document; export it as JPEG or PNG"),
    (b"%PDF", "a PDF document; export its pages as JPEG or PNG"),
    (b"\0\0\x01\0", "an icon (ICO); convert it to PNG"),
    (
        b"\x1a\x45\xdf\xa3",
        "a video (Matroska or WebM); extract its frames as images",
    ),
    (
        b"\0\x05\x16\x07",
        "an AppleDouble file, which macOS leaves beside images; remove it",
    ),
    (b"PK\x03\x04", "a ZIP archive; extract it"),
    (b"\x1f\x8b", "a gzip archive; extract it"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
];

/// How to convert a file of a phone.
const CONVERT: &str = "convert it to JPEG, for example with `heif-convert IN OUT.jpg` or `magick IN \
                       OUT.jpg`";

/// What bytes of no known format look like.
pub(crate) fn describe(bytes: &[u8]) -> String {
    if let Some(kind) = media(bytes) {
        return kind;
    }
    if let Some((_, kind)) = BEGINNINGS
        .iter()
        .find(|(start, _)| bytes.starts_with(start))
    {
        return kind.to_string();
    }
    let head: Vec<u8> = bytes.iter().copied().take(512).collect();
    let text = String::from_utf8_lossy(&head);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let start = start.to_ascii_lowercase();
    let begins = |with: &str| start.starts_with(with);
    let kind = if begins("<!doctype html") || begins("<html") {
        "an HTML page (a failed download?)"
    } else if begins("<svg") || ((begins("<?xml") || begins("<!")) && start.contains("<svg")) {
        "an SVG drawing; render it as PNG"
    } else if begins("<?xml") {
        "an XML document (a failed download?)"
    } else if begins("version https://git-lfs") {
        "a Git LFS pointer (run `git lfs pull`)"
    } else if !text.contains('\u{fffd}') && !text.contains('\0') {
        "text"
    } else if head.iter().all(|b| *b == 0) {
        "zeros only"
    } else {
        "unknown data"
    };
    let first: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("{kind}, beginning with bytes {}", first.join(" "))
}

/// Images and videos in ISO media files, told by the brands of their `ftyp` box, and AVI videos.
fn media(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ") {
        return Some("a video (AVI); extract its frames as images".into());
    }
    if bytes.get(4..8) != Some(b"ftyp") {
        return None;
    }
    let size = bytes
        .first_chunk()
        .map_or(0, |size| u32::from_be_bytes(*size));
    // The major brand, its version, then the compatible ones.
    let size = (size as usize).clamp(12, 512);
    let major = bytes.get(8..12);
    let others = bytes.get(16..size.min(bytes.len())).unwrap_or_default();
    let brands: Vec<&[u8]> = major.into_iter().chain(others.chunks_exact(4)).collect();
    let has = |known: &[&[u8; 4]]| {
        let known = |brand: &&[u8]| known.iter().any(|own| brand == &own.as_slice());
        brands.iter().any(known)
    };
    Some(if has(&[b"avif", b"avis"]) {
        format!("an AVIF image; {CONVERT}")
    } else if has(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
    ]) {
        format!("an HEIC image, as phones take them; {CONVERT}")
    } else if has(&[b"mif1", b"msf1", b"mif2", b"miaf"]) {
        format!("an HEIF image; {CONVERT}")
    } else if has(&[b"crx "]) {
        "a raw image of a Canon camera (CR3); develop it to JPEG".into()
    } else {
        "a video (MP4 or QuickTime); extract its frames as images".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ftyp(major: &[u8; 4], others: &[&[u8; 4]]) -> Vec<u8> {
        let size = 16 + 4 * others.len() as u32;
        let mut bytes = size.to_be_bytes().to_vec();
        bytes.extend(b"ftyp");
        bytes.extend(major);
        bytes.extend([0; 4]);
        others.iter().for_each(|brand| bytes.extend(*brand));
        // The next box, which is not one of the brands.
        bytes.extend(b"\0\0\0\x10metaavifheic");
        bytes
    }

    #[test]
    fn media_are_named_by_their_brands() {
        for (major, others, expected) in [
            (b"heic", &[b"mif1", b"heic"][..], "an HEIC image"),
            (b"mif1", &[b"heic"], "an HEIC image"),
            (b"heix", &[], "an HEIC image"),
            (b"avif", &[b"mif1", b"miaf"], "an AVIF image"),
            (b"mif1", &[b"avif"], "an AVIF image"),
            (b"mif1", &[], "an HEIF image"),
            (b"isom", &[b"mp41"], "a video"),
            (b"qt  ", &[], "a video"),
        ] {
            let found = describe(&ftyp(major, others));
            assert!(found.starts_with(expected), "{found}");
        }
        assert!(describe(b"\0\0\0\x0cftypheic").starts_with("an HEIC image"));
        assert!(describe(b"\0\0\0\x0cftyp").starts_with("a video"));
    }

    #[test]
    fn other_files_are_named_by_how_they_begin() {
        for (bytes, expected) in [
            (&b"<svg xmlns='x'/>"[..], "an SVG"),
            (b"<?xml version='1.0'?>\n<svg/>", "an SVG"),
            (b"<?xml version='1.0'?><Error/>", "an XML document"),
            (b"\n<!DOCTYPE html>", "an HTML page"),
            (b"version https://git-lfs.github.com/spec/v1", "a Git LFS"),
            (b"\xff\x0a\x01", "a JPEG XL image"),
            (b"%PDF-1.7", "a PDF"),
            (b"RIFF\0\0\0\0AVI LIST", "a video (AVI)"),
            (b"hello", "text, beginning with bytes 68 65"),
            (b"\0\0\0", "zeros only"),
            (b"\x01\xff\x02", "unknown data"),
        ] {
            let found = describe(bytes);
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
