//! The way to the device that the command line names.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use board::lease::{Leases, Turn};
use board::rig::{PortAddress, RigPhone};
use board::serial::{Dial, HostPort};
use clock::Clock;
use phone::{
    Console, ConsoleSettings, HostSeat, ProvisioningClient, QrPayload, Settings, SoftAp, Tolerance,
    Transport, TransportKind, WifiSettings,
};
use trace::Trace;

use super::arguments::{ProvCommand, Reach};
use super::error::ProvError;
use super::show;
use super::stop::Stop;

/// Name of the phone in the trace.
const PHONE: &str = "proving prov";
/// Nobody who is at a device in person takes longer; after that a run may use the host's radios.
const LONGEST_TURN: Duration = Duration::from_secs(3600);
/// User name of ESP-IDF's example.
const USERNAME: &str = "wifiprov";

/// Everything that is needed to talk to a device, but for the secrets that it may want.
pub(super) struct PhoneRoute<'r> {
    pub(super) reach: &'r Reach,
    pub(super) trace: Trace,
    qr: Option<QrPayload>,
    /// The adapter, once it is used.
    bluetooth: RefCell<Option<phone::Bluetooth>>,
    /// What is used of this host, which no run uses meanwhile.
    turns: RefCell<Vec<Turn>>,
}

impl<'r> PhoneRoute<'r> {
    pub(super) fn new(reach: &'r Reach) -> Result<Self, ProvError> {
        // The device lives in real time.
        let clock = Clock::start(1.0);
        let trace = match &reach.trace {
            Some(path) => Trace::create(clock, path)?,
            None => Trace::in_memory(clock),
        };
        let qr = match &reach.qr {
            Some(source) => {
                let text = source.read("QR code")?;
                Some(text.parse::<QrPayload>()?)
            }
            None => None,
        };
        Ok(Self {
            reach,
            trace,
            qr,
            bluetooth: RefCell::default(),
            turns: RefCell::default(),
        })
    }

    pub(super) fn clock(&self) -> &Clock {
        self.trace.clock()
    }

    pub(super) fn kind(&self) -> TransportKind {
        let coded = self.qr.as_ref().and_then(QrPayload::transport);
        self.reach
            .transport
            .or(coded)
            .unwrap_or(TransportKind::SoftAp)
    }

    /// What the phone is told. Secrets that were not given are left out.
    pub(super) fn settings(&self) -> Result<Settings, ProvError> {
        let Reach {
            pop,
            password,
            username,
            ..
        } = self.reach;
        let read = |source: &Option<super::secret::SecretSource>, what| {
            source.as_ref().map(|source| source.read(what)).transpose()
        };
        let mut settings = Settings {
            security: self.reach.security,
            pop: read(pop, "proof of possession")?,
            username: username.clone(),
            password: read(password, "password")?,
            request_timeout: self.reach.timeout,
            tolerance: match self.reach.no_retry {
                true => Tolerance::NONE,
                false => Tolerance::FIELD,
            },
            ..Settings::of(PHONE)
        };
        if let Some(qr) = &self.qr {
            qr.complete(&mut settings);
        }
        settings.username.get_or_insert_with(|| USERNAME.to_owned());
        Ok(settings)
    }

    /// The same for `command`, which may be more patient.
    pub(super) fn settings_for(&self, command: &ProvCommand) -> Result<Settings, ProvError> {
        let mut settings = self.settings()?;
        if let ProvCommand::Set(set) = command {
            settings.patience = set.patience;
            settings.poll_interval = set.poll;
        }
        Ok(settings)
    }

    /// A client that has not connected yet.
    pub(super) async fn client(
        &self,
        settings: Settings,
        seat: &HostSeat,
    ) -> Result<ProvisioningClient, ProvError> {
        let transport = self.transport(seat).await?;
        Ok(ProvisioningClient::over(
            transport,
            settings,
            self.trace.clone(),
        ))
    }

