//! Images, lists and few-shot subsets as people have them: computed right, refused with the reason
//! before any training, or left out and counted.

mod common;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use common::*;
use promptsrc_image::{Image, Limits, open, open_upright};
use serde_json::{Value, json};

const CLASSES: [&str; 4] = ["blue_square", "green_triangle", "red_circle", "yellow_star"];

/// The example images in the place of DTD: of each class 1 to 6 to train, 7 and 8 to validate, 9 to
/// 12 to test. Returns the collection and the folder of the data set.
fn collection(folder: &Path) -> (String, String) {
    let data = folder.join("root/dtd");
    fs::create_dir_all(&data).expect("a folder");
    copy_of_images(&data);
    write_split(&data, &CLASSES);
    (below(folder, "root"), text(data))
}

fn write_split(data: &Path, names: &[&str; 4]) {
    let part = |numbers: std::ops::RangeInclusive<usize>| -> Vec<Value> {
        let of_class = |(label, (folder, name)): (usize, (&&str, &&str))| {
            let entry = |n| json!([format!("{folder}/{folder}_{n:02}.jpg"), label, name]);
            numbers.clone().map(entry).collect::<Vec<_>>()
        };
        let classes = CLASSES.iter().zip(names).enumerate();
        classes.flat_map(of_class).collect()
    };
    let split = json!({ "train": part(1..=6), "val": part(7..=8), "test": part(9..=12) });
    let file = data.join("split_zhou_DescribableTextures.json");
    fs::write(file, split.to_string()).expect("a split file");
}

/// A benchmark of one method on that data set, with one epoch of two shots of seed 1.
fn bench(root: &str, out: &str, more: &[&str]) -> Ending {
    let clip = clip();
    let args = [
        "bench",
        "base-to-novel",
        "--root",
        root,
        "--clip",
        &clip,
        "--out",
        out,
        "--datasets=dtd",
        "--methods=ivlp",
        "--seeds=1",
        "--shots=2",
        "--epochs=1",
    ];
    promptsrc(&[&args[..], more].concat())
}

/// The folder of its run.
fn run_of(out: &str) -> String {
    below(out, "base-to-novel/ivlp/DTD/shots_2/seed_1")
}

fn result_of(out: &str) -> Value {
    let bytes = fs::read(below(run_of(out), "result.json")).expect("a result");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn state_time(run: &str) -> SystemTime {
    let metadata = fs::metadata(below(run, "state.safetensors")).expect("a state");
    metadata.modified().expect("a time")
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::read(folder.join(name)).expect("a fixture")
}

/// Puts a few-shot subset of the reference into a data set's folder, for two shots and seed 1.
fn place_cache(data: &str, name: &str) -> String {
    let folder = below(data, "split_fewshot");
    fs::create_dir_all(&folder).expect("a folder");
    let file = below(&folder, "shot_2-seed_1.pkl");
    fs::write(&file, fixture(name)).expect("a file");
    file
}

/// The record of an adapter.
fn record(run: &str) -> Value {
    promptsrc(&["inspect", run, "--json"]).done().json()
}

/// Finds a key anywhere in a document.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map
            .get(key)
            .or_else(|| map.values().find_map(|inner| find(inner, key))),
        Value::Array(list) => list.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}

fn config(run: &str) -> String {
    fs::read_to_string(below(run, "config.toml")).expect("a configuration")
}

