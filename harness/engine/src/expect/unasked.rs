//! The rule that stands for every scenario: no device exits, panics or restarts unasked.

use trace::{Event, Exited, Restarted};

use language::{Ending, Scenario, Span};

/// Which ends of a device's firmware fail a scenario.
pub(super) struct UnaskedRule {
    exit_is_expected: bool,
    restart_is_expected: bool,
    span: Option<Span>,
    catches: Vec<String>,
}

/// A device ended by itself.
#[derive(Clone, Debug)]
pub(super) struct UnaskedEnd {
    /// One sentence: the device, what happened, the panic's text.
    pub message: String,
    /// What a scenario says that expects it.
    pub word: &'static str,
    /// Where the scenario speaks of it, if it does.
    pub span: Option<Span>,
    /// Bugs that the scenario claims to catch by it.
    pub catches: Vec<String>,
}

impl UnaskedRule {
    /// The rule as `scenario` has it.
    pub fn of(scenario: &Scenario) -> Self {
        let unasked = scenario.unasked.as_ref();
        let claims = unasked.into_iter().flat_map(|unasked| &unasked.catches);
        Self {
            exit_is_expected: scenario.expects(Ending::Exit),
            restart_is_expected: scenario.expects(Ending::Restart),
            span: unasked.map(|unasked| unasked.span),
            catches: claims.map(|bug| bug.value.clone()).collect(),
        }
    }

    /// What `event` says that no step asked for and that the scenario does not expect.
    pub fn broken_by(&self, event: &Event) -> Option<UnaskedEnd> {
        let device = event.device.as_deref().unwrap_or("the device");
        let (message, word) = if let Some(exited) = event.payload::<Exited>() {
            let message = match exited.panic {
                Some(panic) => format!("{device} panicked: {panic}"),
                None => format!("{device} exited unasked: {}", exited.how),
            };
            (message, "exit")
        } else if let Some(restarted) = event.payload::<Restarted>() {
            (
                format!("{device} restarted unasked: {}", restarted.said),
                "restart",
            )
        } else {
            return None;
        };
        let is_expected = match word {
            "exit" => self.exit_is_expected,
            _ => self.restart_is_expected,
        };
        (!is_expected).then(|| UnaskedEnd {
            message,
            word,
            span: self.span,
            catches: self.catches.clone(),
        })
    }
}
