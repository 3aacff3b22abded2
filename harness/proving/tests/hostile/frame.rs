//! Network drivers that change what they send.

use std::cell::RefCell;
use std::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};

const ETHERNET: usize = 14;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a segment or datagram carries, and between which ports.
pub struct Payload<'f> {
    pub is_tcp: bool,
    pub from: u16,
    pub to: u16,
    pub bytes: &'f mut [u8],
}

/// Changes payloads; their length stays.
pub type Change = Box<dyn FnMut(Payload<'_>)>;

/// A driver whose payloads are changed on their way out.
pub struct Changing<D> {
    inner: D,
    change: RefCell<Change>,
}

impl<D> Changing<D> {
    pub fn new(inner: D, change: Change) -> Self {
        let change = RefCell::new(change);
        Self { inner, change }
    }
}

impl<D: Driver> Driver for Changing<D> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(
        &mut self,
        context: &mut Context<'_>,
    ) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let (received, token) = self.inner.receive(context)?;
        let change = &self.change;
        Some((received, TxToken { token, change }))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        let token = self.inner.transmit(context)?;
        let change = &self.change;
        Some(TxToken { token, change })
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        self.inner.link_state(context)
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.inner.hardware_address()
    }
}

/// Leave to send a frame.
pub struct TxToken<'a, T> {
    token: T,
    change: &'a RefCell<Change>,
}

impl<T: embassy_net_driver::TxToken> embassy_net_driver::TxToken for TxToken<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        self.token.consume(length, |frame| {
            let result = write(frame);
            change_payload(frame, &mut self.change.borrow_mut());
            result
        })
    }
}

/// Lets `change` have the payload of an IPv4 `frame` that has one, and mends the checksum.
fn change_payload(frame: &mut [u8], change: &mut Change) {
    if frame.len() < ETHERNET + 20 || frame[12..14] != [0x08, 0x00] {
        return;
    }
    let packet = &mut frame[ETHERNET..];
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let header = usize::from(packet[0] & 0x0F) * 4;
    let protocol = packet[9];
    let addresses: Vec<u8> = packet[12..20].to_vec();
    let segment = &mut packet[header..length];
    let (payload, checksum) = match protocol {
        TCP => (usize::from(segment[12] >> 4) * 4, 16),
        UDP => (8, 6),
        _ => return,
    };
    if payload >= segment.len() {
        return;
    }
    let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    let (from, to) = (port(0), port(2));
    change(Payload {
        is_tcp: protocol == TCP,
        from,
        to,
        bytes: &mut segment[payload..],
    });
    segment[checksum..checksum + 2].fill(0);
    // Over UDP, none is as good (RFC 768).
    if protocol == TCP {
        let sum = checksum_of(&addresses, protocol, segment).to_be_bytes();
        segment[checksum..checksum + 2].copy_from_slice(&sum);
    }
}

/// RFC 9293 §3.1: over the pseudo header and the segment.
fn checksum_of(addresses: &[u8], protocol: u8, segment: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> u64 {
        bytes
            .chunks(2)
            .map(|pair| {
                let low = pair.get(1).copied().unwrap_or_default();
                u64::from(u16::from_be_bytes([pair[0], low]))
            })
            .sum()
    };
    let mut sum = words(addresses) + u64::from(protocol) + segment.len() as u64 + words(segment);
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
