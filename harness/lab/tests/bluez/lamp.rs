//! A device that is provisioned over BLE, and what a phone asks of it.

use board::Board;
use btleplug::api::{Characteristic, Peripheral as _, WriteType};
use btleplug::platform::Peripheral;
use factory::{Ble, Factory, Scheme, Security};
use lab::air::{AccessPointSettings, Air};
use lab::native::{NativeBoard, NativeSettings};
use lab::wire::Wire;
use trace::LogLine;

use crate::world::World;

pub const MAC: [u8; 6] = [0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x01];
/// As the phone's side shows it.
pub const ADDRESS: &str = "24:0A:C4:0A:BC:01";
pub const NAME: &str = "PROV_0ABC01";
pub const POP: &str = "abcd1234";
pub const SSID: &str = "home";
pub const PASSPHRASE: &str = "correct horse";

/// A device that is provisioned over BLE, with power, and an access point for it.
pub struct Lamp {
    board: NativeBoard,
    _air: Air,
    _folder: tempfile::TempDir,
}

impl Lamp {
    /// With security 1, unless `change` says something else.
    pub async fn start(world: &World, change: impl FnOnce(&mut Factory)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = NativeSettings {
            device: "lamp".to_owned(),
            folder: folder.path().to_owned(),
            executable: std::env::current_exe().expect("this binary"),
            arguments: vec!["__device".into()],
        };
        let air = Air::new(world.trace.clone());
        let home = AccessPointSettings {
            ssid: SSID.into(),
            passphrase: PASSPHRASE.to_owned(),
            ..AccessPointSettings::default()
        };
        air.add_access_point("home", home);
        let (board_end, lab_end) = Wire::pair(&world.clock);
        world.ether.attach("lamp", MAC, lab_end);
        let link = air.attach("lamp");
        let mut board = NativeBoard::new(settings, world.trace.clone(), link).with_hci(board_end);
        let mut factory = Factory::default();
        factory.identity.mac = MAC;
        factory.provisioning.scheme = Scheme::Ble(Ble::default());
        factory.provisioning.security = Security::V1 { pop: POP.into() };
        change(&mut factory);
        let image = factory.encode();
        board.write_factory(&image).await.expect("written");
        board.power_on().await.expect("power");
        Self {
            board,
            _air: air,
            _folder: folder,
        }
    }

    pub async fn stop(mut self) {
        self.board.power_off().await.expect("no power");
    }
}

/// The characteristic of an endpoint, by the name beside it.
pub async fn endpoint(device: &Peripheral, name: &str) -> Option<Characteristic> {
    for characteristic in device.characteristics() {
        for descriptor in &characteristic.descriptors {
            if device.read_descriptor(descriptor).await.expect("read") == name.as_bytes() {
                return Some(characteristic);
            }
        }
    }
    None
}

pub async fn ask(device: &Peripheral, name: &str, request: &[u8]) -> btleplug::Result<Vec<u8>> {
    let characteristic = endpoint(device, name).await.expect("there");
    device
        .write(&characteristic, request, WriteType::WithResponse)
        .await?;
    device.read(&characteristic).await
}

/// How many lines of the device's log say just this.
pub fn logged(world: &World, text: &str) -> usize {
    let lines: Vec<LogLine> = world.events();
    lines.iter().filter(|line| line.text == text).count()
}
