//! What a device of a scenario is born with.

use std::time::Duration;

use factory::{
    AppInfo, Ble, BluetoothStack, ClientAuth, Cloud, Credentials, Factory, Identity, Lab, Mdns,
    MemoryRelease, Mqtt, PhoneToken, Provisioning, Scheme, ServerCertificate, Sntp, Telemetry,
    TokenForm, Unregister, Version, WebApplication, WebServer, Will,
};
use language::{Certificate, Device, IdfVersion, Over, Security, WorldSpec};
use pki::{Pki, PkiError};
use proto::handover::{SWITCHAP_ENDPOINT, TOKEN_ENDPOINT};

use super::clouds;
use super::esp8266;
use super::surroundings::LINE_LIMIT;
use super::values::DeviceValues;

/// Name of the broker inside the air.
pub const BROKER_HOST: &str = "mqtt.proving.example";
/// Its address there, the first that the air gives away.
const BROKER_ADDRESS: &str = "198.18.0.2";
/// Port of the broker inside the air (IANA: secure-mqtt).
pub const BROKER_PORT: u16 = 8883;
/// Name of the time server inside the air.
pub const TIME_HOST: &str = "time.proving.example";
/// Port of the time server inside the air.
pub const TIME_PORT: u16 = 123;

/// Name that clients ask a device's web server for, where a scenario names none.
pub const WEB_HOST: &str = "device.proving.example";

/// Where a device finds broker and time server: names and ports.
#[derive(Clone, Debug)]
pub struct Meeting {
    /// The broker.
    pub broker: (String, u16),
    /// The time server.
    pub time: (String, u16),
}

/// Inside the air.
impl Default for Meeting {
    fn default() -> Self {
        Self {
            broker: (BROKER_HOST.into(), BROKER_PORT),
            time: (TIME_HOST.into(), TIME_PORT),
        }
    }
}

/// Factory data of the device that `values` describe; `bug` is put into it.
pub fn factory_data(
    device: &Device,
    values: &DeviceValues,
    world: &WorldSpec,
    pki: &Pki,
    bug: Option<&str>,
    lab: Option<Lab>,
    meeting: &Meeting,
) -> Result<Factory, PkiError> {
    let mut factory = Factory {
        identity: Identity { mac: values.mac },
        provisioning: provisioning(device, values),
        network: None,
        sntp: world.cloud.as_ref().map(|_| Sntp {
            host: meeting.time.0.clone(),
            port: meeting.time.1,
            timeout_ms: 3_000,
            retry_ms: 5_000,
        }),
        cloud: world
            .cloud
            .as_ref()
            .map(|settings| cloud(settings, device, values, pki, meeting))
            .transpose()?,
        mqtt: mqtt(&device.cloud),
        linkkit: None,
        thingsboard: None,
        esp8266: None,
        telemetry: device.telemetry.as_ref().map(|telemetry| Telemetry {
            topic: telemetry.topic.clone(),
            payload: telemetry.payload.clone(),
            qos: telemetry.qos.value,
            every_ms: telemetry.every.map_or(0, millis),
        }),
        web_server: device
            .server
            .as_ref()
            .map(|server| web_server(server, pki))
            .transpose()?,
        bugs: bug.map(str::to_owned).into_iter().collect(),
        lab,
    };
    if let Some(settings) = &world.cloud {
        clouds::put_in(settings, device, values, &mut factory);
    }
    esp8266::put_in(device, pki, &mut factory)?;
    Ok(factory)
}

