//! WebSocket as ESP-IDF has it (5.5 `httpd_ws.c`): the handshake, and frames one by one. Fragments are not
//! put together, texts are not checked, reserved bits are not looked at.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use embedded_io_async::{Read, Write};
use sha1::{Digest, Sha1};

use super::application::WebSocketHandler;
use super::request::Ended;
use crate::bugs::{self, Bug};
use crate::http::{Connection, Unread, Upgrade};

pub(super) const TAG: &str = "httpd_ws";
/// RFC 6455 §1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Longest client key: it is read into a buffer of 28 bytes, the last of which ends the string.
const LONGEST_KEY: usize = 27;
/// Longest list of subprotocols that is looked at.
const LONGEST_PROTOCOLS: usize = 48;
/// Characters of a subprotocol that are compared: the size of a pointer, by mistake.
const COMPARED: usize = 4;
/// Longest frame that there is memory for.
const LONGEST_FRAME: u64 = 128 * 1024;
/// Longest PING that the server answers by itself.
const LONGEST_PING: u64 = 126;
/// Characters of a message that are logged; a whole one would be a line of 64 KiB.
const SHOWN: usize = 256;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// What a frame is (RFC 6455 §5.2), or a number that has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opcode(u8);

impl Opcode {
    pub(super) const TEXT: Self = Self(1);
    pub(super) const CLOSE: Self = Self(8);
    pub(super) const PING: Self = Self(9);
    pub(super) const PONG: Self = Self(10);

    fn is_control(self) -> bool {
        self.0 >= Self::CLOSE.0
    }
}

/// A frame to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    opcode: Opcode,
    is_final: bool,
    payload: Vec<u8>,
}

impl Frame {
    pub(super) fn text(text: &str) -> Self {
        Self::whole(Opcode::TEXT, text.as_bytes().to_vec())
    }

    pub(super) fn ping() -> Self {
        Self::whole(Opcode::PING, Vec::new())
    }

    fn whole(opcode: Opcode, payload: Vec<u8>) -> Self {
        Self {
            opcode,
            is_final: true,
            payload,
        }
    }

    /// Its bytes. A length of 65535 takes 64 bits, where 16 would do, as in ESP-IDF.
    pub(super) fn encode(&self) -> Vec<u8> {
        let fin = if self.is_final { FIN } else { 0 };
        let mut bytes = alloc::vec![fin | self.opcode.0];
        match self.payload.len() {
            length @ 0..=125 => bytes.push(length as u8),
            length @ 126..0xFFFF => {
                bytes.push(126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                bytes.push(127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// The answer to a request for a WebSocket; a bad one gets none, and the connection is closed.
pub(super) fn shake_hands(upgrade: &Upgrade, spoken: Option<&str>) -> Result<String, Ended> {
    let says = |text: String| {
        log::warn!(target: TAG, "httpd_ws_respond_server_handshake: {text}");
        Err(Ended)
    };
    let version = match upgrade.version.as_deref() {
        // It is read into a buffer of three bytes.
        Some(version) if version.len() < 3 => version,
        _ => return says("\"Sec-WebSocket-Version\" is not found".into()),
    };
    if version != b"13" {
        let version = String::from_utf8_lossy(version);
        return says(format!(
            "\"Sec-WebSocket-Version\" is not \"13\", it is: {version}"
        ));
    }
    let key = match upgrade.key.as_deref() {
        Some(key) if key.len() <= LONGEST_KEY => key,
        _ => return says("Cannot find client key".into()),
    };
    let accept = accept(key);
    let protocol = match (chosen(upgrade, spoken), spoken) {
        (true, Some(spoken)) => format!("Sec-WebSocket-Protocol: {spoken}\r\n"),
        _ => String::new(),
    };
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
    ))
}

/// Whether the client offers the subprotocol that is spoken.
fn chosen(upgrade: &Upgrade, spoken: Option<&str>) -> bool {
    let offered = upgrade.protocols.as_deref().unwrap_or_default();
    let offered = &offered[..offered.len().min(LONGEST_PROTOCOLS)];
    if offered.is_empty() {
        return false;
    }
    let shown = String::from_utf8_lossy(offered);
    let Some(spoken) = spoken else {
        log::warn!(
            target: TAG,
            "Sec-WebSocket-Protocol {shown} not supported, URI do not support any subprotocols"
        );
        return false;
    };
    let is_spoken = |word: &[u8]| {
        let start = |word: &[u8]| word[..word.len().min(COMPARED)].to_vec();
        start(word) == start(spoken.as_bytes())
    };
    let mut words = offered
        .split(|byte| matches!(byte, b',' | b' '))
        .filter(|word| !word.is_empty());
    let is_there = words.any(is_spoken);
    if !is_there {
        log::warn!(
            target: TAG,
            "Sec-WebSocket-Protocol {shown} not supported, supported subprotocol is {spoken}"
        );
    }
    is_there
}

fn accept(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(MAGIC).finalize();
    base64(&digest)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * position) & 63) as usize];
            text.push(if position <= group.len() {
                letter.into()
            } else {
                '='
            });
        }
    }
    text
}

