//! The one loop of the process.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use airlink::tether::{FromDevice, ToDevice, ToDeviceBody};

use crate::time;
use crate::{Tether, TetherEnd};

/// A future that keeps waking itself lets the tether be looked at this often.
const ROUNDS_WITHOUT_INPUT: u32 = 16;

/// Runs `future` to its end; what the tether brings goes to `on_body`.
///
/// When the future waits, the lab is told so, with the moment of the next timer; then the thread
/// sleeps in a read of the tether, without a limit, because the lab will send the time.
pub fn block_on<F: Future>(
    tether: &Tether,
    mut on_body: impl FnMut(ToDeviceBody),
    future: F,
) -> Result<F::Output, TetherEnd> {
    let mut take = |messages: Vec<ToDevice>| {
        for message in messages {
            time::set(message.now_us);
            on_body(message.body);
        }
    };
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let mut rounds = 0;
    loop {
        time::fire_expired();
        if woken.take() {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                tether.flush()?;
                return Ok(output);
            }
            rounds += 1;
            if rounds % ROUNDS_WITHOUT_INPUT == 0 {
                tether.flush()?;
                take(tether.receive(false)?);
            }
            continue;
        }
        let until_us = time::next_deadline();
        if until_us.is_some_and(|until| until <= time::now_us()) {
            continue;
        }
        tether.send(&FromDevice::Idle {
            until_us,
            consumed: tether.consumed(),
        });
        tether.flush()?;
        take(tether.receive(true)?);
    }
}

struct Woken(AtomicBool);

impl Woken {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Acquire)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
