//! Messages of provisioning: what decodes is encoded, and decodes to the same.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use phone::QrPayload;
use proto::Message;
use proto::handover::{HandoverReply, SwitchApRequest, TokenRequest};
use proto::session::SessionData;
use proto::version::Version;
use proto::wifi_config::WifiConfigPayload;
use proto::wifi_ctrl::WifiCtrlPayload;
use proto::wifi_scan::WifiScanPayload;

fuzz_target!(|bytes: &[u8]| {
    stays::<SessionData>(bytes);
    stays::<WifiConfigPayload>(bytes);
    stays::<WifiScanPayload>(bytes);
    stays::<WifiCtrlPayload>(bytes);
    // The same endpoints' JSON.
    if let Ok(version) = serde_json::from_slice::<Version>(bytes) {
        let again = serde_json::to_vec(&version).expect("texts and numbers");
        assert_eq!(
            serde_json::from_slice::<Version>(&again).ok(),
            Some(version)
        );
    }
    let _ = serde_json::from_slice::<TokenRequest>(bytes);
    let _ = serde_json::from_slice::<SwitchApRequest>(bytes);
    let _ = serde_json::from_slice::<HandoverReply>(bytes);
    if let Some(mut payload) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<QrPayload>().ok())
    {
        // Any JSON, in which numbers need not come back digit by digit.
        payload.security = None;
        assert_eq!(payload.to_url().parse::<QrPayload>().ok(), Some(payload));
    }
});

fn stays<M: Message + Default + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(message) = M::decode(bytes) {
        assert_eq!(M::decode(&message.encode_to_vec()[..]), Ok(message));
    }
}
