//! The named data sets: which classes they have, and which scene each image is of.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use promptsrc_datasets::{Dataset, Drawing, Item, Part};

use crate::WorldError;
use crate::background::{Background, Place};
use crate::colour::Colour;
use crate::light::Light;
use crate::pattern::Pattern;
use crate::random::{Random, stable_hash};
use crate::render::{SIDE, draw};
use crate::scene::{
    Content, Scene, Size, Subject, any_background, any_position, any_size, any_style,
    is_place_held_out, is_surface_held_out,
};
use crate::style::Style;
use crate::thing::Thing;

/// Images of a class in a part.
pub fn images_per_class(part: Part) -> usize {
    match part {
        Part::Train => 32,
        Part::Val => 8,
        Part::Test => 40,
    }
}

/// What a data set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To learn half of the classes and be measured on both halves.
    BaseToNovel,
    /// To learn on before being measured on other data sets.
    Source,
    /// The classes and scenes of the source, made in another style.
    Shifted,
    /// To choose hyper-parameters with; results on it are not reported.
    Tuning,
}

/// A data set of the world. Every image is a function of the names and numbers that it goes by.
#[derive(Clone, Debug)]
pub struct WorldSet {
    name: &'static str,
    about: &'static str,
    purpose: Purpose,
    /// The set whose scenes these are; the set itself where it is not a shifted one.
    scenes_of: &'static str,
    classes: Vec<Class>,
    styles: Styles,
    lights: Lights,
}

/// A class: its name and what all its images have in common.
#[derive(Clone, Debug)]
struct Class {
    name: String,
    recipe: Recipe,
}

/// What is fixed of a scene; the rest is drawn by chance.
#[derive(Clone, Copy, Debug, Default)]
struct Recipe {
    /// `None` for a surface.
    thing: Option<Thing>,
    colour: Option<Colour>,
    pattern: Option<Pattern>,
    part_colour: Option<Colour>,
    /// Number and place, together.
    place: Option<(usize, Place)>,
}

/// In which styles a set's images are made.
#[derive(Clone, Copy, Debug)]
enum Styles {
    Any,
    /// One of these.
    Few(&'static [Style]),
}

/// In which light a set's images are seen.
#[derive(Clone, Copy, Debug)]
enum Lights {
    Clear,
    /// Each class mostly in its own, so much of it in 100; there are more classes than lights.
    OfTheClass(u8),
}

/// All data sets of the world.
pub fn sets() -> &'static [WorldSet] {
    static SETS: LazyLock<Vec<WorldSet>> = LazyLock::new(all_sets);
    &SETS
}

impl WorldSet {
    /// The set of that name.
    ///
    /// # Errors
    /// [`WorldError::UnknownSet`].
    pub fn find(name: &str) -> Result<&'static Self, WorldError> {
        sets()
            .iter()
            .find(|set| set.name == name)
            .ok_or_else(|| WorldError::UnknownSet {
                name: name.into(),
                known: sets().iter().map(|set| set.name).collect(),
            })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it shows, in a sentence.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Names of its classes, by label; sorted.
    pub fn class_names(&self) -> Vec<String> {
        self.classes
            .iter()
            .map(|class| class.name.clone())
            .collect()
    }

    /// The scene of an image: class by label, `index` below [`images_per_class`] of the part
    /// (larger ones are scenes too, but in no data set). `None` where there is no such class.
    pub fn scene(&self, part: Part, label: usize, index: usize) -> Option<Scene> {
        let class = self.classes.get(label)?;
        let key = format!("{}|{part}|{}", self.scenes_of, class.name);
        let mut random = Random::new(stable_hash(&key), index as u64, 0);
        let mut scene = class.recipe.scene(&mut random);
        scene.style = match self.styles {
            Styles::Any => any_style(&mut random),
            Styles::Few(styles) => random.pick(styles),
        };
        if let Lights::OfTheClass(percent) = self.lights {
            scene.light_percent = percent;
            scene.light = if random.chance(80) {
                Light::ALL[label % Light::ALL.len()]
            } else {
                random.pick(Light::ALL)
            };
        }
        Some(scene)
    }

