//! The stream of captioned images that a CLIP of this world is pretrained on.

use promptsrc_image::Image;

use crate::caption::caption;
use crate::random::{Random, stable_hash};
use crate::render::draw;
use crate::scene::Scene;

/// An image and its caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captioned {
    /// The image, `[side, side, 3]`.
    pub image: Image,
    /// Its caption.
    pub caption: String,
}

/// A scene of the stream and its caption, not yet drawn. The stream of a seed never ends and never
/// shows a held-out combination.
pub fn pretrain_scene(seed: u64, index: u64) -> (Scene, String) {
    let mut random = Random::new(stable_hash("pretrain"), seed, index);
    let scene = loop {
        let scene = Scene::sample(&mut random);
        if !scene.is_held_out() {
            break scene;
        }
    };
    let caption = caption(&scene, &mut random);
    (scene, caption)
}

/// An image of the stream, `side` x `side` pixels, and its caption.
pub fn pretrain_sample(seed: u64, index: u64, side: u32) -> Captioned {
    let (scene, caption) = pretrain_scene(seed, index);
    Captioned {
        image: draw(&scene, side),
        caption,
    }
}
