//! Streams of QoS 1: everything that was acknowledged arrives, however fast it was published.
//!
//! The clients run on a thread of their own with blocking reads of many packets at a time, as a
//! program in another process would.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use cloud::{BrokerSettings, Limits, PacketTrace};
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trace::Trace;

const TOPIC: &str = "stream/messages";
/// Unacknowledged messages of one publisher at any time.
const WINDOW: usize = 50;

/// A client that reads many packets at a time.
struct Client {
    stream: TcpStream,
    inbox: Vec<u8>,
    packets: VecDeque<Vec<u8>>,
}

impl Client {
    async fn connect(address: SocketAddr, id: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream,
            inbox: Vec::new(),
            packets: VecDeque::new(),
        };
        client.send(&connect(id)).await;
        assert_eq!(client.next().await, [0x20, 2, 0, 0], "{id}");
        client
    }

    async fn subscriber(address: SocketAddr, id: &str, filter: &str) -> Self {
        let mut client = Self::connect(address, id).await;
        client.send(&subscribe(1, &[(filter, 1)])).await;
        assert_eq!(client.next().await, suback(1, &[1]), "{id}");
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn next(&mut self) -> Vec<u8> {
        while self.packets.is_empty() {
            self.fill().await;
        }
        self.packets.pop_front().unwrap()
    }

    /// Waits for bytes, and splits them into packets, none of which is longer than 127 bytes.
    async fn fill(&mut self) {
        let count = self.stream.read_buf(&mut self.inbox).await.unwrap();
        assert_ne!(count, 0, "the broker closed the connection");
        let mut at = 0;
        while let [_, length, ..] = self.inbox[at..] {
            let end = at + 2 + usize::from(length);
            if self.inbox.len() < end {
                break;
            }
            self.packets.push_back(self.inbox[at..end].to_vec());
            at = end;
        }
        self.inbox.drain(..at);
    }

    /// Publishes `count` messages that begin with `name`, as fast as they are acknowledged.
    async fn publish(mut self, topic: &str, name: usize, count: usize) {
        let (mut sent, mut acknowledged) = (0, 0);
        while acknowledged < count {
            let mut out = Vec::new();
            while sent < count && sent - acknowledged < WINDOW {
                let id = (sent % 60_000 + 1) as u16;
                out.extend(publish_with_id(
                    1,
                    id,
                    topic,
                    &format!("{name:05}{sent:05}"),
                ));
                sent += 1;
            }
            self.send(&out).await;
            self.fill().await;
            while let Some(packet) = self.packets.pop_front() {
                assert_eq!(packet[0], 0x40, "PUBACK");
                acknowledged += 1;
            }
        }
    }

    /// Takes and acknowledges `count` messages; checks that each publisher's come once each and in
    /// order.
    async fn receive(mut self, topic: &str, publishers: usize, count: usize) {
        let mut next = vec![0; publishers];
        let mut received = 0;
        while received < count {
            self.fill().await;
            let mut out = Vec::new();
            while let Some(packet) = self.packets.pop_front() {
                assert_eq!(packet[0], 0x32, "PUBLISH of QoS 1");
                let body = &packet[4 + topic.len()..];
                let digits =
                    |range| -> usize { str::from_utf8(&body[range]).unwrap().parse().unwrap() };
                let (name, number) = (digits(2..7), digits(7..12));
                assert_eq!(number, next[name], "the next message of publisher {name}");
                next[name] += 1;
                received += 1;
                out.extend([0x40, 2, body[0], body[1]]);
            }
            self.send(&out).await;
        }
    }
}

/// Runs `clients` on a thread and runtime of their own, and says what the trace told if they do not
/// end within `limit` of the host's time.
#[expect(
    clippy::disallowed_methods,
    reason = "clients in another process live in the host's time"
)]
async fn apart<F: Future<Output = ()>>(
    trace: &Trace,
    limit: Duration,
    clients: impl FnOnce() -> F + Send + 'static,
) {
    let (done, ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let outcome = runtime.block_on(async { tokio::time::timeout(limit, clients()).await });
        let _ = done.send(outcome.is_ok());
    });
    let ended = ended.await;
    assert_eq!(ended, Ok(true), "the clients did not end; {}", told(trace));
    thread.join().unwrap();
}

