//! Every provisioning message is byte for byte what ESP-IDF's own `.proto` files give.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proto::session::{
    S0SessionResp, S2SessionCmd0, Sec0Message, Sec0MsgType, Sec0Payload, Sec1Message, Sec1Payload,
    Sec2Message, Sec2Payload, SessionCmd0, SessionCmd1, SessionData, SessionProto, SessionResp0,
    SessionResp1,
};
use proto::wifi_config::{
    self, CmdApplyConfig, CmdSetConfig, RespApplyConfig, RespGetStatus, RespSetConfig,
    StationState, WifiAttemptFailed, WifiConfigMsgType, WifiConfigPayload, WifiConnectedState,
    WifiStationState,
};
use proto::wifi_ctrl::{self, WifiCtrlMsgType, WifiCtrlPayload};
use proto::wifi_scan::{
    self, CmdScanResult, CmdScanStart, RespScanResult, RespScanStart, RespScanStatus,
    WifiScanMsgType, WifiScanPayload, WifiScanResult,
};
use proto::{Message, Status};

const VECTORS: &str = include_str!("../../../fixtures/vectors/protobuf_plaintext.json");

/// Requires that `message` is encoded as the vector called `name`, and decoded from it.
fn check<M: Message + Default + PartialEq + std::fmt::Debug>(name: &str, message: &M) {
    let vectors: BTreeMap<String, String> = serde_json::from_str(VECTORS).unwrap();
    let expected = vectors
        .get(name)
        .unwrap_or_else(|| panic!("no vector called {name:?}"));
    assert_eq!(&hex::encode(message.encode_to_vec()), expected, "{name}");
    let decoded = M::decode(&hex::decode(expected).unwrap()[..]).unwrap();
    assert_eq!(&decoded, message, "{name}");
}

fn config(payload: wifi_config::Payload) -> WifiConfigPayload {
    payload.into()
}

fn status(
    status: Status,
    sta_state: WifiStationState,
    state: Option<StationState>,
) -> WifiConfigPayload {
    config(wifi_config::Payload::RespGetStatus(RespGetStatus {
        status: status as i32,
        sta_state: sta_state as i32,
        state,
    }))
}

#[test]
fn security_0_messages_match() {
    check(
        "sec0_cmd (python client form)",
        &SessionData::from(Sec0Payload {
            msg: Sec0MsgType::SessionCommand as i32,
            payload: Some(Sec0Message::Command(Default::default())),
        }),
    );
    check(
        "sec0_resp",
        &SessionData::from(Sec0Payload::from(Sec0Message::Response(S0SessionResp {
            status: Status::Success as i32,
        }))),
    );
}

#[test]
fn config_requests_match() {
    use wifi_config::Payload;
    check(
        "wifi_config.CmdGetStatus",
        &config(Payload::CmdGetStatus(Default::default())),
    );
    check(
        "wifi_config.CmdSetConfig(ssid=myssid,passphrase=mypassword)",
        &config(Payload::CmdSetConfig(CmdSetConfig {
            ssid: b"myssid".to_vec(),
            passphrase: b"mypassword".to_vec(),
            ..CmdSetConfig::default()
        })),
    );
    check(
        "wifi_config.CmdApplyConfig (no oneof, python client)",
        &WifiConfigPayload {
            msg: WifiConfigMsgType::CmdApplyConfig as i32,
            payload: None,
        },
    );
    check(
        "wifi_config.CmdApplyConfig (with empty oneof)",
        &config(Payload::CmdApplyConfig(CmdApplyConfig {})),
    );
}

#[test]
fn config_responses_match() {
    use wifi_config::Payload;
    for (name, answer) in [
        ("Success", Status::Success),
        ("InvalidArgument", Status::InvalidArgument),
    ] {
        check(
            &format!("wifi_config.RespSetConfig({name})"),
            &config(Payload::RespSetConfig(RespSetConfig {
                status: answer as i32,
            })),
        );
    }
    for (name, answer) in [
        ("Success", Status::Success),
        ("InternalError", Status::InternalError),
    ] {
        check(
            &format!("wifi_config.RespApplyConfig({name})"),
            &config(Payload::RespApplyConfig(RespApplyConfig {
                status: answer as i32,
            })),
        );
    }
}

