//! Images with their answers: the most confident mistakes and the least confident hits.

use maud::{Markup, html};

use crate::number::{percent, shown};
use crate::run::Answered;

/// Images with their answers, or a sentence if there are none.
pub(crate) fn gallery(title: &str, none: &str, images: &[Answered]) -> Markup {
    html! {
        div.gallery {
            h4 { (title) }
            @if images.is_empty() { p.note { (none) } }
            ul.images { @for image in images { li { (card(image)) } } }
        }
    }
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
                @for (answer, probability) in &image.answers {
                    li class=[(answer == truth).then_some("right")] {
                        span { (shown(answer)) }
                        span.n { (percent(f64::from(*probability))) " %" }
                    }
                }
            }
            p.path { (shown(&image.name)) }
        }
    }
}
