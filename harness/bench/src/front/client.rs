//! A small MQTT client, the same against every broker.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::setup::Outcome;

const TOPIC: &str = "bench/messages";
/// Unacknowledged messages at any time.
const WINDOW: usize = 50;
/// Bytes of payload.
const PAYLOAD: usize = 128;
/// Bytes that are written at once where nothing is waited for.
const CHUNK: usize = 8 << 10;
/// Longer than any of these measurements.
const LIMIT: Duration = Duration::from_secs(30);

/// At which quality of service messages are published and received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QoS {
    /// At most once: without acknowledgement.
    Zero,
    /// At least once: 50 are unacknowledged at any time.
    One,
}

/// How far a stream of messages has come.
#[derive(Default)]
struct Progress {
    acknowledged: Cell<usize>,
    received: Cell<usize>,
}

/// How one broker is reached.
#[derive(Clone)]
pub struct Client {
    port: u16,
    connector: TlsConnector,
    /// Whether it speaks MQTT 5 and not 3.1.1.
    five: bool,
}

impl Client {
    /// For the broker on this port of the loopback, with the certificates in `folder`. Every
    /// handshake is a full one.
    pub fn new(port: u16, folder: &Path) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("ca.pem"))?)?;
        let chain = CertificateDer::pem_file_iter(folder.join("client.pem"))?;
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(folder.join("client.key"))?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        config.resumption = Resumption::disabled();
        Ok(Self {
            port,
            connector: TlsConnector::from(Arc::new(config)),
            five: false,
        })
    }

    /// The same by MQTT 5.
    pub fn by_five(self) -> Self {
        Self { five: true, ..self }
    }

    /// Messages per second, from one client to another: until all `count` have been received, each
    /// once and in order, and all of QoS 1 have been acknowledged.
    pub async fn messages(&self, qos: QoS, count: usize) -> Outcome<f64> {
        let mut publisher = self.connect("bench-publisher").await?;
        let mut subscriber = self.connect("bench-subscriber").await?;
        subscriber.subscribe(qos).await?;
        let progress = Progress::default();
        let began = Instant::now();
        let both = async {
            let publishing = async {
                match qos {
                    QoS::Zero => publisher.publish_unacknowledged(count).await,
                    QoS::One => publisher.publish(count, &progress).await,
                }
            };
            tokio::try_join!(publishing, subscriber.receive(qos, count, &progress))
        };
        within(both).await.map_err(|error| {
            let (acknowledged, received) = (progress.acknowledged.get(), progress.received.get());
            format!(
                "{error}; of {count} messages {received} were received, {acknowledged} acknowledged"
            )
        })?;
        let took = began.elapsed();
        publisher.leave().await?;
        subscriber.leave().await?;
        Ok(count as f64 / took.as_secs_f64())
    }

    /// Connections per second, from TCP's SYN to CONNACK, `at_once` of them at any time.
    pub async fn connects(&self, count: usize, at_once: usize) -> Outcome<f64> {
        let began = Instant::now();
        let mut lanes = tokio::task::JoinSet::new();
        for lane in 0..at_once {
            let client = self.clone();
            lanes.spawn(async move {
                for number in 0..count / at_once {
                    let link = client.connect(&format!("bench-{lane}-{number}")).await?;
                    link.leave().await?;
                }
                Outcome::Ok(())
            });
        }
        within(async {
            while let Some(ended) = lanes.join_next().await {
                ended??;
            }
            Ok(())
        })
        .await?;
        Ok((count / at_once * at_once) as f64 / began.elapsed().as_secs_f64())
    }

    async fn connect(&self, id: &str) -> Outcome<BrokerConnection> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let stream = self.connector.connect(name, stream).await?;
        let mut link = BrokerConnection {
            stream,
            inbox: Vec::new(),
            five: self.five,
        };
        // Clean session, no keep-alive.
        let level = if self.five { 5 } else { 4 };
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 0];
        body.extend(no_properties(self.five));
        body.extend(text(id));
        link.stream.write_all(&packet(0x10, &body)).await?;
        match link.next().await? {
            // What the broker offers a client of MQTT 5 stands behind.
            (0x20, body) if body.starts_with(&[0, 0]) => Ok(link),
            (head, body) => Err(format!("no CONNACK of success: {head:#04x} {body:?}").into()),
        }
    }
}

struct BrokerConnection {
    stream: TlsStream<TcpStream>,
    inbox: Vec<u8>,
    five: bool,
}

impl BrokerConnection {
    async fn subscribe(&mut self, qos: QoS) -> Outcome<()> {
        let qos = match qos {
            QoS::Zero => 0,
            QoS::One => 1,
        };
        let mut body = vec![0, 1];
        body.extend(no_properties(self.five));
        body.extend(text(TOPIC));
        body.push(qos);
        self.stream.write_all(&packet(0x82, &body)).await?;
        let mut granted = vec![0, 1];
        granted.extend(no_properties(self.five));
        granted.push(qos);
        match self.next().await? {
            (0x90, body) if body == granted => Ok(()),
            (head, body) => Err(format!("no SUBACK of QoS {qos}: {head:#04x} {body:?}").into()),
        }
    }

