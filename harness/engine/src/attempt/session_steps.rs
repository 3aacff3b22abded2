//! What phones do in a session besides provisioning. The session stays open.

use language::{Case, Command, Control, Custom, RequestOutcome, Roles, Scan, duration};
use phone::{Blame, Cause, Info, ProvisioningError, ScanSettings};
use serde_json::{Value, json};
use trace::Ssid;

use super::phones::PhoneSession;
use super::problem::{LabError, Missed, Problem};
use super::surroundings::VisitError;
use super::world::World;

/// Takes the step.
pub async fn scan(case: &Case, step: &Scan, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let wanted: Vec<String> = step
        .finds
        .iter()
        .map(|role| {
            world
                .access_point(role)
                .map(|values| values.ssid.to_string())
        })
        .collect::<Result<_, _>>()?;
    let mut session = session(device, &step.phone, world).await?;
    let clock = world.trace().clock().clone();
    let began = clock.now();
    let scanned = clock
        .timeout(step.within, results(&mut session, step))
        .await;
    let took = clock.now().since(began);
    world.phone(&step.phone)?.keep(session);
    let found = match scanned {
        Ok(scanned) => match judged(device, "scan", step.outcome, scanned)? {
            Some(found) => found,
            None => return Ok(()),
        },
        Err(_) => {
            let limit = duration::display(step.within);
            return Err(Missed::saying(format!(
                "{device} had not finished its scan after {limit}"
            )));
        }
    };
    let Found::Whole(found) = found else {
        return Err(Missed::saying(format!(
            "{device} answered a blocking scan before the scan had ended"
        )));
    };
    if let Some(limit) = step.at_least.filter(|limit| took < *limit) {
        return Err(Missed::saying(format!(
            "{device} scanned for {}; at least {} were expected",
            duration::display(took),
            duration::display(limit)
        )));
    }
    if let Some(count) = step.count
        && found.len() != count as usize
    {
        let what = format!(
            "{device} returned {} scan results; {count} were expected",
            found.len()
        );
        return Err(Missed::saying(what));
    }
    let mut rest = found.iter();
    for ssid in &wanted {
        if !rest.any(|found| found == ssid) {
            return Err(Missed::saying(format!(
                "{device} returned these networks, strongest first: {}; expected, in this order: {}",
                found.join(", "),
                wanted.join(", ")
            )));
        }
    }
    Ok(())
}

/// What a scan came to.
enum Found {
    /// SSIDs, in the order of the device.
    Whole(Vec<String>),
    /// The device answered before its scan was over, and should not have.
    TooEarly,
}

async fn results(session: &mut PhoneSession, step: &Scan) -> Result<Found, ProvisioningError> {
    let settings = ScanSettings {
        blocking: step.blocking,
        passive: step.passive,
        group_channels: Some(step.group_channels.into()),
        period: step.period,
        patience: step.within,
    };
    let client = session.established().await?;
    let found = if !step.blocking {
        client.scan_as(&settings).await?.complete()?
    } else {
        client.scan_start(&settings).await?;
        let status = client.scan_status().await?;
        if !status.scan_finished {
            return Ok(Found::TooEarly);
        }
        match step.from {
            0 => client.scan_results(status.result_count).await?.complete()?,
            from => client.scan_result(from, 1).await?,
        }
    };
    let names = found
        .iter()
        .map(|result| Ssid::from(&*result.ssid).to_string());
    Ok(Found::Whole(names.collect()))
}

/// Takes the step.
pub async fn control(case: &Case, step: &Control, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let mut session = session(device, &step.phone, world).await?;
    let answered = async {
        let client = session.established().await?;
        match step.command.value {
            Command::Reset => client.reset().await,
            Command::Reprov => client.reprovision().await,
        }
    }
    .await;
    world.phone(&step.phone)?.keep(session);
    let what = format!("{:?}", step.command.value).to_lowercase();
    judged(device, &what, step.outcome, answered).map(drop)
}

/// Takes the step.
pub async fn custom(case: &Case, step: &Custom, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let mut session = session(device, &step.phone, world).await?;
    let answered = async {
        let client = session.established().await?;
        client.custom(&step.endpoint, step.send.as_bytes()).await
    }
    .await;
    world.phone(&step.phone)?.keep(session);
    let Some(reply) = judged(device, &step.endpoint, step.outcome, answered)? else {
        return Ok(());
    };
    let reply = String::from_utf8_lossy(&reply);
    match &step.reply {
        Some(wanted) if !reply.contains(wanted.as_str()) => Err(Missed::saying(format!(
            "{device} answered {reply:?} on {}, which does not contain {wanted:?}",
            step.endpoint
        ))),
        _ => Ok(()),
    }
}

/// What the application and the provisioning service say of themselves, against what is wanted.
pub fn compare_info(info: &Info, wanted: &Roles<Value>) -> Result<(), Problem> {
    let mut all = info.app.clone();
    all.insert("prov".into(), json!(info.prov));
    let all = Value::Object(all);
    for (pointer, wanted) in wanted.iter() {
        let found = all.pointer(pointer);
        if !is_wanted(found.unwrap_or(&Value::Null), wanted) {
            let [found, wanted] = [found, Some(wanted)].map(|value| {
                let some = value.filter(|value| !value.is_null());
                some.map_or_else(|| "nothing".to_owned(), Value::to_string)
            });
            return Err(Missed::saying(format!(
                "the device's answer on proto-ver has {found} at {pointer}; {wanted} was expected"
            )));
        }
    }
    Ok(())
}

/// A value of the matrix is wanted as it is spelled, with any type that it is found with.
fn is_wanted(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(found), Value::String(wanted)) => found.to_string() == *wanted,
        (Value::Bool(found), Value::String(wanted)) => found.to_string() == *wanted,
        _ => found == wanted,
    }
}

/// The session that the phone has open, or one to be established.
pub async fn session(
    device: &str,
    phone: &str,
    world: &mut World,
) -> Result<PhoneSession, Problem> {
    if let Some(session) = world.phone(phone)?.resume() {
        return Ok(session);
    }
    let visited = match world.phone_settings(phone, device).await {
        Ok(settings) => world.visit_with(phone, device, settings).await,
        Err(error) => Err(error),
    };
    match visited {
        Ok(session) => Ok(session),
        Err(VisitError::Surroundings(error)) => Err(error.into()),
        Err(VisitError::Device(why)) => Err(Missed::saying(why)),
    }
}

/// Whether the device said no: with a status, or by ending the exchange.
fn refuses(error: &ProvisioningError) -> bool {
    match error {
        ProvisioningError::Refused { .. } => true,
        ProvisioningError::Transport { source, .. } => {
            matches!(source.cause(), Cause::Refused | Cause::NoEndpoint)
        }
        _ => false,
    }
}

/// What the device answered, if it was to answer; none if it was to refuse, and did.
pub fn judged<T>(
    device: &str,
    what: &str,
    wanted: RequestOutcome,
    answered: Result<T, ProvisioningError>,
) -> Result<Option<T>, Problem> {
    match (wanted, answered) {
        (RequestOutcome::Done, Ok(answer)) => Ok(Some(answer)),
        (RequestOutcome::Refused, Ok(_)) => Err(Missed::saying(format!(
            "{device} accepted {what}; the scenario demands that it refuses"
        ))),
        (_, Err(error)) if matches!(error.blame(), Blame::Phone | Blame::Host) => {
            Err(LabError::from(error).into())
        }
        (RequestOutcome::Refused, Err(error)) if refuses(&error) => Ok(None),
        (_, Err(error)) => Err(Missed::saying(trace::in_full(&error))),
    }
}
