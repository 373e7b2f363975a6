//! The 15 data sets of the paper in their exact layouts, valid and invalid.
//!
//! Expected shuffles are CPython's, from `random.seed(1)` and `random.shuffle` in the reference's
//! own loops over the sorted names.

use std::path::{Path, PathBuf};

use promptsrc_datasets::{
    CATALOGUE, CatalogueSet, DataError, DataSource, Dataset, Item, Part, Presence, Report,
    SetState, check,
};
use tempfile::TempDir;

fn tree(files: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        write(root.path(), file, "");
    }
    root
}

fn write(root: &Path, file: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = root.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

/// Copies a fixture into a tree.
fn place(root: &Path, file: &str, fixture: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    write(root, file, std::fs::read(fixtures.join(fixture)).unwrap());
}

fn set(name: &str) -> &'static CatalogueSet {
    CatalogueSet::find(name).unwrap_or_else(|| panic!("no {name}"))
}

fn open(name: &str, root: &TempDir) -> (Dataset, Report) {
    set(name)
        .open(root.path())
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The error of opening, which must contain all these words.
#[track_caller]
fn fails(name: &str, root: &TempDir, words: &[&str]) -> DataError {
    let error = set(name).open(root.path()).unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
    error
}

/// File names of a part.
fn files(items: &[Item]) -> Vec<String> {
    let name = |item: &Item| {
        item.path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    items.iter().map(name).collect()
}

fn labels(items: &[Item]) -> Vec<usize> {
    items.iter().map(|item| item.label).collect()
}

#[test]
fn every_set_is_found_by_its_names_and_has_download_addresses() {
    for set in &CATALOGUE {
        for name in [set.name, set.published_name, set.folder] {
            for name in [
                name.to_string(),
                name.to_uppercase(),
                name.replace(['-', '_'], " "),
            ] {
                assert_eq!(
                    CatalogueSet::find(&name).map(|s| s.name),
                    Some(set.name),
                    "{name}"
                );
            }
        }
        // The image folder comes first: folders are recognised by it.
        let first = set.downloads[0].path;
        assert!(first == set.images || set.images.is_empty(), "{}", set.name);
        assert!(set.downloads.iter().all(|d| d.address.starts_with("http")));
        if let (Some((base, novel)), [_, _, test]) = (set.test_halves, set.counts) {
            assert_eq!(base + novel, test, "{}", set.name);
        }
    }
    for (name, known) in [
        ("Flowers", "OxfordFlowers"),
        ("-V2", "ImageNetV2"),
        ("SUN", "SUN397"),
    ] {
        assert_eq!(set(name).name, known);
    }
    assert!(CatalogueSet::find("CIFAR10").is_none() && CatalogueSet::find("").is_none());
    let test_only = CATALOGUE.iter().filter(|set| set.is_test_only());
    assert_eq!(test_only.count(), 4);
}

/// Two classes of ten and seven images.
fn food() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (class, count) in [("a", 10), ("b", 7)] {
        for i in 0..count {
            write(
                root.path(),
                &format!("food-101/images/{class}/{class}{i}.jpg"),
                "",
            );
        }
    }
    write(root.path(), "food-101/images/a/.hidden.jpg", "");
    write(root.path(), "food-101/images/README.txt", "");
    root
}

#[test]
fn class_folders_are_divided_as_cpython_shuffles_them() {
    let root = food();
    let (dataset, report) = open("Food101", &root);
    assert_eq!(dataset.class_names, ["a", "b"]);
    let train = ["a6", "a8", "a9", "a7", "a5", "b2", "b5", "b4", "b3"].map(|n| format!("{n}.jpg"));
    assert_eq!(files(&dataset.train), train);
    assert_eq!(files(&dataset.val), ["a3.jpg", "a0.jpg", "b0.jpg"]);
    assert_eq!(
        files(&dataset.test),
        ["a4.jpg", "a1.jpg", "a2.jpg", "b1.jpg", "b6.jpg"]
    );
    assert_eq!(labels(&dataset.val), [0, 0, 1]);
    assert!(dataset.train.iter().all(|item| item.path.is_file()));
    let notes = report.notes.join("\n");
    assert!(
        notes.contains("not saved, because the data set is incomplete"),
        "{notes}"
    );
    assert!(notes.contains("2 classes instead of 101"), "{notes}");
    assert!(
        !root
            .path()
            .join("food-101/split_zhou_Food101.json")
            .exists()
    );

    // The same by the path of its folder alone, which is recognised by its name.
    let source = DataSource::new(root.path().join("food-101"));
    assert_eq!(source.read().unwrap().0.train, dataset.train);
}

#[test]
fn a_folder_of_another_layout_is_read_as_class_folders_whatever_its_name() {
    let root = tree(&[
        "dtd/cat/1.jpg",
        "dtd/cat/2.jpg",
        "dtd/dog/1.jpg",
        "dtd/dog/2.jpg",
    ]);
    let (dataset, report) = DataSource::new(root.path().join("dtd")).read().unwrap();
    assert_eq!(dataset.class_names, ["cat", "dog"]);
    assert!(report.source.starts_with("folder "), "{}", report.source);
}

/// DTD's 47 classes of 120 images.
fn whole_dtd() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for class in 0..47 {
        let folder = root.path().join(format!("dtd/images/class_{class:02}"));
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..120 {
            std::fs::write(folder.join(format!("{i:03}.jpg")), "").unwrap();
        }
    }
    root
}

