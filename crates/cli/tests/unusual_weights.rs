//! Weight files that look like a CLIP's and are not quite: tensors that nobody reads, several CLIPs
//! in a file, values that are not finite, headers that look like something else.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::*;
use safetensors::Dtype;

/// Writes the small CLIP with a change, and returns its path.
fn changed(folder: &tempfile::TempDir, change: impl FnOnce(&mut Tensors)) -> String {
    let mut tensors = Tensors::read(&clip());
    change(&mut tensors);
    let path = below(folder, "clip.safetensors");
    tensors.write(&path);
    path
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Half precision of the few values that are used here.
fn half_bits(value: f32) -> u16 {
    match value {
        0.5 => 0x3800,
        f32::INFINITY => 0x7c00,
        f32::NEG_INFINITY => 0xfc00,
        _ => 0x7e00,
    }
}

#[test]
fn tensors_that_nobody_reads_are_refused_by_name() {
    let folder = scratch();
    for name in [
        "positional_embedding_res",
        "visual.positional_embedding_res",
        "visual.adapter.down.weight",
        "visual.transformer.resblocks.0.mlp.ln.weight",
        "visual.transformer.resblocks.1.attn.ln_inner.bias",
        "visual.transformer.resblocks.0.attn.in_proj.lora_A.default.weight",
        "transformer.resblocks.1.ls_1.gamma",
        "transformer.resblocks.0.attn.invented",
        "ln_final.scale",
        "text_projection.bias",
        "visual.head.weight",
        "adapter.fc.0.weight",
        "invented",
    ] {
        let path = changed(&folder, |tensors| tensors.zeros(name, &[2]));
        let words = ["clip.safetensors", name];
        promptsrc(&["inspect", &path]).fails(1, &words).silent();
        zero_shot(&path, &images(), &[]).fails(1, &words).silent();
    }
    // In Hugging Face's names.
    let stored = golden("formats/d_hf/model.safetensors");
    for name in [
        "vision_model.encoder.layers.0.mlp.norm.weight",
        "text_model.encoder.layers.0.self_attn.q_proj.lora_B.weight",
        "text_model.embeddings.position_embedding_res.weight",
        "visual_projection.bias",
    ] {
        let mut tensors = Tensors::read(&stored);
        tensors.zeros(name, &[2]);
        fs::copy(
            golden("formats/d_hf/config.json"),
            below(&folder, "config.json"),
        )
        .unwrap();
        let path = below(&folder, "model.safetensors");
        tensors.write(&path);
        promptsrc(&["inspect", &path]).fails(1, &[name]).silent();
    }
    // What every file has, and a module beside the towers, which is said.
    let path = changed(&folder, |tensors| {
        for name in [
            "input_resolution",
            "context_length",
            "vocab_size",
            "attn_mask",
        ] {
            tensors.zeros(name, &[1]);
        }
        tensors.zeros("visual.position_ids", &[1]);
    });
    zero_shot(&path, &images(), &[]).done();
    let path = changed(&folder, |tensors| tensors.zeros("classifier.weight", &[1]));
    let ending = zero_shot(&path, &images(), &[]).done();
    assert!(ending.stderr.contains("classifier.weight"), "{ending}");
}

#[test]
fn of_several_clips_in_a_file_one_is_chosen() {
    let folder = scratch();
    let path = below(&folder, "two.safetensors");
    let one = Tensors::read(&clip()).0;
    let mut both = BTreeMap::new();
    for (name, tensor) in &one {
        both.insert(format!("model.{name}"), tensor.clone());
        // Another scale tells them apart.
        let mut other = tensor.clone();
        if name == "visual.proj" {
            other.2.rotate_left(2);
        }
        both.insert(format!("ema.module.{name}"), other);
    }
    Tensors(both).write(&path);
    let data = images();
    zero_shot(&path, &data, &[])
        .fails(
            1,
            &[
                "two.safetensors",
                "\"model.\"",
                "\"ema.module.\"",
                "--clip-prefix",
            ],
        )
        .silent();
    let fingerprint = |path: &str, more: &[&str]| {
        let args = [&["inspect", path, "--json"], more].concat();
        promptsrc(&args).done().json()["fingerprint"].clone()
    };
    let alone = fingerprint(&clip(), &[]);
    assert_eq!(fingerprint(&path, &["--clip-prefix", "model"]), alone);
    assert_eq!(fingerprint(&path, &["--clip-prefix", "model."]), alone);
    assert_ne!(fingerprint(&path, &["--clip-prefix", "ema.module"]), alone);
    zero_shot(&path, &data, &["--clip-prefix", "teacher"])
        .fails(1, &["teacher", "model.", "ema.module."])
        .silent();

    // A run knows which one it was trained on.
    let run = below(&folder, "run");
    train_on(&path, &data, &run, &["--clip-prefix", "model"]).done();
    let eval = |more: &[&str]| {
        let args = [&["eval", &run, "--data", &data, "--json"], more].concat();
        promptsrc(&args)
    };
    let ending = eval(&[]).done();
    assert!(!ending.stderr.contains("other weights"), "{ending}");
    let other = eval(&["--clip-prefix", "ema.module"]).done();
    assert!(other.stderr.contains("other weights"), "{other}");
}

#[test]
fn values_that_are_not_finite_are_the_same_error_in_every_command() {
    let folder = scratch();
    let (data, image) = (images(), image());
    let run = trained(folder.path());
    let out = below(&folder, "out.safetensors");
    for (tensor, value) in [
        ("visual.proj", f32::NAN),
        ("ln_final.weight", f32::INFINITY),
        (
            "transformer.resblocks.0.attn.in_proj_weight",
            f32::NEG_INFINITY,
        ),
        ("logit_scale", f32::NAN),
    ] {
        for dtype in [Dtype::F16, Dtype::F32] {
            let path = changed(&folder, |tensors| {
                let entry = tensors.0.get_mut(tensor).expect("a tensor");
                let count = entry.1.iter().product::<usize>();
                let mut values = vec![0.5; count];
                values[count / 2] = value;
                entry.0 = dtype;
                entry.2 = match dtype {
                    Dtype::F16 => values
                        .iter()
                        .flat_map(|v| half_bits(*v).to_le_bytes())
                        .collect(),
                    _ => f32s(&values),
                };
            });
            let words = [
                "clip.safetensors",
                tensor,
                if value.is_nan() { "NaN" } else { "inf" },
            ];
            promptsrc(&["inspect", &path]).fails(1, &words).silent();
            zero_shot(&path, &data, &[]).fails(1, &words).silent();
            train_on(&path, &data, &below(&folder, "none"), &[])
                .fails(1, &words)
                .silent();
            promptsrc(&["predict", &run, "--clip", &path, &image])
                .fails(1, &words)
                .silent();
            promptsrc(&["embed", "--clip", &path, "--images", &image, "--out", &out])
                .fails(1, &words)
                .silent();
        }
    }
    let adapter = below(&folder, "nan.safetensors");
    let bytes = fs::read(below(&run, "adapter.safetensors")).expect("an adapter");
    for value in [f32::NAN, f32::INFINITY] {
        let mut bytes = bytes.clone();
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&value.to_le_bytes());
        fs::write(&adapter, bytes).expect("room for it");
        let words = [
            "nan.safetensors",
            "VPT",
            if value.is_nan() { "NaN" } else { "inf" },
        ];
        let clip = clip();
        for args in [
            &["inspect", &adapter][..],
            &["eval", &adapter, "--clip", &clip, "--data", &data],
            &["predict", &adapter, "--clip", &clip, &image],
            &["convert", &adapter, &out],
        ] {
            promptsrc(args).fails(1, &words).silent();
        }
    }
    // A state is checked before a run goes on.
    let started = below(&folder, "started");
    train(&started, &["--epochs", "2"]).done();
    let state = below(&started, "state.safetensors");
    let mut bytes = fs::read(&state).expect("a state");
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&state, bytes).expect("room for it");
    fs::remove_file(below(&started, "metrics.json")).expect("a finished run");
    train(&started, &["--epochs", "2", "--resume"])
        .fails(1, &["state.safetensors", "NaN"])
        .silent();
}

