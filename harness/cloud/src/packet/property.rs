//! Properties of MQTT 5 packets (MQTT 5 §2.2.2).

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::Violation;
use super::reader::{CutShort, Reader};

/// Where properties stand: the number of the packet's type, or a will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u16);

impl Place {
    pub(crate) const WILL: Self = Self(1);
    pub(crate) const CONNECT: Self = Self::packet(1);
    pub(crate) const PUBLISH: Self = Self::packet(3);
    pub(crate) const SUBSCRIBE: Self = Self::packet(8);
    pub(crate) const UNSUBSCRIBE: Self = Self::packet(10);
    pub(crate) const DISCONNECT: Self = Self::packet(14);

    pub(crate) const fn packet(kind: u8) -> Self {
        Self(1 << kind)
    }
}

/// How a property's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// 0 or 1.
    Flag,
    Short,
    Long,
    Variable,
    Text,
    Binary,
    Pair,
}

macro_rules! properties {
    ($($number:literal $name:ident $shown:literal $form:ident $($place:literal)+;)*) => {
        /// A property's identifier (table 2-4).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Property {
            $($name = $number,)*
        }

        impl Property {
            const ALL: &[(u32, Self)] = &[$(($number, Self::$name),)*];

            /// Its name in the trace.
            const fn shown(self) -> &'static str {
                match self { $(Self::$name => $shown,)* }
            }

            const fn form(self) -> Form {
                match self { $(Self::$name => Form::$form,)* }
            }

            /// Every place where it may stand.
            const fn places(self) -> u16 {
                match self { $(Self::$name => 0 $(| 1 << $place)+,)* }
            }
        }
    };
}

// Number, name, form, and the packets by the number of their type; 0 is a will.
properties! {
    0x01 PayloadFormat "payload_format" Flag 0 3;
    0x02 MessageExpiry "message_expiry_s" Long 0 3;
    0x03 ContentType "content_type" Text 0 3;
    0x08 ResponseTopic "response_topic" Text 0 3;
    0x09 CorrelationData "correlation_data" Binary 0 3;
    0x0b SubscriptionId "subscription_ids" Variable 3 8;
    0x11 SessionExpiry "session_expiry_s" Long 1 2 14;
    0x12 AssignedClientId "assigned_client_id" Text 2;
    0x13 ServerKeepAlive "server_keep_alive_s" Short 2;
    0x15 AuthenticationMethod "authentication_method" Text 1 2 15;
    0x16 AuthenticationData "authentication_data" Binary 1 2 15;
    0x17 RequestProblemInformation "request_problem_information" Flag 1;
    0x18 WillDelay "will_delay_s" Long 0;
    0x19 RequestResponseInformation "request_response_information" Flag 1;
    0x1a ResponseInformation "response_information" Text 2;
    0x1c ServerReference "server_reference" Text 2 14;
    0x1f ReasonString "reason_string" Text 2 4 5 6 7 9 11 14 15;
    0x21 ReceiveMaximum "receive_maximum" Short 1 2;
    0x22 TopicAliasMaximum "topic_alias_maximum" Short 1 2;
    0x23 TopicAlias "topic_alias" Short 3;
    0x24 MaximumQos "maximum_qos" Flag 2;
    0x25 RetainAvailable "retain_available" Flag 2;
    0x26 User "user_properties" Pair 0 1 2 3 4 5 6 7 8 9 10 11 14 15;
    0x27 MaximumPacketSize "maximum_packet_size" Long 1 2;
    0x28 WildcardAvailable "wildcard_available" Flag 2;
    0x29 SubscriptionIdAvailable "subscription_id_available" Flag 2;
    0x2a SharedAvailable "shared_available" Flag 2;
}

/// A property's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u32),
    Text(String),
    Binary(Bytes),
    Pair(String, String),
}

/// The properties of one packet, in the order in which they stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties(Vec<(Property, Value)>);

impl Properties {
    /// Reads properties as the standard demands: known, each where it may stand, none twice that may
    /// not be there twice.
    pub(crate) fn read(reader: &mut Reader, place: Place) -> Result<Self, Violation> {
        let mut block = Self::block(reader)?;
        let mut found = Self::default();
        while !block.is_empty() {
            let (property, value) = one(&mut block)?;
            if property.places() & place.0 == 0 {
                return Err(Violation::protocol(
                    "a property that this packet cannot have",
                ));
            }
            // A client may give a subscription one identifier, and a message none.
            let repeats = property == Property::User;
            if property == Property::SubscriptionId && place == Place::PUBLISH {
                return Err(Violation::protocol(
                    "a subscription identifier in a client's PUBLISH",
                ));
            }
            if !repeats && found.get(property).is_some() {
                return Err(Violation::protocol("a property is there twice"));
            }
            check(property, &value)?;
            found.0.push((property, value));
        }
        Ok(found)
    }

