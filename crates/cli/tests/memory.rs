//! Memory: opening a file takes a small multiple of its size, values that would take many times their bytes are
//! refused, and images are not kept.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;

use common::memory::measured;
use common::records::Recorded;
use common::*;
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};
use safetensors::Dtype;
use serde_json::json;

const MIB: usize = 1 << 20;

/// MiB that opening a file of so many bytes may take: two and a half times as many, and 300 MiB.
fn bound(file: &str) -> u64 {
    let bytes = fs::metadata(file).expect("the file").len();
    bytes.div_ceil(MIB as u64) * 5 / 2 + 300
}

/// It ends with this code within the bound of its file.
#[track_caller]
fn opened(args: &[&str], file: &str, code: i32) {
    let found = measured(args);
    println!(
        "{} {}: {} of {} MiB",
        args[0],
        file,
        found.peak,
        bound(file)
    );
    assert!(found.peak > 0, "the system did not tell");
    let ending = found.within(bound(file));
    match code {
        0 => drop(ending.done()),
        code => drop(ending.fails(code, &[file]).silent()),
    }
}

/// The small CLIP with so many words that its file is large, in one of two types.
fn large_clip(dtype: Dtype) -> Tensors {
    let mut tensors = Tensors::read(&clip());
    if dtype == Dtype::F32 {
        for (own, _, bytes) in tensors.0.values_mut() {
            let values = bytes.as_chunks::<2>().0.iter();
            let values = values.map(|b| half::f16::from_le_bytes(*b).to_f32());
            (*own, *bytes) = (dtype, values.flat_map(f32::to_le_bytes).collect());
        }
    }
    let size = if dtype == Dtype::F32 { 4 } else { 2 };
    let words = 100 * MIB / (64 * size);
    let (_, shape, bytes) = (tensors.0.get_mut("token_embedding.weight")).expect("the words");
    shape[0] = words;
    bytes.resize(size * words * shape[1], 0);
    tensors
}

#[test]
fn opening_weights_takes_little_more_than_their_size() {
    let folder = scratch();
    let (image, texts) = (image(), below(&folder, "texts.txt"));
    fs::write(&texts, "a cat\n").expect("room");
    let use_of = |file: &str| {
        let predict = [
            "predict",
            "--zero-shot",
            "--clip",
            file,
            "--names",
            "a,b",
            &image,
        ];
        opened(&predict, file, 0);
        opened(&["inspect", file], file, 0);
        fs::remove_file(file).expect("the file");
    };
    for dtype in [Dtype::F16, Dtype::F32] {
        let tensors = large_clip(dtype);
        let file = below(&folder, "clip.safetensors");
        tensors.write(&file);
        use_of(&file);
        let file = below(&folder, "clip.pt");
        let saved = tensors.0.into_iter().map(|(name, (dtype, shape, bytes))| {
            let dtype = if dtype == Dtype::F32 {
                DType::F32
            } else {
                DType::F16
            };
            let tensor = SavedTensor::new(dtype, shape, bytes).expect("a tensor");
            (name, Saved::Tensor(tensor))
        });
        let saved = torch_save(&Saved::OrderedDict(saved.collect())).expect("an archive");
        fs::write(&file, saved).expect("room");
        use_of(&file);
    }
}

#[test]
fn opening_an_adapter_a_state_or_a_checkpoint_takes_little_more_than_its_size() {
    let folder = scratch();
    let run = trained(folder.path());
    let (clip, image, data) = (clip(), image(), images());
    // A tensor that nobody asks for, as large as the file is to be.
    for name in ["adapter.safetensors", "state.safetensors"] {
        let file = below(&run, name);
        let with_more = Recorded::read(&file).with_more(&format!("prompt/{name}"), 100 * MIB);
        with_more.write(&file);
    }
    let adapter = below(&run, "adapter.safetensors");
    opened(&["predict", &adapter, &image, "--clip", &clip], &adapter, 1);
    opened(&["inspect", &adapter], &adapter, 0);
    let state = below(&run, "state.safetensors");
    opened(&["inspect", &state], &state, 0);
    let resume = [
        "train", "--clip", &clip, "--data", &data, "--shots", "2", "--epochs", "2",
    ];
    let resume = [&resume[..], &["--out", &run, "--resume", "--quiet"]].concat();
    fs::remove_file(&adapter).expect("the adapter");
    opened(&resume, &state, 1);

    let checkpoint = below(&folder, "model.pth.tar-2");
    let tensor = |rows: usize| {
        let tensor = SavedTensor::new(DType::F32, vec![rows, 64], vec![0; 4 * 64 * rows]);
        Saved::Tensor(tensor.expect("a tensor"))
    };
    let tensors = vec![("ctx".to_string(), tensor(100 * MIB / 256))];
    let pairs = vec![("state_dict".to_string(), Saved::OrderedDict(tensors))];
    fs::write(
        &checkpoint,
        torch_save(&Saved::Dict(pairs)).expect("an archive"),
    )
    .expect("room");
    opened(&["inspect", &checkpoint], &checkpoint, 0);
    let out = below(&folder, "out.safetensors");
    let convert = [
        "convert",
        &checkpoint,
        &out,
        "--method",
        "coop",
        "--clip",
        &clip,
    ];
    opened(&convert, &checkpoint, 1);
}

