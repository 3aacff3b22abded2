//! What a scenario breaks on purpose.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::duration;
use super::span::Placed;

/// `fault: { on: … }` breaks something, `fault: { off: … }` mends it, `fault: { on: …, for: … }` does both.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub enum FaultStep {
    /// Broken from now on.
    On(Fault),
    /// As before the fault, from now on.
    Off(Fault),
    /// Broken and mended, as often as that.
    Pulse(Fault, Pulse),
}

/// How often something is broken, and for how long; in device time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// From each time that it breaks until it is mended.
    pub lasts: Duration,
    /// From each time that it breaks to the next.
    pub every: Duration,
    /// Number of times, at least 1.
    pub times: u16,
}

impl Pulse {
    /// From the first time that it breaks until it is mended for the last time.
    pub fn whole(&self) -> Duration {
        self.every * u32::from(self.times.saturating_sub(1)) + self.lasts
    }
}

/// `fault` as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Breaks this.
    on: Option<Fault>,
    /// Mends this.
    off: Option<Fault>,
    /// Mends it again after this time, and goes on to the next step then.
    #[serde(default, rename = "for", deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    lasts: Option<Duration>,
    /// With `times`: from each time that it breaks to the next.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    every: Option<Duration>,
    /// How often it breaks; once if left out.
    times: Option<u16>,
}

impl JsonSchema for FaultStep {
    fn schema_name() -> Cow<'static, str> {
        "FaultStep".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

impl TryFrom<Written> for FaultStep {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written {
            on,
            off,
            lasts,
            every,
            times,
        } = written;
        match (on, off, lasts) {
            (Some(fault), None, None) if every.is_none() && times.is_none() => Ok(Self::On(fault)),
            (None, Some(fault), None) if every.is_none() && times.is_none() => Ok(Self::Off(fault)),
            (Some(_), None, None) => {
                Err("`every` and `times` need `for`: how long it lasts each time")
            }
            (Some(fault), None, Some(lasts)) => {
                let pulse = match (every, times) {
                    (None, None | Some(1)) => Pulse {
                        lasts,
                        every: lasts,
                        times: 1,
                    },
                    (_, Some(0)) => return Err("`times` is at least 1"),
                    (Some(every), Some(_)) if every < lasts => {
                        return Err("`every` is shorter than `for`");
                    }
                    (Some(every), Some(times)) => Pulse {
                        lasts,
                        every,
                        times,
                    },
                    (None, Some(_)) => return Err("`times` needs `every`: from each to the next"),
                    (Some(_), None) => return Err("`every` needs `times`: how often"),
                };
                Ok(Self::Pulse(fault, pulse))
            }
            (None, None, _) => Err("`on` or `off` is missing: what is broken or mended"),
            (Some(_), Some(_), _) => Err("`on` and `off` are two steps"),
            (None, Some(_), _) => Err("`for`, `every` and `times` go with `on`"),
        }
    }
}

