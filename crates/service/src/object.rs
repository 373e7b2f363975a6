//! A JSON object, where a list of its values is not taken as one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A value that is written as an object: serde reads a struct from a list of its fields' values too.
#[derive(Debug)]
pub(crate) struct Object<T>(pub T);

struct Fields<T>(PhantomData<T>);

impl<'d, T: Deserialize<'d>> Visitor<'d> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'d>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl<'d, T: Deserialize<'d>> Deserialize<'d> for Object<T> {
    fn deserialize<D: Deserializer<'d>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Fields(PhantomData))
    }
}
