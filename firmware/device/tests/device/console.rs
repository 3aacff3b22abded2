//! The console scheme, as a terminal sees it.

use device::board::Mode;
use embassy_time::Timer;
use factory::Scheme;
use proto::wifi_config::{
    CmdGetStatus, CmdSetConfig, Payload, WifiConfigMsgType, WifiConfigPayload, WifiStationState,
};
use proto::{Message, Status};

use crate::uart::Uart;
use crate::world::World;
use crate::{log, time};

/// A device on whose console nothing has been typed yet.
pub fn world() -> World {
    World::with(|provisioning| provisioning.scheme = Scheme::CONSOLE)
}

/// Plays a scenario at the terminal of a device that has prompted.
fn play(world: &World, scenario: impl AsyncFnOnce(&Uart)) {
    time::run(world.powered(async {
        assert_eq!(world.uart.until_prompt().await, "");
        scenario(&world.uart).await;
    }));
}

#[test]
fn a_request_is_echoed_and_answered_in_hex() {
    play(&world(), async |uart| {
        let printed = uart.type_in(b"proto-ver 0 2d2d2d\r").await;
        let printed = printed.strip_prefix("proto-ver 0 2d2d2d\r\n\r\n").unwrap();
        let digits = printed.strip_suffix("\r\n").unwrap();
        let version = hex::decode(digits).unwrap();
        let version: proto::version::Version = serde_json::from_slice(&version).unwrap();
        assert_eq!(version.prov.cap, ["no_sec", "wifi_scan"]);
    });
}

#[test]
fn a_device_is_provisioned_over_its_console() {
    let world = world();
    play(&world, async |uart| {
        assert_eq!(world.air.mode.get(), Mode::Station);
        let set = Payload::CmdSetConfig(CmdSetConfig {
            ssid: b"home".to_vec(),
            passphrase: b"correct horse".to_vec(),
            ..CmdSetConfig::default()
        });
        let set = uart
            .call("prov-config", &WifiConfigPayload::from(set))
            .await;
        let Some(Payload::RespSetConfig(set)) = set.payload else {
            panic!("{set:?}");
        };
        assert_eq!(set.status(), Status::Success);
        let apply = WifiConfigPayload {
            msg: WifiConfigMsgType::CmdApplyConfig.into(),
            payload: None,
        };
        uart.call("prov-config", &apply).await;
        Timer::after_secs(3).await;
        let status = WifiConfigPayload::from(Payload::CmdGetStatus(CmdGetStatus {}));
        let status = uart.call("prov-config", &status).await;
        let Some(Payload::RespGetStatus(status)) = status.payload else {
            panic!("no status");
        };
        assert_eq!(status.sta_state(), WifiStationState::Connected);
        Timer::after_secs(2).await;
        uart.send(b"help\r");
        Timer::after_secs(1).await;
        assert_eq!(uart.take(), "", "the service has ended");
    });
    log::assert_in_order(&[
        "Provisioning started with service name",
        "Provisioning stopped",
    ]);
    assert_eq!(log::count("QR code"), 0);
}

#[test]
fn what_is_wrong_prints_nothing_but_the_next_prompt() {
    play(&world(), async |uart| {
        for line in [
            &b"\r"[..],
            b"prov-config\r",
            b"prov-config 0\r",
            b"prov-config 0 zz\r",
            b"prov-config 0 123\r",
            b"prov-config 0 \"\"\r",
            b"nowhere 0 00\r",
            b"prov-session 0 00\r",
            b"\xF0\x28\x8C 0 00\r",
        ] {
            uart.send(line);
            Timer::after_millis(10).await;
            let printed = uart.take_bytes();
            let echo = [line, b"\n\n>> "].concat();
            assert_eq!(printed, echo, "{}", line.escape_ascii());
        }
    });
    log::assert_in_order(&["No registered endpoint for nowhere"]);
}

#[test]
fn carriage_return_and_line_feed_in_one_go_are_no_end_of_a_line() {
    play(&world(), async |uart| {
        uart.send(b"help\r\n");
        Timer::after_secs(1).await;
        assert_eq!(uart.take(), "help\r\n\n");
        // What has been typed is still there, and makes no command.
        assert_eq!(uart.type_in(b"\r").await, "\r\n");
        assert!(uart.type_in(b"help\r").await.contains("prov-config"));
    });
}

#[test]
fn help_lists_the_endpoints() {
    play(&world(), async |uart| {
        let help = uart.type_in(b"help\r").await;
        for name in [
            "help",
            "prov-ctrl",
            "prov-scan",
            "prov-session",
            "custom-data",
        ] {
            assert!(help.contains(&format!("{name} \r\n")), "{help}");
        }
    });
}

#[test]
fn a_line_longer_than_the_buffer_is_dropped_and_a_larger_buffer_takes_it() {
    let body = [b'-'; 150];
    let long = format!("proto-ver 0 {}\r", hex::encode(body));
    play(&world(), async |uart| {
        let printed = uart.type_in(long.as_bytes()).await;
        assert_eq!(printed, format!("{long}\n"));
        assert!(uart.request("proto-ver", 0, b"---").await.is_some());
    });
    assert_eq!(log::count("a line longer than the buffer"), 1);
    let larger = World::with(|provisioning| {
        provisioning.scheme = Scheme::Console { line_limit: 1024 };
    });
    play(&larger, async |uart| {
        assert!(uart.request("proto-ver", 0, &body).await.is_some());
    });
}

#[test]
fn another_session_number_begins_another_session() {
    use proto::session::{Sec1Message, Sec1Payload, SessionCmd0, SessionData};

    let world = World::with(|provisioning| {
        provisioning.scheme = Scheme::CONSOLE;
        provisioning.security = factory::Security::V1 {
            pop: "abcd1234".into(),
        };
    });
    let hello = SessionData::from(Sec1Payload::from(Sec1Message::Command0(SessionCmd0 {
        client_pubkey: vec![9; 32],
    })));
    let hello = hello.encode_to_vec();
    play(&world, async |uart| {
        for session in [0, 17, u32::MAX, 17] {
            assert!(
                uart.request("prov-session", session, &hello)
                    .await
                    .is_some()
            );
        }
        assert_eq!(log::count("Restarting session"), 0);
        assert!(uart.request("prov-session", 17, &hello).await.is_some());
        assert_eq!(log::count("Restarting session"), 1);
        assert_eq!(uart.request("prov-config", 17, b"early").await, None);
    });
    log::assert_in_order(&["Secure session not established"]);
}
