//! What phones can ask of the cloud.

use clock::Clock;
use serde_json::{Map, Value, json};

use super::codes::{self, message};
use super::registry::Key;
use super::service::Shared;
use super::{BindRefused, BindReply, Bound, TokenChecked};
use crate::account_http::{AccountApi, Request, Response};

/// Longest text that is a parameter, in bytes.
const LONGEST: usize = 256;

impl AccountApi for Shared {
    fn clock(&self) -> &Clock {
        self.trace.clock()
    }

    fn answer(&self, request: &Request) -> Response {
        if request.method != "POST" {
            let body = b"{}".to_vec();
            return Response {
                status: 405,
                reason: "Method Not Allowed",
                body,
            };
        }
        let called = self.call(&request.path, &request.body);
        let (status, reason) = match called {
            Some(_) => (200, "OK"),
            None => (404, "Not Found"),
        };
        let answer = called.unwrap_or_else(|| reply(codes::NOT_FOUND, json!({})));
        Response {
            status,
            reason,
            // Numbers and texts can always be written.
            body: serde_json::to_vec(&answer).unwrap_or_default(),
        }
    }
}

impl Shared {
    pub(super) fn bind(&self, account: &str, device: &Key, token: &str) -> BindReply {
        // Named before it can be stored anywhere.
        self.trace.secrets().add_numbered("token", token);
        let now = self.trace.clock().now();
        let code = {
            let mut state = self.state();
            let rules = state.rules;
            match state.refuse_binds {
                Some(code) => code,
                None => state.registry.bind(&rules, account, device, token, now),
            }
        };
        if code != codes::OK {
            self.emit(
                Some(device),
                &BindRefused {
                    account: account.to_owned(),
                    product_key: device.product_key.clone(),
                    device_name: device.device_name.clone(),
                    token: token.to_owned(),
                    code,
                    outcome: codes::outcome(code),
                    reason: message(code).to_owned(),
                },
            );
            return reply(code, json!({}));
        }
        self.emit(
            Some(device),
            &Bound {
                account: account.to_owned(),
                product_key: device.product_key.clone(),
                device_name: device.device_name.clone(),
                token: token.to_owned(),
            },
        );
        let id = format!("{}.{}", device.product_key, device.device_name);
        reply(code, json!({ "iotId": id, "categoryKey": "proving" }))
    }

    fn check(&self, device: &Key, token: &str) -> BindReply {
        self.trace.secrets().add_numbered("token", token);
        let code = {
            let state = self.state();
            let checked = || state.registry.check(device, token);
            state.refuse_binds.unwrap_or_else(checked)
        };
        self.emit(
            Some(device),
            &TokenChecked {
                product_key: device.product_key.clone(),
                device_name: device.device_name.clone(),
                token: token.to_owned(),
                code,
            },
        );
        match code {
            codes::OK => reply(code, json!({ "reported": true })),
            _ => reply(code, json!({})),
        }
    }

    /// Answers one call by its path and body. None if there is no such call.
    pub(super) fn call(&self, path: &str, body: &[u8]) -> Option<BindReply> {
        let binds = match path {
            "/awss/token/user/bind" => true,
            "/awss/token/check" => false,
            _ => return None,
        };
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
            return Some(reply(codes::BAD_REQUEST, json!({})));
        };
        let account = text(&body, "account");
        if binds && account.is_none() {
            return Some(reply(codes::UNAUTHORIZED, json!({})));
        }
        let (Some(product_key), Some(device_name), Some(token)) = (
            text(&body, "productKey"),
            text(&body, "deviceName"),
            text(&body, "token"),
        ) else {
            return Some(reply(codes::PARAMETER, json!({})));
        };
        let device = Key::new(product_key, device_name);
        Some(match account {
            Some(account) if binds => self.bind(account, &device, token),
            _ => self.check(&device, token),
        })
    }
}

fn text<'b>(body: &'b Map<String, Value>, field: &str) -> Option<&'b str> {
    let text = body.get(field)?.as_str()?;
    (!text.is_empty() && text.len() <= LONGEST).then_some(text)
}

fn reply(code: i64, data: Value) -> BindReply {
    BindReply {
        code,
        message: message(code).to_owned(),
        data,
    }
}
