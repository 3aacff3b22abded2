//! What a debugger does with the emulated core.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use board::Power;
use board::power::PowerSwitch;
use lab::qemu::{Cables, Machine};
use probe_rs::rtt::{Rtt, ScanRegion};
use probe_rs::semihosting::SemihostingCommand;
use probe_rs::{
    BreakpointCause, CoreStatus, HaltReason, MemoryInterface, RegisterId, VectorCatchCondition,
};

use crate::guest::{
    CHANNEL, ENTRY, FAULT, Order, RESTART, RTT, SLEEP, counter, order, until_started,
};
use crate::world::{
    LIMIT, World, attach, attach_under_reset, blocking, settings, until, with_emulator,
    with_machine,
};

const PC: RegisterId = RegisterId(15);
const MSP: RegisterId = RegisterId(17);
const SPECIAL: RegisterId = RegisterId(20);

#[test]
fn memory_is_read_and_written_while_the_core_runs() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                assert_eq!(core.status().expect("a status"), CoreStatus::Running);
                let before = counter(core);
                until("the loop goes round", || counter(core) > before);
                for address in [0x2000_8001_u64, 0x2100_0003] {
                    let bytes: Vec<u8> = (0..2001_u32).map(|index| (index * 7) as u8).collect();
                    core.write(address, &bytes).expect("written");
                    let mut back = vec![0; bytes.len()];
                    core.read(address, &mut back).expect("read");
                    assert_eq!(back, bytes);
                }
                assert_eq!(core.read_word_32(0xE000_ED00).expect("CPUID"), 0x410F_C240);
                assert!(core.read_word_32(0x3000_0000).is_err());
            })
            .await;
    });
}

#[test]
fn the_core_is_halted_stepped_and_its_registers_are_reached() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                assert_eq!(
                    core.reset_and_halt(LIMIT).expect("halted").pc,
                    u64::from(ENTRY)
                );
                assert_eq!(core.read_core_reg::<u32>(MSP).expect("read"), 0x2001_0000);
                assert_eq!(core.step().expect("stepped").pc, u64::from(ENTRY) + 4);
                assert_eq!(
                    core.read_core_reg::<u32>(RegisterId(4)).expect("read"),
                    0x2000_0000
                );
                core.write_core_reg(MSP, 0x2000_F000_u32).expect("written");
                assert_eq!(
                    core.read_core_reg::<u32>(RegisterId(13)).expect("read"),
                    0x2000_F000
                );
                core.write_core_reg(SPECIAL, 1_u32).expect("written");
                assert_eq!(core.read_core_reg::<u32>(SPECIAL).expect("read"), 1);
                assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY + 4);
                core.write_core_reg(RegisterId(65), 0x4048_F5C3_u32)
                    .expect("written");
                assert_eq!(
                    core.read_core_reg::<u32>(RegisterId(65)).expect("read"),
                    0x4048_F5C3
                );
                core.run().expect("run");
                until("the loop goes round", || counter(core) > 100);
            })
            .await;
    });
}

#[test]
fn a_sleeping_core_is_halted_looked_at_and_stepped() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                order(core, Order::Sleep);
                std::thread::sleep(Duration::from_millis(20));
                core.halt(LIMIT).expect("halted");
                assert_eq!(core.read_core_reg::<u32>(MSP).expect("read"), 0x2001_0000);
                assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), SLEEP + 2);
                assert_eq!(core.step().expect("stepped").pc, u64::from(SLEEP));
                core.run().expect("run");
                assert_eq!(core.status().expect("a status"), CoreStatus::Running);
            })
            .await;
    });
}

#[test]
fn hardware_breakpoints_stop_the_core_and_are_passed() {
    const LOOP: u64 = 0x60;
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                core.reset_and_halt(LIMIT).expect("halted");
                core.set_hw_breakpoint(LOOP).expect("set");
                for round in 0..3 {
                    core.run().expect("run");
                    core.wait_for_core_halted(LIMIT).expect("halted");
                    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), LOOP as u32);
                    let status = core.status().expect("a status");
                    assert!(
                        matches!(status, CoreStatus::Halted(HaltReason::Breakpoint(_))),
                        "{status:?}"
                    );
                    assert_eq!(counter(core), round);
                }
                core.clear_hw_breakpoint(LOOP).expect("cleared");
                core.run().expect("run");
                until("the loop goes round", || counter(core) > 100);
            })
            .await;
    });
}

#[test]
fn a_fault_is_caught_or_handled() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                core.enable_vector_catch(VectorCatchCondition::HardFault)
                    .expect("enabled");
                order(core, Order::Fault);
                core.wait_for_core_halted(LIMIT).expect("halted");
                let status = core.status().expect("a status");
                assert_eq!(status, CoreStatus::Halted(HaltReason::Exception));
                assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), FAULT);
                core.reset().expect("reset");
                core.disable_vector_catch(VectorCatchCondition::HardFault)
                    .expect("disabled");
                until_started(core);
                order(core, Order::Fault);
                std::thread::sleep(Duration::from_millis(20));
                assert_eq!(core.status().expect("a status"), CoreStatus::Running);
                core.halt(LIMIT).expect("halted");
                assert!(core.read_core_reg::<u32>(PC).expect("read") >= FAULT);
            })
            .await;
    });
}

