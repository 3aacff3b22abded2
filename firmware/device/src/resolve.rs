//! From a host name to an IPv4 address.

use core::fmt;
use core::net::Ipv4Addr;

use embassy_net::dns::{DnsQueryType, Error as DnsError};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, with_timeout};

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResolveError {
    /// It is no name.
    Invalid,
    /// The server says that there is no such name, or no server answers it.
    NotFound,
    /// No answer came in time.
    TimedOut,
}

impl ResolveError {
    /// What lwIP's `getaddrinfo` would return (`lwip/netdb.h`).
    pub(crate) fn getaddrinfo_code(self) -> i32 {
        const EAI_NONAME: i32 = 200;
        const EAI_FAIL: i32 = 202;
        match self {
            Self::Invalid => EAI_NONAME,
            Self::NotFound | Self::TimedOut => EAI_FAIL,
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "not a host name",
            Self::NotFound => "no such host",
            Self::TimedOut => "no answer from the DNS server",
        })
    }
}

/// The first IPv4 address of `host`, which may also be a dotted address.
pub(crate) async fn resolve(
    stack: Stack<'_>,
    host: &str,
    limit: Duration,
) -> Result<Ipv4Addr, ResolveError> {
    let addresses = with_timeout(limit, stack.dns_query(host, DnsQueryType::A))
        .await
        .map_err(|_| ResolveError::TimedOut)?
        .map_err(|error| match error {
            DnsError::InvalidName | DnsError::NameTooLong => ResolveError::Invalid,
            DnsError::Failed => ResolveError::NotFound,
        })?;
    addresses
        .iter()
        .map(|IpAddress::Ipv4(address)| *address)
        .next()
        .ok_or(ResolveError::NotFound)
}
