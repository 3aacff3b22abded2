//! The service from its beginning to its end, in its versions and with the application's wishes.

use device::board::Ending;
use embassy_time::{Duration, Instant, Timer};
use factory::{AppInfo, Ble, Mdns, MemoryRelease, Scheme, Version};
use proto::wifi_config::{StationState, WifiConnectFailedReason, WifiStationState};
use proto::wifi_ctrl::{WifiCtrlMsgType, WifiCtrlPayload};
use proto::{Message, Status};

use crate::board::Controller;
use crate::phone::{Client, Phone};
use crate::provisioning::outcome;
use crate::world::World;
use crate::{log, time};

/// Plays a scenario with a phone on the SoftAP.
fn play(world: &World, scenario: impl AsyncFnOnce(&mut Client)) {
    time::run(world.powered(Phone::with(world, 1, async |phone| {
        scenario(&mut phone.connect().await).await;
    })));
}

/// Numbers of the events announced after so many lines.
fn events(since: usize, tag: &str) -> Vec<String> {
    log::lines()
        .into_iter()
        .skip(since)
        .filter(|line| line.tag == tag)
        .filter_map(|line| {
            let number = line.text.strip_prefix("execute_event_cb : ")?;
            Some(number.to_owned())
        })
        .collect()
}

pub async fn ctrl(client: &mut Client, msg: WifiCtrlMsgType) -> Status {
    let request = WifiCtrlPayload {
        msg: msg.into(),
        ..WifiCtrlPayload::default()
    };
    let response = client.post("/prov-ctrl", &request.encode_to_vec()).await;
    let response = WifiCtrlPayload::decode(&response.unwrap().body[..]).unwrap();
    assert_eq!(response.msg, msg as i32 + 1);
    response.status()
}

#[test]
fn events_of_a_success_are_announced_in_order() {
    for (version, tag, expected) in [
        (
            Version::Idf44,
            "wifi_prov_mgr",
            &["0", "1", "2", "4", "5", "6"][..],
        ),
        (
            Version::Idf55,
            "wifi_prov_mgr",
            &["0", "1", "2", "3", "5", "6", "7"],
        ),
        (
            Version::NetworkProvisioning,
            "network_prov_mgr",
            &["0", "1", "2", "3", "7", "9", "10"],
        ),
    ] {
        let world = World::with(|provisioning| provisioning.version = version);
        let since = log::lines().len();
        play(&world, async |client| {
            client.provision("home", "correct horse").await;
            outcome(client).await;
            Timer::after_secs(3).await;
        });
        assert_eq!(events(since, tag), expected, "{version:?}");
    }
}

#[test]
fn events_of_a_failure_end_with_it() {
    let world = World::with_home();
    play(&world, async |client| {
        client.provision("home", "wrong horse").await;
        outcome(client).await;
        // Announced before it is checked whether they are awaited.
        client.set("home", "correct horse").await;
        client.apply().await;
    });
    assert_eq!(events(0, "wifi_prov_mgr"), ["0", "1", "2", "3", "4", "2"]);
}

#[test]
fn a_provisioned_device_gives_back_the_memory_that_it_does_not_need() {
    let mut world = World::with_home();
    play(&world, async |client| {
        client.provision("home", "correct horse").await;
        outcome(client).await;
    });
    for (memory_release, expected) in [
        (
            MemoryRelease::Btdm,
            &["BT memory released", "BTDM memory released"][..],
        ),
        (MemoryRelease::Ble, &["BLE memory released"]),
        (MemoryRelease::Bt, &["BT memory released"]),
        (MemoryRelease::None, &[]),
    ] {
        world.set_up(|provisioning| {
            provisioning.scheme = Scheme::Ble(Ble {
                memory_release,
                ..Ble::default()
            });
        });
        let since = log::lines().len();
        time::run(world.powered(Timer::after_secs(1)));
        let lines = log::lines();
        let lines = lines[since..]
            .iter()
            .filter(|line| line.tag == "wifi_prov_scheme_ble");
        let told: Vec<&str> = lines.map(|line| &line.text[..]).collect();
        assert_eq!(told, expected);
        assert_eq!(events(since, "wifi_prov_mgr"), ["0", "7"]);
    }
}

#[test]
fn a_provisioned_device_gives_the_controller_up_before_it_says_so() {
    let mut world = World::with_home();
    play(&world, async |client| {
        client.provision("home", "correct horse").await;
        outcome(client).await;
    });
    world.set_up(|provisioning| provisioning.scheme = Scheme::Ble(Ble::default()));
    world.has_bluetooth.set(true);
    time::run(world.powered(Timer::after_secs(1)));
    log::assert_in_order(&[
        "Already provisioned",
        Controller::GONE,
        "BTDM memory released",
    ]);
}

#[test]
fn a_forced_start_serves_a_provisioned_device_and_keeps_its_credentials() {
    let world = World::with(|provisioning| provisioning.force_start = true);
    for _ in 0..2 {
        play(&world, async |client| {
            client.provision("home", "correct horse").await;
            assert_eq!(outcome(client).await.0, WifiStationState::Connected);
        });
    }
    assert_eq!(log::count("Starting provisioning"), 2);
    assert_eq!(log::count("Already provisioned"), 0);
}

