//! How firmware that is not the reference device's is provisioned: what its section of the rig file says,
//! and what its log tells.

use board::rig::{Provisioning, SecretReference, ServiceName, Transport, parse_mac};
use language::Over;
use serde::Deserialize;
use trace::{Trace, in_full};

use super::Enrollee;
use crate::attempt::problem::LabError;

/// What of an enrollee only the device's log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Where its name stands, if that is not known.
    pub name: Option<ServiceName>,
    /// Whether it prints the payload of a QR code.
    pub qr: bool,
}

/// The enrollee that a firmware makes of a board with this MAC address, if that is known. `reference` is
/// what the case has made up, which stays where the section says nothing.
pub async fn enrollee(
    reference: Enrollee,
    firmware: &Provisioning,
    mac: Option<[u8; 6]>,
    trace: &Trace,
) -> Result<Enrollee, LabError> {
    let (service_name, unknown) = match &firmware.service_name {
        ServiceName::Template(template) if !template.needs_mac() || mac.is_some() => {
            (template.fill(mac.unwrap_or_default()), None)
        }
        other => (String::new(), Some(other.clone())),
    };
    let over = over(firmware.transport);
    let service_key = secret("service key", &firmware.service_key, trace)?;
    let pop = secret("proof of possession", &firmware.pop, trace)?;
    let password = secret("password", &firmware.password, trace)?;
    Ok(Enrollee {
        over,
        service_name,
        // The reference firmware's is not its own.
        service_key: service_key.unwrap_or_default(),
        service: None,
        address: address(&firmware.url, reference.address).await?,
        pop: pop.unwrap_or(reference.pop),
        username: firmware.username.clone().unwrap_or(reference.username),
        password: password.unwrap_or(reference.password),
        learned: Some(Learned {
            name: unknown.filter(|_| over != Over::Console),
            qr: firmware.qr,
        }),
        ..reference
    })
}

/// As scenarios have it.
pub fn over(transport: Transport) -> Over {
    match transport {
        Transport::Softap => Over::Softap,
        Transport::Ble => Over::Ble,
        Transport::Console => Over::Console,
    }
}

/// Where `url` leads, or `otherwise` without one.
pub async fn address(
    url: &Option<String>,
    otherwise: std::net::SocketAddrV4,
) -> Result<std::net::SocketAddrV4, LabError> {
    match url {
        Some(url) => {
            let found = phone::SoftAp::find(url).await;
            found.map_err(|error| LabError::Scenario(in_full(&error)))
        }
        None => Ok(otherwise),
    }
}

/// The secret that `reference` leads to, which no trace shows from now on.
pub fn secret(
    name: &str,
    reference: &Option<SecretReference>,
    trace: &Trace,
) -> Result<Option<String>, LabError> {
    let Some(reference) = reference else {
        return Ok(None);
    };
    let secret = reference.resolve();
    let secret = secret.map_err(|error| LabError::Scenario(in_full(&error)))?;
    trace.secrets().add(name, &secret);
    Ok(Some(secret))
}

impl Learned {
    /// Puts what the log of `device` has told into `enrollee`. What it has not told yet, in words.
    pub fn learn(&self, enrollee: &mut Enrollee, device: &str, trace: &Trace) -> Option<String> {
        let mut name = None;
        let mut code = None;
        let mut mac = None;
        for event in trace.events_from(0) {
            if event.device.as_deref() != Some(device) {
                continue;
            }
            let Some(line) = event.line() else { continue };
            let wanted = self.name.as_ref();
            // What was recognised as a secret stands there by its name.
            let text = trace.secrets().reveal(line.text);
            name = wanted.and_then(|wanted| wanted.in_line(&text)).or(name);
            code = qr_code(line.text).or(code);
            mac = station_mac(line.text).or(mac);
        }
        if let (Some(ServiceName::Template(template)), Some(mac)) = (&self.name, mac) {
            name = Some(template.fill(mac));
        }
        let has_code = code.is_some();
        if let Some(code) = code.filter(|_| self.qr) {
            // The trace has its name in its place from the first line that tells it.
            let reveal = |text: &str| trace.secrets().reveal(text);
            let pop = reveal(&code.pop);
            trace
                .secrets()
                .add(&format!("proof of possession of {device}"), &pop);
            enrollee.pop.clone_from(&pop);
            enrollee.password = pop;
            if let Some(username) = &code.username {
                enrollee.username = reveal(username);
            }
            name = name.or(Some(reveal(&code.name)));
        }
        let has_name = self.name.is_none() || name.is_some();
        if let (Some(name), Some(_)) = (name, &self.name) {
            enrollee.service_name = name;
        }
        if self.qr && !has_code {
            return Some("the payload of its QR code".to_owned());
        }
        (!has_name).then(|| match &self.name {
            Some(ServiceName::Template(_)) => "its MAC address, of which its name is made; give the board a `mac` in the rig file if it never does".to_owned(),
            _ => "the name of its provisioning service".to_owned(),
        })
    }
}

