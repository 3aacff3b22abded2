//! `proving up`, from its start to an end without traces.

use std::fs;
use std::net::SocketAddrV4;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use trace::{Event, LogLine};

/// How long a world may take to be up, to show something, and to end.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(10);

/// A world that is up.
pub struct Up {
    child: Child,
    folder: tempfile::TempDir,
    endpoints: Value,
}

/// Memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What is resident now.
    pub now_kib: u64,
    /// The most that ever was.
    pub peak_kib: u64,
}

/// What `look` finds, which has to be soon.
pub fn eventually<R>(what: &str, look: impl FnMut() -> Option<R>) -> R {
    within(PATIENCE, what, look)
}

/// The same, where it may take longer.
pub fn within<R>(patience: Duration, what: &str, look: impl FnMut() -> Option<R>) -> R {
    sought(patience, look).unwrap_or_else(|| panic!("never came: {what}"))
}

fn sought<R>(patience: Duration, mut look: impl FnMut() -> Option<R>) -> Option<R> {
    let deadline = Instant::now() + patience;
    loop {
        let seen = look();
        if seen.is_some() || Instant::now() > deadline {
            return seen;
        }
        std::thread::sleep(GLANCE);
    }
}

/// A file or folder of the repository.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/judges")
        .join(name)
}

impl Up {
    /// Brings up the case `case` of the scenario `name`, with these forwards.
    pub fn start(name: &str, case: &str, forwards: &[&str]) -> Self {
        let forwards = forwards.iter().flat_map(|forward| ["--forward", forward]);
        Self::start_with(name, case, &forwards.collect::<Vec<_>>())
    }

    /// Brings up the case `case` of the scenario `name`, with these arguments.
    pub fn start_with(name: &str, case: &str, arguments: &[&str]) -> Self {
        Self::start_until(name, case, arguments, ("app", "Provisioning started"))
    }

    /// Brings up the case `case` of the scenario `name`, with these arguments, and waits until the
    /// device has printed a line with this tag and text.
    pub fn start_until(name: &str, case: &str, arguments: &[&str], ready: (&str, &str)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let errors = fs::File::create(folder.path().join("stderr")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_proving"));
        command
            .arg("up")
            .arg(fixture(name))
            .args(["-E", &format!("name(~{case})")])
            .arg("--out")
            .arg(folder.path().join("out"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .args(arguments);
        let mut up = Self {
            child: command.spawn().unwrap(),
            folder,
            endpoints: Value::Null,
        };
        let path = up.out().join("endpoints.json");
        let text = eventually("endpoints.json", || {
            let ended = up.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", up.said());
            fs::read(&path).ok()
        });
        up.endpoints = serde_json::from_slice(&text).unwrap();
        // The lab answers now; the device does once it has started, as any would.
        up.see_line(ready.0, ready.1);
        up
    }

    /// What the process takes of memory.
    pub fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1));
            number.unwrap().parse().unwrap()
        };
        Memory {
            now_kib: kib("VmRSS:"),
            peak_kib: kib("VmHWM:"),
        }
    }

    /// The output folder.
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// A text of endpoints.json.
    pub fn endpoint(&self, pointer: &str) -> &str {
        self.endpoints
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text at {pointer} of {:#}", self.endpoints))
    }

    /// Where a BlueZ is that has an adapter, if the device is provisioned over Bluetooth.
    pub fn dbus(&self) -> Option<&str> {
        self.endpoints["dbus"].as_str()
    }

    /// A text of endpoints.json, of the only device.
    pub fn device(&self, field: &str) -> &str {
        self.endpoint(&format!("/devices/device/{field}"))
    }

    /// The security that the only device speaks.
    pub fn security(&self) -> u64 {
        self.endpoints["devices"]["device"]["security"]
            .as_u64()
            .unwrap()
    }

    /// Where the only device's port `port` is on this host.
    pub fn forward(&self, protocol: &str, side: &str, port: u16) -> SocketAddrV4 {
        let forwards = self.endpoints["devices"]["device"]["forwards"].as_array();
        let forward = forwards.unwrap().iter().find(|forward| {
            forward["protocol"] == protocol && forward["to"] == side && forward["port"] == port
        });
        forward.unwrap()["address"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// What the trace holds so far.
    pub fn events(&self) -> Vec<Event> {
        let events = trace::read(&self.out().join("trace.jsonl")).unwrap();
        for event in &events {
            assert_eq!(trace::catalogue::lacking(event), None, "{event:?}");
        }
        events
    }

    /// The first event in which `look` finds something, as soon as there is one.
    pub fn see<R>(&self, what: &str, look: impl Fn(&Event) -> Option<R>) -> R {
        let seen = sought(PATIENCE, || self.events().iter().find_map(&look));
        seen.unwrap_or_else(|| {
            let events: Vec<String> = self.events().iter().map(shown).collect();
            panic!("never came: {what}\n{}", events.join("\n"))
        })
    }

    /// Waits for a payload of which `is` holds.
    pub fn see_payload<P>(&self, what: &str, is: impl Fn(&P) -> bool) -> P
    where
        P: trace::Payload + for<'de> serde::Deserialize<'de>,
    {
        self.see(what, |event| event.payload().filter(&is))
    }

    /// Waits for a line of the device's log.
    pub fn see_line(&self, tag: &str, text: &str) {
        self.see_payload(&format!("{tag}: {text}"), |line: &LogLine| {
            line.tag == tag && line.text.contains(text)
        });
    }

    /// Whether the device's log holds such a line.
    pub fn has_line(&self, text: &str) -> bool {
        self.events().iter().any(|event| {
            let line = event.payload::<LogLine>();
            line.is_some_and(|line| line.text.contains(text))
        })
    }

    /// Ends it as a service manager does: it must go in order and leave no process behind.
    pub fn end(mut self) {
        let id = i32::try_from(self.child.id()).unwrap();
        assert_eq!(devices(&self.out()).len(), 1, "the device runs to the end");
        // SAFETY: a plain system call; the child has not been waited for, so the number is its own.
        assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0);
        let status = eventually("the end of `up`", || self.child.try_wait().unwrap());
        assert_eq!(
            (status.code(), status.signal()),
            (Some(0), None),
            "{}",
            self.said()
        );
        assert_eq!(devices(&self.out()), [] as [PathBuf; 0], "left behind");
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("`up` said: {}", self.said());
        }
        // Nothing to do if it has ended, as it should have; its device ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event on one line.
fn shown(event: &Event) -> String {
    format!("{:?} {} {}", event.source, event.kind, event.data)
}

/// The processes of the devices of the world in `out`: its path stands on their command lines.
fn devices(out: &Path) -> Vec<PathBuf> {
    let out = out.to_str().unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.map(|entry| entry.path())
        .filter(|process| {
            let command_line = fs::read(process.join("cmdline")).unwrap_or_default();
            let command_line = String::from_utf8_lossy(&command_line);
            command_line.contains(out) && command_line.contains("__device")
        })
        .collect()
}
