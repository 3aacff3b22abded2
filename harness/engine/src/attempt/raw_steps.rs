//! Bytes of the scenario's own, in place of what a phone would send.

use std::net::SocketAddrV4;

use language::{Case, Datagram, QueryBy, Request, Wire, duration};
use phone::WireEnd;
use proto::linkkit::MULTICAST;

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

/// Takes the step.
pub async fn wire(case: &Case, step: &Wire, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let mut session = session(device, &step.phone, world).await?;
    let bytes = step.send.as_bytes();
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
