//! A probe in front of a fake core, and probe-rs in front of the probe.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::probe::fake::FakeCore;
use lab::probe::{Dap, Faults, Server, Supply};
use probe_rs::config::Registry;
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, Probe, WireProtocol};
use probe_rs::{Permissions, Session};

/// The fake core, as probe-rs knows chips.
pub const TARGET: &str = "
name: Fake
variants:
  - name: fake
    cores:
      - name: main
        type: armv7em
        core_access_options: !Arm
          ap: !v1 0
    memory_map:
      - !Nvm
        range: { start: 0x0, end: 0x10000 }
        cores: [main]
        access: { boot: true }
      - !Ram
        range: { start: 0x20000000, end: 0x20010000 }
        cores: [main]
flash_algorithms: []
";

/// NOP, NOP, and then for ever the same.
pub const LOOP: [u16; 4] = [0xBF00, 0xBF00, 0xBF00, 0xE7FE];
/// Where an [`image`]'s code starts.
pub const ENTRY: u32 = 0x40;
/// Where its fault handler is.
pub const HARD_FAULT: u32 = 0x80;

/// Vectors, these instructions at [`ENTRY`], and an endless loop at [`HARD_FAULT`].
pub fn image(instructions: &[u16]) -> Vec<u8> {
    let mut image = Vec::new();
    for vector in [0x2000_8000, ENTRY | 1, HARD_FAULT | 1, HARD_FAULT | 1] {
        image.extend_from_slice(&u32::to_le_bytes(vector));
    }
    image.resize(ENTRY as usize, 0);
    image.extend(instructions.iter().flat_map(|half| half.to_le_bytes()));
    image.resize(HARD_FAULT as usize, 0);
    image.extend_from_slice(&0xE7FE_u16.to_le_bytes());
    image
}

/// A probe whose target has power.
pub struct World {
    pub server: Server,
    pub faults: Faults,
    pub target: Arc<Mutex<Dap<FakeCore>>>,
}

impl World {
    pub fn new(instructions: &[u16]) -> Self {
        Self::with_image(&image(instructions))
    }

    pub fn with_image(image: &[u8]) -> Self {
        let faults = Faults::default();
        let mut dap = Dap::new(FakeCore::new(image), faults.clone());
        dap.supply(Supply::On).expect("a core with power");
        let target = Arc::new(Mutex::new(dap));
        let server = Server::start(target.clone(), faults.clone()).expect("a free port");
        Self {
            server,
            faults,
            target,
        }
    }

    pub fn port(&self) -> u16 {
        let selector = self.server.selector();
        let port = selector.rsplit(':').next().expect("a port");
        port.parse().expect("a number")
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port())).expect("a probe");
        let bound = Some(Duration::from_secs(5));
        stream.set_read_timeout(bound).expect("a timeout");
        stream
    }

    pub fn session(&self) -> Session {
        attach(open(&self.server.selector()).expect("a probe")).expect("a target")
    }
}

/// Opens a probe.
pub fn open(selector: &str) -> Result<Probe, probe_rs::probe::DebugProbeError> {
    let selector: DebugProbeSelector = selector.parse().expect("a selector");
    let mut probe = Lister::new().open(selector)?;
    probe.select_protocol(WireProtocol::Swd)?;
    Ok(probe)
}

/// Attaches to the fake core.
pub fn attach(probe: Probe) -> Result<Session, probe_rs::Error> {
    let mut registry = Registry::new();
    registry
        .add_target_family_from_yaml(TARGET)
        .expect("a target description");
    probe.attach_with_registry("fake", Permissions::default(), &registry)
}

/// What the probe answers to these bytes, up to the last `#`.
pub fn ask(stream: &mut TcpStream, bytes: &[u8], answers: usize) -> String {
    stream.write_all(bytes).expect("sent");
    let mut heard = Vec::new();
    let mut byte = [0];
    while heard.iter().filter(|byte| **byte == b'#').count() < answers {
        stream.read_exact(&mut byte).expect("an answer");
        heard.push(byte[0]);
    }
    String::from_utf8(heard).expect("text")
}
