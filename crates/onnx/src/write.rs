//! A graph as the bytes of a file, one constant in memory at a time.

use std::io::Write;

use half::f16;
use half::slice::HalfFloatSliceExt;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::graph::{Constant, Graph, Numbers};
use crate::messages::{
    GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
};

/// Version of the format that is written.
pub const IR_VERSION: i64 = 8;

/// Version of the standard's own operators that graphs are written for.
pub const OPSET: i64 = 17;

/// Bytes that the constants of a model may have within its own file: a message has at most 2 GiB.
pub const LARGEST_MODEL: u64 = 1_800_000_000;

/// Constants of fewer bytes stay in the model's file.
const SMALL: usize = 1024;

/// Offsets in the file of constants are multiples of this, so that it can be mapped into memory.
const PAGE: u64 = 4096;

/// Numbers that are converted to bytes at once.
const CHUNK: usize = 1 << 16;

/// What a model says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Program that writes it.
    pub producer: String,
    /// Version of that program.
    pub version: String,
    /// For people to read.
    pub description: String,
    /// Anything else, by name.
    pub metadata: Vec<(String, String)>,
}

/// A model that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The model's file.
    #[error("the model cannot be written: {0}")]
    Model(std::io::Error),
    /// The file of its constants.
    #[error("the model's data cannot be written: {0}")]
    Data(std::io::Error),
    /// A weight cannot be read.
    #[error("{0}")]
    Read(E),
    /// A weight has another number of elements than its shape says.
    #[error("the weight {name} has {found} numbers, but its shape says {expected}")]
    Length {
        /// The weight.
        name: String,
        /// Its numbers.
        found: usize,
        /// What its shape says.
        expected: usize,
    },
    /// A number is too large for half precision.
    #[error(
        "the weight {name} contains {value}, which half precision does not hold (at most 65504): store \
         the weights as f32"
    )]
    Range {
        /// The weight.
        name: String,
        /// The number.
        value: f32,
    },
    /// Too many bytes for one file.
    #[error(
        "the constants have {bytes} bytes, more than the {LARGEST_MODEL} of a single file: they need a \
         file of their own"
    )]
    TooLarge {
        /// Bytes of all constants.
        bytes: u64,
    },
}

/// Where a constant is.
enum Place {
    /// In the model's file.
    Inside,
    /// In the other file, at this offset.
    At(u64),
}

impl<E> Graph<'_, E> {
    /// Writes the graph as a model. With `data`, the name of a file beside the model and what takes its
    /// bytes, the large constants go there. The same graph gives the same bytes.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(
        &self,
        header: &Header,
        model: &mut dyn Write,
        mut data: Option<(&str, &mut dyn Write)>,
    ) -> Result<(), WriteError<E>> {
        let bytes = self.constant_bytes();
        if data.is_none() && bytes > LARGEST_MODEL {
            return Err(WriteError::TooLarge { bytes });
        }
        let mut end = 0;
        let mut tensors = Vec::new();
        for constant in &self.constants {
            let (mut message, mut place) = (tensor(constant), Place::Inside);
            if let Some((location, _)) = &data
                && constant.bytes() >= SMALL
            {
                let offset = u64::div_ceil(end, PAGE) * PAGE;
                end = offset + constant.bytes() as u64;
                let entry = |key: &str, value: String| StringStringEntryProto {
                    key: Some(key.to_string()),
                    value: Some(value),
                };
                message.data_location = Some(TensorProto::EXTERNAL);
                message.external_data = vec![
                    entry("location", location.to_string()),
                    entry("offset", offset.to_string()),
                    entry("length", constant.bytes().to_string()),
                ];
                place = Place::At(offset);
            }
            tensors.push((constant, message.encode_to_vec(), place));
        }
        let graph = GraphProto {
            node: self.nodes.clone(),
            name: Some(self.name.clone()),
            initializer: Vec::new(),
            input: self.inputs.clone(),
            output: self.outputs.clone(),
        };
        // A message is its fields in any order, so that constants can follow the rest.
        let fields = graph.encode_to_vec();
        let constants = tensors.iter().map(|(constant, message, place)| {
            let length = tensor_length(constant, message, place);
            key_len(GraphProto::INITIALIZER) + encoded_len_varint(length) + length as usize
        });
        let length = fields.len() + constants.sum::<usize>();

        let mut start = head(header).encode_to_vec();
        encode_key(ModelProto::GRAPH, WireType::LengthDelimited, &mut start);
        encode_varint(length as u64, &mut start);
        start.extend(fields);
        model.write_all(&start).map_err(WriteError::Model)?;
        let mut written = 0;
        for (constant, message, place) in &tensors {
            let mut start = Vec::new();
            let field = GraphProto::INITIALIZER;
            encode_key(field, WireType::LengthDelimited, &mut start);
            encode_varint(tensor_length(constant, message, place), &mut start);
            start.extend(message);
            if let Place::Inside = place {
                let field = TensorProto::RAW_DATA;
                encode_key(field, WireType::LengthDelimited, &mut start);
                encode_varint(constant.bytes() as u64, &mut start);
            }
            model.write_all(&start).map_err(WriteError::Model)?;
            match (place, &mut data) {
                (Place::At(offset), Some((_, data))) => {
                    let gap = vec![0; offset.saturating_sub(written) as usize];
                    data.write_all(&gap).map_err(WriteError::Data)?;
                    write_numbers(constant, *data, WriteError::Data)?;
                    written = offset + constant.bytes() as u64;
                }
                _ => write_numbers(constant, model, WriteError::Model)?,
            }
        }
        Ok(())
    }
}