/// Something that can be broken and mended. To mend it, it is named as it was broken.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The access point is switched off.
    AccessPointOff(Placed<String>),
    /// The access point forwards nothing between its clients, broadcasts included.
    Isolation(Placed<String>),
    /// The access point forwards nothing to the internet: no name, no time, no broker.
    InternetOff(Placed<String>),
    /// The time server answers nothing.
    TimeSilent,
    /// The time server answers in this way.
    TimeAnswer(TimeAnswer),
    /// The broker answers CONNECT with this return code, 1 to 5 (MQTT 3.1.1 §3.2.2.3), or this reason code
    /// of MQTT 5 (§3.2.2.2). Each client is told it in its own generation's numbers.
    ConnectRefused(Placed<u8>),
    /// The broker answers SUBSCRIBE to filters which this topic filter covers with 0x80.
    SubscribeRefused(Placed<String>),
    /// Nothing listens where the broker was, and its connections are reset. Mended, it is back on the
    /// same port.
    BrokerDown(Sessions),
    /// The broker accepts TCP and never answers the TLS handshake.
    HandshakeStalled,
    /// The broker answers CONNECT in this way.
    ConnectAnswer(PromptAnswer),
    /// The broker answers SUBSCRIBE in this way. One that is never answered subscribes nothing.
    SubscribeAnswer(Answer),
    /// The broker acknowledges messages of QoS 1 and 2 in this way. It takes them in any case.
    PublishAnswer(Answer),
    /// The broker answers PINGREQ in this way.
    PingAnswer(PromptAnswer),
    /// The broker delivers no message to a client.
    MessagesWithheld,
    /// The broker sends each byte by itself, in a TLS record of its own.
    SingleBytes,
    /// The broker sends this once on every connection: at once, and after each CONNACK to come.
    BadPacket(BadPacket),
    /// The broker ends every session's connection in this way, once. There is nothing to mend.
    SessionEnded(EndedBy),
    /// The Linkkit cloud answers a reported token in this way.
    MatchReply(MatchReply),
    /// ThingsBoard answers no request of a device: for attributes, calls, chunks or credentials.
    CloudUnanswered,
    /// The access point's DHCP server answers in this way.
    DhcpAnswer(DhcpAnswer),
    /// The name server answers questions for a name in this way.
    NameAnswer(NameAnswer),
    /// The broker is at another address, and nothing is where it was.
    BrokerMoved,
    /// Frames between the access point and its stations do not arrive as they were sent.
    Frames(Frames),
    /// How strong the access point is heard.
    Signal(Signal),
    /// The access point loses its stations, once. There is nothing to mend.
    StationsLost(StationsLost),
    /// The access point does not answer stations that join, nor does their radio tell that it has not.
    JoinUnanswered(Placed<String>),
    /// No phone hears Bluetooth advertisements.
    BluetoothSilent,
    /// The Bluetooth link is lost after so many more bytes of data.
    BluetoothDropAfter(u32),
    /// The Bluetooth link carries this many bytes a second.
    BluetoothSlow(u32),
}

/// How an access point's DHCP server may answer.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DhcpAnswer {
    /// Which access point.
    pub at: Placed<String>,
    /// How.
    pub with: DhcpAnswerKind,
}

/// How a DHCP server may answer (RFC 2131).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DhcpAnswerKind {
    /// Not at all.
    Never,
    /// It refuses each address that it has offered.
    Nak,
    /// It names no router.
    NoRouter,
    /// With an address that another host has, until the device declines it.
    Taken,
    /// The same, by a host that answers nobody who asks for it, but announces itself (RFC 5227 §2.3).
    Announced,
    /// With leases that end after this time, unless they are renewed.
    Lease(
        #[serde(deserialize_with = "duration::required")]
        #[schemars(with = "duration::Text")]
        Duration,
    ),
    /// As usual, but after this time.
    After(
        #[serde(deserialize_with = "duration::required")]
        #[schemars(with = "duration::Text")]
        Duration,
    ),
}

/// How the name server may answer questions for a name.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameAnswer {
    /// Whose name; the broker's if left out.
    #[serde(default)]
    pub of: NamedHost,
    /// How.
    pub with: NameAnswerKind,
}

/// A host that devices know by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NamedHost {
    /// The broker.
    #[default]
    Broker,
    /// The time server.
    Time,
}

/// How a name server may answer (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameAnswerKind {
    /// There is no such name.
    Nxdomain,
    /// It failed.
    Servfail,
    /// Not at all.
    Never,
    /// As usual, but after this time.
    After(
        #[serde(deserialize_with = "duration::required")]
        #[schemars(with = "duration::Text")]
        Duration,
    ),
    /// With an address that no host has.
    WrongAddress,
    /// With the address that the host had before it moved.
    Stale,
    /// With the host's address, and after it with one that no host has.
    Several,
    /// With another name of the host, and that one's address (CNAME).
    Alias,
}

/// What becomes of the frames between an access point and its stations, in both directions.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Frames {
    /// Which access point.
    pub at: Placed<String>,
    /// Per cent that are lost.
    #[schemars(range(max = 100))]
    pub lost: Option<Placed<u8>>,
    /// Per cent that arrive twice.
    #[schemars(range(max = 100))]
    pub doubled: Option<Placed<u8>>,
    /// Per cent that others overtake.
    #[schemars(range(max = 100))]
    pub reordered: Option<Placed<u8>>,
    /// How much later each arrives.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub late: Option<Duration>,
    /// Bytes of the longest IP packet that arrives; longer ones are lost without a word.
    #[schemars(range(min = 68, max = 1500))]
    pub longest: Option<Placed<u16>>,
}

