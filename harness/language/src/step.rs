//! What a scenario does, step by step.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::captures::CaptureList;
use super::clause::Expect;
use super::discover::Discover;
use super::duration;
use super::fault::FaultStep;
use super::power::Power;
use super::raw::{Attribute, Datagram, Request, Wire};
use super::roles::Roles;
use super::span::Placed;
use super::thingsboard::{Call, Claim, Unclaim};
use super::web::{Browse, WebSocketStep};

/// One step; see the [module](super) for what each means.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = super::schema::bare_erase_storage)]
pub enum Step {
    /// Switches a device's power.
    Power(Power),
    /// A phone provisions a device, or as much of that as it is told.
    Provision(Box<Provision>),
    /// A phone reads what a device's provisioning service can do, and goes away again.
    ReadVersion(ReadVersion),
    /// A phone asks a device which access points it hears.
    Scan(Scan),
    /// A phone has a device forget a failure, or its credentials.
    Control(Control),
    /// A phone sends something to an endpoint of the application's own.
    Custom(Custom),
    /// A phone sends bytes of the scenario's own to an endpoint.
    Request(Request),
    /// A phone in a device's own network sends bytes to its HTTP server, piece by piece.
    Wire(Wire),
    /// A phone on the LAN sends a device a datagram of the scenario's own.
    Datagram(Datagram),
    /// A phone sends a PDU of the Attribute Protocol as it is, over Bluetooth.
    Attribute(Attribute),
    /// Types text at a device's console.
    Console(Console),
    /// A phone ends the session that it has open, and goes home.
    Leave(Leave),
    /// A phone hangs up, connects again, and goes on in the session that it had open.
    Reconnect(Reconnect),
    /// A phone asks a device for its token.
    Query(Query),
    /// A phone looks for a device by mDNS.
    Discover(Box<Discover>),
    /// A phone's owner binds a device to an account.
    Bind(Bind),
    /// A phone's owner claims a device at ThingsBoard.
    Claim(Claim),
    /// A phone's owner gives a device of ThingsBoard back.
    Unclaim(Unclaim),
    /// ThingsBoard calls a method of a device.
    Call(Call),
    /// A phone asks a device's web server for something.
    Browse(Box<Browse>),
    /// A phone does something over a WebSocket.
    #[serde(rename = "websocket")]
    WebSocket(Box<WebSocketStep>),
    /// Something must happen, or must not.
    Expect(Expect),
    /// Something is broken on purpose, or mended.
    Fault(FaultStep),
    /// Lets device time pass.
    Wait(Wait),
    /// Erases a device's storage, which must be off; factory data stays.
    EraseStorage(EraseStorage),
    /// Damages a device's storage, which must be off.
    DamageStorage(DamageStorage),
}

/// A phone goes through ESP-IDF's provisioning with a device.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provision {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// The access point whose SSID and passphrase are sent. Not needed up to the session.
    pub join: Option<Placed<String>>,
    /// Sent in place of the access point's SSID, spelled like that.
    #[schemars(with = "Option<String>")]
    pub ssid: Option<Placed<trace::Ssid>>,
    /// Sent in place of the access point's passphrase.
    pub passphrase: Option<Placed<String>>,
    /// Used in place of the device's proof of possession (security 1).
    pub pop: Option<Placed<String>>,
    /// Used in place of the device's password (security 2).
    pub password: Option<Placed<String>>,
    /// The phone's proof is another in this byte, from 0 on (securities 1 and 2).
    pub damaged_proof: Option<Placed<u8>>,
    /// Goes on with the session that this phone's last `provision` left open.
    #[serde(default)]
    pub resume: bool,
    /// Leaves the session open after any outcome.
    #[serde(default)]
    pub stay: bool,
    /// Ends after this stage, with the session left open.
    pub stop_after: Option<Stage>,
    /// The phone makes a binding token and hands it over with the credentials; `${…}` of this name
    /// is that token from then on.
    pub token: Option<Placed<String>>,
    /// How it must end. Left out only with `stop_after`, which must then be reached.
    pub outcome: Option<Placed<Outcome>>,
    /// Limit in device time; a minute if left out.
    #[serde(default = "a_minute", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

/// How far provisioning has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The phone has joined, and the session's security is established.
    Session,
    /// Credentials were sent and accepted.
    Set,
    /// The device was told to use them and has agreed.
    Apply,
}

