//! A client of MQTT 3.1.1 or 5 for any broker: it reads what comes, and asserts nothing.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{packet, text};

/// A property: its identifier and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prop {
    Byte(u8, u8),
    Short(u8, u16),
    Long(u8, u32),
    Variable(u8, u32),
    Text(u8, String),
    Pair(String, String),
}

pub const PAYLOAD_FORMAT: u8 = 0x01;
pub const MESSAGE_EXPIRY: u8 = 0x02;
pub const CONTENT_TYPE: u8 = 0x03;
pub const RESPONSE_TOPIC: u8 = 0x08;
pub const CORRELATION: u8 = 0x09;
pub const SUBSCRIPTION_ID: u8 = 0x0b;
pub const SESSION_EXPIRY: u8 = 0x11;
pub const ASSIGNED_ID: u8 = 0x12;
pub const SERVER_KEEP_ALIVE: u8 = 0x13;
pub const AUTH_METHOD: u8 = 0x15;
pub const WILL_DELAY: u8 = 0x18;
pub const RECEIVE_MAXIMUM: u8 = 0x21;
pub const ALIAS_MAXIMUM: u8 = 0x22;
pub const ALIAS: u8 = 0x23;
pub const PACKET_MAXIMUM: u8 = 0x27;

pub fn named(id: u8, value: &str) -> Prop {
    Prop::Text(id, value.to_owned())
}

pub fn user(key: &str, value: &str) -> Prop {
    Prop::Pair(key.to_owned(), value.to_owned())
}

/// Properties behind their length.
pub fn block(props: &[Prop]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for prop in props {
        match prop {
            Prop::Byte(id, value) => bytes.extend([*id, *value]),
            Prop::Short(id, value) => {
                bytes.push(*id);
                bytes.extend(value.to_be_bytes());
            }
            Prop::Long(id, value) => {
                bytes.push(*id);
                bytes.extend(value.to_be_bytes());
            }
            Prop::Variable(id, value) => {
                bytes.push(*id);
                bytes.extend(&packet(0, &[&vec![0; *value as usize]])[1..][..size(*value)]);
            }
            Prop::Text(id, value) => {
                bytes.push(*id);
                bytes.extend(text(value));
            }
            Prop::Pair(key, value) => {
                bytes.push(0x26);
                bytes.extend(text(key));
                bytes.extend(text(value));
            }
        }
    }
    packet(0, &[&bytes])[1..].to_vec()
}

fn size(number: u32) -> usize {
    if number < 128 { 1 } else { 2 }
}

/// A packet that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Got {
    pub head: u8,
    pub id: u16,
    pub topic: String,
    pub payload: String,
    pub props: Vec<Prop>,
    /// Codes of SUBACK, UNSUBACK, CONNACK, DISCONNECT and of acknowledgements.
    pub codes: Vec<u8>,
    pub session_present: bool,
}

impl Got {
    pub fn kind(&self) -> u8 {
        self.head >> 4
    }

    pub fn qos(&self) -> u8 {
        self.head >> 1 & 3
    }

    pub fn retain(&self) -> bool {
        self.head & 1 == 1
    }

    pub fn duplicate(&self) -> bool {
        self.head & 8 == 8
    }

    /// A property that is a number.
    pub fn number(&self, wanted: u8) -> Option<u32> {
        self.props.iter().find_map(|prop| match prop {
            Prop::Byte(id, value) if *id == wanted => Some((*value).into()),
            Prop::Short(id, value) if *id == wanted => Some((*value).into()),
            Prop::Long(id, value) | Prop::Variable(id, value) if *id == wanted => Some(*value),
            _ => None,
        })
    }

    pub fn named(&self, wanted: u8) -> Option<&str> {
        self.props.iter().find_map(|prop| match prop {
            Prop::Text(id, value) if *id == wanted => Some(value.as_str()),
            _ => None,
        })
    }
}

/// What a CONNECT says.
#[derive(Clone, Debug)]
pub struct Hello<'s> {
    pub level: u8,
    pub id: &'s str,
    pub clean: bool,
    pub keep_alive: u16,
    pub props: Vec<Prop>,
    /// Topic, payload, properties.
    pub will: Option<(&'s str, &'s str, Vec<Prop>)>,
}

impl<'s> Hello<'s> {
    pub fn new(level: u8, id: &'s str) -> Self {
        Self {
            level,
            id,
            clean: true,
            keep_alive: 0,
            props: Vec::new(),
            will: None,
        }
    }

