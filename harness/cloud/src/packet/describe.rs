//! Showing packets in the trace, malformed ones too.

use bytes::Bytes;
use serde_json::Value;
use trace::mqtt::{
    Connack, Connect, Disconnect, Packet, PayloadForm, Pingreq, Pingresp, Puback, Pubcomp, Publish,
    Pubrec, Pubrel, Reserved, ShownWill, Suback, Subscribe, Subscribed, Unsuback, Unsubscribe,
};

use super::Frame;
use super::reader::{CutShort, Reader};

/// Longest payload or remainder that is shown whole, in bytes.
const SHOWN: usize = 4096;

/// Shows `frame`. Never fails; a password is shown by its length alone.
pub(crate) fn describe(frame: &Frame) -> Packet {
    let mut reader = Reader::new(frame.body.clone());
    let (mut packet, read) = fields(frame.head, &mut reader);
    let flags = frame.head & 0x0f;
    let usual = match frame.head >> 4 {
        3 => flags,
        6 | 8 | 10 => 2,
        _ => 0,
    };
    let problem = match read {
        Err(CutShort) => Some("the packet ends inside a field"),
        Ok(()) if !reader.is_empty() => Some("bytes behind the end"),
        Ok(()) => None,
    };
    let mut rest = Some(reader.rest()).filter(|rest| !rest.is_empty());
    // What is left of a CONNECT may be its password.
    if let Packet::Connect(connect) = &mut packet {
        connect.rest_length = rest.take().map(|rest| rest.len());
    }
    packet.set_remainder(
        (flags != usual).then_some(flags),
        problem.map(str::to_owned),
        rest.as_ref().map(hexed),
    );
    packet
}

/// The packet with those of its fields that could be read, and whether all could.
fn fields(head: u8, reader: &mut Reader) -> (Packet, Result<(), CutShort>) {
    /// A packet that has an identifier, and perhaps more.
    macro_rules! identified {
        ($name:ident $(, $more:ident)?) => {{
            let mut packet = $name::default();
            let read = id(reader, &mut packet.id);
            $(let read = read.and_then(|()| $more(reader, &mut packet));)?
            (Packet::$name(packet), read)
        }};
    }
    match head >> 4 {
        1 => {
            let mut packet = Connect::default();
            let read = connect(reader, &mut packet);
            (Packet::Connect(packet), read)
        }
        2 => {
            let mut packet = Connack::default();
            let read = connack(reader, &mut packet);
            (Packet::Connack(packet), read)
        }
        3 => {
            let mut packet = Publish::default();
            let read = publish(head, reader, &mut packet);
            (Packet::Publish(packet), read)
        }
        4 => identified!(Puback),
        5 => identified!(Pubrec),
        6 => identified!(Pubrel),
        7 => identified!(Pubcomp),
        8 => identified!(Subscribe, subscribe),
        9 => identified!(Suback, suback),
        10 => identified!(Unsubscribe, unsubscribe),
        11 => identified!(Unsuback),
        12 => (Packet::Pingreq(Pingreq::default()), Ok(())),
        13 => (Packet::Pingresp(Pingresp::default()), Ok(())),
        14 => (Packet::Disconnect(Disconnect::default()), Ok(())),
        _ => (Packet::Reserved(Reserved::default()), Ok(())),
    }
}

fn connect(reader: &mut Reader, packet: &mut Connect) -> Result<(), CutShort> {
    packet.protocol = Some(text(&reader.binary()?));
    let level = reader.byte()?;
    packet.level = Some(level);
    let flags = reader.byte()?;
    packet.clean_session = Some(flags & 2 != 0);
    packet.reserved_flag = (flags & 1 != 0).then_some(true);
    packet.keep_alive_s = Some(reader.number()?);
    if level >= 5 {
        // MQTT 5 has properties here; nothing behind them stands where it did.
        return Ok(());
    }
    packet.client_id = Some(text(&reader.binary()?));
    if flags & 4 != 0 {
        let topic = text(&reader.binary()?);
        let (payload, form) = payload(&reader.binary()?);
        packet.will = Some(ShownWill {
            topic,
            qos: flags >> 3 & 3,
            retain: flags & 0x20 != 0,
            payload,
            form,
        });
    }
    if flags & 0x80 != 0 {
        packet.username = Some(text(&reader.binary()?));
    }
    if flags & 0x40 != 0 {
        packet.password_length = Some(reader.binary()?.len());
    }
    Ok(())
}

