//! How a device gets its credentials (`DeviceProvisionServiceImpl`).

use serde_json::{Value, json};
use trace::thingsboard::{CredentialsKind, DeviceProvisioned, ProvisionRefused};

use super::adaptor::{provision_answer, provision_request};
use super::credentials::text_id;
use super::payload::{Malformed, Request, RequestedCredentials};
use super::registry::Credentials;
use super::service::{Shared, State, Strategy};
use super::topic::PROVISION_RESPONSE;
use crate::Client;

/// A device that has got its credentials.
struct Provisioned {
    device_name: String,
    credentials: Credentials,
    created: bool,
}

/// Why it got none.
struct Refused {
    status: &'static str,
    reason: &'static str,
}

const fn not_found(reason: &'static str) -> Refused {
    Refused {
        status: "NOT_FOUND",
        reason,
    }
}

const fn failure(reason: &'static str) -> Refused {
    Refused {
        status: "FAILURE",
        reason,
    }
}

impl Shared {
    pub(super) fn provision(&self, client: &Client, payload: &[u8]) -> Result<(), Malformed> {
        let (request, in_protobuf) = provision_request(payload)?;
        let connection = client.connection;
        let outcome = self.decide(&request);
        let answer = match outcome {
            Ok(provisioned) => {
                let (by, value) = shown(&provisioned.credentials);
                if let Credentials::AccessToken(token) = &provisioned.credentials {
                    self.trace.secrets().add_numbered("token", token);
                }
                let event = DeviceProvisioned {
                    connection,
                    device_name: provisioned.device_name.clone(),
                    by,
                    created: provisioned.created,
                };
                self.emit(Some(&provisioned.device_name), &event);
                json!({
                    "credentialsValue": value,
                    "credentialsType": type_name(by),
                    "status": "SUCCESS",
                })
            }
            Err(Refused { status, reason }) => {
                let event = ProvisionRefused {
                    connection,
                    status: status.to_owned(),
                    reason: reason.to_owned(),
                };
                self.emit(None, &event);
                let told = match status {
                    "NOT_FOUND" => "Provision data was not found!",
                    _ => "Failed to provision device!",
                };
                json!({ "errorMsg": told, "status": status })
            }
        };
        let mut answer = answer;
        if self.settings.older_answers
            && let Some(fields) = answer.as_object_mut()
            && let Some(status) = fields.remove("status")
        {
            fields.insert("provisionDeviceStatus".to_owned(), status);
        }
        let answer = match in_protobuf {
            true => provision_answer(&answer),
            false => answer.to_string().into(),
        };
        self.reply(client, PROVISION_RESPONSE.to_owned(), answer);
        Ok(())
    }

    fn decide(&self, request: &Request) -> Result<Provisioned, Refused> {
        let name = request.device_name.as_deref().map(str::trim);
        if name == Some("") {
            return Err(failure("the device name is empty"));
        }
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (Some(key), Some(secret)) = (given(&request.key), given(&request.secret)) else {
            return Err(not_found("the key or the secret is missing"));
        };
        let profile = self.settings.provisioning.as_ref();
        let Some(profile) = profile.filter(|profile| profile.key == key) else {
            return Err(not_found("no device profile has this key"));
        };
        if profile.secret != secret {
            return Err(not_found("the secret is wrong"));
        }
        let mut state = self.state();
        match profile.strategy {
            Strategy::AllowCreate => {
                state.made += 1;
                let generated = text_id(&format!("{key} {}", state.made));
                let generated = &generated[..20];
                let name = name.map_or_else(|| generated.to_owned(), str::to_owned);
                create(&mut state, &name, request, generated)
            }
            Strategy::CheckPreProvisioned => pre_provisioned(&mut state, name),
            Strategy::CertificateChain { .. } => Err(not_found(
                "devices of this profile are made by their certificates",
            )),
        }
    }
}

fn create(
    state: &mut State,
    name: &str,
    request: &Request,
    generated: &str,
) -> Result<Provisioned, Refused> {
    let credentials = match &request.credentials {
        RequestedCredentials::AccessToken(token) => {
            Credentials::AccessToken(token.clone().unwrap_or_else(|| generated.to_owned()))
        }
        RequestedCredentials::MqttBasic {
            client_id,
            username,
            password,
        } => Credentials::MqttBasic {
            client_id: client_id.clone(),
            username: username.clone(),
            password: password.clone(),
        },
        RequestedCredentials::X509(Some(certificate)) => Credentials::pasted(certificate),
        RequestedCredentials::X509(None) => {
            return Err(failure("the request has no certificate in `hash`"));
        }
    };
    let scenario = state.newcomers.get(name).cloned();
    let added = state
        .registry
        .add(name, scenario.as_deref(), Some(credentials.clone()));
    let device = added.map_err(|why| failure(why.reason()))?;
    device.provisioned = true;
    device.gateway = request.gateway;
    Ok(Provisioned {
        device_name: name.to_owned(),
        credentials,
        created: true,
    })
}

/// The credentials that a device has, which it is told once.
fn pre_provisioned(state: &mut State, name: Option<&str>) -> Result<Provisioned, Refused> {
    let name = name.ok_or(failure("the device has no name by which it could be known"))?;
    let credentials = state.registry.credentials(name).cloned();
    let device = state.registry.device_mut(name);
    let Some((device, credentials)) = device.zip(credentials) else {
        return Err(failure("there is no such device"));
    };
    if device.provisioned {
        return Err(failure("the device was provisioned before"));
    }
    device.provisioned = true;
    Ok(Provisioned {
        device_name: name.to_owned(),
        credentials,
        created: false,
    })
}

/// As a device is told.
fn shown(credentials: &Credentials) -> (CredentialsKind, Value) {
    match credentials {
        Credentials::AccessToken(token) => (CredentialsKind::AccessToken, json!(token)),
        Credentials::X509 { text, .. } => (CredentialsKind::X509, json!(text)),
        Credentials::MqttBasic {
            client_id,
            username,
            password,
        } => (
            CredentialsKind::MqttBasic,
            json!({ "clientId": client_id, "userName": username, "password": password }),
        ),
    }
}

const fn type_name(kind: CredentialsKind) -> &'static str {
    match kind {
        CredentialsKind::MqttBasic => "MQTT_BASIC",
        CredentialsKind::X509 => "X509_CERTIFICATE",
        CredentialsKind::AccessToken | CredentialsKind::Provision => "ACCESS_TOKEN",
    }
}
