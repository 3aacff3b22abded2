//! JSON is written as the Linkkit SDK prints it, and read however it is written.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use proptest::prelude::*;
use proto::linkkit::{
    AwssVersions, DeviceInfo, Empty, GetRequest, Id, MatchReport, NOTIFY_ACK_ID, Notify, Reply,
    match_reply_topic, match_topic,
};
use proto::version::{NO_POP, Version};

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../fixtures/vectors/linkkit.json")).unwrap()
}

const PRODUCT_KEY: &str = "a1GQc8iJOWI";
const DEVICE_NAME: &str = "gateway_test01";
const TOKEN: &str = "4786F0F6E1CC7BF86017FD4D1429EE4F";

fn device_info(remain_time: u32) -> DeviceInfo {
    DeviceInfo {
        awss_ver: AwssVersions::default(),
        product_key: PRODUCT_KEY.into(),
        device_name: DEVICE_NAME.into(),
        mac: "B0:F8:93:15:BF:21".into(),
        ip: "10.0.0.59".into(),
        cipher_type: 3,
        token: TOKEN.into(),
        remain_time,
        kind: 0,
    }
}

#[test]
fn topics_match() {
    let vectors = vectors();
    assert_eq!(
        match_topic(PRODUCT_KEY, DEVICE_NAME, false),
        vectors["match_topic"]
    );
    assert_eq!(
        match_reply_topic(PRODUCT_KEY, DEVICE_NAME),
        vectors["match_reply_topic"]
    );
    assert_eq!(
        match_topic(PRODUCT_KEY, DEVICE_NAME, true),
        "/sys/a1GQc8iJOWI/gateway_test01/ts/thing/awss/enrollee/match"
    );
}

#[test]
fn a_report_matches() {
    let report = MatchReport::new(0, TOKEN);
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        vectors()["match_payload_first"]
    );
}

#[test]
fn a_reply_matches() {
    let reply = Reply {
        id: Id::Text("0".into()),
        code: 200,
        data: Empty {},
    };
    assert_eq!(
        serde_json::to_string(&reply).unwrap(),
        vectors()["match_reply_ok_shape"]
    );
}

#[test]
fn a_notification_matches() {
    let notify = Notify::new(7, device_info(43_360));
    let expected = &vectors()["coap_notify"]["payload"];
    assert_eq!(&serde_json::to_string(&notify).unwrap(), expected);
    assert_eq!(
        serde_json::from_str::<Notify>(expected.as_str().unwrap()).unwrap(),
        notify
    );
}

#[test]
fn the_phones_answer_to_a_notification_matches() {
    let ack = Reply {
        id: Id::Number(NOTIFY_ACK_ID),
        code: 200,
        data: Empty {},
    };
    assert_eq!(
        serde_json::to_string(&ack).unwrap(),
        vectors()["coap_notify_ack_from_phone (makes the device stop and rotate the token)"]["payload"]
    );
}

#[test]
fn a_query_matches() {
    let request = GetRequest::new("123");
    assert_eq!(
        serde_json::to_string(&request).unwrap(),
        vectors()["coap_get_request_mcast (CON GET, code 0.01)"]["payload"]
    );
}

#[test]
fn an_answer_to_a_query_echoes_the_id_without_quotation_marks() {
    let request = GetRequest::new("123");
    let answer = Reply {
        id: request.id.unquoted(),
        code: 200,
        data: device_info(40_738),
    };
    assert_eq!(
        serde_json::to_string(&answer).unwrap(),
        vectors()["coap_get_response (NON 2.05, same msgid + token)"]["payload"]
    );
}

#[test]
fn an_id_that_is_no_number_keeps_its_quotation_marks() {
    assert_eq!(Id::Text("abc".into()).unquoted(), Id::Text("abc".into()));
    assert!(serde_json::from_str::<Id>("-1").is_err());
    assert!(serde_json::from_str::<Id>("null").is_err());
}

#[test]
fn a_version_without_sec_ver_is_read() {
    let text = r#"{"prov": {"ver": "v1.1", "cap": ["no_pop"]}, "app": {"ver": "2"}}"#;
    let version: Version = serde_json::from_str(text).unwrap();
    assert_eq!(version.prov.sec_ver, None);
    assert!(version.prov.can(NO_POP));
}

proptest! {
    #[test]
    fn an_id_comes_back(number in any::<u64>(), text in ".{0,20}") {
        for id in [Id::Number(number), Id::Text(text)] {
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), id);
        }
    }

    #[test]
    fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = serde_json::from_slice::<Notify>(&bytes);
        let _ = serde_json::from_slice::<Reply<DeviceInfo>>(&bytes);
        let _ = serde_json::from_slice::<GetRequest>(&bytes);
        let _ = serde_json::from_slice::<MatchReport>(&bytes);
        let _ = serde_json::from_slice::<Version>(&bytes);
    }
}
