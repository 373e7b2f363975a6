//! The messages of an event file, as far as scalars need them.
//!
//! Numbers and types of the fields are those of TensorBoard's `event.proto` and `summary.proto`.

use prost::{Enumeration, Message, Oneof};

/// What happened at a step.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// The step.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// What it is.
    #[prost(oneof = "What", tags = "3, 5, 7")]
    pub what: Option<What>,
}

/// What an event is.
#[derive(Clone, PartialEq, Oneof)]
pub enum What {
    /// The first event of a file: the version of its format.
    #[prost(string, tag = "3")]
    FileVersion(String),
    /// Values.
    #[prost(message, tag = "5")]
    Summary(Summary),
    /// A training starts or ends.
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// Values of a step.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// A value with its name.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// Its name.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// The value. Optional, so that a zero is written.
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
}

/// A training starts or ends.
#[derive(Clone, PartialEq, Message)]
pub struct SessionLog {
    /// Which of them.
    #[prost(enumeration = "SessionStatus", tag = "1")]
    pub status: i32,
}

/// What a [`SessionLog`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum SessionStatus {
    /// Nothing.
    Unspecified = 0,
    /// A training starts or goes on at the event's step: TensorBoard forgets what earlier files have of
    /// this step and later ones.
    Start = 1,
    /// It has stopped.
    Stop = 2,
    /// It has saved its state.
    Checkpoint = 3,
}
