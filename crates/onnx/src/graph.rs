//! A builder of graphs.

use std::fmt;

use crate::messages::{
    AttributeProto, DimensionProto, Extent, NodeProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto,
};

/// A graph that is being built. `E` is how reading one of its weights can fail.
pub struct Graph<'a, E> {
    pub(crate) name: String,
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) constants: Vec<Constant<'a, E>>,
    pub(crate) inputs: Vec<ValueInfoProto>,
    pub(crate) outputs: Vec<ValueInfoProto>,
}

/// A value in a graph, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(String);

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// 32-bit integers.
    I32,
    /// 64-bit integers.
    I64,
}

impl Element {
    /// Its number in the format.
    pub fn number(self) -> i32 {
        match self {
            Self::F32 => 1,
            Self::I32 => 6,
            Self::I64 => 7,
            Self::F16 => 10,
        }
    }

    /// Bytes of an element.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }
}

/// How the numbers of a weight are stored. What is computed with is f32 in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// As they are.
    #[default]
    F32,
    /// Rounded to half precision, and cast back where the graph uses them.
    F16,
}

/// The extent of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim<'a> {
    /// This one.
    Is(usize),
    /// Any, the same wherever it has this name.
    Any(&'a str),
}

/// A setting of an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Attribute<'a> {
    /// A whole number.
    Int(&'a str, i64),
    /// Whole numbers.
    Ints(&'a str, &'a [i64]),
    /// A number.
    Float(&'a str, f32),
}

/// Gives the numbers of a weight.
type Read<'a, E> = Box<dyn Fn() -> Result<Vec<f32>, E> + 'a>;

/// A constant of a graph.
pub(crate) struct Constant<'a, E> {
    pub name: String,
    pub shape: Vec<usize>,
    pub element: Element,
    pub numbers: Numbers<'a, E>,
}

pub(crate) enum Numbers<'a, E> {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
    /// Read when the file is written.
    Read(Read<'a, E>),
}

impl<E> Constant<'_, E> {
    /// Number of elements.
    pub fn length(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of bytes.
    pub fn bytes(&self) -> usize {
        self.length() * self.element.size()
    }
}

impl<'a, E> Graph<'a, E> {
    /// A graph without operators.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            nodes: Vec::new(),
            constants: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// A tensor that the graph takes.
    pub fn input(&mut self, name: &str, element: Element, shape: &[Dim]) -> Value {
        self.inputs.push(value_info(name, element, shape));
        Value(name.to_string())
    }

    /// Makes the result of an operator one that the graph gives, under this name.
    pub fn output(&mut self, value: &Value, name: &str, element: Element, shape: &[Dim]) -> Value {
        let rename = |other: &mut String| {
            if *other == value.0 {
                *other = name.to_string();
            }
        };
        for node in &mut self.nodes {
            node.input.iter_mut().for_each(rename);
            node.output.iter_mut().for_each(rename);
        }
        self.outputs.push(value_info(name, element, shape));
        Value(name.to_string())
    }

    /// A weight, whose numbers (row-major, as many as the shape says) are read when the graph is written.
    pub fn weight(
        &mut self,
        name: &str,
        shape: &[usize],
        storage: Storage,
        read: impl Fn() -> Result<Vec<f32>, E> + 'a,
    ) -> Value {
        let numbers = Numbers::Read(Box::new(read));
        match storage {
            Storage::F32 => self.constant(name, shape, Element::F32, numbers),
            Storage::F16 => {
                let stored = self.constant(name, shape, Element::F16, numbers);
                let to = i64::from(Element::F32.number());
                self.node("Cast", &[&stored], &[Attribute::Int("to", to)])
            }
        }
    }

    /// A constant of a few numbers.
    ///
    /// # Panics
    /// If there are not as many numbers as the shape says.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Value {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
        self.constant(name, shape, Element::F32, Numbers::Floats(values))
    }

    /// A list of whole numbers: a shape, axes, or ends of a slice. Equal lists are one constant.
    pub fn integers(&mut self, values: &[i64]) -> Value {
        let known = self.constants.iter().find(|constant| {
            matches!(&constant.numbers, Numbers::Integers(other) if other == values)
                && constant.shape.len() == 1
        });
        if let Some(known) = known {
            return Value(known.name.clone());
        }
        let name = format!("integers_{}", self.constants.len());
        let numbers = Numbers::Integers(values.to_vec());
        self.constant(&name, &[values.len()], Element::I64, numbers)
    }

    /// One whole number, without an axis.
    pub fn integer(&mut self, value: i64) -> Value {
        let name = format!("integer_{}", self.constants.len());
        let numbers = Numbers::Integers(vec![value]);
        self.constant(&name, &[], Element::I64, numbers)
    }

    fn constant(
        &mut self,
        name: &str,
        shape: &[usize],
        element: Element,
        numbers: Numbers<'a, E>,
    ) -> Value {
        debug_assert!(self.constants.iter().all(|other| other.name != name));
        self.constants.push(Constant {
            name: name.to_string(),
            shape: shape.to_vec(),
            element,
            numbers,
        });
        Value(name.to_string())
    }

    /// The result of an operator of the standard's own set.
    pub fn node(&mut self, operator: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        let name = format!("{operator}_{}", self.nodes.len());
        let output = format!("{name}_output");
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![output.clone()],
            name: Some(name),
            op_type: Some(operator.to_string()),
            attribute: attributes.iter().map(attribute).collect(),
        });
        Value(output)
    }

    /// Bytes of all constants.
    pub fn constant_bytes(&self) -> u64 {
        let bytes = self.constants.iter().map(|constant| constant.bytes());
        bytes.map(|bytes| bytes as u64).sum()
    }
}

impl<E> fmt::Debug for Graph<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("name", &self.name)
            .field("nodes", &self.nodes.len())
            .field("constants", &self.constants.len())
            .finish_non_exhaustive()
    }
}

fn attribute(attribute: &Attribute) -> AttributeProto {
    let (name, kind) = match attribute {
        Attribute::Int(name, _) => (name, AttributeProto::INT),
        Attribute::Ints(name, _) => (name, AttributeProto::INTS),
        Attribute::Float(name, _) => (name, AttributeProto::FLOAT),
    };
    let mut message = AttributeProto {
        name: Some(name.to_string()),
        r#type: Some(kind),
        ..AttributeProto::default()
    };
    match attribute {
        Attribute::Int(_, value) => message.i = Some(*value),
        Attribute::Ints(_, values) => message.ints = values.to_vec(),
        Attribute::Float(_, value) => message.f = Some(*value),
    }
    message
}

fn value_info(name: &str, element: Element, shape: &[Dim]) -> ValueInfoProto {
    let dim = |dim: &Dim| DimensionProto {
        value: Some(match dim {
            Dim::Is(extent) => Extent::DimValue(*extent as i64),
            Dim::Any(name) => Extent::DimParam(name.to_string()),
        }),
    };
    ValueInfoProto {
        name: Some(name.to_string()),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: Some(element.number()),
                shape: Some(TensorShapeProto {
                    dim: shape.iter().map(dim).collect(),
                }),
            }),
        }),
    }
}
