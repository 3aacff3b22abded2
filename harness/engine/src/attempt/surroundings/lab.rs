//! The lab: an air, and Bluetooth where a device is provisioned over it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use airlink::AuthMode;
use clock::Clock;
use contracts::Sight;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lab::air::{AccessPointChange, AccessPointSettings, Air, AirError, PhoneSeat, Protocol};
use lab::wire::Wire;
use language::{AccessPoint, Auth, Fault, Over, WorldSpec};
use phone::{ConsoleSettings, Dial, SoftAp};
use trace::Trace;

use super::air_faults;
use super::bluetooth::Bluetooth;
use super::{Enrollee, MeetingPlace, Stay, Surroundings, Switched, Visit, VisitError};
use crate::attempt::boards::Wires;
use crate::attempt::console::Port;
use crate::attempt::external_cloud::ExternalCloud;
use crate::attempt::factory_data::{BROKER_HOST, BROKER_PORT, Meeting, TIME_HOST, TIME_PORT};
use crate::attempt::problem::LabError;
use crate::attempt::values::AccessPointValues;

pub use super::bluetooth::Outsiders;

/// Virtual surroundings, which nothing of the host is part of.
pub struct Lab {
    trace: Trace,
    air: Air,
    /// Only where a device is provisioned over it.
    bluetooth: Option<Bluetooth>,
    consoles: BTreeMap<String, Port>,
    /// How strong each access point is heard while nothing is broken, in dBm.
    usual_rssi: BTreeMap<String, i8>,
    /// Number of access points so far.
    access_points: usize,
    /// The first access point, whose LAN phones are on.
    home: Option<String>,
    /// Whether a scenario has broken what DHCP servers answer.
    is_dhcp_broken: bool,
}

impl Lab {
    /// A lab for the devices and phones of `world`, still without access points.
    pub async fn start(world: &WorldSpec, trace: &Trace) -> Result<Self, LabError> {
        let is_ble =
            |(_, device): (&str, &language::Device)| device.provisioning.over() == Over::Ble;
        let bluetooth = if world.devices.iter().any(is_ble) {
            let phones: Vec<String> = world.phones.iter().map(|p| p.value.clone()).collect();
            Some(Bluetooth::start(&phones, trace).await?)
        } else {
            None
        };
        Ok(Self {
            trace: trace.clone(),
            air: Air::new(trace.clone()),
            bluetooth,
            consoles: BTreeMap::new(),
            usual_rssi: BTreeMap::new(),
            access_points: 0,
            home: None,
            is_dhcp_broken: false,
        })
    }

    /// Its air.
    pub fn air(&self) -> &Air {
        &self.air
    }

    /// The way to its Bluetooth for programs that are no part of it; none, if no device is
    /// provisioned over it.
    pub fn outsiders(&self) -> Option<Outsiders> {
        self.bluetooth.as_ref().map(Bluetooth::outsiders)
    }

    fn clock(&self) -> &Clock {
        self.trace.clock()
    }
}

