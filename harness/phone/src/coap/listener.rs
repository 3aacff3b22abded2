//! A phone's CoAP port: hears everything, answers notifications, hands answers to queries.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coap_lite::{MessageClass, MessageType, Packet};
use proto::linkkit::{DEVICE_INFO_NOTIFY_PATH, PORT};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use trace::Trace;

use super::message;
use crate::{Datagrams, Dial};
use trace::coap::{CoapGarbage, CoapSeen, CoapSent};

/// Bytes of garbage and of other payloads that the trace shows.
const MOST_SHOWN: usize = 128;
/// Messages that wait for a query to look at them; more are only traced.
const MOST_WAITING: usize = 64;

/// A phone that listens on CoAP's port until it is dropped.
pub struct Listener {
    pub(super) port: Arc<Port>,
    task: JoinHandle<()>,
}

/// What a listener is told.
#[derive(Clone, Debug, Default)]
pub struct ListenerSettings {
    /// The phone's name in the trace.
    pub phone: String,
    /// Whether it answers notifications, which makes the device stop and take another token.
    pub answer_notifications: bool,
    /// Names of devices in the trace by their Linkkit device name.
    pub devices: BTreeMap<String, String>,
}

/// What receiver and queries share.
pub(super) struct Port {
    pub(super) dial: Arc<dyn Dial>,
    datagrams: Box<dyn Datagrams>,
    settings: ListenerSettings,
    pub(super) trace: Trace,
    answer_notifications: AtomicBool,
    queries: Mutex<Vec<Waiting>>,
    counter: AtomicU32,
}

/// A query that waits for messages with its token.
struct Waiting {
    token: [u8; 4],
    path: String,
    to_query: mpsc::Sender<Received>,
}

/// A message for a query.
pub(super) struct Received {
    pub(super) from: SocketAddrV4,
    pub(super) packet: Packet,
}

impl Listener {
    /// Binds CoAP's port and listens from now on.
    pub async fn start(
        dial: Arc<dyn Dial>,
        settings: ListenerSettings,
        trace: Trace,
    ) -> io::Result<Self> {
        let datagrams = dial.udp(PORT).await?;
        let port = Arc::new(Port {
            answer_notifications: AtomicBool::new(settings.answer_notifications),
            dial,
            datagrams,
            settings,
            trace,
            queries: Mutex::default(),
            counter: AtomicU32::new(1),
        });
        let task = tokio::spawn(Arc::clone(&port).listen());
        Ok(Self { port, task })
    }

    /// The network that it listens on.
    pub fn dial(&self) -> &Arc<dyn Dial> {
        &self.port.dial
    }