#[test]
fn the_split_of_a_complete_data_set_is_saved_and_read_back_equal() {
    let root = whole_dtd();
    let split = root.path().join("dtd/split_zhou_DescribableTextures.json");
    let checked = &check(root.path())[8];
    assert_eq!(
        (checked.state, checked.set.name),
        (SetState::Whole, "DescribableTextures")
    );
    assert!(!split.exists(), "a check writes nothing");
    assert_eq!(
        checked.downloads.len(),
        1,
        "the published split can still be downloaded"
    );

    let (generated, report) = open("DTD", &root);
    assert_eq!(
        (
            generated.train.len(),
            generated.val.len(),
            generated.test.len()
        ),
        (2820, 1128, 1692)
    );
    assert_eq!(report.listing.as_deref(), Some(split.as_path()));
    assert!(
        report.notes[0].contains("it was saved as"),
        "{:?}",
        report.notes
    );
    let (read, report) = open("DTD", &root);
    assert_eq!(read, generated);
    // It stays marked as ours.
    assert!(
        report.notes[0].contains("was made by promptsrc"),
        "{:?}",
        report.notes
    );
    let origin = report.split.map(|split| split.origin);
    assert_eq!(origin, Some(promptsrc_datasets::SplitOrigin::Ours));
    let text = std::fs::read_to_string(&split).unwrap();
    assert!(
        text.starts_with("{\n    \"made_by_promptsrc\": \"each class was divided into")
            && text.contains("    \"train\": [\n        [\n            \"class_00/"),
        "{text:.160}"
    );
    // Nothing else is left behind.
    assert_eq!(
        std::fs::read_dir(root.path().join("dtd")).unwrap().count(),
        2
    );
}

#[test]
fn caltech_and_eurosat_rename_their_classes() {
    let mut list = Vec::new();
    let classes = [
        "BACKGROUND_Google",
        "Faces",
        "Faces_easy",
        "Leopards",
        "ant",
    ];
    for class in classes {
        (0..5).for_each(|i| list.push(format!("caltech-101/101_ObjectCategories/{class}/{i}.jpg")));
    }
    for class in ["AnnualCrop", "SeaLake"] {
        (0..5).for_each(|i| list.push(format!("eurosat/2750/{class}/{i}.jpg")));
    }
    let root = tree(&list.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        open("Caltech101", &root).0.class_names,
        ["face", "leopard", "ant"]
    );
    assert_eq!(
        open("EuroSAT", &root).0.class_names,
        ["Annual Crop Land", "Sea or Lake"]
    );

    write(root.path(), "eurosat/2750/Desert/1.jpg", "");
    fails(
        "EuroSAT",
        &root,
        &["2750/Desert", "not a class of EuroSAT", "AnnualCrop"],
    );
}