#[test]
fn status_responses_match() {
    let ok = Status::Success;
    check(
        "wifi_config.RespGetStatus(Connecting)",
        &status(ok, WifiStationState::Connecting, None),
    );
    check(
        "wifi_config.RespGetStatus(Connecting, attempts_remaining=2)",
        &status(
            ok,
            WifiStationState::Connecting,
            Some(StationState::AttemptFailed(WifiAttemptFailed {
                attempts_remaining: 2,
            })),
        ),
    );
    for reason in [0, 1] {
        check(
            &format!("wifi_config.RespGetStatus(ConnectionFailed, fail_reason={reason})"),
            &status(
                ok,
                WifiStationState::ConnectionFailed,
                Some(StationState::FailReason(reason)),
            ),
        );
    }
    check(
        "wifi_config.RespGetStatus(Connected,...)",
        &status(
            ok,
            WifiStationState::Connected,
            Some(StationState::Connected(WifiConnectedState {
                ip4_addr: "192.168.43.243".into(),
                auth_mode: 3,
                ssid: b"myssid".to_vec(),
                bssid: hex::decode("a0b1c2d3e4f5").unwrap(),
                channel: 6,
            })),
        ),
    );
    check(
        "wifi_config.RespGetStatus EMPTY (what the device sends when the manager is not running)",
        &status(ok, WifiStationState::Connected, None),
    );
}

#[test]
fn scan_messages_match() {
    use wifi_scan::Payload;
    let scan = WifiScanPayload::from;
    check(
        "wifi_scan.CmdScanStart(blocking,group=5,period=120)",
        &scan(Payload::CmdScanStart(CmdScanStart {
            blocking: true,
            passive: false,
            group_channels: 5,
            period_ms: 120,
        })),
    );
    check(
        "wifi_scan.RespScanStart(Success)",
        &scan(Payload::RespScanStart(RespScanStart {})),
    );
    check(
        "wifi_scan.CmdScanStatus (no oneof)",
        &WifiScanPayload {
            msg: WifiScanMsgType::CmdScanStatus as i32,
            ..WifiScanPayload::default()
        },
    );
    check(
        "wifi_scan.RespScanStatus(finished,2)",
        &scan(Payload::RespScanStatus(RespScanStatus {
            scan_finished: true,
            result_count: 2,
        })),
    );
    check(
        "wifi_scan.CmdScanResult(0,2)",
        &scan(Payload::CmdScanResult(CmdScanResult {
            start_index: 0,
            count: 2,
        })),
    );
    check(
        "wifi_scan.RespScanResult(2 entries)",
        &scan(Payload::RespScanResult(RespScanResult {
            entries: vec![
                WifiScanResult {
                    ssid: b"myssid".to_vec(),
                    channel: 6,
                    rssi: -41,
                    bssid: hex::decode("a0b1c2d3e4f5").unwrap(),
                    auth: 3,
                },
                WifiScanResult {
                    ssid: b"other".to_vec(),
                    channel: 11,
                    rssi: -77,
                    bssid: hex::decode("0a0b0c0d0e0f").unwrap(),
                    auth: 0,
                },
            ],
        })),
    );
}

#[test]
fn ctrl_messages_match() {
    let ctrl = |msg: WifiCtrlMsgType, status: Status, payload| WifiCtrlPayload {
        msg: msg as i32,
        status: status as i32,
        payload,
    };
    let answer = || Some(wifi_ctrl::Payload::RespCtrlReset(Default::default()));
    check(
        "wifi_ctrl.CmdCtrlReset (no oneof)",
        &ctrl(WifiCtrlMsgType::CmdCtrlReset, Status::Success, None),
    );
    check(
        "wifi_ctrl.RespCtrlReset(Success)",
        &ctrl(WifiCtrlMsgType::RespCtrlReset, Status::Success, answer()),
    );
    check(
        "wifi_ctrl.RespCtrlReset(InternalError)",
        &ctrl(
            WifiCtrlMsgType::RespCtrlReset,
            Status::InternalError,
            answer(),
        ),
    );
    check(
        "wifi_ctrl.CmdCtrlReprov (no oneof)",
        &ctrl(WifiCtrlMsgType::CmdCtrlReprov, Status::Success, None),
    );
}

