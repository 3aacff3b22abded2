//! The machine's UARTs and the wires to them.
//!
//! No firmware is needed for it: the debugger writes and reads the UARTs' registers.

use clock::Clock;
use lab::qemu::{Cables, Machine};
use lab::wire::{LabEnd, Wire};
use probe_rs::{Core, MemoryInterface, Session};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trace::Trace;

use crate::world::{LIMIT, attach, blocking, settings, until, with_emulator};

/// The UARTs of the console and of the Bluetooth controller (application note AN386, table 4-1).
const CONSOLE: u64 = 0x4000_4000;
const HCI: u64 = 0x4000_5000;
/// Registers (ARM DDI 0479D, table 4-6).
const STATE: u64 = 4;
const CONTROL: u64 = 8;
const DIVIDER: u64 = 16;
const RECEIVER_FULL: u32 = 1 << 1;

struct World {
    machine: Machine,
    console: LabEnd,
    hci: LabEnd,
    _folder: TempDir,
}

impl World {
    fn run(test: impl AsyncFnOnce(World)) {
        with_emulator(async |qemu| {
            let clock = Clock::start(1.0);
            let trace = Trace::in_memory(clock.clone());
            let folder = tempfile::tempdir().expect("a folder");
            let (console, at_console) = Wire::pair(&clock);
            let (hci, at_hci) = Wire::pair(&clock);
            let cables = Cables {
                link: None,
                console: Some(console),
                hci: Some(hci),
            };
            let machine = Machine::start(settings(qemu, &folder), trace, cables).await;
            let mut world = World {
                machine: machine.expect("a machine"),
                console: at_console,
                hci: at_hci,
                _folder: folder,
            };
            let image = crate::guest::IMAGE.to_vec();
            let written = world.machine.write_flash(0, image).await;
            written.expect("written");
            world.machine.power(true).await.expect("power");
            test(world).await;
        });
    }

    /// Works with the core while the lab goes on.
    async fn core<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core<'_>) -> T + Send + 'static,
    ) -> T {
        let selector = self.machine.selector().to_owned();
        blocking(move || {
            let mut session: Session = attach(&selector).expect("a target");
            work(&mut session.core(0).expect("a core"))
        })
        .await
    }
}

fn enable(core: &mut Core<'_>, uart: u64) {
    core.write_word_32(uart + DIVIDER, 217).expect("written");
    core.write_word_32(uart + CONTROL, 3).expect("written");
}

fn say(core: &mut Core<'_>, uart: u64, bytes: &[u8]) {
    for byte in bytes {
        core.write_word_32(uart, (*byte).into()).expect("written");
    }
}

fn is_full(core: &mut Core<'_>, uart: u64) -> bool {
    core.read_word_32(uart + STATE).expect("read") & RECEIVER_FULL != 0
}

fn hear(core: &mut Core<'_>, uart: u64, length: usize) -> Vec<u8> {
    let byte = |_| {
        until("a byte", || is_full(core, uart));
        core.read_word_32(uart).expect("read") as u8
    };
    (0..length).map(byte).collect()
}

async fn read(end: &mut LabEnd, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let read = Clock::start(1.0)
        .timeout(LIMIT, end.read_exact(&mut bytes))
        .await;
    read.expect("in time").expect("an open wire");
    bytes
}

#[test]
fn each_uart_has_its_wire() {
    World::run(async |mut world| {
        world
            .console
            .write_all(b"help\r")
            .await
            .expect("an open wire");
        world
            .hci
            .write_all(&[4, 0x0E, 0])
            .await
            .expect("an open wire");
        let heard = world.core(|core| {
            enable(core, CONSOLE);
            enable(core, HCI);
            say(core, CONSOLE, b"\n>> ");
            say(core, HCI, &[1, 0x03, 0x0C, 0]);
            (hear(core, CONSOLE, 5), hear(core, HCI, 3))
        });
        assert_eq!(heard.await, (b"help\r".to_vec(), vec![4, 0x0E, 0]));
        assert_eq!(read(&mut world.console, 4).await, b"\n>> ");
        assert_eq!(read(&mut world.hci, 4).await, [1, 0x03, 0x0C, 0]);
    });
}

#[test]
fn what_was_under_way_when_the_power_went_is_not_heard_when_it_comes_back() {
    World::run(async |mut world| {
        let typed = [b'a'; 500];
        world.console.write_all(&typed).await.expect("an open wire");
        let heard = world.core(|core| {
            enable(core, CONSOLE);
            say(core, CONSOLE, b"last words");
            hear(core, CONSOLE, 5)
        });
        assert_eq!(heard.await, b"aaaaa");
        world.machine.power(false).await.expect("no power");
        assert_eq!(read(&mut world.console, 10).await, b"last words");
        world
            .console
            .write_all(b"nobody hears this")
            .await
            .expect("an open wire");
        world.machine.power(true).await.expect("power");
        let is_silent = world.core(|core| {
            enable(core, CONSOLE);
            say(core, CONSOLE, b"!");
            !is_full(core, CONSOLE)
        });
        assert!(is_silent.await);
        assert_eq!(read(&mut world.console, 1).await, b"!");
        world.console.write_all(b"b").await.expect("an open wire");
        assert_eq!(world.core(|core| hear(core, CONSOLE, 1)).await, b"b");
    });
}

#[test]
fn a_reset_ends_what_was_under_way_too() {
    World::run(async |mut world| {
        let typed = [b'a'; 500];
        world.console.write_all(&typed).await.expect("an open wire");
        let heard = world.core(|core| {
            enable(core, CONSOLE);
            let heard = hear(core, CONSOLE, 1);
            core.reset().expect("reset");
            enable(core, CONSOLE);
            heard
        });
        assert_eq!(heard.await, b"a");
        world.console.write_all(b"b").await.expect("an open wire");
        assert_eq!(world.core(|core| hear(core, CONSOLE, 1)).await, b"b");
    });
}