/// How provisioning ended, as the phone sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The device reported that it has an address.
    Connected,
    /// The device reported that the access point rejected the passphrase.
    AuthError,
    /// The device reported that there is no such access point.
    NetworkNotFound,
    /// The device refused the session: wrong proof of possession, wrong password.
    SessionRefused,
    /// The device no longer knows a session that was established.
    SessionLost,
    /// The device answered set or apply with a status other than success.
    CredentialsRefused,
    /// The device's network or its service was not there, or went away in the middle.
    Unreachable,
    /// A request is longer than the device's transport carries.
    DoesNotFit,
}

/// A phone requests `proto-ver` in a connection of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadVersion {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// JSON pointers into the answer, and what must stand there; `null` for nothing.
    #[serde(default, rename = "where")]
    pub wanted: Roles<Value>,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// A phone sends `prov-scan` requests, in the session that it has open or in a new one, which stays
/// open.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// Whether the device answers only once it has listened.
    #[serde(default = "yes")]
    pub blocking: bool,
    /// Whether the device only listens, and sends no probe.
    #[serde(default)]
    pub passive: bool,
    /// So many channels without a pause; 0 for all.
    #[serde(default)]
    pub group_channels: u8,
    /// Time on each channel.
    #[serde(default = "a_channel", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub period: Duration,
    /// Asks for results from here on instead of from 0; past the last, the device must refuse.
    #[serde(default)]
    pub from: u32,
    /// Access points that must be among the results, in this order.
    #[serde(default)]
    pub finds: Vec<Placed<String>>,
    /// How many results there must be.
    pub count: Option<u32>,
    /// What the device must say.
    #[serde(default)]
    pub outcome: RequestOutcome,
    /// Device time that it must take.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub at_least: Option<Duration>,
    /// Limit in device time; half a minute if left out.
    #[serde(default = "half_a_minute", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

fn yes() -> bool {
    true
}

fn a_channel() -> Duration {
    Duration::from_millis(120)
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

/// What a device says to a request in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestOutcome {
    /// It answers with success.
    #[default]
    Done,
    /// It answers with a status other than success, or ends the session.
    Refused,
}

/// A phone sends a `prov-ctrl` request, in the session that it has open or in a new one, which stays
/// open.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// What the device is told.
    pub command: Placed<Command>,
    /// What the device must say.
    #[serde(default)]
    pub outcome: RequestOutcome,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// A command of `prov-ctrl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Forget a failure and take other credentials.
    Reset,
    /// Leave the network and take other credentials.
    Reprov,
}

/// A phone sends text to an endpoint, in the session that it has open or in a new one, which stays
/// open.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// To which endpoint.
    pub endpoint: Placed<String>,
    /// What is sent.
    pub send: String,
    /// What the answer must contain.
    pub reply: Option<String>,
    /// Whether there must be one.
    #[serde(default)]
    pub outcome: RequestOutcome,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// Characters typed at a device's console, all in one burst.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// What is typed; a line ends with `\r`.
    #[serde(rename = "type")]
    pub typed: String,
    /// What the device must print from here on.
    pub shows: Option<String>,
    /// What the device must not print.
    pub lacks: Option<String>,
    /// How long its output is read in device time; a second if left out.
    #[serde(default = "a_second", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

fn a_second() -> Duration {
    Duration::from_secs(1)
}

/// A phone ends its session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// Name of the phone.
    pub phone: Placed<String>,
}

/// A phone loses its connection, and does not see that its session is lost, too.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconnect {
    /// Name of the phone.
    pub phone: Placed<String>,
}

/// A phone sends `device.info.get` over CoAP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// To that device alone, or to everybody on the LAN.
    #[serde(default)]
    pub by: QueryBy,
    /// Whether that device must answer.
    #[serde(default)]
    pub outcome: QueryOutcome,
    /// How long the answer is waited for in device time; five seconds if left out.
    #[serde(default = "five_seconds", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Taken from the JSON of the answer.
    #[serde(default)]
    pub capture: CaptureList,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// Where a query goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueryBy {
    /// To the LAN's broadcast address, on `/sys/device/info/get`.
    #[default]
    Broadcast,
    /// To the multicast group of all CoAP nodes (224.0.1.187), on `/sys/device/info/get`.
    Multicast,
    /// To the device's address, on `/sys/{pk}/{dn}/device/info/get`.
    Unicast,
}

/// What comes of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueryOutcome {
    /// An answer with code 200.
    #[default]
    Answered,
    /// An answer with code 400 and no data: there is no token that the cloud knows.
    NoToken,
    /// Nothing.
    Unanswered,
}

