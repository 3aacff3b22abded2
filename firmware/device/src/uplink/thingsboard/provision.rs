//! How a device asks for its credentials (`provision_request.c`).

use alloc::string::{String, ToString};

use factory::{Cloud, ProvisionRequest, ProvisionedBy};
use serde::{Deserialize, Serialize};

use super::{ClientQueues, WRAPPER};
use crate::mqtt::Credentials;
use crate::uplink::binding::Request;

const TAG: &str = "provision";
const REQUEST: &str = "/provision/request";
/// Where the cloud answers.
pub(in crate::uplink) const RESPONSE: &str = "/provision/response";
/// `TBCM_RX_TOPIC_PROVISION_RESPONSE`.
const TOPIC_TYPE: u8 = 6;

/// What a device has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// The cloud knows its certificate.
    Certificate,
    /// These.
    Credentials {
        client_id: Option<String>,
        username: Option<String>,
        password: Option<String>,
    },
}

impl Got {
    /// Who connects with it; what it does not say is as in `own`.
    pub(super) fn or(self, own: &Credentials) -> Credentials {
        match self {
            Self::Certificate => own.clone(),
            Self::Credentials {
                client_id,
                username,
                password,
            } => Credentials {
                client_id: client_id.unwrap_or_else(|| own.client_id.clone()),
                username: username.unwrap_or_default(),
                password: password.unwrap_or_default(),
            },
        }
    }
}

/// Who connects to ask.
pub(super) fn credentials(cloud: &Cloud) -> Credentials {
    Credentials {
        client_id: cloud.client_id.clone(),
        username: "provision".to_string(),
        password: String::new(),
    }
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'m> {
    #[serde(skip_serializing_if = "str::is_empty")]
    device_name: &'m str,
    provision_device_key: &'m str,
    provision_device_secret: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_type: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<&'m str>,
}

/// Asks for credentials.
pub(super) fn send(request: &ProvisionRequest, queues: &ClientQueues) {
    let mut message = Message {
        device_name: &request.device_name,
        provision_device_key: &request.key,
        provision_device_secret: &request.secret,
        ..Message::default()
    };
    match &request.by {
        ProvisionedBy::Generated => {}
        ProvisionedBy::AccessToken(token) => {
            message.credentials_type = Some("ACCESS_TOKEN");
            message.token = Some(token);
        }
        ProvisionedBy::MqttBasic {
            client_id,
            username,
            password,
        } => {
            message.credentials_type = Some("MQTT_BASIC");
            message.client_id = Some(client_id);
            message.username = Some(username);
            message.password = Some(password);
        }
        ProvisionedBy::X509(certificate) => {
            message.credentials_type = Some("X509_CERTIFICATE");
            message.hash = Some(certificate);
        }
    }
    // The answer must not come before the subscription.
    queues.request(Request::Subscribe(RESPONSE));
    // Texts can always be written.
    let payload = serde_json::to_string(&message).unwrap_or_default();
    log::info!(target: WRAPPER, "[Provision][Tx] request_id=0 {payload}");
    queues.request(Request::Publish {
        topic: REQUEST.into(),
        payload,
    });
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: Option<String>,
    /// As older servers call it.
    provision_device_status: Option<String>,
    credentials_type: Option<String>,
    credentials_value: Option<serde_json::Value>,
}

/// Reads the cloud's answer.
pub(super) fn read(payload: &[u8], queues: &ClientQueues) -> Result<Got, ()> {
    let text = String::from_utf8_lossy(payload);
    log::info!(
        target: WRAPPER,
        "[Provision][Rx] topic_type={TOPIC_TYPE}, payload_len={} {}",
        payload.len(),
        text.escape_debug().to_string().replace("\\\"", "\""),
    );
    queues.request(Request::Unsubscribe(RESPONSE));
    parse(payload).map_err(|problem| {
        log::warn!(target: TAG, "{problem}");
    })
}

fn parse(payload: &[u8]) -> Result<Got, String> {
    let failed = || {
        let text = String::from_utf8_lossy(payload);
        alloc::format!("provision response is failure! {}", text.escape_debug())
            .replace("\\\"", "\"")
    };
    let answer: Answer = serde_json::from_slice(payload).map_err(|_| failed())?;
    let is_success = |status: &Option<String>| status.as_deref() == Some("SUCCESS");
    if !is_success(&answer.status) && !is_success(&answer.provision_device_status) {
        return Err(failed());
    }
    let value = answer.credentials_value.unwrap_or_default();
    let field = |name: &str| value.get(name)?.as_str().map(ToString::to_string);
    match answer.credentials_type.as_deref() {
        Some("ACCESS_TOKEN") => match value.as_str() {
            Some(token) => Ok(Got::Credentials {
                client_id: None,
                username: Some(token.to_string()),
                password: None,
            }),
            None => Err("credentialsValue is error!".into()),
        },
        Some("MQTT_BASIC") => Ok(Got::Credentials {
            client_id: field("clientId"),
            username: field("username").or_else(|| field("userName")),
            password: field("password"),
        }),
        Some("X509_CERTIFICATE") => Ok(Got::Certificate),
        Some(other) => Err(alloc::format!(
            "credentialsType({}) is error!",
            other.escape_debug()
        )),
        None => Err("credentialsType is error!".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn credentials_of_each_kind_are_read() {
        let text = |text: &str| Some(text.to_string());
        let basic = r#"{"credentialsValue":{"clientId":"c","userName":"u","password":"p"},"credentialsType":"MQTT_BASIC","status":"SUCCESS"}"#;
        let read = |answer: &str| parse(answer.as_bytes());
        assert_eq!(
            read(basic),
            Ok(Got::Credentials {
                client_id: text("c"),
                username: text("u"),
                password: text("p"),
            })
        );
        let token =
            r#"{"credentialsValue":"t","credentialsType":"ACCESS_TOKEN","status":"SUCCESS"}"#;
        assert_eq!(
            read(token),
            Ok(Got::Credentials {
                client_id: None,
                username: text("t"),
                password: None,
            })
        );
        let certificate =
            r#"{"credentialsType":"X509_CERTIFICATE","provisionDeviceStatus":"SUCCESS"}"#;
        assert_eq!(read(certificate), Ok(Got::Certificate));
    }

    #[test]
    fn a_refusal_is_told_as_it_came() {
        let refused = r#"{"errorMsg":"Provision data was not found!","status":"NOT_FOUND"}"#;
        let told = parse(refused.as_bytes()).expect_err("refused");
        assert_eq!(
            told,
            alloc::format!("provision response is failure! {refused}")
        );
        let no_token = r#"{"credentialsType":"ACCESS_TOKEN","status":"SUCCESS"}"#;
        assert!(parse(no_token.as_bytes()).is_err());
        assert!(parse(br#"{"status":"SUCCESS"}"#).is_err());
        assert!(parse(br#"{"credentialsType":"x","status":"SUCCESS"}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = parse(&bytes);
        }
    }
}
