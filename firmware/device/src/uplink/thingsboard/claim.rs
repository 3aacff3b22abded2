//! Claiming with a key of the device's side (`claiming_device.c`).

use factory::ClaimMessage;
use serde::Serialize;

use super::{ClientQueues, EXAMPLE, WRAPPER};
use crate::uplink::binding::Request;

const TOPIC: &str = "v1/devices/me/claim";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'m> {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u32>,
}

/// Sends the message by which a customer can claim the device.
pub(super) fn send(claim: &ClaimMessage, queues: &ClientQueues) {
    log::info!(
        target: EXAMPLE,
        "Claiming device using device-side key... secretKey={}, durationMs={}",
        claim.secret_key.as_deref().unwrap_or("(null)"),
        claim.duration_ms.unwrap_or_default(),
    );
    let message = Message {
        secret_key: claim.secret_key.as_deref(),
        duration_ms: claim.duration_ms,
    };
    // A text and a number can always be written.
    let payload = serde_json::to_string(&message).unwrap_or_default();
    log::info!(target: WRAPPER, "[Claiming][Tx] {payload}");
    queues.request(Request::Publish {
        topic: TOPIC.into(),
        payload,
    });
}
