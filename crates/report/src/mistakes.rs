//! Images with their answers: the most confident mistakes and the least confident hits.

use maud::{Markup, html};

use crate::number::{percent, shown};
use crate::run::{Answered, Likely};

/// Images with their answers, or a sentence if there are none.
pub(crate) fn gallery(title: &str, none: &str, images: &[Answered]) -> Markup {
    html! {
        div.gallery {
            h4 { (title) }
            @if images.is_empty() { p.note { (none) } }
            @if images.iter().any(is_calibrated) {
                p.note {
                    "Behind each answer: its probability without → with the run's calibration. The images are in the "
                    "order of the first."
                }
            }
            ul.images { @for image in images { li { (card(image)) } } }
        }
    }
}

fn is_calibrated(image: &Answered) -> bool {
    image
        .answers
        .iter()
        .any(|answer| answer.calibrated.is_some())
}

fn card(image: &Answered) -> Markup {
    let truth = image.truth.as_str();
    html! {
        @match &image.thumbnail {
            Some(data) => img src=(data) alt=(format!("image of {}", shown(truth))) loading="lazy" {},
            None => {},
        }
        div.words {
            p.truth { (shown(truth)) }
            ol {
                @for Likely { class, probability, calibrated } in &image.answers {
                    li class=[(class == truth).then_some("right")] {
                        span { (shown(class)) }
                        span.n {
                            (percent(f64::from(*probability)))
                            @if let Some(after) = calibrated { " → " (percent(f64::from(*after))) }
                            " %"
                        }
                    }
                }
            }
            p.path { (shown(&image.name)) }
        }
    }
}
