//! What the world promises: equal bytes, splits, what pretraining never shows, what captions say.

use std::collections::{BTreeMap, BTreeSet};

use promptsrc_datasets::{DataSource, Dataset, Part};
use promptsrc_image::Limits;
use promptsrc_world::{
    Background, Colour, Content, Light, Pattern, Place, Position, SIDE, Scene, Size, Style,
    Subject, Thing, WorldError, WorldSet, draw, images_per_class, is_place_held_out,
    is_surface_held_out, pretrain_sample, pretrain_scene, sets,
};

/// FNV-1a.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

fn pixels(dataset: &Dataset, part: Part, step: usize) -> Vec<u8> {
    let items = dataset.part(part).iter().step_by(step);
    items
        .flat_map(|item| item.image(&Limits::default()).unwrap().into_pixels())
        .collect()
}

/// The numbers below were written by a release build; a debug build must find the same.
#[test]
fn images_and_captions_keep_their_bytes() {
    let expected = [
        ("objects", 0xe777_8a4c_b347_9a83),
        ("surfaces", 0x0c02_a30f_361f_904d),
        ("finegrained", 0x1e59_a3bf_2465_0fed),
        ("scenes", 0x1f15_0d78_15bf_c375),
        ("tuning", 0x4656_cc75_937e_00ea),
        ("source", 0x51b3_31bc_0280_b9c5),
        ("source-sketch", 0x70c9_b0df_65e9_dab7),
        ("source-night", 0x0eb8_5f4a_c3ff_f6d1),
        ("source-poster", 0x4fab_cb95_ae98_2c3c),
        ("source-blurred", 0x7608_8794_6ee8_f4dd),
        ("source-mosaic", 0xeebc_c495_db29_0c1a),
        ("pretrain", 0xe728_7603_0c0b_e23e),
    ];
    let mut found = Vec::new();
    for set in sets() {
        let dataset = set.dataset();
        let bytes = Part::ALL
            .into_iter()
            .flat_map(|part| pixels(&dataset, part, 7));
        found.push((set.name(), hash(bytes)));
    }
    let stream = (0..1500).flat_map(|index| {
        let sample = pretrain_sample(1, index, if index % 3 == 0 { 32 } else { SIDE });
        sample
            .caption
            .into_bytes()
            .into_iter()
            .chain(sample.image.into_pixels())
    });
    found.push(("pretrain", hash(stream)));
    for (name, hash) in &found {
        println!("        ({name:?}, 0x{hash:016x}),");
    }
    assert_eq!(found, expected);
}

#[test]
fn pretraining_never_shows_what_is_held_out() {
    let mut shown = BTreeSet::new();
    for index in 0..20_000 {
        let (scene, _) = pretrain_scene(7, index);
        assert!(!scene.is_held_out(), "{scene:?}");
        let place = |thing: Thing, count| match scene.background {
            Background::Place(place) => assert!(!is_place_held_out(thing, count, place)),
            Background::Wall(_) | Background::Blend(..) => {}
        };
        match scene.content {
            Content::Surface { colour, pattern } => {
                assert!(!is_surface_held_out(colour, pattern));
            }
            Content::Things { subject, count, .. } => {
                place(subject.thing, count);
                shown.insert((subject.thing, subject.colour, subject.pattern));
            }
            Content::Pair { first, second, .. } => {
                for subject in [first, second] {
                    place(subject.thing, 1);
                    shown.insert((subject.thing, subject.colour, subject.pattern));
                }
            }
        }
    }
    let (mut all, mut held_out) = (0, 0);
    for thing in Thing::ALL.iter().copied() {
        for colour in Colour::ALL.iter().copied() {
            for pattern in Pattern::ALL.iter().copied() {
                let subject = Subject {
                    thing,
                    colour,
                    pattern,
                    part_colour: None,
                };
                all += 1;
                if subject.is_held_out() {
                    held_out += 1;
                    assert!(!shown.contains(&(thing, colour, pattern)));
                }
            }
        }
    }
    let share = 100 * held_out / all;
    assert!((27..=33).contains(&share), "{share} %");
    // No word is held out as a whole: every word is learned.
    assert!(shown.len() > 3000, "{}", shown.len());
}

