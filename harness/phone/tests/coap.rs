//! A phone on loopback hears a device's CoAP, answers and asks.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use phone::{
    CoapGarbage, CoapSeen, CoapSent, Datagrams, Dial, Listener, ListenerSettings, Query,
    QueryError, QueryTarget, Stream,
};
use serde_json::Value;
use tokio::sync::mpsc;
use trace::Trace;

const DEVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 59), 5683);
const TOKEN: &str = "4786F0F6E1CC7BF86017FD4D1429EE4F";

type Datagram = (Vec<u8>, SocketAddrV4);

/// A LAN in memory on which one phone and one device are.
#[derive(Clone)]
struct Lan {
    to_device: mpsc::UnboundedSender<Datagram>,
    to_phone: Arc<Mutex<Option<mpsc::UnboundedReceiver<Datagram>>>>,
}

/// The device's end of it.
struct DeviceEnd {
    from_phone: mpsc::UnboundedReceiver<Datagram>,
    to_phone: mpsc::UnboundedSender<Datagram>,
}

fn lan() -> (Lan, DeviceEnd) {
    let (to_device, from_phone) = mpsc::unbounded_channel();
    let (to_phone, at_phone) = mpsc::unbounded_channel();
    let lan = Lan {
        to_device,
        to_phone: Arc::new(Mutex::new(Some(at_phone))),
    };
    let device = DeviceEnd {
        from_phone,
        to_phone,
    };
    (lan, device)
}

impl Dial for Lan {
    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, 7)
    }

    fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, 255)
    }

    fn tcp(&self, _: SocketAddrV4) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        async { Err(io::ErrorKind::Unsupported.into()) }.boxed()
    }

    fn udp(&self, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        async move {
            assert_eq!(port, 5683);
            let received = self.to_phone.lock().unwrap().take().unwrap();
            Ok(Box::new(PhonePort {
                to_device: self.to_device.clone(),
                received: tokio::sync::Mutex::new(received),
            }) as Box<dyn Datagrams>)
        }
        .boxed()
    }
}

struct PhonePort {
    to_device: mpsc::UnboundedSender<Datagram>,
    received: tokio::sync::Mutex<mpsc::UnboundedReceiver<Datagram>>,
}

impl Datagrams for PhonePort {
    fn port(&self) -> u16 {
        5683
    }

    fn send<'d>(&'d self, bytes: &'d [u8], to: SocketAddrV4) -> BoxFuture<'d, io::Result<()>> {
        async move {
            self.to_device
                .send((bytes.to_vec(), to))
                .map_err(|_| io::ErrorKind::NetworkUnreachable.into())
        }
        .boxed()
    }

    fn receive(&self) -> BoxFuture<'_, io::Result<(Vec<u8>, SocketAddrV4)>> {
        async move {
            let mut received = self.received.lock().await;
            received
                .recv()
                .await
                .ok_or(io::ErrorKind::NetworkDown.into())
        }
        .boxed()
    }
}

impl DeviceEnd {
    fn send(&self, packet: &str) {
        self.to_phone
            .send((hex::decode(packet).unwrap(), DEVICE))
            .unwrap();
    }

    async fn receive(&mut self) -> (String, SocketAddrV4) {
        let (bytes, to) = self.from_phone.recv().await.unwrap();
        (hex::encode(bytes), to)
    }
}

fn vector(name: &str, field: &str) -> String {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../fixtures/vectors/linkkit.json")).unwrap();
    vectors[name][field].as_str().unwrap().to_owned()
}

fn notification() -> String {
    vector("coap_notify", "packet")
}

/// The vector's answer to a query, with the query's message id and token in place of its own.
fn answer_to(query: &str) -> String {
    let answer = vector("coap_get_response (NON 2.05, same msgid + token)", "packet");
    format!("{}{}{}", &answer[..4], &query[4..16], &answer[16..])
}

async fn listener(answer_notifications: bool) -> (Listener, DeviceEnd, Trace) {
    let trace = Trace::in_memory(Clock::start(1000.0));
    let (lan, device) = lan();
    let settings = ListenerSettings {
        phone: "alice".into(),
        answer_notifications,
        devices: BTreeMap::from([("gateway_test01".into(), "gateway".into())]),
    };
    let listener = Listener::start(Arc::new(lan), settings, trace.clone())
        .await
        .unwrap();
    (listener, device, trace)
}

