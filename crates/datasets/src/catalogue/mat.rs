//! MATLAB's files of version 5: numbers, text, cells and structures.
//!
//! Two of the data sets have their labels in such files. The format is described in "MAT-File
//! Format" by The MathWorks. A file is untrusted: sizes are checked against the bytes that follow
//! before memory is allocated, and nesting and decompression are bounded.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::DataError;

/// Limit on the bytes of a file, and of all its compressed variables after decompression: several
/// times the size of the largest annotation.
const MAX_BYTES: u64 = 16 << 20;
/// Limit on the nesting; a structure in an array in a cell is 3 deep.
const MAX_DEPTH: usize = 16;

/// Limit on the elements of an array: several times those of the largest annotation, 16,185 structures of
/// seven fields.
const MAX_ELEMENTS: usize = 1 << 18;
/// Limit on the fields of a structure.
const MAX_FIELDS: usize = 256;

/// The variables of a file.
pub(super) struct MatFile {
    file: PathBuf,
    variables: Vec<(String, Array)>,
}

/// A MATLAB value: everything is an array, in column-major order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Array {
    Numbers(Vec<f64>),
    Text(String),
    Cells(Vec<Array>),
    Structures(Structures),
    /// An array of an unsupported class, by its number.
    Other(u8),
}

/// An array of structures with the same fields.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Structures {
    fields: Vec<String>,
    /// All fields of the first structure, then those of the second, ...
    values: Vec<Array>,
}

/// One structure of an array.
pub(super) struct Structure<'a> {
    fields: &'a [String],
    values: &'a [Array],
}

impl<'a> Structure<'a> {
    /// The value of a field.
    pub(super) fn get(&self, field: &str) -> Option<&'a Array> {
        let place = self.fields.iter().position(|name| name == field)?;
        self.values.get(place)
    }
}

impl Array {
    /// Its text, if it is text.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Array::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The one number of an array, if it is 0, 1, 2, ...
    pub(super) fn whole_number(&self) -> Option<usize> {
        match self {
            Array::Numbers(numbers) => match numbers.as_slice() {
                [number] => whole_number(*number),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Array::Numbers(_) => "numbers",
            Array::Text(_) => "text",
            Array::Cells(_) => "cells",
            Array::Structures(_) => "structures",
            Array::Other(3) => "objects",
            Array::Other(5) => "a sparse matrix",
            Array::Other(_) => "an array of an unsupported kind",
        }
    }
}

/// A number that is 0, 1, 2, ...
pub(super) fn whole_number(number: f64) -> Option<usize> {
    let whole = number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0;
    whole.then_some(number as usize)
}

impl MatFile {
    /// Reads a file.
    pub(super) fn read(file: &Path) -> Result<Self, DataError> {
        let read = DataError::read(file);
        let opened = promptsrc_files::open_regular(file).map_err(&read)?;
        let mut bytes = Vec::new();
        opened
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(&read)?;
        let variables = variables(&bytes).map_err(|message| DataError::Matlab {
            file: file.to_path_buf(),
            message: format!("cannot be read as a MATLAB file: {message}"),
        })?;
        Ok(Self {
            file: file.to_path_buf(),
            variables,
        })
    }

    /// The error for what is wrong with its contents.
    pub(super) fn wrong(&self, message: impl Into<String>) -> DataError {
        DataError::Matlab {
            file: self.file.clone(),
            message: message.into(),
        }
    }

