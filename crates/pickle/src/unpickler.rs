//! The unpickler: a stack, marks and a memo. It builds values and calls nothing.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{PickleError, PickleErrorKind as Kind};
use crate::instructions::instruction_name;
use crate::literals::{
    decimal_integer, integer, number, python2_string, raw_unicode_escape, unquote, utf8,
};
use crate::reader::Reader;
use crate::value::{Construction, Object, Pickle, Value, ValueId};

impl Pickle {
    /// Parses the pickle at the start of `bytes`; what follows its end is ignored, as Python
    /// does.
    ///
    /// # Errors
    ///
    /// Where the bytes are not a pickle of protocol 0 to 5, or exceed the limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, PickleError> {
        Self::parse_prefix(bytes).map(|(pickle, _)| pickle)
    }

    /// Parses the pickle at the start of `bytes` and returns how many bytes it takes, for files
    /// that hold several.
    ///
    /// # Errors
    ///
    /// As [`Pickle::parse`]. The size limit is on the pickle itself, not on what follows.
    pub fn parse_prefix(bytes: &[u8]) -> Result<(Self, usize), PickleError> {
        let mut unpickler = Unpickler {
            reader: Reader::new(bytes.get(..Self::MAX_BYTES).unwrap_or(bytes)),
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        match unpickler.run() {
            Ok(root) => Ok((
                Pickle {
                    values: unpickler.values,
                    root,
                },
                unpickler.reader.position(),
            )),
            Err((offset, instruction, kind)) => {
                let cut_by_us = bytes.len() > Self::MAX_BYTES
                    && matches!(kind, Kind::Truncated { .. } | Kind::UnendedLine);
                let kind = if cut_by_us {
                    Kind::TooLarge {
                        bytes: bytes.len(),
                        limit: Self::MAX_BYTES,
                    }
                } else {
                    kind
                };
                Err(PickleError {
                    offset,
                    instruction,
                    kind,
                })
            }
        }
    }
}

struct Unpickler<'b> {
    reader: Reader<'b>,
    values: Vec<Value>,
    stack: Vec<ValueId>,
    /// Heights of the stack at which marks were set.
    marks: Vec<usize>,
    memo: HashMap<u64, ValueId>,
}

enum Flow {
    Continue,
    Stop(ValueId),
}