fn connack(reader: &mut Reader, packet: &mut Connack) -> Result<(), CutShort> {
    packet.session_present = Some(reader.byte()? & 1 != 0);
    packet.code = Some(reader.byte()?);
    Ok(())
}

fn publish(head: u8, reader: &mut Reader, packet: &mut Publish) -> Result<(), CutShort> {
    let qos = head >> 1 & 3;
    packet.topic = Some(text(&reader.binary()?));
    packet.qos = Some(qos);
    packet.retain = Some(head & 1 != 0);
    packet.duplicate = (head & 8 != 0).then_some(true);
    if qos != 0 {
        id(reader, &mut packet.id)?;
    }
    let rest = std::mem::replace(reader, Reader::new(Bytes::new())).rest();
    let (shown, form) = payload(&rest);
    packet.length = Some(rest.len());
    packet.form = Some(form);
    packet.payload = Some(shown);
    Ok(())
}

fn id(reader: &mut Reader, id: &mut Option<u16>) -> Result<(), CutShort> {
    *id = Some(reader.number()?);
    Ok(())
}

fn subscribe(reader: &mut Reader, packet: &mut Subscribe) -> Result<(), CutShort> {
    let filters = packet.filters.insert(Vec::new());
    while !reader.is_empty() {
        let filter = text(&reader.binary()?);
        let qos = reader.byte()?;
        filters.push(Subscribed { filter, qos });
    }
    Ok(())
}

fn suback(reader: &mut Reader, packet: &mut Suback) -> Result<(), CutShort> {
    let codes = packet.codes.insert(Vec::new());
    while let Ok(code) = reader.byte() {
        codes.push(code);
    }
    Ok(())
}

fn unsubscribe(reader: &mut Reader, packet: &mut Unsubscribe) -> Result<(), CutShort> {
    let filters = packet.filters.insert(Vec::new());
    while !reader.is_empty() {
        filters.push(text(&reader.binary()?));
    }
    Ok(())
}

/// A payload as JSON if it is an object or an array, else as text, else in hex; and which of these.
pub(crate) fn payload(bytes: &Bytes) -> (Value, PayloadForm) {
    if bytes.len() <= SHOWN
        && matches!(
            bytes.first(),
            Some(b'{' | b'[' | b' ' | b'\r' | b'\n' | b'\t')
        )
        && let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_slice(bytes)
    {
        return (value, PayloadForm::Json);
    }
    let shown = &bytes[..bytes.len().min(SHOWN)];
    match std::str::from_utf8(shown) {
        Ok(text) => (text.into(), PayloadForm::Text),
        // A character cut in two by the bound is no reason for hex.
        Err(error) if error.error_len().is_none() && shown.len() == SHOWN => {
            let whole = String::from_utf8_lossy(&shown[..error.valid_up_to()]);
            (whole.into_owned().into(), PayloadForm::Text)
        }
        Err(_) => (hexed(bytes).into(), PayloadForm::Hex),
    }
}

fn text(bytes: &Bytes) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    String::from_utf8_lossy(shown).into_owned()
}

fn hexed(bytes: &Bytes) -> String {
    hex::encode(&bytes[..bytes.len().min(SHOWN)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn shown(bytes: &[u8]) -> (&'static str, Value) {
        let packet = describe(&Frame {
            head: bytes[0],
            body: Bytes::copy_from_slice(&bytes[1..]),
        });
        (packet.kind(), serde_json::to_value(packet).unwrap())
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
            let packet = describe(&Frame { head, body: body.into() });
            prop_assert!(serde_json::to_string(&packet).is_ok());
        }

        #[test]
        fn a_long_payload_is_shown_up_to_a_bound(length in 0_usize..20_000, byte in any::<u8>()) {
            let (value, _) = payload(&Bytes::from(vec![byte; length]));
            prop_assert!(value.as_str().unwrap().len() <= 2 * SHOWN);
        }
    }
}
