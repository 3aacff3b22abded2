//! The world of one case: air, cloud, devices and phones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use airlink::AuthMode;
use board::power::{CommandSwitch, PowerSwitch};
use board::rig::Rig;
use board::{Board, Power};
use contracts::{Facts, Sight};
use factory::Factory;
use lab::air::{AccessPointChange, AccessPointSettings, Air, AirError};
use lab::wire::Wire;
use phone::{ConsoleSettings, Settings};
use pki::Pki;
use trace::{Trace, Witness, WitnessReport};

use super::bluetooth::Bluetooth;
use super::boards::{self, Chosen, Wires};
use super::cloud_side::CloudSide;
use super::console::Port;
use super::factory_data::{Meeting, factory_data};
use super::phones::{Phone, PhoneSession};
use super::problem::{LabError, with_sources};
use super::values::{AccessPointValues, DeviceValues, Maker};
use crate::language::{self, Auth, Fault, Over};
use crate::run::{BoardKind, Job};

/// Everything that stands around the steps of a case.
pub struct World {
    trace: Trace,
    air: Air,
    pki: Pki,
    cloud: Option<CloudSide>,
    access_points: BTreeMap<String, AccessPointValues>,
    devices: BTreeMap<String, UnderTest>,
    phones: BTreeMap<String, Phone>,
    /// Only where a device is provisioned over it.
    bluetooth: Option<Bluetooth>,
    /// Only around a real board.
    rig: Option<Rig>,
    /// Whether the boards' time is scaled.
    is_emulated: bool,
    /// What every device that runs the reference firmware was told.
    factories: Vec<Factory>,
}

/// What a board may take to be switched off at the end, in lab time.
const FAREWELL: Duration = Duration::from_secs(60);

/// A device and its board.
pub struct UnderTest {
    /// What runs it.
    pub board: Box<dyn Board>,
    /// Who it is.
    pub values: DeviceValues,
    /// The lab's end of its UART, if it is provisioned over that.
    console: Option<Port>,
    /// Whether it is provisioned over Bluetooth.
    is_ble: bool,
    /// Longest line of its console.
    line_limit: u16,
    /// Passphrase of its SoftAP.
    service_key: String,
}

/// Longest line of a console in bytes, as ESP-IDF has it.
pub const LINE_LIMIT: u16 = 256;

impl World {
    /// Builds what `settings` describe; devices have their factory data and no power.
    pub async fn build(
        settings: &language::WorldSpec,
        job: &Job,
        chosen: &Chosen,
        trace: &Trace,
    ) -> Result<Self, LabError> {
        let boards = job.boards();
        std::fs::create_dir_all(&boards).map_err(|source| LabError::Io {
            what: format!("make {}", boards.display()),
            source,
        })?;
        let pki = Pki::new(trace.clock().unix_now().as_secs())?;
        let air = Air::new(trace.clone());
        let mut maker = Maker::new(job.seed);
        let rig = chosen.real.as_ref().map(|(rig, _)| rig.clone());
        let mut access_points = BTreeMap::new();
        for (index, (role, access_point)) in settings.access_points.iter().enumerate() {
            let values = maker.access_point(role, access_point, trace.secrets());
            if let Some(rig) = &rig {
                let values = in_rig(rig, role, trace)?;
                access_points.insert(role.to_owned(), values);
                continue;
            }
            air.add_access_point(role, access_point_settings(index, access_point, &values));
            access_points.insert(role.to_owned(), values);
        }
        let values: BTreeMap<String, DeviceValues> = settings
            .devices
            .names()
            .map(|name| {
                let values = maker.device(name, settings, trace.secrets());
                (name.to_owned(), values)
            })
            .collect();
        let cloud = match &settings.cloud {
            Some(cloud) => {
                let broker = rig.as_ref().and_then(|rig| rig.broker.as_ref());
                Some(CloudSide::start(cloud, &values, &pki, &air, broker, trace).await?)
            }
            None => None,
        };
        let is_ble = |(_, device): (&str, &language::Device)| device.provisioning.over == Over::Ble;
        let bluetooth = if settings.devices.iter().any(is_ble) {
            let phones: Vec<String> = settings.phones.iter().map(|p| p.value.clone()).collect();
            Some(Bluetooth::start(&phones, trace).await?)
        } else {
            None
        };
        let mut world = Self {
            trace: trace.clone(),
            air,
            pki,
            cloud,
            access_points,
            devices: BTreeMap::new(),
            phones: BTreeMap::new(),
            bluetooth,
            rig,
            is_emulated: chosen.model.kind == BoardKind::Qemu,
            factories: Vec::new(),
        };
        for (name, values) in values {
            world
                .add_device(name, values, settings, job, chosen)
                .await?;
        }
        // The lab joins no real access point for a phone.
        let home = settings.access_points.names().next();
        let home = home.filter(|_| world.rig.is_none());
        let by_device_name: BTreeMap<String, String> = world
            .devices
            .iter()
            .map(|(name, device)| (device.values.device_name.clone(), name.clone()))
            .collect();
        for name in &settings.phones {
            let mut phone = Phone::new(name, home.map(str::to_owned), by_device_name.clone());
            phone.go_home(&world.air, trace).await?;
            world.phones.insert(name.value.clone(), phone);
        }
        Ok(world)
    }

