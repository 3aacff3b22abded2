//! What a device's own web server owes its clients.

use std::collections::BTreeMap;

use serde_json::Value;
use trace::{Event, Source};

use crate::read::{flag, number, text};
use crate::{Contract, Found, Moment, Watch};

/// Longest payload of a control frame (RFC 6455 §5.5).
const LONGEST_CONTROL: u64 = 125;

/// Status codes and their words, where ESP-IDF has those (`httpd_types`, `httpd_resp_send_err`).
const WORDS: [(u64, &str); 14] = [
    (101, "Switching Protocols"),
    (200, "OK"),
    (204, "No Content"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (408, "Request Timeout"),
    (411, "Length Required"),
    (413, "Content Too Large"),
    (414, "URI Too Long"),
    (431, "Request Header Fields Too Large"),
    (500, "Internal Server Error"),
];

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "web-answers-say-what-they-are",
        needs: &[],
        says: "an answer of a web server is HTTP/1.1, has the words of its status, and tells the type of its body and \
               its length in one way",
        source: "ESP-IDF esp_http_server: httpd_resp_send, httpd_resp_send_err; RFC 9112 §6",
        reads: &[(Source::Web, "response")],
        watch: |_| Some(Box::new(Answers)),
    },
    Contract {
        id: "web-frames-are-in-order",
        needs: &[],
        says: "the frames of a WebSocket are of known kinds, fragments follow their beginning, control frames are \
               whole and short, and nothing follows a CLOSE",
        source: "RFC 6455 §5.4, §5.5 and §5.5.1",
        reads: &[
            (Source::Web, "response"),
            (Source::Web, "received"),
            (Source::Web, "closed"),
        ],
        watch: |_| Some(Box::<Frames>::default()),
    },
];

struct Answers;

impl Watch for Answers {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let status = number(event, "/status").unwrap_or_default();
        let said = text(event, "/reason").unwrap_or_default();
        let version = text(event, "/version").unwrap_or("1.1");
        let fields = event.data.pointer("/fields").and_then(Value::as_object);
        let has = |name: &str| fields.is_some_and(|fields| fields.contains_key(name));
        let words = WORDS.iter().find(|(code, _)| *code == status);
        // A switch of protocols, and an answer without content, have no body.
        let has_body = status >= 200 && status != 204;
        let seen = if version != "1.1" {
            format!("HTTP/{version}")
        } else if let Some((_, words)) = words.filter(|(_, words)| *words != said) {
            format!("{status} in the words {said:?}; they are {words:?}")
        } else if has_body && !has("content-type") {
            format!("{status} with a body of no type")
        } else if has_body && has("content-length") == has("transfer-encoding") {
            format!("{status} with a body of two lengths, or of none")
        } else {
            return found.held();
        };
        found.broken(format!("answered {seen}"), [event.seq]);
    }
}

/// The WebSocket of each phone. A phone has one.
#[derive(Default)]
struct Frames(BTreeMap<String, Socket>);

#[derive(Default)]
struct Socket {
    /// The frame that began the message that is under way.
    begun: Option<u64>,
    /// The frame that closed.
    closed: Option<u64>,
}

impl Watch for Frames {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let phone = text(event, "/phone").unwrap_or_default();
        if event.kind != "received" {
            // The next frame is one of another connection.
            self.0.remove(phone);
            return;
        }
        let socket = self.0.entry(phone.to_owned()).or_default();
        let frame = text(event, "/frame").unwrap_or_default();
        let is_final = flag(event, "/is_final");
        let length = number(event, "/length").unwrap_or_default();
        let (seen, before) = match (frame, socket.closed, socket.begun) {
            (_, Some(closed), _) => (format!("{frame} behind a CLOSE"), Some(closed)),
            ("close" | "ping" | "pong", ..) => {
                if frame == "close" {
                    socket.closed = Some(event.seq);
                }
                if is_final && length <= LONGEST_CONTROL {
                    return found.held();
                }
                let whole = if is_final {
                    "a whole"
                } else {
                    "the start of a"
                };
                (format!("{whole} {frame} of {length} bytes"), None)
            }
            ("continuation", _, None) => ("a continuation of nothing".into(), None),
            ("text" | "binary", _, Some(begun)) => {
                (format!("{frame} in the middle of a message"), Some(begun))
            }
            ("continuation" | "text" | "binary", ..) => {
                let begun = socket.begun.unwrap_or(event.seq);
                socket.begun = (!is_final).then_some(begun);
                return found.held();
            }
            _ => (format!("a frame of the unknown kind {frame}"), None),
        };
        let events = before.into_iter().chain([event.seq]);
        found.broken(format!("{phone} got {seen}"), events);
    }
}
