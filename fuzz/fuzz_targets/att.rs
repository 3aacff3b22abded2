//! ATT: a phone sends the device's GATT service arbitrary bytes, also below ATT. The device keeps
//! going, and is there for the next phone.
//!
//! The first byte of the input says which device; then come packets, each behind one byte that says
//! how it is carried and one of length.

#![no_main]

#[path = "../../firmware/device/tests/device/board.rs"]
#[expect(dead_code, reason = "the fuzz target needs less of it than the tests")]
mod board;
#[path = "../../firmware/device/tests/device/flash.rs"]
#[expect(dead_code, reason = "the fuzz target needs less of it than the tests")]
mod flash;
#[path = "../../firmware/device/tests/device/hub.rs"]
mod hub;
#[path = "../../firmware/device/tests/device/time.rs"]
mod time;
#[path = "../../firmware/device/tests/device/uart.rs"]
#[expect(dead_code, reason = "the fuzz target needs less of it than the tests")]
mod uart;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use board::{Air, Calendar, FakeBoard, FakeRadio, NoTls, Xorshift};
use bt_hci_transport::{PacketKind, PacketToController, PacketToHost, ReadHciError, Transport};
// Only for its implementation, which the device's synchronisation wants.
use critical_section as _;
use device::board::{Board, Parts};
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use embedded_io_async::{Error, ErrorKind, ErrorType};
use factory::{Ble, BluetoothStack, Factory, Scheme, Security};
use flash::Flash;
use hub::{Hub, Plug};
use libfuzzer_sys::fuzz_target;
use uart::Uart;

const COMMAND: u8 = 1;
const ACL: u8 = 2;
const EVENT: u8 = 4;
/// The only connection.
const HANDLE: u16 = 1;
/// Bytes of an ACL packet, and how many the controller takes at once (LE Read Buffer Size).
const ACL_BYTES: u8 = 251;
const ACL_PACKETS: u8 = 4;
/// What a device needs to answer one packet.
const MOMENT: Duration = Duration::from_millis(5);
/// A device that is not on the air after so many moments never will be.
const MOST_MOMENTS: usize = 2_000;

const ATT: u16 = 4;
const SIGNALLING: u16 = 5;
const SECURITY_MANAGER: u16 = 6;

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, packets)) = bytes.split_first() else {
        return;
    };
    let hci = Hci::default();
    let device = device::run(device(kind, &hci));
    let ended = time::run(select(device, attack(&hci, packets)));
    assert!(matches!(ended, Either::Second(())), "the device ended");
});

/// A device that is provisioned over BLE.
fn device(kind: u8, hci: &Hci) -> WithBluetooth {
    let mut factory = Factory::default();
    let provisioning = &mut factory.provisioning;
    provisioning.scheme = Scheme::Ble(Ble {
        stack: match kind & 1 {
            0 => BluetoothStack::NimBle,
            _ => BluetoothStack::Bluedroid,
        },
        ..Ble::default()
    });
    if kind & 2 != 0 {
        provisioning.security = Security::V1 { pop: "pop".into() };
    }
    let station = Hub::default().plug([2, 0, 0, 0, 0, 1]);
    let board = FakeBoard {
        factory: factory.encode(),
        station: station.clone(),
        soft_ap: Hub::default().plug([2, 0, 0, 0, 0, 2]),
        air: Rc::new(Air::new(station)),
        flash: Flash::erased(),
        uart: Uart::default(),
        controller: None,
    };
    WithBluetooth(board, hci.clone())
}

async fn attack(hci: &Hci, packets: &[u8]) {
    hci.connect().await;
    let mut rest = packets;
    while let [how, length, after @ ..] = rest {
        let (packet, left) = after.split_at(usize::from(*length).min(after.len()));
        rest = left;
        match how % 8 {
            0..4 => hci.say(ATT, packet),
            4 => hci.say(SIGNALLING, packet),
            5 => hci.say(SECURITY_MANAGER, packet),
            // The beginning of something, or its continuation.
            6 => hci.fragment(u16::from(how >> 3 & 3), packet),
            _ => {
                hci.disconnect();
                hci.connect().await;
            }
        }
        Timer::after(MOMENT).await;
        if !hci.is_connected() {
            hci.connect().await;
        }
    }
    hci.disconnect();
    hci.connect().await;
}

/// A controller that does what it is told, and its host's end; clones are the same.
#[derive(Clone, Default)]
struct Hci(Rc<RefCell<Controller>>);

#[derive(Default)]
struct Controller {
    to_host: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
    is_advertising: bool,
    is_connected: bool,
}

impl Hci {
    /// Connects as soon as a device advertises.
    async fn connect(&self) {
        for _ in 0..MOST_MOMENTS {
            if self.0.borrow_mut().connect() {
                Timer::after(MOMENT).await;
                return;
            }
            Timer::after(MOMENT).await;
        }
        panic!("the device does not advertise");
    }

    fn is_connected(&self) -> bool {
        self.0.borrow().is_connected
    }

    fn disconnect(&self) {
        // The user at the other end.
        self.0.borrow_mut().disconnected(0x13);
    }

    /// Sends a whole L2CAP PDU.
    fn say(&self, channel: u16, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let head = [length.to_le_bytes(), channel.to_le_bytes()].concat();
        self.fragment(2, &[&head, payload].concat());
    }

