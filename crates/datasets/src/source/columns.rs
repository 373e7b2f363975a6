//! Which columns of a list are meant, by the names that people give them.

use std::path::Path;

use crate::{DataError, Part};

const PATH: [&str; 15] = [
    "path",
    "filepath",
    "file_path",
    "filename",
    "file_name",
    "file",
    "image",
    "image_path",
    "imagepath",
    "image_file",
    "image_name",
    "imagename",
    "img",
    "img_path",
    "impath",
];
const LABEL: [&str; 14] = [
    "label",
    "class",
    "category",
    "target",
    "label_id",
    "labelid",
    "label_idx",
    "label_index",
    "class_id",
    "classid",
    "class_idx",
    "class_index",
    "category_id",
    "target_id",
];
const CLASS_NAME: [&str; 7] = [
    "class_name",
    "classname",
    "label_name",
    "labelname",
    "category_name",
    "target_name",
    "label_text",
];
const SPLIT: [&str; 5] = ["split", "part", "subset", "partition", "set"];

/// A row of a list: its line, and the cells in the order of the header. It is filled again for each row.
#[derive(Default)]
pub(super) struct Cells {
    pub(super) line: u64,
    /// The cells, one after another.
    text: String,
    /// Where each ends in the text, and whether it is there at all.
    ends: Vec<(usize, bool)>,
}

/// Visits the rows of a list, and what it tells a visitor.
pub(super) type Visit<'a> = dyn FnMut(&Cells) -> Result<(), DataError> + 'a;
type Rows<'a> = dyn Fn(&mut Visit) -> Result<(), DataError> + 'a;

impl Cells {
    pub(super) fn fill<'a>(&mut self, cells: impl Iterator<Item = Option<&'a str>>) {
        self.text.clear();
        self.ends.clear();
        for cell in cells {
            self.text.push_str(cell.unwrap_or_default());
            self.ends.push((self.text.len(), cell.is_some()));
        }
    }

    /// The cell, if the row has it.
    pub(super) fn cell(&self, column: usize) -> Option<&str> {
        let (end, _) = self.ends.get(column).filter(|(_, there)| *there)?;
        let before = column
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        self.text.get(before.map_or(0, |(end, _)| *end)..*end)
    }

    fn get(&self, column: usize) -> &str {
        self.cell(column).unwrap_or_default()
    }
}

/// Places of the columns in the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) path: usize,
    /// The class: a number or a name.
    pub(super) label: usize,
    /// The name of a label.
    pub(super) class_name: Option<usize>,
    pub(super) split: Option<usize>,
}

/// The name of a column in lower case, with underscores between its words.
fn normalized(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-', '.'], "_")
}

/// The columns of a header that have one of these names.
fn named(header: &[String], names: &[&str]) -> Vec<usize> {
    let known = |(_, name): &(usize, &String)| names.contains(&normalized(name).as_str());
    let columns = header.iter().enumerate().filter(known);
    columns.map(|(place, _)| place).collect()
}

fn is_called(header: &[String], column: usize, name: &str) -> bool {
    header
        .get(column)
        .is_some_and(|own| normalized(own) == name)
}

/// The columns, or only the one that is called exactly `first` where there is one.
fn preferred(columns: Vec<usize>, header: &[String], first: &str) -> Vec<usize> {
    let exact = columns
        .iter()
        .filter(|column| is_called(header, **column, first));
    match exact.copied().collect::<Vec<_>>().as_slice() {
        [one] => vec![*one],
        _ => columns,
    }
}

/// Whether a column or key of this name may be meant.
pub(super) fn is_known(name: &str) -> bool {
    let name = normalized(name);
    let mut known = PATH.iter().chain(&LABEL).chain(&CLASS_NAME).chain(&SPLIT);
    known.any(|known| *known == name)
}

/// Whether a header has what a list needs.
pub(super) fn is_header(header: &[String]) -> bool {
    let has = |names: &[&str]| !named(header, names).is_empty();
    has(&PATH) && (has(&LABEL) || has(&CLASS_NAME))
}

impl Columns {
    /// The columns that are meant. Where two may be the class, the one that has only numbers is the
    /// label and the other its name.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`]; [`DataError::Malformed`] with the line where several columns
    /// may be meant.
    pub(super) fn find(file: &Path, header: &[String], rows: &Rows) -> Result<Self, DataError> {
        let missing = |column| DataError::MissingColumn {
            file: file.to_path_buf(),
            column,
            found: header.to_vec(),
        };
        let several = |columns: &[usize], what: &str, name: &str| {
            let names: Vec<String> = columns
                .iter()
                .filter_map(|column| Some(format!("{:?}", header.get(*column)?)))
                .collect();
            DataError::Malformed {
                file: file.to_path_buf(),
                line: 1,
                message: format!(
                    "the columns {} may each be {what}; call the right one {name:?}, or remove the \
                     others",
                    names.join(" and ")
                ),
            }
        };
        let one = |names: &[&str], what: &str, name: &str| {
            let columns = preferred(named(header, names), header, name);
            match columns.as_slice() {
                [] => Ok(None),
                [one] => Ok(Some(*one)),
                _ => Err(several(&columns, what, name)),
            }
        };
        let path = one(&PATH, "the path of the image", "path")?.ok_or_else(|| missing("path"))?;
        let split = match preferred(named(header, &SPLIT), header, "split").as_slice() {
            [one] if is_called(header, *one, "split") => Some(*one),
            others => {
                // Columns of the other names may be something else, such as a part of a body.
                let mut names_parts = vec![false; others.len()];
                rows(&mut |row| {
                    for (column, names_parts) in others.iter().zip(&mut names_parts) {
                        *names_parts |= row.get(*column).parse::<Part>().is_ok();
                    }
                    Ok(())
                })?;
                let meant = others.iter().zip(names_parts).filter(|(_, is)| *is);
                let meant: Vec<usize> = meant.map(|(column, _)| *column).collect();
                match meant.as_slice() {
                    [] => None,
                    [one] => Some(*one),
                    many => return Err(several(many, "the split", "split")),
                }
            }
        };
        let (label, class_name) = match one(&CLASS_NAME, "the name of the class", "class_name")? {
            Some(name) => match one(&LABEL, "the label", "label")? {
                Some(label) => (label, Some(name)),
                None => (name, None),
            },
            None => match named(header, &LABEL).as_slice() {
                [] => return Err(missing("label")),
                [one] => (*one, None),
                [first, second] => Self::number_and_name(file, header, rows, *first, *second)?,
                many => return Err(several(many, "the label", "label")),
            },
        };
        Ok(Self {
            path,
            label,
            class_name,
            split,
        })
    }

