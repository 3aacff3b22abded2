//! Faults of the probe, as an unmodified probe-rs meets them.

use std::io::Read;
use std::time::{Duration, Instant};

use lab::probe::{ProbeFault, Supply};
use probe_rs::{CoreStatus, MemoryInterface, Session};

use crate::world::{LOOP, World, ask, attach, open};

fn read(session: &mut Session) -> Result<u32, probe_rs::Error> {
    session.core(0)?.read_word_32(0x2000_0000)
}

#[test]
fn a_second_debugger_finds_the_probe_taken() {
    let world = World::new(&LOOP);
    let _session = world.session();
    assert!(open(&world.server.selector()).is_err());
}

#[test]
fn a_probe_can_be_opened_again_when_it_was_left() {
    let world = World::new(&LOOP);
    for _ in 0..10 {
        drop(world.session());
    }
}

#[test]
fn a_dropped_link_is_an_error_and_stays_one_until_it_heals() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    world.faults.set(Some(ProbeFault::LinkDropped));
    world.server.drop_link();
    assert!(read(&mut session).is_err());
    assert!(open(&world.server.selector()).is_err());
    drop(session);
    world.faults.set(None);
    world.session();
}

#[test]
fn a_target_that_waits_for_ever_is_an_error() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    world.faults.set(Some(ProbeFault::WaitForever));
    assert!(read(&mut session).is_err());
    drop(session);
    let begun = Instant::now();
    let probe = open(&world.server.selector()).expect("the probe itself works");
    assert!(attach(probe).is_err());
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn another_chip_is_noticed() {
    let world = World::new(&LOOP);
    world.faults.set(Some(ProbeFault::WrongIdcode));
    let probe = open(&world.server.selector()).expect("the probe itself works");
    assert!(attach(probe).is_err());
}

#[test]
fn a_core_that_is_locked_up_says_so() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    world.faults.set(Some(ProbeFault::LockedUp));
    let mut core = session.core(0).expect("a core");
    assert_eq!(core.status().expect("a status"), CoreStatus::LockedUp);
    world.faults.set(None);
    assert_eq!(core.status().expect("a status"), CoreStatus::Running);
}

#[test]
fn a_hung_probe_answers_nothing_until_it_heals() {
    let world = World::new(&LOOP);
    let mut stream = world.connect();
    assert_eq!(ask(&mut stream, b"!HC#", 1), "&K4#");
    world.faults.set(Some(ProbeFault::Hung));
    let short = Some(Duration::from_millis(100));
    stream.set_read_timeout(short).expect("a timeout");
    std::io::Write::write_all(&mut stream, b"!HC#").expect("sent");
    assert!(stream.read(&mut [0; 8]).is_err());
    world.faults.set(None);
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a timeout");
    assert_eq!(ask(&mut stream, b"!HA#", 2), "&K4#&K1#");
}

#[test]
fn a_hung_probe_can_be_ended() {
    let world = World::new(&LOOP);
    let mut stream = world.connect();
    world.faults.set(Some(ProbeFault::Hung));
    std::io::Write::write_all(&mut stream, b"!HC#").expect("sent");
    drop(world);
    assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
}

#[test]
fn power_that_fails_in_the_middle_of_flashing_leaves_no_target() {
    let world = World::new(&LOOP);
    let mut session = world.session();
    let mut core = session.core(0).expect("a core");
    world
        .faults
        .set(Some(ProbeFault::PowerLostInFlash { after: 1000 }));
    assert!(core.write(0x2000_0000, &[0x5A; 4096]).is_err());
    assert!(core.read_word_32(0x2000_0000).is_err());
    drop(core);
    drop(session);
    let probe = open(&world.server.selector()).expect("the probe itself works");
    assert!(attach(probe).is_err());
    world
        .target
        .lock()
        .expect("a target")
        .supply(Supply::On)
        .expect("power");
    world.session();
}
