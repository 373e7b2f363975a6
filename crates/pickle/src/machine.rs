//! The pickle machine: a stack, marks and a memo, building values and calling nothing.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{PickleError, PickleErrorKind};
use crate::value::{Construction, Object, Pickle, Value, ValueId};

type Kind = PickleErrorKind;

impl Pickle {
    /// Parses the pickle at the start of `bytes`; what follows its end is ignored, as Python
    /// does.
    ///
    /// # Errors
    ///
    /// Where the bytes are no pickle of protocol 0 to 5, or one beyond the limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, PickleError> {
        Self::parse_prefix(bytes).map(|(pickle, _)| pickle)
    }

    /// Parses the pickle at the start of `bytes` and says how many bytes it takes, for files that
    /// hold several.
    ///
    /// # Errors
    ///
    /// As [`Pickle::parse`]. The size limit is on the pickle itself, not on what follows.
    pub fn parse_prefix(bytes: &[u8]) -> Result<(Self, usize), PickleError> {
        let mut machine = Machine {
            bytes: bytes.get(..Self::MAX_BYTES).unwrap_or(bytes),
            position: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        match machine.run() {
            Ok(root) => Ok((
                Pickle {
                    values: machine.values,
                    root,
                },
                machine.position,
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

struct Machine<'b> {
    bytes: &'b [u8],
    position: usize,
    values: Vec<Value>,
    stack: Vec<ValueId>,
    /// Heights of the stack at which a mark was set.
    marks: Vec<usize>,
    memo: HashMap<u64, ValueId>,
}

enum Flow {
    Continue,
    Stop(ValueId),
}

impl Machine<'_> {
    fn run(&mut self) -> Result<ValueId, (usize, &'static str, Kind)> {
        loop {
            let offset = self.position;
            let instruction = self.u8().map_err(|kind| (offset, "none", kind))?;
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
                let protocol = self.u8()?;
                if protocol > 5 {
                    return Err(Kind::UnknownProtocol { protocol });
                }
            }
            0x95 => {
                // A frame is a hint for buffered reading; its contents are plain instructions.
                let length = self.u64()?;
                self.need(length)?;
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
                let key = self.u8()?.into();
                self.remember(key)?;
            }
            b'r' => {
                let key = self.u32()?.into();
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'g' => {
                let key = self.decimal_key()?;
                self.recall(key)?;
            }
            b'h' => {
                let key = self.u8()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = self.u32()?.into();
                self.recall(key)?;
            }

            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'I' => {
                let value = match self.line()? {
                    b"00" => Value::Bool(false),
                    b"01" => Value::Bool(true),
                    text => decimal_integer(text)?,
                };
                self.push(value)?;
            }
            b'J' => {
                let value = self.u32()? as i32;
                self.push(Value::Int(value.into()))?;
            }
            b'K' => {
                let value = self.u8()?;
                self.push(Value::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            b'L' => {
                let text = self.line()?;
                let text = text.strip_suffix(b"L").unwrap_or(text);
                let value = decimal_integer(text)?;
                self.push(value)?;
            }
            0x8a => {
                let length = self.u8()?;
                let value = integer(self.take(length.into())?);
                self.push(value)?;
            }
            0x8b => {
                let length = self.signed_length()?;
                let value = integer(self.take(length)?);
                self.push(value)?;
            }
            b'F' => {
                let value = number(self.line()?, "a float")?;
                self.push(Value::Float(value))?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(value))?;
            }

            b'S' => {
                let value = python2_string(unquote(self.line()?)?);
                self.push(value)?;
            }
            b'T' => {
                let length = self.signed_length()?;
                let value = python2_string(self.take(length)?.to_vec());
                self.push(value)?;
            }
            b'U' => {
                let length = self.u8()?;
                let value = python2_string(self.take(length.into())?.to_vec());
                self.push(value)?;
            }
            b'V' => {
                let text = raw_unicode_escape(self.line()?)?;
                self.push(Value::Str(text.into()))?;
            }
            b'X' => {
                let length = self.u32()?;
                self.text(length.into())?;
            }
            0x8c => {
                let length = self.u8()?;
                self.text(length.into())?;
            }
            0x8d => {
                let length = self.u64()?;
                self.text(length)?;
            }
            b'B' => {
                let length = self.u32()?;
                self.binary(length.into())?;
            }
            b'C' => {
                let length = self.u8()?;
                self.binary(length.into())?;
            }
            0x8e | 0x96 => {
                let length = self.u64()?;
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
                let module = self.utf8_line()?;
                let name = self.utf8_line()?;
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
                let module = self.utf8_line()?;
                let name = self.utf8_line()?;
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
                let text = self.utf8_line()?;
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

    /// Height below which values belong to an outer mark.
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
        number(self.line()?, "a memo entry's number")
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
        let text = utf8(self.take(length)?)?;
        self.push(Value::Str(text))
    }

    fn binary(&mut self, length: u64) -> Result<(), Kind> {
        let bytes = self.take(length)?.to_vec();
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

// Bytes.

impl<'b> Machine<'b> {
    fn left(&self) -> &'b [u8] {
        self.bytes.get(self.position..).unwrap_or(&[])
    }

    fn need(&self, length: u64) -> Result<usize, Kind> {
        let left = self.left().len();
        match usize::try_from(length) {
            Ok(length) if length <= left => Ok(length),
            _ => Err(Kind::Truncated {
                needed: length,
                left,
            }),
        }
    }

    fn take(&mut self, length: u64) -> Result<&'b [u8], Kind> {
        let length = self.need(length)?;
        let taken = self.left().get(..length).unwrap_or(&[]);
        self.position += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Kind> {
        let left = self.left();
        let array = *left.first_chunk().ok_or(Kind::Truncated {
            needed: N as u64,
            left: left.len(),
        })?;
        self.position += N;
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, Kind> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    fn u32(&mut self) -> Result<u32, Kind> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Kind> {
        self.array().map(u64::from_le_bytes)
    }

    fn signed_length(&mut self) -> Result<u64, Kind> {
        let length: i64 = i32::from_le_bytes(self.array()?).into();
        u64::try_from(length).map_err(|_| Kind::NegativeLength { length })
    }

    /// Up to the next line end, which is taken too and not returned.
    fn line(&mut self) -> Result<&'b [u8], Kind> {
        let left = self.left();
        let end = left
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(Kind::UnendedLine)?;
        self.position += end + 1;
        let line = left.get(..end).unwrap_or(&[]);
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn utf8_line(&mut self) -> Result<Arc<str>, Kind> {
        utf8(self.line()?)
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

fn utf8(bytes: &[u8]) -> Result<Arc<str>, Kind> {
    let text = std::str::from_utf8(bytes).map_err(|_| Kind::BadText { encoding: "UTF-8" })?;
    Ok(text.into())
}

fn number<T: std::str::FromStr>(text: &[u8], expected: &'static str) -> Result<T, Kind> {
    let text = String::from_utf8_lossy(text);
    text.trim().parse().map_err(|_| Kind::BadNumber {
        text: text.chars().take(40).collect(),
        expected,
    })
}

/// A little-endian two's complement integer of any length.
fn integer(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    if bytes.len() > 8 {
        return Value::BigInt(bytes.to_vec());
    }
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    Value::Int(i64::from_le_bytes(wide))
}

/// A decimal integer of any length that Python itself would read back.
fn decimal_integer(text: &[u8]) -> Result<Value, Kind> {
    const MAX_DIGITS: usize = 4300;
    let expected = "an integer of at most 4300 digits";
    let text = text.trim_ascii();
    let error = match number(text, expected) {
        Ok(value) => return Ok(Value::Int(value)),
        Err(error) => error,
    };
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(error);
    }
    let mut bytes: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u16::from(digit - b'0');
        for byte in &mut bytes {
            carry += u16::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    // The top bit is the sign.
    if bytes.last().is_none_or(|byte| *byte >= 0x80) {
        bytes.push(0);
    }
    if negative {
        let mut carry = true;
        for byte in &mut bytes {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    Ok(Value::BigInt(bytes))
}

/// Python 2's `str` is text in practice, and bytes where it is not.
fn python2_string(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::Str(text.into()),
        Err(error) => Value::Bytes(error.into_bytes()),
    }
}

/// A quoted string with backslash escapes, as Python's `repr` writes it.
fn unquote(line: &[u8]) -> Result<Vec<u8>, Kind> {
    const BAD: Kind = Kind::BadText {
        encoding: "quoted string",
    };
    let line = line.trim_ascii();
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return Err(BAD),
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let escaped = match rest.next().ok_or(BAD)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'x' => {
                let mut digit = || hex_digit(rest.next()).ok_or(BAD);
                (digit()? << 4 | digit()?) as u8
            }
            first @ b'0'..=b'7' => {
                let mut code = u32::from(first - b'0');
                for _ in 0..2 {
                    match rest.peek() {
                        Some(next @ b'0'..=b'7') => {
                            code = code << 3 | u32::from(next - b'0');
                            rest.next();
                        }
                        _ => break,
                    }
                }
                code as u8
            }
            other @ (b'\\' | b'\'' | b'"') => other,
            other => {
                out.push(b'\\');
                other
            }
        };
        out.push(escaped);
    }
    Ok(out)
}

fn hex_digit(byte: Option<u8>) -> Option<u32> {
    char::from(byte?).to_digit(16)
}

/// Latin-1 with `\uXXXX` and `\UXXXXXXXX`: Python's `raw-unicode-escape`.
fn raw_unicode_escape(line: &[u8]) -> Result<String, Kind> {
    const BAD: Kind = Kind::BadText {
        encoding: "raw-unicode-escape",
    };
    let mut out = String::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let digits = match (byte, rest.peek()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                out.push(char::from(byte));
                continue;
            }
        };
        rest.next();
        let mut code = 0;
        for _ in 0..digits {
            code = code << 4 | hex_digit(rest.next()).ok_or(BAD)?;
        }
        out.push(char::from_u32(code).ok_or(BAD)?);
    }
    Ok(out)
}

fn instruction_name(instruction: u8) -> &'static str {
    match instruction {
        b'(' => "MARK",
        b'.' => "STOP",
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'F' => "FLOAT",
        b'I' => "INT",
        b'J' => "BININT",
        b'K' => "BININT1",
        b'L' => "LONG",
        b'M' => "BININT2",
        b'N' => "NONE",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        b'R' => "REDUCE",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'V' => "UNICODE",
        b'X' => "BINUNICODE",
        b'a' => "APPEND",
        b'b' => "BUILD",
        b'c' => "GLOBAL",
        b'd' => "DICT",
        b'}' => "EMPTY_DICT",
        b'e' => "APPENDS",
        b'g' => "GET",
        b'h' => "BINGET",
        b'i' => "INST",
        b'j' => "LONG_BINGET",
        b'l' => "LIST",
        b']' => "EMPTY_LIST",
        b'o' => "OBJ",
        b'p' => "PUT",
        b'q' => "BINPUT",
        b'r' => "LONG_BINPUT",
        b's' => "SETITEM",
        b't' => "TUPLE",
        b')' => "EMPTY_TUPLE",
        b'u' => "SETITEMS",
        b'G' => "BINFLOAT",
        b'B' => "BINBYTES",
        b'C' => "SHORT_BINBYTES",
        0x80 => "PROTO",
        0x81 => "NEWOBJ",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x85 => "TUPLE1",
        0x86 => "TUPLE2",
        0x87 => "TUPLE3",
        0x88 => "NEWTRUE",
        0x89 => "NEWFALSE",
        0x8a => "LONG1",
        0x8b => "LONG4",
        0x8c => "SHORT_BINUNICODE",
        0x8d => "BINUNICODE8",
        0x8e => "BINBYTES8",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x94 => "MEMOIZE",
        0x95 => "FRAME",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => "unknown",
    }
}
