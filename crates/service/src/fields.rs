//! The fields of a request that are texts: those of a form, and the parameters of an address.

use crate::bounds::Bounds;
use crate::names;
use crate::problem::Problem;
use crate::request::{Asked, set_method};

/// Fields that have one value: of two, it would not be known which one is meant.
const SINGLE: [&str; 5] = ["top_k", "coverage", "sets", "unknown", "allow_unreadable"];

/// Fails if a request has no such field beside its images.
///
/// # Errors
/// 422 names those that there are.
pub(crate) fn check(field: &str) -> Result<(), Problem> {
    match field == "names" || field == "texts" || SINGLE.contains(&field) {
        true => Ok(()),
        false => Err(unknown(field)),
    }
}

fn unknown(field: &str) -> Problem {
    Problem::invalid(format!(
        "unknown field {:?}; there are image, names, texts, top_k, coverage, sets, unknown and allow_unreadable",
        shortened(field)
    ))
}

impl Asked {
    /// Sets a field.
    ///
    /// # Errors
    /// 422 if there is no such field, it does not have this value or it has one already, 413 if it has too many.
    pub fn set(&mut self, field: &str, value: &str, bounds: &Bounds) -> Result<(), Problem> {
        if let Some(single) = SINGLE.into_iter().find(|single| *single == field) {
            if self.given.contains(&single) {
                return Err(Problem::invalid(format!("{single}: it is given twice")));
            }
            self.given.push(single);
        }
        match field {
            // Given several times, each has some of the names.
            "names" => {
                let more = names::of_text(field, value, bounds)?;
                self.names.get_or_insert_default().extend(more);
            }
            "texts" => self.texts.extend(names::of_text(field, value, bounds)?),
            "top_k" => self.top_k = Some(number(field, value)?),
            "coverage" => self.wanted.coverage = Some(rate(field, value)?),
            "sets" => self.wanted.sets = Some(set_method(value)?),
            "unknown" => self.wanted.unknown = truth(field, value)?,
            "allow_unreadable" => self.allow_unreadable = truth(field, value)?,
            _ => return Err(unknown(field)),
        }
        Ok(())
    }

    /// Sets the parameters of an address.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_all(&mut self, query: Option<&str>, bounds: &Bounds) -> Result<(), Problem> {
        let query = query.unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.try_for_each(|(field, value)| {
            // What stands for bytes that are no UTF-8: the answer would be for another name than the one that is meant.
            match value.contains(char::REPLACEMENT_CHARACTER) {
                true => Err(Problem::invalid(format!(
                    "{}: the value is not UTF-8",
                    shortened(&field)
                ))),
                false => self.set(&field, &value, bounds),
            }
        })
    }
}

fn number(field: &str, value: &str) -> Result<usize, Problem> {
    let number = value.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        let value = shortened(value);
        Problem::invalid(format!(
            "{field}: expected a whole number of at least 1, found {value:?}"
        ))
    })
}

fn rate(field: &str, value: &str) -> Result<f64, Problem> {
    value.trim().parse().map_err(|_| {
        let value = shortened(value);
        Problem::invalid(format!("{field}: expected a number, found {value:?}"))
    })
}

fn truth(field: &str, value: &str) -> Result<bool, Problem> {
    match value.trim() {
        "true" | "1" | "" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(Problem::invalid(format!(
            "{field}: expected true or false, found {:?}",
            shortened(other)
        ))),
    }
}

/// The beginning of a text that a message repeats.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}
