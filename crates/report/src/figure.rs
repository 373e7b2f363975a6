//! A plot on the page, which cannot be without its table.

use maud::{Markup, PreEscaped, html};

use crate::chart::{Chart, PlotError};
use crate::colour::Colour;
use crate::data_table::DataTable;
use crate::number::shown;

/// A plot with its title, its legend and the numbers that it shows.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub title: String,
    /// What is to be said before it.
    pub note: String,
    /// What its colours stand for.
    pub key: Vec<(Colour, Shape, String)>,
    pub chart: Chart,
    pub table: DataTable,
    /// How it takes its place.
    pub size: Size,
}

/// The mark of an entry of a legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Line,
    Bar,
    Dot,
}

/// How a plot takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// As wide as its column.
    Column,
    /// As large as it is drawn, in a box that scrolls.
    Own,
}

impl Figure {
    /// As HTML.
    ///
    /// # Errors
    /// [`PlotError`].
    pub(crate) fn html(&self) -> Result<Markup, PlotError> {
        let (svg, width, height) = self.chart.draw()?;
        let own = self.size == Size::Own;
        let style = own.then(|| format!("width:{}px", self.chart.width));
        let view = format!("0 0 {width} {height}");
        Ok(html! {
            figure.plot class=[own.then_some("own")] {
                figcaption {
                    h4 { (shown(&self.title)) }
                    @if !self.note.is_empty() { p.note { (shown(&self.note)) } }
                    @if !self.key.is_empty() {
                        ul.key {
                            @for (colour, shape, name) in &self.key {
                                li {
                                    svg viewBox="0 0 96 48" aria-hidden="true" {
                                        @match shape {
                                            Shape::Line => line class=(colour.variable()) x1="0" y1="24" x2="96" y2="24" {},
                                            Shape::Bar => rect class=(colour.variable()) x="24" y="6" width="40" height="36" {},
                                            Shape::Dot => circle class=(colour.variable()) cx="48" cy="24" r="18" {},
                                        }
                                    }
                                    span { (shown(name)) }
                                }
                            }
                        }
                    }
                }
                div.canvas tabindex=[own.then_some("0")] {
                    svg role="img" aria-label=(shown(&self.title)) viewBox=(view) style=[style] {
                        (PreEscaped(svg))
                    }
                }
                details {
                    summary { "The numbers" }
                    (self.table.html())
                }
            }
        })
    }
}

/// Figures beside each other, as many as there is room for.
pub(crate) fn grid(figures: &[Figure]) -> Result<Markup, PlotError> {
    let drawn: Vec<Markup> = figures.iter().map(Figure::html).collect::<Result<_, _>>()?;
    Ok(html! { div.figures { @for figure in drawn { (figure) } } })
}
