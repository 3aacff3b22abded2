//! What is wrong with faults, and with damage to storage.

use super::Checker;
use crate::fault::{CONNACK_REASONS, DISCONNECT_REASONS, EndedBy, Fault, FaultStep, Frames};
use crate::span::Span;
use crate::step::{Damage, DamageStorage};

impl<'s> Checker<'s> {
    pub(super) fn damage(&mut self, damage: &DamageStorage) {
        if let Some(bytes) = damage.bytes.as_ref().filter(|bytes| bytes.value == 0) {
            self.wrong(bytes.span, "no byte is damaged so");
        }
        if damage.with.value == Damage::Full && (damage.at > 0 || damage.bytes.is_some()) {
            self.wrong(
                damage.with.span,
                "`full` is about all of storage: leave `at` and `bytes` out",
            );
        }
    }

    fn frames(&mut self, frames: &Frames, span: Span) {
        let Frames {
            at: _,
            lost,
            doubled,
            reordered,
            late,
            longest,
        } = frames;
        let shares = [lost, doubled, reordered].into_iter().flatten();
        for share in shares.clone().filter(|share| share.value > 100) {
            self.wrong(share.span, "that is more than 100 per cent");
        }
        if let Some(longest) = longest
            && !(68..=1500).contains(&longest.value)
        {
            self.wrong(longest.span, "an IP packet may have 68 to 1500 bytes here");
        }
        if shares.count() == 0 && late.is_none() && longest.is_none() {
            self.wrong(
                span,
                "what becomes of them is missing: `lost`, `doubled`, `reordered`, `late` or `longest`",
            );
        }
    }

    pub(super) fn fault(&mut self, step: &'s FaultStep, span: Span) {
        let fault = step.fault();
        if let Some(role) = fault.access_point() {
            self.known(
                role,
                "access point",
                self.scenario.world.access_points.names(),
            );
        }
        match fault {
            Fault::ConnectRefused(code)
                if !(1..=5).contains(&code.value) && !CONNACK_REASONS.contains(&code.value) =>
            {
                let message = "CONNACK refuses with 1 to 5, or a reason code of MQTT 5 from 128 on";
                self.wrong(code.span, message);
            }
            Fault::SessionEnded(EndedBy::Reason(code)) if !DISCONNECT_REASONS.contains(code) => {
                let message = "DISCONNECT of a broker has no such reason code: 128 to 162, see MQTT 5 §3.14.2.1";
                self.wrong(span, message);
            }
            fault if fault.is_of_broker() && self.scenario.world.cloud.is_none() => {
                self.wrong(span, "there is no `cloud` in the world");
            }
            Fault::NameAnswer(_) | Fault::BrokerMoved if self.scenario.world.cloud.is_none() => {
                self.wrong(span, "there is no `cloud` in the world");
            }
            Fault::Frames(frames) => self.frames(frames, span),
            Fault::Signal(signal) if signal.rssi.value > 0 => {
                self.wrong(signal.rssi.span, "a signal has 0 dBm at most");
            }
            Fault::StationsLost(lost) if lost.reason.value == 0 => {
                self.wrong(lost.reason.span, "802.11 has no reason 0");
            }
            Fault::MatchReply(_) => self.needs_linkkit(span, "this fault"),
            Fault::CloudUnanswered => self.needs_thingsboard(span, "this fault"),
            _ => {}
        }
        if fault.is_over_at_once() {
            if matches!(step, FaultStep::Off(_)) {
                self.wrong(
                    span,
                    "what has ended is not mended; the device connects again",
                );
            }
            return;
        }
        let standing = self.faults.iter().position(|on| *on == fault);
        let replaced = self.faults.iter().any(|on| fault.replaces(on));
        if standing.is_none() && replaced && !matches!(step, FaultStep::Off(_)) {
            self.wrong(
                span,
                "another fault of this kind is on there; mend that first",
            );
            return;
        }
        match (step, standing) {
            (FaultStep::On(_), None) => self.faults.push(fault),
            (FaultStep::On(_) | FaultStep::Pulse(..), Some(_)) => {
                self.wrong(span, "this fault is on already");
            }
            (FaultStep::Pulse(..), None) => {}
            (FaultStep::Off(_), Some(position)) => {
                self.faults.remove(position);
            }
            (FaultStep::Off(_), None) => {
                self.wrong(span, "this fault is not on; name it just as it was put on");
            }
        }
    }
}