#[test]
fn captions_name_each_word_and_often_alone() {
    const SAMPLES: u64 = 20_000;
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut alone: BTreeMap<&str, u32> = BTreeMap::new();
    let words: Vec<&str> = Thing::ALL
        .iter()
        .map(|w| w.word())
        .chain(Colour::ALL.iter().map(|w| w.word()))
        .chain(Pattern::ALL.iter().map(|w| w.word()))
        .chain(Place::ALL.iter().map(|w| w.word()))
        .collect();
    let mut distinct = BTreeSet::new();
    for index in 0..SAMPLES {
        let (scene, caption) = pretrain_scene(3, index);
        assert!(
            caption.is_ascii() && caption.ends_with('.') && !caption.contains("  "),
            "{caption}"
        );
        assert!(!caption.contains(['{', '}']), "{caption}");
        assert_eq!(caption, caption.to_lowercase());
        // Shorter than the text tower's 77 tokens by far.
        assert!(caption.split(' ').count() <= 40, "{caption}");
        let padded = format!(" {} ", caption.replace(['.', ','], " "));
        // "black and white photo" names a style, not colours.
        let padded = padded.replace("black and white", "");
        let named: Vec<&str> = words
            .iter()
            .copied()
            .filter(|word| {
                padded.contains(&format!(" {word} "))
                    || Thing::from_word(word)
                        .is_some_and(|t| padded.contains(&format!(" {} ", t.plural())))
            })
            .collect();
        for word in &named {
            *counts.entry(word).or_default() += 1;
        }
        if let [word] = named.as_slice() {
            *alone.entry(word).or_default() += 1;
        }
        if scene.style == Style::Monochrome {
            let colour = Colour::ALL.iter().find(|c| named.contains(&c.word()));
            assert_eq!(colour, None, "{caption}");
        }
        distinct.insert(caption);
    }
    for word in &words {
        let (count, alone) = (
            counts.get(word).copied().unwrap_or(0),
            alone.get(word).copied().unwrap_or(0),
        );
        println!("{word}: {count}, alone {alone}");
        // Each of 36 things, 12 colours, 14 patterns and 12 places must occur often enough.
        assert!(count >= 100, "{word} is in {count} captions");
        assert!(alone >= 20, "{word} is alone in {alone} captions");
    }
    assert!(distinct.len() > 12_000, "{}", distinct.len());
}

#[test]
fn every_set_has_sane_splits() {
    for set in sets() {
        let name = set.name();
        let dataset = set.dataset();
        let classes = &dataset.class_names;
        assert!(
            (8..=30).contains(&classes.len()),
            "{name}: {}",
            classes.len()
        );
        assert!(classes.is_sorted(), "{name}");
        assert_eq!(classes.iter().collect::<BTreeSet<_>>().len(), classes.len());
        assert!(!set.about().is_empty());
        let mut paths = BTreeSet::new();
        let mut scenes = BTreeSet::new();
        for part in Part::ALL {
            let items = dataset.part(part);
            assert_eq!(items.len(), classes.len() * images_per_class(part));
            for (place, item) in items.iter().enumerate() {
                assert!(paths.insert(&item.path), "{name}: {}", item.path.display());
                let index = place % images_per_class(part);
                let scene = set.scene(part, item.label, index).unwrap();
                assert!(scene.is_held_out(), "{name}: {scene:?}");
                assert!(scenes.insert(scene.seed), "{name}: the same scene twice");
            }
        }
        let base = dataset.few_shot(16, 1).base().unwrap();
        assert_eq!(base.class_names.len(), classes.len().div_ceil(2));
        assert_eq!(base.samples(Part::Train).len(), 16 * base.class_names.len());
    }
}

