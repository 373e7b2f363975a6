//! Files as `torch.save` writes them: what is written is read again, bit by bit.

use promptsrc_pickle::{
    DType, Node, Saved, SavedTensor, TorchFile, TorchFileKind, TorchSaveError, Value, torch_save,
};
use proptest::prelude::*;

/// Where a stored entry's bytes begin, found by the local header that torch reads too.
fn starts(bytes: &[u8]) -> Vec<(String, usize)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
    (0..archive.len())
        .map(|index| {
            let file = archive.by_index_raw(index).expect("an entry");
            let name = file.name().expect("a name").into_owned();
            (name, file.data_start().expect("a place") as usize)
        })
        .collect()
}

fn same(node: Node<'_>, name: &str, value: &Saved, file: &TorchFile) {
    match value {
        Saved::None => assert!(node.is_none(), "{name}"),
        Saved::Bool(value) => assert_eq!(node.as_bool(), Some(*value), "{name}"),
        Saved::Int(value) => assert_eq!(node.as_int(), Some(*value), "{name}"),
        Saved::Float(value) => match node.value() {
            Value::Float(found) => assert_eq!(found.to_bits(), value.to_bits(), "{name}"),
            other => panic!("{name}: {other:?}"),
        },
        Saved::Str(value) => assert_eq!(node.as_str(), Some(value.as_str()), "{name}"),
        Saved::List(values) => {
            assert!(matches!(node.value(), Value::List(_)), "{name}");
            assert_eq!(node.elements().count(), values.len(), "{name}");
            for (i, (node, value)) in node.elements().zip(values).enumerate() {
                same(node, &below(name, &i.to_string()), value, file);
            }
        }
        Saved::Dict(pairs) | Saved::OrderedDict(pairs) => {
            let ordered = matches!(value, Saved::OrderedDict(_));
            let class = ordered.then_some(("collections", "OrderedDict"));
            assert_eq!(node.class(), class, "{name}");
            assert_eq!(node.entries().count(), pairs.len(), "{name}");
            for ((key, node), (expected, value)) in node.entries().zip(pairs) {
                assert_eq!(key.as_str(), Some(expected.as_str()), "{name}");
                same(node, &below(name, expected), value, file);
            }
        }
        Saved::Tensor(tensor) => {
            let info = &file.tensors()[name];
            let bytes = file.read(info).expect("its values").into_owned();
            let found = SavedTensor::new(info.dtype(), info.shape().to_vec(), bytes);
            assert_eq!(&found.expect("a tensor"), tensor, "{name}");
        }
    }
}

fn below(name: &str, part: &str) -> String {
    match name {
        "" => part.to_string(),
        _ => format!("{name}.{part}"),
    }
}

fn tensor() -> impl Strategy<Value = Saved> {
    let dtypes = [
        DType::F64,
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::I64,
        DType::I32,
        DType::I16,
        DType::I8,
        DType::U8,
        DType::Bool,
    ];
    let shape = prop::collection::vec(0..4usize, 0..4);
    (0..dtypes.len(), shape, any::<u64>()).prop_map(move |(dtype, shape, seed)| {
        let dtype = dtypes[dtype];
        let size = dtype.size() * shape.iter().product::<usize>();
        let bytes = (0..size)
            .map(|i| (seed.rotate_left(i as u32) >> 3) as u8)
            .collect();
        Saved::Tensor(SavedTensor::new(dtype, shape, bytes).expect("a tensor"))
    })
}

/// Trees of values; keys are numbered, so that no two of a dictionary are the same.
fn value() -> impl Strategy<Value = Saved> {
    let leaf = prop_oneof![
        Just(Saved::None),
        any::<bool>().prop_map(Saved::Bool),
        any::<i64>().prop_map(Saved::Int),
        any::<i16>().prop_map(|v| Saved::Int(v.into())),
        any::<f64>().prop_map(Saved::Float),
        ".{0,12}".prop_map(Saved::Str),
        tensor(),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let pairs = prop::collection::vec(("[a-zé]{0,6}", inner.clone()), 0..6).prop_map(|pairs| {
            let number = |(i, (key, value)): (usize, (String, Saved))| (format!("{key}{i}"), value);
            pairs
                .into_iter()
                .enumerate()
                .map(number)
                .collect::<Vec<_>>()
        });
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Saved::List),
            pairs.clone().prop_map(Saved::Dict),
            pairs.prop_map(Saved::OrderedDict),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in value()) {
        // A tensor alone has the empty name.
        let bytes = torch_save(&value).expect("bytes");
        let file = TorchFile::from_bytes("saved", bytes.clone()).unwrap_or_else(|e| panic!("{e}"));
        prop_assert_eq!(file.kind(), TorchFileKind::Archive);
        prop_assert_eq!(file.pickle().code(), None);
        same(file.root(), "", &value, &file);
        for (name, start) in starts(&bytes) {
            prop_assert_eq!(start % 64, 0, "{} begins at {}", name, start);
        }
        prop_assert!(torch_save(&value).expect("bytes") == bytes, "other bytes the second time");
    }
}

#[test]
fn a_tensor_and_its_values_must_agree() {
    let wrong = [
        SavedTensor::new(DType::F32, vec![2, 3], vec![0; 23]),
        SavedTensor::new(DType::F16, vec![usize::MAX, 2], vec![0; 4]),
        SavedTensor::new(DType::U8, vec![usize::MAX, 0], vec![]),
    ];
    for found in wrong {
        assert!(
            matches!(found, Err(TorchSaveError::Shape { .. })),
            "{found:?}"
        );
    }
}