#[test]
fn a_semihosting_call_is_seen_and_passed() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                for _ in 0..3 {
                    order(core, Order::Exit);
                    core.wait_for_core_halted(LIMIT).expect("halted");
                    let status = core.status().expect("a status");
                    assert_eq!(
                        status,
                        CoreStatus::Halted(HaltReason::Breakpoint(BreakpointCause::Semihosting(
                            SemihostingCommand::ExitSuccess
                        )))
                    );
                    core.run().expect("run");
                    let before = counter(core);
                    until("the loop goes round", || counter(core) > before);
                }
            })
            .await;
    });
}

#[test]
fn a_firmware_that_resets_itself_starts_anew_with_and_without_a_debugger() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                until("it runs", || counter(core) > 1000);
                order(core, Order::Reset);
                until_started(core);
                until("it runs", || counter(core) > 1000);
                core.enable_vector_catch(VectorCatchCondition::CoreReset)
                    .expect("enabled");
                order(core, Order::Reset);
                core.wait_for_core_halted(LIMIT).expect("halted");
                assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY);
                core.disable_vector_catch(VectorCatchCondition::CoreReset)
                    .expect("disabled");
                core.run().expect("run");
                // What it is told before its start is over, it forgets.
                until_started(core);
                order(core, Order::Reset);
            })
            .await;
        world
            .core(|core| {
                until_started(core);
                until("it runs", || counter(core) > 1000);
            })
            .await;
    });
}

#[test]
fn a_reset_that_the_firmware_asks_for_while_it_is_halted_is_not_lost() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                for round in 0..200 {
                    until("it runs", || counter(core) > 0);
                    order(core, Order::Reset);
                    // Ever later, so that some halt meets the request on its way.
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_micros(5 * round) {
                        std::hint::spin_loop();
                    }
                    core.halt(LIMIT).expect("halted");
                    core.run().expect("run");
                    until_started(core);
                }
            })
            .await;
    });
}

#[test]
fn a_step_that_asks_for_a_reset_ends_at_the_first_instruction() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                core.set_hw_breakpoint(u64::from(RESTART)).expect("set");
                order(core, Order::Reset);
                core.wait_for_core_halted(LIMIT).expect("halted");
                core.clear_hw_breakpoint(u64::from(RESTART))
                    .expect("cleared");
                let stepped = core.step().expect("stepped");
                assert_eq!(stepped.pc, u64::from(ENTRY));
                core.run().expect("run");
                until_started(core);
            })
            .await;
    });
}

#[test]
fn attaching_under_reset_catches_the_first_instruction() {
    with_machine(async |mut world| {
        world.with_guest().await;
        let selector = world.machine.selector().to_owned();
        blocking(move || {
            let mut session = attach_under_reset(&selector).expect("a target");
            let mut core = session.core(0).expect("a core");
            assert!(core.core_halted().expect("a status"));
            assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY);
            core.run().expect("run");
            until("it runs", || counter(&mut core) > 100);
        })
        .await;
    });
}

#[test]
fn rtt_goes_up_and_down() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                until("it runs", || counter(core) > 100);
                let mut rtt = Rtt::attach_region(core, &ScanRegion::Exact(RTT)).expect("RTT");
                assert_eq!(rtt.up_channel(0).expect("up").name(), Some(CHANNEL));
                let sent: Vec<u8> = (0..1000_u32).map(|index| (index * 13) as u8).collect();
                let mut heard = Vec::new();
                let mut written = 0;
                let mut chunk = [0; 256];
                until("all came back", || {
                    let down = rtt.down_channel(0).expect("down");
                    written += down.write(core, &sent[written..]).expect("written");
                    let up = rtt.up_channel(0).expect("up");
                    let length = up.read(core, &mut chunk).expect("read");
                    heard.extend_from_slice(&chunk[..length]);
                    heard.len() == sent.len()
                });
                assert_eq!(heard, sent);
            })
            .await;
    });
}

#[test]
fn no_byte_of_a_flood_is_lost() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                until("it runs", || counter(core) > 100);
                let mut rtt = Rtt::attach_region(core, &ScanRegion::Exact(RTT)).expect("RTT");
                order(core, Order::Flood);
                let mut chunk = [0; 16 * 1024];
                let mut expected = 0_u8;
                let mut heard = 0;
                let begun = Instant::now();
                while heard < 1 << 20 {
                    let up = rtt.up_channel(0).expect("up");
                    let length = up.read(core, &mut chunk).expect("read");
                    for byte in &chunk[..length] {
                        assert_eq!(*byte, expected, "after {heard} bytes");
                        expected = expected.wrapping_add(1);
                        heard += 1;
                    }
                    assert!(begun.elapsed() < 4 * LIMIT, "{heard} bytes");
                }
            })
            .await;
    });
}

