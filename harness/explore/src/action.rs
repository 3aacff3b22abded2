//! What phones, air, cloud, power and time may do in a walk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of those who act in a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phone {
    /// The owner's.
    Alice,
    /// Another one.
    Bob,
}

impl Phone {
    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

/// A network that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Network {
    /// The phones' own, and the stronger one.
    Home,
    /// Another one.
    Office,
}

impl Network {
    /// Its role in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Office => "office",
        }
    }
}

/// What a phone tells a device to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Credentials {
    /// A network, as it is.
    Right(Network),
    /// A network, with a passphrase that is not its own.
    WrongPassphrase(Network),
    /// A network that is not there.
    NoSuchNetwork,
}

/// How far a phone takes provisioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Until {
    /// Up to the session.
    Session,
    /// Until credentials are set.
    Set,
    /// Until they are applied.
    Apply,
    /// To its end; the session is ended, too.
    End,
    /// To its end; the session stays open.
    EndAndStay,
}

/// How a phone asks for access points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScanKind {
    /// All channels at once.
    Active,
    /// The same, without probes.
    Passive,
    /// One channel after the other, with pauses.
    InGroups,
    /// For results past the last one.
    PastTheEnd,
}

/// What is broken, and mended later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Breakage {
    /// An access point is off.
    AccessPointOff(Network),
    /// Home has no way to the internet.
    InternetOff,
    /// Home keeps its clients apart.
    Isolation,
    /// The time server is silent.
    TimeSilent,
    /// The broker is down, and keeps its sessions.
    BrokerDownKept,
    /// The broker is down, and loses its sessions.
    BrokerDownLost,
    /// The broker refuses each CONNECT.
    ConnectRefused,
    /// The broker's name has no address.
    NameFails,
    /// The broker leaves handshakes half done.
    HandshakeStalled,
    /// The broker is somewhere else.
    BrokerMoved,
    /// The broker sends byte by byte.
    SingleBytes,
    /// The broker acknowledges no message.
    PubackNever,
    /// The cloud replies to no token.
    MatchNever,
    /// Leases of home last a minute.
    ShortLeases,
    /// Home leases no address.
    NoLeases,
    /// Home refuses the addresses that it has offered.
    Naks,
    /// Home offers an address that another host has.
    Taken,
    /// No phone hears Bluetooth advertisements.
    BluetoothSilent,
}

impl Breakage {
    /// Each.
    pub const ALL: [Self; 19] = [
        Self::AccessPointOff(Network::Home),
        Self::AccessPointOff(Network::Office),
        Self::InternetOff,
        Self::Isolation,
        Self::TimeSilent,
        Self::BrokerDownKept,
        Self::BrokerDownLost,
        Self::ConnectRefused,
        Self::NameFails,
        Self::HandshakeStalled,
        Self::BrokerMoved,
        Self::SingleBytes,
        Self::PubackNever,
        Self::MatchNever,
        Self::ShortLeases,
        Self::NoLeases,
        Self::Naks,
        Self::Taken,
        Self::BluetoothSilent,
    ];

    /// As scenarios have it.
    pub fn yaml(self) -> &'static str {
        match self {
            Self::AccessPointOff(Network::Home) => "{ access_point_off: home }",
            Self::AccessPointOff(Network::Office) => "{ access_point_off: office }",
            Self::InternetOff => "{ internet_off: home }",
            Self::Isolation => "{ isolation: home }",
            Self::TimeSilent => "time_silent",
            Self::BrokerDownKept => "{ broker_down: sessions-kept }",
            Self::BrokerDownLost => "{ broker_down: sessions-lost }",
            Self::ConnectRefused => "{ connect_refused: 5 }",
            Self::NameFails => "{ name_answer: { with: nxdomain } }",
            Self::HandshakeStalled => "handshake_stalled",
            Self::BrokerMoved => "broker_moved",
            Self::SingleBytes => "single_bytes",
            Self::PubackNever => "{ publish_answer: never }",
            Self::MatchNever => "{ match_reply: never }",
            Self::ShortLeases => "{ dhcp_answer: { at: home, with: { lease: 60s } } }",
            Self::NoLeases => "{ dhcp_answer: { at: home, with: never } }",
            Self::Naks => "{ dhcp_answer: { at: home, with: nak } }",
            Self::Taken => "{ dhcp_answer: { at: home, with: taken } }",
            Self::BluetoothSilent => "bluetooth_silent",
        }
    }

    /// Whether it is about addresses, of which home has one way at a time.
    pub fn is_of_dhcp(self) -> bool {
        matches!(
            self,
            Self::ShortLeases | Self::NoLeases | Self::Naks | Self::Taken
        )
    }

    /// Whether it lets no new session with the broker be opened.
    pub fn keeps_from_the_broker(self) -> bool {
        matches!(
            self,
            Self::BrokerDownKept
                | Self::BrokerDownLost
                | Self::ConnectRefused
                | Self::NameFails
                | Self::HandshakeStalled
        )
    }
}