    async fn add_device(
        &mut self,
        name: String,
        values: DeviceValues,
        settings: &language::WorldSpec,
        job: &Job,
        chosen: &Chosen,
    ) -> Result<(), LabError> {
        let device = settings
            .devices
            .named(&name)
            .ok_or_else(|| unknown("device", &name))?;
        let lab = boards::lab_section(job, &chosen.model);
        let bug = job.bug.as_deref();
        let nowhere = Meeting::default();
        let meeting = self.cloud.as_ref().map_or(&nowhere, CloudSide::meeting);
        let factory = factory_data(device, &values, settings, &self.pki, bug, lab, meeting)?;
        if let Some(credentials) = factory.cloud.as_ref().and_then(|c| c.credentials.as_ref()) {
            self.trace
                .secrets()
                .add(&format!("key of {name}"), &credentials.key);
        }
        let provisioning = &device.provisioning;
        let mut wires = Wires {
            link: self.air.attach(&name),
            console: None,
            hci: None,
        };
        let is_ble = provisioning.over == Over::Ble;
        if let Some(bluetooth) = self.bluetooth.as_ref().filter(|_| is_ble) {
            wires.hci = Some(bluetooth.attach(&name, values.mac));
        }
        let console = (provisioning.over == Over::Console).then(|| {
            let (board, lab) = Wire::pair(self.trace.clock());
            wires.console = Some(board);
            Port::new(lab)
        });
        let mut board = boards::make(&name, job, chosen, &self.trace, wires, &factory).await?;
        board.write_factory(&factory.encode()).await?;
        // What firmware of others was told, and heeds, is not known here.
        if chosen.model.kind != BoardKind::Rig {
            self.factories.push(factory);
        }
        if chosen.model.remembers() {
            board.erase_storage().await?;
        }
        self.devices.insert(
            name,
            UnderTest {
                board,
                values,
                console,
                is_ble,
                line_limit: provisioning
                    .line_limit
                    .as_ref()
                    .map_or(LINE_LIMIT, |l| l.value),
                service_key: provisioning
                    .service_key
                    .as_ref()
                    .map_or_else(String::new, |key| key.value.clone()),
            },
        );
        Ok(())
    }

    /// Switches something of an access point, in the air or by the rig's commands.
    pub async fn change_access_point(
        &self,
        role: &str,
        change: AccessPointChange,
    ) -> Result<(), LabError> {
        let Some(rig) = &self.rig else {
            return Ok(self.air.set_access_point(role, change)?);
        };
        let point = rig.access_points.get(role);
        let (commands, on) = match change {
            AccessPointChange::On(on) => (point.and_then(|point| point.switch.clone()), on),
            AccessPointChange::Internet(on) => (point.and_then(|point| point.internet.clone()), on),
            AccessPointChange::Isolation(on) => {
                (point.and_then(|point| point.isolation.clone()), on)
            }
            other => {
                let what = format!("the access point {role} of the rig cannot do {other:?}");
                return Err(LabError::Scenario(what));
            }
        };
        let commands = commands.ok_or_else(|| {
            LabError::Scenario(format!("nothing in the rig file switches {role} so"))
        })?;
        let power = if on { Power::On } else { Power::Off };
        let mut switch = CommandSwitch::new(commands, self.trace.clock().clone());
        Ok(switch.switch(power).await?)
    }

