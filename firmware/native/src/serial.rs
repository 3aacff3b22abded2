//! The board's serial lines, console and Bluetooth controller: their bytes go over the tether.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use airlink::h4;
use airlink::tether::FromDevice;
use embassy_sync::waitqueue::WakerRegistration;
use embedded_io_async::{ErrorType, Read, Write};
use virtual_parts::H4;

use crate::Tether;

/// More than any firmware leaves unread on its console.
const CONSOLE_ROOM: usize = 4096;
/// More than the host's buffers allow a controller to have under way.
const HCI_ROOM: usize = 2 * h4::MAX_PACKET;
/// Bytes sent in one message; an HCI packet fits whole.
const CHUNK: usize = 8 * 1024;

/// The host controller interface: HCI packets on a serial line.
pub type Hci = H4<Uart, Uart>;

/// The host controller interface on this line.
pub fn hci(line: &Uart) -> Hci {
    H4::new(line.clone(), line.clone())
}

/// A UART whose other end is in the lab; clones are the same UART. Reads are cancel safe.
#[derive(Clone, Debug)]
pub struct Uart {
    tether: Rc<Tether>,
    received: Rc<RefCell<Received>>,
    message: fn(Vec<u8>) -> FromDevice,
}

/// Bytes that have come and wait for a read.
#[derive(Debug)]
struct Received {
    room: usize,
    bytes: VecDeque<u8>,
    waker: WakerRegistration,
}

impl Uart {
    /// The console's UART on this tether.
    pub fn console(tether: &Rc<Tether>) -> Self {
        Self::new(tether, CONSOLE_ROOM, FromDevice::Console)
    }

    /// The UART that leads to the Bluetooth controller on this tether.
    pub fn hci(tether: &Rc<Tether>) -> Self {
        Self::new(tether, HCI_ROOM, FromDevice::Hci)
    }

    fn new(tether: &Rc<Tether>, room: usize, message: fn(Vec<u8>) -> FromDevice) -> Self {
        let received = Received {
            room,
            bytes: VecDeque::new(),
            waker: WakerRegistration::new(),
        };
        Self {
            tether: tether.clone(),
            received: Rc::new(RefCell::new(received)),
            message,
        }
    }

    /// Takes bytes from the lab; what finds no room is lost, as on a UART that overruns.
    pub fn receive(&self, bytes: &[u8]) {
        let mut received = self.received.borrow_mut();
        let room = received.room - received.bytes.len();
        received.bytes.extend(bytes.iter().take(room));
        received.waker.wake();
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
        poll_fn(|context| {
            let mut received = self.received.borrow_mut();
            let length = received.bytes.len().min(buffer.len());
            if length == 0 {
                received.waker.register(context.waker());
                return Poll::Pending;
            }
            for (place, byte) in buffer.iter_mut().zip(received.bytes.drain(..length)) {
                *place = byte;
            }
            Poll::Ready(Ok(length))
        })
        .await
    }
}

impl Write for Uart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let length = bytes.len().min(CHUNK);
        if length > 0 {
            self.tether.send(&(self.message)(bytes[..length].to_vec()));
        }
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
