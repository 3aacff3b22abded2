//! Provisioning from the first request to the end of the service.

use device::board::Mode;
use embassy_time::{Instant, Timer};
use proto::Status;
use proto::wifi_config::{CmdSetConfig, StationState, WifiConnectFailedReason, WifiStationState};

use crate::phone::{Client, Closed, Phone};
use crate::world::World;
use crate::{log, time};

/// Polls the status until it is final.
pub async fn outcome(client: &mut Client) -> (WifiStationState, Option<StationState>) {
    for _ in 0..100 {
        let status = client.status().await;
        if status.sta_state() != WifiStationState::Connecting {
            return (status.sta_state(), status.state);
        }
        Timer::after_millis(100).await;
    }
    panic!("the status stays what it is");
}

#[test]
fn a_device_is_provisioned_and_its_service_ends() {
    let world = World::with_home();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        assert_eq!(phone.address().octets()[..3], [192, 168, 4]);
        assert_eq!(world.air.mode.get(), Mode::Both);
        assert_eq!(world.air.soft_ap.borrow().as_deref(), Some("PROV_0ABC01"));
        let mut client = phone.connect().await;
        let version = client.version().await.unwrap();
        let version: proto::version::Version = serde_json::from_slice(&version.body).unwrap();
        assert_eq!(version.prov.sec_ver, Some(0));
        assert!(version.prov.can(proto::version::NO_SEC));

        client.provision("home", "correct horse").await;
        let applied = Instant::now();
        let (state, particulars) = outcome(&mut client).await;
        assert_eq!(state, WifiStationState::Connected);
        let Some(StationState::Connected(connected)) = particulars else {
            panic!("{particulars:?}");
        };
        assert_eq!(connected.ip4_addr, "192.168.43.50");
        assert_eq!(connected.ssid, b"home");
        assert_eq!(connected.channel, 6);
        assert!(applied.elapsed().as_millis() >= 1_000);

        let told = Instant::now();
        client.wait_closed().await;
        let stopped = told.elapsed().as_millis();
        assert!((950..=1_100).contains(&stopped), "{stopped} ms");
        Timer::after_secs(1).await;
        assert_eq!(world.air.mode.get(), Mode::Station);
        assert_eq!(*world.air.soft_ap.borrow(), None);
    })));
    log::assert_in_order(&[
        "Starting provisioning",
        "Provisioning started with service name : PROV_0ABC01 ",
        "Provisioning started",
        "Scan this QR code",
        "SoftAP transport: Connected!",
        "Received Wi-Fi credentials\n\tSSID     : home\n\tPassword : correct horse",
        "STA Start",
        "sta ip: 192.168.43.50, mask: 255.255.255.0, gw: 192.168.43.1",
        "Connected with IP Address:192.168.43.50",
        "STA Got IP",
        "Provisioning successful",
        "Provisioning stopped",
    ]);
    assert_eq!(log::count("Provisioning stopped"), 1);
}

#[test]
fn a_provisioned_device_starts_no_service_after_a_restart() {
    let world = World::with_home();
    time::run(async {
        world
            .powered(Phone::with(&world, 1, async |phone| {
                let mut client = phone.connect().await;
                client.provision("home", "correct horse").await;
                outcome(&mut client).await;
            }))
            .await;
        assert_eq!(log::count("Provisioning started"), 2);
        world.powered(Timer::after_secs(5)).await;
    });
    log::assert_in_order(&["Already provisioned, starting Wi-Fi STA", "sta ip: "]);
    assert_eq!(log::count("Provisioning started"), 2, "after the restart");
}

#[test]
fn a_wrong_passphrase_is_reported_and_leaves_the_service_to_say_so() {
    let world = World::with_home();
    time::run(async {
        world
            .powered(Phone::with(&world, 1, async |phone| {
                let mut client = phone.connect().await;
                client.provision("home", "wrong horse").await;
                let (state, particulars) = outcome(&mut client).await;
                assert_eq!(state, WifiStationState::ConnectionFailed);
                let reason = WifiConnectFailedReason::AuthError.into();
                assert_eq!(particulars, Some(StationState::FailReason(reason)));

                assert_eq!(client.set("home", "correct horse").await, Status::Success);
                assert_eq!(client.apply().await, Status::InternalError);
                Timer::after_secs(60).await;
                assert_eq!(outcome(&mut client).await.0, state);
            }))
            .await;
        world.powered(Timer::after_secs(5)).await;
    });
    log::assert_in_order(&[
        "STA Disconnected",
        "Disconnect reason : 15",
        "STA Auth Error",
        "Provisioning failed!\n\tReason : Wi-Fi station authentication failed\n\tPlease reset to factory and retry provisioning",
        "Wi-Fi credentials already received by provisioning app",
        "Already provisioned, starting Wi-Fi STA",
        "Disconnected. Connecting to the AP again...",
    ]);
    assert_eq!(log::count("Provisioning stopped"), 0);
    assert_eq!(log::count("sta ip"), 0);
}

