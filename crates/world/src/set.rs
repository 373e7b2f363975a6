//! A data set of the world: which scene each of its images shows.

use promptsrc_datasets::{Dataset, Drawing, Item, Part};

use crate::canvas::SIDE;
use crate::light::Light;
use crate::random::{Random, stable_hash};
use crate::recipe::Class;
use crate::render::draw;
use crate::scene::{Scene, any_style};
use crate::style::Style;

/// What a data set is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// For training on half of the classes and evaluation on both halves.
    BaseToNovel,
    /// For training before evaluation on other data sets.
    Source,
    /// The classes and scenes of the source, made in another style.
    Shifted,
    /// For choosing hyper-parameters; results on it are not reported.
    Tuning,
}

/// A data set of the world. Every image is a function of the names and numbers that identify it.
#[derive(Clone, Debug)]
pub struct WorldSet {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) purpose: Purpose,
    /// The set that has the same scenes in another style; where it is not shifted, the set itself.
    pub(crate) scenes_of: &'static str,
    pub(crate) classes: Vec<Class>,
    pub(crate) styles: Styles,
    pub(crate) lights: Lights,
}

/// The styles of a set's images.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Styles {
    Any,
    /// One of these.
    Few(&'static [Style]),
}

/// The light of a set's images.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lights {
    Clear,
    /// Mostly the light of the class, of this strength in percent. Several classes share a light.
    OfTheClass(u8),
}

/// Images per class in a part.
pub fn images_per_class(part: Part) -> usize {
    match part {
        Part::Train => 32,
        Part::Val => 8,
        Part::Test => 40,
    }
}

impl WorldSet {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it shows, in a sentence.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// What it is used for.
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

    /// The data set; its images are drawn on demand. They have the paths that
    /// [`export`](Self::export) gives them.
    pub fn dataset(&'static self) -> Dataset {
        let part = |part| {
            self.places(part)
                .map(|(label, index)| {
                    let drawing = Drawing::new(move || match self.scene(part, label, index) {
                        Some(scene) => draw(&scene, SIDE),
                        None => unreachable!("every place has a class"),
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
            ..Dataset::default()
        }
    }

    /// Label and index of each image of a part, in the order of its list.
    pub(crate) fn places(&self, part: Part) -> impl Iterator<Item = (usize, usize)> {
        let labels = 0..self.classes.len();
        labels.flat_map(move |label| (0..images_per_class(part)).map(move |i| (label, i)))
    }

    /// File of an image below the folder of images. The images of a class are numbered across
    /// all parts.
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