/// The model without its graph.
fn head(header: &Header) -> ModelProto {
    let entry = |(key, value): &(String, String)| StringStringEntryProto {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(header.producer.clone()),
        producer_version: Some(header.version.clone()),
        doc_string: Some(header.description.clone()),
        graph: None,
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata_props: header.metadata.iter().map(entry).collect(),
    }
}

/// A constant without its elements.
fn tensor<E>(constant: &Constant<E>) -> TensorProto {
    TensorProto {
        dims: constant.shape.iter().map(|extent| *extent as i64).collect(),
        data_type: Some(constant.element.number()),
        name: Some(constant.name.clone()),
        ..TensorProto::default()
    }
}

/// Bytes of a constant's message, with its elements where they are inside.
fn tensor_length<E>(constant: &Constant<E>, message: &[u8], place: &Place) -> u64 {
    let bytes = constant.bytes();
    let elements = match place {
        Place::Inside => key_len(TensorProto::RAW_DATA) + encoded_len_varint(bytes as u64) + bytes,
        Place::At(_) => 0,
    };
    (message.len() + elements) as u64
}

/// Writes the elements of a constant.
fn write_numbers<E>(
    constant: &Constant<E>,
    to: &mut dyn Write,
    failed: fn(std::io::Error) -> WriteError<E>,
) -> Result<(), WriteError<E>> {
    let mut bytes = Vec::new();
    let read;
    let values = match &constant.numbers {
        Numbers::Integers(values) => {
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            return to.write_all(&bytes).map_err(failed);
        }
        Numbers::Floats(values) => values,
        Numbers::Read(numbers) => {
            read = numbers().map_err(WriteError::Read)?;
            &read
        }
    };
    if values.len() != constant.length() {
        return Err(WriteError::Length {
            name: constant.name.clone(),
            found: values.len(),
            expected: constant.length(),
        });
    }
    let mut halves = Vec::new();
    for chunk in values.chunks(CHUNK) {
        bytes.clear();
        if constant.element.size() == 4 {
            bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        } else {
            halves.resize(chunk.len(), f16::ZERO);
            halves.convert_from_f32_slice(chunk);
            let beyond = halves.iter().position(|value| !value.is_finite());
            if let Some(value) = beyond.and_then(|place| chunk.get(place)) {
                return Err(WriteError::Range {
                    name: constant.name.clone(),
                    value: *value,
                });
            }
            bytes.extend(halves.iter().flat_map(|value| value.to_le_bytes()));
        }
        to.write_all(&bytes).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Extent;
    use crate::{Dim, Element, Storage};

    fn example<'a>(values: &'a [f32], storage: Storage) -> Graph<'a, String> {
        let mut graph = Graph::new("example");
        let batch = Dim::Any("batch");
        let x = graph.input("x", Element::F32, &[batch, Dim::Is(values.len())]);
        let w = graph.weight("w", &[values.len()], storage, || Ok(values.to_vec()));
        let y = graph.node("Mul", &[&x, &w], &[]);
        graph.output(&y, "y", Element::F32, &[batch, Dim::Is(values.len())]);
        graph
    }

    #[test]
    fn what_is_streamed_is_the_message_that_would_be_encoded_whole() {
        let values: Vec<f32> = (0..300).map(|i| i as f32 / 8.0).collect();
        let mut file = Vec::new();
        let header = Header {
            metadata: vec![("labels".to_string(), "[]".to_string())],
            ..Header::default()
        };
        let graph = example(&values, Storage::F32);
        graph.write(&header, &mut file, None).expect("a file");
        let model = ModelProto::decode(&*file).expect("a model");
        assert_eq!(model.ir_version, Some(IR_VERSION));
        assert_eq!(model.metadata_props[0].value.as_deref(), Some("[]"));
        let graph = model.graph.expect("a graph");
        let [tensor] = &*graph.initializer else {
            panic!("{graph:?}")
        };
        let expected: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(tensor.raw_data.as_deref(), Some(&*expected));
        assert_eq!(tensor.dims, [300]);
        assert_eq!(graph.node[0].output, ["y"]);
        let output = graph.output[0].r#type.clone().expect("a type");
        let shape = output.tensor_type.expect("a tensor").shape.expect("axes");
        let batch = Some(Extent::DimParam("batch".to_string()));
        assert_eq!(shape.dim[0].value, batch);
    }

    #[test]
    fn large_constants_go_to_a_file_of_their_own_at_whole_pages() {
        let values: Vec<f32> = (0..2000).map(|i| i as f32).collect();
        let mut graph = example(&values, Storage::F16);
        let more = graph.floats("more", &[500], values[..500].to_vec());
        graph.node("Neg", &[&more], &[]);
        let (mut file, mut data) = (Vec::new(), Vec::new());
        let beside: (&str, &mut dyn Write) = ("x.data", &mut data);
        let written = graph.write(&Header::default(), &mut file, Some(beside));
        written.expect("a file");
        let model = ModelProto::decode(&*file).expect("a model");
        let tensors = model.graph.expect("a graph").initializer;
        for (tensor, offset, length) in [(&tensors[0], 0, 4000), (&tensors[1], 4096, 2000)] {
            assert_eq!(tensor.data_location, Some(TensorProto::EXTERNAL));
            assert_eq!(tensor.raw_data, None);
            let places = tensor.external_data.iter().map(|e| e.value.clone());
            let places: Vec<String> = places.flatten().collect();
            let expected = ["x.data".to_string(), offset.to_string(), length.to_string()];
            assert_eq!(places, expected);
        }
        assert_eq!(data.len(), 6096);
        assert_eq!(data[4096..4104], [0, 0, 0, 0, 0, 0, 128, 63]);
        assert_eq!(data[4..6], f16::from_f32(2.0).to_le_bytes());
    }

    #[test]
    fn numbers_that_half_precision_does_not_hold_are_an_error() {
        for (value, is_held) in [(65504.0, true), (65519.0, true), (7e4, false)] {
            let values = [1.0, value];
            let graph = example(&values, Storage::F16);
            let written = graph.write(&Header::default(), &mut Vec::new(), None);
            assert_eq!(written.is_ok(), is_held, "{written:?}");
        }
    }

    #[test]
    fn weights_of_another_length_than_their_shape_are_an_error() {
        let mut graph: Graph<String> = Graph::new("wrong");
        graph.weight("w", &[3], Storage::F32, || Ok(vec![1.0]));
        let written = graph.write(&Header::default(), &mut Vec::new(), None);
        assert!(matches!(
            written,
            Err(WriteError::Length {
                found: 1,
                expected: 3,
                ..
            })
        ));
        let mut graph: Graph<String> = Graph::new("unreadable");
        graph.weight("w", &[3], Storage::F32, || Err("gone".to_string()));
        let written = graph.write(&Header::default(), &mut Vec::new(), None);
        assert!(matches!(written, Err(WriteError::Read(e)) if e == "gone"));
    }
}
