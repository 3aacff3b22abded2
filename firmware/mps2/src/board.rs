//! The board's parts.

use alloc::vec::Vec;
use core::fmt;

use device::board::{Board, Calendar, Parts};
use embedded::boots;
use embedded::nor::NorError;
use embedded::radio::Interface;
use embedded::random::{Random, SeedError};
use factory::{Factory, FactoryError};
use lan9118::InitError;
use tls_mbedtls::Tls;

use crate::clock;
use crate::ethernet::{self, Radio, Wire};
use crate::flash::{self, Storage};
use crate::uart::{self, Console, Hci};

/// The mps2-an386 with its parts.
#[derive(Debug)]
pub struct Mps2Board {
    factory: Vec<u8>,
    radio: Radio,
    random: Random,
    storage: Storage,
}

impl Mps2Board {
    /// A board with these bytes as factory data.
    pub fn new(factory: Vec<u8>) -> Result<Self, Refusal> {
        let decoded = Factory::decode(&factory).map_err(Refusal::Factory)?;
        let random = random(&decoded)?;
        let radio = ethernet::radio(decoded.identity.mac).map_err(Refusal::Ethernet)?;
        Ok(Self {
            factory,
            radio,
            random,
            storage: flash::storage(),
        })
    }

    /// The radio, whose wire must be served beside the firmware.
    pub fn radio(&self) -> Radio {
        self.radio.clone()
    }
}

/// The random source, seeded for this start.
fn random(factory: &Factory) -> Result<Random, Refusal> {
    let lab = factory.lab.as_ref().ok_or(Refusal::NoEntropy)?;
    let start = boots::count(&mut flash::boots()).map_err(Refusal::Boots)?;
    // How long the start took differs a little each time; it cannot harm.
    let noise = clock::raw().to_le_bytes();
    Random::seed(&lab.entropy, start.into(), &noise).map_err(Refusal::Entropy)
}

impl Board for Mps2Board {
    type Station = Interface<Wire>;
    type SoftAp = Interface<Wire>;
    type Radio = Radio;
    type Tls = Tls;
    type Flash = Storage;
    type Random = Random;
    type WallClock = Calendar;
    type Console = Console;
    type Hci = Hci;

    fn into_parts(self) -> Parts<Self> {
        Parts {
            factory: self.factory,
            station: self.radio.station(),
            soft_ap: self.radio.soft_ap(),
            tls: Tls::new(self.random),
            flash: self.storage,
            random: self.random,
            wall_clock: Calendar::default(),
            radio: self.radio,
            console: Some(uart::console()),
            hci: Some(uart::hci()),
        }
    }
}

/// Why the board does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not know what it is.
    Factory(FactoryError),
    /// It has nothing to seed its random source with.
    NoEntropy,
    /// What it has cannot seed it.
    Entropy(SeedError),
    /// It cannot count its starts, so that the random source would repeat itself.
    Boots(NorError),
    /// It has no network.
    Ethernet(InitError),
}

impl Refusal {
    /// The component that refuses, for the log.
    pub fn component(&self) -> &'static str {
        match self {
            Self::Factory(_) => "factory",
            Self::NoEntropy | Self::Entropy(_) | Self::Boots(_) => "random",
            Self::Ethernet(_) => "ethernet",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factory(error) => write!(f, "{error}"),
            Self::NoEntropy => write!(
                f,
                "this board has no random source of its own, and factory data has no section lab \
                 with entropy for one"
            ),
            Self::Entropy(error) => write!(f, "factory data, section lab: {error}"),
            Self::Boots(error) => write!(f, "starts cannot be counted: {error}"),
            Self::Ethernet(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Refusal {}
