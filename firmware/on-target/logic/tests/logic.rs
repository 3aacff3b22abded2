//! Device logic that must hold on the board, for defmt-test: all tests run in one go.
//!
//! `proving test ELF --board qemu` runs them; `cargo xtask firmware on-target` prints the ELF.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::Context;

use airlink::{Request, decode_request, ethernet};
use device::board::{Absent, Board, Calendar, Ending, Parts};
use device::credentials::Credentials;
use device::storage::Storage;
use embassy_futures::block_on;
use embassy_futures::select::{Either3, select3};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_time::Timer;
use embedded::radio::{Interface, Radio, radio};
use embedded::random::Random;
use factory::{Factory, Identity, Security};
use mps2::flash;
use tls_mbedtls::Tls;

const MAC: [u8; 6] = [0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x00];
/// Nothing that a test waits for takes longer, in ms of the device.
const LIMIT_MS: u64 = 5_000;

/// A wire that keeps what is sent, and on which nothing comes.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<VecDeque<Vec<u8>>>>);

struct Sent(Wire);

enum Nothing {}

impl embassy_net_driver::RxToken for Nothing {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, _: F) -> R {
        match self {}
    }
}

impl embassy_net_driver::TxToken for Sent {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        self.0.0.borrow_mut().push_back(frame);
        result
    }
}

impl Driver for Wire {
    type RxToken<'t> = Nothing;
    type TxToken<'t> = Sent;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Nothing, Sent)> {
        None
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sent> {
        Some(Sent(self.clone()))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(MAC)
    }
}

/// The board, with a wire that the test holds.
struct TestBoard {
    factory: Vec<u8>,
    radio: Radio<Wire>,
    random: Random,
}

impl Board for TestBoard {
    type Station = Interface<Wire>;
    type SoftAp = Interface<Wire>;
    type Radio = Radio<Wire>;
    type Tls = Tls;
    type Flash = flash::Storage;
    type Random = Random;
    type WallClock = Calendar;
    type Console = Absent;
    type Hci = Absent;

    fn into_parts(self) -> Parts<Self> {
        Parts {
            factory: self.factory,
            station: self.radio.station(),
            soft_ap: self.radio.soft_ap(),
            tls: Tls::new(self.random),
            flash: flash::storage(),
            random: self.random,
            wall_clock: Calendar::default(),
            radio: self.radio,
            console: None,
            hci: None,
        }
    }
}

/// Runs the firmware with this factory data until it has asked the radio for what `is_wanted`
/// accepts; everything it asked for until then.
fn run(factory: Vec<u8>, is_wanted: impl Fn(&Request) -> bool) -> Vec<Request> {
    let wire = Wire::default();
    let radio = radio(wire.clone(), MAC);
    let entropy: [u8; 32] = core::array::from_fn(|index| index as u8);
    let random = match Random::seed(&entropy, 1, &[]) {
        Ok(random) => random,
        Err(error) => panic!("{error}"),
    };
    let board = TestBoard {
        factory,
        radio: radio.clone(),
        random,
    };
    let asked = RefCell::new(Vec::new());
    let listen = async {
        loop {
            let frame = wire.0.borrow_mut().pop_front();
            let Some(frame) = frame else {
                Timer::after_millis(1).await;
                continue;
            };
            let request = ethernet::untag(&frame)
                .ok()
                .and_then(|packet| decode_request(&packet).ok());
            if let Some(request) = request {
                let is_last = is_wanted(&request);
                asked.borrow_mut().push(request);
                if is_last {
                    return;
                }
            }
        }
    };
    let firmware = async {
        match device::run(board).await {
            Ending::Restart => panic!("the firmware wants to restart"),
            Ending::Stopped(why) => panic!("the firmware stopped: {why}"),
        }
    };
    let limit = Timer::after_millis(LIMIT_MS);
    match block_on(select3(listen, firmware, limit)) {
        Either3::First(()) | Either3::Third(()) => asked.take(),
        Either3::Second(never) => never,
    }
}

fn factory() -> Vec<u8> {
    let mut factory = Factory {
        identity: Identity { mac: MAC },
        ..Factory::default()
    };
    factory.provisioning.security = Security::V1 {
        pop: "abcd1234".into(),
    };
    factory.encode()
}

fn storage() -> Storage<flash::Storage> {
    match Storage::new(flash::storage()) {
        Ok(storage) => storage,
        Err(error) => panic!("{error}"),
    }
}

fn credentials() -> Credentials {
    Credentials::new(b"home", "a passphrase").expect("both are short")
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    mps2::faults::panicked(info)
}

#[defmt_test::tests]
mod tests {
    use super::*;

    #[init]
    fn init() {
        mps2::start();
    }

    #[test]
    fn a_device_without_credentials_becomes_an_access_point_of_its_name() {
        block_on(storage().forget()).expect("flash");
        let asked = run(factory(), |request| {
            matches!(request, Request::StartSoftAp { .. })
        });
        let Some(Request::StartSoftAp { ssid, .. }) = asked.last() else {
            panic!("it asked for {asked:?}");
        };
        assert_eq!(ssid, b"PROV_0ABC00");
    }

    #[test]
    fn a_device_with_credentials_joins_its_network_instead() {
        block_on(storage().keep(&credentials())).expect("flash");
        let asked = run(factory(), |request| matches!(request, Request::Join { .. }));
        let is_soft_ap = |request: &Request| matches!(request, Request::StartSoftAp { .. });
        assert!(!asked.iter().any(is_soft_ap));
        let Some(Request::Join { ssid, passphrase }) = asked.last() else {
            panic!("it asked for {asked:?}");
        };
        assert_eq!((&ssid[..], &passphrase[..]), (&b"home"[..], "a passphrase"));
    }

    #[test]
    fn a_device_without_factory_data_starts_no_radio() {
        let asked = run(vec![0xFF; 64], |_| true);
        assert!(asked.is_empty());
    }

    #[test]
    fn credentials_are_replaced_many_times_without_filling_the_flash() {
        for turn in 0..300 {
            let passphrase = ["one passphrase", "another passphrase"][turn % 2];
            let kept = Credentials::new(b"home", passphrase).expect("both are short");
            block_on(storage().keep(&kept)).expect("flash");
            assert!(block_on(storage().credentials()) == Some(kept));
        }
    }
}
