//! What time ends: sessions whose clients stay away, and the delay of their wills (MQTT 5
//! §3.1.2.11.2, §3.1.3.2.2).

use std::sync::Arc;

use clock::LabTime;

use super::core::Core;
use crate::packet::Will;

impl Core {
    /// Ends sessions and publishes wills when they are due, for ever.
    pub(super) async fn expire(self: Arc<Self>) {
        loop {
            let changed = self.deadlines.notified();
            let (due, next) = self.take_due();
            for (client, will) in due {
                self.publish_will(&client, will).await;
            }
            match next {
                Some(next) => tokio::select! {
                    () = changed => {}
                    () = self.clock.sleep_until(next) => {}
                },
                None => changed.await,
            }
        }
    }

    /// Removes the sessions that are over. The wills that are due, and the next deadline.
    fn take_due(&self) -> (Vec<(String, Will)>, Option<LabTime>) {
        let now = self.clock.now();
        let (mut due, mut next) = (Vec::new(), None::<LabTime>);
        let mut later = |at: LabTime| next = Some(next.map_or(at, |next| next.min(at)));
        self.state().sessions.retain(|client, entry| {
            if entry.attached.is_some() {
                return true;
            }
            let over = entry.ends.is_some_and(|at| at <= now);
            match entry.will.take() {
                Some((at, will)) if over || at <= now => due.push((client.clone(), will)),
                Some((at, will)) => {
                    later(at);
                    entry.will = Some((at, will));
                }
                None => {}
            }
            if over {
                entry.room.notify_waiters();
            } else if let Some(at) = entry.ends {
                later(at);
            }
            !over
        });
        (due, next)
    }
}
