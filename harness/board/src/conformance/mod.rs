//! What every [`Board`] owes, checked on boards that a test has set up.
//!
//! [`check`] runs the same rules over each of them: a [`Bench`] makes a new board for each firmware
//! that the rules need. A rule that a board does not keep is a [`Departure`].

mod rules;
mod watched;

use std::any::Any;
use std::fmt;

use futures_util::future::BoxFuture;
use trace::Trace;

use crate::Board;
use watched::Watched;

/// What the firmware on the board does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// Says [`Subject::first`] and nothing else that holds it, then perhaps more.
    Talks,
    /// Writes more than [`CUT_AFTER`] bytes to storage some time after its start.
    Writes,
    /// Restarts itself at least once after its first line.
    Restarts,
    /// Panics, and does nothing any more.
    Panics,
}

impl Firmware {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Talks, Self::Writes, Self::Restarts, Self::Panics];
}

/// After so many bytes of a write the power is cut.
pub const CUT_AFTER: u64 = 5;

/// A new board, which was never started.
pub struct Subject {
    /// The board.
    pub board: Box<dyn Board>,
    /// Its trace.
    pub trace: Trace,
    /// Factory data with which the firmware does what it is for; given to boards that take some.
    pub factory: Vec<u8>,
    /// Stands in the first line of each start.
    pub first: &'static str,
    /// What its storage is, if it has any.
    pub storage: Storage,
    /// What lives as long as the board.
    pub keep: Box<dyn Any + Send>,
}

/// What a board's storage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// So many bytes; those that are erased read as 0xFF.
    Flash,
    /// A folder of files, of which a new board has some; it reads as nothing once it is erased.
    Folder,
}

/// What makes boards of one kind.
pub trait Bench {
    /// A new board on which this firmware will run; nothing, if boards of this kind cannot be made
    /// to run it.
    fn set_up(&mut self, firmware: Firmware) -> BoxFuture<'_, Option<Subject>>;
}

/// A rule that a board does not keep.
#[derive(Debug, thiserror::Error)]
#[error("with a firmware that {firmware}: {rule}, but {what}")]
pub struct Departure {
    /// What the firmware does.
    pub firmware: Firmware,
    /// The rule.
    pub rule: &'static str,
    /// What came instead, with the events since the step before.
    pub what: String,
}

/// Checks every rule for which `bench` has boards. Gives the firmwares with which that was.
pub async fn check(bench: &mut dyn Bench) -> Result<Vec<Firmware>, Departure> {
    let mut checked = Vec::new();
    for firmware in Firmware::ALL {
        let Some(mut subject) = bench.set_up(firmware).await else {
            continue;
        };
        let mut watched = Watched::new(firmware, &mut subject);
        match firmware {
            Firmware::Talks => rules::power(&mut watched).await?,
            Firmware::Writes => rules::cut(&mut watched).await?,
            Firmware::Restarts => rules::restart(&mut watched).await?,
            Firmware::Panics => rules::panic(&mut watched).await?,
        }
        checked.push(firmware);
    }
    Ok(checked)
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Talks => "talks",
            Self::Writes => "writes to storage",
            Self::Restarts => "restarts itself",
            Self::Panics => "panics",
        })
    }
}
