//! Logs of the reference: complete, truncated and damaged ones, and their paths.

use std::path::Path;

use promptsrc::Classes;
use promptsrc_reference::log::{ReferenceLogError, ReferenceResult, find, parse, read, read_below};
use proptest::prelude::*;

/// As `train.py` prints arguments and configuration (yacs: sorted, two blanks a level), shortened.
const HEADER: &str = "\
***************
** Arguments **
***************
backbone: 
config_file: configs/trainers/PromptSRC/vit_b16_c2_ep20_batch4_4+4ctx.yaml
eval_only: False
opts: ['DATASET.NUM_SHOTS', '16', 'DATASET.SUBSAMPLE_CLASSES', 'base']
seed: 2
trainer: PromptSRC
************
** Config **
************
DATALOADER:
  NUM_WORKERS: 8
  TEST:
    BATCH_SIZE: 100
    SAMPLER: SequentialSampler
  TRAIN_X:
    BATCH_SIZE: 4
    N_DOMAIN: 0
DATASET:
  NAME: EuroSAT
  NUM_SHOTS: 16
  ROOT: /data
  SOURCE_DOMAINS: ()
  SUBSAMPLE_CLASSES: base
INPUT:
  RRCROP_SCALE: (0.08, 1.0)
  SIZE: (224, 224)
MODEL:
  BACKBONE:
    NAME: ViT-B/16
  INIT_WEIGHTS: 
OPTIM:
  LR: 0.0025
  MAX_EPOCH: 20
OUTPUT_DIR: output/base2new/train_base/eurosat/shots_16/PromptSRC/c/seed2
SEED: 2
TRAINER:
  COOP:
    N_CTX: 16
  NAME: PromptSRC
  PROMPTSRC:
    CTX_INIT: a photo of a
    GPA_MEAN: 15
    GPA_STD: 1
USE_CUDA: True
Collecting env info ...
** System info **
PyTorch version: 1.9.0+cu111
SEED: 99

Loading trainer: PromptSRC
";

const TRAINING: &str = "\
epoch [1/20] batch [5/20] time 0.2 (0.7) data 0.0 (0.3) loss 2.9 (3.1) lr 1.0000e-05 eta 0:04:51
Checkpoint saved to output/VLPromptLearner/model.pth.tar-20
Finish training
Deploy the last-epoch model
Evaluate on the *test* set
";

const RESULT: &str = "\
=> result
* total: 4,200
* correct: 3,902
* accuracy: 92.9%
* error: 7.1%
* macro_f1: 92.8%
";

fn log() -> String {
    format!("{HEADER}{TRAINING}{RESULT}Elapsed: 0:05:21\n")
}

fn parsed(log: &str) -> ReferenceResult {
    parse(log.as_bytes()).expect("a log")
}

#[test]
fn a_complete_log_gives_its_configuration_and_its_result() {
    let found = parsed(&log());
    assert_eq!(found.dataset.as_deref(), Some("EuroSAT"));
    assert_eq!(found.trainer.as_deref(), Some("PromptSRC"));
    assert_eq!(found.method().map(|m| m.name()), Some("promptsrc"));
    assert_eq!((found.seed, found.shots), (Some(2), Some(16)));
    assert_eq!(found.subset, Some(Classes::Base));
    assert_eq!(found.eval_only, Some(false));
    assert_eq!((found.total, found.correct), (Some(4200), Some(3902)));
    assert_eq!((found.accuracy, found.macro_f1), (Some(92.9), Some(92.8)));
    assert_eq!(found.exact_accuracy(), Some(390_200.0 / 4200.0));
    assert!(found.finished);
    // Levels end where the indentation does: OPTIM is not below MODEL, SEED not below anything.
    let set = |name: &str| found.settings.get(name).map(String::as_str);
    assert_eq!(set("DATALOADER.TRAIN_X.BATCH_SIZE"), Some("4"));
    assert_eq!(set("MODEL.INIT_WEIGHTS"), Some(""));
    assert_eq!(set("OPTIM.MAX_EPOCH"), Some("20"));
    assert_eq!(set("TRAINER.PROMPTSRC.CTX_INIT"), Some("a photo of a"));
    assert_eq!(found.setting("TRAINER.PROMPTSRC.GPA_STD"), Some(1.0));
    assert_eq!(set("TRAINER.USE_CUDA"), None);
}

#[test]
fn two_decimals_and_windows_lines_are_read_as_well() {
    let newer = log().replace("92.9%", "92.90%").replace('\n', "\r\n");
    assert_eq!(parsed(&newer), parsed(&log()));
}

#[test]
fn the_last_result_on_the_test_images_counts() {
    let better = RESULT.replace("3,902", "4,000").replace("92.9", "95.2");
    let twice = format!("{}{}", log(), better);
    assert_eq!(parsed(&twice).accuracy, Some(95.2));
    let validated = format!("{}Evaluate on the *val* set\n{better}", log());
    assert_eq!(parsed(&validated).accuracy, Some(92.9));
    // The average of the per-class result is another figure.
    let classes =
        "=> per-class result\n* class: 0 (forest)\ttotal: 4\tacc: 1.0%\n* average: 1.0%\n";
    assert_eq!(parsed(&format!("{}{classes}", log())), parsed(&log()));
}