    /// Shows properties as far as they can be read; also why they cannot be read to their end.
    pub(crate) fn describe(
        reader: &mut Reader,
    ) -> Result<(Map<String, Json>, Option<String>), CutShort> {
        let mut block = Self::block(reader)?;
        let mut shown = Map::new();
        while !block.is_empty() {
            match one(&mut block) {
                Ok((property, value)) => show(&mut shown, property, value),
                Err(violation) => return Ok((shown, Some(violation.to_string()))),
            }
        }
        Ok((shown, None))
    }

    fn block(reader: &mut Reader) -> Result<Reader, CutShort> {
        let length = usize::try_from(reader.variable()?).map_err(|_| CutShort)?;
        reader.split(length)
    }

    pub(crate) fn get(&self, property: Property) -> Option<&Value> {
        let mut found = self.0.iter().filter(|(other, _)| *other == property);
        found.next().map(|(_, value)| value)
    }

    pub(crate) fn number(&self, property: Property) -> Option<u32> {
        match self.get(property)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn text(&self, property: Property) -> Option<&str> {
        match self.get(property)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn push(&mut self, property: Property, value: Value) {
        self.0.push((property, value));
    }

    pub(crate) fn with_number(mut self, property: Property, number: u32) -> Self {
        self.push(property, Value::Number(number));
        self
    }

    pub(crate) fn remove(&mut self, property: Property) {
        self.0.retain(|(other, _)| *other != property);
    }

    /// Bytes behind their length.
    pub(crate) fn size(&self) -> usize {
        self.0
            .iter()
            .map(|(property, value)| 1 + size(*property, value))
            .sum()
    }

    /// Writes their length and them.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        write_variable(out, self.size());
        for (property, value) in &self.0 {
            out.push(*property as u8);
            match (value, property.form()) {
                (Value::Number(number), Form::Flag) => out.push(*number as u8),
                (Value::Number(number), Form::Short) => out.extend((*number as u16).to_be_bytes()),
                (Value::Number(number), Form::Variable) => write_variable(out, *number as usize),
                (Value::Number(number), _) => out.extend(number.to_be_bytes()),
                (Value::Text(text), _) => write_binary(out, text.as_bytes()),
                (Value::Binary(bytes), _) => write_binary(out, bytes),
                (Value::Pair(key, value), _) => {
                    write_binary(out, key.as_bytes());
                    write_binary(out, value.as_bytes());
                }
            }
        }
    }
}

/// Reads one property, whatever place it stands at.
fn one(reader: &mut Reader) -> Result<(Property, Value), Violation> {
    let number = reader.variable()?;
    let mut known = Property::ALL.iter().filter(|(other, _)| *other == number);
    let (_, property) = known
        .next()
        .ok_or(Violation::malformed("a property that does not exist"))?;
    let value = match property.form() {
        Form::Flag => Value::Number(reader.byte()?.into()),
        Form::Short => Value::Number(reader.number()?.into()),
        Form::Long => Value::Number(reader.long()?),
        Form::Variable => Value::Number(reader.variable()?),
        Form::Text => Value::Text(text(reader.binary()?)?),
        Form::Binary => Value::Binary(Bytes::copy_from_slice(&reader.binary()?)),
        Form::Pair => Value::Pair(text(reader.binary()?)?, text(reader.binary()?)?),
    };
    Ok((*property, value))
}

/// §2.2.2.2: what a value may be.
fn check(property: Property, value: &Value) -> Result<(), Violation> {
    let Value::Number(number) = value else {
        return Ok(());
    };
    if property.form() == Form::Flag && *number > 1 {
        return Err(Violation::protocol("a property is neither 0 nor 1"));
    }
    if *number > 0 {
        return Ok(());
    }
    match property {
        Property::TopicAlias => Err(Violation::coded(0x94, "topic alias 0")),
        Property::ReceiveMaximum | Property::MaximumPacketSize | Property::SubscriptionId => {
            Err(Violation::protocol("a property is 0 that may not be"))
        }
        _ => Ok(()),
    }
}

fn show(shown: &mut Map<String, Json>, property: Property, value: Value) {
    let json: Json = match value {
        // May be what proves an identity.
        Value::Binary(bytes) if property == Property::AuthenticationData => bytes.len().into(),
        Value::Number(number) => match property.form() {
            Form::Flag if number < 2 => (number == 1).into(),
            _ => number.into(),
        },
        Value::Text(text) => text.into(),
        Value::Binary(bytes) => hex::encode(bytes).into(),
        Value::Pair(key, value) => Json::Array(vec![key.into(), value.into()]),
    };
    let name = property.shown();
    if !matches!(property, Property::User | Property::SubscriptionId) {
        shown.insert(name.to_owned(), json);
        return;
    }
    let all = shown.entry(name).or_insert_with(|| Json::Array(Vec::new()));
    if let Json::Array(all) = all {
        all.push(json);
    }
}

fn text(bytes: Bytes) -> Result<String, Violation> {
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|_| Violation::malformed("a text that is not UTF-8"))?;
    if text.contains('\0') {
        return Err(Violation::malformed("U+0000 in a property"));
    }
    Ok(text)
}

