//! The bytes of a request's images to what the image tower takes, on a few threads.

use std::sync::Arc;

use axum::http::StatusCode;
use promptsrc::{Image, Preprocess};
use promptsrc_image::{ImageError, Limits, decode, decode_upright, within_budget};
use tokio::sync::Semaphore;

use crate::bounds::Bounds;
use crate::problem::{BadImage, Problem, of_image};
use crate::request::Upload;

/// How images are prepared.
#[derive(Clone, Debug)]
pub(crate) struct Preparation {
    pub preprocess: Preprocess,
    /// Whether they are turned by their EXIF orientation.
    pub upright: bool,
    pub limits: Limits,
}

/// A prepared image and its name, or why there is none.
pub(crate) type Prepared = Result<(String, Image), (BadImage, StatusCode)>;

impl Preparation {
    pub fn new(preprocess: Preprocess, upright: bool, bounds: &Bounds) -> Self {
        let limits = Limits {
            max_pixels: bounds.max_pixels,
            max_bytes: bounds.max_body as u64,
        };
        Self {
            preprocess,
            upright,
            limits,
        }
    }

    /// The part of the image that the tower sees, in bytes.
    fn apply(&self, bytes: &[u8]) -> Result<Image, ImageError> {
        // The pixels of the image are free again when its centre is cut out.
        within_budget(|| {
            let image = match self.upright {
                true => decode_upright(bytes, &self.limits),
                false => decode(bytes, &self.limits),
            }?;
            self.preprocess.center(&image)
        })
    }
}

/// Prepares images, in their order. `decoders`: as many as may be decoded at a time.
///
/// # Errors
/// 500 if a decoder panics.
pub(crate) async fn prepare(
    images: Vec<Upload>,
    how: &Arc<Preparation>,
    decoders: &Arc<Semaphore>,
) -> Result<Vec<Prepared>, Problem> {
    let mut tasks = Vec::with_capacity(images.len());
    for Upload { name, bytes } in images {
        let permit = decoders.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Problem::stopping())?;
        let how = how.clone();
        tasks.push(tokio::task::spawn_blocking(move || {
            let _permit = permit;
            match how.apply(&bytes) {
                Ok(image) => Ok((name, image)),
                Err(error) => {
                    let (status, reason) = of_image(&error);
                    Err((reason.at(name), status))
                }
            }
        }));
    }
    let mut prepared = Vec::with_capacity(tasks.len());
    for task in tasks {
        prepared.push(task.await.map_err(|_| Problem::internal())?);
    }
    Ok(prepared)
}
