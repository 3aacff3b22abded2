//! Who a CONNECT comes from (`MqttTransportHandler.processConnect`).

use regex::Regex;
use trace::thingsboard::{
    AuthenticationRefused, CertificateDeviceMade, CredentialsKind, DeviceAuthenticated,
};
use x509_parser::parse_x509_certificate;

use super::ReturnCode;
use super::credentials::{basic_id, certificate_id};
use super::registry::{Credentials, Registry};
use super::service::{Session, Shared, Strategy};
use crate::packet::Connect;
use crate::{Client, Decision};

/// Client id or user name of a session that is for provisioning only.
const PROVISION: &str = "provision";

/// Why a CONNECT is refused.
struct Refusal {
    code: ReturnCode,
    credentials_id: Option<String>,
    reason: &'static str,
}

impl Refusal {
    fn new(reason: &'static str) -> Self {
        Self {
            code: ReturnCode::NotAuthorized,
            credentials_id: None,
            reason,
        }
    }
}

/// The device of a CONNECT, and by what it is known.
struct Known {
    name: String,
    by: CredentialsKind,
    credentials_id: Option<String>,
}

impl Shared {
    /// Judges a CONNECT. The order of the checks is ThingsBoard's.
    pub(super) fn judge(&self, connect: &Connect, client: &Client) -> Decision {
        let connection = client.connection;
        if connect.username.as_deref() == Some(PROVISION) || connect.client_id == PROVISION {
            let event = DeviceAuthenticated {
                connection,
                device_name: None,
                by: CredentialsKind::Provision,
                credentials_id: None,
            };
            self.emit(None, &event);
            self.open(client, None);
            return Decision::Accept { device: None };
        }
        let known = match client.chain.first() {
            Some(leaf) => self.by_certificate(leaf),
            None => self.by_text(connect),
        };
        match known {
            Ok(known) => {
                let event = DeviceAuthenticated {
                    connection,
                    device_name: Some(known.name.clone()),
                    by: known.by,
                    credentials_id: known.credentials_id,
                };
                self.emit(Some(&known.name), &event);
                let device = self.scenario_name(&known.name);
                self.open(client, Some(known.name));
                Decision::Accept { device }
            }
            Err(refusal) => {
                let code = refusal.code.code(client.level);
                let event = AuthenticationRefused {
                    connection,
                    code,
                    credentials_id: refusal.credentials_id,
                    reason: refusal.reason.to_owned(),
                };
                self.trace.emit(client.device.as_deref(), &event);
                let reason = refusal.reason.to_owned();
                Decision::Refuse { code, reason }
            }
        }
    }

    fn open(&self, client: &Client, device: Option<String>) {
        let session = Session::new(client.id.clone(), device);
        self.state().sessions.insert(client.connection, session);
    }

    /// Only the leaf counts; user name and password do not.
    fn by_certificate(&self, leaf: &[u8]) -> Result<Known, Refusal> {
        let id = certificate_id(leaf);
        let refusal = |reason| Refusal {
            credentials_id: Some(id.clone()),
            ..Refusal::new(reason)
        };
        if !self.settings.skip_validity_check {
            let (_, certificate) = parse_x509_certificate(leaf)
                .map_err(|_| refusal("the certificate cannot be read"))?;
            let now = self.trace.clock().unix_now().as_secs();
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            let validity = certificate.validity();
            if now > validity.not_after.timestamp() {
                return Err(refusal("the certificate has expired"));
            }
            if now < validity.not_before.timestamp() {
                return Err(refusal("the certificate is not yet valid"));
            }
        }
        let state = self.state();
        match state.registry.find(&id) {
            Some((name, Credentials::X509 { .. })) => Ok(Known {
                name: name.to_owned(),
                by: CredentialsKind::X509,
                credentials_id: Some(id),
            }),
            _ => Err(refusal("no device has this certificate")),
        }
    }

