//! How a customer claims a device (`DeviceController`, `ClaimDevicesServiceImpl`).

use clock::Clock;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use trace::thingsboard::{ClaimOutcome, ClaimRefused, DeviceClaimed, DeviceUnclaimed};

use super::registry::Claimed;
use super::service::Shared;
use crate::account_http::{AccountApi, Request, Response};

/// Longest name of a customer or of a device, in bytes.
const LONGEST: usize = 255;

impl AccountApi for Shared {
    fn clock(&self) -> &Clock {
        self.trace.clock()
    }

    fn answer(&self, request: &Request) -> Response {
        let Some(name) = device_name(&request.path) else {
            return error(404, "Not Found", "No such resource");
        };
        let Some(customer) = customer(request.authorization.as_deref()) else {
            return error(401, "Unauthorized", "Authentication failed");
        };
        match request.method.as_str() {
            "POST" => self.claim_by(customer, &name, &request.body),
            "DELETE" => match self.unclaim(&name) {
                Some(_) => Response {
                    status: 200,
                    reason: "OK",
                    body: Vec::new(),
                },
                None => no_device(),
            },
            _ => error(405, "Method Not Allowed", "Request method is not supported"),
        }
    }
}

impl Shared {
    fn claim_by(&self, customer: &str, name: &str, body: &[u8]) -> Response {
        let secret_key = match body {
            [] => String::new(),
            body => match serde_json::from_slice::<Value>(body) {
                Ok(Value::Object(body)) => body
                    .get("secretKey")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                _ => return error(400, "Bad Request", "Malformed JSON request"),
            },
        };
        match self.claim(customer, name, &secret_key) {
            None => no_device(),
            Some(ClaimOutcome::Success) => {
                let device = json!({ "name": name });
                let body = json!({ "device": device, "response": "SUCCESS" });
                json_of(200, "OK", &body)
            }
            Some(refused) => json_of(400, "Bad Request", &json!(refused)),
        }
    }

    /// A customer claims a device. None if there is no such device.
    pub(super) fn claim(&self, customer: &str, name: &str, secret: &str) -> Option<ClaimOutcome> {
        let now = self.trace.clock().now();
        let claimed = self.state().registry.claim(customer, name, secret, now)?;
        let (outcome, reason) = match claimed {
            Claimed::Success => (ClaimOutcome::Success, ""),
            Claimed::Owned => (ClaimOutcome::Claimed, "the device has an owner"),
            Claimed::NothingThere => (
                ClaimOutcome::Failure,
                "Failed to find the device's claiming message!",
            ),
            Claimed::WrongKey => (ClaimOutcome::Failure, "wrong 'secretKey' provided"),
            Claimed::Expired => (ClaimOutcome::Failure, "the claiming timeout occurred"),
        };
        let (customer, device_name) = (customer.to_owned(), name.to_owned());
        if outcome == ClaimOutcome::Success {
            let event = DeviceClaimed {
                customer,
                device_name,
            };
            self.emit(Some(name), &event);
        } else {
            let event = ClaimRefused {
                customer,
                device_name,
                outcome,
                reason: reason.to_owned(),
                evicted: matches!(claimed, Claimed::WrongKey | Claimed::Expired),
            };
            self.emit(Some(name), &event);
        }
        Some(outcome)
    }

    /// Takes a device from its customer. None if there is no such device.
    pub(super) fn unclaim(&self, name: &str) -> Option<()> {
        let customer = self.state().registry.unclaim(name)?;
        if let Some(customer) = customer {
            let event = DeviceUnclaimed {
                customer,
                device_name: name.to_owned(),
            };
            self.emit(Some(name), &event);
        }
        Some(())
    }
}

/// The device in `/api/customer/device/{name}/claim`.
fn device_name(path: &str) -> Option<String> {
    let name = path.strip_prefix("/api/customer/device/")?;
    let name = name.strip_suffix("/claim")?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    (!name.is_empty() && name.len() <= LONGEST).then(|| name.into_owned())
}

fn customer(authorization: Option<&str>) -> Option<&str> {
    let customer = authorization?.strip_prefix("Bearer ")?.trim();
    (!customer.is_empty() && customer.len() <= LONGEST).then_some(customer)
}

fn no_device() -> Response {
    error(404, "Not Found", "Requested item wasn't found!")
}

/// As ThingsBoard tells an error (`ThingsboardErrorResponse`).
fn error(status: u16, reason: &'static str, message: &str) -> Response {
    json_of(
        status,
        reason,
        &json!({ "status": status, "message": message }),
    )
}

fn json_of(status: u16, reason: &'static str, body: &Value) -> Response {
    let body = body.to_string().into_bytes();
    Response {
        status,
        reason,
        body,
    }
}