    /// Goes on with a session, and keeps it.
    pub fn kept(self) -> Self {
        let clean = false;
        match self.level {
            5 => Self { clean, ..self }.with(Prop::Long(SESSION_EXPIRY, 3600)),
            _ => Self { clean, ..self },
        }
    }

    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }

    pub fn will(mut self, topic: &'s str, payload: &'s str) -> Self {
        self.will = Some((topic, payload, Vec::new()));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let will = if self.will.is_some() { 0x04 } else { 0 };
        let flags = u8::from(self.clean) << 1 | will;
        let mut body = [&text("MQTT")[..], &[self.level, flags]].concat();
        body.extend(self.keep_alive.to_be_bytes());
        if self.level == 5 {
            body.extend(block(&self.props));
        }
        body.extend(text(self.id));
        if let Some((topic, payload, props)) = &self.will {
            if self.level == 5 {
                body.extend(block(props));
            }
            body.extend(text(topic));
            body.extend(text(payload));
        }
        packet(0x10, &[&body])
    }
}

/// A connection to any broker.
pub struct Peer {
    stream: TcpStream,
    pub level: u8,
    next_id: u16,
}

impl Peer {
    /// Connects; the CONNACK, or what came instead.
    pub async fn greet(to: SocketAddr, hello: &Hello<'_>) -> (Self, Option<Got>) {
        let mut peer = Self::silent(to, hello.level).await;
        peer.send(&hello.bytes()).await;
        let got = peer.next().await;
        (peer, got)
    }

    /// Connects and is let in.
    pub async fn open(to: SocketAddr, hello: &Hello<'_>) -> (Self, Got) {
        let (peer, got) = Self::greet(to, hello).await;
        let got = got.expect("CONNACK");
        assert_eq!(
            (got.head, got.codes.as_slice()),
            (0x20, &[0][..]),
            "{got:?}"
        );
        (peer, got)
    }

    pub async fn silent(to: SocketAddr, level: u8) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            level,
            next_id: 0,
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Subscribes, with properties; codes of the SUBACK. Messages that come before it are lost.
    pub async fn subscribe_with(&mut self, filters: &[(&str, u8)], props: &[Prop]) -> Vec<u8> {
        let id = self.id();
        let mut body = id.to_be_bytes().to_vec();
        self.props(&mut body, props);
        for (filter, options) in filters {
            body.extend(text(filter));
            body.push(*options);
        }
        self.send(&packet(0x82, &[&body])).await;
        self.answer(9).await.codes
    }

    pub async fn subscribe(&mut self, filters: &[(&str, u8)]) -> Vec<u8> {
        self.subscribe_with(filters, &[]).await
    }

    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        let id = self.id();
        let mut body = id.to_be_bytes().to_vec();
        self.props(&mut body, &[]);
        for filter in filters {
            body.extend(text(filter));
        }
        self.send(&packet(0xa2, &[&body])).await;
        self.answer(11).await.codes
    }

    /// Publishes without waiting for anything. Flags: 1 retained.
    pub async fn publish_with(
        &mut self,
        topic: &str,
        payload: &str,
        qos: u8,
        flags: u8,
        props: &[Prop],
    ) -> u16 {
        let mut body = text(topic);
        let mut id = 0;
        if qos > 0 {
            id = self.id();
            body.extend(id.to_be_bytes());
        }
        self.props(&mut body, props);
        body.extend(payload.as_bytes());
        self.send(&packet(0x30 | qos << 1 | flags, &[&body])).await;
        id
    }

    /// Publishes and waits until the exchange is over; the code of its last packet.
    pub async fn publish(
        &mut self,
        topic: &str,
        payload: &str,
        qos: u8,
        flags: u8,
        props: &[Prop],
    ) -> u8 {
        let id = self.publish_with(topic, payload, qos, flags, props).await;
        match qos {
            0 => 0,
            1 => code(&self.answer(4).await),
            _ => {
                let received = code(&self.answer(5).await);
                if received >= 0x80 {
                    return received;
                }
                self.send(&packet(0x62, &[&id.to_be_bytes()])).await;
                code(&self.answer(7).await)
            }
        }
    }

    /// The next message, acknowledged as its QoS wants it.
    pub async fn message(&mut self) -> Option<Got> {
        loop {
            let got = self.next().await?;
            match got.kind() {
                3 => {
                    let id = got.id.to_be_bytes();
                    match got.qos() {
                        1 => self.send(&packet(0x40, &[&id])).await,
                        2 => self.send(&packet(0x50, &[&id])).await,
                        _ => {}
                    }
                    return Some(got);
                }
                6 => {
                    let id = got.id.to_be_bytes();
                    self.send(&packet(0x70, &[&id])).await;
                }
                _ => {}
            }
        }
    }

    /// Every message until nothing has come for a while.
    pub async fn messages(&mut self) -> Vec<Got> {
        let mut all = Vec::new();
        while let Some(Some(got)) = within(QUIET, self.message()).await {
            all.push(got);
        }
        all
    }

    /// What comes next, but not for ever.
    pub async fn soon(&mut self, seconds: u64) -> Option<Option<Got>> {
        within(Duration::from_secs(seconds), self.next()).await
    }

    /// DISCONNECT, and nothing more.
    pub async fn leave(mut self, code: u8, props: &[Prop]) {
        let bytes = match (self.level, code, props) {
            (5, 0, []) | (3 | 4, ..) => packet(0xe0, &[]),
            _ => packet(0xe0, &[&[code], &block(props)]),
        };
        self.send(&bytes).await;
        // The broker closes.
        while let Some(Some(_)) = within(QUIET * 4, self.next()).await {}
    }

    /// The next packet, or nothing at the end.
    pub async fn next(&mut self) -> Option<Got> {
        let head = self.stream.read_u8().await.ok()?;
        let mut length = 0;
        for at in 0..4 {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(read(head, &body, self.level == 5))
    }

    fn id(&mut self) -> u16 {
        self.next_id += 1;
        self.next_id
    }

    fn props(&self, body: &mut Vec<u8>, props: &[Prop]) {
        if self.level == 5 {
            body.extend(block(props));
        }
    }

    async fn answer(&mut self, kind: u8) -> Got {
        loop {
            let got = self.next().await.expect("an answer, not the end");
            if got.kind() == kind {
                return got;
            }
            assert!(matches!(got.kind(), 3 | 6), "instead came {got:?}");
        }
    }
}

