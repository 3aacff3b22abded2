//! The world of one case: devices, cloud and phones, and what stands around them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use board::Board;
use contracts::{Facts, Sight};
use factory::Factory;
use phone::Settings;
use pki::Pki;
use trace::{Trace, Witness, WitnessReport};

use super::boards::{self, Chosen};
use super::cloud_side::CloudSide;
use super::console::Port;
use super::factory_data::{Meeting, factory_data};
use super::hand_over;
use super::phones::{Phone, PhoneSession};
use super::problem::{LabError, with_sources};
use super::surroundings::{Enrollee, Surroundings, Switched, VisitError};
use super::values::{AccessPointValues, DeviceValues, Maker};
use crate::language::{self, Fault};
use crate::run::{BoardKind, Job};

/// Everything that stands around the steps of a case.
pub struct World {
    trace: Trace,
    surroundings: Box<dyn Surroundings>,
    pki: Pki,
    cloud: Option<CloudSide>,
    access_points: BTreeMap<String, AccessPointValues>,
    devices: BTreeMap<String, UnderTest>,
    phones: BTreeMap<String, Phone>,
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
    /// How a phone gets at it.
    pub enrollee: Enrollee,
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
        let pki = pki(chosen, trace.clock().unix_now().as_secs())?;
        let mut maker = Maker::new(job.seed);
        let mut access_points = BTreeMap::new();
        for (role, access_point) in settings.access_points.iter() {
            let made = maker.access_point(role, access_point, trace.secrets());
            let values = surroundings.access_point(role, access_point, made)?;
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
                Some(CloudSide::start(cloud, &values, &pki, &*surroundings, trace).await?)
            }
            None => None,
        };
        let mut world = Self {
            trace: trace.clone(),
            surroundings,
            pki,
            cloud,
            access_points,
            devices: BTreeMap::new(),
            phones: BTreeMap::new(),
            is_emulated: chosen.model.kind == BoardKind::Qemu,
            factories: Vec::new(),
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
        let over = device.provisioning.over;
        let wires = self.surroundings.wires(&name, values.mac, over);
        let mut board = boards::make(&name, job, chosen, &self.trace, wires, &factory).await?;
        let real = chosen.real.as_ref();
        let firmware = real.and_then(|(_, board)| board.firmware.as_ref());
        if let Some(image) = hand_over::image(firmware, &factory)? {
            board.write_factory(&image).await?;
        }
        // What firmware of others was told, and heeds, is not known here.
        if chosen.model.kind != BoardKind::Rig {
            self.factories.push(factory);
        }
        if chosen.model.remembers() {
            board.erase_storage().await?;
        }
        let reference = Enrollee::reference(device, &values);
        let enrollee = self.surroundings.enrollee(reference).await?;
        self.devices.insert(
            name,
            UnderTest {
                board,
                values,
                enrollee,
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
        super::contracts::facts(&self.factories, sees)
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
        self.surroundings.station_address(device).ok_or_else(|| {
            LabError::Scenario(format!(
                "{device} is on no LAN, so it has no address to query"
            ))
        })
    }

    /// What a phone knows whose owner has the device in hand.
    pub fn phone_settings(&mut self, phone: &str, device: &str) -> Result<Settings, LabError> {
        Ok(self.device(device)?.enrollee.settings(phone, device))
    }

    /// The console of a device.
    pub fn console(&self, device: &str) -> Result<Port, LabError> {
        let console = self.surroundings.console(device);
        console.ok_or_else(|| LabError::Scenario(format!("{device} has no console")))
    }

    /// A phone goes to where a device is provisioned, knowing nothing of it.
    pub async fn visit(&mut self, phone: &str, device: &str) -> Result<PhoneSession, VisitError> {
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
                    eprintln!("failed to switch off {name}: {}", with_sources(&error));
                }
                Err(_) => {
                    eprintln!("failed to switch off {name}: its board did not answer in time")
                }
            }
        }
        for (name, phone) in &mut self.phones {
            match clock.timeout(FAREWELL, phone.hang_up()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => eprintln!("{name} failed to leave: {}", with_sources(&error)),
                Err(_) => eprintln!("{name} failed to leave: it takes too long"),
            }
        }
        if let Err(error) = self.surroundings.end().await {
            eprintln!(
                "failed to put back what was before: {}",
                with_sources(&error)
            );
        }
    }
}

/// The authorities of a case: those of the rig, if its file names one.
fn pki(chosen: &Chosen, now: u64) -> Result<Pki, LabError> {
    let authority = chosen
        .real
        .as_ref()
        .and_then(|(rig, _)| rig.authority.as_ref());
    let Some(authority) = authority else {
        return Ok(Pki::new(now)?);
    };
    let kept = crate::authority::open(&authority.place);
    let kept = kept.map_err(|mistake| LabError::Scenario(mistake.to_string()))?;
    Ok(Pki::with_authority(now, &kept)?)
}

fn unknown(what: &str, name: &str) -> LabError {
    LabError::Scenario(format!("this world has no {what} named {name}"))
}
