//! PyTorch files: the goldens, files written by hand, and damaged ones.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use promptsrc_goldens::{Group, Tensors};
use promptsrc_pickle::{DType, TorchFile, TorchFileError, TorchFileKind};
use proptest::prelude::*;

/// All files below a folder of goldens that are zip archives.
fn archives(relative: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"PK")) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&promptsrc_goldens::path(relative), &mut found);
    found.sort();
    found
}

fn floats(file: &TorchFile, name: &str) -> Vec<f64> {
    let info = file
        .tensors()
        .get(name)
        .unwrap_or_else(|| panic!("no tensor {name}"));
    let bytes = file.read(info).unwrap();
    assert_eq!(bytes.len(), info.elements() * info.dtype().size());
    match info.dtype() {
        DType::F32 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b).into())
            .collect(),
        DType::F16 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|b| half::f16::from_le_bytes(*b).into())
            .collect(),
        DType::I64 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|b| i64::from_le_bytes(*b) as f64)
            .collect(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn parity_torch_archives_hold_the_tensors_of_the_safetensors_file() {
    if !promptsrc_goldens::has("formats") {
        return;
    }
    let mut group = Group::new("torch archives");
    let safetensors = promptsrc_goldens::list("formats")
        .into_iter()
        .find(|name| name.ends_with(".safetensors") && name != "expected.safetensors")
        .expect("formats has a safetensors file");
    let expected = Tensors::read(Path::new("formats").join(&safetensors));
    for path in archives("formats") {
        let file = TorchFile::open(&path).unwrap();
        let prefix = file
            .tensors()
            .keys()
            .find_map(|name| name.strip_suffix("visual.proj"))
            .unwrap_or_else(|| panic!("{}: no visual.proj", path.display()));
        for name in expected.names() {
            let full = format!("{prefix}{name}");
            let case = format!("{}: {full}", path.display());
            group.equal(
                &format!("{case} shape"),
                &file.tensors()[&full].shape(),
                &&*expected.get(name).shape,
            );
            group.absolute(&case, &floats(&file, &full), &expected.get(name).data, 0.0);
        }
    }
    group.finish(1);
}

#[test]
fn parity_a_checkpoint_with_live_objects_opens() {
    if !promptsrc_goldens::has("checkpoint") {
        return;
    }
    let mut group = Group::new("checkpoint");
    let description = promptsrc_goldens::json("checkpoint/checkpoint.json");
    let path = promptsrc_goldens::path("checkpoint").join(description["file"].as_str().unwrap());
    let file = TorchFile::open(&path).unwrap();
    assert_eq!(file.kind(), TorchFileKind::Archive);
    assert_eq!(file.pickle().code(), None);
    group.equal(
        "epoch",
        &file.root().get("epoch").and_then(|node| node.as_int()),
        &description["top_level"]["epoch"].as_i64(),
    );
    let names: BTreeMap<_, _> = file
        .tensors()
        .iter()
        .filter_map(|(name, info)| Some((name.strip_prefix("state_dict.")?, info)))
        .collect();
    let state = description["state_dict"].as_object().unwrap();
    group.equal("number of tensors", &names.len(), &state.len());
    for (name, description) in state {
        let info = names
            .get(&**name)
            .unwrap_or_else(|| panic!("no tensor {name}"));
        let dtype = match info.dtype() {
            DType::F16 => "float16",
            DType::F32 => "float32",
            _ => "other",
        };
        group.equal(name, &Some(dtype), &description[0].as_str());
        let shape: Vec<_> = promptsrc_goldens::numbers(&description[1])
            .iter()
            .map(|n| *n as usize)
            .collect();
        group.equal(name, &info.shape(), &&*shape);
    }
    let expected = Tensors::read("checkpoint/expected.safetensors");
    for name in expected.below("prompt/") {
        group.absolute(
            name,
            &floats(&file, &format!("state_dict.{name}")),
            &expected.get(&format!("prompt/{name}")).data,
            0.0,
        );
    }
    group.finish(1);
}

/// A zip archive of stored entries in the folder `m`.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file(format!("m/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// `{"x": tensor}` of storage `0`, as torch writes it.
fn tensor_pickle(storage: &str, elements: u8, offset: u8, shape: &[u8], stride: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n".to_vec();
    bytes.extend(storage.as_bytes());
    bytes.extend(b"\nX\x01\x00\x00\x000X\x06\x00\x00\x00cuda:0");
    bytes.extend([b'K', elements, b't', b'Q', b'K', offset]);
    for sizes in [shape, stride] {
        bytes.push(b'(');
        for size in sizes {
            bytes.extend([b'K', *size]);
        }
        bytes.push(b't');
    }
    bytes.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    bytes
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[test]
fn transposed_and_offset_tensors_are_made_contiguous() {
    let data = f32s(&[9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let pickle = tensor_pickle("FloatStorage", 7, 1, &[3, 2], &[1, 3]);
    let file = TorchFile::from_bytes("a.pt", archive(&[("data.pkl", &pickle), ("data/0", &data)]))
        .unwrap();
    assert_eq!(floats(&file, "x"), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);

    let pickle = tensor_pickle("FloatStorage", 7, 0, &[2, 2], &[0, 1]);
    let file = TorchFile::from_bytes("a.pt", archive(&[("data.pkl", &pickle), ("data/0", &data)]))
        .unwrap();
    assert_eq!(floats(&file, "x"), [9.0, 1.0, 9.0, 1.0]);
}

#[test]
fn a_tensor_beyond_its_storage_is_named() {
    let data = f32s(&[1.0; 6]);
    for (elements, offset, shape, stride) in [
        (6, 1, &[3u8, 2][..], &[2u8, 1][..]),
        (6, 0, &[3, 3], &[3, 1]),
        (6, 0, &[2, 2], &[200, 1]),
        (7, 0, &[1], &[1]),
        (6, 0, &[2, 2], &[1]),
        (6, 7, &[], &[]),
    ] {
        let pickle = tensor_pickle("FloatStorage", elements, offset, shape, stride);
        let error =
            TorchFile::from_bytes("a.pt", archive(&[("data.pkl", &pickle), ("data/0", &data)]))
                .unwrap_err();
        assert!(
            matches!(&error, TorchFileError::Tensor { tensor, .. } if tensor == "x"),
            "{error}"
        );
    }
}

#[test]
fn unsupported_element_types_are_named() {
    let pickle = tensor_pickle("ComplexFloatStorage", 1, 0, &[1], &[1]);
    let error = TorchFile::from_bytes(
        "a.pt",
        archive(&[("data.pkl", &pickle), ("data/0", &[0; 8])]),
    )
    .unwrap_err();
    assert!(error.to_string().contains("ComplexFloatStorage"), "{error}");
}

#[test]
fn errors_about_other_archives_say_what_is_missing() {
    let error = TorchFile::from_bytes("a.pt", archive(&[("readme", b"hello")])).unwrap_err();
    assert!(matches!(error, TorchFileError::NoEntry { .. }), "{error}");
    let pickle = tensor_pickle("FloatStorage", 1, 0, &[1], &[1]);
    let error = TorchFile::from_bytes("a.pt", archive(&[("data.pkl", &pickle)])).unwrap_err();
    assert!(
        error.to_string().contains("storage 0 is not in the file"),
        "{error}"
    );
    let error = TorchFile::from_bytes(
        "a.pt",
        archive(&[
            ("data.pkl", &pickle),
            ("byteorder", b"big"),
            ("data/0", &[0; 4]),
        ]),
    )
    .unwrap_err();
    assert!(matches!(error, TorchFileError::BigEndian { .. }), "{error}");
}

#[test]
fn errors_about_other_files_say_what_they_are() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"<!DOCTYPE html>", "<!DOCTYPE"),
        (b"\x80\x02}.", "plain pickle"),
        (
            b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.",
            "os.system",
        ),
        (b"cos\nsystem\n(S'ls'\ntR.", "os.system"),
        (b"PK\x03\x04", "damaged or cut off"),
    ] {
        let error = TorchFile::from_bytes("a.pt", bytes.to_vec())
            .unwrap_err()
            .to_string();
        assert!(error.contains(word) && error.contains("a.pt"), "{error}");
    }
    let error = TorchFile::open("/nonexistent/a.pt").unwrap_err();
    assert!(matches!(error, TorchFileError::Io { .. }), "{error}");
    assert!(TorchFile::open(std::env::temp_dir()).is_err());
}

/// What PyTorch before 1.6 wrote for `{"x": torch.tensor([[1., 2.], [3., 4.]])}`.
fn legacy() -> Vec<u8> {
    let mut bytes =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    bytes.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    bytes.extend(b"\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x02\x00\x00\x0042X\x03\x00\x00\x00cpuK\x04NtQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtRs.");
    bytes.extend(b"\x80\x02]X\x02\x00\x00\x0042a.");
    bytes.extend(4u64.to_le_bytes());
    bytes.extend(f32s(&[1.0, 2.0, 3.0, 4.0]));
    bytes
}

#[test]
fn files_from_before_pytorch_1_6_open() {
    let file = TorchFile::from_bytes("old.pt", legacy()).unwrap();
    assert_eq!(file.kind(), TorchFileKind::Legacy);
    assert_eq!(file.tensors()["x"].shape(), [2, 2]);
    assert_eq!(floats(&file, "x"), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_cut_legacy_file_is_an_error() {
    let bytes = legacy();
    for length in 0..bytes.len() {
        assert!(
            TorchFile::from_bytes("old.pt", bytes[..length].to_vec()).is_err(),
            "cut to {length}"
        );
    }
}

#[test]
fn tensors_of_doubling_lists_end_in_an_error() {
    let pickle = common::doubling_lists();
    let error = TorchFile::from_bytes("a.pt", archive(&[("data.pkl", &pickle)])).unwrap_err();
    assert!(matches!(error, TorchFileError::Entangled { .. }), "{error}");
}

#[test]
fn a_module_saved_whole_has_the_names_of_its_state_dictionary() {
    let mut pickle = b"\x80\x02cm\nM\n)\x81}X\x08\x00\x00\x00_modules}X\x03\x00\x00\x00fc1cm\nL\n)\x81}X\x0b\x00\x00\x00_parameters".to_vec();
    pickle.extend(
        tensor_pickle("FloatStorage", 1, 0, &[1], &[1])
            .strip_prefix(b"\x80\x02")
            .unwrap()
            .strip_suffix(b".")
            .unwrap(),
    );
    pickle.extend(b"sbssb.");
    let file = TorchFile::from_bytes(
        "a.pt",
        archive(&[("data.pkl", &pickle), ("data/0", &[0; 4])]),
    )
    .unwrap();
    assert_eq!(file.tensors().keys().collect::<Vec<_>>(), ["fc1.x"]);
}

fn try_all(bytes: Vec<u8>) {
    if let Ok(file) = TorchFile::from_bytes("a.pt", bytes) {
        for info in file.tensors().values() {
            let _ = file.read(info);
        }
    }
}

proptest! {
    #[test]
    fn changed_archives_open_or_fail_without_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let pickle = tensor_pickle("FloatStorage", 6, 0, &[3, 2], &[2, 1]);
        let mut bytes = archive(&[("data.pkl", &pickle), ("byteorder", b"little"), ("data/0", &f32s(&[1.0; 6]))]);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        try_all(bytes);
    }

    #[test]
    fn archives_with_a_changed_pickle_open_or_fail_without_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut pickle = tensor_pickle("FloatStorage", 6, 0, &[3, 2], &[2, 1]);
        for (place, byte) in changes {
            let place = place.index(pickle.len());
            pickle[place] = byte;
        }
        try_all(archive(&[("data.pkl", &pickle), ("data/0", &f32s(&[1.0; 6]))]));
    }

    #[test]
    fn changed_legacy_files_open_or_fail_without_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = legacy();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        try_all(bytes);
    }
}
