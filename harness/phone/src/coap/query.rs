//! A phone asks devices for their information.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use coap_lite::{MessageClass, Packet, ResponseType};
use proto::linkkit::{
    DEVICE_INFO_GET_PATH, DeviceInfo, MULTICAST, PORT, Reply, device_info_get_path,
};
use serde::Deserialize;
use serde_json::Value;

use super::listener::{Expectation, Listener, Received};
use super::message;

/// First time-out of a confirmable message, doubled after each (RFC 7252 §4.8).
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// Retransmissions of a confirmable message (RFC 7252 §4.8).
const MAX_RETRANSMIT: usize = 4;

/// Which device is asked, and how.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where the question goes.
    pub target: QueryTarget,
    /// Product key of the device.
    pub product_key: String,
    /// Device name of the device; answers of others are traced and passed over.
    pub device_name: String,
}

/// Where a question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryTarget {
    /// To one address, on the device's own path; repeated until it is acknowledged.
    Unicast(Ipv4Addr),
    /// To the broadcast address of the phone's network.
    Broadcast,
    /// To 255.255.255.255.
    LimitedBroadcast,
    /// To all CoAP nodes.
    Multicast,
}

/// What a device answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// 200, or why there is no information.
    pub code: i64,
    /// What the device tells about itself; none if the code is another than 200.
    pub info: Option<DeviceInfo>,
    /// The whole payload.
    pub json: Value,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No answer to this query in time; answers with another token are none.
    #[error(
        "{device_name} sent no answer to the query within {within:?}{}",
        if *.acknowledged { ", although it acknowledged it (empty ACK)" } else { "" }
    )]
    Silence {
        /// Who was asked.
        device_name: String,
        /// How long was waited, in lab time.
        within: Duration,
        /// Whether the empty acknowledgement came.
        acknowledged: bool,
    },
    /// The device answered in time, but with the token of no query that waits.
    #[error(
        "{device_name} answered within {within:?}, but with the token {answered} instead of {asked}: \
         a client takes that for no answer to its query"
    )]
    OtherToken {
        /// Who was asked.
        device_name: String,
        /// How long was waited, in lab time.
        within: Duration,
        /// The token of the query, in hex.
        asked: String,
        /// The token of the last answer, in hex.
        answered: String,
    },
    /// The device refused by a CoAP code.
    #[error("{device_name} refused the query with {code}")]
    Refused {
        /// Who was asked.
        device_name: String,
        /// Such as `4.05`.
        code: String,
    },
    /// Answer that does not have the form of a Linkkit answer.
    #[error("{device_name} sent an answer that cannot be read: {reason}")]
    Unreadable {
        /// Who was asked.
        device_name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The phone left its network.
    #[error("the phone is no longer on the network")]
    Gone,
}

impl Listener {
    /// Asks a device for its information, and waits for the answer for so much lab time.
    pub async fn query(&self, query: &Query, within: Duration) -> Result<Answer, QueryError> {
        let clock = self.port.trace.clock().clone();
        let mut attempt = Attempt::new(self, query);
        match clock.timeout(within, attempt.run(self, &clock)).await {
            Ok(result) => result,
            Err(_) => Err(attempt.unanswered(within)),
        }
    }
}

struct Attempt<'q> {
    query: &'q Query,
    request: Packet,
    to: SocketAddrV4,
    expectation: Expectation,
    acknowledged: bool,
    /// The token of the last answer that has the token of no query, in hex.
    other_token: Option<String>,
}

impl<'q> Attempt<'q> {
    fn new(listener: &Listener, query: &'q Query) -> Self {
        let (address, path) = match query.target {
            QueryTarget::Unicast(address) => (
                address,
                device_info_get_path(&query.product_key, &query.device_name),
            ),
            QueryTarget::Broadcast => (
                listener.port.dial.broadcast(),
                DEVICE_INFO_GET_PATH.to_owned(),
            ),
            QueryTarget::LimitedBroadcast => (Ipv4Addr::BROADCAST, DEVICE_INFO_GET_PATH.to_owned()),
            QueryTarget::Multicast => (MULTICAST, DEVICE_INFO_GET_PATH.to_owned()),
        };
        let expectation = Arc::clone(&listener.port).expect(&path);
        Self {
            query,
            request: message::query(&path, expectation.message_id, expectation.token),
            to: SocketAddrV4::new(address, PORT),
            expectation,
            acknowledged: false,
            other_token: None,
        }
    }

