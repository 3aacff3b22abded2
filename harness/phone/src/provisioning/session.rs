//! What comes before credentials: the version, and a session.

use clock::Clock;
use proto::endpoint;
use proto::version::{NO_POP, NO_SEC, Prov, Version};
use serde_json::{Map, Value, json};

use super::client::ProvisioningClient;
use super::error::ProvisioningError;
use super::settings::{Knowledge, Settings};
use super::summary;
use crate::security::{Handshake, Step};

/// What the request of `proto-ver` holds; a device ignores it, but it must not be empty.
const VERSION_REQUEST: &[u8] = b"---";
/// The label of the provisioning service itself.
const PROV: &str = "prov";

/// All that `proto-ver` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Of the provisioning service.
    pub prov: Prov,
    /// What `proto-ver` says of the application, by its labels.
    pub app: Map<String, Value>,
}

impl Info {
    /// The security that the device speaks.
    pub fn security(&self) -> u8 {
        spoken(&self.prov)
    }

    /// The security that the device speaks, and what it wants to know.
    pub fn speaks(&self) -> String {
        match self.security() {
            0 => "0: none".to_owned(),
            1 if self.prov.can(NO_POP) => "1: encrypted, and open to everybody".to_owned(),
            1 => "1: wants a proof of possession".to_owned(),
            2 => match self.prov.sec_patch_ver {
                Some(patch) if patch > 0 => format!("2.{patch}: wants user name and password"),
                _ => "2: wants user name and password; every message has the same nonce".to_owned(),
            },
            other => format!("{other}: not known"),
        }
    }
}

impl ProvisioningClient {
    /// Asks `proto-ver` what the device can do.
    pub async fn version(&mut self) -> Result<Version, ProvisioningError> {
        let Info { prov, .. } = self.info().await?;
        Ok(Version { prov })
    }

    /// Asks `proto-ver` what the device can do, and what its application says of itself.
    pub async fn info(&mut self) -> Result<Info, ProvisioningError> {
        let mut tries = self.settings.tolerance.tries();
        loop {
            let asked = self
                .open(
                    endpoint::PROTO_VER,
                    json!("proto-ver"),
                    VERSION_REQUEST,
                    read_info,
                )
                .await;
            match asked {
                Ok(info) => {
                    let prov = info.prov.clone();
                    self.version = Some(Version { prov });
                    return Ok(info);
                }
                Err(error) if error.is_loss() && tries.another() => self.pause().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether there is a session, as far as the phone knows.
    pub fn is_established(&self) -> bool {
        self.channel.is_some()
    }

    /// Establishes a session, a new one if there was one already.
    pub async fn establish(&mut self) -> Result<(), ProvisioningError> {
        let mut tries = self.settings.tolerance.tries();
        loop {
            match self.establish_once().await {
                Err(error) if error.is_loss() && tries.another() => self.pause().await,
                ended => return ended,
            }
        }
    }

    /// Establishes a session once more, whose loss the caller handles.
    pub(super) async fn establish_once_more(&mut self) -> Result<(), ProvisioningError> {
        if self.is_established() {
            return Ok(());
        }
        self.establish_once().await
    }

    async fn establish_once(&mut self) -> Result<(), ProvisioningError> {
        self.channel = None;
        let version = match self.version.clone() {
            Some(version) => version,
            None => self.version().await?,
        };
        let clock = self.trace.clock().clone();
        let choice = Choice::new(&self.settings, &version.prov)?;
        let mut handshake = compute(&clock, || choice.handshake()).await;
        if let Some(at) = self.settings.damaged_proof {
            handshake.damage_proof(at);
        }
        let mut request = handshake.start();
        loop {
            let summary = summary::session(&request);
            let answer = self
                .open(endpoint::SESSION, summary, &request, |body| {
                    Ok((body.to_vec(), summary::session(body)))
                })
                .await?;
            let step = compute(&clock, || handshake.next(&answer)).await;
            match step.map_err(|source| ProvisioningError::Security {
                endpoint: endpoint::SESSION.into(),
                source,
            })? {
                Step::Send(next) => request = next,
                Step::Done(channel) => {
                    self.channel = Some(channel);
                    return Ok(());
                }
            }
        }
    }

    /// Waits before something is tried again, as a stranger: what came of the connection and of the
    /// session's cipher is not known.
    pub(super) async fn pause(&mut self) {
        self.transport.forget();
        self.channel = None;
        let clock = self.trace.clock().clone();
        clock.sleep(self.settings.tolerance.pause).await;
    }
}

fn read_info(body: &[u8]) -> Result<(Info, Value), ProvisioningError> {
    // Some servers count the C string's end in.
    let body = body.strip_suffix(b"\0").unwrap_or(body);
    let shown: Value = serde_json::from_slice(body).map_err(ProvisioningError::Version)?;
    let Version { prov } = serde_json::from_slice(body).map_err(ProvisioningError::Version)?;
    let mut app = shown.as_object().cloned().unwrap_or_default();
    app.remove(PROV);
    Ok((Info { prov, app }, shown))
}

/// The security to speak, with what it takes.
enum Choice<'s> {
    Plain,
    V1 {
        pop: &'s str,
    },
    V2 {
        username: &'s str,
        password: &'s str,
        patch_version: Option<u8>,
    },
}

impl<'s> Choice<'s> {
    fn new(settings: &'s Settings, prov: &Prov) -> Result<Self, ProvisioningError> {
        match settings.security.unwrap_or_else(|| spoken(prov)) {
            0 => Ok(Self::Plain),
            1 if prov.can(NO_POP) => Ok(Self::V1 { pop: "" }),
            1 => Ok(Self::V1 {
                pop: told(Knowledge::Pop, settings.pop.as_deref())?,
            }),
            2 => Ok(Self::V2 {
                username: told(Knowledge::Username, settings.username.as_deref())?,
                password: told(Knowledge::Password, settings.password.as_deref())?,
                patch_version: prov.sec_patch_ver,
            }),
            other => Err(ProvisioningError::UnknownSecurity(other)),
        }
    }

    fn handshake(&self) -> Handshake {
        match self {
            Self::Plain => Handshake::plain(),
            Self::V1 { pop } => Handshake::v1(pop),
            Self::V2 {
                username,
                password,
                patch_version,
            } => Handshake::v2(username, password, *patch_version),
        }
    }
}

/// Before ESP-IDF 5.0 there is no `sec_ver`, and no security 2.
fn spoken(prov: &Prov) -> u8 {
    prov.sec_ver.unwrap_or(u8::from(!prov.can(NO_SEC)))
}

fn told(what: Knowledge, value: Option<&str>) -> Result<&str, ProvisioningError> {
    value.ok_or(ProvisioningError::Missing(what))
}

/// Computes for some milliseconds, during which lab time runs at the host's pace.
async fn compute<T>(clock: &Clock, work: impl FnOnce() -> T) -> T {
    let _busy = clock.busy();
    // Lets the clock notice before this thread is taken.
    tokio::task::yield_now().await;
    work()
}
