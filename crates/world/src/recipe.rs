//! Classes: a name, and a recipe for the scenes that show it.

use crate::background::{Background, Place};
use crate::colour::Colour;
use crate::light::Light;
use crate::pattern::Pattern;
use crate::random::Random;
use crate::scene::{
    Content, Scene, Size, Subject, any_background, any_position, any_size, is_place_held_out,
};
use crate::style::Style;
use crate::thing::Thing;

/// A class: its name and what all its images have in common.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) recipe: Recipe,
}

/// What a class fixes of a scene; the rest is random.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recipe {
    /// What is shown; `None` for a surface.
    pub(crate) thing: Option<Thing>,
    pub(crate) colour: Option<Colour>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) part_colour: Option<Colour>,
    /// Number and place, together.
    pub(crate) place: Option<(usize, Place)>,
}

impl Recipe {
    /// A random scene of this recipe that is held out of pretraining.
    pub(crate) fn scene(&self, random: &mut Random) -> Scene {
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

    /// A pattern cannot be recognised on a tiny thing.
    fn size(&self, random: &mut Random) -> Size {
        if self.pattern.is_some() {
            random.weighted(&[(2, Size::Medium), (2, Size::Large), (1, Size::Huge)])
        } else {
            any_size(random)
        }
    }
}
