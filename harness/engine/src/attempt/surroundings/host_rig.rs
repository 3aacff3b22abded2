//! A rig: real access points, which the commands of its file switch, and phones that use the radios
//! and interfaces of this host that it names, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use board::Power;
use board::command::SwitchCommands;
use board::power::{CommandSwitch, PowerSwitch};
use board::rig::{Label, Rig, RigBoard};
use clock::Clock;
use contracts::Sight;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lab::wire::Wire;
use language::{AccessPoint, Fault, Over};
use phone::{
    Ble, BleSettings, Bluetooth, Dial, HostDial, HostSeat, JoinedWifi, SoftAp, Wanted, WifiSettings,
};
use trace::{Trace, Witness, WitnessReport};

use super::lab::console;
use super::own_firmware;
use super::rig_access_point::{of_its_own, set, usual};
use super::{Enrollee, MeetingPlace, Stay, Surroundings, Switched, Visit, VisitError};
use crate::attempt::boards::Wires;
use crate::attempt::console::Port;
use crate::attempt::external_cloud::ExternalCloud;
use crate::attempt::factory_data::Meeting;
use crate::attempt::problem::LabError;
use crate::attempt::values::AccessPointValues;

/// What a rig file describes around one of its boards.
pub struct HostRig {
    rig: Rig,
    board: RigBoard,
    trace: Trace,
    consoles: BTreeMap<String, Port>,
    /// The phones that have to be on the LAN.
    on_lan: BTreeSet<String>,
    /// Those of them that listen there; there is room for one.
    listening: BTreeSet<String>,
    /// Once a phone has needed it.
    bluetooth: Option<Bluetooth>,
    /// Whether the host has met the device, as it is in this case, over Bluetooth.
    has_met: bool,
    /// The device's network that a phone is in.
    wifi: WifiTurn,
    /// What of access points is not as it usually is.
    switched: Mutex<Vec<(String, Switched)>>,
    /// The access points that were set up for this case.
    set: BTreeSet<String>,
}

/// The only Wi-Fi interface, in whichever network a phone has it now.
type WifiTurn = Arc<Mutex<Option<HostSeat>>>;

impl HostRig {
    /// The surroundings of `board`, where the phones `on_lan` have to be on the LAN, and those of them that are
    /// `listening` have its port of CoAP. Nothing of the host is touched yet.
    pub fn new(
        rig: Rig,
        board: RigBoard,
        (on_lan, listening): (BTreeSet<&str>, BTreeSet<&str>),
        trace: &Trace,
    ) -> Self {
        let owned = |phones: BTreeSet<&str>| phones.into_iter().map(str::to_owned).collect();
        Self {
            rig,
            board,
            trace: trace.clone(),
            consoles: BTreeMap::new(),
            on_lan: owned(on_lan),
            listening: owned(listening),
            bluetooth: None,
            has_met: false,
            wifi: WifiTurn::default(),
            switched: Mutex::default(),
            set: BTreeSet::new(),
        }
    }

    fn clock(&self) -> &Clock {
        self.trace.clock()
    }

    fn console_of(
        &self,
        device: &str,
        enrollee: &Enrollee,
        limit: Duration,
    ) -> Result<Visit, VisitError> {
        let port = self
            .consoles
            .get(device)
            .ok_or_else(|| self.unnamed("console"))?;
        let transport = console(port, device, enrollee, self.clock().clone(), limit);
        Ok(Visit {
            transport: Box::new(transport),
            stay: None,
        })
    }

    async fn ble(&mut self, enrollee: &Enrollee, limit: Duration) -> Result<Visit, VisitError> {
        let bluetooth = self.bluetooth().await?;
        let wanted = Wanted {
            name: Some(enrollee.service_name.clone()),
            service: enrollee.service,
        };
        let settings = BleSettings {
            request: limit,
            // Its firmware may be another than in the last case.
            anew: !std::mem::replace(&mut self.has_met, true),
            ..BleSettings::default()
        };
        Ok(Visit {
            transport: Box::new(Ble::new(bluetooth, wanted, settings)),
            stay: None,
        })
    }

