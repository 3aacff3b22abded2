//! What a UART is to a board: bytes both ways, and perhaps control lines.

use std::io;

use clock::Clock;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::PortError;
use crate::rig::{ControlLine, Wire};

/// The control lines of a UART. A pty and a socket have none.
pub trait ControlLines: Send {
    /// Sets one of them.
    fn set(&mut self, wire: Wire, asserted: bool) -> io::Result<()>;
}

/// An open UART.
pub trait Channel: AsyncRead + AsyncWrite + Send + Unpin {
    /// Its control lines, if it can have any.
    fn control_lines(&mut self) -> Option<&mut dyn ControlLines>;
}

/// What opens a UART, as often as it goes away.
pub trait Dial: Send + Sync {
    /// What people call it.
    fn port(&self) -> String;

    /// Opens it. `clock` bounds that.
    fn dial<'d>(&'d self, clock: &'d Clock) -> BoxFuture<'d, Result<Box<dyn Channel>, PortError>>;
}

/// Which control line does what to the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wiring {
    pub reset: Option<ControlLine>,
    pub boot: Option<ControlLine>,
}

/// What the board is to be told by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hold {
    /// Stay in reset.
    pub reset: bool,
    /// Start the loader when coming out of it.
    pub boot: bool,
}

impl Wiring {
    /// Tells the board. Lines that nothing is known of are left alone where none is known, since
    /// some firmware sends only while DTR is asserted. Beside one that is known the other is
    /// released: on ESP32 boards, both together do nothing.
    pub fn apply(self, lines: &mut dyn ControlLines, hold: Hold) -> io::Result<()> {
        let Self { reset, boot } = self;
        if reset.is_none() && boot.is_none() {
            return Ok(());
        }
        let mut set = |line: Option<ControlLine>, active: bool| match line {
            Some(line) => lines.set(line.wire, active != line.inverted),
            None => Ok(()),
        };
        // Never for a moment in reset when it should not be, nor the loader when it is the firmware.
        if hold.reset {
            set(boot, hold.boot)?;
            set(reset, true)?;
        } else {
            set(reset, false)?;
            set(boot, hold.boot)?;
        }
        let used = [reset, boot].map(|line| line.map(|line| line.wire));
        for wire in [Wire::Rts, Wire::Dtr] {
            if !used.contains(&Some(wire)) {
                lines.set(wire, false)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Noted(Vec<(Wire, bool)>);

    impl ControlLines for Noted {
        fn set(&mut self, wire: Wire, asserted: bool) -> io::Result<()> {
            self.0.push((wire, asserted));
            Ok(())
        }
    }

    fn line(wire: Wire, inverted: bool) -> Option<ControlLine> {
        Some(ControlLine { wire, inverted })
    }

    fn applied(wiring: Wiring, reset: bool, boot: bool) -> Vec<(Wire, bool)> {
        let mut noted = Noted::default();
        let hold = Hold { reset, boot };
        wiring.apply(&mut noted, hold).expect("noted only");
        noted.0
    }

    #[test]
    fn reset_is_let_go_before_the_loader_is_called_off() {
        let wiring = Wiring {
            reset: line(Wire::Rts, false),
            boot: line(Wire::Dtr, false),
        };
        assert_eq!(
            applied(wiring, true, false),
            [(Wire::Dtr, false), (Wire::Rts, true)]
        );
        assert_eq!(
            applied(wiring, false, true),
            [(Wire::Rts, false), (Wire::Dtr, true)]
        );
        assert_eq!(
            applied(wiring, false, false),
            [(Wire::Rts, false), (Wire::Dtr, false)]
        );
    }

    #[test]
    fn an_inverted_line_is_asserted_while_it_does_nothing() {
        let wiring = Wiring {
            reset: line(Wire::Dtr, true),
            boot: None,
        };
        assert_eq!(
            applied(wiring, true, false),
            [(Wire::Dtr, false), (Wire::Rts, false)]
        );
        assert_eq!(
            applied(wiring, false, false),
            [(Wire::Dtr, true), (Wire::Rts, false)]
        );
    }

    #[test]
    fn lines_of_which_nothing_is_known_are_left_alone() {
        assert_eq!(applied(Wiring::default(), false, false), []);
    }
}
