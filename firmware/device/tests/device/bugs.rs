//! Each defect does what its name says. That scenarios catch them is tested elsewhere.

use device::bugs::Bug;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use factory::Scheme;
use proto::session::{Sec1Message, Sec1Payload, SessionCmd0, SessionData};
use proto::wifi_config::{StationState, WifiConnectFailedReason, WifiStationState};
use proto::wifi_ctrl::WifiCtrlMsgType;
use proto::wifi_scan::CmdScanStart;
use proto::{Message, Status};

use crate::manager::ctrl;
use crate::phone::{Client, Phone};
use crate::provisioning::outcome;
use crate::world::World;
use crate::{log, scan, time};

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

#[test]
fn scan_unsorted() {
    let world = World::with_bug(Bug::ScanUnsorted);
    world.add_access_point("weak", "", 1, -90);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        scan::start(&mut client, scan::whole()).await;
        let (_, found) = scan::results(&mut client, 0, 2).await;
        assert_eq!([found[0].rssi, found[1].rssi], [-90, -41]);
    })));
}

#[test]
fn scan_overrun_accepted() {
    play(Bug::ScanOverrunAccepted, async |client| {
        scan::start(client, scan::whole()).await;
        assert_eq!(scan::results(client, 0, 5).await.0, Status::Success);
    });
}

#[test]
fn scan_in_any_state() {
    play(Bug::ScanInAnyState, async |client| {
        client.provision("home", "wrong horse").await;
        assert_eq!(scan::start(client, scan::whole()).await, Status::Success);
    });
}

#[test]
fn blocking_scan_returns_at_once() {
    play(Bug::BlockingScanReturnsAtOnce, async |client| {
        let order = CmdScanStart {
            group_channels: 1,
            ..scan::whole()
        };
        scan::start(client, order).await;
        assert!(!scan::status(client).await.scan_finished);
    });
}

#[test]
fn group_pause_missing() {
    play(Bug::GroupPauseMissing, async |client| {
        let order = CmdScanStart {
            group_channels: 1,
            ..scan::whole()
        };
        let begun = Instant::now();
        scan::start(client, order).await;
        assert!(begun.elapsed() < Duration::from_millis(500));
    });
}

#[test]
fn reset_refused_in_fail() {
    play(Bug::ResetRefusedInFail, async |client| {
        client.provision("home", "wrong horse").await;
        outcome(client).await;
        let status = ctrl(client, WifiCtrlMsgType::CmdCtrlReset).await;
        assert_eq!(status, Status::InternalError);
    });
}

#[test]
fn reset_accepted_anywhere() {
    play(Bug::ResetAcceptedAnywhere, async |client| {
        let status = ctrl(client, WifiCtrlMsgType::CmdCtrlReset).await;
        assert_eq!(status, Status::Success);
    });
}

#[test]
fn reprov_without_disable_accepted() {
    play(Bug::ReprovWithoutDisableAccepted, async |client| {
        let status = ctrl(client, WifiCtrlMsgType::CmdCtrlReprov).await;
        assert_eq!(status, Status::Success);
    });
}

#[test]
fn reprov_stays_connected() {
    let world = World::with_bug_and(Bug::ReprovStaysConnected, |provisioning| {
        provisioning.disable_auto_stop = true;
    });
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.provision("home", "correct horse").await;
        outcome(&mut client).await;
        ctrl(&mut client, WifiCtrlMsgType::CmdCtrlReprov).await;
        Timer::after_secs(5).await;
        assert!(world.air.is_joined());
    })));
}

#[test]
fn console_echo_missing() {
    let world = World::with_bug_and(Bug::ConsoleEchoMissing, |provisioning| {
        provisioning.scheme = Scheme::CONSOLE;
    });
    time::run(world.powered(async {
        world.uart.until_prompt().await;
        assert_eq!(world.uart.type_in(b"nothing\r").await, "");
    }));
}