/// Nothing comes any more after so long.
const QUIET: Duration = Duration::from_millis(250);

#[expect(
    clippy::disallowed_methods,
    reason = "other brokers live in the host's time"
)]
pub async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, what).await.ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "other brokers live in the host's time"
)]
pub async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn code(got: &Got) -> u8 {
    got.codes.first().copied().unwrap_or_default()
}

fn read(head: u8, mut body: &[u8], five: bool) -> Got {
    let mut got = Got {
        head,
        ..Got::default()
    };
    let at = &mut body;
    match head >> 4 {
        2 => {
            got.session_present = take(at, 1)[0] & 1 == 1;
            got.codes = take(at, 1).to_vec();
        }
        3 => {
            got.topic = string(at);
            if head & 6 != 0 {
                got.id = short(at);
            }
        }
        4..=7 => {
            got.id = short(at);
            if !at.is_empty() {
                got.codes = take(at, 1).to_vec();
            }
        }
        9 | 11 => got.id = short(at),
        14 if !at.is_empty() => got.codes = take(at, 1).to_vec(),
        _ => {}
    }
    if five && !at.is_empty() {
        got.props = properties(at);
    }
    match head >> 4 {
        3 => got.payload = String::from_utf8_lossy(at).into_owned(),
        9 | 11 => got.codes = at.to_vec(),
        _ => assert!(at.is_empty(), "bytes behind the end: {got:?} {at:?}"),
    }
    got
}

fn properties(at: &mut &[u8]) -> Vec<Prop> {
    let length = variable(at);
    let mut block = take(at, length as usize);
    let at = &mut block;
    let mut props = Vec::new();
    while !at.is_empty() {
        let id = take(at, 1)[0];
        props.push(match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2a => Prop::Byte(id, take(at, 1)[0]),
            0x13 | 0x21..=0x23 => Prop::Short(id, short(at)),
            0x02 | 0x11 | 0x18 | 0x27 => {
                Prop::Long(id, u32::from_be_bytes(take(at, 4).try_into().unwrap()))
            }
            0x0b => Prop::Variable(id, variable(at)),
            0x26 => Prop::Pair(string(at), string(at)),
            _ => Prop::Text(id, string(at)),
        });
    }
    props
}

fn take<'b>(at: &mut &'b [u8], count: usize) -> &'b [u8] {
    let (taken, rest) = at.split_at(count);
    *at = rest;
    taken
}

fn short(at: &mut &[u8]) -> u16 {
    u16::from_be_bytes(take(at, 2).try_into().unwrap())
}

fn string(at: &mut &[u8]) -> String {
    let length = short(at);
    String::from_utf8(take(at, length.into()).to_vec()).unwrap()
}

fn variable(at: &mut &[u8]) -> u32 {
    let mut number = 0;
    for shift in (0..28).step_by(7) {
        let byte = take(at, 1)[0];
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}
