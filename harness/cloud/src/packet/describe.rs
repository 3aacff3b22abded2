//! Showing packets in the trace, whatever is in them.

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Frame;
use super::reader::{CutShort, Reader};

/// Longest payload or remainder that is shown whole, in bytes.
const SHOWN: usize = 4096;

/// A packet as the trace shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Described {
    /// The packet's name in snake_case; `reserved` for the types 0 and 15.
    pub(crate) kind: &'static str,
    /// Its fields. One that could not be read is missing; then there is a `problem`, and `rest`
    /// holds what was left, in hex.
    pub(crate) fields: Fields,
}

/// Names and values in their order. Written down, it is a map, and it is made far quicker.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn insert(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Shows `frame`. Never fails; a password is shown by its length alone.
pub(crate) fn describe(frame: &Frame) -> Described {
    let kind = name(frame.head >> 4);
    let mut fields = Fields::default();
    let mut reader = Reader::new(frame.body.clone());
    let read = match frame.head >> 4 {
        1 => connect(&mut reader, &mut fields),
        2 => connack(&mut reader, &mut fields),
        3 => publish(frame.head, &mut reader, &mut fields),
        4..=7 | 11 => id(&mut reader, &mut fields),
        8 => subscribe(&mut reader, &mut fields),
        9 => suback(&mut reader, &mut fields),
        10 => unsubscribe(&mut reader, &mut fields),
        _ => Ok(()),
    };
    let flags = frame.head & 0x0f;
    let usual = match frame.head >> 4 {
        3 => flags,
        6 | 8 | 10 => 2,
        _ => 0,
    };
    if flags != usual {
        fields.insert("flags", flags);
    }
    if let Err(CutShort) = read {
        fields.insert("problem", "the packet ends inside a field");
    } else if !reader.is_empty() {
        fields.insert("problem", "bytes behind the end");
    }
    let rest = reader.rest();
    // What is left of a CONNECT may be its password.
    if !rest.is_empty() && kind == "connect" {
        fields.insert("rest_length", rest.len());
    } else if !rest.is_empty() {
        fields.insert("rest", hexed(&rest));
    }
    Described { kind, fields }
}

fn name(kind: u8) -> &'static str {
    match kind {
        1 => "connect",
        2 => "connack",
        3 => "publish",
        4 => "puback",
        5 => "pubrec",
        6 => "pubrel",
        7 => "pubcomp",
        8 => "subscribe",
        9 => "suback",
        10 => "unsubscribe",
        11 => "unsuback",
        12 => "pingreq",
        13 => "pingresp",
        14 => "disconnect",
        _ => "reserved",
    }
}

fn connect(reader: &mut Reader, fields: &mut Fields) -> Result<(), CutShort> {
    fields.insert("protocol", text(&reader.binary()?));
    let level = reader.byte()?;
    fields.insert("level", level);
    let flags = reader.byte()?;
    fields.insert("clean_session", flags & 2 != 0);
    if flags & 1 != 0 {
        fields.insert("reserved_flag", true);
    }
    fields.insert("keep_alive_s", reader.number()?);
    if level >= 5 {
        // MQTT 5 has properties here; nothing behind them stands where it did.
        return Ok(());
    }
    fields.insert("client_id", text(&reader.binary()?));
    if flags & 4 != 0 {
        let topic = text(&reader.binary()?);
        let (payload, form) = payload(&reader.binary()?);
        let will = json!({
            "topic": topic,
            "qos": flags >> 3 & 3,
            "retain": flags & 0x20 != 0,
            "payload": payload,
            "form": form,
        });
        fields.insert("will", will);
    }
    if flags & 0x80 != 0 {
        fields.insert("username", text(&reader.binary()?));
    }
    if flags & 0x40 != 0 {
        let password = reader.binary()?;
        fields.insert("password_length", password.len());
    }
    Ok(())
}

fn connack(reader: &mut Reader, fields: &mut Fields) -> Result<(), CutShort> {
    fields.insert("session_present", reader.byte()? & 1 != 0);
    fields.insert("code", reader.byte()?);
    Ok(())
}

fn publish(head: u8, reader: &mut Reader, fields: &mut Fields) -> Result<(), CutShort> {
    let qos = head >> 1 & 3;
    fields.insert("topic", text(&reader.binary()?));
    fields.insert("qos", qos);
    fields.insert("retain", head & 1 != 0);
    if head & 8 != 0 {
        fields.insert("duplicate", true);
    }
    if qos != 0 {
        fields.insert("id", reader.number()?);
    }
    let rest = std::mem::replace(reader, Reader::new(Bytes::new())).rest();
    let (shown, form) = payload(&rest);
    fields.insert("length", rest.len());
    fields.insert("form", form);
    fields.insert("payload", shown);
    Ok(())
}

fn id(reader: &mut Reader, fields: &mut Fields) -> Result<(), CutShort> {
    fields.insert("id", reader.number()?);
    Ok(())
}

