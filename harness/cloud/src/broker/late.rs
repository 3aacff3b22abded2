//! Answers that a fault holds back.

use std::collections::VecDeque;

use clock::{Clock, LabTime};

use crate::packet::Encoder;

/// Answers held back at most; of more the first ones are sent early.
const MOST: usize = 1000;

type Write = Box<dyn FnOnce(&mut Encoder) + Send + Sync>;

/// Answers in the order in which they are due.
#[derive(Default)]
pub(super) struct Late(VecDeque<(LabTime, Write)>);

impl Late {
    /// Holds an answer back until `due`.
    pub(super) fn hold(
        &mut self,
        due: LabTime,
        write: impl FnOnce(&mut Encoder) + Send + Sync + 'static,
    ) {
        // The delay may have changed meanwhile.
        let at = self.0.partition_point(|(other, _)| *other <= due);
        self.0.insert(at, (due, Box::new(write)));
    }

    /// The next answer that is due.
    pub(super) fn due(&mut self, now: LabTime) -> Option<Write> {
        let is_due = self.0.front().is_some_and(|(due, _)| *due <= now);
        let answer = (is_due || self.0.len() > MOST).then(|| self.0.pop_front());
        answer.flatten().map(|(_, write)| write)
    }

    /// Ends when an answer is due; never without one. Cancel safe.
    pub(super) async fn wait(&self, clock: &Clock) {
        match self.0.front() {
            Some((due, _)) => clock.sleep_until(*due).await,
            None => std::future::pending().await,
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
