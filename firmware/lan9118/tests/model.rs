//! The driver against a model of the chip, which keeps to the datasheet where QEMU's does not.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use embassy_net_driver::{Driver, LinkState, RxToken, TxToken};
use lan9118::{Bus, Config, InitError, Lan9118, MAX_FRAME, Register, State};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x01];
const RX_LEVEL: u32 = 1 << 3;
const TX_ROOM: u32 = 1 << 9;
const PHY: u32 = 1 << 18;

/// The chip. Frames in FIFOs are words, as the driver sees them.
#[derive(Default)]
struct Chip {
    id: u32,
    never_ready: bool,
    rx_status: VecDeque<u32>,
    rx_data: VecDeque<u32>,
    tx_data: Vec<u32>,
    tx_status: VecDeque<u32>,
    sent: Vec<Vec<u8>>,
    room: u32,
    int_sts: u32,
    int_en: u32,
    mac: [u32; 16],
    mac_data: u32,
    phy_link: bool,
    phy_source: u16,
    /// A frame that arrives between the driver's last look and its enabling of the pin.
    on_listen: Option<Vec<u8>>,
}

impl Chip {
    fn arrive(&mut self, frame: &[u8], error: bool) {
        let length = frame.len() + 4;
        self.rx_status
            .push_back((length as u32) << 16 | u32::from(error) << 15);
        let mut bytes = frame.to_vec();
        bytes.extend_from_slice(&[0xC5; 4]);
        bytes.resize(length.next_multiple_of(4), 0xEE);
        self.rx_data.extend(words(&bytes));
        self.int_sts |= RX_LEVEL;
    }

    fn pin(&self) -> bool {
        self.int_sts & self.int_en != 0
    }

    fn mac_command(&mut self, command: u32) {
        let register = (command & 0xF) as usize;
        if command & 1 << 30 != 0 {
            self.mac_data = self.mac[register];
            return;
        }
        self.mac[register] = self.mac_data;
        if register == 6 {
            self.mac[6] &= !1;
            self.phy_command(self.mac_data);
        }
    }

    fn phy_command(&mut self, command: u32) {
        assert_eq!(command >> 11 & 0x1F, 1, "only the chip's own PHY is there");
        if command & 2 != 0 {
            return;
        }
        self.mac[7] = match command >> 6 & 0x1F {
            1 => u32::from(self.phy_link) << 2,
            29 => {
                self.int_sts &= !PHY;
                std::mem::take(&mut self.phy_source).into()
            }
            other => panic!("the driver reads PHY register {other}"),
        };
    }