    /// Takes this host to the device's network, if it is told to; none if it was stopped before.
    pub(super) async fn join(&self, stop: &mut Stop) -> Result<Option<HostSeat>, ProvError> {
        match &self.reach.wifi {
            None => Ok(Some(HostSeat::default())),
            Some(_) if self.kind() != TransportKind::SoftAp => Err(ProvError::Usage(
                "--wifi is for devices that are provisioned over softap".to_owned(),
            )),
            Some(interface) => {
                let coded = self.qr.as_ref().map(|qr| &qr.name);
                let ssid = self.reach.name.as_ref().or(coded).ok_or_else(|| {
                    let what =
                        "with --wifi, --name or --qr has to say which network is the device's";
                    ProvError::Usage(what.to_owned())
                })?;
                let key = match &self.reach.service_key {
                    Some(source) => Some(source.read("passphrase of the device's network")?),
                    None => self.qr.as_ref().and_then(|qr| qr.password.clone()),
                };
                self.hold(&RigPhone {
                    wifi: Some(interface.clone()),
                    ..RigPhone::default()
                })?;
                show::progress(&format!("joining {ssid} on {interface}"));
                let settings = WifiSettings {
                    passphrase: key,
                    ..WifiSettings::of(interface, ssid)
                };
                let joined = HostSeat::join_unless(&settings, self.clock(), stop.comes()).await?;
                Ok(joined.ok())
            }
        }
    }

    async fn transport(&self, seat: &HostSeat) -> Result<Box<dyn Transport>, ProvError> {
        let limit = self.reach.timeout;
        match self.kind() {
            TransportKind::SoftAp => {
                let address = SoftAp::find(&self.reach.url).await?;
                let clock = self.clock().clone();
                let dial = Arc::new(seat.dial(clock.clone()));
                Ok(Box::new(SoftAp::new(dial, address, clock, limit)))
            }
            TransportKind::Console => Ok(Box::new(self.console().await?)),
            TransportKind::Ble => self.ble().await,
        }
    }

    pub(super) async fn console(&self) -> Result<Console, ProvError> {
        let path = self.reach.port.as_deref().ok_or_else(|| {
            ProvError::Usage("over the console, --port has to name the device's port".to_owned())
        })?;
        let port = HostPort::new(PortAddress::at(path), self.reach.baud);
        let port = port.dial(self.clock()).await?;
        let settings = ConsoleSettings {
            line_limit: Some(self.reach.line_limit).filter(|limit| *limit > 0),
        };
        Ok(Console::new(
            Box::new(port),
            path.display().to_string(),
            self.clock().clone(),
            self.reach.timeout,
            settings,
        ))
    }

    async fn ble(&self) -> Result<Box<dyn Transport>, ProvError> {
        let settings = phone::BleSettings {
            request: self.reach.timeout,
            ..phone::BleSettings::default()
        };
        let bluetooth = self.bluetooth().await?;
        Ok(Box::new(phone::Ble::new(
            bluetooth,
            self.wanted()?,
            settings,
        )))
    }

    pub(super) async fn bluetooth(&self) -> Result<phone::Bluetooth, ProvError> {
        let clock = self.clock().clone();
        let bluetooth = phone::Bluetooth::open(clock, self.reach.adapter.as_deref()).await?;
        let held = self.hold(&RigPhone {
            bluetooth: Some(bluetooth.name().to_owned()),
            ..RigPhone::default()
        });
        if let Err(error) = held {
            bluetooth.close().await;
            return Err(error);
        }
        if bluetooth.was_off() {
            let name = bluetooth.name();
            show::progress(&format!("{name} was off: it is on until this is done"));
        }
        *self.bluetooth.borrow_mut() = Some(bluetooth.clone());
        Ok(bluetooth)
    }

    /// Keeps runs from what is used of this host.
    fn hold(&self, used: &RigPhone) -> Result<(), ProvError> {
        let leases = Leases::open()?;
        let until = SystemTime::now() + LONGEST_TURN;
        let turn = leases.take_turn(&used.identities(), PHONE, until, &mut Vec::new())?;
        self.turns.borrow_mut().push(turn);
        Ok(())
    }

    /// Puts back what of this host's radios was changed.
    pub(super) async fn close(&self) {
        let bluetooth = self.bluetooth.borrow_mut().take();
        if let Some(bluetooth) = bluetooth {
            bluetooth.close().await;
        }
    }

    pub(super) fn wanted(&self) -> Result<phone::Wanted, ProvError> {
        let coded = self.qr.as_ref().map(|qr| qr.name.clone());
        let service = match &self.reach.service {
            Some(text) => Some(text.parse().map_err(|error| {
                ProvError::Usage(format!("--service {text:?} is no UUID: {error}"))
            })?),
            None => None,
        };
        Ok(phone::Wanted {
            name: self.reach.name.clone().or(coded),
            service,
        })
    }
}
