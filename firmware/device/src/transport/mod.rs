//! From a broker's name to an open TCP connection with TLS on it.

mod report;

use core::net::Ipv4Addr;

use embassy_net::Stack;
use embassy_net::tcp::{ConnectError, TcpSocket};
use embassy_time::{Duration, TimeoutError, with_timeout};
use embedded_io_async::{ErrorKind, Read, Write};
use factory::Cloud;

use crate::board::{Tls, TlsClient, TlsFailure};
use crate::bugs::{self, Bug};
use crate::resolve::{ResolveError, resolve};

pub(crate) use self::report::{
    Numbers, log_alert, log_error_event, log_failure, log_read_failure, stack_code,
};

/// Why there is no connection to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Its name has no address.
    Name(ResolveError),
    /// Its TCP port is closed.
    Refused,
    /// TCP got no answer in time.
    ConnectTimedOut,
    /// There is no way to it.
    NoRoute,
    /// TLS failed.
    Tls(TlsFailure),
    /// The TLS handshake did not end in time.
    HandshakeTimedOut,
}

/// Limit for connecting, handshake and each answer.
pub(crate) fn limit(cloud: &Cloud) -> Duration {
    Duration::from_millis(cloud.network_timeout_ms.into())
}

/// The broker's address.
pub(crate) async fn find(stack: Stack<'_>, cloud: &Cloud) -> Result<Ipv4Addr, OpenError> {
    resolve(stack, &cloud.host, limit(cloud))
        .await
        .map_err(OpenError::Name)
}

/// Connects `socket` to the broker.
pub(crate) async fn connect(
    socket: &mut TcpSocket<'_>,
    address: Ipv4Addr,
    cloud: &Cloud,
) -> Result<(), OpenError> {
    // Not the socket's own time-out: smoltcp ends an idle connection by it too.
    match with_timeout(limit(cloud), socket.connect((address, cloud.port))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ConnectError::NoRoute | ConnectError::InvalidState)) => Err(OpenError::NoRoute),
        Ok(Err(ConnectError::ConnectionReset)) => Err(OpenError::Refused),
        Ok(Err(ConnectError::TimedOut)) | Err(TimeoutError) => Err(OpenError::ConnectTimedOut),
    }
}

/// Opens a TLS session on a connected socket, by the rules of factory data.
pub(crate) async fn secure<S: Read + Write, T: Tls>(
    tls: &T,
    socket: S,
    cloud: &Cloud,
    now: Option<u64>,
) -> Result<T::Session<S>, OpenError> {
    let options = TlsClient {
        server_name: &cloud.host,
        authority: &cloud.authority,
        credentials: cloud
            .credentials
            .as_ref()
            .filter(|_| !bugs::is(Bug::ClientCertificateNotSent)),
        check_authority: !bugs::is(Bug::AuthorityNotChecked),
        check_dates: cloud.check_dates && !bugs::is(Bug::DatesNotChecked),
        check_name: cloud.check_name && !bugs::is(Bug::NameNotChecked),
        max_fragment: None,
    };
    with_timeout(limit(cloud), tls.connect(socket, &options, now))
        .await
        .map_err(|TimeoutError| OpenError::HandshakeTimedOut)?
        .map_err(OpenError::Tls)
}

/// Why reading from or writing to an open connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadFailure {
    /// TLS says why.
    Tls(TlsFailure),
    /// The peer has closed the connection.
    Closed,
    /// The connection was reset.
    Reset,
    /// Anything else.
    Other,
}

impl ReadFailure {
    /// From an error's kind, where TLS knows nothing better.
    pub(crate) fn of(kind: ErrorKind, tls: Option<TlsFailure>) -> Self {
        match (tls, kind) {
            (Some(TlsFailure::Reset), _) => Self::Reset,
            (Some(TlsFailure::Closed), _) => Self::Closed,
            (Some(failure), _) => Self::Tls(failure),
            (None, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => Self::Reset,
            (None, ErrorKind::BrokenPipe | ErrorKind::NotConnected | ErrorKind::WriteZero) => {
                Self::Closed
            }
            (None, _) => Self::Other,
        }
    }

    /// lwIP's number for it (`lwip/errno.h`).
    pub(crate) fn errno(&self) -> i32 {
        const ECONNRESET: i32 = 104;
        const ENOTCONN: i32 = 128;
        const EIO: i32 = 5;
        match self {
            Self::Reset => ECONNRESET,
            Self::Closed => ENOTCONN,
            Self::Tls(_) | Self::Other => EIO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tls_knows_comes_before_the_kind() {
        let alert = TlsFailure::AlertReceived(116);
        assert_eq!(
            ReadFailure::of(ErrorKind::Other, Some(alert.clone())),
            ReadFailure::Tls(alert)
        );
        assert_eq!(
            ReadFailure::of(ErrorKind::Other, Some(TlsFailure::Reset)),
            ReadFailure::Reset
        );
        assert_eq!(
            ReadFailure::of(ErrorKind::ConnectionReset, None),
            ReadFailure::Reset
        );
        assert_eq!(
            ReadFailure::of(ErrorKind::BrokenPipe, None),
            ReadFailure::Closed
        );
        assert_eq!(
            ReadFailure::of(ErrorKind::InvalidData, None),
            ReadFailure::Other
        );
    }
}
