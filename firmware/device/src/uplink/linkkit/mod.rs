//! Binding by a one-time token (Linkkit, "bind"), without I/O.
//!
//! [`Binding`] takes what happens, with the time at which it happens, and wants things done
//! ([`Binding::take`]). The token is reported to the cloud; once the cloud has replied, it is told to
//! phones on the LAN, by broadcast and on request; each phone gets its own.

mod guider;
mod notify;
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
use factory::{Linkkit, NoToken};
use proto::linkkit::{
    AwssVersions, DEVICE_INFO_GET_PATH, DEVICE_INFO_NOTIFY_PATH, DeviceInfo, Empty, Id,
    MatchReport, Notify, PORT, Reply, device_info_get_path,
};
use rand_core::RngCore;
use serde::{Deserialize, Serialize};

use self::notify::{Notifying, next_poll};
use self::query::{Held, Query};
use self::report::{Due, Reporting};
use self::token::Token;
use super::coap::{self, Message, Refusal, Request};
use crate::bugs::{self, Bug};

pub(super) use self::guider::{log_connecting, log_handshake, log_start, log_verification};
pub(super) use self::sign::sign;

/// From a token's rotation to its report (SDK 3.0.1 `awss_report.c`).
const ROTATION_DELAY: Duration = Duration::from_millis(10);
/// Longest body of a phone's answer to a notification, in bytes (SDK 3.0.1 `awss_notify.c`).
const MAX_ANSWER_LEN: usize = 64;

/// What a binding wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
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
pub(super) struct Datagram<'d> {
    /// Its sender.
    pub(super) from: SocketAddrV4,
    /// Where it was sent: our address, a broadcast or a multicast group.
    pub(super) to: Ipv4Addr,
    /// Its bytes.
    pub(super) bytes: &'d [u8],
}

/// The binding of one device.
pub(super) struct Binding<R> {
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
    // Bounded: no input makes more than three, and whoever runs a binding takes them all.
    actions: VecDeque<Action>,
}

