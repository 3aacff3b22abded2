//! CoAP clients ask the device for its token, as phones do on the LAN.
//!
//! To a CON request the device sends an empty acknowledgement and then, as a message of its own, a NON
//! response that bears the request's message id once more, which is peculiar to Linkkit. Both clients
//! take it: they match responses by token, as RFC 7252 §5.3.2 has it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use clock::Clock;
use phone::{Credentials, HostDial, Outcome, ProvisioningClient, Settings};
use serde_json::{Value, json};
use trace::{Event, Source, Trace};

use crate::peer::{Said, is_there, python, run};
use crate::up::{Up, eventually};

const FORWARDS: [&str; 2] = ["127.0.0.1:0=softap:80", "udp:127.0.0.1:0=sta:5683"];
const LIBCOAP: &str = "coap-client-notls";
const PATH: &str = "sys/device/info/get";
const QUESTION: &str = r#"{"id":"123","version":"1.0","method":"device.info.get","params":{}}"#;

/// A device that is provisioned and whose token the cloud knows.
fn up() -> Up {
    let up = Up::start("linkkit.yaml", "Linkkit", &FORWARDS);
    let credentials = Credentials::new(
        up.endpoint("/access_points/home/ssid"),
        up.endpoint("/access_points/home/passphrase"),
    );
    let address = up.forward("tcp", "softap", 80);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let outcome = runtime.block_on(async {
        let clock = Clock::start(1.0);
        let dial = Arc::new(HostDial::any(clock.clone()));
        let settings = Settings::of("judge");
        ProvisioningClient::new(dial, address, settings, Trace::in_memory(clock))
            .provision(&credentials)
            .await
    });
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, Outcome::Connected(_)), "{outcome:?}");
    // Before the cloud has replied, the device keeps its token to itself.
    up.see_line("awss", "awss_report_token_reply");
    up
}

/// A CoAP client.
enum Client {
    Libcoap,
    Aiocoap(PathBuf),
}

impl Client {
    fn libcoap() -> Option<Self> {
        is_there(LIBCOAP, "libcoap3-bin").then_some(Self::Libcoap)
    }

    fn aiocoap() -> Option<Self> {
        python("aiocoap.cli.client", "aiocoap").map(Self::Aiocoap)
    }

    /// What the device's `path` answers.
    fn ask(&self, up: &Up, confirmable: bool, method: &str, path: &str) -> Said {
        let uri = format!("coap://{}/{path}", up.forward("udp", "sta", 5683));
        let mut command = match self {
            Self::Libcoap => Command::new(LIBCOAP),
            Self::Aiocoap(python) => Command::new(python),
        };
        match self {
            Self::Libcoap => {
                // Waits 20 s at most; notes of errors go to standard error.
                command.args(["-B", "20", "-m", method, "-e", QUESTION]);
                if !confirmable {
                    command.arg("-N");
                }
            }
            Self::Aiocoap(_) => {
                command.args([
                    "-m",
                    "aiocoap.cli.client",
                    "--method",
                    &method.to_uppercase(),
                ]);
                command.args(["--payload", QUESTION]);
                if !confirmable {
                    command.arg("--non");
                }
            }
        }
        run(command.arg(uri))
    }
}

/// The token in an answer, which has to be all that phones expect.
fn token(up: &Up, said: &Said) -> String {
    let answer: Value =
        serde_json::from_slice(&said.stdout).unwrap_or_else(|error| panic!("{error} in {said:?}"));
    assert_eq!(answer["code"], 200, "{answer}");
    assert_eq!(answer["id"], 123, "{answer}");
    let data = &answer["data"];
    assert_eq!(data["productKey"], up.device("product_key"));
    assert_eq!(data["deviceName"], up.device("device_name"));
    let token = data["token"].as_str().unwrap();
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    assert!(token.len() == 32 && token.bytes().all(is_hex), "{token}");
    assert!(data["remainTime"].as_u64().unwrap() <= 45_000, "{data}");
    token.to_owned()
}

/// The tokens that the cloud knows. The trace shows none of them, but tells them apart.
fn reported(up: &Up) -> BTreeSet<String> {
    let events = up.events();
    let reports = events.iter().filter(|event| is(event, "token_reported"));
    reports
        .map(|report| report.data["token"].to_string())
        .collect()
}

fn is(event: &Event, kind: &str) -> bool {
    event.source == Source::Cloud && event.kind == kind
}

fn judges(client: Option<Client>) {
    let Some(client) = client else { return };
    let up = up();
    let mut told = Vec::new();
    for confirmable in [true, false] {
        let said = client.ask(&up, confirmable, "get", PATH).well();
        let token = token(&up, &said);
        assert!(!told.contains(&token));
        told.push(token);
        // Whoever asks next gets another token.
        eventually("a report of the next token", || {
            (reported(&up).len() > told.len()).then_some(())
        });
    }
    // Unicast requests may name the device.
    let own = format!(
        "sys/{}/{}/device/info/get",
        up.device("product_key"),
        up.device("device_name")
    );
    told.push(token(&up, &client.ask(&up, true, "get", &own).well()));
    up.see_line("CoAP", &format!("Request path is /{own}"));

    for (method, path, code, line) in [
        ("post", PATH, "4.05", "Request path is /sys/device/info/get"),
        (
            "get",
            "sys/device/info/nothing",
            "4.04",
            "The resource /sys/device/info/nothing is not registered",
        ),
    ] {
        let said = client.ask(&up, true, method, path);
        assert!(said.stderr.contains(code), "{method} {path}: {said:?}");
        assert!(said.stdout.is_empty(), "{said:?}");
        up.see_line("CoAP", line);
    }
    binds(&up, told.last().unwrap());
    up.end();
}

/// The token is good for a bind, once.
fn binds(up: &Up, token: &str) {
    if !is_there("curl", "curl") {
        return;
    }
    let bind = |account: &str| -> Value {
        let body = json!({
            "account": account,
            "productKey": up.device("product_key"),
            "deviceName": up.device("device_name"),
            "token": token,
        });
        let url = format!(
            "http://{}{}",
            up.endpoint("/cloud/bind_api"),
            proto::bind::BIND_PATH
        );
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--data", &body.to_string()]);
        let said = run(command.args(["--header", "Content-Type: application/json", &url]));
        serde_json::from_slice(&said.well().stdout).unwrap()
    };
    assert_eq!(bind("alice")["code"], 200);
    let second = bind("mallory");
    assert_ne!(second["code"], 200, "{second}");
    let bound = up.see("the bind", |event| {
        is(event, "bound").then(|| event.data.clone())
    });
    assert_eq!(bound["device_name"], up.device("device_name"));
    assert_eq!(bound["account"], "alice");
}

#[test]
fn libcoap_gets_tokens() {
    judges(Client::libcoap());
}

#[test]
fn aiocoap_gets_tokens() {
    judges(Client::aiocoap());
}