    async fn bluetooth(&mut self) -> Result<Bluetooth, LabError> {
        if let Some(bluetooth) = &self.bluetooth {
            return Ok(bluetooth.clone());
        }
        let name = self.board.phone.bluetooth.clone();
        let name = name.ok_or_else(|| self.unnamed("bluetooth"))?;
        let bluetooth = Bluetooth::open(self.clock().clone(), Some(&name)).await?;
        if bluetooth.was_off() {
            let switched = WitnessReport {
                witness: Witness::Host,
                sound: true,
                detail: format!("{name} was off: it is on until the case ends"),
            };
            self.trace.emit(None, &switched);
        }
        Ok(self.bluetooth.insert(bluetooth).clone())
    }

    async fn soft_ap(&mut self, enrollee: &Enrollee, limit: Duration) -> Result<Visit, VisitError> {
        let interface = self.board.phone.wifi.clone();
        let interface = interface.ok_or_else(|| self.unnamed("wifi"))?;
        leave(&self.wifi).await?;
        let key = Some(enrollee.service_key.clone());
        let settings = WifiSettings {
            passphrase: key.filter(|key| !key.is_empty()),
            ..WifiSettings::of(&interface, &enrollee.service_name)
        };
        let joined = JoinedWifi::join(&settings, self.clock()).await;
        let seat = HostSeat::from(joined.map_err(|error| {
            if error.is_of_the_network() {
                VisitError::Device(error.to_string())
            } else {
                VisitError::Surroundings(error.into())
            }
        })?);
        let clock = self.clock().clone();
        let dial = Arc::new(seat.dial(clock.clone()));
        *held(&self.wifi) = Some(seat);
        Ok(Visit {
            transport: Box::new(SoftAp::new(dial, enrollee.address, clock, limit)),
            stay: Some(Box::new(WifiStay(Some(self.wifi.clone())))),
        })
    }

    /// What switches this of an access point.
    fn commands(&self, role: &str, what: Switched) -> Result<SwitchCommands, LabError> {
        let point = self.rig.access_points.get(role);
        let commands = point.and_then(|point| match what {
            Switched::Power => point.switch.clone(),
            Switched::Internet => point.internet.clone(),
            Switched::Isolation => point.isolation.clone(),
        });
        commands.ok_or_else(|| {
            LabError::Scenario(format!("nothing in the rig file switches {role} so"))
        })
    }

    async fn run_switch(&self, role: &str, what: Switched, on: bool) -> Result<(), LabError> {
        let commands = self.commands(role, what)?;
        let power = if on { Power::On } else { Power::Off };
        let mut switch = CommandSwitch::new(commands, self.clock().clone());
        Ok(switch.switch(power).await?)
    }

    /// Puts access points back that the case has switched or set up; the first error.
    async fn put_back(&mut self) -> Result<(), LabError> {
        let mut result = Ok(());
        let switched = std::mem::take(&mut *held(&self.switched));
        for (role, what) in switched {
            let back = self.run_switch(&role, what, what != Switched::Isolation);
            result = result.and(back.await);
        }
        for role in std::mem::take(&mut self.set) {
            let Some(point) = self.rig.access_points.get(&role) else {
                continue;
            };
            if let Some(command) = &point.set {
                let back = async { set(command, &usual(point)?, self.clock()).await };
                result = result.and(back.await);
            }
        }
        result
    }

    fn unnamed(&self, key: &str) -> LabError {
        let board = &self.board.name;
        LabError::Scenario(format!("the rig file names no {key} for {board}"))
    }
}

/// A phone's turn at the Wi-Fi interface.
struct WifiStay(Option<WifiTurn>);