impl Unpickler<'_> {
    fn run(&mut self) -> Result<ValueId, (usize, &'static str, Kind)> {
        loop {
            let offset = self.reader.position();
            let instruction = self.reader.u8().map_err(|kind| (offset, "none", kind))?;
            match self.step(instruction) {
                Ok(Flow::Continue) => {}
                Ok(Flow::Stop(root)) => return Ok(root),
                Err(kind) => return Err((offset, instruction_name(instruction), kind)),
            }
        }
    }

    fn step(&mut self, instruction: u8) -> Result<Flow, Kind> {
        match instruction {
            b'.' => return self.pop().map(Flow::Stop),
            0x80 => {
                let protocol = self.reader.u8()?;
                if protocol > 5 {
                    return Err(Kind::UnknownProtocol { protocol });
                }
            }
            0x95 => {
                // A frame is a hint for buffered reading; its contents are plain instructions.
                let length = self.reader.u64()?;
                self.reader.need(length)?;
            }

            b'(' => self.marks.push(self.stack.len()),
            b'0' => self.pop_or_unmark()?,
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }

            b'p' => {
                let key = self.decimal_key()?;
                self.remember(key)?;
            }
            b'q' => {
                let key = self.reader.u8()?.into();
                self.remember(key)?;
            }
            b'r' => {
                let key = self.reader.u32()?.into();
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'g' => {
                let key = self.decimal_key()?;
                self.recall(key)?;
            }
            b'h' => {
                let key = self.reader.u8()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = self.reader.u32()?.into();
                self.recall(key)?;
            }

            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'I' => {
                let value = match self.reader.line()? {
                    b"00" => Value::Bool(false),
                    b"01" => Value::Bool(true),
                    text => decimal_integer(text)?,
                };
                self.push(value)?;
            }
            b'J' => {
                let value = self.reader.u32()? as i32;
                self.push(Value::Int(value.into()))?;
            }
            b'K' => {
                let value = self.reader.u8()?;
                self.push(Value::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.reader.array()?);
                self.push(Value::Int(value.into()))?;
            }
            b'L' => {
                let text = self.reader.line()?;
                let text = text.strip_suffix(b"L").unwrap_or(text);
                let value = decimal_integer(text)?;
                self.push(value)?;
            }
            0x8a => {
                let length = self.reader.u8()?;
                let value = integer(self.reader.take(length.into())?);
                self.push(value)?;
            }
            0x8b => {
                let length = self.reader.signed_length()?;
                let value = integer(self.reader.take(length)?);
                self.push(value)?;
            }
            b'F' => {
                let value = number(self.reader.line()?, "a float")?;
                self.push(Value::Float(value))?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.reader.array()?);
                self.push(Value::Float(value))?;
            }

            b'S' => {
                let value = python2_string(unquote(self.reader.line()?)?);
                self.push(value)?;
            }
            b'T' => {
                let length = self.reader.signed_length()?;
                let value = python2_string(self.reader.take(length)?.to_vec());
                self.push(value)?;
            }
            b'U' => {
                let length = self.reader.u8()?;
                let value = python2_string(self.reader.take(length.into())?.to_vec());
                self.push(value)?;
            }
            b'V' => {
                let text = raw_unicode_escape(self.reader.line()?)?;
                self.push(Value::Str(text.into()))?;
            }
            b'X' => {
                let length = self.reader.u32()?;
                self.text(length.into())?;
            }
            0x8c => {
                let length = self.reader.u8()?;
                self.text(length.into())?;
            }
            0x8d => {
                let length = self.reader.u64()?;
                self.text(length)?;
            }
            b'B' => {
                let length = self.reader.u32()?;
                self.binary(length.into())?;
            }
            b'C' => {
                let length = self.reader.u8()?;
                self.binary(length.into())?;
            }
            0x8e | 0x96 => {
                let length = self.reader.u64()?;
                self.binary(length)?;
            }

            b']' => self.push(Value::List(Vec::new()))?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            0x8f => self.push(Value::Set(Vec::new()))?,
            b'l' => {
                let values = self.pop_to_mark()?;
                self.push(Value::List(values))?;
            }
            b't' => {
                let values = self.pop_to_mark()?;
                self.push(Value::Tuple(values))?;
            }
            b'd' => {
                let values = self.pop_to_mark()?;
                self.push(Value::Dict(pairs(&values)?))?;
            }
            0x91 => {
                let values = self.pop_to_mark()?;
                self.push(Value::Set(values))?;
            }
            0x85..=0x87 => {
                let mut values = Vec::with_capacity(3);
                for _ in 0x84..instruction {
                    values.push(self.pop()?);
                }
                values.reverse();
                self.push(Value::Tuple(values))?;
            }
            b'a' => {
                let value = self.pop()?;
                self.append(&[value])?;
            }
            b'e' => {
                let values = self.pop_to_mark()?;
                self.append(&values)?;
            }
            0x90 => {
                let values = self.pop_to_mark()?;
                self.append(&values)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[(key, value)])?;
            }
            b'u' => {
                let values = self.pop_to_mark()?;
                self.set_items(&pairs(&values)?)?;
            }

            b'c' => {
                let module = self.reader.utf8_line()?;
                let name = self.reader.utf8_line()?;
                self.push(Value::Global { module, name })?;
            }
            0x93 => {
                let name = self.pop_string()?;
                let module = self.pop_string()?;
                self.push(Value::Global { module, name })?;
            }
            b'R' => {
                let args = self.pop()?;
                let callable = self.pop()?;
                self.object(Construction::Call, callable, args, None)?;
            }
            0x81 => {
                let args = self.pop()?;
                let callable = self.pop()?;
                self.object(Construction::New, callable, args, None)?;
            }
            0x92 => {
                let kwargs = self.pop()?;
                let args = self.pop()?;
                let callable = self.pop()?;
                self.object(Construction::New, callable, args, Some(kwargs))?;
            }
            b'i' => {
                let module = self.reader.utf8_line()?;
                let name = self.reader.utf8_line()?;
                let args = self.pop_to_mark()?;
                let callable = self.allocate(Value::Global { module, name })?;
                let args = self.allocate(Value::Tuple(args))?;
                self.object(Construction::Call, callable, args, None)?;
            }
            b'o' => {
                let values = self.pop_to_mark()?;
                let (callable, args) = values.split_first().ok_or(Kind::EmptyStack)?;
                let args = self.allocate(Value::Tuple(args.to_vec()))?;
                self.object(Construction::Call, *callable, args, None)?;
            }
            b'b' => {
                let state = self.pop()?;
                match self.top_value()? {
                    Value::Object(object) => object.state = Some(state),
                    other => return Err(wrong("an object", other)),
                }
            }

            b'P' => {
                let text = self.reader.utf8_line()?;
                let id = self.allocate(Value::Str(text))?;
                self.push(Value::PersistentId(id))?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::PersistentId(id))?;
            }

            0x82..=0x84 => {
                return Err(Kind::OutsideTheFile {
                    what: "a code of Python's extension registry",
                });
            }
            0x97 | 0x98 => {
                return Err(Kind::OutsideTheFile {
                    what: "an out-of-band buffer",
                });
            }
            byte => return Err(Kind::UnknownInstruction { byte }),
        }
        Ok(Flow::Continue)
    }

    // The stack.

    fn allocate(&mut self, value: Value) -> Result<ValueId, Kind> {
        let limit = Pickle::MAX_VALUES;
        if self.values.len() >= limit {
            return Err(Kind::TooManyValues { limit });
        }
        let id = ValueId(self.values.len() as u32);
        self.values.push(value);
        Ok(id)
    }

    fn push(&mut self, value: Value) -> Result<(), Kind> {
        let id = self.allocate(value)?;
        self.stack.push(id);
        Ok(())
    }

    /// Height of the stack below which values belong to an outer mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<ValueId, Kind> {
        if self.stack.len() <= self.floor() {
            return Err(Kind::EmptyStack);
        }
        self.stack.last().copied().ok_or(Kind::EmptyStack)
    }

    fn top_value(&mut self) -> Result<&mut Value, Kind> {
        let top = self.top()?;
        self.values.get_mut(top.index()).ok_or(Kind::EmptyStack)
    }

    fn pop(&mut self) -> Result<ValueId, Kind> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_or_unmark(&mut self) -> Result<(), Kind> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<ValueId>, Kind> {
        let mark = self.marks.pop().ok_or(Kind::NoMark)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn pop_string(&mut self) -> Result<Arc<str>, Kind> {
        let id = self.pop()?;
        match self.values.get(id.index()) {
            Some(Value::Str(text)) => Ok(text.clone()),
            Some(other) => Err(wrong("a string", other)),
            None => Err(Kind::EmptyStack),
        }
    }

    // The memo.

    fn decimal_key(&mut self) -> Result<u64, Kind> {
        number(self.reader.line()?, "a memo entry's number")
    }

    fn remember(&mut self, key: u64) -> Result<(), Kind> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Kind> {
        let id = *self.memo.get(&key).ok_or(Kind::NoMemo { key })?;
        self.stack.push(id);
        Ok(())
    }

    // Values from parts.

    fn text(&mut self, length: u64) -> Result<(), Kind> {
        let text = utf8(self.reader.take(length)?)?;
        self.push(Value::Str(text))
    }

    fn binary(&mut self, length: u64) -> Result<(), Kind> {
        let bytes = self.reader.take(length)?.to_vec();
        self.push(Value::Bytes(bytes))
    }

    fn append(&mut self, values: &[ValueId]) -> Result<(), Kind> {
        match self.top_value()? {
            Value::List(list) | Value::Set(list) => list.extend_from_slice(values),
            Value::Object(object) => object.elements.extend_from_slice(values),
            other => return Err(wrong("a list, a set or an object", other)),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[(ValueId, ValueId)]) -> Result<(), Kind> {
        match self.top_value()? {
            Value::Dict(pairs) => pairs.extend_from_slice(items),
            Value::Object(object) => object.entries.extend_from_slice(items),
            other => return Err(wrong("a dictionary or an object", other)),
        }
        Ok(())
    }

    fn object(
        &mut self,
        construction: Construction,
        callable: ValueId,
        args: ValueId,
        kwargs: Option<ValueId>,
    ) -> Result<(), Kind> {
        self.push(Value::Object(Box::new(Object {
            construction,
            callable,
            args,
            kwargs,
            state: None,
            entries: Vec::new(),
            elements: Vec::new(),
        })))
    }
}

fn wrong(expected: &'static str, found: &Value) -> Kind {
    Kind::WrongOperand {
        expected,
        found: found.kind(),
    }
}

fn pairs(values: &[ValueId]) -> Result<Vec<(ValueId, ValueId)>, Kind> {
    let (pairs, rest) = values.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Kind::OddPairs {
            count: values.len(),
        });
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