    fn variable(&self, name: &str, expected: &str) -> Result<&Array, DataError> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, array)| array).ok_or_else(|| {
            let names: Vec<&str> = self.variables.iter().map(|(n, _)| n.as_str()).collect();
            self.wrong(format!(
                "expected {expected} called {name:?}, found the variables [{}]",
                names.join(", ")
            ))
        })
    }

    fn other(&self, name: &str, expected: &str, found: &Array) -> DataError {
        self.wrong(format!(
            "expected {expected} as {name:?}, found {}",
            found.kind()
        ))
    }

    /// The numbers of a variable.
    pub(super) fn numbers(&self, name: &str) -> Result<&[f64], DataError> {
        match self.variable(name, "numbers")? {
            Array::Numbers(numbers) => Ok(numbers),
            other => Err(self.other(name, "numbers", other)),
        }
    }

    /// The cells of a variable.
    pub(super) fn cells(&self, name: &str) -> Result<&[Array], DataError> {
        match self.variable(name, "cells")? {
            Array::Cells(cells) => Ok(cells),
            other => Err(self.other(name, "cells", other)),
        }
    }

    /// The structures of a variable.
    pub(super) fn structures(
        &self,
        name: &str,
    ) -> Result<impl Iterator<Item = Structure<'_>>, DataError> {
        match self.variable(name, "structures")? {
            Array::Structures(structures) => {
                let fields = &structures.fields;
                let each = structures.values.chunks_exact(fields.len().max(1));
                Ok(each.map(move |values| Structure { fields, values }))
            }
            other => Err(self.other(name, "structures", other)),
        }
    }
}

fn variables(bytes: &[u8]) -> Result<Vec<(String, Array)>, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    if bytes.starts_with(b"MATLAB 7.3") || bytes.starts_with(b"\x89HDF") {
        return Err("it is of version 7.3 (HDF5); save it with -v7 in MATLAB".to_string());
    }
    let header = bytes.get(..128).ok_or("it is shorter than its header")?;
    let big_endian = match header.get(126..128) {
        Some(b"IM") => false,
        Some(b"MI") => true,
        _ => return Err("it has no header of version 5".to_string()),
    };
    let mut reader = Reader {
        bytes: bytes.get(128..).unwrap_or_default(),
        big_endian,
    };
    let mut variables = Vec::new();
    let mut left = MAX_BYTES;
    while !reader.bytes.is_empty() {
        let element = reader.element()?;
        match element.kind {
            MATRIX => variables.push(matrix(&element, big_endian, 0)?),
            COMPRESSED => {
                let mut unpacked = Vec::new();
                flate2::read::ZlibDecoder::new(element.data)
                    .take(left + 1)
                    .read_to_end(&mut unpacked)
                    .map_err(|e| format!("a variable cannot be decompressed: {e}"))?;
                left = left.checked_sub(unpacked.len() as u64).ok_or_else(|| {
                    format!("it decompresses to more than {} MiB", MAX_BYTES >> 20)
                })?;
                let mut inner = Reader {
                    bytes: &unpacked,
                    big_endian,
                };
                let element = inner.element()?;
                if element.kind == MATRIX {
                    variables.push(matrix(&element, big_endian, 0)?);
                }
            }
            _ => {}
        }
    }
    Ok(variables)
}

const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// Reads elements one after the other.
struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

/// A typed run of bytes.
struct Element<'a> {
    kind: u32,
    data: &'a [u8],
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| format!("{count} bytes are expected, {} are left", self.bytes.len()))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn word(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(unsigned(bytes, self.big_endian) as u32)
    }

    fn element(&mut self) -> Result<Element<'a>, String> {
        let big_endian = self.big_endian;
        let first = self.word()?;
        // An element of at most four bytes has its size in the upper half of the first word.
        if first >> 16 != 0 {
            let (kind, size) = (first & 0xffff, (first >> 16) as usize);
            let field = self.take(4)?;
            let data = field
                .get(..size)
                .ok_or_else(|| format!("a small element claims {size} bytes"))?;
            return Ok(Element {
                kind,
                data,
                big_endian,
            });
        }
        let size = self.word()? as usize;
        let data = self.take(size)?;
        if first != COMPRESSED {
            // Padded to 8 bytes; some writers leave that out at the end.
            let padding = size.next_multiple_of(8) - size;
            self.take(padding.min(self.bytes.len()))?;
        }
        Ok(Element {
            kind: first,
            data,
            big_endian,
        })
    }
}