    /// The data set, its images drawn when they are asked for. Their names are the paths that
    /// [`export`](Self::export) gives them.
    pub fn dataset(&'static self) -> Dataset {
        let part = |part| {
            self.places(part)
                .map(|(label, index)| {
                    let drawing = Drawing::new(move || match self.scene(part, label, index) {
                        Some(scene) => draw(&scene, SIDE),
                        None => unreachable!("places are of classes that there are"),
                    });
                    let path = format!("{}/images/{}", self.name, self.file(part, label, index));
                    Item::drawn(path, label, drawing)
                })
                .collect()
        };
        Dataset {
            name: self.name.into(),
            class_names: self.class_names(),
            train: part(Part::Train),
            val: part(Part::Val),
            test: part(Part::Test),
        }
    }

    /// Label and index of each image of a part, in the order of its list.
    pub(crate) fn places(&self, part: Part) -> impl Iterator<Item = (usize, usize)> {
        let labels = 0..self.classes.len();
        labels.flat_map(move |label| (0..images_per_class(part)).map(move |i| (label, i)))
    }

    /// File of an image below the folder of images. A class numbers its images through all
    /// parts.
    pub(crate) fn file(&self, part: Part, label: usize, index: usize) -> String {
        let name = self.classes.get(label).map_or("", |c| c.name.as_str());
        let before: usize = Part::ALL
            .into_iter()
            .take_while(|p| *p != part)
            .map(images_per_class)
            .sum();
        format!("{}/{:04}.png", name.replace(' ', "_"), before + index)
    }
}

impl Recipe {
    /// A scene by this recipe, held out of pretraining by what is fixed or by what is not.
    fn scene(&self, random: &mut Random) -> Scene {
        loop {
            let scene = self.any_scene(random);
            if scene.is_held_out() {
                return scene;
            }
        }
    }

    fn any_scene(&self, random: &mut Random) -> Scene {
        let mut subject = Subject::sample(random);
        let colour = self.colour.unwrap_or(subject.colour);
        let pattern = self.pattern.unwrap_or(subject.pattern);
        let content = match self.thing {
            None => Content::Surface { colour, pattern },
            Some(thing) => {
                if thing != subject.thing {
                    subject.part_colour = None;
                }
                Content::Things {
                    subject: Subject {
                        thing,
                        colour,
                        pattern,
                        part_colour: self.part_colour.or(subject.part_colour),
                    },
                    count: self.place.map_or(1, |(count, _)| count),
                    size: self.size(random),
                    position: any_position(random),
                }
            }
        };
        // The background must not be what makes a scene held out, unless it is the class.
        let background = match (self.place, self.thing) {
            (Some((_, place)), _) => Background::Place(place),
            (None, Some(thing)) => loop {
                match any_background(random) {
                    Background::Place(place) if is_place_held_out(thing, 1, place) => {}
                    background => break background,
                }
            },
            (None, None) => Background::Wall(Colour::Gray),
        };
        Scene {
            content,
            background,
            style: Style::Photo,
            light: Light::Clear,
            light_percent: 100,
            seed: random.bits(),
        }
    }

    /// A pattern cannot be told where the thing is tiny.
    fn size(&self, random: &mut Random) -> Size {
        if self.pattern.is_some() {
            random.weighted(&[(2, Size::Medium), (2, Size::Large), (1, Size::Huge)])
        } else {
            any_size(random)
        }
    }
}

const PHOTOS: &[Style] = &[
    Style::Photo,
    Style::Photo,
    Style::Photo,
    Style::Noisy,
    Style::Bright,
    Style::Blurred,
];

/// Of the source, so that no shifted set shares a style with it.
const CLEAR_PHOTOS: &[Style] = &[Style::Photo, Style::Photo, Style::Photo, Style::Bright];