#[test]
fn a_truncated_log_is_never_finished() {
    let (log, whole) = (log(), parsed(&log()));
    let end = log.find("92.8%").expect("the last figure") + "92.8%".len();
    let begin = log.find("** Config **").expect("a configuration") + "** Config **".len();
    for length in begin..end {
        let found = parsed(&log[..length]);
        assert!(!found.finished, "truncated after {length} bytes");
        // A figure is complete or absent, never shortened.
        assert!(found.accuracy.is_none_or(|a| Some(a) == whole.accuracy));
        assert!(found.total.is_none_or(|t| Some(t) == whole.total));
        assert!(found.correct.is_none_or(|c| Some(c) == whole.correct));
    }
    assert!(parsed(&log[..end]).finished);
}

#[test]
fn impossible_figures_are_ignored() {
    for (from, to) in [("92.9%", "192.9%"), ("92.9%", "NaN%"), ("92.9%", "-1%")] {
        let found = parsed(&log().replace(from, to));
        assert_eq!((found.accuracy, found.finished), (None, false), "{to}");
    }
    let found = parsed(&log().replace("3,902", "39,020"));
    assert_eq!((found.correct, found.exact_accuracy()), (None, Some(92.9)));
}

#[test]
fn bytes_that_are_not_text_do_not_hide_the_rest() {
    let mut bytes = b"\xff\xfe junk \x00\n".to_vec();
    bytes.extend(HEADER.replace("/data", "/d\u{fffd}ta").bytes());
    bytes.extend(b"\xf0\x28\x8c\n");
    bytes.extend(RESULT.bytes());
    let found = parse(&bytes).expect("a log");
    assert_eq!((found.accuracy, found.seed), (Some(92.9), Some(2)));
}

proptest! {
    #[test]
    fn damaged_logs_do_no_harm(at in 0..log().len(), junk in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = log().into_bytes();
        bytes.splice(at..at, junk);
        if let Some(found) = parse(&bytes) {
            prop_assert!(found.accuracy.is_none_or(|a| (0.0..=100.0).contains(&a)));
        }
    }
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

#[test]
fn what_the_log_does_not_contain_is_taken_from_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        (
            "base2new/test_new/dtd/shots_8/IVLP/vit_b16_c2_ep5/seed3/log.txt",
            (
                "DescribableTextures",
                "IVLP",
                3,
                Some(8),
                Some(Classes::Novel),
            ),
        ),
        (
            "evaluation/PromptSRC/vit_b16_c2_ep20_batch4_4+4ctx_cross_datasets_16shots/oxford_pets/seed1/log.txt",
            ("OxfordPets", "PromptSRC", 1, Some(16), None),
        ),
        (
            "stanford_cars/PromptSRC/vit_b16_c2_ep50_batch4_4+4ctx_few_shot_4shots/seed2/log.txt",
            ("StanfordCars", "PromptSRC", 2, Some(4), None),
        ),
    ];
    for (name, (dataset, trainer, seed, shots, subset)) in cases {
        write(folder.path(), name, RESULT);
        let found = read(&folder.path().join(name)).expect("a log");
        assert_eq!(found.dataset.as_deref(), Some(dataset), "{name}");
        assert_eq!(found.trainer.as_deref(), Some(trainer), "{name}");
        assert_eq!(found.seed, Some(seed), "{name}");
        assert_eq!((found.shots, found.subset), (shots, subset), "{name}");
    }
    // What the log contains takes precedence.
    let name = "base2new/test_new/dtd/shots_8/IVLP/vit_b16_c2_ep5/seed3/log.txt-2024-01-01";
    write(folder.path(), name, &log());
    let found = read(&folder.path().join(name)).expect("a log");
    assert_eq!(found.dataset.as_deref(), Some("EuroSAT"));
    assert_eq!((found.seed, found.subset), (Some(2), Some(Classes::Base)));
}

#[test]
fn of_several_logs_in_a_folder_the_newest_finished_one_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let (old, new) = (RESULT.to_string(), RESULT.replace("92.9", "93.0"));
    write(root, "a/seed1/log.txt", &old);
    write(root, "a/seed1/log.txt-2024-01-01-10-00-00", &new);
    write(root, "a/seed1/log.txt-2024-01-02-10-00-00", HEADER);
    write(root, "a/seed2/log.txt", HEADER);
    write(root, "b/log.txt", "a note of mine\n");
    write(root, "b/catalog.txt", &old);
    #[cfg(unix)]
    std::os::unix::fs::symlink(root, root.join("a/back")).expect("a link");
    assert_eq!(find(root).expect("a folder").len(), 5);

    let runs = read_below(root).expect("a folder");
    let accuracies: Vec<_> = runs
        .results
        .iter()
        .map(|(_, r)| (r.seed, r.accuracy))
        .collect();
    assert_eq!(accuracies, [(Some(1), Some(93.0)), (Some(2), None)]);
    match runs.errors.as_slice() {
        [error @ ReferenceLogError::NoLog { .. }] => {
            assert!(error.to_string().contains("=> result"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(read_below(&root.join("nowhere")).is_err());
}
