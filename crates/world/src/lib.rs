//! A small world of drawn images: scenes with captions to pretrain a CLIP on, and data sets to
//! learn prompts on, with nothing to download.
//!
//! Everything is a function of names and seeds: an image has the same bytes on every machine and
//! in every build. Some combinations, of things with colours and patterns, of numbers of things
//! with places, never occur in the stream for pretraining; the data sets are made of them, so that
//! a CLIP that knows the classes without training has learned the words, not memorised images.
//! Such a CLIP is built in: [`mini_clip`].
//!
//! ```
//! use promptsrc_world::{WorldSet, pretrain_sample};
//!
//! let sample = pretrain_sample(1, 0, 48);
//! println!("{}", sample.caption);
//!
//! let dataset = WorldSet::find("objects")?.dataset();
//! assert_eq!(dataset.class_names[0], "apple");
//! # Ok::<(), promptsrc_world::WorldError>(())
//! ```

mod arithmetic;
mod background;
mod canvas;
mod caption;
mod classes;
mod colour;
mod error;
mod export;
mod finish;
mod layers;
mod light;
mod mini;
mod pattern;
mod pretrain;
mod random;
mod recipe;
mod render;
mod scene;
mod set;
mod sets;
mod shape;
mod style;
mod surface;
mod thing;
mod vocabulary;

pub use background::{Background, Place};
pub use canvas::SIDE;
pub use colour::Colour;
pub use error::WorldError;
pub use light::Light;
pub use mini::{MINI, mini_clip, mini_file};
pub use pattern::Pattern;
pub use pretrain::{Captioned, pretrain_sample, pretrain_scene};
pub use render::draw;
pub use scene::{
    Content, MAX_COUNT, Position, Scene, Size, Subject, is_place_held_out, is_surface_held_out,
};
pub use set::{Purpose, WorldSet, images_per_class};
pub use sets::sets;
pub use style::Style;
pub use thing::{Part as ThingPart, Thing};
