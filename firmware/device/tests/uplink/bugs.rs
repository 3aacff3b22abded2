//! Each defect does what its name says. That scenarios catch them is tested elsewhere.

use std::time::Duration;

use device::bugs::Bug;
use embassy_time::Timer;

use crate::binding::reported;
use crate::broker::{Replies, Seen};
use crate::phone::Phone;
use crate::tls::Asked;
use crate::world::{DEVICE, World};
use crate::{log, time};

/// Runs a device with this bug for so many seconds.
fn run(world: &World, bug: Bug, seconds: u64) {
    play(world, bug, async |_| Timer::after_secs(seconds).await);
}

fn play<T>(world: &World, bug: Bug, scenario: impl AsyncFnOnce(&Phone) -> T) -> T {
    world.put_in(bug);
    time::run(world.powered(scenario))
}

/// What a device with this bug wants of TLS.
fn asked(bug: Bug) -> Asked {
    let world = World::new();
    run(&world, bug, 1);
    world.tls.asked.get().expect("a handshake")
}

#[test]
fn checks_of_certificates_left_out() {
    let all = asked(Bug::TelemetryNotSent);
    let left_out = |bug: Bug, asked: Asked| assert_eq!(self::asked(bug), asked, "{bug:?}");
    left_out(
        Bug::DatesNotChecked,
        Asked {
            check_dates: false,
            ..all
        },
    );
    left_out(
        Bug::NameNotChecked,
        Asked {
            check_name: false,
            ..all
        },
    );
    left_out(
        Bug::AuthorityNotChecked,
        Asked {
            check_authority: false,
            ..all
        },
    );
    left_out(
        Bug::ClientCertificateNotSent,
        Asked {
            has_certificate: false,
            ..all
        },
    );
}

#[test]
fn clock_not_awaited() {
    let world = World::new();
    world.lost_requests.set(u32::MAX);
    run(&world, Bug::ClockNotAwaited, 1);
    assert_eq!(world.tls.asked.get().expect("a handshake").now, None);
}

#[test]
fn retry_storm() {
    let world = World::new();
    world.broker.connack.set(Some(5));
    run(&world, Bug::RetryStorm, 10);
    assert!(world.broker.connects().len() > 100);
}

#[test]
fn keepalive_not_sent() {
    let mut world = World::new();
    world.cloud().keep_alive_s = 20;
    run(&world, Bug::KeepaliveNotSent, 100);
    let seen = world.broker.seen();
    assert!(seen.iter().all(|(_, seen)| *seen != Seen::Ping));
}

#[test]
fn telemetry_not_sent() {
    let world = World::new();
    run(&world, Bug::TelemetryNotSent, 10);
    assert_eq!(world.broker.connects().len(), 1);
    assert!(world.broker.published("v1/devices/me/telemetry").is_empty());
}

#[test]
fn wrong_signature() {
    let passwords = [Bug::TelemetryNotSent, Bug::WrongSignature].map(|bug| {
        let world = World::with_binding();
        run(&world, bug, 1);
        world.broker.password()
    });
    assert_ne!(passwords[0], passwords[1]);
}

#[test]
fn match_reply_ignored() {
    let world = World::with_binding();
    let heard = play(&world, Bug::MatchReplyIgnored, async |phone| {
        phone.hear(100_000).await
    });
    assert_eq!(heard, None);
    assert_eq!(reported(&world).len(), 3);
    assert_eq!(log::count("awss_report_token_reply"), 0);
}

#[test]
fn token_not_rotated() {
    let world = World::with_binding();
    play(&world, Bug::TokenNotRotated, async |phone| {
        Timer::after_millis(200).await;
        phone.query(DEVICE, 0x54).await;
        phone.hear_answer().await;
        Timer::after_millis(100).await;
    });
    let tokens = reported(&world);
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1]);
}

#[test]
fn notify_without_reply() {
    let world = World::with_binding();
    world.broker.replies.set(Replies::Never);
    let heard = play(&world, Bug::NotifyWithoutReply, async |phone| {
        let heard = phone.hear(1_000).await;
        Timer::after_millis(10).await;
        heard
    });
    let heard = heard.expect("a notification");
    assert_eq!(heard.json["params"]["token"], reported(&world)[0]);
}

#[test]
fn report_never_gives_up() {
    let world = World::with_binding();
    world.broker.replies.set(Replies::Never);
    run(&world, Bug::ReportNeverGivesUp, 601);
    assert_eq!(reported(&world).len(), 21);
}

#[test]
fn report_once_only() {
    let world = World::with_binding();
    world.broker.replies.set(Replies::Never);
    run(&world, Bug::ReportOnceOnly, 600);
    assert_eq!(reported(&world).len(), 1);
}

#[test]
fn token_outlives_its_life() {
    let world = World::with_binding();
    play(&world, Bug::TokenOutlivesItsLife, async |phone| {
        Timer::after_secs(60).await;
        // Notifications that were not read.
        while phone.hear(0).await.is_some() {}
        phone.query(DEVICE, 0x54).await;
        let answer = phone.hear_answer().await;
        assert_eq!(answer.json["data"]["token"], reported(&world)[0]);
    });
}

#[test]
fn answers_query_without_token() {
    let world = World::with_binding();
    world
        .broker
        .replies
        .set(Replies::After(Duration::from_secs(30)));
    play(&world, Bug::AnswersQueryWithoutToken, async |phone| {
        Timer::after_millis(200).await;
        phone.query(DEVICE, 0x54).await;
        assert_eq!(phone.hear_answer().await.json["code"], 200);
    });
    assert_eq!(log::count("awss_report_token_reply"), 0);
}

#[test]
fn phone_token_not_reported() {
    let world = World::with_binding();
    let token = "4786F0F6E1CC7BF86017FD4D1429EE4F";
    let handed = device::handover::Token::from_hex(token.as_bytes()).unwrap();
    world.handover.leave(handed);
    run(&world, Bug::PhoneTokenNotReported, 5);
    assert_ne!(reported(&world), [token]);
}