#[test]
fn test_images_that_are_missing_are_found_before_training_and_may_be_left_out_after_it() {
    let folder = scratch();
    let (root, data) = collection(folder.path());
    let out = below(&folder, "out");
    let gone = below(&data, "images/yellow_star/yellow_star_10.jpg");
    fs::remove_file(&gone).expect("a test image");

    // Nothing is trained.
    bench(&root, &out, &[]).fails(1, &["1 of the 8 test images are missing", "yellow_star_10"]);
    assert!(!has_state(&run_of(&out)));
    // Without it, and the count is recorded.
    bench(&root, &out, &["--allow-missing"]).done();
    let result = result_of(&out);
    let facts = &result["measured"][1]["image_facts"];
    assert_eq!((&facts["used"], &facts["left_out"]), (&json!(7), &json!(1)));
    let trained = (state_time(&run_of(&out)), adapter_bytes(&run_of(&out)));
    // A result over fewer images does not count where all are asked for.
    bench(&root, &out, &[]).fails(1, &["1 of the 8 test images are missing"]);
    assert_eq!(result_of(&out), result);

    // With the image back, the same adapter is measured again, on all images.
    fs::copy(below(images(), "yellow_star/yellow_star_10.jpg"), &gone).expect("the image");
    bench(&root, &out, &[]).done();
    let whole = result_of(&out);
    let measured = &whole["measured"][1];
    assert_eq!(
        (&measured["total"], &measured["image_facts"]["left_out"]),
        (&json!(8), &json!(0))
    );
    assert_eq!(whole["measured"][0], result["measured"][0]);
    assert_eq!(
        trained,
        (state_time(&run_of(&out)), adapter_bytes(&run_of(&out)))
    );

    // The other way round: trained first, missing afterwards; the adapter is kept.
    fs::remove_file(below(run_of(&out), "result.json")).expect("the result");
    fs::remove_file(&gone).expect("a test image");
    bench(&root, &out, &[]).fails(1, &["yellow_star_10"]);
    bench(&root, &out, &["--allow-missing"]).done();
    assert_eq!(result_of(&out)["measured"][1]["total"], 7);
    assert_eq!(trained.0, state_time(&run_of(&out)));
    // A training of the same images goes on under the option too.
    let run = below(&folder, "run");
    let train = |more: &[&str]| {
        let data_option = data.clone();
        train_on(&clip(), &data_option, &run, more)
    };
    let ending = train(&[]).done();
    assert!(
        ending
            .stderr
            .contains("1 of 16 test images of dtd are missing"),
        "{ending}"
    );
    train(&["--resume", "--allow-missing"]).done();
}

#[test]
fn novel_class_names_that_are_too_long_are_found_before_training() {
    let folder = scratch();
    let (root, data) = collection(folder.path());
    let long = "very ".repeat(90) + "yellow star";
    let names = ["blue_square", "green_triangle", "red_circle", &long];
    write_split(data.as_ref(), &names);
    let out = below(&folder, "out");
    bench(&root, &out, &[]).fails(1, &["very very", "77"]);
    assert!(!has_state(&run_of(&out)));
}

#[test]
fn what_a_transfer_is_measured_on_is_checked_before_its_source_is_trained() {
    let folder = scratch();
    let (root, data) = collection(folder.path());
    // The same images in the place of ImageNet.
    let source = folder.path().join("root/imagenet");
    let mut class_names = String::new();
    for (label, class) in CLASSES.iter().enumerate() {
        let id = format!("n0000000{label}");
        class_names += &format!("{id} {}\n", class.replace('_', " "));
        for (part, numbers) in [("train", 1..=8), ("val", 9..=12)] {
            let to = source.join("images").join(part).join(&id);
            fs::create_dir_all(&to).expect("a folder");
            for n in numbers {
                let name = format!("{class}_{n:02}.jpg");
                fs::copy(below(images(), &format!("{class}/{name}")), to.join(name))
                    .expect("a copy");
            }
        }
    }
    fs::write(source.join("classnames.txt"), class_names).expect("class names");
    let out = below(&folder, "out");
    let bench = |more: &[&str]| {
        let clip = clip();
        let args = [
            "bench",
            "cross-dataset",
            "--root",
            &root,
            "--clip",
            &clip,
            "--out",
            &out,
            "--methods=ivlp",
            "--seeds=1,2",
            "--shots=2",
            "--epochs=1",
        ];
        promptsrc(&[&args[..], more].concat())
    };
    let runs = [1, 2].map(|n| {
        below(
            &out,
            &format!("cross-dataset/ivlp/ImageNet/shots_2/seed_{n}"),
        )
    });
    let nothing = || assert!(runs.iter().all(|run| !has_state(run)));
    let gone = below(&data, "images/red_circle/red_circle_12.jpg");
    let bytes = fs::read(&gone).expect("an image");
    fs::remove_file(&gone).expect("a test image");
    bench(&["--datasets=dtd"]).fails(1, &["red_circle_12", "2 runs failed"]);
    nothing();
    fs::write(&gone, b"GIF8").expect("a bad image");
    bench(&["--datasets=dtd"]).fails(1, &["red_circle_12", "1 of the 16 images"]);
    nothing();
    fs::write(&gone, bytes).expect("the image");
    // A folder that is there and has nothing to measure.
    fs::create_dir_all(below(&root, "eurosat/2750")).expect("a folder");
    bench(&["--datasets=dtd,eurosat"]).fails(1, &["EuroSAT", "2 runs failed"]);
    nothing();
    bench(&["--datasets=dtd"]).done();
    assert!(runs.iter().all(|run| has_state(run)));
}