#[test]
fn handshake_messages_come_back_byte_for_byte() {
    for file in [
        include_str!("../../../fixtures/vectors/security1_pop.json"),
        include_str!("../../../fixtures/vectors/security1_nopop.json"),
        include_str!("../../../fixtures/vectors/security2_patch1.json"),
        include_str!("../../../fixtures/vectors/security2_patch1_B383.json"),
    ] {
        let vector: serde_json::Value = serde_json::from_str(file).unwrap();
        let mut seen = 0;
        for message in vector["messages"].as_array().unwrap() {
            if message["endpoint"] == proto::endpoint::SESSION {
                let wire = hex::decode(message["wire"].as_str().unwrap()).unwrap();
                let decoded = SessionData::decode(&wire[..]).unwrap();
                assert_eq!(decoded.encode_to_vec(), wire, "{}", message["name"]);
                assert!(decoded.proto.is_some(), "{}", message["name"]);
                seen += 1;
            }
        }
        assert_eq!(seen, 4);
    }
}

#[test]
fn a_handshake_message_holds_what_its_vector_names() {
    let vector: serde_json::Value =
        serde_json::from_str(include_str!("../../../fixtures/vectors/security1_pop.json")).unwrap();
    let bytes = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
    let expected = [
        Sec1Message::Command0(SessionCmd0 {
            client_pubkey: bytes("client_pubkey"),
        }),
        Sec1Message::Response0(SessionResp0 {
            status: 0,
            device_pubkey: bytes("device_pubkey"),
            device_random: bytes("device_random"),
        }),
        Sec1Message::Command1(SessionCmd1 {
            client_verify_data: bytes("client_verify_data"),
        }),
        Sec1Message::Response1(SessionResp1 {
            status: 0,
            device_verify_data: bytes("device_verify_data"),
        }),
    ];
    for (message, expected) in vector["messages"].as_array().unwrap().iter().zip(expected) {
        let expected = SessionData::from(Sec1Payload::from(expected));
        assert_eq!(
            hex::encode(expected.encode_to_vec()),
            message["wire"].as_str().unwrap()
        );
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = SessionData::decode(&bytes[..]);
        let _ = WifiConfigPayload::decode(&bytes[..]);
        let _ = WifiScanPayload::decode(&bytes[..]);
        let _ = WifiCtrlPayload::decode(&bytes[..]);
    }

    #[test]
    fn a_cut_message_is_refused_or_differs(
        username in proptest::collection::vec(any::<u8>(), 1..64),
        key in proptest::collection::vec(any::<u8>(), 1..400),
        cut in 1_usize..64,
    ) {
        let whole = SessionData::from(Sec2Payload::from(Sec2Message::Command0(S2SessionCmd0 {
            client_username: username,
            client_pubkey: key,
        })));
        let bytes = whole.encode_to_vec();
        prop_assert_eq!(&SessionData::decode(&bytes[..]), &Ok(whole.clone()));
        let cut = &bytes[..bytes.len().saturating_sub(cut)];
        if let Ok(decoded) = SessionData::decode(cut) {
            prop_assert_ne!(decoded, whole);
        }
    }

    #[test]
    fn unknown_fields_are_skipped(number in 100_u32..1000, value in any::<u64>()) {
        let mut bytes = SessionData::from(Sec0Payload::default()).encode_to_vec();
        prost_varint(&mut bytes, u64::from(number) << 3);
        prost_varint(&mut bytes, value);
        let decoded = SessionData::decode(&bytes[..]).unwrap();
        prop_assert!(matches!(decoded.proto, Some(SessionProto::Sec0(_))));
    }

    #[test]
    fn credentials_come_back(
        ssid in proptest::collection::vec(any::<u8>(), 0..40),
        passphrase in proptest::collection::vec(any::<u8>(), 0..80),
        channel in any::<i32>(),
    ) {
        let message = config(wifi_config::Payload::CmdSetConfig(CmdSetConfig {
            ssid,
            passphrase,
            bssid: Vec::new(),
            channel,
        }));
        prop_assert_eq!(WifiConfigPayload::decode(&message.encode_to_vec()[..]), Ok(message));
    }
}

fn prost_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
}
