//! A client that says exactly what it is told, byte by byte.
#![expect(dead_code, reason = "every test file uses another part of it")]

pub mod peer;
pub mod python;
pub mod thingsboard;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, Inhabitant};
use cloud::{Broker, BrokerSettings, Devices};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trace::{Event, Source, Trace};

/// Runs `test` on a runtime like a worker's, and ends it if it hangs.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that hangs does so in the host's time"
)]
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            tokio::time::timeout(Duration::from_secs(60), test)
                .await
                .expect("the test hangs");
        });
}

pub async fn plain_broker() -> (Broker, Trace) {
    broker(BrokerSettings::plain()).await
}

pub async fn broker(settings: BrokerSettings) -> (Broker, Trace) {
    let trace = Trace::in_memory(Clock::start(1000.0));
    let broker = Broker::start(settings, trace.clone(), Devices::default())
        .await
        .unwrap();
    (broker, trace)
}

/// The next event from `position` on for which `wanted` holds.
pub async fn event(trace: &Trace, wanted: impl Fn(&Event) -> bool) -> Arc<Event> {
    let mut position = 0;
    loop {
        if let Some(found) = trace
            .since(position)
            .into_iter()
            .find(|event| wanted(event))
        {
            return found;
        }
        position = trace.len();
        trace.longer_than(position).await;
    }
}

pub async fn event_of(trace: &Trace, source: Source, kind: &str) -> Value {
    let found = event(trace, |e| e.source == source && e.kind == kind).await;
    found.data.clone()
}

pub trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// One connection to the broker.
pub struct Wire {
    pipe: Box<dyn Pipe>,
    inhabitant: Option<Inhabitant>,
}

impl Wire {
    pub async fn to(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// As a gateway of the air connects for a device, which lives in lab time.
    pub async fn from_lab(broker: &Broker, trace: &Trace) -> Self {
        let stream = TcpStream::connect(broker.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let own = stream.local_addr().unwrap();
        Self {
            inhabitant: Some(trace.clock().inhabitant(own)),
            ..Self::over(stream)
        }
    }

    pub fn over(pipe: impl Pipe + 'static) -> Self {
        Self {
            pipe: Box::new(pipe),
            inhabitant: None,
        }
    }

    /// Connected, with a clean session and without keep-alive.
    pub async fn connected(broker: &Broker, id: &str) -> Self {
        let mut wire = Self::to(broker).await;
        wire.send(&connect(id)).await;
        wire.expect(&[0x20, 2, 0, 0], id).await;
        wire
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // The broker may have closed already, which the next expectation shows.
        let _ = self.pipe.write_all(bytes).await;
        let _ = self.pipe.flush().await;
    }

    /// The next packet, or nothing at the end.
    pub async fn packet(&mut self) -> Option<Vec<u8>> {
        let mut packet = vec![self.pipe.read_u8().await.ok()?];
        let mut length = 0;
        for at in 0.. {
            let byte = self.pipe.read_u8().await.ok()?;
            packet.push(byte);
            length |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let start = packet.len();
        packet.resize(start + length, 0);
        self.pipe.read_exact(&mut packet[start..]).await.ok()?;
        Some(packet)
    }

    pub async fn expect(&mut self, wanted: &[u8], what: &str) {
        let got = self.packet().await;
        assert_eq!(
            got.as_deref().map(hex::encode),
            Some(hex::encode(wanted)),
            "{what}"
        );
    }

    /// Everything that was sent before has been answered, and nothing else came.
    pub async fn quiet(&mut self, what: &str) {
        self.send(&[0xc0, 0]).await;
        self.expect(&[0xd0, 0], what).await;
    }

    pub async fn closed(&mut self, what: &str) {
        let got = self.packet().await;
        assert_eq!(
            got.map(hex::encode),
            None,
            "{what}: the connection is still open"
        );
    }

    /// Closes without DISCONNECT.
    pub async fn hang_up(mut self) {
        let _ = self.pipe.shutdown().await;
    }
}

pub fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut field = (text.len() as u16).to_be_bytes().to_vec();
    field.extend(text);
    field
}

pub fn packet(head: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut packet = vec![head];
    let mut left = body.len();
    loop {
        let more = if left > 127 { 0x80 } else { 0 };
        packet.push((left & 0x7f) as u8 | more);
        left >>= 7;
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

pub fn connect(id: &str) -> Vec<u8> {
    connect_with(0x02, 0, &[&text(id)])
}

/// CONNECT of 3.1.1 with these flags, this keep-alive and these fields.
pub fn connect_with(flags: u8, keep_alive: u16, fields: &[&[u8]]) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[4, flags], &keep_alive.to_be_bytes()].concat();
    packet(0x10, &[&head, &fields.concat()])
}

pub fn subscribe(id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for (filter, qos) in filters {
        body.extend(text(filter));
        body.push(*qos);
    }
    packet(0x82, &[&body])
}

pub fn unsubscribe(id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for filter in filters {
        body.extend(text(filter));
    }
    packet(0xa2, &[&body])
}

pub fn publish(topic: &str, payload: &str) -> Vec<u8> {
    packet(0x30, &[&text(topic), payload.as_bytes()])
}

pub fn retained(topic: &str, payload: &str) -> Vec<u8> {
    packet(0x31, &[&text(topic), payload.as_bytes()])
}

pub fn publish_with_id(qos: u8, id: u16, topic: &str, payload: &str) -> Vec<u8> {
    packet(
        0x30 | qos << 1,
        &[&text(topic), &id.to_be_bytes(), payload.as_bytes()],
    )
}

pub fn with_id(head: u8, id: u16) -> Vec<u8> {
    packet(head, &[&id.to_be_bytes()])
}

pub fn suback(id: u16, codes: &[u8]) -> Vec<u8> {
    packet(0x90, &[&id.to_be_bytes(), codes])
}
