//! Our own phone, as its user has it: `proving prov` against the device of `proving up`.

mod every_way;
mod knowledge;
mod losses;
mod sec2;
mod token;
mod wifi;

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::peer::{Said, run};
use crate::up::Up;

pub const FORWARD: &str = "127.0.0.1:0=softap:80";
/// Not the network's, whose own is made up.
const WRONG: &str = "not the passphrase";
/// A device whose firmware reads longer lines than most.
const LONG_LINE: &str = "1024";

/// Somebody who knows what the device's owner knows.
struct Owner {
    up: Up,
    way: Vec<String>,
    // Holds the console's socket.
    _folder: tempfile::TempDir,
}

impl Owner {
    /// Of a device that is provisioned over `transport`.
    fn of(transport: &str, security: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let case = |more: &str| format!("security={security}{more}]");
        let (up, way) = match transport {
            "console" => {
                let port = folder.path().join("console");
                let port = port.to_str().unwrap();
                let case = case(&format!(",line={LONG_LINE}"));
                let up = Up::start_with("console.yaml", &case, &["--console", port]);
                let way = ["console", "--port", port, "--line-limit", LONG_LINE];
                (up, way.map(str::to_owned).to_vec())
            }
            "ble" => {
                let up = Up::start("ble.yaml", &case(""), &[]);
                let way = ["ble", "--name", up.device("service_name")];
                let way = way.map(str::to_owned).to_vec();
                (up, way)
            }
            _ => {
                let up = Up::start("requests.yaml", &case(""), &[FORWARD]);
                let way = ["softap".to_owned(), "--url".to_owned(), url(&up)];
                (up, way.to_vec())
            }
        };
        Self {
            up,
            way,
            _folder: folder,
        }
    }

    /// The same, by way of somebody else.
    fn through(mut self, url: &str) -> Self {
        self.way = ["softap", "--url", url].map(str::to_owned).to_vec();
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare();
        command
            .args(arguments)
            .arg("--transport")
            .args(&self.way)
            .args(["--pop", "env:POP", "--password", "env:PASSWORD"])
            .args(["--username", self.up.device("username")])
            .env("POP", self.up.device("pop"))
            .env("PASSWORD", self.up.device("password"))
            .env("PASSPHRASE", self.passphrase())
            .env("WRONG", WRONG);
        if let Some(bus) = self.up.dbus() {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", bus);
        }
        command
    }

    /// `proving prov` with these arguments, and whatever secret is needed in the environment.
    fn prov(&self, arguments: &[&str]) -> Said {
        let said = run(&mut self.command(arguments));
        // Whatever happened.
        for secret in [
            self.up.device("pop"),
            self.up.device("password"),
            self.passphrase(),
            WRONG,
        ] {
            if !secret.is_empty() {
                assert!(!said.stderr.contains(secret), "{said:?}");
                assert!(!said.text().contains(secret), "{said:?}");
            }
        }
        said
    }

    /// The same, as JSON.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self
            .prov(&[arguments, &["--message-format", "json"]].concat())
            .well();
        let lines = said.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// `set` with the right SSID and this passphrase.
    fn set(&self, passphrase: &str, more: &[&str]) -> Said {
        self.prov(&[&self.set_arguments(passphrase)[..], more].concat())
    }

    fn set_arguments<'a>(&'a self, passphrase: &'a str) -> [&'a str; 7] {
        let ssid = self.ssid();
        [
            "set",
            "--ssid",
            ssid,
            "--poll",
            "200ms",
            "--passphrase",
            passphrase,
        ]
    }

    fn ssid(&self) -> &str {
        self.up.endpoint("/access_points/home/ssid")
    }

    fn passphrase(&self) -> &str {
        self.up.endpoint("/access_points/home/passphrase")
    }
}

/// Where the device of `up` is for a phone in its SoftAP.
fn url(up: &Up) -> String {
    format!("http://{}", up.forward("tcp", "softap", 80))
}

/// `proving prov`, with nobody at the terminal.
fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proving"));
    command.arg("prov").stdin(Stdio::null());
    command
}

/// Asserts the exit code, and what standard error holds.
fn ended(said: &Said, code: i32, why: &str) {
    assert_eq!(said.status.code(), Some(code), "{said:?}");
    // Messages are broken into lines for the terminal.
    let text: Vec<&str> = said
        .stderr
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    assert!(text.join(" ").contains(why), "no `{why}` in {said:?}");
}
