//! Frames that wait for their receiver.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Frames that may wait at once; what comes on top is lost, as on any radio.
const CAPACITY: usize = 512;

/// Frames on their way to one receiver.
#[derive(Debug, Default)]
pub(super) struct FrameQueue {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Vec<u8>>,
    closed: bool,
}

impl FrameQueue {
    /// Appends a frame unless the queue is full or closed. Whether it was appended.
    pub(super) fn push(&self, frame: Vec<u8>) -> bool {
        self.append(frame, CAPACITY)
    }

    /// Appends what must not be lost, such as a notice; there are few of these.
    pub(super) fn push_anyway(&self, frame: Vec<u8>) -> bool {
        self.append(frame, usize::MAX)
    }

    fn append(&self, frame: Vec<u8>, capacity: usize) -> bool {
        let mut state = self.state();
        if state.closed || state.frames.len() >= capacity {
            return false;
        }
        state.frames.push_back(frame);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// The next frame, if one waits.
    pub(super) fn try_pop(&self) -> Option<Vec<u8>> {
        self.state().frames.pop_front()
    }

    /// The next frame. Cancel safe; for one receiver.
    pub(super) async fn pop(&self) -> Vec<u8> {
        loop {
            if let Some(frame) = self.try_pop() {
                return frame;
            }
            self.arrived.notified().await;
        }
    }

    /// Ends when something may have arrived, or the queue was closed.
    pub(super) async fn changed(&self) {
        self.arrived.notified().await;
    }

    /// Makes [`Self::changed`] end.
    pub(super) fn poke(&self) {
        self.arrived.notify_one();
    }

    /// Forgets what waits.
    pub(super) fn clear(&self) {
        self.state().frames.clear();
    }

    /// Takes nothing any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_one();
    }

    /// Whether it takes nothing any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
