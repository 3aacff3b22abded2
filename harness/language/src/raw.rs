//! Steps that send bytes of the scenario's own, in place of what a phone would.

use std::num::NonZeroU16;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration;
use super::span::{Placed, Span};
use super::step::{QueryBy, RequestOutcome, Step};
use trace::provisioning::AttError;

/// Bytes of one word of hex at the most.
const MOST_BYTES: usize = 65_536;
/// Bytes of a PDU of the Attribute Protocol at the most: more than any device takes, and what a controller has
/// buffers for at once.
const MOST_OF_A_PDU: usize = 1_024;

/// A phone sends bytes to an endpoint: in the session that it has open or in a new one, which stays open,
/// or without one, as they are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// To which endpoint.
    pub endpoint: Placed<String>,
    /// What is sent, in hex.
    pub hex: Placed<Hex>,
    /// Whether it is encrypted in a session; else it is sent as it is, whether there is a session or not.
    #[serde(default = "yes")]
    pub encrypted: bool,
    /// What the answer begins with, in hex.
    pub answer: Option<Placed<Hex>>,
    /// How many bytes the answer has.
    pub length: Option<u32>,
    /// Whether there must be one.
    #[serde(default)]
    pub outcome: RequestOutcome,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// Bytes, written as words of hex digits; `00*32` is such a word 32 times.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Hex(pub Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = Vec::new();
        for word in text.split_whitespace() {
            let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
            let once =
                hex::decode(digits).map_err(|error| format!("{word:?} is no hex: {error}"))?;
            let times: usize = times
                .parse()
                .map_err(|_| format!("{word:?}: no number stands behind `*`"))?;
            if once.len().saturating_mul(times) > MOST_BYTES {
                return Err(format!("{word:?} is more than {MOST_BYTES} bytes"));
            }
            bytes.extend(once.repeat(times));
        }
        Ok(Self(bytes))
    }
}

/// A phone joins a device's own network, opens a TCP connection to its HTTP server and sends bytes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// What is sent, as text.
    pub send: Placed<String>,
    /// Bytes that are sent at a time; all at once if left out.
    pub piece: Option<NonZeroU16>,
    /// Between two pieces.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub pause: Option<Duration>,
    /// What must come back.
    pub shows: Option<String>,
    /// What must not come back.
    pub lacks: Option<String>,
    /// Whether the device must have ended the connection by the end of `within`, or must not have.
    pub closed: Option<bool>,
    /// How long is listened after the last piece, in device time; a second if left out.
    #[serde(default = "a_second", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// A phone on the LAN sends one UDP datagram to a device, from a port of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Datagram {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// To the device alone, or to all hosts of the LAN, or to all of them that know CoAP.
    #[serde(default = "unicast")]
    pub by: QueryBy,
    /// To which port; that of CoAP if left out.
    #[serde(default = "coap_port")]
    pub port: u16,
    /// What is sent, in hex.
    pub hex: Placed<Hex>,
    /// Text behind it.
    #[serde(default)]
    pub text: String,
    /// What the first answer begins with, in hex; if left out there must be none.
    pub answer: Option<Placed<Hex>>,
    /// How long is listened, in device time; a second if left out.
    #[serde(default = "a_second", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// A phone sends one PDU of the Attribute Protocol as it is, on the link over which it provisions a device: in the
/// session that it has open or in none, on a link that stays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// What is sent, in hex: an opcode, and what belongs to it. It may be empty.
    pub hex: Placed<Hex>,
    /// What must come of it.
    #[serde(default)]
    pub outcome: Placed<AttributeOutcome>,
    /// What the response begins with, in hex.
    pub answer: Option<Placed<Hex>>,
    /// Which error a refusal must be; any if left out.
    pub error: Option<Placed<AttError>>,
    /// How long is listened, in device time; a second if left out.
    #[serde(default = "a_second", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

/// What a device does about a PDU of the Attribute Protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeOutcome {
    /// It sends the response to that request.
    #[default]
    Answered,
    /// It sends an error that names that request.
    Refused,
    /// It sends nothing, and the link stands.
    Unanswered,
    /// It ends the link.
    Closed,
}

fn unicast() -> QueryBy {
    QueryBy::Unicast
}

fn coap_port() -> u16 {
    5683
}

fn yes() -> bool {
    true
}

fn a_second() -> Duration {
    Duration::from_secs(1)
}

impl Wire {
    /// How long its pauses take together.
    pub fn sending(&self) -> Duration {
        let piece = self
            .piece
            .map_or(self.send.len().max(1), |p| p.get().into());
        let pauses = self.send.len().div_ceil(piece).saturating_sub(1);
        let pauses = u32::try_from(pauses).unwrap_or(u32::MAX);
        self.pause.unwrap_or_default().saturating_mul(pauses)
    }
}