    /// The trace of this world.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What contracts may rely on.
    pub fn facts(&self) -> Facts {
        let mut sees = BTreeSet::new();
        if self.cloud.is_some() {
            sees.insert(Sight::Broker);
        }
        if !self.is_emulated {
            sees.insert(Sight::Clock);
        }
        // Around a real board there are access points and phones of others.
        if self.rig.is_none() {
            sees.extend([Sight::Air, Sight::Phones]);
        }
        super::contracts::facts(&self.factories, sees)
    }

    /// The air.
    pub fn air(&self) -> &Air {
        &self.air
    }

    /// Certificates of this world.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// The cloud, if the scenario has one.
    pub fn cloud(&self) -> Result<&CloudSide, LabError> {
        self.cloud
            .as_ref()
            .ok_or_else(|| LabError::Scenario("this world has no cloud".into()))
    }

    /// Where phones bind devices.
    pub fn bind_api(&self) -> Result<SocketAddrV4, LabError> {
        self.cloud()?
            .bind_api()
            .ok_or_else(|| LabError::Scenario("this world's cloud has no Linkkit".into()))
    }

    /// Every device, by name.
    pub fn devices(&mut self) -> impl Iterator<Item = (&str, &mut UnderTest)> {
        self.devices
            .iter_mut()
            .map(|(name, device)| (name.as_str(), device))
    }

    /// The device of this name.
    pub fn device(&mut self, name: &str) -> Result<&mut UnderTest, LabError> {
        self.devices
            .get_mut(name)
            .ok_or_else(|| unknown("device", name))
    }

    /// The phone of this name.
    pub fn phone(&mut self, name: &str) -> Result<&mut Phone, LabError> {
        self.phones
            .get_mut(name)
            .ok_or_else(|| unknown("phone", name))
    }

    /// The values of every access point, by role.
    pub fn access_points(&self) -> impl Iterator<Item = (&str, &AccessPointValues)> {
        self.access_points
            .iter()
            .map(|(role, values)| (role.as_str(), values))
    }

    /// The values of the access point of this role.
    pub fn access_point(&self, role: &str) -> Result<&AccessPointValues, LabError> {
        self.access_points
            .get(role)
            .ok_or_else(|| unknown("access point", role))
    }

    /// Where a device is on its LAN.
    pub fn station_address(&self, device: &str) -> Result<Ipv4Addr, LabError> {
        self.air.station_address(device).ok_or_else(|| {
            LabError::Scenario(format!(
                "{device} is on no LAN, so it has no address to query"
            ))
        })
    }

    /// What a phone knows whose owner has the device in hand.
    pub fn phone_settings(&mut self, phone: &str, device: &str) -> Result<Settings, LabError> {
        let values = self.device(device)?.values.clone();
        Ok(Settings {
            device: Some(device.to_owned()),
            pop: Some(values.pop),
            username: Some(values.username),
            password: Some(values.password),
            ..Settings::of(phone)
        })
    }

    /// The console of a device.
    pub fn console(&mut self, device: &str) -> Result<Port, LabError> {
        let console = self.device(device)?.console.clone();
        console.ok_or_else(|| LabError::Scenario(format!("{device} has no console")))
    }

    /// A phone goes to where a device is provisioned, knowing nothing of it.
    pub async fn visit(&mut self, phone: &str, device: &str) -> Result<PhoneSession, AirError> {
        let settings = Settings {
            device: Some(device.to_owned()),
            ..Settings::of(phone)
        };
        self.visit_with(phone, device, settings).await
    }

    /// A phone goes to where a device is provisioned.
    pub async fn visit_with(
        &mut self,
        phone: &str,
        device: &str,
        settings: Settings,
    ) -> Result<PhoneSession, AirError> {
        // The check of the scenario saw to it that both exist.
        let (Some(owner), Some(device)) = (self.phones.get_mut(phone), self.devices.get(device))
        else {
            let role = device.to_owned();
            return Err(AirError::NoAccessPoint { role });
        };
        if let Some(port) = &device.console {
            owner.hang_up().await;
            let console = phone::Console::new(
                Box::new(port.clone()),
                format!("console of {}", device.board.device()),
                self.trace.clock().clone(),
                settings.request_timeout,
                ConsoleSettings {
                    line_limit: Some(device.line_limit.into()),
                },
            );
            return Ok(PhoneSession::over(Box::new(console), settings, &self.trace));
        }
        let bluetooth = self.bluetooth.as_ref().filter(|_| device.is_ble);
        let name = device.values.service_name();
        if let Some(transport) = bluetooth.and_then(|b| b.transport(phone, &name)) {
            owner.hang_up().await;
            return Ok(PhoneSession::over(transport, settings, &self.trace));
        }
        let soft_ap = (name.as_str(), device.service_key.as_str());
        owner.visit(&self.air, &self.trace, soft_ap, settings).await
    }

