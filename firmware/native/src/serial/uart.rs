//! The UART.

use std::convert::Infallible;
use std::rc::Rc;

use airlink::tether::FromDevice;
use embedded_io_async::{ErrorType, Read, Write};

use super::Received;
use crate::Tether;

/// More than any firmware leaves unread.
const RECEIVE_BUFFER: usize = 4096;
/// Bytes sent at once.
const CHUNK: usize = 4096;

/// A UART whose other end is in the lab; clones are the same UART.
#[derive(Clone, Debug)]
pub struct Uart {
    tether: Rc<Tether>,
    received: Rc<Received>,
}

impl Uart {
    /// The UART on this tether.
    pub fn new(tether: &Rc<Tether>) -> Self {
        Self {
            tether: tether.clone(),
            received: Rc::new(Received::new(RECEIVE_BUFFER)),
        }
    }

    /// Takes bytes from the lab.
    pub fn receive(&self, bytes: &[u8]) {
        self.received.push(bytes);
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.received.wait(|bytes| {
            let length = bytes.len().min(buffer.len());
            for (place, byte) in buffer.iter_mut().zip(bytes.drain(..length)) {
                *place = byte;
            }
            (length > 0).then_some(length)
        });
        Ok(length.await)
    }
}

impl Write for Uart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let length = bytes.len().min(CHUNK);
        if length > 0 {
            let sent = bytes[..length].to_vec();
            self.tether.send(&FromDevice::Console(sent));
        }
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
