//! The named data sets of the world.

use std::sync::LazyLock;

use crate::WorldError;
use crate::classes::{coloured_things, fish, objects, patterned_things, scenes, surfaces};
use crate::recipe::Class;
use crate::set::{Lights, Purpose, Styles, WorldSet};
use crate::style::Style;

/// All data sets of the world.
pub fn sets() -> &'static [WorldSet] {
    static SETS: LazyLock<Vec<WorldSet>> = LazyLock::new(all_sets);
    &SETS
}

impl WorldSet {
    /// What stands before the name of a set where other data sets can be named too: `world:objects`.
    pub const PREFIX: &str = "world:";

    /// The name of the set among other data sets: `world:objects`.
    pub fn location(&self) -> String {
        format!("{}{}", Self::PREFIX, self.name)
    }

    /// The set with that name, with or without [`PREFIX`](Self::PREFIX).
    ///
    /// # Errors
    /// [`WorldError::UnknownSet`].
    pub fn find(name: &str) -> Result<&'static Self, WorldError> {
        let name = name.strip_prefix(Self::PREFIX).unwrap_or(name);
        sets()
            .iter()
            .find(|set| set.name == name)
            .ok_or_else(|| WorldError::UnknownSet {
                name: name.into(),
                known: sets().iter().map(|set| set.name).collect(),
            })
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

/// For the source, so that no shifted set shares a style with it.
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

/// Sorted by name, as labels usually are.
fn sorted(mut classes: Vec<Class>) -> Vec<Class> {
    classes.sort_by(|a, b| a.name.cmp(&b.name));
    classes
}