#[test]
fn a_class_is_mostly_seen_in_a_light_of_its_own_that_pretraining_never_shows() {
    for index in 0..2000 {
        assert_eq!(pretrain_scene(5, index).0.light, Light::Clear);
    }
    let set = WorldSet::find("surfaces").unwrap();
    let mut lights = BTreeSet::new();
    for label in 0..set.class_names().len() {
        let seen: Vec<Light> = (0..40)
            .map(|index| set.scene(Part::Test, label, index).unwrap().light)
            .collect();
        let most = |light: &Light| seen.iter().filter(|l| *l == light).count();
        let own = *Light::ALL.iter().max_by_key(|light| most(light)).unwrap();
        assert!((24..40).contains(&most(&own)), "{label}: {seen:?}");
        lights.insert(own);
    }
    assert_eq!(lights.len(), Light::ALL.len());
}

#[test]
fn shifted_sets_show_the_scenes_of_the_source() {
    let source = WorldSet::find("source").unwrap();
    let sketch = WorldSet::find("source-sketch").unwrap();
    assert_eq!(source.class_names(), sketch.class_names());
    let [a, b] = [source, sketch].map(|set| set.scene(Part::Test, 3, 5).unwrap());
    assert_eq!(
        b,
        Scene {
            style: Style::Sketch,
            ..a
        }
    );
}

#[test]
fn an_exported_set_reads_back_with_equal_pixels() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["scenes", "source-sketch"] {
        let set = WorldSet::find(name).unwrap();
        let written = set.export(folder.path()).unwrap();
        assert_eq!(written, folder.path().join(name));
        let (dataset, report) = DataSource::new(&written).read().unwrap();
        assert_eq!(report.warnings(), Vec::<String>::new());
        let drawn = set.dataset();
        assert_eq!(dataset.name, drawn.name);
        assert_eq!(dataset.class_names, drawn.class_names);
        for part in Part::ALL {
            let (files, drawings) = (dataset.part(part), drawn.part(part));
            assert_eq!(files.len(), drawings.len());
            for (file, drawing) in files.iter().zip(drawings) {
                assert_eq!(file.label, drawing.label);
                assert!(file.path.ends_with(&drawing.path));
                let limits = Limits::default();
                assert_eq!(
                    file.image(&limits).unwrap(),
                    drawing.image(&limits).unwrap()
                );
            }
        }
    }
}

#[test]
fn an_export_that_cannot_be_written_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in-the-way");
    std::fs::write(&file, "").unwrap();
    let error = WorldSet::find("objects")
        .unwrap()
        .export(&file)
        .unwrap_err();
    assert!(matches!(error, WorldError::Write { .. }));
    assert!(error.to_string().contains("in-the-way"), "{error}");
}

#[test]
fn the_error_about_an_unknown_set_lists_the_known_ones() {
    let error = WorldSet::find("object").unwrap_err().to_string();
    assert!(
        error.contains("\"object\"") && error.contains("objects, surfaces"),
        "{error}"
    );
}

#[test]
fn anything_can_be_drawn_at_any_size() {
    let mut seed = 0;
    for thing in Thing::ALL.iter().copied() {
        for style in Style::ALL.iter().copied() {
            for (side, count) in [(0, 0), (16, 1), (31, 2), (48, 3), (97, 99)] {
                seed += 1;
                let scene = Scene {
                    content: Content::Things {
                        subject: Subject {
                            thing,
                            colour: Colour::ALL[seed % 12],
                            pattern: Pattern::ALL[seed % 14],
                            part_colour: None,
                        },
                        count,
                        size: Size::ALL[seed % 5],
                        position: Position::ALL[seed % 5],
                    },
                    background: Background::Place(Place::ALL[seed % 12]),
                    style,
                    light: Light::ALL[seed % Light::ALL.len()],
                    light_percent: 60,
                    seed: u64::MAX - seed as u64,
                };
                let image = draw(&scene, side);
                assert_eq!(image.width(), side.max(16));
                // The image shows something.
                let distinct: BTreeSet<&[u8]> = image.pixels().chunks(3).collect();
                assert!(distinct.len() > 4, "{scene:?}");
            }
        }
    }
    let scene = pretrain_scene(0, 0).0;
    assert_eq!(draw(&scene, u32::MAX).width(), 1024);
}
