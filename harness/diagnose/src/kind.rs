//! Whose log it is.

use serde::{Deserialize, Serialize};

/// Whose log it is. The same words mean the opposite in a client's log and in a server's: `alert unknown
/// ca` in a broker's says that the client trusts another authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A device's, or that of a program that stands for one.
    Device,
    /// An MQTT broker's.
    Broker,
    /// That of the network around a device: access point, DHCP and DNS server, which are of many stations.
    Network,
    /// A tool's on the developer's computer: compiler, flasher.
    Tool,
}
