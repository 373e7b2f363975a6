//! The values of a pickle, and how to walk them.

use std::sync::Arc;

use crate::danger;

/// Place of a value in its [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

impl ValueId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One value of a pickle. Containers hold the places of their values, so that a value that
/// appears twice exists once, and a list may contain itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Python's `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A larger integer: two's complement, little-endian.
    BigInt(Vec<u8>),
    /// A float.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// Bytes, or a Python 2 string that is not text.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<ValueId>),
    /// A tuple.
    Tuple(Vec<ValueId>),
    /// A dictionary: pairs of key and value in the order they were set.
    Dict(Vec<(ValueId, ValueId)>),
    /// A set or frozen set.
    Set(Vec<ValueId>),
    /// A class or function, by name only.
    Global {
        /// Dotted module.
        module: Arc<str>,
        /// Name in the module.
        name: Arc<str>,
    },
    /// What a call would have made; nothing was called.
    Object(Box<Object>),
    /// A reference to something kept outside the pickle, such as a tensor's storage.
    PersistentId(ValueId),
}

impl Value {
    /// The kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::BigInt(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Str(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Dict(_) => "a dictionary",
            Value::Set(_) => "a set",
            Value::Global { .. } => "a class or function",
            Value::Object(_) => "an object",
            Value::PersistentId(_) => "a persistent id",
        }
    }
}

/// How Python would have made an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Construction {
    /// By calling `callable(*args)`.
    Call,
    /// By `callable.__new__(callable, *args, **kwargs)`.
    New,
}

/// An object that Python would have made by a call, kept as the record of that call and of what
/// was then put into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// How it would have been made.
    pub construction: Construction,
    /// What would have been called: usually a [`Value::Global`].
    pub callable: ValueId,
    /// The arguments: usually a [`Value::Tuple`].
    pub args: ValueId,
    /// Keyword arguments, where there are any.
    pub kwargs: Option<ValueId>,
    /// What `__setstate__` would have received: usually a dictionary of attributes.
    pub state: Option<ValueId>,
    /// Pairs set on it as on a dictionary.
    pub entries: Vec<(ValueId, ValueId)>,
    /// Values appended to it as to a list or set.
    pub elements: Vec<ValueId>,
}

/// One parsed pickle.
#[derive(Clone, Debug)]
pub struct Pickle {
    pub(crate) values: Vec<Value>,
    pub(crate) root: ValueId,
}

impl Pickle {
    /// Largest pickle that is read, in bytes. Tensors are not part of it.
    pub const MAX_BYTES: usize = 256 << 20;
    /// Largest number of values that is built.
    pub const MAX_VALUES: usize = 1 << 24;

    /// The value that `pickle.load` would have returned.
    pub fn root(&self) -> Node<'_> {
        Node {
            pickle: self,
            id: self.root,
        }
    }

    /// All values in the order in which they were built, including those that are not part of the
    /// root.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.values.len() as u32).map(|id| Node {
            pickle: self,
            id: ValueId(id),
        })
    }

    /// All classes and functions that the pickle names, in order, with repetitions.
    pub fn globals(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|value| match value {
            Value::Global { module, name } => Some((&**module, &**name)),
            _ => None,
        })
    }

    /// The first class or function named that could run code of the file's choosing, as
    /// `module.name`. A file of weights has none.
    pub fn code(&self) -> Option<String> {
        self.globals()
            .find(|(module, name)| danger::runs_code(module, name))
            .map(|(module, name)| format!("{module}.{name}"))
    }
}

/// A value in its pickle, cheap to copy. Look-ups that the kind of value does not
/// have return `None` or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Node<'p> {
    pickle: &'p Pickle,
    id: ValueId,
}

impl PartialEq for Node<'_> {
    /// Whether both are the same value of the same pickle (Python's `is`).
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.pickle, other.pickle) && self.id == other.id
    }
}

impl<'p> Node<'p> {
    /// Place of the value in its pickle.
    pub fn id(self) -> ValueId {
        self.id
    }