impl Attribute {
    /// What is wrong with it, where, and what to do.
    pub(super) fn mistake(&self) -> Option<(Span, &'static str, &'static str)> {
        let outcome = self.outcome.value;
        if self.hex.0.len() > MOST_OF_A_PDU {
            return Some((
                self.hex.span,
                "a PDU of more than 1024 bytes",
                "no device takes more than 517",
            ));
        }
        if let Some(answer) = &self.answer
            && outcome != AttributeOutcome::Answered
        {
            return Some((
                answer.span,
                "only `outcome: answered` has an `answer`",
                "which error it is, `error` says",
            ));
        }
        if let Some(error) = &self.error
            && outcome != AttributeOutcome::Refused
        {
            return Some((
                error.span,
                "an `error` is what a request is refused by",
                "say `outcome: refused`",
            ));
        }
        None
    }
}

impl Step {
    /// Whether a phone goes to where a device is provisioned.
    pub fn is_visit(&self) -> bool {
        match self {
            Self::Discover(step) => step.own_network,
            _ => self.is_session(),
        }
    }

    fn is_session(&self) -> bool {
        matches!(
            self,
            Self::Provision(_)
                | Self::ReadVersion(_)
                | Self::Scan(_)
                | Self::Control(_)
                | Self::Custom(_)
                | Self::Request(_)
                | Self::Wire(_)
                | Self::Attribute(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_words_of_digits_some_of_them_many_times() {
        for (text, bytes) in [
            ("", &[][..]),
            ("0804 7200", &[8, 4, 0x72, 0]),
            ("ff 00*3", &[0xff, 0, 0, 0]),
        ] {
            assert_eq!(Hex::try_from(text.to_owned()), Ok(Hex(bytes.to_vec())));
        }
    }

    #[test]
    fn what_is_no_hex_is_told() {
        for text in ["0", "xy", "00*", "00*-1", "00*99999999"] {
            assert!(Hex::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    /// What is said about an `attribute` with these fields, at a device provisioned over `over`: line, column,
    /// message.
    fn mistakes(over: &str, fields: &str) -> Vec<String> {
        let text = format!(
            "name: ATT\nworld:\n  devices: {{ device: {{ provisioning: {{ over: {over} }} }} }}\n  phones: [alice]\n\
             steps:\n  - attribute: {{ phone: alice, {fields} }}\n"
        );
        match crate::parse("att.yaml", &text, &crate::Known::default()) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes
                .iter()
                .map(|mistake| {
                    let span = mistake.span();
                    format!("{}:{}: {mistake}", span.line, span.column)
                })
                .collect(),
        }
    }

    #[test]
    fn bytes_of_the_attribute_protocol_are_sent_over_bluetooth_alone() {
        assert_eq!(mistakes("ble", "hex: 0a, outcome: refused"), [""; 0]);
        assert_eq!(
            mistakes("softap", "hex: 0a, outcome: refused"),
            ["6:5: only a device provisioned over `ble` has attributes: say `over: ble`"]
        );
    }

    #[test]
    fn what_does_not_fit_an_outcome_is_told_where_it_stands() {
        for (fields, told) in [
            (
                "hex: 0g",
                "6:16: \"0g\" is no hex: Invalid character 'g' at position 1",
            ),
            (
                "hex: 0a, outcome: refussed",
                "6:50: unknown value `refussed`",
            ),
            (
                "hex: 0a, outcome: refused, error: invalid-pud",
                "6:66: unknown value `invalid-pud`",
            ),
            (
                "hex: 0a, error: invalid-pdu",
                "6:48: an `error` is what a request is refused by",
            ),
            (
                "hex: 0a, outcome: refused, answer: 0b",
                "6:67: only `outcome: answered` has an `answer`",
            ),
            ("hex: 00*1025", "6:37: a PDU of more than 1024 bytes"),
        ] {
            assert_eq!(mistakes("ble", fields), [told], "{fields}");
        }
    }

    #[test]
    fn bytes_of_the_attribute_protocol_need_its_channel() {
        let text = "name: ATT\nworld:\n  devices: { device: { provisioning: { over: ble } } }\n  phones: [alice]\n\
                    steps:\n  - attribute: { phone: alice, hex: 0a, outcome: refused, within: 3s }\n";
        let cases = crate::parse("att.yaml", text, &crate::Known::default()).expect("sound");
        assert!(cases[0].needs().contains(&crate::Need::RawAttributes));
        let settle = cases[0].scenario.settle;
        assert_eq!(cases[0].lasts(), settle + Duration::from_secs(3));
        let other = text.replace(
            "attribute: { phone: alice, hex: 0a, outcome: refused, within: 3s }",
            "wait: 3s",
        );
        let cases = crate::parse("att.yaml", &other, &crate::Known::default()).expect("sound");
        assert!(!cases[0].needs().contains(&crate::Need::RawAttributes));
    }
}
