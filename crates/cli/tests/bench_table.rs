//! Tables beside the published results: what may be compared, which logs of the reference belong
//! together, splits that are not the published ones, and the values of each seed.

mod common;

use std::fs;

use common::*;
use serde_json::Value;

/// A log of the reference with the settings that matter here.
struct Log<'a> {
    folder: &'a str,
    data_set: &'a str,
    classes: &'a str,
    seed: u64,
    output_dir: &'a str,
    model_dir: &'a str,
    config: &'a str,
    epochs: usize,
    depth: usize,
    size: &'a str,
    correct: usize,
}

const LOG: Log = Log {
    folder: "",
    data_set: "EuroSAT",
    classes: "base",
    seed: 1,
    output_dir: "",
    model_dir: "",
    config: "vit_b16_c2_ep20_batch4_4+4ctx",
    epochs: 20,
    depth: 9,
    size: "(224, 224)",
    correct: 500,
};

impl Log<'_> {
    fn write(&self, root: &str) {
        let Log {
            data_set,
            classes,
            seed,
            output_dir,
            model_dir,
            config,
            epochs,
            depth,
            size,
            correct,
            ..
        } = self;
        let (eval_only, load_epoch) = match model_dir.is_empty() {
            true => ("False", "None".to_string()),
            false => ("True", epochs.to_string()),
        };
        let error = 100.0 - *correct as f64 / 10.0;
        let accuracy = *correct as f64 / 10.0;
        let text = format!(
            "***************\n** Arguments **\n***************\n\
             config_file: configs/trainers/PromptSRC/{config}.yaml\neval_only: {eval_only}\n\
             load_epoch: {load_epoch}\nmodel_dir: {model_dir}\noutput_dir: {output_dir}\nseed: {seed}\n\
             ************\n** Config **\n************\nDATASET:\n  NAME: {data_set}\n  NUM_SHOTS: 16\n\
             \x20 SUBSAMPLE_CLASSES: {classes}\nINPUT:\n  SIZE: {size}\nMODEL:\n  BACKBONE:\n    \
             NAME: ViT-B/16\nOPTIM:\n  MAX_EPOCH: {epochs}\nSEED: {seed}\nTRAINER:\n  NAME: \
             PromptSRC\n  PROMPTSRC:\n    PREC: fp16\n    PROMPT_DEPTH_TEXT: {depth}\n    \
             PROMPT_DEPTH_VISION: {depth}\nLoading trainer: PromptSRC\nEvaluate on the *test* set\n\
             => result\n* total: 1,000\n* correct: {correct}\n* accuracy: {accuracy:.1}%\n\
             * error: {error:.1}%\n* macro_f1: 50.0%\n"
        );
        let folder = below(root, self.folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(below(&folder, "log.txt"), text).expect("a log");
    }
}

/// The tables of logs, as a list.
fn tables(root: &str) -> (Vec<Value>, String) {
    let ending = promptsrc(&["bench", "table", root, "--json"]).done();
    let list = match ending.json() {
        Value::Array(list) => list,
        one => vec![one],
    };
    (list, ending.stderr.clone())
}

