//! Loaders: the same batches for any number of threads, errors that name files, no deadlock.

use std::path::Path;

use promptsrc_datasets::{
    Augment, Batch, DataError, Drawing, EvalLoader, Item, LoaderOptions, TrainLoader,
};
use promptsrc_image::{Limits, Preprocess, open};

const RESOLUTION: u32 = 8;

/// Uncompressed images (24-bit BMP), all different.
fn images(folder: &Path, count: usize) -> Vec<Item> {
    (0..count)
        .map(|i| {
            let (width, height) = (12 + i as u32 % 5, 10_u32);
            let row = (3 * width).next_multiple_of(4) as usize;
            let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
            bmp.extend(width.to_le_bytes());
            bmp.extend(height.to_le_bytes());
            bmp.extend([1, 0, 24, 0]);
            bmp.extend([0; 24]);
            bmp.extend((0..row * height as usize).map(|j| (j * 7 + i * 31) as u8));
            let path = folder.join(format!("{i}.bmp"));
            std::fs::write(&path, bmp).unwrap();
            Item::new(path, i % 3)
        })
        .collect()
}

fn options(batch_size: usize, threads: usize) -> LoaderOptions {
    LoaderOptions {
        threads,
        ..LoaderOptions::new(batch_size)
    }
}

fn train(items: &[Item], batch_size: usize, threads: usize, seed: u64) -> TrainLoader {
    let preprocess = Preprocess::clip(RESOLUTION);
    let options = options(batch_size, threads);
    TrainLoader::new(
        items.to_vec(),
        preprocess,
        Augment::default(),
        seed,
        options,
    )
    .unwrap()
}

fn all(batches: impl Iterator<Item = Result<Batch, DataError>>) -> Vec<Batch> {
    batches.map(Result::unwrap).collect()
}

#[test]
fn batches_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let items = images(folder.path(), 23);
    let one = all(train(&items, 4, 1, 9).epoch(3));
    assert_eq!(one, all(train(&items, 4, 2, 9).epoch(3)));
    assert_eq!(one, all(train(&items, 4, 5, 9).epoch(3)));

    let eval = |threads| {
        let preprocess = Preprocess::clip(RESOLUTION);
        let loader = EvalLoader::new(items.clone(), preprocess, options(4, threads)).unwrap();
        all(loader.batches())
    };
    assert_eq!(eval(1), eval(3));
}

#[test]
fn epochs_and_seeds_differ_and_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let items = images(folder.path(), 12);
    let loader = train(&items, 4, 2, 1);
    let first = all(loader.epoch(1));
    assert_eq!(first, all(loader.epoch(1)));
    assert_ne!(first, all(loader.epoch(2)));
    assert_ne!(first, all(train(&items, 4, 2, 2).epoch(1)));
}

#[test]
fn training_drops_an_incomplete_batch_unless_it_is_the_only_one() {
    let folder = tempfile::tempdir().unwrap();
    let items = images(folder.path(), 11);
    let loader = train(&items, 4, 1, 1);
    let batches = all(loader.epoch(1));
    assert_eq!((loader.batches(), batches.len()), (2, 2));
    let mut seen: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 8);
    for batch in &batches {
        assert_eq!(batch.images.len(), batch.n * 3 * 64);
        let labels: Vec<usize> = batch.indices.iter().map(|i| items[*i].label).collect();
        assert_eq!(batch.labels, labels);
    }

    let few = all(train(&items[..3], 4, 1, 1).epoch(1));
    assert_eq!((few.len(), few[0].n), (1, 3));
    assert!(all(train(&[], 4, 1, 1).epoch(1)).is_empty());
}

#[test]
fn evaluation_keeps_the_order_and_the_last_batch_and_crops_the_centre() {
    let folder = tempfile::tempdir().unwrap();
    let items = images(folder.path(), 7);
    let preprocess = Preprocess::clip(RESOLUTION);
    let loader = EvalLoader::new(items.clone(), preprocess, options(3, 2)).unwrap();
    let batches = all(loader.batches());
    assert_eq!(loader.len(), 3);
    assert_eq!(batches.iter().map(|b| b.n).collect::<Vec<_>>(), [3, 3, 1]);
    let indices: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
    assert_eq!(indices, (0..7).collect::<Vec<_>>());
    let last = open(&items[6].path, &Limits::default()).unwrap();
    assert_eq!(batches[2].images, preprocess.apply(&last).unwrap());
}

#[test]
fn broken_images_are_all_named_in_their_batch_and_the_rest_continues() {
    let folder = tempfile::tempdir().unwrap();
    let mut items = images(folder.path(), 9);
    std::fs::write(&items[3].path, "no image").unwrap();
    std::fs::write(&items[5].path, "").unwrap();
    items[8].path = folder.path().join("gone.jpg");
    let loader = EvalLoader::new(items, Preprocess::clip(RESOLUTION), options(3, 2)).unwrap();
    let results: Vec<_> = loader.batches().collect();
    assert!(results[0].is_ok());
    let message = results[1].as_ref().unwrap_err().to_string();
    assert!(message.contains("2 images cannot be used"), "{message}");
    assert!(
        message.contains("3.bmp") && message.contains("5.bmp: is empty"),
        "{message}"
    );
    let message = results[2].as_ref().unwrap_err().to_string();
    assert!(message.contains("gone.jpg: cannot be read"), "{message}");
}

#[test]
fn dropping_batches_early_stops_the_workers() {
    let folder = tempfile::tempdir().unwrap();
    let items = images(folder.path(), 60);
    let loader = train(&items, 4, 2, 1);
    for _ in 0..20 {
        let mut batches = loader.epoch(1);
        assert_eq!(batches.len(), 15);
        assert!(batches.next().is_some());
        assert_eq!(batches.len(), 14);
        drop(batches);
    }
    // The threads are free for another epoch, and outlive the loader while batches are left.
    assert_eq!(all(loader.epoch(2)).len(), 15);
    let batches = loader.epoch(3);
    drop(loader);
    assert_eq!(all(batches).len(), 15);
}

#[test]
fn a_batch_size_of_zero_is_refused() {
    let loader = EvalLoader::new(Vec::new(), Preprocess::clip(8), options(0, 1));
    assert!(matches!(loader, Err(DataError::ZeroBatch)));
}

#[test]
fn a_drawn_image_loads_as_its_file_would() {
    let folder = tempfile::tempdir().unwrap();
    let files = images(folder.path(), 7);
    let drawn: Vec<Item> = files
        .iter()
        .map(|item| {
            let image = open(&item.path, &Limits::default()).unwrap();
            let drawing = Drawing::new(move || image.clone());
            Item::drawn(format!("drawn/{}", item.label), item.label, drawing)
        })
        .collect();
    let batches = |items| all(train(items, 3, 2, 5).epoch(1));
    assert_eq!(batches(&drawn), batches(&files));
}