/// What ESP-IDF's provisioning application reads from the QR code.
#[derive(Deserialize)]
struct QrCode {
    name: String,
    username: Option<String>,
    #[serde(default)]
    pop: String,
}

/// The payload of a QR code in a line of a log: `{"ver":"v1","name":…}`.
fn qr_code(line: &str) -> Option<QrCode> {
    let start = line.find("{\"ver\":")?;
    // What stands behind it is none of it.
    let mut values = serde_json::Deserializer::from_str(&line[start..]).into_iter();
    values.next()?.ok()
}

/// The MAC address of the station in a line of ESP-IDF's Wi-Fi driver: `mode : sta (60:55:f9:00:0a:01)`.
fn station_mac(line: &str) -> Option<[u8; 6]> {
    let (_, rest) = line.split_once("mode : sta (")?;
    let (text, _) = rest.split_once(')')?;
    parse_mac(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use board::rig::Rig;
    use clock::Clock;
    use trace::{Level, LogLine};

    use super::*;
    use crate::attempt::values::Maker;
    use language::parse;
    use trace::Secrets;

    /// The enrollee of a firmware with these keys, and the trace that its log goes to.
    async fn made(keys: &str, mac: Option<[u8; 6]>) -> (Enrollee, Trace) {
        let text = format!(
            "[firmware.lamp]\nhand_over = \"none\"\nprovisioning = {{ {keys} }}\n\
            [boards.dut]\nkind = \"serial\"\nport = \"/dev/ttyUSB0\"\nfirmware = \"lamp\"\n"
        );
        let rig = Rig::parse(Path::new("rig.toml"), &text).expect("sound");
        let firmware = rig.boards["dut"].firmware.clone().expect("named");
        let trace = Trace::in_memory(Clock::start(1.0));
        let known = language::known().expect("our own");
        let scenario = "name: x\nworld: { devices: { device: {} } }\nsteps:\n  - power: on\n";
        let cases = parse("x.yaml", scenario, &known).expect("sound");
        let world = &cases[0].scenario.world;
        let values = Maker::new(1).device("device", world, &Secrets::default());
        let device = world.devices.named("device").expect("there");
        let reference = Enrollee::reference(device, &values);
        let provisioning = firmware.provisioning.expect("provisioned");
        let found = enrollee(reference, &provisioning, mac, &trace)
            .await
            .expect("sound");
        (found, trace)
    }

    fn log(trace: &Trace, text: &str) {
        let line = LogLine {
            level: Level::Info,
            tag: "any".into(),
            text: text.into(),
            device_ms: None,
            place: None,
        };
        trace.emit(Some("device"), &line);
    }

    /// What is still to be learned, after which the enrollee is what it is now.
    fn learn(enrollee: &mut Enrollee, trace: &Trace) -> Option<String> {
        let learned = enrollee.learned.clone().expect("a firmware of others");
        learned.learn(enrollee, "device", trace)
    }

    #[tokio::test]
    async fn a_name_is_made_of_the_mac_of_the_rig_file_or_of_the_log() {
        let keys =
            "transport = \"ble\", security = \"none\", service_name = \"PROV_{mac:4}{mac:5:x}\"";
        let mac = [0x60, 0x55, 0xF9, 1, 0xAB, 0xCD];
        let (known, _) = made(keys, Some(mac)).await;
        assert_eq!((&*known.service_name, known.over), ("PROV_ABcd", Over::Ble));
        let (mut unknown, trace) = made(keys, None).await;
        let missing = learn(&mut unknown, &trace).expect("nothing was logged");
        assert!(missing.contains("`mac` in the rig file"), "{missing}");
        log(
            &trace,
            "mode : sta (60:55:f9:01:ab:cd) + softAP (60:55:f9:01:ab:ce)",
        );
        assert_eq!(learn(&mut unknown, &trace), None);
        assert_eq!(unknown.service_name, "PROV_ABcd");
    }

    #[tokio::test]
    async fn the_log_tells_the_name_and_the_last_one_counts() {
        let (mut found, trace) = made("transport = \"softap\", security = \"none\"", None).await;
        assert!(learn(&mut found, &trace).is_some());
        for name in ["PROV_1", "PROV_2"] {
            log(
                &trace,
                &format!("Provisioning started with service name : {name} "),
            );
        }
        assert_eq!(learn(&mut found, &trace), None);
        assert_eq!(found.service_name, "PROV_2");
    }

    #[tokio::test]
    async fn the_payload_of_a_qr_code_tells_name_and_secret() {
        let keys = "transport = \"ble\", security = \"v1\", qr = \"log\"";
        let (mut found, trace) = made(keys, None).await;
        log(&trace, "{\"ver\":\"v1\",\"name\":");
        assert_eq!(
            learn(&mut found, &trace).as_deref(),
            Some("the payload of its QR code")
        );
        log(
            &trace,
            "https://espressif.github.io/esp-jumpstart/qrcode.html?data={\"ver\":\"v1\",\"name\":\"PROV_3\",\"pop\":\"a\\\"b\",\"transport\":\"ble\"} x",
        );
        assert_eq!(learn(&mut found, &trace), None);
        assert_eq!((&*found.service_name, &*found.pop), ("PROV_3", "a\"b"));
    }

    #[tokio::test]
    async fn a_secret_that_is_known_by_now_is_learned_from_a_later_start_too() {
        let keys = "transport = \"ble\", security = \"v1\", qr = \"log\"";
        let (mut found, trace) = made(keys, None).await;
        for _ in 0..2 {
            log(
                &trace,
                "{\"ver\":\"v1\",\"name\":\"PROV_3\",\"pop\":\"abcd1234\",\"transport\":\"ble\"}",
            );
            assert_eq!(learn(&mut found, &trace), None);
            assert_eq!(found.pop, "abcd1234");
        }
    }

    #[tokio::test]
    async fn a_secret_that_stands_in_the_name_too_leaves_the_name_as_it_is() {
        let keys = "transport = \"ble\", security = \"v2\", qr = \"log\"";
        let (mut found, trace) = made(keys, None).await;
        log(
            &trace,
            "{\"ver\":\"v1\",\"name\":\"PROV_0001\",\"username\":\"u0001\",\"pop\":\"0001\"}",
        );
        assert_eq!(learn(&mut found, &trace), None);
        assert_eq!(
            (&*found.service_name, &*found.username),
            ("PROV_0001", "u0001")
        );
        let stored = trace.since(0);
        assert!(!format!("{stored:?}").contains("0001"), "{stored:?}");
    }

    #[test]
    fn whatever_a_line_holds_it_is_read_without_a_panic() {
        for line in [
            "mode : sta (60:55:f9)",
            "mode : sta (é",
            "mode : sta (60:55:f9:01:ab:cd:ef)",
            "{\"ver\":",
            "{\"ver\":\"v1\",\"name\":7}",
        ] {
            assert!(
                station_mac(line).is_none() && qr_code(line).is_none(),
                "{line}"
            );
        }
    }
}
