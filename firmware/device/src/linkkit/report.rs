//! When a token is reported to the cloud.

use embassy_time::{Duration, Instant};

use crate::bugs::{self, Bug};

/// The transmissions of one token.
#[derive(Clone, Debug)]
pub(super) struct Reporting {
    sends: u32,
    interval: Duration,
    sent: u32,
    due: Option<Instant>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// One more report.
    Report,
    /// Nothing more; so many tries are told, one more than there were (SDK 3.0.1
    /// `awss_report.c`, whose counter is read after one more increment).
    GiveUp {
        /// The number to tell.
        tries: u32,
    },
}

impl Reporting {
    /// `sends` reports in all, `interval` apart; none is due.
    pub(super) fn new(sends: u32, interval: Duration) -> Self {
        Self {
            sends,
            interval,
            sent: 0,
            due: None,
        }
    }

    /// The first report is due at `at`.
    pub(super) fn start(&mut self, at: Instant) {
        self.sent = 0;
        self.due = Some(at);
    }

    /// No more reports.
    pub(super) fn stop(&mut self) {
        self.due = None;
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What is due at `now`.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Due> {
        self.due.filter(|due| now >= *due)?;
        if self.sent >= self.sends && !bugs::is(Bug::ReportNeverGivesUp) {
            self.due = None;
            return Some(Due::GiveUp {
                tries: self.sent.saturating_add(1),
            });
        }
        self.sent = self.sent.saturating_add(1);
        self.due = (!bugs::is(Bug::ReportOnceOnly)).then_some(now + self.interval);
        Some(Due::Report)
    }

    /// How long all reports and the wait after the last one take.
    pub(super) fn span(&self) -> Duration {
        self.interval
            .checked_mul(self.sends)
            .unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn three_sends_end_with_try_4_times_after_three_intervals() {
        let mut reporting = Reporting::new(3, Duration::from_secs(30));
        assert_eq!(reporting.deadline(), None);
        reporting.start(Instant::from_secs(1));
        let mut seen = Vec::new();
        while let Some(due) = reporting.deadline() {
            assert_eq!(reporting.poll(due - Duration::from_millis(1)), None);
            seen.push((due.as_secs(), reporting.poll(due)));
        }
        let expected = [
            (1, Some(Due::Report)),
            (31, Some(Due::Report)),
            (61, Some(Due::Report)),
            (91, Some(Due::GiveUp { tries: 4 })),
        ];
        assert_eq!(seen, expected);
        assert_eq!(reporting.span(), Duration::from_secs(90));
    }

    #[test]
    fn a_reply_stops_the_reports() {
        let mut reporting = Reporting::new(3, Duration::from_secs(30));
        reporting.start(Instant::from_secs(0));
        reporting.poll(Instant::from_secs(0));
        reporting.stop();
        assert_eq!(reporting.deadline(), None);
        assert_eq!(reporting.poll(Instant::from_secs(100)), None);
    }
}
