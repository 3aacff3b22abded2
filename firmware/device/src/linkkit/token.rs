//! The one-time token that binds a device to an account.

use alloc::string::String;

use embassy_time::{Duration, Instant};
use rand_core::RngCore;

use crate::bugs::{self, Bug};
use crate::handover;

/// A token and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    text: String,
    life: Duration,
    reported_at: Option<Instant>,
    replied: bool,
    /// Whether a phone made it.
    phones: bool,
}

impl Token {
    /// A new one: 16 random bytes.
    pub(super) fn new(random: &mut impl RngCore, life: Duration) -> Self {
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        Self {
            text: hex::encode_upper(bytes),
            life,
            reported_at: None,
            replied: false,
            phones: false,
        }
    }

    /// The one that a phone made and handed over with the Wi-Fi credentials.
    pub(super) fn from_phone(token: handover::Token, life: Duration) -> Self {
        Self {
            text: token.text(),
            life,
            reported_at: None,
            replied: false,
            phones: true,
        }
    }

    /// The same token, as if it had not been reported yet.
    pub(super) fn unreported(&self) -> Self {
        Self {
            reported_at: None,
            replied: false,
            ..self.clone()
        }
    }

    /// 32 upper-case hex digits.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// It goes to the cloud; its life counts from here.
    pub(super) fn report(&mut self, now: Instant) {
        self.reported_at = Some(now);
    }

    /// When it was last reported.
    pub(super) fn reported_at(&self) -> Option<Instant> {
        self.reported_at
    }

    /// The cloud has answered the report.
    pub(super) fn reply(&mut self) {
        self.replied = true;
    }

    /// Whether the cloud has it.
    pub(super) fn is_replied(&self) -> bool {
        self.replied
    }

    /// Whether a phone made it, and waits for the cloud to have it.
    pub(super) fn is_awaited_by_phone(&self) -> bool {
        self.phones && !self.replied
    }

    /// Whether its life is over, or has not begun.
    pub(super) fn is_timed_out(&self, now: Instant) -> bool {
        match self.reported_at {
            Some(at) => now >= at + self.life && !bugs::is(Bug::TokenOutlivesItsLife),
            None => true,
        }
    }

    /// Whether a phone can bind with it.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        self.replied && !self.is_timed_out(now)
    }

    /// What is left of its life in ms; 0 before the cloud's reply.
    pub(super) fn remaining_ms(&self, now: Instant) -> u32 {
        let Some(at) = self.reported_at.filter(|_| self.replied) else {
            return 0;
        };
        let age = now.saturating_duration_since(at);
        let left = self.life.checked_sub(age).unwrap_or(Duration::MIN);
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkkit::tests::Counting;

    const LIFE: Duration = Duration::from_secs(45);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_token_is_32_upper_case_hex_digits() {
        let token = Token::new(&mut Counting(0xAA), LIFE);
        assert_eq!(token.text(), "AAABACADAEAFB0B1B2B3B4B5B6B7B8B9");
    }

    #[test]
    fn a_token_is_usable_from_the_reply_to_the_end_of_its_life() {
        let mut token = Token::new(&mut Counting(0), LIFE);
        assert!(token.is_timed_out(at(0)));
        token.report(at(1_000));
        assert!(!token.is_timed_out(at(1_000)) && !token.is_usable(at(1_000)));
        assert_eq!(token.remaining_ms(at(1_000)), 0);
        token.reply();
        assert!(token.is_usable(at(45_999)));
        assert_eq!(token.remaining_ms(at(2_397)), 43_603);
        assert!(!token.is_usable(at(46_000)));
        assert_eq!(token.remaining_ms(at(50_000)), 0);
    }

    #[test]
    fn an_unreported_token_begins_again() {
        let mut token = Token::new(&mut Counting(0), LIFE);
        token.report(at(0));
        token.reply();
        let again = token.unreported();
        assert_eq!(again.text(), token.text());
        assert!(!again.is_usable(at(1)) && again.is_timed_out(at(1)));
    }
}
