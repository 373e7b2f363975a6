//! The records of this program's files, with numbers that nobody means well with.

use std::fs;

use serde_json::{Value, json};

/// A file of tensors and a record: its header and its data.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The header, whose metadata hold the record as text.
    header: Value,
    data: Vec<u8>,
}

impl Recorded {
    /// Reads a file.
    #[track_caller]
    pub fn read(path: &str) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (length, rest) = bytes.split_first_chunk().expect("a length");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        Self {
            header: serde_json::from_slice(header).expect("a header"),
            data: data.to_vec(),
        }
    }

    /// The record.
    #[track_caller]
    pub fn record(&self) -> Value {
        let text = self.header["__metadata__"]["promptsrc"].as_str();
        serde_json::from_str(text.expect("a record")).expect("JSON")
    }

    /// Names of the tensors.
    pub fn names(&self) -> Vec<String> {
        let tensors = self.header.as_object().expect("an object").keys();
        tensors.filter(|n| *n != "__metadata__").cloned().collect()
    }

    /// Writes the file with another record.
    pub fn write_with(&self, path: &str, record: &str) {
        let mut other = self.clone();
        other.header["__metadata__"]["promptsrc"] = json!(record);
        other.write(path);
    }

    /// Writes the file.
    pub fn write(&self, path: &str) {
        let header = self.header.to_string();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(&self.data);
        fs::write(path, bytes).expect("room");
    }

    /// The same with another value in the middle of a tensor.
    pub fn with_value(&self, tensor: &str, value: f64) -> Self {
        let mut other = self.clone();
        let info = &self.header[tensor];
        let at = |i: usize| info["data_offsets"][i].as_u64().expect("an offset") as usize;
        let bytes = match info["dtype"].as_str() {
            Some("F32") => (value as f32).to_le_bytes().to_vec(),
            Some("F64") => value.to_le_bytes().to_vec(),
            other => panic!("{tensor} is of type {other:?}"),
        };
        let values = (at(1) - at(0)) / bytes.len();
        let start = at(0) + values / 2 * bytes.len();
        other.data[start..start + bytes.len()].copy_from_slice(&bytes);
        other
    }

    /// The same with a tensor of another shape for its values.
    pub fn with_shape(&self, tensor: &str, shape: &[usize]) -> Self {
        let mut other = self.clone();
        other.header[tensor]["shape"] = json!(shape);
        other
    }

    /// The same without a tensor, whose values stay in the file under a name that no one asks for.
    pub fn renamed(&self, tensor: &str, name: &str) -> Self {
        let mut other = self.clone();
        let header = other.header.as_object_mut().expect("an object");
        let info = header.remove(tensor).expect("the tensor");
        header.insert(name.to_string(), info);
        other
    }

    /// The same with one more tensor, of so many bytes.
    pub fn with_more(&self, tensor: &str, bytes: usize) -> Self {
        let mut other = self.clone();
        let start = self.data.len();
        other.data.resize(start + bytes, 0);
        other.header[tensor] =
            json!({"dtype": "F32", "shape": [bytes / 4], "data_offsets": [start, start + bytes]});
        other
    }

    /// The shape of a tensor.
    pub fn shape(&self, tensor: &str) -> Vec<usize> {
        let shape = self.header[tensor]["shape"].as_array().expect("a shape");
        shape
            .iter()
            .map(|n| n.as_u64().expect("n") as usize)
            .collect()
    }
}

/// JSON pointers to all numbers of a document, of lists to the first two.
pub fn numbers(document: &Value) -> Vec<String> {
    let below = |key: &str, value: &Value| -> Vec<String> {
        let key = key.replace('~', "~0").replace('/', "~1");
        let found = numbers(value).into_iter();
        found.map(|rest| format!("/{key}{rest}")).collect()
    };
    match document {
        Value::Number(_) => vec![String::new()],
        Value::Array(list) => {
            let entries = list.iter().take(2).enumerate();
            entries
                .flat_map(|(i, v)| below(&i.to_string(), v))
                .collect()
        }
        Value::Object(map) => map.iter().flat_map(|(k, v)| below(k, v)).collect(),
        _ => Vec::new(),
    }
}

/// The document as text, with other text in the place of a value: what JSON has no number for as well.
pub fn with(document: &Value, pointer: &str, literal: &str) -> String {
    const PLACE: &str = "the place of another value";
    let mut document = document.clone();
    *document.pointer_mut(pointer).expect("a value") = json!(PLACE);
    document.to_string().replace(&format!("{PLACE:?}"), literal)
}