fn all_sets() -> Vec<WorldSet> {
    let set = |name, about, purpose, classes, styles, lights| WorldSet {
        name,
        about,
        purpose,
        scenes_of: name,
        classes: sorted(classes),
        styles,
        lights,
    };
    let mut sets = vec![
        set(
            "objects",
            "things of any colour and pattern, anywhere, in any style",
            Purpose::BaseToNovel,
            objects(),
            Styles::Any,
            Lights::OfTheClass(60),
        ),
        set(
            "surfaces",
            "coloured patterns that fill the image",
            Purpose::BaseToNovel,
            surfaces(),
            Styles::Any,
            Lights::OfTheClass(50),
        ),
        set(
            "finegrained",
            "kinds of fish, told apart by the colour and pattern of the body and the colour of \
             the tail",
            Purpose::BaseToNovel,
            fish(),
            Styles::Few(PHOTOS),
            Lights::OfTheClass(35),
        ),
        set(
            "scenes",
            "one or more things of a kind in a place",
            Purpose::BaseToNovel,
            scenes(),
            Styles::Any,
            Lights::OfTheClass(80),
        ),
        set(
            "tuning",
            "things with a pattern, of any colour; to choose hyper-parameters with",
            Purpose::Tuning,
            patterned_things(),
            Styles::Any,
            Lights::OfTheClass(50),
        ),
        set(
            "source",
            "photos of things of a colour, with any pattern",
            Purpose::Source,
            coloured_things(),
            Styles::Few(CLEAR_PHOTOS),
            Lights::Clear,
        ),
    ];
    let source = sets.last().cloned();
    for (name, about, styles) in [
        (
            "source-sketch",
            "the scenes of source, as sketches",
            &[Style::Sketch],
        ),
        (
            "source-night",
            "the scenes of source, at night",
            &[Style::Night],
        ),
        (
            "source-poster",
            "the scenes of source, as posters",
            &[Style::Poster],
        ),
        (
            "source-blurred",
            "the scenes of source, blurred",
            &[Style::Blurred],
        ),
        (
            "source-mosaic",
            "the scenes of source, as mosaics",
            &[Style::Mosaic],
        ),
    ] {
        sets.extend(source.clone().map(|source| WorldSet {
            name,
            about,
            purpose: Purpose::Shifted,
            styles: Styles::Few(styles),
            ..source
        }));
    }
    sets
}

/// In the order of their names, as labels usually are.
fn sorted(mut classes: Vec<Class>) -> Vec<Class> {
    classes.sort_by(|a, b| a.name.cmp(&b.name));
    classes
}

/// Candidates in an order of their own, which depends on nothing but their names, and no more of
/// them than `most`; each of a candidate's keys may occur only so many times.
fn choose(
    set: &str,
    mut candidates: Vec<(Class, Vec<(String, usize)>)>,
    most: usize,
) -> Vec<Class> {
    candidates.sort_by_cached_key(|(class, _)| stable_hash(&format!("{set}|{}", class.name)));
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (class, keys) in candidates {
        if chosen.len() == most {
            break;
        }
        let free = |(key, limit): &(String, usize)| used.get(key).is_none_or(|n| n < limit);
        if !keys.iter().all(free) {
            continue;
        }
        for (key, _) in keys {
            *used.entry(key).or_default() += 1;
        }
        chosen.push(class);
    }
    chosen
}

fn objects() -> Vec<Class> {
    const LEFT_OUT: [Thing; 6] = [
        Thing::Balloon,
        Thing::Chair,
        Thing::Crown,
        Thing::Drop,
        Thing::Hexagon,
        Thing::Hat,
    ];
    Thing::ALL
        .iter()
        .filter(|thing| !LEFT_OUT.contains(thing))
        .map(|thing| Class {
            name: thing.word().into(),
            recipe: Recipe {
                thing: Some(*thing),
                ..Recipe::default()
            },
        })
        .collect()
}

fn surfaces() -> Vec<Class> {
    let mut candidates = Vec::new();
    for (colour, pattern) in pairs(Colour::ALL, Pattern::ALL) {
        if pattern != Pattern::Plain && is_surface_held_out(colour, pattern) {
            let class = Class {
                name: format!("{colour} {pattern} texture"),
                recipe: Recipe {
                    colour: Some(colour),
                    pattern: Some(pattern),
                    ..Recipe::default()
                },
            };
            let keys = vec![(pattern.to_string(), 2), (colour.to_string(), 3)];
            candidates.push((class, keys));
        }
    }
    choose("surfaces", candidates, 24)
}

