//! Blocks of pcapng (draft-ietf-opsawg-pcapng), little endian, as far as a capture needs them.

/// Multiple to which bodies and options are padded.
const ALIGNED: usize = 4;
/// Bytes of a comment; longer ones are cut, since an option's length has 16 bits.
const LONGEST_COMMENT: usize = 4096;

/// Which way a packet went (`epb_flags`, bits 0 and 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the device that the interface is named after, or to the controller's host.
    Inbound,
    /// From it.
    Outbound,
}

/// What the packets of an interface are (the registry of link types at tcpdump.org).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// Ethernet frames without their check sum.
    Ethernet,
    /// HCI packets with the direction and their H4 indicator in front.
    BluetoothH4,
    /// What another program took out of its protocol already: here, lines of text.
    UpperPdu,
}

impl LinkType {
    const fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::BluetoothH4 => 201,
            Self::UpperPdu => 252,
        }
    }
}

/// The block that begins a file.
pub(crate) fn section_header(application: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0x1A2B_3C4D_u32.to_le_bytes());
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    // Of unknown length.
    body.extend((-1_i64).to_le_bytes());
    option(&mut body, 4, application.as_bytes());
    end_of_options(&mut body);
    block(0x0A0D_0D0A, body)
}

/// An interface whose times are in ns.
pub(crate) fn interface(link: LinkType, name: &str, description: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(link.number().to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    // Nothing is cut.
    body.extend(0_u32.to_le_bytes());
    option(&mut body, 2, name.as_bytes());
    option(&mut body, 3, description.as_bytes());
    option(&mut body, 9, &[9]);
    end_of_options(&mut body);
    block(1, body)
}

/// A packet, at `unix_ns`.
pub(crate) fn packet(
    interface: u32,
    unix_ns: u64,
    bytes: &[u8],
    direction: Option<Direction>,
    comments: &[String],
) -> Vec<u8> {
    let mut body = Vec::with_capacity(bytes.len() + 64);
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    body.extend(interface.to_le_bytes());
    body.extend(
        u32::try_from(unix_ns >> 32)
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    body.extend(((unix_ns & 0xFFFF_FFFF) as u32).to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(length.to_le_bytes());
    padded(&mut body, bytes);
    for comment in comments {
        let end = comment.floor_char_boundary(LONGEST_COMMENT);
        option(&mut body, 1, &comment.as_bytes()[..end]);
    }
    if let Some(direction) = direction {
        let flags: u32 = match direction {
            Direction::Inbound => 0b01,
            Direction::Outbound => 0b10,
        };
        option(&mut body, 2, &flags.to_le_bytes());
    }
    if direction.is_some() || !comments.is_empty() {
        end_of_options(&mut body);
    }
    block(6, body)
}

/// Secrets of TLS sessions, as lines of SSLKEYLOGFILE.
pub(crate) fn tls_secrets(lines: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0x544C_534B_u32.to_le_bytes());
    body.extend(u32::try_from(lines.len()).unwrap_or(u32::MAX).to_le_bytes());
    padded(&mut body, lines.as_bytes());
    block(0x0A, body)
}

/// A line of text as a packet of [`LinkType::UpperPdu`], which Wireshark shows as it is.
pub(crate) fn text_line(text: &str) -> Vec<u8> {
    const DISSECTOR: &[u8] = b"data-text-lines\0";
    const DISSECTOR_NAME: u16 = 12;
    let mut pdu = Vec::new();
    // Its tags are big endian, unlike everything around them.
    pdu.extend(DISSECTOR_NAME.to_be_bytes());
    pdu.extend((DISSECTOR.len() as u16).to_be_bytes());
    pdu.extend(DISSECTOR);
    pdu.extend([0; 4]);
    pdu.extend(text.as_bytes());
    pdu
}

fn block(kind: u32, body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
    let mut block = Vec::with_capacity(body.len() + 12);
    block.extend(kind.to_le_bytes());
    block.extend(length.to_le_bytes());
    block.extend(body);
    block.extend(length.to_le_bytes());
    block
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(LONGEST_COMMENT)];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    padded(body, value);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(ALIGNED), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_as_the_standard_says() {
        let header = section_header("proving lab");
        assert_eq!(
            hex::encode(&header[..24]),
            "0a0d0d0a300000004d3c2b1a01000000ffffffffffffffff"
        );
        assert_eq!(header.len(), 0x30);
    }

    #[test]
    fn every_block_has_its_length_twice_and_is_aligned() {
        let comments = ["step 1".to_owned(), "x".repeat(70_000)];
        for block in [
            section_header("a"),
            interface(LinkType::Ethernet, "station home", "segment"),
            packet(0, 1, b"abc", None, &[]),
            packet(0, u64::MAX, b"abcde", Some(Direction::Inbound), &comments),
            tls_secrets("CLIENT_RANDOM 00 11\n"),
        ] {
            let length = block.len();
            assert_eq!(length % ALIGNED, 0);
            let stated = (length as u32).to_le_bytes();
            assert_eq!(block[4..8], stated);
            assert_eq!(block[length - 4..], stated);
        }
    }
}