#[test]
fn values_that_take_many_times_their_bytes_are_refused() {
    let folder = scratch();
    let run = trained(folder.path());
    let (clip, image, data) = (clip(), image(), images());
    let many = |part: &str| part.repeat(20 * MIB / part.len());
    let list = |part: &str| format!("[{}{}]", many(&format!("{part},")), part);
    // A header, and a record in it.
    let bad = below(&folder, "bad.safetensors");
    let predict = ["predict", &bad, &image, "--clip", &clip];
    for part in ["0", "[]", "{}", "{\"a\":0}", "[[0]]"] {
        let header = format!(
            "{{\"a\":{{\"dtype\":\"F32\",\"shape\":{},\"data_offsets\":[0,0]}}}}",
            list(part)
        );
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        fs::write(&bad, bytes).expect("room");
        opened(&predict, &bad, 1);
        opened(&["inspect", &bad], &bad, 1);
        let file = Recorded::read(&below(&run, "adapter.safetensors"));
        let record = file.record().to_string();
        let record = format!("{{\"else\":{},{}", list(part), &record[1..]);
        file.write_with(&bad, &record);
        opened(&predict, &bad, 1);
        opened(&["inspect", &bad], &bad, 1);
    }
    // Files beside weights.
    let hf = weight_files()
        .into_iter()
        .find(|f| f.ends_with("d_hf"))
        .expect("a folder");
    let copy = folder.path().join("hf");
    fs::create_dir(&copy).expect("a folder");
    for file in sorted(hf.as_ref()) {
        fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("a copy");
    }
    let config = below(&copy, "config.json");
    let whole = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("{{\"else\":{},{}", list("0"), &whole[1..])).expect("room");
    let copy = text(&copy);
    let zero_shot = [
        "predict",
        "--zero-shot",
        "--clip",
        &copy,
        "--names",
        "a,b",
        &image,
    ];
    opened(&zero_shot, &config, 1);
    fs::write(&config, whole).expect("room");
    let tokenizer = below(&copy, "tokenizer.json");
    fs::write(
        &tokenizer,
        json!({"else": 0}).to_string().replace('0', &list("0")),
    )
    .expect("room");
    opened(&zero_shot, &tokenizer, 1);
    // Lists and configurations.
    let lines = below(&folder, "list.jsonl");
    let line = format!(
        "{{\"path\":\"a.jpg\",\"label\":\"b\",\"else\":{}}}\n",
        list("0")
    );
    fs::write(&lines, line).expect("room");
    opened(&["sample", "--data", &lines, "--shots", "1"], &lines, 1);
    let config = below(&folder, "config.toml");
    fs::write(&config, format!("train = {}\n", list("0"))).expect("room");
    let out = below(&folder, "out");
    let train = [
        "train", "--clip", &clip, "--data", &data, "--config", &config, "--out", &out,
    ];
    opened(&train, &config, 1);
    opened(&["inspect", &config], &config, 1);
}

#[test]
fn a_list_of_many_short_rows_takes_little_more_than_its_size() {
    let folder = scratch();
    let (csv, jsonl) = (below(&folder, "list.csv"), below(&folder, "list.jsonl"));
    let rows = |row: &dyn Fn(usize) -> String| -> String { (0..1_200_000).map(row).collect() };
    let columns = rows(&|i| format!("a/{i:07}.jpg,{}c\n", i % 10));
    fs::write(&csv, format!("path,label\n{columns}")).expect("room");
    let objects = rows(&|i| format!("{{\"path\":\"a/{i:07}.jpg\",\"label\":\"{}c\"}}\n", i % 10));
    fs::write(&jsonl, objects).expect("room");
    for list in [&csv, &jsonl] {
        // To draw a sample, no image has to be there.
        opened(&["sample", "--data", list, "--shots", "1"], list, 0);
    }
    // A key in every way of writing it, in every line.
    let letters = |bits: usize| -> String {
        let of = |(i, c): (usize, char)| match bits >> i & 1 {
            1 => c.to_ascii_uppercase(),
            _ => c,
        };
        "filename".chars().enumerate().map(of).collect()
    };
    let line = |bits: usize| format!("{{\"{}\":\"a\",\"label\":\"b\"}}\n", letters(bits));
    fs::write(&jsonl, (0..256).map(line).collect::<String>()).expect("room");
    opened(&["sample", "--data", &jsonl, "--shots", "1"], &jsonl, 1);
}

#[test]
fn images_are_not_kept() {
    let folder = scratch();
    let image = image();
    let data = |count: usize| {
        let data = below(&folder, &count.to_string());
        fs::create_dir(&data).expect("a folder");
        for i in 0..count {
            let link = Path::new(&data).join(format!("{i:04}.jpg"));
            std::os::unix::fs::symlink(&image, link).expect("a link");
        }
        data
    };
    let (few, many) = (data(40), data(2000));
    let out = below(&folder, "out.safetensors");
    let peak = |data: &str, command: &str| {
        let predict = [
            "predict",
            "--zero-shot",
            "--clip",
            "mini",
            "--names",
            "a,b",
            data,
        ];
        let embed = [
            "embed", "--clip", "mini", "--images", data, "--out", &out, "--force",
        ];
        let found = match command {
            "predict" => measured(&predict),
            _ => measured(&embed),
        };
        let peak = found.peak;
        found.ending.done();
        peak
    };
    for command in ["predict", "embed"] {
        let (few, many) = (peak(&few, command), peak(&many, command));
        println!("{command}: {few} MiB of 40 images, {many} MiB of 2000");
        assert!(many < few + 30, "{command}: {few} MiB, {many} MiB");
    }
}