#[test]
fn a_missing_access_point_is_told_from_a_wrong_passphrase() {
    let world = World::with_home();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.provision("elsewhere", "correct horse").await;
        let (_, particulars) = outcome(&mut client).await;
        let reason = WifiConnectFailedReason::NetworkNotFound.into();
        assert_eq!(particulars, Some(StationState::FailReason(reason)));
    })));
    log::assert_in_order(&[
        "Disconnect reason : 201",
        "STA AP Not found",
        "Provisioning failed!\n\tReason : Wi-Fi access-point not found",
    ]);
}

#[test]
fn a_success_that_no_phone_asks_for_ends_the_service_by_itself() {
    let world = World::with_home();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.provision("home", "correct horse").await;
        Timer::after_secs(40).await;
    })));
    let lines = log::lines();
    let moment = |text: &str| lines.iter().find(|line| line.text == text).unwrap().ms;
    let served = moment("Provisioning stopped") - moment("Provisioning successful");
    assert!((31_000..32_500).contains(&served), "{served} ms");
}

#[test]
fn a_reset_after_failure_lets_the_phone_try_again() {
    use proto::Message;
    use proto::wifi_ctrl::{WifiCtrlMsgType, WifiCtrlPayload};

    let world = World::with_home();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        let reset = WifiCtrlPayload {
            msg: WifiCtrlMsgType::CmdCtrlReset.into(),
            ..WifiCtrlPayload::default()
        };
        let reset = reset.encode_to_vec();
        let early = client.post("/prov-ctrl", &reset).await.unwrap();
        let early = WifiCtrlPayload::decode(&early.body[..]).unwrap();
        assert_eq!(early.status(), Status::InternalError);

        client.provision("home", "wrong horse").await;
        outcome(&mut client).await;
        let response = client.post("/prov-ctrl", &reset).await.unwrap();
        let response = WifiCtrlPayload::decode(&response.body[..]).unwrap();
        assert_eq!(response.status(), Status::Success);
        assert_eq!(response.msg(), WifiCtrlMsgType::RespCtrlReset);

        client.provision("home", "correct horse").await;
        assert_eq!(outcome(&mut client).await.0, WifiStationState::Connected);
    })));
    log::assert_in_order(&[
        "Trying reset when not in failure state. Current state: 2",
        "Provisioning failed!",
        "Provisioning successful",
    ]);
}

#[test]
fn values_out_of_range_are_refused_and_the_session_stays() {
    let world = World::with_home();
    let config = |ssid: usize, passphrase: usize, bssid: usize| CmdSetConfig {
        ssid: vec![b's'; ssid],
        passphrase: vec![b'p'; passphrase],
        bssid: vec![2; bssid],
        channel: 0,
    };
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        for (ssid, passphrase, bssid, status) in [
            (33, 8, 0, Status::InvalidArgument),
            (32, 64, 0, Status::InvalidArgument),
            (4, 8, 5, Status::InvalidArgument),
            (32, 63, 6, Status::Success),
        ] {
            let answer = client.set_raw(config(ssid, passphrase, bssid)).await;
            assert_eq!(answer, status, "{ssid} {passphrase} {bssid}");
        }
    })));
}

#[test]
fn set_without_credentials_is_an_invalid_argument_until_5_5_4() {
    for (version, answer) in [
        (factory::Version::Idf44, Ok(Status::InvalidArgument)),
        (factory::Version::Idf554, Ok(Status::InvalidArgument)),
        (factory::Version::Idf55, Err(Closed)),
        (factory::Version::NetworkProvisioning, Err(Closed)),
    ] {
        let world = World::with(|provisioning| provisioning.version = version);
        time::run(world.powered(Phone::with(&world, 1, async |phone| {
            let mut client = phone.connect().await;
            assert_eq!(client.set_nothing().await, answer, "{version:?}");
            // The service goes on.
            let mut client = phone.connect().await;
            assert_eq!(client.apply().await, Status::InternalError);
        })));
    }
}

#[test]
fn what_was_set_outlives_its_session() {
    let world = World::with_home();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        assert_eq!(client.set("home", "correct horse").await, Status::Success);
        client.close().await;
        let mut client = phone.connect().await;
        assert_eq!(client.apply().await, Status::Success);
        assert_eq!(outcome(&mut client).await.0, WifiStationState::Connected);
    })));
}

#[test]
fn apply_without_credentials_is_an_error() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        assert_eq!(client.apply().await, Status::InternalError);
    })));
    log::assert_in_order(&["Wi-Fi config not set"]);
}

#[test]
fn credentials_that_were_only_set_are_gone_after_a_restart() {
    let world = World::with_home();
    time::run(async {
        world
            .powered(Phone::with(&world, 1, async |phone| {
                let mut client = phone.connect().await;
                client.set("home", "correct horse").await;
            }))
            .await;
        world.powered(Timer::after_secs(2)).await;
    });
    assert_eq!(log::count("Already provisioned"), 0);
    assert_eq!(log::count("Starting provisioning"), 2);
}

#[test]
fn without_factory_data_no_radio_is_started() {
    let mut world = World::new();
    world.factory.fill(0xFF);
    time::run(world.powered(Timer::after_secs(10)));
    assert_eq!(world.air.mode.get(), Mode::Off);
    log::assert_in_order(&["factory data is erased; no radio is started"]);
}
