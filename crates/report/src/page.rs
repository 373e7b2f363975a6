//! The frame of every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::colour;
use crate::number::shown;
use crate::style::RULES;

/// What a page begins with.
pub(crate) struct Head<'a> {
    /// What kind of page it is.
    pub kind: &'a str,
    pub title: &'a str,
    /// A line below the title.
    pub lead: &'a str,
    /// Places on the page, with their names.
    pub places: Vec<(String, String)>,
    /// Series that its plots have.
    pub series: usize,
    /// The program that made it.
    pub program: &'a str,
}

/// A whole page.
pub(crate) fn page(head: &Head, body: &Markup) -> String {
    let style = format!("{RULES}{}", colour::rules(head.series));
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                // The page asks nobody for anything, whatever is in it.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'";
                meta name="color-scheme" content="light dark";
                title { (shown(head.title)) " · promptsrc" }
                style { (PreEscaped(style)) }
            }
            body {
                header {
                    p.kind { (head.kind) }
                    h1 { (shown(head.title)) }
                    @if !head.lead.is_empty() { p.lead { (shown(head.lead)) } }
                    @if head.places.len() > 1 {
                        nav { ul {
                            @for (id, name) in &head.places {
                                li { a href={ "#" (id) } { (shown(name)) } }
                            }
                        } }
                    }
                }
                main { (body) }
                footer {
                    p { "Made by " (shown(head.program)) ". Accuracies are in per cent; a difference is in points of a per cent." }
                }
            }
        }
    };
    markup.into_string()
}
