//! `proving prov`: a phone for real devices, or for those of `proving up`.

pub(super) mod arguments;
mod complaint;
mod gen_sec2;
mod look;
mod reach;
mod seat;
mod secret;
mod set;
mod show;
mod stop;

use phone::{ProvisioningClient, ProvisioningError};
use report::ExitStatus;

use arguments::{Prov, ProvCommand};
use reach::Way;
use seat::Seat;
use stop::Stop;

pub use complaint::ProvError;

/// How often somebody may be asked for the same.
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
        run(&Way::new(&arguments.reach)?, &arguments.command, stop).await
    })
}

/// However it ends, the device is hung up on and this host is where it was before.
async fn run(
    way: &Way<'_>,
    command: &ProvCommand,
    mut stop: Stop,
) -> Result<ExitStatus, ProvError> {
    let Some(seat) = way.join(&mut stop).await? else {
        return Ok(ExitStatus::Interrupted);
    };
    let ended = from(&seat, way, command, &mut stop).await;
    let left = seat.leave().await;
    ended.and_then(|status| left.map(|()| status))
}

async fn from(
    seat: &Seat,
    way: &Way<'_>,
    command: &ProvCommand,
    stop: &mut Stop,
) -> Result<ExitStatus, ProvError> {
    const STOPPED: Result<ExitStatus, ProvError> = Ok(ExitStatus::Interrupted);
    if let ProvCommand::Scan(scan) = command {
        let scan = stop.unless(look::scan(way, seat, scan));
        return scan.await.unwrap_or(STOPPED);
    }
    let client = way.client(way.settings_for(command)?, seat);
    let Some(client) = stop.unless(client).await else {
        return STOPPED;
    };
    let mut client = client?;
    let ended = stop.unless(converse(way, &mut client, command)).await;
    client.close().await;
    ended.unwrap_or(STOPPED)
}

async fn converse(
    way: &Way<'_>,
    client: &mut ProvisioningClient,
    command: &ProvCommand,
) -> Result<ExitStatus, ProvError> {
    match command {
        ProvCommand::Info => look::info(way, client).await,
        ProvCommand::WifiScan(command) => look::wifi_scan(way, client, command).await,
        ProvCommand::Set(command) => set::set(way, client, command).await,
        ProvCommand::Status => set::status(way, client).await,
        ProvCommand::Reset => {
            establish(way, client).await?;
            client.reset().await.map_err(|error| way.wrong(&error))?;
            show::done(way, "reset", "the device takes other credentials now")
        }
        ProvCommand::Reprov => {
            establish(way, client).await?;
            let ended = client.reprovision().await;
            ended.map_err(|error| way.wrong(&error))?;
            show::done(way, "reprov", "the device begins anew")
        }
        ProvCommand::Custom(command) => set::custom(way, client, command).await,
        // Without a session, and without a device.
        ProvCommand::Scan(_) | ProvCommand::GenSec2(_) => Ok(ExitStatus::Passed),
    }
}

/// Establishes a session. Whoever sits at the terminal is asked for what is missing.
async fn establish(way: &Way<'_>, client: &mut ProvisioningClient) -> Result<(), ProvError> {
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
            Err(error) => return Err(way.wrong(&error)),
        }
    }
    Err(ProvError::Usage("nothing useful was answered".to_owned()))
}

impl Way<'_> {
    /// What to say about `error`: its outcome, if it is one, says it better.
    fn wrong(&self, error: &ProvisioningError) -> ProvError {
        ProvError::of(error, &self.trace)
    }
}
