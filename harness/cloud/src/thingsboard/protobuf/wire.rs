//! Protobuf's encoding (protobuf.dev, "Encoding").

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::{Field, Kind, Label, Schema};
use crate::thingsboard::payload::Malformed;

/// Deepest group within a group that is passed over (`CodedInputStream`'s recursion limit).
const DEEPEST: u32 = 100;
const CUT_SHORT: Malformed = "the protobuf message ends within a field";

/// What stands behind a field's number.
enum Raw<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32,
    Bytes(&'a [u8]),
    Group,
}

/// The message in `bytes` as JSON.
pub(in super::super) fn read(
    schema: &Schema,
    bytes: &[u8],
) -> Result<Map<String, Value>, Malformed> {
    let mut found: Map<String, Value> = Map::new();
    // Those that come twice are merged, which is to put one behind the other.
    let mut messages: BTreeMap<&str, (&Schema, Vec<u8>)> = BTreeMap::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, raw) = next(&mut rest, 0)?;
        let field = schema.0.iter().find(|field| field.number == number);
        let Some(field) = field else { continue };
        if let (Label::Plain | Label::Optional, Kind::Message(schema), Raw::Bytes(part)) =
            (field.label, field.kind, &raw)
        {
            let (_, parts) = messages.entry(field.name).or_insert((schema, Vec::new()));
            parts.extend(*part);
            continue;
        }
        let Some(value) = value(field.kind, &raw)? else {
            continue;
        };
        match (field.label, found.get_mut(field.name)) {
            (Label::Repeated, Some(Value::Array(items))) => items.push(value),
            (Label::Repeated, _) => {
                found.insert(field.name.to_owned(), Value::Array(vec![value]));
            }
            _ => {
                found.insert(field.name.to_owned(), value);
            }
        }
    }
    for (name, (schema, bytes)) in messages {
        found.insert(name.to_owned(), read(schema, &bytes)?.into());
    }
    let in_order = schema.0.iter().filter_map(|field| {
        let value = found.remove(field.name).or_else(|| absent(field));
        Some((field.name.to_owned(), value?))
    });
    Ok(in_order.collect())
}

/// The value of a field that was left out.
fn absent(field: &Field) -> Option<Value> {
    match (field.label, field.kind) {
        (Label::Optional, _) | (Label::Plain, Kind::Message(_)) => None,
        (Label::Repeated, _) => Some(Value::Array(Vec::new())),
        (Label::Plain, Kind::Bool) => Some(false.into()),
        (Label::Plain, Kind::Double) => Some(0.0.into()),
        (Label::Plain, Kind::Int32 | Kind::Int64) => Some(0.into()),
        (Label::Plain, Kind::Text) => Some("".into()),
        (Label::Plain, Kind::Enum(names)) => names.first().map(|name| (*name).into()),
    }
}

/// The next field of a message: its number, and what stands behind it.
fn next<'a>(rest: &mut &'a [u8], depth: u32) -> Result<(u32, Raw<'a>), Malformed> {
    let (number, wire_type) = tag(rest)?;
    let raw = match wire_type {
        0 => Raw::Varint(varint(rest)?),
        1 => Raw::Fixed64(fixed(rest)?),
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| CUT_SHORT)?;
            let (bytes, behind) = rest.split_at_checked(length).ok_or(CUT_SHORT)?;
            *rest = behind;
            Raw::Bytes(bytes)
        }
        3 => {
            group(rest, number, depth + 1)?;
            Raw::Group
        }
        4 => return Err("a protobuf group ends that has not begun"),
        5 => {
            fixed::<4>(rest)?;
            Raw::Fixed32
        }
        _ => return Err("a field of the protobuf message has an unknown wire type"),
    };
    Ok((number, raw))
}

fn tag(rest: &mut &[u8]) -> Result<(u32, u8), Malformed> {
    let tag = varint(rest)?;
    match u32::try_from(tag >> 3) {
        Ok(number @ 1..=0x1fff_ffff) => Ok((number, (tag & 7) as u8)),
        _ => Err("a field of the protobuf message has no number that there is"),
    }
}

