//! From the first request to the credentials, and to the answer that says "connected".

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use board::SYSTEM_BUS;
use clock::Clock;
use phone::{
    Ble, BleSettings, Bluetooth, Console, ConsoleSettings, Credentials, HostDial, Outcome as Ended,
    ProvisioningClient, Settings, SoftAp, Transport, Wanted,
};
use serde_json::{Value, json};
use trace::Trace;

use super::SECURITIES;
use super::up::{Endpoints, Up};
use crate::boards::on_runtime;
use crate::figures::Figure;
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Measured, Row};
use crate::walls::{case, walls};

const SAMPLES: usize = 5;
/// Each attempt of a scenario takes milliseconds.
const RUNS: usize = 10;
/// From one question for the status to the next, on both sides.
const POLL: Duration = Duration::from_millis(50);
const SCRIPT: &str = include_str!("../../peers/rainmaker_provision.py");
/// What stands in for bleak there.
const BUMBLE: &str = include_str!("../../../../fixtures/judges/bumble_client.py");
/// As the first argument: be a phone over Bluetooth, on the bus of the environment.
pub const PHONE: &str = "__ble-phone";
const SCENARIO: &str = "provisioning/every_transport.yaml";
/// What Espressif's own command waits before each question, in seconds.
const THEIR_POLL_S: &str = "5";

/// What a phone has measured.
#[derive(Clone, Copy)]
struct Times {
    applied: Duration,
    connected: Duration,
}

impl Times {
    /// As another process says it, in milliseconds.
    fn said(said: &Value) -> Outcome<Self> {
        let time = |name: &str| -> Outcome<Duration> {
            let ms = said[name].as_f64().ok_or("a phone told no time")?;
            Ok(Duration::from_secs_f64(ms / 1e3))
        };
        Ok(Self {
            applied: time("applied")?,
            connected: time("connected")?,
        })
    }

    fn json(&self) -> Value {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        json!({ "applied": ms(self.applied), "connected": ms(self.connected) })
    }
}

pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (transport, peer) in [
        ("softap", Some("Espressif's modules over HTTP")),
        ("console", None),
        ("ble", Some("Espressif's modules over Bumble")),
    ] {
        for (security, number) in SECURITIES {
            let name = format!("provisioning over {transport}, security {security}");
            let ours = ours(setup, transport, security);
            let applied = Row::new(
                format!("{name}: to the credentials"),
                ours.of(|times| times.applied),
            )
            .note(match transport {
                "ble" => {
                    "from listening for the device to the answer to `apply`, on the device of \
                     `proving up`, over its stand-in for BlueZ"
                }
                _ => {
                    "from the first request to the answer to `apply`, on the device of `proving up`"
                }
            });
            let connected = Row::new(
                format!("{name}: connected"),
                ours.of(|times| times.connected),
            );
            let waits = "the device waits a second after `apply` before it connects, as ESP-IDF's does; \
                         both phones ask every 50 ms";
            if let Some(peer) = peer {
                let theirs = theirs(setup, transport, security, number);
                rows.push(applied.peer(peer, theirs.of(|times| times.applied)));
                let note = stock(setup, transport, security, number);
                let note = note.map(|stock| format!("{waits}. {stock}"));
                let times = theirs.of(|times| times.connected);
                rows.push(connected.peer(peer, times).measured_note(note));
            } else {
                rows.push(applied);
                rows.push(connected.note(waits));
            }
            rows.push(scenario(setup, &name, transport, security));
        }
    }
    Ok(rows)
}

/// What several samples gave, or why there are none.
struct Samples(Result<Vec<Times>, String>);

impl Samples {
    fn take(sample: impl Fn() -> Outcome<Times>) -> Self {
        let samples: Outcome<Vec<_>> = (0..SAMPLES).map(|_| sample()).collect();
        Self(samples.map_err(|error| error.to_string()))
    }

    fn of(&self, which: impl Fn(&Times) -> Duration) -> Measured {
        Figure::of_times(self.0.as_ref().map_err(Clone::clone)?.iter().map(which))
    }
}

fn ours(setup: &Setup, transport: &str, security: &str) -> Samples {
    Samples::take(|| {
        let up = Up::start(setup, transport, security)?;
        if transport == "ble" {
            // A process knows but one bus.
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(PHONE).arg(up.path());
            let (_, output) = timed(command.env(SYSTEM_BUS, up.text("/dbus")?))?;
            return Times::said(&serde_json::from_slice(&output.stdout)?);
        }
        on_runtime(async {
            let clock = Clock::start(1.0);
            let transport = dialled(&up, transport, &clock).await?;
            provision(up.endpoints(), transport, &clock).await
        })
    })
}

