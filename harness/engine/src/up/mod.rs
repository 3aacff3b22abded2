//! A scenario's world for other people's clients: everything is there, and no step is taken.

mod as_rig;
mod console;
mod endpoints;
mod forward;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clock::Clock;
use lab::air::{Air, ForwardTarget, Protocol};
use lab::bluetooth::BluezStandIn;
use tokio::signal::unix::{SignalKind, signal};
use trace::{CreateError, Trace};

use crate::attempt::{Chosen, CloudSide, Lab, LabError, Outsiders, World};
use crate::run::{Flash, Job, Pcap};
pub use as_rig::{AsRig, ConsoleOn, up_as_rig};
use console::ConsoleSocket;
use endpoints::{Forwarded, Reached};
pub use forward::{Forward, ForwardTo};
use language::{Case, Mistakes};

/// The scenario of `up` without a scenario.
const DEFAULT: &str = include_str!("default.yaml");
/// Its name in messages.
const DEFAULT_NAME: &str = "built-in scenario";
/// What tells other programs where everything is.
pub const ENDPOINTS: &str = "endpoints.json";
/// Folder of certificates and keys for other programs.
const CERTIFICATES: &str = "certs";
/// File in it with the authority of a broker whose certificate none of the run's authorities has signed.
const OWN_AUTHORITY: &str = "broker-ca.pem";

/// The world of `up` without a scenario: one device, to be provisioned over SoftAP.
pub fn default_case(known: &language::Known) -> Result<Case, Mistakes> {
    let mut cases = language::parse(DEFAULT_NAME, DEFAULT, known)?;
    Ok(cases.remove(0))
}

/// What of a device other programs can reach.
#[derive(Clone, Debug, Default)]
pub struct Openings {
    /// Ports of every device that are ports of this host.
    pub forwards: Vec<Forward>,
    /// Where the only console is to be a Unix socket.
    pub console: Option<PathBuf>,
}

/// Brings up the world of `case`, switches its devices on, and keeps it up until SIGINT or SIGTERM.
/// `folder/endpoints.json` is written last: once it is there, the lab answers, and its devices have
/// power; they answer as soon as they have started.
pub fn up(case: &Case, openings: &Openings, folder: &Path) -> Result<(), UpError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| UpError::Io {
            what: "start the runtime".into(),
            source,
        })?;
    runtime.block_on(stay_up(case, openings, folder))
}

async fn stay_up(case: &Case, openings: &Openings, folder: &Path) -> Result<(), UpError> {
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut terminate = listen_for(SignalKind::terminate())?;
    fs::create_dir_all(folder).map_err(|source| UpError::Io {
        what: format!("make {}", folder.display()),
        source,
    })?;
    // Other people's clients live in real time.
    let clock = Clock::start_fixed(1.0);
    let job = job(case, folder);
    let trace = Trace::create(clock, &job.trace())?;
    let mut settings = case.scenario.world.clone();
    // Phones are programs outside.
    settings.phones.clear();
    let built = async {
        let chosen = Chosen::of(&job)?;
        let lab = Lab::start(&settings, &trace).await?;
        let (air, outsiders) = (lab.air().clone(), lab.outsiders());
        let world = World::build(&settings, Box::new(lab), &job, &chosen, &trace).await?;
        Ok::<_, LabError>((world, air, outsiders))
    };
    let served = match built.await {
        Ok((mut world, air, outsiders)) => {
            let served = async {
                let (air, outsiders) = (&air, outsiders.as_ref());
                let _open = publish(&mut world, air, outsiders, case, openings, folder).await?;
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                Ok(())
            }
            .await;
            world.end().await;
            served
        }
        Err(error) => Err(error.into()),
    };
    // Keys stand in the boards' files; they are removed after every outcome.
    let removed = match fs::remove_dir_all(job.boards()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(UpError::Io {
            what: format!("remove {}", job.boards().display()),
            source,
        }),
        _ => Ok(()),
    };
    served.and(removed)
}

/// What stays open as long as the world is up.
struct Open {
    _console: Option<ConsoleSocket>,
    _bluez: Option<BluezStandIn>,
}