/// How strong an access point is heard.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Which access point.
    pub at: Placed<String>,
    /// In dBm; below -97 it is not heard any more.
    #[schemars(range(min = -127, max = 0))]
    pub rssi: Placed<i8>,
}

/// An access point loses its stations.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StationsLost {
    /// Which access point.
    pub at: Placed<String>,
    /// The reason that stations are told (802.11 §9.4.1.7); 200 for beacons that they miss.
    pub reason: Placed<u16>,
}

/// How the time server may answer, other than with the time. What is no answer is an hour wrong besides, so
/// that a device which takes it shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeAnswer {
    /// Kiss of death RATE: ask less often (RFC 4330 §8).
    Rate,
    /// Kiss of death DENY: do not ask any more (RFC 4330 §8).
    Deny,
    /// Its own clock is not set (leap indicator 3).
    Unsynchronised,
    /// Another request's answer (originate timestamp).
    AnotherRequest,
    /// No request's answer (an originate timestamp of 0).
    NoRequest,
    /// Not in the mode of a server (§4).
    AnotherMode,
    /// From so far away that it counts as unsynchronised: stratum 16 (RFC 5905 §7.3).
    StratumSixteen,
    /// A byte less than an answer has.
    CutShort,
    /// Without the time at which it was sent.
    NoTime,
    /// With the announcement of a leap second at the end of the day (leap indicator 1), and sound.
    LeapSecond,
    /// So many seconds wrong.
    Wrong(i64),
}

/// What becomes of sessions when the broker goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sessions {
    /// They are there when it is back, as far as clients wanted them kept.
    SessionsKept,
    /// They are gone.
    SessionsLost,
}

/// How the broker may answer a request of which the answer has no packet identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PromptAnswer {
    /// Not at all.
    Never,
    /// By a reset of the TCP connection.
    Reset,
    /// As usual, but after this time.
    After(
        #[serde(deserialize_with = "duration::required")]
        #[schemars(with = "duration::Text")]
        Duration,
    ),
}

/// How the broker may answer a request of which the answer has a packet identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Not at all.
    Never,
    /// By a reset of the TCP connection.
    Reset,
    /// With another packet identifier.
    WrongId,
    /// As usual, but after this time.
    After(
        #[serde(deserialize_with = "duration::required")]
        #[schemars(with = "duration::Text")]
        Duration,
    ),
}

/// A packet that no client has to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BadPacket {
    /// A remaining length of five bytes (MQTT 3.1.1 §2.2.3).
    BadLength,
    /// A type that is reserved (§2.2.1).
    UnknownType,
    /// PUBLISH of which the topic is longer than the packet (§3.3.2).
    CutTopic,
    /// PUBLISH with QoS 3 (MQTT-3.3.1-4).
    QosThree,
    /// A sound PUBLISH of 64 KiB.
    Oversized,
    /// CONNACK in the middle of a session.
    SecondConnack,
    /// PUBACK for what was not sent.
    UnaskedPuback,
    /// A sound PUBLISH of QoS 1 that the client has not subscribed to.
    UnaskedMessage,
    /// The same at QoS 0.
    UnaskedAtQosZero,
    /// The same with DUP, as of a message that was sent before and not acknowledged.
    UnaskedAgain,
    /// The same without a payload, as what removes a retained message.
    UnaskedEmpty,
}

/// How the broker ends sessions that it was not asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// TCP is reset.
    Reset,
    /// As if another client had come with the same client id (MQTT-3.1.4-2).
    Takeover,
    /// By DISCONNECT with this reason code of MQTT 5 (§3.14.2.1), from 128 on; a client of an older
    /// generation, which knows no such packet from a broker, is closed upon in order.
    Reason(u8),
}

/// Reason codes with which CONNACK may refuse (MQTT 5 §3.2.2.2).
pub(super) const CONNACK_REASONS: [u8; 21] = [
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99,
    0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
];

/// Reason codes of a DISCONNECT that a broker may send because something is wrong (MQTT 5 §3.14.2.1).
pub(super) const DISCONNECT_REASONS: [u8; 27] = [
    0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
];

/// How the Linkkit cloud may answer a reported token, other than at once with code 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MatchReply {
    /// Not at all.
    Never,
    /// With an `id` that the device has not used.
    WrongId,
    /// With the `id` of the report before, as a reply does that comes late.
    EarlierId,
    /// With this `code`.
    Code(u16),
    /// As usual, but after this time.
    After(
        #[serde(deserialize_with = "duration::required")]
        #[schemars(with = "duration::Text")]
        Duration,
    ),
}