/// Passes over a group, which no schema here has.
fn group(rest: &mut &[u8], number: u32, depth: u32) -> Result<(), Malformed> {
    if depth > DEEPEST {
        return Err("the groups of the protobuf message are nested too deep");
    }
    loop {
        if rest.is_empty() {
            return Err(CUT_SHORT);
        }
        let mut ahead = *rest;
        let (ended, wire_type) = tag(&mut ahead)?;
        if wire_type == 4 {
            *rest = ahead;
            return match ended == number {
                true => Ok(()),
                false => Err("a protobuf group ends that has not begun"),
            };
        }
        next(rest, depth)?;
    }
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or(CUT_SHORT)?;
        *rest = behind;
        // Of the tenth byte, one bit fits.
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number in the protobuf message is too long")
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (bytes, behind) = rest.split_first_chunk::<N>().ok_or(CUT_SHORT)?;
    *rest = behind;
    Ok(*bytes)
}

/// None if it is of another wire type, which is as if it had not come.
fn value(kind: Kind, raw: &Raw<'_>) -> Result<Option<Value>, Malformed> {
    Ok(Some(match (kind, raw) {
        (Kind::Bool, Raw::Varint(number)) => (*number != 0).into(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the standard has the upper bits dropped"
        )]
        (Kind::Int32, Raw::Varint(number)) => (*number as i32).into(),
        #[expect(clippy::cast_possible_wrap, reason = "two's complement")]
        (Kind::Int64, Raw::Varint(number)) => (*number as i64).into(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the standard has the upper bits dropped"
        )]
        (Kind::Enum(names), Raw::Varint(number)) => {
            let number = *number as i32;
            let name = usize::try_from(number).ok().and_then(|at| names.get(at));
            name.map_or_else(|| number.into(), |name| (*name).into())
        }
        (Kind::Double, Raw::Fixed64(bytes)) => double(f64::from_le_bytes(*bytes)),
        (Kind::Text, Raw::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes);
            text.map_err(|_| "a text in the protobuf message is no UTF-8")?
                .into()
        }
        (Kind::Message(schema), Raw::Bytes(bytes)) => Value::Object(read(schema, bytes)?),
        _ => return Ok(None),
    }))
}