/// An unsigned number of up to 8 bytes.
fn unsigned(bytes: &[u8], big_endian: bool) -> u64 {
    let join = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
    if big_endian {
        bytes.iter().fold(0, join)
    } else {
        bytes.iter().rev().fold(0, join)
    }
}

impl Element<'_> {
    /// Its numbers, whatever their type.
    fn numbers(&self) -> Result<Vec<f64>, String> {
        let raw = |width: usize| {
            let chunks = self.data.chunks_exact(width);
            chunks.map(|bytes| unsigned(bytes, self.big_endian))
        };
        Ok(match self.kind {
            1 => raw(1).map(|v| f64::from(v as i8)).collect(),
            2 => raw(1).map(|v| v as f64).collect(),
            3 => raw(2).map(|v| f64::from(v as i16)).collect(),
            4 => raw(2).map(|v| v as f64).collect(),
            5 => raw(4).map(|v| f64::from(v as i32)).collect(),
            6 => raw(4).map(|v| v as f64).collect(),
            7 => raw(4)
                .map(|v| f64::from(f32::from_bits(v as u32)))
                .collect(),
            9 => raw(8).map(f64::from_bits).collect(),
            12 => raw(8).map(|v| v as i64 as f64).collect(),
            13 => raw(8).map(|v| v as f64).collect(),
            other => return Err(format!("numbers of the unknown type {other}")),
        })
    }

    /// Its text: UTF-8, UTF-16, or one number per character.
    fn text(&self) -> Result<String, String> {
        match self.kind {
            1 | 2 | 16 => match std::str::from_utf8(self.data) {
                Ok(text) => Ok(text.to_string()),
                // Older MATLABs write Latin-1.
                Err(_) => Ok(self.data.iter().map(|byte| char::from(*byte)).collect()),
            },
            3 | 4 | 17 => {
                let units: Vec<u16> = self
                    .data
                    .chunks_exact(2)
                    .map(|bytes| unsigned(bytes, self.big_endian) as u16)
                    .collect();
                String::from_utf16(&units).map_err(|_| "text that is not UTF-16".to_string())
            }
            other => Err(format!("text of the unknown type {other}")),
        }
    }
}

