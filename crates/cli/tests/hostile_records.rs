//! Numbers in the records of adapters, states, configurations and checkpoints that no program wrote: refused
//! with the file's name, or without influence on the answer, and never with much memory.

mod common;

use std::fs;

use common::memory::{FOR_A_SMALL_FILE, measured};
use common::records::{Recorded, numbers, with};
use common::*;
use promptsrc_pickle::{DType, Saved, SavedTensor, torch_save};

/// Numbers that are too large for a memory, an address or a type, negative, or none, and other types.
const HOSTILE: [&str; 8] = [
    "4294967296",
    "4611686018427387904",
    "300000000",
    "-1",
    "1e300",
    "NaN",
    "\"7\"",
    "[1]",
];
/// Those that are no number; JSON has none for the first.
const NO_NUMBERS: [&str; 3] = ["NaN", "\"7\"", "[1]"];
/// A few of them, for what shares its code with what all are tried on.
const SOME: [&str; 4] = ["4294967296", "4611686018427387904", "-1", "\"7\""];

/// The families: prompts of layers, contexts, a network, projections, guidance, and each kind of head.
const METHODS: [&str; 12] = [
    "ivlp",
    "coop",
    "cocoop",
    "maple",
    "kgcoop",
    "prograd",
    "linear-probe",
    "clap",
    "lp++",
    "tip-adapter",
    "tip-adapter-f",
    "clip-adapter",
];

fn trained_with(folder: &tempfile::TempDir, method: &str) -> String {
    let run = below(folder, &format!("run-{method}"));
    let has_epochs = !["linear-probe", "tip-adapter"].contains(&method);
    let (clip, data) = (clip(), images());
    let mut args = vec![
        "train", "--clip", &clip, "--data", &data, "--shots", "1", "--out", &run, "--method",
        method,
    ];
    if has_epochs {
        args.extend(["--epochs", "2"]);
    }
    promptsrc(&args).done();
    run
}

/// A command that refuses a file, or ends as with the file that nothing was done to.
#[track_caller]
fn refused_or(args: &[&str], file: &str, usual: Option<&str>, what: &str) {
    let ending = measured(args).within(FOR_A_SMALL_FILE);
    match (ending.code, usual) {
        (Some(0), Some(usual)) => assert!(ending.stdout == usual, "{what}\n{ending}"),
        (Some(1), _) => {
            assert!(ending.stderr.contains(file), "{what}: no {file}\n{ending}");
            assert_eq!(ending.stdout, "", "{what}\n{ending}");
        }
        _ => panic!("{what}\n{ending}"),
    }
}

fn try_adapter(file: &Recorded, pointer: &str, literals: &[&str], convert: bool) {
    let folder = scratch();
    let (clip, image) = (clip(), image());
    let (bad, out) = (below(&folder, "bad.safetensors"), below(&folder, "out"));
    let record = file.record();
    file.write_with(&bad, &record.to_string());
    let predict = ["predict", &bad, &image, "--clip", &clip, "--json"];
    let usual = promptsrc(&predict).done().stdout;
    for literal in literals {
        let what = format!("{pointer} = {literal}");
        file.write_with(&bad, &with(&record, pointer, literal));
        let usual = (!NO_NUMBERS.contains(literal)).then_some(usual.as_str());
        refused_or(&predict, "bad.safetensors", usual, &what);
        // The look at it and its conversion need not fit a CLIP, and say what they found.
        for args in [
            &["inspect", &bad][..],
            &["convert", &bad, &out, "--force", "--epoch", "1"],
        ] {
            if args[0] == "convert" && !convert {
                continue;
            }
            let ending = measured(args).within(FOR_A_SMALL_FILE);
            let named = ending.stderr.contains("bad.safetensors");
            match ending.code {
                Some(0) => assert!(usual.is_some(), "{what}\n{ending}"),
                Some(1) => assert!(named, "{what}\n{ending}"),
                _ => panic!("{what}\n{ending}"),
            }
        }
    }
}

#[test]
fn no_number_in_an_adapters_record_takes_memory_or_changes_an_answer() {
    let folder = scratch();
    let run = trained(folder.path());
    let file = Recorded::read(&below(&run, "adapter.safetensors"));
    let pointers = numbers(&file.record());
    assert!(pointers.len() > 30, "{pointers:?}");
    for pointer in pointers {
        try_adapter(&file, &pointer, &HOSTILE, true);
    }
}

