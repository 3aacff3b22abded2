//! What the Bluetooth host must not see.
//!
//! trouble-host 0.8 reads an attribute request without asking whether it is long enough
//! (`att.rs`, `AttReq::decode_with_opcode`), and panics where it is not: one short packet of any phone
//! would be the end of the device. So would some orders of opening and closing channels, of which this
//! device has none.

use alloc::vec;
use core::convert::Infallible;
use core::ops::RangeInclusive;

use bt_hci_transport::{PacketKind, PacketToController, PacketToHost, ReadHciError, Transport};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embedded_io::Read;
use embedded_io_async::{ErrorType, Read as AsyncRead};

/// Fixed channels of the attribute protocol and of pairing (Core 5.4 Vol 3 Part A §2.1). The other
/// ones are for channels that are opened and closed.
const ATT: [u8; 2] = [4, 0];
const SECURITY_MANAGER: [u8; 2] = [6, 0];
/// Packet boundary flag of a fragment that continues (Core 5.4 Vol 4 Part E §5.4.2).
const CONTINUING: u8 = 1;
/// Headers of ACL data and of L2CAP.
const HEADERS: usize = 4 + 4;
/// What a request is filled up with: no attribute has such a handle, so it is answered with an error.
const FILLING: u8 = 0xFF;
const READ_BY_GROUP_TYPE: u8 = 0x10;

const DISCONNECTION_COMPLETE: u8 = 0x05;

/// Tells that a connection has ended, whether the host had taken it or not.
pub(super) type Ended = Signal<NoopRawMutex, ()>;

/// A controller, without the packets that would harm its host.
pub(super) struct Guard<'e, H> {
    pub(super) hci: H,
    pub(super) ended: &'e Ended,
}

impl<H: ErrorType> ErrorType for Guard<'_, H> {
    type Error = H::Error;
}

impl<H: Transport<Error: From<ReadHciError<Infallible>>>> Transport for Guard<'_, H> {
    async fn read<'a, P: PacketToHost<'a>>(&self, buffer: &'a mut [u8]) -> Result<P, H::Error> {
        // The host keeps its buffers for what follows the headers.
        let mut raw = vec![0; buffer.len() + HEADERS];
        loop {
            let Raw { kind, length } = self.hci.read(&mut raw).await?;
            let length = match kind {
                PacketKind::AclData => mended(&mut raw, length),
                PacketKind::Event if raw.first() == Some(&DISCONNECTION_COMPLETE) => {
                    self.ended.signal(());
                    Some(length)
                }
                _ => Some(length),
            };
            if let Some(mut packet) = length.and_then(|length| raw.get(..length)) {
                return Ok(P::read_hci(kind, &mut packet, buffer)?);
            }
            log::warn!(target: super::TAG, "a packet of a kind that no host reads is ignored");
        }
    }

    async fn write<P: PacketToController>(&self, packet: &P) -> Result<(), H::Error> {
        self.hci.write(packet).await
    }
}

/// Makes ACL data harmless that is in the first `length` bytes of `buffer`. Its new length, or none if
/// no part of the host should see it.
fn mended(buffer: &mut [u8], length: usize) -> Option<usize> {
    let [_, flags, _, _, low, high, channel @ ..] = buffer.get(..length)? else {
        return Some(length);
    };
    if *flags >> 4 & 3 == CONTINUING || channel.starts_with(&SECURITY_MANAGER) {
        return Some(length);
    }
    if !channel.starts_with(&ATT) {
        return None;
    }
    let size = usize::from(u16::from_le_bytes([*low, *high]));
    // Without its opcode it is not known whether the rest may come.
    let opcode = *buffer.get(..length)?.get(HEADERS)?;
    let sizes = sizes(opcode)?;
    let wanted = size.clamp(*sizes.start(), *sizes.end());
    if wanted == size {
        return Some(length);
    }
    if length != HEADERS + size {
        return None;
    }
    if opcode == READ_BY_GROUP_TYPE && wanted < size {
        // Of no type that exists.
        buffer.get_mut(HEADERS + 5..HEADERS + wanted)?.fill(FILLING);
    } else {
        // Also what there is of it: half a range would be one to the last handle.
        buffer.get_mut(HEADERS + 1..HEADERS + wanted)?.fill(FILLING);
    }
    let [low, high] = u16::try_from(wanted).ok()?.to_le_bytes();
    buffer.get_mut(4..6)?.copy_from_slice(&[low, high]);
    let [low, high] = u16::try_from(4 + wanted).ok()?.to_le_bytes();
    buffer.get_mut(2..4)?.copy_from_slice(&[low, high]);
    Some(HEADERS + wanted)
}

/// Sizes of PDUs that the host can read, their opcode included (Core 5.4 Vol 3 Part F §3.4). None of
/// what only a server sends: this one has asked for nothing.
fn sizes(opcode: u8) -> Option<RangeInclusive<usize>> {
    const ANY: usize = u16::MAX as usize;
    let least = match opcode {
        // Exchange MTU, Read, Write, Write Command.
        0x02 | 0x0A | 0x12 | 0x52 => 3,
        // Find Information, Read By Type, Read Blob, both Read Multiple, Prepare Write.
        0x04 | 0x08 | 0x0C | 0x0E | 0x16 | 0x20 => 5,
        // Find By Type Value.
        0x06 => 7,
        // The host cuts 128 bits of a type one byte too far; a service's type has 16.
        READ_BY_GROUP_TYPE => return Some(7..=7),
        // Execute Write.
        0x18 => 2,
        // Responses, notifications, indications.
        0x01 | 0x03 | 0x05 | 0x07 | 0x09 | 0x0B | 0x0D | 0x0F | 0x11 | 0x13 | 0x17 | 0x19
        | 0x1B | 0x1D => return None,
        // Confirmations, and what is answered with an error.
        _ => 1,
    };
    Some(least..=ANY)
}