#[test]
fn console_session_id_ignored() {
    let world = World::with_bug_and(Bug::ConsoleSessionIdIgnored, |provisioning| {
        provisioning.scheme = Scheme::CONSOLE;
        provisioning.security = factory::Security::V1 { pop: "pop".into() };
    });
    let hello = SessionData::from(Sec1Payload::from(Sec1Message::Command0(SessionCmd0 {
        client_pubkey: vec![9; 32],
    })));
    time::run(world.powered(async {
        world.uart.until_prompt().await;
        for session in [1, 2] {
            let body = hello.encode_to_vec();
            let answer = world.uart.request("prov-session", session, &body).await;
            assert!(answer.is_some());
        }
    }));
    assert_eq!(log::count("Restarting session"), 1);
}

#[test]
fn custom_endpoint_missing() {
    play(Bug::CustomEndpointMissing, async |client| {
        let response = client.post("/custom-data", b"hello").await.unwrap();
        assert_eq!(response.status, 404);
    });
}

#[test]
fn endpoint_stays_registered() {
    let world = World::with_bug_and(Bug::EndpointStaysRegistered, |provisioning| {
        provisioning.unregister.push(factory::Unregister {
            endpoint: "custom-data".into(),
            after_ms: 0,
        });
    });
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        let response = client.post("/custom-data", b"hello").await.unwrap();
        assert_eq!(response.status, 200);
    })));
}

#[test]
fn auto_stop_ignores_disable() {
    let world = World::with_bug_and(Bug::AutoStopIgnoresDisable, |provisioning| {
        provisioning.disable_auto_stop = true;
    });
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.provision("home", "correct horse").await;
        outcome(&mut client).await;
        Timer::after_secs(3).await;
    })));
    assert_eq!(log::count("Provisioning stopped"), 1);
}

#[test]
fn attempts_not_counted() {
    let world = World::with_bug_and(Bug::AttemptsNotCounted, |provisioning| {
        provisioning.conn_attempts = 2;
    });
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.provision("home", "wrong horse").await;
        Timer::after_secs(60).await;
        let status = client.status().await;
        assert_eq!(status.sta_state(), WifiStationState::Connecting);
    })));
}

#[test]
fn app_info_missing() {
    let world = World::with_bug_and(Bug::AppInfoMissing, |provisioning| {
        provisioning.app_info.push(factory::AppInfo {
            label: "my_app".into(),
            version: "1".into(),
            capabilities: Vec::new(),
        });
    });
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let text = phone.connect().await.version().await.unwrap().body;
        assert!(!String::from_utf8(text).unwrap().contains("my_app"));
    })));
}

#[test]
fn stale_reason() {
    play(Bug::StaleReason, async |client| {
        client.provision("elsewhere", "correct horse").await;
        let (_, particulars) = outcome(client).await;
        let reason = WifiConnectFailedReason::NetworkNotFound.into();
        assert_eq!(particulars, Some(StationState::FailReason(reason)));
    });
    log::assert_in_order(&["Reason : Wi-Fi station authentication failed"]);
}

#[test]
fn empty_body_accepted() {
    play(Bug::EmptyBodyAccepted, async |client| {
        let response = client.post("/proto-ver", b"").await.unwrap();
        assert_eq!(response.status, 200);
    });
}

#[test]
fn older_client_kept() {
    let world = World::with_bug(Bug::OlderClientKept);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut older = phone.connect().await;
        older.version().await.unwrap();
        phone.connect().await.version().await.unwrap();
        assert_eq!(older.version().await.unwrap().status, 200);
    })));
}

#[test]
fn passive_scan_ignored() {
    let world = play(Bug::PassiveScanIgnored, async |client| {
        let passive = CmdScanStart {
            passive: true,
            ..scan::whole()
        };
        scan::start(client, passive).await;
    });
    assert_eq!(*world.air.scans.borrow(), [(0, false)]);
}
