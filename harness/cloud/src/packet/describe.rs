//! Showing packets in the trace, malformed ones too.

use bytes::Bytes;
use serde_json::{Map, Value};
use trace::mqtt::{
    Auth, Connack, Connect, Disconnect, Packet, PayloadForm, Pingreq, Pingresp, Puback, Pubcomp,
    Publish, Pubrec, Pubrel, Reserved, ShownWill, Suback, Subscribe, Subscribed, Unsuback,
    Unsubscribe,
};

use super::property::Properties;
use super::reader::{CutShort, Reader};
use super::{Frame, Level};

/// Longest payload or remainder that is shown whole, in bytes.
const SHOWN: usize = 4096;

/// Shows `frame` of a client that speaks `level`. Never fails; a password is shown by its length
/// alone.
pub(super) fn describe(frame: &Frame, level: Level) -> Packet {
    let mut fields = Fields {
        reader: Reader::new(frame.body.clone()),
        level,
        problem: None,
    };
    let (mut packet, read) = fields.packet(frame.head);
    let Fields {
        reader, problem, ..
    } = fields;
    let flags = frame.head & 0x0f;
    let usual = match frame.head >> 4 {
        3 => flags,
        6 | 8 | 10 => 2,
        _ => 0,
    };
    let problem = match read {
        Err(CutShort) => Some("the packet ends inside a field".to_owned()),
        Ok(()) if !reader.is_empty() => Some("bytes behind the end".to_owned()),
        Ok(()) => problem,
    };
    let mut rest = Some(reader.rest()).filter(|rest| !rest.is_empty());
    // What is left of a CONNECT may be its password.
    if let Packet::Connect(connect) = &mut packet {
        connect.rest_length = rest.take().map(|rest| rest.len());
    }
    let rest = rest.as_ref().map(hexed);
    packet.set_remainder((flags != usual).then_some(flags), problem, rest);
    packet
}

/// Topic, its alias, and payload of a PUBLISH, as well as they can be told.
pub(super) fn split_publish(frame: &Frame, level: Level) -> Option<(String, Option<u32>, Bytes)> {
    let mut reader = Reader::new(frame.body.clone());
    let topic = String::from_utf8_lossy(&reader.binary().ok()?).into_owned();
    if frame.head & 0b0110 != 0 {
        reader.number().ok()?;
    }
    let mut alias = None;
    if level == Level::V5 {
        let (shown, _) = Properties::describe(&mut reader).ok()?;
        let shown = shown.get("topic_alias").and_then(Value::as_u64);
        alias = shown.and_then(|alias| u32::try_from(alias).ok());
    }
    Some((topic, alias, reader.rest()))
}

type Read = Result<(), CutShort>;

/// The fields of one packet.
struct Fields {
    reader: Reader,
    level: Level,
    /// The first property that could not be read.
    problem: Option<String>,
}

impl Fields {
    /// The packet with those of its fields that could be read, and whether all could.
    fn packet(&mut self, head: u8) -> (Packet, Read) {
        macro_rules! read {
            ($name:ident $($how:tt)+) => {{
                let mut packet = $name::default();
                let read = self.$($how)+(&mut packet);
                (Packet::$name(packet), read)
            }};
        }
        /// A packet that has an identifier, a code and properties.
        macro_rules! acknowledgement {
            ($name:ident) => {{
                let mut packet = $name::default();
                let read = self
                    .id(&mut packet.id)
                    .and_then(|()| self.reason(&mut packet.code, &mut packet.properties));
                (Packet::$name(packet), read)
            }};
        }
        match head >> 4 {
            1 => read!(Connect connect),
            2 => read!(Connack connack),
            3 => {
                let mut packet = Publish::default();
                let read = self.publish(head, &mut packet);
                (Packet::Publish(packet), read)
            }
            4 => acknowledgement!(Puback),
            5 => acknowledgement!(Pubrec),
            6 => acknowledgement!(Pubrel),
            7 => acknowledgement!(Pubcomp),
            8 => read!(Subscribe subscribe),
            9 => read!(Suback suback),
            10 => read!(Unsubscribe unsubscribe),
            11 => read!(Unsuback unsuback),
            12 => (Packet::Pingreq(Pingreq::default()), Ok(())),
            13 => (Packet::Pingresp(Pingresp::default()), Ok(())),
            14 => {
                let mut packet = Disconnect::default();
                let read = self.reason(&mut packet.code, &mut packet.properties);
                (Packet::Disconnect(packet), read)
            }
            15 if self.level == Level::V5 => {
                let mut packet = Auth::default();
                let read = self.reason(&mut packet.code, &mut packet.properties);
                (Packet::Auth(packet), read)
            }
            _ => (Packet::Reserved(Reserved::default()), Ok(())),
        }
    }

