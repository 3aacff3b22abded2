//! The reference device as an image for an ESP32-C6.
//!
//! The device itself is [`device::run`]; here is what the board needs around it. It has never run
//! on hardware: README.md says what has to be tried.

#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod faults;
mod flash;
mod memory;
mod radio;
mod random;
mod reset;
mod watchdog;

use core::future::pending;

use device::board::Ending;
use embassy_executor::Spawner;
use esp_hal::clock::CpuClock;
use esp_hal::time::Instant;
use esp_hal::timer::timg::TimerGroup;

use board::Esp32C6Board;

esp_bootloader_esp_idf::esp_app_desc!();

defmt::timestamp!(
    "{=u64:us}",
    Instant::now().duration_since_epoch().as_micros()
);

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    memory::paint_stack();
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    memory::start_heap();
    embedded::logging::start();
    let timers = TimerGroup::new(peripherals.TIMG0);
    esp_rtos::start(timers.timer0, peripherals.FROM_CPU_INTR0);
    log::info!(target: "boot", "ESP32-C6, {}", reset::cause());

    // Each task has room for itself, and is spawned once.
    if let Ok(task) = watchdog::watch(TimerGroup::new(peripherals.TIMG1).wdt) {
        spawner.spawn(task);
    }
    let board = Esp32C6Board::new(board::Chip {
        flash: peripherals.FLASH,
        wifi: peripherals.WIFI,
        #[cfg(feature = "ble")]
        bluetooth: peripherals.BT,
    });
    match board {
        Ok(board) => match device::run(board).await {
            Ending::Restart => reset::restart(),
            Ending::Stopped(why) => log::error!(target: "device", "stopped: {why}"),
        },
        Err(refusal) => log::error!(target: "board", "{refusal}; no radio is started"),
    }
    // A device that is at its end stays powered and does nothing more.
    pending().await
}
