//! Bytes of the scenario's own, in place of what a phone would send.

use std::net::SocketAddrV4;

use language::{Attribute, AttributeOutcome, Case, Datagram, QueryBy, Request, Wire, duration};
use phone::{AttributeEnd, Cause, TransportError, WireEnd};
use proto::linkkit::MULTICAST;
use trace::provisioning::AttError;

use super::problem::{LabError, Missed, Problem};
use super::session_steps::{judged, session};
use super::world::World;

/// Takes the step.
pub async fn request(case: &Case, step: &Request, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let mut session = session(device, &step.phone, world).await?;
    let answered = async {
        if step.encrypted {
            let client = session.established().await?;
            return client.raw_encrypted(&step.endpoint, &step.hex.0).await;
        }
        session.client.raw(&step.endpoint, &step.hex.0).await
    }
    .await;
    world.phone(&step.phone)?.keep(session);
    let Some(answer) = judged(device, &step.endpoint, step.outcome, answered)? else {
        return Ok(());
    };
    if let Some(length) = step.length
        && answer.len() != length as usize
    {
        return Err(Missed::saying(format!(
            "{device} answered {} bytes on {}; {length} were expected: {}",
            answer.len(),
            step.endpoint,
            hex::encode(&answer)
        )));
    }
    match &step.answer {
        Some(wanted) if !answer.starts_with(&wanted.0) => Err(Missed::saying(format!(
            "{device} answered {} on {}, which does not begin with {}",
            hex::encode(&answer),
            step.endpoint,
            hex::encode(&wanted.0)
        ))),
        _ => Ok(()),
    }
}

/// Takes the step.
pub async fn datagram(case: &Case, step: &Datagram, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let clock = world.trace().clock().clone();
    world.come_back(&step.phone).await?;
    let seat = world.phone(&step.phone)?.seat()?;
    let address = match step.by {
        QueryBy::Unicast => world.station_address(device)?,
        QueryBy::Broadcast => seat.broadcast(),
        QueryBy::Multicast => MULTICAST,
    };
    let io = |source| LabError::Io {
        what: format!("send a datagram as {}", step.phone),
        source,
    };
    let socket = seat.udp(0).await.map_err(io)?;
    let mut bytes = step.hex.0.clone();
    bytes.extend_from_slice(step.text.as_bytes());
    socket
        .send(&bytes, SocketAddrV4::new(address, step.port))
        .await
        .map_err(io)?;
    clock.touch();
    let answered = clock.timeout(step.within, socket.receive()).await;
    let answer = match answered {
        Ok(received) => Some(received.map_err(io)?.0),
        Err(_) => None,
    };
    match (&step.answer, answer) {
        (None, None) => Ok(()),
        (Some(wanted), Some(answer)) if answer.starts_with(&wanted.0) => Ok(()),
        (None, Some(answer)) => Err(Missed::saying(format!(
            "{device} answered {}; the scenario demands that it does not answer",
            hex::encode(&answer)
        ))),
        (Some(wanted), Some(answer)) => Err(Missed::saying(format!(
            "{device} answered {}, which does not begin with {}",
            hex::encode(&answer),
            hex::encode(&wanted.0)
        ))),
        (Some(_), None) => Err(Missed::saying(format!(
            "{device} did not answer within {}",
            duration::display(step.within)
        ))),
    }
}

/// Takes the step, and sends `sent`.
pub async fn wire(case: &Case, step: &Wire, sent: &str, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let mut session = session(device, &step.phone, world).await?;
    let bytes = sent.as_bytes();
    let piece = step
        .piece
        .map_or(bytes.len().max(1), |piece| piece.get().into());
    let pause = step.pause.unwrap_or_default();
    let sent = session
        .client
        .wire(bytes, (piece, pause), step.within)
        .await;
    world.phone(&step.phone)?.keep(session);
    let WireEnd {
        received,
        is_closed,
    } = match sent {
        Ok(end) => end,
        Err(None) => {
            let what = format!(
                "{device} is not provisioned over its own network: `wire` needs `over: softap`"
            );
            return Err(LabError::Scenario(what).into());
        }
        Err(Some(error)) => {
            let what = format!("{device} takes no connection: {error}");
            return Err(Missed::saying(what));
        }
    };
    let shown = String::from_utf8_lossy(&received);
    if let Some(wanted) = &step.shows
        && !shown.contains(wanted.as_str())
    {
        return Err(Missed::saying(format!(
            "{device} answered {shown:?}, which does not contain {wanted:?}"
        )));
    }
    if let Some(unwanted) = &step.lacks
        && shown.contains(unwanted.as_str())
    {
        return Err(Missed::saying(format!(
            "{device} answered {shown:?}, which contains {unwanted:?}"
        )));
    }
    match step.closed {
        Some(wanted) if wanted != is_closed => {
            let what = match is_closed {
                true => "has ended",
                false => "has not ended",
            };
            let within = duration::display(step.within);
            Err(Missed::saying(format!(
                "{device} {what} the connection {within} after the last byte; it answered {shown:?}"
            )))
        }
        _ => Ok(()),
    }
}

/// Takes the step.
pub async fn attribute(case: &Case, step: &Attribute, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let mut session = session(device, &step.phone, world).await?;
    let sent = session.client.attribute(&step.hex.0, step.within).await;
    world.phone(&step.phone)?.keep(session);
    let end = match sent {
        Ok(end) => end,
        Err(None) => {
            let what = format!(
                "no phone here has a channel of the Attribute Protocol to {device}: `attribute` needs \
                 `over: ble`, and the lab"
            );
            return Err(LabError::Scenario(what).into());
        }
        Err(Some(error)) => {
            let is_of_this_host = error.cause() == Cause::Host;
            return Err(match error {
                TransportError::Ble(error) if is_of_this_host => error.into(),
                error => {
                    let why = trace::in_full(&error);
                    Missed::saying(format!("{device} takes no connection: {why}"))
                }
            });
        }
    };
    match unwanted(step, &end) {
        None => Ok(()),
        Some(what) => Err(Missed::saying(format!(
            "{device} {what}; {} was sent",
            shown(&step.hex.0)
        ))),
    }
}