#[test]
fn few_shot_subsets_that_the_reference_saved_are_used_and_said() {
    let folder = scratch();
    let (_, data) = collection(folder.path());
    let sample = |more: &[&str]| {
        let args = ["sample", "--data", &data, "--shots", "2", "--seed", "1"];
        promptsrc(&[&args[..], more].concat())
    };
    let trained_on = |ending: &Ending| -> Vec<String> {
        let lines = ending.stdout.lines();
        let lines = lines.filter(|line| line.starts_with("train"));
        let names = lines.map(|line| line.rsplit('/').next().expect("a name").to_string());
        names.collect()
    };
    let drawn = trained_on(&sample(&[]).done());
    let file = place_cache(&data, "shot_2-seed_1.pkl");
    let saved: Vec<String> = CLASSES
        .iter()
        .flat_map(|class| [6, 2].map(|n| format!("{class}_{n:02}.jpg")))
        .collect();
    assert_ne!(drawn, saved);
    let ending = sample(&[]).done();
    assert_eq!(trained_on(&ending), saved);
    assert!(ending.stderr.contains(&file), "{ending}");
    assert_eq!(
        trained_on(&sample(&["--ignore-few-shot-cache"]).done()),
        drawn
    );
    // Saved for all classes; a half of them is chosen afterwards.
    assert_eq!(
        trained_on(&sample(&["--classes", "novel"]).done()),
        saved[4..]
    );
    // Other shots and seeds are drawn.
    let other = sample(&["--seed", "2"]);
    assert!(
        other.code == Some(2) || !other.stderr.contains(".pkl"),
        "{other}"
    );
    // The older form of the attributes.
    place_cache(&data, "public.pkl");
    assert_eq!(trained_on(&sample(&[]).done()), saved);

    let (run, ignoring) = (below(&folder, "run"), below(&folder, "ignoring"));
    place_cache(&data, "shot_2-seed_1.pkl");
    let ending = train_on(&clip(), &data, &run, &[]).done();
    assert!(ending.stderr.contains(&file), "{ending}");
    train_on(&clip(), &data, &ignoring, &["--ignore-few-shot-cache"]).done();
    assert_ne!(adapter_bytes(&run), adapter_bytes(&ignoring));
    let described = record(&run);
    let cache = find(&described, "few_shot_cache").expect("a record of the file");
    assert_eq!(cache["file"], "shot_2-seed_1.pkl");
    assert!(find(&record(&ignoring), "few_shot_cache").is_none());
    assert!(config(&run).contains(cache["hash"].as_str().expect("a hash")));
    // The same seed with another file is another run.
    place_cache(&data, "other.pkl");
    train_on(&clip(), &data, &run, &["--resume"]).fails(1, &["few_shot_cache", "data.images"]);
    place_cache(&data, "shot_2-seed_1.pkl");
    train_on(&clip(), &data, &run, &["--resume"]).done();

    // What does not fit the data set is refused with the name of the file.
    place_cache(&data, "foreign.pkl");
    for ending in [
        sample(&[]),
        train_on(&clip(), &data, &below(&folder, "new"), &[]),
    ] {
        ending.fails(
            1,
            &[
                &file,
                "blue_square_09.jpg",
                "not in the train list",
                "--ignore-few-shot-cache",
            ],
        );
    }
    place_cache(&data, "shot_2-seed_1.pkl");
    let renamed = ["blue_square", "green_triangle", "red disk", "yellow_star"];
    write_split(data.as_ref(), &renamed);
    sample(&[]).fails(1, &[&file, "(red_circle)", "(red disk)"]);
}

