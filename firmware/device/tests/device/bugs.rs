//! Each defect does what its name says. That scenarios catch them is tested elsewhere.

use device::bugs::Bug;
use embassy_time::{Duration, Timer, with_timeout};
use proto::Status;
use proto::wifi_config::{StationState, WifiConnectFailedReason, WifiStationState};

use crate::phone::{Client, Phone};
use crate::provisioning::outcome;
use crate::world::World;
use crate::{log, time};

/// Plays a scenario with a phone connected to a device that has this bug; returns the world.
fn play(bug: Bug, scenario: impl AsyncFnOnce(&mut Client)) -> World {
    let world = World::with_bug(bug);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        scenario(&mut phone.connect().await).await;
    })));
    world
}

/// Lets the device run once more.
fn restart(world: &World) {
    time::run(world.powered(Timer::after_secs(3)));
}

#[test]
fn wrong_reason_reported() {
    play(Bug::WrongReasonReported, async |client| {
        client.provision("elsewhere", "correct horse").await;
        let (_, particulars) = outcome(client).await;
        let reason = WifiConnectFailedReason::AuthError.into();
        assert_eq!(particulars, Some(StationState::FailReason(reason)));
    });
}

#[test]
fn ap_not_found_retried_forever() {
    play(Bug::ApNotFoundRetriedForever, async |client| {
        client.provision("elsewhere", "correct horse").await;
        Timer::after_secs(60).await;
        let status = client.status().await;
        assert_eq!(status.sta_state(), WifiStationState::Connecting);
    });
}

#[test]
fn second_credentials_accepted() {
    play(Bug::SecondCredentialsAccepted, async |client| {
        client.provision("home", "wrong horse").await;
        outcome(client).await;
        assert_eq!(client.set("home", "correct horse").await, Status::Success);
        assert_eq!(client.apply().await, Status::Success);
        assert_eq!(outcome(client).await.0, WifiStationState::Connected);
    });
}

#[test]
fn service_never_stops() {
    play(Bug::ServiceNeverStops, async |client| {
        client.provision("home", "correct horse").await;
        outcome(client).await;
        Timer::after_secs(60).await;
        assert!(client.version().await.is_ok());
    });
    assert_eq!(log::count("Provisioning stopped"), 0);
}

#[test]
fn stops_too_early() {
    play(Bug::StopsTooEarly, async |client| {
        client.provision("home", "correct horse").await;
        client.wait_closed().await;
        Timer::after_secs(1).await;
    });
    log::assert_in_order(&["Provisioning successful", "Provisioning stopped"]);
}

#[test]
fn credentials_lost_on_restart() {
    let world = play(Bug::CredentialsLostOnRestart, async |client| {
        client.provision("home", "correct horse").await;
        outcome(client).await;
    });
    restart(&world);
    assert_eq!(log::count("Already provisioned"), 0);
}

#[test]
fn credentials_stored_before_apply() {
    let world = play(Bug::CredentialsStoredBeforeApply, async |client| {
        client.set("home", "correct horse").await;
    });
    restart(&world);
    assert_eq!(log::count("Already provisioned"), 1);
}

#[test]
fn provisioned_device_starts_service() {
    let world = play(Bug::ProvisionedDeviceStartsService, async |client| {
        client.provision("home", "correct horse").await;
        outcome(client).await;
    });
    restart(&world);
    assert_eq!(log::count("Starting provisioning"), 2);
}

#[test]
fn silent_hang() {
    play(Bug::SilentHang, async |client| {
        client.provision("home", "correct horse").await;
        Timer::after_secs(2).await;
        let asked = with_timeout(Duration::from_secs(5), client.version());
        assert!(asked.await.is_err(), "nothing answers");
    });
    let lines = log::lines();
    assert!(
        lines.last().unwrap().text.contains("STA Start"),
        "{lines:?}"
    );
}

#[test]
#[should_panic(expected = "the address was not expected")]
fn panic_on_got_ip() {
    play(Bug::PanicOnGotIp, async |client| {
        client.provision("home", "correct horse").await;
        outcome(client).await;
    });
}

#[test]
fn session_survives_second_client() {
    let world = World::with_bug(Bug::SessionSurvivesSecondClient);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        phone.connect().await.version().await.unwrap();
        let second = phone.connect().await.version().await.unwrap();
        assert_eq!(second.cookie, None);
    })));
}
