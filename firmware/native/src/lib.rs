//! The reference device as a host process.
//!
//! The process is one thread that runs [`device::run`] on a board whose radio, serial lines, clock
//! and log all go over one stream, the tether ([`airlink::tether`]); only factory data and flash are files. It
//! waits for nothing but the tether, and ends when the tether does, or when its parent dies.
//!
//! The harness's binary re-executes itself as this process, with the tether as standard input, and
//! calls [`main_from_arguments`].

mod board;
mod executor;
mod flash;
mod lifetime;
mod logging;
mod radio;
mod serial;
mod tether;
pub mod time;
mod tls;

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use airlink::Packet;
use airlink::tether::{FromDevice, ToDeviceBody};
use device::board::Ending;

pub use board::NativeBoard;
pub use executor::block_on;
pub use flash::{CutFile, Flash, FlashError};
pub use lifetime::ExitCode;
pub use radio::{Interface, OverTether, Radio};
pub use serial::{Hci, Uart, hci};
pub use tether::{Tether, TetherEnd};
pub use time::now_us;
pub use tls::{Rustls, Tls};

/// Runs the device of these arguments: the path of its factory data, then that of its flash.
///
/// Standard input is the tether. A missing factory file reads as empty. Never returns; see
/// [`ExitCode`] for how the process ends.
pub fn main_from_arguments(arguments: impl IntoIterator<Item = OsString>) -> ! {
    main_with_firmware(arguments, device::run)
}

/// Like [`main_from_arguments`], with another firmware.
pub fn main_with_firmware<F: Future<Output = Ending>>(
    arguments: impl IntoIterator<Item = OsString>,
    firmware: impl FnOnce(NativeBoard) -> F,
) -> ! {
    lifetime::end_with_parent();
    let mut arguments = arguments.into_iter().map(PathBuf::from);
    let (Some(factory), Some(flash), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        lifetime::refuse(
            "usage: __device FACTORY-FILE FLASH-FILE, with the tether as standard input",
        );
    };
    let stream = match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(fd) => UnixStream::from(fd),
        Err(error) => lifetime::refuse(&format!("cannot take the tether: {error}")),
    };
    let tether = Tether::new(stream);
    logging::log_to(&tether);
    lifetime::report_panics();
    let factory = std::fs::read(&factory).unwrap_or_default();
    let flash = match Flash::open(&flash) {
        Ok(flash) => flash.dark_with(|| {
            logging::flush();
            lifetime::exit(ExitCode::Dark)
        }),
        Err(error) => lifetime::refuse(&format!("cannot open {}: {error}", flash.display())),
    };
    let board = NativeBoard::new(factory, flash, &tether);
    match power_up(&tether, board, firmware) {
        Err(TetherEnd::Garbage(problem)) => {
            lifetime::refuse(&format!("garbage on the tether: {problem}"))
        }
        Ok(()) | Err(TetherEnd::Closed) => lifetime::exit(ExitCode::Done),
    }
}

fn power_up<F: Future<Output = Ending>>(
    tether: &Tether,
    board: NativeBoard,
    firmware: impl FnOnce(NativeBoard) -> F,
) -> Result<(), TetherEnd> {
    let (radio, uart, hci) = (board.radio(), board.uart(), board.hci_line());
    let take = |body: ToDeviceBody| match body {
        ToDeviceBody::Wake => {}
        // What is no packet is dropped, as noise is.
        ToDeviceBody::Packet(bytes) => {
            if let Ok(packet) = Packet::decode(&bytes) {
                radio.receive(packet);
            }
        }
        ToDeviceBody::Console(bytes) => uart.receive(&bytes),
        ToDeviceBody::Hci(bytes) => hci.receive(&bytes),
    };
    match block_on(tether, take, firmware(board))? {
        Ending::Restart => {
            tether.send(&FromDevice::Restart);
            tether.flush()
        }
        // A real board stays powered and does nothing more.
        Ending::Stopped(why) => {
            log::error!(target: "device", "stopped: {why}");
            block_on(tether, |_| {}, std::future::pending())
        }
    }
}