/// A phone's owner binds a device by its token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    /// Whose phone, and whose account.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// The token.
    pub token: Placed<String>,
    /// How long the phone first asks the cloud, once a second, whether the device has reported the
    /// token.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub within: Option<Duration>,
    /// What the cloud must say.
    pub outcome: Placed<BindOutcome>,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// What the cloud says to a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BindOutcome {
    /// The device belongs to the account.
    Bound,
    /// The token was bound before.
    AlreadyUsed,
    /// No device has reported the token.
    Unknown,
    /// Another device has reported the token.
    Mismatched,
    /// The token was reported too long ago.
    Expired,
    /// The device belongs to another account, and the product lets it belong to one only.
    Forbidden,
}

/// Lets so much device time pass.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Wait(
    /// How long.
    #[serde(deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub Duration,
);

/// Erases a device's storage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseStorage {
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
}

/// Damages a device's storage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DamageStorage {
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// Where it begins, in bytes.
    #[serde(default)]
    pub at: u32,
    /// Bytes; up to the end if left out.
    pub bytes: Option<Placed<u32>>,
    /// How.
    pub with: Placed<Damage>,
}

/// How storage is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// All bits are cleared.
    Zeros,
    /// All bits are set, as if it were erased.
    Ones,
    /// Anything stands there, the same in each run.
    Noise,
    /// Settings of others fill all of it, so that there is no room.
    Full,
}

impl Step {
    /// The device that the step names, if it is about one.
    pub fn device(&self) -> Option<&Placed<String>> {
        match self {
            Self::Power(step) => step.device.as_ref(),
            Self::Provision(step) => step.device.as_ref(),
            Self::ReadVersion(step) => step.device.as_ref(),
            Self::Scan(step) => step.device.as_ref(),
            Self::Control(step) => step.device.as_ref(),
            Self::Custom(step) => step.device.as_ref(),
            Self::Request(step) => step.device.as_ref(),
            Self::Wire(step) => step.device.as_ref(),
            Self::Datagram(step) => step.device.as_ref(),
            Self::Attribute(step) => step.device.as_ref(),
            Self::Console(step) => step.device.as_ref(),
            Self::Query(step) => step.device.as_ref(),
            Self::Discover(step) => step.device.as_ref(),
            Self::Bind(step) => step.device.as_ref(),
            Self::Claim(step) => step.device.as_ref(),
            Self::Unclaim(step) => step.device.as_ref(),
            Self::Call(step) => step.device.as_ref(),
            Self::Browse(step) => step.device.as_ref(),
            Self::WebSocket(step) => step.device.as_ref(),
            Self::EraseStorage(step) => step.device.as_ref(),
            Self::DamageStorage(step) => step.device.as_ref(),
            Self::Expect(Expect::Transcript(transcript)) => transcript.device.as_ref(),
            Self::Expect(Expect::Clause(_))
            | Self::Fault(_)
            | Self::Wait(_)
            | Self::Leave(_)
            | Self::Reconnect(_) => None,
        }
    }

    /// Whether the step is about one device, named or not.
    pub fn is_about_a_device(&self) -> bool {
        !matches!(
            self,
            Self::Expect(Expect::Clause(_))
                | Self::Fault(_)
                | Self::Wait(_)
                | Self::Leave(_)
                | Self::Reconnect(_)
        )
    }

    /// Bugs with which this step must fail.
    pub fn catches(&self) -> &[Placed<String>] {
        match self {
            Self::Provision(step) => &step.catches,
            Self::ReadVersion(step) => &step.catches,
            Self::Scan(step) => &step.catches,
            Self::Control(step) => &step.catches,
            Self::Custom(step) => &step.catches,
            Self::Request(step) => &step.catches,
            Self::Wire(step) => &step.catches,
            Self::Datagram(step) => &step.catches,
            Self::Attribute(step) => &step.catches,
            Self::Console(step) => &step.catches,
            Self::Query(step) => &step.catches,
            Self::Discover(step) => &step.catches,
            Self::Bind(step) => &step.catches,
            Self::Claim(step) => &step.catches,
            Self::Call(step) => &step.catches,
            Self::Browse(step) => &step.catches,
            Self::WebSocket(step) => &step.catches,
            Self::Expect(step) => step.catches(),
            Self::Power(_)
            | Self::Unclaim(_)
            | Self::Leave(_)
            | Self::Reconnect(_)
            | Self::Fault(_)
            | Self::Wait(_)
            | Self::EraseStorage(_)
            | Self::DamageStorage(_) => &[],
        }
    }
}