#[test]
fn base_and_novel_are_joined_only_where_one_training_made_both() {
    let folder = scratch();
    let root = text(&folder);
    let train = |config: &str, seed: u64, epochs, correct| {
        let folder = format!("base2new/train_base/eurosat/shots_16/PromptSRC/{config}/seed{seed}");
        Log {
            folder: &folder,
            output_dir: &format!("output/{folder}"),
            seed,
            epochs,
            config,
            correct,
            ..LOG
        }
        .write(&root);
    };
    let novel = |config: &str, of: &str, seed: u64, size, correct| {
        let folder = format!("base2new/test_new/eurosat/shots_16/PromptSRC/{config}/seed{seed}");
        let of = format!("output/base2new/train_base/eurosat/shots_16/PromptSRC/{of}/seed{seed}");
        Log {
            folder: &folder,
            output_dir: &format!("output/{folder}"),
            model_dir: &of,
            classes: "new",
            seed,
            size,
            config,
            correct,
            ..LOG
        }
        .write(&root);
    };
    // One training with its evaluation: one table, with a harmonic mean.
    train("two", 1, 20, 800);
    novel("two", "two", 1, "(224, 224)", 600);
    let (one, stderr) = tables(&root);
    assert_eq!((one.len(), stderr.as_str()), (1, ""));
    let cells = &one[0]["sets"]["EuroSAT"]["promptsrc"];
    assert_eq!(cells["hm"]["mean"], 2.0 * 80.0 * 60.0 / 140.0);
    // A log records neither the weights nor the split: nothing published is set beside it.
    assert_eq!(cells["base"]["published"], Value::Null);
    let differs = &one[0]["comparison"]["EuroSAT"]["promptsrc"]["differs"];
    assert_eq!(differs[0], "1 seed");
    let made = &one[0]["made"]["EuroSAT"]["promptsrc"];
    assert_eq!(made["epochs"], serde_json::json!([20]));
    assert_eq!(made["clip"][0], "ViT-B/16 of the reference");
    assert_eq!(made["precision"][0], "fp16");

    // Another seed with other epochs is neither averaged nor joined.
    train("one", 2, 3, 200);
    let (two, stderr) = tables(&root);
    assert!(stderr.contains("different configurations"), "{stderr}");
    assert_eq!(two.len(), 2);
    let found: Vec<(Value, Value)> = two
        .iter()
        .map(|table| {
            let cells = &table["sets"]["EuroSAT"]["promptsrc"];
            (cells["base"]["mean"].clone(), cells["hm"]["mean"].clone())
        })
        .collect();
    assert_eq!(found[0], (20.0.into(), Value::Null), "{found:?}");
    assert_eq!(found[1].0, 80.0);
    let group = two[0]["group"].as_str().expect("its configuration");
    assert!(group.contains("OPTIM.MAX_EPOCH 3"), "{group}");

    // An evaluation with other images than its training is left out, with the reason.
    novel("one", "one", 2, "(48, 48)", 900);
    let (_, stderr) = tables(&root);
    assert!(
        stderr.contains("left out") && stderr.contains("INPUT.SIZE: (48, 48) instead of"),
        "{stderr}"
    );
    // So is one of an epoch that is not the last; one of a training that is not here stands alone.
    novel("one", "gone", 2, "(224, 224)", 900);
    let (three, _) = tables(&root);
    let alone = three
        .iter()
        .find(|table| table["sets"]["EuroSAT"]["promptsrc"]["novel"]["mean"] == 90.0)
        .expect("a table");
    assert_eq!(alone["sets"]["EuroSAT"]["promptsrc"]["base"], Value::Null);
    let group = alone["group"].as_str().expect("its configuration");
    assert!(group.contains("whose training is not here"), "{group}");
}

#[test]
fn a_training_for_transfer_is_the_source_of_its_table_and_not_few_shot_learning() {
    let folder = scratch();
    let root = text(&folder);
    let config = "vit_b16_c2_ep20_batch4_4+4ctx_cross_datasets";
    let source = format!("imagenet/PromptSRC/{config}_16shots/seed1");
    let log = Log {
        classes: "all",
        config,
        depth: 3,
        ..LOG
    };
    Log {
        folder: &source,
        data_set: "ImageNet",
        output_dir: &format!("output/{source}"),
        correct: 713,
        ..log
    }
    .write(&root);
    let (alone, _) = tables(&root);
    assert_eq!(alone[0]["protocol"], "cross-dataset");
    let target = format!("evaluation/PromptSRC/{config}_16shots/dtd/seed1");
    Log {
        folder: &target,
        data_set: "DescribableTextures",
        output_dir: &format!("output/{target}"),
        model_dir: &format!("output/{source}"),
        classes: "all",
        config,
        depth: 3,
        correct: 469,
        ..LOG
    }
    .write(&root);
    let (tables, _) = tables(&root);
    assert_eq!(tables.len(), 1, "{tables:?}");
    assert_eq!(tables[0]["protocol"], "cross-dataset");
    let sets = &tables[0]["sets"];
    assert_eq!(sets["ImageNet"]["promptsrc"]["accuracy"]["mean"], 71.3);
    assert_eq!(sets["DTD"]["promptsrc"]["accuracy"]["mean"], 46.9);
    // The source is not in the average.
    assert_eq!(tables[0]["average"]["promptsrc"]["accuracy"]["mean"], 46.9);
}

#[test]
fn evaluations_belong_to_the_data_set_of_their_training() {
    let folder = scratch();
    let root = text(&folder);
    let log = |folder: &str, data_set, classes, of: &str, seed, correct| {
        Log {
            folder,
            data_set,
            classes,
            output_dir: &format!("output/{folder}"),
            model_dir: of,
            seed,
            correct,
            ..LOG
        }
        .write(&root);
    };
    log("few/caltech101/seed1", "Caltech101", "all", "", 1, 900);
    // Evaluated where it was trained, and elsewhere: neither is ImageNet's.
    let training = "output/few/caltech101/seed1";
    log(
        "again/caltech101/seed1",
        "Caltech101",
        "all",
        training,
        1,
        900,
    );
    log(
        "elsewhere/dtd/seed1",
        "DescribableTextures",
        "all",
        training,
        1,
        400,
    );
    // No protocol evaluates novel classes after learning all.
    log(
        "odd/caltech101/seed1",
        "Caltech101",
        "new",
        training,
        1,
        100,
    );
    let (tables, stderr) = tables(&root);
    assert!(
        stderr.contains("none of the four protocols does"),
        "{stderr}"
    );
    let by_protocol = |name: &str| {
        let found: Vec<&Value> = tables.iter().filter(|t| t["protocol"] == name).collect();
        assert_eq!(found.len(), 1, "{name}: {tables:?}");
        found[0]["sets"].clone()
    };
    let transfer = by_protocol("cross-dataset");
    assert_eq!(transfer["DTD"]["promptsrc"]["accuracy"]["mean"], 40.0);
    assert_eq!(transfer["ImageNet"], Value::Null);
    assert_eq!(
        transfer["Caltech101"]["promptsrc"]["accuracy"]["mean"],
        90.0
    );
    // The source is not in the average.
    let is_it = |table: &&Value| table["protocol"] == "cross-dataset";
    let table = tables.iter().find(is_it).expect("it");
    assert_eq!(table["average"]["promptsrc"]["accuracy"]["mean"], 40.0);
    assert_eq!(table["complete"], true);
}

