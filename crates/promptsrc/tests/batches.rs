//! No number of an image depends on the images beside it: a service answers many requests at once with
//! what `predict` prints for each.

use promptsrc::config::MethodConfig;
use promptsrc::{Classifier, Clip, Item, Part};
use promptsrc_clip::templates::PHOTO;
use promptsrc_world::WorldSet;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Images of the world, prepared for a CLIP.
fn images(clip: &Clip, n: usize) -> Vec<Vec<f32>> {
    let set = WorldSet::find("objects").expect("a data set").dataset();
    let items = set.part(Part::Test).iter().take(n);
    let image = |item: &Item| item.image(&Default::default()).expect("an image");
    items
        .map(|item| clip.preprocess().apply(&image(item)).expect("an input"))
        .collect()
}

fn compare(what: &str, classifier: &Classifier, images: &[Vec<f32>]) {
    let classes = classifier.names().len();
    let alone: Vec<Vec<f32>> = images
        .iter()
        .map(|image| classifier.logits(image.clone(), 1))
        .collect();
    for batch in [2, 3, 7, 8, 9, 16, 31, 32, 64] {
        let some = &images[..batch];
        let together = classifier.logits(some.concat(), batch);
        let features = classifier.image_features(some.concat(), batch);
        let of_features = classifier.logits_of_features(features);
        assert_eq!(
            bits(&together),
            bits(&of_features),
            "{what}: {batch} images, logits of features"
        );
        assert_eq!(together.len(), batch * classes);
        for (place, (row, alone)) in together.chunks(classes).zip(&alone).enumerate() {
            assert_eq!(
                bits(row),
                bits(alone),
                "{what}: image {place} among {batch}: {row:?} {alone:?}"
            );
        }
    }
}

#[test]
fn the_images_of_a_batch_do_not_change_each_others_numbers() {
    let clip = Clip::open("mini").expect("a CLIP");
    let images = images(&clip, 64);
    let names = ["car", "fish", "tree", "house", "star"].map(String::from);
    // Products of several sizes take several ways through the library of matrix products.
    let many: Vec<String> = (0..300).map(|i| format!("thing number {i}")).collect();
    for names in [&names[..], &names[..2], &many[..20], &many] {
        let zero_shot = Classifier::zero_shot(&clip, names, &[PHOTO]).expect("a classifier");
        compare("zero-shot", &zero_shot, &images);
    }
}

#[test]
fn nor_do_they_with_learned_prompts_or_a_head() {
    let clip = Clip::open("mini").expect("a CLIP");
    let images = images(&clip, 64);
    let set = WorldSet::find("objects").expect("a data set").dataset();
    let data = set.few_shot(1, 1).base().expect("a subset");
    for method in [
        "promptsrc",
        "cocoop",
        "coop",
        "linear-probe",
        "tip-adapter-f",
        "clip-adapter",
    ] {
        let mut config = MethodConfig::of(method, &clip, &data).expect("a configuration");
        if let MethodConfig::Prompts(config) = &mut config {
            config.epochs = 1;
        }
        let adapter = config.train(&clip, &data, |_| ()).expect("an adapter");
        let names = &adapter.meta.class_names;
        let classifier = adapter.classifier(&clip, names).expect("a classifier");
        compare(method, &classifier, &images);
    }
}
