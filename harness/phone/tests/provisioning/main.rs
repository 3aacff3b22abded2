//! A phone provisions a device in memory.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod console;
mod hostile;
mod soft_ap;
mod support;
mod tolerance;

use std::sync::Arc;

use clock::Clock;
use phone::{Credentials, Exchange, ProvisioningClient, Settings};
use support::FakeDevice;
use trace::Trace;

const NO_SECURITY: &str =
    r#"{"prov": {"ver": "v1.1", "sec_ver": 0, "sec_patch_ver": 0, "cap": ["no_sec"]}}"#;
const SECURITY_1: &str =
    r#"{"prov": {"ver": "v1.1", "sec_ver": 1, "sec_patch_ver": 0, "cap": ["wifi_scan"]}}"#;
const NO_POP: &str = r#"{"prov": {"ver": "v1.1", "cap": ["no_pop"]}}"#;
const SECURITY_2: &str =
    r#"{"prov": {"ver": "v1.1", "sec_ver": 2, "sec_patch_ver": 1, "cap": []}}"#;

const SET_OK: &str = "08036a00";
const APPLY_OK: &str = "08057a00";
const CONNECTING: &str = "08015a021001";
const CONNECTED: &str =
    "08015a265a240a0e3139322e3136382e34332e32343310031a066d79737369642206a0b1c2d3e4f52806";
const AUTH_ERROR: &str = "08015a0410035000";
const NOT_FOUND: &str = "08015a0410035001";
const ENDED: &str = "08015a00";

const PASSPHRASE: &str = "correct horse battery";

struct World {
    trace: Trace,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        let clock = Clock::start(1000.0);
        Self {
            trace: Trace::in_memory(clock.clone()),
            clock,
        }
    }

    fn device(&self, security: &factory::Security, version: &str) -> FakeDevice {
        FakeDevice::new(self.clock.clone(), security, version)
    }

    fn plain_device(&self) -> FakeDevice {
        self.device(&factory::Security::None, NO_SECURITY)
    }

    fn client(&self, device: &FakeDevice, settings: Settings) -> ProvisioningClient {
        let address = "192.168.4.1:80".parse().unwrap();
        ProvisioningClient::new(
            Arc::new(device.clone()),
            address,
            settings,
            self.trace.clone(),
        )
    }

    fn stranger(&self, device: &FakeDevice) -> ProvisioningClient {
        self.client(device, Settings::of("alice"))
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.trace
            .since(0)
            .iter()
            .filter_map(|event| event.payload())
            .collect()
    }
}

fn credentials() -> Credentials {
    Credentials::new("myssid", PASSPHRASE)
}

fn with_pop(pop: &str) -> Settings {
    Settings {
        pop: Some(pop.into()),
        ..Settings::of("alice")
    }
}

fn v1(pop: &str) -> factory::Security {
    factory::Security::V1 { pop: pop.into() }
}
