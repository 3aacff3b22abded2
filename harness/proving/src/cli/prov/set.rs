//! Sending credentials, waiting for the result, and the endpoints of applications.

use std::io;

use phone::{
    BindingToken, Connected, Credentials, Outcome, ProvisioningClient, ProvisioningError,
    StationStatus, bind, wait_for_report,
};
use proto::bind::BindRequest;
use proto::wifi_config::WifiConnectFailedReason;
use report::ExitStatus;
use serde_json::{Value, json};
use trace::in_full;

use super::arguments::{Bind, Custom, Set};
use super::error::ProvError;
use super::reach::PhoneRoute;
use super::{establish, secret, show};

/// What the cloud says of a call that succeeded.
const CLOUD_OK: i64 = 200;
/// ESP-IDF's limits, in bytes.
const LONGEST_SSID: usize = 32;
const LONGEST_PASSPHRASE: usize = 63;
/// Hex digits of a pre-shared key: `switchap` takes it, ESP-IDF's messages have no room for it.
const KEY_DIGITS: usize = 64;
/// No custom endpoint takes more over HTTP.
const LONGEST_CUSTOM: usize = 4096;

/// `set`.
pub(super) async fn set(
    route: &PhoneRoute<'_>,
    client: &mut ProvisioningClient,
    arguments: &Set,
) -> Result<ExitStatus, ProvError> {
    let credentials = credentials(arguments)?;
    establish(route, client).await?;
    let token = BindingToken::random();
    let ended = send(client, arguments, &credentials, &token).await;
    let outcome = client
        .conclude(ended)
        .map_err(|error| route.wrong(&error))?;
    let Outcome::Connected(connected) = outcome else {
        return Err(ProvError::of_outcome(&outcome, &route.trace));
    };
    if let Some(binding) = binding(&arguments.bind, &token) {
        bind_device(route, &binding, arguments).await?;
    }
    show::found(
        route,
        &shown(&connected),
        &[as_json("connected", &connected)],
    )
}

/// Sends credentials and token, and waits for the result.
async fn send(
    client: &mut ProvisioningClient,
    arguments: &Set,
    credentials: &Credentials,
    token: &BindingToken,
) -> Result<Outcome, ProvisioningError> {
    if let Some(endpoint) = &arguments.switchap_endpoint {
        client.switch_ap(endpoint, credentials, token).await?;
        show::progress("credentials and token sent");
    } else {
        if arguments.reset_first {
            client.reset().await?;
            show::progress("earlier failure taken back");
        }
        if let Some(endpoint) = &arguments.token_endpoint {
            client.hand_over(endpoint, token).await?;
            show::progress("token handed over");
        }
        client.set_config(credentials).await?;
        show::progress("credentials sent");
        client.apply_config().await?;
    }
    show::progress("the device joins the network");
    let mut last = None;
    client
        .watch(|status| {
            if last.as_ref() != Some(status) {
                if let StationStatus::Connecting {
                    attempts_remaining: Some(left),
                } = status
                {
                    show::progress(&format!("it failed, and will try again: {left} more times"));
                }
                last = Some(status.clone());
            }
        })
        .await
}

fn credentials(arguments: &Set) -> Result<Credentials, ProvError> {
    let passphrase = match &arguments.passphrase {
        _ if arguments.open => String::new(),
        Some(source) => source.read("passphrase")?,
        None => secret::ask("passphrase")?,
    };
    let too_long = |what, most| {
        Err(ProvError::Usage(format!(
            "{what} has more than {most} bytes"
        )))
    };
    if arguments.ssid.as_bytes().len() > LONGEST_SSID {
        return too_long("the SSID", LONGEST_SSID);
    }
    let is_key =
        passphrase.len() == KEY_DIGITS && passphrase.bytes().all(|digit| digit.is_ascii_hexdigit());
    if passphrase.len() > LONGEST_PASSPHRASE && !(is_key && arguments.switchap_endpoint.is_some()) {
        return too_long("the passphrase", LONGEST_PASSPHRASE);
    }
    if arguments.ssid.is_empty() {
        return Err(ProvError::Usage("the SSID is empty".to_owned()));
    }
    Ok(Credentials::new(arguments.ssid.as_bytes(), passphrase))
}

/// What to tell the cloud, if the device is to be bound.
fn binding(arguments: &Bind, token: &BindingToken) -> Option<BindRequest> {
    arguments.cloud?;
    Some(BindRequest {
        account: arguments.account.clone()?,
        product_key: arguments.product_key.clone()?,
        device_name: arguments.device_name.clone()?,
        token: token.as_str().to_owned(),
    })
}

