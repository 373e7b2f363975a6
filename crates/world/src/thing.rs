//! Things: shapes and simple objects, their words and the parts that have a colour of their own.

use crate::colour::Colour;
use crate::vocabulary::vocabulary;

vocabulary! {
    /// A thing that can be drawn.
    Thing {
        Apple => "apple",
        Arrow => "arrow",
        Balloon => "balloon",
        Bell => "bell",
        Bird => "bird",
        Boat => "boat",
        Bolt => "lightning bolt",
        Bottle => "bottle",
        Butterfly => "butterfly",
        Car => "car",
        Cat => "cat",
        Chair => "chair",
        Circle => "circle",
        Cloud => "cloud",
        Cross => "cross",
        Crown => "crown",
        Cup => "cup",
        Diamond => "diamond",
        Drop => "drop",
        Fish => "fish",
        Flower => "flower",
        Hat => "hat",
        Heart => "heart",
        Hexagon => "hexagon",
        House => "house",
        Key => "key",
        Leaf => "leaf",
        Moon => "moon",
        Mushroom => "mushroom",
        Ring => "ring",
        Rocket => "rocket",
        Square => "square",
        Star => "star",
        Tree => "tree",
        Triangle => "triangle",
        Umbrella => "umbrella",
    }
}

/// A part of a thing with a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Its word; a word that ends in "s" is a plural.
    pub word: &'static str,
    /// Its colour unless a scene sets another.
    pub natural: Colour,
}

impl Thing {
    /// Its plural.
    pub fn plural(self) -> String {
        match self {
            Self::Butterfly => "butterflies".into(),
            Self::Cross => "crosses".into(),
            Self::Fish => "fish".into(),
            Self::Leaf => "leaves".into(),
            _ => format!("{self}s"),
        }
    }

    /// The part that has a colour of its own, if there is one.
    pub fn part(self) -> Option<Part> {
        let (word, natural) = match self {
            Self::Apple => ("leaf", Colour::Green),
            Self::Bell => ("clapper", Colour::Black),
            Self::Bird => ("wing", Colour::Brown),
            Self::Boat => ("sails", Colour::White),
            Self::Bottle => ("cap", Colour::Black),
            Self::Butterfly => ("body", Colour::Black),
            Self::Car => ("wheels", Colour::Black),
            Self::Chair => ("seat", Colour::Brown),
            Self::Crown => ("jewels", Colour::Red),
            Self::Cup => ("handle", Colour::White),
            Self::Fish => ("tail", Colour::Orange),
            Self::Flower => ("centre", Colour::Yellow),
            Self::Hat => ("band", Colour::Black),
            Self::House => ("roof", Colour::Brown),
            Self::Mushroom => ("stem", Colour::White),
            Self::Rocket => ("fins", Colour::Red),
            Self::Tree => ("trunk", Colour::Brown),
            Self::Umbrella => ("handle", Colour::Black),
            _ => return None,
        };
        Some(Part { word, natural })
    }

    /// Whether it has an upper side, and is therefore turned only a little.
    pub(crate) fn has_upper_side(self) -> bool {
        !matches!(
            self,
            Self::Arrow
                | Self::Circle
                | Self::Cross
                | Self::Hexagon
                | Self::Key
                | Self::Leaf
                | Self::Ring
                | Self::Star
        )
    }
}
