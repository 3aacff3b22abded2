//! The image: the firmware, and beside it the radio's wire.

#![no_std]
#![no_main]

extern crate alloc;

use core::future::pending;

use cortex_m_rt::entry;
use device::board::Ending;
use mps2::ethernet::Radio;
use mps2::{Mps2Board, executor};

#[entry]
fn main() -> ! {
    let factory = mps2::start();
    let board = Mps2Board::new(factory);
    executor::run(|spawner| {
        let board = match board {
            Ok(board) => board,
            // A real board stays powered and does nothing more.
            Err(refusal) => {
                let component = refusal.component();
                return log::error!(target: component, "{refusal}; no radio is started");
            }
        };
        // Each task has room for itself, and is spawned once.
        if let Ok(wire) = wire(board.radio()) {
            spawner.spawn(wire);
        }
        if let Ok(firmware) = firmware(board) {
            spawner.spawn(firmware);
        }
    })
}

#[embassy_executor::task]
async fn wire(radio: Radio) {
    embedded::radio::serve(&radio).await
}

#[embassy_executor::task]
async fn firmware(board: Mps2Board) {
    match device::run(board).await {
        Ending::Restart => mps2::restart(),
        Ending::Stopped(why) => {
            log::error!(target: "device", "stopped: {why}");
            pending().await
        }
    }
}
