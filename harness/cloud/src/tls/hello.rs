//! What stands in the two hellos (RFC 8446 §4.1).

use super::records::Records;

/// What a client offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    /// Protocol versions by number, best first as the client ranks them.
    pub(super) versions: Vec<u16>,
    pub(super) server_name: Option<String>,
    /// The longest records that it asks for, in bytes.
    pub(super) max_fragment: Option<u16>,
}

/// What a server chose.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    /// Protocol version by number.
    pub(super) version: u16,
    /// The longest records that it agreed to, in bytes.
    pub(super) max_fragment: Option<u16>,
}

/// Number of the extension with a server's name (RFC 6066).
const SERVER_NAME: u16 = 0;
/// Number of the extension with the longest records (RFC 6066 §4).
const MAX_FRAGMENT_LENGTH: u16 = 1;
/// Number of the extension with protocol versions.
const SUPPORTED_VERSIONS: u16 = 43;

/// Reads the ClientHello at the start of `handshake`, as far as it goes.
pub(super) fn client(handshake: &[u8]) -> Option<ClientHello> {
    let mut bytes = handshake;
    if take(&mut bytes, 4)?[0] != 1 {
        return None;
    }
    let legacy = number(&mut bytes)?;
    take(&mut bytes, 32)?;
    short(&mut bytes)?;
    long(&mut bytes)?;
    short(&mut bytes)?;
    let mut hello = ClientHello {
        versions: vec![legacy],
        server_name: None,
        max_fragment: None,
    };
    let mut extensions = long(&mut bytes).unwrap_or_default();
    while let (Some(kind), Some(mut content)) = (number(&mut extensions), long(&mut extensions)) {
        match kind {
            SUPPORTED_VERSIONS => {
                let list = short(&mut content).unwrap_or_default();
                hello.versions = list
                    .chunks_exact(2)
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                    // RFC 8701: values that only see whether unknown ones are ignored.
                    .filter(|version| version & 0x0f0f != 0x0a0a)
                    .collect();
            }
            SERVER_NAME => hello.server_name = server_name(content),
            MAX_FRAGMENT_LENGTH => hello.max_fragment = max_fragment(content),
            _ => {}
        }
    }
    Some(hello)
}

/// Reads the ServerHello at the start of `handshake`.
pub(super) fn server(handshake: &[u8]) -> Option<ServerHello> {
    let mut bytes = handshake;
    if take(&mut bytes, 4)?[0] != 2 {
        return None;
    }
    let mut hello = ServerHello {
        version: number(&mut bytes)?,
        max_fragment: None,
    };
    take(&mut bytes, 32)?;
    short(&mut bytes)?;
    take(&mut bytes, 3)?;
    let mut extensions = long(&mut bytes).unwrap_or_default();
    while let (Some(kind), Some(mut content)) = (number(&mut extensions), long(&mut extensions)) {
        match kind {
            SUPPORTED_VERSIONS => hello.version = number(&mut content)?,
            MAX_FRAGMENT_LENGTH => hello.max_fragment = max_fragment(content),
            _ => {}
        }
    }
    Some(hello)
}

/// By the extension's code: 1 is 512 bytes, 4 is 4096.
fn max_fragment(content: &[u8]) -> Option<u16> {
    match content {
        [code @ 1..=4] => Some(256 << code),
        _ => None,
    }
}

/// DER of the certificates in the Certificate message of `handshake`, which up to TLS 1.2 is in the clear (RFC
/// 5246 §7.4.2); none if there is no such message, or not all of it.
pub(super) fn certificates(handshake: &[u8]) -> Vec<Vec<u8>> {
    const CERTIFICATE: u8 = 11;
    let mut bytes = handshake;
    while let Some(kind) = take(&mut bytes, 1) {
        let Some(mut message) = longer(&mut bytes) else {
            break;
        };
        if kind == [CERTIFICATE] {
            let mut list = longer(&mut message).unwrap_or_default();
            return std::iter::from_fn(|| longer(&mut list).map(<[u8]>::to_vec)).collect();
        }
    }
    Vec::new()
}

/// Bytes behind a length of three bytes.
fn longer<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take(bytes, 3)?;
    let length = u32::from_be_bytes([0, length[0], length[1], length[2]]);
    take(bytes, usize::try_from(length).ok()?)
}

/// Reads what a client sends in the clear, as the front reads it of any client, for fuzzing: its records,
/// whatever pieces they come in, its hello and its certificates. Nothing is kept.
pub fn read_anything(bytes: &[u8]) {
    let mut whole = Records::default();
    whole.watch(bytes);
    let mut cut = Records::default();
    let piece = 1 + bytes.len() % 7;
    bytes.chunks(piece).for_each(|piece| cut.watch(piece));
    assert_eq!(whole.handshake, cut.handshake, "pieces make a difference");
    assert_eq!(whole.alert_number, cut.alert_number);
    assert_eq!(whole.foreign, cut.foreign);
    // The messages themselves, which records may have kept from being read.
    for handshake in [&whole.handshake[..], bytes] {
        if let Some(hello) = client(handshake) {
            for version in hello.versions {
                version_name(version);
            }
        }
        server(handshake);
        let certificates = certificates(handshake);
        let length: usize = certificates.iter().map(Vec::len).sum();
        assert!(length <= handshake.len());
    }
}

/// `TLS 1.2` and the like.
pub(super) fn version_name(number: u16) -> String {
    match number {
        0x0300 => "SSL 3.0".to_owned(),
        0x0301 => "TLS 1.0".to_owned(),
        0x0302 => "TLS 1.1".to_owned(),
        0x0303 => "TLS 1.2".to_owned(),
        0x0304 => "TLS 1.3".to_owned(),
        other => format!("0x{other:04x}"),
    }
}

fn server_name(mut content: &[u8]) -> Option<String> {
    let mut list = long(&mut content)?;
    // Only host names (0) were ever defined.
    (take(&mut list, 1)? == [0]).then_some(())?;
    let name = long(&mut list)?;
    Some(String::from_utf8_lossy(name).into_owned())
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &mut &[u8]) -> Option<u16> {
    let digits = take(bytes, 2)?;
    Some(u16::from_be_bytes([digits[0], digits[1]]))
}

/// Bytes behind a length of one byte.
fn short<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take(bytes, 1)?[0];
    take(bytes, usize::from(length))
}

/// Bytes behind a length of two bytes.
fn long<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = number(bytes)?;
    take(bytes, usize::from(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn garbage_is_no_hello_and_does_no_harm(
            kind in 1_u8..3,
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut message = vec![kind, 0, 1, 0, 3, 3];
            message.extend(bytes);
            let _ = client(&message);
            let _ = server(&message);
            let _ = certificates(&message);
        }
    }
}
