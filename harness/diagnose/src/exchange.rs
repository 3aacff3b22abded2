//! Messages of DHCP that a log tells by their type, by number (RFC 2132 §9.6) or by name: a question that no
//! server answers, and a refusal.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::subject::Subject;
use crate::unnamed::UNNAMED;
use crate::watch::told;
use crate::{Cause, Certainty, Evidence, Stage};

/// The rule on a question without an offer.
const UNHEARD: &str = "dhcp-unheard";
/// The rule on a refusal.
const REFUSED: &str = "dhcp-refused";
/// Questions without an offer that are more than a lost frame.
const OFTEN: u64 = 3;
/// Refusals of which a device does not get rid by itself.
const AGAIN: u64 = 2;

/// Parts of words of which such a line has one.
pub const PARTS: &[&str] = &["dhcp", "DHCP", "Dhcp", "bootp", "BOOTP"];

/// The type of a message.
static TYPE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:\b|_)dhcp\w*\b[^\n]{0,48}?\b(?:(?:message|msg|m)?[ _-]?type|msg|option \(?53\)?|opt(?:ion)?[ _]?53)\b[ =:#(,]{1,4}(?:0x0?)?([1-8])\b|(?:\b|_)dhcp\w*\W{1,3}(?:(?:send|sent|tx|rx|recv|out|in)\W{1,3}|[-<]{1,2}>? ?)([1-8])\W*$|(?:\b|_)(?:bootp|dhcp\w*)\b[^\n]{0,60}?(?:\b|[ _-])(discover|offer|request|ack|nak|nack)\b|\bDHCP(DISCOVER|OFFER|REQUEST|ACK|NAK)\b|\budhcpc\b[^\n]{0,24}\b(?:sending|broadcasting) (discover|select)\b|\budhcpc\b[^\n]{0,24}\b(lease) of\b",
    )
});

/// A state or a setting, which is no message.
static NO_MESSAGE: LazyLock<Regex> = LazyLock::new(|| {
    words(r"(?i)\b(?:timeout|retr(?:y|ies)|state|interval|max|enabled|disabled|waiting|no)\b")
});

#[derive(Clone, Copy, PartialEq)]
enum Message {
    Discover,
    Offer,
    Request,
    Ack,
    Nak,
}

/// The messages of a log.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The first question since an answer, and how many there are.
    asked: Option<Evidence>,
    /// The first refusal since an address was given.
    refused: Option<Evidence>,
}

impl Exchange {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        match message(text) {
            Some(Message::Discover) => Evidence::count(&mut self.asked, line, text),
            Some(Message::Offer | Message::Request) => self.asked = None,
            Some(Message::Ack) => *self = Self::default(),
            Some(Message::Nak) => Evidence::count(&mut self.refused, line, text),
            None => {}
        }
    }

    /// What explains that the device gets no address.
    pub fn explain(&self, cause: Option<&Cause>, reached: Option<Stage>) -> Option<Cause> {
        let follows = |cause: &Cause| {
            let rule = rules().named(&cause.id);
            let tells = rule.is_some_and(|rule| !rule.text.general && !rule.says.is_empty());
            cause.id == UNNAMED
                || cause.stage > Stage::Dhcp
                || (cause.stage == Stage::Dhcp && !tells)
        };
        if reached > Some(Stage::Dhcp) || !cause.is_none_or(follows) {
            return None;
        }
        if let Some(refused) = &self.refused {
            let mut cause = told(rules().named(REFUSED)?, vec![refused.clone()]);
            if refused.count < AGAIN {
                cause.certainty = Certainty::Possible;
            }
            return Some(cause);
        }
        let asked = self.asked.as_ref().filter(|asked| asked.count >= OFTEN)?;
        Some(told(rules().named(UNHEARD)?, vec![asked.clone()]))
    }
}

fn message(text: &str) -> Option<Message> {
    let found = TYPE.captures(text.as_bytes())?;
    let number = found.get(1).or(found.get(2));
    let number = number.map(|number| number.as_bytes());
    let name = (3..=6).find_map(|group| found.get(group));
    let name = name.map(|name| name.as_bytes().to_ascii_lowercase());
    let message = match (number, name.as_deref()) {
        (Some(b"1"), _) | (_, Some(b"discover")) => Message::Discover,
        (Some(b"2"), _) | (_, Some(b"offer")) => Message::Offer,
        (Some(b"3"), _) | (_, Some(b"request" | b"select")) => Message::Request,
        (Some(b"5"), _) | (_, Some(b"ack" | b"lease")) => Message::Ack,
        (Some(b"6"), _) | (_, Some(b"nak" | b"nack")) => Message::Nak,
        _ => return None,
    };
    // A device that gives addresses itself tells of its own guests.
    let is_own = Subject::of(text) == Subject::OwnServer;
    let tells = number.is_some() || !NO_MESSAGE.is_match(text.as_bytes());
    (tells && !is_own).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(lines: &[&str]) -> Option<String> {
        let mut exchange = Exchange::default();
        for (line, text) in (1..).zip(lines) {
            exchange.take(line, text);
        }
        exchange.explain(None, None).map(|cause| cause.id)
    }

    #[test]
    fn a_question_that_no_server_answers_is_known_in_any_form() {
        for question in [
            "[net] dhcp tx message type 1 xid 3f21",
            "dhcp: send opt53=1",
            "[dhcp] -> 1",
            "<dbg> net_dhcpv4: send msg type: 1",
            "0.0.0.0 255.255.255.255 DHCP 342 DHCP Discover - Transaction ID 0x3f21",
            "IP 0.0.0.0.68 > 255.255.255.255.67: BOOTP/DHCP, DHCP-Message (53), length 1: Discover",
            "dnsmasq-dhcp[811]: DHCPDISCOVER(wlan0) 24:0a:c4:00:00:01",
            "udhcpc: sending discover",
        ] {
            let three = [question; 3];
            assert_eq!(explained(&three).as_deref(), Some(UNHEARD), "{question}");
            assert_eq!(explained(&three[..2]), None, "{question}");
        }
    }

    #[test]
    fn an_answer_ends_it_and_a_refusal_is_told() {
        let ask = "dhcp tx type=1";
        let (offer, take) = ("dhcp rx type=2", "dhcp tx type=3");
        let (given, refused) = ("dhcp rx type=5", "dhcp rx type=6");
        assert_eq!(explained(&[ask, ask, ask, offer, take, given]), None);
        let refusal = [ask, offer, take, refused];
        assert_eq!(explained(&refusal).as_deref(), Some(REFUSED));
        assert_eq!(explained(&[take, refused, ask, offer, take, given]), None);
        assert_eq!(explained(&["dhcp: waiting for offer"; 4]), None);
        assert_eq!(explained(&["dhcps: recv DISCOVER"; 4]), None);
    }
}
