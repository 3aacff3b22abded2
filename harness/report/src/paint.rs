//! Colour for output on a terminal.

use std::fmt::Display;

/// Whether to colour text for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Colours if `on`.
    pub fn new(on: bool) -> Self {
        Self { on }
    }

    /// What went well.
    pub fn good(self, text: impl Display) -> String {
        self.wrap("1;32", text)
    }

    /// What failed.
    pub fn bad(self, text: impl Display) -> String {
        self.wrap("1;31", text)
    }

    /// What should be looked at.
    pub fn odd(self, text: impl Display) -> String {
        self.wrap("1;33", text)
    }

    /// What stands out.
    pub fn strong(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    /// What matters less.
    pub fn faint(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}