    fn send(&mut self) {
        let [first, second, data @ ..] = &self.tx_data[..] else {
            return;
        };
        let length = (first & 0x7FF) as usize;
        assert_eq!(first & 0x3000, 0x3000, "a frame is one buffer");
        assert_eq!(second & 0x7FF, length as u32);
        if data.len() == length.div_ceil(4) {
            let bytes: Vec<u8> = data.iter().flat_map(|word| word.to_le_bytes()).collect();
            self.sent.push(bytes[..length].to_vec());
            self.tx_data.clear();
            self.tx_status.push_back(0);
        }
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

#[derive(Clone)]
struct Model(Rc<RefCell<Chip>>);

impl Bus for Model {
    fn read(&mut self, register: Register) -> u32 {
        let chip = &mut *self.0.borrow_mut();
        match register {
            Register::ByteTest => 0x8765_4321,
            Register::IdRev => chip.id,
            Register::PmtCtrl => u32::from(!chip.never_ready),
            Register::HwCfg | Register::MacCsrCmd | Register::RxDrop => 0,
            Register::MacCsrData => chip.mac_data,
            Register::IntSts => chip.int_sts,
            Register::RxFifoInf => (chip.rx_status.len() as u32) << 16,
            Register::RxStatus => chip.rx_status.pop_front().expect("a status"),
            Register::RxData => chip.rx_data.pop_front().expect("a word"),
            Register::TxFifoInf => (chip.tx_status.len() as u32) << 16 | chip.room,
            Register::TxStatus => chip.tx_status.pop_front().expect("a status"),
            other => panic!("the driver reads {other:?}"),
        }
    }

    fn write(&mut self, register: Register, value: u32) {
        let chip = &mut *self.0.borrow_mut();
        match register {
            Register::IntSts => chip.int_sts &= !value,
            Register::IntEn => {
                chip.int_en = value;
                if let Some(frame) = chip.on_listen.take_if(|_| value != 0) {
                    chip.arrive(&frame, false);
                    // As if it had come just before the status was cleared.
                    chip.int_sts &= !RX_LEVEL;
                }
            }
            Register::MacCsrData => chip.mac_data = value,
            Register::MacCsrCmd => chip.mac_command(value),
            Register::TxData => {
                chip.tx_data.push(value);
                chip.send();
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn model() -> Model {
    Model(Rc::new(RefCell::new(Chip {
        id: 0x0118_0001,
        room: 4608,
        phy_link: true,
        ..Chip::default()
    })))
}

fn driver(model: &Model) -> (Lan9118<Model>, &'static State) {
    let state = Box::leak(Box::new(State::new()));
    let config = Config {
        mac: MAC,
        promiscuous: true,
    };
    let driver = Lan9118::new(model.clone(), state, config).expect("a chip");
    (driver, state)
}

fn receive(driver: &mut Lan9118<Model>) -> Option<Vec<u8>> {
    let mut context = Context::from_waker(Waker::noop());
    let (received, _) = driver.receive(&mut context)?;
    Some(received.consume(|frame| frame.to_vec()))
}

#[test]
fn the_address_stands_in_the_chip_as_on_the_wire() {
    let model = model();
    let _ = driver(&model);
    let chip = model.0.borrow();
    assert_eq!(chip.mac[3], 0x0AC4_0A24);
    assert_eq!(chip.mac[2], 0x01BC);
    assert_ne!(chip.mac[1] & 1 << 18, 0, "promiscuous");
}

#[test]
fn a_bus_without_the_chip_is_told_by_what_is_there() {
    let config = Config {
        mac: MAC,
        promiscuous: false,
    };
    let state = Box::leak(Box::new(State::new()));
    let other = model();
    other.0.borrow_mut().id = 0x9220_0000;
    assert_eq!(
        Lan9118::new(other, state, config).err(),
        Some(InitError::OtherChip(0x9220_0000))
    );
    let asleep = model();
    asleep.0.borrow_mut().never_ready = true;
    assert_eq!(
        Lan9118::new(asleep, state, config).err(),
        Some(InitError::NotReady("the chip to wake"))
    );
}

#[test]
fn a_damaged_frame_is_skipped_with_all_its_words() {
    let model = model();
    let (mut driver, _) = driver(&model);
    model.0.borrow_mut().arrive(&[1; 61], true);
    model.0.borrow_mut().arrive(&[2; MAX_FRAME + 1], false);
    model.0.borrow_mut().arrive(&[3; 62], false);
    assert_eq!(receive(&mut driver), Some(vec![3; 62]));
    assert!(model.0.borrow().rx_data.is_empty());
    let statistics = driver.statistics();
    assert_eq!((statistics.received, statistics.damaged), (1, 2));
}

#[test]
fn a_frame_that_arrives_while_the_driver_begins_to_listen_is_not_left_behind() {
    let model = model();
    let (mut driver, _) = driver(&model);
    model.0.borrow_mut().on_listen = Some(vec![7; 64]);
    assert_eq!(receive(&mut driver), Some(vec![7; 64]));
}

#[test]
fn looking_at_the_link_forgets_no_frame() {
    let model = model();
    let (mut driver, _) = driver(&model);
    assert_eq!(receive(&mut driver), None);
    model.0.borrow_mut().arrive(&[9; 64], false);
    driver.link_state(&mut Context::from_waker(Waker::noop()));
    assert!(model.0.borrow().pin());
}

#[test]
fn an_interrupt_wakes_and_is_silent_until_the_driver_has_looked() {
    let model = model();
    let (mut driver, state) = driver(&model);
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    assert!(driver.receive(&mut Context::from_waker(&waker)).is_none());
    model.0.borrow_mut().arrive(&[5; 64], false);
    assert!(model.0.borrow().pin());
    state.on_interrupt(&mut model.clone());
    assert!(!model.0.borrow().pin());
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(receive(&mut driver), Some(vec![5; 64]));
    assert_eq!(receive(&mut driver), None);
    model.0.borrow_mut().arrive(&[6; 64], false);
    assert!(model.0.borrow().pin());
}

#[test]
fn a_full_fifo_is_waited_for() {
    let model = model();
    let (mut driver, _) = driver(&model);
    model.0.borrow_mut().room = 100;
    let mut context = Context::from_waker(Waker::noop());
    assert!(driver.transmit(&mut context).is_none());
    assert!(driver.receive(&mut context).is_none());
    driver.link_state(&mut context);
    model.0.borrow_mut().int_sts |= TX_ROOM;
    assert!(model.0.borrow().pin());
    model.0.borrow_mut().room = 4608;
    assert!(driver.transmit(&mut context).is_some());
}

#[test]
fn the_link_follows_the_phy() {
    let model = model();
    let (mut driver, _) = driver(&model);
    let mut context = Context::from_waker(Waker::noop());
    assert!(driver.link_state(&mut context) == LinkState::Up);
    {
        let mut chip = model.0.borrow_mut();
        chip.phy_link = false;
        chip.int_sts |= PHY;
        assert!(chip.pin());
    }
    assert!(driver.link_state(&mut context) == LinkState::Down);
    assert!(!model.0.borrow().pin());
}

proptest! {
    #[test]
    fn any_frame_passes_both_ways(frames in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 1..=MAX_FRAME), 1..8,
    )) {
        let model = model();
        let (mut driver, _) = driver(&model);
        for frame in &frames {
            model.0.borrow_mut().arrive(frame, false);
        }
        let mut context = Context::from_waker(Waker::noop());
        for frame in &frames {
            prop_assert_eq!(receive(&mut driver), Some(frame.clone()));
            let token = driver.transmit(&mut context).expect("room");
            token.consume(frame.len(), |place| place.copy_from_slice(frame));
        }
        prop_assert_eq!(receive(&mut driver), None);
        let chip = model.0.borrow();
        prop_assert_eq!(&chip.sent, &frames);
        prop_assert!(chip.tx_status.len() <= 1, "statuses are taken out");
    }

    #[test]
    fn no_status_makes_it_panic_or_read_what_is_not_there(status in any::<u32>()) {
        let model = model();
        let (mut driver, _) = driver(&model);
        let length = (status >> 16 & 0x3FFF) as usize;
        model.0.borrow_mut().rx_status.push_back(status);
        model.0.borrow_mut().rx_data = vec![0; length.div_ceil(4)].into();
        let received = receive(&mut driver);
        prop_assert!(received.is_none_or(|frame| frame.len() == length - 4));
        prop_assert!(model.0.borrow().rx_data.is_empty());
    }
}
