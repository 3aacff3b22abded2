//! Whose session is open.

use std::collections::BTreeMap;

use trace::Event;

use crate::read::{device, is_boot, number, text};
use crate::{Found, Moment, Watch};

/// The phone whose session each device has open.
#[derive(Default)]
pub struct Answers(BTreeMap<String, String>);

impl Watch for Answers {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        let phone = text(event, "/phone").unwrap_or_default();
        // A value that was read over BLE and is empty says nothing.
        let answered = !event.data["answer"].is_null() && number(event, "/answer_bytes") != Some(0);
        let endpoint = text(event, "/endpoint").unwrap_or_default();
        match endpoint {
            "proto-ver" => {}
            "prov-session" => self.handshake(event, phone, answered),
            // Transports that other endpoints stand on besides protocomm have no sessions.
            _ if text(event, "/request").is_some() => {}
            _ if answered => found.check(
                self.0
                    .get(device(event))
                    .is_some_and(|owner| owner == phone),
                || format!("{endpoint} answered {phone}, whose session is not open"),
                [event.seq],
            ),
            _ => {}
        }
    }
}

impl Answers {
    fn handshake(&mut self, event: &Event, phone: &str, answered: bool) {
        let done = match number(event, "/request/security") {
            Some(0) => answered,
            _ => answered && text(event, "/answer/step") == Some("response1"),
        };
        match done {
            true => self.0.insert(device(event).to_owned(), phone.to_owned()),
            // A handshake that begins, or fails, ends the session before it.
            false => self.0.remove(device(event)),
        };
    }
}
