//! From a board's name to what reaches it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use board::lease::{Lease, Leases};
use board::power::{CommandSwitch, PowerSwitch, SwitchCommands};
use board::rig::{DEFAULT_FILE, Rig, RigBoard};
use clock::Clock;
use engine::attempt::{BoardAccess, board_access};

use super::HardwareError;
use super::arguments::OneBoard;

/// The emulated board's name.
pub(super) const QEMU: &str = "qemu";
/// A command that outlives this has lost its board.
pub(crate) const LEASE: Duration = Duration::from_secs(24 * 3600);

/// A board that is ours until this is dropped.
pub(super) struct Open {
    /// What the user called it.
    pub name: String,
    /// How it is reached.
    pub access: BoardAccess,
    /// What switches its power.
    power: Option<SwitchCommands>,
    /// Keeps others away from a real board.
    _lease: Option<Lease>,
    /// Keeps an emulated one alive.
    _emulated: Option<super::emulated::Emulated>,
}

/// What an emulated board keeps in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// What the last command left there.
    Flash,
    /// Nothing.
    Nothing,
}

impl Open {
    /// Opens the board of `which` for the command `purpose`. `image` is the image that the user
    /// named.
    pub fn new(
        which: &OneBoard,
        image: Option<&Path>,
        purpose: &str,
        keep: Keep,
    ) -> Result<Self, HardwareError> {
        let name = &which.board;
        if name == QEMU {
            return Self::emulated(image, keep);
        }
        let board = find(name, &which.rig.path)?;
        let until = SystemTime::now() + LEASE;
        let lease = Leases::open()?.take(&board.identity(), purpose, until)?;
        Ok(Self {
            name: name.clone(),
            access: board_access(&board, image)?,
            power: board.power,
            _lease: Some(lease),
            _emulated: None,
        })
    }

    fn emulated(image: Option<&Path>, keep: Keep) -> Result<Self, HardwareError> {
        let (emulated, settings) = super::emulated::start(image, keep)?;
        Ok(Self {
            name: QEMU.to_owned(),
            access: BoardAccess::Probe(Box::new(settings)),
            power: None,
            _lease: None,
            _emulated: Some(emulated),
        })
    }

    /// What switches its power, if the rig has a switch for it.
    pub fn switch(&self, clock: &Clock) -> Option<Box<dyn PowerSwitch>> {
        let commands = self.power.clone()?;
        Some(Box::new(CommandSwitch::new(commands, clock.clone())))
    }

    /// Gives power to a board that has a switch, for commands that only reach it then.
    pub fn power_on(&self) -> Result<(), HardwareError> {
        if self.power.is_none() {
            return Ok(());
        }
        super::runtime()?.block_on(async {
            let clock = Clock::start(1.0);
            if let Some(mut switch) = self.switch(&clock) {
                switch.switch(board::Power::On).await?;
            }
            Ok::<(), HardwareError>(())
        })
    }
}

/// The board of this name in the rig file.
pub(super) fn find(name: &str, rig: &Path) -> Result<RigBoard, HardwareError> {
    find_in_rig(name, rig).map(|(_, board)| board)
}

/// The same, with its rig.
pub(crate) fn find_in_rig(name: &str, rig: &Path) -> Result<(Rig, RigBoard), HardwareError> {
    // Without a rig there are the boards that need none.
    let found = match rig.exists() || rig != Path::new(DEFAULT_FILE) {
        true => Rig::read(rig)?,
        false => Rig::default(),
    };
    if let Some(board) = found.boards.get(name).cloned() {
        return Ok((found, board));
    }
    let mut known: Vec<&str> = found.boards.keys().map(String::as_str).collect();
    known.insert(0, QEMU);
    let known = match known[..] {
        [only] => format!("{only}; `proving boards init` writes a rig file for real ones"),
        _ => known.join(", "),
    };
    Err(HardwareError::UnknownBoard {
        name: name.to_owned(),
        rig: rig.to_owned(),
        known,
    })
}