fn mqtt(settings: &language::DeviceCloud) -> Mqtt {
    Mqtt {
        clean_session: settings.clean_session,
        will: settings.will.as_ref().map(|will| Will {
            topic: will.topic.clone(),
            payload: will.payload.clone(),
            qos: will.qos.value,
            retain: will.retain,
        }),
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Port of a device's web server.
pub fn web_port(server: &language::WebServer) -> u16 {
    blank_web_server(server).port
}

/// With all that follows from how it is to serve.
fn blank_web_server(server: &language::WebServer) -> WebServer {
    let application = match server.application {
        language::WebApplication::Simple => WebApplication::Simple,
        language::WebApplication::WssServer => WebApplication::WssServer,
        language::WebApplication::Catalogue => WebApplication::Catalogue,
    };
    match server.secure {
        true => WebServer::secure(application),
        false => WebServer::plain(application),
    }
}

fn web_server(server: &language::WebServer, pki: &Pki) -> Result<WebServer, PkiError> {
    let defaults = blank_web_server(server);
    let authority = || Ok::<_, PkiError>(pki.authority("ca")?.der().to_vec());
    let good = [language::ServerCertificate {
        certificate: None,
        server_name: None,
        alpn: None,
    }];
    let certificates = match &server.certificates[..] {
        [] if server.secure => &good[..],
        named => named,
    };
    Ok(WebServer {
        max_open_sockets: server.max_open_sockets.unwrap_or(defaults.max_open_sockets),
        lru_purge: server.lru_purge.unwrap_or(defaults.lru_purge),
        certificates: certificates
            .iter()
            .map(|certificate| server_certificate(certificate, pki))
            .collect::<Result<_, _>>()?,
        client: match server.client_certificate {
            language::AskedOfClients::None => ClientAuth::None,
            language::AskedOfClients::Optional => ClientAuth::Optional(authority()?),
            language::AskedOfClients::Required => ClientAuth::Required(authority()?),
        },
        alpn: server.alpn.clone(),
        mdns: server.mdns.clone().map(|hostname| Mdns { hostname }),
        session_tickets: server.session_tickets,
        memory_for_sessions: server.memory_for_sessions,
        error_handler: server.error_handler,
        ..defaults
    })
}

fn server_certificate(
    settings: &language::ServerCertificate,
    pki: &Pki,
) -> Result<ServerCertificate, PkiError> {
    let good = Certificate::Named("server".to_owned());
    let certificate = settings.certificate.as_ref();
    let certificate = certificate.map_or(&good, |certificate| &certificate.value);
    let name = settings.server_name.as_deref().unwrap_or(WEB_HOST);
    let common_name = settings.server_name.as_ref().or(settings.alpn.as_ref());
    let common_name = common_name.map_or(WEB_HOST, String::as_str);
    let identity = certificate.mint(pki, &[name], common_name)?;
    Ok(ServerCertificate {
        credentials: Credentials {
            chain: identity.chain_der().to_vec(),
            key: identity.key_der().to_vec(),
        },
        server_name: settings.server_name.clone(),
        alpn: settings.alpn.clone(),
    })
}

fn provisioning(device: &Device, values: &DeviceValues) -> Provisioning {
    let settings = &device.provisioning;
    let defaults = Provisioning::default();
    let token = settings.phone_token.map(|form| match form {
        language::PhoneToken::Endpoint => PhoneToken {
            endpoint: TOKEN_ENDPOINT.into(),
            form: TokenForm::Alone,
        },
        language::PhoneToken::Switchap => PhoneToken {
            endpoint: SWITCHAP_ENDPOINT.into(),
            form: TokenForm::Switchap,
        },
    });
    let named = settings
        .custom_endpoints
        .iter()
        .map(|name| name.value.clone());
    let mut custom_endpoints: Vec<String> = named
        .chain(token.iter().map(|token| token.endpoint.clone()))
        .collect();
    let stop_endpoint = settings.stop_endpoint.as_ref();
    let stop_endpoint = stop_endpoint.map_or_else(String::new, |name| name.value.clone());
    if !stop_endpoint.is_empty() && !custom_endpoints.contains(&stop_endpoint) {
        custom_endpoints.push(stop_endpoint.clone());
    }
    Provisioning {
        service_key: settings
            .service_key
            .as_ref()
            .map_or_else(String::new, |key| key.value.clone()),
        security: security(device, values),
        scheme: match settings.over() {
            Over::Softap => Scheme::SoftAp,
            Over::Ble => Scheme::Ble(Ble {
                memory_release: match settings.memory_release {
                    language::MemoryRelease::None => MemoryRelease::None,
                    language::MemoryRelease::Btdm => MemoryRelease::Btdm,
                    language::MemoryRelease::Ble => MemoryRelease::Ble,
                    language::MemoryRelease::Bt => MemoryRelease::Bt,
                },
                stack: match settings.bluetooth {
                    None | Some(language::BluetoothStack::Nimble) => BluetoothStack::NimBle,
                    Some(language::BluetoothStack::Bluedroid) => BluetoothStack::Bluedroid,
                },
                ..Ble::default()
            }),
            Over::Console => Scheme::Console {
                line_limit: settings
                    .line_limit
                    .as_ref()
                    .map_or(LINE_LIMIT, |limit| limit.value),
            },
        },
        version: match settings.version() {
            IdfVersion::V4_4 => Version::Idf44,
            IdfVersion::V5_0 => Version::Idf50,
            IdfVersion::V5_1 => Version::Idf51,
            IdfVersion::V5_2 => Version::Idf52,
            IdfVersion::V5_3 => Version::Idf53,
            IdfVersion::V5_4 => Version::Idf54,
            IdfVersion::V5_5_4 => Version::Idf554,
            IdfVersion::V5_5 => Version::Idf55,
            IdfVersion::NetworkProvisioning => Version::NetworkProvisioning,
        },
        security2_patch: match settings.security() {
            Security::V2Patch0 => 0,
            _ => defaults.security2_patch,
        },
        stale_fail_reason: settings.stale_reason,
        disable_auto_stop: !settings.auto_stop,
        conn_attempts: settings
            .attempts
            .as_ref()
            .map_or(0, |attempts| attempts.value.into()),
        reset_after_failures: settings
            .reset_after_failures
            .as_ref()
            .map_or(0, |failures| failures.value.into()),
        app_info: settings
            .app
            .iter()
            .map(|app| AppInfo {
                label: app.label.clone(),
                version: app.version.clone(),
                capabilities: app.capabilities.clone(),
            })
            .collect(),
        custom_endpoints,
        stop_endpoint,
        unregister: settings
            .unregister
            .iter()
            .map(|endpoint| Unregister {
                endpoint: endpoint.value.clone(),
                after_ms: 0,
            })
            .collect(),
        phone_token: token,
        mdns: settings.announces().then(Mdns::default),
        qr_pop: match settings.security() {
            Security::V2 | Security::V2Patch0 => values.password.clone(),
            Security::None | Security::V1 | Security::V1NoPop => String::new(),
        },
        ..defaults
    }
}

fn security(device: &Device, values: &DeviceValues) -> factory::Security {
    match device.provisioning.security() {
        Security::None => factory::Security::None,
        Security::V1 | Security::V1NoPop => factory::Security::V1 {
            pop: values.pop.clone(),
        },
        Security::V2 | Security::V2Patch0 => {
            let (salt, verifier) = phone::gen_sec2(&values.username, &values.password);
            factory::Security::V2 {
                username: values.username.clone(),
                salt,
                verifier,
            }
        }
    }
}

fn cloud(
    settings: &language::Cloud,
    device: &Device,
    values: &DeviceValues,
    pki: &Pki,
    meeting: &Meeting,
) -> Result<Cloud, PkiError> {
    let good = clouds::certificate(settings, device);
    let certificate = device.cloud.certificate.as_ref();
    let credentials = match certificate.map_or(&good, |certificate| &certificate.value) {
        none if none.is_named("none") => None,
        certificate => {
            let identity = certificate.mint(pki, &[], &values.device_name)?;
            Some(Credentials {
                chain: identity.chain_der().to_vec(),
                key: identity.key_der().to_vec(),
            })
        }
    };
    Ok(Cloud {
        host: match device.cloud.by_address {
            true => BROKER_ADDRESS.to_owned(),
            false => meeting.broker.0.clone(),
        },
        port: meeting.broker.1,
        tls: device.cloud.tls,
        authority: pki.authority("ca")?.der().to_vec(),
        credentials,
        check_dates: device.cloud.check_dates,
        check_name: device.cloud.check_name,
        client_id: values.device_name.clone(),
        username: String::new(),
        password: String::new(),
        keep_alive_s: device
            .cloud
            .keep_alive_s
            .as_ref()
            .map_or(120, |given| given.value),
        network_timeout_ms: 10_000,
        reconnect_ms: 10_000,
        reconnect_max_ms: 60_000,
    })
}