#[test]
fn what_a_locked_up_core_left_in_memory_is_read_before_it_comes_back() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                until("it runs", || counter(core) > 100);
                order(core, Order::LockUp);
                until("it locks up", || {
                    core.status().expect("a status") == CoreStatus::LockedUp
                });
                assert!(counter(core) > 100);
                assert_eq!(
                    core.read_word_32(RTT).expect("read"),
                    u32::from_le_bytes(*b"SEGG")
                );
                assert_eq!(
                    core.reset_and_halt(LIMIT).expect("halted").pc,
                    u64::from(ENTRY)
                );
                core.run().expect("run");
                until("it runs", || counter(core) > 100);
            })
            .await;
    });
}

#[test]
fn an_emulator_that_is_too_slow_is_no_core_that_is_locked_up() {
    with_emulator(async |qemu| {
        let folder = tempfile::tempdir().expect("a folder");
        let ids = folder.path().join("ids");
        let named = folder.path().join("qemu");
        let script = format!(
            "#!/bin/sh\necho $$ >>{}\nexec {} \"$@\"\n",
            ids.display(),
            qemu.display()
        );
        fs::write(&named, script).expect("written");
        fs::set_permissions(&named, fs::Permissions::from_mode(0o700)).expect("a program");
        let mut world = World::new(named).await;
        world.with_guest().await;
        world
            .core(move |core| {
                until("it runs", || counter(core) > 100);
                let ids = fs::read_to_string(ids).expect("it has started");
                let id = ids.lines().last().expect("one").parse().expect("a number");
                // SAFETY: kill takes plain numbers; the machine has not waited for it.
                assert_eq!(unsafe { libc::kill(id, libc::SIGSTOP) }, 0);
                core.halt(LIMIT).expect_err("nobody answers");
                assert_ne!(core.status().ok(), Some(CoreStatus::LockedUp));
            })
            .await;
        // Another one takes its place.
        world.machine.power(false).await.expect("no power");
        world.machine.power(true).await.expect("power");
        world
            .core(|core| until("it runs", || counter(core) > 100))
            .await;
    });
}

#[test]
fn an_erased_board_can_be_attached_to_and_halted() {
    with_machine(async |mut world| {
        world.machine.power(true).await.expect("power");
        world
            .core(|core| {
                assert_eq!(core.status().expect("a status"), CoreStatus::LockedUp);
                core.halt(LIMIT).expect("halted");
                core.write_word_32(0x2000_0000, 7).expect("written");
                assert_eq!(core.read_word_32(0x2000_0000).expect("read"), 7);
            })
            .await;
    });
}

#[test]
fn without_power_no_firmware_runs_and_memory_forgets() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world
            .core(|core| {
                core.write_word_32(0x2000_8000, 0x600D_CAFE)
                    .expect("written");
            })
            .await;
        world.machine.power(false).await.expect("no power");
        world
            .core(|core| {
                let before = counter(core);
                core.reset().expect("reset");
                std::thread::sleep(Duration::from_millis(20));
                assert_eq!(counter(core), before);
            })
            .await;
        world
            .core(|core| {
                assert!(core.core_halted().expect("a status"));
                core.halt(LIMIT).expect("halted");
            })
            .await;
        world.machine.power(true).await.expect("power");
        world
            .core(|core| {
                until_started(core);
                until("it runs", || counter(core) > 100);
                assert_ne!(core.read_word_32(0x2000_8000).expect("read"), 0x600D_CAFE);
            })
            .await;
    });
}

#[test]
fn a_switched_on_machine_waits_for_its_debugger() {
    with_machine(async |mut world| {
        world.with_guest().await;
        let mut switch = world.machine.power_switch();
        switch.switch(Power::Off).await.expect("no power");
        switch.switch(Power::On).await.expect("power");
        world
            .core(|core| {
                assert!(core.core_halted().expect("a status"));
                assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY);
                core.reset().expect("reset");
                until_started(core);
            })
            .await;
    });
}

#[test]
fn two_machines_know_nothing_of_each_other() {
    with_emulator(async |qemu| {
        let trace = trace::Trace::in_memory(clock::Clock::start(1.0));
        let mut folders = Vec::new();
        let mut machines = Vec::new();
        for _ in 0..2 {
            let folder = tempfile::tempdir().expect("a folder");
            let settings = settings(qemu.clone(), &folder);
            let machine = Machine::start(settings, trace.clone(), Cables::default()).await;
            machines.push(machine.expect("a machine"));
            folders.push(folder);
        }
        for machine in &mut machines {
            let image = crate::guest::IMAGE.to_vec();
            machine.write_flash(0, image).await.expect("written");
            machine.power(true).await.expect("power");
        }
        let selectors = machines.iter().map(|machine| machine.selector().to_owned());
        let both = selectors.enumerate().map(|(index, selector)| {
            blocking(move || {
                let mut session = attach(&selector).expect("a target");
                let mut core = session.core(0).expect("a core");
                let value = 0xAB00 + index as u32;
                core.write_word_32(0x2000_8000, value).expect("written");
                for _ in 0..20 {
                    core.halt(LIMIT).expect("halted");
                    core.run().expect("run");
                }
                assert_eq!(core.read_word_32(0x2000_8000).expect("read"), value);
            })
        });
        futures_util::future::join_all(both).await;
    });
}