fn size(property: Property, value: &Value) -> usize {
    match (value, property.form()) {
        (Value::Number(_), Form::Flag) => 1,
        (Value::Number(_), Form::Short) => 2,
        (Value::Number(number), Form::Variable) => variable_size(*number as usize),
        (Value::Number(_), _) => 4,
        (Value::Text(text), _) => 2 + text.len(),
        (Value::Binary(bytes), _) => 2 + bytes.len(),
        (Value::Pair(key, value), _) => 4 + key.len() + value.len(),
    }
}

/// Bytes of a variable byte integer.
pub(crate) const fn variable_size(number: usize) -> usize {
    match number {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Writes a variable byte integer.
pub(crate) fn write_variable(out: &mut Vec<u8>, mut left: usize) {
    loop {
        let more = if left > 0x7f { 0x80 } else { 0 };
        out.push((left & 0x7f) as u8 | more);
        left >>= 7;
        if left == 0 {
            return;
        }
    }
}

/// Writes bytes behind their length; what does not fit is cut off.
pub(crate) fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    // They were read from packets, so they fit.
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(&bytes[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], place: Place) -> Result<Properties, Violation> {
        Properties::read(&mut Reader::new(Bytes::copy_from_slice(bytes)), place)
    }

    #[test]
    fn properties_are_refused_for_the_reason_that_the_standard_has() {
        for (bytes, place, code) in [
            // Unknown.
            (&[2, 0x7f, 0][..], Place::CONNECT, 0x81),
            // Cut.
            (&[2, 0x11, 0], Place::CONNECT, 0x81),
            (&[9, 0x11, 0, 0, 0, 1], Place::CONNECT, 0x81),
            // In the wrong packet.
            (&[3, 0x23, 0, 1], Place::CONNECT, 0x82),
            (&[2, 0x0b, 1], Place::PUBLISH, 0x82),
            // Twice.
            (&[6, 0x21, 0, 1, 0x21, 0, 1], Place::CONNECT, 0x82),
            // Values that may not be.
            (&[3, 0x21, 0, 0], Place::CONNECT, 0x82),
            (&[5, 0x27, 0, 0, 0, 0], Place::CONNECT, 0x82),
            (&[2, 0x01, 2], Place::PUBLISH, 0x82),
            (&[3, 0x23, 0, 0], Place::PUBLISH, 0x94),
            (&[2, 0x0b, 0], Place::SUBSCRIBE, 0x82),
            (&[4, 0x03, 0, 1, 0xff], Place::PUBLISH, 0x81),
            (&[4, 0x03, 0, 1, 0], Place::PUBLISH, 0x81),
        ] {
            let refused = read(bytes, place);
            assert_eq!(refused.unwrap_err().code(), code, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            expiry in any::<u32>(),
            content in "[a-z é]{0,40}",
            data in prop::collection::vec(any::<u8>(), 0..100),
            pairs in prop::collection::vec(("[a-z]{0,9}", "[a-z]{0,9}"), 0..5),
        ) {
            let mut sent = Properties::default().with_number(Property::MessageExpiry, expiry);
            sent.push(Property::PayloadFormat, Value::Number(1));
            sent.push(Property::ContentType, Value::Text(content));
            sent.push(Property::CorrelationData, Value::Binary(data.into()));
            for (key, value) in pairs {
                sent.push(Property::User, Value::Pair(key, value));
            }
            let mut out = Vec::new();
            sent.write(&mut out);
            prop_assert_eq!(read(&out, Place::PUBLISH), Ok(sent));
        }

        #[test]
        fn garbage_is_read_or_refused_but_never_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = read(&bytes, Place::CONNECT);
            let _ = Properties::describe(&mut Reader::new(bytes.into()));
        }
    }
}
