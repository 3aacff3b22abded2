//! A phone goes through provisioning, as far as its step says.

use language::{Captures, Case, Outcome, PhoneToken, Provision, Stage, duration};
use phone::{BindingToken, Blame, Credentials, Outcome as Reached, ProvisioningError, Settings};
use proto::handover::{SWITCHAP_ENDPOINT, TOKEN_ENDPOINT};

use super::hand_over::HandedRequest;
use super::phones::PhoneSession;
use super::problem::{LabError, Missed, Problem};
use super::surroundings::VisitError;
use super::world::World;

/// What became of the stages.
enum End {
    /// `stop_after` was reached; the session stays open.
    Stopped(Box<PhoneSession>),
    /// It came to an end; the session is still open, if there was one.
    Reached(Reached, Option<Box<PhoneSession>>),
}

/// A token that the phone made, and how the device takes it.
struct HandOver {
    token: BindingToken,
    form: PhoneToken,
}

/// Takes the step.
pub async fn provision(
    case: &Case,
    step: &Provision,
    world: &mut World,
    captures: &mut Captures,
) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let clock = world.trace().clock().clone();
    let began = world.trace().len();
    let hand_over = hand_over(case, step, world, captures);
    let stages = stages(device, step, hand_over, world);
    let end = match clock.timeout(step.within, stages).await {
        Ok(end) => end?,
        Err(_) => {
            return Err(Missed::saying(format!(
                "{} had not finished provisioning {device} after {}; `proving trace show` with the trace \
                 below lists each request and answer",
                step.phone,
                duration::display(step.within)
            )));
        }
    };
    match (end, step.stop_after) {
        (End::Stopped(session), _) => {
            world.phone(&step.phone)?.keep(*session);
            Ok(())
        }
        (End::Reached(reached, _), Some(stage)) => Err(Missed::saying(format!(
            "{} was to stop after the stage {stage:?}, and provisioning ended before it: {reached}",
            step.phone
        ))),
        (End::Reached(reached, session), None) => {
            match session {
                Some(session) if step.stay => world.phone(&step.phone)?.keep(*session),
                Some(session) => {
                    session.end().await?;
                    world.go_home(&step.phone).await?;
                }
                None => world.go_home(&step.phone).await?,
            }
            match &step.outcome {
                Some(wanted) if is(&reached, wanted.value) => Ok(()),
                Some(wanted) => Err(Missed::saying(format!(
                    "{} wanted provisioning to end with {:?}; {}",
                    step.phone,
                    wanted.value,
                    super::claim::beside_the_air(&reached, world.trace(), began, device)
                ))),
                None => Ok(()),
            }
        }
    }
}

/// Makes the token that the step names.
fn hand_over(
    case: &Case,
    step: &Provision,
    world: &World,
    captures: &mut Captures,
) -> Option<HandOver> {
    let name = step.token.as_ref()?;
    let device = case.device(step.device.as_ref());
    let form = case
        .scenario
        .world
        .devices
        .named(device)?
        .provisioning
        .phone_token?;
    let token = BindingToken::random();
    let secrets = world.trace().secrets();
    secrets.add_numbered("token", token.as_str());
    let mut shown = serde_json::Value::from(token.as_str());
    secrets.redact(&mut shown);
    captures.keep(name, &shown);
    Some(HandOver { token, form })
}

async fn stages(
    device: &str,
    step: &Provision,
    hand_over: Option<HandOver>,
    world: &mut World,
) -> Result<End, Problem> {
    let mut session = if step.resume {
        world.phone(&step.phone)?.resume().ok_or_else(|| {
            LabError::Scenario(format!("{} has no open session to resume", step.phone))
        })?
    } else {
        let visited = match settings(device, step, world).await {
            Ok(settings) => world.visit_with(&step.phone, device, settings).await,
            Err(error) => Err(error),
        };
        match visited {
            Ok(session) => session,
            Err(VisitError::Surroundings(error)) => return Err(error.into()),
            Err(VisitError::Device(why)) => {
                return Ok(End::Reached(Reached::Unreachable { why }, None));
            }
        }
    };
    let credentials = credentials(step, world)?;
    let request = world.device(device)?.request.clone();
    let request = request.filter(|_| credentials.is_some() && !step.resume);
    let established = session.established().await.map(|_| ());
    if let (Ok(()), Some(request)) = (&established, request) {
        tell(device, &request, &mut session).await?;
    }
    let taken = match established {
        Ok(()) => take(&mut session, step.stop_after, credentials, hand_over).await,
        Err(error) => Err(error),
    };
    let ended = match taken {
        Ok(None) => return Ok(End::Stopped(Box::new(session))),
        Ok(Some(reached)) => Ok(reached),
        Err(error) => Err(error),
    };
    let concluded = session.client.conclude(ended);
    concluded
        .map(|reached| End::Reached(reached, Some(Box::new(session))))
        .map_err(|error| {
            if matches!(error.blame(), Blame::Phone | Blame::Host) {
                error.into()
            } else {
                Missed::saying(trace::in_full(&error))
            }
        })
}