/// What happens once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mishap {
    /// The broker resets its connections.
    SessionsReset,
    /// Somebody takes the sessions over.
    SessionsTakenOver,
    /// The stations of home miss its beacons.
    BeaconsMissed,
}

/// How a phone asks a device for its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum By {
    /// All hosts of the network.
    Broadcast,
    /// All CoAP nodes.
    Multicast,
    /// The device alone.
    Unicast,
}

/// A command of `prov-ctrl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Command {
    /// Forget a failure.
    Reset,
    /// Take other credentials.
    Reprov,
}

/// How long a walk waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Time {
    /// 20 s: shorter than half a minute, after which services stop by themselves.
    AWhile,
    /// 60 s: longer than that, and than a token lives.
    Long,
    /// 6 min: longer than two keep-alives.
    VeryLong,
}

impl Time {
    /// In seconds.
    pub fn seconds(self) -> u32 {
        match self {
            Self::AWhile => 20,
            Self::Long => 60,
            Self::VeryLong => 360,
        }
    }
}

/// One thing that somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// Settings of others fill the storage.
    FillStorage,
    /// The power comes.
    PowerOn,
    /// The power goes.
    PowerOff,
    /// The device starts anew.
    Reset,
    /// The device starts anew with empty storage.
    FactoryReset,
    /// A phone provisions the device, in a session of its own or the one that it has open.
    Provision(Phone, Credentials, Until),
    /// A phone begins with a wrong proof of possession or password.
    WrongSecret(Phone),
    /// A phone that has never seen the device looks for it after the end of its service.
    StrangerLooks,
    /// A phone reads what the service can do.
    ReadVersion(Phone),
    /// A phone ends its session.
    Leave(Phone),
    /// A phone hangs up and comes back.
    Reconnect(Phone),
    /// A phone asks for access points.
    Scan(ScanKind),
    /// A phone sends a command.
    Control(Command),
    /// A phone sends something to the application, or nothing at all.
    Custom {
        /// Whether the request has no body.
        is_empty: bool,
    },
    /// Four phones begin a session and go on without ending it.
    Crowd,
    /// Somebody types nonsense at the console.
    Noise,
    /// Somebody types a request of another session at the console.
    OtherSession,
    /// Something breaks.
    Break(Breakage),
    /// What broke is mended.
    Mend(Breakage),
    /// Something happens once.
    Once(Mishap),
    /// Time passes.
    Wait(Time),
    /// A phone asks for the token.
    Query(Phone, By),
    /// A phone binds the device by the last token that was told.
    Bind(Phone),
    /// A phone looks at the device's web page.
    Browse {
        /// Whether it has the certificate that the device may ask for.
        with_certificate: bool,
    },
    /// The session with the cloud is seen to live.
    CloudLives,
}

