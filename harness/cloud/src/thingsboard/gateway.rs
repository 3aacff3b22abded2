//! What gateways say for the devices behind them (`GatewaySessionHandler`, the gateway API's reference).
//!
//! A device behind a gateway comes into being when the gateway first speaks of it. It has no credentials
//! and no session of its own; until the gateway says that it is gone, or is gone itself, what the cloud has
//! for the device goes to the gateway.

use serde_json::{Map, Value, json};
use trace::thingsboard::{AttributesAnswered, GatewayDeviceConnected, GatewayDeviceDisconnected};

use super::payload::{self, Malformed};
use super::registry::NotAdded;
use super::service::Shared;
use super::topic;
use crate::Client;
use crate::packet::Publish;

/// Devices behind one gateway at most.
const MOST_BEHIND: usize = 1000;

/// What a gateway says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A device is there.
    Connect,
    /// A device is gone.
    Disconnect,
    Telemetry,
    Attributes,
    AttributesRequest,
    /// The answer of a device to a call of the cloud's.
    RpcAnswer,
    Claim,
}

impl Shared {
    /// Takes what `gateway` says.
    pub(super) fn take_from_gateway(
        &self,
        gateway: &str,
        client: &Client,
        said: Said,
        publish: &Publish,
    ) -> Result<(), Malformed> {
        let payload = &publish.payload;
        match said {
            Said::Connect => {
                let name = payload::device_field(payload)?;
                self.behind(gateway, client, &name)?;
            }
            Said::Disconnect => self.gone(gateway, client, &payload::device_field(payload)?),
            Said::Telemetry => {
                for (name, told) in payload::telemetry_by_device(payload)? {
                    self.behind(gateway, client, &name)?;
                    self.keep_telemetry(&name, &publish.topic, told);
                }
            }
            Said::Attributes => {
                for (name, values) in payload::attributes_by_device(payload)? {
                    self.behind(gateway, client, &name)?;
                    self.keep_attributes(&name, &publish.topic, values);
                }
            }
            Said::AttributesRequest => self.answer_gateway(gateway, client, payload)?,
            Said::RpcAnswer => {
                let answer = payload::gateway_answer(payload)?;
                self.behind(gateway, client, &answer.device)?;
                self.keep_answer(&answer.device, answer.request, answer.data);
            }
            Said::Claim => {
                for (name, claim) in payload::claims_by_device(payload)? {
                    self.behind(gateway, client, &name)?;
                    self.keep_claim(&name, claim);
                }
            }
        }
        Ok(())
    }

    /// Puts a device behind the gateway, if it is not there yet, and makes it, if it is none yet.
    fn behind(&self, gateway: &str, client: &Client, name: &str) -> Result<(), Malformed> {
        let made = {
            let mut state = self.state();
            let state = &mut *state;
            let Some(session) = state.sessions.get_mut(&client.connection) else {
                return Ok(());
            };
            if session.behind.contains(name) {
                return Ok(());
            }
            if session.behind.len() >= MOST_BEHIND {
                return Err("there are as many devices behind the gateway as may be");
            }
            session.behind.insert(name.to_owned());
            let scenario = state.registry.device(gateway);
            let scenario = scenario.and_then(|gateway| gateway.scenario.clone());
            match state.registry.add(name, scenario.as_deref(), None) {
                Ok(_) => true,
                Err(NotAdded::NameTaken) => false,
                Err(why) => return Err(why.reason()),
            }
        };
        let event = GatewayDeviceConnected {
            gateway: gateway.to_owned(),
            device_name: name.to_owned(),
            created: made,
        };
        self.emit(Some(gateway), &event);
        Ok(())
    }

    fn gone(&self, gateway: &str, client: &Client, name: &str) {
        let was_there = {
            let mut state = self.state();
            let session = state.sessions.get_mut(&client.connection);
            session.is_some_and(|session| session.behind.remove(name))
        };
        let event = GatewayDeviceDisconnected {
            gateway: gateway.to_owned(),
            device_name: name.to_owned(),
            was_there,
        };
        self.emit(Some(gateway), &event);
    }

    /// One key is answered by `value`, several by `values`; a key that the device has not is left out.
    fn answer_gateway(
        &self,
        gateway: &str,
        client: &Client,
        payload: &[u8],
    ) -> Result<(), Malformed> {
        let asked = payload::gateway_keys(payload)?;
        self.behind(gateway, client, &asked.device)?;
        let found: Map<String, Value> = {
            let state = self.state();
            let known = state.registry.device(&asked.device);
            let kept = known.map(|known| match asked.client {
                true => &known.client,
                false => &known.shared,
            });
            let found = |key: &String| Some((key.clone(), kept?.get(key)?.clone()));
            asked.keys.iter().filter_map(found).collect()
        };
        let mut answer = json!({ "id": asked.request, "device": asked.device });
        match (asked.keys.as_slice(), found.len()) {
            ([one], 1) => answer["value"] = found[one].clone(),
            ([_], _) => {}
            _ => answer["values"] = found.into(),
        }
        let event = AttributesAnswered {
            device_name: asked.device,
            request: asked.request,
            answer: answer.clone(),
        };
        self.emit(Some(gateway), &event);
        self.reply(
            client,
            topic::GATEWAY_ATTRIBUTES_ANSWER.to_owned(),
            answer.to_string(),
        );
        Ok(())
    }
}
