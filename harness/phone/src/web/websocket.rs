//! A WebSocket's client side (RFC 6455), which can misbehave.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_core::{OsRng, RngCore};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use trace::Trace;
use trace::web::{WebClosed, WebFrameReceived, WebFrameSent};

use super::response::Response;
use super::{KEPT, WebConnection, WebError, tls};
use crate::Stream;

/// RFC 6455 §1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Longest frame that is taken.
const LONGEST: u64 = 1 << 20;
/// Frames that wait until a step looks at them; later ones are on the trace alone.
const WAITING: usize = 256;

/// How a WebSocket is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Path of the server.
    pub path: String,
    /// Sec-WebSocket-Version.
    pub version: String,
    /// Sec-WebSocket-Key; a good one if left out.
    pub key: Option<String>,
    /// Sec-WebSocket-Protocol.
    pub protocols: Option<String>,
    /// The subprotocol that the server must choose.
    pub chosen: Option<String>,
    /// Whether PINGs are answered.
    pub answers_pings: bool,
}

/// What a frame is (RFC 6455 §5.2), or a number that has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

impl Opcode {
    /// Goes on with a message.
    pub const CONTINUATION: Self = Self(0);
    /// Text.
    pub const TEXT: Self = Self(1);
    /// Bytes.
    pub const BINARY: Self = Self(2);
    /// The end.
    pub const CLOSE: Self = Self(8);
    /// A sign of life is asked for.
    pub const PING: Self = Self(9);
    /// A sign of life.
    pub const PONG: Self = Self(10);

    fn name(self) -> String {
        match self {
            Self::CONTINUATION => "continuation".into(),
            Self::TEXT => "text".into(),
            Self::BINARY => "binary".into(),
            Self::CLOSE => "close".into(),
            Self::PING => "ping".into(),
            Self::PONG => "pong".into(),
            Self(number) => number.to_string(),
        }
    }
}

/// What a client should not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// It does not mask a frame.
    Unmasked,
    /// It sends a PING of 127 bytes, where 125 are allowed.
    LongPing,
    /// It says that a frame has more bytes than the server has memory.
    Endless,
    /// It sends the half of a header and nothing more.
    HalfHeader,
}

/// What has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A frame.
    Frame {
        /// What it is.
        opcode: Opcode,
        /// Whether it ends its message.
        is_final: bool,
        /// Its payload.
        payload: Vec<u8>,
    },
    /// The connection's end, and how.
    Ended(String),
}

/// An open WebSocket. PINGs are answered while nobody looks.
pub struct WebSocket {
    writer: Arc<Writer>,
    seen: mpsc::Receiver<Seen>,
    reader: JoinHandle<()>,
    phone: String,
    trace: Trace,
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Asks for a WebSocket, and checks what the server answers.
pub(super) async fn shake_hands(
    connection: &mut WebConnection,
    opening: &Opening,
) -> Result<(), WebError> {
    let mut random = [0; 16];
    OsRng.fill_bytes(&mut random);
    let key = opening
        .key
        .clone()
        .unwrap_or_else(|| STANDARD.encode(random));
    let protocols = opening.protocols.as_ref();
    let protocols = protocols.map_or(String::new(), |list| {
        format!("Sec-WebSocket-Protocol: {list}\r\n")
    });
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {}\r\n{protocols}\r\n",
        opening.path, connection.host, opening.version
    );
    let clock = connection.trace.clock().clone();
    let began = clock.now();
    connection.send(request.as_bytes()).await?;
    let answer = loop {
        if let Some((length, answer)) = Response::head(&connection.received)? {
            connection.received.drain(..length);
            break answer;
        }
        match connection.stream.read_buf(&mut connection.received).await {
            Ok(0) => return Err(WebError::Closed),
            Ok(_) => connection.trace.clock().touch(),
            Err(error) => return Err(tls::error_of(&error)),
        }
    };
    let took = clock.now().since(began);
    let answer = connection.answered("GET", &opening.path, answer, took);
    let field = |name: &str| answer.fields.get(name).map(String::as_str);
    if answer.status != 101 {
        let what = format!("HTTP status {} in place of a WebSocket", answer.status);
        return Err(WebError::Malformed(what));
    }
    let digest = Sha1::new()
        .chain_update(&key)
        .chain_update(MAGIC)
        .finalize();
    let expected = STANDARD.encode(digest);
    if field("sec-websocket-accept") != Some(&expected) {
        return Err(WebError::Malformed("Sec-WebSocket-Accept is wrong".into()));
    }
    // RFC 6455 §4.1: a client that does not find these fails the connection.
    for (name, wanted) in [("upgrade", "websocket"), ("connection", "upgrade")] {
        if !field(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted)) {
            let what = format!("the field {name} is {:?}", field(name));
            return Err(WebError::Malformed(what));
        }
    }
    if let Some(extensions) = field("sec-websocket-extensions") {
        let what = format!("the extensions {extensions:?}, which nobody asked for");
        return Err(WebError::Malformed(what));
    }
    let chosen = field("sec-websocket-protocol");
    if chosen != opening.chosen.as_deref() {
        return Err(WebError::Malformed(format!(
            "the subprotocol is {chosen:?}"
        )));
    }
    Ok(())
}

