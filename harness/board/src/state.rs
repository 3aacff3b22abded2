//! Whether a board is off or on: what that refuses, and when the trace is told.

use trace::{RestartCause, Trace};

use crate::{BoardError, Power, PowerChanged};

/// A board that is off or on, as its trace tells it; off at first.
#[derive(Clone)]
pub struct PowerState {
    device: String,
    trace: Trace,
    is_on: bool,
}

impl PowerState {
    /// The state of a new board, which is off. Its events are those of `device`.
    pub fn off(device: &str, trace: Trace) -> Self {
        Self {
            device: device.to_owned(),
            trace,
            is_on: false,
        }
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Refuses `what` to a board that is on.
    pub fn must_be_off(&self, what: &'static str) -> Result<(), BoardError> {
        must_be_off(self.is_on, what)
    }

    /// Refuses `what` to a board that is off.
    pub fn must_be_on(&self, what: &'static str) -> Result<(), BoardError> {
        must_be_on(self.is_on, what)
    }

    /// It is started, as it was asked for; told once for each start.
    pub fn starts(&mut self, how: &str) {
        self.is_on = true;
        self.tell(Power::On, how);
    }

    /// It is off; told once, and not at all of a board that is off already.
    pub fn ends(&mut self, how: &str) {
        if std::mem::take(&mut self.is_on) {
            self.tell(Power::Off, how);
        }
    }

    fn tell(&self, power: Power, how: &str) {
        let how = how.to_owned();
        self.trace
            .emit(Some(&self.device), &PowerChanged { power, how });
    }
}

/// Refuses `what` to a board that is on.
pub fn must_be_off(is_on: bool, what: &'static str) -> Result<(), BoardError> {
    match is_on {
        true => Err(BoardError::State { what, state: "on" }),
        false => Ok(()),
    }
}

/// Refuses `what` to a board that is off.
pub fn must_be_on(is_on: bool, what: &'static str) -> Result<(), BoardError> {
    match is_on {
        true => Ok(()),
        false => Err(BoardError::State { what, state: "off" }),
    }
}

/// Whether a start of which the log tells is one that nothing had asked for. `is_first`: the log has
/// told of none since the start that was asked for.
pub(crate) fn is_restart(is_first: bool, cause: RestartCause) -> bool {
    // No start that was asked for has these causes.
    !is_first
        || matches!(
            cause,
            RestartCause::Brownout
                | RestartCause::Watchdog
                | RestartCause::Glitch
                | RestartCause::Lockup
        )
}

#[cfg(test)]
mod tests {
    use clock::Clock;

    use super::*;

    #[tokio::test]
    async fn each_start_and_each_end_is_told_once() {
        let trace = Trace::in_memory(Clock::start(1.0));
        let mut state = PowerState::off("lamp", trace.clone());
        state.ends("it never was on");
        state.starts("power on");
        state.starts("reset");
        state.ends("power off");
        state.ends("again");
        let events = trace.since(0);
        let told = events
            .iter()
            .filter_map(|event| event.payload::<PowerChanged>());
        let told: Vec<_> = told.map(|changed| (changed.power, changed.how)).collect();
        let expected = [
            (Power::On, "power on"),
            (Power::On, "reset"),
            (Power::Off, "power off"),
        ];
        assert_eq!(told, expected.map(|(power, how)| (power, how.to_owned())));
    }

    #[tokio::test]
    async fn what_does_not_fit_the_state_is_refused_with_the_state() {
        let mut state = PowerState::off("lamp", Trace::in_memory(Clock::start(1.0)));
        state.must_be_off("start").expect("it is off");
        let refused = state.must_be_on("reset").expect_err("it is off");
        assert_eq!(refused.to_string(), "cannot reset: the board is off");
        state.starts("power on");
        state.must_be_on("reset").expect("it is on");
        let refused = state.must_be_off("start").expect_err("it is on");
        assert_eq!(refused.to_string(), "cannot start: the board is on");
    }

    #[test]
    fn the_first_banner_after_a_start_is_no_restart_unless_nothing_asks_for_such() {
        assert!(!is_restart(true, RestartCause::Software));
        assert!(is_restart(false, RestartCause::Software));
        assert!(is_restart(true, RestartCause::Brownout));
        assert!(is_restart(true, RestartCause::Watchdog));
    }
}
