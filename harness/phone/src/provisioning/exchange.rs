//! Single requests: over HTTP, encrypted where the endpoint asks for it, and traced.

use clock::LabTime;
use proto::wifi_config::{self, WifiConfigMsgType, WifiConfigPayload};
use proto::{Message, endpoint};
use serde_json::{Value, json};

use super::client::ProvisioningClient;
use super::error::ProvisioningError;
use super::events::Exchange;
use super::summary;
use crate::http::Response;

/// As Espressif's own client says, whatever the body is.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// What a reader makes of an answer: the value, and what the trace shows of it.
type Read<T> = Result<(T, Value), ProvisioningError>;

impl ProvisioningClient {
    /// Sends arbitrary bytes to an endpoint, as they are, and hands out whatever comes back.
    pub async fn raw(
        &mut self,
        endpoint: &str,
        body: &[u8],
    ) -> Result<Response, ProvisioningError> {
        let pending = self.begin(endpoint, summary::raw(body), body.len());
        let response = self.post(endpoint, body).await;
        let length = response.as_ref().ok().map(|response| response.body.len());
        let read = response.map(|response| {
            let shown = json!({ "http_status": response.status });
            (response, shown)
        });
        self.end(pending, length, read)
    }

    /// Sends arbitrary plain text to an encrypted endpoint, and returns the answer's.
    pub async fn raw_encrypted(
        &mut self,
        endpoint: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, ProvisioningError> {
        self.encrypted(endpoint, summary::raw(plain), plain, |answer| {
            Ok((answer.to_vec(), summary::raw(answer)))
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
        let response = self.successful(endpoint, body).await;
        let length = response.as_ref().ok().map(Vec::len);
        let read = response.and_then(|body| read(&body));
        self.end(pending, length, read)
    }

    /// A request on `prov-config`.
    pub(super) async fn config(
        &mut self,
        command: &'static str,
        request: wifi_config::Payload,
    ) -> Result<wifi_config::Payload, ProvisioningError> {
        let request = WifiConfigPayload::from(request);
        let expected = request.msg + 1;
        let answer = self
            .message(endpoint::CONFIG, &request, summary::config)
            .await?;
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

    /// A protobuf request to an encrypted endpoint.
    pub(super) async fn message<M: Message + Default>(
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
        let response = self.successful(endpoint, &body).await;
        let length = response.as_ref().ok().map(Vec::len);
        let answer = response.and_then(|body| channel.decrypt(&body).map_err(security));
        if answer.is_ok() {
            self.channel = Some(channel);
        }
        let read = answer.and_then(|answer| read(&answer));
        self.end(pending, length, read)
    }

    async fn successful(
        &mut self,
        endpoint: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ProvisioningError> {
        let response = self.post(endpoint, body).await?;
        if response.status == 200 {
            return Ok(response.body);
        }
        Err(ProvisioningError::HttpStatus {
            endpoint: endpoint.to_owned(),
            status: response.status,
        })
    }

    async fn post(&mut self, endpoint: &str, body: &[u8]) -> Result<Response, ProvisioningError> {
        self.http
            .post(&format!("/{endpoint}"), CONTENT_TYPE, body)
            .await
            .map_err(|source| ProvisioningError::Http {
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
        let value = match read {
            Ok((value, shown)) => {
                exchange.answer = shown;
                Ok(value)
            }
            Err(error) => {
                exchange.failure = Some(error.chain());
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