const PETS: [&str; 10] = [
    "great_dane_1",
    "Abyssinian_1",
    "great_dane_2",
    "Abyssinian_2",
    "great_dane_3",
    "Abyssinian_3",
    "great_dane_4",
    "Abyssinian_4",
    "great_dane_5",
    "Abyssinian_5",
];

fn pets() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for name in PETS {
        let class = if name.starts_with('g') { 2 } else { 1 };
        lines += &format!("{name} {class} 1 1\n");
        write(root.path(), &format!("oxford_pets/images/{name}.jpg"), "");
    }
    write(root.path(), "oxford_pets/annotations/trainval.txt", lines);
    write(
        root.path(),
        "oxford_pets/annotations/test.txt",
        "Abyssinian_9 1 1 1\n",
    );
    write(root.path(), "oxford_pets/images/Abyssinian_9.jpg", "");
    root
}

#[test]
fn pets_hold_out_a_fifth_as_cpython_shuffles_them() {
    let (dataset, report) = open("OxfordPets", &pets());
    assert_eq!(dataset.name, "OxfordPets");
    assert_eq!(dataset.class_names, ["abyssinian", "great_dane"]);
    let names = |items: &[Item]| files(items).join(" ").replace(".jpg", "");
    assert_eq!(names(&dataset.val), "great_dane_3 Abyssinian_1");
    let train = "great_dane_4 great_dane_5 great_dane_1 great_dane_2 \
                 Abyssinian_3 Abyssinian_2 Abyssinian_5 Abyssinian_4";
    assert_eq!(names(&dataset.train), train);
    assert_eq!(labels(&dataset.test), [0]);
    assert!(
        report.notes[0].contains("split_zhou_OxfordPets.json"),
        "{:?}",
        report.notes
    );
}

#[test]
fn wrong_pet_annotations_are_refused_with_their_line_and_reason() {
    let root = pets();
    let annotation = "oxford_pets/annotations/trainval.txt";
    for (line, words) in [
        ("a_1 1 1", &["trainval.txt:1", "found 3 words"][..]),
        ("a_1 0 1 1", &["trainval.txt:1", "from 1", "\"0\""]),
        ("a_1 one 1 1", &["\"one\""]),
        ("a 1 1 1", &["breed_number", "\"a\""]),
        ("a_1 1 1 1\n\nb_1 1 1 1", &["line 3", "\"b\"", "\"a\""]),
        ("a_1 1 1 1\na_2 2 1 1", &["\"a\"", "label 1", "label 0"]),
        ("abyssinian_1 1 1 1\nb_1 3 1 1", &["no entry has label 1"]),
        (
            "abyssinian_1 1 1 1\nb_1 2 1 1",
            &["abyssinian", "too few to divide", "20 %"],
        ),
    ] {
        write(root.path(), annotation, line);
        fails("OxfordPets", &root, words);
    }
    write(root.path(), annotation, b"caf\xe9_1 1 1 1\n");
    fails("OxfordPets", &root, &["trainval.txt:1", "UTF-8"]);
    std::fs::remove_file(root.path().join(annotation)).unwrap();
    let error = fails("OxfordPets", &root, &["trainval.txt", "annotations.tar.gz"]);
    assert!(matches!(error, DataError::NotDownloaded { .. }));
}

#[test]
fn missing_images_are_counted_and_none_at_all_is_an_error() {
    let root = pets();
    std::fs::remove_file(root.path().join("oxford_pets/images/Abyssinian_9.jpg")).unwrap();
    let (dataset, report) = open("OxfordPets", &root);
    assert_eq!(report.part(Part::Test).missing, 1);
    assert_eq!(dataset.test[0].presence, Presence::Missing);
    std::fs::remove_dir_all(root.path().join("oxford_pets/images")).unwrap();
    let error = fails("OxfordPets", &root, &["none of its 11 images was found"]);
    assert!(matches!(error, DataError::NoImages { .. }));
}

