//! How long the steps of a case wait, as far as they say so.

use std::time::Duration;

use super::clause::{Clause, Expect, Wanted, Window};
use super::fault::FaultStep;
use super::scenario::Case;
use super::step::Step;

impl Case {
    /// What its waits and expectations may take together, in device time.
    pub fn lasts(&self) -> Duration {
        let steps = self.scenario.steps.iter();
        let steps = steps.fold(Duration::ZERO, |all, step| all.saturating_add(lasts(step)));
        steps.saturating_add(self.scenario.settle)
    }
}

fn lasts(step: &Step) -> Duration {
    match step {
        Step::Wait(wait) => wait.0,
        Step::Fault(FaultStep::Pulse(_, pulse)) => pulse.whole(),
        Step::Expect(Expect::Clause(clause)) => clause.window(),
        Step::Provision(provision) => provision.within,
        Step::Scan(scan) => scan.within,
        Step::Wire(wire) => wire.within.saturating_add(wire.sending()),
        Step::Datagram(datagram) => datagram.within,
        Step::Attribute(attribute) => attribute.within,
        Step::Console(console) => console.within,
        Step::Query(query) => query.within,
        Step::Call(call) => call.within,
        Step::Discover(discover) => discover.within,
        Step::Browse(step) => step.within,
        Step::WebSocket(step) => step.within,
        Step::Bind(bind) => bind.within.unwrap_or_default(),
        Step::Power(_)
        | Step::ReadVersion(_)
        | Step::Control(_)
        | Step::Custom(_)
        | Step::Request(_)
        | Step::Leave(_)
        | Step::Reconnect(_)
        | Step::Claim(_)
        | Step::Unclaim(_)
        | Step::Expect(_)
        | Step::Fault(_)
        | Step::EraseStorage(_)
        | Step::DamageStorage(_) => Duration::ZERO,
    }
}

impl Clause {
    fn window(&self) -> Duration {
        match &self.wanted {
            Wanted::One(_, window)
            | Wanted::InOrder(_, window)
            | Wanted::AnyOrder(_, window)
            | Wanted::Never(_, window)
            | Wanted::Count(_, _, Window::Within(window) | Window::For(window)) => *window,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn waits_and_windows_add_up() {
        let text = "name: Long\nworld: { devices: { device: { server: {} } }, access_points: { home: {} }, phones: [alice] }\nsteps:\n  - power: on\n  \
                    - expect: { log: { text: a }, within: 5s }\n  \
                    - expect: { never: [{ log: { text: b } }], for: 20s }\n  \
                    - expect: { log: { text: c }, count: { at_least: 2 }, for: 2m }\n  \
                    - browse: { phone: alice, within: 7s }\n  \
                    - websocket: { phone: alice, ends: true, within: 12s }\n  \
                    - wire: { phone: alice, send: abcde, piece: 2, pause: 10s, within: 9s }\n  \
                    - datagram: { phone: alice, hex: ff, within: 4s }\n  \
                    - scan: { phone: alice, finds: [home], within: 11s }\n  \
                    - wait: 10s\n  \
                    - fault: { on: time_silent, for: 5s, every: 60s, times: 3 }\nsettle: 3s\n";
        let known = crate::known().expect("our own");
        let cases = parse("long.yaml", text, &known).expect("sound");
        assert_eq!(
            cases[0].lasts(),
            Duration::from_secs(5 + 20 + 120 + 7 + 12 + (20 + 9) + 4 + 11 + 10 + 125 + 3)
        );
    }
}