/// What JSON has no number for is a text there (protobuf.dev, "ProtoJSON").
fn double(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => number.into(),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// The message that has these values. What the schema does not have is left out, and so is what is
/// `null`, or is nothing in a field that is not optional.
pub(in super::super) fn write(schema: &Schema, values: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in schema.0 {
        match (field.label, values.get(field.name)) {
            (_, None | Some(Value::Null)) => {}
            (Label::Repeated, Some(Value::Array(items))) => {
                for item in items {
                    put(&mut bytes, field, item);
                }
            }
            (Label::Repeated, Some(_)) => {}
            (Label::Plain, Some(value)) if Some(value) == absent(field).as_ref() => {}
            (_, Some(value)) => put(&mut bytes, field, value),
        }
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, field: &Field, value: &Value) {
    let mut head = |wire_type: u64| put_varint(bytes, u64::from(field.number) << 3 | wire_type);
    match (field.kind, value) {
        (Kind::Bool, Value::Bool(flag)) => {
            head(0);
            put_varint(bytes, u64::from(*flag));
        }
        (Kind::Int32 | Kind::Int64, Value::Number(number)) => {
            let Some(number) = number.as_i64() else {
                return;
            };
            head(0);
            // A negative one takes ten bytes.
            put_varint(bytes, number.cast_unsigned());
        }
        (Kind::Enum(names), Value::String(name)) => {
            let Some(at) = names.iter().position(|known| known == name) else {
                return;
            };
            head(0);
            put_varint(bytes, at as u64);
        }
        (Kind::Double, Value::Number(number)) => {
            let Some(number) = number.as_f64() else {
                return;
            };
            head(1);
            bytes.extend(number.to_le_bytes());
        }
        (Kind::Text, Value::String(text)) => {
            head(2);
            put_bytes(bytes, text.as_bytes());
        }
        (Kind::Message(schema), Value::Object(values)) => {
            head(2);
            put_bytes(bytes, &write(schema, values));
        }
        _ => {}
    }
}

fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put_varint(bytes, content.len() as u64);
    bytes.extend(content);
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::schemas;
    use super::*;

    fn read_hex(schema: &Schema, hex: &str) -> Result<Value, Malformed> {
        let bytes = hex::decode(hex.replace(' ', "")).unwrap();
        read(schema, &bytes).map(Value::Object)
    }

    #[test]
    fn what_is_not_in_the_schema_is_passed_over() {
        for (hex, message) in [
            ("", json!({})),
            ("090000000000003940", json!({"temperature": 25.0})),
            // Another wire type than the schema has: as if it had not come.
            ("0819", json!({})),
            ("0d00000000", json!({})),
            // A field and a group that the schema does not have.
            ("a00601 110000000000003a40", json!({"humidity": 26.0})),
            ("3b 0801 3c 110000000000003a40", json!({"humidity": 26.0})),
            // Optional parts of a message that came, and of one that came twice.
            ("1a00", json!({"innerObject": {}})),
            (
                "1a021001 1a022005",
                json!({"innerObject": {"key2": true, "key4": 5}}),
            ),
            (
                "1a0b20ffffffffffffffffff01",
                json!({"innerObject": {"key4": -1}}),
            ),
            ("09000000000000f07f", json!({"temperature": "Infinity"})),
        ] {
            assert_eq!(read_hex(&schemas::TELEMETRY, hex), Ok(message), "{hex}");
        }
        // A field that is not optional has a value even so.
        assert_eq!(
            read_hex(&schemas::CLAIM, ""),
            Ok(json!({"secretKey": "", "durationMs": 0}))
        );
    }

    #[test]
    fn what_is_no_message_says_why() {
        for (hex, why) in [
            ("09", "ends within"),
            ("0900", "ends within"),
            ("1a05 00", "ends within"),
            ("80", "ends within"),
            ("3b", "ends within"),
            ("3b44", "has not begun"),
            ("0c", "has not begun"),
            ("0e", "wire type"),
            ("00", "no number"),
            ("08 ffffffffffffffffffff01", "too long"),
            ("1a03 0a01ff", "UTF-8"),
            (&"3b".repeat(200), "too deep"),
            // `{"temprature":25}`
            ("7b2274656d70726174757265223a32357d", "ends within"),
        ] {
            let read = read_hex(&schemas::TELEMETRY, hex);
            assert!(
                read.is_err_and(|reason| reason.contains(why)),
                "{hex}: {why}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for schema in [&schemas::TELEMETRY, &schemas::PROVISION_REQUEST, &schemas::ATTRIBUTES_ANSWER] {
                let _ = read(schema, &bytes);
            }
        }

        #[test]
        fn what_is_written_is_read_again(
            id in any::<i32>(),
            key in "\\PC{1,9}",
            long in any::<i64>(),
            double in any::<f64>().prop_filter("is a number", |double| double.is_finite()),
            texts in prop::collection::vec("\\PC{0,9}", 1..4),
        ) {
            let kv = json!({
                "key": key, "type": "JSON_V", "bool_v": true, "long_v": long, "double_v": double,
                "string_v": "x", "json_v": "{}",
            });
            let answer = json!({
                "requestId": id,
                "clientAttributeList": [{"ts": long, "kv": kv}],
                "sharedAttributeList": [],
                "isMultipleAttributesRequest": true,
                "error": "",
            });
            let schema = &schemas::ATTRIBUTES_ANSWER;
            let bytes = write(schema, answer.as_object().unwrap());
            prop_assert_eq!(read(schema, &bytes).map(Value::Object), Ok(answer));
            let schema = &schemas::ATTRIBUTES_UPDATE;
            let update = json!({"sharedUpdated": [], "sharedDeleted": texts});
            let bytes = write(schema, update.as_object().unwrap());
            prop_assert_eq!(read(schema, &bytes).map(Value::Object), Ok(update));
        }
    }
}
