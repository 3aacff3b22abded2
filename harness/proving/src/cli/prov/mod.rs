//! `proving prov`: a phone for real devices, or for those of `proving up`.

pub(super) mod arguments;
mod error;
mod gen_sec2;
mod look;
mod reach;
mod secret;
mod set;
mod show;
mod stop;

use phone::{HostSeat, ProvisioningClient, ProvisioningError};
use report::ExitStatus;

use arguments::{Prov, ProvCommand};
use reach::PhoneRoute;
use stop::Stop;

pub use error::ProvError;

/// How often the user is asked for the same secret.
const MOST_QUESTIONS: usize = 3;

pub(super) fn prov(arguments: &Prov) -> Result<ExitStatus, ProvError> {
    if let ProvCommand::GenSec2(command) = &arguments.command {
        return gen_sec2::gen_sec2(&arguments.reach, command);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ProvError::Io {
            what: "start the runtime".to_owned(),
            source,
        })?;
    runtime.block_on(async {
        // Before anything is begun that would have to be undone.
        let stop = Stop::new()?;
        run(
            &PhoneRoute::new(&arguments.reach)?,
            &arguments.command,
            stop,
        )
        .await
    })
}

/// However it ends, the device is hung up on and this host is where it was before.
async fn run(
    route: &PhoneRoute<'_>,
    command: &ProvCommand,
    mut stop: Stop,
) -> Result<ExitStatus, ProvError> {
    let Some(seat) = route.join(&mut stop).await? else {
        return Ok(ExitStatus::Interrupted);
    };
    let ended = from(&seat, route, command, &mut stop).await;
    let left = seat.leave().await;
    route.close().await;
    let status = ended?;
    left?;
    Ok(status)
}

async fn from(
    seat: &HostSeat,
    route: &PhoneRoute<'_>,
    command: &ProvCommand,
    stop: &mut Stop,
) -> Result<ExitStatus, ProvError> {
    const STOPPED: Result<ExitStatus, ProvError> = Ok(ExitStatus::Interrupted);
    if let ProvCommand::Scan(scan) = command {
        let scan = stop.unless(look::scan(route, seat, scan));
        return scan.await.unwrap_or(STOPPED);
    }
    let client = route.client(route.settings_for(command)?, seat);
    let Some(client) = stop.unless(client).await else {
        return STOPPED;
    };
    let mut client = client?;
    let ended = stop.unless(converse(route, &mut client, command)).await;
    client.close().await;
    ended.unwrap_or(STOPPED)
}

async fn converse(
    route: &PhoneRoute<'_>,
    client: &mut ProvisioningClient,
    command: &ProvCommand,
) -> Result<ExitStatus, ProvError> {
    match command {
        ProvCommand::Info => look::info(route, client).await,
        ProvCommand::WifiScan(command) => look::wifi_scan(route, client, command).await,
        ProvCommand::Set(command) => set::set(route, client, command).await,
        ProvCommand::Status => set::status(route, client).await,
        ProvCommand::Reset => {
            establish(route, client).await?;
            client.reset().await.map_err(|error| route.wrong(&error))?;
            show::done(route, "reset", "the device takes other credentials now")
        }
        ProvCommand::Reprov => {
            establish(route, client).await?;
            let ended = client.reprovision().await;
            ended.map_err(|error| route.wrong(&error))?;
            show::done(route, "reprov", "the device begins anew")
        }
        ProvCommand::Custom(command) => set::custom(route, client, command).await,
        // Without a session, and without a device.
        ProvCommand::Scan(_) | ProvCommand::GenSec2(_) => Ok(ExitStatus::Passed),
    }
}

/// Establishes a session. The user at the terminal is asked for secrets that are missing.
async fn establish(
    route: &PhoneRoute<'_>,
    client: &mut ProvisioningClient,
) -> Result<(), ProvError> {
    show::progress(&format!("asking {}", client.peer()));
    for _ in 0..MOST_QUESTIONS {
        match client.establish().await {
            Ok(()) => {
                show::progress("session established");
                return Ok(());
            }
            Err(ProvisioningError::Missing(what)) => {
                let value = secret::ask(what.name())?;
                client.tell(what, value);
            }
            Err(error) => return Err(route.wrong(&error)),
        }
    }
    Err(ProvError::Usage("nothing useful was answered".to_owned()))
}

impl PhoneRoute<'_> {
    /// What to say about `error`: its outcome, if it is one, says it better.
    fn wrong(&self, error: &ProvisioningError) -> ProvError {
        ProvError::of(error, &self.trace)
    }
}
