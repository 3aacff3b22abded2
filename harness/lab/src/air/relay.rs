//! Joining a connection on the air with one of the host.

use std::io;
use std::time::Duration;

use clock::Clock;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::connection::Connection;

const BUFFER: usize = 16 * 1024;
/// How long a connection may take to open on the air, in lab time.
pub(super) const OPENING: Duration = Duration::from_secs(15);
/// What the host sent before its reset may take so long to cross the air.
const DRAINING: Duration = Duration::from_secs(1);

/// How a pair of connections ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelayEnd {
    /// Both directions were closed in order.
    Closed,
    /// The end on the air was reset.
    AirReset,
    /// The host's end was reset.
    HostReset,
    /// The network on the air is gone.
    NetworkGone,
}

/// Carries bytes both ways until both directions are closed. Each direction closes by itself; a
/// reset on one side becomes a reset on the other.
pub(super) async fn relay(air: Connection, mut host: TcpStream, clock: &Clock) -> RelayEnd {
    // Delays of the host's own stack would only cost time.
    let _ = host.set_nodelay(true);
    let end = {
        let (reader, mut writer) = host.split();
        let both = async {
            tokio::try_join!(
                to_host(&air, &mut writer, clock),
                to_air(&reader, &air, clock),
            )
        };
        tokio::select! {
            biased;
            done = both => done.map_or_else(|end| end, |_| RelayEnd::Closed),
            error = std::future::poll_fn(|cx| air.poll_broken(cx)) => air_end(&error),
            // A reset that comes when there is nothing left to read shows only here.
            _ = reader.ready(Interest::ERROR) => RelayEnd::HostReset,
        }
    };
    clock.touch();
    match end {
        RelayEnd::Closed => return end,
        RelayEnd::HostReset => {
            let drained = std::future::poll_fn(|cx| air.poll_drained(cx));
            // What does not get through in time is lost, as with any reset.
            let _ = clock.timeout(DRAINING, drained).await;
        }
        RelayEnd::AirReset | RelayEnd::NetworkGone => reset(&host),
    }
    air.abort();
    end
}

/// Has the host's end closed by a reset as soon as it is dropped.
pub(super) fn reset(host: &TcpStream) {
    // Refused only for a connection that is gone already.
    let _ = host.set_zero_linger();
}

async fn to_host(
    air: &Connection,
    host: &mut WriteHalf<'_>,
    clock: &Clock,
) -> Result<(), RelayEnd> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = std::future::poll_fn(|cx| air.poll_receive(cx, &mut buffer)).await;
        let read = read.map_err(|error| air_end(&error))?;
        clock.touch();
        if read == 0 {
            // A service that has gone meanwhile is noticed by the other direction.
            let _ = host.shutdown().await;
            return Ok(());
        }
        host.write_all(&buffer[..read])
            .await
            .map_err(|_| RelayEnd::HostReset)?;
        clock.touch();
    }
}

async fn to_air(host: &ReadHalf<'_>, air: &Connection, clock: &Clock) -> Result<(), RelayEnd> {
    let mut buffer = vec![0; BUFFER];
    loop {
        host.readable().await.map_err(|_| RelayEnd::HostReset)?;
        let read = match host.try_read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            read => read.map_err(|_| RelayEnd::HostReset)?,
        };
        clock.touch();
        if read == 0 {
            air.finish();
            return Ok(());
        }
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let sent = std::future::poll_fn(|cx| air.poll_send(cx, rest)).await;
            rest = &rest[sent.map_err(|error| air_end(&error))?..];
        }
    }
}

fn air_end(error: &io::Error) -> RelayEnd {
    match error.kind() {
        io::ErrorKind::NetworkDown => RelayEnd::NetworkGone,
        _ => RelayEnd::AirReset,
    }
}