fn query(target: QueryTarget) -> Query {
    Query {
        target,
        product_key: "a1GQc8iJOWI".into(),
        device_name: "gateway_test01".into(),
    }
}

fn seen(trace: &Trace) -> Vec<CoapSeen> {
    trace
        .since(0)
        .iter()
        .filter_map(|event| event.payload())
        .collect()
}

#[tokio::test]
async fn a_notification_is_traced_without_its_token() {
    let (_listener, device, trace) = listener(false).await;
    device.send(&notification());
    trace.longer_than(1).await;
    let event = trace.event(1).unwrap();
    assert_eq!(event.device.as_deref(), Some("gateway"));
    let seen: CoapSeen = event.payload().unwrap();
    assert_eq!(seen.phone, "alice");
    assert_eq!(seen.from, "10.0.0.59:5683");
    assert_eq!(
        (seen.message_type.as_str(), seen.code.as_str()),
        ("NON", "0.02")
    );
    assert_eq!(seen.path.as_deref(), Some("/sys/device/info/notify"));
    assert_eq!(seen.json.unwrap()["params"]["token"], "<token 1>");
    assert!(!serde_json::to_string(&*event).unwrap().contains(TOKEN));
    assert_eq!(trace.secrets().reveal("<token 1>"), TOKEN);
}

