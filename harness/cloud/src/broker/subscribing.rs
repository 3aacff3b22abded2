//! SUBSCRIBE and UNSUBSCRIBE.

use super::core::Core;
use super::greeting::Guest;
use super::{Client, Denied, Reply};
use crate::packet::{Level, Retained, Subscription, is_filter, shared};

/// MQTT 5: the filter cannot be one.
const INVALID_FILTER: u8 = 0x8f;
/// MQTT 5: there was no such subscription.
const NO_SUBSCRIPTION: u8 = 0x11;
/// A subscription failed, for no reason that is told.
const FAILURE: u8 = 0x80;

impl Core {
    pub(super) fn subscribe(&self, guest: &mut Guest, id: u16, wanted: Vec<Subscription>) {
        let faults = self.faults_for(&guest.line);
        if matches!(faults.subscribe, Reply::Never | Reply::Reset) {
            return self.answer(guest, faults.subscribe, id, |_, _| {});
        }
        let level = guest.line.codec.level();
        let mut codes = Vec::with_capacity(wanted.len());
        let mut due = Vec::new();
        for mut subscription in wanted {
            match self.grant(guest, &mut subscription) {
                Ok(new) => {
                    codes.push(subscription.qos.number());
                    if is_sent_retained(&subscription, new, level) {
                        due.push(subscription);
                    }
                }
                // Before MQTT 5, there is one code for all reasons.
                Err(code) => codes.push(if level == Level::V5 { code } else { FAILURE }),
            }
        }
        self.answer(guest, faults.subscribe, id, move |out, id| {
            out.suback(id, &codes);
        });
        for subscription in due {
            self.send_retained(&guest.client, &subscription);
        }
    }

    /// Subscribes, at the QoS that is granted then. Whether the subscription is new, or the reason
    /// code of its refusal.
    fn grant(&self, guest: &Guest, subscription: &mut Subscription) -> Result<bool, u8> {
        let Guest { client, line, .. } = guest;
        let may_share = line.codec.level() == Level::V5;
        let filter = &subscription.filter;
        let misshared = may_share && matches!(shared(filter), Some(Err(_)));
        if !is_filter(filter) || misshared {
            return Err(INVALID_FILTER);
        }
        if self.faults_for(line).refuses(filter) {
            return Err(FAILURE);
        }
        let hooks = self.hooks_for(line);
        let mut denials = hooks
            .iter()
            .filter(|hook| !hook.may_subscribe(client, filter));
        if let Some(hook) = denials.next() {
            self.deny(guest, "subscribe", filter);
            return Err(hook.denial());
        }
        let granted = hooks
            .iter()
            .map(|hook| hook.grants(client, filter, subscription.qos));
        subscription.qos = granted.min().unwrap_or(subscription.qos);
        let subscription = subscription.clone();
        let new = self.with_session(client, |session| session.subscribe(subscription, may_share));
        Ok(new.unwrap_or_default())
    }

    pub(super) fn unsubscribe(&self, guest: &mut Guest, id: u16, filters: &[String]) {
        let codes = self.with_session(&guest.client, |session| {
            let filters = filters.iter();
            filters
                .map(|filter| match session.unsubscribe(filter) {
                    true => 0,
                    false => NO_SUBSCRIPTION,
                })
                .collect::<Vec<u8>>()
        });
        let codes = codes.unwrap_or_default();
        guest.line.send(|out| out.unsuback(id, &codes));
    }

    pub(super) fn deny(&self, guest: &Guest, action: &str, topic: &str) {
        let Client { connection, id, .. } = &guest.client;
        guest.line.emit(&Denied {
            connection: *connection,
            client: id.clone(),
            action: action.to_owned(),
            topic: topic.to_owned(),
        });
    }
}

/// MQTT 5 §3.8.3.1, §4.8.2: shared subscriptions get none.
fn is_sent_retained(subscription: &Subscription, new: bool, level: Level) -> bool {
    if level == Level::V5 && shared(&subscription.filter).is_some() {
        return false;
    }
    match subscription.retained {
        Retained::Always => true,
        Retained::IfNew => new,
        Retained::Never => false,
    }
}