/// A matrix element: name and value.
fn matrix(element: &Element, big_endian: bool, depth: usize) -> Result<(String, Array), String> {
    if element.kind != MATRIX {
        return Err(format!(
            "an array is expected, found an element of type {}",
            element.kind
        ));
    }
    if depth > MAX_DEPTH {
        return Err(format!("arrays are nested more than {MAX_DEPTH} deep"));
    }
    if element.data.is_empty() {
        return Ok((String::new(), Array::Numbers(Vec::new())));
    }
    let mut reader = Reader {
        bytes: element.data,
        big_endian,
    };
    let flags = reader.element()?;
    let word = flags.data.get(..4).ok_or("an array without flags")?;
    let class = (unsigned(word, big_endian) & 0xff) as u8;
    // From here on, these have a different layout.
    if class == 0 || class > 15 {
        return Ok((String::new(), Array::Other(class)));
    }
    let dimensions = reader.element()?.numbers()?;
    let mut count: usize = 1;
    for dimension in &dimensions {
        let size = whole_number(*dimension).ok_or("a dimension that is not a size")?;
        count = count.checked_mul(size).ok_or("dimensions that overflow")?;
    }
    let bounded = |count: usize| match count <= MAX_ELEMENTS {
        true => Ok(count),
        false => Err(format!(
            "an array of {count} elements; an annotation has at most {MAX_ELEMENTS}"
        )),
    };
    let count = bounded(count)?;
    let name = reader.element()?.text()?;
    let children = |count: usize, reader: &mut Reader| {
        // Each takes at least the 8 bytes of its tag, so the bytes that follow bound the vector.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(matrix(&reader.element()?, big_endian, depth + 1)?.1);
        }
        Ok::<_, String>(values)
    };
    let array = match class {
        1 => Array::Cells(children(count, &mut reader)?),
        2 => {
            let length = reader.element()?.numbers()?;
            let length = length.first().copied().and_then(whole_number);
            let length = length
                .filter(|l| *l > 0)
                .ok_or("the length of the field names is missing")?;
            let names = reader.element()?.data;
            if names.len() / length > MAX_FIELDS {
                return Err(format!("a structure of more than {MAX_FIELDS} fields"));
            }
            let fields: Vec<String> = names
                .chunks_exact(length)
                .map(|name| name.split(|byte| *byte == 0).next().unwrap_or_default())
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect();
            let all = count
                .checked_mul(fields.len())
                .ok_or("dimensions that overflow")?;
            let values = children(bounded(all)?, &mut reader)?;
            Array::Structures(Structures { fields, values })
        }
        4 => Array::Text(reader.element()?.text()?),
        6..=15 => {
            let element = reader.element()?;
            bounded(element.data.len() / 8)?;
            let numbers = element.numbers()?;
            if numbers.len() != count {
                return Err(format!(
                    "{count} numbers are expected, {} found",
                    numbers.len()
                ));
            }
            Array::Numbers(numbers)
        }
        other => Array::Other(other),
    };
    Ok((name, array))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mat");
        std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    const FIXTURES: [&str; 4] = ["plain.mat", "packed.mat", "big_endian.mat", "cars_meta.mat"];

    #[test]
    fn files_of_scipy_give_the_values_plain_compressed_and_big_endian() {
        // What tests/fixtures/mat/make.py saves.
        for name in ["plain.mat", "packed.mat", "big_endian.mat"] {
            let variables = variables(&fixture(name)).unwrap();
            let get = |wanted: &str| {
                let found = variables.iter().find(|(name, _)| name == wanted);
                &found.unwrap_or_else(|| panic!("{name}: no {wanted}")).1
            };
            let numbers = |values: &[f64]| Array::Numbers(values.to_vec());
            assert_eq!(get("bytes"), &numbers(&[1.0, 2.0, 255.0]), "{name}");
            assert_eq!(get("signed"), &numbers(&[-1.0, 300.0, -70000.0]), "{name}");
            assert_eq!(get("halves"), &numbers(&[0.5, -2.25]), "{name}");
            // In column-major order.
            assert_eq!(get("table"), &numbers(&[1.0, 3.0, 2.0, 4.0]), "{name}");
            assert_eq!(
                get("word"),
                &Array::Text("caf\u{e9} \u{3b1}".into()),
                "{name}"
            );
            let Array::Cells(cells) = get("cells") else {
                panic!("{name}: no cells")
            };
            assert_eq!(cells[0], Array::Text("a".into()));
            assert_eq!(cells[1], numbers(&[7.0]));
            assert_eq!(cells[2], numbers(&[]));
            let Array::Structures(structures) = get("people") else {
                panic!("{name}: no structures")
            };
            assert_eq!(structures.fields, ["fname", "class"]);
            assert_eq!(
                structures.values[2],
                Array::Text("two.jpg".into()),
                "{name}"
            );
            assert_eq!(structures.values[3].whole_number(), Some(2), "{name}");
            assert!(matches!(get("sparse"), Array::Other(5)), "{name}");
        }
    }

    #[test]
    fn damaged_files_are_errors_and_never_panics() {
        for name in FIXTURES {
            let whole = fixture(name);
            for length in 0..whole.len() {
                let _ = variables(&whole[..length]);
            }
            for place in 0..whole.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[place] = value;
                    let _ = variables(&damaged);
                }
            }
        }
        let mut cut = fixture("plain.mat");
        cut.truncate(cut.len() - 40);
        assert!(variables(&cut).is_err());
    }

    #[test]
    fn sizes_are_checked_against_the_bytes_before_memory_is_allocated() {
        // A cell array of 1000 x 200 cells in a hundred bytes.
        let mut file = vec![0_u8; 126];
        file.extend(b"IM");
        let mut body = Vec::new();
        for (kind, data) in [(6_u32, [1_u32, 0]), (5, [1000, 200]), (1, [0x61, 0])] {
            body.extend(kind.to_le_bytes());
            body.extend(8_u32.to_le_bytes());
            data.iter().for_each(|word| body.extend(word.to_le_bytes()));
        }
        file.extend(14_u32.to_le_bytes());
        file.extend((body.len() as u32).to_le_bytes());
        file.extend(&body);
        let error = variables(&file).unwrap_err();
        assert!(error.contains("bytes are expected"), "{error}");

        assert!(
            variables(b"MATLAB 7.3 MAT-file, ...")
                .unwrap_err()
                .contains("HDF5")
        );
        assert!(variables(&[0; 128]).unwrap_err().contains("version 5"));
        assert!(variables(b"").unwrap_err().contains("shorter"));
    }

    #[test]
    fn more_elements_or_fields_than_an_annotation_has_are_refused() {
        let element = |kind: u32, data: &[u8]| {
            let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
            bytes.extend(data);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes
        };
        let words = |words: &[u32]| {
            words
                .iter()
                .flat_map(|w| w.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let file = |class: u32, dimensions: &[u32], rest: &[Vec<u8>]| {
            let mut body = element(6, &words(&[class, 0]));
            body.extend(element(5, &words(dimensions)));
            body.extend(element(1, b"labels"));
            body.extend(rest.concat());
            let mut file = vec![0_u8; 126];
            file.extend(b"IM");
            file.extend(element(14, &body));
            variables(&file)
        };
        let labels = |count: usize| file(9, &[1, count as u32], &[element(2, &vec![1; count])]);
        assert!(labels(MAX_ELEMENTS).is_ok());
        let error = labels(MAX_ELEMENTS + 1).unwrap_err();
        assert!(error.contains("262145 elements"), "{error}");

        let names = |count: usize| {
            let names = [element(5, &words(&[1])), element(1, &vec![b'a'; count])];
            file(2, &[1, 0], &names)
        };
        assert!(names(MAX_FIELDS).is_ok());
        let error = names(MAX_FIELDS + 1).unwrap_err();
        assert!(error.contains("256 fields"), "{error}");
    }

    #[test]
    fn a_file_that_decompresses_to_too_much_is_refused() {
        use std::io::Write as _;
        let packer = |_| flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut file = vec![0_u8; 126];
        file.extend(b"IM");
        // Two compressed variables, each within the limit.
        for mut packer in (0..2).map(packer) {
            let size = 12_u32 << 20;
            let head = [1_u32.to_le_bytes(), size.to_le_bytes()].concat();
            packer.write_all(&head).unwrap();
            packer.write_all(&vec![0; size as usize]).unwrap();
            let packed = packer.finish().unwrap();
            file.extend(COMPRESSED.to_le_bytes());
            file.extend((packed.len() as u32).to_le_bytes());
            file.extend(packed);
        }
        assert!(variables(&file).unwrap_err().contains("more than 16 MiB"));
    }

    #[test]
    fn too_deeply_nested_cells_are_refused() {
        let mut data: Vec<u8> = Vec::new();
        for _ in 0..40 {
            let mut body = Vec::new();
            for (kind, words) in [(6_u32, [1_u32, 0]), (5, [1, 1])] {
                body.extend(kind.to_le_bytes());
                body.extend(8_u32.to_le_bytes());
                words
                    .iter()
                    .for_each(|word| body.extend(word.to_le_bytes()));
            }
            body.extend([1, 0, 0, 0, 0, 0, 0, 0]);
            body.extend(&data);
            data = 14_u32.to_le_bytes().to_vec();
            data.extend((body.len() as u32).to_le_bytes());
            data.extend(body);
        }
        let mut file = vec![0_u8; 126];
        file.extend(b"IM");
        file.extend(data);
        assert!(variables(&file).unwrap_err().contains("nested"));
    }
}