impl Stay for WifiStay {
    fn leave(mut self: Box<Self>) -> BoxFuture<'static, Result<(), LabError>> {
        let turn = self.0.take();
        async move {
            match turn {
                Some(turn) => leave(&turn).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}

impl Drop for WifiStay {
    fn drop(&mut self) {
        if let Some(turn) = self.0.take() {
            // A seat that is dropped is left, too.
            drop(held(&turn).take());
        }
    }
}

async fn leave(turn: &WifiTurn) -> Result<(), LabError> {
    let seat = held(turn).take();
    match seat {
        Some(seat) => Ok(seat.leave().await?),
        None => Ok(()),
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Surroundings for HostRig {
    fn access_point<'s>(
        &'s mut self,
        role: &'s str,
        settings: &'s AccessPoint,
        made: AccessPointValues,
    ) -> BoxFuture<'s, Result<AccessPointValues, LabError>> {
        async move {
            let point = self.rig.access_points.get(role).ok_or_else(|| {
                LabError::Scenario(format!(
                    "this world has no access point in its rig named {role}"
                ))
            })?;
            let usual = usual(point)?;
            self.trace
                .secrets()
                .add(&format!("passphrase {role}"), &usual.passphrase);
            let Some(command) = point.set.clone() else {
                return Ok(usual.into());
            };
            let setup = match settings.is_of_its_own() {
                true => of_its_own(settings, &usual, made),
                // Who was killed before has left it otherwise.
                false => usual.clone(),
            };
            if settings.is_of_its_own() {
                self.set.insert(role.to_owned());
            }
            set(&command, &setup, self.trace.clock()).await?;
            Ok(setup.into())
        }
        .boxed()
    }

    fn switch<'s>(
        &'s self,
        role: &'s str,
        what: Switched,
        on: bool,
    ) -> BoxFuture<'s, Result<(), LabError>> {
        async move {
            // Isolation is what is off otherwise.
            let is_usual = on != (what == Switched::Isolation);
            // Refused before anything is noted that would have to be put back.
            self.commands(role, what)?;
            let this = (role.to_owned(), what);
            if !is_usual && !held(&self.switched).contains(&this) {
                held(&self.switched).push(this.clone());
            }
            self.run_switch(role, what, on).await?;
            if is_usual {
                held(&self.switched).retain(|known| *known != this);
            }
            Ok(())
        }
        .boxed()
    }

    fn external_cloud(&self) -> Result<Option<ExternalCloud>, LabError> {
        ExternalCloud::of(&self.rig)
    }

    fn meeting_place(&self) -> MeetingPlace {
        let Some(broker) = self.rig.broker.as_ref().and_then(|broker| broker.own()) else {
            return MeetingPlace::on_loopback("localhost", &["localhost", "127.0.0.1"]);
        };
        MeetingPlace {
            host: broker.host(),
            names: broker.certificate_names(),
            broker: (broker.bind, broker.port).into(),
            time: (broker.bind, broker.time_port).into(),
        }
    }

    fn publish(&self, broker: SocketAddr, time: SocketAddr) -> Meeting {
        let host = self.meeting_place().host;
        Meeting {
            broker: (host.clone(), broker.port()),
            time: (host, time.port()),
        }
    }

    fn enrollee(&self, reference: Enrollee) -> BoxFuture<'_, Result<Enrollee, LabError>> {
        async move {
            let firmware = self.board.firmware.as_ref();
            let own = firmware.and_then(|firmware| firmware.provisioning.as_ref());
            let found = match own {
                Some(own) => {
                    own_firmware::enrollee(reference, own, self.board.mac, &self.trace).await?
                }
                None => reference,
            };
            labelled(found, &self.board.label, &self.trace).await
        }
        .boxed()
    }

    fn wires(&mut self, device: &str, _mac: [u8; 6], over: Over) -> Wires {
        let firmware = self.board.firmware.as_ref();
        let own = firmware.and_then(|firmware| firmware.provisioning.as_ref());
        let over = own.map_or(over, |own| own_firmware::over(own.transport));
        let is_typed_at = over == Over::Console && self.board.console.is_some();
        let console = is_typed_at.then(|| {
            let (board, ours) = Wire::pair(self.trace.clock());
            self.consoles.insert(device.to_owned(), Port::new(ours));
            board
        });
        Wires {
            link: None,
            console,
            hci: None,
        }
    }

    fn console(&self, device: &str) -> Option<Port> {
        self.consoles.get(device).cloned()
    }

    fn visit<'s>(
        &'s mut self,
        _phone: &'s str,
        device: &'s str,
        enrollee: &'s Enrollee,
        limit: Duration,
    ) -> BoxFuture<'s, Result<Visit, VisitError>> {
        async move {
            match enrollee.over {
                Over::Console => self.console_of(device, enrollee, limit),
                Over::Ble => self.ble(enrollee, limit).await,
                Over::Softap => self.soft_ap(enrollee, limit).await,
            }
        }
        .boxed()
    }

    fn lan<'s>(
        &'s mut self,
        phone: &'s str,
    ) -> BoxFuture<'s, Result<Option<Arc<dyn Dial>>, LabError>> {
        async move {
            let Some(interface) = &self.board.phone.lan else {
                return Ok(None);
            };
            if !self.on_lan.contains(phone) {
                return Ok(None);
            }
            let dial = HostDial::on_interface(interface, self.clock().clone());
            let dial = dial.map_err(|source| LabError::Io {
                what: format!("find {interface}, which the rig file names as `phone.lan`"),
                source,
            })?;
            Ok(Some(Arc::new(dial) as Arc<dyn Dial>))
        }
        .boxed()
    }

    fn listens(&self, phone: &str) -> bool {
        self.listening.contains(phone)
    }

    fn is_lan_apart(&self) -> bool {
        // A rig file that names one interface for both is refused.
        true
    }

    fn station_address(&self, device: &str) -> Option<Ipv4Addr> {
        last_address(&self.trace, device)
    }

    fn set_bluetooth_fault(
        &mut self,
        _devices: &[&str],
        fault: &Fault,
        _on: bool,
    ) -> Result<(), LabError> {
        Err(LabError::Scenario(format!(
            "a rig does not disturb radios: {}",
            fault.name()
        )))
    }

    fn set_air_fault(&mut self, fault: &Fault, _on: bool) -> Result<(), LabError> {
        Err(LabError::Scenario(format!(
            "a rig does not disturb its network: {}",
            fault.name()
        )))
    }

    fn sights(&self) -> BTreeSet<Sight> {
        // There are access points and phones of others.
        BTreeSet::new()
    }

    fn are_devices_known(&self) -> bool {
        // Firmware of others has settings of its own, whatever it is told.
        false
    }

    fn testify(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), LabError>> {
        async {
            let left = leave(&self.wifi).await;
            let back = self.put_back().await;
            if let Some(bluetooth) = self.bluetooth.take() {
                bluetooth.close().await;
            }
            left.and(back)
        }
        .boxed()
    }
}