    /// The value.
    pub fn value(self) -> &'p Value {
        // Every id is made together with its value; the fallback is never used.
        self.pickle
            .values
            .get(self.id.index())
            .unwrap_or(&Value::None)
    }

    fn at(self, id: ValueId) -> Node<'p> {
        Node {
            pickle: self.pickle,
            id,
        }
    }

    /// Whether it is `None`.
    pub fn is_none(self) -> bool {
        matches!(self.value(), Value::None)
    }

    /// A bool.
    pub fn as_bool(self) -> Option<bool> {
        match self.value() {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// An integer of at most 64 bits.
    pub fn as_int(self) -> Option<i64> {
        match self.value() {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A non-negative integer: a size or an index.
    pub fn as_usize(self) -> Option<usize> {
        self.as_int().and_then(|value| usize::try_from(value).ok())
    }

    /// A float, or an integer as a float.
    pub fn as_float(self) -> Option<f64> {
        match self.value() {
            Value::Float(value) => Some(*value),
            Value::Int(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// Text.
    pub fn as_str(self) -> Option<&'p str> {
        match self.value() {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Module and name of a class or function.
    pub fn as_global(self) -> Option<(&'p str, &'p str)> {
        match self.value() {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// The record of an object.
    pub fn as_object(self) -> Option<&'p Object> {
        match self.value() {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// What a persistent id holds.
    pub fn as_persistent_id(self) -> Option<Node<'p>> {
        match self.value() {
            Value::PersistentId(id) => Some(self.at(*id)),
            _ => None,
        }
    }

    /// Module and name of an object's class (for an object made by a call: of the function).
    pub fn class(self) -> Option<(&'p str, &'p str)> {
        let object = self.as_object()?;
        let (module, name) = self.at(object.callable).as_global()?;
        if matches!(module, "copyreg" | "copy_reg") && name == "_reconstructor" {
            // How protocols 0 and 1 write `__new__`: the class is the first argument.
            return self.at(object.args).elements().next()?.as_global();
        }
        Some((module, name))
    }

    /// Arguments of an object's call.
    pub fn args(self) -> impl Iterator<Item = Node<'p>> + use<'p> {
        self.as_object()
            .map(|object| self.at(object.args).elements())
            .into_iter()
            .flatten()
    }

    /// Values of a list, tuple or set, and those appended to an object.
    pub fn elements(self) -> impl Iterator<Item = Node<'p>> + use<'p> {
        let ids: &'p [ValueId] = match self.value() {
            Value::List(ids) | Value::Tuple(ids) | Value::Set(ids) => ids,
            Value::Object(object) => &object.elements,
            _ => &[],
        };
        ids.iter().map(move |id| self.at(*id))
    }

    /// Pairs of a dictionary, or of an object that is filled like one (`OrderedDict`).
    pub fn entries(self) -> impl Iterator<Item = (Node<'p>, Node<'p>)> + use<'p> {
        let pairs: &'p [(ValueId, ValueId)] = match self.value() {
            Value::Dict(pairs) => pairs,
            Value::Object(object) => &object.entries,
            _ => &[],
        };
        pairs
            .iter()
            .map(move |(key, value)| (self.at(*key), self.at(*value)))
    }

    /// Attributes that an object would have received: the pairs of its state. (A state may be a
    /// pair of dictionaries, the second for `__slots__`.)
    pub fn attributes(self) -> impl Iterator<Item = (Node<'p>, Node<'p>)> + use<'p> {
        let state = self
            .as_object()
            .and_then(|object| object.state)
            .map(|id| self.at(id));
        let halves = state.into_iter().flat_map(|state| match state.value() {
            Value::Tuple(ids) => ids.iter().map(|id| state.at(*id)).collect(),
            _ => vec![state],
        });
        halves.flat_map(Node::entries)
    }

    /// The value of a dictionary's key or of an object's attribute; the last one set where a key
    /// was set twice, as in Python.
    pub fn get(self, key: &str) -> Option<Node<'p>> {
        self.entries()
            .chain(self.attributes())
            .filter(|(candidate, _)| candidate.as_str() == Some(key))
            .map(|(_, value)| value)
            .last()
    }
}