#[test]
fn no_number_in_the_record_of_any_method_does() {
    let folder = scratch();
    for method in METHODS {
        let run = trained_with(&folder, method);
        let file = Recorded::read(&below(&run, "adapter.safetensors"));
        let record = file.record();
        let pointers = numbers(&record["config"]);
        assert!(pointers.len() > 2, "{pointers:?}");
        for pointer in pointers {
            try_adapter(&file, &format!("/config{pointer}"), &SOME, false);
        }
    }
}

#[test]
fn a_record_that_does_not_fit_the_tensors_is_refused() {
    let folder = scratch();
    let (clip, image, data) = (clip(), image(), images());
    let bad = below(&folder, "bad.safetensors");
    let refused = |what: &str, words: &[&str]| {
        for args in [
            &["predict", &bad, &image, "--clip", &clip][..],
            &["eval", &bad, "--data", &data, "--clip", &clip],
        ] {
            let words = [&["bad.safetensors"], words].concat();
            println!("{what}");
            measured(args)
                .within(FOR_A_SMALL_FILE)
                .fails(1, &words)
                .silent();
        }
    };
    let run = trained(folder.path());
    let file = Recorded::read(&below(&run, "adapter.safetensors"));
    let record = file.record();
    for (pointer, literal) in [
        ("/config/prompts/n_ctx_text", "5"),
        ("/config/prompts/n_ctx_text", "3"),
        ("/config/prompts/n_ctx_vision", "1"),
        ("/config/prompts/n_ctx_vision", "1000"),
        ("/config/prompts/depth_text", "1"),
        ("/config/prompts/depth_vision", "0"),
    ] {
        file.write_with(&bad, &with(&record, pointer, literal));
        refused(&format!("{pointer} {literal}"), &["parameter"]);
    }
    for name in file.names() {
        let shape = file.shape(&name);
        let count: usize = shape.iter().product();
        let turned: Vec<usize> = shape.iter().rev().copied().collect();
        for shape in [vec![count], vec![1, count], turned, vec![1, 1, count]] {
            file.with_shape(&name, &shape).write(&bad);
            refused(
                &format!("{name} {shape:?}"),
                &[&name, &format!("{shape:?}")],
            );
        }
        file.renamed(&name, "else").write(&bad);
        refused(&name, &[&name, "missing"]);
    }
    for method in [
        "cocoop",
        "maple",
        "clap",
        "lp++",
        "tip-adapter",
        "clip-adapter",
    ] {
        let run = trained_with(&folder, method);
        let file = Recorded::read(&below(&run, "adapter.safetensors"));
        for name in file.names() {
            let count: usize = file.shape(&name).iter().product();
            file.with_shape(&name, &[1, 1, count]).write(&bad);
            refused(&format!("{method} {name}"), &[&name]);
            file.renamed(&name, "else").write(&bad);
            refused(&format!("{method} {name}"), &["bad.safetensors"]);
        }
    }
}

/// A run that was killed after an epoch, and the line that resumes it.
fn interrupted(folder: &tempfile::TempDir) -> (String, Vec<String>) {
    let run = below(folder, "run");
    let epochs = ["--epochs", "300", "--resume", "--quiet"];
    assert!(kill_when(start_with(&run, &epochs), || has_state(&run)));
    let (clip, data) = (clip(), images());
    let line = [
        "train", "--clip", &clip, "--data", &data, "--shots", "2", "--out", &run,
    ];
    let line = line.iter().chain(&epochs).map(|word| word.to_string());
    (run.clone(), line.collect())
}

