//! A request as a form with files.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;

use crate::bounds::Bounds;
use crate::fields;
use crate::json::{check_count, default_name};
use crate::problem::Problem;
use crate::request::{Asked, Upload};

/// Most fields of a form beside the images.
const MOST_FIELDS: usize = 64;

/// The request of a body.
///
/// # Errors
/// 400 if it is no form, 422 if it has other fields than a request, 413 if it has too many images or names.
pub(crate) async fn parse(
    body: Bytes,
    content_type: &str,
    bounds: &Bounds,
) -> Result<Asked, Problem> {
    let malformed = |error: multer::Error| Problem::malformed(format!("multipart: {error}"));
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut asked = Asked::default();
    let mut others = 0;
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let Some(name) = field.name().map(str::to_string) else {
            return Err(Problem::malformed("multipart: a part without a name"));
        };
        let file = field.file_name().map(str::to_string);
        let value = field.bytes().await.map_err(malformed)?;
        if name == "image" {
            let place = asked.images.len();
            check_count(place + 1, bounds)?;
            let name = file.filter(|name| !name.is_empty());
            asked.images.push(Upload {
                name: name.unwrap_or_else(|| default_name(place)),
                bytes: value,
            });
            continue;
        }
        others += 1;
        if others > MOST_FIELDS {
            return Err(Problem::malformed(format!(
                "multipart: more than {MOST_FIELDS} fields beside the images"
            )));
        }
        fields::check(&name)?;
        let text = std::str::from_utf8(&value)
            .map_err(|_| Problem::invalid(format!("{name}: the value is not UTF-8")))?;
        asked.set(&name, text, bounds)?;
    }
    Ok(asked)
}
