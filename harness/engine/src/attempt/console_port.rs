//! The UART of a real board's console.

use std::time::Duration;

use board::serial::{Channel, Dial, HostPort, LogConsole};
use clock::Clock;
use lab::wire::BoardEnd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes moved at once.
const CHUNK: usize = 4096;
/// A port that belongs to the board comes back after its power does.
const RETRY: Duration = Duration::from_millis(100);

/// Carries bytes between `port`, which is open as `channel`, and the lab, until the lab lets go of
/// the wire. A port that goes away is opened again.
pub async fn carry(port: HostPort, channel: Box<dyn Channel>, mut wire: BoardEnd, clock: Clock) {
    wire.set_power(true);
    let mut open = Some(channel);
    loop {
        if let Some(channel) = open.take()
            && let Ended::ByLab = exchange(channel, &mut wire).await
        {
            return;
        }
        clock.sleep(RETRY).await;
        open = port.dial(&clock).await.ok();
    }
}

/// Carries bytes between a console that is where the board's log is, and the lab.
pub async fn carry_on_the_log(mut console: LogConsole, mut wire: BoardEnd) {
    wire.set_power(true);
    let mut typed = vec![0; CHUNK];
    loop {
        tokio::select! {
            printed = console.printed() => match printed {
                Some(printed) => wire.send(&printed),
                None => return,
            },
            read = wire.read(&mut typed) => match read {
                Ok(length @ 1..) if console.type_in(&typed[..length]).await => {}
                _ => return,
            },
        }
    }
}

enum Ended {
    /// The lab's end is closed.
    ByLab,
    /// The port is gone.
    ByPort,
}

async fn exchange(channel: Box<dyn Channel>, wire: &mut BoardEnd) -> Ended {
    let (mut reader, mut writer) = tokio::io::split(channel);
    let mut printed = vec![0; CHUNK];
    let mut typed = vec![0; CHUNK];
    loop {
        tokio::select! {
            read = reader.read(&mut printed) => match read {
                Ok(length @ 1..) => wire.send(&printed[..length]),
                _ => return Ended::ByPort,
            },
            read = wire.read(&mut typed) => match read {
                Ok(length @ 1..) => {
                    if writer.write_all(&typed[..length]).await.is_err() {
                        return Ended::ByPort;
                    }
                }
                _ => return Ended::ByLab,
            },
        }
    }
}