/// A packet that lies in the buffer as it came, its header included.
struct Raw {
    kind: PacketKind,
    length: usize,
}

/// How many bytes follow a header.
type Body = fn(&[u8]) -> usize;

/// Bytes of a header of this kind, and how many follow it.
fn header(kind: PacketKind) -> Option<(usize, Body)> {
    match kind {
        PacketKind::Event => Some((2, |header| usize::from(header[1]))),
        PacketKind::AclData | PacketKind::IsoData => Some((4, |header| {
            usize::from(u16::from_le_bytes([header[2], header[3]]))
        })),
        PacketKind::SyncData => Some((3, |header| usize::from(header[2]))),
        PacketKind::Cmd => None,
    }
}

impl<'d> PacketToHost<'d> for Raw {
    fn read_hci<R: Read>(
        kind: PacketKind,
        data: &mut R,
        buffer: &'d mut [u8],
    ) -> Result<Self, ReadHciError<R::Error>> {
        let (length, body) = header(kind).ok_or(ReadHciError::InvalidValue)?;
        let head = buffer.get_mut(..length);
        let head = head.ok_or(ReadHciError::BufferTooSmall)?;
        data.read_exact(head)?;
        let end = length + body(head);
        let rest = buffer.get_mut(length..end);
        data.read_exact(rest.ok_or(ReadHciError::BufferTooSmall)?)?;
        Ok(Self { kind, length: end })
    }

    async fn read_hci_async<R: AsyncRead>(
        kind: PacketKind,
        data: &mut R,
        buffer: &'d mut [u8],
    ) -> Result<Self, ReadHciError<R::Error>> {
        let (length, body) = header(kind).ok_or(ReadHciError::InvalidValue)?;
        let head = buffer.get_mut(..length);
        let head = head.ok_or(ReadHciError::BufferTooSmall)?;
        data.read_exact(head).await?;
        let end = length + body(head);
        let rest = buffer.get_mut(length..end);
        data.read_exact(rest.ok_or(ReadHciError::BufferTooSmall)?)
            .await?;
        Ok(Self { kind, length: end })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// ACL data with one L2CAP PDU on ATT's channel, and what becomes of it.
    fn seen(pdu: &[u8]) -> Option<Vec<u8>> {
        let size = pdu.len() as u8;
        let mut buffer = [1, 0x20, 4 + size, 0, size, 0, 4, 0].to_vec();
        buffer.extend(pdu);
        let length = buffer.len();
        buffer.resize(64, 0);
        let length = mended(&mut buffer, length)?;
        assert_eq!(usize::from(buffer[2]), length - 4);
        assert_eq!(usize::from(buffer[4]), length - HEADERS);
        Some(buffer[HEADERS..length].to_vec())
    }

    #[test]
    fn a_request_that_ends_too_early_names_no_attribute() {
        assert_eq!(seen(&[0x0A, 3]), Some(vec![0x0A, 0xFF, 0xFF]));
        let range = vec![0x04, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(seen(&[0x04, 1, 0, 0xFF]), Some(range));
        assert_eq!(seen(&[0x12]), Some(vec![0x12, 0xFF, 0xFF]));
        assert_eq!(seen(&[0x18]), Some(vec![0x18, 0xFF]));
        let mut group = vec![0x10, 1, 0, 0xFF, 0xFF];
        group.extend([7; 16]);
        assert_eq!(seen(&group), Some(vec![0x10, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF]));
    }

    #[test]
    fn whole_requests_pass_and_answers_to_nothing_do_not() {
        for whole in [&[0x0A, 3, 0][..], &[0x02, 0, 1], &[0x12, 3, 0, 9], &[0x55]] {
            assert_eq!(seen(whole).as_deref(), Some(whole));
        }
        for not in [&[][..], &[0x0B, 1], &[0x1D, 1, 0]] {
            assert_eq!(seen(not), None);
        }
    }

    #[test]
    fn pairing_and_continuations_pass_and_other_channels_do_not() {
        let mut signalling = [1, 0x20, 8, 0, 4, 0, 5, 0, 6, 1, 0, 0];
        assert_eq!(mended(&mut signalling, 12), None);
        for packet in [
            &[1, 0x20, 4, 0, 0, 0, 6, 0][..],
            &[1, 0x10, 4, 0, 0, 0, 4, 0],
            &[1],
        ] {
            let mut buffer = packet.to_vec();
            assert_eq!(mended(&mut buffer, packet.len()), Some(packet.len()));
            assert_eq!(buffer, packet);
        }
    }

    #[test]
    fn a_packet_lies_in_the_buffer_as_it_came() {
        let bytes = [1, 0x20, 5, 0, 1, 0, 4, 0, 2, 99];
        let mut buffer = [0; 16];
        let raw = Raw::read_hci(PacketKind::AclData, &mut &bytes[..], &mut buffer);
        assert_eq!(raw.map(|raw| raw.length), Ok(9));
        assert_eq!(buffer[..9], bytes[..9]);
        let mut small = [0; 6];
        let raw = Raw::read_hci(PacketKind::AclData, &mut &bytes[..], &mut small);
        assert!(matches!(raw, Err(ReadHciError::BufferTooSmall)));
    }
}