    /// Disturbs the Bluetooth of every device, or no longer.
    pub fn set_bluetooth_fault(&mut self, fault: &Fault, on: bool) -> Result<(), LabError> {
        let Some(bluetooth) = &mut self.bluetooth else {
            return Err(LabError::Scenario(
                "no device of this world is provisioned over Bluetooth".into(),
            ));
        };
        bluetooth.set_fault(self.devices.keys().map(String::as_str), fault, on);
        Ok(())
    }

    /// Where outsiders get a Bluetooth controller (HCI, H4 over TCP); nowhere, if no device is
    /// provisioned over it.
    pub async fn open_hci(&self) -> Result<Option<SocketAddr>, LabError> {
        let Some(bluetooth) = &self.bluetooth else {
            return Ok(None);
        };
        let opened = bluetooth.open_port().await;
        opened.map(Some).map_err(|source| LabError::Io {
            what: "open a port for HCI".into(),
            source,
        })
    }

    /// The D-Bus on which outsiders find a BlueZ with an adapter; none, if no device is provisioned
    /// over Bluetooth. Only for worlds without phones of their own.
    pub async fn open_bus(&mut self) -> Result<Option<String>, LabError> {
        match &mut self.bluetooth {
            Some(bluetooth) => bluetooth.open_bus().await.map(Some),
            None => Ok(None),
        }
    }

    /// A phone goes back to its LAN.
    pub async fn go_home(&mut self, phone: &str) -> Result<(), LabError> {
        let phone = self
            .phones
            .get_mut(phone)
            .ok_or_else(|| unknown("phone", phone))?;
        phone.go_home(&self.air, &self.trace).await
    }

    /// Every witness says whether its part of the lab works.
    pub async fn testify(&self) {
        if let Some(cloud) = &self.cloud {
            cloud.testify(&self.trace).await;
        }
        self.trace.emit(None, &self.air.check().await);
        let host = WitnessReport {
            witness: Witness::Host,
            sound: true,
            detail: "the lab runs in time now".into(),
        };
        self.trace.emit(None, &host);
    }

    /// Takes the power from every board.
    pub async fn end(mut self) {
        let clock = self.trace.clock().clone();
        for (name, device) in &mut self.devices {
            match clock.timeout(FAREWELL, device.board.power_off()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    eprintln!("failed to switch off {name}: {}", with_sources(&error));
                }
                Err(_) => {
                    eprintln!("failed to switch off {name}: its board did not answer in time")
                }
            }
        }
    }
}

/// The name and the passphrase that a real access point has.
fn in_rig(rig: &Rig, role: &str, trace: &Trace) -> Result<AccessPointValues, LabError> {
    let point = rig
        .access_points
        .get(role)
        .ok_or_else(|| unknown("access point in its rig", role))?;
    let passphrase = match &point.passphrase {
        Some(secret) => secret
            .resolve()
            .map_err(|error| LabError::Scenario(with_sources(&error)))?,
        None => String::new(),
    };
    trace
        .secrets()
        .add(&format!("passphrase {role}"), &passphrase);
    Ok(AccessPointValues {
        ssid: point.ssid.clone(),
        passphrase,
    })
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
        auth: match settings.auth() {
            Auth::Open => AuthMode::Open,
            Auth::WpaPsk => AuthMode::WpaPsk,
            Auth::WpaWpa2Psk => AuthMode::WpaWpa2Psk,
            Auth::Wpa2Psk => AuthMode::Wpa2Psk,
            Auth::Wpa2Wpa3Psk => AuthMode::Wpa2Wpa3Psk,
            Auth::Wpa3Psk => AuthMode::Wpa3Psk,
            Auth::Wpa2Enterprise => AuthMode::Wpa2Enterprise,
        },
        hidden: settings.hidden,
        isolation: false,
        subnet: Ipv4Addr::new(192, 168, third, 0),
    }
}

fn unknown(what: &str, name: &str) -> LabError {
    LabError::Scenario(format!("this world has no {what} named {name}"))
}
