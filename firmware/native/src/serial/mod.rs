//! The board's serial lines: their bytes go over the tether too.

mod hci;
mod uart;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use embassy_sync::waitqueue::WakerRegistration;

pub use hci::{Hci, HciError};
pub use uart::Uart;

/// What has come on a line and nobody has taken yet.
#[derive(Debug)]
struct Received {
    limit: usize,
    queue: RefCell<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: VecDeque<u8>,
    waker: WakerRegistration,
}

impl Received {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            queue: RefCell::default(),
        }
    }

    /// Takes in what has come; what finds no room is lost, as on a UART that overruns.
    fn push(&self, bytes: &[u8]) {
        let mut queue = self.queue.borrow_mut();
        let room = self.limit - queue.bytes.len();
        queue.bytes.extend(bytes.iter().take(room));
        queue.waker.wake();
    }

    /// Waits until `take` finds something in what has come.
    async fn wait<T>(&self, mut take: impl FnMut(&mut VecDeque<u8>) -> Option<T>) -> T {
        poll_fn(|context| {
            let mut queue = self.queue.borrow_mut();
            match take(&mut queue.bytes) {
                Some(taken) => Poll::Ready(taken),
                None => {
                    queue.waker.register(context.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
