//! A broker for one device, which does as it is told.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration as Span, Instant, Timer, with_timeout};
use mqttrs::{Packet, QosPid, decode_slice};

/// Time for a reset to leave; embassy-net does not say when it has.
const RESET_TIME: Span = Span::from_millis(1);

/// What the broker has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Connect {
        client_id: String,
        username: Option<String>,
    },
    Subscribe(String),
    Publish {
        topic: String,
        payload: String,
        qos: u8,
    },
    Ping,
    Closed,
}

/// How reports of tokens are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    Never,
    After(Duration),
}

pub struct Broker {
    /// Return code of CONNACK; none for silence.
    pub connack: Cell<Option<u8>>,
    /// Return code of SUBACK.
    pub suback: Cell<u8>,
    pub replies: Cell<Replies>,
    pub answers_pings: Cell<bool>,
    pub acknowledges: Cell<bool>,
    /// Bytes to send after CONNACK.
    pub garbage: RefCell<Vec<u8>>,
    /// Whether a session is cut after CONNACK.
    pub cuts: Cell<bool>,
    seen: RefCell<Vec<(u64, Seen)>>,
    #[cfg(feature = "bugs")]
    password: RefCell<Vec<u8>>,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            connack: Cell::new(Some(0)),
            suback: Cell::new(0),
            replies: Cell::new(Replies::After(Duration::from_millis(20))),
            answers_pings: Cell::new(true),
            acknowledges: Cell::new(true),
            garbage: RefCell::default(),
            cuts: Cell::new(false),
            seen: RefCell::default(),
            #[cfg(feature = "bugs")]
            password: RefCell::default(),
        }
    }
}

impl Broker {
    /// What was seen, with the time in ms.
    pub fn seen(&self) -> Vec<(u64, Seen)> {
        self.seen.borrow().clone()
    }

    /// When devices have connected, in ms.
    pub fn connects(&self) -> Vec<u64> {
        let seen = self.seen.borrow();
        let connects = seen
            .iter()
            .filter(|(_, seen)| matches!(seen, Seen::Connect { .. }));
        connects.map(|(ms, _)| *ms).collect()
    }

    /// The password of the last CONNECT.
    #[cfg(feature = "bugs")]
    pub fn password(&self) -> Vec<u8> {
        self.password.borrow().clone()
    }

    /// Payloads published on this topic.
    pub fn published(&self, topic: &str) -> Vec<String> {
        let seen = self.seen.borrow();
        seen.iter()
            .filter_map(|(_, seen)| match seen {
                Seen::Publish {
                    topic: on, payload, ..
                } if on == topic => Some(payload.clone()),
                _ => None,
            })
            .collect()
    }

    fn note(&self, seen: Seen) {
        let ms = Instant::now().as_millis();
        self.seen.borrow_mut().push((ms, seen));
    }

    pub async fn serve(&self, stack: Stack<'static>) {
        let (mut rx, mut tx) = (vec![0; 4096], vec![0; 4096]);
        loop {
            let mut socket = TcpSocket::new(stack, &mut rx, &mut tx);
            // A device that is gone says nothing, so it is asked.
            socket.set_keep_alive(Some(Span::from_secs(1)));
            socket.set_timeout(Some(Span::from_secs(5)));
            socket.accept(1883).await.unwrap();
            self.attend(&mut socket).await;
            self.note(Seen::Closed);
            socket.abort();
            let _ = with_timeout(RESET_TIME, socket.flush()).await;
        }
    }

    async fn attend(&self, socket: &mut TcpSocket<'_>) {
        let mut bytes = Vec::new();
        let mut replies: Vec<(Instant, Vec<u8>)> = Vec::new();
        let mut buffer = vec![0; 4096];
        loop {
            while let Some(len) = packet_len(&bytes) {
                let answer = self.answer(&bytes[..len], &mut replies);
                bytes.drain(..len);
                match answer {
                    Some(answer) if answer.is_empty() => {}
                    Some(answer) if socket.write(&answer).await.is_ok() => {}
                    _ => return,
                }
            }
            let due = replies.first().map_or(Instant::MAX, |reply| reply.0);
            match select(socket.read(&mut buffer), Timer::at(due)).await {
                Either::First(Ok(len)) if len > 0 => bytes.extend(&buffer[..len]),
                Either::First(_) => return,
                Either::Second(()) => {
                    let (_, reply) = replies.remove(0);
                    socket.write(&reply).await.unwrap();
                }
            }
        }
    }

    /// The answer; none ends the connection.
    fn answer(&self, bytes: &[u8], replies: &mut Vec<(Instant, Vec<u8>)>) -> Option<Vec<u8>> {
        match decode_slice(bytes).unwrap().unwrap() {
            Packet::Connect(connect) => {
                #[cfg(feature = "bugs")]
                self.password
                    .replace(connect.password.unwrap_or_default().to_vec());
                self.note(Seen::Connect {
                    client_id: connect.client_id.into(),
                    username: connect.username.map(String::from),
                });
                if self.cuts.get() {
                    return None;
                }
                let Some(code) = self.connack.get() else {
                    return Some(Vec::new());
                };
                let mut answer = vec![0x20, 2, 0, code];
                answer.extend(self.garbage.borrow().iter());
                Some(answer)
            }
            Packet::Subscribe(subscribe) => {
                let filter = subscribe.topics[0].topic_path.as_str().into();
                self.note(Seen::Subscribe(filter));
                let [high, low] = subscribe.pid.get().to_be_bytes();
                Some(vec![0x90, 3, high, low, self.suback.get()])
            }
            Packet::Publish(publish) => {
                let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
                if let (Replies::After(delay), Some(topic)) = (
                    self.replies.get(),
                    publish
                        .topic_name
                        .strip_suffix("/thing/awss/enrollee/match"),
                ) {
                    let due = Instant::now() + delay.try_into().unwrap();
                    replies.push((due, reply(topic, &payload)));
                }
                let (qos, answer) = match publish.qospid {
                    QosPid::AtLeastOnce(pid) if self.acknowledges.get() => {
                        let [high, low] = pid.get().to_be_bytes();
                        (1, vec![0x40, 2, high, low])
                    }
                    QosPid::AtLeastOnce(_) => (1, Vec::new()),
                    _ => (0, Vec::new()),
                };
                self.note(Seen::Publish {
                    topic: publish.topic_name.into(),
                    payload,
                    qos,
                });
                Some(answer)
            }
            Packet::Pingreq => {
                self.note(Seen::Ping);
                match self.answers_pings.get() {
                    true => Some(vec![0xd0, 0]),
                    false => Some(Vec::new()),
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A PUBLISH on the reply topic, which never has `ts` in it.
fn reply(prefix: &str, report: &str) -> Vec<u8> {
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    let prefix = prefix.trim_end_matches("/ts");
    let topic = format!("{prefix}/thing/awss/enrollee/match_reply");
    let json = format!(r#"{{"id":{},"code":200,"data":{{}}}}"#, report["id"]);
    let mut packet = vec![0x30, (2 + topic.len() + json.len()) as u8];
    assert!(packet[1] < 0x80);
    packet.extend([0, topic.len() as u8]);
    packet.extend(topic.as_bytes());
    packet.extend(json.as_bytes());
    packet
}

/// Length of the whole packet at the beginning.
fn packet_len(bytes: &[u8]) -> Option<usize> {
    let mut len = 0;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let len = at + 2 + len;
            return (bytes.len() >= len).then_some(len);
        }
    }
    None
}