#[test]
fn a_table_says_how_it_was_made_and_has_the_values_of_each_seed() {
    let folder = scratch();
    let out = below(&folder, "out");
    let sweep = |more: &[&str]| {
        let args = [
            "bench",
            "base-to-novel",
            "--root",
            "world",
            "--datasets=surfaces",
            "--methods=zero-shot,promptsrc",
            "--seeds=1,2",
            "--shots=1",
            "--epochs=1",
            "--quiet",
            "--out",
            &out,
        ];
        promptsrc(&[&args[..], more].concat()).done()
    };
    // Nothing is finished: a pass is measured, and nothing is written.
    let plan = sweep(&["--plan", "--json"]).json();
    assert!(plan["seconds_left"].as_f64().is_some_and(|s| s > 0.0));
    let from = plan["seconds_from"].as_str().expect("a text");
    assert!(from.contains("measured now"), "{from}");
    assert!(fs::metadata(&out).is_err());

    // A CLIP that would have to be downloaded is not.
    let plan = sweep(&["--clip", "nobody/no-such-clip", "--plan"]).stdout;
    assert!(
        plan.contains("time: unknown: ") && plan.contains("downloads nothing"),
        "{plan}"
    );

    let text = sweep(&[]).stdout;
    let version = env!("CARGO_PKG_VERSION");
    for words in [
        "CLIP mini (",
        "epochs: promptsrc 1;",
        &format!("program: promptsrc {version}."),
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    // Two seeds have no interval.
    let interval = text
        .lines()
        .find(|line| line.contains("95 % interval"))
        .expect("a line");
    assert!(
        interval.contains("2 seeds") && !interval.contains('±'),
        "{text}"
    );
    let plan = sweep(&["--plan", "--json"]).json();
    assert_eq!(plan["seconds_left"], 0.0);

    let table = |more: &[&str]| promptsrc(&[&["bench", "table", &out], more].concat());
    let csv = table(&["--per-seed"]).done().stdout;
    let lines: Vec<&str> = csv.lines().collect();
    let head =
        "protocol,group,shots,data_set,method,seed,metric,value,clip,precision,epochs,program";
    assert_eq!(lines[0], head);
    // Base, novel and harmonic mean of zero-shot CLIP, and of two seeds.
    assert_eq!(lines.len(), 1 + 3 + 2 * 3, "{csv}");
    let run = below(
        &out,
        "base-to-novel/promptsrc/surfaces/shots_1/seed_2/result.json",
    );
    let run: Value = serde_json::from_str(&fs::read_to_string(run).expect("it")).expect("JSON");
    let count = |name: &str| run["measured"][0][name].as_f64().expect("a number");
    let value = 100.0 * count("correct") / count("total");
    let line = format!("base-to-novel,,1,surfaces,promptsrc,2,base,{value},mini (");
    assert!(csv.contains(&line), "no {line} in {csv}");
    table(&["--per-seed", "--format", "latex"]).fails(2, &["--per-seed writes CSV"]);

    // Every format names them.
    let json = table(&["--json"]).done().json();
    assert_eq!(json["made"]["surfaces"]["promptsrc"]["epochs"][0], 1);
    assert_eq!(json["made"]["surfaces"]["promptsrc"]["seeds"][1]["seed"], 2);
    let csv = table(&["--format", "csv"]).done().stdout;
    assert!(
        csv.lines()
            .next()
            .is_some_and(|head| head.ends_with("clip,precision,epochs,program"))
    );
    // A result of a version that recorded no facts says so.
    let path = below(&out, "base-to-novel/zero-shot/surfaces/result.json");
    let mut old: Value = serde_json::from_str(&fs::read_to_string(&path).expect("it")).expect("it");
    old.as_object_mut().expect("an object").remove("facts");
    fs::write(&path, old.to_string()).expect("a file");
    let text = table(&[]).done().stdout;
    assert!(text.contains("program: not recorded, promptsrc"), "{text}");
}

/// EuroSAT without its split file: 27,000 links to one image.
fn eurosat(root: &str) {
    let counts = [
        ("AnnualCrop", 3000),
        ("Forest", 3000),
        ("HerbaceousVegetation", 3000),
        ("Highway", 2500),
        ("Industrial", 2500),
        ("Pasture", 2000),
        ("PermanentCrop", 2500),
        ("Residential", 3000),
        ("River", 2500),
        ("SeaLake", 3000),
    ];
    let first = below(root, "image.jpg");
    fs::create_dir_all(root).expect("a folder");
    fs::copy(image(), &first).expect("a copy");
    for (class, count) in counts {
        let folder = below(root, &format!("eurosat/2750/{class}"));
        fs::create_dir_all(&folder).expect("a folder");
        for i in 1..=count {
            let link = below(&folder, &format!("{class}_{i}.jpg"));
            fs::hard_link(&first, link).expect("a link");
        }
    }
}

#[test]
fn a_split_that_we_made_never_becomes_the_published_one() {
    let folder = scratch();
    let root = below(&folder, "root");
    eurosat(&root);
    let check = || {
        let sets = promptsrc(&["data", "check", &root, "--json"]).done().json();
        sets[9].clone()
    };
    assert_eq!(check()["name"], "EuroSAT");
    assert_eq!(check()["split"]["origin"], "ours");
    let bench = [
        "bench",
        "base-to-novel",
        "--root",
        &root,
        "--clip",
        "mini",
        "--datasets=eurosat",
        "--methods=zero-shot",
        "--json",
        "--out",
        &below(&folder, "out"),
    ];
    let ending = promptsrc(&bench).done();
    let words = "there is no split_zhou_EuroSAT.json";
    assert!(ending.stderr.contains(words), "{ending}");
    let json = ending.json();
    let base = &json["sets"]["EuroSAT"]["zero-shot"]["base"];
    assert_eq!(
        (&base["published"], &base["difference"]),
        (&Value::Null, &Value::Null)
    );
    let differs = &json["comparison"]["EuroSAT"]["zero-shot"]["differs"];
    assert_eq!(
        *differs,
        serde_json::json!(["other CLIP (mini)", "own split"])
    );

    // The file is there now, whole, and still ours.
    let split = below(&root, "eurosat/split_zhou_EuroSAT.json");
    assert!(
        fs::read_to_string(&split)
            .expect("it")
            .contains("made_by_promptsrc")
    );
    let after = check();
    assert_eq!(
        (&after["state"], &after["split"]["origin"]),
        (&"whole".into(), &"ours".into())
    );
    let text = promptsrc(&["data", "check", &root]).done().stdout;
    assert!(text.contains("was made by promptsrc"), "{text}");
    // As an earlier version wrote it, without the mark, it is another one than the published.
    let mut json: Value =
        serde_json::from_str(&fs::read_to_string(&split).expect("it")).expect("it");
    json.as_object_mut()
        .expect("it")
        .remove("made_by_promptsrc");
    fs::write(&split, json.to_string()).expect("a file");
    assert_eq!(check()["split"]["origin"], "other");
}

#[test]
fn what_is_not_known_or_not_there_is_said() {
    // A set of test images has nothing to sample.
    let folder = scratch();
    let set = below(&folder, "imagenetv2");
    for class in ["0", "1"] {
        let class = below(
            &set,
            &format!("imagenetv2-matched-frequency-format-val/{class}"),
        );
        fs::create_dir_all(&class).expect("a folder");
        fs::copy(image(), below(&class, "a.jpg")).expect("a copy");
    }
    let names = "n01440764 tench\nn01443537 goldfish\n";
    fs::write(below(&set, "classnames.txt"), names).expect("a file");
    promptsrc(&["sample", "--shots", "1", "--data", &set])
        .fails(
            1,
            &["imagenetv2 has no training images", "2 test images only"],
        )
        .silent();

    // A converted checkpoint does not say how many images it was trained on.
    let names = golden("checkpoint/checkpoint.json");
    let json: Value = serde_json::from_str(&fs::read_to_string(names).expect("it")).expect("JSON");
    let names: Vec<&str> = json["classnames"]
        .as_array()
        .expect("names")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let list = below(&folder, "names.txt");
    fs::write(&list, names.join("\n")).expect("a file");
    let adapter = below(&folder, "adapter.safetensors");
    promptsrc(&[
        "convert",
        &golden("checkpoint"),
        &adapter,
        "--class-names",
        &list,
        "--ctx-init",
        "a photo of a",
    ])
    .done();
    let text = promptsrc(&["inspect", &adapter]).done().stdout;
    assert!(text.contains("images: unknown"), "{text}");
}
