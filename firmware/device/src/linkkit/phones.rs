//! What a binding says to phones on the LAN, and what it makes of their words.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};

use embassy_time::Instant;
use factory::NoToken;
use proto::linkkit::{
    AwssVersions, DEVICE_INFO_NOTIFY_PATH, DeviceInfo, Empty, Id, Notify, PORT, Reply,
};
use rand_core::RngCore;
use serde::Deserialize;

use super::query::{Held, Query};
use super::{Action, Datagram, TokenBinding, json};
use crate::bugs::{self, Bug};
use crate::coap::{self, Message, Refusal, Request};

/// Longest body of a phone's answer to a notification, in bytes (SDK 3.0.1 `awss_notify.c`).
const MAX_ANSWER_LEN: usize = 64;

impl<R: RngCore> TokenBinding<R> {
    /// A datagram has arrived, while our address is `own`.
    pub(crate) fn datagram(&mut self, datagram: Datagram<'_>, own: Ipv4Addr, now: Instant) {
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

    /// Answers, or holds a question until there is a token. While one is held, others are dropped, as in
    /// the SDK's `online_get_device_info`.
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

    /// Tells phones about the device, if it is time to.
    pub(super) fn poll_notifications(&mut self, own: Ipv4Addr, now: Instant) {
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

    /// Looks whether a held question can be answered, if it is time to.
    pub(super) fn poll_held(&mut self, own: Ipv4Addr, now: Instant) {
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