#[test]
fn a_benchmark_uses_saved_few_shot_subsets_and_sees_other_ones() {
    let folder = scratch();
    let (root, data) = collection(folder.path());
    let (out, other) = (below(&folder, "out"), below(&folder, "other"));
    let file = place_cache(&data, "shot_2-seed_1.pkl");
    let ending = bench(&root, &out, &[]).done();
    assert!(ending.stderr.contains(&file), "{ending}");
    let facts = result_of(&out)["facts"]["trained_on"].clone();
    assert_eq!(facts["few_shot_cache"]["file"], "shot_2-seed_1.pkl");
    bench(&root, &other, &["--ignore-few-shot-cache"]).done();
    assert_ne!(adapter_bytes(&run_of(&out)), adapter_bytes(&run_of(&other)));
    // Finished and the same: nothing is done.
    let time = state_time(&run_of(&out));
    bench(&root, &out, &[]).done();
    assert_eq!(time, state_time(&run_of(&out)));
    // Finished, and now other images would be trained on.
    let words = ["few-shot images: those of shot_2-seed_1.pkl"];
    bench(&root, &out, &["--ignore-few-shot-cache"]).fails(1, &[words[0], "drawn requested"]);
    bench(&root, &other, &[]).fails(1, &["few-shot images: drawn in the folder"]);
    place_cache(&data, "other.pkl");
    bench(&root, &out, &[]).fails(1, &words);
    // Trained, and not measured yet.
    fs::remove_file(below(run_of(&out), "result.json")).expect("the result");
    bench(&root, &out, &[]).fails(1, &["few_shot_cache.hash"]);
}

