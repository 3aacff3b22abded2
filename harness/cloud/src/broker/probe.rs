//! Whether the broker answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::Broker;
use super::listener::Listener;
use crate::packet::{Encoder, Frame, Publish, next_frame};

/// For the whole probe, in lab time, which runs at the host's pace meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// A topic that no device subscribes to: wildcards do not reach it.
const TOPIC: &str = "$proving/probe";

impl Broker {
    /// Proves that every listener accepts, that a session begins, and that a message comes back
    /// to its sender. Leaves no trace, and is blind to faults and hooks.
    pub async fn probe(&self) -> Result<(), ProbeError> {
        for listener in &self.listeners {
            let fail = |step, source| ProbeError {
                address: listener.address,
                step,
                source,
            };
            let mut step = "to be accepted";
            let probing = converse(listener, &mut step);
            match self.core.clock.timeout(PATIENCE, probing).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(fail(step, error)),
                Err(elapsed) => {
                    let error = io::Error::new(io::ErrorKind::TimedOut, elapsed);
                    return Err(fail(step, error));
                }
            }
        }
        Ok(())
    }
}

/// The broker does not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("the broker at {address} failed a probe that waited {step}")]
pub struct ProbeError {
    address: SocketAddr,
    step: &'static str,
    source: io::Error,
}

async fn converse(listener: &Listener, step: &mut &'static str) -> io::Result<()> {
    let mut target = listener.address;
    if target.ip().is_unspecified() {
        target.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let socket = if target.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind(SocketAddr::new(target.ip(), 0))?;
    let own = socket.local_addr()?;
    listener.expect_probe(own);
    let result = exchange(socket, target, step).await;
    // Only left if the connection never came.
    listener.forget_probe(&own);
    result
}

async fn exchange(
    socket: TcpSocket,
    target: SocketAddr,
    step: &mut &'static str,
) -> io::Result<()> {
    let mut stream = socket.connect(target).await?;
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::new();

    *step = "for CONNACK";
    stream.write_all(&connect(&stream)?).await?;
    expect(&mut stream, &mut buffer, |frame| {
        frame.head == 0x20 && frame.body[..] == [0, 0]
    })
    .await?;

    *step = "for SUBACK";
    stream.write_all(&subscribe()).await?;
    expect(&mut stream, &mut buffer, |frame| {
        frame.head == 0x90 && frame.body[..] == [0, 1, 0]
    })
    .await?;

    *step = "for its own message to come back";
    let mut out = Encoder::default();
    let payload = stream.local_addr()?.to_string();
    let message = Publish::new(TOPIC, payload.clone());
    out.publish(&message, clock::LabTime::START);
    stream.write_all(&out.take()).await?;
    // Another probe's message may come first.
    while !wait(&mut stream, &mut buffer)
        .await?
        .body
        .ends_with(payload.as_bytes())
    {}

    *step = "to be let go";
    stream.write_all(&[0xe0, 0]).await?;
    stream.shutdown().await
}

/// CONNECT with a client id that no other connection has.
fn connect(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let id = format!("proving-probe-{}", stream.local_addr()?);
    let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
    body.extend((id.len() as u16).to_be_bytes());
    body.extend(id.as_bytes());
    let mut packet = vec![0x10, body.len() as u8];
    packet.extend(body);
    Ok(packet)
}

fn subscribe() -> Vec<u8> {
    let mut packet = vec![0x82, TOPIC.len() as u8 + 5, 0, 1, 0, TOPIC.len() as u8];
    packet.extend(TOPIC.as_bytes());
    packet.push(0);
    packet
}

async fn expect(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    right: impl Fn(&Frame) -> bool,
) -> io::Result<()> {
    let frame = wait(stream, buffer).await?;
    if right(&frame) {
        return Ok(());
    }
    Err(io::Error::other(format!("instead came {frame:?}")))
}

async fn wait(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Frame> {
    loop {
        if let Some(frame) = next_frame(buffer, 4096).map_err(io::Error::other)? {
            return Ok(frame);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