impl Surroundings for Lab {
    fn access_point<'s>(
        &'s mut self,
        role: &'s str,
        settings: &'s AccessPoint,
        made: AccessPointValues,
    ) -> BoxFuture<'s, Result<AccessPointValues, LabError>> {
        async move {
            self.usual_rssi.insert(role.to_owned(), settings.rssi);
            let settings = access_point_settings(self.access_points, settings, &made);
            self.air.add_access_point(role, settings);
            self.access_points += 1;
            self.home.get_or_insert_with(|| role.to_owned());
            Ok(made)
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
            let change = match what {
                Switched::Power => AccessPointChange::On(on),
                Switched::Internet => AccessPointChange::Internet(on),
                Switched::Isolation => AccessPointChange::Isolation(on),
            };
            Ok(self.air.set_access_point(role, change)?)
        }
        .boxed()
    }

    fn external_cloud(&self) -> Result<Option<ExternalCloud>, LabError> {
        Ok(None)
    }

    fn meeting_place(&self) -> MeetingPlace {
        MeetingPlace::on_loopback(BROKER_HOST, &[BROKER_HOST, "localhost", "127.0.0.1"])
    }

    fn publish(&self, broker: SocketAddr, time: SocketAddr) -> Meeting {
        let air = &self.air;
        air.publish(BROKER_HOST, BROKER_PORT, Protocol::Tcp, broker);
        air.publish(TIME_HOST, TIME_PORT, Protocol::Udp, time);
        Meeting::default()
    }

    fn enrollee(&self, reference: Enrollee) -> BoxFuture<'_, Result<Enrollee, LabError>> {
        // Its devices run that firmware.
        async { Ok(reference) }.boxed()
    }

    fn wires(&mut self, device: &str, mac: [u8; 6], over: Over) -> Wires {
        let console = (over == Over::Console).then(|| {
            let (board, lab) = Wire::pair(self.clock());
            self.consoles.insert(device.to_owned(), Port::new(lab));
            board
        });
        let bluetooth = self.bluetooth.as_ref().filter(|_| over == Over::Ble);
        Wires {
            link: Some(self.air.attach(device)),
            console,
            hci: bluetooth.map(|bluetooth| bluetooth.attach(device, mac)),
        }
    }

    fn console(&self, device: &str) -> Option<Port> {
        self.consoles.get(device).cloned()
    }

    fn visit<'s>(
        &'s mut self,
        phone: &'s str,
        device: &'s str,
        enrollee: &'s Enrollee,
        limit: Duration,
    ) -> BoxFuture<'s, Result<Visit, VisitError>> {
        async move {
            let clock = self.clock().clone();
            if let (Over::Console, Some(port)) = (enrollee.over, self.consoles.get(device)) {
                let transport = console(port, device, enrollee, clock, limit);
                return Ok(Visit {
                    transport: Box::new(transport),
                    stay: None,
                });
            }
            if enrollee.over == Over::Ble
                && let Some(transport) = self
                    .bluetooth
                    .as_ref()
                    .and_then(|bluetooth| bluetooth.transport(phone, enrollee))
            {
                return Ok(Visit {
                    transport,
                    stay: None,
                });
            }
            let (ssid, key) = (enrollee.service_name.as_bytes(), &enrollee.service_key);
            let seat = Arc::new(self.air.join_soft_ap(phone, ssid, key).await?);
            Ok(Visit {
                transport: Box::new(SoftAp::new(seat.clone(), enrollee.address, clock, limit)),
                stay: Some(Box::new(Seat(seat))),
            })
        }
        .boxed()
    }

    fn lan<'s>(
        &'s mut self,
        phone: &'s str,
    ) -> BoxFuture<'s, Result<Option<Arc<dyn Dial>>, LabError>> {
        async move {
            let Some(home) = &self.home else {
                return Ok(None);
            };
            match self.air.join_access_point(phone, home).await {
                Ok(seat) => Ok(Some(Arc::new(seat) as Arc<dyn Dial>)),
                // The scenario has switched it off; the phone simply is on no LAN then.
                Err(AirError::Off { .. }) => Ok(None),
                // Nor does it get an address where the scenario has the server give none.
                Err(AirError::NoLease { .. }) if self.is_dhcp_broken => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
        .boxed()
    }

    fn station_address(&self, device: &str) -> Option<Ipv4Addr> {
        self.air.station_address(device)
    }

    fn set_bluetooth_fault(
        &mut self,
        devices: &[&str],
        fault: &Fault,
        on: bool,
    ) -> Result<(), LabError> {
        let Some(bluetooth) = &mut self.bluetooth else {
            return Err(LabError::Scenario(
                "no device of this world is provisioned over Bluetooth".into(),
            ));
        };
        bluetooth.set_fault(devices.iter().copied(), fault, on);
        Ok(())
    }

    fn set_air_fault(&mut self, fault: &Fault, on: bool) -> Result<(), LabError> {
        if matches!(fault, Fault::DhcpAnswer(_)) {
            self.is_dhcp_broken = on;
        }
        let usual = |role: &str| self.usual_rssi.get(role).copied();
        Ok(air_faults::set(&self.air, usual, fault, on)?)
    }

    fn sights(&self) -> BTreeSet<Sight> {
        [Sight::Air, Sight::Phones].into()
    }

    fn are_devices_known(&self) -> bool {
        // They run the reference firmware.
        true
    }

    fn testify(&self) -> BoxFuture<'_, ()> {
        async {
            self.trace.emit(None, &self.air.check().await);
        }
        .boxed()
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), LabError>> {
        // Nothing of the host was touched.
        async { Ok(()) }.boxed()
    }
}

/// A phone's requests over a console.
pub(super) fn console(
    port: &Port,
    device: &str,
    enrollee: &Enrollee,
    clock: Clock,
    limit: Duration,
) -> phone::Console {
    phone::Console::new(
        Box::new(port.clone()),
        format!("console of {device}"),
        clock,
        limit,
        ConsoleSettings {
            line_limit: Some(enrollee.line_limit),
        },
    )
}

/// A seat in a device's network, which dropping leaves at once.
struct Seat(Arc<PhoneSeat>);

impl Stay for Seat {
    fn dial(&self) -> Option<Arc<dyn Dial>> {
        Some(self.0.clone())
    }

    fn leave(self: Box<Self>) -> BoxFuture<'static, Result<(), LabError>> {
        drop(self);
        async { Ok(()) }.boxed()
    }
}

impl From<AirError> for VisitError {
    fn from(error: AirError) -> Self {
        match error {
            AirError::NoAccessPoint { .. } | AirError::Off { .. } => {
                Self::Surroundings(error.into())
            }
            // Whether a SoftAP is there and gives addresses is the device's doing.
            error => Self::Device(error.to_string()),
        }
    }
}

fn access_point_settings(
    index: usize,
    settings: &language::AccessPoint,
    values: &AccessPointValues,
) -> AccessPointSettings {
    // 192.168.43.0/24 and up, as phones' hotspots have it; at most a handful exist.
    let third = 43_u8.saturating_add(u8::try_from(index).unwrap_or(u8::MAX));
    AccessPointSettings {
        ssid: values.ssid.as_bytes().to_vec(),
        passphrase: values.passphrase.clone(),
        channel: settings.channel.value,
        rssi: settings.rssi,
        auth: auth_mode(settings.auth()),
        hidden: settings.hidden,
        refuses: settings.refuses.as_ref().map(|reason| reason.value),
        isolation: false,
        subnet: Ipv4Addr::new(192, 168, third, 0),
    }
}

/// As the air has it.
pub fn auth_mode(auth: Auth) -> AuthMode {
    match auth {
        Auth::Open => AuthMode::Open,
        Auth::WpaPsk => AuthMode::WpaPsk,
        Auth::WpaWpa2Psk => AuthMode::WpaWpa2Psk,
        Auth::Wpa2Psk => AuthMode::Wpa2Psk,
        Auth::Wpa2Wpa3Psk => AuthMode::Wpa2Wpa3Psk,
        Auth::Wpa3Psk => AuthMode::Wpa3Psk,
        Auth::Wpa2Enterprise => AuthMode::Wpa2Enterprise,
    }
}