#[test]
fn cars_are_read_from_matlab_files_with_the_year_in_front() {
    let root = tempfile::tempdir().unwrap();
    for i in 1..=10 {
        write(
            root.path(),
            &format!("stanford_cars/cars_train/{i:05}.jpg"),
            "",
        );
    }
    write(root.path(), "stanford_cars/cars_test/00001.jpg", "");
    place(
        root.path(),
        "stanford_cars/devkit/cars_meta.mat",
        "mat/cars_meta.mat",
    );
    let train = "stanford_cars/devkit/cars_train_annos.mat";
    place(root.path(), train, "mat/cars_train_annos.mat");
    let test = "stanford_cars/cars_test_annos_withlabels.mat";
    place(root.path(), test, "mat/cars_test_annos_withlabels.mat");
    let (dataset, report) = open("StanfordCars", &root);
    assert_eq!(
        dataset.class_names,
        ["2000 AM General Hummer SUV", "2012 Audi TT RS Coupe"]
    );
    assert_eq!(files(&dataset.val), ["00005.jpg", "00002.jpg"]);
    assert_eq!(
        files(&dataset.train)[..4],
        ["00007.jpg", "00009.jpg", "00001.jpg", "00003.jpg"]
    );
    assert_eq!(labels(&dataset.test), [1, 0]);
    assert!(
        dataset.test[0]
            .path
            .ends_with("stanford_cars/cars_test/00001.jpg")
    );
    assert_eq!(report.part(Part::Test).missing, 1);
    let source = DataSource::new(root.path().join("stanford_cars"));
    assert_eq!(source.read().unwrap().0.train, dataset.train);

    place(root.path(), test, "mat/cars_unknown_class.mat");
    fails("Cars", &root, &["annotations(1)", "1 to 2", "found 3"]);
    place(root.path(), test, "mat/plain.mat");
    fails("Cars", &root, &["\"annotations\"", "bytes, signed"]);
    write(root.path(), test, "<html>not found</html>");
    fails("Cars", &root, &["withlabels.mat", "as a MATLAB file"]);
    std::fs::remove_file(root.path().join(test)).unwrap();
    fails(
        "Cars",
        &root,
        &["does not exist", "car196/cars_test_annos_withlabels.mat"],
    );
}