/// What a device did about a PDU, if it is not what the step demands.
fn unwanted(step: &Attribute, end: &AttributeEnd) -> Option<String> {
    let wanted = step.outcome.value;
    let answer = match end {
        AttributeEnd::Silent if wanted == AttributeOutcome::Unanswered => return None,
        AttributeEnd::Closed if wanted == AttributeOutcome::Closed => return None,
        AttributeEnd::Silent => {
            let within = duration::display(step.within);
            return Some(format!("did nothing within {within}"));
        }
        AttributeEnd::Closed => return Some("ended the link, or is gone".to_owned()),
        AttributeEnd::Answered(answer) => answer,
    };
    let opcode = step.hex.0.first().copied().unwrap_or_default();
    let error = AttError::of(answer);
    let told = match error {
        Some(error) => format!("{} ({})", shown(answer), error.name()),
        None => shown(answer),
    };
    match (wanted, error) {
        (AttributeOutcome::Unanswered, _) => Some(format!("answered {told}; it was not to answer")),
        (AttributeOutcome::Closed, _) => Some(format!("answered {told}; it was to end the link")),
        (AttributeOutcome::Answered, None) => match &step.answer {
            // Responses have the opcode behind the request's (Core 5.4 Vol 3 Part F §3.4.8).
            _ if answer.first() != Some(&opcode.wrapping_add(1)) => {
                Some(format!("answered {told}, which is no response to that"))
            }
            Some(wanted) if !answer.starts_with(&wanted.0) => {
                let wanted = shown(&wanted.0);
                Some(format!(
                    "answered {told}, which does not begin with {wanted}"
                ))
            }
            _ => None,
        },
        (AttributeOutcome::Answered, Some(_)) => Some(format!("refused by {told}")),
        (AttributeOutcome::Refused, None) => {
            Some(format!("answered {told}; it was to refuse by an error"))
        }
        (AttributeOutcome::Refused, Some(error)) => {
            // §3.4.1.1: the opcode of the request that it answers.
            if answer.get(1) != Some(&opcode) {
                return Some(format!("refused by {told}, which names another request"));
            }
            let wanted = step.error.as_ref().map(|error| error.value);
            let other = wanted.filter(|wanted| *wanted != error)?;
            let other = other.name();
            Some(format!("refused by {told}; {other} was expected"))
        }
    }
}

/// Bytes as people read them.
fn shown(bytes: &[u8]) -> String {
    match bytes {
        [] => "an empty PDU".to_owned(),
        bytes => hex::encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a device that does `end` about the step that `fields` describe.
    fn told(fields: &str, end: AttributeEnd) -> String {
        let text = format!(
            "name: ATT\nworld: {{ devices: {{ device: {{ provisioning: {{ over: ble }} }} }}, phones: [alice] }}\n\
             steps:\n  - attribute: {{ phone: alice, {fields} }}\n"
        );
        let known = language::known().expect("our own");
        let cases = language::parse("att.yaml", &text, &known).unwrap_or_else(|e| panic!("{e}"));
        let language::Step::Attribute(step) = &*cases[0].scenario.steps[0] else {
            panic!("another step");
        };
        unwanted(step, &end).unwrap_or_default()
    }

    #[test]
    fn each_outcome_is_met_by_what_it_says_alone() {
        let answered = |hex: &str| AttributeEnd::Answered(hex::decode(hex).expect("hex"));
        let cases = [
            ("hex: 0a0300", answered("0b07"), ""),
            ("hex: 0a0300, answer: 0b07", answered("0b0708"), ""),
            (
                "hex: 0a0300, answer: 0b09",
                answered("0b07"),
                "does not begin with 0b09",
            ),
            ("hex: 0a0300", answered("13"), "no response to that"),
            (
                "hex: 0a0300",
                answered("010a030001"),
                "refused by 010a030001 (invalid-handle)",
            ),
            ("hex: 0a, outcome: refused", answered("010a000004"), ""),
            (
                "hex: 0a, outcome: refused, error: invalid-pdu",
                answered("010a000004"),
                "",
            ),
            (
                "hex: 0a, outcome: refused, error: invalid-pdu",
                answered("010a000001"),
                "invalid-pdu was expected",
            ),
            (
                "hex: 0a, outcome: refused",
                answered("0108000004"),
                "names another request",
            ),
            (
                "hex: 0a, outcome: refused",
                answered("0b"),
                "it was to refuse",
            ),
            (
                "hex: 0a, outcome: refused",
                AttributeEnd::Silent,
                "did nothing within 1s",
            ),
            (
                "hex: 0a, outcome: refused",
                AttributeEnd::Closed,
                "ended the link, or is gone",
            ),
            ("hex: '', outcome: unanswered", AttributeEnd::Silent, ""),
            (
                "hex: '', outcome: unanswered",
                answered("0100000004"),
                "it was not to answer",
            ),
            ("hex: 0a, outcome: closed", AttributeEnd::Closed, ""),
            (
                "hex: 0a, outcome: closed",
                answered("0b"),
                "it was to end the link",
            ),
        ];
        for (fields, end, expected) in cases {
            let told = told(fields, end);
            assert_eq!(told.is_empty(), expected.is_empty(), "{fields}: {told}");
            assert!(told.contains(expected), "{fields}: {told}");
        }
    }
}