/// The same with what the board's label says.
async fn labelled(found: Enrollee, label: &Label, trace: &Trace) -> Result<Enrollee, LabError> {
    let service_key = own_firmware::secret("service key", &label.service_key, trace)?;
    let pop = own_firmware::secret("proof of possession", &label.pop, trace)?;
    let password = own_firmware::secret("password", &label.password, trace)?;
    let mut learned = found.learned;
    if let (Some(learned), Some(_)) = (&mut learned, &label.service_name) {
        learned.name = None;
    }
    Ok(Enrollee {
        service_name: label.service_name.clone().unwrap_or(found.service_name),
        service_key: service_key.unwrap_or(found.service_key),
        pop: pop.unwrap_or(found.pop),
        username: label.username.clone().unwrap_or(found.username),
        password: password.unwrap_or(found.password),
        address: own_firmware::address(&label.url, found.address).await?,
        learned,
        ..found
    })
}

/// The address that `device` has logged last, as ESP-IDF does (`esp_netif_handlers`).
fn last_address(trace: &Trace, device: &str) -> Option<Ipv4Addr> {
    let mut found = None;
    for event in trace.events_from(0) {
        if event.device.as_deref() != Some(device) {
            continue;
        }
        let Some(line) = event.line() else { continue };
        let told = line.text.split_once("sta ip: ").map(|(_, rest)| rest);
        let address = told.and_then(|rest| rest.split([',', ' ']).next());
        found = address.and_then(|address| address.parse().ok()).or(found);
    }
    found
}

#[cfg(test)]
mod tests {
    use trace::{Level, LogLine};

    use super::*;

    #[tokio::test]
    async fn a_station_is_where_it_has_said_last_that_it_is() {
        let trace = Trace::in_memory(Clock::start(1.0));
        let line = |text: &str| LogLine {
            level: Level::Info,
            tag: "esp_netif_handlers".into(),
            text: text.into(),
            device_ms: None,
            place: None,
        };
        assert_eq!(last_address(&trace, "lamp"), None);
        for text in [
            "sta ip: 10.0.0.7, mask: 255.255.255.0, gw: 10.0.0.1",
            "sta ip: 10.0.0.8, mask: 255.255.255.0, gw: 10.0.0.1",
            "sta ip: nonsense",
        ] {
            trace.emit(Some("lamp"), &line(text));
        }
        trace.emit(Some("plug"), &line("sta ip: 10.0.0.9, mask"));
        assert_eq!(last_address(&trace, "lamp"), Some([10, 0, 0, 8].into()));
    }
}