    /// Sends ACL data with this packet boundary flag.
    fn fragment(&self, boundary: u16, data: &[u8]) {
        let handle = HANDLE | boundary << 12;
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        let mut controller = self.0.borrow_mut();
        if controller.is_connected {
            let head = [handle.to_le_bytes(), length.to_le_bytes()].concat();
            controller.tell(ACL, &[&head, data].concat());
        }
    }
}

impl Controller {
    fn tell(&mut self, indicator: u8, packet: &[u8]) {
        self.to_host.push_back([&[indicator], packet].concat());
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn event(&mut self, code: u8, parameters: &[u8]) {
        let length = u8::try_from(parameters.len()).unwrap_or(u8::MAX);
        self.tell(EVENT, &[&[code, length], parameters].concat());
    }

    fn connect(&mut self) -> bool {
        if !self.is_advertising || self.is_connected {
            return false;
        }
        (self.is_advertising, self.is_connected) = (false, true);
        // LE Connection Complete: as a peripheral, of an address, 30 ms, no latency, 420 ms.
        let [low, high] = HANDLE.to_le_bytes();
        let event = [
            1, 0, low, high, 1, 0, 9, 9, 9, 9, 9, 9, 24, 0, 0, 0, 42, 0, 0,
        ];
        self.event(0x3E, &event);
        true
    }

    fn disconnected(&mut self, reason: u8) {
        if self.is_connected {
            self.is_connected = false;
            let [low, high] = HANDLE.to_le_bytes();
            self.event(0x05, &[0, low, high, reason]);
        }
    }

    /// Does what a host says.
    fn hear(&mut self, packet: &[u8]) {
        match packet {
            [COMMAND, low, high, _, parameters @ ..] => {
                self.obey(u16::from_le_bytes([*low, *high]), parameters);
            }
            [ACL, data @ ..] => {
                assert!(
                    data.len() <= 4 + usize::from(ACL_BYTES),
                    "an ACL packet too long"
                );
                // Number Of Completed Packets.
                let [low, high] = HANDLE.to_le_bytes();
                self.event(0x13, &[1, low, high, 1, 0]);
            }
            other => panic!("no controller wants {other:02x?}"),
        }
    }

    fn obey(&mut self, opcode: u16, parameters: &[u8]) {
        let [low, high] = opcode.to_le_bytes();
        let mut complete = |more: &[u8]| {
            self.event(0x0E, &[&[1, low, high, 0], more].concat());
        };
        match opcode {
            // Host Number Of Completed Packets is not answered.
            0x0C35 => {}
            // Read BD_ADDR.
            0x1009 => complete(&[1, 2, 3, 4, 5, 6]),
            // LE Read Buffer Size.
            0x2002 => complete(&[ACL_BYTES, 0, ACL_PACKETS]),
            // LE Read Filter Accept List Size.
            0x200F => complete(&[1]),
            // LE Set Advertising Enable.
            0x200A => {
                complete(&[]);
                self.is_advertising = parameters.first() == Some(&1);
            }
            // Disconnect, LE Connection Update, LE Read Remote Features: Command Status.
            0x0406 | 0x2013 | 0x2016 => {
                self.event(0x0F, &[0, 1, low, high]);
                if opcode == 0x0406 {
                    // By this host.
                    self.disconnected(0x16);
                }
            }
            _ => complete(&[]),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a malformed HCI packet")
    }
}

impl std::error::Error for Malformed {}

impl Error for Malformed {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidData
    }
}

impl From<ReadHciError<Infallible>> for Malformed {
    fn from(_: ReadHciError<Infallible>) -> Self {
        Self
    }
}

impl ErrorType for Hci {
    type Error = Malformed;
}

impl Transport for Hci {
    async fn read<'a, P: PacketToHost<'a>>(&self, buffer: &'a mut [u8]) -> Result<P, Malformed> {
        let packet = poll_fn(|context| {
            let mut controller = self.0.borrow_mut();
            match controller.to_host.pop_front() {
                Some(packet) => Poll::Ready(packet),
                None => {
                    controller.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        let mut rest = &packet[..];
        let kind = PacketKind::read(&mut rest)?;
        Ok(P::read_hci(kind, &mut rest, buffer)?)
    }

    async fn write<P: PacketToController>(&self, packet: &P) -> Result<(), Malformed> {
        let mut bytes = vec![0; 1 + packet.size()];
        bytes[0] = P::KIND as u8;
        packet.write_hci(&mut bytes[1..]).map_err(|_| Malformed)?;
        self.0.borrow_mut().hear(&bytes);
        Ok(())
    }
}

/// The tests' board, with a Bluetooth controller.
struct WithBluetooth(FakeBoard, Hci);

impl Board for WithBluetooth {
    type Station = Plug;
    type SoftAp = Plug;
    type Radio = FakeRadio;
    type Tls = NoTls;
    type Flash = Flash;
    type Random = Xorshift;
    type WallClock = Calendar;
    type Console = Uart;
    type Hci = Hci;

    fn into_parts(self) -> Parts<Self> {
        let parts = self.0.into_parts();
        Parts {
            factory: parts.factory,
            station: parts.station,
            soft_ap: parts.soft_ap,
            radio: parts.radio,
            tls: parts.tls,
            flash: parts.flash,
            random: parts.random,
            wall_clock: parts.wall_clock,
            console: parts.console,
            hci: Some(self.1),
        }
    }
}
