//! Requests over HTTP, to a device whose access point the phone has joined.

use std::net::{SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Transport, TransportError, TransportKind, WireEnd};
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

    /// The IPv4 address in `http://HOST[:PORT][/]`, or in the same without its scheme. Names are
    /// looked up by the host, which may take its time.
    pub async fn find(url: &str) -> Result<SocketAddrV4, UrlError> {
        let host = host_of(url).map_err(|why| UrlError::new(url, why))?;
        let found = tokio::task::spawn_blocking(move || host.to_socket_addrs()).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(UrlError::new(url, error.to_string())),
            Err(error) => return Err(UrlError::new(url, error.to_string())),
        };
        let mut found = found.filter_map(|address| match address {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        });
        let found = found.next();
        found.ok_or_else(|| UrlError::new(url, "it has no IPv4 address".to_owned()))
    }

    /// To the device at `address`; connects when it first has to. `limit` is how long one request
    /// may take, connecting included, in lab time.
    pub fn new(dial: Arc<dyn Dial>, address: SocketAddrV4, clock: Clock, limit: Duration) -> Self {
        Self {
            http: HttpClient::new(dial, address, clock, limit),
            address,
        }
    }
}

/// A URL leads to no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to find {url:?}: {why}")]
pub struct UrlError {
    url: String,
    why: String,
}

impl UrlError {
    fn new(url: &str, why: String) -> Self {
        Self {
            url: url.to_owned(),
            why,
        }
    }
}

/// Host and port in a URL, or what is wrong with it.
fn host_of(url: &str) -> Result<String, String> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    if rest.contains("://") {
        return Err("devices speak plain http".to_owned());
    }
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() || rest.contains('/') {
        return Err("expected something like http://192.168.4.1".to_owned());
    }
    match rest.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => Ok(rest.to_owned()),
        Some(_) => Err("what follows the colon is no port".to_owned()),
        None => Ok(format!("{rest}:80")),
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

    fn wire<'s>(
        &'s mut self,
        bytes: &'s [u8],
        pieces: (usize, Duration),
        within: Duration,
    ) -> BoxFuture<'s, Option<Result<WireEnd, TransportError>>> {
        async move {
            let ended = self.http.wire(bytes, pieces, within).await;
            Some(ended.map_err(TransportError::from))
        }
        .boxed()
    }

    fn session(&self) -> Option<String> {
        self.http.cookie().map(str::to_owned)
    }

    fn session_was_given_again(&self) -> bool {
        self.http.cookie_was_set_again()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_may_leave_out_what_is_usual() {
        for (url, expected) in [
            ("http://192.168.4.1", "192.168.4.1:80"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("10.0.0.7:81", "10.0.0.7:81"),
        ] {
            let found = SoftAp::find(url).await.expect(url);
            assert_eq!(found.to_string(), expected);
        }
    }

    #[tokio::test]
    async fn an_address_that_is_none_says_why() {
        for (url, why) in [
            ("https://192.168.4.1", "plain http"),
            ("http://", "expected something like"),
            ("http://192.168.4.1/prov-config", "expected something like"),
            ("http://192.168.4.1:http", "no port"),
        ] {
            let error = SoftAp::find(url).await.expect_err(url).to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