    /// Whether notifications are answered from now on.
    pub fn answer_notifications(&self, whether: bool) {
        self.port
            .answer_notifications
            .store(whether, Ordering::Relaxed);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Port {
    async fn listen(self: Arc<Self>) {
        loop {
            match self.datagrams.receive().await {
                Ok((bytes, from)) => {
                    self.trace.clock().touch();
                    self.receive(&bytes, from).await;
                }
                // A port without a listener answers a datagram of ours by ICMP.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
                    ) => {}
                // The network is gone.
                Err(_) => return,
            }
        }
    }

    async fn receive(&self, bytes: &[u8], from: SocketAddrV4) {
        // Broadcasts come back to their sender on some networks.
        if *from.ip() == self.dial.address() && from.port() == self.datagrams.port() {
            return;
        }
        let packet = match message::read(bytes) {
            Ok(packet) => packet,
            Err(reason) => {
                self.trace.emit(
                    None,
                    &CoapGarbage {
                        phone: self.settings.phone.clone(),
                        from: from.to_string(),
                        reason,
                        bytes: hex::encode(&bytes[..bytes.len().min(MOST_SHOWN)]),
                    },
                );
                return;
            }
        };
        let path = message::path(&packet);
        self.trace_received(&packet, path.clone(), from);
        let is_request = matches!(packet.header.code, MessageClass::Request(_));
        if packet.header.get_type() == MessageType::Confirmable {
            self.send(&message::empty_ack(&packet), from).await;
        }
        if is_request && path.as_deref() == Some(DEVICE_INFO_NOTIFY_PATH) {
            if self.answer_notifications.load(Ordering::Relaxed) {
                self.send(&message::notify_ack(&packet), from).await;
            }
        } else if !is_request {
            self.hand_over(packet, from);
        }
    }

    fn trace_received(&self, packet: &Packet, path: Option<String>, from: SocketAddrV4) {
        let json = serde_json::from_slice::<Value>(&packet.payload).ok();
        let field = |name: &str| {
            let json = json.as_ref()?;
            ["/params", "/data"]
                .iter()
                .find_map(|place| json.pointer(&format!("{place}/{name}"))?.as_str())
        };
        if let Some(token) = field("token") {
            self.trace.secrets().add_numbered("token", token);
        }
        let device = field("deviceName").and_then(|name| self.settings.devices.get(name));
        let text = (json.is_none() && !packet.payload.is_empty()).then(|| {
            let shown = &packet.payload[..packet.payload.len().min(MOST_SHOWN)];
            String::from_utf8_lossy(shown).into_owned()
        });
        let in_reply_to = self
            .queries()
            .iter()
            .find(|query| query.token[..] == *packet.get_token())
            .map(|query| query.path.clone());
        self.trace.emit(
            device.map(String::as_str),
            &CoapSeen {
                phone: self.settings.phone.clone(),
                from: from.to_string(),
                message_type: message::type_name(packet).into(),
                code: packet.header.get_code(),
                message_id: packet.header.message_id,
                message_token: hex::encode(packet.get_token()),
                path,
                in_reply_to,
                content_format: message::content_format(packet),
                json: json.clone(),
                text,
            },
        );
    }

    /// Responses belong to the query whose token they carry. Those with the token of none go to all,
    /// which tell of them if no other comes; an empty acknowledgement has no token and goes to all,
    /// which know their message ids.
    fn hand_over(&self, packet: Packet, from: SocketAddrV4) {
        let queries = self.queries();
        let has_its_token = |query: &Waiting| query.token[..] == *packet.get_token();
        let for_all = !queries.iter().any(has_its_token);
        for query in queries.iter() {
            if for_all || has_its_token(query) {
                // A full queue belongs to a query that looks at nothing any more.
                let _ = query.to_query.try_send(Received {
                    from,
                    packet: packet.clone(),
                });
            }
        }
    }

    /// Sends a message; a failure is traced, and looks to the other side like a lost datagram.
    pub(super) async fn send(&self, packet: &Packet, to: SocketAddrV4) {
        let failure = match packet.to_bytes() {
            Ok(bytes) => self
                .datagrams
                .send(&bytes, to)
                .await
                .err()
                .map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        self.trace.clock().touch();
        self.trace.emit(
            None,
            &CoapSent {
                sender: self.settings.phone.clone(),
                to: to.to_string(),
                message_type: message::type_name(packet).into(),
                code: packet.header.get_code(),
                message_id: packet.header.message_id,
                message_token: hex::encode(packet.get_token()),
                request_path: message::path(packet),
                failure,
            },
        );
    }

    /// Begins to collect the messages for a query on `path`, until the result is dropped.
    pub(super) fn expect(self: &Arc<Self>, path: &str) -> Expectation {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let token = number.to_be_bytes();
        let (to_query, received) = mpsc::channel(MOST_WAITING);
        self.queries().push(Waiting {
            token,
            path: path.to_owned(),
            to_query,
        });
        Expectation {
            port: Arc::clone(self),
            token,
            // The lower half; wraps after as many queries as a message id lives on.
            message_id: u16::from_be_bytes([token[2], token[3]]),
            received,
        }
    }

    fn queries(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query's place at the port.
pub(super) struct Expectation {
    port: Arc<Port>,
    pub(super) token: [u8; 4],
    pub(super) message_id: u16,
    pub(super) received: mpsc::Receiver<Received>,
}

impl Drop for Expectation {
    fn drop(&mut self) {
        let token = self.token;
        self.port.queries().retain(|query| query.token != token);
    }
}
