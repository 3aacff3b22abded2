//! CoAP messages (RFC 7252) as a Linkkit device speaks them, without I/O.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use coap_lite::{
    CoapOption, MessageClass, MessageType, Packet, RequestType as Method, ResponseType as Status,
};
use proto::linkkit::CONTENT_FORMAT_JSON;

/// Longest datagram in either direction, in bytes.
pub(crate) const MAX_LEN: usize = 1_280;

/// What a datagram says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response {
        /// Whether the code is 2.xx.
        success: bool,
        /// Token of the request.
        token: Vec<u8>,
        /// Body.
        payload: Vec<u8>,
    },
    /// A CoAP ping, which asks whether we are there (RFC 7252 §4.3).
    Ping {
        /// Message id of the ping.
        message_id: u16,
    },
    /// An acknowledgement or a reset without content.
    Empty,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// What an answer has to repeat.
    pub(crate) source: Source,
    /// Whether the method is GET.
    pub(crate) is_get: bool,
    /// Path with a slash before each segment.
    pub(crate) path: String,
    /// Body.
    pub(crate) payload: Vec<u8>,
}

/// What an answer repeats of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Whether the request is confirmable.
    pub(crate) confirmable: bool,
    message_id: u16,
    token: Vec<u8>,
}

/// A datagram that is no CoAP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoapError {
    /// Longer than [`MAX_LEN`].
    TooLong,
    /// Another version than 1.
    Version(u8),
    /// Broken.
    Malformed,
}

impl fmt::Display for CoapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "more than {MAX_LEN} bytes"),
            Self::Version(version) => write!(f, "version {version}"),
            Self::Malformed => f.write_str("not a CoAP message"),
        }
    }
}

impl Message {
    /// What `bytes` say.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, CoapError> {
        if bytes.len() > MAX_LEN {
            return Err(CoapError::TooLong);
        }
        let packet = Packet::from_bytes(bytes).map_err(|_| CoapError::Malformed)?;
        if packet.header.get_version() != 1 {
            return Err(CoapError::Version(packet.header.get_version()));
        }
        let confirmable = packet.header.get_type() == MessageType::Confirmable;
        match packet.header.code {
            MessageClass::Empty if confirmable => Ok(Self::Ping {
                message_id: packet.header.message_id,
            }),
            MessageClass::Empty => Ok(Self::Empty),
            MessageClass::Request(method) => Ok(Self::Request(Request {
                source: Source {
                    confirmable,
                    message_id: packet.header.message_id,
                    token: packet.get_token().to_vec(),
                },
                is_get: method == Method::Get,
                path: path(&packet),
                payload: packet.payload,
            })),
            MessageClass::Response(_) => Ok(Self::Response {
                success: u8::from(packet.header.code) >> 5 == 2,
                token: packet.get_token().to_vec(),
                payload: packet.payload,
            }),
            MessageClass::Reserved(_) => Err(CoapError::Malformed),
        }
    }
}

impl Source {
    /// The empty acknowledgement of a confirmable request, whose answer comes by itself.
    pub(crate) fn acknowledgement(&self) -> Vec<u8> {
        empty(MessageType::Acknowledgement, self.message_id)
    }

    /// The answer 2.05, with the request's own message id, as the SDK sends it.
    pub(crate) fn content(&self, json: &[u8]) -> Option<Vec<u8>> {
        let mut packet = self.answer(MessageType::NonConfirmable, Status::Content);
        set_json(&mut packet, json);
        packet.to_bytes().ok()
    }

    /// The answer that says why there is no content; it acknowledges a confirmable request too.
    pub(crate) fn refusal(&self, refusal: Refusal) -> Option<Vec<u8>> {
        let kind = if self.confirmable {
            MessageType::Acknowledgement
        } else {
            MessageType::NonConfirmable
        };
        let status = match refusal {
            Refusal::BadRequest => Status::BadRequest,
            Refusal::NotFound => Status::NotFound,
            Refusal::MethodNotAllowed => Status::MethodNotAllowed,
        };
        self.answer(kind, status).to_bytes().ok()
    }

    fn answer(&self, kind: MessageType, status: Status) -> Packet {
        let mut packet = Packet::new();
        packet.header.set_type(kind);
        packet.header.code = MessageClass::Response(status);
        packet.header.message_id = self.message_id;
        packet.set_token(self.token.clone());
        packet
    }
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 4.00.
    BadRequest,
    /// 4.04.
    NotFound,
    /// 4.05.
    MethodNotAllowed,
}

/// A NON POST; none if it does not fit.
pub(crate) fn post(message_id: u16, token: [u8; 4], path: &str, json: &[u8]) -> Option<Vec<u8>> {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::NonConfirmable);
    packet.header.code = MessageClass::Request(Method::Post);
    packet.header.message_id = message_id;
    packet.set_token(token.to_vec());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        packet.add_option(CoapOption::UriPath, segment.into());
    }
    set_json(&mut packet, json);
    packet.to_bytes().ok()
}

/// The answer to a ping.
pub(crate) fn reset(message_id: u16) -> Vec<u8> {
    empty(MessageType::Reset, message_id)
}

/// RFC 7252 §4.1: the header alone.
fn empty(kind: MessageType, message_id: u16) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(kind);
    packet.header.code = MessageClass::Empty;
    packet.header.message_id = message_id;
    // Four bytes are within any limit.
    packet.to_bytes().unwrap_or_default()
}

fn set_json(packet: &mut Packet, json: &[u8]) {
    let format = CONTENT_FORMAT_JSON.to_be_bytes();
    let shortest = format.iter().position(|byte| *byte != 0).unwrap_or(2);
    packet.add_option(CoapOption::ContentFormat, format[shortest..].to_vec());
    packet.payload = json.to_vec();
}

fn path(packet: &Packet) -> String {
    let mut path = String::new();
    for segment in packet.get_option(CoapOption::UriPath).into_iter().flatten() {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(segment));
    }
    path
}

#[cfg(test)]
mod tests;
