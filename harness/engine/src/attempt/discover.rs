//! A phone looks for a device by mDNS.

use language::{Captures, Case, Discover, DiscoverOutcome};
use phone::mdns::{MdnsError, Wanted};

use super::problem::{LabError, Missed, Problem};
use super::world::World;

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
    let wanted = Wanted {
        service: text(&step.service),
        instance: text(&step.instance),
        host: text(&step.host),
        // Another device of the LAN may announce the same.
        from: world.station_address(device).ok(),
    };
    let trace = world.trace().clone();
    let dial = world.phone(&step.phone)?.listener()?.dial().clone();
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
    if let (Some(wanted), Some(port)) = (&step.port, found.port)
        && wanted.value != port
    {
        return Err(Missed::saying(format!(
            "{device} tells by mDNS that {} is at port {port}; expected was {}",
            found.host, wanted.value
        )));
    }
    // It is a few texts and numbers, which JSON has.
    let mut json = serde_json::to_value(&found).unwrap_or_default();
    trace.secrets().redact(&mut json);
    captures
        .take(&step.capture, &json)
        .map_err(|error| Missed::saying(error.to_string()))
}