impl Action {
    /// What kind it is, for coverage and signatures.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FillStorage => "fill storage",
            Self::PowerOn => "power on",
            Self::PowerOff => "power off",
            Self::Reset => "reset",
            Self::FactoryReset => "factory reset",
            Self::Provision(_, Credentials::Right(_), Until::End | Until::EndAndStay) => {
                "provision"
            }
            Self::Provision(_, Credentials::WrongPassphrase(_), Until::End | Until::EndAndStay) => {
                "provision, wrong passphrase"
            }
            Self::Provision(_, Credentials::NoSuchNetwork, Until::End | Until::EndAndStay) => {
                "provision, no such network"
            }
            Self::Provision(_, _, Until::Session) => "begin session",
            Self::Provision(_, _, Until::Set) => "set",
            Self::Provision(_, _, Until::Apply) => "apply",
            Self::WrongSecret(_) => "wrong secret",
            Self::StrangerLooks => "stranger looks",
            Self::ReadVersion(_) => "read version",
            Self::Leave(_) => "leave",
            Self::Reconnect(_) => "reconnect",
            Self::Scan(ScanKind::Active) => "scan",
            Self::Scan(ScanKind::Passive) => "passive scan",
            Self::Scan(ScanKind::InGroups) => "scan in groups",
            Self::Scan(ScanKind::PastTheEnd) => "scan past the end",
            Self::Control(Command::Reset) => "control reset",
            Self::Control(Command::Reprov) => "control reprov",
            Self::Custom { is_empty: false } => "custom",
            Self::Custom { is_empty: true } => "custom, empty",
            Self::Crowd => "crowd",
            Self::Noise => "noise",
            Self::OtherSession => "other session",
            Self::Break(_) => "break",
            Self::Mend(_) => "mend",
            Self::Once(_) => "mishap",
            Self::Wait(_) => "wait",
            Self::Query(..) => "query",
            Self::Bind(_) => "bind",
            Self::Browse { .. } => "browse",
            Self::CloudLives => "cloud lives",
        }
    }

    /// Every action that there is, in a fixed order.
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::FillStorage,
            Self::PowerOn,
            Self::PowerOff,
            Self::Reset,
            Self::FactoryReset,
            Self::StrangerLooks,
            Self::Crowd,
            Self::Noise,
            Self::OtherSession,
            Self::CloudLives,
        ];
        let untils = [
            Until::Session,
            Until::Set,
            Until::Apply,
            Until::End,
            Until::EndAndStay,
        ];
        let credentials = [
            Credentials::Right(Network::Home),
            Credentials::Right(Network::Office),
            Credentials::WrongPassphrase(Network::Home),
            Credentials::NoSuchNetwork,
        ];
        for phone in [Phone::Alice, Phone::Bob] {
            for credentials in credentials {
                for until in untils {
                    all.push(Self::Provision(phone, credentials, until));
                }
            }
            all.extend([
                Self::WrongSecret(phone),
                Self::ReadVersion(phone),
                Self::Leave(phone),
                Self::Reconnect(phone),
                Self::Bind(phone),
            ]);
            for by in [By::Broadcast, By::Multicast, By::Unicast] {
                all.push(Self::Query(phone, by));
            }
        }
        for scan in [
            ScanKind::Active,
            ScanKind::Passive,
            ScanKind::InGroups,
            ScanKind::PastTheEnd,
        ] {
            all.push(Self::Scan(scan));
        }
        for truth in [false, true] {
            all.push(Self::Custom { is_empty: truth });
            all.push(Self::Browse {
                with_certificate: truth,
            });
        }
        all.extend([Command::Reset, Command::Reprov].map(Self::Control));
        all.extend([Time::AWhile, Time::Long, Time::VeryLong].map(Self::Wait));
        for breakage in Breakage::ALL {
            all.extend([Self::Break(breakage), Self::Mend(breakage)]);
        }
        all.extend(
            [
                Mishap::SessionsReset,
                Mishap::SessionsTakenOver,
                Mishap::BeaconsMissed,
            ]
            .map(Self::Once),
        );
        all
    }
}

/// In a few words.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Break(what) => write!(f, "break {what:?}"),
            Self::Mend(what) => write!(f, "mend {what:?}"),
            Self::Once(what) => write!(f, "{what:?}"),
            Self::Wait(time) => write!(f, "wait {} s", time.seconds()),
            Self::Provision(phone, ..)
            | Self::WrongSecret(phone)
            | Self::ReadVersion(phone)
            | Self::Leave(phone)
            | Self::Reconnect(phone)
            | Self::Query(phone, _)
            | Self::Bind(phone) => write!(f, "{}: {}", phone.name(), self.kind()),
            _ => f.write_str(self.kind()),
        }
    }
}
