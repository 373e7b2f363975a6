//! What can be wrong with a pickle.

use thiserror::Error;

/// A pickle that cannot be parsed: where, at which instruction, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("pickle, byte {offset}, instruction {instruction}: {kind}")]
pub struct PickleError {
    /// Offset of the instruction from the start of the pickle, in bytes.
    pub offset: usize,
    /// The instruction's name in Python's `pickletools`, or `none` outside any.
    pub instruction: &'static str,
    /// What is wrong there.
    pub kind: PickleErrorKind,
}

/// What is wrong with an instruction of a pickle.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickleErrorKind {
    /// The pickle is larger than [`Pickle::MAX_BYTES`](crate::Pickle::MAX_BYTES).
    #[error("the pickle has {bytes} bytes, more than the {limit} that are read")]
    TooLarge {
        /// Size of the input, in bytes.
        bytes: usize,
        /// The largest size that is read, in bytes.
        limit: usize,
    },
    /// The pickle builds more than [`Pickle::MAX_VALUES`](crate::Pickle::MAX_VALUES) values.
    #[error("it builds more than {limit} values")]
    TooManyValues {
        /// The largest number of values that is built.
        limit: usize,
    },
    /// The input ends inside an instruction, or before the STOP instruction.
    #[error("the pickle is cut off: {needed} more bytes are needed and {left} remain")]
    Truncated {
        /// Bytes that the instruction asks for.
        needed: u64,
        /// Bytes that remain.
        left: usize,
    },
    /// A line of text without an end.
    #[error("the pickle is cut off: the line of text has no end")]
    UnendedLine,
    /// A byte that is not an instruction of any protocol.
    #[error("byte {byte:#04x} is not a pickle instruction")]
    UnknownInstruction {
        /// The byte.
        byte: u8,
    },
    /// A protocol newer than 5.
    #[error("protocol {protocol} is unknown; protocols 0 to 5 are supported")]
    UnknownProtocol {
        /// The protocol's number.
        protocol: u8,
    },
    /// An instruction that refers to something outside the file.
    #[error("{what} cannot be resolved from the file alone")]
    OutsideTheFile {
        /// What the instruction refers to.
        what: &'static str,
    },
    /// An instruction takes more values than there are.
    #[error("it needs a value where the stack has none")]
    EmptyStack,
    /// An instruction needs a mark and none was set.
    #[error("it needs a mark and none was set")]
    NoMark,
    /// The memo has no entry with this number.
    #[error("memo entry {key} was never stored")]
    NoMemo {
        /// Number of the entry.
        key: u64,
    },
    /// An instruction meets a value of the wrong kind.
    #[error("expected {expected}, found {found}")]
    WrongOperand {
        /// Kind that the instruction works on.
        expected: &'static str,
        /// Kind that was there.
        found: &'static str,
    },
    /// A dictionary gets a key without a value.
    #[error("a dictionary got {count} values, which are not pairs of key and value")]
    OddPairs {
        /// Number of values.
        count: usize,
    },
    /// Text that is not a number.
    #[error("{text:?} is not {expected}")]
    BadNumber {
        /// The text, shortened.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Text that is not valid in its encoding.
    #[error("the text is not valid {encoding}")]
    BadText {
        /// The encoding's name.
        encoding: &'static str,
    },
    /// A negative length.
    #[error("the length {length} is negative")]
    NegativeLength {
        /// The length.
        length: i64,
    },
}
