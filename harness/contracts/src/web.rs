//! What a device's own web server owes its clients.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use serde_json::Value;
use trace::{Event, Source};

use crate::read::{flag, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// By when a server has answered a control frame.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Until the network or the power explains why a connection ended, and a new client why another had to go.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(2);

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
    Contract {
        id: "web-ping-and-close-are-answered",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a server answers a PING by a PONG of as many bytes, and a CLOSE by a CLOSE and the end of the connection, \
               within five seconds",
        source: "RFC 6455 §5.5.2, §5.5.3, §5.5.1 and §7.1.1",
        reads: since_boot![
            (Source::Web, "response"),
            (Source::Web, "received"),
            (Source::Web, "sent"),
            (Source::Web, "closed"),
            (Source::Air, "left"),
            (Source::Air, "phone_left"),
        ],
        watch: |_| Some(Box::<Owed>::default()),
    },
    Contract {
        id: "web-keeps-who-answers",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a server that sends its clients PINGs does not put out one that has answered each of them",
        source: "ESP-IDF esp_http_server: ws_echo_server, keep_alive; RFC 6455 §5.5.2",
        reads: since_boot![
            (Source::Web, "response"),
            (Source::Web, "received"),
            (Source::Web, "sent"),
            (Source::Web, "closed"),
            (Source::Web, "handshake"),
            (Source::Air, "left"),
            (Source::Air, "phone_left"),
        ],
        watch: |_| Some(Box::<Answering>::default()),
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

/// Whether this frame of a phone's is one that a server takes: it is masked, and a control frame is whole and short.
fn is_sound(event: &Event) -> bool {
    let is_control = matches!(text(event, "/frame"), Some("close" | "ping" | "pong"));
    let is_short = number(event, "/length").unwrap_or_default() <= LONGEST_CONTROL;
    flag(event, "/is_masked") && (!is_control || (is_short && flag(event, "/is_final")))
}

/// What a server owes each phone on its WebSocket.
#[derive(Default)]
struct Owed(BTreeMap<String, Debt>);

#[derive(Default)]
struct Debt {
    /// Bytes of the last PING, when it was sent, and by which event: a server may answer the last one alone.
    pong: Option<(u64, LabTime, u64)>,
    /// When CLOSE was sent, by which event, and whether the server has said CLOSE as well.
    close: Option<(LabTime, u64, bool)>,
    /// Whether the phone has sent what ends a connection.
    is_free: bool,
}

impl Watch for Owed {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) || event.kind == "left" {
            self.0.clear();
            return;
        }
        let phone = text(event, "/phone").unwrap_or_default();
        let frame = text(event, "/frame").unwrap_or_default();
        if event.kind == "sent" {
            let debt = self.0.entry(phone.to_owned()).or_default();
            debt.is_free |= !is_sound(event);
            match frame {
                "ping" if debt.close.is_none() => {
                    let length = number(event, "/length").unwrap_or_default();
                    debt.pong = Some((length, event.at(), event.seq));
                }
                "close" => {
                    debt.pong = None;
                    debt.close.get_or_insert((event.at(), event.seq, false));
                }
                _ => {}
            }
            return;
        }
        if event.kind != "received" {
            let debt = self.0.remove(phone);
            let close = debt.and_then(|debt| debt.close.filter(|_| !debt.is_free));
            if let Some((_, seq, is_answered)) = close.filter(|_| event.kind == "closed") {
                found.check(
                    is_answered,
                    || format!("{phone}'s CLOSE is answered by the end of the connection alone"),
                    [seq, event.seq],
                );
            }
            return;
        }
        let Some(debt) = self.0.get_mut(phone) else {
            return;
        };
        match frame {
            "pong" => {
                if let Some((asked, _, seq)) = debt.pong.take() {
                    let length = number(event, "/length").unwrap_or_default();
                    found.check(
                        length == asked || debt.is_free,
                        || format!("a PING of {asked} bytes is answered by a PONG of {length}"),
                        [seq, event.seq],
                    );
                }
            }
            "close" => {
                if let Some((_, _, is_answered)) = &mut debt.close {
                    *is_answered = true;
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        let debts = self.0.values().filter(|debt| !debt.is_free);
        let since = debts.flat_map(|debt| {
            let pong = debt.pong.map(|(_, at, _)| at);
            [pong, debt.close.map(|(at, ..)| at)]
        });
        since.flatten().min().map(|at| at + ANSWERED_WITHIN)
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        let is_late = |at: LabTime| at + ANSWERED_WITHIN < now;
        for (phone, debt) in &mut self.0 {
            if debt.is_free {
                continue;
            }
            if let Some((_, at, seq)) = debt.pong.take_if(|(_, at, _)| is_late(*at))
                && moment.calm_from(at)
            {
                found.broken(format!("{phone}'s PING is not answered"), [seq]);
            }
            if let Some((at, seq, is_answered)) = debt.close.take_if(|(at, ..)| is_late(*at))
                && moment.calm_from(at)
            {
                let what = match is_answered {
                    true => "answered, and its connection stays open",
                    false => "not answered",
                };
                found.broken(format!("{phone}'s CLOSE is {what}"), [seq]);
            }
        }
    }
}

/// WebSockets whose clients are sent PINGs, and those that were closed all the same.
#[derive(Default)]
struct Answering {
    sockets: BTreeMap<String, Pinged>,
    closed: Vec<(LabTime, String, [u64; 2])>,
    /// When another client has come last.
    came: Option<LabTime>,
}

#[derive(Default)]
struct Pinged {
    /// PINGs that were not answered.
    open: u64,
    /// The event of the last answer.
    answered: Option<u64>,
    /// Whether the phone has said CLOSE, or what ends a connection.
    is_free: bool,
}

impl Watch for Answering {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let phone = text(event, "/phone").unwrap_or_default();
        let frame = text(event, "/frame").unwrap_or_default();
        match &*event.kind {
            "sent" => {
                let socket = self.sockets.entry(phone.to_owned()).or_default();
                socket.is_free |= !is_sound(event) || frame == "close";
                if frame == "pong" {
                    socket.open = 0;
                    socket.answered = Some(event.seq);
                    found.held();
                }
            }
            "received" => {
                let socket = self.sockets.entry(phone.to_owned()).or_default();
                socket.open += u64::from(frame == "ping");
                socket.is_free |= frame == "close";
            }
            "closed" => {
                let Some(socket) = self.sockets.remove(phone) else {
                    return;
                };
                if let Some(answered) = socket.answered
                    && socket.open == 0
                    && !socket.is_free
                    && self
                        .came
                        .is_none_or(|at| at + EXPLAINED_WITHIN < event.at())
                {
                    let closed = (event.at(), phone.to_owned(), [answered, event.seq]);
                    self.closed.push(closed);
                }
            }
            "response" | "handshake" => {
                // Who comes may make another go.
                self.came = Some(event.at());
                self.sockets.remove(phone);
                self.closed.clear();
            }
            // The server goes with its network.
            _ => {
                self.sockets.clear();
                self.closed.clear();
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.closed.first().map(|(at, ..)| *at + EXPLAINED_WITHIN)
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.closed.retain(|(at, phone, events)| {
            let waits = *at + EXPLAINED_WITHIN >= now;
            if !waits && moment.calm_from(*at) {
                found.broken(
                    format!("{phone} has answered each PING, and its connection is closed"),
                    *events,
                );
            }
            waits
        });
    }
}