/// Tells the device of the world, as its firmware takes it.
async fn tell(
    device: &str,
    request: &HandedRequest,
    session: &mut PhoneSession,
) -> Result<(), Problem> {
    let endpoint = &request.endpoint;
    let answer = session
        .client
        .custom(endpoint, request.text.as_bytes())
        .await;
    let answer = answer.map_err(|error| match error.blame() {
        Blame::Phone | Blame::Host => Problem::from(error),
        _ => Missed::saying(format!(
            "{device} did not take what its firmware is told over {endpoint}: {}",
            trace::in_full(&error)
        )),
    })?;
    let answer = String::from_utf8_lossy(&answer);
    match &request.reply {
        Some(wanted) if !answer.contains(wanted.as_str()) => Err(Missed::saying(format!(
            "{device} answered `{answer}` to what its firmware is told over {endpoint}; `{wanted}` was expected"
        ))),
        _ => Ok(()),
    }
}

/// Takes the stages that are left of an established session; none if it stopped after `stop_after`.
async fn take(
    session: &mut PhoneSession,
    stop_after: Option<Stage>,
    credentials: Option<Credentials>,
    hand_over: Option<HandOver>,
) -> Result<Option<Reached>, ProvisioningError> {
    let client = &mut session.client;
    if stop_after == Some(Stage::Session) {
        return Ok(None);
    }
    // The check of the scenario saw to it that there is something to join from here on.
    if let (Some(HandOver { token, form }), Some(credentials)) = (&hand_over, &credentials) {
        match form {
            PhoneToken::Switchap => {
                let sent = client.switch_ap(SWITCHAP_ENDPOINT, credentials, token);
                sent.await?;
                return client.wait_for_outcome().await.map(Some);
            }
            PhoneToken::Endpoint => client.hand_over(TOKEN_ENDPOINT, token).await?,
        }
    }
    if let Some(credentials) = credentials {
        client.set_config(&credentials).await?;
        session.is_set = true;
    }
    if stop_after == Some(Stage::Set) {
        return Ok(None);
    }
    if std::mem::take(&mut session.is_set) {
        client.apply_config().await?;
    }
    if stop_after == Some(Stage::Apply) {
        return Ok(None);
    }
    client.wait_for_outcome().await.map(Some)
}

async fn settings(
    device: &str,
    step: &Provision,
    world: &mut World,
) -> Result<Settings, VisitError> {
    let right = world.phone_settings(&step.phone, device).await?;
    let given = |given: &Option<language::Placed<String>>, right: Option<String>| {
        given.as_ref().map(|given| given.value.clone()).or(right)
    };
    Ok(Settings {
        pop: given(&step.pop, right.pop.clone()),
        password: given(&step.password, right.password.clone()),
        damaged_proof: step.damaged_proof.as_ref().map(|at| usize::from(at.value)),
        patience: step.within,
        ..right
    })
}

fn credentials(step: &Provision, world: &World) -> Result<Option<Credentials>, Problem> {
    let known = match &step.join {
        Some(role) => Some(world.access_point(role)?),
        None => None,
    };
    let ssid = step.ssid.as_ref().map(|given| given.value.clone());
    let passphrase = step.passphrase.as_ref().map(|given| given.value.clone());
    let ssid = ssid.or_else(|| known.map(|known| known.ssid.clone()));
    let passphrase = passphrase.or_else(|| known.map(|known| known.passphrase.clone()));
    let ssid = ssid.map(trace::Ssid::into_bytes);
    Ok(ssid.map(|ssid| Credentials::new(ssid, passphrase.unwrap_or_default())))
}

fn is(reached: &Reached, wanted: Outcome) -> bool {
    matches!(
        (reached, wanted),
        (Reached::Connected(_), Outcome::Connected)
            | (Reached::AuthError, Outcome::AuthError)
            | (Reached::NetworkNotFound, Outcome::NetworkNotFound)
            | (Reached::SessionRefused, Outcome::SessionRefused)
            | (Reached::SessionLost, Outcome::SessionLost)
            | (
                Reached::CredentialsRefused { .. },
                Outcome::CredentialsRefused
            )
            | (Reached::Unreachable { .. }, Outcome::Unreachable)
            | (Reached::DoesNotFit { .. }, Outcome::DoesNotFit)
    )
}