impl FaultStep {
    /// What breaks or is mended.
    pub fn fault(&self) -> &Fault {
        match self {
            Self::On(fault) | Self::Off(fault) | Self::Pulse(fault, _) => fault,
        }
    }
}

impl Fault {
    /// Its name in the scenario language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccessPointOff(_) => "access_point_off",
            Self::Isolation(_) => "isolation",
            Self::InternetOff(_) => "internet_off",
            Self::TimeSilent => "time_silent",
            Self::TimeAnswer(_) => "time_answer",
            Self::ConnectRefused(_) => "connect_refused",
            Self::SubscribeRefused(_) => "subscribe_refused",
            Self::BrokerDown(_) => "broker_down",
            Self::HandshakeStalled => "handshake_stalled",
            Self::ConnectAnswer(_) => "connect_answer",
            Self::SubscribeAnswer(_) => "subscribe_answer",
            Self::PublishAnswer(_) => "publish_answer",
            Self::PingAnswer(_) => "ping_answer",
            Self::MessagesWithheld => "messages_withheld",
            Self::SingleBytes => "single_bytes",
            Self::BadPacket(_) => "bad_packet",
            Self::SessionEnded(_) => "session_ended",
            Self::MatchReply(_) => "match_reply",
            Self::CloudUnanswered => "cloud_unanswered",
            Self::DhcpAnswer(_) => "dhcp_answer",
            Self::NameAnswer(_) => "name_answer",
            Self::BrokerMoved => "broker_moved",
            Self::Frames(_) => "frames",
            Self::Signal(_) => "signal",
            Self::StationsLost(_) => "stations_lost",
            Self::JoinUnanswered(_) => "join_unanswered",
            Self::BluetoothSilent => "bluetooth_silent",
            Self::BluetoothDropAfter(_) => "bluetooth_drop_after",
            Self::BluetoothSlow(_) => "bluetooth_slow",
        }
    }

    /// Whether it is the broker that breaks.
    pub fn is_of_broker(&self) -> bool {
        matches!(
            self,
            Self::ConnectRefused(_)
                | Self::SubscribeRefused(_)
                | Self::BrokerDown(_)
                | Self::HandshakeStalled
                | Self::ConnectAnswer(_)
                | Self::SubscribeAnswer(_)
                | Self::PublishAnswer(_)
                | Self::PingAnswer(_)
                | Self::MessagesWithheld
                | Self::SingleBytes
                | Self::BadPacket(_)
                | Self::SessionEnded(_)
        )
    }

    /// Whether only surroundings of the lab's can do it: addresses, names and frames.
    pub fn is_of_air(&self) -> bool {
        matches!(
            self,
            Self::DhcpAnswer(_)
                | Self::NameAnswer(_)
                | Self::BrokerMoved
                | Self::Frames(_)
                | Self::Signal(_)
                | Self::StationsLost(_)
                | Self::JoinUnanswered(_)
        )
    }

    /// Whether it is over as soon as it has happened, so that there is nothing to mend.
    pub fn is_over_at_once(&self) -> bool {
        matches!(self, Self::SessionEnded(_) | Self::StationsLost(_))
    }

    /// Whether it breaks the same thing as `other`, so that the one would take the place of the other.
    pub fn replaces(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::DhcpAnswer(one), Self::DhcpAnswer(other)) => one.at == other.at,
            (Self::NameAnswer(one), Self::NameAnswer(other)) => one.of == other.of,
            (Self::Frames(one), Self::Frames(other)) => one.at == other.at,
            (Self::Signal(one), Self::Signal(other)) => one.at == other.at,
            _ => false,
        }
    }

    /// The access point that it is about.
    pub fn access_point(&self) -> Option<&Placed<String>> {
        match self {
            Self::AccessPointOff(role)
            | Self::Isolation(role)
            | Self::InternetOff(role)
            | Self::JoinUnanswered(role) => Some(role),
            Self::DhcpAnswer(DhcpAnswer { at, .. })
            | Self::Frames(Frames { at, .. })
            | Self::Signal(Signal { at, .. })
            | Self::StationsLost(StationsLost { at, .. }) => Some(at),
            _ => None,
        }
    }
}
