//! ONNX models: the messages of the format, a builder of graphs, and writing that holds one tensor at a time.
//!
//! The weights of a graph are closures, which are called when the file is written. Nothing here knows CLIP or
//! files: a model is written to whatever takes bytes.
//!
//! ```
//! use std::convert::Infallible;
//! use promptsrc_onnx::{Dim, Element, Graph, Header};
//!
//! let mut graph: Graph<Infallible> = Graph::new("double");
//! let x = graph.input("x", Element::F32, &[Dim::Any("batch"), Dim::Is(3)]);
//! let two = graph.floats("two", &[], vec![2.0]);
//! let y = graph.node("Mul", &[&x, &two], &[]);
//! graph.output(&y, "y", Element::F32, &[Dim::Any("batch"), Dim::Is(3)]);
//! let mut file = Vec::new();
//! graph.write(&Header::default(), &mut file, None)?;
//! assert!(!file.is_empty());
//! # Ok::<(), promptsrc_onnx::WriteError<Infallible>>(())
//! ```

mod graph;
pub mod messages;
mod write;

pub use graph::{Attribute, Dim, Element, Graph, Storage, Value};
pub use write::{Header, IR_VERSION, LARGEST_MODEL, OPSET, WriteError};