#[test]
fn flowers_are_divided_in_the_order_of_their_labels() {
    let root = tempfile::tempdir().unwrap();
    for i in 1..=20 {
        write(
            root.path(),
            &format!("oxford_flowers/jpg/image_{i:05}.jpg"),
            "",
        );
    }
    place(
        root.path(),
        "oxford_flowers/imagelabels.mat",
        "mat/imagelabels.mat",
    );
    let names = "oxford_flowers/cat_to_name.json";
    write(root.path(), names, r#"{"2": "pink primrose", "1": "rose"}"#);
    let (dataset, _) = open("Flowers102", &root);
    assert_eq!(dataset.class_names, ["rose", "pink primrose"]);
    assert_eq!(labels(&dataset.val), [1, 1, 0, 0]);
    let val = [
        "image_00004.jpg",
        "image_00001.jpg",
        "image_00020.jpg",
        "image_00011.jpg",
    ];
    assert_eq!(files(&dataset.val), val);
    assert_eq!(
        files(&dataset.train)[..2],
        ["image_00007.jpg", "image_00009.jpg"]
    );

    write(root.path(), names, r#"{"1": "rose"}"#);
    fails("Flowers", &root, &["labels(1)", "1 to 1", "found 2"]);
    write(root.path(), names, r#"{"1": "rose", "two": "tulip"}"#);
    fails("Flowers", &root, &["\"two\""]);
    write(root.path(), names, "[1, 2]");
    fails("Flowers", &root, &["cat_to_name.json:1", "pink primrose"]);
}

#[test]
fn aircraft_are_named_by_their_variants() {
    let root = tree(&[
        "fgvc_aircraft/images/0034.jpg",
        "fgvc_aircraft/images/0035.jpg",
    ]);
    write(
        root.path(),
        "fgvc_aircraft/variants.txt",
        "707-320\nAn-12 Cub\n",
    );
    for (part, line) in [
        ("train", "0034 An-12 Cub"),
        ("val", "0035 707-320"),
        ("test", "0036 707-320"),
    ] {
        write(
            root.path(),
            &format!("fgvc_aircraft/images_variant_{part}.txt"),
            line,
        );
    }
    let (dataset, report) = open("FGVCAircraft", &root);
    assert_eq!(dataset.class_names, ["707-320", "An-12 Cub"]);
    assert_eq!(
        (labels(&dataset.train), labels(&dataset.val)),
        (vec![1], vec![0])
    );
    assert_eq!(report.part(Part::Test).missing, 1);

    write(
        root.path(),
        "fgvc_aircraft/images_variant_val.txt",
        "0034 707-320\n0035 Concorde\n",
    );
    fails(
        "aircraft",
        &root,
        &["images_variant_val.txt:2", "\"Concorde\""],
    );
    std::fs::remove_file(root.path().join("fgvc_aircraft/images_variant_val.txt")).unwrap();
    fails(
        "aircraft",
        &root,
        &["images_variant_val.txt", "fgvc-aircraft-2013b.tar.gz"],
    );
}

#[test]
fn sun397_reverses_the_path_and_ucf101_splits_camel_case() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "sun397/ClassName.txt",
        "/a/abbey\n/a/apartment_building/outdoor\n",
    );
    let (mut sun, mut ucf) = (String::new(), String::new());
    for i in 0..5 {
        for class in ["a/abbey", "a/apartment_building/outdoor"] {
            write(root.path(), &format!("sun397/SUN397/{class}/s{i}.jpg"), "");
            sun += &format!("/{class}/s{i}.jpg\n");
        }
        for (label, class, folder) in [(1, "ApplyLipstick", "Apply_Lipstick"), (2, "YoYo", "Yo_Yo")]
        {
            write(
                root.path(),
                &format!("ucf101/UCF-101-midframes/{folder}/v_{i}.jpg"),
                "",
            );
            ucf += &format!("{class}/v_{i}.avi {label}\n");
        }
    }
    write(root.path(), "sun397/Training_01.txt", &sun);
    write(root.path(), "sun397/Testing_01.txt", "/a/abbey/s9.jpg\n");
    let (dataset, _) = open("SUN397", &root);
    assert_eq!(dataset.class_names, ["abbey", "outdoor apartment_building"]);
    assert_eq!(
        (dataset.train.len(), dataset.val.len(), dataset.test.len()),
        (8, 2, 1)
    );
    assert!(dataset.train.iter().all(|item| item.path.is_file()));
    write(root.path(), "sun397/Testing_01.txt", "/z/zoo/s9.jpg\n");
    fails("SUN397", &root, &["Testing_01.txt:1", "\"z/zoo\""]);
    write(root.path(), "sun397/Testing_01.txt", "a/abbey/s9.jpg\n");
    fails("SUN397", &root, &["begins with /"]);

    write(
        root.path(),
        "ucf101/ucfTrainTestlist/classInd.txt",
        "1 ApplyLipstick\n2 YoYo\n",
    );
    write(root.path(), "ucf101/ucfTrainTestlist/trainlist01.txt", &ucf);
    write(
        root.path(),
        "ucf101/ucfTrainTestlist/testlist01.txt",
        "YoYo/v_0.avi\n",
    );
    let (dataset, _) = open("UCF101", &root);
    assert_eq!(dataset.class_names, ["Apply_Lipstick", "Yo_Yo"]);
    assert!(
        dataset.test[0]
            .path
            .ends_with("UCF-101-midframes/Yo_Yo/v_0.jpg")
    );
    assert!(dataset.train.iter().all(|item| item.path.is_file()));
    write(
        root.path(),
        "ucf101/ucfTrainTestlist/testlist01.txt",
        "Yoga/v_0.avi\n",
    );
    fails("UCF101", &root, &["testlist01.txt:1", "\"Yoga\""]);
    write(
        root.path(),
        "ucf101/ucfTrainTestlist/classInd.txt",
        "ApplyLipstick\n",
    );
    fails("UCF101", &root, &["classInd.txt:1", "found 1 words"]);
}

/// Two classes of ImageNet are called "missile".
const CLASS_NAMES: &str = "n01440764 tench\nn03773504 missile\nn04008634 missile\n";
const WORDNET: [&str; 3] = ["n01440764", "n03773504", "n04008634"];

fn imagenet() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "imagenet/classnames.txt", CLASS_NAMES);
    for class in WORDNET {
        write(
            root.path(),
            &format!("imagenet/images/train/{class}/{class}_1.JPEG"),
            "",
        );
        write(
            root.path(),
            &format!("imagenet/images/val/{class}/{class}_9.JPEG"),
            "",
        );
    }
    write(
        root.path(),
        "imagenet/images/train/n01440764/n01440764_2.JPEG",
        "",
    );
    write(root.path(), "imagenet/images/train/.DS_Store", "");
    root
}

