//! The world of one case: devices, cloud and phones, and what stands around them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use board::Board;
use board::rig::{AuthorityPlace, Rig};
use contracts::{AccessPointFacts, Facts, Sight};
use factory::{Factory, Network};
use language::{Fault, Trusts};
use phone::Settings;
use pki::{Pki, Profiles};
use trace::{Trace, Witness, WitnessReport, in_full};

use super::boards::{self, Chosen};
use super::cloud_side::CloudSide;
use super::clouds;
use super::console::Port;
use super::external_cloud::ExternalCloud;
use super::factory_data::{Meeting, factory_data};
use super::hand_over::{self, Handed, HandedRequest};
use super::phones::{Phone, PhoneSession};
use super::problem::LabError;
use super::surroundings::{Enrollee, Surroundings, Switched, VisitError};
use super::values::{AccessPointValues, DeviceValues, Maker};
use crate::run::{BoardKind, Job};

/// Everything that stands around the steps of a case.
pub struct World {
    trace: Trace,
    surroundings: Box<dyn Surroundings>,
    pki: Pki,
    cloud: Option<CloudSide>,
    /// In its place, where the broker is not ours.
    external: Option<ExternalCloud>,
    access_points: BTreeMap<String, AccessPointValues>,
    devices: BTreeMap<String, UnderTest>,
    phones: BTreeMap<String, Phone>,
    /// Whether the boards' time is scaled.
    is_emulated: bool,
    /// What every device that runs the reference firmware was told.
    factories: Vec<Factory>,
    /// What a scan finds.
    in_the_air: Vec<AccessPointFacts>,
}

/// The access point of a device that is on its network, where the scenario names none.
pub const HOME: &str = "home";

/// What a board may take to be switched off at the end, in lab time.
const FAREWELL: Duration = Duration::from_secs(60);
/// So long a phone waits for a device to print what it has to know, from when it wants to know it.
const TELLING: Duration = Duration::from_secs(10);
const TELLING_POLL: Duration = Duration::from_millis(50);

/// A device and its board.
pub struct UnderTest {
    /// What runs it.
    pub board: Box<dyn Board>,
    /// Who it is.
    pub values: DeviceValues,
    /// How a phone gets at it.
    pub enrollee: Enrollee,
    /// What its firmware is told by and keeps in its storage, so that it is written again once that was
    /// erased.
    again: Option<Vec<u8>>,
    /// What a phone tells it in each session that provisions it.
    pub request: Option<HandedRequest>,
}

impl UnderTest {
    /// Erases its storage; what it was told of the world stays.
    pub async fn erase_storage(&mut self) -> Result<(), LabError> {
        self.board.erase_storage().await?;
        if let Some(image) = &self.again {
            self.board.write_factory(image).await?;
        }
        Ok(())
    }
}

