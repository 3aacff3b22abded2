//! What a program that is the device is told of the attempt.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use board::process::{ProcessLink, ProcessSettings, Value};
use factory::Factory;

use super::hand_over;
use super::problem::LabError;

/// The settings of a program called `device` that is told what `factory` would tell the reference
/// firmware. Certificates and keys are written into `folder`, which is the attempt's alone.
pub fn settings(
    device: &str,
    link: ProcessLink,
    factory: &Factory,
    folder: &Path,
) -> Result<ProcessSettings, LabError> {
    let mut values = told(factory);
    for (value, bytes) in files(factory) {
        // The program has another working directory.
        let path = std::path::absolute(folder.join(format!("{device}.{value}")));
        let written = path.and_then(|path| write_private(&path, &bytes).map(|()| path));
        let path = written.map_err(|source| LabError::Io {
            what: format!("write {value} for {device}"),
            source,
        })?;
        values.insert(value, path.display().to_string());
    }
    if link.mentions(Value::Files) {
        let path = hand_over::files_folder(folder, device)?;
        values.insert(Value::Files, path.display().to_string());
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

/// What `factory` tells in so many words.
pub fn told(factory: &Factory) -> BTreeMap<Value, String> {
    let mut values = BTreeMap::new();
    if let Some(cloud) = &factory.cloud {
        values.insert(Value::BrokerHost, cloud.host.clone());
        values.insert(Value::BrokerPort, cloud.port.to_string());
        values.insert(Value::ClientId, cloud.client_id.clone());
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
    if let Some(network) = &factory.network {
        let ssid = String::from_utf8_lossy(&network.ssid).into_owned();
        values.insert(Value::WifiSsid, ssid);
        values.insert(Value::WifiPassphrase, network.passphrase.clone());
    }
    if let factory::Security::V1 { pop } = &factory.provisioning.security {
        values.insert(Value::Pop, pop.clone());
    }
    values
}

/// What `factory` tells that is handed over in files: certificates and keys, as PEM and DER.
pub fn files(factory: &Factory) -> BTreeMap<Value, Vec<u8>> {
    let mut files = BTreeMap::new();
    let Some(cloud) = &factory.cloud else {
        return files;
    };
    let authority = pki::pem("CERTIFICATE", &cloud.authority);
    files.insert(Value::Authority, authority.into_bytes());
    files.insert(Value::AuthorityDer, cloud.authority.clone());
    if let Some(credentials) = &cloud.credentials {
        let chain = credentials.chain.iter();
        let chain: String = chain.map(|der| pki::pem("CERTIFICATE", der)).collect();
        files.insert(Value::ClientCertificate, chain.into_bytes());
        let own = credentials.chain.first().cloned();
        files.insert(Value::ClientCertificateDer, own.unwrap_or_default());
        let key = pki::pem("PRIVATE KEY", &credentials.key);
        files.insert(Value::ClientKey, key.into_bytes());
        files.insert(Value::ClientKeyDer, credentials.key.clone());
    }
    files
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}
