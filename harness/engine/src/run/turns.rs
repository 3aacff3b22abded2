//! What phones use of this host, which other runs on it are after, too.

use std::time::{Duration, SystemTime};

use board::lease::{Lease, LeaseError, Leases, Turn};

use super::Case;

/// The turns of one run.
pub(super) struct Turns {
    leases: Option<Leases>,
    /// Our place in the queue, once others had what was wanted.
    queue: Vec<Lease>,
    /// What was said last of whoever has it.
    told: Option<String>,
}

impl Turns {
    pub(super) fn new(leases: Option<Leases>) -> Self {
        Self {
            leases,
            queue: Vec::new(),
            told: None,
        }
    }

    /// What `case` uses for `longest` at most; if another process has it, what is new about that.
    pub(super) fn take(
        &mut self,
        case: &Case,
        longest: Duration,
    ) -> Result<Option<Turn>, Option<String>> {
        let Some(leases) = self.leases.as_ref().filter(|_| !case.phones.is_empty()) else {
            return Ok(None);
        };
        let until = SystemTime::now() + longest;
        let purpose = format!("the phones of {}", case.id);
        let held = match leases.take_turn(&case.phones, &purpose, until, &mut self.queue) {
            Ok(turn) => {
                self.told = None;
                return Ok(Some(turn));
            }
            Err(LeaseError::Held { holder, .. }) => format!(
                "{} waits for what its phones use: process {} has it ({})",
                case.id, holder.pid, holder.purpose
            ),
            // Asked for again as well: that folder is others', too.
            Err(error) => format!("{} waits for what its phones use: {error}", case.id),
        };
        let is_new = self.told.as_ref() != Some(&held);
        self.told = Some(held.clone());
        Err(is_new.then_some(held))
    }
}
