//! TokenBinding by a one-time token (Linkkit, "bind"), without I/O.
//!
//! [`TokenBinding`] takes what happens, with the time at which it happens, and wants things done
//! ([`TokenBinding::take`]). The token is reported to the cloud; once the cloud has replied, it is told to
//! phones on the LAN, by broadcast and on request; each phone gets its own.

mod guider;
mod notify;
mod phones;
mod query;
mod report;
mod sign;
mod token;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

use embassy_time::{Duration, Instant};
use factory::Linkkit;
use proto::linkkit::{DEVICE_INFO_GET_PATH, Id, MatchReport, device_info_get_path};
use rand_core::RngCore;
use serde::{Deserialize, Serialize};

use self::notify::{Notifying, next_poll};
use self::query::Held;
use self::report::{Due, Reporting};
use self::token::Token;
use crate::bugs::{self, Bug};
use crate::handover;

pub(crate) use self::guider::{log_connecting, log_handshake, log_start, log_verification};
pub(crate) use self::sign::sign;

/// From a token's rotation to its report (SDK 3.0.1 `awss_report.c`).
const ROTATION_DELAY: Duration = Duration::from_millis(10);

/// What a binding wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Publish this on the match topic.
    Report(String),
    /// Send a datagram from the CoAP port.
    Send {
        /// Where it goes.
        to: SocketAddrV4,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Whether it is a notification, whose fate is told in the log.
        notification: bool,
    },
}

/// A datagram that has arrived on the CoAP port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'d> {
    /// Its sender.
    pub(crate) from: SocketAddrV4,
    /// Where it was sent: our address, a broadcast or a multicast group.
    pub(crate) to: Ipv4Addr,
    /// Its bytes.
    pub(crate) bytes: &'d [u8],
}

/// The binding of one device.
pub(crate) struct TokenBinding<R> {
    settings: Linkkit,
    mac: String,
    unicast_path: String,
    random: R,
    in_session: bool,
    token: Token,
    next_report_id: u8,
    reporting: Reporting,
    notifying: Notifying,
    held: Option<Held>,
    // Bounded: no input makes more than three, and the task that runs a binding takes them all.
    actions: VecDeque<Action>,
}

impl<R: RngCore> TokenBinding<R> {
    /// A device that has reported nothing yet.
    pub(crate) fn new(settings: Linkkit, mac: [u8; 6], mut random: R) -> Self {
        let profile = &settings.profile;
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let [a, b, c, d, e, f] = mac;
        Self {
            mac: format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}"),
            unicast_path: device_info_get_path(&settings.product_key, &settings.device_name),
            in_session: false,
            token: Token::new(&mut random, ms(profile.token_life_ms)),
            next_report_id: 0,
            reporting: Reporting::new(profile.report_sends, ms(profile.report_interval_ms)),
            notifying: Notifying::new(profile.notify_count, ms(profile.notify_step_ms)),
            held: None,
            actions: VecDeque::new(),
            random,
            settings,
        }
    }

    /// Paths that phones may ask.
    pub(crate) fn resources(&self) -> [&str; 2] {
        [DEVICE_INFO_GET_PATH, &self.unicast_path]
    }

    /// The MQTT session is up, the subscription decided: the token is reported, once a phone's if
    /// it has handed one over.
    pub(crate) fn session_up(&mut self, phones: Option<handover::Token>, now: Instant) {
        self.in_session = true;
        if let Some(token) = phones.filter(|_| !bugs::is(Bug::PhoneTokenNotReported)) {
            self.token = Token::from_phone(token, self.token_life());
            self.reporting.start(now);
            self.notifying.start();
            return;
        }
        // After a short loss the cloud still knows the token, and so may phones.
        if self.token.is_usable(now) {
            self.notifying.resume(now);
        } else {
            self.renew_token();
            self.reporting.start(now);
            self.notifying.start();
        }
    }

    /// The MQTT session is lost.
    pub(crate) fn session_down(&mut self) {
        self.in_session = false;
        self.reporting.stop();
    }

    /// The cloud's reply to a report.
    pub(crate) fn reply(&mut self, payload: &[u8], now: Instant) {
        /// The SDK looks at nothing else, so a reply with an error code counts too.
        #[derive(Deserialize)]
        struct ReplyId {
            id: Id,
        }
        if bugs::is(Bug::MatchReplyIgnored) {
            return;
        }
        log::info!(target: "awss", "awss_report_token_reply");
        let id = serde_json::from_slice(payload)
            .ok()
            .and_then(|ReplyId { id }| id.number());
        let Some(id) = id else {
            log::warn!(target: "awss", "reply without an id");
            return;
        };
        // Both are a C `char`: the id is cut to 8 bits, the comparison is not.
        let Some(reported_at) = self.token.reported_at() else {
            return;
        };
        if u16::from(id as u8) + 1 < u16::from(self.next_report_id) || self.token.is_replied() {
            log::debug!(target: "awss", "reply to an earlier report, id {id}");
            return;
        }
        self.token.reply();
        self.reporting.stop();
        self.notifying.resume(next_poll(reported_at, now));
    }

    /// Does what is due at `now`. Without an address nothing is told on the LAN, and a phone that
    /// asked there is not waiting any more.
    pub(crate) fn poll(&mut self, own: Option<Ipv4Addr>, now: Instant) {
        // In this order, because a held question may make a report due, not the other way round.
        if let Some(own) = own {
            self.poll_held(own, now);
            self.poll_reports(now);
            self.poll_notifications(own, now);
        } else {
            self.held = None;
            self.poll_reports(now);
            self.notifying.pause();
        }
    }

    fn poll_reports(&mut self, now: Instant) {
        match self.reporting.poll(now) {
            None => {}
            Some(Due::GiveUp { tries }) => log::debug!(target: "awss", "try {tries} times fail"),
            Some(Due::Report) => {
                self.token.report(now);
                let id = self.next_report_id;
                self.next_report_id = id.wrapping_add(1);
                let report = json(&MatchReport::new(id.into(), self.token.text()));
                let report = String::from_utf8_lossy(&report).into_owned();
                log::debug!(target: "awss", "report token:{report}");
                self.actions.push_back(Action::Report(report));
                if bugs::is(Bug::NotifyWithoutReply) {
                    self.notifying.resume(now);
                }
            }
        }
    }

    /// When [`TokenBinding::poll`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [
            self.reporting.deadline(),
            self.notifying.deadline(),
            self.held.as_ref().map(Held::deadline),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next thing to do.
    pub(crate) fn take(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The phone that has this token must be the only one.
    fn rotate_token(&mut self, now: Instant) {
        log::info!(target: "awss", "update token");
        self.renew_token();
        if self.in_session {
            self.reporting.start(now + ROTATION_DELAY);
        }
    }

    fn renew_timed_out_token(&mut self, now: Instant) {
        if self.in_session && self.token.is_timed_out(now) {
            self.renew_token();
            self.reporting.start(now);
        }
    }

    /// Makes another one, except for a phone's that the cloud has not answered for: the phone looks
    /// for that one, and for no other.
    fn renew_token(&mut self) {
        let is_kept = self.token.is_awaited_by_phone() || bugs::is(Bug::TokenNotRotated);
        self.token = if is_kept {
            self.token.unreported()
        } else {
            let life = self.token_life();
            Token::new(&mut self.random, life)
        };
    }

    fn token_life(&self) -> Duration {
        Duration::from_millis(self.settings.profile.token_life_ms.into())
    }
}

fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message)
        .expect("these messages have text keys and no values that JSON lacks")
}

#[cfg(test)]
mod tests;