    /// As fast as the broker reads.
    async fn publish_unacknowledged(&mut self, count: usize) -> Outcome<()> {
        let mut out = Vec::new();
        for number in 0..count {
            out.extend(publish(QoS::Zero, number, self.five));
            if out.len() >= CHUNK || number + 1 == count {
                self.stream.write_all(&out).await?;
                out.clear();
            }
        }
        Ok(())
    }

    async fn publish(&mut self, count: usize, progress: &Progress) -> Outcome<()> {
        let (mut sent, mut acknowledged) = (0, 0);
        let mut out = Vec::new();
        while acknowledged < count {
            while sent < count && sent - acknowledged < WINDOW {
                out.extend(publish(QoS::One, sent, self.five));
                sent += 1;
            }
            self.stream.write_all(&out).await?;
            out.clear();
            self.fill().await?;
            while let Some((head, _)) = self.take()? {
                if head != 0x40 {
                    return Err(format!("expected PUBACK, got {head:#04x}").into());
                }
                acknowledged += 1;
                progress.acknowledged.set(acknowledged);
            }
        }
        Ok(())
    }

    async fn receive(&mut self, qos: QoS, count: usize, progress: &Progress) -> Outcome<()> {
        let (wanted, id) = match qos {
            QoS::Zero => (0x30, 0),
            QoS::One => (0x32, 2),
        };
        let mut received = 0;
        let mut out = Vec::new();
        while received < count {
            self.fill().await?;
            while let Some((head, body)) = self.take()? {
                let id_ends = 2 + TOPIC.len() + id;
                let start = id_ends + no_properties(self.five).len();
                if head & 0xf6 != wanted || body.len() != start + PAYLOAD {
                    return Err(format!("expected PUBLISH of {qos:?}, got {head:#04x}").into());
                }
                if body[start..] != payload(received) {
                    return Err(format!("message {received} is not the next one").into());
                }
                if qos == QoS::One {
                    out.extend(packet(0x40, &body[id_ends - id..id_ends]));
                }
                received += 1;
                progress.received.set(received);
            }
            self.stream.write_all(&out).await?;
            out.clear();
        }
        Ok(())
    }

    async fn leave(mut self) -> Outcome<()> {
        self.stream.write_all(&packet(0xe0, &[])).await?;
        // The broker may have closed already.
        let _ = self.stream.shutdown().await;
        Ok(())
    }

    /// The next packet: its first byte and its body.
    async fn next(&mut self) -> Outcome<(u8, Vec<u8>)> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Outcome<()> {
        match self.stream.read_buf(&mut self.inbox).await? {
            0 => Err("the broker closed the connection".into()),
            _ => Ok(()),
        }
    }

    fn take(&mut self) -> Outcome<Option<(u8, Vec<u8>)>> {
        // No packet that is awaited here has a body of 16 kB or more.
        let (length, start) = match self.inbox[..] {
            [_, length, ..] if length < 0x80 => (usize::from(length), 2),
            [_, low, high, ..] if high < 0x80 => {
                (usize::from(low & 0x7f) | usize::from(high) << 7, 3)
            }
            [_, _, _, ..] => return Err("a packet that was not asked for".into()),
            _ => return Ok(None),
        };
        if self.inbox.len() < start + length {
            return Ok(None);
        }
        let packet: Vec<u8> = self.inbox.drain(..start + length).collect();
        Ok(Some((packet[0], packet[start..].to_vec())))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "both brokers are measured in the host's time"
)]
async fn within<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::time::timeout(LIMIT, work)
        .await
        .map_err(|_| format!("not done within {LIMIT:?}"))?
}

/// The length of no properties, where there may be some.
fn no_properties(five: bool) -> &'static [u8] {
    if five { &[0] } else { &[] }
}

fn publish(qos: QoS, number: usize, five: bool) -> Vec<u8> {
    let mut body = text(TOPIC);
    if qos == QoS::One {
        // Identifiers must not be 0, and 50 in a row differ.
        body.extend((number as u16 % 60_000 + 1).to_be_bytes());
    }
    body.extend(no_properties(five));
    body.extend(payload(number));
    packet(if qos == QoS::One { 0x32 } else { 0x30 }, &body)
}

fn payload(number: usize) -> [u8; PAYLOAD] {
    let mut payload = [b'x'; PAYLOAD];
    payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
    payload
}

fn text(text: &str) -> Vec<u8> {
    let mut field = (text.len() as u16).to_be_bytes().to_vec();
    field.extend(text.as_bytes());
    field
}

fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![head];
    let length = body.len();
    if length < 0x80 {
        packet.push(length as u8);
    } else {
        packet.extend([length as u8 | 0x80, (length >> 7) as u8]);
    }
    packet.extend(body);
    packet
}
