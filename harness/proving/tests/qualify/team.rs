//! A team with scenarios of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// Where a judge that is missing is a failure.
const REQUIRED: &str = "PROVING_JUDGES_REQUIRED";

pub const ONLINE: &str = "
name: It gets online
world:
  access_points: { home: {} }
  cloud: { broker: {} }
  devices: { device: { provisioning: { over: softap, security: v1 } } }
  phones: [alice]
steps:
  - power: on
  - expect: { log: { text: Provisioning started }, within: 10s }
  - provision: { phone: alice, join: home, outcome: connected }
  - expect: { mqtt: session_opened, within: 30s }
";
pub const STARTS: &str = "
name: It starts
world: { devices: { device: {} } }
steps:
  - power: on
  - expect: { log: { text: Provisioning started }, within: 5s }
";

/// A folder with two scenarios.
pub struct Team(pub tempfile::TempDir);

impl Team {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        fs::write(folder.path().join("scenarios/online.yaml"), ONLINE).unwrap();
        fs::write(folder.path().join("scenarios/starts.yaml"), STARTS).unwrap();
        Self(folder)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn proving(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_proving"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    pub fn qualify(&self, arguments: &[&str]) -> Output {
        self.proving(&[&["qualify", "--seed", "1"], arguments].concat())
    }

    /// So many repeats, kept in the folder `out`.
    pub fn repeats(&self, repeats: u32, out: &str, arguments: &[&str]) -> Output {
        let repeats = repeats.to_string();
        self.qualify(&[&["--repeats", &repeats, "--out", out], arguments].concat())
    }

    /// Exit code of a verification, and what it says.
    pub fn verify(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.proving(&[&["evidence", "verify"], arguments].concat());
        let text = said(&output) + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.at(path)).unwrap()).unwrap()
    }

    /// A key of ssh-keygen's; none if that is not here, which is said.
    pub fn key(&self, name: &str) -> Option<String> {
        let made = Command::new("ssh-keygen")
            .args([
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                "lab@example",
                "-f",
                name,
            ])
            .current_dir(self.0.path())
            .status();
        let Ok(made) = made else {
            let message =
                "ssh-keygen is not installed: `cargo xtask setup` installs openssh-client";
            assert!(std::env::var_os(REQUIRED).is_none(), "{message}");
            eprintln!("skipped, because {message}");
            return None;
        };
        assert!(made.success());
        Some(name.to_owned())
    }
}

pub fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The words of a message, without the frame and the line ends that it is printed with.
pub fn words(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| *word != "│");
    words.collect::<Vec<_>>().join(" ")
}
