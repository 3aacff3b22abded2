//! What a scenario breaks on purpose.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration;
use super::span::Placed;

/// `fault: { on: … }` breaks something, `fault: { off: … }` mends it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultStep {
    /// Broken from now on.
    On(Fault),
    /// As before the fault, from now on.
    Off(Fault),
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
    /// The broker answers CONNECT with this return code, 1 to 5 (MQTT 3.1.1 §3.2.2.3).
    ConnectRefused(Placed<u8>),
    /// The broker answers SUBSCRIBE to filters which this topic filter covers with 0x80.
    SubscribeRefused(Placed<String>),
    /// The Linkkit cloud answers a reported token in this way.
    MatchReply(MatchReply),
    /// ThingsBoard answers no request of a device: for attributes, calls, chunks or credentials.
    CloudUnanswered,
    /// No phone hears Bluetooth advertisements.
    BluetoothSilent,
    /// The Bluetooth link is lost after so many more bytes of data.
    BluetoothDropAfter(u32),
    /// The Bluetooth link carries this many bytes a second.
    BluetoothSlow(u32),
}

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

impl Fault {
    /// Its name in the scenario language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccessPointOff(_) => "access_point_off",
            Self::Isolation(_) => "isolation",
            Self::InternetOff(_) => "internet_off",
            Self::TimeSilent => "time_silent",
            Self::ConnectRefused(_) => "connect_refused",
            Self::SubscribeRefused(_) => "subscribe_refused",
            Self::MatchReply(_) => "match_reply",
            Self::CloudUnanswered => "cloud_unanswered",
            Self::BluetoothSilent => "bluetooth_silent",
            Self::BluetoothDropAfter(_) => "bluetooth_drop_after",
            Self::BluetoothSlow(_) => "bluetooth_slow",
        }
    }

    /// The access point that it is about.
    pub fn access_point(&self) -> Option<&Placed<String>> {
        match self {
            Self::AccessPointOff(role) | Self::Isolation(role) | Self::InternetOff(role) => {
                Some(role)
            }
            _ => None,
        }
    }
}
