//! What stands around the devices of a case: the lab, or a host's rig. The engine asks it through one
//! trait and does not know which of the two it is.

mod air_faults;
mod bluetooth;
#[cfg(test)]
mod conformance;
mod enrollee;
mod host_rig;
pub mod hostapd;
mod lab;
mod own_firmware;
mod rig_access_point;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use contracts::Sight;
use futures_util::future::BoxFuture;
use language::{AccessPoint, Case, Fault, Over};
use phone::{Dial, Transport};
use trace::Trace;

use super::boards::{Chosen, Wires};
use super::console::Port;
use super::external_cloud::ExternalCloud;
use super::factory_data::Meeting;
use super::problem::LabError;
use super::values::AccessPointValues;

pub use enrollee::{Enrollee, LINE_LIMIT, SERVICE};
pub use host_rig::HostRig;
pub use lab::{Lab, Outsiders, auth_mode};
pub use rig_access_point::passphrase;

/// What the engine asks of the world around its devices.
///
/// # State
/// An access point is on, with its way to the internet and its clients mingling, from
/// [`access_point`](Self::access_point) on. A phone is nowhere until it visits a device or takes its
/// seat on the LAN. What was begun for a phone ends with what it was given: a dropped
/// [`Visit`] leaves the device's network, [`Stay::leave`] waits until that is done.
///
/// # Order
/// [`access_point`](Self::access_point) for each role, [`external_cloud`](Self::external_cloud) and,
/// where there is none, [`meeting_place`](Self::meeting_place) and
/// [`publish`](Self::publish), [`wires`](Self::wires) for each device; then phones, faults and
/// queries in any order; [`end`](Self::end) once, after the boards have lost their power.
///
/// # Errors
/// An error is the host's or the lab's, but for [`VisitError::Device`]. What a rig cannot do is said
/// before the case starts (`run::around`); an implementer that is asked for it all the same
/// refuses with [`LabError::Scenario`] and changes nothing.
///
/// # Conformance
/// `conformance.rs` asks all of this of each implementer.
///
/// # Time
/// Every call ends within a bound of the implementer's own. Dropping a future that a call gave leaves
/// nothing behind that [`end`](Self::end) would not put back.
pub trait Surroundings: Send {
    /// Sets up the access point of `role`, or finds it. `made` are the values for one that can be
    /// set; the result are those that it has.
    fn access_point<'s>(
        &'s mut self,
        role: &'s str,
        settings: &'s AccessPoint,
        made: AccessPointValues,
    ) -> BoxFuture<'s, Result<AccessPointValues, LabError>>;

    /// Switches something of the access point of `role`.
    fn switch<'s>(
        &'s self,
        role: &'s str,
        what: Switched,
        on: bool,
    ) -> BoxFuture<'s, Result<(), LabError>>;

    /// The cloud that runs without us, where there is one; broker and time server have no meeting place
    /// then.
    fn external_cloud(&self) -> Result<Option<ExternalCloud>, LabError>;

    /// Where broker and time server are to listen.
    fn meeting_place(&self) -> MeetingPlace;

    /// Broker and time server listen at these addresses; what devices are told of them.
    fn publish(&self, broker: SocketAddr, time: SocketAddr) -> Meeting;

    /// How the device is provisioned that the reference firmware makes one of `reference`.
    fn enrollee(&self, reference: Enrollee) -> BoxFuture<'_, Result<Enrollee, LabError>>;

    /// What leads from the board of `device` to these surroundings.
    fn wires(&mut self, device: &str, mac: [u8; 6], over: Over) -> Wires;

    /// The console of a device, for which [`wires`](Self::wires) has laid one.
    fn console(&self, device: &str) -> Option<Port>;

    /// Takes a phone to where `device` is provisioned. No request is sent yet; one may take `limit`.
    fn visit<'s>(
        &'s mut self,
        phone: &'s str,
        device: &'s str,
        enrollee: &'s Enrollee,
        limit: Duration,
    ) -> BoxFuture<'s, Result<Visit, VisitError>>;

    /// The seat of a phone on the LAN of the first access point, until it is dropped; none if there
    /// is no LAN now, or this phone needs none.
    fn lan<'s>(
        &'s mut self,
        phone: &'s str,
    ) -> BoxFuture<'s, Result<Option<Arc<dyn Dial>>, LabError>>;

    /// Whether a phone of the LAN has the port of CoAP there, which phones that share an interface have one of.
    fn listens(&self, _phone: &str) -> bool {
        true
    }

    /// Whether a phone stays on its LAN while it is in a device's network, as it has an interface for
    /// each.
    fn is_lan_apart(&self) -> bool {
        false
    }

    /// The address of a device on its LAN, once it has one.
    fn station_address(&self, device: &str) -> Option<Ipv4Addr>;

    /// Disturbs the Bluetooth of these devices, or no longer.
    fn set_bluetooth_fault(
        &mut self,
        devices: &[&str],
        fault: &Fault,
        on: bool,
    ) -> Result<(), LabError>;

    /// Breaks addresses, names or frames of the network, or mends them.
    fn set_air_fault(&mut self, fault: &Fault, on: bool) -> Result<(), LabError>;

    /// What is seen here of devices, besides what broker and boards tell.
    fn sights(&self) -> BTreeSet<Sight>;

    /// Whether every device here heeds what it is told, so that contracts may hold it to that.
    fn are_devices_known(&self) -> bool;

    /// Every witness of these surroundings says whether its part works.
    fn testify(&self) -> BoxFuture<'_, ()>;

    /// Puts back what is not as it was found.
    fn end(&mut self) -> BoxFuture<'_, Result<(), LabError>>;
}

