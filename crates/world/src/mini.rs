//! The mini CLIP, pretrained on this world and built into the program.

use std::io::Read;

use flate2::read::GzDecoder;
use promptsrc_clip::{ClipWeights, WeightError};

use crate::WorldError;

/// Its name, where an option takes a CLIP.
pub const MINI: &str = "mini";

/// An ordinary safetensors file in OpenAI's naming, in f16. Compressed, because all but a few
/// hundred of the 49,408 rows of the standard vocabulary are zero: no text of this world uses them.
const COMPRESSED: &[u8] = include_bytes!("../assets/mini.safetensors.gz");

/// The bytes of its weight file, for any other program.
///
/// # Errors
/// [`WorldError::Mini`], if the program itself is damaged.
pub fn mini_file() -> Result<Vec<u8>, WorldError> {
    let mut file = Vec::new();
    match GzDecoder::new(COMPRESSED).read_to_end(&mut file) {
        Ok(_) => Ok(file),
        Err(e) => Err(WorldError::Mini(e)),
    }
}

/// Its weights.
///
/// # Errors
/// [`WorldError`], if the program itself is damaged.
pub fn mini_clip() -> Result<ClipWeights, WorldError> {
    ClipWeights::from_safetensors(MINI, mini_file()?)
        .map_err(|e: WeightError| WorldError::Mini(std::io::Error::other(e)))
}