    /// By user name, client id and password.
    fn by_text(&self, connect: &Connect) -> Result<Known, Refusal> {
        let state = self.state();
        let registry = &state.registry;
        let client_id = Some(connect.client_id.as_str()).filter(|id| !id.is_empty());
        let username = connect.username.as_deref().filter(|name| !name.is_empty());
        let basic = |client_id, username| {
            let id = basic_id(client_id, username)?;
            let (name, credentials) = registry.find(&id)?;
            Some((name.to_owned(), id, goes_with(credentials, connect)?))
        };
        let known = |(name, id, _): (String, String, bool)| Known {
            name,
            by: CredentialsKind::MqttBasic,
            credentials_id: Some(id),
        };
        let wrong = || Refusal {
            code: ReturnCode::BadUsernameOrPassword,
            ..Refusal::new("the password is wrong")
        };
        let Some(username) = username else {
            return match basic(client_id, None) {
                Some(found) if found.2 => Ok(known(found)),
                Some(_) => Err(wrong()),
                None if client_id.is_none() => Err(Refusal::new(
                    "neither certificate nor user name nor client id",
                )),
                None => Err(Refusal::new(
                    "no certificate, no user name, and an unknown client id",
                )),
            };
        };
        if client_id.is_some() {
            match basic(client_id, Some(username)) {
                Some(found) if found.2 => return Ok(known(found)),
                Some(_) => return Err(wrong()),
                None => {}
            }
        }
        if let Some((name, Credentials::AccessToken(_))) = registry.find(username) {
            return Ok(Known {
                name: name.to_owned(),
                by: CredentialsKind::AccessToken,
                credentials_id: None,
            });
        }
        match basic(None, Some(username)) {
            Some(found) if found.2 => Ok(known(found)),
            Some(_) => Err(wrong()),
            None => Err(Refusal::new("no device has this token or user name")),
        }
    }

    /// Looks for the devices and the authorities of `chain`, as ThingsBoard does during the handshake.
    /// A leaf below the authority of the device profile becomes a device.
    pub(super) fn look_at_chain(&self, connection: u64, chain: &[Vec<u8>]) {
        let Some(profile) = &self.settings.provisioning else {
            return;
        };
        let Strategy::CertificateChain {
            common_name,
            creates,
        } = &profile.strategy
        else {
            return;
        };
        let Some(leaf) = chain.first() else {
            return;
        };
        let mut state = self.state();
        let registry = &mut state.registry;
        for (position, der) in chain.iter().enumerate() {
            let id = certificate_id(der);
            if matches!(registry.find(&id), Some((_, Credentials::X509 { .. }))) {
                return;
            }
            if position == 0 || id != profile.key {
                continue;
            }
            if let Some(made) = make_device(registry, leaf, common_name, *creates) {
                let (device_name, created) = made;
                let scenario = registry.device(&device_name);
                let scenario = scenario.and_then(|device| device.scenario.clone());
                let event = CertificateDeviceMade {
                    connection,
                    device_name,
                    created,
                    credentials_id: certificate_id(leaf),
                };
                drop(state);
                self.trace.emit(scenario.as_deref(), &event);
            }
            return;
        }
    }
}

/// Whether the password, and what else is in `credentials`, is that of `connect`; none if these are
/// credentials of another kind.
fn goes_with(credentials: &Credentials, connect: &Connect) -> Option<bool> {
    let Credentials::MqttBasic {
        client_id,
        username,
        password,
    } = credentials
    else {
        return None;
    };
    let is = |wanted: &Option<String>, given: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| Some(wanted) == given)
    };
    let given = connect.password.as_deref();
    Some(
        is(client_id, Some(&connect.client_id))
            && is(username, connect.username.as_deref())
            && password
                .as_ref()
                .is_none_or(|wanted| Some(wanted.as_bytes()) == given),
    )
}

/// Makes the leaf of a chain a device, or gives the device of that name this certificate. The name,
/// and whether it is new.
fn make_device(
    registry: &mut Registry,
    leaf: &[u8],
    common_name: &Regex,
    creates: bool,
) -> Option<(String, bool)> {
    let (_, certificate) = parse_x509_certificate(leaf).ok()?;
    let own = certificate.subject().iter_common_name().next()?;
    let name = common_name.find(own.as_str().ok()?)?.as_str().to_owned();
    let credentials = Credentials::certificate(leaf);
    if registry.device(&name).is_some() {
        registry.set_credentials(&name, credentials).ok()?;
        return Some((name, false));
    }
    if !creates {
        return None;
    }
    registry.add(&name, None, Some(credentials)).ok()?;
    Some((name, true))
}