/// Provisions the device of this endpoints.json over Bluetooth, and prints how long it took.
pub fn phone(endpoints: &Path) -> Outcome<()> {
    let endpoints = Endpoints::read(endpoints)?;
    let times = on_runtime(async {
        let clock = Clock::start(1.0);
        let bluetooth = Bluetooth::open(clock.clone(), None).await?;
        let wanted = Wanted {
            name: Some(endpoints.text("/devices/device/service_name")?.to_owned()),
            service: None,
        };
        let ble = Ble::new(bluetooth, wanted, BleSettings::default());
        provision(&endpoints, Box::new(ble), &clock).await
    })?;
    println!("{}", times.json());
    Ok(())
}

/// A way over a port of this host.
async fn dialled(up: &Up, transport: &str, clock: &Clock) -> Outcome<Box<dyn Transport>> {
    let limit = Settings::of("bench").request_timeout;
    Ok(match transport {
        "console" => {
            let port = tokio::net::UnixStream::connect(up.console()).await?;
            let settings = ConsoleSettings {
                line_limit: Some(1024),
            };
            let name = "console".to_owned();
            Box::new(Console::new(
                Box::new(port),
                name,
                clock.clone(),
                limit,
                settings,
            ))
        }
        _ => {
            let dial = Arc::new(HostDial::any(clock.clone()));
            Box::new(SoftAp::new(dial, up.http()?.parse()?, clock.clone(), limit))
        }
    })
}

/// With the phone's library, in this process.
async fn provision(
    endpoints: &Endpoints,
    transport: Box<dyn Transport>,
    clock: &Clock,
) -> Outcome<Times> {
    let text = |field: &str| endpoints.text(&format!("/devices/device/{field}"));
    let settings = Settings {
        pop: Some(text("pop")?.to_owned()),
        username: Some(text("username")?.to_owned()),
        password: Some(text("password")?.to_owned()),
        poll_interval: POLL,
        ..Settings::of("bench")
    };
    let credentials = Credentials::new(
        endpoints.text("/access_points/home/ssid")?,
        endpoints.text("/access_points/home/passphrase")?,
    );
    let mut client = ProvisioningClient::over(transport, settings, Trace::in_memory(clock.clone()));
    let began = std::time::Instant::now();
    client.establish().await?;
    client.set_config(&credentials).await?;
    client.apply_config().await?;
    let applied = began.elapsed();
    let ended = client.wait_for_outcome().await?;
    let connected = began.elapsed();
    client.close().await;
    match ended {
        Ended::Connected(_) => Ok(Times { applied, connected }),
        other => Err(other.to_string().into()),
    }
}

fn theirs(setup: &Setup, transport: &str, security: &str, number: &str) -> Samples {
    let poll = POLL.as_secs_f64().to_string();
    Samples::take(|| their_sample(setup, transport, security, number, &poll))
}

fn their_sample(
    setup: &Setup,
    transport: &str,
    security: &str,
    number: &str,
    poll: &str,
) -> Outcome<Times> {
    let up = Up::start(setup, transport, security)?;
    let text = |field: &str| up.text(&format!("/devices/device/{field}"));
    let way = match transport {
        "ble" => format!("{}@{}", text("service_name")?, up.text("/hci")?),
        _ => up.http()?.to_owned(),
    };
    let arguments = [
        &way,
        number,
        text("pop")?,
        text("username")?,
        text("password")?,
        up.text("/access_points/home/ssid")?,
        up.text("/access_points/home/passphrase")?,
        poll,
    ];
    setup.file("bumble_client.py", BUMBLE)?;
    let said = setup.peer("rainmaker_provision.py", SCRIPT, &arguments)?;
    Times::said(&said)
}

/// What the peer's own command takes, whose pauses are longer than everything else.
fn stock(setup: &Setup, transport: &str, security: &str, number: &str) -> Result<String, String> {
    let times = their_sample(setup, transport, security, number, THEIR_POLL_S)
        .map_err(|error| format!("with the pauses of Espressif's own command: {error}"))?;
    Ok(format!(
        "Espressif's own command sleeps {THEIR_POLL_S} s before each question and so takes {:.1} s",
        times.connected.as_secs_f64()
    ))
}

/// The figure beside `name` for a scenario of this transport.
fn scenario(setup: &Setup, name: &str, transport: &str, security: &str) -> Row {
    let values = [("over", transport), ("security", security)];
    let wall = case(setup, SCENARIO, &values).and_then(|case| walls(setup, &case, &[], RUNS));
    Row::new(
        format!("{name}: as a scenario"),
        wall.map_err(|error| error.to_string()),
    )
    .note("wall time of `proving run`, in which lab time runs ahead")
}
