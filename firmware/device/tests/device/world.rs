//! A device, its air, its LAN and its phones.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use device::board::{AccessPoint, Ending, RadioEvent};
use embassy_futures::select::{Either3, select3};
use factory::Factory;

use crate::board::{Air, Controller, FakeBoard};
use crate::flash::Flash;
use crate::hub::{Hub, Plug};
use crate::uart::Uart;
use crate::{log, network};

pub const MAC: [u8; 6] = [0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x01];

/// Bugs are put into the whole process, so no other test may run a device meanwhile.
static ALONE: Mutex<()> = Mutex::new(());

pub struct World {
    pub factory: Vec<u8>,
    pub air: Rc<Air>,
    pub flash: Flash,
    pub soft_ap: Hub,
    pub uart: Uart,
    /// Whether there is a Bluetooth controller.
    pub has_bluetooth: Cell<bool>,
    /// Whether the LAN has no DHCP server.
    pub no_router: Cell<bool>,
    lan: Hub,
    station: Plug,
    access_point: Plug,
    _alone: MutexGuard<'static, ()>,
}

impl World {
    /// A device fresh from the factory, without security, and nothing around it.
    pub fn new() -> Self {
        log::capture();
        let mut factory = Factory::default();
        factory.identity.mac = MAC;
        let (soft_ap, lan) = (Hub::default(), Hub::default());
        let station = lan.plug(MAC);
        let access_point = soft_ap.plug([0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x02]);
        access_point.set_link(true);
        Self {
            factory: factory.encode(),
            air: Rc::new(Air::new(station.clone())),
            flash: Flash::erased(),
            soft_ap,
            uart: Uart::default(),
            has_bluetooth: Cell::new(false),
            no_router: Cell::new(false),
            lan,
            station,
            access_point,
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// With an access point called `home`, and a defect.
    #[cfg(feature = "bugs")]
    pub fn with_bug(bug: device::bugs::Bug) -> Self {
        Self::with_bug_and(bug, |_| {})
    }

    /// With a defect and other settings.
    #[cfg(feature = "bugs")]
    pub fn with_bug_and(
        bug: device::bugs::Bug,
        change: impl FnOnce(&mut factory::Provisioning),
    ) -> Self {
        let mut world = Self::with_home();
        world.set_up_with_bug(bug, change);
        world
    }

    /// The same device with other settings, and a defect.
    #[cfg(feature = "bugs")]
    pub fn set_up_with_bug(
        &mut self,
        bug: device::bugs::Bug,
        change: impl FnOnce(&mut factory::Provisioning),
    ) {
        self.set_up(change);
        let mut factory = Factory::decode(&self.factory).unwrap();
        factory.bugs.push(bug.name().into());
        self.factory = factory.encode();
    }

    /// With an access point called `home`, and other settings.
    pub fn with(change: impl FnOnce(&mut factory::Provisioning)) -> Self {
        let mut world = Self::with_home();
        world.set_up(change);
        world
    }

    /// The same device with other settings.
    pub fn set_up(&mut self, change: impl FnOnce(&mut factory::Provisioning)) {
        let mut factory = Factory::default();
        factory.identity.mac = MAC;
        change(&mut factory.provisioning);
        self.factory = factory.encode();
    }

    /// With an access point called `home`.
    pub fn with_home() -> Self {
        let world = Self::new();
        world.add_access_point("home", "correct horse", 6, -41);
        world
    }

    pub fn add_access_point(&self, ssid: &str, passphrase: &str, channel: u8, rssi: i8) {
        let mut access_points = self.air.access_points.borrow_mut();
        let access_point = AccessPoint {
            ssid: ssid.as_bytes().to_vec(),
            bssid: [2, 0, 0, 0, 0, access_points.len() as u8],
            channel,
            rssi,
            auth: 3,
        };
        access_points.push((access_point, passphrase.into()));
    }

    /// The access points are gone.
    pub fn silence(&self, reason: u16) {
        self.air.access_points.borrow_mut().clear();
        self.air.tell(RadioEvent::Left { reason });
    }

    fn board(&self) -> FakeBoard {
        self.air.power_on();
        FakeBoard {
            factory: self.factory.clone(),
            station: self.station.clone(),
            soft_ap: self.access_point.clone(),
            air: self.air.clone(),
            flash: self.flash.clone(),
            uart: self.uart.clone(),
            controller: self.has_bluetooth.get().then_some(Controller),
        }
    }

    /// How a device ends that does not go on.
    pub async fn ending(&self) -> Ending {
        device::run(self.board()).await
    }

    /// Plays a scenario while the device is on; afterwards it is off.
    pub async fn powered<T>(&self, scenario: impl Future<Output = T>) -> T {
        let board = self.board();
        let router = async {
            match self.no_router.get() {
                true => pending().await,
                false => network::route(&self.lan).await,
            }
        };
        match select3(device::run(board), router, scenario).await {
            Either3::First(ending) => panic!("the device ended: {ending:?}"),
            Either3::Second(()) => panic!("the router ended"),
            Either3::Third(result) => result,
        }
    }
}
