//! What an MQTT client owes.

mod alive;
mod done;
mod ids;
mod kept;
mod leave;
mod manners;
mod order;
mod patience;
mod telemetry;
mod told;

use trace::{Event, Source};

use crate::read::{number, since_boot, text};
use crate::{Contract, Sight};

/// Every packet that has a rule here, and what opens and closes connections.
const PACKETS: &[(Source, &str)] = &[
    (Source::Mqtt, "connect"),
    (Source::Mqtt, "connack"),
    (Source::Mqtt, "publish"),
    (Source::Mqtt, "puback"),
    (Source::Mqtt, "pubrec"),
    (Source::Mqtt, "pubrel"),
    (Source::Mqtt, "pubcomp"),
    (Source::Mqtt, "subscribe"),
    (Source::Mqtt, "suback"),
    (Source::Mqtt, "unsubscribe"),
    (Source::Mqtt, "unsuback"),
    (Source::Mqtt, "pingreq"),
    (Source::Mqtt, "disconnect"),
    (Source::Mqtt, "auth"),
    (Source::Mqtt, "reserved"),
    (Source::Mqtt, "connect_refused"),
    (Source::Mqtt, "connection_closed"),
];

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "mqtt-connect-first-and-once",
        needs: &[],
        says: "the first packet of a connection is CONNECT, and there is no second one",
        source: "MQTT 3.1.1 [MQTT-3.1.0-1], [MQTT-3.1.0-2]",
        reads: PACKETS,
        watch: |_| Some(Box::<order::ConnectFirst>::default()),
    },
    Contract {
        id: "mqtt-waits-for-connack",
        needs: &[],
        says: "a device publishes and subscribes only once its CONNECT was accepted",
        source: "house: MQTT 3.1.1 §3.1.4 lets clients run ahead, and no SDK of the field does",
        reads: PACKETS,
        watch: |_| Some(Box::<order::AfterConnack>::default()),
    },
    Contract {
        id: "mqtt-silent-after-the-end",
        needs: &[],
        says: "after DISCONNECT, and after a CONNECT that was refused, a client sends nothing",
        source: "MQTT 3.1.1 [MQTT-3.14.4-2], [MQTT-3.2.2-5]",
        reads: PACKETS,
        watch: |_| Some(Box::<order::AfterEnd>::default()),
    },
    Contract {
        id: "mqtt-packet-id-is-free",
        needs: &[],
        says: "a packet identifier is not 0 and not one that is still in flight",
        source: "MQTT 3.1.1 [MQTT-2.3.1-1], [MQTT-2.3.1-2]",
        reads: PACKETS,
        watch: |_| Some(Box::<ids::Free>::default()),
    },
    Contract {
        id: "mqtt-packet-ids-move-on",
        needs: &[],
        says: "a packet identifier is not used twice in a row on one connection",
        source: "house: a late acknowledgement would be taken for the next packet's",
        reads: PACKETS,
        watch: |_| Some(Box::<ids::MoveOn>::default()),
    },
    Contract {
        id: "mqtt-dup-means-again",
        needs: &[],
        says: "DUP is set on what is sent again, and on nothing else",
        source: "MQTT 3.1.1 [MQTT-3.3.1-1], [MQTT-3.3.1-2]",
        reads: PACKETS,
        watch: |_| Some(Box::<ids::Again>::default()),
    },
    Contract {
        id: "mqtt-unacknowledged-comes-again",
        needs: &[Sight::Clock],
        says: "in a session that is kept, a client sends what was not acknowledged again once it is back: by \
               the same identifier, with DUP, in the same order",
        source: "MQTT 3.1.1 [MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1]",
        reads: since_boot![
            (Source::Mqtt, "connect"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "publish"),
            (Source::Mqtt, "puback"),
            (Source::Mqtt, "pubcomp"),
        ],
        watch: |_| Some(Box::<kept::ComesAgain>::default()),
    },
    Contract {
        id: "mqtt-sends-again-with-pauses",
        needs: &[],
        says: "a client that misses an acknowledgement waits a second or more before it sends again on the same \
               connection",
        source: "ESP-IDF esp-mqtt: message_retransmit_timeout",
        reads: &[
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "publish"),
            (Source::Mqtt, "puback"),
            (Source::Mqtt, "pubrec"),
        ],
        watch: |_| Some(Box::<kept::Pauses>::default()),
    },
    Contract {
        id: "mqtt-acknowledged-is-done",
        needs: &[Sight::Air, Sight::Clock],
        says: "a client that has got the acknowledgement of a message does not send it again",
        source: "MQTT 3.1.1 §4.3.2, [MQTT-4.4.0-1]",
        reads: since_boot![
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "publish"),
            (Source::Mqtt, "puback"),
            (Source::Mqtt, "pubcomp"),
            (Source::Air, "left"),
            (Source::Air, "leased"),
            (Source::Engine, "fault"),
        ],
        watch: |_| Some(Box::<done::Done>::default()),
    },
    Contract {
        id: "mqtt-waits-as-told",
        needs: &[Sight::Clock],
        says: "a client that gets no answer to its handshake or to CONNECT waits as long as it was told, and gives \
               up then",
        source: "ESP-IDF esp-mqtt: network.timeout_ms",
        reads: since_boot![
            (Source::Mqtt, "connection_opened"),
            (Source::Mqtt, "connect"),
            (Source::Mqtt, "connack"),
            (Source::Mqtt, "connection_closed"),
            (Source::Tls, "handshake"),
            (Source::Air, "left"),
            (Source::Engine, "fault"),
        ],
        watch: |facts| {
            let patience = facts.cloud.as_ref()?.patience?;
            Some(Box::new(patience::Patience::new(patience)))
        },
    },
    Contract {
        id: "mqtt-qos1-is-acknowledged",
        needs: &[Sight::Clock],
        says: "what a client gets at QoS 1 it acknowledges by that identifier within ten seconds",
        source: "MQTT 3.1.1 [MQTT-4.3.2-2]",
        reads: PACKETS,
        watch: |_| Some(Box::<alive::Acknowledges>::default()),
    },
    Contract {
        id: "mqtt-qos2-goes-on",
        needs: &[Sight::Clock],
        says: "a message of QoS 2 goes on within ten seconds: PUBREC for PUBLISH, PUBREL for PUBREC, PUBCOMP for \
               PUBREL, each by that identifier",
        source: "MQTT 3.1.1 [MQTT-4.3.3-1], [MQTT-4.3.3-2]",
        reads: PACKETS,
        watch: |_| Some(Box::<alive::GoesOn>::default()),
    },
    Contract {
        id: "mqtt-keeps-alive",
        needs: &[Sight::Clock],
        says: "a client lets no more than its keep-alive pass without a packet",
        source: "MQTT 3.1.1 [MQTT-3.1.2-23]",
        reads: since_boot![
            (Source::Mqtt, "connect"),
            (Source::Mqtt, "publish"),
            (Source::Mqtt, "puback"),
            (Source::Mqtt, "pubrec"),
            (Source::Mqtt, "pubrel"),
            (Source::Mqtt, "pubcomp"),
            (Source::Mqtt, "subscribe"),
            (Source::Mqtt, "unsubscribe"),
            (Source::Mqtt, "pingreq"),
            (Source::Mqtt, "disconnect"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<alive::KeepsAlive>::default()),
    },
    Contract {
        id: "mqtt-pings-are-few",
        needs: &[Sight::Clock],
        says: "a client sends no more than eight PINGREQs in the time of its keep-alive",
        source: "house: ESP-IDF esp-mqtt sends two, libmosquitto one",
        reads: PACKETS,
        watch: |_| Some(Box::<alive::PingsAreFew>::default()),
    },
    Contract {
        id: "mqtt-closes-after-goodbye",
        needs: &[Sight::Air, Sight::Clock],
        says: "a client that has sent DISCONNECT closes its connection, and does not reset it",
        source: "MQTT 3.1.1 [MQTT-3.14.4-1]",
        reads: since_boot![
            (Source::Mqtt, "disconnect"),
            (Source::Air, "connection_closed"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<order::Farewell>::default()),
    },
    Contract {
        id: "mqtt-leaves-with-goodbye",
        needs: &[Sight::Air, Sight::Broker, Sight::Clock],
        says: "a client that leaves a session that stands sends DISCONNECT; without it ends only what a fault, the \
               network or the power ends",
        source: "MQTT 3.1.1 §3.14; §4.8: an error, or a packet that is none, are what else ends a connection",
        reads: since_boot![
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "disconnect"),
            (Source::Mqtt, "connection_closed"),
            (Source::Board, "switching"),
            (Source::Air, "left"),
            (Source::Engine, "fault"),
        ],
        watch: |_| Some(Box::<leave::Farewells>::default()),
    },
    Contract {
        id: "mqtt-subscribes-again",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a client subscribes in each session to what it was subscribed to in the one before, within five seconds, \
               unless the broker has kept that",
        source: "MQTT 3.1.1 [MQTT-3.1.2-6]: a clean session begins without subscriptions",
        reads: since_boot![
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "subscribe"),
            (Source::Mqtt, "unsubscribe"),
            (Source::Mqtt, "disconnect"),
            (Source::Mqtt, "connection_closed"),
            (Source::Engine, "fault"),
        ],
        watch: |_| Some(Box::<leave::SubscribesAgain>::default()),
    },
    Contract {
        id: "mqtt-keep-alive-as-told",
        needs: &[],
        says: "CONNECT carries the keep-alive and the clean-session flag that the device was told",
        source: "the device's factory data",
        reads: &[(Source::Mqtt, "connect")],
        watch: |facts| {
            let cloud = facts.cloud.as_ref()?;
            Some(Box::new(manners::AsTold {
                keep_alive_s: cloud.keep_alive.as_secs(),
                clean_session: cloud.clean_session,
            }))
        },
    },
    Contract {
        id: "mqtt-name-and-will-as-told",
        needs: &[],
        says: "CONNECT carries the client id, the user name, a password as long and the will that the device \
               was told",
        source: "the device's factory data",
        reads: &[(Source::Mqtt, "connect")],
        watch: |facts| {
            let cloud = facts.cloud.as_ref()?;
            Some(Box::new(told::NameAndWill {
                client_id: cloud.client_id.clone(),
                signs_in: cloud.signs_in.clone(),
                will: cloud.will.clone(),
            }))
        },
    },
    Contract {
        id: "telemetry-as-told",
        needs: &[],
        says: "telemetry has the payload and the quality of service that the device was told, and is not retained",
        source: "the device's factory data; MQTT 3.1.1 §3.3.1.3",
        reads: &[(Source::Mqtt, "publish")],
        watch: |facts| {
            let telemetry = facts.telemetry.clone()?;
            Some(Box::new(told::Telemetry(telemetry)))
        },
    },
    Contract {
        id: "telemetry-no-more-than-told",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device that was told an interval for its telemetry publishes no more often, and one that was told \
               none publishes once in each session",
        source: "the device's factory data",
        reads: since_boot![(Source::Mqtt, "session_opened"), (Source::Mqtt, "publish"),],
        watch: |facts| {
            let telemetry = facts.telemetry.clone()?;
            Some(Box::new(telemetry::NoMore::new(telemetry)))
        },
    },
    Contract {
        id: "telemetry-counts-on",
        needs: &[Sight::Broker],
        says: "messages that are numbered have each a higher number than the one before, and the next one in a \
               session that stands",
        source: "the device's factory data",
        reads: since_boot![(Source::Mqtt, "session_opened"), (Source::Mqtt, "publish"),],
        watch: |facts| {
            let telemetry = facts.telemetry.clone()?;
            Some(Box::new(telemetry::CountsOn::new(telemetry)?))
        },
    },
    Contract {
        id: "telemetry-counts-the-time",
        needs: &[Sight::Broker, Sight::Clock],
        says: "messages that are numbered and were told an interval count it: from one to another as many numbers have \
               passed as intervals, also through an outage",
        source: "the device's factory data; house: a gap in the numbers tells of what was lost",
        reads: since_boot![(Source::Mqtt, "session_opened"), (Source::Mqtt, "publish"),],
        watch: |facts| {
            let telemetry = facts.telemetry.clone()?;
            Some(Box::new(telemetry::CountsTime::new(telemetry)?))
        },
    },
    Contract {
        id: "mqtt-packets-are-well-formed",
        needs: &[],
        says: "a packet has the flags of the standard and ends where its length says",
        source: "MQTT 3.1.1 [MQTT-2.2.2-1], §2.2.3",
        reads: PACKETS,
        watch: |_| Some(Box::new(manners::WellFormed)),
    },
    Contract {
        id: "mqtt-topic-is-a-name",
        needs: &[],
        says: "what is published goes to a topic name: not empty, and without wildcards",
        source: "MQTT 3.1.1 [MQTT-3.3.2-2], [MQTT-4.7.3-1]",
        reads: &[(Source::Mqtt, "publish")],
        watch: |_| Some(Box::new(manners::TopicName)),
    },
    Contract {
        id: "mqtt-one-client-id",
        needs: &[],
        says: "a device connects by one client id and user name, whatever happens to it, unless it \
               gets others in a session for provisioning",
        source: "house; MQTT 3.1.1 §3.1.3.1; ThingsBoard: /provision/request",
        reads: &[(Source::Mqtt, "session_opened")],
        watch: |_| Some(Box::<manners::OneName>::default()),
    },
    Contract {
        id: "mqtt-takes-over-nothing",
        needs: &[],
        says: "a device opens no second session while its first one lives",
        source: "MQTT 3.1.1 [MQTT-3.1.4-2]; house",
        reads: since_boot![
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "publish"),
            (Source::Mqtt, "puback"),
            (Source::Mqtt, "subscribe"),
            (Source::Mqtt, "pingreq"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<manners::TakesOver>::default()),
    },
    Contract {
        id: "mqtt-refused-then-waits",
        needs: &[Sight::Clock],
        says: "after a refused CONNECT a device waits as long as it was told, each time longer",
        source: "ESP-IDF esp-mqtt: reconnect_timeout_ms; house: back-off grows",
        reads: &[
            (Source::Mqtt, "connect_refused"),
            (Source::Mqtt, "session_opened"),
            (Source::Board, "power"),
            (Source::Board, "restarted"),
            (Source::Board, "exited"),
            (Source::Air, "joined"),
        ],
        watch: |facts| {
            let cloud = facts.cloud.as_ref()?;
            Some(Box::new(manners::BacksOff::new(
                cloud.reconnect,
                cloud.reconnect_max,
            )))
        },
    },
];

/// The connection that an event is about; they are counted by each broker.
pub(crate) fn connection(event: &Event) -> u64 {
    number(event, "/connection").unwrap_or_default()
}

/// Whether the client sent it.
pub(crate) fn is_from_client(event: &Event) -> bool {
    text(event, "/direction") == Some("in")
}
