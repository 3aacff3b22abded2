//! The time server as others hold it.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use trace::Trace;

use super::message::{LENGTH, Request, answer, kiss_of_death, question};
use super::{TimeAnswered, TimeGarbage, TimeKept};

/// Bytes of garbage that are shown.
const SHOWN: usize = 64;
/// For the whole probe, in lab time.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the time server does wrong on purpose; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SntpFaults {
    /// It answers nothing.
    pub silent: bool,
    /// It tells a time that is wrong by so many seconds.
    pub offset_s: i64,
    /// It sends clients away with this code, such as `*b"RATE"` or `*b"DENY"`.
    pub kiss_of_death: Option<[u8; 4]>,
    /// It announces a leap second at the end of the day, which makes its answer no worse: leap indicator 1
    /// (RFC 4330 §4).
    pub announces_leap_second: bool,
    /// Its answer is no answer.
    pub unusable: Option<Unusable>,
}

/// Why an answer of the time server is none. What it tells is an hour wrong besides, so that a client
/// that takes it shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It says that its own clock is not set: leap indicator 3 (RFC 4330 §4).
    Unsynchronised,
    /// It does not belong to the request: another originate timestamp (§5).
    AnotherRequest,
    /// It belongs to no request: the originate timestamp is 0 (§5).
    NoRequest,
    /// It is not in the mode of a server (§4).
    AnotherMode,
    /// Its stratum is 16: unsynchronised (RFC 5905 §7.3).
    StratumSixteen,
    /// It is shorter than 48 bytes.
    CutShort,
    /// It does not say when it was sent: the transmit timestamp is 0 (§5).
    NoTime,
}

/// By so many seconds an unusable answer is wrong.
const USED_ALL_THE_SAME_S: i64 = -3600;