/// The length of a frame of a client's, and its mask.
struct Header {
    length: u64,
    mask: [u8; 4],
}

/// Reads all but the first byte of a frame's header (`httpd_ws_recv_frame`).
async fn header<S: Read + Write>(connection: &mut Connection<S>) -> Result<Header, Ended> {
    let warn = |text: &str| {
        log::warn!(target: TAG, "httpd_ws_recv_frame: {text}");
        Ended
    };
    let failed = |what: &'static str| move |_: Unread| warn(what);
    let second = connection.take(1).await;
    let second = second.map_err(failed("Failed to receive the second byte"))?;
    let second = second.first().copied().unwrap_or_default();
    let length = match second & !MASKED {
        126 => {
            let bytes = connection.take(2).await;
            big_endian(&bytes.map_err(failed("Failed to receive 2 bytes length"))?)
        }
        127 => {
            let bytes = connection.take(8).await;
            big_endian(&bytes.map_err(failed("Failed to receive 8 bytes length"))?)
        }
        length => length.into(),
    };
    if second & MASKED == 0 && bugs::is(Bug::UnmaskedFrameTaken) {
        return Ok(Header {
            length,
            mask: [0; 4],
        });
    }
    if second & MASKED == 0 {
        return Err(warn("WS frame is not properly masked."));
    }
    let mask = connection.take(4).await;
    let mask = mask.map_err(failed("Failed to receive mask key"))?;
    Ok(Header {
        length,
        mask: <[u8; 4]>::try_from(&mask[..]).unwrap_or_default(),
    })
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Reads the payload of a frame, of which there is room for `most` bytes.
async fn payload<S: Read + Write>(
    connection: &mut Connection<S>,
    header: &Header,
    most: u64,
) -> Result<Vec<u8>, Ended> {
    let length = usize::try_from(header.length)
        .ok()
        .filter(|_| header.length <= most);
    let Some(length) = length else {
        log::warn!(target: TAG, "httpd_ws_recv_frame: WS Message too long");
        return Err(Ended);
    };
    let taken = connection.take(length).await;
    let mut payload = taken.map_err(|_| {
        log::warn!(target: TAG, "httpd_ws_recv_frame: Failed to receive payload");
        Ended
    })?;
    for (byte, mask) in payload.iter_mut().zip(header.mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok(payload)
}

/// Serves one frame, which has begun to come. `seen` is called for each sign of life.
pub(super) async fn frame<S: Read + Write>(
    connection: &mut Connection<S>,
    handler: WebSocketHandler,
    tag: &str,
    fd: u32,
    seen: impl Fn(),
) -> Result<(), Ended> {
    let first = connection.take(1).await?;
    let first = first.first().copied().unwrap_or_default();
    let (opcode, is_final) = (Opcode(first & 0x0F), first & FIN != 0);
    log::debug!(target: TAG, "httpd_ws_get_frame_type: First byte received: 0x{first:02X}");
    if opcode.is_control() && !handler.handles_control_frames() {
        return control(connection, opcode).await;
    }
    let header = match header(connection).await {
        Ok(header) => header,
        Err(Ended) => {
            // ESP_ERR_INVALID_STATE, or ESP_FAIL; the example prints the number only.
            log::error!(target: tag, "httpd_ws_recv_frame failed to get frame len with 259");
            return Err(Ended);
        }
    };
    log::info!(target: tag, "frame len is {}", header.length);
    if header.length > LONGEST_FRAME {
        log::error!(target: tag, "Failed to calloc memory for buf");
        return Err(Ended);
    }
    let payload = payload(connection, &header, LONGEST_FRAME).await?;
    let answer = match (handler, opcode) {
        (_, Opcode::PONG) => {
            log::debug!(target: tag, "Received PONG message");
            seen();
            return Ok(());
        }
        (_, Opcode::CLOSE) => Frame::whole(Opcode::CLOSE, Vec::new()),
        (_, Opcode::PING) => {
            log::info!(target: tag, "Got a WS PING frame, Replying PONG");
            Frame::whole(Opcode::PONG, payload)
        }
        (WebSocketHandler::Mirror, opcode) => Frame {
            opcode,
            is_final,
            payload,
        },
        (WebSocketHandler::Wss, Opcode::TEXT) => {
            let text = shown(&payload);
            log::info!(target: tag, "Received packet with message: {text}");
            Frame::whole(opcode, payload)
        }
        // The example answers texts and nothing else.
        (WebSocketHandler::Wss, _) => return Ok(()),
    };
    connection.send(&answer.encode()).await?;
    if handler == WebSocketHandler::Wss {
        log::info!(
            target: tag,
            "ws_handler: httpd_handle_t=0x3ffc8f5c, sockfd={fd}, client_info:2"
        );
    }
    match opcode {
        Opcode::CLOSE => Err(Ended),
        _ => Ok(()),
    }
}

/// Deals with a control frame in the handler's place.
async fn control<S: Read + Write>(
    connection: &mut Connection<S>,
    opcode: Opcode,
) -> Result<(), Ended> {
    let header = header(connection).await?;
    let payload = payload(connection, &header, LONGEST_PING).await?;
    match opcode {
        Opcode::PING => {
            let pong = Frame::whole(Opcode::PONG, payload);
            Ok(connection.send(&pong.encode()).await?)
        }
        Opcode::CLOSE => {
            let close = Frame::whole(Opcode::CLOSE, Vec::new());
            connection.send(&close.encode()).await?;
            Err(Ended)
        }
        _ => Ok(()),
    }
}

/// The beginning of a message, as `%s` prints it.
fn shown(payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == 0);
    let payload = &payload[..end.unwrap_or(payload.len()).min(SHOWN)];
    String::from_utf8_lossy(payload).into_owned()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn upgrade(version: &str, key: &str, protocols: Option<&str>) -> Upgrade {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Upgrade {
            version: Some(bytes(version)),
            key: Some(bytes(key)),
            protocols: protocols.map(bytes),
        }
    }

    #[test]
    fn the_key_of_the_rfc_has_the_answer_of_the_rfc() {
        // RFC 6455 §1.3.
        let accept = accept(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn base64_fills_its_last_group() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn frames_are_those_of_esp_idf() {
        let hello = Frame::text("Hello client").encode();
        assert_eq!(hex::encode(hello), "810c48656c6c6f20636c69656e74");
        assert_eq!(Frame::ping().encode(), [0x89, 0]);
        let header = |length: usize| {
            let frame = Frame::text(&"x".repeat(length)).encode();
            hex::encode(&frame[..frame.len() - length])
        };
        assert_eq!(header(125), "817d");
        assert_eq!(header(126), "817e007e");
        assert_eq!(header(65_534), "817efffe");
        assert_eq!(header(65_535), "817f000000000000ffff");
    }

    #[test]
    fn a_bad_handshake_has_no_answer() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        assert!(shake_hands(&upgrade("13", key, None), None).is_ok());
        for bad in [
            upgrade("8", key, None),
            upgrade("130", key, None),
            upgrade("13", &"k".repeat(28), None),
            Upgrade::default(),
        ] {
            assert_eq!(shake_hands(&bad, None), Err(Ended), "{bad:?}");
        }
    }

    #[test]
    fn four_characters_of_a_subprotocol_are_enough() {
        let answer = |offered: &str| {
            let asked = upgrade("13", "k", Some(offered));
            shake_hands(&asked, Some("mirror")).unwrap()
        };
        for offered in ["mirror", "chat, mirror", "mirrors", "mirrored,chat"] {
            let line = "Sec-WebSocket-Protocol: mirror\r\n".to_string();
            assert!(answer(offered).contains(&line), "{offered}");
        }
        for offered in ["chat", "mir", ""] {
            assert!(!answer(offered).contains("Protocol: "), "{offered}");
        }
    }
}
