//! The board's parts.

use std::rc::Rc;

use device::board::{Board, Calendar, Parts};
use factory::Factory;
use rand_core::OsRng;

use crate::{Flash, Hci, Interface, OverTether, Radio, Tether, Tls, Uart, hci};

/// A locally administered address, for a board without readable factory data.
const UNKNOWN_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0];

/// A board whose parts are host things.
#[derive(Debug)]
pub struct NativeBoard {
    factory: Vec<u8>,
    flash: Flash,
    radio: Radio,
    uart: Uart,
    hci: Uart,
}

impl NativeBoard {
    /// A board with these bytes as factory data; radio, UART and Bluetooth controller are at the
    /// other end of the tether.
    pub fn new(factory: Vec<u8>, flash: Flash, tether: &Rc<Tether>) -> Self {
        let mac = Factory::decode(&factory).map_or(UNKNOWN_MAC, |factory| factory.identity.mac);
        Self {
            factory,
            flash,
            radio: Radio::new(OverTether::new(tether), mac),
            uart: Uart::console(tether),
            hci: Uart::hci(tether),
        }
    }

    /// The radio, to be fed with packets from the tether.
    pub fn radio(&self) -> Radio {
        self.radio.clone()
    }

    /// The UART, to be fed with bytes from the tether.
    pub fn uart(&self) -> Uart {
        self.uart.clone()
    }

    /// The line to the Bluetooth controller, to be fed with bytes from the tether.
    pub fn hci_line(&self) -> Uart {
        self.hci.clone()
    }
}

impl Board for NativeBoard {
    type Station = Interface;
    type SoftAp = Interface;
    type Radio = Radio;
    type Tls = Tls;
    type Flash = Flash;
    type Random = OsRng;
    type WallClock = Calendar;
    type Console = Uart;
    type Hci = Hci;

    fn into_parts(self) -> Parts<Self> {
        Parts {
            factory: self.factory,
            station: self.radio.station(),
            soft_ap: self.radio.soft_ap(),
            tls: Tls::default(),
            flash: self.flash,
            random: OsRng,
            wall_clock: Calendar::default(),
            radio: self.radio,
            console: Some(self.uart),
            hci: Some(hci(&self.hci)),
        }
    }
}