fn fish() -> Vec<Class> {
    let mut bodies = Vec::new();
    for (colour, pattern) in pairs(Colour::ALL, Pattern::ALL) {
        let body = Subject {
            thing: Thing::Fish,
            colour,
            pattern,
            part_colour: None,
        };
        if body.is_held_out() {
            let class = Class {
                name: format!("{colour} {pattern} fish"),
                recipe: Recipe {
                    thing: Some(Thing::Fish),
                    colour: Some(colour),
                    pattern: Some(pattern),
                    ..Recipe::default()
                },
            };
            let keys = vec![(colour.to_string(), 2), (pattern.to_string(), 2)];
            bodies.push((class, keys));
        }
    }
    // Two of each body, so that the tail has to be looked at.
    let mut tails: BTreeMap<Colour, usize> = BTreeMap::new();
    let mut classes = Vec::new();
    for body in choose("finegrained", bodies, 12) {
        let mut colours: Vec<Colour> = Colour::ALL
            .iter()
            .copied()
            .filter(|tail| Some(*tail) != body.recipe.colour)
            .collect();
        // The least used ones first, so that each colour has its turn.
        colours.sort_by_cached_key(|tail| {
            let hash = stable_hash(&format!("{}|{tail}", body.name));
            (tails.get(tail).copied().unwrap_or(0), hash)
        });
        for tail in colours.into_iter().take(2) {
            *tails.entry(tail).or_default() += 1;
            classes.push(Class {
                name: format!("{} with {} {tail} tail", body.name, article(tail.word())),
                recipe: Recipe {
                    part_colour: Some(tail),
                    ..body.recipe
                },
            });
        }
    }
    classes
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

fn scenes() -> Vec<Class> {
    const THINGS: [Thing; 8] = [
        Thing::Bird,
        Thing::Car,
        Thing::Cat,
        Thing::Heart,
        Thing::House,
        Thing::Star,
        Thing::Tree,
        Thing::Umbrella,
    ];
    const PLACES: [Place; 7] = [
        Place::Grass,
        Place::Sea,
        Place::Sand,
        Place::Snow,
        Place::Bricks,
        Place::Space,
        Place::City,
    ];
    let mut candidates = Vec::new();
    for (thing, place) in pairs(&THINGS, &PLACES) {
        for (count, word) in [(1, ""), (2, "two "), (3, "three "), (4, "four ")] {
            if !is_place_held_out(thing, count, place) {
                continue;
            }
            let noun = if count == 1 {
                thing.word().into()
            } else {
                thing.plural()
            };
            let phrase = place.phrases().first().copied().unwrap_or_default();
            let class = Class {
                name: format!("{word}{noun} {phrase}"),
                recipe: Recipe {
                    thing: Some(thing),
                    place: Some((count, place)),
                    ..Recipe::default()
                },
            };
            let keys = vec![
                (place.to_string(), 4),
                (thing.to_string(), 4),
                (format!("{thing} {place}"), 2),
                (format!("count {count}"), 7),
            ];
            candidates.push((class, keys));
        }
    }
    choose("scenes", candidates, 24)
}

fn patterned_things() -> Vec<Class> {
    let candidates = pairs(Thing::ALL, Pattern::ALL)
        .filter(|(thing, pattern)| *pattern != Pattern::Plain && is_bulky(*thing))
        .filter(|(thing, pattern)| held_out_choices(pairs(Colour::ALL, &[*pattern]), *thing) >= 3)
        .map(|(thing, pattern)| {
            let class = Class {
                name: format!("{pattern} {thing}"),
                recipe: Recipe {
                    thing: Some(thing),
                    pattern: Some(pattern),
                    ..Recipe::default()
                },
            };
            let keys = vec![(pattern.to_string(), 3), (thing.to_string(), 2)];
            (class, keys)
        })
        .collect();
    choose("tuning", candidates, 24)
}

fn coloured_things() -> Vec<Class> {
    let candidates = pairs(Thing::ALL, Colour::ALL)
        .filter(|(thing, colour)| held_out_choices(pairs(&[*colour], Pattern::ALL), *thing) >= 3)
        .map(|(thing, colour)| {
            let class = Class {
                name: format!("{colour} {thing}"),
                recipe: Recipe {
                    thing: Some(thing),
                    colour: Some(colour),
                    ..Recipe::default()
                },
            };
            let keys = vec![(colour.to_string(), 3), (thing.to_string(), 2)];
            (class, keys)
        })
        .collect();
    choose("source", candidates, 30)
}

/// Of some colours and patterns how many are held out for a thing.
fn held_out_choices(choices: impl Iterator<Item = (Colour, Pattern)>, thing: Thing) -> usize {
    choices
        .filter(|(colour, pattern)| {
            let subject = Subject {
                thing,
                colour: *colour,
                pattern: *pattern,
                part_colour: None,
            };
            subject.is_held_out()
        })
        .count()
}

/// Whether a thing has room for a pattern.
fn is_bulky(thing: Thing) -> bool {
    !matches!(
        thing,
        Thing::Bolt | Thing::Chair | Thing::Key | Thing::Moon | Thing::Ring | Thing::Rocket
    )
}

fn pairs<'a, A: Copy, B: Copy>(a: &'a [A], b: &'a [B]) -> impl Iterator<Item = (A, B)> + 'a {
    a.iter().flat_map(move |a| b.iter().map(move |b| (*a, *b)))
}
