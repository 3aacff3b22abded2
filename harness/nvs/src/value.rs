//! Values, and the texts that they are written as.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::NvsError;

/// The value of a key. A firmware finds it with the getter of its type only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `nvs_get_u8`.
    U8(u8),
    /// `nvs_get_i8`.
    I8(i8),
    /// `nvs_get_u16`.
    U16(u16),
    /// `nvs_get_i16`.
    I16(i16),
    /// `nvs_get_u32`.
    U32(u32),
    /// `nvs_get_i32`.
    I32(i32),
    /// `nvs_get_u64`.
    U64(u64),
    /// `nvs_get_i64`.
    I64(i64),
    /// `nvs_get_str`, without the NUL.
    String(String),
    /// `nvs_get_blob`.
    Blob(Vec<u8>),
}

impl Value {
    /// The names of types that [`Value::parse`] takes.
    pub const TYPES: [&str; 12] = [
        "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "string", "blob", "hex", "base64",
    ];

    /// The value that `text` is as one of the type `of`. A `blob` is the text's bytes; `hex` and
    /// `base64` are blobs, too.
    pub fn parse(of: &str, text: &str) -> Result<Self, NvsError> {
        match of {
            "u8" => number(of, text).map(Self::U8),
            "i8" => number(of, text).map(Self::I8),
            "u16" => number(of, text).map(Self::U16),
            "i16" => number(of, text).map(Self::I16),
            "u32" => number(of, text).map(Self::U32),
            "i32" => number(of, text).map(Self::I32),
            "u64" => number(of, text).map(Self::U64),
            "i64" => number(of, text).map(Self::I64),
            "string" => Ok(Self::String(text.into())),
            "blob" => Ok(Self::Blob(text.into())),
            "hex" => hex::decode(text).map(Self::Blob).map_err(|_| wrong(of)),
            "base64" => STANDARD.decode(text).map(Self::Blob).map_err(|_| wrong(of)),
            _ => Err(NvsError::Type(of.into())),
        }
    }
}

fn number<N: FromStr>(of: &str, text: &str) -> Result<N, NvsError> {
    text.parse().map_err(|_| NvsError::Value {
        of: of.into(),
        text: text.into(),
    })
}

/// What blobs hold may be a key.
fn wrong(of: &str) -> NvsError {
    NvsError::Value {
        of: of.into(),
        text: "the text".into(),
    }
}
