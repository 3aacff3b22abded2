//! Protobuf of messages whose shape is known at run time, to JSON and back, as ThingsBoard does it
//! (`DynamicProtoUtils`, over `JsonFormat` of protobuf-java): what is not in the schema is passed over, even a
//! field of the right number and another wire type; of what was left out, only a field that is not `optional`
//! has a value.
//!
//! prost, which the provisioning's messages use, is for shapes that are known when it is built, and takes a
//! field of another wire type for a broken message.

pub(super) mod schemas;
mod wire;

pub(super) use wire::{read, write};

/// A message: its fields, in the order in which they are shown.
pub(super) struct Schema(&'static [Field]);

struct Field {
    number: u32,
    name: &'static str,
    kind: Kind,
    label: Label,
}

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Double,
    Int32,
    Int64,
    Text,
    /// By its names, from 0.
    Enum(&'static [&'static str]),
    Message(&'static Schema),
}

/// Whether a field can be left out, and whether that shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    /// Left out, it has the value that is nothing; a message has none.
    Plain,
    Optional,
    Repeated,
}
