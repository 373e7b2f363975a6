//! The length of a JSON list, found without keeping its elements: a body of the size that is allowed can hold
//! millions of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

/// How many elements a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub usize);

struct Elements;

impl<'d> Visitor<'d> for Elements {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut list: A) -> Result<Count, A::Error> {
        let mut count = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Count(count))
    }
}

impl<'d> Deserialize<'d> for Count {
    fn deserialize<D: Deserializer<'d>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(Elements)
    }
}
