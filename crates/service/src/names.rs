//! The class names and texts of a request.

use promptsrc_datasets::same_names;

use crate::bounds::Bounds;
use crate::count::Count;
use crate::problem::Problem;

/// Fails unless these are at least two names that CLIP can tell apart, within the bounds.
pub(crate) fn check(names: &[String], bounds: &Bounds) -> Result<(), Problem> {
    check_texts("names", names, bounds)?;
    if let Some((first, second)) = same_names(names).first() {
        let name = |place: &usize| names.get(*place).map_or("", String::as_str);
        let (first, second) = (name(first), name(second));
        return Err(Problem::invalid(match first == second {
            true => format!("names: {first:?} is there twice"),
            false => format!(
                "names: {first:?} and {second:?} differ only in case, white space or underscores: CLIP \
                 reads the same text for both"
            ),
        }));
    }
    match names {
        [] | [_] => Err(Problem::invalid(format!(
            "names: give at least two, found {}: one alone would get 100 % for every image. A list is \
             written as JSON, or with a name on each line",
            names.len()
        ))),
        _ => Ok(()),
    }
}

/// Fails unless there are at most as many texts as allowed, none of them empty or too long.
pub(crate) fn check_texts(what: &str, texts: &[String], bounds: &Bounds) -> Result<(), Problem> {
    check_count(what, texts.len(), bounds)?;
    if texts.iter().any(|text| text.trim().is_empty()) {
        return Err(Problem::invalid(format!("{what}: one of them is empty")));
    }
    match texts.iter().find(|text| text.len() > bounds.max_name_bytes) {
        Some(long) => Err(Problem::invalid(format!(
            "{what}: one has {} bytes, more than the {} that it may have",
            long.len(),
            bounds.max_name_bytes
        ))),
        None => Ok(()),
    }
}

/// Fails if these are more names or texts than a request may have.
pub(crate) fn check_count(what: &str, count: usize, bounds: &Bounds) -> Result<(), Problem> {
    match count > bounds.max_names {
        true => Err(Problem::too_large(
            "too_many_names",
            format!(
                "{what}: {count} are more than the {} that a request may have",
                bounds.max_names
            ),
        )),
        false => Ok(()),
    }
}

/// The names of a text: a JSON list of strings, or one on each line; blank lines are left out.
///
/// # Errors
/// 422 if it begins as a list and is none, 413 if there are too many.
pub(crate) fn of_text(what: &str, text: &str, bounds: &Bounds) -> Result<Vec<String>, Problem> {
    if text.trim_start().starts_with('[') {
        let wrong = |error: serde_json::Error| {
            Problem::invalid(format!("{what}: no JSON list of strings: {error}"))
        };
        let Count(count) = serde_json::from_str(text).map_err(wrong)?;
        check_count(what, count, bounds)?;
        return serde_json::from_str(text).map(trimmed).map_err(wrong);
    }
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    check_count(what, lines().count(), bounds)?;
    Ok(trimmed(lines().map(str::to_string).collect()))
}

/// Without white space around names, as the command has them.
pub(crate) fn trimmed(names: Vec<String>) -> Vec<String> {
    let trim = |name: String| match name.trim() {
        short if short.len() == name.len() => name,
        short => short.to_string(),
    };
    names.into_iter().map(trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_json_list_or_lines() {
        let bounds = Bounds {
            max_names: 2,
            ..Bounds::default()
        };
        let names = |text: &str| of_text("names", text, &bounds).ok();
        let two = Some(vec!["a cat".to_string(), "dog, small".to_string()]);
        assert_eq!(names("a cat\r\n\n dog, small \n"), two);
        assert_eq!(names(" [\"a cat\", \"dog, small \"]"), two);
        assert_eq!(names("[1]"), None);
        assert_eq!(names("[\"a\""), None);
        assert_eq!(names("[\"a\"] b"), None);
        assert_eq!(names(""), Some(vec![]));
        for many in ["a\nb\n\nc", "[\"a\", \"b\", \"c\"]"] {
            let status = of_text("names", many, &bounds).map_err(|problem| problem.status.as_u16());
            assert_eq!(status, Err(413), "{many:?}");
        }
    }

    #[test]
    fn names_that_cannot_be_told_apart_are_refused() {
        let bounds = Bounds {
            max_names: 3,
            max_name_bytes: 10,
            ..Bounds::default()
        };
        let status = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            check(&names, &bounds).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(status(&["cat", "dog"]), Ok(()));
        for wrong in [
            &["cat"][..],
            &[],
            &["cat", "Cat"],
            &["cat", ""],
            &["cat", "elevenbytes"],
        ] {
            assert_eq!(status(wrong), Err(422), "{wrong:?}");
        }
        assert_eq!(status(&["a", "b", "c", "d"]), Err(413));
    }
}
