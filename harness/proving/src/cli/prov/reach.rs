//! The way to the device that the command line names.

use std::net::{SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use clock::Clock;
use phone::{
    Console, ConsoleSettings, ProvisioningClient, QrPayload, Settings, SoftAp, Stream, Tolerance,
    Transport, TransportKind,
};
use trace::Trace;

use super::arguments::{ProvCommand, Reach};
use super::error::ProvError;
use super::seat::Seat;
use super::show;
use super::stop::Stop;

/// Name of the phone in the trace.
const PHONE: &str = "proving prov";
/// User name of ESP-IDF's example.
const USERNAME: &str = "wifiprov";

/// Everything that is needed to talk to a device, but for the secrets that it may want.
pub(super) struct PhoneRoute<'r> {
    pub(super) reach: &'r Reach,
    pub(super) trace: Trace,
    qr: Option<QrPayload>,
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
        Ok(Self { reach, trace, qr })
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
        seat: &Seat,
    ) -> Result<ProvisioningClient, ProvError> {
        let transport = self.transport(seat).await?;
        Ok(ProvisioningClient::over(
            transport,
            settings,
            self.trace.clone(),
        ))
    }

    /// Takes this host to the device's network, if it is told to; none if it was stopped before.
    pub(super) async fn join(&self, stop: &mut Stop) -> Result<Option<Seat>, ProvError> {
        match &self.reach.wifi {
            None => Ok(Some(Seat::default())),
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
                show::progress(&format!("joining {ssid} on {interface}"));
                Seat::join(interface, ssid, key, self.clock(), stop).await
            }
        }
    }

    async fn transport(&self, seat: &Seat) -> Result<Box<dyn Transport>, ProvError> {
        let limit = self.reach.timeout;
        match self.kind() {
            TransportKind::SoftAp => {
                let address = address(&self.reach.url).await?;
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
        let port = open(path, self.reach.baud)
            .await
            .map_err(|source| ProvError::Port {
                path: path.to_owned(),
                source,
            })?;
        let settings = ConsoleSettings {
            line_limit: Some(self.reach.line_limit).filter(|limit| *limit > 0),
        };
        Ok(Console::new(
            port,
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
        Ok(phone::Bluetooth::open(clock, self.reach.adapter.as_deref()).await?)
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

/// The IPv4 address in `http://HOST[:PORT][/]`, or in the same without its scheme.
async fn address(url: &str) -> Result<SocketAddrV4, ProvError> {
    let wrong = |why: String| ProvError::Url {
        url: url.to_owned(),
        why,
    };
    let rest = url.strip_prefix("http://").unwrap_or(url);
    if rest.contains("://") {
        return Err(wrong("devices speak plain http".to_owned()));
    }
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() || rest.contains('/') {
        return Err(wrong("expected something like http://192.168.4.1".into()));
    }
    let host = match rest.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => rest.to_owned(),
        Some(_) => return Err(wrong("what follows the colon is no port".into())),
        None => format!("{rest}:80"),
    };
    // Names of devices are looked up by the host, which may take its time.
    let found = tokio::task::spawn_blocking(move || host.to_socket_addrs()).await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(wrong(error.to_string())),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let mut found = found.filter_map(|address| match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    });
    found
        .next()
        .ok_or_else(|| wrong("it has no IPv4 address".into()))
}

/// A serial port, or a Unix socket in its place.
async fn open(path: &Path, baud: u32) -> std::io::Result<Box<dyn Stream>> {
    if std::fs::metadata(path)?.file_type().is_socket() {
        return Ok(Box::new(tokio::net::UnixStream::connect(path).await?));
    }
    let builder = tokio_serial::new(path.to_string_lossy(), baud);
    Ok(Box::new(tokio_serial::SerialStream::open(&builder)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_may_leave_out_what_is_usual() {
        for (url, expected) in [
            ("http://192.168.4.1", "192.168.4.1:80"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("10.0.0.7:81", "10.0.0.7:81"),
        ] {
            let found = address(url).await.expect(url);
            assert_eq!(found.to_string(), expected);
        }
    }

    #[tokio::test]
    async fn an_address_that_is_none_says_why() {
        for (url, why) in [
            ("https://192.168.4.1", "plain http"),
            ("http://", "expected something like"),
            ("http://192.168.4.1/prov-config", "expected something like"),
            ("http://192.168.4.1:http", "no port"),
        ] {
            let error = address(url).await.expect_err(url).to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
