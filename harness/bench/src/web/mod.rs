//! The native device's web server, beside hyper with the same page.
//!
//! The device serves by way of the air and of the forward of `proving up`, and one task of it serves everybody,
//! as ESP-IDF's does. hyper on a loopback socket is no rival: it is what the client alone could do.

mod client;
mod hyper_peer;

use crate::figures::{Figure, Unit};
use crate::provisioning::Up;
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row, Target};
use client::Client;
use hyper_peer::Hyper;

pub use hyper_peer::{PEER, main as peer};

/// The page of both.
const PAGE: &str = "<h1>Hello Secure World!</h1>";
/// Each is measured so often, in turn.
const ROUNDS: usize = 5;
const HANDSHAKES: usize = 40;
const REQUESTS: usize = 300;
const MESSAGES: usize = 300;
/// What a user waits for without noticing, in ms.
const UNNOTICED: f64 = 100.0;

const SCENARIO: &str = "name: Web server\n\
    world:\n\
    \x20 access_points: { home: {} }\n\
    \x20 devices: { device: { on_network: true, server: { application: catalogue, certificates: [{ server_name: localhost }, {}] } } }\n\
    steps:\n\
    \x20 - power: on\n";

/// What is asked of both.
#[derive(Clone, Copy)]
enum Work {
    Handshakes,
    Requests,
}

impl Work {
    fn take(self, client: &Client) -> Outcome<f64> {
        match self {
            Self::Handshakes => client.handshakes(HANDSHAKES),
            Self::Requests => client.requests(REQUESTS),
        }
    }
}

/// Handshakes and requests per second, and how long a message takes there and back.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let forwarded = |command: &mut std::process::Command, _: &std::path::Path| {
        command.args(["--forward", "127.0.0.1:0=sta:443"]);
    };
    let ready = "Server listening on port 443";
    let up = Up::of(setup, SCENARIO, forwarded, ready)?;
    let ours = Client::new(up.http()?.parse()?, &up.file("certs/ca.pem"))?;
    let folder = setup.folder()?;
    let hyper = Hyper::start(setup, &folder).map_err(|error| error.to_string());
    let peer = match &hyper {
        Ok(hyper) => Client::new(hyper.address, &folder.join("ca.pem")).map_err(|e| e.to_string()),
        Err(error) => Err(error.clone()),
    };
    let mut rows = Vec::new();
    for (work, name, unit) in [
        (
            Work::Handshakes,
            "web: handshakes with one request each",
            "handshakes",
        ),
        (
            Work::Requests,
            "web: requests on one connection",
            "requests",
        ),
    ] {
        let mut rates: [Result<Vec<f64>, String>; 2] = [const { Ok(Vec::new()) }; 2];
        for round in 1..=ROUNDS {
            let clients = [Ok(&ours), peer.as_ref()];
            for (rates, client) in std::iter::zip(&mut rates, clients) {
                let rate = client.map_err(String::clone).and_then(|client| {
                    let rate = work.take(client);
                    rate.map_err(|error| format!("round {round}: {error}"))
                });
                match (&mut *rates, rate) {
                    (Ok(rates), Ok(rate)) => rates.push(rate),
                    (Ok(_), Err(error)) => *rates = Err(error),
                    (Err(_), _) => {}
                }
            }
        }
        let unit = Unit::PerSecond(unit);
        let [ours, bound] = rates.map(|rates| -> Measured { Figure::of(rates?, unit) });
        rows.push(Row::new(name, ours).peer("hyper", bound).note(
            "TLS 1.3 with P-256, no resumption, the same client in turn; the device is behind the air and \
             a forward of `proving up`, hyper on a loopback socket is a bound and no rival",
        ));
    }
    let times = ours.echoes(MESSAGES).map_err(|error| error.to_string());
    let times: Measured = times.and_then(Figure::of_times);
    rows.push(
        Row::new("web: a message over WSS and back", times)
            .target(Target::Below(UNNOTICED))
            .note("125 bytes of text, one after the other, on one connection"),
    );
    Ok(rows)
}