    /// Which of two columns is the label, and which, if any, its name.
    fn number_and_name(
        file: &Path,
        header: &[String],
        rows: &Rows,
        first: usize,
        second: usize,
    ) -> Result<(usize, Option<usize>), DataError> {
        let is_number = |text: &str| text.trim().parse::<usize>().is_ok();
        let (mut numbers, mut differing) = ([true; 2], None);
        rows(&mut |row| {
            let (one, other) = (row.get(first), row.get(second));
            numbers[0] &= is_number(one);
            numbers[1] &= is_number(other);
            if one != other && differing.is_none() {
                differing = Some((row.line, one.to_string(), other.to_string()));
            }
            Ok(())
        })?;
        match numbers {
            [true, false] => Ok((first, Some(second))),
            [false, true] => Ok((second, Some(first))),
            _ => {
                let Some((line, one, other)) = differing else {
                    return Ok((first, None));
                };
                let name = |column: usize| header.get(column).cloned().unwrap_or_default();
                Err(DataError::Malformed {
                    file: file.to_path_buf(),
                    line,
                    message: format!(
                        "the columns {:?} ({:?} here) and {:?} ({:?}) may each be the class; call \
                         the right one \"label\" and remove or rename the other (\"class_name\" is \
                         the name of a numbered label)",
                        name(first),
                        one,
                        name(second),
                        other
                    ),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(
        header: &str,
        rows: &[&str],
    ) -> Result<(usize, usize, Option<usize>, Option<usize>), String> {
        let cells = |text: &str| text.split(',').map(str::to_string).collect::<Vec<_>>();
        let each = |visit: &mut Visit| {
            (2..).zip(rows).try_for_each(|(line, row)| {
                let mut row_cells = Cells {
                    line,
                    ..Cells::default()
                };
                row_cells.fill(cells(row).iter().map(|cell| Some(cell.as_str())));
                visit(&row_cells)
            })
        };
        match Columns::find("list.csv".as_ref(), &cells(header), &each) {
            Ok(found) => Ok((found.path, found.label, found.class_name, found.split)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn columns_are_known_by_the_names_that_people_use() {
        for (header, expected) in [
            ("path,label", (0, 1, None, None)),
            ("Label,File Name,Split", (1, 0, None, Some(2))),
            ("id,filepath,class", (1, 2, None, None)),
            ("image,class_name,d,subset", (0, 1, None, Some(3))),
            ("image,class_name,part", (0, 1, None, None)),
            ("img_path,class-id,class name", (0, 1, Some(2), None)),
            // The exact name counts where there are several.
            ("filename,path,label", (1, 2, None, None)),
            ("path,label,class_name,category", (0, 1, Some(2), None)),
        ] {
            assert_eq!(find(header, &["a,b,c,Train"]), Ok(expected), "{header}");
        }
    }

    #[test]
    fn of_two_class_columns_the_numbers_are_the_label() {
        let rows = &["a.jpg,0,cat", "b.jpg,1,dog"];
        assert_eq!(find("image,label,class", rows), Ok((0, 1, Some(2), None)));
        assert_eq!(
            find("label,class,image", &["cat,0,a"]),
            Ok((2, 1, Some(0), None))
        );
        let same = &["a.jpg,cat,cat"];
        assert_eq!(find("image,label,class", same), Ok((0, 1, None, None)));
        let error = find("image,label,class", &["a,cat,cat", "b,cat,pet"]).unwrap_err();
        assert!(
            error.starts_with(
                "list.csv:3: the columns \"label\" (\"cat\" here) and \"class\" (\"pet\")"
            ),
            "{error}"
        );
        assert!(find("image,label,class", &["a,1,2"]).is_err());
    }

    #[test]
    fn what_may_be_several_columns_is_refused() {
        for (header, expected) in [
            (
                "filename,image,label",
                "list.csv:1: the columns \"filename\" and \"image\"",
            ),
            ("path,class,target,category", "may each be the label"),
            (
                "path,label,classname,label_name",
                "may each be the name of the class",
            ),
            ("a,b", "no column \"path\""),
            ("path,b", "no column \"label\""),
        ] {
            let error = find(header, &[]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
