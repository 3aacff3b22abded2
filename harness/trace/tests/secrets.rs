//! No secret enters a trace, however it is spelled.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clock::Clock;
use proptest::prelude::*;
use serde_json::json;
use trace::{LogLine, Secrets, Trace};

#[test]
fn a_secret_is_replaced_in_every_spelling() {
    let secrets = Secrets::default();
    let secret = "corr\"ect horse";
    secrets.add("passphrase home", secret);
    let mut value = json!({
        "plain": format!("Password : {secret}"),
        "json": json!({ "inner": secret }).to_string(),
        "twice": json!({ "inner": json!({ "x": secret }).to_string() }).to_string(),
        "hex": hex::encode(secret),
        "upper": format!("x{}y", hex::encode_upper(secret)),
        "base64": STANDARD.encode(format!("a{secret}b")),
        secret: [1, 2],
    });
    secrets.redact(&mut value);
    let text = value.to_string();
    assert!(!text.contains("ect horse"), "{text}");
    assert_eq!(text.matches("<passphrase home>").count(), 7, "{text}");
}

#[test]
fn numbered_secrets_keep_their_names() {
    let secrets = Secrets::default();
    assert_eq!(secrets.add_numbered("token", "AAAABBBB"), "token 1");
    assert_eq!(secrets.add_numbered("token", "CCCCDDDD"), "token 2");
    assert_eq!(secrets.add_numbered("token", "AAAABBBB"), "token 1");
    assert_eq!(
        secrets.redact_text("CCCCDDDD AAAABBBB"),
        "<token 2> <token 1>"
    );
    assert_eq!(secrets.reveal("<token 2>!"), "CCCCDDDD!");
}

#[test]
fn a_bind_token_that_nobody_added_is_recognised() {
    let secrets = Secrets::default();
    let token = "4786F0F6E1CC7BF86017FD4D1429EE4F";
    let reported = json!({ "params": { "token": token } }).to_string();
    let mut value = json!({
        "log": format!("report token:{reported}"),
        "escaped": json!({ "payload": reported }).to_string(),
        "alone": token,
        "longer": format!("token:{token}0"),
        "far": format!("token of the device and of nobody else {token}"),
    });
    secrets.redact(&mut value);
    assert_eq!(
        value["log"],
        r#"report token:{"params":{"token":"<token 1>"}}"#
    );
    assert_eq!(value["alone"], "<token 1>");
    assert_eq!(value["longer"], format!("token:<token 1>0"));
    assert!(!value.to_string().contains(token), "{value}");
}

#[test]
fn the_longer_of_two_secrets_wins() {
    let secrets = Secrets::default();
    secrets.add("short", "abcd");
    secrets.add("long", "abcd1234");
    assert_eq!(secrets.redact_text("abcd1234 abcd"), "<long> <short>");
}

proptest! {
    #[test]
    fn base64_at_any_alignment_is_found(
        before in proptest::collection::vec(any::<u8>(), 0..7),
        secret in proptest::collection::vec(any::<u8>(), 8..40),
        after in proptest::collection::vec(any::<u8>(), 0..7),
    ) {
        let secrets = Secrets::default();
        secrets.add("key", &secret);
        let bytes = [before, secret, after].concat();
        let text = STANDARD.encode(bytes);
        prop_assert!(secrets.redact_text(&text).contains("<key>"));
    }
}

/// As ESP-IDF's example prints it when it starts.
const QR_LINE: &str = "https://espressif.github.io/esp-jumpstart/qrcode.html?data={\"ver\":\"v1\",\"name\":\"PROV_1\",\"pop\":\"hunter22\",\"transport\":\"ble\"}";

#[tokio::test]
async fn the_first_qr_code_that_a_device_prints_is_stored_without_its_secret() {
    let trace = Trace::in_memory(Clock::start(1.0));
    let line = |text: &str| LogLine {
        level: trace::Level::Info,
        tag: "app".into(),
        text: text.into(),
        device_ms: None,
        place: None,
    };
    for _ in 0..2 {
        trace.emit(Some("lamp"), &line(QR_LINE));
    }
    trace.emit(Some("lamp"), &line("the proof is hunter22"));
    let stored: Vec<String> = trace
        .since(1)
        .iter()
        .map(|event| serde_json::to_string(event).expect("JSON"))
        .collect();
    for text in &stored {
        assert!(!text.contains("hunter22"), "{text}");
        assert!(text.contains("<proof of possession 1>"), "{text}");
    }
    // The name stays the same, however often the redacted text is redacted.
    let secrets = trace.secrets();
    let once = secrets.redact_text(QR_LINE).into_owned();
    assert_eq!(secrets.redact_text(&once), once);
    assert_eq!(secrets.reveal("<proof of possession 1>"), "hunter22");
}
