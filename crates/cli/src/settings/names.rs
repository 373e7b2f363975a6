//! Class names, and templates for them, that are given as options.

use std::path::Path;

use promptsrc_datasets::same_names;

use super::files::lines;
use promptsrc_clip::templates::PHOTO;

use crate::failure::Failure;

/// The names of `--names` or `--names-file`, checked; `None` if neither is given.
pub fn given(list: Option<&str>, file: Option<&Path>) -> Result<Option<Vec<String>>, Failure> {
    let (option, names) = match (list, file) {
        (Some(list), _) => ("--names", separated("--names", list)?),
        (None, Some(file)) => ("--names-file", lines(file)?),
        (None, None) => return Ok(None),
    };
    check(option, &names)?;
    Ok(Some(names))
}

/// Fails unless each `--template` has a place for the class name.
pub fn check_templates(templates: &[String]) -> Result<(), Failure> {
    match templates.iter().find(|template| !template.contains("{}")) {
        Some(template) => Err(Failure::usage(format!(
            "--template {template:?}: it has no {{}} for the class name"
        ))),
        None => Ok(()),
    }
}

/// The templates of `--template`; without one, CLIP's own.
pub fn templates(given: &[String]) -> Result<Vec<String>, Failure> {
    check_templates(given)?;
    Ok(match given {
        [] => vec![PHOTO.to_string()],
        given => given.to_vec(),
    })
}

/// The names in the value of an option, read as a line of CSV: separated by commas, in double quotes
/// if they contain one, with a doubled quote for a quote. White space around names is dropped.
pub fn separated(option: &str, list: &str) -> Result<Vec<String>, Failure> {
    let wrong = |problem: String| Failure::usage(format!("{option}: {problem}"));
    let mut names = Vec::new();
    let mut rest = list;
    loop {
        let start = rest.trim_start();
        let (name, after) = match start.strip_prefix('"') {
            Some(quoted) => {
                let Some((name, after)) = until_quote(quoted) else {
                    return Err(wrong(format!(
                        "the quote that begins {start:?} is not closed"
                    )));
                };
                let after = after.trim_start();
                if !after.is_empty() && !after.starts_with(',') {
                    return Err(wrong(format!(
                        "expected a comma after the name {name:?} in quotes, found {after:?}"
                    )));
                }
                (name, after)
            }
            None => {
                let end = start.find(',').unwrap_or(start.len());
                let (name, after) = start.split_at(end);
                (name.to_string(), after)
            }
        };
        names.push(name.trim().to_string());
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok(names),
        }
    }
}

/// A text up to the quote that closes it, and what comes after; `None` if none does.
fn until_quote(text: &str) -> Option<(String, &str)> {
    let (mut name, mut rest) = (String::new(), text);
    loop {
        let (inside, after) = rest.split_once('"')?;
        name += inside;
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// Fails unless these are at least two names that CLIP can tell apart.
pub fn check(option: &str, names: &[String]) -> Result<(), Failure> {
    if names.iter().any(String::is_empty) {
        return Err(Failure::usage(format!(
            "{option} contains an empty class name"
        )));
    }
    if let Some((first, second)) = same_names(names).first() {
        let name = |place: &usize| names.get(*place).map_or("", String::as_str);
        let (first, second) = (name(first), name(second));
        return Err(Failure::usage(match first == second {
            true => format!("{option} contains the class name {first:?} twice"),
            false => format!(
                "{option} contains {first:?} and {second:?}, which differ only in case, white space \
                 or underscores: CLIP reads the same text for both; leave out one of them"
            ),
        }));
    }
    match names {
        [only] => Err(Failure::usage(format!(
            "{option} contains only the class name {only:?}, which would get 100 % for every image; \
             give at least two, such as what else the images may show"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_csv() {
        let names = |list: &str| separated("--names", list).ok();
        let expect = |list: &str, expected: &[&str]| {
            let expected = expected.iter().map(|name| name.to_string()).collect();
            assert_eq!(names(list), Some(expected), "{list}");
        };
        expect("a cat, b_b ,\u{e7}", &["a cat", "b_b", "\u{e7}"]);
        expect("\"star, yellow\",red", &["star, yellow", "red"]);
        expect("red, \"star, yellow\" ", &["red", "star, yellow"]);
        expect(
            "\"the \"\"red\"\" one\",5\" disk",
            &["the \"red\" one", "5\" disk"],
        );
        expect("a,,b,", &["a", "", "b", ""]);
        expect("", &[""]);
        for wrong in ["\"a,b", "\"a\" b,c", "a,\"b\"\""] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
    }
}