#[test]
fn images_that_cannot_be_decoded_are_listed_at_once_and_left_out_where_allowed() {
    let folder = scratch();
    let (root, data) = collection(folder.path());
    let bad = |class: &str, number: usize, bytes: &[u8]| {
        let path = below(&data, &format!("images/{class}/{class}_{number:02}.jpg"));
        fs::write(&path, bytes).expect("a bad image");
        path
    };
    // Training images, which all shots take; each with its reason.
    let trained = [
        bad("blue_square", 1, b""),
        bad("red_circle", 3, b"<!DOCTYPE html><p>not found"),
        bad("red_circle", 4, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ];
    let run = below(&folder, "run");
    let train =
        |more: &[&str]| train_on(&clip(), &data, &run, &[&["--shots", "all"], more].concat());
    let names: Vec<&str> = trained.iter().map(String::as_str).collect();
    let expected = [
        &names[..],
        &[
            "3 of the 24 images",
            "is empty",
            "HTML page",
            "HEIC",
            "--allow-unreadable",
        ],
    ]
    .concat();
    train(&[]).fails(1, &expected).silent();
    assert!(!has_state(&run));
    let ending = train(&["--allow-unreadable", "--json"]).done();
    assert_eq!(ending.json()["images"], 21);
    assert!(ending.stderr.contains("3 of 24 images"), "{ending}");
    assert_eq!(find(&record(&run), "unreadable"), Some(&json!(3)));

    // Test images: found before the training of a benchmark.
    let tested = bad("yellow_star", 11, b"GIF89a");
    let out = below(&folder, "out");
    let more = ["--ignore-few-shot-cache"];
    bench(&root, &out, &more).fails(1, &[&tested, "1 of the 8 images", "--allow-unreadable"]);
    assert!(!has_state(&run_of(&out)));
    bench(&root, &out, &["--allow-unreadable"]).done();
    let result = result_of(&out);
    let facts = &result["measured"][1]["image_facts"];
    assert_eq!(
        (&facts["used"], &facts["left_out"], &facts["unreadable"]),
        (&json!(7), &json!(1), &json!(1))
    );
    assert_eq!(result["measured"][1]["total"], 7);
    bench(&root, &out, &[]).fails(1, &[&tested]);

    let evaluate = |more: &[&str]| {
        let args = ["eval", &run, "--data", &data, "--json"];
        promptsrc(&[&args[..], more].concat())
    };
    evaluate(&[])
        .fails(1, &[&tested, "1 of the 16 images"])
        .silent();
    let found = evaluate(&["--allow-unreadable"]).done().json();
    assert_eq!(
        (&found["total"], &found["unreadable"]),
        (&json!(15), &json!(1))
    );

    let images = below(&data, "images/yellow_star");
    let predict = ["predict", &run, &images, "--json"];
    promptsrc(&predict).fails(1, &[&tested, "1 of 12 images"]);
    let ending = promptsrc(&[&predict[..], &["--allow-unreadable"]].concat()).done();
    assert!(ending.stderr.contains("warning: "), "{ending}");
    assert_eq!(ending.json().as_array().expect("a list").len(), 12);

    let features = below(&folder, "features.safetensors");
    let clip = clip();
    let embed = [
        "embed", "--clip", &clip, "--images", &images, "--out", &features, "--json",
    ];
    promptsrc(&embed).fails(1, &[&tested, "1 of the 12 images"]);
    let answer = promptsrc(&[&embed[..], &["--allow-unreadable"]].concat())
        .done()
        .json();
    assert_eq!(
        (&answer["images"], &answer["unreadable"]),
        (&json!(11), &json!([tested]))
    );
    assert_eq!(Tensors::read(&features).shape("image_features"), [11, 64]);

    // Not a long list.
    for file in sorted(Path::new(&below(&data, "images/blue_square"))) {
        fs::write(file, "").expect("a bad image");
    }
    for file in sorted(Path::new(&below(&data, "images/green_triangle"))) {
        fs::write(file, "").expect("a bad image");
    }
    zero_shot(&clip, &below(&data, "images"), &["--part", "all"])
        .fails(1, &["27 of the 48 images", "and 7 more"]);
    for class in CLASSES {
        for file in sorted(Path::new(&below(&data, &format!("images/{class}")))) {
            fs::write(file, "").expect("a bad image");
        }
    }
    train(&["--allow-unreadable", "--resume"]).fails(1, &["none of the 24 images can be decoded"]);
}

#[test]
fn all_parts_are_evaluated_as_one() {
    let total = |data: &str, more: &[&str]| {
        let ending = zero_shot("mini", data, &[&["--json"], more].concat()).done();
        (ending.json()["total"].as_u64(), ending.stderr)
    };
    let (count, said) = total(&images(), &["--part", "all"]);
    assert_eq!(count, Some(48));
    assert!(said.contains("all 48 images"), "{said}");
    // How they would have been divided does not matter.
    assert!(!said.contains("hash"), "{said}");
    let parts: u64 = ["train", "val", "test"]
        .iter()
        .filter_map(|part| total(&images(), &["--part", part]).0)
        .sum();
    assert_eq!(parts, 48);
    let folder = scratch();
    let (_, data) = collection(folder.path());
    let more = ["--part", "all", "--classes", "novel"];
    assert_eq!(total(&data, &more).0, Some(24));
}

#[test]
fn lists_are_read_with_the_headers_and_separators_that_people_use() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    let list = |name: &str, header: &str, row: &dyn Fn(&str, usize, usize) -> String| {
        let rows = CLASSES.iter().enumerate().flat_map(|(label, class)| {
            (9..=12).map(move |n| row(&format!("{class}/{class}_{n:02}.jpg"), label, n))
        });
        let lines: Vec<String> = rows.collect();
        let file = data.join(name);
        fs::write(&file, format!("{header}\n{}\n", lines.join("\n"))).expect("a list");
        text(file)
    };
    let class = |path: &str| path.split('/').next().expect("a class").to_string();
    let usual = list("usual.csv", "path,label,split", &|path, _, _| {
        format!("{path},{},test", class(path))
    });
    let expected = zero_shot("mini", &usual, &["--json"]).done().json();
    assert_eq!(expected["total"], 16);
    for (name, header, row) in [
        (
            "semicolons.csv",
            "Filename;Class;Split",
            &(|path: &str, _: usize, _: usize| format!("{path};{};test", class(path)))
                as &dyn Fn(&str, usize, usize) -> String,
        ),
        ("tabs.csv", "split\tcategory\tfilepath", &|path, _, _| {
            format!("test\t{}\t{path}", class(path))
        }),
        ("commas.tsv", "image,class,subset", &|path, _, _| {
            format!("{path},{},test", class(path))
        }),
        (
            "quoted.csv",
            "\"image path\";\"class name\";\"set\"",
            &|path, _, _| format!("\"{path}\";\"{}\";test", class(path)),
        ),
        (
            "numbers.csv",
            "file_name,label,class,split",
            &|path, label, _| format!("{path},{label},{},test", class(path)),
        ),
        (
            "keys.csv",
            "id,img,class,class_name,part",
            &|path, label, n| format!("{n},{path},n{label:08},{},test", class(path)),
        ),
        ("excel.csv", "sep=;\npath;label;split", &|path, _, _| {
            format!("{path};{};test\r", class(path))
        }),
        ("metadata.jsonl", "", &|path, label, _| {
            let line = json!({"file_name": path, "label": label, "label_name": class(path),
                "split": "test", "box": [1, 2]});
            line.to_string()
        }),
    ] {
        let file = list(name, header, row);
        let found = zero_shot("mini", &file, &["--json"]).done().json();
        assert_eq!(found, expected, "{name}");
    }
    for (header, row, words) in [
        (
            "filename,image,label",
            "a,b,c",
            &[":1: the columns \"filename\" and \"image\" may each be the path"][..],
        ),
        (
            "path,class,category",
            "a,cat,animal",
            &[":2: the columns \"class\" (\"cat\" here) and \"category\" (\"animal\")"],
        ),
        (
            "where;what",
            "a;b",
            &["no column \"path\"", "[\"where\", \"what\"]"],
        ),
        (
            "path;label;class_name",
            "a;x;one\nb;x;two",
            &[":3: the label \"x\" is called \"two\" here but \"one\" on line 2"],
        ),
    ] {
        let file = data.join("wrong.csv");
        fs::write(&file, format!("{header}\n{row}\n")).expect("a list");
        zero_shot("mini", &text(file), &[]).fails(1, words);
    }
}

