//! Handshakes of old devices at our broker, beside mosquitto: TLS 1.2 with key exchange by RSA alone.

use std::path::Path;
use std::process::Command;

use super::mosquitto::{Mosquitto, Writes};
use super::ours::{Brokers, Kind};
use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Measured, Row, Target};

/// Both are measured so often, in turn.
const ROUNDS: usize = 5;
/// Seconds of each measurement.
const SECONDS: &str = "2";
/// TLS_RSA_WITH_AES_256_GCM_SHA384, which Debian's mosquitto has among its own.
const CIPHER: &str = "AES256-GCM-SHA384";

/// Full handshakes with client certificates, per second.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let folder = setup.folder()?;
    let brokers = Brokers::start(setup, &folder, Kind::Legacy)?;
    let mosquitto = Mosquitto::start(&folder, Writes::Nothing).map_err(|error| error.to_string());
    let mut rates: [Result<Vec<f64>, String>; 2] = [const { Ok(Vec::new()) }; 2];
    for round in 1..=ROUNDS {
        let peer = mosquitto.as_ref().map(|mosquitto| mosquitto.port);
        let ports = [Ok(brokers.none), peer.map_err(String::clone)];
        for (rates, port) in std::iter::zip(&mut rates, ports) {
            let rate = port.and_then(|port| {
                let rate = handshakes(port, &folder);
                rate.map_err(|error| format!("round {round}: {error}"))
            });
            match (&mut *rates, rate) {
                (Ok(rates), Ok(rate)) => rates.push(rate),
                (Ok(_), Err(error)) => *rates = Err(error),
                (Err(_), _) => {}
            }
        }
    }
    let unit = Unit::PerSecond("handshakes");
    let [ours, peer] = rates.map(|rates| -> Measured { Figure::of(rates?, unit) });
    let row = Row::new("legacy: handshakes, one after the other", ours)
        .target(Target::LikePeer)
        .peer("mosquitto", peer)
        .note(
            "mutual TLS 1.2 with key exchange by RSA and certificates of RSA-2048, no resumption, \
             loopback; each broker in a process of its own, measured in turn by `openssl s_time`",
        );
    Ok(vec![row])
}

fn handshakes(port: u16, folder: &Path) -> Outcome<f64> {
    let mut command = Command::new("openssl");
    command
        .args(["s_time", "-new", "-tls1_2", "-cipher", CIPHER])
        .args(["-time", SECONDS, "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .args(["-verify", "2", "-CAfile"])
        .arg(folder.join("ca.pem"))
        .arg("-cert")
        .arg(folder.join("client.pem"))
        .arg("-key")
        .arg(folder.join("client.key"));
    let (wall, output) = timed(&mut command)?;
    let said = String::from_utf8_lossy(&output.stdout);
    // Seconds are whole there; the wall's are exact, with what it takes to start.
    let count = said.lines().rev().find_map(|line| {
        let (count, rest) = line.trim().split_once(" connections in ")?;
        rest.contains("real seconds").then_some(())?;
        count.parse::<f64>().ok()
    });
    let count = count.ok_or_else(|| format!("openssl s_time told no count: {said}"))?;
    Ok(count / wall.as_secs_f64())
}