impl WebSocket {
    /// A WebSocket on `stream`, of which `received` was read already.
    pub(super) fn start(
        stream: Box<dyn Stream>,
        received: Vec<u8>,
        answers_pings: bool,
        phone: &str,
        trace: &Trace,
    ) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let writer = Arc::new(Mutex::new(writer));
        let (sender, seen) = mpsc::channel(WAITING);
        let listening = Listening {
            reader,
            received,
            writer: answers_pings.then(|| writer.clone()),
            seen: sender,
            phone: phone.to_owned(),
            trace: trace.clone(),
        };
        Self {
            writer,
            seen,
            reader: tokio::spawn(listening.run()),
            phone: phone.to_owned(),
            trace: trace.clone(),
        }
    }

    /// Sends one frame.
    pub async fn send(
        &self,
        opcode: Opcode,
        is_final: bool,
        payload: &[u8],
    ) -> Result<(), WebError> {
        let frame = Outgoing {
            opcode,
            is_final,
            is_masked: true,
            payload,
        };
        frame.send(&self.writer, &self.phone, &self.trace).await
    }

    /// Sends something that no client should send.
    pub async fn misbehave(&self, how: Misbehaviour) -> Result<(), WebError> {
        let long = vec![b'x'; 127];
        let bytes: &[u8] = match how {
            Misbehaviour::LongPing => return self.send(Opcode::PING, true, &long).await,
            Misbehaviour::Unmasked => {
                let frame = Outgoing {
                    opcode: Opcode::TEXT,
                    is_final: true,
                    is_masked: false,
                    payload: b"unmasked",
                };
                return frame.send(&self.writer, &self.phone, &self.trace).await;
            }
            Misbehaviour::Endless => &[
                0x81, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4,
            ],
            Misbehaviour::HalfHeader => &[0x81],
        };
        write(&self.writer, bytes, &self.trace).await
    }

    /// What comes next. Cancel safe.
    pub async fn next(&mut self) -> Seen {
        let ended = || Seen::Ended("it has ended".into());
        self.seen.recv().await.unwrap_or_else(ended)
    }
}

/// A frame that is sent.
struct Outgoing<'p> {
    opcode: Opcode,
    is_final: bool,
    is_masked: bool,
    payload: &'p [u8],
}

impl Outgoing<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.is_final) << 7 | self.opcode.0];
        let mask_bit = u8::from(self.is_masked) << 7;
        match self.payload.len() {
            length @ 0..=125 => bytes.push(mask_bit | length as u8),
            length @ 126..=0xFFFF => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if !self.is_masked {
            bytes.extend_from_slice(self.payload);
            return bytes;
        }
        let mask = OsRng.next_u32().to_be_bytes();
        bytes.extend_from_slice(&mask);
        let masked = self.payload.iter().zip(mask.iter().cycle());
        bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
        bytes
    }

    async fn send(&self, writer: &Writer, phone: &str, trace: &Trace) -> Result<(), WebError> {
        let seen = WebFrameSent {
            phone: phone.to_owned(),
            frame: self.opcode.name(),
            is_final: self.is_final,
            is_masked: self.is_masked,
            length: self.payload.len() as u64,
        };
        trace.emit(None, &seen);
        write(writer, &self.encode(), trace).await
    }
}

async fn write(writer: &Writer, bytes: &[u8], trace: &Trace) -> Result<(), WebError> {
    let mut writer = writer.lock().await;
    let sent = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    let sent = sent.await;
    trace.clock().touch();
    sent.map_err(|error| tls::error_of(&error))
}

/// What tasks of one connection write by, in turns.
type Writer = Mutex<WriteHalf<Box<dyn Stream>>>;

/// Reads frames as long as there are any.
struct Listening {
    reader: ReadHalf<Box<dyn Stream>>,
    received: Vec<u8>,
    /// Where PINGs are answered, if they are.
    writer: Option<Arc<Writer>>,
    seen: mpsc::Sender<Seen>,
    phone: String,
    trace: Trace,
}

impl Listening {
    async fn run(mut self) {
        let how = loop {
            match self.frame().await {
                Ok(frame) => self.take(frame).await,
                Err(error) => break error.to_string(),
            }
        };
        let closed = WebClosed {
            phone: self.phone.clone(),
            how: how.clone(),
        };
        self.trace.emit(None, &closed);
        // A step that looks later finds the channel closed.
        let _ = self.seen.try_send(Seen::Ended(how));
    }

