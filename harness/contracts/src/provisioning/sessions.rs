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

/// The phone whose session each device has open, and by which event, as long as nothing has happened that ends it.
#[derive(Default)]
pub struct GoesOn(BTreeMap<String, (String, u64)>);

impl GoesOn {
    fn handshake(&mut self, event: &Event) {
        let step = text(event, "/request/step");
        let is_last = matches!(step, Some("command1" | "session_command"));
        match (is_last, text(event, "/answer/step")) {
            (true, Some(_)) => {
                let phone = text(event, "/phone").unwrap_or_default();
                let open = (phone.to_owned(), event.seq);
                self.0.insert(device(event).to_owned(), open);
            }
            // A handshake that begins, or fails, ends the session before it.
            _ => {
                self.0.remove(device(event));
            }
        }
    }
}

/// Whether every service takes this message in a session: it is whole, and of an endpoint that no application
/// takes away.
fn is_plain(event: &Event) -> bool {
    match text(event, "/request/message") {
        Some("cmd_get_status" | "cmd_apply_config") => true,
        Some("cmd_set_config") => text(event, "/request/ssid").is_some(),
        _ => false,
    }
}

impl Watch for GoesOn {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        let name = device(event);
        if event.kind == "fault" || (name.is_empty() && event.kind != "exchange") {
            self.0.clear();
            return;
        }
        if event.kind != "exchange" {
            self.0.remove(name);
            return;
        }
        let phone = text(event, "/phone").unwrap_or_default();
        if text(event, "/endpoint") == Some("prov-session") {
            self.handshake(event);
            return;
        }
        let Some((owner, seq)) = self.0.get(name) else {
            return;
        };
        // Another phone may have a session of its own without a handshake that is heard of: a new number ends the one
        // before.
        if owner != phone {
            if text(event, "/session").is_some() {
                self.0.remove(name);
            }
            return;
        }
        // A line of a console bears its session's number, which the scenario may have chosen.
        let is_of_console = text(event, "/failure").is_some_and(|why| why.contains("prompt"));
        if !is_plain(event) || is_of_console || moment.calm_since.is_none() {
            return;
        }
        if event.data["answer"].is_null() {
            found.broken(
                format!("{phone}'s session is open, and its request is not answered"),
                [*seq, event.seq],
            );
            self.0.remove(name);
        } else {
            found.held();
        }
    }
}

/// Whether each device gives its phones numbers.
pub struct NumberIsGiven;

impl Watch for NumberIsGiven {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        // Over Bluetooth the link is the session.
        if event.data["answer"].is_null() || text(event, "/characteristic").is_some() {
            return;
        }
        let phone = text(event, "/phone").unwrap_or_default();
        found.check(
            text(event, "/session").is_some(),
            || format!("{phone} is answered, and has been given no number"),
            [event.seq],
        );
    }
}