    /// Why there is no answer by the end.
    fn unanswered(self, within: Duration) -> QueryError {
        let device_name = self.query.device_name.clone();
        match self.other_token {
            Some(answered) => QueryError::OtherToken {
                device_name,
                within,
                asked: hex::encode(self.expectation.token),
                answered,
            },
            None => QueryError::Silence {
                device_name,
                within,
                acknowledged: self.acknowledged,
            },
        }
    }

    async fn run(&mut self, listener: &Listener, clock: &Clock) -> Result<Answer, QueryError> {
        // No device acknowledges a broadcast on behalf of all, so it is sent once.
        let unicast = matches!(self.query.target, QueryTarget::Unicast(_));
        let retransmissions = if unicast { MAX_RETRANSMIT } else { 0 };
        let mut timeout = ACK_TIMEOUT;
        for _ in 0..retransmissions {
            listener.port.send(&self.request, self.to).await;
            match clock.timeout(timeout, self.answer(true)).await {
                Ok(Some(result)) => return result,
                Ok(None) => return self.wait().await,
                Err(_) => timeout *= 2,
            }
        }
        listener.port.send(&self.request, self.to).await;
        self.wait().await
    }

    async fn wait(&mut self) -> Result<Answer, QueryError> {
        self.answer(false).await.unwrap_or(Err(QueryError::Gone))
    }

    /// The answer, or none at the acknowledgement if that is waited for.
    async fn answer(&mut self, until_acknowledged: bool) -> Option<Result<Answer, QueryError>> {
        loop {
            let Some(Received { from, packet }) = self.expectation.received.recv().await else {
                return Some(Err(QueryError::Gone));
            };
            match packet.header.code {
                MessageClass::Response(_) if *packet.get_token() != self.expectation.token => {
                    let from_device = *from.ip() == *self.to.ip();
                    if from_device || matches!(self.read(&packet, from), Some(Ok(_))) {
                        self.other_token = Some(hex::encode(packet.get_token()));
                    }
                }
                MessageClass::Empty => {
                    if packet.header.message_id == self.expectation.message_id {
                        self.acknowledged = true;
                        if until_acknowledged {
                            return None;
                        }
                    }
                }
                MessageClass::Response(ResponseType::Content) => {
                    if let Some(answer) = self.read(&packet, from) {
                        return Some(answer);
                    }
                }
                MessageClass::Response(_) if *from.ip() == *self.to.ip() => {
                    return Some(Err(QueryError::Refused {
                        device_name: self.query.device_name.clone(),
                        code: packet.header.get_code(),
                    }));
                }
                MessageClass::Response(_)
                | MessageClass::Request(_)
                | MessageClass::Reserved(_) => {}
            }
        }
    }

    /// What the packet says, unless another device than the one that was asked sent it.
    fn read(&self, packet: &Packet, from: SocketAddrV4) -> Option<Result<Answer, QueryError>> {
        let asked_alone = *from.ip() == *self.to.ip();
        let unreadable = |error: serde_json::Error| {
            asked_alone.then(|| {
                Err(QueryError::Unreadable {
                    device_name: self.query.device_name.clone(),
                    reason: error.to_string(),
                })
            })
        };
        let reply: Reply<Value> = match serde_json::from_slice(&packet.payload) {
            Ok(reply) => reply,
            Err(error) => return unreadable(error),
        };
        let info = match (reply.code, DeviceInfo::deserialize(&reply.data)) {
            (200, Ok(info)) => Some(info),
            (200, Err(error)) => return unreadable(error),
            _ => None,
        };
        let meant = match &info {
            Some(info) => info.device_name == self.query.device_name,
            None => asked_alone,
        };
        meant.then(|| {
            Ok(Answer {
                from,
                code: reply.code,
                info,
                json: serde_json::from_slice(&packet.payload).unwrap_or_default(),
            })
        })
    }
}
