//! A customer's claim at ThingsBoard, over the phone's mobile network: the host's own sockets.

use std::fmt;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use trace::Trace;

use crate::http::{HttpClient, Response};
use crate::{BindError, HostDial};

/// How long the cloud may take, in lab time.
const LIMIT: Duration = Duration::from_secs(10);

/// What ThingsBoard says to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimReply {
    /// The device belongs to the customer.
    Success,
    /// Wrong secret, too late, or nothing to claim.
    Failure,
    /// The device belongs to a customer already.
    Claimed,
    /// Something else.
    Other {
        /// HTTP status code.
        status: u16,
    },
}

impl fmt::Display for ClaimReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("SUCCESS"),
            Self::Failure => f.write_str("FAILURE"),
            Self::Claimed => f.write_str("CLAIMED"),
            Self::Other { status } => write!(f, "with HTTP status {status}"),
        }
    }
}

/// Claims the device `name` for `customer` at the cloud at `cloud`. A refusal is an answer, not an
/// error.
pub async fn claim(
    cloud: SocketAddrV4,
    customer: &str,
    name: &str,
    secret_key: &str,
    trace: &Trace,
) -> Result<ClaimReply, BindError> {
    trace.secrets().add_numbered("claim secret", secret_key);
    let body = json!({ "secretKey": secret_key }).to_string();
    let response = call(cloud, "POST", customer, name, body.as_bytes(), trace).await?;
    let status = response.status;
    let other = ClaimReply::Other { status };
    let read = serde_json::from_slice(&response.body);
    let body: Value = read.map_err(|source| BindError::Response { status, source })?;
    Ok(match (status, body.as_str()) {
        (200, _) if body["response"] == "SUCCESS" => ClaimReply::Success,
        (400, Some("FAILURE")) => ClaimReply::Failure,
        (400, Some("CLAIMED")) => ClaimReply::Claimed,
        _ => other,
    })
}

/// Gives the device `name` back. The HTTP status of the answer, which is 200 if that was done.
pub async fn unclaim(
    cloud: SocketAddrV4,
    customer: &str,
    name: &str,
    trace: &Trace,
) -> Result<u16, BindError> {
    let response = call(cloud, "DELETE", customer, name, b"", trace).await?;
    Ok(response.status)
}

async fn call(
    cloud: SocketAddrV4,
    method: &str,
    customer: &str,
    name: &str,
    body: &[u8],
    trace: &Trace,
) -> Result<Response, BindError> {
    let clock = trace.clock().clone();
    let dial = Arc::new(HostDial::any(clock.clone()));
    let mut client = HttpClient::new(dial, cloud, clock, LIMIT);
    let path = format!("/api/customer/device/{name}/claim");
    let authorization = format!("X-Authorization: Bearer {customer}\r\n");
    let request = client.request(method, &path, "application/json", &authorization, body);
    Ok(client.send(&request).await?)
}
