//! A phone goes through provisioning, as far as its step says.

use lab::air::AirError;
use phone::{Blame, Credentials, Outcome as Reached, ProvisioningError, Settings};

use super::phones::Session;
use super::problem::{LabError, Missed, Problem};
use super::world::World;
use crate::language::{Case, Outcome, Provision, Stage, duration};

/// What became of the stages.
enum End {
    /// `stop_after` was reached; the session stays open.
    Stopped(Box<Session>),
    /// It came to an end.
    Reached(Reached),
}

/// Takes the step.
pub async fn provision(case: &Case, step: &Provision, world: &mut World) -> Result<(), Problem> {
    let device = case.device(step.device.as_ref());
    let clock = world.trace().clock().clone();
    let stages = stages(device, step, world);
    let end = match clock.timeout(step.within, stages).await {
        Ok(end) => end?,
        Err(_) => {
            return Err(Missed::saying(format!(
                "provisioning {device} took longer than {}",
                duration::display(step.within)
            )));
        }
    };
    match (end, step.stop_after) {
        (End::Stopped(session), _) => {
            world.phone(&step.phone)?.keep(*session);
            Ok(())
        }
        (End::Reached(reached), Some(stage)) => Err(Missed::saying(format!(
            "{} wanted to stop after {stage:?}; before that, {reached}",
            step.phone
        ))),
        (End::Reached(reached), None) => {
            world.go_home(&step.phone).await?;
            match &step.outcome {
                Some(wanted) if is(&reached, wanted.value) => Ok(()),
                Some(wanted) => Err(Missed::saying(format!(
                    "{} wanted provisioning to end with {:?}; {reached}",
                    step.phone, wanted.value
                ))),
                None => Ok(()),
            }
        }
    }
}

async fn stages(device: &str, step: &Provision, world: &mut World) -> Result<End, Problem> {
    let mut session = if step.resume {
        world.phone(&step.phone)?.resume().ok_or_else(|| {
            LabError::Scenario(format!("{} has no open session to resume", step.phone))
        })?
    } else {
        let settings = settings(device, step, world)?;
        match world.visit_with(&step.phone, device, settings).await {
            Ok(session) => session,
            Err(error @ (AirError::NoAccessPoint { .. } | AirError::Off { .. })) => {
                return Err(error.into());
            }
            // Whether a SoftAP is there and gives addresses is the device's doing.
            Err(error) => {
                return Ok(End::Reached(Reached::Unreachable {
                    why: error.to_string(),
                }));
            }
        }
    };
    let credentials = credentials(step, world)?;
    let ended = match take(&mut session, step.stop_after, credentials).await {
        Ok(None) => return Ok(End::Stopped(Box::new(session))),
        Ok(Some(reached)) => Ok(reached),
        Err(error) => Err(error),
    };
    session
        .client
        .conclude(ended)
        .map(End::Reached)
        .map_err(|error| {
            if error.blame() == Blame::Phone {
                error.into()
            } else {
                Missed::saying(super::with_sources(&error))
            }
        })
}

/// Takes the stages that are left; none if it stopped after `stop_after`.
async fn take(
    session: &mut Session,
    stop_after: Option<Stage>,
    credentials: Option<Credentials>,
) -> Result<Option<Reached>, ProvisioningError> {
    let client = &mut session.client;
    if !client.is_established() {
        client.establish().await?;
    }
    if stop_after == Some(Stage::Session) {
        return Ok(None);
    }
    // The check of the scenario saw to it that there is something to join from here on.
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

fn settings(device: &str, step: &Provision, world: &mut World) -> Result<Settings, Problem> {
    let values = world.device(device)?.values.clone();
    let own = |given: &Option<crate::language::Placed<String>>, value: String| {
        given.as_ref().map_or(value, |given| given.value.clone())
    };
    Ok(Settings {
        device: Some(device.to_owned()),
        pop: Some(own(&step.pop, values.pop)),
        username: Some(values.username),
        password: Some(own(&step.password, values.password)),
        patience: step.within,
        ..Settings::of(&step.phone)
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
    )
}