impl<R: RngCore> Binding<R> {
    /// A device that has reported nothing yet.
    pub(super) fn new(settings: Linkkit, mac: [u8; 6], mut random: R) -> Self {
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
    pub(super) fn resources(&self) -> [&str; 2] {
        [DEVICE_INFO_GET_PATH, &self.unicast_path]
    }

    /// The MQTT session is up, the subscription decided: the token is reported.
    pub(super) fn session_up(&mut self, now: Instant) {
        self.in_session = true;
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
    pub(super) fn session_down(&mut self) {
        self.in_session = false;
        self.reporting.stop();
    }

    /// The cloud's reply to a report.
    pub(super) fn reply(&mut self, payload: &[u8], now: Instant) {
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

    /// A datagram has arrived, while our address is `own`.
    pub(super) fn datagram(&mut self, datagram: Datagram<'_>, own: Ipv4Addr, now: Instant) {
        if *datagram.from.ip() == own {
            return;
        }
        match Message::read(datagram.bytes) {
            Ok(Message::Request(request)) => self.request(request, datagram, own, now),
            Ok(Message::Response {
                success: true,
                token,
                payload,
            }) => self.answer_to_notification(&token, &payload, now),
            Ok(Message::Ping { message_id }) => {
                self.send(datagram.from, Some(coap::reset(message_id)));
            }
            Ok(Message::Response { .. } | Message::Empty) => {}
            Err(error) => {
                log::debug!(target: "CoAP", "datagram from {} dropped: {error}", datagram.from);
            }
        }
    }

    fn request(&mut self, request: Request, datagram: Datagram<'_>, own: Ipv4Addr, now: Instant) {
        let path = request.path.escape_debug();
        log::debug!(target: "CoAP", "Request path is {path}");
        if !self.resources().contains(&request.path.as_str()) {
            log::debug!(target: "CoAP", "The resource {path} is not registered");
            return self.refuse(&request, datagram, own, Refusal::NotFound);
        }
        log::debug!(target: "CoAP", "Found the resource: {path}");
        if !request.is_get {
            return self.refuse(&request, datagram, own, Refusal::MethodNotAllowed);
        }
        let Some(id) = Query::read_id(&request.payload) else {
            log::warn!(target: "awss", "a question without an id");
            return self.refuse(&request, datagram, own, Refusal::BadRequest);
        };
        if request.source.confirmable {
            self.send(datagram.from, Some(request.source.acknowledgement()));
        }
        log::debug!(target: "awss", "no rst");
        let query = Query {
            from: datagram.from,
            source: request.source,
            id,
        };
        self.ask(query, own, now);
    }

    /// Says what is wrong, but not to a group (RFC 7252 §8.2).
    fn refuse(
        &mut self,
        request: &Request,
        datagram: Datagram<'_>,
        own: Ipv4Addr,
        refusal: Refusal,
    ) {
        if datagram.to == own {
            self.send(datagram.from, request.source.refusal(refusal));
        }
    }

    fn ask(&mut self, query: Query, own: Ipv4Addr, now: Instant) {
        if self.held.is_some() {
            log::debug!(target: "awss", "no req");
            return;
        }
        if self.token.is_usable(now) || bugs::is(Bug::AnswersQueryWithoutToken) {
            return self.answer(&query, own, now);
        }
        log::debug!(target: "awss", "try to report token to cloud");
        self.renew_timed_out_token(now);
        match self.settings.profile.no_token {
            NoToken::Silent => {
                self.held = Some(Held::new(query, now, self.reporting.span()));
            }
            NoToken::Code400 => {
                let reply = Reply {
                    id: query.id.clone(),
                    code: 400,
                    data: Empty {},
                };
                self.send(query.from, query.source.content(&json(&reply)));
            }
        }
    }

    fn answer(&mut self, query: &Query, own: Ipv4Addr, now: Instant) {
        let reply = Reply {
            id: query.id.clone().unquoted(),
            code: 200,
            data: self.device_info(own, now),
        };
        let reply = json(&reply);
        log::info!(
            target: "awss",
            "sending message to app: {}",
            String::from_utf8_lossy(&reply)
        );
        self.send(query.from, query.source.content(&reply));
        self.rotate_token(now);
        self.notifying.pause();
    }

    fn answer_to_notification(&mut self, token: &[u8], payload: &[u8], now: Instant) {
        #[derive(Deserialize)]
        struct Answer {
            id: Id,
            code: i64,
        }
        if !self.notifying.is_ours(token) || payload.len() > MAX_ANSWER_LEN {
            return;
        }
        let taken = serde_json::from_slice(payload).is_ok_and(|Answer { id, code }| {
            code == 200
                && id
                    .number()
                    .is_some_and(|id| self.notifying.takes_answer(id))
        });
        // A second answer to the same notifications must not use up one more token.
        if taken && self.notifying.is_active() {
            self.notifying.stop();
            self.rotate_token(now);
        }
    }

    /// Does what is due at `now`. Without an address nothing is told on the LAN, and whoever asked
    /// there is not waiting any more.
    pub(super) fn poll(&mut self, own: Option<Ipv4Addr>, now: Instant) {
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

    fn poll_notifications(&mut self, own: Ipv4Addr, now: Instant) {
        if self.notifying.deadline().is_none_or(|due| now < due) {
            return;
        }
        if !self.token.is_usable(now) && !bugs::is(Bug::NotifyWithoutReply) {
            return self.notifying.stop();
        }
        let Some(one) = self.notifying.poll(own, now) else {
            return;
        };
        let notify = json(&Notify::new(one.id, self.device_info(own, now)));
        log::info!(target: "awss", "bcast ip = {}", one.destination);
        log::info!(target: "awss", "topic:{DEVICE_INFO_NOTIFY_PATH}");
        log::debug!(target: "awss", "payload:{}", String::from_utf8_lossy(&notify));
        match coap::post(one.message_id, one.token, DEVICE_INFO_NOTIFY_PATH, &notify) {
            Some(bytes) => self.actions.push_back(Action::Send {
                to: SocketAddrV4::new(one.destination, PORT),
                bytes,
                notification: true,
            }),
            None => log::error!(target: "awss", "send notify fail"),
        }
    }

    fn poll_held(&mut self, own: Ipv4Addr, now: Instant) {
        let Some(held) = self.held.as_mut() else {
            return;
        };
        if !held.poll(now) {
            return;
        }
        if self.token.is_usable(now) {
            if let Some(held) = self.held.take() {
                self.answer(&held.query, own, now);
            }
        } else if held.is_over(now) {
            self.held = None;
        } else {
            self.renew_timed_out_token(now);
        }
    }

    /// When [`Binding::poll`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
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
    pub(super) fn take(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn device_info(&self, own: Ipv4Addr, now: Instant) -> DeviceInfo {
        DeviceInfo {
            awss_ver: AwssVersions::default(),
            product_key: self.settings.product_key.clone(),
            device_name: self.settings.device_name.clone(),
            mac: self.mac.clone(),
            ip: format!("{own}"),
            cipher_type: self.settings.profile.cipher_type,
            token: self.token.text().into(),
            remain_time: self.token.remaining_ms(now),
            kind: 0,
        }
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

    fn renew_token(&mut self) {
        self.token = if bugs::is(Bug::TokenNotRotated) {
            self.token.unreported()
        } else {
            let life = Duration::from_millis(self.settings.profile.token_life_ms.into());
            Token::new(&mut self.random, life)
        };
    }

    fn send(&mut self, to: SocketAddrV4, bytes: Option<Vec<u8>>) {
        match bytes {
            Some(bytes) => self.actions.push_back(Action::Send {
                to,
                bytes,
                notification: false,
            }),
            None => log::error!(target: "CoAP", "the answer to {to} does not fit into a datagram"),
        }
    }
}

fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message)
        .expect("these messages have text keys and no values that JSON lacks")
}

#[cfg(test)]
mod tests;