#[test]
fn a_header_whose_length_spells_a_web_page_is_read() {
    let folder = scratch();
    let bytes = fs::read(clip()).expect("a CLIP");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let (header, data) = (&bytes[8..8 + length], &bytes[8 + length..]);
    let expected = promptsrc(&["inspect", &clip(), "--json"]).done().json()["fingerprint"].clone();
    // "<", " <", "\n<" and "PK", the beginning of a zip archive, and a pickle's, as lengths.
    for start in [*b"<=", *b" <", *b"\n<", *b"<!", *b"PK", [0x80, 0x60]] {
        let mut wanted = u64::from(u16::from_le_bytes(start));
        while wanted < length as u64 {
            wanted += 1 << 16;
        }
        let mut file = wanted.to_le_bytes().to_vec();
        file.extend(header);
        // A header may be padded with spaces.
        file.resize(8 + wanted as usize, b' ');
        file.extend(data);
        for name in ["clip.safetensors", "clip.bin"] {
            let path = below(&folder, name);
            fs::write(&path, &file).expect("room for it");
            let found = promptsrc(&["inspect", &path, "--json"]).done();
            assert_eq!(found.json()["fingerprint"], expected, "{start:?} {name}");
            zero_shot(&path, &images(), &[]).done();
        }
    }
    // A web page is still told from a damaged file.
    let path = below(&folder, "page.safetensors");
    for page in [
        "<script>{\"a\": 1}</script>",
        "<!DOCTYPE html>",
        "  <html></html>",
    ] {
        fs::write(&path, page).expect("room for it");
        zero_shot(&path, &images(), &[])
            .fails(1, &["page.safetensors", "web page"])
            .silent();
    }
}
