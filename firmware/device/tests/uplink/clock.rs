//! The clock comes before TLS.

use embassy_time::Timer;

use crate::tls::Asked;
use crate::world::{UNIX_S, World};
use crate::{log, time};

#[test]
fn the_clock_is_set_before_the_connection_is_opened() {
    let world = World::new();
    time::run(world.powered(async |_| Timer::after_secs(1).await));
    log::assert_in_order(&[
        "Initializing SNTP",
        &format!("Time is set: {UNIX_S}"),
        "MQTT_EVENT_CONNECTED",
    ]);
    assert_eq!(log::count("Waiting for system time to be set"), 0);
    let expected = Asked {
        check_authority: true,
        check_dates: true,
        check_name: true,
        has_certificate: true,
        now: Some(UNIX_S),
    };
    assert_eq!(world.tls.asked.get(), Some(expected));
}

#[test]
fn while_the_clock_was_never_set_the_device_does_not_connect() {
    let world = World::new();
    world.lost_requests.set(u32::MAX);
    time::run(world.powered(async |_| Timer::after_secs(10).await));
    assert_eq!(log::count("no reply within 1000 ms"), 4);
    log::assert_in_order(&[
        "Waiting for system time to be set... (1)",
        "Waiting for system time to be set... (4)",
    ]);
    assert_eq!(world.broker.seen(), []);
}

#[test]
fn a_lost_request_is_repeated() {
    let world = World::new();
    world.lost_requests.set(2);
    time::run(world.powered(async |_| Timer::after_secs(10).await));
    // Each loss costs the time-out and the delay before the next request.
    assert_eq!(world.broker.connects().len(), 1);
    assert_eq!(world.broker.connects()[0] / 1_000, 6);
}

#[test]
fn without_a_time_server_a_device_that_checks_dates_says_so_and_waits() {
    let mut world = World::new();
    world.factory.sntp = None;
    time::run(world.powered(async |_| Timer::after_secs(100).await));
    assert_eq!(log::count("Waiting for system time to be set"), 1);
    assert_eq!(world.broker.seen(), []);
}

#[test]
fn a_device_that_checks_no_dates_does_not_wait_for_the_clock() {
    let mut world = World::new();
    world.factory.sntp = None;
    world.cloud().check_dates = false;
    time::run(world.powered(async |_| Timer::after_secs(1).await));
    assert_eq!(world.broker.connects().len(), 1);
    let asked = world.tls.asked.get().expect("a handshake");
    assert_eq!((asked.check_dates, asked.now), (false, None));
}