/// The surroundings of `case` on this board.
pub async fn around(
    chosen: &Chosen,
    case: &Case,
    trace: &Trace,
) -> Result<Box<dyn Surroundings>, LabError> {
    Ok(match &chosen.real {
        Some((rig, board)) => {
            let phones = (case.phones_on_lan(), case.phones_that_listen());
            Box::new(HostRig::new(rig.clone(), board.clone(), phones, trace))
        }
        None => Box::new(Lab::start(&case.scenario.world, trace).await?),
    })
}

/// Something of an access point that can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// The access point itself.
    Power,
    /// Its way to the internet.
    Internet,
    /// What keeps its clients apart.
    Isolation,
}

/// Where broker and time server are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingPlace {
    /// What devices are told that the broker is called.
    pub host: String,
    /// Every name and address that its certificate carries.
    pub names: Vec<String>,
    /// Where the broker listens; port 0 for any.
    pub broker: SocketAddr,
    /// Where the time server listens; port 0 for any.
    pub time: SocketAddr,
}

impl MeetingPlace {
    fn on_loopback(host: &str, names: &[&str]) -> Self {
        let any = SocketAddr::new(IpAddr::from(Ipv4Addr::LOCALHOST), 0);
        Self {
            host: host.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            broker: any,
            time: any,
        }
    }
}

/// A phone's way to a device.
pub struct Visit {
    /// How its requests get there.
    pub transport: Box<dyn Transport>,
    /// Its place in the device's network; none where the transport is no network.
    pub stay: Option<Box<dyn Stay>>,
}

/// A phone's place in a device's network. Dropping it begins to leave.
pub trait Stay: Send {
    /// The network, where phones have a place of their own in it.
    fn dial(&self) -> Option<Arc<dyn Dial>> {
        None
    }

    /// Leaves, and waits until the phone is out of it.
    fn leave(self: Box<Self>) -> BoxFuture<'static, Result<(), LabError>>;
}

/// A phone did not get to where a device is provisioned.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// The device did not let it: its network is not there, or gives no address.
    #[error("{0}")]
    Device(String),
    /// The surroundings could not do it.
    #[error(transparent)]
    Surroundings(#[from] LabError),
}
