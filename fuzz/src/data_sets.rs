//! Lists, splits, class names, few-shot files and the annotations of the paper's data sets.

use std::path::Path;

use promptsrc_datasets::{CATALOGUE, CatalogueSet, DataSource, Dataset, FewShotCache, Part};

use crate::target::{Outcome, Target};
use crate::{repository, scratch, sections};

pub const TARGETS: &[Target] = &[
    Target {
        name: "csv",
        run: |data| list(&scratch::file("lists/list.csv", data)),
        seeds: || repository::own("csv"),
    },
    Target {
        name: "tsv",
        run: |data| list(&scratch::file("lists/list.tsv", data)),
        seeds: || repository::own("tsv"),
    },
    Target {
        name: "jsonl",
        run: |data| list(&scratch::file("lists/list.jsonl", data)),
        seeds: || repository::own("jsonl"),
    },
    Target {
        name: "split",
        run: |data| list(&scratch::file("lists/split.json", data)),
        seeds: || {
            let mut seeds = repository::own("split");
            let file = repository::read("tools/goldens/data/fewshot/split.json");
            seeds.push(("few_shot.json".to_string(), file));
            seeds
        },
    },
    Target {
        name: "names",
        run: names,
        seeds: || repository::own("names"),
    },
    Target {
        name: "few_shot",
        run: few_shot,
        seeds: || repository::with_extension(&["pkl"]),
    },
    Target {
        name: "annotations",
        run: annotations,
        seeds: annotation_seeds,
    },
    Target {
        name: "mat",
        run: |data| {
            let names = b"{\"1\": \"rose\", \"2\": \"tulip\"}";
            scratch::fixed("mat/oxford_flowers/cat_to_name.json", names);
            scratch::fixed("mat/oxford_flowers/jpg/image_00001.jpg", b"");
            scratch::file("mat/oxford_flowers/imagelabels.mat", data);
            catalogue("OxfordFlowers", &scratch::path("mat"))
        },
        seeds: || repository::with_extension(&["mat"]),
    },
];

fn source(path: &Path) -> DataSource {
    let mut source = DataSource::new(path);
    source.allow_missing = true;
    source
}

fn list(path: &Path) -> Outcome {
    let read = source(path).read();
    if let Ok((dataset, report)) = &read {
        let _ = report.warnings().len();
        used(dataset);
    }
    read.into()
}

/// What a run does with a data set before it opens an image.
fn used(dataset: &Dataset) {
    let subset = dataset.few_shot(2, 1);
    let _ = (subset.check_classes(), subset.check_trainable());
    if let Ok(base) = subset.base() {
        let _ = base.samples(Part::Test).len();
    }
    let _ = dataset.saved_few_shot(2, 1);
}

/// Class names for a list, by the numbers of the classes and by the names of their folders.
fn names(data: &[u8]) -> Outcome {
    let names = scratch::file("names/names.txt", data);
    let csv = scratch::fixed("names/list.csv", b"path,label\na/1.jpg,0\nb/1.jpg,1\n");
    for class in ["cat", "dog"] {
        scratch::fixed(&format!("names/folders/{class}/1.jpg"), b"");
    }
    let mut outcome = Outcome::Refused;
    for path in [csv, scratch::path("names/folders")] {
        let mut source = source(&path);
        source.class_names = Some(names.clone());
        if let Ok((dataset, _)) = source.read() {
            let _ = promptsrc::class_texts::check_names(&dataset.class_names);
            outcome = Outcome::Taken;
        }
    }
    outcome
}

/// A few-shot file of the reference, for a data set that the seeds fit.
fn few_shot(data: &[u8]) -> Outcome {
    let split = br#"{"train": [["Abyssinian_1.jpg", 0, "abyssinian"], ["Abyssinian_3.jpg", 0, "abyssinian"],
        ["great_dane_2.jpg", 1, "great_dane"]], "val": [["great_dane_4.jpg", 1, "great_dane"]],
        "test": [["Abyssinian_5.jpg", 0, "abyssinian"]]}"#;
    let split = scratch::fixed("few_shot/split_zhou_OxfordPets.json", split);
    let folder = split.parent().expect("a folder");
    let cache = FewShotCache::path(folder, 2, 1);
    std::fs::create_dir_all(cache.parent().expect("a folder")).expect("a folder");
    std::fs::write(&cache, data).expect("a file");
    let (dataset, _) = source(folder).read().expect("a data set");
    dataset.saved_few_shot(2, 1).into()
}

