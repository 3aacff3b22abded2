//! What an unmodified probe-rs does with the probe.

use std::time::Duration;

use probe_rs::{
    BreakpointCause, CoreStatus, HaltReason, MemoryInterface, RegisterId, VectorCatchCondition,
};

use crate::world::{ENTRY, HARD_FAULT, LOOP, World, open};

const LIMIT: Duration = Duration::from_secs(1);
const PC: RegisterId = RegisterId(15);

#[test]
fn memory_is_read_and_written_while_the_core_runs() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    assert_eq!(core.status().expect("a status"), CoreStatus::Running);
    let bytes: Vec<u8> = (0..3001_u32).map(|index| (index * 7) as u8).collect();
    core.write(0x2000_0101, &bytes).expect("written");
    let mut back = vec![0; bytes.len()];
    core.read(0x2000_0101, &mut back).expect("read");
    assert_eq!(back, bytes);
    core.write_word_32(0x2000_0000, 0x1234_5678)
        .expect("written");
    assert_eq!(core.read_word_32(0x2000_0000).expect("read"), 0x1234_5678);
    assert_eq!(core.read_word_8(0x2000_0001).expect("read"), 0x56);
}

#[test]
fn where_nothing_answers_is_a_fault_and_no_end() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    assert!(core.read_word_32(0x3000_0000).is_err());
    assert!(core.write_word_32(0x3000_0000, 1).is_err());
    assert_eq!(core.read_word_32(0xE000_ED00).expect("CPUID"), 0x410F_C240);
}

#[test]
fn a_core_is_halted_stepped_and_run() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    let information = core.reset_and_halt(LIMIT).expect("halted");
    assert_eq!(information.pc, u64::from(ENTRY));
    assert_eq!(core.step().expect("stepped").pc, u64::from(ENTRY) + 2);
    core.write_core_reg(RegisterId(3), 0xDEAD_BEEF_u32)
        .expect("written");
    assert_eq!(
        core.read_core_reg::<u32>(RegisterId(3)).expect("read"),
        0xDEAD_BEEF
    );
    core.run().expect("run");
    assert_eq!(core.status().expect("a status"), CoreStatus::Running);
    core.halt(LIMIT).expect("halted");
    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY + 6);
}

#[test]
fn a_hardware_breakpoint_stops_the_core() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    assert_eq!(core.available_breakpoint_units().expect("units"), 8);
    core.reset_and_halt(LIMIT).expect("halted");
    core.set_hw_breakpoint(u64::from(ENTRY) + 4).expect("set");
    core.run().expect("run");
    core.wait_for_core_halted(LIMIT).expect("halted");
    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY + 4);
    let status = core.status().expect("a status");
    assert!(
        matches!(status, CoreStatus::Halted(HaltReason::Breakpoint(_))),
        "{status:?}"
    );
    core.clear_hw_breakpoint(u64::from(ENTRY) + 4)
        .expect("cleared");
    core.run().expect("run");
    core.halt(LIMIT).expect("halted");
    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY + 6);
}

#[test]
fn a_semihosting_call_stops_the_core_and_is_stepped_over() {
    let world = World::new(&[0xBF00, 0xBEAB, 0xBF00, 0xE7FE]);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    core.reset_and_halt(LIMIT).expect("halted");
    core.run().expect("run");
    core.wait_for_core_halted(LIMIT).expect("halted");
    let status = core.status().expect("a status");
    assert!(
        matches!(
            status,
            CoreStatus::Halted(HaltReason::Breakpoint(BreakpointCause::Semihosting(_)))
        ),
        "{status:?}"
    );
    core.run().expect("run");
    core.halt(LIMIT).expect("halted");
    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY + 6);
}

#[test]
fn a_fault_is_caught_if_that_was_asked_for() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    core.reset_and_halt(LIMIT).expect("halted");
    core.enable_vector_catch(VectorCatchCondition::HardFault)
        .expect("enabled");
    // What the fake core does not do by itself.
    core.write_core_reg(PC, HARD_FAULT - 4).expect("written");
    core.run().expect("run");
    core.wait_for_core_halted(LIMIT).expect("halted");
    let status = core.status().expect("a status");
    assert_eq!(status, CoreStatus::Halted(HaltReason::Exception));
}

#[test]
fn a_core_that_locks_up_says_so_and_comes_back_by_a_reset() {
    let world = World::new(&[0xBF00, 0xDE00]);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    assert_eq!(core.status().expect("a status"), CoreStatus::LockedUp);
    core.halt(LIMIT).expect("halted");
    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), 0xFFFF_FFFE);
    assert_eq!(
        core.reset_and_halt(LIMIT).expect("halted").pc,
        u64::from(ENTRY)
    );
}

#[test]
fn an_erased_target_can_be_attached_to() {
    let world = World::with_image(&[]);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    assert_eq!(core.status().expect("a status"), CoreStatus::LockedUp);
}

#[test]
fn a_firmware_that_resets_itself_runs_again() {
    let world = World::new(&[0xBF00, 0xDF00]);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    assert_eq!(core.status().expect("a status"), CoreStatus::Running);
    core.enable_vector_catch(VectorCatchCondition::CoreReset)
        .expect("enabled");
    core.wait_for_core_halted(LIMIT).expect("halted");
    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY);
}

#[test]
fn attaching_under_reset_catches_the_first_instruction() {
    let world = World::new(&LOOP);
    let probe = open(&world.server.selector()).expect("a probe");
    let mut registry = probe_rs::config::Registry::new();
    registry
        .add_target_family_from_yaml(crate::world::TARGET)
        .expect("a target description");
    let mut session = probe
        .attach_under_reset_with_registry("fake", probe_rs::Permissions::default(), &registry)
        .expect("a target");
    let mut core = session.core(0).expect("a core");
    assert!(core.core_halted().expect("a status"));
    assert_eq!(core.read_core_reg::<u32>(PC).expect("read"), ENTRY);
}

#[test]
fn a_core_runs_on_when_the_debugger_leaves() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    session
        .core(0)
        .expect("a core")
        .reset_and_halt(LIMIT)
        .expect("halted");
    drop(session);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    assert_eq!(core.status().expect("a status"), CoreStatus::Running);
}
