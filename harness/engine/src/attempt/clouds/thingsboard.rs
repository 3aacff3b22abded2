//! ThingsBoard in a world.

use cloud::thingsboard::{PayloadFormat, ProvisionProfile, Registers, Strategy, credentials};
use cloud::{Broker, Newcomer, ThingsBoard, ThingsBoardSettings};
use factory::{ClaimMessage, Factory, MethodAnswer, ProvisionRequest, RemoteCalls};
use language::{Device, ProvisionStrategy, ProvisionedBy, Registered};
use pki::Pki;
use regex::Regex;
use trace::Trace;

use super::super::problem::LabError;
use super::super::values::DeviceValues;

/// Provision device key of the world's device profile.
const PROVISION_KEY: &str = "u7piawkboq8v32dmcmpp";
/// Provision device secret of the world's device profile.
const PROVISION_SECRET: &str = "jpmwdn8ptlswmf4m29bw";
/// The authority whose devices come into being with the TLS handshake.
const CHAIN_AUTHORITY: &str = "intermediate";

pub(super) async fn start(
    settings: &language::ThingsBoard,
    broker: &Broker,
    pki: &Pki,
    trace: &Trace,
) -> Result<ThingsBoard, LabError> {
    let provisioning = match settings.provisioning {
        None => None,
        Some(strategy) => Some(profile(strategy, pki)?),
    };
    let answers = &settings.answers;
    let settings = ThingsBoardSettings {
        provisioning,
        claiming_by_default: settings.claiming,
        acknowledges_malformed: settings.acknowledges_malformed,
        older_answers: settings.older_answers,
        late_answers: settings.late_answers,
        first_call: settings.first_call.into(),
        registers: match settings.registered {
            Registered::X509 => Registers::Certificate,
            Registered::AccessToken => Registers::AccessToken,
            Registered::MqttBasic => Registers::MqttBasic,
            Registered::None => Registers::Nothing,
        },
        payload: match settings.payload {
            language::PayloadFormat::Json => PayloadFormat::Json,
            language::PayloadFormat::Protobuf => PayloadFormat::Protobuf,
            language::PayloadFormat::ProtobufOrJson => PayloadFormat::ProtobufOrJson,
            language::PayloadFormat::ProtobufOrJsonDown => PayloadFormat::ProtobufOrJsonDown,
        },
        ..ThingsBoardSettings::default()
    };
    let fake = ThingsBoard::start(settings, broker, trace.clone()).await?;
    for (method, answer) in answers {
        fake.answer_calls(method, answer.clone());
    }
    Ok(fake)
}

fn profile(strategy: ProvisionStrategy, pki: &Pki) -> Result<ProvisionProfile, LabError> {
    let key = match strategy {
        ProvisionStrategy::X509Chain => {
            credentials::certificate_id(pki.authority(CHAIN_AUTHORITY)?.der())
        }
        _ => PROVISION_KEY.to_owned(),
    };
    let strategy = match strategy {
        ProvisionStrategy::AllowCreate => Strategy::AllowCreate,
        ProvisionStrategy::CheckPreProvisioned => Strategy::CheckPreProvisioned,
        ProvisionStrategy::X509Chain => Strategy::CertificateChain {
            common_name: Regex::new(".*").map_err(|error| LabError::Scenario(error.to_string()))?,
            creates: true,
        },
    };
    Ok(ProvisionProfile {
        key,
        secret: PROVISION_SECRET.to_owned(),
        strategy,
    })
}

/// Who a device is in CONNECT, where that counts.
pub(super) fn connects_as(values: &DeviceValues) -> Newcomer {
    Newcomer {
        client_id: values.device_name.clone(),
        username: values.device_secret.clone(),
        password: values.password.clone(),
        ..Newcomer::default()
    }
}

/// The client id that esp-mqtt makes where the application gives none (`mqtt_client.c`,
/// `ESP32_%02x%02X%02X`).
pub fn client_id(values: &DeviceValues) -> String {
    let [.., a, b, c] = values.mac;
    format!("ESP32_{a:02x}{b:02X}{c:02X}")
}