/// The files of annotations, each below its collection.
const ANNOTATIONS: [&str; 25] = [
    "fgvc_aircraft/images_variant_test.txt",
    "fgvc_aircraft/images_variant_train.txt",
    "fgvc_aircraft/images_variant_val.txt",
    "fgvc_aircraft/variants.txt",
    "imagenet/classnames.txt",
    "imagenet/preprocessed.pkl",
    "imagenet-adversarial/classnames.txt",
    "imagenet-rendition/classnames.txt",
    "imagenet-sketch/classnames.txt",
    "imagenetv2/classnames.txt",
    "oxford_flowers/cat_to_name.json",
    "oxford_flowers/imagelabels.mat",
    "oxford_pets/annotations/test.txt",
    "oxford_pets/annotations/trainval.txt",
    "oxford_pets/split_zhou_OxfordPets.json",
    "stanford_cars/cars_test_annos_withlabels.mat",
    "stanford_cars/devkit/cars_meta.mat",
    "stanford_cars/devkit/cars_train_annos.mat",
    "sun397/ClassName.txt",
    "sun397/Testing_01.txt",
    "sun397/Training_01.txt",
    "ucf101/split_zhou_UCF101.json",
    "ucf101/ucfTrainTestlist/classInd.txt",
    "ucf101/ucfTrainTestlist/testlist01.txt",
    "ucf101/ucfTrainTestlist/trainlist01.txt",
];

/// One of the paper's data sets; the first file says which.
fn annotations(data: &[u8]) -> Outcome {
    let files = sections::split(data);
    let Some((first, _)) = files.first() else {
        return Outcome::Refused;
    };
    let folder = first.split('/').next().unwrap_or_default();
    let Some(set) = CATALOGUE.iter().find(|set| set.folder == folder) else {
        return Outcome::Refused;
    };
    let collection = scratch::path("annotations");
    scratch::remove(&collection);
    let classes: &[&str] = match folder {
        "imagenet" => &["train/n01440764", "val/n01440764"],
        "imagenetv2" => &["0"],
        _ => &["n01440764"],
    };
    for class in classes {
        let image = format!("annotations/{folder}/{}/{class}/1.jpg", set.images);
        scratch::file(&image, b"");
    }
    for (name, content) in files {
        if ANNOTATIONS.contains(&name) {
            scratch::file(&format!("annotations/{name}"), content);
        }
    }
    catalogue(set.name, &collection)
}

fn catalogue(name: &str, collection: &Path) -> Outcome {
    let set = CatalogueSet::find(name).expect("a data set");
    let _ = promptsrc_datasets::check(collection);
    // Opened as a folder too: there missing images are allowed.
    let _ = set.open(collection);
    list(&collection.join(set.folder))
}

/// Beside those of text, what is in the fixtures.
fn annotation_seeds() -> Vec<(String, Vec<u8>)> {
    let fixture = |file: &str| repository::read(&format!("crates/datasets/tests/fixtures/{file}"));
    let names = b"{\"2\": \"pink primrose\", \"1\": \"rose\"}".to_vec();
    let cars = [
        ("stanford_cars/devkit/cars_meta.mat", "mat/cars_meta.mat"),
        (
            "stanford_cars/devkit/cars_train_annos.mat",
            "mat/cars_train_annos.mat",
        ),
        (
            "stanford_cars/cars_test_annos_withlabels.mat",
            "mat/cars_test_annos_withlabels.mat",
        ),
    ];
    let flowers = [
        (
            "oxford_flowers/imagelabels.mat",
            fixture("mat/imagelabels.mat"),
        ),
        ("oxford_flowers/cat_to_name.json", names),
    ];
    let imagenet = fixture("pickle/imagenet_preprocessed.pkl");
    let mut seeds = repository::own("annotations");
    seeds.extend([
        (
            "cars".to_string(),
            sections::join(&cars.map(|(name, file)| (name, fixture(file)))),
        ),
        ("flowers".to_string(), sections::join(&flowers)),
        (
            "imagenet_lists".to_string(),
            sections::join(&[("imagenet/preprocessed.pkl", imagenet)]),
        ),
    ]);
    seeds
}
