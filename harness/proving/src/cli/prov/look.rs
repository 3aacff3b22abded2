//! Who is there, and what they can see.

use std::fmt::Write;
use std::io;

use phone::{HostSeat, ProvisioningClient, ScanSettings, TransportKind};
use report::ExitStatus;
use serde_json::{Value, json};
use trace::in_full;

use super::arguments::{Scan, WifiScan};
use super::error::ProvError;
use super::establish;
use super::reach::PhoneRoute;
use super::show::{self, Column};
use crate::cli::arguments::MessageFormat;

/// `scan`.
pub(super) async fn scan(
    route: &PhoneRoute<'_>,
    seat: &HostSeat,
    arguments: &Scan,
) -> Result<ExitStatus, ProvError> {
    match route.kind() {
        TransportKind::Ble => advertisements(route, arguments).await,
        TransportKind::SoftAp => {
            let mut client = route.client(route.settings()?, seat).await?;
            let info = client.info().await.map_err(|error| route.wrong(&error))?;
            let found = json!({ "type": "device", "at": client.peer(), "prov": info.prov });
            let text = format!("{} speaks provisioning {}\n", client.peer(), info.prov.ver);
            show::found(route, &text, &[found])
        }
        TransportKind::Console => {
            let mut console = route.console().await?;
            let port = phone::Transport::peer(&console);
            let there = console.find_prompt().await;
            there.map_err(|error| ProvError::Io {
                what: format!("find a console at {port}"),
                source: io::Error::other(in_full(&error)),
            })?;
            let found = json!({ "type": "device", "at": port });
            show::found(route, &format!("{port} has a console\n"), &[found])
        }
    }
}

async fn advertisements(route: &PhoneRoute<'_>, arguments: &Scan) -> Result<ExitStatus, ProvError> {
    let bluetooth = route.bluetooth().await?;
    show::progress("listening");
    let found = bluetooth.search(&route.wanted()?, arguments.listen).await?;
    let services = |found: &phone::Found| {
        let services = found.services.iter().map(ToString::to_string);
        services.collect::<Vec<_>>()
    };
    let text = show::table(
        &["NAME", "ADDRESS", "RSSI", "SERVICES"],
        &[Column::Left, Column::Left, Column::Right, Column::Left],
        found.iter().map(|found| {
            vec![
                found.name.clone().unwrap_or_default(),
                found.address.clone(),
                found.rssi.map(|rssi| rssi.to_string()).unwrap_or_default(),
                services(found).join(" "),
            ]
        }),
    );
    let lines: Vec<Value> = found
        .iter()
        .map(|found| {
            json!({
                "type": "device",
                "name": found.name,
                "at": found.address,
                "rssi": found.rssi,
                "services": services(found),
            })
        })
        .collect();
    show::found(route, &text, &lines)?;
    Ok(match found[..] {
        [] => ExitStatus::NothingSelected,
        _ => ExitStatus::Passed,
    })
}

/// `info`.
pub(super) async fn info(
    route: &PhoneRoute<'_>,
    client: &mut ProvisioningClient,
) -> Result<ExitStatus, ProvError> {
    let info = client.info().await.map_err(|error| route.wrong(&error))?;
    // The device has answered; what its transport cannot tell is left out.
    let endpoints = client.endpoints().await.unwrap_or_default();
    let prov = &info.prov;
    if route.reach.message_format == MessageFormat::Json {
        let found = json!({
            "type": "info",
            "at": client.peer(),
            "transport": client.transport().name(),
            "prov": prov,
            "app": info.app,
            "security": info.security(),
            "endpoints": endpoints,
        });
        return show::found(route, "", &[found]);
    }
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:10} {value}");
    };
    line("device", &client.peer());
    line("transport", client.transport().name());
    line("version", &prov.ver);
    line("security", &info.speaks());
    line("can", &prov.cap.join(", "));
    for (label, value) in &info.app {
        line(label, &value.to_string());
    }
    if let Some(endpoints) = endpoints {
        line("endpoints", &endpoints.join(", "));
    }
    show::found(route, &text, &[])
}

/// `wifi-scan`.
pub(super) async fn wifi_scan(
    route: &PhoneRoute<'_>,
    client: &mut ProvisioningClient,
    arguments: &WifiScan,
) -> Result<ExitStatus, ProvError> {
    establish(route, client).await?;
    let settings = ScanSettings {
        blocking: !arguments.no_blocking,
        passive: arguments.passive,
        group_channels: arguments.group_channels,
        period: arguments.period,
        ..ScanSettings::default()
    };
    show::progress("the device listens");
    let scanned = client.scan_as(&settings).await;
    let scanned = scanned.map_err(|error| route.wrong(&error))?;
    let (announced, missing) = (scanned.announced, scanned.missing());
    let found = scanned.found;
    if missing > 0 {
        show::progress(&format!(
            "the device announced {announced} access points and delivered {}",
            found.len()
        ));
    }
    let text = show::table(
        &["SSID", "BSSID", "CHANNEL", "RSSI", "SECURITY"],
        &[
            Column::Left,
            Column::Left,
            Column::Right,
            Column::Right,
            Column::Left,
        ],
        found.iter().map(|found| {
            vec![
                show::ssid(&found.ssid),
                show::mac(&found.bssid),
                found.channel.to_string(),
                found.rssi.to_string(),
                phone::auth_mode_name(found.auth),
            ]
        }),
    );
    let lines: Vec<Value> = found
        .iter()
        .map(|found| {
            json!({
                "type": "access_point",
                "ssid": show::ssid(&found.ssid),
                "ssid_hex": hex::encode(&found.ssid),
                "bssid": show::mac(&found.bssid),
                "channel": found.channel,
                "rssi": found.rssi,
                "auth": found.auth,
                "security": phone::auth_mode_name(found.auth),
            })
        })
        .chain((missing > 0).then(
            || json!({ "type": "incomplete", "announced": announced, "delivered": found.len() }),
        ))
        .collect();
    show::found(route, &text, &lines)
}