    async fn take(&mut self, frame: Incoming) {
        let kept = &frame.payload[..frame.payload.len().min(KEPT)];
        let seen = WebFrameReceived {
            phone: self.phone.clone(),
            frame: frame.opcode.name(),
            is_final: frame.is_final,
            length: frame.payload.len() as u64,
            header_length: frame.header_length as u64,
            text: String::from_utf8_lossy(kept).into_owned(),
        };
        self.trace.emit(None, &seen);
        if let (Opcode::PING, Some(writer)) = (frame.opcode, &self.writer) {
            let pong = Outgoing {
                opcode: Opcode::PONG,
                is_final: true,
                is_masked: true,
                payload: &frame.payload,
            };
            // If it cannot be sent, the next read says why.
            let _ = pong.send(writer, &self.phone, &self.trace).await;
        }
        let _ = self.seen.try_send(Seen::Frame {
            opcode: frame.opcode,
            is_final: frame.is_final,
            payload: frame.payload,
        });
    }

    async fn frame(&mut self) -> Result<Incoming, WebError> {
        loop {
            if let Some(frame) = Incoming::take(&mut self.received)? {
                return Ok(frame);
            }
            match self.reader.read_buf(&mut self.received).await {
                Ok(0) => return Err(WebError::Closed),
                Ok(_) => self.trace.clock().touch(),
                Err(error) => return Err(tls::error_of(&error)),
            }
        }
    }
}

/// A frame that has come.
#[derive(Debug, PartialEq, Eq)]
struct Incoming {
    opcode: Opcode,
    is_final: bool,
    header_length: usize,
    payload: Vec<u8>,
}

impl Incoming {
    /// Takes a frame from the beginning of `bytes`, or nothing while it is not whole.
    fn take(bytes: &mut Vec<u8>) -> Result<Option<Self>, WebError> {
        let &[first, second, ref rest @ ..] = &bytes[..] else {
            return Ok(None);
        };
        if second & 0x80 != 0 {
            return Err(WebError::Malformed(
                "a frame of a server's is masked".into(),
            ));
        }
        // No extension was agreed on that would give them a meaning (RFC 6455 §5.2).
        if first & 0x70 != 0 {
            return Err(WebError::Malformed(
                "a frame has reserved bits that are set".into(),
            ));
        }
        let width = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(digits) = rest.get(..width) else {
            return Ok(None);
        };
        let length = match width {
            0 => second.into(),
            _ => digits
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if length > LONGEST {
            return Err(WebError::Malformed(format!("a frame of {length} bytes")));
        }
        let header_length = 2 + width;
        let end = header_length + length as usize;
        if bytes.len() < end {
            return Ok(None);
        }
        let frame = Self {
            opcode: Opcode(first & 0x0F),
            is_final: first & 0x80 != 0,
            header_length,
            payload: bytes[header_length..end].to_vec(),
        };
        bytes.drain(..end);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_of_a_server_is_read_with_both_codings_of_its_length() {
        let mut hello = hex::decode("810c48656c6c6f20636c69656e74").unwrap();
        let frame = Incoming::take(&mut hello).unwrap().unwrap();
        assert_eq!(
            (frame.opcode, &frame.payload[..]),
            (Opcode::TEXT, &b"Hello client"[..])
        );
        for (header, header_length) in [("817effff", 4), ("817f000000000000ffff", 10)] {
            let mut bytes = hex::decode(header).unwrap();
            bytes.extend(vec![b'x'; 65_535]);
            let frame = Incoming::take(&mut bytes).unwrap().unwrap();
            assert_eq!(
                (frame.header_length, frame.payload.len()),
                (header_length, 65_535)
            );
        }
    }

    #[test]
    fn a_masked_frame_or_a_huge_one_is_refused() {
        let mut masked = hex::decode("818201020304696b").unwrap();
        assert!(Incoming::take(&mut masked).is_err());
        let mut reserved = hex::decode("c100").unwrap();
        assert!(Incoming::take(&mut reserved).is_err());
        let mut huge = hex::decode("817f7fffffffffffffff").unwrap();
        assert!(Incoming::take(&mut huge).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            while let Ok(Some(_)) = Incoming::take(&mut bytes) {}
        }

        #[test]
        fn what_is_sent_can_be_unmasked(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let frame = Outgoing {
                opcode: Opcode::BINARY,
                is_final: true,
                is_masked: true,
                payload: &payload,
            };
            let bytes = frame.encode();
            let start = bytes.len() - payload.len();
            let mask = &bytes[start - 4..start];
            let unmasked: Vec<u8> = bytes[start..]
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask)
                .collect();
            prop_assert_eq!(unmasked, payload);
        }
    }
}
