//! Security 0: everything is plain, and nothing is remembered.

use proto::Status;
use proto::session::{S0SessionResp, Sec0Message, Sec0Payload, SessionData};

pub(super) const TAG: &str = "security0";

/// The response to every request: ESP-IDF looks at nothing but the version.
pub(super) fn answer() -> SessionData {
    Sec0Payload::from(Sec0Message::Response(S0SessionResp {
        status: Status::Success as i32,
    }))
    .into()
}