#[test]
fn images_of_phones_in_a_class_folder_are_named_as_what_they_are() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    let heic = data.join("red_circle/IMG_0001.HEIC");
    fs::write(&heic, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").expect("an image");
    let avif = data.join("red_circle/b.avif");
    fs::write(&avif, b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf").expect("an image");
    let data = text(data);
    let args = ["--part", "all"];
    zero_shot("mini", &data, &args).fails(
        1,
        &[
            "IMG_0001.HEIC",
            "an HEIC image",
            "b.avif",
            "an AVIF image",
            "convert it to JPEG",
        ],
    );
    let args = ["--part", "all", "--json", "--allow-unreadable"];
    let found = zero_shot("mini", &data, &args).done().json();
    assert_eq!(
        (&found["total"], &found["unreadable"]),
        (&json!(48), &json!(2))
    );
}

/// An uncompressed BMP of an image.
fn bmp(image: &Image) -> Vec<u8> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut bytes = b"BM".to_vec();
    let row = (3 * width).next_multiple_of(4);
    bytes.extend((54 + row as u32 * height as u32).to_le_bytes());
    bytes.extend([0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
    bytes.extend((width as u32).to_le_bytes());
    bytes.extend((height as u32).to_le_bytes());
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    for line in image.pixels().chunks_exact(3 * width).rev() {
        let pixels = line.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]);
        let mut line: Vec<u8> = pixels.collect();
        line.resize(row, 0);
        bytes.extend(line);
    }
    bytes
}

