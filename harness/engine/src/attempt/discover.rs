//! A phone looks for a device by mDNS.

use std::net::Ipv4Addr;
use std::sync::Arc;

use language::{Captures, Case, Discover, DiscoverOutcome, DiscoverWay};
use phone::Dial;
use phone::mdns::{Discovered, MdnsError, Wanted, Way};

use super::problem::{LabError, Missed, Problem};
use super::session_steps::session;
use super::surroundings::SERVICE;
use super::world::World;

/// RFC 6762 §10: 75 minutes, for records that name no host.
const LONGEST_TTL_S: u32 = 4_500;

/// Has a phone look for a device.
pub async fn discover(
    case: &Case,
    step: &Discover,
    world: &mut World,
    captures: &mut Captures,
) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let text =
        |text: &Option<language::Placed<String>>| text.as_ref().map(|text| text.value.clone());
    let (dial, address) = place(device, step, world).await?;
    let wanted = Wanted {
        service: text(&step.service),
        instance: text(&step.instance),
        host: text(&step.host),
        // Another device of the LAN may announce the same.
        from: address,
        way: match step.way {
            DiscoverWay::OneShot => Way::OneShot,
            DiscoverWay::Continuous => Way::Continuous,
            DiscoverWay::Listening => Way::Listening,
        },
    };
    let trace = world.trace().clone();
    let found = phone::mdns::discover(&*dial, &wanted, step.within, trace.clock()).await;
    let found = match (found, step.outcome) {
        (Ok(found), DiscoverOutcome::Found) => found,
        (Ok(found), DiscoverOutcome::NotFound) => {
            return Err(Missed::saying(format!(
                "{device} was found by mDNS as {} at {}; the scenario demands that it is not",
                found.host, found.address
            )));
        }
        (Err(MdnsError::NotFound { .. }), DiscoverOutcome::NotFound) => return Ok(()),
        (Err(error @ MdnsError::NotFound { .. }), DiscoverOutcome::Found) => {
            return Err(Missed::saying(format!("{device}: {error}")));
        }
        (Err(error @ MdnsError::Name(_)), _) => {
            return Err(LabError::Scenario(error.to_string()).into());
        }
        (Err(MdnsError::Io { what, source }), _) => {
            let what = format!("{what} as {}", step.phone);
            return Err(LabError::Io { what, source }.into());
        }
    };
    judge(device, step, address, &found)?;
    // It is a few texts and numbers, which JSON has.
    let mut json = serde_json::to_value(&found).unwrap_or_default();
    trace.secrets().redact(&mut json);
    captures
        .take(&step.capture, &json)
        .map_err(|error| Missed::saying(error.to_string()))
}

/// Where the phone looks, and the address that the device has there.
async fn place(
    device: &str,
    step: &Discover,
    world: &mut World,
) -> Result<(Arc<dyn Dial>, Option<Ipv4Addr>), Problem> {
    if !step.own_network {
        world.come_back(&step.phone).await?;
        let dial = world.phone(&step.phone)?.seat()?;
        return Ok((dial, world.station_address(device).ok()));
    }
    let session = session(device, &step.phone, world).await?;
    let place = session.dial();
    world.phone(&step.phone)?.keep(session);
    let dial = place.ok_or_else(|| {
        LabError::Scenario(format!("{device} has no network of its own for datagrams"))
    })?;
    Ok((dial, Some(*SERVICE.ip())))
}

/// Whether what was found is what was wanted, and what can be.
fn judge(
    device: &str,
    step: &Discover,
    address: Option<Ipv4Addr>,
    found: &Discovered,
) -> Result<(), Problem> {
    let host = &found.host;
    let told = |what: String| {
        let told = format!("{device} tells by mDNS that {host} {what}");
        Err(Missed::saying(told))
    };
    if let Some(address) = address.filter(|address| *address != found.address) {
        return told(format!("is at {}; it is at {address}", found.address));
    }
    // One of 0 s says that it is gone (RFC 6762 §10.1).
    if !(1..=LONGEST_TTL_S).contains(&found.ttl_s) {
        return told(format!(
            "is there for {} s; a record lives from 1 to {LONGEST_TTL_S} s",
            found.ttl_s
        ));
    }
    if let (Some(wanted), Some(port)) = (&step.port, found.port)
        && wanted.value != port
    {
        return told(format!("is at port {port}; expected was {}", wanted.value));
    }
    for (key, wanted) in step.txt.iter() {
        match found.txt.get(key) {
            Some(said) if said == wanted => {}
            Some(said) => return told(format!("has {key}={said}; expected was {key}={wanted}")),
            None => {
                return told(format!(
                    "says nothing of {key}; expected was {key}={wanted}"
                ));
            }
        }
    }
    Ok(())
}