/// What went wrong by the trace's account.
fn told(trace: &Trace) -> String {
    let events = trace.since(0);
    let dropped = events.iter().filter(|e| e.kind == "dropped").count();
    let others: Vec<String> = events
        .iter()
        .filter(|e| e.kind == "witness_report" || e.kind == "connection_closed")
        .map(|e| format!("{}: {}", e.kind, e.data))
        .collect();
    format!("{dropped} messages dropped; {others:#?}")
}

fn untraced() -> BrokerSettings {
    BrokerSettings {
        packets: PacketTrace::None,
        ..BrokerSettings::plain()
    }
}

#[test]
fn two_hundred_streams_one_after_the_other_run_to_their_end() {
    const ROUNDS: usize = 200;
    const MESSAGES: usize = 1000;
    run(async {
        let (broker, trace) = broker(untraced()).await;
        let address = broker.address();
        apart(&trace, Duration::from_secs(55), move || async move {
            for _ in 0..ROUNDS {
                let publisher = Client::connect(address, "publisher").await;
                let subscriber = Client::subscriber(address, "subscriber", TOPIC).await;
                tokio::join!(
                    publisher.publish(TOPIC, 0, MESSAGES),
                    subscriber.receive(TOPIC, 1, MESSAGES),
                );
            }
        })
        .await;
    });
}

#[test]
fn a_long_stream_outruns_no_subscriber() {
    const ROUNDS: usize = 10;
    const MESSAGES: usize = 20_000;
    run(async {
        let (broker, trace) = broker(untraced()).await;
        let address = broker.address();
        apart(&trace, Duration::from_secs(55), move || async move {
            for _ in 0..ROUNDS {
                let publisher = Client::connect(address, "publisher").await;
                let subscriber = Client::subscriber(address, "subscriber", TOPIC).await;
                tokio::join!(
                    publisher.publish(TOPIC, 0, MESSAGES),
                    subscriber.receive(TOPIC, 1, MESSAGES),
                );
            }
        })
        .await;
    });
}

#[test]
fn a_subscriber_of_everything_gets_all_that_500_clients_publish() {
    const PUBLISHERS: usize = 500;
    const EACH: usize = 100;
    run(async {
        let settings = BrokerSettings {
            limits: Limits {
                queue: 1000,
                ..Limits::default()
            },
            ..untraced()
        };
        let (broker, trace) = broker(settings).await;
        let address = broker.address();
        apart(&trace, Duration::from_secs(55), move || async move {
            let subscriber = Client::subscriber(address, "everything", "#").await;
            let local = tokio::task::LocalSet::new();
            local
                .run_until(async {
                    for name in 0..PUBLISHERS {
                        let publisher = Client::connect(address, &format!("p{name}")).await;
                        tokio::task::spawn_local(publisher.publish(TOPIC, name, EACH));
                    }
                    subscriber
                        .receive(TOPIC, PUBLISHERS, PUBLISHERS * EACH)
                        .await;
                })
                .await;
        })
        .await;
        assert!(trace.since(0).iter().all(|e| e.kind != "dropped"));
    });
}

#[test]
fn a_subscriber_that_takes_nothing_is_disconnected_and_publishers_go_on() {
    const MESSAGES: usize = 2000;
    run(async {
        let settings = BrokerSettings {
            limits: Limits {
                queue: 100,
                stall: Duration::from_secs(1),
                ..Limits::default()
            },
            ..untraced()
        };
        let (broker, trace) = broker(settings).await;
        let address = broker.address();
        apart(&trace, Duration::from_secs(30), move || async move {
            // It reads, and acknowledges nothing.
            let mut dead = Client::subscriber(address, "dead", "#").await;
            let publisher = Client::connect(address, "publisher").await;
            let alive = Client::subscriber(address, "alive", TOPIC).await;
            tokio::join!(
                publisher.publish(TOPIC, 0, MESSAGES),
                alive.receive(TOPIC, 1, MESSAGES),
                async { while dead.stream.read_buf(&mut dead.inbox).await.unwrap() > 0 {} },
            );
        })
        .await;
        let closed = event(&trace, |e| {
            e.kind == "connection_closed" && e.data["client"] == "dead"
        })
        .await;
        assert_eq!(closed.data["end"], "timed-out");
        let detail = closed.data["detail"].as_str().unwrap();
        assert!(
            detail.contains("took none of the 100 messages that wait for it for 1s"),
            "{detail}"
        );
        let dropped = trace
            .since(0)
            .iter()
            .filter(|e| e.kind == "dropped")
            .count();
        assert_eq!(dropped, 0);
    });
}