async fn bind_device(
    route: &PhoneRoute<'_>,
    request: &BindRequest,
    arguments: &Set,
) -> Result<(), ProvError> {
    let Some(cloud) = arguments.bind.cloud else {
        return Ok(());
    };
    show::progress("waiting for the device's report at the cloud");
    let unknown = |error: phone::BindError| ProvError::Io {
        what: format!("bind the device at {cloud}"),
        source: io::Error::other(in_full(&error)),
    };
    let (poll, patience) = (arguments.poll, arguments.patience);
    let reported = wait_for_report(cloud, request, poll, patience, &route.trace).await;
    let reply = match reported.map_err(unknown)? {
        reply if reply.code == CLOUD_OK => {
            bind(cloud, request, &route.trace).await.map_err(unknown)?
        }
        reply => reply,
    };
    if reply.code != CLOUD_OK {
        return Err(ProvError::Cloud(format!(
            "the device is connected, but the cloud did not bind it: {} (code {})",
            reply.message, reply.code
        )));
    }
    show::progress(&format!("bound to {}", request.account));
    Ok(())
}

/// `status`.
pub(super) async fn status(
    route: &PhoneRoute<'_>,
    client: &mut ProvisioningClient,
) -> Result<ExitStatus, ProvError> {
    establish(route, client).await?;
    let status = client.status().await.map_err(|error| route.wrong(&error))?;
    let state = |name: &str| json!({ "type": "status", "state": name });
    let (text, line, exit) = match &status {
        StationStatus::Connected(connected) => {
            let line = as_json("status", connected);
            (shown(connected), line, ExitStatus::Passed)
        }
        StationStatus::Connecting { attempts_remaining } => {
            let mut line = state("connecting");
            let text = match attempts_remaining {
                Some(left) => {
                    line["attempts_remaining"] = (*left).into();
                    format!("connecting; {left} more attempts\n")
                }
                None => "connecting, or waiting for credentials\n".to_owned(),
            };
            (text, line, ExitStatus::Passed)
        }
        StationStatus::Disconnected => {
            let text = "not connected\n".to_owned();
            (text, state("disconnected"), ExitStatus::Passed)
        }
        StationStatus::ServiceEnded => {
            let text = "the service has ended: the device is provisioned, or about to restart\n";
            (text.to_owned(), state("ended"), ExitStatus::Passed)
        }
        StationStatus::Failed(reason) => {
            let why = match reason {
                WifiConnectFailedReason::AuthError => "wrong passphrase",
                WifiConnectFailedReason::NetworkNotFound => "no such access point",
            };
            let mut line = state("failed");
            line["reason"] = why.into();
            (format!("failed: {why}\n"), line, ExitStatus::Failed)
        }
    };
    show::found(route, &text, &[line])?;
    Ok(exit)
}

/// `custom`.
pub(super) async fn custom(
    route: &PhoneRoute<'_>,
    client: &mut ProvisioningClient,
    arguments: &Custom,
) -> Result<ExitStatus, ProvError> {
    let data = match (&arguments.hex, &arguments.file) {
        (Some(digits), _) => hex::decode(digits)
            .map_err(|error| ProvError::Usage(format!("--hex {digits:?}: {error}")))?,
        (None, Some(path)) => std::fs::read(path).map_err(|source| ProvError::Io {
            what: format!("read {}", path.display()),
            source,
        })?,
        (None, None) => arguments.data.clone().into_bytes(),
    };
    if data.len() > LONGEST_CUSTOM {
        return Err(ProvError::Usage(format!(
            "{} bytes are more than any endpoint takes: {LONGEST_CUSTOM}",
            data.len()
        )));
    }
    establish(route, client).await?;
    let answer = client.custom(&arguments.endpoint, &data).await;
    let answer = answer.map_err(|error| route.wrong(&error))?;
    let line = json!({
        "type": "answer",
        "endpoint": arguments.endpoint,
        "hex": hex::encode(&answer),
        "text": std::str::from_utf8(&answer).ok(),
    });
    let text = match printable(&answer) {
        Some(text) if !arguments.print_hex => text.to_owned(),
        _ => hex::encode(&answer),
    };
    show::found(route, &format!("{text}\n"), &[line])
}

/// The answer as text that cannot play tricks on a terminal. It may be a C string.
fn printable(answer: &[u8]) -> Option<&str> {
    let answer = answer.strip_suffix(b"\0").unwrap_or(answer);
    let text = std::str::from_utf8(answer).ok()?;
    let is_plain = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    text.chars().all(is_plain).then_some(text)
}

fn shown(connected: &Connected) -> String {
    format!(
        "connected: {} at {} ({}), channel {}\n",
        connected.ip,
        show::ssid(&connected.ssid),
        show::mac(&connected.bssid),
        connected.channel
    )
}

fn as_json(kind: &str, connected: &Connected) -> Value {
    json!({
        "type": kind,
        "state": "connected",
        "ip": connected.ip.to_string(),
        "ssid": show::ssid(&connected.ssid),
        "bssid": show::mac(&connected.bssid),
        "channel": connected.channel,
        "auth": connected.auth_mode,
    })
}