#[test]
fn imagenet_validates_and_tests_on_val_and_may_have_classes_that_share_a_name() {
    let root = imagenet();
    let (dataset, report) = open("ImageNet", &root);
    assert_eq!(dataset.class_names, ["tench", "missile", "missile"]);
    assert_eq!(labels(&dataset.train), [0, 0, 1, 2]);
    assert_eq!(dataset.val, dataset.test);
    assert_eq!(report.duplicate_count, 0);
    let notes = report.notes.join("\n");
    let said = "classes 1 and 2 are both called \"missile\"";
    assert!(notes.contains(said), "{notes}");

    // The folder of class folders alone, with the names above it.
    std::fs::copy(
        root.path().join("imagenet/classnames.txt"),
        root.path().join("imagenet/images/classnames.txt"),
    )
    .unwrap();
    let alone = DataSource::new(root.path().join("imagenet/images"));
    let alone = alone.read().unwrap().0;
    // Folders of both parts in sorted order, as ImageNet's labels are.
    assert_eq!(alone.class_names, dataset.class_names);

    write(root.path(), "imagenet/images/val/n09999999/1.JPEG", "");
    fails(
        "ImageNet",
        &root,
        &["3 class folders and val 4", "n09999999"],
    );
    write(root.path(), "imagenet/images/train/n09999999/1.JPEG", "");
    fails(
        "ImageNet",
        &root,
        &["classnames.txt", "no class", "n09999999"],
    );
    write(
        root.path(),
        "imagenet/classnames.txt",
        "n01440764 tench\nn01440764 goldfish\n",
    );
    fails("ImageNet", &root, &["classnames.txt:2", "on line 1"]);
    write(root.path(), "imagenet/classnames.txt", "");
    fails("ImageNet", &root, &["lists no images"]);
    std::fs::remove_file(root.path().join("imagenet/classnames.txt")).unwrap();
    fails("ImageNet", &root, &["classnames.txt", "drive.google.com"]);
}

#[test]
fn imagenets_lists_are_those_the_reference_saved_if_it_did() {
    let root = imagenet();
    place(
        root.path(),
        "imagenet/preprocessed.pkl",
        "pickle/imagenet_preprocessed.pkl",
    );
    let (dataset, report) = open("ImageNet", &root);
    let train = files(&dataset.train);
    assert_eq!(train[..2], ["n01440764_2.JPEG", "n01440764_1.JPEG"]);
    assert_eq!(dataset.class_names, ["tench", "missile", "missile"]);
    assert!(
        dataset
            .train
            .iter()
            .all(|item| item.presence == Presence::Present)
    );
    assert_eq!(dataset.val, dataset.test);
    assert!(
        report.notes[0].contains("preprocessed.pkl"),
        "{:?}",
        report.notes
    );

    place(root.path(), "imagenet/preprocessed.pkl", "pickle/pets.pkl");
    fails("ImageNet", &root, &["preprocessed.pkl", "\"test\""]);
}

