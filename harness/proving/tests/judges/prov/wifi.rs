//! The host's own Wi-Fi, which a stand-in for NetworkManager has.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, SystemTime};

use board::lease::Leases;
use clock::Clock;
use lab::network_manager::{HostNetwork, NetworkManagerStandIn};
use lab::private_bus;
use tokio::runtime::Runtime;
use trace::Trace;

use super::{FORWARD, bare, url};
use crate::peer::{Said, run};
use crate::up::Up;

const KEY: &str = "abcd1234";

/// A host whose interface `wlan0` is in the network `home`, and hears the device's.
struct Host {
    bus: String,
    stand_in: NetworkManagerStandIn,
    /// Where it runs.
    runtime: Runtime,
}

impl Host {
    fn new(device: &str) -> Self {
        let bus = format!(
            "unix:abstract=prov-wifi-test-{}-{device}",
            std::process::id()
        );
        private_bus::start(&bus).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let network = |ssid: &str, passphrase: &str| HostNetwork {
            ssid: ssid.to_owned(),
            passphrase: Some(passphrase.to_owned()),
            // The device is behind a port of this host.
            address: Some(Ipv4Addr::LOCALHOST),
        };
        let networks = [network("home", "correct horse"), network(device, KEY)];
        let stand_in = runtime.block_on(async {
            let trace = Trace::in_memory(Clock::start(1.0));
            NetworkManagerStandIn::start(&trace, &bus, "wlan0", &networks).await
        });
        Self {
            bus,
            stand_in: stand_in.unwrap(),
            runtime,
        }
    }

    fn prov(&self, up: &Up, arguments: &[&str]) -> Said {
        let mut command: Command = bare();
        command
            .args(arguments)
            .args(["--url", &url(up), "--service-key", "env:KEY"])
            .env("KEY", KEY)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.bus);
        self.runtime.block_on(async {
            let running = tokio::task::spawn_blocking(move || run(&mut command));
            running.await.unwrap()
        })
    }
}

#[test]
fn a_device_is_asked_in_its_own_network_and_the_host_goes_back() {
    let up = Up::start("requests.yaml", "security=v1]", &[FORWARD]);
    let service = up.device("service_name");
    let host = Host::new(service);
    let said = host.prov(&up, &["info", "--wifi", "wlan0", "--name", service]);
    let said = said.well();
    assert!(
        said.text().contains("sec_ver") || said.text().contains("security"),
        "{said:?}"
    );
    assert!(
        said.stderr.contains(&format!("joining {service} on wlan0")),
        "{said:?}"
    );
    assert_eq!(host.stand_in.connected_to().as_deref(), Some("home"));
}

#[test]
fn a_network_that_is_not_there_changes_nothing() {
    let up = Up::start("requests.yaml", "security=v1]", &[FORWARD]);
    let host = Host::new("PROV_OTHER");
    let said = host.prov(&up, &["info", "--wifi", "wlan1", "--name", "PROV_OTHER"]);
    assert_eq!(said.status.code(), Some(3), "{said:?}");
    assert!(said.stderr.contains("has no interface wlan1"), "{said:?}");
    assert_eq!(host.stand_in.connected_to().as_deref(), Some("home"));
}

#[test]
fn an_interface_that_a_run_uses_is_left_to_it() {
    let up = Up::start("requests.yaml", "security=v1]", &[FORWARD]);
    let service = up.device("service_name");
    let host = Host::new(service);
    let network = fs::read_link("/proc/self/ns/net").unwrap();
    let interface = format!("wifi wlan0 on {} in {}", host.bus, network.display());
    let leases = Leases::open().unwrap();
    let until = SystemTime::now() + Duration::from_secs(600);
    let of_a_run = leases.take_turn(&[interface], "the phones of a case", until, &mut Vec::new());
    let of_a_run = of_a_run.unwrap();
    let ask = || host.prov(&up, &["info", "--wifi", "wlan0", "--name", service]);
    let said = ask();
    assert_eq!(said.status.code(), Some(3), "{said:?}");
    assert!(said.stderr.contains("(the phones of a case)"), "{said:?}");
    assert_eq!(host.stand_in.connected_to().as_deref(), Some("home"));
    drop(of_a_run);
    ask().well();
}