#[tokio::test]
async fn a_notification_is_answered_if_the_phone_was_told_to() {
    let (listener, mut device, trace) = listener(true).await;
    device.send(&notification());
    let (answer, to) = device.receive().await;
    assert_eq!(
        answer,
        vector(
            "coap_notify_ack_from_phone (makes the device stop and rotate the token)",
            "packet_NON_2.05_same_token"
        )
    );
    assert_eq!(to, DEVICE);
    listener.answer_notifications(false);
    device.send(&notification());
    trace.longer_than(3).await;
    assert!(device.from_phone.try_recv().is_err());
    let sent: Vec<CoapSent> = trace
        .since(0)
        .iter()
        .filter_map(|event| event.payload())
        .collect();
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn a_query_is_answered_by_the_device_that_was_meant() {
    let (listener, mut device, trace) = listener(false).await;
    let answering = async {
        let (query, to) = device.receive().await;
        assert_eq!(to.to_string(), "10.0.0.255:5683");
        device.send(&format!("6000{}", &query[4..8]));
        device.send(&answer_to(&query).replace("3031", "3032"));
        device.send(&answer_to(&query));
    };
    let question = query(QueryTarget::Broadcast);
    let asking = listener.query(&question, Duration::from_secs(5));
    let (answer, ()) = tokio::join!(asking, answering);
    let answer = answer.unwrap();
    assert_eq!((answer.code, answer.from), (200, DEVICE));
    let info = answer.info.unwrap();
    assert_eq!(info.device_name, "gateway_test01");
    assert_eq!((info.token.as_str(), info.remain_time), (TOKEN, 40_738));
    let paths: Vec<_> = seen(&trace)
        .into_iter()
        .map(|seen| seen.in_reply_to)
        .collect();
    assert_eq!(
        paths.len(),
        3,
        "acknowledgement, another device's answer, the answer"
    );
    assert_eq!(paths[2].as_deref(), Some("/sys/device/info/get"));
}

#[tokio::test]
async fn a_query_to_one_device_is_repeated_until_it_is_acknowledged() {
    let (listener, mut device, _trace) = listener(false).await;
    let answering = async {
        let (first, to) = device.receive().await;
        assert_eq!(to, DEVICE);
        let path = "b3737973".to_owned();
        assert!(first.contains(&path), "{first}");
        let (second, _) = device.receive().await;
        assert_eq!(first, second);
        device.send(&format!("6000{}", &first[4..8]));
        device.send(&answer_to(&first));
    };
    let question = query(QueryTarget::Unicast(*DEVICE.ip()));
    let asking = listener.query(&question, Duration::from_secs(30));
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(answer.unwrap().code, 200);
    assert!(device.from_phone.try_recv().is_err());
}

#[tokio::test]
async fn silence_says_whether_the_query_was_acknowledged() {
    for acknowledged in [false, true] {
        let (listener, mut device, _trace) = listener(false).await;
        let answering = async {
            let (query, _) = device.receive().await;
            if acknowledged {
                device.send(&format!("6000{}", &query[4..8]));
            }
        };
        let question = query(QueryTarget::Broadcast);
        let asking = listener.query(&question, Duration::from_secs(5));
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(
            answer,
            Err(QueryError::Silence {
                device_name: "gateway_test01".into(),
                within: Duration::from_secs(5),
                acknowledged,
            })
        );
    }
}

#[tokio::test]
async fn an_answer_with_another_token_is_no_silence() {
    for target in [QueryTarget::Unicast(*DEVICE.ip()), QueryTarget::Broadcast] {
        let (listener, mut device, _trace) = listener(false).await;
        let answering = async {
            let (query, _) = device.receive().await;
            let mut answer = answer_to(&query);
            // The token stands behind four bytes of header.
            answer.replace_range(8..16, "deadbeef");
            device.send(&answer);
            query[8..16].to_owned()
        };
        let question = query(target);
        let asking = listener.query(&question, Duration::from_secs(5));
        let (answer, asked) = tokio::join!(asking, answering);
        let error = answer.unwrap_err();
        let expected = QueryError::OtherToken {
            device_name: "gateway_test01".into(),
            within: Duration::from_secs(5),
            asked: asked.clone(),
            answered: "deadbeef".into(),
        };
        assert_eq!(error, expected);
        let said = format!("with the token deadbeef instead of {asked}");
        assert!(error.to_string().contains(&said), "{error}");
    }
}

#[tokio::test]
async fn an_answer_with_the_right_token_counts_after_one_with_another() {
    let (listener, mut device, _trace) = listener(false).await;
    let answering = async {
        let (query, _) = device.receive().await;
        let right = answer_to(&query);
        let mut wrong = right.clone();
        wrong.replace_range(8..16, "deadbeef");
        device.send(&wrong);
        device.send(&right);
    };
    let question = query(QueryTarget::Unicast(*DEVICE.ip()));
    let asking = listener.query(&question, Duration::from_secs(5));
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(answer.unwrap().code, 200);
}

#[tokio::test]
async fn a_device_without_a_token_says_so() {
    let (listener, mut device, _trace) = listener(false).await;
    let answering = async {
        let (query, _) = device.receive().await;
        let payload = hex::encode(br#"{"id":"123","code":400,"data":{}}"#);
        device.send(&format!("5445{}c132ff{payload}", &query[4..16]));
    };
    let question = query(QueryTarget::Unicast(*DEVICE.ip()));
    let asking = listener.query(&question, Duration::from_secs(5));
    let (answer, ()) = tokio::join!(asking, answering);
    let answer = answer.unwrap();
    assert_eq!((answer.code, answer.info), (400, None));
}

#[tokio::test]
async fn a_refusal_and_an_unreadable_answer_are_told_apart() {
    for (packet, expected) in [
        ("5485", "refused the query with 4.05"),
        ("5445", "cannot be read"),
    ] {
        let (listener, mut device, _trace) = listener(false).await;
        let answering = async {
            let (query, _) = device.receive().await;
            device.send(&format!("{packet}{}", &query[4..16]));
        };
        let question = query(QueryTarget::Unicast(*DEVICE.ip()));
        let asking = listener.query(&question, Duration::from_secs(5));
        let (answer, ()) = tokio::join!(asking, answering);
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn garbage_is_traced() {
    let (_listener, device, trace) = listener(true).await;
    device.send("ff");
    trace.longer_than(1).await;
    let garbage: CoapGarbage = trace.event(1).unwrap().payload().unwrap();
    assert_eq!(
        (garbage.phone.as_str(), garbage.bytes.as_str()),
        ("alice", "ff")
    );
}

#[tokio::test]
async fn a_payload_that_is_no_json_is_shown_as_text() {
    let (_listener, device, trace) = listener(true).await;
    device.send("50450001ff6869");
    trace.longer_than(1).await;
    assert_eq!(seen(&trace)[0].text.as_deref(), Some("hi"));
    assert_eq!(seen(&trace)[0].json, None);
}