fn subscribe(reader: &mut Reader, fields: &mut Fields) -> Result<(), CutShort> {
    id(reader, fields)?;
    let mut filters = Vec::new();
    let read = loop {
        if reader.is_empty() {
            break Ok(());
        }
        match reader.binary().and_then(|f| Ok((text(&f), reader.byte()?))) {
            Ok((filter, qos)) => filters.push(json!({ "filter": filter, "qos": qos })),
            Err(short) => break Err(short),
        }
    };
    fields.insert("filters", filters);
    read
}

fn suback(reader: &mut Reader, fields: &mut Fields) -> Result<(), CutShort> {
    id(reader, fields)?;
    let mut codes = Vec::new();
    while let Ok(code) = reader.byte() {
        codes.push(Value::from(code));
    }
    fields.insert("codes", codes);
    Ok(())
}

fn unsubscribe(reader: &mut Reader, fields: &mut Fields) -> Result<(), CutShort> {
    id(reader, fields)?;
    let mut filters = Vec::new();
    let read = loop {
        if reader.is_empty() {
            break Ok(());
        }
        match reader.binary() {
            Ok(filter) => filters.push(text(&filter)),
            Err(short) => break Err(short),
        }
    };
    fields.insert("filters", filters);
    read
}

/// A payload as JSON if it is an object or an array, else as text, else in hex; and which of these.
pub(crate) fn payload(bytes: &Bytes) -> (Value, &'static str) {
    if bytes.len() <= SHOWN
        && matches!(
            bytes.first(),
            Some(b'{' | b'[' | b' ' | b'\r' | b'\n' | b'\t')
        )
        && let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_slice(bytes)
    {
        return (value, "json");
    }
    let shown = &bytes[..bytes.len().min(SHOWN)];
    match std::str::from_utf8(shown) {
        Ok(text) => (text.into(), "text"),
        // A character cut in two by the bound is no reason for hex.
        Err(error) if error.error_len().is_none() && shown.len() == SHOWN => {
            let whole = String::from_utf8_lossy(&shown[..error.valid_up_to()]);
            (whole.into_owned().into(), "text")
        }
        Err(_) => (hexed(bytes), "hex"),
    }
}

fn text(bytes: &Bytes) -> Value {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    String::from_utf8_lossy(shown).into_owned().into()
}

fn hexed(bytes: &Bytes) -> Value {
    hex::encode(&bytes[..bytes.len().min(SHOWN)]).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(bytes: &[u8]) -> (&'static str, Value) {
        let described = describe(&Frame {
            head: bytes[0],
            body: Bytes::copy_from_slice(&bytes[1..]),
        });
        (
            described.kind,
            serde_json::to_value(described.fields).unwrap(),
        )
    }

    #[test]
    fn a_json_payload_can_be_pointed_into() {
        let (kind, fields) = shown(b"\x32\x00\x01a\x00\x07{\"params\":{\"token\":\"T\"}}");
        assert_eq!(kind, "publish");
        assert_eq!(fields.pointer("/payload/params/token"), Some(&"T".into()));
        assert_eq!(fields["id"], 7);
        assert_eq!(fields["form"], "json");
    }

    #[test]
    fn text_and_bytes_are_told_apart() {
        assert_eq!(shown(b"\x30\x00\x01a23.5").1["form"], "text");
        let (_, fields) = shown(b"\x30\x00\x01a\xff\x00");
        assert_eq!(
            (&fields["form"], &fields["payload"]),
            (&"hex".into(), &"ff00".into())
        );
    }

    #[test]
    fn a_password_is_shown_by_its_length_alone() {
        let connect = b"\x10\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x01u\x00\x06secret";
        let (_, fields) = shown(connect);
        assert_eq!(fields["password_length"], 6);
        assert!(!fields.to_string().contains("secret"));
        // Also when the packet is cut inside it.
        let (_, fields) = shown(&connect[..connect.len() - 1]);
        assert_eq!(fields["problem"], "the packet ends inside a field");
        assert!(!fields.to_string().contains(&hex::encode("secre")));
    }

    #[test]
    fn what_was_read_before_a_cut_is_kept() {
        let (_, fields) = shown(b"\x82\x00\x01\x00\x01a\x01\x00\x09b");
        assert_eq!(fields["filters"], json!([{ "filter": "a", "qos": 1 }]));
        assert_eq!(fields["rest"], "000962");
    }

    #[test]
    fn a_deeply_nested_payload_does_not_exhaust_the_stack() {
        let mut packet = b"\x30\x00\x01a".to_vec();
        packet.extend(std::iter::repeat_n(b'[', 4000));
        assert_eq!(shown(&packet).1["form"], "text");
    }

    proptest! {
        #[test]
        fn anything_can_be_shown(
            head in any::<u8>(),
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let described = describe(&Frame { head, body: body.into() });
            prop_assert!(serde_json::to_string(&described.fields).is_ok());
        }

        #[test]
        fn a_long_payload_is_shown_up_to_a_bound(length in 0_usize..20_000, byte in any::<u8>()) {
            let (value, _) = payload(&Bytes::from(vec![byte; length]));
            prop_assert!(value.as_str().unwrap().len() <= 2 * SHOWN);
        }
    }
}