#[test]
fn provisioning_anew_needs_a_service_that_does_not_stop_by_itself() {
    play(&World::with_home(), async |client| {
        let status = ctrl(client, WifiCtrlMsgType::CmdCtrlReprov).await;
        assert_eq!(status, Status::InternalError);
    });
    log::assert_in_order(&["Execute wifi_prov_mgr_disable_auto_stop() before calling this API"]);
    let world = World::with(|provisioning| provisioning.disable_auto_stop = true);
    world.add_access_point("office", "another horse", 1, -60);
    play(&world, async |client| {
        client.provision("home", "correct horse").await;
        outcome(client).await;
        Timer::after_secs(90).await;
        assert_eq!(
            ctrl(client, WifiCtrlMsgType::CmdCtrlReprov).await,
            Status::Success
        );
        client.provision("office", "another horse").await;
        assert_eq!(outcome(client).await.0, WifiStationState::Connected);
    });
    let joined: Vec<String> = world
        .air
        .joins
        .borrow()
        .iter()
        .map(|join| join.1.clone())
        .collect();
    assert_eq!(joined, ["home", "office"]);
    let started = log::lines()
        .iter()
        .filter(|line| line.text == "Provisioning started")
        .count();
    assert_eq!(started, 3, "once, once, and once more");
}

#[test]
fn the_application_resets_after_so_many_failures() {
    let world = World::with(|provisioning| provisioning.reset_after_failures = 1);
    play(&world, async |client| {
        client.provision("home", "wrong horse").await;
        let (state, particulars) = outcome(client).await;
        assert_eq!(state, WifiStationState::ConnectionFailed);
        let reason = WifiConnectFailedReason::AuthError.into();
        assert_eq!(particulars, Some(StationState::FailReason(reason)));
        client.provision("home", "correct horse").await;
        assert_eq!(outcome(client).await.0, WifiStationState::Connected);
    });
    log::assert_in_order(&[
        "Provisioning failed!",
        "Failed to connect with provisioned AP, resetting provisioned credentials",
        "Provisioning successful",
    ]);
}

#[test]
fn a_phone_is_told_how_many_attempts_are_left() {
    let world = World::with(|provisioning| provisioning.conn_attempts = 3);
    play(&world, async |client| {
        client.provision("home", "wrong horse").await;
        let begun = Instant::now();
        let mut told = Vec::new();
        loop {
            let status = client.status().await;
            if let Some(StationState::AttemptFailed(failed)) = &status.state {
                assert_eq!(status.sta_state(), WifiStationState::Connecting);
                told.push(failed.attempts_remaining);
            }
            if status.sta_state() == WifiStationState::ConnectionFailed {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30));
            Timer::after_millis(100).await;
        }
        told.dedup();
        assert_eq!(told, [2, 1]);
    });
    assert_eq!(world.air.joins.borrow().len(), 3);
}

#[test]
fn the_oldest_version_has_neither_ctrl_nor_security_2() {
    let world = World::with(|provisioning| provisioning.version = Version::Idf44);
    play(&world, async |client| {
        assert_eq!(
            client.post("/prov-ctrl", b"\x08\x01").await.unwrap().status,
            404
        );
    });
}

#[test]
fn an_application_of_5_0_does_not_hear_of_phones_that_come() {
    for (version, heard) in [(Version::Idf50, 0), (Version::Idf51, 1)] {
        let world = World::with(|provisioning| provisioning.version = version);
        play(&world, async |client| {
            client.version().await.unwrap();
        });
        let told = log::count("SoftAP transport: Connected!");
        assert_eq!(told, heard, "{version:?}");
    }
}

#[test]
fn the_service_is_announced_by_mdns_if_it_is_to_be() {
    let kind = ["_esp_wifi_prov", "_tcp", "local"];
    for (mdns, found) in [(Some(Mdns::default()), true), (None, false)] {
        let world = World::with(|provisioning| provisioning.mdns = mdns.clone());
        time::run(world.powered(Phone::with(&world, 1, async |phone| {
            let answer = phone.browse(kind).await;
            assert_eq!(answer.is_some(), found, "{mdns:?}");
            if let Some(answer) = answer {
                let text = String::from_utf8_lossy(&answer).into_owned();
                assert!(text.contains("session_endpoint=/prov-session"), "{text}");
            }
        })));
    }
}

#[test]
fn a_service_that_cannot_be_is_not_started() {
    type Case = (fn(&mut factory::Provisioning), &'static str);
    let cases: [Case; 3] = [
        (
            |provisioning| provisioning.service_key = "seven77".into(),
            "Incorrect passphrase length for softAP: 7 (Expected: Min - 8, Max - 64)",
        ),
        (
            |provisioning| {
                provisioning.version = Version::Idf44;
                provisioning.security = factory::Security::V2 {
                    username: "wifiprov".into(),
                    salt: vec![1; 16],
                    verifier: vec![2; 384],
                };
            },
            "Unsupported protocomm security version 2",
        ),
        (
            |provisioning| provisioning.scheme = Scheme::Ble(Ble::default()),
            "this board has no Bluetooth controller",
        ),
    ];
    for (change, line) in cases {
        let ending = time::run(World::with(change).ending());
        assert!(matches!(ending, Ending::Stopped(_)), "{ending:?}");
        log::assert_in_order(&[line]);
    }
    assert_eq!(log::count("Provisioning started"), 0);
}

#[test]
fn the_application_tells_about_itself_first() {
    let world = World::with(|provisioning| {
        provisioning.app_info = vec![AppInfo {
            label: "my_app".into(),
            version: "1.345".into(),
            capabilities: vec!["cloud".into(), "local_ctrl".into()],
        }];
    });
    play(&world, async |client| {
        let text = client.version().await.unwrap().body;
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("{\n\t\"my_app\":\t{"), "{text}");
        let version: proto::version::Version = serde_json::from_str(&text).unwrap();
        assert_eq!(version.prov.ver, "v1.1");
    });
}
