//! What a program that is the device is told of the attempt.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use board::process::{ProcessLink, ProcessSettings, Value};
use factory::Factory;

use super::problem::LabError;

/// The settings of a program called `device` that is told what `factory` would tell the reference
/// firmware. Certificates and keys are written into `folder`, which is the attempt's alone.
pub fn settings(
    device: &str,
    link: ProcessLink,
    factory: &Factory,
    folder: &Path,
) -> Result<ProcessSettings, LabError> {
    let mut values = BTreeMap::new();
    let file = |name: &str, text: &str| -> Result<String, LabError> {
        // The program has another working directory.
        let path = std::path::absolute(folder.join(format!("{device}.{name}")));
        let written = path.and_then(|path| write_private(&path, text).map(|()| path));
        let path = written.map_err(|source| LabError::Io {
            what: format!("write {name} for {device}"),
            source,
        })?;
        Ok(path.display().to_string())
    };
    if let Some(cloud) = &factory.cloud {
        values.insert(Value::BrokerHost, cloud.host.clone());
        values.insert(Value::BrokerPort, cloud.port.to_string());
        values.insert(Value::ClientId, cloud.client_id.clone());
        let authority = pki::pem("CERTIFICATE", &cloud.authority);
        values.insert(Value::Authority, file("ca.pem", &authority)?);
        if let Some(credentials) = &cloud.credentials {
            let chain = credentials.chain.iter();
            let chain: String = chain.map(|der| pki::pem("CERTIFICATE", der)).collect();
            values.insert(Value::ClientCertificate, file("client.pem", &chain)?);
            let key = pki::pem("PRIVATE KEY", &credentials.key);
            values.insert(Value::ClientKey, file("client.key", &key)?);
        }
    }
    if let Some(time) = &factory.sntp {
        values.insert(Value::TimeHost, time.host.clone());
        values.insert(Value::TimePort, time.port.to_string());
    }
    if let Some(telemetry) = &factory.telemetry {
        values.insert(Value::TelemetryTopic, telemetry.topic.clone());
        values.insert(Value::TelemetryPayload, telemetry.payload.clone());
    }
    if let Some(linkkit) = &factory.linkkit {
        values.insert(Value::ProductKey, linkkit.product_key.clone());
        values.insert(Value::DeviceName, linkkit.device_name.clone());
        values.insert(Value::DeviceSecret, linkkit.device_secret.clone());
    }
    let folder = std::path::absolute(folder).map_err(|source| LabError::Io {
        what: format!("find {}", folder.display()),
        source,
    })?;
    Ok(ProcessSettings {
        device: device.to_owned(),
        link,
        values,
        folder,
    })
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}
