//! A binding token that the phone makes: handed over with the credentials, reported by the device,
//! and looked for at the cloud. It needs no LAN between phone and device.

use std::fmt;
use std::net::SocketAddrV4;
use std::time::Duration;

use proto::bind::{BindReply, BindRequest};
use proto::handover::{self, HandoverReply, SwitchAp, SwitchApRequest, TOKEN_BYTES, TokenRequest};
use rand_core::{OsRng, RngCore};
use serde::Serialize;
use trace::Trace;

use crate::{BindError, Credentials, ProvisioningClient, ProvisioningError, check};

/// What the cloud says of a token that was reported.
const REPORTED: i64 = 200;
/// `id` of a request; there is one at a time.
const ID: &str = "1";

/// A token of 16 random bytes, as 32 upper-case hex digits.
#[derive(Clone, PartialEq, Eq)]
pub struct BindingToken(String);

impl BindingToken {
    /// A fresh one.
    pub fn random() -> Self {
        Self(any_hex())
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without the digits: a client that knows them can bind the device.
impl fmt::Debug for BindingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BindingToken")
    }
}

impl ProvisioningClient {
    /// Hands the token over on an endpoint of its own, before the credentials are applied.
    pub async fn hand_over(
        &mut self,
        endpoint: &str,
        token: &BindingToken,
    ) -> Result<(), ProvisioningError> {
        self.trace.secrets().add_numbered("token", &token.0);
        let request = TokenRequest {
            token: token.0.clone(),
        };
        self.ask_json("hand_over", endpoint, &request).await
    }

    /// Hands token and credentials over in one message, which the device puts to use at once.
    pub async fn switch_ap(
        &mut self,
        endpoint: &str,
        credentials: &Credentials,
        token: &BindingToken,
    ) -> Result<(), ProvisioningError> {
        let secrets = self.trace.secrets();
        secrets.add_numbered("token", &token.0);
        secrets.add_numbered("passphrase", &credentials.passphrase);
        let passwd = hex::encode(&credentials.passphrase);
        if !passwd.is_empty() {
            secrets.add_numbered("passphrase", &passwd);
        }
        let ssid = String::from_utf8(credentials.ssid.clone()).ok();
        let request = SwitchApRequest {
            id: ID.to_owned(),
            params: SwitchAp {
                xssid: ssid.is_none().then(|| hex::encode(&credentials.ssid)),
                ssid,
                passwd,
                random: any_hex(),
                token: Some(token.0.clone()),
            },
        };
        self.ask_json("switch_ap", endpoint, &request).await
    }

    async fn ask_json(
        &mut self,
        command: &'static str,
        endpoint: &str,
        request: &impl Serialize,
    ) -> Result<(), ProvisioningError> {
        // Cannot fail: requests are made of texts.
        let request = serde_json::to_vec(request).unwrap_or_default();
        let answer = self.custom(endpoint, &request).await?;
        // The application's answer may be a C string.
        let answer = answer.strip_suffix(b"\0").unwrap_or(&answer);
        match serde_json::from_slice::<HandoverReply>(answer) {
            Ok(reply) if reply.code == handover::OK => Ok(()),
            Ok(reply) => Err(ProvisioningError::Nonsense {
                command,
                reason: format!("its code is {}", reply.code),
            }),
            Err(error) => Err(ProvisioningError::Nonsense {
                command,
                reason: error.to_string(),
            }),
        }
    }
}

/// Asks the cloud again and again whether a token was reported, as long as `patience` of lab time.
/// The last reply says what became of it.
pub async fn wait_for_report(
    cloud: SocketAddrV4,
    request: &BindRequest,
    interval: Duration,
    patience: Duration,
    trace: &Trace,
) -> Result<BindReply, BindError> {
    let clock = trace.clock().clone();
    let deadline = clock.now() + patience;
    loop {
        let reply = check(cloud, request, trace).await?;
        if reply.code == REPORTED || clock.now() >= deadline {
            return Ok(reply);
        }
        clock.sleep(interval).await;
    }
}

fn any_hex() -> String {
    let mut bytes = [0; TOKEN_BYTES];
    OsRng.fill_bytes(&mut bytes);
    hex::encode_upper(bytes)
}
