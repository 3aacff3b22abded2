//! The bind call to the cloud, over the phone's mobile network: the host's own sockets.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use proto::bind::{BIND_PATH, BindReply, BindRequest, CHECK_PATH};
use trace::Trace;

use crate::http::HttpClient;
use crate::{HostDial, HttpError};

/// How long the cloud may take, in lab time.
const LIMIT: Duration = Duration::from_secs(10);

/// Why the cloud's answer is not known.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// There was no response.
    #[error("failed to send the bind request to the cloud")]
    Http(#[from] HttpError),
    /// Response that does not have the form of the cloud's.
    #[error("failed to read the cloud's response of status {status}")]
    Response {
        /// HTTP status code.
        status: u16,
        /// What is wrong with the body.
        source: serde_json::Error,
    },
}

/// Asks the cloud at `cloud` to bind a device to an account. A refusal is an answer, not an error.
pub async fn bind(
    cloud: SocketAddrV4,
    request: &BindRequest,
    trace: &Trace,
) -> Result<BindReply, BindError> {
    call(cloud, BIND_PATH, request, trace).await
}

/// Asks the cloud whether a token was reported.
pub async fn check(
    cloud: SocketAddrV4,
    request: &BindRequest,
    trace: &Trace,
) -> Result<BindReply, BindError> {
    call(cloud, CHECK_PATH, request, trace).await
}

async fn call(
    cloud: SocketAddrV4,
    path: &str,
    request: &BindRequest,
    trace: &Trace,
) -> Result<BindReply, BindError> {
    trace.secrets().add_numbered("token", &request.token);
    let clock = trace.clock().clone();
    let dial = Arc::new(HostDial::any(clock.clone()));
    let mut client = HttpClient::new(dial, cloud, clock, LIMIT);
    // Cannot fail: a request is made of texts.
    let body = serde_json::to_vec(request).unwrap_or_default();
    let response = client.post(path, "application/json", &body).await?;
    serde_json::from_slice(&response.body).map_err(|source| BindError::Response {
        status: response.status,
        source,
    })
}