/// Switches the devices on, opens ports, and writes where everything is.
async fn publish(
    world: &mut World,
    air: &Air,
    outsiders: Option<&Outsiders>,
    case: &Case,
    openings: &Openings,
    folder: &Path,
) -> Result<Open, UpError> {
    let devices: Vec<String> = world.devices().map(|(name, _)| name.to_owned()).collect();
    let console = match &openings.console {
        Some(path) => Some(open_console(world, &devices, path)?),
        None => None,
    };
    let mut forwarded = Vec::new();
    for device in &devices {
        world
            .device(device)?
            .board
            .power_on()
            .await
            .map_err(LabError::from)?;
        for forward in &openings.forwards {
            forwarded.push(open(air, device, *forward).await?);
        }
    }
    let certificates = export(world, &folder.join(CERTIFICATES))?;
    let (mut hci, mut dbus, mut bluez) = (None, None, None);
    if let Some(outsiders) = outsiders {
        let opened = outsiders.open_port().await;
        hci = Some(opened.map_err(|source| UpError::Io {
            what: "open a port for HCI".into(),
            source,
        })?);
        let (address, stand_in) = outsiders.open_bus().await?;
        (dbus, bluez) = (Some(address), Some(stand_in));
    }
    let reached = Reached {
        forwards: &forwarded,
        console: console.as_ref().map(ConsoleSocket::path),
        hci,
        dbus,
    };
    let text = endpoints::endpoints(world, case, &certificates, &reached)?;
    let path = folder.join(ENDPOINTS);
    write_secret(&path, &text).map_err(|source| UpError::Io {
        what: format!("write {}", path.display()),
        source,
    })?;
    eprintln!("up; see {}; ends on Ctrl-C", path.display());
    Ok(Open {
        _console: console,
        _bluez: bluez,
    })
}

/// Makes the console of the only device that has one a socket.
fn open_console(
    world: &mut World,
    devices: &[String],
    path: &Path,
) -> Result<ConsoleSocket, UpError> {
    let mut ports = devices
        .iter()
        .filter_map(|device| world.console(device).ok());
    let port = match (ports.next(), ports.next()) {
        (Some(port), None) => port,
        _ => {
            let what = "to open a console, exactly one device has to have one".to_owned();
            return Err(LabError::Scenario(what).into());
        }
    };
    ConsoleSocket::open(path, port).map_err(|source| UpError::Io {
        what: format!("make the console's socket {}", path.display()),
        source,
    })
}

async fn open(air: &Air, device: &str, forward: Forward) -> Result<Forwarded, UpError> {
    let target = match forward.to {
        ForwardTo::SoftAp => ForwardTarget::SoftAp {
            device: device.to_owned(),
        },
        ForwardTo::Station => ForwardTarget::Station {
            device: device.to_owned(),
        },
    };
    let listening = match forward.protocol {
        Protocol::Tcp => air.forward(forward.listen, target, forward.port).await,
        Protocol::Udp => air.forward_udp(forward.listen, target, forward.port).await,
    };
    let address = listening.map_err(|source| UpError::Io {
        what: format!("listen on {} for {device}", forward.listen),
        source,
    })?;
    Ok(Forwarded {
        device: device.to_owned(),
        forward,
        address,
    })
}

/// Certificates for clients of the broker: the authority, a good identity and a bad one.
fn export(world: &World, folder: &Path) -> Result<PathBuf, UpError> {
    world.pki().export_authorities(folder)?;
    let own = world.cloud().ok().and_then(CloudSide::own_authority);
    if let Some(authority) = own {
        let path = folder.join(OWN_AUTHORITY);
        fs::write(&path, authority.pem()).map_err(|source| UpError::Io {
            what: format!("write {}", path.display()),
            source,
        })?;
    }
    for profile in ["client", "client-expired", "client-other-ca"] {
        let identity = world
            .pki()
            .mint(profile, &[], "up")
            .map_err(LabError::from)?;
        identity.export(folder, profile)?;
    }
    std::path::absolute(folder).map_err(|source| UpError::Io {
        what: format!("find {}", folder.display()),
        source,
    })
}

fn job(case: &Case, folder: &Path) -> Job {
    Job {
        scenario_file: PathBuf::from(&case.file),
        case_id: case.id.clone(),
        bindings: case.values.iter().cloned().collect(),
        seed: std::process::id().into(),
        speed: 1.0,
        accept: false,
        bug: None,
        out: folder.to_owned(),
        own_transcripts: false,
        board: "native".into(),
        device: None,
        image: None,
        rig: None,
        setup: trace::Setup::default(),
        flash: Flash::default(),
        uses_host_radios: false,
        probe_fault: None,
        pcap: Pcap::Off,
    }
}

/// Writes a file that only its owner can read, all at once.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("json.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    fs::rename(unfinished, path)
}

fn listen_for(kind: SignalKind) -> Result<tokio::signal::unix::Signal, UpError> {
    signal(kind).map_err(|source| UpError::Io {
        what: "listen for signals".into(),
        source,
    })
}

/// A world could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The host refused.
    #[error("failed to {what}")]
    Io {
        /// What was attempted, and on what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A folder that is no place for a rig.
    #[error("failed to stand as a rig in {}: {why}", folder.display())]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// What is there.
        why: String,
    },
    /// The trace.
    #[error(transparent)]
    Trace(#[from] CreateError),
    /// The world.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The certificates.
    #[error(transparent)]
    Export(#[from] pki::ExportError),
}