    fn connect(&mut self, packet: &mut Connect) -> Read {
        packet.protocol = Some(text(&self.reader.binary()?));
        let level = self.reader.byte()?;
        packet.level = Some(level);
        let flags = self.reader.byte()?;
        packet.clean_session = Some(flags & 2 != 0);
        packet.reserved_flag = (flags & 1 != 0).then_some(true);
        packet.keep_alive_s = Some(self.reader.number()?);
        match level {
            5 => self.level = Level::V5,
            // Nothing is known of what stands there.
            6.. => return Ok(()),
            _ => self.level = Level::V311,
        }
        self.properties(&mut packet.properties)?;
        packet.client_id = Some(text(&self.reader.binary()?));
        if flags & 4 != 0 {
            let mut properties = None;
            self.properties(&mut properties)?;
            let topic = text(&self.reader.binary()?);
            let (payload, form) = payload(&self.reader.binary()?);
            packet.will = Some(ShownWill {
                topic,
                qos: flags >> 3 & 3,
                retain: flags & 0x20 != 0,
                payload,
                form,
                properties,
            });
        }
        // MQTT 3.1 lets these be left out in spite of their flags.
        let left_out = |reader: &Reader| level == 3 && reader.is_empty();
        if flags & 0x80 != 0 && !left_out(&self.reader) {
            packet.username = Some(text(&self.reader.binary()?));
        }
        if flags & 0x40 != 0 && !left_out(&self.reader) {
            packet.password_length = Some(self.reader.binary()?.len());
        }
        Ok(())
    }

    fn connack(&mut self, packet: &mut Connack) -> Read {
        packet.session_present = Some(self.reader.byte()? & 1 != 0);
        packet.code = Some(self.reader.byte()?);
        self.properties(&mut packet.properties)
    }

    fn publish(&mut self, head: u8, packet: &mut Publish) -> Read {
        let qos = head >> 1 & 3;
        packet.topic = Some(text(&self.reader.binary()?));
        packet.qos = Some(qos);
        packet.retain = Some(head & 1 != 0);
        packet.duplicate = (head & 8 != 0).then_some(true);
        if qos != 0 {
            self.id(&mut packet.id)?;
        }
        self.properties(&mut packet.properties)?;
        let rest = std::mem::replace(&mut self.reader, Reader::new(Bytes::new())).rest();
        let (shown, form) = payload(&rest);
        packet.length = Some(rest.len());
        packet.form = Some(form);
        packet.payload = Some(shown);
        Ok(())
    }

    fn subscribe(&mut self, packet: &mut Subscribe) -> Read {
        self.id(&mut packet.id)?;
        self.properties(&mut packet.properties)?;
        let filters = packet.filters.insert(Vec::new());
        while !self.reader.is_empty() {
            let filter = text(&self.reader.binary()?);
            let options = self.reader.byte()?;
            let mut subscribed = Subscribed {
                filter,
                qos: options,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
            };
            if self.level == Level::V5 {
                // What is reserved stays with the QoS, where it is seen.
                subscribed.qos = options & 0b1100_0011;
                subscribed.no_local = options & 4 != 0;
                subscribed.retain_as_published = options & 8 != 0;
                subscribed.retain_handling = options >> 4 & 3;
            }
            filters.push(subscribed);
        }
        Ok(())
    }

    fn suback(&mut self, packet: &mut Suback) -> Read {
        self.id(&mut packet.id)?;
        self.properties(&mut packet.properties)?;
        self.codes(packet.codes.insert(Vec::new()));
        Ok(())
    }

    fn unsubscribe(&mut self, packet: &mut Unsubscribe) -> Read {
        self.id(&mut packet.id)?;
        self.properties(&mut packet.properties)?;
        let filters = packet.filters.insert(Vec::new());
        while !self.reader.is_empty() {
            filters.push(text(&self.reader.binary()?));
        }
        Ok(())
    }