#[test]
fn a_state_that_the_run_cannot_have_saved_is_refused() {
    let folder = scratch();
    let (run, line) = interrupted(&folder);
    let resume: Vec<&str> = line.iter().map(String::as_str).collect();
    let state = below(&run, "state.safetensors");
    let file = Recorded::read(&state);
    let record = file.record();
    let refused = |words: &[&str], what: &str| {
        let before = fs::read(&state).expect("a state");
        let words = [&["state.safetensors"], words].concat();
        println!("{what}");
        measured(&resume)
            .within(FOR_A_SMALL_FILE)
            .fails(1, &words)
            .silent();
        nothing_half_written(&run);
        assert!(fs::read(&state).expect("a state") == before, "{what}");
    };
    for pointer in ["/epoch", "/format_version"] {
        for literal in HOSTILE.into_iter().chain(["301"]) {
            file.write_with(&state, &with(&record, pointer, literal));
            refused(&[], &format!("{pointer} {literal}"));
        }
    }
    file.write_with(&state, &with(&record, "/epoch", "0"));
    refused(&["0 finished epochs"], "epoch 0");
    for name in file.names() {
        let count: usize = file.shape(&name).iter().product();
        // The shape of momentum and aggregate is that of the parameter, whatever theirs says.
        if name.starts_with("prompt/") {
            file.with_shape(&name, &[count]).write(&state);
            refused(&["parameter"], &name);
        }
        for other in [
            name.replacen('/', "-", 1),
            format!("{name}2"),
            name.replacen("prompt/", "velocity/else", 1),
        ] {
            if other != name {
                file.renamed(&name, &other).write(&state);
                refused(&[], &format!("{name} as {other}"));
            }
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let (_, bare) = name.split_once('/').expect("a kind");
            file.with_value(&name, value).write(&state);
            refused(&[bare], &format!("{name} {value}"));
        }
    }
    // As it was, it goes on.
    file.write(&state);
    promptsrc(&resume).done();
}

#[test]
fn no_number_in_a_runs_configuration_takes_memory() {
    let folder = scratch();
    let (run, line) = interrupted(&folder);
    let resume: Vec<&str> = line.iter().map(String::as_str).collect();
    let file = below(&run, "config.toml");
    let whole = fs::read_to_string(&file).expect("a configuration");
    let is_number = |line: &&str| {
        let value = line.split_once(" = ").map(|(_, value)| value);
        value.is_some_and(|value| value.parse::<f64>().is_ok())
    };
    let lines: Vec<&str> = whole.lines().filter(is_number).collect();
    assert!(lines.len() > 10, "{whole}");
    for line in lines {
        let (key, _) = line.split_once(" = ").expect("a setting");
        for literal in ["4294967296", "4611686018427387904", "-1", "nan", "1e300"] {
            let other = whole.replacen(line, &format!("{key} = {literal}"), 1);
            fs::write(&file, other).expect("room");
            let ending = measured(&resume).within(FOR_A_SMALL_FILE);
            ending.fails(1, &[&run]).silent();
        }
    }
}

/// A number in a checkpoint: where, and what stands there.
type Place<'a> = (&'a str, Saved);

/// A checkpoint as a trainer saves it: tensors, numbers in their places, which are 1 elsewhere, and the record
/// of this program if there is one.
fn checkpoint(file: &str, tensors: &Tensors, places: &[Place], record: Option<&str>) {
    let tensors = tensors.0.iter().map(|(name, (_, shape, bytes))| {
        let tensor = SavedTensor::new(DType::F32, shape.clone(), bytes.clone()).expect("a tensor");
        (name.clone(), Saved::Tensor(tensor))
    });
    let numbers = |names: &[&str]| -> Vec<(String, Saved)> {
        let number = |name: &str| {
            let found = places.iter().find(|(place, _)| *place == name);
            found.map_or(Saved::Int(1), |(_, value)| value.clone())
        };
        let names = names.iter();
        names.map(|name| (name.to_string(), number(name))).collect()
    };
    let pair = |name: &str, value| (name.to_string(), value);
    let mut scheduler = numbers(&["warmup_epoch", "cons_lr"]);
    scheduler.push(pair("successor", Saved::Dict(numbers(&["T_max"]))));
    let group = numbers(&["initial_lr", "momentum", "weight_decay", "dampening"]);
    let groups = Saved::List(vec![Saved::Dict(group)]);
    let mut pairs = numbers(&["epoch"]);
    pairs.extend([
        pair("state_dict", Saved::OrderedDict(tensors.collect())),
        pair("optimizer", Saved::Dict(vec![pair("param_groups", groups)])),
        pair("scheduler", Saved::Dict(scheduler)),
    ]);
    if let Some(record) = record {
        pairs.push(pair("promptsrc", Saved::Str(record.to_string())));
    }
    fs::write(file, torch_save(&Saved::Dict(pairs)).expect("an archive")).expect("room");
}