/// Profile of the certificate of a device for which a scenario names none.
pub(super) fn certificate(settings: &language::ThingsBoard, device: &Device) -> &'static str {
    let asks = device.thingsboard.as_ref();
    let asks = asks.and_then(|asks| asks.provision.as_ref());
    // One that shows a certificate is known by nothing else.
    if asks.is_some_and(|asks| asks.by != ProvisionedBy::X509) {
        return "none";
    }
    match (settings.registered, settings.provisioning) {
        (_, Some(ProvisionStrategy::X509Chain)) => "client-by-intermediate",
        (Registered::AccessToken | Registered::MqttBasic, _) => "none",
        (Registered::X509 | Registered::None, _) => "client-self-signed",
    }
}

pub(super) fn put_in(
    settings: &language::ThingsBoard,
    device: &Device,
    values: &DeviceValues,
    factory: &mut Factory,
) {
    let asks = device.thingsboard.as_ref();
    let asks_for_credentials = asks.and_then(|asks| asks.provision.as_ref());
    let Some(cloud) = &mut factory.cloud else {
        return;
    };
    cloud.client_id = client_id(values);
    let known = connects_as(values);
    if let Some(asks) = asks_for_credentials {
        cloud.password = asks.left_over_password.clone().unwrap_or_default();
    }
    match settings.registered {
        // It does not know them yet.
        _ if asks_for_credentials.is_some() => {}
        Registered::AccessToken => cloud.username = known.username,
        Registered::MqttBasic => {
            cloud.client_id = known.client_id;
            cloud.username = known.username;
            cloud.password = known.password;
        }
        Registered::X509 | Registered::None => {}
    }
    // One that reports what the scenario says does not run the example.
    if device.telemetry.is_some() && asks.is_none() {
        return;
    }
    let own = cloud
        .credentials
        .as_ref()
        .and_then(|credentials| credentials.chain.first());
    let certificate = own.map_or_else(String::new, |der| pki::pem("CERTIFICATE", der));
    factory.thingsboard = Some(factory::ThingsBoard {
        provision: asks_for_credentials.map(|asks| request(asks, values, certificate)),
        claim: asks
            .and_then(|asks| asks.claim.as_ref())
            .map(|claim| ClaimMessage {
                secret_key: claim.secret_key.clone(),
                duration_ms: claim
                    .duration
                    .map(|duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)),
            }),
        remote_calls: asks
            .and_then(|asks| asks.remote_calls.as_ref())
            .map(remote_calls),
        ..factory::ThingsBoard::default()
    });
}

fn remote_calls(asks: &language::DeviceCalls) -> RemoteCalls {
    let answer = |(method, result): (&String, &serde_json::Value)| MethodAnswer {
        method: method.clone(),
        result: result.to_string(),
    };
    RemoteCalls {
        answers: asks.answers.iter().map(answer).collect(),
        calls: asks.calls.clone(),
    }
}

fn request(
    asks: &language::DeviceProvision,
    values: &DeviceValues,
    certificate: String,
) -> ProvisionRequest {
    let own = connects_as(values);
    ProvisionRequest {
        device_name: values.device_name.clone(),
        key: PROVISION_KEY.to_owned(),
        secret: asks
            .secret
            .clone()
            .unwrap_or_else(|| PROVISION_SECRET.to_owned()),
        by: match asks.by {
            ProvisionedBy::Generated => factory::ProvisionedBy::Generated,
            ProvisionedBy::AccessToken => factory::ProvisionedBy::AccessToken(own.username),
            ProvisionedBy::MqttBasic => factory::ProvisionedBy::MqttBasic {
                client_id: own.client_id,
                username: own.username,
                password: own.password,
            },
            ProvisionedBy::X509 => factory::ProvisionedBy::X509(certificate),
        },
    }
}
