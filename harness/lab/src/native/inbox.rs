//! What is under way to a device, and whether it is idle.

use std::time::Duration;

use airlink::tether::{ToDevice, ToDeviceBody, encode};
use clock::{Busy, Clock, LabTime};

use super::effort::Effort;

/// With more than this under way, packets wait in the air.
const LIMIT: usize = 256 * 1024;

/// Messages to one device, numbered by their count, so that its report of how many it has consumed
/// tells whether anything is in flight. While anything is, or the device computes, lab time is held
/// at the host's pace.
#[derive(Debug)]
pub(super) struct Inbox {
    clock: Clock,
    power_on: LabTime,
    outgoing: Vec<u8>,
    sent: u64,
    state: State,
    /// It has been idle since it was started.
    was_idle: bool,
}

#[derive(Debug)]
enum State {
    Busy { effort: Effort, _guard: Busy },
    Idle { until: Option<LabTime> },
}

impl Inbox {
    /// The inbox of a device that starts now, and is busy with that.
    pub(super) fn new(clock: Clock) -> Self {
        let power_on = clock.now();
        Self {
            state: State::busy(&clock),
            power_on,
            clock,
            outgoing: Vec::new(),
            sent: 0,
            was_idle: false,
        }
    }

    /// Whether it has been idle since it was started.
    pub(super) fn was_idle(&self) -> bool {
        self.was_idle
    }

    /// Bytes for the stream.
    pub(super) fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// The stream has taken so many of them.
    pub(super) fn written(&mut self, length: usize) {
        self.outgoing.drain(..length);
    }

    /// Whether another packet may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.outgoing.len() < LIMIT
    }

    /// Sends a packet.
    pub(super) fn send_packet(&mut self, packet: Vec<u8>) {
        self.send(ToDeviceBody::Packet(packet));
    }

    /// Sends what came on the UART.
    pub(super) fn send_console(&mut self, bytes: Vec<u8>) {
        self.send(ToDeviceBody::Console(bytes));
    }

    /// Sends what came from the Bluetooth controller.
    pub(super) fn send_hci(&mut self, bytes: Vec<u8>) {
        self.send(ToDeviceBody::Hci(bytes));
    }

    /// The device's moment has come.
    pub(super) fn send_wake(&mut self) {
        self.send(ToDeviceBody::Wake);
    }

    fn send(&mut self, body: ToDeviceBody) {
        let now_us = self.clock.now().since(self.power_on).as_micros();
        self.outgoing.extend_from_slice(&encode(&ToDevice {
            now_us: u64::try_from(now_us).unwrap_or(u64::MAX),
            body,
        }));
        self.sent += 1;
        if matches!(self.state, State::Idle { .. }) {
            self.state = State::busy(&self.clock);
        }
    }

    /// The device says that it has nothing left to do. If it was starved before, its effort comes
    /// back; the claim counts only if nothing is in flight.
    pub(super) fn idle(&mut self, until_us: Option<u64>, consumed: u64) -> Option<Effort> {
        if consumed != self.sent {
            return None;
        }
        self.was_idle = true;
        let until = until_us.map(|us| self.power_on + Duration::from_micros(us));
        match std::mem::replace(&mut self.state, State::Idle { until }) {
            State::Busy { effort, .. } => Some(effort),
            State::Idle { .. } => None,
        }
    }

    /// When the device wants to be woken, if it is idle.
    pub(super) fn deadline(&self) -> Option<LabTime> {
        match self.state {
            State::Idle { until } => until,
            State::Busy { .. } => None,
        }
    }

    /// The present effort, if the device is busy.
    pub(super) fn effort(&mut self) -> Option<&mut Effort> {
        match &mut self.state {
            State::Busy { effort, .. } => Some(effort),
            State::Idle { .. } => None,
        }
    }
}

impl State {
    fn busy(clock: &Clock) -> Self {
        Self::Busy {
            effort: Effort::begin(clock.now()),
            _guard: clock.busy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_device_with_a_message_under_way_is_not_idle() {
        let clock = Clock::start(1.0);
        let mut inbox = Inbox::new(clock);
        inbox.send_packet(vec![1, 2, 3]);
        assert!(inbox.idle(Some(5), 0).is_none());
        assert!(inbox.effort().is_some());
        assert!(inbox.idle(Some(5), 1).is_some());
        assert!(inbox.effort().is_none());
        assert!(inbox.deadline().is_some());
    }

    #[tokio::test]
    async fn a_wake_makes_it_busy_again() {
        let clock = Clock::start(1.0);
        let mut inbox = Inbox::new(clock);
        assert!(inbox.idle(Some(0), 0).is_some());
        inbox.send_wake();
        assert_eq!(inbox.deadline(), None);
        assert!(inbox.effort().is_some());
        inbox.idle(None, 1);
        assert_eq!(inbox.deadline(), None);
        assert!(inbox.effort().is_none());
    }

    #[tokio::test]
    async fn lab_time_runs_ahead_only_while_the_device_is_idle() {
        let clock = Clock::start(1000.0);
        let mut inbox = Inbox::new(clock.clone());
        let begun = std::time::Instant::now();
        clock.sleep(Duration::from_millis(50)).await;
        assert!(begun.elapsed() >= Duration::from_millis(49));
        inbox.idle(None, 0);
        let begun = std::time::Instant::now();
        clock.sleep(Duration::from_secs(100)).await;
        assert!(begun.elapsed() < Duration::from_secs(50));
    }

    #[tokio::test]
    async fn a_moment_beyond_all_time_does_no_harm() {
        let clock = Clock::start(1.0);
        let mut inbox = Inbox::new(clock);
        inbox.idle(Some(u64::MAX), 0);
        assert!(inbox.deadline().is_some());
    }
}
