//! The board's parts.

use alloc::vec::Vec;
use core::fmt;

use device::board::{Absent, Board, Calendar, Parts};
use embedded::random::{Random, SeedError};
use esp_hal::efuse::{MacAddress, override_mac_address};
use esp_hal::peripherals::{FLASH, WIFI};
use esp_radio::wifi::{Interface, WifiError};
use factory::{Factory, FactoryError};
use tls_mbedtls::Tls;

use crate::flash::{Flash, FlashError, Storage};
use crate::radio::Radio;
use crate::random;

#[cfg(feature = "ble")]
type Hci = esp_radio::ble::controller::BleConnector<'static>;
#[cfg(not(feature = "ble"))]
type Hci = Absent;

/// What of the chip the board takes.
pub struct Chip {
    pub flash: FLASH<'static>,
    pub wifi: WIFI<'static>,
    #[cfg(feature = "ble")]
    pub bluetooth: esp_hal::peripherals::BT<'static>,
}

/// An ESP32-C6 with its parts.
pub struct Esp32C6Board {
    factory: Vec<u8>,
    radio: Radio,
    random: Random,
    storage: Storage,
    hci: Option<Hci>,
}

impl Esp32C6Board {
    /// A board with the factory data that is in its flash.
    pub fn new(chip: Chip) -> Result<Self, Refusal> {
        let mut flash = Flash::new(chip.flash).map_err(Refusal::Flash)?;
        let factory = flash.factory().map_err(Refusal::Flash)?;
        let mac = Factory::decode(&factory)
            .map_err(Refusal::Factory)?
            .identity
            .mac;
        // Before the radio reads it. It can only have been set if this ran before.
        let _ = override_mac_address(MacAddress::new_eui48(mac));
        let radio = Radio::new(chip.wifi).map_err(Refusal::Radio)?;
        // The radio's noise is what the random numbers are made of.
        let random = random::seeded().map_err(Refusal::Random)?;
        Ok(Self {
            factory,
            radio,
            random,
            storage: flash.into_storage(),
            #[cfg(feature = "ble")]
            hci: bluetooth(chip.bluetooth),
            #[cfg(not(feature = "ble"))]
            hci: None,
        })
    }
}

#[cfg(feature = "ble")]
fn bluetooth(peripheral: esp_hal::peripherals::BT<'static>) -> Option<Hci> {
    let controller = Hci::new(peripheral, esp_radio::ble::Config::default());
    if let Err(error) = &controller {
        log::error!(target: "board", "the Bluetooth controller does not start: {error}");
    }
    controller.ok()
}

impl Board for Esp32C6Board {
    type Station = Interface;
    type SoftAp = Interface;
    type Radio = Radio;
    type Tls = Tls;
    type Flash = Storage;
    type Random = Random;
    type WallClock = Calendar;
    type Console = Absent;
    type Hci = Hci;

    fn into_parts(self) -> Parts<Self> {
        Parts {
            factory: self.factory,
            station: Interface::station(),
            soft_ap: Interface::access_point(),
            radio: self.radio,
            tls: Tls::new(self.random),
            flash: self.storage,
            random: self.random,
            wall_clock: Calendar::default(),
            console: None,
            hci: self.hci,
        }
    }
}

/// Why the board does not start.
#[derive(Debug)]
pub enum Refusal {
    /// Its flash is not laid out as this firmware needs it, or cannot be read.
    Flash(FlashError),
    /// It does not know what it is.
    Factory(FactoryError),
    /// It has no network.
    Radio(WifiError),
    /// It has no random numbers.
    Random(SeedError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "{error}"),
            Self::Factory(error) => write!(f, "{error}"),
            Self::Radio(error) => write!(f, "the radio does not start: {error}"),
            Self::Random(error) => write!(f, "random source: {error}"),
        }
    }
}

impl core::error::Error for Refusal {}
