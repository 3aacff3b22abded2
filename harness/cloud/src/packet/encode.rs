//! Writing packets, each as the client's generation of the protocol has it.

use bytes::Bytes;
use clock::LabTime;

use super::property::{variable_size, write_binary, write_variable};
use super::{Level, Properties, Property, Publish, Value};

/// Aliases of topics that are given to one client at most; after that, topics are written out.
const ALIASES: u16 = 16;

/// Packets on their way out, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    out: Vec<u8>,
    level: Level,
    /// Topics that have an alias, from alias 1 on.
    aliases: Vec<String>,
    most_aliases: u16,
}

impl Encoder {
    /// Writes as `level` has it from now on, with up to `most_aliases` aliases of topics.
    pub(crate) fn speak(&mut self, level: Level, most_aliases: u16) {
        self.level = level;
        self.most_aliases = most_aliases.min(ALIASES);
    }

    /// The topic to which the alias `alias` was given.
    pub(crate) fn topic(&self, alias: u32) -> Option<&str> {
        let at = usize::try_from(alias).ok()?.checked_sub(1)?;
        self.aliases.get(at).map(String::as_str)
    }

    /// The topics that have an alias, from alias 1 on.
    pub(super) fn aliases(&self) -> Vec<Option<String>> {
        self.aliases.iter().cloned().map(Some).collect()
    }

    /// `code` is that of the client's generation.
    pub(crate) fn connack(&mut self, session_present: bool, code: u8, properties: &Properties) {
        self.out.push(0x20);
        let head = [u8::from(session_present), code];
        if self.level == Level::V5 {
            self.length(2 + block(properties));
            self.out.extend(head);
            properties.write(&mut self.out);
        } else {
            self.length(2);
            self.out.extend(head);
        }
    }

    pub(crate) fn puback(&mut self, id: u16, code: u8) {
        self.acknowledgement(0x40, id, code);
    }

    pub(crate) fn pubrec(&mut self, id: u16, code: u8) {
        self.acknowledgement(0x50, id, code);
    }

    pub(crate) fn pubrel(&mut self, id: u16, code: u8) {
        self.acknowledgement(0x62, id, code);
    }

    pub(crate) fn pubcomp(&mut self, id: u16, code: u8) {
        self.acknowledgement(0x70, id, code);
    }

    /// `codes` are left out before MQTT 5, which has none.
    pub(crate) fn unsuback(&mut self, id: u16, codes: &[u8]) {
        match self.level {
            Level::V5 => self.acknowledged(0xb0, id, codes),
            _ => self.acknowledgement(0xb0, id, 0),
        }
    }

    pub(crate) fn suback(&mut self, id: u16, codes: &[u8]) {
        self.acknowledged(0x90, id, codes);
    }

    pub(crate) fn pingresp(&mut self) {
        self.out.extend([0xd0, 0]);
    }

    /// Says why the connection ends, which only MQTT 5 lets a broker do (§3.14).
    pub(crate) fn disconnect(&mut self, code: u8, reason: Option<&str>) {
        if self.level != Level::V5 {
            return;
        }
        let mut properties = Properties::default();
        if let Some(reason) = reason {
            properties.push(Property::ReasonString, Value::Text(reason.to_owned()));
        }
        self.out.push(0xe0);
        self.length(1 + block(&properties));
        self.out.push(code);
        properties.write(&mut self.out);
    }

    /// `now` counts down how long the message is good for (MQTT 5 §3.3.2.3.3).
    pub(crate) fn publish(&mut self, publish: &Publish, now: LabTime) {
        let flags =
            u8::from(publish.duplicate) << 3 | publish.qos.number() << 1 | u8::from(publish.retain);
        self.out.push(0x30 | flags);
        let id = publish.id.map_or(0, |_| 2);
        if self.level == Level::V5 {
            let mut properties = publish.properties_at(now);
            let mut topic = publish.topic.as_str();
            if let Some((alias, known)) = self.alias(topic) {
                properties.push(Property::TopicAlias, Value::Number(alias));
                topic = if known { "" } else { topic };
            }
            self.length(2 + topic.len() + id + block(&properties) + publish.payload.len());
            write_binary(&mut self.out, topic.as_bytes());
            self.id(publish.id);
            properties.write(&mut self.out);
        } else {
            self.length(2 + publish.topic.len() + id + publish.payload.len());
            write_binary(&mut self.out, publish.topic.as_bytes());
            self.id(publish.id);
        }
        self.out.extend(&publish.payload);
    }

    /// Bytes of a packet with `publish`, at most.
    pub(crate) fn size(&self, publish: &Publish) -> usize {
        let mut body = 4 + publish.topic.len() + publish.payload.len();
        if self.level == Level::V5 {
            // What is counted down, and an alias.
            body += block(&publish.properties) + 5 + 3;
        }
        1 + variable_size(body) + body
    }

    /// Any bytes.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// The bytes from `start` on.
    pub(crate) fn since(&self, start: usize) -> Bytes {
        Bytes::copy_from_slice(self.out.get(start..).unwrap_or_default())
    }

    /// Everything, which is then gone from here.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The alias of `topic`, and whether the client knows it; none if all are given away.
    fn alias(&mut self, topic: &str) -> Option<(u32, bool)> {
        if self.most_aliases == 0 {
            return None;
        }
        let known = self.aliases.iter().position(|other| other == topic);
        let at = known.unwrap_or(self.aliases.len());
        let alias = u32::try_from(at + 1).ok()?;
        if known.is_none() {
            if alias > self.most_aliases.into() {
                return None;
            }
            self.aliases.push(topic.to_owned());
        }
        Some((alias, known.is_some()))
    }

    fn acknowledgement(&mut self, head: u8, id: u16, code: u8) {
        // MQTT 5 lets success be left out.
        let says = self.level == Level::V5 && code != 0;
        self.out.push(head);
        self.length(if says { 3 } else { 2 });
        self.out.extend(id.to_be_bytes());
        if says {
            self.out.push(code);
        }
    }

    fn acknowledged(&mut self, head: u8, id: u16, codes: &[u8]) {
        let properties = usize::from(self.level == Level::V5);
        self.out.push(head);
        self.length(2 + properties + codes.len());
        self.out.extend(id.to_be_bytes());
        self.out.extend(std::iter::repeat_n(0, properties));
        self.out.extend(codes);
    }

    fn id(&mut self, id: Option<u16>) {
        if let Some(id) = id {
            self.out.extend(id.to_be_bytes());
        }
    }

    fn length(&mut self, length: usize) {
        write_variable(&mut self.out, length);
    }
}

/// Bytes of properties and of their length.
fn block(properties: &Properties) -> usize {
    let size = properties.size();
    variable_size(size) + size
}
