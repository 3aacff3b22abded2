//! A phone on the LAN, which speaks CoAP.

use std::net::Ipv4Addr;

use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, with_timeout};
use serde_json::Value;

pub struct Phone(UdpSocket<'static>);

/// A datagram from the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub from: Ipv4Addr,
    /// Where it was sent.
    pub to: Ipv4Addr,
    /// Type, code, message id and token.
    pub header: Vec<u8>,
    /// The payload; null for none.
    pub json: Value,
}

impl Phone {
    pub fn new(stack: Stack<'static>) -> Self {
        fn leak<T: Clone>(value: T, count: usize) -> &'static mut [T] {
            Box::leak(vec![value; count].into_boxed_slice())
        }
        let mut socket = UdpSocket::new(
            stack,
            leak(PacketMetadata::EMPTY, 8),
            leak(0, 8192),
            leak(PacketMetadata::EMPTY, 8),
            leak(0, 8192),
        );
        socket.bind(5683).unwrap();
        Self(socket)
    }

    /// The next datagram, if one comes within so many ms.
    pub async fn hear(&self, ms: u64) -> Option<Heard> {
        let mut bytes = vec![0; 2048];
        let limit = Duration::from_millis(ms);
        let received = with_timeout(limit, self.0.recv_from(&mut bytes)).await;
        let (len, meta) = received.ok()?.unwrap();
        let IpAddress::Ipv4(from) = meta.endpoint.addr;
        let IpAddress::Ipv4(to) = meta.local_address.unwrap();
        let token = usize::from(bytes[0] & 15);
        let payload = bytes[..len].iter().position(|byte| *byte == 0xff);
        let json = payload.map(|at| serde_json::from_slice(&bytes[at + 1..len]).unwrap());
        Some(Heard {
            from,
            to,
            header: bytes[..4 + token].to_vec(),
            json: json.unwrap_or_default(),
        })
    }

    /// The next answer with content; notifications in between are passed over.
    pub async fn hear_answer(&self) -> Heard {
        loop {
            // smoltcp sends one ARP request in a second, so an answer may have to wait.
            let heard = self.hear(2_000).await.expect("an answer");
            if heard.header[1] == 0x45 {
                return heard;
            }
        }
    }

    pub async fn send(&self, to: Ipv4Addr, bytes: &[u8]) {
        self.0.send_to(bytes, (to, 5683)).await.unwrap();
    }

    /// Waits until everything has gone out.
    pub async fn flush(&mut self) {
        self.0.flush().await;
    }

    /// Asks for the device's token; `first` is version, type and token length 4.
    pub async fn query(&self, to: Ipv4Addr, first: u8) {
        let mut bytes = vec![first, 1, 0x12, 0x34, 10, 11, 12, 13];
        for (segment, delta) in [("sys", 0xb0), ("device", 0), ("info", 0), ("get", 0)] {
            bytes.push(delta | segment.len() as u8);
            bytes.extend(segment.as_bytes());
        }
        bytes.push(0xff);
        bytes.extend(br#"{"id":"123","version":"1.0","method":"device.info.get","params":{}}"#);
        self.send(to, &bytes).await;
    }
}
