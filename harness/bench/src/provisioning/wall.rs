//! From the first request to the credentials, and to the answer that says "connected".

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use phone::{
    Console, ConsoleSettings, Credentials, HostDial, Outcome as Ended, ProvisioningClient,
    Settings, SoftAp, Transport,
};
use trace::Trace;

use super::SECURITIES;
use super::up::Up;
use crate::figures::Figure;
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row};
use crate::walls::{case, walls};

const SAMPLES: usize = 5;
/// Each attempt of a scenario takes milliseconds.
const RUNS: usize = 10;
/// From one question for the status to the next, on both sides.
const POLL: Duration = Duration::from_millis(50);
const SCRIPT: &str = include_str!("../../peers/rainmaker_provision.py");
const PEER: &str = "Espressif's modules over HTTP";
const SCENARIO: &str = "provisioning/every_transport.yaml";
/// What Espressif's own command waits before each question, in seconds.
const THEIR_POLL_S: &str = "5";

/// What a phone has measured.
#[derive(Clone, Copy)]
struct Times {
    applied: Duration,
    connected: Duration,
}

pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for transport in ["softap", "console"] {
        for (security, number) in SECURITIES {
            let name = format!("provisioning over {transport}, security {security}");
            let ours = ours(setup, transport, security);
            let applied = Row::new(
                format!("{name}: to the credentials"),
                ours.of(|times| times.applied),
            )
            .note("from the first request to the answer to `apply`, on the device of `proving up`");
            let connected = Row::new(
                format!("{name}: connected"),
                ours.of(|times| times.connected),
            );
            let waits = "the device waits a second after `apply` before it connects, as ESP-IDF's does; \
                         both phones ask every 50 ms";
            if transport == "softap" {
                let theirs = theirs(setup, security, number);
                rows.push(applied.peer(PEER, theirs.of(|times| times.applied)));
                let note = format!("{waits}. {}", stock(setup, security, number));
                let peer = theirs.of(|times| times.connected);
                rows.push(connected.peer(PEER, peer).note(note));
            } else {
                rows.push(applied);
                rows.push(connected.note(waits));
            }
            rows.push(scenario(setup, &name, transport, security));
        }
    }
    for (security, _) in SECURITIES {
        let name = format!("provisioning over ble, security {security}");
        rows.push(scenario(setup, &name, "ble", security));
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(provision(&up, transport))
    })
}

/// With the phone's library, in this process.
async fn provision(up: &Up, transport: &str) -> Outcome<Times> {
    let text = |field: &str| up.text(&format!("/devices/device/{field}"));
    let settings = Settings {
        pop: Some(text("pop")?.to_owned()),
        username: Some(text("username")?.to_owned()),
        password: Some(text("password")?.to_owned()),
        poll_interval: POLL,
        ..Settings::of("bench")
    };
    let credentials = Credentials::new(
        up.text("/access_points/home/ssid")?,
        up.text("/access_points/home/passphrase")?,
    );
    let clock = Clock::start(1.0);
    let limit = settings.request_timeout;
    let transport: Box<dyn Transport> = match transport {
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
    };
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

fn theirs(setup: &Setup, security: &str, number: &str) -> Samples {
    Samples::take(|| their_sample(setup, security, number, &POLL.as_secs_f64().to_string()))
}

fn their_sample(setup: &Setup, security: &str, number: &str, poll: &str) -> Outcome<Times> {
    let up = Up::start(setup, "softap", security)?;
    let text = |field: &str| up.text(&format!("/devices/device/{field}"));
    let arguments = [
        up.http()?,
        number,
        text("pop")?,
        text("username")?,
        text("password")?,
        up.text("/access_points/home/ssid")?,
        up.text("/access_points/home/passphrase")?,
        poll,
    ];
    let said = setup.peer("rainmaker_provision.py", SCRIPT, &arguments)?;
    let time = |name: &str| -> Outcome<Duration> {
        let ms = said[name].as_f64().ok_or("the peer told no time")?;
        Ok(Duration::from_secs_f64(ms / 1e3))
    };
    Ok(Times {
        applied: time("applied")?,
        connected: time("connected")?,
    })
}

/// What the peer's own command takes, whose pauses are longer than everything else.
fn stock(setup: &Setup, security: &str, number: &str) -> String {
    match their_sample(setup, security, number, THEIR_POLL_S) {
        Ok(times) => format!(
            "Espressif's own command sleeps {THEIR_POLL_S} s before each question and so takes {:.1} s",
            times.connected.as_secs_f64()
        ),
        Err(error) => format!("Espressif's own pauses could not be measured: {error}"),
    }
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
