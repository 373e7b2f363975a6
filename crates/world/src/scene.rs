//! A scene: everything that a caption may say of an image, and a seed for everything else.

use crate::background::{Background, Place};
use crate::colour::Colour;
use crate::light::Light;
use crate::pattern::Pattern;
use crate::random::{Random, stable_hash};
use crate::style::Style;
use crate::thing::Thing;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// How much of the image a thing fills.
    Size {
        Tiny => "tiny",
        Small => "small",
        Medium => "medium",
        Large => "large",
        Huge => "huge",
    }
}

vocabulary! {
    /// Where a thing is, or the second one beside the first.
    Position {
        Middle => "in the middle",
        Left => "on the left",
        Right => "on the right",
        Top => "at the top",
        Bottom => "at the bottom",
    }
}

/// Largest number of things of a kind in one image.
pub const MAX_COUNT: usize = 5;

/// One or more things that look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// What it is.
    pub thing: Thing,
    /// The colour of its body.
    pub colour: Colour,
    /// The pattern of its body.
    pub pattern: Pattern,
    /// The colour of its part, where it has a part and the colour is not the natural one.
    pub part_colour: Option<Colour>,
}

/// What an image shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Nothing but a surface that fills the image.
    Surface {
        /// Its first colour.
        colour: Colour,
        /// Its pattern.
        pattern: Pattern,
    },
    /// One thing, or several that look the same.
    Things {
        /// What they are.
        subject: Subject,
        /// How many: 1 to [`MAX_COUNT`].
        count: usize,
        /// How large they are; several are never larger than small.
        size: Size,
        /// Where a single one is.
        position: Position,
    },
    /// Two different things.
    Pair {
        /// The one that is named first.
        first: Subject,
        /// The other one.
        second: Subject,
        /// Where the first one is, beside the other; never in the middle.
        position: Position,
    },
}

/// An image before it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scene {
    /// What it shows.
    pub content: Content,
    /// What is behind that.
    pub background: Background,
    /// How it was made.
    pub style: Style,
    /// The light that it is seen in; pretraining has clear light only.
    pub light: Light,
    /// Strength of that light, in percent.
    pub light_percent: u8,
    /// Decides places, angles, light, clutter and noise.
    pub seed: u64,
}

/// Percentage of the combinations that are held out of pretraining.
const HELD_OUT: u64 = 30;

/// Whether the combination with this key is held out.
fn is_key_held_out(key: &str) -> bool {
    stable_hash(key) % 100 < HELD_OUT
}

impl Subject {
    /// Whether pretraining never shows a thing of this kind, colour and pattern.
    pub fn is_held_out(&self) -> bool {
        let Self {
            thing,
            colour,
            pattern,
            ..
        } = self;
        is_key_held_out(&format!("{thing}|{colour}|{pattern}"))
    }

    /// Any subject.
    pub(crate) fn sample(random: &mut Random) -> Self {
        let thing = random.pick(Thing::ALL);
        let pattern = if random.chance(50) {
            Pattern::Plain
        } else {
            random.pick(Pattern::ALL)
        };
        let colour = random.pick(Colour::ALL);
        let part_colour =
            (thing.part().is_some() && random.chance(45)).then(|| random.pick(Colour::ALL));
        Self {
            thing,
            colour,
            pattern,
            part_colour,
        }
    }
}

/// Whether pretraining never shows a surface of this colour and pattern.
pub fn is_surface_held_out(colour: Colour, pattern: Pattern) -> bool {
    is_key_held_out(&format!("surface|{colour}|{pattern}"))
}

/// Whether pretraining never shows that many of these things at that place.
pub fn is_place_held_out(thing: Thing, count: usize, place: Place) -> bool {
    is_key_held_out(&format!("{thing}|{count}|{place}"))
}

impl Scene {
    /// Whether pretraining never shows a scene with any of this one's combinations: thing, colour
    /// and pattern; thing, number and place; surface, colour and pattern. A stable hash of the
    /// words decides, for 30 % of the combinations of each kind.
    pub fn is_held_out(&self) -> bool {
        let place = |thing, count| match self.background {
            Background::Place(place) => is_place_held_out(thing, count, place),
            _ => false,
        };
        match self.content {
            Content::Surface { colour, pattern } => is_surface_held_out(colour, pattern),
            Content::Things { subject, count, .. } => {
                subject.is_held_out() || place(subject.thing, count)
            }
            Content::Pair { first, second, .. } => [first, second]
                .iter()
                .any(|s| s.is_held_out() || place(s.thing, 1)),
        }
    }

    /// Any scene, held out or not.
    pub(crate) fn sample(random: &mut Random) -> Self {
        let content = match random.below(100) {
            0..10 => Content::Surface {
                colour: random.pick(Colour::ALL),
                pattern: random.pick(Pattern::ALL),
            },
            10..16 => pair(random),
            _ => Content::Things {
                subject: Subject::sample(random),
                count: if random.chance(78) {
                    1
                } else {
                    2 + random.below(MAX_COUNT - 1)
                },
                size: any_size(random),
                position: any_position(random),
            },
        };
        Self {
            content,
            background: any_background(random),
            style: any_style(random),
            light: Light::Clear,
            light_percent: 100,
            seed: random.bits(),
        }
    }
}

fn pair(random: &mut Random) -> Content {
    let first = Subject::sample(random);
    let mut second = Subject::sample(random);
    while second.thing == first.thing {
        second.thing = random.pick(Thing::ALL);
        second.part_colour = None;
    }
    let position = random.pick(&[
        Position::Left,
        Position::Right,
        Position::Top,
        Position::Bottom,
    ]);
    Content::Pair {
        first,
        second,
        position,
    }
}

pub(crate) fn any_size(random: &mut Random) -> Size {
    random.weighted(&[
        (4, Size::Tiny),
        (10, Size::Small),
        (28, Size::Medium),
        (36, Size::Large),
        (22, Size::Huge),
    ])
}

pub(crate) fn any_position(random: &mut Random) -> Position {
    if random.chance(55) {
        Position::Middle
    } else {
        random.pick(Position::ALL)
    }
}

pub(crate) fn any_background(random: &mut Random) -> Background {
    match random.below(100) {
        0..38 => Background::Wall(random.pick(Colour::ALL)),
        38..46 => Background::Blend(random.pick(Colour::ALL), random.pick(Colour::ALL)),
        _ => Background::Place(random.pick(Place::ALL)),
    }
}

pub(crate) fn any_style(random: &mut Random) -> Style {
    if random.chance(38) {
        Style::Photo
    } else {
        random.pick(Style::ALL)
    }
}
