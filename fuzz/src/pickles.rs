//! Python's pickles and the files of `torch.save`.

use promptsrc_pickle::{DType, Pickle, Saved, SavedTensor, TorchFile, torch_save};

use crate::repository;
use crate::target::{Outcome, Target};

pub const TARGETS: &[Target] = &[
    Target {
        name: "pickle",
        run: pickle,
        seeds: || repository::with_extension(&["pkl"]),
    },
    Target {
        name: "torch",
        run: torch,
        seeds: || {
            vec![
                ("archive.pt".to_string(), archive()),
                ("legacy.pt".to_string(), legacy()),
            ]
        },
    },
];

fn pickle(data: &[u8]) -> Outcome {
    let parsed = Pickle::parse(data);
    if let Ok(pickle) = &parsed {
        let _ = pickle.code();
        let _ = pickle.globals().count();
        for node in pickle.nodes() {
            let _ = (node.value().kind(), node.get("train"), node.as_str());
            let _ = node.elements().count();
        }
    }
    parsed.into()
}

fn torch(data: &[u8]) -> Outcome {
    let opened = TorchFile::from_bytes("fuzz.pt", data.to_vec());
    if let Ok(file) = &opened {
        for tensor in file.tensors().values() {
            let _ = file.read(tensor);
        }
    }
    opened.into()
}

fn archive() -> Vec<u8> {
    let tensor = |dtype, shape: &[usize], bytes: usize| {
        let tensor = SavedTensor::new(dtype, shape.to_vec(), vec![0; bytes]);
        Saved::Tensor(tensor.expect("bytes of that shape"))
    };
    let tensors = [
        ("a.weight", tensor(DType::F32, &[2, 3], 24)),
        ("a.bias", tensor(DType::F16, &[2], 4)),
        ("count", tensor(DType::I64, &[], 8)),
    ];
    let tensors = tensors.map(|(name, tensor)| (name.to_string(), tensor));
    let file = [
        ("state_dict", Saved::OrderedDict(tensors.to_vec())),
        ("epoch", Saved::Int(3)),
        ("lr", Saved::List(vec![Saved::Float(0.002), Saved::None])),
    ];
    let file = file.map(|(name, value)| (name.to_string(), value));
    torch_save(&Saved::Dict(file.to_vec())).expect("an archive")
}

/// A dictionary of one tensor, `[[1, 2], [3, 4]]`, as PyTorch before 1.6 wrote it.
fn legacy() -> Vec<u8> {
    let parts: [&[u8]; 5] = [
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.",
        b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.",
        b"\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x02\x00\x00\x0042X\x03\x00\x00\x00cpuK\x04NtQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtRs.",
        b"\x80\x02]X\x02\x00\x00\x0042a.",
        b"\x04\x00\x00\x00\x00\x00\x00\x00",
    ];
    let values = [1.0f32, 2.0, 3.0, 4.0];
    let values = values.into_iter().flat_map(f32::to_le_bytes);
    parts.concat().into_iter().chain(values).collect()
}