    fn unsuback(&mut self, packet: &mut Unsuback) -> Read {
        self.id(&mut packet.id)?;
        self.properties(&mut packet.properties)?;
        if self.level == Level::V5 {
            self.codes(packet.codes.insert(Vec::new()));
        }
        Ok(())
    }

    fn codes(&mut self, codes: &mut Vec<u8>) {
        while let Ok(code) = self.reader.byte() {
            codes.push(code);
        }
    }

    fn id(&mut self, id: &mut Option<u16>) -> Read {
        *id = Some(self.reader.number()?);
        Ok(())
    }

    /// A code and properties, which may be left out.
    fn reason(&mut self, code: &mut Option<u8>, shown: &mut Option<Map<String, Value>>) -> Read {
        if self.level != Level::V5 || self.reader.is_empty() {
            return Ok(());
        }
        *code = Some(self.reader.byte()?);
        if self.reader.is_empty() {
            return Ok(());
        }
        self.properties(shown)
    }

    fn properties(&mut self, shown: &mut Option<Map<String, Value>>) -> Read {
        if self.level != Level::V5 {
            return Ok(());
        }
        let (found, problem) = Properties::describe(&mut self.reader)?;
        self.problem = self.problem.take().or(problem);
        *shown = Some(found).filter(|found| !found.is_empty());
        Ok(())
    }
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
        shown_as(bytes, Level::V311)
    }

    fn shown_as(bytes: &[u8], level: Level) -> (&'static str, Value) {
        let frame = Frame {
            head: bytes[0],
            body: Bytes::copy_from_slice(&bytes[1..]),
        };
        let packet = describe(&frame, level);
        (packet.kind(), serde_json::to_value(packet).unwrap())
    }

    #[test]
    fn properties_are_shown_by_name_and_what_proves_an_identity_by_its_length() {
        let connect = b"\x10\x00\x04MQTT\x05\x02\x00\x3c\x12\x11\x00\x00\x00\x05\x15\x00\x01m\x16\x00\x06secret\x00\x01c";
        let (_, fields) = shown(connect);
        assert_eq!(
            fields["properties"],
            json!({
                "session_expiry_s": 5,
                "authentication_method": "m",
                "authentication_data": 6,
            })
        );
        assert_eq!(fields["client_id"], "c");
        assert_eq!(fields.get("problem"), None);
        let publish = b"\x30\x00\x01t\x0e\x26\x00\x01a\x00\x01b\x26\x00\x01a\x00\x01cx";
        let (_, fields) = shown_as(publish, Level::V5);
        let pairs = json!([["a", "b"], ["a", "c"]]);
        assert_eq!(fields["properties"]["user_properties"], pairs);
        assert_eq!(fields["payload"], "x");
    }

    #[test]
    fn a_property_that_cannot_be_read_is_a_problem_and_what_is_behind_them_is_read() {
        let (_, fields) = shown_as(b"\x30\x00\x01t\x03\x01\x01\x7fx", Level::V5);
        assert_eq!(fields["problem"], "a property that does not exist");
        assert_eq!(fields["properties"], json!({ "payload_format": true }));
        assert_eq!(fields["payload"], "x");
    }

    #[test]
    fn a_reason_code_is_shown_where_there_is_one() {
        let (kind, fields) = shown_as(b"\xe0\x8e\x00", Level::V5);
        assert_eq!((kind, &fields["code"]), ("disconnect", &json!(0x8e)));
        let (_, fields) = shown_as(b"\xb0\x00\x07\x00\x00\x11", Level::V5);
        assert_eq!(fields["codes"], json!([0, 0x11]));
        assert_eq!(shown_as(b"\x40\x00\x07", Level::V5).1.get("code"), None);
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
            let frame = Frame { head, body: body.into() };
            for level in [Level::V311, Level::V5] {
                let packet = describe(&frame, level);
                prop_assert!(serde_json::to_string(&packet).is_ok());
            }
        }

        #[test]
        fn a_long_payload_is_shown_up_to_a_bound(length in 0_usize..20_000, byte in any::<u8>()) {
            let (value, _) = payload(&Bytes::from(vec![byte; length]));
            prop_assert!(value.as_str().unwrap().len() <= 2 * SHOWN);
        }
    }
}
