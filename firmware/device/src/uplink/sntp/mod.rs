//! The clock, set by SNTP (RFC 4330).

mod packet;

use alloc::vec;
use core::fmt;

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use factory::Sntp;
use rand_core::RngCore;

use self::packet::{LEN, Reply, ReplyError};
use super::{forever, online};
use crate::board::WallClock;
use crate::resolve::{ResolveError, resolve};

/// Told when the clock has been set.
pub(super) type ClockSet = Signal<NoopRawMutex, ()>;

/// From one synchronisation to the next (ESP-IDF, `CONFIG_LWIP_SNTP_UPDATE_DELAY`).
const UPDATE: Duration = Duration::from_secs(3_600);

/// After a server has sent us away; RFC 4330 §8 wants us to ask less often than before.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Keeps the clock right for ever. `awaited` says whether a task cannot begin before it is set.
pub(super) async fn keep_time<R: RngCore, W: WallClock>(
    stack: Stack<'_>,
    settings: Option<&Sntp>,
    awaited: bool,
    mut random: R,
    wall_clock: &W,
    clock_set: &ClockSet,
) -> ! {
    online(stack).await;
    let Some(settings) = settings else {
        if awaited && wall_clock.now().is_none() {
            log::warn!(target: "app", "Waiting for system time to be set... (no SNTP server is configured)");
        }
        forever().await;
    };
    log::info!(target: "app", "Initializing SNTP");
    let mut failures = 0_u32;
    loop {
        online(stack).await;
        match ask(stack, settings, random.next_u64()).await {
            Ok(unix_us) => {
                wall_clock.set(unix_us);
                log::info!(target: "sntp", "Time is set: {}", unix_us / 1_000_000);
                clock_set.signal(());
                failures = 0;
                Timer::after(UPDATE).await;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                log::warn!(target: "sntp", "{}:{}: {error}", settings.host, settings.port);
                if awaited && wall_clock.now().is_none() {
                    log::warn!(target: "app", "Waiting for system time to be set... ({failures})");
                }
                Timer::after(error.pause(settings)).await;
            }
        }
    }
}

/// Asks once; the answer is the Unix time in µs.
async fn ask(stack: Stack<'_>, settings: &Sntp, nonce: u64) -> Result<u64, SntpError> {
    let limit = Duration::from_millis(settings.timeout_ms.into());
    let server = resolve(stack, &settings.host, limit)
        .await
        .map_err(SntpError::Name)?;
    let (mut rx_meta, mut rx) = ([PacketMetadata::EMPTY; 2], vec![0; 2 * LEN]);
    let (mut tx_meta, mut tx) = ([PacketMetadata::EMPTY; 1], vec![0; LEN]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(0).map_err(|_| SntpError::Unreachable)?;

    let asked_at = Instant::now();
    socket
        .send_to(&packet::request(nonce), (server, settings.port))
        .await
        .map_err(|_| SntpError::Unreachable)?;
    let answer = async {
        let mut bytes = [0; 2 * LEN];
        // Datagrams from elsewhere are no reason to give up.
        loop {
            let Ok((len, from)) = socket.recv_from(&mut bytes).await else {
                continue;
            };
            if from.endpoint.addr == server.into() && from.endpoint.port == settings.port {
                return Reply::read(&bytes[..len], nonce);
            }
        }
    };
    let reply = with_timeout(limit, answer)
        .await
        .map_err(|_| SntpError::Silent(limit))?
        .map_err(SntpError::Reply)?;
    Ok(reply.now_us(asked_at.elapsed().as_micros()))
}

/// Why a server has not told the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SntpError {
    /// Its name has no address.
    Name(ResolveError),
    /// Nothing could be sent.
    Unreachable,
    /// It has not answered in time.
    Silent(Duration),
    /// Its answer is of no use.
    Reply(ReplyError),
}

impl SntpError {
    /// How long to wait before the server is asked again.
    fn pause(&self, settings: &Sntp) -> Duration {
        let retry = Duration::from_millis(settings.retry_ms.into());
        match self {
            Self::Reply(ReplyError::Kiss(_)) => retry.max(REFUSED_PAUSE),
            _ => retry,
        }
    }
}

impl fmt::Display for SntpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "cannot resolve: {error}"),
            Self::Unreachable => f.write_str("cannot send: no route"),
            Self::Silent(limit) => write!(f, "no reply within {} ms", limit.as_millis()),
            Self::Reply(error) => error.fmt(f),
        }
    }
}
