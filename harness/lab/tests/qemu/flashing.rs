//! Flash, through the flash algorithm on the emulated core and past it.

use std::fs;

use base64::Engine as _;
use lab::probe::ProbeFault;
use lab::qemu::{Cables, Machine, TARGET_DESCRIPTION};
use probe_rs::MemoryInterface;

use crate::guest::{self, STORAGE, STORED};
use crate::world::{attach, blocking, flash, settings, with_emulator, with_machine};

const FACTORY: u32 = 0x003E_0000;

fn pattern(length: usize, salt: u8) -> Vec<u8> {
    let noise = |index: usize| (index * 31 + index / 253) as u8 ^ salt;
    (0..length).map(noise).collect()
}

#[test]
fn the_target_description_holds_the_bytes_of_the_algorithms_source() {
    let source = include_str!("../../src/qemu/flash_algorithm.s");
    let bytes: Vec<u8> = source
        .lines()
        .filter(|line| line.starts_with("  "))
        .filter_map(|line| line.rsplit_once("@ "))
        .flat_map(|(_, bytes)| bytes.split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).expect("a byte"))
        .collect();
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    assert_eq!(TARGET_DESCRIPTION.matches(&encoded).count(), 2, "{encoded}");
}

#[test]
fn an_image_is_erased_programmed_and_verified() {
    with_machine(async |mut world| {
        world.machine.power(true).await.expect("power");
        let image = pattern(200_001, 7);
        let expected = image.clone();
        world
            .debug(move |session| {
                flash(session, 0, &pattern(300_000, 1)).expect("flashed");
                flash(session, 0, &image).expect("flashed over it");
                let mut back = vec![0; image.len()];
                session
                    .core(0)
                    .expect("a core")
                    .read(0, &mut back)
                    .expect("read");
                assert!(back == image);
            })
            .await;
        world.machine.power(false).await.expect("no power");
        let kept = world
            .machine
            .read_flash(0, expected.len())
            .await
            .expect("read");
        assert!(kept == expected);
    });
}

#[test]
fn factory_data_and_storage_are_flashed_sector_by_sector() {
    with_machine(async |mut world| {
        world.machine.power(true).await.expect("power");
        world
            .debug(|session| {
                flash(session, u64::from(STORAGE), &pattern(0x10000, 3)).expect("flashed");
                flash(session, u64::from(FACTORY) + 0x1000, &pattern(0x800, 5)).expect("flashed");
                flash(session, u64::from(STORAGE) + 0x2000, &[0x11; 16]).expect("flashed");
            })
            .await;
        let storage = world
            .machine
            .read_flash(STORAGE, 0x10000)
            .await
            .expect("read");
        assert!(storage[..0x2000] == pattern(0x10000, 3)[..0x2000]);
        assert_eq!(storage[0x2000..0x2010], [0x11; 16]);
        assert!(storage[0x2010..0x3000].iter().all(|byte| *byte == 0xFF));
        assert!(storage[0x3000..] == pattern(0x10000, 3)[0x3000..]);
        let factory = world
            .machine
            .read_flash(FACTORY, 0x2000)
            .await
            .expect("read");
        assert!(factory[..0x1000].iter().all(|byte| *byte == 0xFF));
        assert!(factory[0x1000..0x1800] == pattern(0x800, 5));
    });
}

#[test]
fn flash_cannot_be_written_as_if_it_were_memory() {
    with_machine(async |mut world| {
        world.machine.power(true).await.expect("power");
        world
            .core(|core| assert!(core.write_word_32(0x1000, 1).is_err()))
            .await;
    });
}

#[test]
fn what_the_firmware_stores_outlives_reset_power_and_harness() {
    with_emulator(async |qemu| {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = trace::Trace::in_memory(clock::Clock::start(1.0));
        let start = || {
            Machine::start(
                settings(qemu.clone(), &folder),
                trace.clone(),
                Cables::default(),
            )
        };
        let mut machine = start().await.expect("a machine");
        machine
            .write_flash(0, guest::IMAGE.to_vec())
            .await
            .expect("written");
        machine.power(true).await.expect("power");
        let selector = machine.selector().to_owned();
        blocking(move || {
            let mut session = attach(&selector).expect("a target");
            let mut core = session.core(0).expect("a core");
            guest::order(&mut core, guest::Order::Store);
            crate::world::until("stored", || {
                core.read_word_32(u64::from(STORAGE)).expect("read") == STORED
            });
            core.reset().expect("reset");
            assert_eq!(core.read_word_32(u64::from(STORAGE)).expect("read"), STORED);
        })
        .await;
        machine.power(false).await.expect("no power");
        drop(machine);
        let file = folder.path().join("lamp.flash");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(file).expect("a file").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let machine = start().await.expect("a machine");
        let storage = machine.read_flash(STORAGE, 4).await.expect("read");
        assert_eq!(storage, STORED.to_le_bytes());
    });
}

#[test]
fn power_that_fails_while_flashing_leaves_half_an_image() {
    with_machine(async |mut world| {
        world.machine.power(true).await.expect("power");
        world
            .machine
            .set_fault(Some(ProbeFault::PowerLostInFlash { after: 150_000 }));
        let selector = world.machine.selector().to_owned();
        blocking(move || {
            let mut session = attach(&selector).expect("a target");
            assert!(flash(&mut session, 0, &pattern(300_000, 9)).is_err());
            drop(session);
            assert!(attach(&selector).is_err());
        })
        .await;
        assert!(!world.machine.is_powered().await.expect("known"));
        let flash = world.machine.read_flash(0, 300_000).await.expect("read");
        let image = pattern(300_000, 9);
        assert!(flash[..32 * 1024] == image[..32 * 1024]);
        assert!(flash[200_000..].iter().all(|byte| *byte == 0xFF));
        world.machine.power(true).await.expect("power");
        world.core(|core| core.status().expect("a status")).await;
    });
}
