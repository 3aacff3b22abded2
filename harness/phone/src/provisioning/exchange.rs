//! Single requests: encrypted where the endpoint asks for it, repeated where that does no harm, and
//! traced.

use clock::LabTime;
use proto::wifi_config::{self, WifiConfigMsgType, WifiConfigPayload};
use proto::{Message, Status, endpoint};
use serde_json::Value;

use super::client::ProvisioningClient;
use super::error::ProvisioningError;
use super::summary;
use trace::provisioning::Exchange;

/// What a reader makes of an answer: the value, and what the trace shows of it.
type Read<T> = Result<(T, Value), ProvisioningError>;

impl ProvisioningClient {
    /// Sends arbitrary bytes to an endpoint, as they are, and returns the answer's bytes.
    pub async fn raw(&mut self, endpoint: &str, body: &[u8]) -> Result<Vec<u8>, ProvisioningError> {
        self.open(endpoint, summary::raw(body), body, |answer| {
            Ok((answer.to_vec(), summary::in_the_open(endpoint, answer)))
        })
        .await
    }

    /// Sends arbitrary plain text to an encrypted endpoint, and returns the answer's.
    pub async fn raw_encrypted(
        &mut self,
        endpoint: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, ProvisioningError> {
        self.encrypted(endpoint, summary::bytes(endpoint, plain), plain, |answer| {
            Ok((answer.to_vec(), summary::bytes(endpoint, answer)))
        })
        .await
    }

    /// A request to an endpoint that is never encrypted.
    pub(super) async fn open<T>(
        &mut self,
        endpoint: &str,
        request: Value,
        body: &[u8],
        read: impl FnOnce(&[u8]) -> Read<T>,
    ) -> Result<T, ProvisioningError> {
        let pending = self.begin(endpoint, request, body.len());
        let response = self.send(endpoint, body).await;
        let length = response.as_ref().ok().map(Vec::len);
        let read = response.and_then(|body| read(&body));
        self.end(pending, length, read)
    }

    /// A request on `prov-config`, again and again if its answer is lost and the phone tolerates it.
    pub(super) async fn config(
        &mut self,
        command: &'static str,
        request: wifi_config::Payload,
    ) -> Result<wifi_config::Payload, ProvisioningError> {
        let request = WifiConfigPayload::from(request);
        let answer = self
            .message(endpoint::CONFIG, &request, summary::config)
            .await?;
        answer_to(command, &request, answer)
    }

    /// A request on `prov-config`, once.
    pub(super) async fn config_once(
        &mut self,
        command: &'static str,
        request: wifi_config::Payload,
    ) -> Result<wifi_config::Payload, ProvisioningError> {
        let request = WifiConfigPayload::from(request);
        let answer = self
            .message_once(endpoint::CONFIG, &request, summary::config)
            .await?;
        answer_to(command, &request, answer)
    }

    /// A protobuf request to an encrypted endpoint that may be asked twice, in a new session if the
    /// old one is lost and the phone tolerates it.
    pub(super) async fn message<M: Message + Default>(
        &mut self,
        endpoint: &str,
        request: &M,
        summarise: fn(&M) -> Value,
    ) -> Result<M, ProvisioningError> {
        let mut tries = self.settings.tolerance.tries();
        let mut is_repeated = false;
        loop {
            let asked = async {
                if is_repeated {
                    self.establish_once_more().await?;
                }
                self.message_once(endpoint, request, summarise).await
            };
            match asked.await {
                Err(error) if error.is_loss() && tries.another() => {
                    is_repeated = true;
                    self.pause().await;
                }
                ended => return ended,
            }
        }
    }

    /// A protobuf request to an encrypted endpoint.
    pub(super) async fn message_once<M: Message + Default>(
        &mut self,
        endpoint: &str,
        request: &M,
        summarise: fn(&M) -> Value,
    ) -> Result<M, ProvisioningError> {
        let plain = request.encode_to_vec();
        self.encrypted(endpoint, summarise(request), &plain, |answer| {
            let answer = M::decode(answer).map_err(|source| ProvisioningError::Undecodable {
                endpoint: endpoint.to_owned(),
                source,
            })?;
            let shown = summarise(&answer);
            Ok((answer, shown))
        })
        .await
    }

    async fn encrypted<T>(
        &mut self,
        endpoint: &str,
        request: Value,
        plain: &[u8],
        read: impl FnOnce(&[u8]) -> Read<T>,
    ) -> Result<T, ProvisioningError> {
        let security = |source| ProvisioningError::Security {
            endpoint: endpoint.to_owned(),
            source,
        };
        // Put back only after an answer: without one, the two sides' ciphers are out of step.
        let Some(mut channel) = self.channel.take() else {
            return Err(ProvisioningError::NoSession {
                endpoint: endpoint.to_owned(),
            });
        };
        let body = channel.encrypt(plain).map_err(security)?;
        let pending = self.begin(endpoint, request, body.len());
        let response = self.send(endpoint, &body).await;
        let length = response.as_ref().ok().map(Vec::len);
        let answer = response.and_then(|body| channel.decrypt(&body).map_err(security));
        if answer.is_ok() {
            self.channel = Some(channel);
        }
        let read = answer.and_then(|answer| read(&answer));
        self.end(pending, length, read)
    }

    async fn send(&mut self, endpoint: &str, body: &[u8]) -> Result<Vec<u8>, ProvisioningError> {
        self.transport
            .send(endpoint, body)
            .await
            .map_err(|source| ProvisioningError::Transport {
                endpoint: endpoint.to_owned(),
                source,
            })
    }

    fn begin(&self, endpoint: &str, request: Value, request_bytes: usize) -> Pending {
        Pending {
            exchange: Exchange {
                phone: self.settings.phone.clone(),
                endpoint: endpoint.to_owned(),
                request,
                session: None,
                session_again: false,
                characteristic: None,
                description: None,
                request_bytes,
                answer: Value::Null,
                answer_bytes: None,
                failure: None,
                took_us: 0,
            },
            began: self.trace.clock().now(),
        }
    }

    fn end<T>(
        &self,
        pending: Pending,
        answer_bytes: Option<usize>,
        read: Read<T>,
    ) -> Result<T, ProvisioningError> {
        let Pending {
            mut exchange,
            began,
        } = pending;
        let took = self.trace.clock().now().since(began);
        exchange.took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        exchange.answer_bytes = answer_bytes;
        exchange.session = self.transport.session();
        exchange.session_again = self.transport.session_was_given_again();
        if let Some((uuid, description)) = self.transport.characteristic(&exchange.endpoint) {
            exchange.characteristic = Some(uuid);
            exchange.description = description;
        }
        let value = match read {
            Ok((value, shown)) => {
                exchange.answer = shown;
                Ok(value)
            }
            Err(error) => {
                exchange.failure = Some(trace::in_full(&error));
                Err(error)
            }
        };
        self.trace.emit(self.settings.device.as_deref(), &exchange);
        value
    }
}

/// A request that waits for its answer.
struct Pending {
    exchange: Exchange,
    began: LabTime,
}

fn answer_to(
    command: &'static str,
    request: &WifiConfigPayload,
    answer: WifiConfigPayload,
) -> Result<wifi_config::Payload, ProvisioningError> {
    let expected = request.msg + 1;
    match answer.payload {
        Some(payload) if answer.msg == expected => Ok(payload),
        _ => Err(ProvisioningError::Nonsense {
            command,
            reason: match WifiConfigMsgType::try_from(answer.msg) {
                Ok(message) if answer.msg != expected => format!("it is a {message:?}"),
                Ok(_) => "it holds no message".into(),
                Err(_) => format!("there is no message {}", answer.msg),
            },
        }),
    }
}

pub(super) fn success(command: &'static str, status: i32) -> Result<(), ProvisioningError> {
    if status == Status::Success as i32 {
        Ok(())
    } else {
        Err(ProvisioningError::Refused { command, status })
    }
}

pub(super) fn other_message(command: &'static str) -> ProvisioningError {
    ProvisioningError::Nonsense {
        command,
        reason: "it is the answer to another command".into(),
    }
}