/// Looks at a checkpoint, predicts with it, measures it and converts it: each does it or refuses it by name,
/// and what is converted can be used. Whether it was refused by those that use it.
#[track_caller]
fn try_checkpoint(folder: &tempfile::TempDir, bad: &str, method: &str, what: &str) -> bool {
    let (clip, image, data) = (clip(), image(), images());
    let out = below(folder, "converted.safetensors");
    let with = ["--names", "a,b"];
    let with_clip = ["--clip", &clip, "--method", method];
    let uses: [Vec<&str>; 4] = [
        vec!["inspect", bad],
        [&["predict", bad, &image][..], &with, &with_clip].concat(),
        [&["eval", bad, "--data", &data][..], &with_clip].concat(),
        [&["convert", bad, &out, "--force"][..], &with_clip].concat(),
    ];
    let mut refusals = 0;
    for args in &uses {
        let ending = measured(args).within(FOR_A_SMALL_FILE);
        match ending.code {
            Some(0) => {}
            Some(1) => {
                refusals += usize::from(args[0] != "inspect");
                assert!(ending.stderr.contains("bad.pth.tar"), "{what}\n{ending}");
                assert_eq!(ending.stdout, "", "{what}\n{ending}");
            }
            _ => panic!("{what}\n{ending}"),
        }
        if args[0] == "convert" && ending.code == Some(0) {
            promptsrc(&["inspect", &out]).done();
            fs::remove_file(&out).expect("the adapter");
        }
    }
    refusals == 3
}

#[test]
fn no_number_in_a_checkpoint_takes_memory_or_gives_an_adapter_that_cannot_be_used() {
    let folder = scratch();
    let run = trained(folder.path());
    let tensors = Tensors::read(&below(&run, "adapter.safetensors"));
    let bad = below(&folder, "bad.pth.tar");
    let places = [
        "epoch",
        "T_max",
        "warmup_epoch",
        "cons_lr",
        "initial_lr",
        "momentum",
        "weight_decay",
        "dampening",
    ];
    let values = [
        Saved::Int(1 << 32),
        Saved::Int(1 << 62),
        Saved::Int(300_000_000),
        Saved::Int(-1),
        Saved::Float(1e300),
        Saved::Float(f64::NAN),
        Saved::Float(f64::INFINITY),
        Saved::Str("7".to_string()),
        Saved::None,
    ];
    for place in places {
        for value in &values {
            checkpoint(&bad, &tensors, &[(place, value.clone())], None);
            try_checkpoint(&folder, &bad, "promptsrc", &format!("{place} {value:?}"));
        }
    }
    // What it says of itself is no safer than what it says of its run.
    for method in ["promptsrc", "coop"] {
        let run = match method {
            "promptsrc" => run.clone(),
            method => trained_with(&folder, method),
        };
        let adapter = below(&run, "adapter.safetensors");
        let (record, tensors) = (Recorded::read(&adapter).record(), Tensors::read(&adapter));
        for pointer in numbers(&record["config"]) {
            let pointer = format!("/config{pointer}");
            for literal in SOME {
                let record = with(&record, &pointer, literal);
                checkpoint(&bad, &tensors, &[], Some(&record));
                try_checkpoint(&folder, &bad, method, &format!("{pointer} {literal}"));
            }
        }
    }
}

#[test]
fn a_checkpoint_whose_tensors_do_not_belong_together_is_refused() {
    let folder = scratch();
    let run = trained(folder.path());
    let bad = below(&folder, "bad.pth.tar");
    let whole = || Tensors::read(&below(&run, "adapter.safetensors"));
    checkpoint(&bad, &whole(), &[], None);
    assert!(!try_checkpoint(&folder, &bad, "promptsrc", "as it was"));
    for name in whole().0.keys() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut tensors = whole();
            let (.., bytes) = tensors.0.get_mut(name).expect("a tensor");
            bytes[8..12].copy_from_slice(&value.to_le_bytes());
            checkpoint(&bad, &tensors, &[], None);
            let what = format!("{name} {value}");
            assert!(try_checkpoint(&folder, &bad, "promptsrc", &what), "{what}");
        }
        let mut tensors = whole();
        let (_, shape, bytes) = tensors.0.get_mut(name).expect("a tensor");
        *shape = vec![1, 1, 1, bytes.len() / 4];
        checkpoint(&bad, &tensors, &[], None);
        assert!(try_checkpoint(&folder, &bad, "promptsrc", name), "{name}");
    }
}
