//! A device of `proving up`, fresh for each sample.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use trace::{Event, LogLine};

use crate::setup::{Outcome, Setup};

/// How long it may take until the device can be provisioned.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(5);

/// A device that waits for a phone. Gone when dropped.
pub struct Up {
    child: Child,
    endpoints: Endpoints,
    folder: PathBuf,
}

/// What a phone has to know of a device.
pub struct Endpoints(Value);

impl Endpoints {
    /// As `proving up` has written it.
    pub fn read(path: &Path) -> Outcome<Self> {
        Ok(Self(serde_json::from_slice(&std::fs::read(path)?)?))
    }

    /// A text of it.
    pub fn text(&self, pointer: &str) -> Outcome<&str> {
        let text = self.0.pointer(pointer).and_then(Value::as_str);
        text.ok_or_else(|| format!("endpoints.json has no text at {pointer}").into())
    }
}

impl Up {
    /// Of this transport and security.
    pub fn start(setup: &Setup, transport: &str, security: &str) -> Outcome<Self> {
        let scenario = format!(
            "name: Provisioning\n\
             world:\n\
             \x20 access_points: {{ home: {{ channel: 6, rssi: -41 }} }}\n\
             \x20 devices: {{ device: {{ provisioning: {{ over: {transport}, security: {security}, \
             line_limit: 1024 }} }} }}\n\
             steps:\n\
             \x20 - power: on\n"
        );
        let reached = |command: &mut Command, folder: &Path| {
            match transport {
                "ble" => command,
                "console" => command.arg("--console").arg(folder.join("console")),
                _ => command.args(["--forward", "127.0.0.1:0=softap:80"]),
            };
        };
        Self::of(setup, &scenario, reached, "Provisioning started")
    }

    /// Of this scenario, with the arguments that `reached` adds, once the device has printed `ready`.
    pub fn of(
        setup: &Setup,
        scenario: &str,
        reached: impl FnOnce(&mut Command, &Path),
        ready: &str,
    ) -> Outcome<Self> {
        let folder = setup.folder()?;
        let scenario_file = folder.join("scenario.yaml");
        std::fs::write(&scenario_file, scenario)?;
        let mut command = Command::new(&setup.proving);
        command.arg("up").arg(&scenario_file);
        command.arg("--out").arg(folder.join("out"));
        reached(&mut command, &folder);
        let log = std::fs::File::create(folder.join("log"))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut up = Self {
            child: command.spawn()?,
            endpoints: Endpoints(Value::Null),
            folder,
        };
        let path = up.path();
        up.wait(|| path.exists().then_some(()))?;
        up.endpoints = Endpoints::read(&path)?;
        let trace = up.folder.join("out/trace.jsonl");
        up.wait(|| {
            let events = trace::read(&trace).ok()?;
            let is_ready = |event: &Event| is_line(event, ready);
            events.iter().any(is_ready).then_some(())
        })?;
        Ok(up)
    }

    fn wait<T>(&mut self, look: impl Fn() -> Option<T>) -> Outcome<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let said = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("the device of `proving up` never started: {said}").into());
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Where endpoints.json is.
    pub fn path(&self) -> PathBuf {
        self.folder.join("out/endpoints.json")
    }

    /// What is in it.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// A text of it.
    pub fn text(&self, pointer: &str) -> Outcome<&str> {
        self.endpoints.text(pointer)
    }

    /// Where its only forward is on this host.
    pub fn http(&self) -> Outcome<&str> {
        self.text("/devices/device/forwards/0/address")
    }

    /// A file of the output folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join("out").join(name)
    }

    /// Where its console is.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console")
    }
}

fn is_line(event: &Event, text: &str) -> bool {
    let line = event.payload::<LogLine>();
    line.is_some_and(|line| line.text == text)
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended by itself; its device ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