#[test]
fn clients_that_are_full_of_each_others_messages_do_not_wait_for_each_other() {
    const MESSAGES: u16 = 500;
    run(async {
        let settings = BrokerSettings {
            limits: Limits {
                queue: 10,
                ..Limits::default()
            },
            ..untraced()
        };
        let (broker, trace) = broker(settings).await;
        let address = broker.address();
        apart(&trace, Duration::from_secs(15), move || async move {
            let mut pair = [
                Client::subscriber(address, "a", "#").await,
                Client::subscriber(address, "b", "#").await,
            ];
            // Everything is published before anything is read.
            for client in &mut pair {
                let messages = (1..=MESSAGES).map(|id| publish_with_id(1, id, TOPIC, "x"));
                client.send(&messages.collect::<Vec<_>>().concat()).await;
            }
            let [a, b] = &mut pair;
            let take_all = async |client: &mut Client| {
                let (mut acknowledged, mut received) = (0, 0);
                while acknowledged < MESSAGES || received < 2 * MESSAGES {
                    let packet = client.next().await;
                    if packet[0] == 0x40 {
                        acknowledged += 1;
                    } else {
                        received += 1;
                        let at = 4 + TOPIC.len();
                        client.send(&[0x40, 2, packet[at], packet[at + 1]]).await;
                    }
                }
            };
            tokio::join!(take_all(a), take_all(b));
        })
        .await;
        assert!(trace.since(0).iter().all(|e| e.kind != "dropped"));
    });
}

#[test]
fn what_waits_for_a_client_that_is_away_is_bounded_and_what_is_dropped_is_told() {
    run(async {
        let settings = BrokerSettings {
            limits: Limits {
                queue: 3,
                ..Limits::default()
            },
            ..BrokerSettings::plain()
        };
        let (broker, trace) = broker(settings).await;
        let mut away = Wire::to(&broker).await;
        away.send(&connect_with(0, 0, &[&text("away")])).await;
        away.expect(&[0x20, 2, 0, 0], "away").await;
        away.send(&subscribe(1, &[("#", 1)])).await;
        away.expect(&suback(1, &[1]), "suback").await;
        away.send(&[0xe0, 0]).await;
        away.closed("away").await;
        let mut publisher = Wire::connected(&broker, "publisher").await;
        for id in 1..=5 {
            publisher.send(&publish_with_id(1, id, "t", "x")).await;
            publisher.expect(&with_id(0x40, id), "puback").await;
        }
        let dropped: Vec<_> = trace
            .since(0)
            .iter()
            .filter(|e| e.kind == "dropped")
            .map(|e| e.data.clone())
            .collect();
        assert_eq!(dropped.len(), 2);
        assert_eq!(dropped[0]["client"], "away");
        assert_eq!(dropped[0]["reason"], "3 messages wait for it already");
    });
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "clients in another process live in the host's time"
)]
fn a_client_that_the_host_lets_wait_keeps_its_connection() {
    const MESSAGES: usize = 600;
    const PAYLOAD: usize = 60_000;
    run(async {
        let (broker, trace) = broker(untraced()).await;
        let address = broker.address();
        apart(&trace, Duration::from_secs(30), move || async move {
            let mut subscriber = Client::subscriber(address, "slow", TOPIC).await;
            let mut publisher = Client::connect(address, "publisher").await;
            let message = publish(TOPIC, &"x".repeat(PAYLOAD));
            tokio::join!(
                async {
                    for _ in 0..MESSAGES {
                        publisher.send(&message).await;
                    }
                },
                async {
                    // As if its process did not run: a thousand times as long in the lab.
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let mut left = MESSAGES * message.len();
                    let mut buffer = vec![0; 1 << 20];
                    while left > 0 {
                        let count = subscriber.stream.read(&mut buffer).await.unwrap();
                        assert_ne!(count, 0, "the broker closed the connection");
                        left -= count;
                    }
                },
            );
        })
        .await;
    });
}
