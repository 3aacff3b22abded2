//! HCI packets as they go over a UART (Core 5.4 Vol 4 Part A).

/// No protocol that is spoken here has packets longer than this; the format's own limit
/// is 64 KiB.
const LONGEST: usize = 4 * 1024;

/// One HCI packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// From a host.
    Command {
        /// Group and number, as on the wire.
        opcode: u16,
        /// Its parameters, at most 255 bytes.
        parameters: Vec<u8>,
    },
    /// Either way.
    Acl(Acl),
    /// From a controller.
    Event {
        /// Its code.
        code: u8,
        /// Its parameters, at most 255 bytes.
        parameters: Vec<u8>,
    },
    /// Synchronous or isochronous data, which no virtual controller carries.
    Other,
}

/// A fragment of an L2CAP PDU on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acl {
    /// Connection handle, 12 bits.
    pub(super) handle: u16,
    /// Whether it continues the PDU of the packet before.
    pub(super) continues: bool,
    /// The fragment.
    pub(super) data: Vec<u8>,
}

const COMMAND: u8 = 1;
const ACL: u8 = 2;
const SYNCHRONOUS: u8 = 3;
const EVENT: u8 = 4;
const ISOCHRONOUS: u8 = 5;

impl Packet {
    /// The packet with its indicator in front, as a controller or a host sends it.
    pub(super) fn encode(&self, from: Side) -> Vec<u8> {
        match self {
            Self::Command { opcode, parameters } => {
                let mut bytes = vec![COMMAND];
                bytes.extend(opcode.to_le_bytes());
                bytes.push(parameters.len() as u8);
                bytes.extend(parameters);
                bytes
            }
            Self::Acl(acl) => {
                // A first fragment is "not flushable" from a host and "flushable" from a controller
                // (Core 5.4 Vol 4 Part E §5.4.2).
                let boundary = match (acl.continues, from) {
                    (true, _) => 0b01,
                    (false, Side::Host) => 0b00,
                    (false, Side::Controller) => 0b10,
                };
                let mut bytes = vec![ACL];
                bytes.extend((acl.handle & 0x0FFF | boundary << 12).to_le_bytes());
                bytes.extend((acl.data.len() as u16).to_le_bytes());
                bytes.extend(&acl.data);
                bytes
            }
            Self::Event { code, parameters } => {
                let mut bytes = vec![EVENT, *code, parameters.len() as u8];
                bytes.extend(parameters);
                bytes
            }
            Self::Other => Vec::new(),
        }
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// A host.
    Host,
    /// A controller.
    Controller,
}

/// Takes packets out of a stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// More bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole packet. After an error the stream has no meaning any more.
    pub(super) fn pop(&mut self) -> Result<Option<Packet>, H4Error> {
        let Some((indicator, rest)) = self.buffer.split_first() else {
            return Ok(None);
        };
        let header = match *indicator {
            COMMAND | SYNCHRONOUS => 3,
            ACL | ISOCHRONOUS => 4,
            EVENT => 2,
            indicator => return Err(H4Error::Indicator(indicator)),
        };
        if rest.len() < header {
            return Ok(None);
        }
        let (header, rest) = rest.split_at(header);
        let length = match (*indicator, header) {
            (ACL, [.., low, high]) => usize::from(u16::from_le_bytes([*low, *high])),
            (ISOCHRONOUS, [.., low, high]) => {
                usize::from(u16::from_le_bytes([*low, *high]) & 0x3FFF)
            }
            (_, [.., length]) => usize::from(*length),
            (_, []) => 0,
        };
        if length > LONGEST {
            return Err(H4Error::TooLong(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let data = rest[..length].to_vec();
        let first = u16::from_le_bytes([header[0], header[1]]);
        let packet = match *indicator {
            COMMAND => Packet::Command {
                opcode: first,
                parameters: data,
            },
            ACL => Packet::Acl(Acl {
                handle: first & 0x0FFF,
                continues: first >> 12 & 0b11 == 0b01,
                data,
            }),
            EVENT => Packet::Event {
                code: header[0],
                parameters: data,
            },
            _ => Packet::Other,
        };
        let taken = 1 + header.len() + length;
        self.buffer.drain(..taken);
        Ok(Some(packet))
    }
}

/// A stream is no H4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum H4Error {
    /// A byte that begins no packet.
    #[error("{0:#04x} begins no HCI packet")]
    Indicator(u8),
    /// Packet longer than any that is sent.
    #[error("an HCI packet of {0} bytes")]
    TooLong(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packets() -> impl Strategy<Value = Packet> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..256);
        prop_oneof![
            (any::<u16>(), bytes())
                .prop_map(|(opcode, parameters)| Packet::Command { opcode, parameters }),
            (any::<u8>(), bytes())
                .prop_map(|(code, parameters)| Packet::Event { code, parameters }),
            (0u16..0x1000, any::<bool>(), bytes()).prop_map(|(handle, continues, data)| {
                Packet::Acl(Acl {
                    handle,
                    continues,
                    data,
                })
            }),
        ]
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in(
            sent in proptest::collection::vec(packets(), 0..8),
            cut in 1usize..40,
        ) {
            for side in [Side::Host, Side::Controller] {
                let stream: Vec<u8> = sent.iter().flat_map(|packet| packet.encode(side)).collect();
                let mut decoder = Decoder::default();
                let mut received = Vec::new();
                for piece in stream.chunks(cut) {
                    decoder.push(piece);
                    while let Some(packet) = decoder.pop().expect("valid") {
                        received.push(packet);
                    }
                }
                prop_assert_eq!(&received, &sent);
            }
        }

        #[test]
        fn any_bytes_end_in_packets_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            let mut taken = 0;
            while let Ok(Some(_)) = decoder.pop() {
                taken += 1;
            }
            prop_assert!(taken <= bytes.len());
        }
    }

    #[test]
    fn a_first_fragment_is_marked_as_its_sender_must() {
        let first = Packet::Acl(Acl {
            handle: 0x123,
            continues: false,
            data: vec![9],
        });
        assert_eq!(first.encode(Side::Host), [2, 0x23, 0x01, 1, 0, 9]);
        assert_eq!(first.encode(Side::Controller), [2, 0x23, 0x21, 1, 0, 9]);
    }
}