#[test]
fn imagenets_variants_are_for_testing_and_number_their_own_classes() {
    let root = tempfile::tempdir().unwrap();
    for folder in [
        "imagenetv2",
        "imagenet-sketch",
        "imagenet-adversarial",
        "imagenet-rendition",
    ] {
        write(
            root.path(),
            &format!("{folder}/classnames.txt"),
            CLASS_NAMES,
        );
    }
    for (k, class) in WORDNET.into_iter().enumerate() {
        let v2 = "imagenetv2/imagenetv2-matched-frequency-format-val";
        write(root.path(), &format!("{v2}/{k}/x{k}.jpeg"), "");
        write(
            root.path(),
            &format!("imagenet-sketch/images/{class}/s.JPEG"),
            "",
        );
        if k > 0 {
            write(
                root.path(),
                &format!("imagenet-adversarial/imagenet-a/{class}/a.jpg"),
                "",
            );
            write(
                root.path(),
                &format!("imagenet-rendition/imagenet-r/{class}/r.jpg"),
                "",
            );
        }
    }
    write(root.path(), "imagenet-rendition/imagenet-r/README.txt", "");
    let (v2, _) = open("ImageNetV2", &root);
    assert_eq!((labels(&v2.test), v2.train.len()), (vec![0, 1, 2], 0));
    assert_eq!(v2.class_names[0], "tench");
    assert_eq!(open("ImageNet-Sketch", &root).0.test.len(), 3);
    for name in ["ImageNet-A", "ImageNet-R"] {
        let (dataset, _) = open(name, &root);
        assert_eq!(dataset.class_names, ["missile", "missile"], "{name}");
        assert_eq!(labels(&dataset.test), [0, 1], "{name}");
    }

    let folder = root
        .path()
        .join("imagenetv2/imagenetv2-matched-frequency-format-val");
    write(&folder, "3/x.jpeg", "");
    fails("ImageNetV2", &root, &["names 3 classes", "format-val/3"]);
    std::fs::remove_dir_all(folder.join("3")).unwrap();
    std::fs::remove_dir_all(folder.join("1")).unwrap();
    fails("ImageNetV2", &root, &["format-val/1"]);
    write(&folder, "1/notes.txt", "");
    fails("ImageNetV2", &root, &["format-val/1", "has no images"]);
    write(
        root.path(),
        "imagenet-adversarial/imagenet-a/n09999999/a.jpg",
        "",
    );
    fails("ImageNetA", &root, &["no class", "n09999999"]);
}

#[test]
fn few_shot_files_are_parsed_never_executed_and_matched_by_the_ends_of_paths() {
    let root = pets();
    let (dataset, _) = open("OxfordPets", &root);
    let file = "oxford_pets/split_fewshot/shot_2-seed_1.pkl";
    let picks = |fixture: &str, dataset: &Dataset| {
        place(root.path(), file, fixture);
        let found = dataset.saved_few_shot(2, 1);
        found.map(|found| found.map(|(_, picks)| picks))
    };
    // Abyssinian_1 is a validation image here.
    let error = picks("pickle/pets.pkl", &dataset).unwrap_err().to_string();
    assert!(
        error.contains("Abyssinian_1") && error.contains("train list"),
        "{error}"
    );

    let split = r#"{"train": [["Abyssinian_1.jpg", 0, "abyssinian"], ["Abyssinian_3.jpg", 0, "abyssinian"],
        ["great_dane_2.jpg", 1, "great_dane"]], "val": [["great_dane_4.jpg", 1, "great_dane"]],
        "test": [["Abyssinian_5.jpg", 0, "abyssinian"]]}"#;
    write(root.path(), "oxford_pets/split_zhou_OxfordPets.json", split);
    let (dataset, _) = open("OxfordPets", &root);
    let found = picks("pickle/pets.pkl", &dataset).unwrap().unwrap();
    assert_eq!(
        (found.train, found.val, found.short),
        (vec![1, 0, 2], vec![0], vec![(1, 1)])
    );
    assert!(dataset.saved_few_shot(2, 2).unwrap().is_none());
    for (fixture, word) in [
        ("pickle/pets_unknown_image.pkl", "Abyssinian_99"),
        ("pickle/pets_other_label.pkl", "with label 1"),
        ("pickle/no_datum.pkl", "entry 0 of \"train\""),
        ("pickle/hostile.pkl", "system"),
        ("mat/plain.mat", "as a pickle"),
    ] {
        let error = picks(fixture, &dataset).unwrap_err().to_string();
        assert!(error.contains(word), "{fixture}: {error}");
    }

    place(
        root.path(),
        "oxford_pets/split_fewshot/shot_1-seed_1.pkl",
        "pickle/pets.pkl",
    );
    let error = dataset.saved_few_shot(1, 1).unwrap_err().to_string();
    assert!(error.contains("has 2 training images"), "{error}");
    std::fs::remove_file(
        root.path()
            .join("oxford_pets/split_fewshot/shot_1-seed_1.pkl"),
    )
    .unwrap();

    // A check reports on each.
    place(
        root.path(),
        "oxford_pets/split_fewshot/shot_3-seed_1.pkl",
        "pickle/pets.pkl",
    );
    let checked = &check(root.path())[2];
    assert_eq!(checked.few_shot_files.len(), 1);
    assert!(
        !checked.few_shot_files[0].equal,
        "a class of two images is taken in the order of the list"
    );
    assert!(
        checked.notes.iter().any(|n| n.contains("cannot be used")),
        "{:?}",
        checked.notes
    );
}