impl World {
    /// Builds what `settings` describe within `surroundings`; devices have their factory data and no
    /// power.
    pub async fn build(
        settings: &language::WorldSpec,
        mut surroundings: Box<dyn Surroundings>,
        job: &Job,
        chosen: &Chosen,
        trace: &Trace,
    ) -> Result<Self, LabError> {
        let boards = job.boards();
        std::fs::create_dir_all(&boards).map_err(|source| LabError::Io {
            what: format!("make {}", boards.display()),
            source,
        })?;
        let rig = chosen.real.as_ref().map(|(rig, _)| rig);
        let now = trace.clock().unix_now().as_secs();
        let pki = pki_of(rig, now, &settings.profiles)?;
        let firmware = chosen.firmware();
        let settings = &*hand_over::world_for(firmware, settings);
        let mut maker = Maker::new(job.seed);
        let mut access_points = BTreeMap::new();
        let mut in_the_air = Vec::new();
        for (role, access_point) in settings.access_points.iter() {
            let made = maker.access_point(role, access_point, trace.secrets());
            let values = surroundings.access_point(role, access_point, made).await?;
            // A scan does not list a hidden one.
            if !access_point.hidden {
                in_the_air.push(AccessPointFacts {
                    role: role.to_owned(),
                    ssid: values.ssid.to_string(),
                    channel: access_point.channel.value,
                    rssi: access_point.rssi,
                    auth: access_point.auth().in_scans().to_owned(),
                });
            }
            access_points.insert(role.to_owned(), values);
        }
        let mut all = settings.devices.iter();
        let joins = all.any(|(_, device)| Self::is_told_of_a_network(device, chosen));
        if joins && access_points.is_empty() {
            // Which one it is on, the scenario leaves open.
            let home = language::AccessPoint::default();
            let made = maker.access_point(HOME, &home, trace.secrets());
            let values = surroundings.access_point(HOME, &home, made).await?;
            access_points.insert(HOME.to_owned(), values);
        }
        let values: BTreeMap<String, DeviceValues> = settings
            .devices
            .names()
            .map(|name| {
                let values = maker.device(name, settings, trace.secrets());
                (name.to_owned(), values)
            })
            .collect();
        let (mut cloud, mut external) = (None, None);
        if let Some(wanted) = &settings.cloud {
            external = surroundings.external_cloud()?;
            match &mut external {
                Some(external) => external.start(trace).await?,
                None => {
                    let own =
                        CloudSide::start(wanted, settings, &values, &pki, &*surroundings, trace);
                    cloud = Some(own.await?);
                }
            }
        }
        let mut world = Self {
            trace: trace.clone(),
            surroundings,
            pki,
            cloud,
            external,
            access_points,
            devices: BTreeMap::new(),
            phones: BTreeMap::new(),
            is_emulated: chosen.model.kind == BoardKind::Qemu,
            factories: Vec::new(),
            in_the_air,
        };
        for (name, values) in values {
            world
                .add_device(name, values, settings, job, chosen)
                .await?;
        }
        let by_device_name: BTreeMap<String, String> = world
            .devices
            .iter()
            .map(|(name, device)| (device.values.device_name.clone(), name.clone()))
            .collect();
        for name in &settings.phones {
            let mut phone = Phone::new(name, by_device_name.clone());
            phone.go_home(&mut *world.surroundings, trace).await?;
            world.phones.insert(name.value.clone(), phone);
        }
        Ok(world)
    }

    /// Whether a device is told of its network before it has power.
    fn is_told_of_a_network(device: &language::Device, chosen: &Chosen) -> bool {
        match chosen.firmware() {
            Some(firmware) => firmware.is_told_of_a_network(),
            None => device.on_network && chosen.is_reference(),
        }
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
        let mut factory = factory_data(device, &values, settings, &self.pki, bug, lab, meeting)?;
        let claim = factory
            .thingsboard
            .as_ref()
            .and_then(|it| it.claim.as_ref());
        if let Some(secret) = claim.and_then(|claim| claim.secret_key.as_ref()) {
            let claim = format!("claim secret of {name}");
            self.trace.secrets().add(&claim, secret);
        }
        if let Some(cloud) = &self.cloud {
            if let (Trusts::Broker, Some(told)) = (device.cloud.trusts, &mut factory.cloud) {
                told.authority = cloud.shown().to_vec();
            }
            if let (Some(authority), Some(told)) = (cloud.own_authority(), &mut factory.cloud) {
                told.authority = authority.der().to_vec();
            }
            cloud.register(&clouds::newcomer(&name, &values, &factory));
        }
        if let Some(external) = &self.external {
            external.tell(&mut factory);
        }
        let first = settings.access_points.names().next().unwrap_or(HOME);
        let first = self.access_points.get(first);
        let first = first.filter(|_| Self::is_told_of_a_network(device, chosen));
        factory.network = first.map(|values| Network {
            ssid: values.ssid.as_bytes().to_vec(),
            passphrase: values.passphrase.clone(),
        });
        if let Some(credentials) = factory.cloud.as_ref().and_then(|c| c.credentials.as_ref()) {
            self.trace
                .secrets()
                .add(&format!("key of {name}"), &credentials.key);
        }
        for shown in factory
            .web_server
            .iter()
            .flat_map(|server| &server.certificates)
        {
            let name = format!("key of the server of {name}");
            self.trace
                .secrets()
                .add_numbered(&name, &shown.credentials.key);
        }
        let over = device.provisioning.over();
        let wires = self.surroundings.wires(&name, values.mac, over);
        let mut board = boards::make(&name, job, chosen, &self.trace, wires, &factory).await?;
        let remembers = chosen.model.remembers();
        let mut again = None;
        let mut request = None;
        match chosen.firmware() {
            None => {
                board.write_factory(&factory.encode()).await?;
                if remembers {
                    board.erase_storage().await?;
                }
            }
            Some(firmware) => {
                let handed = Handed {
                    firmware,
                    device: &name,
                    factory: &factory,
                    folder: &job.boards(),
                };
                let clock = self.trace.clock();
                let image = handed.hand_over(&mut *board, remembers, clock).await?;
                again = image.filter(|_| hand_over::is_in_storage(&firmware.hand_over));
                request = handed.request();
            }
        }
        if self.surroundings.are_devices_known() {
            self.factories.push(factory);
        }
        let reference = Enrollee::reference(device, &values);
        let enrollee = self.surroundings.enrollee(reference).await?;
        self.devices.insert(
            name,
            UnderTest {
                board,
                values,
                enrollee,
                again,
                request,
            },
        );
        Ok(())
    }

