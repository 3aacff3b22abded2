//! Requests over HTTP, to a device whose access point the phone has joined.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Transport, TransportError, TransportKind};
use crate::http::HttpClient;
use crate::{Dial, HttpError};

/// As Espressif's own client says, whatever the body is.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// HTTP, with one connection that is kept and one cookie that is the session.
pub struct SoftAp {
    http: HttpClient,
    address: SocketAddrV4,
}

impl SoftAp {
    /// Where ESP-IDF devices are on their own network.
    pub const DEFAULT: &str = "192.168.4.1:80";

    /// To the device at `address`; connects when it first has to. `limit` is how long one request
    /// may take, connecting included, in lab time.
    pub fn new(dial: Arc<dyn Dial>, address: SocketAddrV4, clock: Clock, limit: Duration) -> Self {
        Self {
            http: HttpClient::new(dial, address, clock, limit),
            address,
        }
    }
}

impl Transport for SoftAp {
    fn kind(&self) -> TransportKind {
        TransportKind::SoftAp
    }

    fn peer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn send<'s>(
        &'s mut self,
        endpoint: &'s str,
        request: &'s [u8],
    ) -> BoxFuture<'s, Result<Vec<u8>, TransportError>> {
        async move {
            let path = format!("/{endpoint}");
            let response = self.http.post(&path, CONTENT_TYPE, request).await?;
            if response.status == 200 {
                return Ok(response.body);
            }
            Err(HttpError::Status {
                to: self.address,
                status: response.status,
            }
            .into())
        }
        .boxed()
    }

    fn forget(&mut self) {
        self.http.forget();
    }
}