#[test]
fn a_check_distinguishes_absent_from_broken_and_lists_downloads() {
    let root = pets();
    std::fs::create_dir(root.path().join("eurosat")).unwrap();
    let checks = check(root.path());
    assert_eq!(checks.len(), 15);
    let find = |name: &str| checks.iter().find(|c| c.set.name == name).unwrap();
    let absent = find("ImageNet");
    assert_eq!(
        (absent.state, absent.downloads.len()),
        (SetState::Absent, 2)
    );
    let pets = find("OxfordPets");
    assert_eq!(pets.state, SetState::Broken);
    assert!(
        pets.problems
            .contains(&"2 classes instead of 37".to_string()),
        "{:?}",
        pets.problems
    );
    assert_eq!((pets.parts[0].found, pets.parts[0].expected), (8, 2944));
    assert_eq!(
        pets.downloads.iter().map(|d| d.path).collect::<Vec<_>>(),
        ["split_zhou_OxfordPets.json"]
    );
    let empty = find("EuroSAT");
    assert_eq!((empty.state, empty.problems.len()), (SetState::Broken, 1));
    assert_eq!(empty.downloads[0].path, "2750");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_broken_ones_are_named() {
    use std::os::unix::fs::symlink;
    let store = food();
    let root = tempfile::tempdir().unwrap();
    // A link to the data set, as CoOp's documentation proposes.
    symlink(store.path().join("food-101"), root.path().join("food-101")).unwrap();
    let (dataset, _) = open("Food101", &root);
    assert_eq!(dataset.train.len(), 9);
    assert_eq!(check(root.path())[5].parts[0].found, 9);

    // A link to a class folder; a folder that contains itself is not an image.
    let images = store.path().join("food-101/images");
    symlink(images.join("a"), images.join("c")).unwrap();
    symlink(images.join("a"), images.join("a/again")).unwrap();
    let (dataset, report) = open("Food101", &root);
    assert_eq!((dataset.class_names.len(), report.ignored), (3, 2));
    symlink(images.join("gone.jpg"), images.join("b/z.jpg")).unwrap();
    let (_, report) = open("Food101", &root);
    assert_eq!(
        report.parts.iter().map(|part| part.missing).sum::<usize>(),
        1
    );

    symlink(images.join("gone"), images.join("d")).unwrap();
    let error = fails("Food101", &root, &["images/d", "symbolic link to", "gone"]);
    assert!(matches!(error, DataError::BrokenLink { .. }));
    std::fs::remove_file(images.join("d")).unwrap();
    symlink("e", images.join("e")).unwrap();
    fails("Food101", &root, &["images/e", "symbolic link to e"]);

    let root = tempfile::tempdir().unwrap();
    symlink("nowhere", root.path().join("dtd")).unwrap();
    let checked = &check(root.path())[8];
    assert_eq!(checked.state, SetState::Broken);
    assert!(
        checked.problems[0].contains("broken symbolic link"),
        "{:?}",
        checked.problems
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_fine_for_images_and_errors_for_classes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = food();
    let images = root.path().join("food-101/images");
    std::fs::write(images.join("b").join(OsStr::from_bytes(b"b\xff.jpg")), "").unwrap();
    let (dataset, _) = open("Food101", &root);
    let all = Part::ALL.iter().map(|part| dataset.part(*part).len());
    assert_eq!(all.sum::<usize>(), 18);
    std::fs::create_dir(images.join(OsStr::from_bytes(b"cr\xeape"))).unwrap();
    fails("Food101", &root, &["not UTF-8", "rename it"]);
}