    /// Switches something of an access point.
    pub async fn switch(&self, role: &str, what: Switched, on: bool) -> Result<(), LabError> {
        self.surroundings.switch(role, what, on).await
    }

    /// The trace of this world.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What contracts may rely on.
    pub fn facts(&self) -> Facts {
        let mut sees = self.surroundings.sights();
        if self.cloud.is_some() {
            sees.insert(Sight::Broker);
        }
        if !self.is_emulated {
            sees.insert(Sight::Clock);
        }
        let shown = self.cloud.as_ref().map(CloudSide::shown);
        super::contracts::facts(&self.factories, shown, sees, self.in_the_air.clone())
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

    /// Breaks or mends something of the cloud.
    pub fn set_cloud_fault(&self, fault: &Fault, on: bool) -> Result<(), LabError> {
        match &self.external {
            Some(external) => external.set_fault(fault, on),
            None => {
                self.cloud()?.set_fault(fault, on);
                Ok(())
            }
        }
    }

    /// Has the cloud call a method of the device of this name in it; the number of the call, if the device
    /// listens.
    pub fn call(
        &self,
        name: &str,
        method: &str,
        params: serde_json::Value,
    ) -> Result<Option<i64>, LabError> {
        Ok(self.cloud()?.call(name, method, params))
    }

    /// Where the users of devices reach the cloud.
    pub fn account_api(&self) -> Result<SocketAddrV4, LabError> {
        self.cloud()?
            .account_api()
            .ok_or_else(|| LabError::Scenario("this world's cloud has no users".into()))
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
        self.surroundings.station_address(device).ok_or_else(|| {
            LabError::Scenario(format!(
                "{device} is on no LAN, so it has no address to query"
            ))
        })
    }

    /// What a phone knows whose owner has the device in hand.
    pub async fn phone_settings(
        &mut self,
        phone: &str,
        device: &str,
    ) -> Result<Settings, VisitError> {
        self.learn(device).await?;
        Ok(self.device(device)?.enrollee.settings(phone, device))
    }

    /// Waits until the log of a device has told what only that tells of how it is provisioned.
    async fn learn(&mut self, device: &str) -> Result<(), VisitError> {
        let trace = self.trace.clone();
        let under_test = self.device(device)?;
        let Some(learned) = under_test.enrollee.learned.clone() else {
            return Ok(());
        };
        let deadline = trace.clock().now() + TELLING;
        while let Some(missing) = learned.learn(&mut under_test.enrollee, device, &trace) {
            if trace.clock().now() >= deadline {
                let what = format!("{device} did not print {missing}");
                return Err(VisitError::Device(what));
            }
            trace.clock().sleep(TELLING_POLL).await;
        }
        Ok(())
    }

    /// The console of a device.
    pub fn console(&self, device: &str) -> Result<Port, LabError> {
        let console = self.surroundings.console(device);
        console.ok_or_else(|| LabError::Scenario(format!("{device} has no console")))
    }

    /// A phone goes to where a device is provisioned, knowing nothing of it.
    pub async fn visit(&mut self, phone: &str, device: &str) -> Result<PhoneSession, VisitError> {
        self.learn(device).await?;
        let enrollee = &self.device(device)?.enrollee;
        let settings = enrollee.settings_of_a_stranger(phone, device);
        self.visit_with(phone, device, settings).await
    }

    /// A phone goes to where a device is provisioned.
    pub async fn visit_with(
        &mut self,
        phone: &str,
        device: &str,
        settings: Settings,
    ) -> Result<PhoneSession, VisitError> {
        let owner = self
            .phones
            .get_mut(phone)
            .ok_or_else(|| unknown("phone", phone))?;
        let under_test = self
            .devices
            .get(device)
            .ok_or_else(|| unknown("device", device))?;
        let to = (device, &under_test.enrollee);
        owner
            .visit(&mut *self.surroundings, &self.trace, to, settings)
            .await
    }

    /// Disturbs the Bluetooth of every device, or no longer.
    pub fn set_bluetooth_fault(&mut self, fault: &Fault, on: bool) -> Result<(), LabError> {
        let devices: Vec<&str> = self.devices.keys().map(String::as_str).collect();
        self.surroundings.set_bluetooth_fault(&devices, fault, on)
    }

    /// Breaks or mends addresses, names or frames of the network.
    pub fn set_air_fault(&mut self, fault: &Fault, on: bool) -> Result<(), LabError> {
        self.surroundings.set_air_fault(fault, on)
    }

    /// A phone joins its LAN again, if that was away.
    pub async fn come_back(&mut self, phone: &str) -> Result<(), LabError> {
        let owner = self
            .phones
            .get_mut(phone)
            .ok_or_else(|| unknown("phone", phone))?;
        if !owner.is_off_its_lan().await {
            return Ok(());
        }
        owner.come_back(&mut *self.surroundings, &self.trace).await
    }

    /// A phone goes back to its LAN.
    pub async fn go_home(&mut self, phone: &str) -> Result<(), LabError> {
        let phone = self
            .phones
            .get_mut(phone)
            .ok_or_else(|| unknown("phone", phone))?;
        phone.go_home(&mut *self.surroundings, &self.trace).await
    }

    /// Every witness says whether its part of the lab works.
    pub async fn testify(&self) {
        if let Some(cloud) = &self.cloud {
            cloud.testify(&self.trace).await;
        }
        if let Some(external) = &self.external {
            external.testify(&self.trace).await;
        }
        self.surroundings.testify().await;
        let host = WitnessReport {
            witness: Witness::Host,
            sound: true,
            detail: "the lab runs in time now".into(),
        };
        self.trace.emit(None, &host);
    }

    /// Takes the power from every board, and puts back what its surroundings have changed.
    pub async fn end(mut self) {
        let clock = self.trace.clock().clone();
        for (name, device) in &mut self.devices {
            match clock.timeout(FAREWELL, device.board.power_off()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    eprintln!("failed to switch off {name}: {}", in_full(&error));
                }
                Err(_) => {
                    eprintln!("failed to switch off {name}: its board did not answer in time")
                }
            }
        }
        for (name, phone) in &mut self.phones {
            match clock.timeout(FAREWELL, phone.hang_up()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => eprintln!("{name} failed to leave: {}", in_full(&error)),
                Err(_) => eprintln!("{name} failed to leave: it takes too long"),
            }
        }
        if let Err(error) = self.surroundings.end().await {
            eprintln!("failed to put back what was before: {}", in_full(&error));
        }
    }
}

/// The authorities of a case: those of the rig, if its file names one.
pub fn pki(rig: Option<&Rig>, now: u64) -> Result<Pki, LabError> {
    pki_of(rig, now, &[])
}

/// The same, with the profiles of these files.
fn pki_of(rig: Option<&Rig>, now: u64, files: &[(String, String)]) -> Result<Pki, LabError> {
    let mut profiles = Profiles::built_in()?;
    for (file, text) in files {
        profiles.add(file, text)?;
    }
    let authority = rig.and_then(|rig| rig.authority.as_ref());
    // What boards are told of one that is only trusted, they are told by the external cloud.
    let own = authority.filter(|it| !matches!(it.place, AuthorityPlace::Trusted(_)));
    let kept = own.map(|authority| crate::authority::open(&authority.place));
    let kept = kept.transpose();
    let kept = kept.map_err(|mistake| LabError::Scenario(mistake.to_string()))?;
    Ok(Pki::build(now, profiles, kept.as_ref())?)
}

fn unknown(what: &str, name: &str) -> LabError {
    LabError::Scenario(format!("this world has no {what} named {name}"))
}