/// A running time server, on loopback unless it has to be elsewhere. Ends when it is dropped.
pub struct Sntp {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

struct Shared {
    trace: Trace,
    faults: Mutex<SntpFaults>,
    /// Ports from which probes of our own come.
    probes: Mutex<HashSet<SocketAddr>>,
}

impl Sntp {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(trace: Trace, faults: SntpFaults) -> Result<Self, SntpError> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), trace, faults).await
    }

    /// Listens at `address`. Every client that reaches it is answered: the time is no secret.
    pub async fn start_at(
        address: SocketAddr,
        trace: Trace,
        faults: SntpFaults,
    ) -> Result<Self, SntpError> {
        let wrap = |source| SntpError { address, source };
        let socket = UdpSocket::bind(address).await.map_err(wrap)?;
        let address = socket.local_addr().map_err(wrap)?;
        let shared = Arc::new(Shared {
            trace,
            faults: Mutex::new(faults),
            probes: Mutex::default(),
        });
        let server = tokio::spawn(serve(socket, shared.clone()));
        Ok(Self {
            shared,
            address,
            server,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does wrong at present.
    pub fn faults(&self) -> SntpFaults {
        *lock(&self.shared.faults)
    }

    /// Changes what it does wrong.
    pub fn set_faults(&self, faults: SntpFaults) {
        *lock(&self.shared.faults) = faults;
    }

    /// Proves that it answers. Leaves no trace, and is blind to faults.
    pub async fn probe(&self) -> Result<(), SntpProbeError> {
        let clock = self.shared.trace.clock();
        let probing = async {
            let socket = UdpSocket::bind((self.address.ip(), 0)).await?;
            let own = socket.local_addr()?;
            lock(&self.shared.probes).insert(own);
            let asked = ask(&socket, self.address).await;
            lock(&self.shared.probes).remove(&own);
            asked
        };
        let timeout = |elapsed| Err(io::Error::new(io::ErrorKind::TimedOut, elapsed));
        clock
            .timeout(PATIENCE, probing)
            .await
            .unwrap_or_else(timeout)
            .map_err(|source| SntpProbeError {
                address: self.address,
                source,
            })
    }
}

impl Drop for Sntp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn ask(socket: &UdpSocket, server: SocketAddr) -> io::Result<()> {
    let mark = *b"proving?";
    socket.send_to(&question(mark), server).await?;
    let mut reply = [0; 64];
    let (length, _) = socket.recv_from(&mut reply).await?;
    if length == LENGTH && reply[24..32] == mark {
        return Ok(());
    }
    Err(io::Error::other(
        "the answer does not belong to the request",
    ))
}

async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut datagram = [0; 512];
    loop {
        match socket.recv_from(&mut datagram).await {
            Ok((length, peer)) => {
                shared.trace.clock().touch();
                if let Some(reply) = shared.deal_with(&datagram[..length], peer) {
                    // A client that is gone needs no answer.
                    let _ = socket.send_to(&reply, peer).await;
                }
            }
            // An earlier answer reached no client; the next datagram may be good.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

impl Unusable {
    fn name(self) -> &'static str {
        match self {
            Self::Unsynchronised => "unsynchronised",
            Self::AnotherRequest => "another request's",
            Self::NoRequest => "no request's",
            Self::AnotherMode => "another mode's",
            Self::StratumSixteen => "stratum 16",
            Self::CutShort => "cut short",
            Self::NoTime => "no time",
        }
    }

    fn spoil(self, reply: &mut Vec<u8>) {
        match self {
            Self::Unsynchronised => reply[0] |= 3 << 6,
            Self::AnotherRequest => reply[24..32].iter_mut().for_each(|byte| *byte = !*byte),
            Self::NoRequest => reply[24..32].fill(0),
            // That of a client.
            Self::AnotherMode => reply[0] = reply[0] & !7 | 3,
            Self::StratumSixteen => reply[1] = 16,
            Self::CutShort => reply.truncate(LENGTH - 1),
            Self::NoTime => reply[40..48].fill(0),
        }
    }
}

impl Shared {
    fn deal_with(&self, datagram: &[u8], peer: SocketAddr) -> Option<Vec<u8>> {
        let request = match Request::read(datagram) {
            Ok(request) => request,
            Err(reason) => {
                let event = TimeGarbage {
                    peer: peer.to_string(),
                    reason: reason.to_owned(),
                    hex: hex::encode(&datagram[..datagram.len().min(SHOWN)]),
                };
                self.trace.emit(None, &event);
                return None;
            }
        };
        let now = self.trace.clock().unix_now();
        if lock(&self.probes).contains(&peer) {
            return Some(answer(&request, now).to_vec());
        }
        let faults = *lock(&self.faults);
        let version = request.version;
        if faults.silent {
            let peer = peer.to_string();
            self.trace.emit(None, &TimeKept { peer, version });
            return None;
        }
        let offset_s = match faults.unusable {
            Some(_) => USED_ALL_THE_SAME_S,
            None => faults.offset_s,
        };
        let told = shifted(now, offset_s);
        self.trace.emit(
            None,
            &TimeAnswered {
                peer: peer.to_string(),
                version,
                unix_s: told.as_secs(),
                offset_s,
                kiss_of_death: faults
                    .kiss_of_death
                    .map(|code| String::from_utf8_lossy(&code).into_owned()),
                unusable: faults.unusable.map(|why| why.name().to_owned()),
            },
        );
        let mut reply = match faults.kiss_of_death {
            Some(code) => kiss_of_death(&request, code),
            None => answer(&request, told),
        }
        .to_vec();
        if faults.announces_leap_second {
            reply[0] |= 1 << 6;
        }
        if let Some(unusable) = faults.unusable {
            unusable.spoil(&mut reply);
        }
        Some(reply)
    }
}

/// `now` moved by `offset` seconds, not before 1970.
fn shifted(now: Duration, offset: i64) -> Duration {
    let by = Duration::from_secs(offset.unsigned_abs());
    if offset < 0 {
        now.saturating_sub(by)
    } else {
        now.saturating_add(by)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("failed to bind the UDP port {address} for the time server")]
pub struct SntpError {
    address: SocketAddr,
    source: io::Error,
}

/// The time server does not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("the time server at {address} failed a probe")]
pub struct SntpProbeError {
    address: SocketAddr,
    source: io::Error,
}
