//! Typed events.

use schemars::JsonSchema;
use serde::Serialize;

use crate::Source;

/// The particulars of one kind of event.
///
/// Only this crate has payloads, one file for each source, so that the
/// [catalogue](crate::catalogue) lists every kind that a trace can hold.
pub trait Payload: Serialize + JsonSchema + sealed::Sealed {
    /// Who sees such events.
    const SOURCE: Source;
    /// The kind's name, in snake_case.
    const KIND: &'static str;
}

pub(crate) mod sealed {
    /// Seal of [`Payload`](super::Payload), which only this crate implements.
    pub trait Sealed {}
}

/// Names the kind of each payload of a source, and lists them for the catalogue.
macro_rules! payloads {
    ($source:ident: $($payload:ident => $kind:literal,)*) => {
        $(
            impl $crate::payload::sealed::Sealed for $payload {}

            impl $crate::Payload for $payload {
                const SOURCE: $crate::Source = $crate::Source::$source;
                const KIND: &'static str = $kind;
            }
        )*

        pub(crate) fn kinds() -> Vec<$crate::catalogue::Kind> {
            vec![$($crate::catalogue::Kind::of::<$payload>()),*]
        }
    };
}