#[test]
fn images_are_turned_by_their_exif_orientation_where_asked() {
    let folder = scratch();
    let turned = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/exif");
    let clip = clip();
    let features = |image: &Path, more: &[&str]| {
        let out = below(&folder, "features.safetensors");
        let image = text(image);
        let args = [
            "embed", "--clip", &clip, "--images", &image, "--force", "--out", &out,
        ];
        promptsrc(&[&args[..], more].concat()).done();
        let bytes = fs::read(&out).expect("features");
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("features");
        tensors
            .tensor("image_features")
            .expect("features")
            .data()
            .to_vec()
    };
    for name in ["jpeg_6.jpg", "png_8.png", "webp_2.webp"] {
        let image = turned.join(name);
        let expect = |image: Image| {
            let file = folder.path().join("expected.bmp");
            fs::write(&file, bmp(&image)).expect("an image");
            features(&file, &[])
        };
        let limits = Limits::default();
        let stored = expect(open(&image, &limits).expect("an image"));
        let upright = expect(open_upright(&image, &limits).expect("an image"));
        assert_ne!(stored, upright, "{name}");
        assert!(features(&image, &[]) == stored, "{name}");
        assert!(features(&image, &["--exif"]) == upright, "{name}");
    }
}

#[test]
fn an_adapter_that_was_trained_on_turned_images_is_used_on_turned_images() {
    let folder = scratch();
    let data = copy_of_images(folder.path());
    // EXIF with orientation 6 after the start of each JPEG.
    let exif =
        b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    assert_eq!(exif.len(), 2 + 0x22);
    for class in sorted(&data) {
        for file in sorted(&class) {
            let bytes = fs::read(&file).expect("an image");
            let new = [&bytes[..2], &exif[..], &bytes[2..]].concat();
            fs::write(&file, new).expect("an image");
        }
    }
    let data = text(data);
    let (stored, turned) = (below(&folder, "stored"), below(&folder, "turned"));
    train_on(&clip(), &data, &stored, &[]).done();
    train_on(&clip(), &data, &turned, &["--exif"]).done();
    assert!(adapter_tensors(&stored) != adapter_tensors(&turned));
    assert_eq!(find(&record(&turned), "exif"), Some(&json!(true)));
    assert_eq!(find(&record(&stored), "exif"), None);
    // As stored, they are the example images.
    let plain = below(&folder, "plain");
    train_on(&clip(), &images(), &plain, &[]).done();
    assert!(adapter_tensors(&stored) == adapter_tensors(&plain));
    train_on(&clip(), &data, &turned, &["--resume"]).fails(1, &["exif: true in the folder"]);

    let image = below(&data, "yellow_star/yellow_star_12.jpg");
    let predict = |run: &str, more: &[&str]| {
        let args = ["predict", run, &image, "--json"];
        promptsrc(&[&args[..], more].concat()).done()
    };
    let asked = predict(&turned, &["--exif"]);
    let own = predict(&turned, &[]);
    assert_eq!(
        (&own.stdout, own.stderr.contains("EXIF")),
        (&asked.stdout, false)
    );
    let other = predict(&turned, &["--exif=false"]);
    assert_ne!(other.stdout, asked.stdout);
    assert!(
        other.stderr.contains("was trained on images turned by"),
        "{other}"
    );
    assert!(predict(&stored, &["--exif"]).stderr.contains("EXIF"));

    let eval = |run: &str, more: &[&str]| {
        let args = ["eval", run, "--data", &data, "--part", "all", "--json"];
        promptsrc(&[&args[..], more].concat()).done()
    };
    let own = eval(&turned, &[]);
    assert!(!own.stderr.contains("EXIF"), "{own}");
    assert_eq!(own.json(), eval(&turned, &["--exif"]).json());
    let other = eval(&turned, &["--exif=false"]);
    assert!(other.stderr.contains("EXIF"), "{other}");
    assert_ne!(other.json(), own.json());
}

#[test]
fn a_benchmark_of_turned_images_is_another_one() {
    let folder = scratch();
    let (root, _) = collection(folder.path());
    let out = below(&folder, "out");
    bench(&root, &out, &["--exif"]).done();
    assert_eq!(result_of(&out)["configuration"]["exif"], true);
    bench(&root, &out, &["--exif"]).done();
    bench(&root, &out, &[]).fails(1, &["exif: true in the folder"]);
}
