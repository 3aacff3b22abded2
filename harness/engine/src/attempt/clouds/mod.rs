//! The clouds of vendors in a world: each is one file here, and one fake in the crate `cloud`.

mod linkkit;
mod thingsboard;

use std::collections::BTreeMap;

use cloud::{Broker, CloudFault, Fake, Newcomer};
use factory::Factory;
use language::{Certificate, Device, Fault};
use pki::Pki;
use trace::Trace;

use super::esp8266;
use super::problem::LabError;
use super::values::DeviceValues;

pub use linkkit::bind_outcome;
pub use thingsboard::client_id;

/// Starts the fake of the cloud that `settings` name, if they name one.
pub async fn start(
    settings: &language::Cloud,
    devices: &BTreeMap<String, DeviceValues>,
    broker: &Broker,
    pki: &Pki,
    trace: &Trace,
) -> Result<Option<Box<dyn Fake>>, LabError> {
    if let Some(linkkit) = &settings.linkkit {
        let fake = linkkit::start(linkkit, devices, broker, trace).await?;
        return Ok(Some(Box::new(fake)));
    }
    if let Some(thingsboard) = &settings.thingsboard {
        let fake = thingsboard::start(thingsboard, broker, pki, trace).await?;
        return Ok(Some(Box::new(fake)));
    }
    Ok(None)
}

/// What the cloud is told of a device that has its factory data.
pub fn newcomer(name: &str, values: &DeviceValues, factory: &Factory) -> Newcomer {
    let credentials = factory
        .cloud
        .as_ref()
        .and_then(|cloud| cloud.credentials.as_ref());
    Newcomer {
        device: name.to_owned(),
        device_name: values.device_name.clone(),
        certificate: credentials.and_then(|credentials| credentials.chain.first().cloned()),
        ..thingsboard::connects_as(values)
    }
}

/// Puts what the cloud that `settings` name wants of a device into its factory data.
pub fn put_in(
    settings: &language::Cloud,
    device: &Device,
    values: &DeviceValues,
    factory: &mut Factory,
) {
    if let Some(linkkit) = &settings.linkkit {
        factory.linkkit = Some(linkkit::section(linkkit, values));
    }
    if let Some(thingsboard) = &settings.thingsboard {
        thingsboard::put_in(thingsboard, device, values, factory);
    }
}

/// The certificate of a device for which a scenario names none.
pub fn certificate(settings: &language::Cloud, device: &Device) -> Certificate {
    let name = match &settings.thingsboard {
        Some(thingsboard) => thingsboard::certificate(thingsboard, device),
        None if device.esp8266_nonos.is_some() => esp8266::CLIENT,
        None => "client",
    };
    Certificate::Named(name.to_owned())
}

/// The fault of a cloud that `fault` is, if it is one.
pub fn fault(fault: &Fault) -> Option<CloudFault> {
    match fault {
        Fault::MatchReply(reply) => Some(CloudFault::MatchReply(linkkit::match_reply(*reply))),
        Fault::CloudUnanswered => Some(CloudFault::Unanswered),
        _ => None,
    }
}
