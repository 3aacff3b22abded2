//! Cases that are known not to pass, for a while.

use serde::{Deserialize, Serialize};

/// Why a case's verdict does not count, who sees to it, and until when. It is run and reported nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Who sees to it.
    pub owner: String,
    /// Why it does not pass.
    pub reason: String,
    /// The last day on which it counts, as `2026-12-31`.
    pub until: String,
    /// Whether that day was over when the run began: then the case counts again.
    #[serde(default)]
    pub expired: bool,
}

impl Quarantine {
    /// In a few words.
    pub fn told(&self) -> String {
        let Self {
            owner,
            reason,
            until,
            expired,
        } = self;
        match expired {
            true => format!("its quarantine ended on {until}: {reason} ({owner})"),
            false => format!("in quarantine until {until}: {reason} ({owner})"),
        }
    }
}
