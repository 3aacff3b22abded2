//! The serial lines of a device.

use std::future::pending;

use tokio::io::AsyncReadExt;

use crate::wire::BoardEnd;

/// Bytes taken from a wire at once.
const CHUNK: usize = 4096;

/// The wires that are plugged in.
#[derive(Clone, Debug, Default)]
pub(super) struct Wires {
    /// At the UART.
    pub(super) console: Option<BoardEnd>,
    /// At the Bluetooth controller's interface.
    pub(super) hci: Option<BoardEnd>,
}

impl Wires {
    /// The device has power, or has none.
    pub(super) fn set_power(&self, on: bool) {
        for wire in self.console.iter().chain(&self.hci) {
            wire.set_power(on);
        }
    }

    /// Passes on what leaves the UART.
    pub(super) fn say(&self, bytes: &[u8]) {
        if let Some(wire) = &self.console {
            wire.send(bytes);
        }
    }

    /// Passes on what leaves for the Bluetooth controller.
    pub(super) fn say_hci(&self, bytes: &[u8]) {
        if let Some(wire) = &self.hci {
            wire.send(bytes);
        }
    }
}

/// What comes next on a wire; waits for ever if there is none. Cancel safe.
pub(super) async fn read(wire: &mut Option<BoardEnd>) -> Vec<u8> {
    let Some(plugged) = wire else {
        return pending().await;
    };
    let mut chunk = vec![0; CHUNK];
    match plugged.read(&mut chunk).await {
        Ok(length @ 1..) => {
            chunk.truncate(length);
            chunk
        }
        _ => {
            *wire = None;
            pending().await
        }
    }
}
